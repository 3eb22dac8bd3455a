"""Shared types: `$ref: '#/types/NAME'` -> the type that stands there, in this file or in another.

References are followed while values' schemas are read (parameters.py); nothing after that knows of any.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from capstan.errors import Problem
from capstan.load.document import MAX_DEPTH, Document
from capstan.load.files import find_written, is_file
from capstan.load.node import Node, Reader
from capstan.load.other import read_other
from capstan.load.schema import suggest

MAX_VALUES: Final = 50_000  # of one type, every reference followed: types of types of types grow fast

_REFERENCE: Final = re.compile(r"(?P<file>[^#]*)#/types/(?P<name>[^/#]+)")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_NESTING: Final = ("items", "properties", "additionalProperties", "allOf", "anyOf", "oneOf")
# What says nothing of the value itself: where it goes, what it is called, whether it must be there.
_APART: Final = frozenset({"$ref", "name", "in", "value", "label", "display", "style", "explode"})


class Overlaid(Node):
    """A reference with what it refers to; a keyword beside the reference replaces that of the type.

    What is nested in the type is left out, for it is built already: `nested_schema` adds it.
    """

    __slots__ = ("_base", "_own", "_schema")

    def __init__(self, own: Node, base: Node, schema: dict[str, Any]) -> None:
        flat = {key: value for key, value in base.data.items() if key not in _NESTING and key != "required"}
        flat |= {key: value for key, value in own.data.items() if key not in ("$ref", "required")}
        if (required := _required(own, base, schema)) is not None:
            flat["required"] = required
        super().__init__(own.reader, flat, own.pointer)
        self._own, self._base, self._schema = own, base, schema

    def text(self, *keys: str) -> str | None:
        key = next((key for key in keys if key in self.data), None)
        return self._holder(key).text(key) if key is not None else None

    def texts(self, key: str) -> tuple[str, ...]:
        return self._holder(key).texts(key)

    def _holder(self, key: str) -> Node:
        return self._own if key in self._own else self._base

    def nested_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema of the keywords here, with what is nested in the type; that is shared, not copied."""
        kept: dict[str, Any] = {
            key: self._schema[key] for key in _NESTING if key in self._schema and key not in self._own
        }
        if "properties" in kept and "type" not in schema:
            kept["type"] = self._schema["type"]
        return schema | kept


def _required(own: Node, base: Node, schema: dict[str, Any]) -> list[str] | None:
    """The members that must be there. `required: true` beside a reference is said to the owner of the value."""
    listed: Any = own.data.get("required")
    if isinstance(listed, list):
        return listed
    kept: Any = base.data.get("required") if "properties" in own else schema.get("required")
    return kept if isinstance(kept, list) else None


def says_more(node: Node) -> bool:
    """Whether keywords beside a reference change what it refers to."""
    more = node.data.keys() - _APART
    return bool(more) and not (more == {"required"} and isinstance(node.data["required"], bool))


def type_node(node: Node) -> Node | None:
    """The type that the `$ref` of a node names; None where there is none, which is told."""
    text: str = node.data["$ref"]
    match = _REFERENCE.fullmatch(text)
    if match is None or (_URL.match(text) and not text.lower().startswith("file:")):
        message = f"'{text}' is no reference to a type in a file"
        _tell(node, "bad-reference", message, "for example: '#/types/order' or './types.yaml#/types/order'")
        return None
    name = unquote(match["name"]).replace("~1", "/").replace("~0", "~")
    source = _reader(node, match["file"]) if match["file"] else node.reader
    if source is None:
        return None
    types = source.document.data.get("types") or {}
    if name not in types:
        where = f"{match['file']} has" if match["file"] else "there is"
        _tell(node, "unknown-type", f"{where} no type '{name}'", suggest(name, types))
        return None
    return Node(source, types[name], ("types", name))


def enter(target: Node, node: Node) -> bool:
    """Begin with the type that a reference leads to; False where that has no end, which is told."""
    opened = node.reader.family.opened
    entered = [place for place, _ in opened]
    if (key := _key(target)) in entered:
        several = len({id(place[0]) for place in entered}) > 1
        way = [f"{reader.document.file}#{name}" if several else name for reader, name in (*entered, key)]
        _tell(node, "circular-reference", "the type holds itself: " + " -> ".join(way[entered.index(key) :]))
        return False
    if sum(depth for _, depth in opened) + len(node.pointer) > MAX_DEPTH:
        _tell(node, "too-deep", f"nested more than {MAX_DEPTH} levels deep, references followed")
        return False
    opened.append((key, len(node.pointer)))
    return True


def leave(target: Node, node: Node, schema: dict[str, Any]) -> bool:
    """End with a type; False where it has become too large or too deep, which is told."""
    node.reader.family.opened.pop()
    values, depth = _extent(schema, node.reader.family.extents)
    if values > MAX_VALUES:
        message = f"the type has more than {MAX_VALUES:,} values once references are followed"
        target.reader.problem("too-large", message, target.at())
    elif depth > MAX_DEPTH:
        message = f"nested more than {MAX_DEPTH} levels deep, references followed"
        target.reader.problem("too-deep", message, target.at())
    return values <= MAX_VALUES and depth <= MAX_DEPTH


def _extent(value: Any, known: dict[int, tuple[Any, int, int]]) -> tuple[int, int]:
    """How many values there are and how deep they go; what is shared is counted once and added every time."""
    if not isinstance(value, (dict, list)):
        return 1, 0
    if id(value) not in known:
        inner = [_extent(item, known) for item in (value.values() if isinstance(value, dict) else value)]
        extent = 1 + sum(count for count, _ in inner), 1 + max((depth for _, depth in inner), default=0)
        known[id(value)] = (value, *extent)  # kept alive, so that its id stays its own
    return known[id(value)][1:]


def _key(target: Node) -> tuple[Reader, str]:
    return target.reader, str(target.pointer[1])


def _tell(node: Node, code: str, message: str, hint: str = "") -> None:
    node.reader.problem(code, message, node.at("$ref"), hint)


# --- other files


def _reader(node: Node, file: str) -> Reader | None:
    """The file a reference names, relative to the one it stands in; read once, and what is wrong with it told once."""
    readers = node.reader.family.readers
    own = node.reader.document.path
    readers.setdefault(os.path.normpath(own), node.reader)
    # A reference is a URI reference, so that `%20` is a blank in a plain path, too.
    found = find_written(file if file[:5].lower() == "file:" else unquote(file), own)
    path = os.path.normpath(next((path for path in found if is_file(path)), found[0]))
    if path not in readers:
        readers[path] = _read(node, path)
    return readers[path]


def _read(node: Node, path: str) -> Reader | None:
    if not is_file(Path(path)):
        _tell(node, "bad-reference", f"there is no file {path}")
        return None
    found = Path(path).stat()
    document, problems = _document(path, (found.st_mtime_ns, found.st_size))
    node.reader.family.problems += problems
    if document is None and not problems:
        _tell(node, "bad-reference", f"{path} is no file of types")
    return Reader(document, node.reader.family) if document is not None else None


@functools.lru_cache(maxsize=32)
def _document(path: str, _stamp: tuple[int, int]) -> tuple[Document | None, list[Problem]]:
    """A file of types, and what is wrong with it; many capabilities of one process refer to the same few.

    `_stamp` tells one state of the file from the next.
    """
    return read_other(Path(path))
