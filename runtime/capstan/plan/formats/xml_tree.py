"""XML -> objects as Jackson's tree has them, so that mappings written for it find what they look for.

Attributes and children are members by their local names; what stands twice becomes a list; text beside either is the
member `""`; an element of nothing but text is that text. A document type that declares things is refused: entities and
default attributes make a small answer large.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from capstan.plan.formats.charset import decode
from capstan.plan.formats.limits import MAX_DEPTH, Budget

# What the parser passes over in an attribute, where a document type elsewhere might have declared it.
_TAG: Final = re.compile(rb"""<[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*)*""")
_ENTITY: Final = re.compile(rb"&(?!#|(?:amp|lt|gt|quot|apos);)([^;]*)")
_NIL: Final = "http://www.w3.org/2001/XMLSchema-instance nil"
_DECLARED: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class Root(NamedTuple):
    """The element that all others are in: its name, which the tree leaves out, and the tree."""

    name: str
    tree: Any


def read_xml(body: bytes, charset: str) -> Root:
    """Read one document.

    Raises:
        ValueError: it is not XML, or more than XML need be.
    """
    declared = _DECLARED.match(body)
    # Decoded here, for the parser knows few encodings; what the declaration says of them is overruled.
    text = decode(body, charset or (declared[1].decode() if declared is not None else ""))
    data = text.encode("utf-8", "replace")
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.segments.append

    def start(name: str, attributes: dict[str, str]) -> None:
        tag = _TAG.match(data, parser.CurrentByteIndex)
        if attributes and tag is not None and (skipped := _ENTITY.search(tag[0])) is not None:
            _skipped(skipped[1].decode(), 0)
        builder.start(name, attributes)

    def doctype(_: str, system: str | None, __: str | None, internal: int) -> None:
        if internal:
            raise ValueError("its document type declares entities or attributes of its own, which is refused")
        if system is not None:
            parser.StartElementHandler = start

    parser.StartDoctypeDeclHandler = doctype
    parser.SkippedEntityHandler = _skipped
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        message = expat.ErrorString(error.code)
        raise ValueError(f"line {error.lineno}, column {error.offset + 1}: {message}") from None
    return Root(builder.name, builder.root)


def _skipped(name: str, _: int) -> None:
    raise ValueError(f"the entity '{name[:40]}' is declared nowhere")


class _Builder:
    """Events -> tree, without recursion."""

    def __init__(self) -> None:
        self.name = ""
        self.root: Any = ""
        self.segments: list[str] = []  # the text since the last tag
        self._budget = Budget()
        self._open: list[tuple[str, dict[str, Any], bool]] = []  # local name, members, nil

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._open:
            self._text()
        else:
            self.segments.clear()
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
        self._budget.spend(1 + len(attributes))
        nil = attributes.pop(_NIL, "").strip() in ("true", "1")
        members: dict[str, Any] = {}
        for key, value in attributes.items():
            _add(members, _local(key), value)
        self._open.append((_local(name), members, nil))

    def end(self, _: str) -> None:
        name, members, nil = self._open[-1]
        value: Any = members
        if members:
            self._text()
        elif nil:
            value = None
        else:
            value = "".join(self.segments)
        self.segments.clear()
        self._open.pop()
        if self._open:
            _add(self._open[-1][1], name, value)
        else:
            self.name, self.root = name, value

    def _text(self) -> None:
        """Text beside attributes or children; white space there is but the file's indentation."""
        if self.segments:
            text = "".join(self.segments)
            self.segments.clear()
            if text.strip(" \t\r\n"):
                _add(self._open[-1][1], "", text)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _add(members: dict[str, Any], name: str, value: Any) -> None:
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):  # no value of ours is a list but for being several
        members[name].append(value)
    else:
        members[name] = [members[name], value]
