"""Answers -> the results of tools."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Final

import mcp_types as types

from capstan.call.unit import Answer
from capstan.call.upstream import UpstreamResponse
from capstan.errors import ShapeError
from capstan.expose.mcp_contents import block_of, block_of_bytes
from capstan.load.media_type import essence_of, is_json
from capstan.plan.decode import is_binary
from capstan.plan.formats.charset import charset_of, decode
from capstan.plan.jsontext import is_deeper_than, parse_answer
from capstan.plan.types import UnitPlan

_DEEPEST: Final = 200  # more, and the SDK cannot write it

_RESPELLED: Final = (b"\\u00", b"\0")  # in JSON whose bytes do not show every secret: in escapes, or in UTF-16


async def result_of(answer: Answer, unit: UnitPlan, limit: int) -> types.CallToolResult:
    if answer.response is None:
        if answer.content is not None:
            return _of_content(answer, answer.content, unit)
        if answer.empty:
            return _of_nothing(answer, unit)
        return _of_value(answer.value, json.dumps(answer.value, ensure_ascii=False), unit)
    try:
        body = await answer.response.read(answer.limit or limit)
    finally:
        answer.response.close()
    if not body:
        return _of_nothing(answer, unit)
    media_type = answer.response.media_type
    if is_binary(media_type):
        return _of_bytes(body, essence_of(media_type), unit)
    return _of_text(body, unit, answer.response)


def _of_content(answer: Answer, blocks: list[dict[str, Any]], unit: UnitPlan) -> types.CallToolResult:
    """The blocks that the file says, beside the data that it says."""
    assert unit.content is not None
    has_data = unit.content.has_data
    data = _of_value(answer.value, json.dumps(answer.value), unit) if has_data else None
    structured = data.structured_content if data is not None else None
    return types.CallToolResult(
        content=[block_of(block) for block in blocks], structured_content=structured, is_error=unit.content.is_error
    )


def _of_nothing(answer: Answer, unit: UnitPlan) -> types.CallToolResult:
    """An empty success still has to tell an agent how to go on."""
    told: dict[str, Any] = {"status": answer.status}
    told |= {name.lower(): value for name, value in answer.headers}
    declared = () if unit.output_schema is None else unit.output_schema.get("properties", ())
    data = {name: value for name, value in told.items() if name not in declared}  # those mean something else
    return _structured(data | (_without_data(unit) or {}), json.dumps(told, ensure_ascii=False))


def _without_data(unit: UnitPlan) -> dict[str, Any] | None:
    """The structured content of an answer that has none: clients hold what there is against a declared schema, and
    take a result without any for broken."""
    schema = unit.output_schema
    if schema is None:
        return None
    return {} if schema.get("type") == "object" else {"result": None}


def _of_text(body: bytes, unit: UnitPlan, response: UpstreamResponse) -> types.CallToolResult:
    text = _text(body, response.media_type)
    essence = essence_of(response.media_type)
    if essence == "" or is_json(essence):
        with suppress(ValueError):
            value = parse_answer(body)
            if any(part in body for part in _RESPELLED) and (masked := response.masked(value)) != value:
                value, text = masked, json.dumps(masked, ensure_ascii=False)
            return _of_value(value, text, unit)
    text = response.masked(text)  # a secret in UTF-16 shows in no byte
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=_without_data(unit))


def _text(body: bytes, media_type: str) -> str:
    """The text of a body; what is not encoded as it says shows where."""
    with suppress(ValueError):
        return decode(body, charset_of(media_type), "replace")
    return body.decode("utf-8", "replace")


def _of_value(value: Any, text: str, unit: UnitPlan) -> types.CallToolResult:
    if isinstance(value, dict):
        return _structured(value, text)
    if value is None and unit.output_schema is not None and unit.output_schema.get("type") == "object":
        return _structured({}, "null")
    return _structured({"result": value}, value if isinstance(value, str) else text)


def _structured(value: dict[str, Any], text: str) -> types.CallToolResult:
    # A level takes a bracket of the text, and to count those takes a fraction of a walk through the value.
    if text.count("{") + text.count("[") >= _DEEPEST and is_deeper_than(value, _DEEPEST):
        message = "the answer is nested too deeply for MCP"
        raise ShapeError("unexpected-answer", message, outcome="done", retry_safe=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=value)


def _of_bytes(body: bytes, media_type: str, unit: UnitPlan) -> types.CallToolResult:
    told = types.TextContent(text=f"{media_type}, {len(body):,} bytes")
    blocks = [block_of_bytes(body, media_type, unit.name), told]  # clients of one block look at the first
    return types.CallToolResult(content=blocks, structured_content=_without_data(unit))


def failure(problem: dict[str, Any], unit: UnitPlan) -> types.CallToolResult:
    text = types.TextContent(text=json.dumps(problem, ensure_ascii=False))
    # With a declared output schema, some clients hold an error's structured content against it.
    structured = problem if unit.output_schema is None else None
    return types.CallToolResult(content=[text], structured_content=structured, is_error=True)
