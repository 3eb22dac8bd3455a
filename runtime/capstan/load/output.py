"""Output parameters, in every spelling of a mapping and of the items of an array."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from capstan.load import model
from capstan.load.expression import parse_template
from capstan.load.jsonpath import JsonPath, parse_jsonpath
from capstan.load.node import Node
from capstan.load.schema import suggest

# What can stand in an output with a mapping as its value; any other keyword there is the name of a member.
_NESTED: Final = frozenset({"properties", "items", "values"})
_HOLDERS: Final = _NESTED | {"mapping", "const", "value"}
_READ_BY_OTHERS: Final = ("precision", "scale", "contentEncoding", "contentCompression", "contentMediaType", "selector",
                          "in")  # fmt: skip


def parse_outputs(node: Node, key: str) -> tuple[model.Output, ...]:
    return tuple(_output(name, item) for name, item in node.named(key))


def _output(name: str, node: Node) -> model.Output:
    node.reader.unsupported(node, *_READ_BY_OTHERS)
    mapping = node.node("mapping")  # `mapping: {properties}` beside `properties`: both spellings
    shape = mapping if mapping is not None and "items" in mapping else node
    path, constant, has_constant = _source(node, mapping)
    required = node.data.get("required", False)
    values = node.node("values")
    output = model.Output(
        name=name or None,
        type=node.text("type"),
        path=path,
        constant=constant,
        has_constant=has_constant,
        properties=_properties(node, mapping),
        items=_items(shape),
        values=None if values is None else _output("", values),
        enum=None if node.data.get("enum") is None else tuple(node.data["enum"]),
        max_length=node.data.get("maxLength"),
        required=required is True,
        description=node.text("description") or "",
        at=node.at(),
    )
    return _with_required(output, node) if isinstance(required, list) else output


def _source(node: Node, mapping: Node | None) -> tuple[JsonPath | None, Any, bool]:
    """Where the value comes from: a path, or a constant whose texts may be templates."""
    path = node.parse("mapping", parse_jsonpath, None) if mapping is None else None
    for key in ("const", "value"):
        if key in node and "mapping" in node:
            message = f"'{key}' has no meaning beside 'mapping': an output is a constant or taken from the answer"
            node.reader.problem("unknown-keyword", message, node.at(key), key=True)
    key = "value" if "value" in node else "const"
    if key not in node:
        return path, None, False
    value = node.data[key]
    text = value.strip() if isinstance(value, str) else ""
    if key == "value" and text.startswith(("$", "{{$")):
        return node.parse("value", parse_jsonpath, None), None, False
    if isinstance(value, (dict, list)):
        return path, node.reader.templates(value, (*node.pointer, key)) if key == "value" else value, True
    if node.data.get("type") == "string" and value is not None and not text:
        return path, node.text(key), True  # `1.10` and `0042` as they are written
    return path, node.parse("value", parse_template, None) if key == "value" and text else value, True


def _properties(node: Node, mapping: Node | None) -> tuple[model.Output, ...] | None:
    """Those beside a mapping and those inside it; the first of a name wins."""
    holders = [holder for holder in (node, mapping) if holder is not None and "properties" in holder]
    found = [output for holder in holders for output in parse_outputs(holder, "properties")]
    return tuple({output.name: output for output in reversed(found)}.values())[::-1] if holders else None


def _items(node: Node) -> model.Output | None:
    """What every item is: an output, a list of one, or named outputs in a list or a map, which are its members."""
    holder = node.data.get("items")
    at = node.at("items")
    if isinstance(holder, list):
        listed = [_output(item.text("name") or "", item) for item in node.nodes("items")]
        if len(listed) == 1 and _is_item(listed[0]):
            return replace(listed[0], name=None)
        for output in listed:
            if output.name is None:
                node.reader.problem("missing-keyword", "'name' is missing: several items are the members of each",
                                    output.at)  # fmt: skip
        return _object(tuple(listed), at) if listed else None
    items = node.node("items")
    if items is None:
        return None
    if items.data and all(isinstance(value, dict) for value in items.data.values()) and not _is_output(items):
        return _object(parse_outputs(node, "items"), at)
    return _output("", items)


def _is_item(output: model.Output) -> bool:
    """Whether the only output of a list is the item itself, and not one member of it."""
    nested = (output.path, output.properties, output.items, output.values)
    return output.name is None or output.has_constant or any(part is not None for part in nested)


def _is_output(node: Node) -> bool:
    """Whether a mapping of mappings is an output: `{properties: ...}` is, `{name: {type: string}}` is not."""
    return all(
        key in _NESTED or (key in _HOLDERS and not isinstance(value.get("type"), str))
        for key, value in node.data.items()
        if isinstance(value, dict)
    )


def _object(members: tuple[model.Output, ...], at: Any) -> model.Output:
    return model.Output(name=None, type="object", path=None, properties=members, at=at)


def _with_required(output: model.Output, node: Node) -> model.Output:
    """`required: [a, b]` of an object: the members that must be there."""
    wanted = node.texts("required")
    members = output.properties or ()
    known = [member.name for member in members if member.name is not None]
    for name in wanted:
        if name not in known:
            message = f"'required' names '{name}', which is no property"
            node.reader.problem("unknown-name", message, node.at("required"), suggest(name, known))
    properties = tuple(replace(m, required=m.required or m.name in wanted) for m in members)
    return replace(output, properties=properties if output.properties is not None else None)
