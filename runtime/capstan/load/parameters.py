"""Input parameters, and the JSON Schema of what they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from capstan.load import model
from capstan.load.node import Node
from capstan.load.types import Overlaid, enter, leave, says_more, type_node

HEADER: Final = "x-mcp-header"
_KEYWORDS: Final = (
    "title", "format", "pattern", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "deprecated",
)  # fmt: skip


def parse_parameters(node: Node, *, exposed: bool = False) -> tuple[model.Parameter, ...]:
    for _, item in node.named("inputParameters"):
        if exposed and item.data.get("in") == "environment":
            node.reader.problem("unknown-value", "an input of callers cannot be 'in: environment'", item.at("in"),
                                "'binds' names variables of the environment")  # fmt: skip
        if not exposed:
            _refuse_header(item)
    return tuple(_parameter(name, item) for name, item in node.named("inputParameters"))


def refuse_headers(node: Node) -> None:
    """Only a client of MCP repeats what it gives a tool in headers."""
    for _, item in node.named("inputParameters"):
        _refuse_header(item)


def _refuse_header(item: Node) -> None:
    if HEADER in item:
        message = f"'{HEADER}' has a meaning at the input of a tool alone"
        item.reader.problem("unknown-keyword", message, item.at(HEADER), key=True)


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
    meant, schema = _value(node)
    if (header := node.text(HEADER)) is not None:
        schema = {**schema, HEADER: header}
    required = node.data.get("required")
    return model.Parameter(
        name=name,
        where=node.data.get("in"),
        schema=schema,
        required=required if isinstance(required, bool) else None,
        value=value,
        default=_default(node if "default" in node else meant, schema),
        at=node.at(),
    )


def _default(node: Node, schema: Mapping[str, Any]) -> Any:
    default = node.data.get("default")
    written = isinstance(default, (int, float)) and schema.get("type") == "string"
    return node.text("default") if written else default


def parse_types(root: Node) -> None:
    """Read the types of a file, so that what is wrong with those that nothing uses is told too."""
    for name, item in root.named("types"):
        if name not in root.reader.types and enter(item, item):
            _type(item, item)


def parse_schema(node: Node) -> dict[str, Any]:
    """The JSON Schema of a value that stands by itself."""
    return _value(node)[1]


def _value(node: Node) -> tuple[Node, dict[str, Any]]:
    """A parameter's keywords -> where the keywords of its value stand, and the JSON Schema of it."""
    if "$ref" in node.data:
        return _referenced(node)
    inner = node.node("schema")
    if inner is None:
        return node, _schema(node)
    meant, whole = _value(inner)
    description = node.text("description")
    return meant, {**whole, "description": description} if description else whole


def _referenced(node: Node) -> tuple[Node, dict[str, Any]]:
    """What a reference means. A type is built once and shared where no keyword beside the reference changes it."""
    if "schema" in node:
        message = "'$ref' has no meaning beside 'schema': write it inside"
        node.reader.problem("bad-reference", message, node.at("$ref"), key=True)
        return node, {}
    target = type_node(node)
    if target is None:
        return node, {}
    found = target.reader.types.get(str(target.pointer[1]))
    if found is None:
        if not enter(target, node):
            return node, {}
        found = _type(target, node)
    if not says_more(node):
        return found
    overlaid = Overlaid(node, *found)
    return overlaid, overlaid.nested_schema(_schema(overlaid))


def _type(target: Node, node: Node) -> tuple[Node, dict[str, Any]]:
    """The type `target`, which is entered by the reference at `node`."""
    meant, schema = _value(target)
    if not leave(target, node, schema):
        schema = {}
    target.reader.types[str(target.pointer[1])] = meant, schema
    return meant, schema


def _schema(node: Node) -> dict[str, Any]:
    """A value's keywords -> its JSON Schema."""
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
        schema["items"] = _value(items)[1]
    for key in ("allOf", "anyOf", "oneOf"):
        if key in data:
            schema[key] = [_value(item)[1] for item in node.nodes(key)]
    extra = data.get("additionalProperties")
    if extra is not None:
        holder = node.node("additionalProperties")
        schema["additionalProperties"] = _value(holder)[1] if holder is not None else extra
    required = list(data["required"]) if isinstance(data.get("required"), list) else []
    if "properties" in data:
        schema["properties"] = {}
        for name, item in node.named("properties"):
            meant, nested = _value(item)
            if "default" in meant:
                nested = {**nested, "default": _default(meant, nested)}
            schema["properties"][name] = nested
            if item.data.get("required") is True and name not in required:
                required.append(name)
    if required:
        schema["required"] = required
    if "properties" in schema and "type" not in schema:
        schema["type"] = "object"
    return schema
