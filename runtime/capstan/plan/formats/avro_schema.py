"""An Avro schema -> functions that read what is written by it.

fastavro reads the schema. It does not read the answer: a record that holds itself, nested deeply enough, makes its
reader overflow the stack of the process, and an array of values without size fills the memory.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, Final

from capstan.plan.formats.library import library
from capstan.plan.formats.limits import MAX_DEPTH, Budget

_MAX_SIZE: Final = 1_000_000  # of a fixed value or the digits of a decimal: a container brings its own schema

Read = Callable[["Bytes"], Any]


def compile_schema(text: str) -> Read:
    """The reader of one value.

    Raises:
        MissingLibrary: there is no fastavro.
        ValueError: the text is no schema.
    """
    fastavro = library("fastavro.schema", "avro")
    try:
        names: dict[str, Any] = {}
        parsed = fastavro.parse_schema(json.loads(text), named_schemas=names)
        return _Compiler(names).reader(parsed)
    except (fastavro.SchemaParseException, fastavro.UnknownType, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it is no Avro schema: {error}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Bytes:
    """An answer and how far it was read."""

    __slots__ = ("at", "budget", "data", "depth")

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.data, self.budget, self.at, self.depth = data, budget, 0, 0

    def take(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise ValueError(f"it ends early: byte {self.at + 1:,} begins a value of {length:,} bytes")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def long(self) -> int:
        value = shift = 0
        at, data = self.at, self.data
        while True:
            if at >= len(data):
                raise ValueError(f"it ends early, in a number at byte {at + 1:,}")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise ValueError(f"a number at byte {self.at + 1:,} is longer than 64 bits")
        self.at = at
        return (value >> 1) ^ -(value & 1)

    def text(self) -> str:
        start = self.at
        try:
            return self.take(self.long()).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the text at byte {start + 1:,} is not UTF-8") from None

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")


def _boolean(source: Bytes) -> bool:
    found = source.take(1)
    if found not in (b"\0", b"\1"):
        raise ValueError(f"byte {source.at:,} is no boolean")
    return found == b"\1"


def _number(source: Bytes, form: struct.Struct) -> float | str:
    value: float = form.unpack(source.take(form.size))[0]
    return value if value - value == 0 else _SPELT[str(value)]


# JSON has no such numbers.
_SPELT: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_PRIMITIVES: Final[dict[str, Read]] = {
    "null": lambda _: None,
    "boolean": _boolean,
    "int": Bytes.long,
    "long": Bytes.long,
    "float": lambda source: _number(source, _FLOAT),
    "double": lambda source: _number(source, _DOUBLE),
    "bytes": lambda source: b64encode(source.take(source.long())).decode(),
    "string": Bytes.text,
}


class _Compiler:
    """A schema -> functions. Dates and times stay the numbers they are written as; a decimal is its text."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._made: dict[str, Read] = {}

    def reader(self, schema: Any) -> Read:
        if isinstance(schema, list):
            return _union([self.reader(branch) for branch in schema])
        if isinstance(schema, str):
            return _PRIMITIVES[schema] if schema in _PRIMITIVES else self._named(schema)
        kind = schema["type"]
        size = _natural(schema["size"]) if kind == "fixed" else None
        if schema.get("logicalType") == "decimal" and kind in ("bytes", "fixed"):
            return _decimal(_natural(schema.get("scale", 0)), size)
        match kind:
            case "record" | "error":
                return self._record(schema)
            case "enum":
                return _enum([str(symbol) for symbol in schema["symbols"]])
            case "fixed":
                return lambda source: b64encode(source.take(size or 0)).decode()
            case "array":
                return _array(self.reader(schema["items"]))
            case "map":
                return _map(self.reader(schema["values"]))
        return self.reader(kind)

    def _named(self, name: str) -> Read:
        if name in self._made:
            return self._made[name]
        schema = self._names[name]
        self._made[name] = self._later(name)
        self._made[name] = made = self.reader(schema)
        return made

    def _later(self, name: str) -> Read:
        """A type that holds itself: what reads it is looked up when it is known."""

        def read(source: Bytes) -> Any:
            return self._made[name](source)

        return read

    def _record(self, schema: dict[str, Any]) -> Read:
        name = schema["name"]
        self._made.setdefault(name, self._later(name))
        fields = [(str(field["name"]), self.reader(field["type"])) for field in schema["fields"]]

        def read(source: Bytes) -> dict[str, Any]:
            source.enter()
            source.budget.spend(len(fields) + 3)
            record = {key: read_field(source) for key, read_field in fields}
            source.depth -= 1
            return record

        self._made[name] = read
        return read


def _natural(number: Any) -> int:
    if not isinstance(number, int) or not 0 <= number <= _MAX_SIZE:
        raise TypeError(f"{number!r:.40} is no size")
    return number


def _union(branches: list[Read]) -> Read:
    def read(source: Bytes) -> Any:
        number = source.long()
        if not 0 <= number < len(branches):
            raise ValueError(f"byte {source.at:,} names a branch that its union does not have")
        return branches[number](source)

    return read


def _enum(symbols: list[str]) -> Read:
    def read(source: Bytes) -> str:
        number = source.long()
        if not 0 <= number < len(symbols):
            raise ValueError(f"byte {source.at:,} names a symbol that its enumeration does not have")
        return symbols[number]

    return read


def _decimal(scale: int, size: int | None) -> Read:
    def read(source: Bytes) -> str:
        unscaled = int.from_bytes(source.take(source.long() if size is None else size), signed=True)
        if unscaled.bit_length() > 4096:
            raise ValueError(f"the decimal before byte {source.at + 1:,} is too large")
        source.budget.spend(1 + scale // 64)  # the zeros in it
        digits = str(abs(unscaled)).rjust(scale + 1, "0")
        sign = "-" if unscaled < 0 else ""
        return sign + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)

    return read


def _array(read_item: Read) -> Read:
    def read(source: Bytes) -> list[Any]:
        source.enter()
        items = [read_item(source) for count in blocks(source) for _ in range(count)]
        source.depth -= 1
        return items

    return read


def _map(read_value: Read) -> Read:
    def read(source: Bytes) -> dict[str, Any]:
        source.enter()
        members = {source.text(): read_value(source) for count in blocks(source) for _ in range(count)}
        source.depth -= 1
        return members

    return read


def blocks(source: Bytes) -> Iterator[int]:
    """How many items come next, until none."""
    while count := source.long():
        if count < 0:
            count = -count
            source.long()  # the length of the block, for who wants to skip it
        source.budget.spend(count)
        yield count
