"""Output parameters -> a shape: what is taken from an answer, and what JSON Schema it then has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from capstan.errors import ShapeError
from capstan.load.document import Place
from capstan.load.expression import Template
from capstan.load.jsonpath import JsonPath
from capstan.load.model import Output
from capstan.plan.values import ABSENT, Arguments, Constant, Source, read_integer, read_number

Resolve = Callable[[Template, Place], Source]


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
    name: str
    max_length: int | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        return _cut(coerce(self.path.find(answer), self.type, self.name), self.max_length)


@dataclass(frozen=True, slots=True)
class Static:
    """A constant, or text with inputs in it, of a declared type."""

    source: Source
    type: str | None
    name: str
    max_length: int | None = None

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        value = self.source.get(arguments)
        return None if value is ABSENT else _cut(coerce(value, self.type, self.name), self.max_length)


@dataclass(frozen=True, slots=True)
class Object:
    """Named members. Paths count from the object's own path, then from the root."""

    path: JsonPath | None
    members: tuple[tuple[str, Shape], ...]
    required: frozenset[str] = frozenset()

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        base = answer if self.path is None else self.path.find(answer)
        if base is None and self.path is not None:
            return None
        taken = {}
        for name, shape in self.members:
            value = shape.take(base, root, arguments)
            if value is None and base is not root:
                value = shape.take(root, root, arguments)
            if value is None and name in self.required:
                raise ShapeError("unexpected-answer", f"the answer has no '{name}'", "done", retry_safe=False)
            taken[name] = value
        return taken


@dataclass(frozen=True, slots=True)
class Items:
    """Every item of the array at a path, each shaped alike."""

    path: JsonPath | None
    item: Shape
    name: str

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        found = answer if self.path is None else self.path.find(answer)
        if found is None:
            return None
        # An item is its own root: what one item lacks must not be taken from the whole answer.
        return [self.item.take(item, item, arguments) for item in coerce(found, "array", self.name)]


@dataclass(frozen=True, slots=True)
class FirstFound:
    """Several unnamed outputs: the first that is not null."""

    shapes: tuple[Shape, ...]

    def take(self, answer: Any, root: Any, arguments: Arguments) -> Any:
        for shape in self.shapes:
            if (value := shape.take(answer, root, arguments)) is not None:
                return value
        return None


Shape = Whole | Picked | Static | Object | Items | FirstFound


def _cut(value: Any, length: int | None) -> Any:
    return value[:length] if length is not None and isinstance(value, str) else value


def coerce(value: Any, kind: str | None, name: str) -> Any:
    """A value as its declared type, where the meaning is beyond doubt.

    Raises:
        ShapeError: it is something else.
    """
    if value is None or kind is None:
        return value
    match kind:
        case "string":
            if isinstance(value, str):
                return value
            if isinstance(value, bool):
                return "true" if value else "false"
            if isinstance(value, (int, float)):
                return str(value)
        case "integer":
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, float) and value.is_integer():
                return int(value)
            if isinstance(value, str):
                return _read(read_integer, value, kind, name)
        case "number":
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return value
            if isinstance(value, str):
                return _read(read_number, value, kind, name)
        case "boolean":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "false"):
                return value.lower() == "true"
        case "object":
            if isinstance(value, dict):
                return value
        case "array":
            if isinstance(value, list):
                return value
    raise _not_as_declared(name, kind, value)


def _read(read: Callable[[str], int | float], text: str, kind: str, name: str) -> int | float:
    try:
        return read(text.strip())
    except ValueError as error:
        raise _not_as_declared(name, kind, text) from error


def _not_as_declared(name: str, kind: str, value: Any) -> ShapeError:
    article = "an" if kind[0] in "aeio" else "a"
    subject = f"the answer's '{name}'" if name else "the answer"
    message = f"{subject} is {_kind(value)}, declared as {article} {kind}"
    return ShapeError("unexpected-answer", message, outcome="done", retry_safe=False)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return {dict: "an object", list: "an array", str: "text", int: "a number", float: "a number"}[type(value)]


def plan_outputs(outputs: tuple[Output, ...], resolve: Resolve, *, members: bool = False) -> Shape:
    """Output parameters of a unit -> one shape. With `members`, one with nothing but a name is the member it names."""
    if not outputs:
        return Whole()
    if all(output.name for output in outputs):
        if len(outputs) == 1 and _is_whole(outputs[0]) and not (members and outputs[0].path is None):
            return Whole()
        return _object(None, outputs, resolve)
    shapes = tuple(plan_output(output, resolve) for output in outputs)
    return shapes[0] if len(shapes) == 1 else FirstFound(shapes)


def _is_whole(output: Output) -> bool:
    pathless = output.path is None or output.path.whole
    return pathless and not output.has_constant and output.properties is None and output.items is None


def plan_output(output: Output, resolve: Resolve) -> Shape:
    name = output.name or ""
    if output.has_constant:
        constant = output.constant
        source = resolve(constant, output.at) if isinstance(constant, Template) else Constant(constant)
        return Static(source, output.type, name, output.max_length)
    if output.properties is not None:
        path = None if output.path is None or output.path.whole else output.path
        return _object(path, output.properties, resolve)
    if output.items is not None:
        item = plan_output(output.items, resolve)
        path = None if output.path is None or output.path.whole else output.path
        if output.path is None and name:  # as of a scalar: the member of that name
            path = JsonPath(f"$.{name}", (name,))
        return Picked(path or JsonPath("$", ()), "array", name) if isinstance(item, Whole) else Items(path, item, name)
    if _is_whole(output):
        # `- name: x, type: string` without a mapping is the member of that name.
        return (
            Whole()
            if not name or output.path is not None
            else Picked(JsonPath(f"$.{name}", (name,)), output.type, name, output.max_length)
        )
    assert output.path is not None
    return Picked(output.path, output.type, name, output.max_length)


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
        case FirstFound():
            return all(map(is_static, shape.shapes))
        case Items():
            return False
    return False


def output_schema(outputs: tuple[Output, ...], shape: Shape) -> Mapping[str, Any] | None:
    """The JSON Schema of the shaped answer, or None when the file declares nothing beyond "the answer"."""
    match shape:
        case Whole() | FirstFound():
            return None
        case Object() if all(o.name for o in outputs):
            return _members_schema(outputs)
        case Object():
            return {**_schema_of(outputs[0]), "type": "object"}
    return _schema_of(outputs[0])


def _members_schema(outputs: tuple[Output, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {o.name: _schema_of(o) for o in outputs}}
    if required := [o.name for o in outputs if o.required]:
        schema["required"] = required
    return schema


def _schema_of(output: Output) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    kind = "object" if output.properties is not None else "array" if output.items is not None else output.type
    if kind is not None:
        schema["type"] = kind if output.required else [kind, "null"]  # an answer may lack what is not required
    if output.description:
        schema["description"] = output.description
    if output.properties is not None:
        schema = {**_members_schema(output.properties), **schema}
    if output.items is not None:
        schema["items"] = _schema_of(output.items)
    return schema
