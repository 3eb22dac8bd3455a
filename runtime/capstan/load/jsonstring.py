"""The quoted texts of a JSONPath, in single or double quotes, with the escapes of JSON."""

from __future__ import annotations

import re
from typing import Final

STRING: Final = re.compile(r"'((?:[^'\\\x00-\x1f]|\\.)*)'|\"((?:[^\"\\\x00-\x1f]|\\.)*)\"", re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:([bfnrt/\\'\"])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u((?![dD][89a-fA-F])[0-9a-fA-F]{4})|(.?))", re.DOTALL,
)  # fmt: skip
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def unescape(text: str) -> str:
    """A text that STRING matches, without its quotes and escapes.

    Raises:
        ValueError: one of them is no escape, half a surrogate pair for one.
    """
    quote = text[0]

    def replace(found: re.Match[str]) -> str:
        plain, high, low, unit, _ = found.groups()
        if plain == quote or (plain is not None and plain not in "'\""):
            return _ESCAPED.get(plain, plain)
        if high is not None:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        if unit is None:
            raise ValueError(f"there is no escape '{found[0]}'")
        return chr(int(unit, 16))

    return _ESCAPE.sub(replace, text[1:-1])
