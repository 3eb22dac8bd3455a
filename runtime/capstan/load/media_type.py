"""Media types, as files and APIs write them."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path
from typing import Final

_FORM: Final = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^*-]+(\s*;\s*[\w.+!#$&^-]+=(\"[^\"]*\"|[^\s\";]+))*", re.ASCII)
# What the standard library does not know, or calls otherwise on another machine.
_TYPES: Final = {
    ".md": "text/markdown", ".markdown": "text/markdown", ".yaml": "application/yaml", ".yml": "application/yaml",
    ".json": "application/json", ".xml": "application/xml", ".txt": "text/plain", ".csv": "text/csv",
    ".js": "text/javascript", ".svg": "image/svg+xml", ".webp": "image/webp", ".log": "text/plain",
}  # fmt: skip
_BY_NAME: Final = mimetypes.MimeTypes()  # the table of Python, not that of the machine


def is_media_type(text: str) -> bool:
    """Whether a text has the form of a media type."""
    return _FORM.fullmatch(text) is not None


def essence_of(media_type: str) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`."""
    return media_type.partition(";")[0].strip().lower()


def is_json(essence: str) -> bool:
    """Whether a media type without its parameters is one of JSON."""
    return essence.endswith(("/json", "+json"))


def type_of_name(name: str) -> str | None:
    """What a file is by its name; None: the name does not say."""
    return _TYPES.get(Path(name).suffix.lower()) or _BY_NAME.guess_type(name)[0]
