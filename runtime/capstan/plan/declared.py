"""Outputs of a call that name an output which the consumed operation declares.

The specification counts `$.total` from what the operation declares, its engine from the answer. Both kinds of file are
served: the answer itself comes first, and where it has nothing there, what is declared under that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import JsonPath, parse_jsonpath, split_root
from capstan.load.model import Output


@dataclass(frozen=True)
class EitherPath(JsonPath):
    """A path into the answer and, where that meets nothing, another."""

    other: JsonPath = field(default_factory=lambda: JsonPath("$", ()), kw_only=True)

    def find(self, value: Any) -> Any:
        found = super().find(value)
        return self.other.find(value) if found is None or found == [] else found


def through_declared(outputs: tuple[Output, ...], declared: tuple[Output, ...]) -> tuple[Output, ...]:
    """Outputs whose paths from the root of the answer reach what the operation declares."""
    known = {output.name: output.path for output in declared if output.name and output.path and not output.path.whole}
    return tuple(_through(output, known) for output in outputs) if known else outputs


def _through(output: Output, known: Mapping[str, JsonPath]) -> Output:
    if output.path is not None:
        return replace(output, path=_either(output.path, known))
    if output.properties is not None:  # these count from the root too
        return replace(output, properties=tuple(_through(inner, known) for inner in output.properties))
    if output.name in known and not output.has_constant and output.items is None and output.values is None:
        return replace(output, path=_either(parse_jsonpath(f"$['{output.name}']"), known))
    return output


def _either(path: JsonPath, known: Mapping[str, JsonPath]) -> JsonPath:
    name, rest = split_root(path)
    declared = known.get(name) if name is not None else None
    if declared is None or declared.chain == (name,):
        return path
    try:
        other = declared if rest.whole else parse_jsonpath(declared.text + rest.text.removeprefix("$"))
    except ExpressionError:  # nothing can follow a function
        return path
    return EitherPath(f"{path.text} or {other.text}", path.chain, path.query, other=other)
