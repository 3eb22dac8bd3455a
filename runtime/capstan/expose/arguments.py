"""An HTTP request -> the arguments of a unit. Which inputs come from where, and of which type, is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import cookie_parser

from capstan.errors import BindError
from capstan.load.media_type import essence_of, is_json
from capstan.load.number import read_integer, read_number
from capstan.load.schema import closest, suggest
from capstan.plan.body import FORM, JsonPlan, TextPlan, WholeFormPlan
from capstan.plan.jsontext import parse_json
from capstan.plan.types import Input, UnitPlan

Headers = Iterable[tuple[bytes, bytes]]
_MAX_QUERY_FIELDS: Final = 1000
_MOST_NAMES: Final = 20  # that are looked at for a slip
_NOTHING: Final = frozenset({b"", b"{}", b"null"})


class ArgumentReader:
    """Reads one unit's arguments."""

    def __init__(self, unit: UnitPlan, path_inputs: tuple[str, ...]) -> None:
        inputs = {item.name: item for item in unit.inputs}
        self._path = [(name, _reader(inputs[name])) for name in path_inputs]
        self._query = {i.name: (_reader(i), _takes(i, "array")) for i in unit.inputs if i.where == "query"}
        self._headers = {i.name.lower().encode("latin-1", "replace"): (i.name, _reader(i), _takes(i, "array"))
                         for i in unit.inputs if i.where == "header"}  # fmt: skip
        self._cookies = {i.name: _reader(i) for i in unit.inputs if i.where == "cookie"}
        self._whole = next((i.name for i in unit.inputs if i.whole_body), None)
        self._fields = frozenset(i.name for i in unit.inputs if i.where == "body" and not (i.whole_body or i.body_path))
        self._inside = [(i.name, i.body_path) for i in unit.inputs if i.body_path]
        self._members = self._fields | {path[0] for _, path in self._inside}
        self._only = _only_structure([i for i in unit.inputs if i.where == "body"])
        body = unit.call.request.body if unit.call is not None else None
        self._text_body = isinstance(body, TextPlan)
        self._form_body = isinstance(body, WholeFormPlan)
        self.takes_body = self._whole is not None or bool(self._members)

    def read(self, path: list[str], query: bytes, headers: Headers, body: bytes | None) -> dict[str, Any]:
        """The arguments as the caller gave them; the guard checks them next.

        Raises:
            BindError: one cannot be read as its type, or is not known.
        """
        arguments: dict[str, Any] = {}
        for (name, read), text in zip(self._path, path, strict=True):
            arguments[name] = _read(read, name, text)
        if query:
            self._read_query(query, arguments)
        media_type = b""
        for key, value in headers:
            if key == b"content-type":
                media_type = value
            if key in self._headers:
                name, read, many = self._headers[key]
                text = _header_text(value, name)
                if many:
                    items = [item for part in text.split(",") for item in _read(read, name, part.strip())]
                    arguments.setdefault(name, []).extend(items)
                elif name in arguments:
                    raise BindError("bad-argument", f"the header '{name}' is given twice", argument=name)
                else:
                    arguments[name] = _read(read, name, text)
            elif key == b"cookie" and self._cookies:
                self._read_cookies(value, arguments)
        if self.takes_body:
            if body:
                self._read_body(body, media_type.decode("latin-1"), arguments)
        elif body and body.strip() not in _NOTHING:
            raise BindError("unexpected-body", "this operation takes no request body")
        return arguments

    def _read_query(self, query: bytes, arguments: dict[str, Any]) -> None:
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict",
                              max_num_fields=_MAX_QUERY_FIELDS)  # fmt: skip
        except ValueError as error:
            raise BindError("bad-query", "the query string is not valid UTF-8 or has too many fields") from error
        for name, text in pairs:
            if name not in self._query:
                raise BindError("unknown-argument", f"there is no argument '{name}' in the query",
                                hint=suggest(name, self._query), argument=name)  # fmt: skip
            read, many = self._query[name]
            if many:
                arguments.setdefault(name, []).extend(_read(read, name, text))
            elif name in arguments:
                raise BindError("bad-argument", f"'{name}' is given twice", argument=name)
            else:
                arguments[name] = _read(read, name, text)

    def _read_cookies(self, value: bytes, arguments: dict[str, Any]) -> None:
        # The standard library gives up at the first cookie it does not like, and the others are not ours to choose.
        cookies = cookie_parser(value.decode("latin-1"))
        for name, read in self._cookies.items():
            if name in cookies:
                arguments[name] = _read(read, name, cookies[name])

    def _read_body(self, body: bytes, media_type: str, arguments: dict[str, Any]) -> None:
        essence = essence_of(media_type)
        may_be_json = essence == "" or is_json(essence)
        if self._text_body and self._whole is not None and not (may_be_json and essence):
            arguments[self._whole] = _utf8(body)
            return
        if self._form_body and self._whole is not None and essence == FORM:
            arguments[self._whole] = _utf8(body)
            return
        if not may_be_json:
            raise BindError("unsupported-media-type", f"the body is '{essence}', not JSON",
                            hint="send it with Content-Type: application/json", status=415)  # fmt: skip
        value = read_json(body)
        if self._whole is not None:
            arguments[self._whole] = value
            if isinstance(value, dict):
                self._take_fields(value, arguments)
            return
        if self._only and value and not (isinstance(value, dict) and _names(value, self._only)):
            arguments[self._only] = value
            return
        if not isinstance(value, dict):
            raise BindError("bad-argument", "the body must be a JSON object")
        for name in value:
            if name not in self._members:
                raise BindError("unknown-argument", f"there is no argument '{name}' in the body",
                                hint=suggest(name, self._members), argument=name)  # fmt: skip
        self._take_fields(value, arguments)

    def _take_fields(self, body: dict[str, Any], arguments: dict[str, Any]) -> None:
        arguments.update({name: body[name] for name in self._fields if name in body})
        for name, path in self._inside:
            _take_inside(body, path, name, arguments)


def _names(body: dict[str, Any], name: str) -> bool:
    """Whether a body has a member of this name, or one that is a slip in it."""
    return name in body or closest(name, islice(body, _MOST_NAMES)) is not None


def _only_structure(inputs: list[Input]) -> str | None:
    """The one input of a body, where it is an object or array: callers may send it as it is, without its name."""
    if len(inputs) != 1 or inputs[0].whole_body or inputs[0].body_path:
        return None
    return inputs[0].name if _takes(inputs[0], "object") or _takes(inputs[0], "array") else None


def _take_inside(body: Any, path: tuple[str, ...], name: str, arguments: dict[str, Any]) -> None:
    """The argument at a path of the body; what is not there is not given."""
    for member in path:
        if not isinstance(body, dict) or member not in body:
            return
        body = body[member]
    arguments[name] = body


def media_types(unit: UnitPlan) -> tuple[str, ...]:
    """What a request body may be, for the documentation."""
    body = unit.call.request.body if unit.call is not None else None
    match body:
        case TextPlan() if any(i.whole_body for i in unit.inputs):
            return (body.media_type.partition(";")[0],)
        case WholeFormPlan():
            return (FORM, "application/json")
        case JsonPlan():
            return (body.media_type.partition(";")[0],)
    return ("application/json",)


def read_json(body: bytes) -> Any:
    """Strict JSON: no duplicate members, for two readers would see two documents.

    Raises:
        BindError: with the position of the fault.
    """
    try:
        return parse_json(_utf8(body), unique=True)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BindError("bad-json", f"the body is not JSON: {error.msg} at {where}") from error
    except ValueError as error:
        raise BindError("bad-json", f"the body is not JSON: {error}") from error


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BindError("bad-json", f"the body is not UTF-8 at byte {error.start}") from error


def _header_text(value: bytes, name: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BindError("bad-argument", f"the header '{name}' is not UTF-8", argument=name) from error


# --- text -> a value of the declared type


def _takes(item: Input, kind: str) -> bool:
    declared = item.schema.get("type")
    return declared == kind or (isinstance(declared, list) and kind in declared)


def _reader(item: Input) -> Callable[[str], Any]:
    return reader_of(item.schema)


def reader_of(schema: Mapping[str, Any]) -> Callable[[str], Any]:
    """The function that reads text as the type a schema declares; it raises ValueError."""
    declared = schema.get("type", "string")
    kinds = declared if isinstance(declared, list) else [declared]
    kind = next((k for k in kinds if k != "null"), "string")
    if "string" in kinds:
        return str
    if kind == "array":
        item = reader_of(schema.get("items", {}))
        return lambda text: [item(text)]
    return _READERS[kind]


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _object(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    raise ValueError("a JSON object")


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str, "integer": read_integer, "number": read_number, "boolean": _boolean, "object": _object, "null": str,
}  # fmt: skip


def _read(read: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        shown = text if len(text) <= 60 else text[:56] + " ..."
        raise BindError("bad-argument", f"'{name}': '{shown}' is not {error}", argument=name) from error


class TextReader:
    """Reads what a URI or a prompt gives, which is text, as the types of a unit's inputs."""

    def __init__(self, unit: UnitPlan, slots: Iterable[tuple[str, str]]) -> None:
        inputs = {item.name: item for item in unit.inputs}
        self._slots = [(given, name, _reader(inputs[name])) for given, name in slots]

    def read(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """The arguments of the unit; what is not given is left out.

        Raises:
            BindError: one cannot be read as its type.
        """
        return {name: _read(read, name, texts[given]) for given, name, read in self._slots if given in texts}
