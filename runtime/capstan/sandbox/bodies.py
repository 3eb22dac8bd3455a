"""The limits of request bodies: a file of JSON Schemas -> what is wrong with a value, and where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs

_LENGTHS: Final = frozenset({"maxLength", "minLength"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A field that breaks a limit."""

    path: str  # `order_lines[0].tax_rate`
    keyword: str  # of JSON Schema
    lower: int = 0  # for a length or an item count
    upper: int | None = None

    @property
    def is_length(self) -> bool:
        return self.keyword in _LENGTHS


class Bodies:
    """The schemas of one file, compiled when first used."""

    def __init__(self, file: str) -> None:
        text = files("capstan.sandbox").joinpath(file).read_text(encoding="utf-8")
        self._definitions: dict[str, Any] = json.loads(text)["$defs"]
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def breach(self, name: str, value: Any) -> Breach | None:
        """The first thing wrong with a body, by its path."""
        return next(iter(self.breaches(name, value)), None)

    def breaches(self, name: str, value: Any) -> list[Breach]:
        """Everything wrong with a body, sorted by path."""
        validator = self._validators.get(name)
        if validator is None:
            schema = {"$ref": f"#/$defs/{quote(name)}", "$defs": self._definitions}
            validator = self._validators[name] = jsonschema_rs.Draft202012Validator(schema)
        if validator.is_valid(value):
            return []
        return sorted((_breach(error) for error in validator.iter_errors(value)), key=lambda found: found.path)


def _breach(error: Any) -> Breach:
    keyword = str(error.schema_path[-1])
    parts = list(error.instance_path)
    if keyword == "required":
        parts.append(error.kind.property)
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".")
    return Breach(path or "body", keyword, getattr(error.kind, "limit", 0) if keyword == "minLength" else 0,
                 getattr(error.kind, "limit", None) if keyword == "maxLength" else None)  # fmt: skip
