"""Output parameters -> the JSON Schema of the answer they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capstan.load.model import Output
from capstan.plan.shape import FirstFound, Object, Shape, Whole
from capstan.plan.values import Tree


def output_schema(outputs: tuple[Output, ...], shape: Shape) -> Mapping[str, Any] | None:
    """The JSON Schema of the shaped answer, or None when the file declares nothing beyond "the answer"."""
    match shape:
        case Whole() | FirstFound():
            return None
        case Object() if all(output.name for output in outputs):
            return _members_schema(outputs)
        case Object():
            return {**_schema_of(outputs[0]), "type": "object"}
    return _schema_of(outputs[0])


def mapped_schema(mapped: Tree) -> dict[str, Any]:
    """The JSON Schema of what `mappings` put together: its members by name, of any type, and none of them certain."""
    members = {
        name: mapped_schema(member) if isinstance(member, Tree) and member.members is not None else {}
        for name, member in mapped.members or ()
    }
    return {"type": "object", "properties": members}


def _members_schema(outputs: tuple[Output, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {o.name or "": _schema_of(o) for o in outputs}}
    if required := [output.name for output in outputs if output.required]:
        schema["required"] = required
    return schema


def _schema_of(output: Output) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if (kind := _kind(output)) is not None:
        schema["type"] = kind if output.required else [kind, "null"]  # an answer may lack what is not required
    if output.description:
        schema["description"] = output.description
    if output.enum is not None:
        schema["enum"] = [*output.enum] if output.required or None in output.enum else [*output.enum, None]
    if output.max_length is not None and kind in (None, "string"):
        schema["maxLength"] = output.max_length
    if output.properties is not None:
        schema = {**_members_schema(output.properties), **schema}
    if output.items is not None:
        schema["items"] = _schema_of(output.items)
    if output.values is not None:
        schema["additionalProperties"] = _schema_of(output.values)
    return schema


def _kind(output: Output) -> str | None:
    if output.has_constant:
        return output.type
    if output.properties is not None or output.values is not None:
        return "object"
    return "array" if output.items is not None else output.type
