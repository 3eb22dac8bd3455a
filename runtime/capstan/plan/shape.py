"""Shapes: what is taken from an answer. Planned from output parameters in output.py; a request only takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from capstan.load.jsonpath import JsonPath
from capstan.plan.coerce import Misfit, coerce, misfit
from capstan.plan.values import ABSENT, Arguments, FromInput, Joined, Source, to_text

_MISSING: Final = "not there, declared as required"


@dataclass(frozen=True, slots=True)
class Whole:
    """The answer as it came. Doors that can pass bytes on never parse it."""

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        return answer


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a text may be, which is cut, and which values there are."""

    max_length: int | None
    enum: tuple[Any, ...] | None

    def keep(self, value: Any) -> Any:
        """The value within them.

        Raises:
            Misfit: it is none of those there are.
        """
        if self.max_length is not None and isinstance(value, str):
            value = value[: self.max_length]
        if self.enum is not None and value is not None and value not in self.enum:
            raise misfit(f"none of {', '.join(map(to_text, self.enum))}", "")
        return value


@dataclass(frozen=True, slots=True)
class Picked:
    """The value at a path, of a declared type."""

    path: JsonPath
    type: str | None
    limits: Limits | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        value = coerce(self.path.find(answer), self.type)
        return value if self.limits is None else self.limits.keep(value)


@dataclass(frozen=True, slots=True)
class Static:
    """A constant, or text with inputs in it, of a declared type."""

    source: Source
    type: str | None
    limits: Limits | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        value = self.source.get(arguments)
        if value is ABSENT:  # alone it is null; in a text it leaves nothing, as in the peer engine
            value = _without_gaps(self.source, arguments) if isinstance(self.source, Joined) else None
        try:
            value = coerce(value, self.type)
            return value if self.limits is None else self.limits.keep(value)
        except Misfit as error:
            raise misfit(error.fault, error.where, _argument(self)) from None


@dataclass(frozen=True, slots=True)
class Object:
    """Named members. Paths count from the object's own path, then from the root where it `falls_back`."""

    path: JsonPath | None
    members: tuple[tuple[str, Shape], ...]
    required: frozenset[str] = frozenset()
    falls_back: bool = True

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        base = answer if self.path is None else self.path.find(answer)
        if base is None and self.path is not None:
            return None
        if not self.falls_back:
            root = base
        taken = {}
        name = ""
        try:
            for name, shape in self.members:
                value = shape.take(base, root, arguments)
                if value is None and base is not root:
                    value = shape.take(root, root, arguments)
                if value is None and name in self.required:
                    raise misfit(_MISSING, "", _argument(shape))
                taken[name] = value
        except Misfit as error:
            raise error.below(name) from None
        return taken


@dataclass(frozen=True, slots=True)
class Items:
    """Every item of the array at a path, each shaped alike."""

    path: JsonPath | None
    item: Shape

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        found = coerce(answer if self.path is None else self.path.find(answer), "array")
        if found is None:
            return None
        taken: list[Any] = []
        try:
            # An item is its own root: what one item lacks must not be taken from the whole answer.
            for item in found:
                taken.append(self.item.take(item, item, arguments))
        except Misfit as error:
            raise error.below(f"[{len(taken)}]") from None
        return taken


@dataclass(frozen=True, slots=True)
class Values:
    """The object at a path, each of its values shaped alike: a map."""

    path: JsonPath
    value: Shape

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        found = coerce(self.path.find(answer), "object")
        if found is None:
            return None
        taken = {}
        name = ""
        try:
            for name, value in found.items():
                taken[name] = self.value.take(value, value, arguments)
        except Misfit as error:
            raise error.below(name) from None
        return taken


@dataclass(frozen=True, slots=True)
class Listed:
    """An array of one item, which needs no answer; of none where the item has no value."""

    item: Shape

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        value = self.item.take(answer, root, arguments)
        return [] if value is None else [value]


@dataclass(frozen=True, slots=True)
class Needed:
    """What must be there, and is no member of an object that sees to it."""

    shape: Shape

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        if (value := self.shape.take(answer, root, arguments)) is None:
            raise misfit(_MISSING, "", _argument(self.shape))
        return value


@dataclass(frozen=True, slots=True)
class FirstFound:
    """Several unnamed outputs: the first that is not null."""

    shapes: tuple[Shape, ...]

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        for shape in self.shapes:
            if (value := shape.take(answer, root, arguments)) is not None:
                return value
        return None


Shape = Whole | Picked | Static | Object | Items | Values | Listed | Needed | FirstFound


def _argument(shape: Shape) -> str:
    """The input that a shape gives as it is; none where there is more to it."""
    return shape.source.name if isinstance(shape, Static) and isinstance(shape.source, FromInput) else ""


def _without_gaps(source: Joined, arguments: Arguments) -> str:
    values = (part.get(arguments) for part in source.parts)
    return "".join("" if value is ABSENT else to_text(value) for value in values)


def is_static(shape: Shape) -> bool:
    """Whether the shape needs no answer at all."""
    match shape:
        case Static():
            return True
        case Object():
            return all(is_static(member) for _, member in shape.members)
        case Listed():
            return is_static(shape.item)
        case Needed():
            return is_static(shape.shape)
        case FirstFound():
            return all(map(is_static, shape.shapes))
    return False
