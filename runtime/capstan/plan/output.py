"""Output parameters -> a shape: what is taken from an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from capstan.load.document import Place
from capstan.load.expression import Template
from capstan.load.jsonpath import JsonPath
from capstan.load.model import Output
from capstan.plan.shape import (
    FirstFound,
    Items,
    Limits,
    Listed,
    Needed,
    Object,
    Picked,
    Shape,
    Static,
    Values,
    Whole,
    is_static,
)
from capstan.plan.single import for_one
from capstan.plan.values import Constant, Source, source_tree

Resolve = Callable[[Template, Place], Source]

_HERE: Final = JsonPath("$", ())


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
        return Static(_constant(output, resolve), output.type, _limits(output))
    path = None if output.path is None or output.path.whole else output.path
    if output.properties is not None:
        if _is_by_name(output):
            return replace(_object(_member(output), output.properties, resolve), falls_back=False)
        return _object(path and for_one(path, "object"), output.properties, resolve)
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
    return Picked(for_one(named or _HERE, output.type), output.type, _limits(output))


def _limits(output: Output) -> Limits | None:
    return Limits(output.max_length, output.enum) if output.max_length is not None or output.enum is not None else None


def _constant(output: Output, resolve: Resolve) -> Source:
    return source_tree(
        output.constant, lambda leaf: resolve(leaf, output.at) if isinstance(leaf, Template) else Constant(leaf)
    )


def _each(output: Output, resolve: Resolve) -> Shape:
    """The shape of every item or value: it is the root of its paths, and of its declared type."""
    if _is_whole(output) and (output.type is not None or output.enum is not None or output.required):
        return _needed(output, Picked(_HERE, output.type, _limits(output)))
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
