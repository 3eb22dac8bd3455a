"""Output parameters -> a shape: what is taken from an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from capstan.load.document import Place
from capstan.load.expression import Template
from capstan.load.jsonpath import JsonPath
from capstan.load.model import Output
from capstan.plan.coerce import Misfit, coerce, misfit
from capstan.plan.values import ABSENT, Arguments, Constant, Joined, Source, source_tree, to_text

Resolve = Callable[[Template, Place], Source]

_HERE: Final = JsonPath("$", ())
_MISSING: Final = "not there, declared as required"


@dataclass(frozen=True, slots=True)
class Whole:
    """The answer as it came. Doors that can pass bytes on never parse it."""

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        return answer


@dataclass(frozen=True, slots=True)
class Picked:
    """The value at a path, of a declared type."""

    path: JsonPath
    type: str | None
    max_length: int | None = None
    enum: tuple[Any, ...] | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        return _among(_cut(coerce(self.path.find(answer), self.type), self.max_length), self.enum)


@dataclass(frozen=True, slots=True)
class Static:
    """A constant, or text with inputs in it, of a declared type."""

    source: Source
    type: str | None
    max_length: int | None = None
    enum: tuple[Any, ...] | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        value = self.source.get(arguments)
        if value is ABSENT:  # alone it is nothing; in a text, the text goes on without it, as for the peer engine
            value = _without_gaps(self.source, arguments) if isinstance(self.source, Joined) else None
        return _among(_cut(coerce(value, self.type), self.max_length), self.enum)


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
                    raise misfit(_MISSING, "")
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
            raise misfit(_MISSING, "")
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


def _cut(value: Any, length: int | None) -> Any:
    return value[:length] if length is not None and isinstance(value, str) else value


def _among(value: Any, enum: tuple[Any, ...] | None) -> Any:
    if enum is not None and value is not None and value not in enum:
        raise misfit(f"none of {', '.join(map(to_text, enum))}", "")
    return value


def _without_gaps(source: Joined, arguments: Arguments) -> str:
    values = (part.get(arguments) for part in source.parts)
    return "".join("" if value is ABSENT else to_text(value) for value in values)


# --- From what the file declares


def mock_outputs(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Those of a unit that calls nothing: what has no name is called `value`, as by the peer engine."""
    return tuple(_without_path(output if output.name else replace(output, name="value")) for output in outputs)


def _without_path(output: Output) -> Output:
    """Where nothing answers, a path on the way to constants leads nowhere and is left out."""
    if not _is_nested(output):
        return output
    return replace(
        output,
        path=None,
        properties=None if output.properties is None else tuple(map(_without_path, output.properties)),
        items=None if output.items is None else _without_path(output.items),
        values=None if output.values is None else _without_path(output.values),
    )


def plan_outputs(outputs: tuple[Output, ...], resolve: Resolve, *, members: bool = False) -> Shape:
    """Output parameters of a unit -> one shape. With `members`, one with nothing but a name is the member it names."""
    if not outputs:
        return Whole()
    if all(output.name for output in outputs):
        if len(outputs) == 1 and _is_whole(outputs[0]) and not (members and outputs[0].path is None):
            return Whole()
        return _object(None, outputs, resolve)
    if len(outputs) == 1:
        return _needed(outputs[0], plan_output(outputs[0], resolve))
    return FirstFound(tuple(plan_output(output, resolve) for output in outputs))


def _needed(output: Output, shape: Shape) -> Shape:
    return Needed(shape) if output.required and not isinstance(shape, Whole) else shape


def _is_whole(output: Output) -> bool:
    pathless = output.path is None or output.path.whole
    return pathless and not output.has_constant and not _is_nested(output)


def _is_nested(output: Output) -> bool:
    return output.properties is not None or output.items is not None or output.values is not None


def plan_output(output: Output, resolve: Resolve) -> Shape:
    if output.has_constant:
        return Static(_constant(output, resolve), output.type, output.max_length, output.enum)
    path = None if output.path is None or output.path.whole else output.path
    if output.properties is not None:
        if _is_by_name(output):
            return replace(_object(_member(output), output.properties, resolve), falls_back=False)
        return _object(path, output.properties, resolve)
    named = path if output.path is not None or not output.name else _member(output)
    if output.values is not None:
        return Values(named or _HERE, _each(output.values, resolve))
    if output.items is not None:
        item = _each(output.items, resolve)
        if output.path is None and is_static(item):
            return Listed(item)
        return Picked(named or _HERE, "array") if isinstance(item, Whole) else Items(named, item)
    if named is None and not (output.name and output.type):  # the answer, or with `$` the whole of it
        return Whole()
    return Picked(named or _HERE, output.type, output.max_length, output.enum)


def _constant(output: Output, resolve: Resolve) -> Source:
    return source_tree(
        output.constant, lambda leaf: resolve(leaf, output.at) if isinstance(leaf, Template) else Constant(leaf)
    )


def _each(output: Output, resolve: Resolve) -> Shape:
    """The shape of every item or value: it is the root of its paths, and of its declared type."""
    if _is_whole(output) and (output.type is not None or output.enum is not None or output.required):
        return _needed(output, Picked(_HERE, output.type, output.max_length, output.enum))
    return _needed(output, plan_output(replace(output, name=None), resolve))


def _member(output: Output) -> JsonPath:
    """`- {name: x, type: string}` without a mapping is the member of that name."""
    return JsonPath(f"$.{output.name}", (output.name or "",))


def _is_by_name(output: Output) -> bool:
    """Whether an object without a mapping is the member of its name: where no path inside says otherwise."""
    if not output.name or output.path is not None:
        return False
    return not _has_paths(output) and not all(map(_is_constant, output.properties or ()))


def _has_paths(output: Output) -> bool:
    return any(inner.path is not None or _has_paths(inner) for inner in output.properties or ())


def _is_constant(output: Output) -> bool:
    if output.items is not None and output.path is None:
        return _is_constant(output.items)
    return output.has_constant or (bool(output.properties) and all(map(_is_constant, output.properties or ())))


def _object(path: JsonPath | None, outputs: tuple[Output, ...], resolve: Resolve) -> Object:
    members = tuple((o.name or "", plan_output(o, resolve)) for o in outputs)
    return Object(path, members, frozenset(o.name or "" for o in outputs if o.required))


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
