"""JSONPath: where in an answer a value stands. Parsed once, at load; what cannot be evaluated is refused there.

A plain chain such as `$.a.b[0]` or `$.a[*].b` is looked up directly; everything else is a Query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from capstan.load.expression import ExpressionError, bare_reference
from capstan.load.jsonquery import Query
from capstan.load.jsonquery_text import INTEGER, NAME, parse_query

_CHAIN_STEP: Final = re.compile(
    rf"\.((?>{NAME}(?: +[\w$@\x80-\U0010ffff-]++)*+)(?!\())"
    rf"|\[((?:{INTEGER})(?!\d)|\*)\]|\['([^'\\\x00-\x1f]*)'\]|\[\"([^\"\\\x00-\x1f]*)\"\]|\.(\*)"
)
_LONGEST_INDEX: Final = 9


@dataclass(frozen=True)
class JsonPath:
    """A path ready to be looked up."""

    text: str
    chain: tuple[str | int, ...] | None  # "*" stands for every item; None: a query
    query: Query | None = field(default=None, compare=False, repr=False)

    @property
    def whole(self) -> bool:
        return self.chain == ()

    @property
    def meets_several(self) -> bool:
        """Whether it gives a list of what it meets, be that one value or none."""
        if self.chain is not None:
            return "*" in self.chain
        return self.query is not None and self.query.tail is None and self.query.chain is None

    @property
    def looks_back(self) -> bool:
        """Whether a filter of it names `$`, the value that the path begins with."""
        return self.query is not None and self.query.looks_back

    def find(self, value: Any) -> Any:
        """The value at the path, None when there is none; a list when the path may meet several.

        Raises:
            ShapeError: the path would look at more of the answer than can be answered for.
        """
        if self.chain is None:
            assert self.query is not None
            return self.query.find(value)
        if "*" in self.chain:
            return list(_walk(value, self.chain))
        for step in self.chain:
            if isinstance(step, str):
                if not isinstance(value, dict) or step not in value:
                    return None
            elif not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        return value


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
        elif not isinstance(value, list) or not -len(value) <= step < len(value):
            return
        value = value[step]
    yield value


def parse_jsonpath(text: str) -> JsonPath:
    """`$`, `$.`, `$.a[0].b`, `{{$.a}}`, `$.{{a}}`, `$.a[?@.b]` -> JsonPath.

    Raises:
        ExpressionError: it does not begin with `$`, or is not a JSONPath.
    """
    stripped = bare_reference(text).strip()
    if stripped.startswith("{{") and stripped.endswith("}}"):
        stripped = stripped[2:-2].strip()
    if stripped in ("$", "$.", ""):
        return JsonPath(stripped, ())
    if not stripped.startswith("$"):
        raise ExpressionError(f"'{text}' is not a JSONPath: it must begin with '$', as in '$.name'")
    chain = _chain(stripped)
    if chain is not None:
        return JsonPath(stripped, chain)
    query = parse_query(stripped)
    if query.tail is None and query.chain is not None and "*" not in query.chain:
        return JsonPath(stripped, query.chain)  # a chain in a longer spelling
    return JsonPath(stripped, None, query)


def _chain(text: str) -> tuple[str | int, ...] | None:
    chain: list[str | int] = []
    position = 1
    while position < len(text):
        match = _CHAIN_STEP.match(text, position)
        if match is None:
            return None
        name, index, *quoted, star = match.groups()
        if index is not None and index != "*":
            if len(index) > _LONGEST_INDEX:
                return None
            chain.append(int(index))
        elif "*" in quoted:  # a key of that name: in a chain it would be every item
            return None
        else:
            chain.append(next(key for key in (name, index, *quoted, star) if key is not None))
        position = match.end()
    return tuple(chain)


def split_root(path: JsonPath) -> tuple[str | None, JsonPath]:
    """The name a path begins with, and the path from there on; None when it begins with something else.

    Where `looks_back` is true, a filter in the rest would take `$` for what the rest is applied to.
    """
    if path.chain is not None:
        if not path.chain or not isinstance(path.chain[0], str) or path.chain[0] == "*":
            return None, path
        return path.chain[0], _from(path.chain[1:])
    query = path.query
    first = query.segments[0].step if query is not None and query.segments else None
    if query is None or not isinstance(first, str):
        return None, path
    return first, parse_jsonpath("$" + path.text[query.ends :])


def _from(chain: tuple[str | int, ...]) -> JsonPath:
    steps = [f"[{step}]" if step == "*" or isinstance(step, int) else f".{step}" for step in chain]
    return JsonPath("$" + "".join(steps), chain)
