"""Text -> number, where it spells one beyond doubt."""

from __future__ import annotations

import math
import re
from typing import Final

# No digits but ASCII ones, no `1_000`, and no more of them than Python turns into a number.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,4000}")
_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")


def read_integer(text: str) -> int:
    """Text -> integer, as JSON would spell one, a `+` allowed. Raises ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("an integer")
    return int(text)


def read_number(text: str) -> int | float:
    """Text -> number; digits are kept while they can be. Raises ValueError."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or math.isinf(number := float(text)):
        raise ValueError("a number")
    return number
