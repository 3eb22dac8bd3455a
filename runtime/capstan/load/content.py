"""Content blocks of tools and prompts: tree -> model. What a block of one kind takes is said here."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Final

from capstan.load import model
from capstan.load.expression import parse_template
from capstan.load.media_type import essence_of, is_media_type, type_of_name
from capstan.load.node import Node
from capstan.load.schema import suggest

_WORDS: Final = {
    "text": ("text",),
    "image": ("data", "file", "mimeType"),
    "audio": ("data", "file", "mimeType"),
    "resource": ("resource",),
    "resource_link": ("uri", "name", "title", "description", "mimeType", "size"),
}
_NEEDED: Final = {"text": ("text",), "resource": ("resource",), "resource_link": ("uri", "name")}
_RESOURCE: Final = ("text", "blob", "file")  # one of them
_ENCODED: Final = ("data", "blob")


def parse_tool_content(node: Node, unit: model.Unit) -> model.Unit:
    """The unit of a tool with the content that the tool says, which stands in the place of a call."""
    reader, before = node.reader, len(node.reader.problems)
    if "content" not in node:
        if "isError" in node:
            message = "'isError' is said of 'content', and there is none"
            reader.problem("missing-keyword", message, node.at("isError"), key=True)
        return replace(unit, refused=unit.refused or len(reader.problems) > before)
    for key in ("call", "ref"):
        if key in node:
            message = f"a tool has '{key}' or 'content', not both"
            hint = "make the call a step: steps: [{name: order, call: ...}], of which {{order.id}} is a part"
            reader.problem("ambiguous-call", message, node.at(key), hint, key=True)
    blocks = parse_blocks(node, "content", templates=True)
    return replace(
        unit, content=blocks, is_error=node.data.get("isError") is True,
        refused=unit.refused or len(reader.problems) > before,
    )  # fmt: skip


def parse_blocks(node: Node, key: str, *, templates: bool) -> tuple[model.Block, ...]:
    """The blocks that stand under a key, one or a list. With `templates` their texts are held to be such."""
    one = node.node(key)
    return tuple(_block(item, templates=templates) for item in ((one,) if one is not None else node.nodes(key)))


def _block(node: Node, *, templates: bool) -> model.Block:
    kind = node.text("type") or ""
    _check_words(node, kind)
    fields: dict[str, Any] = {"type": kind, **_texts(node, templates=templates)}
    file = node.text("file")
    if (resource := node.node("resource")) is not None:
        fields["resource"] = _texts(resource, templates=templates)
        file = resource.text("file")
        _check_choice(resource, _RESOURCE)
        if "uri" not in resource:
            _missing(resource, "uri")
    if kind in ("image", "audio"):
        _check_choice(node, ("data", "file"))
        _check_kind(node, kind, fields)
    for name in ("size", "annotations"):
        if name in node:
            fields[name] = node.data[name]
    holder = fields.get("resource", fields)
    if file is not None and "mimeType" not in holder and (guessed := type_of_name(file)) is not None:
        holder["mimeType"] = guessed
    return model.Block(fields, file, at=node.at())


def _check_words(node: Node, kind: str) -> None:
    """A field of another kind of block has no meaning here, and one that the protocol asks for must be there."""
    known = ("type", "annotations", *_WORDS.get(kind, ()))
    for key in node.data:
        if key not in known:
            owners = [other for other, words in _WORDS.items() if key in words]
            hint = f"it belongs to a block of type {' or '.join(owners)}" if owners else suggest(key, known)
            message = f"'{key}' has no meaning in a block of type {kind}"
            node.reader.problem("unknown-keyword", message, node.at(key), hint, key=True)
    for key in _NEEDED.get(kind, ()):
        if key not in node:
            _missing(node, key)


def _check_choice(node: Node, keys: tuple[str, ...]) -> None:
    """One of some keywords says what is in it."""
    there = [key for key in keys if key in node]
    if not there:
        node.reader.problem("missing-keyword", f"one of {', '.join(keys)} is missing", node.at())
    for key in there[1:]:
        message = f"a block has '{there[0]}' or '{key}', not both"
        node.reader.problem("ambiguous-keyword", message, node.at(key), "leave one of them out", key=True)


def _check_kind(node: Node, kind: str, fields: dict[str, Any]) -> None:
    """An image says that it is one."""
    said = fields.get("mimeType") or type_of_name(node.text("file") or "")
    if said is None:
        _missing(node, "mimeType")
    elif "{{" not in said and is_media_type(said) and not essence_of(said).startswith(f"{kind}/"):
        message = f"a block of type {kind} cannot hold {said}"
        node.reader.problem("wrong-form", message, node.at("mimeType" if "mimeType" in node else "file"),
                            "anything can be in a block of type resource")  # fmt: skip


def _texts(node: Node, *, templates: bool) -> dict[str, str]:
    """The texts of a block, as they are written."""
    found: dict[str, str] = {}
    for key in node.data:
        if key in ("type", "file", "resource", "size", "annotations"):
            continue
        text = node.text(key) or ""
        if templates and node.parse(key, parse_template, None) is None:
            text = ""
        if "{{" not in text:
            if key in _ENCODED:
                text = encoded(node, key)
            elif key == "mimeType":
                check_media_type(node)
        found[key] = text
    return found


def encoded(node: Node, key: str) -> str:
    """What is written in base64, on one line, as the protocol has it."""
    text = "".join((node.text(key) or "").split())
    if not is_base64(text):
        message = f"'{text[:40]}' is no base64" if text else "there is nothing in it"
        node.reader.problem("wrong-form", message, node.at(key), "'base64 FILE' writes it")
    return text


def check_media_type(node: Node) -> None:
    text = node.text("mimeType")
    if text is not None and not is_media_type(text):
        message = f"'{text[:60]}' is no media type"
        node.reader.problem("wrong-form", message, node.at("mimeType"), "for example: application/json")


def is_base64(text: str) -> bool:
    """Whether there is something in a text, and it is base64."""
    try:
        return bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def _missing(node: Node, key: str) -> None:
    node.reader.problem("missing-keyword", f"'{key}' is missing", node.at())
