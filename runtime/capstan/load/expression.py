"""The small languages inside a capability file, parsed once: {{templates}}, references, path templates.

Every parser returns a small frozen object or raises ExpressionError; what a name means is decided in plan/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

_HOLE = re.compile(r"\{\{\{\s*([^{}]*?)\s*\}\}\}|\{\{\s*([^{}]*?)\s*\}\}")
_PATH_HOLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}|\{\s*([^{}]*?)\s*\}")
_LAST_NAME_IN_BRACES = re.compile(r"(\$(?:this)?\.(?:[\w-]+\.)*)\{\{\s*([\w.-]+)\s*\}\}")


class ExpressionError(ValueError):
    """The text is not an expression of its kind. The caller knows where it stands."""


def fold(name: str) -> str:
    """Names that differ only in case, `-` and `_` fold to one."""
    return name.replace("-", "_").lower()


def match_name(name: str, names: Iterable[str]) -> str | None:
    """`name` among `names`: exactly, else the only one that folds to the same, as `orderId` does to `order_id`."""
    options = list(names)
    if name in options:
        return name
    folded = [option for option in options if fold(option) == fold(name)]
    if not folded:
        bare = fold(name).replace("_", "")
        folded = [option for option in options if fold(option).replace("_", "") == bare]
    return folded[0] if len(folded) == 1 else None


@dataclass(frozen=True, slots=True)
class Hole:
    """A `{{name}}` inside a template."""

    name: str

    def __str__(self) -> str:
        return "{{" + self.name + "}}"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with holes. `parts` alternate freely; no part is an empty string."""

    parts: tuple[str | Hole, ...]

    @property
    def literal(self) -> str | None:
        """The text, when there is no hole in it."""
        if any(isinstance(part, Hole) for part in self.parts):
            return None
        return "".join(map(str, self.parts))

    @property
    def lone(self) -> Hole | None:
        """The hole, when the template is one hole and nothing else: its value then keeps its type."""
        match self.parts:
            case (Hole() as hole,):
                return hole
        return None

    @property
    def holes(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts if isinstance(part, Hole))

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def bare_reference(text: str) -> str:
    """`$.a`, `$.step.a`, `$this.ns.a` for `$.{{a}}`, `$.step.{{a}}`, `$this.ns.{{a}}`; any other text as it is."""
    match = _LAST_NAME_IN_BRACES.fullmatch(text.strip())
    return text if match is None else match[1] + match[2]


def parse_template(text: str) -> Template:
    """`a {{b}} c` -> Template. Mustache's sections and partials are refused: a template only fills in.

    Raises:
        ExpressionError: a hole is empty, not a name or never closed.
    """
    template = parse_document(text)
    if any("{{" in part for part in template.parts if isinstance(part, str)):
        raise ExpressionError(f"'{_near(text, '{{')}' opens a template that '}}}}' never closes")
    if "}}" in text and "{" not in text:
        raise ExpressionError(f"'{_near(text, '}}')}' closes a template that '{{{{' never opens")
    return template


def _near(text: str, mark: str) -> str:
    """Some of a text around the last place of a mark."""
    at = text.rindex(mark)
    return text[max(0, at - 20) : at + 20]


def parse_document(text: str) -> Template:
    """Like parse_template, for a text in a language of its own: braces that are no hole belong to it."""
    if "{{" not in text:
        return Template((text,) if text else ())
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(text):
        name = match[1] if match[1] is not None else match[2]
        if not name:
            raise ExpressionError("'{{}}' names nothing")
        if name[0] in "#^/>!&":
            raise ExpressionError(f"'{match[0]}' is a Mustache section, which is not supported")
        if match.start() > end:
            parts.append(text[end : match.start()])
        parts.append(Hole(name))
        end = match.end()
    if end < len(text):
        parts.append(text[end:])
    return Template(tuple(parts))


def parse_braces(text: str) -> Template:
    """Like parse_template, but `{x}` is a hole too: the spelling of a baseUri."""
    parts: list[str | Hole] = []
    end = 0
    for match in _PATH_HOLE.finditer(text):
        start = match.start()
        if text[start - 1 : start] == "$":  # `${X}`, as a shell would write it
            start -= 1
        if start > end:
            parts.append(text[end:start])
        parts.append(Hole(match[1] if match[1] is not None else match[2]))
        end = match.end()
    if end < len(text):
        parts.append(text[end:])
    return Template(tuple(parts))


_JSON_STRING_OR_HOLE = re.compile(r'"(?:[^"\\]|\\.)*"|\{\{\{[^{}]*\}\}\}|\{\{[^{}]*\}\}', re.DOTALL)


def parse_json_template(text: str) -> Any:
    """JSON text with holes -> data whose strings are Templates. A hole may stand inside a string or for a value.

    Raises:
        ExpressionError: with every hole filled in, the text would not be JSON.
    """
    templates: list[Template] = []

    def stand_in(match: re.Match[str]) -> str:
        found = match[0]
        if found[0] == "{":
            templates.append(parse_template(found))
        elif "{{" in found:
            try:
                templates.append(parse_template(json.loads(found)))
            except json.JSONDecodeError as error:
                raise ExpressionError(f"not JSON: {error.msg} in {found[:60]}") from error
        elif "\\u0000" in found and "\0" in json.loads(found):
            raise ExpressionError("a JSON text cannot hold the character U+0000")
        else:
            return found
        return f'"\\u0000{len(templates) - 1}"'

    try:
        data = json.loads(_JSON_STRING_OR_HOLE.sub(stand_in, text))
    except json.JSONDecodeError as error:
        raise ExpressionError(f"not JSON: {error.msg} near '{error.doc[error.pos : error.pos + 20]}'") from error
    if any("\0" in key for key in _keys(data)):
        raise ExpressionError("a template cannot stand for the name of a member")
    return map_strings(data, lambda t: templates[int(t[1:])] if t[:1] == "\0" else Template((t,) if t else ()))


def _keys(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from data
    for item in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _keys(item)


def map_strings(data: Any, change: Callable[[str], Any]) -> Any:
    """A copy of JSON-like data with every string value (no key) changed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, dict):
        return {key: map_strings(value, change) for key, value in data.items()}
    if isinstance(data, list):
        return [map_strings(value, change) for value in data]
    return data


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A URL path: segments of literal text and holes. Literal text is percent-encoded already, once."""

    segments: tuple[tuple[str | Hole, ...], ...]
    query: tuple[str | Hole, ...] = ()

    @property
    def holes(self) -> tuple[str, ...]:
        parts = [part for segment in self.segments for part in segment]
        return tuple(part.name for part in (*parts, *self.query) if isinstance(part, Hole))

    @property
    def query_holes(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.query if isinstance(part, Hole))

    def join(self, other: PathTemplate) -> PathTemplate:
        """The path of an operation below that of its resource; one that repeats the resource's replaces it."""
        if other.segments[: len(self.segments)] == self.segments:
            return PathTemplate(other.segments, self.query + other.query)
        own = self.segments[:-1] if self.segments[-1:] == ((),) and other.segments else self.segments
        return PathTemplate(own + other.segments, self.query + other.query)

    def __str__(self) -> str:
        path = "/" + "/".join(map(_show_parts, self.segments))
        return path + ("?" + _show_parts(self.query) if self.query else "")


def _show_parts(parts: tuple[str | Hole, ...]) -> str:
    return "".join(f"{{{part.name}}}" if isinstance(part, Hole) else part for part in parts)


# What may stand in a path unencoded (RFC 3986 pchar), and `%`, for a literal may be encoded already.
_PCHAR: Final = "!$&'()*+,;=:@~-._"
_QUERY_TEXT: Final = _PCHAR + "/?%"


def encode_literal(text: str) -> str:
    """Literal path text, percent-encoded once: `a b` and `a%20b` both become `a%20b`."""
    return quote(unquote(text), safe=_PCHAR) if "%" in text else quote(text, safe=_PCHAR)


def parse_path(text: str) -> PathTemplate:
    """`/orders/{id}/captures` -> PathTemplate. What follows a `?` is a fixed query, which may hold variables too.

    Raises:
        ExpressionError: unbalanced braces, an empty hole, an empty or dotted segment.
    """
    path, _, query = text.partition("?")
    template = parse_route(path)
    return PathTemplate(template.segments, _parse_parts(query, lambda literal: quote(literal, safe=_QUERY_TEXT)))


def parse_route(text: str) -> PathTemplate:
    """The path of a route: like parse_path, but every character belongs to the path.

    Raises:
        ExpressionError: as parse_path.
    """
    segments: list[tuple[str | Hole, ...]] = []
    inner = text.strip("/")
    for raw in inner.split("/") if inner else []:
        if not raw:
            raise ExpressionError("a path cannot hold an empty segment ('//')")
        parts = _parse_parts(raw, encode_literal)
        if parts in ((".",), ("..",)):
            raise ExpressionError(f"a path cannot hold the segment '{raw}'")
        segments.append(parts)
    if text.endswith("/") and segments:
        segments.append(())  # an upstream may tell `/a/` from `/a`
    return PathTemplate(tuple(segments))


def _parse_parts(text: str, encode: Callable[[str], str]) -> tuple[str | Hole, ...]:
    parts: list[str | Hole] = []
    end = 0
    for match in _PATH_HOLE.finditer(text):
        name = match[1] if match[1] is not None else match[2]
        if not name:
            raise ExpressionError(f"'{match[0]}' names nothing")
        if match.start() > end:
            parts.append(_path_literal(text[end : match.start()], text, encode))
        parts.append(Hole(name))
        end = match.end()
    if end < len(text):
        parts.append(_path_literal(text[end:], text, encode))
    return tuple(parts)


def _path_literal(text: str, whole: str, encode: Callable[[str], str]) -> str:
    if "{" in text or "}" in text:
        raise ExpressionError(f"the braces in '{whole}' do not pair up")
    return encode(text)
