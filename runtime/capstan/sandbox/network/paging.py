"""Lists in pieces: `size`, and `starting_after` or `ending_before` an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from capstan.sandbox.clock import read_time
from capstan.sandbox.network.family import invalid, time_of
from capstan.sandbox.web import Answer, Call

_DEFAULT_SIZE: Final = 20
_MAX_SIZE: Final = 100


def page(
    call: Call, name: str, items: Sequence[dict[str, Any]], id_name: str, *, size: int | None = _DEFAULT_SIZE
) -> Answer:
    """The part of a list that was asked for, under its name, and where it begins and ends.

    Without a `size` in the query there are so many items; None is all, for lists whose pages are not documented.
    """
    size = _size(call, len(items) if size is None else size)
    after, before = call.first("starting_after"), call.first("ending_before")
    if after is not None and before is not None:
        raise invalid("starting_after", "cannot be combined with ending_before")
    if after is not None:
        start = _position(items, id_name, after, "starting_after") + 1
        found = items[start : start + size]
    elif before is not None:
        end = _position(items, id_name, before, "ending_before")
        found = items[max(0, end - size) : end]
    else:
        found = items[:size]
    pagination: dict[str, Any] = {"count": len(found), "total": len(items)}
    if found:
        pagination |= {"first_item": found[0][id_name], "last_item": found[-1][id_name]}
    return Answer(200, {name: list(found), "pagination": pagination})


def _size(call: Call, default: int) -> int:
    text = call.first("size")
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= _MAX_SIZE and len(text) <= 4):
        raise invalid("size", f"must be a number from 1 to {_MAX_SIZE}")
    return int(text)


def _position(items: Sequence[dict[str, Any]], id_name: str, wanted: str, parameter: str) -> int:
    for position, item in enumerate(items):
        if item[id_name] == wanted:
            return position
    raise invalid(parameter, "is not an item of this list")


# --- what a query leaves over


def values(call: Call, name: str, most: int | None = None) -> list[str]:
    """A query parameter that can be given several times, also as `name[]` or with commas."""
    given = [*call.request.query.get(name, []), *call.request.query.get(f"{name}[]", [])]
    found = [value for text in given for value in text.split(",") if value]
    if most is not None and len(found) > most:
        raise invalid(name, f"must have at most {most} values")
    return found


def moment(call: Call, name: str) -> datetime | None:
    """A time in the query."""
    text = call.first(name)
    return None if text is None else time_of(text.replace(" ", "+"), name)  # a plus sign that was not encoded


def between(call: Call, items: Sequence[dict[str, Any]], field: str) -> list[dict[str, Any]]:
    """Those whose time is not before `<field>_start`, and before `<field>_end`."""
    start, end = moment(call, f"{field}_start"), moment(call, f"{field}_end")
    if start is None and end is None:
        return list(items)
    found = [(item, read_time(item[field])) for item in items if field in item]
    return [item for item, at in found if (start is None or at >= start) and (end is None or at < end)]


def among(
    call: Call, items: Sequence[dict[str, Any]], filters: Mapping[str, tuple[str, int | None]]
) -> list[dict[str, Any]]:
    """Those whose field has one of the values of a parameter: parameter -> field, and how many values there can be."""
    found = list(items)
    for name, (field, most) in filters.items():
        if wanted := values(call, name, most):
            found = [item for item in found if item.get(field) in wanted]
    return found


def in_order(call: Call, items: list[dict[str, Any]], fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Sorted by `sort_by`; a minus sign turns it round."""
    for text in reversed(values(call, "sort_by")):
        field = text.removeprefix("-")
        if field not in fields:
            raise invalid("sort_by", f"must be one of: {', '.join(fields)}, or with - before it")
        items = sorted(items, key=_by(field), reverse=text.startswith("-"))
    return items


def _by(field: str) -> Callable[[dict[str, Any]], str]:
    return lambda item: str(item.get(field, ""))
