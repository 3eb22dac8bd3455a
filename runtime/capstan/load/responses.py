"""The answers that an operation declares: `responses`, or `responseBinary` for short."""

from __future__ import annotations

import re
from typing import Any, Final

from capstan.load import model
from capstan.load.document import Place
from capstan.load.node import Node
from capstan.load.parameters import parse_schema

_STATUSES: Final = "an answer is a success (2..) or an error (4.., 5..)"
_WITHOUT_CONTENT: Final = frozenset({"204", "205"})
_MEDIA_TYPE: Final = re.compile(
    r"[\w.+!#$&^*-]+/[\w.+!#$&^*-]+(\s*;\s*[\w.+!#$&^-]+=(\"[^\"\r\n]*\"|[^\s\";]+))*", re.ASCII
)


def parse_responses(node: Node) -> tuple[model.Response, ...]:
    if node.data.get("responses") is not None and node.data.get("responseBinary") is not None:
        message = "an operation has 'responses' or 'responseBinary', not both"
        node.reader.problem("ambiguous-keyword", message, node.at("responseBinary"), key=True)
    if (binary := node.node("responseBinary")) is not None:
        media_type = parse_media_type(binary, "mediaType") or ""
        status = str(binary.data.get("status", 200))
        if not status.startswith("2"):
            binary.reader.problem("bad-response", f"{status} is no status of a success", binary.at("status"),
                                  "bytes are what a success answers")  # fmt: skip
        content = model.Content(media_type, True, None, at=binary.at("mediaType"))
        return (_response(status, binary, (content,)),)
    holder = node.node("responses")
    if holder is None:
        return ()
    return tuple(
        _response(str(status), item, tuple(_contents(item)))
        for status, item in sorted((str(s), n) for s, n in _items(holder))
    )


def _items(holder: Node) -> list[tuple[str, Node]]:
    return [(status, item) for status in holder.data if (item := holder.node(status)) is not None]


def _response(status: str, node: Node, content: tuple[model.Content, ...]) -> model.Response:
    if status[0] in "13":
        node.reader.problem("bad-response", f"an operation never answers {status}", node.at(), _STATUSES,
                            key=True)  # fmt: skip
    if status in _WITHOUT_CONTENT and content:
        node.reader.problem("bad-response", f"an answer of {status} has no content", content[0].at, key=True)
    return model.Response(status, node.text("description") or "", content, at=node.at())


def _contents(node: Node) -> list[model.Content]:
    holder = node.node("content")
    found = []
    for media_type in holder.data if holder is not None else ():
        assert holder is not None
        item = holder.node(media_type)
        schema: dict[str, Any] | None = None
        binary = False
        if item is not None:
            binary = item.data.get("binary") is True
            inner = item.node("schema")
            schema = parse_schema(inner) if inner is not None else None
        _check_media_type(node, media_type, holder.at(media_type), key=True)
        found.append(model.Content(media_type, binary, schema, at=holder.at(media_type)))
    return found


def parse_media_type(node: Node, key: str) -> str | None:
    text = node.text(key)
    return text if text is not None and _check_media_type(node, text, node.at(key)) else None


def _check_media_type(node: Node, text: str, at: Place, *, key: bool = False) -> bool:
    fits = _MEDIA_TYPE.fullmatch(text) is not None
    if not fits:
        message = f"'{text[:60]}' is no media type"
        node.reader.problem("wrong-form", message, at, "for example: image/png", key=key)
    return fits
