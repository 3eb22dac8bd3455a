"""JSON text -> data, strictly: what Python reads and nobody else would (NaN, 1e400) is refused."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_HALF_PAIR: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def parse_json(text: str | bytes, *, unique: bool = False) -> Any:
    """The data of a JSON text; with `unique`, no object may have a member twice.

    Raises:
        ValueError: it is not JSON, or nested too deeply. A json.JSONDecodeError knows the position.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        return (_UNIQUE if unique else _STRICT).decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_answer(body: bytes) -> Any:
    """The data of an upstream's JSON, fit to be written again: halves of surrogate pairs are replaced.

    Raises:
        ValueError: it is not JSON.
    """
    value = parse_json(body)
    may_hold_one = b"\\u" in body or b"\xed" in body  # which is found out at a hundredth of what the pattern takes
    return in_unicode(value) if may_hold_one and _HALF_PAIR.search(body) else value


def in_unicode(value: Any) -> Any:
    """Data without halves of surrogate pairs, which JSON can spell and no answer of ours could hold."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case list():
            return [in_unicode(item) for item in value]
        case dict():
            return {in_unicode(key): in_unicode(item) for key, item in value.items()}
    return value


def is_deeper_than(value: Any, most: int) -> bool:
    """Whether data is nested more than `most` levels deep."""
    if not isinstance(value, (dict, list)):
        return False
    if most <= 0:
        return True
    return any(is_deeper_than(item, most - 1) for item in (value.values() if isinstance(value, dict) else value))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member '{twice}' stands twice in one object")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


# Made once: json.loads makes a decoder for every text that asks for more than the ordinary.
_STRICT: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float)
_UNIQUE: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float, object_pairs_hook=_members)
