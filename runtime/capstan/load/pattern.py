"""Patterns of a schema beside texts of a caller: none of them makes a call wait.

The engine behind most patterns decides in time linear to the text. What it cannot do, looking around and back, is tried
step by step, up to a limit; and the more work a pattern is for each character, the shorter the texts it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

# From the fastest, and of how many characters a text may be for it: a mebibyte takes the first some 300 ms at worst.
# The others do with most patterns of theirs in some 20 ms.
_ENGINES: Final = (
    (jsonschema_rs.RegexOptions(size_limit=1 << 12), None),
    (jsonschema_rs.RegexOptions(), 100_000),  # counts to a hundred or a thousand
    (jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000), 4_000),  # looks around or back
)
_DATA: Final = frozenset({"const", "enum", "default", "example", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_UNIQUE: Final = jsonschema_rs.Draft202012Validator({"uniqueItems": True})


def compiled(schema: Mapping[str, Any]) -> tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]:
    """The schema with the limits that its patterns need, and what tells at once whether a value fits.

    Raises:
        ValueError: the schema itself is wrong, a bad pattern for one.
    """
    used = {0}
    limited = _limited(dict(schema), used)
    options, _ = _ENGINES[max(used)]
    return limited, jsonschema_rs.Draft202012Validator(limited, pattern_options=options)


def misses(text: str, rule: str) -> str:
    """What keeps a text from a pattern, as words before it; empty when it matches."""
    for error in _matcher(rule).iter_errors(text):
        undecided = isinstance(error.kind, jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded)
        return "takes too long to be compared with" if undecided else "does not match"
    return ""


def repeats(value: Any) -> bool:
    """Whether a list has an item twice."""
    return not _UNIQUE.is_valid(value)


def _limited(schema: Any, used: set[int]) -> Any:
    if isinstance(schema, list):
        return [_limited(item, used) for item in schema]
    if not isinstance(schema, dict):
        return schema
    limited: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            limited[key] = {name: _limited(part, used) for name, part in value.items()}
        else:
            limited[key] = value if key in _DATA else _limited(value, used)
    if isinstance(rule := schema.get("pattern"), str):
        engine = _engine(rule)
        used.add(engine)
        if (longest := _ENGINES[engine][1]) is not None:
            # Keywords side by side are tried in any order; here the length comes first.
            short = {"maxLength": longest}
            del limited["pattern"]
            limited["allOf"] = [*limited.get("allOf", ()), {"if": short, "then": {"pattern": rule}, "else": short}]
    return limited


@functools.lru_cache(maxsize=1024)
def _engine(rule: str) -> int:
    """The first engine that can do a pattern; the last for one that none can, which then says so."""
    last = len(_ENGINES) - 1
    for number, (options, _) in enumerate(_ENGINES[:last]):
        try:
            jsonschema_rs.Draft202012Validator({"pattern": rule}, pattern_options=options)
        except ValueError:
            continue
        return number
    return last


@functools.lru_cache(maxsize=1024)
def _matcher(rule: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"pattern": rule}, pattern_options=_ENGINES[_engine(rule)][0])
