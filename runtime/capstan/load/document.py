"""YAML text -> plain data in which every node still knows its line, column and JSON pointer.

Read as YAML 1.2 core: `no` and dates are text, no tags are constructed, duplicate keys are errors, and size,
depth and alias expansion are bounded. Knows nothing about capabilities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs leave the C parser out

from capstan.errors import LoadError, Location, Problem

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 100
MAX_NODES: Final = 1_000_000

Json = Any  # what JSON can hold; its shape is the schema's business
Pointer = tuple[str | int, ...]
# Line and column of the key (of the value, in a list), line and column of the value, and a scalar as it was written.
# The parser's own marks say the same in four times the memory.
_Origin = tuple[int, int, int, int, str]

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True,
                 "TRUE": True, "false": False, "False": False, "FALSE": False}  # fmt: skip
_MAYBE_NUMBER: Final = frozenset("0123456789+-.")
_NOTHING: Final = object()
_FLOW_START: Final = re.compile(r"[,\[{]|: ")  # what a text between brackets stands behind
_FLOW_REST: Final = re.compile(r"(?:\{\{[^{}]*\}\}|\{[^{}]*\}|[^,\[\]{}])*")
_CORE_TAGS: Final = {"tag:yaml.org,2002:str", "!", None}


class WrittenInteger(int):
    """An integer that still knows how it was written: `0042`."""

    text: str

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A number that still knows how it was written: `1.10`."""

    text: str

    def __str__(self) -> str:
        return self.text


def _written(value: float, text: str) -> int | float:
    if str(value) == text:
        return value
    number = WrittenInteger(value) if isinstance(value, int) else WrittenFloat(value)
    number.text = text
    return number


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A pointer into a document. Its line and column are looked up only when a problem is reported there."""

    document: Document
    pointer: Pointer

    def location(self, *, key: bool = False) -> Location:
        return self.document.locate(self.pointer, key=key)

    def __truediv__(self, part: str | int) -> Place:
        return Place(self.document, (*self.pointer, part))


class Document:
    """One parsed file: `.data` is plain JSON-like data, `.locate()` finds the place a pointer leads to."""

    def __init__(self, file: str, text: str, path: Path | None = None) -> None:
        self.file = file  # as messages call it
        self.path = Path(file) if path is None else path
        self._lines: list[str] | None = None
        self._text = text
        # id of a container -> key or index -> where that came from
        self._origin: dict[int, dict[str | int, _Origin]] = {}
        self.data: Json = self._parse()

    def locate(self, pointer: Pointer, *, key: bool = False) -> Location:
        """Where the value at `pointer` stands; with `key`, where its key stands. Missing parts are left off."""
        node, line, column = self.data, 0, 0
        for depth, part in enumerate(pointer):
            origin = self._origin.get(id(node), {}).get(part)
            if origin is None:
                pointer = pointer[:depth]
                break
            line, column = origin[:2] if key else origin[2:4]
            node = node.get(part) if isinstance(node, dict) else node[part]  # a removed key still has its place
        return self._location(line, column, pointer)

    def scalar_text(self, pointer: Pointer) -> str:
        """A scalar as its author wrote it: `1.10` stays `1.10`."""
        parent = self._at(pointer[:-1])
        return self._origin[id(parent)][pointer[-1]][4]

    def written(self, data: Json, pointer: Pointer) -> Json:
        """The data at `pointer`, with numbers that keep their spelling: for constants, which may land in a text."""
        if isinstance(data, dict):
            return {key: self.written(value, (*pointer, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.written(value, (*pointer, index)) for index, value in enumerate(data)]
        if isinstance(data, (int, float)) and not isinstance(data, bool):
            return _written(data, self.scalar_text(pointer))
        return data

    def rename(self, pointer: Pointer, name: str) -> bool:
        """Give the key at `pointer` another name; it keeps its place. False where it is not there any more."""
        parent = self._at(pointer[:-1])
        if not isinstance(parent, dict) or pointer[-1] not in parent:
            return False
        parent[name] = parent.pop(pointer[-1])
        origin = self._origin[id(parent)]
        origin[name] = origin[pointer[-1]]
        return True

    def remove(self, pointer: Pointer) -> bool:
        """Take the key at `pointer` away. An item of a list stays, for the others' places count from it."""
        parent = self._at(pointer[:-1])
        return isinstance(parent, dict) and parent.pop(pointer[-1], _NOTHING) is not _NOTHING

    def _at(self, pointer: Pointer) -> Json:
        """What stands at `pointer`; None where the way there is gone, for an alias may have lent it."""
        node = self.data
        for part in pointer:
            known = part in node if isinstance(node, dict) else isinstance(node, list)
            if not known:
                return None
            node = node[part]
        return node

    def _location(self, line: int, column: int, pointer: Pointer = ()) -> Location:
        if self._lines is None:
            self._lines = self._text.splitlines()
        source = self._lines[line] if line < len(self._lines) else ""
        return Location(self.file, line + 1, column + 1, format_pointer(pointer), source)

    def _fail(self, code: str, message: str, mark: Any, hint: str = "") -> LoadError:
        return LoadError([Problem(code, message, self._location(mark.line, mark.column), hint)])

    def _parse(self) -> Json:
        try:
            return self._build(CParser(self._text))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            found = (error.problem or str(error)).replace("cannot start any token", "has no meaning here")
            at = self._location(mark.line, mark.column) if mark is not None else Location(self.file)
            raise LoadError([Problem("not-yaml", f"not YAML: {found}", at, _syntax_hint(at, found))]) from error
        except yaml.reader.ReaderError as error:
            before = self._text[: error.position] if isinstance(error.position, int) else ""
            at = self._location(before.count("\n"), len(before) - before.rfind("\n") - 1)
            message = f"a YAML file cannot hold the character U+{error.character:04X}"
            raise LoadError([Problem("not-yaml", message, at)]) from error

    def _build(self, parser: Any) -> Json:  # noqa: PLR0915 - one loop: it is most of what loading costs
        """Events -> data, without recursion, so that depth is ours to bound."""
        root: list[Json] = []
        stack: list[tuple[Json, dict[str | int, _Origin]]] = []
        container: Json = root
        origin: dict[str | int, _Origin] = {}
        pending: str | None = None  # the key that waits for its value
        pending_mark: Any = None
        anchors: dict[str, tuple[Json, int, str, int]] = {}
        open_anchors: list[tuple[str | None, int]] = []
        heights = [0]  # how deep each open container goes, aliases followed
        nodes = documents = 0
        get_event = parser.get_event
        while (event := get_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                nodes += 1
                value = text = event.value
                if event.tag not in _CORE_TAGS:
                    raise self._fail("yaml-tag", f"the tag {event.tag} is not read here", event.start_mark,
                                     "leave the tag out; values are read as YAML 1.2 core")  # fmt: skip
                if pending is None and type(container) is dict:
                    pending, pending_mark = value, event.start_mark
                    if value in container:
                        raise self._fail("duplicate-key", f"the key '{value}' stands twice in one mapping",
                                         event.start_mark, f"first in line {origin[value][0] + 1}")  # fmt: skip
                    continue
                if event.implicit[0]:
                    value = _resolve(value)
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 1, text, 0)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                nodes += 1
                if event.tag not in _CORE_TAGS:
                    raise self._fail("yaml-tag", f"the tag {event.tag} is not read here", event.start_mark)
                if pending is None and type(container) is dict:
                    raise self._fail("not-yaml", "a key must be a plain word here", event.start_mark,
                                     "was '{{name}}' meant? a template needs quotes around it")  # fmt: skip
                if len(stack) >= MAX_DEPTH:
                    raise self._fail("too-deep", f"nested more than {MAX_DEPTH} levels deep", event.start_mark)
                value = {} if kind is yaml.MappingStartEvent else []
                mark = event.start_mark
                if pending is None:
                    origin[len(container)] = (mark.line, mark.column, mark.line, mark.column, "")
                    container.append(value)
                else:
                    origin[pending] = (pending_mark.line, pending_mark.column, mark.line, mark.column, "")
                    container[pending] = value
                    pending = None
                stack.append((container, origin))
                open_anchors.append((event.anchor, nodes))
                heights.append(0)
                if event.anchor is not None:
                    anchors.pop(event.anchor, None)  # an alias inside its own anchor finds nothing
                container, origin = value, {}
                self._origin[id(value)] = origin
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                anchor, before = open_anchors.pop()
                height = heights.pop() + 1
                heights[-1] = max(heights[-1], height)
                if anchor is not None:
                    anchors[anchor] = (container, nodes - before + 1, "", height)
                container, origin = stack.pop()
                continue
            elif kind is yaml.AliasEvent:
                if event.anchor not in anchors:
                    raise self._fail("unknown-alias", f"the alias *{event.anchor} names no anchor before it",
                                     event.start_mark)  # fmt: skip
                if pending is None and type(container) is dict:
                    raise self._fail("not-yaml", "an alias cannot be a key here", event.start_mark)
                value, size, text, height = anchors[event.anchor]
                nodes += size
                heights[-1] = max(heights[-1], height)
                if len(stack) + height > MAX_DEPTH:
                    raise self._fail("too-deep", f"nested more than {MAX_DEPTH} levels deep, aliases followed",
                                     event.start_mark)  # fmt: skip
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self._fail("many-documents", "a second document starts here", event.start_mark,
                                     "one file holds one capability; split the file at '---'")  # fmt: skip
                continue
            else:
                continue
            if nodes > MAX_NODES:
                raise self._fail("too-large", f"more than {MAX_NODES:,} values once aliases are followed",
                                 event.start_mark)  # fmt: skip
            mark = event.start_mark
            if pending is None:
                origin[len(container)] = (mark.line, mark.column, mark.line, mark.column, text)
                container.append(value)
            else:
                origin[pending] = (pending_mark.line, pending_mark.column, mark.line, mark.column, text)
                container[pending] = value
                pending = None
        if not root:
            raise LoadError([Problem("empty-file", "the file is empty", Location(self.file))])
        return root[0]


def _syntax_hint(at: Location, found: str) -> str:
    """What most often is behind an error of the YAML parser."""
    before = at.source[: at.column - 1]
    if "\t" in at.source[: at.column]:
        return "YAML is indented with spaces; this line holds a tab"
    if "mapping values are not allowed" in found:
        return "text that holds ': ' needs quotes around it"
    if before[-1:] in ("'", '"'):
        quote = before[-1]
        return f"the text ends at the {quote} before this; inside it, write " + ("''" if quote == "'" else '\\"')
    if "did not find expected ','" in found and at.source[at.column - 1 :].startswith("{"):
        # A plain text between brackets ends where a brace begins, and goes on after it everywhere else.
        rest = _FLOW_REST.match(at.source, at.column - 1)
        text = (_FLOW_START.split(before)[-1] + (rest[0] if rest else "")).strip()
        if not text.startswith("{") and not {"'", '"', "]"} & {*text} and "}" not in before[-len(text) :]:
            return f"a text with {{ needs quotes between {{ }} or [ ]: '{text}'"
    return ""


def _resolve(text: str) -> Json:
    """The value of a plain scalar by the YAML 1.2 core schema; infinities, having no JSON form, stay text."""
    if text[:1] in _MAYBE_NUMBER and text:
        if _INTEGER.fullmatch(text):
            if text.startswith(("0o", "0x")):
                return int(text, 0)
            return int(text) if len(text) < 4000 else text
        if _FLOAT.fullmatch(text):
            number = float(text)
            return number if abs(number) != float("inf") else text
        return text
    return _WORDS.get(text, text)


def format_pointer(pointer: Iterable[str | int]) -> str:
    """Parts of a path -> RFC 6901 text."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)


def read_document(path: Path, file: str | None = None) -> Document:
    """Read one file.

    Raises:
        LoadError: it cannot be read, is not UTF-8 or not YAML, or passes a limit of this module.
    """
    name = file or str(path)

    def fail(code: str, message: str, hint: str = "", line: int = 1, column: int = 1) -> LoadError:
        return LoadError([Problem(code, message, Location(name, line, column), hint)])

    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise fail("unreadable-file", f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise fail("too-large", f"larger than {MAX_BYTES // 1024**2} MiB, the most a capability file may be")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        raise fail(
            "wrong-encoding",
            f"byte 0x{raw[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
        ) from error
    if "\0" in text:
        before_nul = text[: text.index("\0")]
        raise fail("not-yaml", "a YAML file cannot hold the character U+0000", "save the file as UTF-8",
                   before_nul.count("\n") + 1, len(before_nul) - before_nul.rfind("\n"))  # fmt: skip
    return Document(name, text, path)
