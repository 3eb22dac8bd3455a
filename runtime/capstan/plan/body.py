"""Request bodies: a declared body -> an encoder that meets arguments and gives bytes.

Each kind encodes a value for the place it lands in, so that no value can change the structure around it.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, assert_never
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from capstan.errors import BindError
from capstan.load.expression import Hole, Template
from capstan.load.media_type import essence_of, is_json
from capstan.load.model import Body, Encoding, FormBody, FormTextBody, JsonBody, MultipartBody, TextBody
from capstan.plan import sparql
from capstan.plan.values import (
    ABSENT,
    Arguments,
    Constant,
    Pair,
    Source,
    fill_pairs,
    source_tree,
    split_pairs,
    to_text,
)

Encoded = tuple[bytes, str]  # the body and its media type
Resolve = Callable[[Template], Source]

FORM: Final = "application/x-www-form-urlencoded"
# What XML 1.0 cannot hold at all, even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Quotes end an attribute; line ends and tabs would come out of a parser as other white space.
_XML_ENTITIES: Final = {'"': "&quot;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


# Made once: json.dumps makes an encoder for every value that asks for more than the ordinary.
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class JsonPlan:
    """JSON: the whole value of one input, or data with values in it."""

    source: Source
    media_type: str

    def encode(self, arguments: Arguments) -> Encoded | None:
        value = self.source.get(arguments)
        if value is ABSENT:
            return None
        try:
            return _utf8(_json_text(value)), self.media_type
        except ValueError as error:  # not a number, or infinite
            raise BindError("bad-argument", "an argument holds a number that JSON cannot") from error


@dataclass(frozen=True, slots=True)
class TextPlan:
    """Text with values in it, or one value as it is."""

    parts: tuple[str | Source, ...]
    media_type: str
    encoding: Encoding = "none"
    around: tuple[sparql.Around, ...] = field(default=(), repr=False)  # each value of a SPARQL query

    def encode(self, arguments: Arguments) -> Encoded | None:
        if len(self.parts) == 1 and not isinstance(whole := self.parts[0], str):
            # A body that is one value and nothing else is that value: a caller's own XML document stays one.
            value = whole.get(arguments)
            return None if value is ABSENT or value is None else (_utf8(to_text(value)), self.media_type)
        around = iter(self.around)
        texts = []
        for part in self.parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            place: sparql.Around = next(around, "nothing")
            value = part.get(arguments)
            if value is ABSENT or value is None:
                continue
            match self.encoding:
                case "xml":
                    texts.append(_xml_text(to_text(value)))
                case "sparql":
                    texts.append(sparql.encode(value, place, getattr(part, "name", "")))
                case _:
                    texts.append(to_text(value))
        return _utf8("".join(texts)), self.media_type


@dataclass(frozen=True, slots=True)
class FormPlan:
    """Named form fields; arrays repeat their name, absent values leave theirs out."""

    fields: tuple[tuple[str, Source], ...]
    media_type: str = FORM

    def encode(self, arguments: Arguments) -> Encoded | None:
        pairs = [(name, source.get(arguments)) for name, source in self.fields]
        return form(pairs), self.media_type


@dataclass(frozen=True, slots=True)
class WholeFormPlan:
    """A form whose fields are the members of one object the caller gives."""

    source: Source

    def encode(self, arguments: Arguments) -> Encoded | None:
        value = self.source.get(arguments)
        if value is ABSENT or value is None:
            return None
        if isinstance(value, str):
            return _utf8(value), FORM
        if not isinstance(value, dict):
            raise BindError("bad-argument", "'body' must be an object: it is sent as a form", argument="body")
        return form(list(value.items())), FORM


@dataclass(frozen=True, slots=True)
class FormTextPlan:
    """A form written as one text; only values are encoded. A pair whose value is absent is left out."""

    pairs: tuple[Pair, ...]
    media_type: str = FORM

    def encode(self, arguments: Arguments) -> Encoded | None:
        return _utf8(fill_pairs(self.pairs, arguments, lambda value, _: _form_text(value))), self.media_type


@dataclass(frozen=True, slots=True)
class PartPlan:
    name: str
    value: Source
    filename: Source | None
    media_type: str | None
    is_base64: bool = False

    def content(self, value: Any) -> bytes:
        if not self.is_base64:
            return _utf8(to_text(value))
        try:
            return base64.b64decode(to_text(value), validate=True)
        except ValueError as error:  # whatever is no base64, texts beyond ASCII among it
            name = getattr(self.value, "name", "") or self.name
            raise BindError("bad-argument", f"'{name}' is not base64", argument=name) from error


@dataclass(frozen=True, slots=True)
class MultipartPlan:
    parts: tuple[PartPlan, ...]

    def encode(self, arguments: Arguments) -> Encoded | None:
        boundary = "capstan-" + secrets.token_hex(16)  # long and random: no value can end its own part
        pieces: list[bytes] = []
        for part in self.parts:
            value = part.value.get(arguments)
            if value is ABSENT or value is None:
                continue
            disposition = f'form-data; name="{_quoted(part.name)}"'
            if part.filename is not None and (filename := part.filename.get(arguments)) not in (ABSENT, None):
                disposition += f'; filename="{_quoted(to_text(filename))}"'
            head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
            if part.media_type is not None:
                head += f"Content-Type: {part.media_type}\r\n"
            pieces += [_utf8(head), b"\r\n", part.content(value), b"\r\n"]
        pieces.append(f"--{boundary}--\r\n".encode())
        return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


BodyPlan = JsonPlan | TextPlan | FormPlan | WholeFormPlan | FormTextPlan | MultipartPlan


def plan_body(body: Body, resolve: Resolve) -> BodyPlan:
    """A declared body -> its encoder; `resolve` says where the values of a template come from."""
    match body:
        case JsonBody():
            return JsonPlan(source_tree(body.data, lambda leaf: _leaf(leaf, resolve)), body.media_type)
        case TextBody():
            pieces = _pieces(body.text, resolve)
            around = sparql.surroundings([piece if isinstance(piece, str) else None for piece in pieces])
            return TextPlan(pieces, body.media_type, body.encoding, around if body.encoding == "sparql" else ())
        case FormBody():
            return FormPlan(tuple((name, resolve(value)) for name, value in body.fields), body.media_type)
        case FormTextBody():
            return FormTextPlan(split_pairs(_pieces(body.text, resolve)), body.media_type)
        case MultipartBody():
            parts = [
                PartPlan(
                    p.name, resolve(p.value), resolve(p.filename) if p.filename else None, p.media_type, p.is_base64
                )
                for p in body.parts
            ]
            return MultipartPlan(tuple(parts))
        case _:
            assert_never(body)


def plan_whole_body(source: Source, media_type: str) -> BodyPlan:
    """The body is one value of the caller's, sent as `media_type` says."""
    kind = essence_of(media_type)
    if kind == FORM:
        return WholeFormPlan(source)
    if is_json(kind):
        return JsonPlan(source, media_type)
    return TextPlan((source,), media_type)


def _leaf(leaf: Any, resolve: Resolve) -> Source:
    return resolve(leaf) if isinstance(leaf, Template) else Constant(leaf)


def _pieces(template: Template, resolve: Resolve) -> tuple[str | Source, ...]:
    return tuple(resolve(Template((p,))) if isinstance(p, Hole) else p for p in template.parts)


def to_json(value: Any) -> bytes:
    """An answer as JSON; numbers keep their digits, text stays UTF-8, what UTF-8 cannot hold stays escaped."""
    try:
        return _json_text(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _json_text(value: Any) -> str:
    return _COMPACT.encode(value)


def form(pairs: list[tuple[str, Any]]) -> bytes:
    """Form encoding; arrays repeat their name, absent and null values leave theirs out."""
    encoded = []
    for name, value in pairs:
        for item in value if isinstance(value, list) else [value]:
            if item is not ABSENT and item is not None:
                encoded.append(f"{_form_text(name)}={_form_text(item)}")
    return "&".join(encoded).encode()


def _form_text(value: Any) -> str:
    return quote_plus(_utf8(to_text(value)))


def _xml_text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text), _XML_ENTITIES)


def _quoted(text: str) -> str:
    """A name inside a Content-Disposition, encoded as browsers do."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").replace("\0", "%00")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BindError("bad-argument", "an argument holds text that is not Unicode") from error
