"""`x-mcp-header`: arguments of a tool that a client repeats as headers, for whatever stands in between."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from capstan.load.parameters import HEADER

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = ("string", "integer", "boolean")
_DATA: Final = frozenset({"const", "enum", "default", "example", "examples"})
_MAPS: Final = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})


def has_headers(schema: Mapping[str, Any]) -> bool:
    """Whether an argument is to be repeated as a header."""
    return next(_asked(schema, ()), None) is not None


def header_fault(schema: Mapping[str, Any]) -> str:
    """What is wrong with the headers that a schema of arguments asks for; clients leave out a tool with a wrong one."""
    seen: set[str] = set()
    for path, said in _asked(schema, ()):
        name = said[HEADER]
        if not path:
            return f"'{HEADER}' is said of properties, and of those inside them, alone"
        where = ".".join(path)
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return f"the header of '{where}' cannot be called '{str(name)[:60]}'"
        if said.get("type") not in _TYPES:
            return f"'{where}' is sent as a header: its type must be one of {', '.join(_TYPES)}"
        if name.lower() in seen:
            return f"two inputs are sent as the header '{name}'"
        seen.add(name.lower())
    return ""


def _asked(schema: Any, path: tuple[str, ...] | None) -> Iterator[tuple[tuple[str, ...] | None, Mapping[str, Any]]]:
    """Every schema with the keyword, and the properties on the way to it; none where there is more on the way."""
    for part in schema if isinstance(schema, list) else ():
        yield from _asked(part, None)
    if not isinstance(schema, dict):
        return
    if HEADER in schema:
        yield path, schema
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                yield from _asked(inner, (*path, name) if path is not None else None)
        elif key in _MAPS and isinstance(value, dict):
            for inner in value.values():
                yield from _asked(inner, None)
        elif key not in _DATA and key != HEADER:
            yield from _asked(value, None)
