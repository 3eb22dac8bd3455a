"""A right value of an argument, from what its schema says: shown to a caller who gave a wrong one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from capstan.load.schema import Checker
from capstan.plan.values import ABSENT

_MOST_PARTS: Final = 300
_DEEPEST: Final = 12
_FORMATS: Final = {
    "date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "time": "12:00:00Z", "email": "ada@shop.example",
    "uri": "https://shop.example/", "uuid": "123e4567-e89b-12d3-a456-426614174000", "hostname": "shop.example",
}  # fmt: skip
_TEXT: Final = "text"
_MOST_CHARACTERS: Final = 64
_MOST_ITEMS: Final = 3


def example_of(name: str, root: Mapping[str, Any]) -> Any:
    """A value of the property `name` that fits; ABSENT where the schema does not say enough to make one."""
    schema = root.get("properties", {}).get(name)
    if not isinstance(schema, dict):
        return ABSENT
    return _Maker(root).first(schema, 0)


def _fits(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    if value is ABSENT:
        return False
    shared = {key: root[key] for key in ("$defs", "definitions") if key in root}
    try:
        return Checker({**shared, **schema}).accepts(value)
    except ValueError:  # it refers to what stands elsewhere in the whole
        return False


class _Maker:
    """Makes values for the parts of one schema, up to a bound: a schema may refer to itself."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root, self.left = root, _MOST_PARTS

    def first(self, schema: Any, depth: int) -> Any:
        """A value that fits."""
        self.left -= 1
        if not isinstance(schema, dict) or self.left < 0 or depth > _DEEPEST:
            return ABSENT
        return next((value for value in self._values(schema, depth) if _fits(value, schema, self.root)), ABSENT)

    def _values(self, schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
        """What could be a value: what the author shows before what is made up."""
        if isinstance(reference := schema.get("$ref"), str):
            schema = {
                **_referred(reference, self.root),
                **{key: value for key, value in schema.items() if key != "$ref"},
            }
        for part in schema.get("allOf", ()):
            schema = {**part, **schema} if isinstance(part, dict) else schema
        if isinstance(shown := schema.get("examples"), list):
            yield from shown
        yield from (schema[key] for key in ("default", "const") if key in schema)
        yield from schema.get("enum", ())[:10]
        for key in ("anyOf", "oneOf"):
            yield from (self.first(one, depth + 1) for one in schema.get(key, ()))
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            yield from self._made_up(kind, schema, depth + 1)

    def _made_up(self, kind: str, schema: Mapping[str, Any], depth: int) -> Iterator[Any]:
        match kind:
            case "string":
                text = _FORMATS.get(schema.get("format", ""), _TEXT)
                yield text
                least = schema.get("minLength", 0)
                if least <= _MOST_CHARACTERS:
                    yield (text * _MOST_CHARACTERS)[: max(least, min(1, schema.get("maxLength", 1)))]
            case "integer" | "number":
                yield from _numbers(schema)
            case "boolean":
                yield True
            case "array":
                item = self.first(schema.get("items", {}), depth)
                if item is not ABSENT and schema.get("minItems", 1) <= _MOST_ITEMS:
                    yield [item] * max(1, schema.get("minItems", 1))
                yield []
            case "object":
                properties, required = schema.get("properties", {}), schema.get("required", ())
                told = [key for key in properties if key in required] or list(properties)[:_MOST_ITEMS]
                made = {key: self.first(properties[key], depth) for key in told}
                yield {key: value for key, value in made.items() if value is not ABSENT}


def _numbers(schema: Mapping[str, Any]) -> Iterator[int | float]:
    step = schema.get("multipleOf", 1)
    for key, beyond in (("minimum", 0), ("exclusiveMinimum", step), ("maximum", 0), ("exclusiveMaximum", -step)):
        if key in schema:
            near = schema[key] + beyond
            yield near
            yield -(-near // step) * step if key.lower().endswith("minimum") else near // step * step
    yield from (step, 0)


def _referred(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `#/a/b` refers to; nothing where that is no schema, or an anchor."""
    found: Any = root
    for piece in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(piece.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
