"""The raw JSON Schema of a tool's arguments: tree -> model. What it says of single inputs is read, the rest is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from capstan.load import model
from capstan.load.document import Place
from capstan.load.node import Node

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_DATA: Final = frozenset({"const", "enum", "default", "example", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_REFERENCES: Final = ("$ref", "$dynamicRef", "$schema")


def parse_input_schema(node: Node, unit: model.Unit) -> model.Unit:
    """The unit of a tool with the inputs that its `inputSchema` describes, where it has one."""
    holder = node.node("inputSchema")
    if holder is None:
        return unit
    reader, before = node.reader, len(node.reader.problems)
    for key in ("inputParameters", "ref"):
        if key in node:
            message = f"a tool has '{key}' or 'inputSchema', not both"
            reader.problem("ambiguous-keyword", message, node.at("inputSchema"), key=True)
    _check_form(holder)
    for place, keyword, text in _references(holder.data, holder.at()):
        if keyword == "$schema" and text.removesuffix("#") != _DRAFT:
            message = f"'{text[:60]}' is not the JSON Schema that is spoken here"
            reader.problem("unknown-value", message, place, f"known here: {_DRAFT}")
        elif keyword != "$schema" and not text.startswith("#"):
            message = f"'{text[:60]}' is elsewhere, and no schema is fetched"
            reader.problem("bad-reference", message, place, "copy it into '$defs': '#/$defs/NAME'")
    if len(reader.problems) > before:  # it is not even looked at: what reads it would fetch what it refers to
        return replace(unit, parameters=(), refused=True)
    return replace(unit, parameters=tuple(_parameters(holder)), input_schema=holder.data)


def _check_form(holder: Node) -> None:
    if holder.data.get("type") != "object":
        message = "the arguments of a tool are an object: 'type: object' is missing"
        holder.reader.problem("missing-keyword", message, holder.at("type" if "type" in holder else None))


def _references(schema: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    """Whatever in a schema names another one: where it stands, the keyword, the name."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _references(item, place / index)
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            for name, inner in value.items():
                yield from _references(inner, place / key / name)
        elif key in _REFERENCES and isinstance(value, str):
            yield place / key, key, value
        elif key not in _DATA:
            yield from _references(value, place / key)


def _parameters(holder: Node) -> Iterator[model.Parameter]:
    """The inputs that can be referred to."""
    properties, required = holder.data.get("properties"), holder.data.get("required")
    for name, said in properties.items() if isinstance(properties, dict) else ():
        schema = dict(said) if isinstance(said, dict) else {}
        default = schema.pop("default", None)
        is_required = isinstance(required, list) and name in required
        yield model.Parameter(name, None, schema, is_required, default=default, at=holder.at("properties") / name)
