"""What an input takes, in a few words: `integer 1..9, default 1`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_MOST_NAMED: Final = 8


def input_text(item: Mapping[str, Any], *, places: bool) -> str:
    """`integer 1..9, default 1, from query`."""
    schema = item["schema"]
    told = [_kind(schema)]
    if "default" in item:
        told.append(f"default {inline(item['default']) or repr('')}")
    else:
        told.append("required" if item["required"] else "optional")
    if places:
        told.append(f"from {item['in']}")
    return ", ".join(told)


def _kind(schema: Mapping[str, Any]) -> str:
    """The type of a value and its limits, briefly."""
    schema = _merged(schema)
    if "const" in schema:
        return f"always {inline(schema['const'])}"
    if "enum" in schema:
        named = ", ".join(map(inline, schema["enum"][:_MOST_NAMED]))
        more = len(schema["enum"]) - _MOST_NAMED
        return f"one of {named}" + (f" and {more} more" if more > 0 else "")
    kind = schema.get("type", "any")
    text = kind if isinstance(kind, str) else "|".join(kind)
    if kind == "array" and isinstance(items := schema.get("items"), Mapping) and items:
        item = _kind(items)
        text += f" of ({item})" if ", " in item else f" of {item}"
    if kind == "object" and (members := list(schema.get("properties", ()))):
        text += f" with {', '.join(members[:_MOST_NAMED])}" + (", ..." if len(members) > _MOST_NAMED else "")
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None or highest is not None:
        text += f" {_span(lowest, highest)}"
    limits = [f"above {schema['exclusiveMinimum']}"] if "exclusiveMinimum" in schema else []
    limits += [f"below {schema['exclusiveMaximum']}"] if "exclusiveMaximum" in schema else []
    for least, most, what in (("minLength", "maxLength", "characters"), ("minItems", "maxItems", "items")):
        if least in schema or most in schema:
            limits.append(f"{_span(schema.get(least), schema.get(most))} {what}")
    if "pattern" in schema:
        limits.append(f"as {schema['pattern']}")
    if "format" in schema:
        limits.append(f"a {schema['format']}")
    return ", ".join([text, *limits])


def _span(lowest: Any, highest: Any) -> str:
    if highest is None:
        return f"{lowest} or more"
    return f"at most {highest}" if lowest is None else f"{lowest}..{highest}" if lowest != highest else f"{lowest}"


def _merged(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema together with the limits that `allOf` adds. Of two numbers the stricter counts, else the input's own."""
    found = dict(schema)
    for more in schema.get("allOf", ()):
        for key, value in more.items() if isinstance(more, Mapping) else ():
            stricter = max if key.startswith(("min", "exclusiveMin")) else min
            both = isinstance(found.get(key), (int, float)) and isinstance(value, (int, float))
            found[key] = stricter(found[key], value) if both else found.get(key, value)
    return found


def inline(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
