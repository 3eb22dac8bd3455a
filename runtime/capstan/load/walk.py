"""Everything that is in a value, however deep: what looks for one kind of thing in a part of a file or of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from capstan.load.document import Place


def walk(value: Any, *leaves: type) -> Iterator[Any]:
    """The value and all in it: members, items, fields of frozen classes. Places and `leaves` are not gone into."""
    yield value
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    elif is_dataclass(value) and not isinstance(value, (type, Place, *leaves)):
        inner = (getattr(value, item.name) for item in fields(value))
    for item in inner:
        yield from walk(item, *leaves)
