"""Protocol Buffers -> data, by the messages of a .proto file: the first one in it, or the one after `#`."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from capstan.plan.formats.library import library
from capstan.plan.formats.limits import Budget

_COMPILE_SECONDS: Final = 30.0


# A file is often that of several operations, and compiling it takes a process.
_compiled: dict[Path, tuple[dict[Path, tuple[int, int]], Any]] = {}


def plan_protobuf(schema: Path, message: str, files: list[str]) -> Callable[[bytes, str], Any]:
    """A reader of one message; `message` is its name, else the first of the file is meant.

    Adds the schema's own file and those beside it that it imports to `files`.

    Raises:
        MissingLibrary: there is no protobuf, or no compiler.
        ValueError, OSError: the file is no schema, or has no such message.
    """
    library("google.protobuf", "protobuf")
    stamps, file = _compile(schema)
    files += map(str, stamps)
    descriptor = _find(file, message)
    kind = library("google.protobuf.message_factory", "protobuf").GetMessageClass(descriptor)
    wrong = library("google.protobuf.message", "protobuf").DecodeError

    def read(body: bytes, _: str) -> Any:
        try:
            found = kind.FromString(body)
        except wrong:
            raise ValueError(f"it is no message of the type {descriptor.full_name}") from None
        if lacks := found.FindInitializationErrors():
            raise ValueError(f"the message lacks {lacks[0]}")
        return _data(found, Budget())

    return read


def _compile(schema: Path) -> tuple[dict[Path, tuple[int, int]], Any]:
    """A .proto file -> the files it was made of, and descriptors. It finds what it imports beside itself."""
    compiler = library("grpc_tools.protoc", "protobuf")
    schema.read_bytes()  # what the operating system says of it is clearer than what the compiler would
    known = _compiled.get(schema)
    if known is not None and all(path.exists() and _stamp(path) == stamp for path, stamp in known[0].items()):
        return known
    common = Path(compiler.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "set"
        # A process of its own, for the compiler writes what is wrong to the terminal and not to its caller.
        done = subprocess.run(  # noqa: S603 - our own interpreter, and a path that a capability file names
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{schema.parent}", f"-I{common}", "--include_imports",
             f"--descriptor_set_out={target}", str(schema)],
            capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            told = [line for line in done.stderr.splitlines() if "error" in line.lower() or ".proto:" in line]
            raise ValueError((told or done.stderr.splitlines() or ["the compiler gave no reason"])[0])
        files = library("google.protobuf.descriptor_pb2", "protobuf").FileDescriptorSet.FromString(target.read_bytes())
    pool = library("google.protobuf.descriptor_pool", "protobuf").DescriptorPool()
    for file in files.file:
        pool.Add(file)
    beside = [schema.parent / file.name for file in files.file]
    stamps = {path: _stamp(path) for path in beside if path.exists()}
    _compiled[schema] = stamps, pool.FindFileByName(files.file[-1].name)
    return _compiled[schema]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _find(file: Any, message: str) -> Any:
    messages = list(file.message_types_by_name.values())  # in the order of the file
    if not message:
        if not messages:
            raise ValueError("it has no message")
        return messages[0]
    for found in messages:
        if message in (found.name, found.full_name):
            return found
    raise ValueError(f"it has no message '{message}'; it has {', '.join(m.name for m in messages[:10]) or 'none'}")


def _data(message: Any, budget: Budget) -> dict[str, Any]:
    """A message by the names of its file. What cannot be absent is always there: 0, an empty text, an empty list."""
    fields = message.DESCRIPTOR.fields
    budget.spend(len(fields) + 3)
    data: dict[str, Any] = {}
    for field in fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if not field.is_repeated:
            data[field.name] = _value(field, value, budget)
            continue
        budget.spend(len(value))
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of = field.message_type.fields_by_name["value"]
            data[field.name] = {_key(key): _value(of, item, budget) for key, item in value.items()}
        else:
            data[field.name] = [_value(field, item, budget) for item in value]
    return data


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _value(field: Any, value: Any, budget: Budget) -> Any:
    if field.message_type is not None:
        return _data(value, budget)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
