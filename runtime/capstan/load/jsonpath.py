"""JSONPath: where in an answer a value stands. Parsed once, at load; what cannot be evaluated is refused there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from capstan.load.expression import ExpressionError

_CHAIN_STEP = re.compile(r"\.([A-Za-z_$@][\w$@-]*)|\[(\d+|\*)\]|\[(?:'([^'\\]*)'|\"([^\"\\]*)\")\]|\.(\*)")


@dataclass(frozen=True)
class JsonPath:
    """A compiled JSONPath. Plain chains are looked up directly; everything else goes to the library."""

    text: str
    chain: tuple[str | int, ...] | None  # "*" stands for every item; None: the library's business

    @property
    def whole(self) -> bool:
        return self.chain == ()

    @cached_property
    def _compiled(self) -> Any:
        from jsonpath_ng.ext.parser import parse  # noqa: PLC0415 - heavy to import, and most files never need it

        try:
            return parse(self.text)
        except Exception as error:
            raise ExpressionError(f"'{self.text}' is not a JSONPath: {error}") from error

    def check(self) -> None:
        """Compile now.

        Raises:
            ExpressionError: the text is not a JSONPath.
        """
        if self.chain is None:
            _ = self._compiled

    def find(self, value: Any) -> Any:
        """The value at the path, None when there is none; a list when the path may meet several."""
        if self.chain is None:
            found = [match.value for match in self._compiled.find(value)]
            return found if _INDEFINITE.search(self.text) else next(iter(found), None)
        if "*" in self.chain:
            return list(_walk(value, self.chain))
        for step in self.chain:
            if isinstance(step, str):
                if not isinstance(value, dict) or step not in value:
                    return None
            elif not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        return value


# `*` in the chain would clash with a key named "*", which `['*']` spells: such a path goes to the library.
_INDEFINITE = re.compile(r"\*|\.\.|\?|\[[^\]'\"]*[:,]")


def _walk(value: Any, chain: tuple[str | int, ...]) -> Iterator[Any]:
    for index, step in enumerate(chain):
        if step == "*":
            items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
            for item in items:
                yield from _walk(item, chain[index + 1 :])
            return
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return
        elif not isinstance(value, list) or step >= len(value):
            return
        value = value[step]
    yield value


def parse_jsonpath(text: str) -> JsonPath:
    """`$`, `$.`, `$.a[0].b`, `{{$.a}}`, `$.a[?(@.b)]` -> JsonPath.

    Raises:
        ExpressionError: it does not begin with `$`, or is not a JSONPath.
    """
    stripped = text.strip()
    if stripped.startswith("{{") and stripped.endswith("}}"):
        stripped = stripped[2:-2].strip()
    if stripped in ("$", "$.", ""):
        return JsonPath(stripped, ())
    if not stripped.startswith("$"):
        raise ExpressionError(f"'{text}' is not a JSONPath: it must begin with '$', as in '$.name'")
    chain: list[str | int] = []
    position = 1
    while position < len(stripped):
        match = _CHAIN_STEP.match(stripped, position)
        key = next((g for g in match.groups() if g is not None), None) if match else None
        if match is None or (key == "*" and match[3] is not None):
            path = JsonPath(stripped, None)
            path.check()
            return path
        assert key is not None
        chain.append(int(key) if match[2] is not None and key != "*" else key)
        position = match.end()
    return JsonPath(stripped, tuple(chain))


def split_root(path: JsonPath) -> tuple[str | None, JsonPath]:
    """The name a path begins with, and the path from there on; None when it begins with something else."""
    if path.chain is not None:
        if not path.chain or not isinstance(path.chain[0], str) or path.chain[0] == "*":
            return None, path
        rest = path.chain[1:]
        return path.chain[0], JsonPath(path.text, rest)
    match = _CHAIN_STEP.match(path.text, 1)
    if match is None or match[2] is not None or match[5] is not None:
        return None, path
    name = next(group for group in match.groups() if group is not None)
    return name, parse_jsonpath("$" + path.text[match.end() :])
