"""Bytes -> text, by what says how they are encoded: byte order mark, media type, the format itself, else UTF-8."""

from __future__ import annotations

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# Python also calls compressions and escapes encodings; none of them is what an upstream may choose.
_KNOWN: Final = re.compile(r"utf-(8|16|32)(-[lb]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb\w+|big5\w*|euc_\w+|"
                           r"shift_?jis\w*|iso2022_\w+|hz|johab|tis-620")  # fmt: skip
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


def charset_of(media_type: str) -> str:
    """The charset that a Content-Type names; empty where it names none."""
    found = _CHARSET.search(media_type)
    return found[1] if found is not None else ""


def decode(body: bytes, charset: str, errors: str = "strict") -> str:
    """The text of a body without its byte order mark, which is believed before `charset`.

    Raises:
        ValueError: it is not encoded so.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            body, charset = body[len(mark) :], name
            break
    codec = known(charset or "utf-8")
    try:
        return body.decode(codec, errors)
    except UnicodeDecodeError as error:
        told = "" if charset else "; its media type names no charset"
        raise ValueError(f"byte {error.start + 1:,} is not {codec}{told}") from None


def known(charset: str) -> str:
    """Python's name of a charset.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):  # a name with a NUL in it
        name = ""
    if not _KNOWN.fullmatch(name):
        raise ValueError(f"the charset '{charset[:40]}' is not known")
    return name
