"""How much may come of one answer. Bytes are bounded before; a few of them can still ask for many objects."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 100
MAX_VALUES: Final = 2_000_000
MAX_REPEATED: Final = 64 * 1024**2  # characters


class Budget:
    """What is left of MAX_VALUES."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def spend(self, values: int) -> None:
        """Count values before they are made.

        Raises:
            ValueError: they are too many.
        """
        self._left -= values
        if self._left < 0:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")


def check_text(value: Any, size: int) -> None:
    """Hold the texts and names of a value against the bytes it was read from: one text in them may stand in the value
    many times, as the name of a column, the symbol of an enumeration or the anchor of aliases.

    Raises:
        ValueError: they are too long to be written out.
    """
    left = MAX_REPEATED + 2 * size  # bytes are base64 in it, which is longer
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            left -= len(one)
        elif isinstance(one, dict):
            left -= sum(map(len, one))
            rest.extend(one.values())
        elif isinstance(one, list):
            rest.extend(one)
        if left < 0:
            raise ValueError("its texts are repeated to more than is taken")
