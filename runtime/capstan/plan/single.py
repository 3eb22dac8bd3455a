"""One or several: a path that can meet several values where one is declared, and XML's lists of one.

Neither is known of an answer by its look: a filter that is to find one order gives a list of it, and an XML element
that stands once is no list. What the file declares decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from capstan.load.jsonpath import JsonPath
from capstan.load.model import Output
from capstan.plan.coerce import coerce
from capstan.plan.shape import FirstFound, Items, Needed, Object, Picked, Shape, Values

_ONE: Final = ("string", "number", "integer", "boolean", "object")


@dataclass(frozen=True)
class OnlyPath(JsonPath):
    """A path that can meet several values, for one: met once it is that value, never null. Several stay a list."""

    of: JsonPath = field(default_factory=lambda: JsonPath("$", ()), kw_only=True)
    kind: str = field(default="", kw_only=True)

    def find(self, value: Any) -> Any:
        found = self.of.find(value)
        if isinstance(found, list) and len(found) < 2:
            return found[0] if found else None
        return coerce(found, "object") if self.kind == "object" else found


def for_one(path: JsonPath, kind: str | None) -> JsonPath:
    """The path, for a value of the declared type."""
    if kind not in _ONE or not path.meets_several:
        return path
    return OnlyPath(path.text, path.chain, path.query, of=path, kind=kind)


def kind_at(outputs: Sequence[Output], target: Sequence[str]) -> str | None:
    """The declared type of what a mapping fills."""
    for output in outputs:
        if output.name == target[0]:
            return output.type if len(target) == 1 else kind_at(output.properties or (), target[1:])
    return None


def lists_of_one(shape: Shape) -> Shape:
    """The shape of an answer in which what stands once is no list: where a list is declared, it is a list of one."""
    match shape:
        case Picked(type="array"):
            return replace(shape, path=for_list(shape.path))
        case Items():
            return replace(shape, path=for_list(shape.path or JsonPath("$", ())), item=lists_of_one(shape.item))
        case Object():
            return replace(shape, members=tuple((name, lists_of_one(member)) for name, member in shape.members))
        case Values():
            return replace(shape, value=lists_of_one(shape.value))
        case Needed():
            return Needed(lists_of_one(shape.shape))
        case FirstFound():
            return FirstFound(tuple(map(lists_of_one, shape.shapes)))
    return shape


def for_list(path: JsonPath) -> JsonPath:
    """The path, into an answer in which what stands once is no list."""
    return _ListPath(path.text, path.chain, path.query, of=path)


@dataclass(frozen=True)
class _ListPath(JsonPath):
    """A path whose value, where there is one that is no list, is a list of it."""

    of: JsonPath = field(default_factory=lambda: JsonPath("$", ()), kw_only=True)

    def find(self, value: Any) -> Any:
        found = self.of.find(value)
        return found if found is None or isinstance(found, list) else [found]
