"""Content blocks -> what is known of them at load, and the texts that a request fills in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from capstan.errors import BindError, Problem, ShapeError
from capstan.load import model
from capstan.load.content import is_base64
from capstan.load.document import Place
from capstan.load.files import is_file
from capstan.load.media_type import essence_of
from capstan.plan.decode import is_binary
from capstan.plan.files import find, read_bytes, read_text
from capstan.plan.values import ABSENT, Arguments, Constant, FromInput, FromStep, Source, to_text

Parts = tuple[str | Source, ...]
Resolve = Callable[[str, Place], Parts]  # a text with templates, where it stands -> where its parts come from

_KINDS: Final[Mapping[str, Literal["uri", "base64"]]] = {"uri": "uri", "data": "base64", "blob": "base64"}


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with values in it; one that is absent leaves nothing."""

    parts: Parts
    kind: Literal["text", "uri", "base64"] = "text"

    def get(self, arguments: Arguments) -> str:
        """Raises CallError where base64 is meant and something else is there."""
        text = "".join(part if isinstance(part, str) else self._text(part, arguments) for part in self.parts)
        if not text.isascii():  # JSON may spell half a character, UTF-8 cannot
            text = text.encode("utf-8", "replace").decode()
        if self.kind == "base64" and not is_base64(text):
            self._refuse()
        return text

    def _text(self, part: Source, arguments: Arguments) -> str:
        value = part.get(arguments)
        text = "" if value is ABSENT else to_text(value)
        # Inside a URI a value keeps to its place; one that is the whole of it says where it leads.
        return quote(text.encode("utf-8", "replace"), safe="") if self.kind == "uri" and len(self.parts) > 1 else text

    def _refuse(self) -> None:
        names = [getattr(part, "name", "") for part in self.parts if not isinstance(part, str)]
        message = f"'{names[0]}' gives no base64"
        if any(isinstance(part, FromStep) for part in self.parts):
            raise ShapeError("unexpected-answer", message, outcome="done")
        raise BindError("bad-argument", message, argument=names[0])


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """One block: what is fixed, as the protocol has it, and what is filled in, by where it stands."""

    fixed: Mapping[str, Any]
    filled: tuple[tuple[tuple[str, ...], Filled], ...] = ()
    file: str | None = None  # where a part of it was read


@dataclass(frozen=True, slots=True)
class ContentPlan:
    """What a tool answers in blocks."""

    blocks: tuple[BlockPlan, ...]
    is_error: bool
    has_data: bool  # the file says besides what its structured content is

    def check(self, arguments: Arguments) -> None:
        """Raises BindError where an argument is not the base64 that it stands for, before anything is called."""
        for block in self.blocks:
            for _, text in block.filled:
                if text.kind == "base64" and all(isinstance(part, (str, FromInput)) for part in text.parts):
                    text.get(arguments)


def fill(blocks: Iterable[BlockPlan], arguments: Arguments, limit: int) -> list[dict[str, Any]]:
    """The blocks as the protocol has them.

    Raises:
        CallError: with these values they are longer than `limit` characters, or not what they say they are.
    """
    filled: list[dict[str, Any]] = []
    for block in blocks:
        told = dict(block.fixed)
        for path, text in block.filled:
            value = text.get(arguments)
            limit -= len(value)
            if limit < 0:
                raise BindError("bad-argument", "with these values the content is too large")
            if len(path) == 1:
                told[path[0]] = value
            else:
                told[path[0]] = {**told[path[0]], path[1]: value}
        filled.append(told)
    return filled


def plan_blocks(blocks: Iterable[model.Block], resolve: Resolve, problems: list[Problem]) -> tuple[BlockPlan, ...]:
    return tuple(_Block(block, resolve, problems).plan() for block in blocks)


@dataclass(slots=True)
class _Block:
    block: model.Block
    resolve: Resolve
    problems: list[Problem]

    def plan(self) -> BlockPlan:
        filled: list[tuple[tuple[str, ...], Filled]] = []
        fixed: dict[str, Any] = {}
        for key, value in self.block.fields.items():
            fixed[key] = value
            if key == "resource":
                fixed[key] = dict(self._texts(value, (key,), filled))
            elif isinstance(value, str) and key != "type":
                fixed[key] = next(iter(self._texts({key: value}, (), filled)))[1]
        file = self._read(fixed) if self.block.file is not None else None
        return BlockPlan(fixed, tuple(filled), file)

    def _texts(
        self, fields: Mapping[str, str], below: tuple[str, ...], filled: list[tuple[tuple[str, ...], Filled]]
    ) -> Iterator[tuple[str, str]]:
        """The texts that are known; of others where they come from is noted."""
        for key, text in fields.items():
            at = self.block.at
            for name in (*below, key):
                at = at / name
            parts = _joined(self.resolve(text, at))
            if all(isinstance(part, str) for part in parts):
                known = "".join(map(str, parts))
                if known and "{{" in text and key in ("data", "blob") and not is_base64(known):
                    self.problems.append(
                        Problem("wrong-form", f"what stands for '{text[:40]}' is no base64", at.location())
                    )
                yield key, known
            else:
                filled.append(((*below, key), Filled(parts, _KINDS.get(key, "text"))))
                yield key, ""

    def _read(self, fixed: dict[str, Any]) -> str | None:
        """Put in what is in the file of a block."""
        assert self.block.file is not None
        resource = fixed.get("resource")
        at = self.block.at / "file" if resource is None else self.block.at / "resource" / "file"
        path = find(model.Written(self.block.file, at=at), is_file, "file", self.problems)
        if path is None:
            return None
        if resource is None:
            fixed["data"] = base64.b64encode(read_bytes(path, at, self.problems)).decode()
        elif is_binary(essence_of(resource.get("mimeType", "application/octet-stream"))):
            resource["blob"] = base64.b64encode(read_bytes(path, at, self.problems)).decode()
        else:
            resource["text"] = read_text(path, at, self.problems)
        return str(path)


def _joined(parts: Parts) -> Parts:
    """The parts with what is known at load as text."""
    joined: list[str | Source] = []
    for part in parts:
        known = to_text(part.value) if isinstance(part, Constant) and part.value is not ABSENT else part
        if isinstance(known, Constant):  # a problem, which is told
            known = ""
        if isinstance(known, str) and joined and isinstance(joined[-1], str):
            joined[-1] += known
        else:
            joined.append(known)
    return tuple(joined)
