"""Avro -> data: a record as its schema writes it, or an object container file, which brings its schema along."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from capstan.plan.formats.avro_schema import Bytes, blocks, compile_schema
from capstan.plan.formats.limits import Budget

_MAGIC: Final = b"Obj\x01"
_SYNC_BYTES: Final = 16
_MAX_BLOCK_BYTES: Final = 64 * 1024**2


def plan_avro(schema: Path) -> Callable[[bytes, str], Any]:
    """A reader of records of a schema file.

    Raises:
        MissingLibrary: there is no fastavro.
        ValueError, OSError: the file is no schema, or cannot be read.
    """
    read_record = compile_schema(schema.read_text("utf-8-sig"))

    def read(body: bytes, _: str) -> Any:
        if body.startswith(_MAGIC):
            return _read_container(body)
        source = Bytes(body, Budget())
        record = read_record(source)
        if source.at != len(body):
            raise ValueError(f"it goes on after its record, which ends at byte {source.at:,} of {len(body):,}")
        return record

    return read


def _read_container(body: bytes) -> list[Any]:
    """An object container file: its own schema, then blocks of records."""
    source = Bytes(body, Budget())
    source.at = len(_MAGIC)
    header = {source.text(): source.take(source.long()) for count in blocks(source) for _ in range(count)}
    mark = source.take(_SYNC_BYTES)
    codec = header.get("avro.codec", b"null").decode("ascii", "replace")
    if codec not in ("null", "deflate"):
        raise ValueError(f"its blocks are compressed as '{codec[:20]}'; null and deflate are read")
    try:
        read_record = compile_schema(header.get("avro.schema", b"").decode())
    except ValueError as error:
        raise ValueError(f"of the schema it brings along, {error}") from None
    records = []
    while source.at < len(body):
        count, block = source.long(), source.take(source.long())
        if count < 0:
            raise ValueError(f"a block before byte {source.at + 1:,} has fewer than no records")
        source.budget.spend(count)
        inner = Bytes(block if codec == "null" else _inflate(block), source.budget)
        records += [read_record(inner) for _ in range(count)]
        if inner.at != len(inner.data) or source.take(_SYNC_BYTES) != mark:
            raise ValueError(f"the block before byte {source.at + 1:,} is damaged")
    return records


def _inflate(block: bytes) -> bytes:
    decompressor = zlib.decompressobj(-15)
    try:
        data = decompressor.decompress(block, _MAX_BLOCK_BYTES)
    except zlib.error as error:
        raise ValueError(f"a block cannot be decompressed: {error}") from None
    if not decompressor.eof:
        raise ValueError("a block is cut off, or larger than allowed once decompressed")
    return data
