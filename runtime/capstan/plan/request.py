"""Arguments -> one HTTP request: every value in its place, encoded for it. The places were chosen at load."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from capstan.errors import BindError
from capstan.load.model import Effect
from capstan.plan.body import BodyPlan
from capstan.plan.values import ABSENT, Arguments, Constant, Pair, Secret, Source, fill_pairs, to_text

FORBIDDEN_IN_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EFFECTS: Final[dict[str, Effect]] = {"GET": "read", "HEAD": "read", "OPTIONS": "read", "DELETE": "irreversible"}
# Of one connection, and of no message (RFC 9110, 7.6.1), together with what frames a message.
OF_CONNECTION: Final = frozenset({
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
})  # fmt: skip
# RFC 3986: unreserved characters, which need no encoding anywhere.
_UNRESERVED: Final = "-._~"
_COOKIE_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def effect_of(method: str) -> Effect:
    """What a request does, as far as its method tells."""
    return _EFFECTS.get(method, "write")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, ready to send. `url` is encoded already and must not be touched again."""

    method: str
    url: str = field(repr=False)  # here, too, credentials may stand
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | AsyncIterable[bytes] | None = field(repr=False)  # a stream can be sent once


@dataclass(frozen=True, slots=True)
class PathSegment:
    """One segment of a path that holds at least one value."""

    parts: tuple[str | Source, ...]

    def fill(self, arguments: Arguments) -> str:
        text = "".join(part if isinstance(part, str) else _encode_segment(part, arguments) for part in self.parts)
        if text in ("", ".", ".."):
            raise BindError("bad-argument", f"'{text}' cannot stand for a segment of a path", argument=self._name())
        return text

    def _name(self) -> str:
        return next((name for part in self.parts if (name := getattr(part, "name", ""))), "")


def _host(source: Source, arguments: Arguments) -> str:
    """A part of the origin: one of the texts its author listed."""
    value = source.get(arguments)
    name = getattr(source, "name", "")
    if value is ABSENT or value is None:
        raise BindError("missing-argument", f"'{name}' is missing: it says which host to call", argument=name)
    return to_text(value)


def _encode_segment(source: Source, arguments: Arguments) -> str:
    value = source.get(arguments)
    name = getattr(source, "name", "")
    if value is ABSENT or value is None or value == "":
        raise BindError("missing-argument", f"'{name}' is missing: the path needs it", argument=name)
    return _encode_value(value, source)


def _encode_value(value: Any, source: Source) -> str:
    name = getattr(source, "name", "")
    return _percent(",".join(_items(value, name)) if isinstance(value, list) else to_text(value), name)


def _items(value: list[Any], name: str) -> list[str]:
    texts = [to_text(item) for item in value]
    if any("," in text for text in texts):
        raise BindError("bad-argument", f"an item of '{name}' holds a comma, which would make two of it", argument=name)
    return texts


def _percent(text: str, name: str, safe: str = _UNRESERVED) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        raise BindError("bad-argument", f"'{name}' holds text that is not Unicode", argument=name) from error


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A query parameter, header or cookie that is filled per call."""

    name: str
    source: Source

    def texts(self, arguments: Arguments, *, one_line: bool = False) -> list[str]:
        """The value's texts, several for an array; with `one_line`, for a place that puts commas between them."""
        value = self.source.get(arguments)
        if value is ABSENT or value is None:
            return []
        if isinstance(value, list):
            return _items(value, self.argument) if one_line else [to_text(item) for item in value]
        return [to_text(value)]

    @property
    def cookie_safe(self) -> str:
        """What a cookie holds as it is. A value of the file's own may be encoded already, as browsers show it."""
        return _COOKIE_SAFE + "%" if isinstance(self.source, Constant) else _COOKIE_SAFE

    @property
    def argument(self) -> str:
        return getattr(self.source, "name", "") or self.name


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """Arguments -> HttpRequest."""

    method: str
    origin: tuple[str | Source, ...]  # https://host/base, without a trailing slash
    path: tuple[str | PathSegment, ...]
    query_text: tuple[Pair, ...]  # a query written in the path, encoded but for its values
    query: tuple[NamedValue, ...]
    fixed_headers: tuple[tuple[str, str | Secret], ...]
    headers: tuple[NamedValue, ...]
    cookies: tuple[NamedValue, ...]
    body: BodyPlan | None

    def bind(self, arguments: Arguments) -> HttpRequest:
        """Put every value into its place, encoded for it.

        Raises:
            BindError: a value cannot stand where it belongs.
        """
        url = "".join(part if isinstance(part, str) else _host(part, arguments) for part in self.origin)
        for segment in self.path:
            url += segment if isinstance(segment, str) else "/" + segment.fill(arguments)
        query = fill_pairs(self.query_text, arguments, _encode_value)
        for parameter in self.query:
            for text in parameter.texts(arguments):
                query += f"&{quote(parameter.name, safe=_UNRESERVED)}={_percent(text, parameter.argument)}"
        if query:
            url += "?" + query.removeprefix("&")
        headers = [(name, value if isinstance(value, str) else value.reveal()) for name, value in self.fixed_headers]
        for parameter in self.headers:
            if texts := parameter.texts(arguments, one_line=True):
                headers.append((parameter.name, _header_value(", ".join(texts), parameter.argument)))
        if self.cookies:
            pairs = [
                f"{parameter.name}={_percent(text, parameter.argument, parameter.cookie_safe)}"
                for parameter in self.cookies
                for text in parameter.texts(arguments)
            ]
            if pairs:
                headers.append(("Cookie", "; ".join(pairs)))
        body = None
        if self.body is not None and (encoded := self.body.encode(arguments)) is not None:
            body, media_type = encoded
            if not any(name.lower() == "content-type" for name, _ in headers):
                headers.append(("Content-Type", media_type))
        return HttpRequest(self.method, url, tuple(headers), body)


def _header_value(text: str, name: str) -> str:
    if FORBIDDEN_IN_HEADER.search(text):
        message = f"'{name}' holds a line break or another control character, which a header cannot"
        raise BindError("bad-argument", message, argument=name)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BindError("bad-argument", f"'{name}' holds text that is not Unicode", argument=name) from error
    return text.strip(" \t")
