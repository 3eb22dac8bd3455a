"""One or several: a path that can meet several values where one is declared, and XML's lists of one.

Neither is known of an answer by its look: a filter that is to find one order gives a list of it, and an XML element
that stands once is no list. What the file declares decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from capstan.load.jsonpath import JsonPath
from capstan.load.jsonquery import OF_LISTS, Filter, Index, Name, OfItems, Query, Segment, Slice, Wildcard
from capstan.load.model import Output
from capstan.plan.coerce import coerce
from capstan.plan.declared import EitherPath
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
    return only_one(path, kind) if path.meets_several else path


def only_one(path: JsonPath, kind: str | None) -> JsonPath:
    """The path, whose value is a list, for a value of the declared type."""
    if kind not in _ONE:
        return path
    return OnlyPath(path.text, path.chain, path.query, of=path, kind=kind)


def kind_at(outputs: Sequence[Output], target: Sequence[str]) -> str | None:
    """The declared type of what a mapping fills."""
    for output in outputs:
        if output.name == target[0]:
            return output.type if len(target) == 1 else kind_at(output.properties or (), target[1:])
    return None


def _every(_: JsonPath) -> bool:
    return True


def lists_of_one(shape: Shape, within: Callable[[JsonPath], bool] = _every) -> Shape:
    """The shape of an answer in which what stands once is no list: where a list is declared, it is a list of one.

    `within` tells of a path from the root whether it leads into such an answer.
    """
    match shape:
        case Picked() if within(shape.path):
            path = through_ones(shape.path)
            return replace(shape, path=for_list(path) if shape.type == "array" else path)
        case Items() if shape.path is None or within(shape.path):
            path = through_ones(shape.path or JsonPath("$", ()))
            return replace(shape, path=for_list(path), item=lists_of_one(shape.item))
        case Object() if shape.path is None or within(shape.path):
            inner = within if shape.path is None else _every
            members = tuple((name, lists_of_one(member, inner)) for name, member in shape.members)
            return replace(shape, path=shape.path and through_ones(shape.path), members=members)
        case Values() if within(shape.path):
            return replace(shape, path=through_ones(shape.path), value=lists_of_one(shape.value))
        case Needed():
            return Needed(lists_of_one(shape.shape, within))
        case FirstFound():
            return FirstFound(tuple(lists_of_one(one, within) for one in shape.shapes))
    return shape


def through_ones(path: JsonPath) -> JsonPath:
    """The path, into an answer in which what stands once is no list: where it asks for items
    or ends in a function of a list, that is a list of one."""
    if isinstance(path, OnlyPath):
        return replace(path, of=through_ones(path.of))
    segments = _segments_of(path.chain) if path.chain is not None else path.query.segments if path.query else ()
    items = segments[:1] + tuple(_of_items(segment, path.text) for segment in segments[1:])
    # A function of what stands under a name is one of a list; `$.item[0]` has said which it means.
    ones = path.query is not None and path.query.tail in OF_LISTS and bool(segments) and _is_name(segments[-1])
    if items == segments and not ones:
        return path
    query = replace(path.query, segments=items, ones=ones) if path.query is not None else Query(items)
    if isinstance(path, EitherPath):
        return replace(path, chain=None, query=query, other=through_ones(path.other))
    return replace(path, chain=None, query=query)


def _is_name(segment: Segment) -> bool:
    return isinstance(segment.step, str)


def _segments_of(chain: tuple[str | int, ...]) -> tuple[Segment, ...]:
    steps = (Index(s) if isinstance(s, int) else Wildcard() if s == "*" else Name(s) for s in chain)
    return tuple(Segment((step,)) for step in steps)


def _of_items(segment: Segment, text: str) -> Segment:
    """`..` asks for whatever there is below, and `.*` for what an element holds."""
    wanted = (Index, Slice, Filter) if ".*" in text else (Index, Slice, Filter, Wildcard)
    if segment.descends:
        return segment
    return Segment(tuple(OfItems(s) if isinstance(s, wanted) else s for s in segment.selectors))


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
