"""Output parameters, in both spellings of a mapping."""

from __future__ import annotations

from capstan.load import model
from capstan.load.expression import parse_template
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.node import Node


def parse_outputs(node: Node, key: str) -> tuple[model.Output, ...]:
    return tuple(_output(name, item) for name, item in node.named(key))


def _properties(node: Node, mapping: Node | None) -> tuple[model.Output, ...] | None:
    """Those beside a mapping and those inside it; the first of a name wins."""
    holders = [holder for holder in (node, mapping) if holder is not None and "properties" in holder]
    found = [output for holder in holders for output in parse_outputs(holder, "properties")]
    return tuple({output.name: output for output in reversed(found)}.values())[::-1] if holders else None


def _output(name: str, node: Node) -> model.Output:
    mapping = node.node("mapping")  # `mapping: {properties}` beside `properties`: both spellings
    shape = mapping if mapping is not None and "items" in mapping else node
    path = node.parse("mapping", parse_jsonpath, None) if mapping is None else None
    constant, has_constant = None, False
    for key in ("const", "value"):
        if key in node:
            value = node.data[key]
            text = value.strip() if isinstance(value, str) else ""
            if key == "value" and text.startswith(("$", "{{$")):
                path = node.parse("value", parse_jsonpath, None)
            else:
                has_constant = True
                constant = node.parse("value", parse_template, None) if key == "value" and text else value
                if node.data.get("type") == "string" and not isinstance(value, (str, dict, list)):
                    constant = node.text(key)  # `1.10` and `0042` as they are written
        if "mapping" in node and key in node:
            message = f"'{key}' has no meaning beside 'mapping': an output is a constant or taken from the answer"
            node.reader.problem("unknown-keyword", message, node.at(key), key=True)
    items_holder = shape.data.get("items")
    items: model.Output | None = None
    if isinstance(items_holder, list):
        listed = [_output(item.text("name") or "", item) for item in shape.nodes("items")]
        if len(listed) > 1:
            node.reader.problem("not-supported-yet", "several shapes of items are not supported", shape.at("items"))
        items = listed[0] if listed else None
    elif (items_node := shape.node("items")) is not None:
        items = _output("", items_node)
    return model.Output(
        name=name or None,
        type=node.text("type"),
        path=path,
        constant=constant,
        has_constant=has_constant,
        properties=_properties(node, mapping),
        items=items,
        max_length=node.data.get("maxLength"),
        required=node.data.get("required", False),
        description=node.text("description") or "",
        at=node.at(),
    )
