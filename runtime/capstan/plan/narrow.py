"""`fields`: a caller says which parts of an answer it wants, and gets no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from capstan.errors import BindError
from capstan.load.schema import suggest

FIELDS: Final = "fields"
WRAPPED: Final = "result"  # under which MCP tells what is no object

Parts = dict[str, "Parts | None"]  # None: all that is there


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What is known of an answer that may be narrowed."""

    schema: Mapping[str, Any] | None

    def parts(self, fields: Sequence[str]) -> Parts:
        """The parts that fields name.

        Raises:
            BindError: one is no path, or names what the answer never has.
        """
        found: Parts = {}
        for field in fields:
            path = field.split(".")
            if not all(path):
                raise BindError("bad-argument", f"'{field[:100]}' is no path of names, such as a.b", argument=FIELDS)
            if self.schema is not None:
                path = self._checked(path, self.schema)
            _add(found, path)
        return found

    def _checked(self, path: list[str], schema: Mapping[str, Any]) -> list[str]:
        """The path within the answer; of a list it may be the one that clients see."""
        fault = _fault(path, schema)
        if fault and path[0] == WRAPPED and len(path) > 1 and schema.get("type") != "object":
            path, fault = path[1:], _fault(path[1:], schema)
        if fault:
            name, known = fault
            message = f"the answer has no field '{name[:100]}'"
            raise BindError("unknown-field", message, hint=suggest(name[:100], known), argument=FIELDS)
        return path


def narrowed(value: Any, parts: Parts) -> Any:
    """A value with these parts alone; of a list, each item with them. What is not there is absent."""
    if isinstance(value, dict):
        kept = {}
        for name, inner in value.items():
            if name in parts:
                below = parts[name]
                if below is None:
                    kept[name] = inner
                elif inner is None or isinstance(inner, (dict, list)):
                    kept[name] = narrowed(inner, below)
        return kept
    if isinstance(value, list):
        return [narrowed(item, parts) for item in value if item is None or isinstance(item, (dict, list))]
    return value


def relaxed(schema: Any) -> Any:
    """The schema of an answer of which parts may be left out."""
    if isinstance(schema, list):
        return [relaxed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: value for key, value in schema.items() if key not in ("required", "minProperties")}
    for key, value in kept.items():
        if key == "properties":
            kept[key] = {name: relaxed(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties"):
            kept[key] = relaxed(value)
    return kept


def has_fields(schema: Mapping[str, Any] | None) -> bool:
    """Whether there is anything to choose from, as far as a schema tells."""
    return schema is None or _members(schema) is not None or not _is_scalar(schema)


def _add(parts: Parts, path: Sequence[str]) -> None:
    name, *rest = path
    if not rest:
        parts[name] = None
        return
    below = parts.setdefault(name, {})
    if below is not None:
        _add(below, rest)


def _fault(path: Sequence[str], schema: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """The first name of a path that is not in a schema, and those that are there."""
    for number, name in enumerate(path):
        while "items" in schema and "properties" not in schema:
            schema = schema["items"]
        members = _members(schema)
        if members is None:
            return (".".join(path[: number + 1]), []) if _is_scalar(schema) else None
        further = schema.get("additionalProperties")
        if name not in members and further in (None, False):
            return ".".join(path[: number + 1]), [".".join([*path[:number], member]) for member in members]
        schema = members.get(name, further if isinstance(further, Mapping) else {})
    return None


def _members(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The properties of an object; None where nothing is said of them."""
    if "properties" in schema:
        members: Mapping[str, Any] = schema["properties"]
        return members
    return {} if isinstance(schema.get("additionalProperties"), Mapping) else None


def _is_scalar(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else {*kinds}
    items = schema.get("items")
    if kinds - {"null"} == {"array"} and isinstance(items, Mapping):
        return not has_fields(items)
    return bool(kinds) and not kinds & {"object", "array"}
