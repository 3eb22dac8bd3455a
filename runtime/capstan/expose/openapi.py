"""Plan -> OpenAPI 3.1, of all REST operations of one port."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from capstan.expose.arguments import media_types
from capstan.expose.openapi_forward import forwarded
from capstan.plan.responses import Replies
from capstan.plan.types import ForwardPlan, Input, RestOperationPlan, UnitPlan
from capstan.plan.values import ABSENT

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; safe to test for."},
        "detail": {"type": "string"},
        "outcome": {
            "enum": ["not-sent", "refused", "done", "unknown"],
            "description": "Of the upstream: nothing reached it, it said no, it happened, or nobody knows.",
        },
        "retry_safe": {"type": "boolean", "description": "Whether sending the same call again cannot do it twice."},
        "argument": {"type": "string"},
        "hint": {"type": "string"},
        "upstream": {"type": "object", "properties": {"status": {"type": "integer"}, "body": True}},
    },
    "required": ["type", "title", "status", "code", "detail", "outcome", "retry_safe"],
}
# Headers that OpenAPI describes elsewhere: a parameter of such a name is to be ignored.
_DESCRIBED_ELSEWHERE: Final = frozenset({"accept", "content-type", "authorization"})


def openapi_document(
    title: str,
    version: str | None,
    description: str,
    operations: Iterable[RestOperationPlan],
    forwards: Iterable[ForwardPlan] = (),
) -> dict[str, Any]:
    """The document that `/openapi.json` serves."""
    paths: dict[str, dict[str, Any]] = {}
    shapes: dict[tuple[str, ...], str] = {}  # paths that differ only in the names of their variables are one
    ids: set[str] = set()
    for operation in operations:
        # The author's names stay, but where two operations of a path differ in them, the first one's count.
        path = shapes.setdefault(operation.key, _path(operation))
        names = dict(zip(_variables(_path(operation)), _variables(path), strict=True))
        item = paths.setdefault(path, {})
        item[operation.method.lower()] = _operation(operation, names, ids)
    for forward in forwards:
        path = shapes.setdefault(forward.key, forward.path)
        item = paths.setdefault(path, {})
        more = forwarded(forward, next(iter(_variables(path)), ""))
        paths[path] = {**more, **item}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version or "1.0.0",
            **({"description": description} if description else {}),
        },
        "paths": paths,
        "components": {"schemas": {"Problem": _PROBLEM}},
    }


def _path(operation: RestOperationPlan) -> str:
    return operation.path.replace("{{", "{").replace("}}", "}")


def _variables(path: str) -> list[str]:
    return re.findall(r"\{([^{}]+)\}", path)


def _operation(operation: RestOperationPlan, names: dict[str, str], ids: set[str]) -> dict[str, Any]:
    unit = operation.unit
    identifier, number = unit.name, 2
    while identifier in ids:
        identifier, number = f"{unit.name}-{number}", number + 1
    ids.add(identifier)
    described: dict[str, Any] = {"operationId": identifier}
    if unit.title:
        described["summary"] = unit.title
    if unit.description:
        described["description"] = unit.description
    if operation.tags:
        described["tags"] = list(operation.tags)
    by_input = dict(zip((n for s in operation.segments for n in s.inputs), _variables(_path(operation)), strict=True))
    parameters = [
        _parameter(item, names.get(by_input.get(item.name, ""), item.name))
        for item in unit.inputs
        if item.where != "body" and not (item.where == "header" and item.name.lower() in _DESCRIBED_ELSEWHERE)
    ]
    if parameters:
        described["parameters"] = parameters
    if (body := _request_body(unit)) is not None:
        described["requestBody"] = body
    described["responses"] = {
        **_answers(operation),
        "default": {
            "description": "The call did not work.",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
    }
    described["x-effect"] = unit.effect
    return described


def _answers(operation: RestOperationPlan) -> dict[str, Any]:
    """The answers that the file declares, else what is known of the success."""
    success = _success(operation.unit)
    if operation.replies is None:
        return {"200": success}
    described: dict[str, Any] = {}
    for answer in operation.replies.declared:
        if answer.status.startswith("2"):
            content = {media_type: {"schema": dict(schema)} if schema else {} for media_type, schema in answer.content}
            described[answer.status] = {"description": answer.description or success["description"]}
            if content:
                described[answer.status]["content"] = _with_shape(content, success["content"])
        else:
            described[answer.status] = {
                "description": answer.description or "The call did not work.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
    if not any(status.startswith("2") for status in described):
        described = {"200": {**success, "content": _typed(success["content"], operation.replies)}, **described}
    return described


def _with_shape(declared: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Declared media types; a schema that the file leaves out is known where the answer is put together here."""
    shape = known.get("application/json")
    return {
        media_type: shape if shape is not None and not content else content for media_type, content in declared.items()
    }


def _typed(known: dict[str, Any], replies: Replies) -> dict[str, Any]:
    """Of an answer that is passed on, the media type that the function says it has."""
    return {replies.media_type: {}} if replies.media_type is not None and "*/*" in known else known


def _success(unit: UnitPlan) -> dict[str, Any]:
    if unit.output_schema is not None:
        return {"description": "Done.", "content": {"application/json": {"schema": dict(unit.output_schema)}}}
    if unit.call is not None and (decoder := unit.call.decoder) is not None:
        description = f"The consumed API's answer, read as {decoder.format}; its own where it is something else."
        return {"description": description, "content": {"application/json": {"schema": {}}}}
    description = "The consumed API's own answer: its status (200, 201, 202, 204), media type and body."
    return {"description": description, "content": {"*/*": {"schema": {}}}}


def _schema(item: Input) -> dict[str, Any]:
    schema = {key: value for key, value in item.schema.items() if key != "description"}
    return schema if item.default is ABSENT else {**schema, "default": item.default}


def _parameter(item: Input, name: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"name": name, "in": item.where, "schema": _schema(item)}
    if description := item.schema.get("description"):
        parameter["description"] = description
    if item.required or item.where == "path":
        parameter["required"] = True
    return parameter


def _request_body(unit: UnitPlan) -> dict[str, Any] | None:
    whole = next((item for item in unit.inputs if item.whole_body), None)
    fields = [item for item in unit.inputs if item.where == "body" and not item.whole_body]
    if whole is not None:
        content = {media_type: {"schema": _schema(whole)} for media_type in media_types(unit)}
        body: dict[str, Any] = {"content": content, "required": whole.required}
        if description := whole.schema.get("description"):
            body["description"] = description
        return body
    if not fields:
        return None
    schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    for item in fields:
        _place(schema, item)
    return {"content": {"application/json": {"schema": schema}}, "required": "required" in schema}


def _place(schema: dict[str, Any], item: Input) -> None:
    """Describe an input where it stands in the body."""
    *outer, last = item.body_path or (item.name,)
    for name in outer:
        _require(schema, name, item)
        schema = schema["properties"].setdefault(name, {"type": "object", "properties": {}})
        schema.setdefault("properties", {})
    _require(schema, last, item)
    schema["properties"][last] = {**schema["properties"].get(last, {}), **_schema(item), **_description(item)}


def _require(schema: dict[str, Any], name: str, item: Input) -> None:
    if item.required and name not in schema.setdefault("required", []):
        schema["required"].append(name)


def _description(item: Input) -> dict[str, Any]:
    return {"description": item.schema["description"]} if "description" in item.schema else {}
