"""What a call says to the client's user: questions with a flat schema of what is asked for, and lines of a log."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from capstan.load import model
from capstan.load.expression import Template, parse_template
from capstan.load.node import Node
from capstan.load.schema import Checker

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

# What MCP lets a question ask for, and nothing beside it: a client shows a form.
_REMARKS: Final = frozenset({"type", "title", "description", "default"})
_KEYWORDS: Final = {
    "string": frozenset({"minLength", "maxLength", "format", "enum", "enumNames", "oneOf"}),
    "number": frozenset({"minimum", "maximum"}),
    "integer": frozenset({"minimum", "maximum"}),
    "boolean": frozenset(),
    "array": frozenset({"minItems", "maxItems", "items"}),
}


def parse_ask(node: Node, key: str = "ask") -> model.AskStep:
    """A question: its message stands under `key`."""
    if not node.text(key):
        node.reader.problem("missing-keyword", f"'{key}' is missing", node.at(), "the question, as its reader sees it")
    return model.AskStep(node.parse(key, parse_template, Template(())), _schema(node), at=node.at(key))


def parse_inputs(node: Node) -> Iterator[tuple[str, Node, model.AskStep]]:
    """`inputs` of a tool: what is asked before all else."""
    for name, item in node.named("inputs"):
        yield name, item, parse_ask(item, "message")


def parse_log(node: Node) -> model.LogStep:
    if not node.text("log"):
        node.reader.problem("missing-keyword", "'log' is missing", node.at(), "what the client is told")
    return model.LogStep(node.parse("log", parse_template, Template(())), node.text("level") or "info", at=node.at())


def _schema(node: Node) -> dict[str, Any]:
    """The schema of what is asked for; without one, only whether the user agrees is asked."""
    holder = node.node("schema")
    if holder is None:
        return {"type": "object", "properties": {}}
    properties: dict[str, Any] = copy.deepcopy(holder.data.get("properties") or {})
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    for name, field in holder.named("properties"):
        _check_field(name, field)
    required = holder.texts("required")
    for index, name in enumerate(required):
        if name not in properties:
            at = holder.at("required") / index
            node.reader.problem("unknown-name", f"'{name}' is required, and nothing asks for it", at)
    return {**schema, "required": list(required)} if required else schema


def _check_field(name: str, field: Node) -> None:
    kind = field.text("type") or ""
    for key in field.data:
        if key not in _REMARKS | _KEYWORDS.get(kind, frozenset()):
            owners = [other for other, words in _KEYWORDS.items() if key in words]
            message = f"'{key}' has no meaning in a field of type {kind or 'none'}"
            field.reader.problem("unknown-keyword", message, field.at(key), f"it belongs to {' and '.join(owners)}",
                                 key=True)  # fmt: skip
    if kind == "array" and not field.data.get("items"):
        field.reader.problem("missing-keyword", "'items' is missing", field.at(), "items: {type: string, enum: [a, b]}")
    if "enum" in field and "oneOf" in field:
        field.reader.problem("ambiguous-keyword", "'enum' and 'oneOf' say the same thing", field.at("oneOf"),
                             "oneOf has titles", key=True)  # fmt: skip
    names, choices = field.data.get("enumNames"), field.data.get("enum")
    if isinstance(names, list) and len(names) != len(choices if isinstance(choices, list) else ()):
        message = "'enumNames' has a title for each choice of 'enum'"
        field.reader.problem("wrong-form", message, field.at("enumNames"), "or: oneOf: [{const: a, title: A}]")
    _check_default(name, field)


def _check_default(name: str, field: Node) -> None:
    if "default" not in field:
        return
    if violations := Checker(field.data).violations(field.data["default"]):
        message = f"the default of '{name}' does not fit: {violations[0].message}"
        field.reader.problem("bad-schema", message, field.at("default"))
