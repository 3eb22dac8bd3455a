"""Input parameters, and the JSON Schema of what they take."""

from __future__ import annotations

from typing import Any, Final

from capstan.load import model
from capstan.load.node import Node

_KEYWORDS: Final = (
    "title", "format", "pattern", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "deprecated",
)  # fmt: skip


def parse_parameters(node: Node, *, exposed: bool = False) -> tuple[model.Parameter, ...]:
    for _, item in node.named("inputParameters"):
        if exposed and item.data.get("in") == "environment":
            node.reader.problem("unknown-value", "an input of callers cannot be 'in: environment'", item.at("in"),
                                "'binds' names variables of the environment")  # fmt: skip
    return tuple(_parameter(name, item) for name, item in node.named("inputParameters"))


def _parameter(name: str, node: Node) -> model.Parameter:
    if not name:
        node.reader.problem("missing-keyword", "'name' is missing", node.at())
    style = node.text("style")
    known = (None, "form") if node.data.get("in") in ("query", "cookie") else (None, "form", "simple")
    if style not in known:
        node.reader.problem("not-supported-yet", f"the style '{style}' is not supported yet", node.at("style"))
    if node.data.get("explode") is False:
        node.reader.problem("not-supported-yet", "'explode: false' is not supported yet", node.at("explode"), key=True)
    value = node.data.get("value")
    if value is not None:
        value = node.reader.templates(value, (*node.pointer, "value"))
    schema = value_schema(node)
    required = node.data.get("required")
    inner = node.node("schema")
    default = node.data.get("default", inner.data.get("default") if inner else None)
    if isinstance(default, (int, float)) and schema.get("type") == "string":
        default = (node if "default" in node else inner or node).text("default")
    return model.Parameter(
        name=name,
        where=node.data.get("in"),
        schema=schema,
        required=required if isinstance(required, bool) else None,
        value=value,
        default=default,
        at=node.at(),
    )


def value_schema(node: Node) -> dict[str, Any]:
    """A parameter's keywords -> the JSON Schema of its value."""
    inner = node.node("schema")
    if inner is not None:
        whole = value_schema(inner)
        if description := node.text("description"):
            whole["description"] = description
        return whole
    data = node.data
    schema: dict[str, Any] = {}
    kind = data.get("type")
    if kind in ("file", "binary"):
        kind = "string"
    if data.get("nullable") is True and isinstance(kind, str):
        kind = [kind, "null"]
    if kind is not None:
        schema["type"] = kind
    if description := node.text("description"):
        schema["description"] = description
    for key in _KEYWORDS:
        if key in data:
            schema[key] = data[key]
    if kind == "string" and "enum" in data:
        schema["enum"] = list(node.texts("enum"))
    if kind == "string" and "const" in data:
        schema["const"] = node.text("const")
    if "pattern" in data:
        schema["pattern"] = node.text("pattern")
    examples = data.get("examples", [data["example"]] if "example" in data else None)
    if examples is not None:
        many = list(examples.values()) if isinstance(examples, dict) else examples
        schema["examples"] = many if isinstance(many, list) else [many]
    if (items := node.node("items")) is not None:
        schema["items"] = value_schema(items)
    for key in ("allOf", "anyOf", "oneOf"):
        if key in data:
            schema[key] = [value_schema(item) for item in node.nodes(key)]
    extra = data.get("additionalProperties")
    if extra is not None:
        holder = node.node("additionalProperties")
        schema["additionalProperties"] = value_schema(holder) if holder is not None else extra
    required = list(data["required"]) if isinstance(data.get("required"), list) else []
    if "properties" in data:
        schema["properties"] = {}
        for name, item in node.named("properties"):
            schema["properties"][name] = nested = value_schema(item)
            if "default" in item:
                nested["default"] = item.data["default"]
            if item.data.get("required") is True and name not in required:
                required.append(name)
    if required:
        schema["required"] = required
    if "properties" in schema and "type" not in schema:
        schema["type"] = "object"
    return schema
