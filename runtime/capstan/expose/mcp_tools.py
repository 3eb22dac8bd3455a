"""What is listed of tools: each as the protocol tells it, or three in place of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import mcp_types as types

from capstan.expose.word_index import words_of
from capstan.load.schema import Checker
from capstan.plan.shape import Whole
from capstan.plan.site import CALL, DESCRIBE, SEARCH, Offer
from capstan.plan.types import Input, ToolPlan, UnitPlan
from capstan.plan.values import ABSENT

_MOST_FOUND: Final = 50
_USUALLY_FOUND: Final = 10
_MOST_TOPICS: Final = 12
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 200}


def listed_tools(offer: Offer) -> list[types.Tool]:
    """The whole list of an endpoint."""
    three = [_listed(unit, offer.searched) for unit in searching_units(offer.searched)] if offer.searched else []
    return [*three, *(listed(tool) for tool in offer.tools)]


def listed(tool: ToolPlan) -> types.Tool:
    unit, hints = tool.unit, tool.hints
    reads = unit.effect == "read"
    annotations = types.ToolAnnotations(
        title=hints.title if hints else None,
        read_only_hint=hints.read_only if hints else reads,
        destructive_hint=hints.destructive if hints else None if reads else unit.effect in ("money", "irreversible"),
        idempotent_hint=hints.idempotent if hints else None,
        open_world_hint=hints.open_world if hints else None,
    )
    return types.Tool(
        name=tool.name,
        title=unit.title,
        description=unit.description,
        input_schema=dict(unit.input_schema),
        output_schema=_output_schema(unit),
        annotations=annotations,
    )


def _output_schema(unit: UnitPlan) -> dict[str, Any] | None:
    """The declared output schema; what is not an object is wrapped, for older clients take only objects."""
    schema = unit.output_schema
    if schema is None:
        return None
    if schema.get("type") == "object":
        return dict(schema)
    return {"type": "object", "properties": {"result": dict(schema)}, "required": ["result"]}


# --- the three


def _unit(name: str, description: str, *inputs: Input) -> UnitPlan:
    schema = {
        "type": "object",
        "properties": {item.name: item.schema for item in inputs},
        "required": [item.name for item in inputs if item.required],
        "additionalProperties": False,
    }
    return UnitPlan(name, None, description, inputs, schema, Checker(schema), None, Whole(), None)


def _input(name: str, schema: Mapping[str, Any], default: Any = ABSENT) -> Input:
    shown = schema if default is ABSENT else {**schema, "default": default}
    return Input(name, "query", shown, default is ABSENT, default)


def searching_units(plans: Sequence[ToolPlan]) -> tuple[UnitPlan, UnitPlan, UnitPlan]:
    """What the three take: as of any other tool it is checked by a guard."""
    counted = Counter(word for plan in plans for word in set(words_of(plan.name)))
    topics = ", ".join(word for word, _ in counted.most_common(_MOST_TOPICS))
    count = f"{len(plans)} tools" if len(plans) != 1 else "one tool"
    search = _unit(
        SEARCH, f"Finds tools by words; there are {count}, of {topics}.",
        _input("query", {"type": "string", "minLength": 1, "maxLength": 500, "description": "What is to be done."}),
        _input("limit", {"type": "integer", "minimum": 1, "maximum": _MOST_FOUND}, _USUALLY_FOUND),
    )  # fmt: skip
    describe = _unit(DESCRIBE, f"Says what a tool found by {SEARCH} takes and answers.", _input("name", _NAME))
    call = _unit(
        CALL, f"Calls a tool found by {SEARCH}, with arguments as {DESCRIBE} says.",
        _input("name", _NAME), _input("arguments", {"type": "object"}, {}),
    )  # fmt: skip
    return search, describe, call


def _listed(unit: UnitPlan, plans: Sequence[ToolPlan]) -> types.Tool:
    if unit.name != CALL:
        hints = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
    elif all(plan.unit.effect == "read" and _is_said_to_read(plan) for plan in plans):
        hints = types.ToolAnnotations(read_only_hint=True)
    else:  # what it does is what is called: nobody is told less than the gravest
        hints = types.ToolAnnotations(read_only_hint=False, destructive_hint=True)
    schema = dict(unit.input_schema)
    return types.Tool(name=unit.name, description=unit.description, input_schema=schema, annotations=hints)


def _is_said_to_read(plan: ToolPlan) -> bool:
    return plan.hints is None or plan.hints.read_only is not False
