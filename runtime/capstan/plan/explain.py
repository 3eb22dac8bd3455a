"""Plan -> plain data for `explain` and golden files: what will happen, in the plan's own words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, assert_never

from capstan.load.jsonpath import JsonPath
from capstan.load.model import Keeping
from capstan.plan.content import BlockPlan, ContentPlan
from capstan.plan.flow import AskPlan, AssertPlan, LogPlan, LookupPlan, ScriptRun
from capstan.plan.request import RequestPlan
from capstan.plan.shape import FirstFound, Items, Listed, Needed, Object, Picked, Shape, Static, Values, Whole
from capstan.plan.types import (
    CallPlan,
    CapabilityPlan,
    Completion,
    CompletionCall,
    FlowPlan,
    FolderPlan,
    ForwardPlan,
    InlinePlan,
    MessageCallPlan,
    MessagePlan,
    PromptPlan,
    ResourcePlan,
    StepPlan,
    UnitPlan,
)
from capstan.plan.values import ABSENT, Constant, FromInput, FromStep, Joined, Secret, Tree


def explain(plan: CapabilityPlan) -> dict[str, Any]:
    """Everything `capstan explain --json` prints of one file."""
    return {
        "file": plan.file,
        "title": plan.title,
        "apis": [
            {"namespace": api.namespace, "auth": describe(api.auth), "tls": describe(api.tls)} for api in plan.apis
        ],
        "rest": [
            {
                "namespace": adapter.namespace,
                "port": adapter.port,
                "operations": [
                    {"route": f"{operation.method} {operation.path}", **_unit(operation.unit)}
                    for operation in adapter.operations
                ],
                **_further("forwards", [_forward(forward) for forward in adapter.forwards]),
            }
            for adapter in plan.rest
        ],
        "mcp": [
            {
                "namespace": adapter.namespace,
                "port": adapter.port,
                **({} if adapter.port is None else {"paths": ["/mcp", f"/{adapter.namespace}/mcp"]}),
                **({"toolList": "search"} if adapter.is_searched else {}),
                "tools": [
                    {"tool": tool.name, "hints": describe(tool.hints), **_unit(tool.unit)} for tool in adapter.tools
                ],
                **_keeping(adapter.keeping),
                **_further("resources", [_resource(resource) for resource in adapter.resources]),
                **_further("prompts", [_prompt(prompt) for prompt in adapter.prompts]),
            }
            for adapter in plan.mcp
        ],
        **_further("control", [{"port": plan.control.port, "health": True}] if plan.control is not None else []),
    }


def _further(key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """What most adapters do not have is not mentioned there."""
    return {key: items} if items else {}


def _keeping(keeping: Keeping) -> dict[str, Any]:
    return {} if keeping == Keeping() else {"ttlMs": keeping.ttl_ms, "cacheScope": keeping.scope}


def _offered(key: str, completion: Completion) -> dict[str, Any]:
    """What is offered while an argument is typed."""
    if isinstance(completion, CompletionCall):
        return {key: _unit(completion.unit)}
    return {key: list(completion)} if completion else {}


def _forward(forward: ForwardPlan) -> dict[str, Any]:
    request = {key: value for key, value in _request(forward.call.request).items() if key not in ("method", "url")}
    defaults = dict((*forward.header_defaults, *forward.query_defaults))
    return {
        "route": f"* {forward.path}",
        "to": forward.call.api.namespace,
        "url": "".join(map(_inline, forward.call.request.origin)) + ("/<path>" if forward.takes_rest else ""),
        "trusted": list(forward.trusted),
        **({"not": sorted(forward.taken)} if forward.taken else {}),
        **request,
        **({"defaults": defaults} if defaults else {}),
    }


def _resource(resource: ResourcePlan) -> dict[str, Any]:
    declared = {"mimeType": resource.mime_type, "binary": resource.binary or None}
    told: dict[str, Any] = {
        "resource": str(resource.uri),
        **{key: value for key, value in declared.items() if value is not None},
    }
    told |= _keeping(resource.keeping)
    completions = [_offered(name, completion) for name, completion in resource.completions]
    if completions:
        told["complete"] = {name: offered for one in completions for name, offered in one.items()}
    if resource.poll_seconds is not None:
        told["poll"] = resource.poll_seconds
    match resource.source:
        case FolderPlan():
            return {**told, "name": resource.name, "files": str(resource.source.path)}
        case InlinePlan(content):
            said = f"{len(content)} bytes" if isinstance(content, bytes) else "".join(map(_inline, content))
            return {**told, "name": resource.name, "text": said}
        case UnitPlan():
            return {**told, **_unit(resource.source)}
        case _:
            assert_never(resource.source)


def _prompt(prompt: PromptPlan) -> dict[str, Any]:
    arguments = {
        argument.name: {"required": argument.required, **_offered("complete", argument.completion)}
        for argument in prompt.arguments
    }
    file = {} if prompt.file is None else {"file": prompt.file}
    messages = [{"role": message.role, **_message(message)} for message in prompt.messages]
    asks = {} if prompt.asks is None else {"asks": _unit(prompt.asks.unit)["steps"]}
    return {"prompt": prompt.name, "arguments": arguments, **file, **asks, "messages": messages}


def _message(message: MessagePlan) -> dict[str, Any]:
    match message.content:
        case MessageCallPlan():
            return _unit(message.content.unit)
        case BlockPlan():
            return {"content": _block(message.content)}
        case tuple():
            return {"text": "".join(map(_inline, message.content))}
        case _:
            assert_never(message.content)


def _unit(unit: UnitPlan) -> dict[str, Any]:
    call = unit.call
    return {
        "name": unit.name,
        "effect": unit.effect,
        "inputs": {
            item.name: {
                "in": item.where,
                "required": item.required,
                **({} if item.default is ABSENT else {"default": item.default}),
                "schema": dict(item.schema),
            }
            for item in unit.inputs
        },
        "call": None if call is None else _call(call),
        **({} if unit.flow is None else _flow(unit.flow)),
        "answer": _answer(unit),
        **({} if unit.content is None else _content(unit.content)),
    }


def _content(content: ContentPlan) -> dict[str, Any]:
    blocks = [_block(block) for block in content.blocks]
    return {"content": blocks, **({"isError": True} if content.is_error else {})}


def _block(block: BlockPlan) -> dict[str, Any]:
    """A block with its references; what is encoded, and no text to read, is told by its size."""
    told = {key: dict(value) if isinstance(value, Mapping) else value for key, value in block.fixed.items()}
    for path, text in block.filled:
        holder = told if len(path) == 1 else told[path[0]]
        holder[path[-1]] = "".join(map(_inline, text.parts))
    filled = {path for path, _ in block.filled}
    for holder, below in ((told, ()), (told.get("resource", {}), ("resource",))):
        for key in ("data", "blob"):
            if key in holder and (*below, key) not in filled:
                holder[key] = f"{len(holder[key]) * 3 // 4 - holder[key][-2:].count('=')} bytes"
    return told if block.file is None else {**told, "file": block.file}


def _answer(unit: UnitPlan) -> Any:
    mapped = None if unit.flow is None else unit.flow.answer.mapped
    return describe(mapped) if mapped is not None and isinstance(unit.shape, Whole) else _shape(unit.shape)


def _call(call: CallPlan) -> dict[str, Any]:
    said = {"decoded": describe(call.decoder), "passed on": describe(call.passing)}
    return {"operation": call.operation, **_request(call.request), **{k: v for k, v in said.items() if v is not None}}


def _flow(flow: FlowPlan) -> dict[str, Any]:
    mapped = {} if flow.answer.mapped is None else {"mappings": describe(flow.answer.mapped)}
    return {"steps": [_step(step) for step in flow.steps], **mapped}


def _step(step: StepPlan) -> dict[str, Any]:
    told: dict[str, Any] = {"step": step.name}
    if step.after:
        told["after"] = list(step.after)
    if step.when is not None:
        told["when"] = step.when.text
    if (loop := step.foreach) is not None:
        told["foreach"] = {"items": describe(loop.items), "concurrency": loop.concurrency, "at most": loop.max_items}
    match step.does:
        case CallPlan():
            return told | _call(step.does)
        case LookupPlan(index, match, value, fields):
            return told | {
                "lookup": list(fields), "in": describe(index), "where": f"{match} is {describe(value)}",
            }  # fmt: skip
        case AssertPlan(condition, message):
            said = {"message": "".join(map(_inline, message))} if message else {}
            return told | {"assert": condition.text, **said}
        case AskPlan(message, schema):
            wanted = {"schema": dict(schema)} if schema["properties"] else {}
            return told | {"ask": "".join(map(_inline, message)), **wanted}
        case LogPlan(level, message):
            return told | {"log": "".join(map(_inline, message)), "level": level}
        case ScriptRun(script):
            limits = {"seconds": script.timeout_seconds, "statements": script.statement_limit}
            return told | {"script": [source.name for source in script.sources], "language": script.language, **limits}


def _shape(shape: Shape) -> Any:
    """`$.a (string)`, with objects and arrays as what they will look like."""
    match shape:
        case Whole():
            return "as it comes"
        case Picked():
            return _typed(shape.path.text, shape.type)
        case Static():
            return _typed(describe(shape.source), shape.type)
        case Object():
            members = {name: _shape(member) for name, member in shape.members}
            return members if shape.path is None else {f"at {shape.path.text}": members}
        case Items():
            return {f"each of {shape.path.text if shape.path is not None else '$'}": _shape(shape.item)}
        case Values():
            return {f"each value of {shape.path.text}": _shape(shape.value)}
        case Listed():
            return [_shape(shape.item)]
        case Needed():
            return _shape(shape.shape)
        case FirstFound():
            return {"first found of": [_shape(one) for one in shape.shapes]}
        case _:
            assert_never(shape)


def _typed(value: Any, kind: str | None) -> Any:
    return value if kind is None or not isinstance(value, str) else f"{value} ({kind})"


def _request(request: RequestPlan) -> dict[str, Any]:
    path = "".join(
        segment if isinstance(segment, str) else "/" + "".join(map(_inline, segment.parts)) for segment in request.path
    )
    described: dict[str, Any] = {
        "method": request.method,
        "url": "".join(map(_inline, request.origin)) + path,
    }
    query = {value.name: describe(value.source) for value in request.query}
    if request.query_text:
        described["url"] += "?" + "&".join("".join(map(_inline, pair)) for pair in request.query_text)
    headers = {name: describe(value) for name, value in request.fixed_headers}
    headers |= {value.name: describe(value.source) for value in request.headers}
    cookies = {value.name: describe(value.source) for value in request.cookies}
    filled = {"query": query, "headers": headers, "cookies": cookies}
    described |= {key: values for key, values in filled.items() if values}
    if request.body is not None:
        described["body"] = {"kind": type(request.body).__name__.removesuffix("Plan"), **describe(request.body)}
    return described


def _inline(part: Any) -> str:
    return part if isinstance(part, str) else str(describe(part))


def describe(value: Any) -> Any:
    """Any part of a plan as plain data; secrets as the names they were read from."""
    match value:
        case Secret():
            return value.name
        case Constant():
            return value.shown if value.shown is not None else describe(value.value)
        case FromInput() | FromStep():
            return f"<{value.name}>"
        case Joined():
            return "".join(map(_inline, value.parts))
        case Tree():
            if value.items is not None:
                return [describe(item) for item in value.items]
            return {key: describe(item) for key, item in value.members or ()}
        case JsonPath():
            return value.text
        case Mapping():
            return {key: describe(item) for key, item in value.items()}
        case list() | tuple():
            return [describe(item) for item in value]
    if value is ABSENT:
        return None
    if dataclasses.is_dataclass(value):
        named = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
        return {key: item for key, item in named.items() if item is not None and item != ""}
    return value
