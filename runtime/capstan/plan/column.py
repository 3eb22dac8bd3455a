"""A field of a look-up: of one entry its value, of several the list of it.

Whether a look-up finds one entry or several is known by the value it looks for, at the latest when it runs.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from capstan.load.jsonpath import JsonPath, split_root
from capstan.plan.shape import FirstFound, Items, Needed, Object, Picked, Shape, Values
from capstan.plan.single import for_one, only_one

_HERE = JsonPath("$", ())


@dataclass(frozen=True)
class ColumnPath(JsonPath):
    """A path that begins with names; in a list of entries they are met in each, and the rest in the list of those."""

    of: JsonPath = field(default=_HERE, kw_only=True)
    step: str | None = field(default=None, kw_only=True)  # where the entries are; None: what the path is applied to
    each: JsonPath = field(default=_HERE, kw_only=True)  # the names, in every entry
    rest: JsonPath = field(default=_HERE, kw_only=True)

    def find(self, value: Any) -> Any:
        entries = value
        if self.step is not None:
            entries = value.get(self.step) if isinstance(value, dict) else None
        return self.rest.find(self.each.find(entries)) if isinstance(entries, list) else self.of.find(value)

    def for_one(self, kind: str | None) -> ColumnPath:
        """For a value of the declared type: a list of one is that value."""
        rest = only_one(self.rest, kind) if self.rest.whole else for_one(self.rest, kind)
        return replace(self, of=for_one(self.of, kind), rest=rest)


def column(path: JsonPath, step: str | None = None) -> JsonPath:
    """The path, into what a look-up found; with `step`, into an answer that has it under that name."""
    first, below = (None, path) if step is None else split_root(path)
    if first != step or below.looks_back:
        return path
    names: list[str | int] = []
    name, rest = split_root(below)
    while name is not None:
        names.append(name)
        name, rest = split_root(rest)
    if not names:
        return path
    each = JsonPath(path.text, ("*", *names))
    return ColumnPath(path.text, path.chain, path.query, of=path, step=step, each=each, rest=rest)


def columns(shape: Shape, steps: AbstractSet[str]) -> Shape:
    """The shape of an answer that has what these look-ups found under their names."""
    if not steps:
        return shape

    def reach(path: JsonPath, kind: str | None) -> JsonPath:
        first, _ = split_root(path)
        found = column(path, first) if first in steps else path
        return replace(found.for_one(kind), of=path) if isinstance(found, ColumnPath) else path

    match shape:
        case Picked():
            return replace(shape, path=reach(shape.path, shape.type))
        case Items() if shape.path is not None:
            return replace(shape, path=reach(shape.path, "array"))
        case Values():
            return replace(shape, path=reach(shape.path, "object"))
        case Object():
            members = tuple((name, columns(member, steps)) for name, member in shape.members)
            path = None if shape.path is None else reach(shape.path, "object")
            return replace(shape, path=path, members=members)
        case Needed():
            return Needed(columns(shape.shape, steps))
        case FirstFound():
            return FirstFound(tuple(columns(one, steps) for one in shape.shapes))
    return shape
