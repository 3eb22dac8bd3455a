"""What is left of a caller's path -> text to put after a baseUri that no server reads as a way out of it.

Servers differ in how often they decode, in what separates segments for them, and in what they make of a `;`. Whatever
any of them might read as `..`, or as more or fewer segments than there are, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from capstan.errors import BindError

_PLAIN_SEGMENT: Final = re.compile(rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_MALFORMED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NEVER_IN_PATH: Final = re.compile(rb"[\x00-\x1f\x7f/\\]")
_SEPARATORS: Final = re.compile(rb"[/\\]")
_DEEPEST_ENCODING: Final = 5
_PCHAR: Final = "!$&'()*+,;=:@~-._%"


def path_below(rest: Sequence[bytes]) -> str:
    """The segments as they came, a slash before each.

    Raises:
        BindError: one of them might lead elsewhere.
    """
    return "".join("/" + _segment(part, last=index == len(rest)) for index, part in enumerate(rest, 1))


def _segment(raw: bytes, *, last: bool) -> str:
    """A segment as it came, if no server can read it as anything but one segment below the others."""
    if _PLAIN_SEGMENT.fullmatch(raw):
        return raw.decode("ascii")
    if not raw and not last:
        raise _no_path("it has an empty segment")
    if _MALFORMED.search(raw):
        raise _no_path("a '%' is not followed by two hexadecimal digits")
    try:
        unquote(raw, errors="strict")
    except UnicodeDecodeError as error:
        raise _no_path("it is not UTF-8") from error
    if _NEVER_IN_PATH.search(unquote_to_bytes(raw)):
        raise _no_path("a segment holds a slash, a backslash or a control character")
    _check_dots(raw)
    return quote(raw, safe=_PCHAR)


def _check_dots(raw: bytes) -> None:
    """No way up, however often it is encoded; what follows a `;` is a parameter to some servers."""
    for _ in range(_DEEPEST_ENCODING):
        for piece in _SEPARATORS.split(raw):
            if piece.partition(b";")[0].strip() in (b".", b".."):
                raise _no_path("a segment is '.' or '..'")
        if b"\0" in raw:
            raise _no_path("it holds the character U+0000")
        decoded = unquote_to_bytes(raw)
        if decoded == raw:
            return
        raw = decoded
    raise _no_path("it is encoded several times over")


def _no_path(reason: str) -> BindError:
    return BindError("bad-argument", f"the path cannot be passed on: {reason}", argument="path")
