"""The URI of an MCP resource: text with `{variables}`, as RFC 6570 has them at level 1, and one spelling for what is
asked for and what is declared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from capstan.load.expression import ExpressionError, Hole, fold

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?=.)")
_HOLE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}|\{\s*([^{}]*?)\s*\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_TRIPLET: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]")
_KEPT: Final = ":/?#[]@!$&'()*+,;=%-._~"


def canonical(uri: str) -> str:
    """One spelling of a URI: what must be encoded is, what need not be is not.

    Raises:
        UnicodeEncodeError: it holds text that is not Unicode.
    """
    scheme, colon, rest = uri.partition(":")
    return scheme.lower() + colon + _TRIPLET.sub(_triplet, quote(rest, safe=_KEPT))


def _triplet(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A URI by what stands between its slashes. A value never spans one."""

    segments: tuple[tuple[str | Hole, ...], ...]

    @property
    def holes(self) -> tuple[str, ...]:
        return tuple(part.name for parts in self.segments for part in parts if isinstance(part, Hole))

    @property
    def key(self) -> str:
        """What two templates that match the same URIs have in common."""
        return self._joined(lambda _: "{}")

    def match(self, uri: str) -> dict[str, str] | None:
        """The values of the variables in a canonical URI; None: it is of another form."""
        pieces = uri.split("/")
        if len(pieces) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for parts, piece in zip(self.segments, pieces, strict=True):
            if not _match(parts, piece, found):
                return None
        return found

    def __str__(self) -> str:
        # RFC 6570 knows no `-` in a name, and a client fills the template in with a library that keeps to it.
        return self._joined(lambda name: "{" + name.replace("-", "_") + "}")

    def _joined(self, show: Callable[[str], str]) -> str:
        return "/".join(
            "".join(part if isinstance(part, str) else show(part.name) for part in parts) for parts in self.segments
        )


def _match(parts: tuple[str | Hole, ...], piece: str, found: dict[str, str]) -> bool:
    """Hold one piece against its parts. No two variables touch, so that the nearest end of each is the right one."""
    at = 0
    name: str | None = None
    for index, part in enumerate(parts):
        if isinstance(part, Hole):
            name = part.name
            continue
        if name is None:
            end = 0 if piece.startswith(part) else -1
        elif index == len(parts) - 1:
            end = len(piece) - len(part) if piece.endswith(part) else -1
        else:
            end = piece.find(part, at + 1)
        if end < 0 or (name is not None and not _take(name, piece[at:end], found)):
            return False
        at, name = end + len(part), None
    return at == len(piece) if name is None else _take(name, piece[at:], found)


def _take(name: str, text: str, found: dict[str, str]) -> bool:
    """Keep a value, decoded once; a `?` or `#` begins another part of a URI."""
    if not text or "?" in text or "#" in text:
        return False
    try:
        found[name] = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_uri(text: str) -> UriTemplate:
    """`data://users/{id}` -> UriTemplate.

    Raises:
        ExpressionError: it does not begin with a scheme, or a variable is none of level 1.
    """
    if not _SCHEME.match(text):
        raise ExpressionError(f"'{text[:60]}' is no URI: it begins with its scheme, as data://orders does")
    if any(character.isspace() or ord(character) < 32 for character in _HOLE.sub("", text)):
        raise ExpressionError("a URI cannot hold white space")
    parts: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(text):
        parts += [_literal(text[end : match.start()], text), _hole(match)]
        end = match.end()
    parts.append(_literal(text[end:], text))
    template = UriTemplate(_segments(parts))
    names = [fold(name) for name in template.holes]
    if len(set(names)) != len(names):
        raise ExpressionError(f"'{text}' names a variable twice")
    neighbours = (pair for segment in template.segments for pair in itertools.pairwise(segment))
    if any(isinstance(one, Hole) and isinstance(other, Hole) for one, other in neighbours):
        raise ExpressionError("nothing tells two variables apart that touch each other")
    return template


def _literal(text: str, whole: str) -> str:
    if "{" in text or "}" in text:
        raise ExpressionError(f"the braces in '{whole}' do not pair up")
    return text


def _hole(match: re.Match[str]) -> Hole:
    name = match[1] if match[1] is not None else match[2]
    if not _NAME.fullmatch(name):
        raise ExpressionError(f"'{match[0]}' is no variable of a resource: only '{{name}}' is")
    return Hole(name)


def _segments(parts: list[str | Hole]) -> tuple[tuple[str | Hole, ...], ...]:
    """The parts of a URI, cut at its slashes, each text in its canonical spelling."""
    segments: list[list[str | Hole]] = [[]]
    for index, part in enumerate(parts):
        if isinstance(part, Hole):
            segments[-1].append(part)
            continue
        pieces = (canonical(part) if index == 0 else canonical(":" + part)[1:]).split("/")
        for number, piece in enumerate(pieces):
            if number:
                segments.append([])
            if piece:
                segments[-1].append(piece)
    return tuple(map(tuple, segments))
