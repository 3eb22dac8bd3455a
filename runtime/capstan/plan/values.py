"""Where a value comes from at call time: small frozen objects that `explain` can print and a request can ask.

`ABSENT` is the answer of an optional input that the caller left out: whatever asked then leaves its own part out. An
explicit null is sent as null where it is a JSON value of its own; anywhere else it is as good as absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from capstan.load.jsonpath import JsonPath

Arguments = Mapping[str, Any]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()


class Secret:
    """A value that must not be shown, unless it is a setting. Compares by value, prints as the name of it."""

    __slots__ = ("_value", "is_setting", "name")

    def __init__(self, value: str, name: str, *, is_setting: bool = False) -> None:
        self._value, self.name, self.is_setting = value, name, is_setting

    @property
    def shown(self) -> str:
        """What stands for a variable where a template with it is shown."""
        return self._value if self.is_setting else "{{" + self.name + "}}"

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known at load. `shown` is what `explain` says in its place when it holds a secret."""

    value: Any
    shown: str | None = None

    def get(self, _: Arguments) -> Any:
        return self.value

    def __repr__(self) -> str:
        return f"Constant({self.shown or repr(self.value)})"


@dataclass(frozen=True, slots=True)
class FromInput:
    """The caller's argument of that name."""

    name: str

    def get(self, arguments: Arguments) -> Any:
        return arguments.get(self.name, ABSENT)


@dataclass(frozen=True, slots=True)
class Joined:
    """Text put together from pieces; absent as soon as one piece is."""

    parts: tuple[Source, ...]

    def get(self, arguments: Arguments) -> Any:
        texts = []
        for part in self.parts:
            value = part.get(arguments)
            if value is ABSENT or value is None:
                return ABSENT
            texts.append(to_text(value))
        return "".join(texts)

    @property
    def name(self) -> str:
        """What an error calls it: the first argument or answer that is in it."""
        return next((part.name for part in self.parts if isinstance(part, (FromInput, FromStep))), "")


@dataclass(frozen=True, slots=True)
class Tree:
    """JSON data whose leaves are sources. Absent members and items are left out."""

    items: tuple[Source, ...] | None
    members: tuple[tuple[str, Source], ...] | None
    empty_is_absent: bool = False

    def get(self, arguments: Arguments) -> Any:
        if self.items is not None:
            return [v for item in self.items if (v := item.get(arguments)) is not ABSENT]
        members = self.members or ()
        taken = {key: v for key, source in members if (v := source.get(arguments)) is not ABSENT}
        return ABSENT if self.empty_is_absent and not taken else taken


class Fits(Protocol):
    """Holds a value against what is declared of it."""

    def fit(self, value: Any, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class FromStep:
    """A value of an earlier step's answer, or of the item a step is run for."""

    key: str
    path: JsonPath
    name: str  # as its author may write it
    fitting: Fits | None = None  # to what it fills

    def get(self, arguments: Arguments) -> Any:
        answer = arguments.get(self.key)
        found = answer if self.path.whole else self.path.find(answer)
        if found is None:
            return ABSENT
        return found if self.fitting is None else self.fitting.fit(found, self.name)


Source = Constant | FromInput | FromStep | Joined | Tree
Pair = tuple[str | Source, ...]  # `name=` and the values after it


def to_text(value: Any) -> str:
    """How a JSON value reads as text: in a path, a query, a header, a form."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def split_pairs(parts: Iterable[str | Source]) -> tuple[Pair, ...]:
    """`a={{a}}&b=1` -> its pairs."""
    pairs: list[list[str | Source]] = [[]]
    for part in parts:
        if not isinstance(part, str):
            pairs[-1].append(part)
            continue
        first, *others = part.split("&")
        pairs[-1].append(first)
        pairs += [[other] for other in others]
    return tuple(kept for pair in pairs if (kept := tuple(part for part in pair if part != "")))


def fill_pairs(pairs: Iterable[Pair], arguments: Arguments, encode: Callable[[Any, Source], str]) -> str:
    """The pairs as one text; one with an absent value is left out."""
    texts = []
    for pair in pairs:
        filled = [part if isinstance(part, str) else (part, part.get(arguments)) for part in pair]
        if not any(not isinstance(item, str) and (item[1] is ABSENT or item[1] is None) for item in filled):
            texts.append("".join(item if isinstance(item, str) else encode(item[1], item[0]) for item in filled))
    return "&".join(texts)


def source_tree(data: Any, leaf: Callable[[Any], Source]) -> Source:
    """Data whose leaves are templates or constants -> its source."""
    if isinstance(data, dict):
        return tree(members=tuple((key, source_tree(value, leaf)) for key, value in data.items()))
    if isinstance(data, list):
        return tree(items=tuple(source_tree(value, leaf) for value in data))
    return leaf(data)


def tree(items: tuple[Source, ...] | None = None, members: tuple[tuple[str, Source], ...] | None = None) -> Source:
    """A Tree; one Constant when all its leaves are."""
    sources = [source for _, source in members or ()] if items is None else items
    if not all(isinstance(source, Constant) for source in sources):
        return Tree(items, members)
    return Constant(Tree(items, members).get({}), _shown(sources))


def _shown(sources: Any) -> str | None:
    hidden = [source.shown for source in sources if source.shown is not None]
    return ", ".join(hidden) or None
