"""The body of a consumed operation: an object that names its kind, or text."""

from __future__ import annotations

from typing import Any, Final

from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import Template, fold, parse_document, parse_json_template, parse_template
from capstan.load.media_type import essence_of, is_json
from capstan.load.node import Node

_FORM: Final = "application/x-www-form-urlencoded"
_MEDIA_TYPES: Final = {"json": "application/json", "text": "text/plain; charset=utf-8", "xml": "application/xml",
                       "sparql": "application/sparql-query", "raw": "application/octet-stream",
                       "formUrlEncoded": _FORM, "form": _FORM}  # fmt: skip


def parse_body(node: Node, parameters: tuple[model.Parameter, ...]) -> model.Body | None:
    raw = node.data.get("body")
    if raw is None:
        return None
    at = node.at("body")
    if isinstance(raw, list):
        return model.JsonBody(node.reader.templates(raw, at.pointer), _MEDIA_TYPES["json"], at=at)
    holder = node.node("body")
    if holder is None:
        return _bare_body(node, parameters, at)
    kind: Any = holder.text("type")
    media_type = holder.text("contentType") or _MEDIA_TYPES.get(kind, "")
    data = holder.data["data"]
    match kind:
        case "json":
            if isinstance(data, str):
                return model.JsonBody(holder.parse("data", parse_json_template, None), media_type, at=at)
            tree = node.reader.templates(data, (*holder.pointer, "data"))
            return model.JsonBody(tree, media_type, at=at)
        case "formUrlEncoded" | "form":
            fields = holder.node("data")
            if fields is None:
                return model.FormTextBody(holder.parse("data", parse_template, Template(())), media_type, at=at)
            pairs = tuple((key, node.reader.template(fields, key) or Template(())) for key in fields.data)
            return model.FormBody(pairs, media_type, at=at)
        case "multipartForm" | "multipart":
            if "contentType" in holder:  # it has to name the boundary, which is new with every request
                message = "'contentType' of a multipart form is not supported yet"
                node.reader.problem("not-supported-yet", message, holder.at("contentType"), key=True)
            return model.MultipartBody(tuple(_part(n, item) for n, item in holder.named("data")), at=at)
    encoding: model.Encoding = kind if kind in ("xml", "sparql") else "none"
    return model.TextBody(holder.parse("data", parse_document, Template(())), media_type, encoding, at=at)


def _part(name: str, node: Node) -> model.Part:
    value = node.reader.template(node, "value") or Template(())
    filename, media_type = node.reader.template(node, "filename"), node.text("contentType")
    return model.Part(name, value, filename, media_type, is_base64="encoding" in node)


def _bare_body(node: Node, parameters: tuple[model.Parameter, ...], at: Place) -> model.Body:
    """A body that is only text is JSON, unless a Content-Type header or the text itself says otherwise."""
    declared = [p for p in parameters if p.where == "header" and fold(p.name) == "content_type"]
    value = (declared[-1].value or declared[-1].default) if declared else None
    media_type = str(value) if isinstance(value, (Template, str)) else ""
    kind = essence_of(media_type)
    text = (node.text("body") or "").strip()
    if is_json(kind) or (not media_type and text[:1] in ("{", "[", '"')):
        return model.JsonBody(node.parse("body", parse_json_template, None), media_type or _MEDIA_TYPES["json"], at=at)
    template = node.parse("body", parse_template if kind == _FORM else parse_document, Template(()))
    if kind == _FORM:
        return model.FormTextBody(template, media_type, at=at)
    encoding: model.Encoding = "none"
    if kind.endswith(("/xml", "+xml")):
        encoding = "xml"
    elif kind.startswith("application/sparql-"):
        encoding = "sparql"
    return model.TextBody(template, media_type or _MEDIA_TYPES["text"], encoding, at=at)
