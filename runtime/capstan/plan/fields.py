"""Units whose answers their callers may narrow: an input more, and an output schema of which parts may be absent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.media_type import essence_of, is_json
from capstan.load.schema import Checker
from capstan.plan.narrow import FIELDS, Narrowing, has_fields, relaxed
from capstan.plan.types import Input, UnitPlan

_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "items": {"type": "string"},
    "minItems": 1,
    "description": "Names of the parts of the answer that are wanted, such as a.b; absent: all.",
}


def with_fields(item: model.McpTool, unit: UnitPlan, problems: list[Problem], *, of_all: bool) -> UnitPlan:
    """The unit of a tool, with `fields` where the tool says so, or the adapter of all its tools (`of_all`)."""
    if item.fields is False or (item.fields is None and not of_all):
        return unit
    if why := _obstacle(unit):
        if item.fields:
            message = f"there is nothing to choose from by 'fields': {why}"
            problems.append(Problem("no-fields", message, (item.unit.at / FIELDS).location()))
        return unit
    if any(one.name == FIELDS for one in unit.inputs):
        hint = "give the input another name, such as 'with: {fields: tools.columns}'; or say 'fields: false'"
        at = item.unit.at / FIELDS if item.fields else item.unit.at
        problems.append(Problem("duplicate-name", "the tool has an input 'fields' already", at.location(), hint))
        return unit
    schema = {**unit.input_schema}
    schema["properties"] = {**schema.get("properties", {}), FIELDS: _SCHEMA}
    try:
        checker = Checker(schema)
    except ValueError:  # the schema was wrong before, which is told
        return unit
    return replace(
        unit, inputs=(*unit.inputs, Input(FIELDS, "query", _SCHEMA, required=False)), input_schema=schema,
        checker=checker, output_schema=relaxed(unit.output_schema), narrowing=Narrowing(unit.output_schema),
    )  # fmt: skip


def _obstacle(unit: UnitPlan) -> str:
    if unit.content is not None:
        return "the answer is the content that the file says"
    passing = unit.call.passing if unit.call is not None else None
    if (passing is not None and passing.binary) or (unit.media_type and not is_json(essence_of(unit.media_type))):
        return "the answer is no JSON"
    return "" if has_fields(unit.output_schema) else "the answer is a single value, or a list of such"
