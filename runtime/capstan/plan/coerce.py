"""A value as its declared type, where the meaning is beyond doubt; else an error that says which value it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from capstan.errors import ShapeError
from capstan.load.number import read_integer, read_number
from capstan.plan.values import to_text

_EXACT: Final = 2**53  # a larger number with a point or exponent has lost digits: it stays what it is


@dataclass(eq=False)
class Misfit(ShapeError):
    """A value of an answer is not what the file declares. `where` is its place, as in `lines[3].price`; `argument` the
    input it is, where it is nothing but that.
    """

    where: str = ""
    fault: str = ""
    argument: str = ""

    def below(self, step: str) -> Misfit:
        """The same fault, seen from the object or array around it."""
        joint = "." if self.where and not self.where.startswith("[") else ""
        return misfit(self.fault, f"{step}{joint}{self.where}", self.argument)


def misfit(fault: str, where: str, argument: str = "") -> Misfit:
    subject = f"the answer's '{where}'" if where else "the answer"
    return Misfit("unexpected-answer", f"{subject} is {fault}", "done", retry_safe=False, where=where, fault=fault,
                  argument=argument)  # fmt: skip


def coerce(value: Any, kind: str | None, name: str = "") -> Any:
    """A value as its declared type; null is of every type.

    Raises:
        Misfit: it is something else.
    """
    if value is None or kind is None:
        return value
    match kind:
        case "string":
            return value if isinstance(value, str) else _text(value, name)
        case "integer":
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            if isinstance(value, float) and value.is_integer():
                return int(value) if abs(value) < _EXACT else value
            if isinstance(value, str):
                return _read(read_integer, value, kind, name)
        case "number":
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not _is_no_number(value):
                return value
            if isinstance(value, str):
                return _read(read_number, value, kind, name)
        case "boolean":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and (text := value.strip().lower()) in ("true", "false"):
                return text == "true"
        case "object":
            if isinstance(value, dict):
                return value
        case "array":
            if isinstance(value, list):
                return value
    raise _not_as_declared(name, kind, value)


def _text(value: Any, name: str) -> str:
    """Numbers and booleans as they are spelled; an object or array as its JSON, which loses nothing."""
    if _is_no_number(value):
        raise _not_as_declared(name, "string", value)
    return to_text(value)


def _read(read: Callable[[str], int | float], text: str, kind: str, name: str) -> int | float:
    try:
        return read(text.strip())
    except ValueError as error:
        raise _not_as_declared(name, kind, text) from error


def _not_as_declared(name: str, kind: str, value: Any) -> Misfit:
    article = "an" if kind[0] in "aeio" else "a"
    return misfit(f"{_kind(value)}, declared as {article} {kind}", name)


def _is_no_number(value: Any) -> bool:
    """Whether it is what JSON has no number for."""
    return isinstance(value, float) and not math.isfinite(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "no number" if _is_no_number(value) else "a number"
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else "text"
