"""What both sides of a capability have: inputs, outputs, values, and the place of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from capstan.load.document import Place
from capstan.load.jsonpath import JsonPath

Where = Literal["path", "query", "header", "cookie", "body", "environment"]


def place() -> Any:
    """A field for the place in the file; it says nothing of what the author wrote."""
    return field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input: of a consumed operation, an exposed one or a tool."""

    name: str
    where: Where | None  # None: the file does not say
    schema: Mapping[str, Any]  # JSON Schema of the value, without `default`
    required: bool | None  # None: the file does not say
    value: Any = None  # a constant, or data whose strings are Templates
    default: Any = None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Output:
    """One output parameter, with its nested ones."""

    name: str | None
    type: str | None
    path: JsonPath | None
    constant: Any = None
    has_constant: bool = False
    properties: tuple[Output, ...] | None = None
    items: Output | None = None
    values: Output | None = None  # of an object that is a map: what each value of it is
    enum: tuple[Any, ...] | None = None
    max_length: int | None = None
    required: bool = False
    description: str = ""
    at: Place = place()


@dataclass(frozen=True, slots=True)
class WithEntry:
    name: str
    value: Any  # a string as written, a constant, or data
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Written:
    """A path or `file:` URI in the file, and where it stands."""

    text: str
    at: Place = place()
