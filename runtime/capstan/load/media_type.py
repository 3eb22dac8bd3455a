"""Media types, as files and APIs write them."""

from __future__ import annotations


def essence_of(media_type: str) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`."""
    return media_type.partition(";")[0].strip().lower()


def is_json(essence: str) -> bool:
    """Whether a media type without its parameters is one of JSON."""
    return essence.endswith(("/json", "+json"))
