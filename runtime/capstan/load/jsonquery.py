"""A JSONPath that is no plain chain, as RFC 9535 means it: segments, selectors, filters, and a bound on their work.

The text is read in jsonquery_text.py. Filters are closures made there from the pieces of jsonfilter.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from capstan.errors import ShapeError
from capstan.load.condition import kind_of
from capstan.load.number import read_number

# A path such as `$..*..*` can ask for the square of an answer. The event loop serves others meanwhile, so what one
# path may look at is limited; half a second or so, several times what an 8 MB answer holds.
VISITS: Final = 5_000_000


class Run:
    """One evaluation: the value it began with, and how much it may still look at."""

    __slots__ = ("left", "root")

    def __init__(self, root: Any) -> None:
        self.root, self.left = root, VISITS

    def spend(self, visits: int) -> None:
        """Raises ShapeError when the path asks for more than one evaluation may look at."""
        self.left -= visits
        if self.left < 0:
            message = f"a JSONPath of the file would look at more than {VISITS:,} values of the answer"
            raise ShapeError("answer-too-large", message, outcome="done", retry_safe=False)


Test = Callable[[Any, Run], bool]


@dataclass(frozen=True, slots=True)
class Name:
    name: str

    def select(self, node: Any, found: list[Any], run: Run) -> None:
        if isinstance(node, dict) and self.name in node:
            found.append(node[self.name])


@dataclass(frozen=True, slots=True)
class Index:
    index: int

    def select(self, node: Any, found: list[Any], run: Run) -> None:
        if isinstance(node, list) and -len(node) <= self.index < len(node):
            found.append(node[self.index])


@dataclass(frozen=True, slots=True)
class Slice:
    start: int | None
    end: int | None
    step: int | None

    def select(self, node: Any, found: list[Any], run: Run) -> None:
        if isinstance(node, list) and self.step != 0:  # a step of nothing selects nothing
            taken = node[self.start : self.end : self.step]
            run.spend(len(taken))
            found += taken


@dataclass(frozen=True, slots=True)
class Wildcard:
    def select(self, node: Any, found: list[Any], run: Run) -> None:
        children = children_of(node)
        run.spend(len(children))
        found += children


@dataclass(frozen=True, slots=True)
class Filter:
    test: Test

    def select(self, node: Any, found: list[Any], run: Run) -> None:
        children = children_of(node)
        run.spend(len(children))
        test = self.test
        found += [child for child in children if test(child, run)]


@dataclass(frozen=True, slots=True)
class OfItems:
    """A selector of a list's items, in an answer where what stands once is no list: there it is a list of one."""

    selector: Index | Slice | Wildcard | Filter

    def select(self, node: Any, found: list[Any], run: Run) -> None:
        self.selector.select(node if isinstance(node, list) else [node], found, run)


Selector = Name | Index | Slice | Wildcard | Filter | OfItems


def children_of(node: Any) -> Sequence[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Selectors, applied to each node; with `descends`, to everything below it too."""

    selectors: tuple[Selector, ...]
    descends: bool = False

    @property
    def step(self) -> str | int | None:
        """The one name or index it selects, when it selects no more."""
        match self.selectors:
            case (Name(name),) if not self.descends:
                return name
            case (Index(index) | OfItems(Index(index)),) if not self.descends:
                return index
        return None

    def apply(self, nodes: list[Any], run: Run) -> list[Any]:
        found: list[Any] = []
        run.spend(len(nodes))
        for node in nodes:
            if self.descends:
                self._descend(node, found, run)
            else:
                for selector in self.selectors:
                    selector.select(node, found, run)
        return found

    def _descend(self, node: Any, found: list[Any], run: Run) -> None:
        stack = [node]  # no recursion: an answer may be nested deeper than Python's calls
        while stack:
            node = stack.pop()
            children = children_of(node)
            run.spend(len(children) + 1)
            for selector in self.selectors:
                selector.select(node, found, run)
            stack += [child for child in reversed(children) if isinstance(child, (dict, list))]


def select(segments: Sequence[Segment], node: Any, run: Run) -> list[Any]:
    nodes = [node]
    for segment in segments:
        if not nodes:
            break
        nodes = segment.apply(nodes, run)
    return nodes


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, (str, list, dict)) else None


def _number(item: Any) -> int | float:
    """A number, or what a text spells. Raises ValueError where it is neither."""
    if isinstance(item, str):
        return read_number(item.strip())
    if isinstance(item, (int, float)) and not isinstance(item, bool):
        return item
    raise ValueError("no number")


def _computed(value: Any, path: str, compute: Callable[[list[int | float]], int | float]) -> int | float | None:
    """What comes of a list of numbers.

    Raises:
        ShapeError: one of them is no number, or what comes of them is none that JSON could hold. What passed over the
            one would be a wrong total.
    """
    if not isinstance(value, list) or not value:
        return None
    numbers: list[int | float] = []
    try:
        for item in value:
            numbers.append(_number(item))
        number = compute(numbers)
    except ValueError:
        kind = kind_of(value[len(numbers)])
        message = f"item [{len(numbers)}] of what '{path}' is made of is {kind}, and no number"
        raise ShapeError("unexpected-answer", message, outcome="done", retry_safe=False) from None
    except OverflowError:  # integers of hundreds of digits
        number = math.inf
    if number in (math.inf, -math.inf):
        message = f"what '{path}' adds up is too large a number"
        raise ShapeError("unexpected-answer", message, outcome="done", retry_safe=False)
    return number


# What Jayway's paths may end in, `$.a.length()`: a function of what the path before it finds.
TAILS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "length": lambda value, _: _length(value),
    "size": lambda value, _: _length(value),
    "keys": lambda value, _: list(value) if isinstance(value, dict) else None,
    "first": lambda value, _: value[0] if isinstance(value, list) and value else None,
    "last": lambda value, _: value[-1] if isinstance(value, list) and value else None,
    "sum": lambda value, path: _computed(value, path, sum),
    "min": lambda value, path: _computed(value, path, min),
    "max": lambda value, path: _computed(value, path, max),
    "avg": lambda value, path: _computed(value, path, lambda numbers: sum(numbers) / len(numbers)),
}


OF_LISTS: Final = frozenset(TAILS) - {"keys"}


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed path. `ends` says where the first segment ends in the text; `looks_back`, that a filter names `$`;
    `text` is the whole."""

    segments: tuple[Segment, ...]
    tail: str | None = None
    ends: int = 0
    looks_back: bool = False
    text: str = ""
    ones: bool = False  # whether what its tail is a function of is a list of one, where it is no list

    @property
    def chain(self) -> tuple[str | int, ...] | None:
        """The names and indices of a path that can meet one value at most."""
        steps = tuple(segment.step for segment in self.segments)
        return None if None in steps else steps  # type: ignore[return-value]  # no None is left

    def find(self, value: Any) -> Any:
        """The value at the path, None when there is none; a list when the path may meet several."""
        nodes = select(self.segments, value, Run(value))
        found = nodes if self.chain is None else next(iter(nodes), None)
        if self.ones and found is not None and not isinstance(found, list):
            found = [found]
        return found if self.tail is None else TAILS[self.tail](found, self.text)
