"""How much may come of one answer. Bytes are bounded before; a few of them can still ask for many objects."""

from __future__ import annotations

from typing import Final

MAX_DEPTH: Final = 100
MAX_VALUES: Final = 2_000_000


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
