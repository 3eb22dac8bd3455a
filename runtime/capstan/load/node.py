"""A mapping of the document together with where it stands, and the list its problems go to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from capstan.errors import Problem
from capstan.load.document import Document, Json, Place, Pointer
from capstan.load.expression import ExpressionError, Template, parse_template

T = TypeVar("T")


class Family:
    """The documents that are read together, for one refers to types of another."""

    def __init__(self) -> None:
        self.readers: dict[str, Reader | None] = {}  # by path; None: it cannot be read, which is told once
        self.problems: list[Problem] = []
        self.opened: list[tuple[tuple[Reader, str], int]] = []  # types being read, and how deep the way to each is
        self.extents: dict[int, tuple[Json, int, int]] = {}


class Reader:
    """One document being read, and what was found wrong with it so far."""

    def __init__(self, document: Document, family: Family | None = None) -> None:
        self.document = document
        self.family = Family() if family is None else family
        self.problems: list[Problem] = []
        self.types: dict[str, tuple[Node, dict[str, Json]]] = {}  # that are read, with their schemas

    def problem(self, code: str, message: str, at: Place, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(Problem(code, message, at.location(key=key), hint))

    def unsupported(self, node: Node, *keys: str) -> None:
        for key in keys:
            if node.data.get(key) is not None:
                self.problem("not-supported-yet", f"'{key}' is not supported yet", node.at(key), key=True)

    def expression(self, text: str, parser: Callable[[str], T], pointer: Pointer, otherwise: T) -> T:
        try:
            return parser(text)
        except ExpressionError as error:
            self.problem("bad-expression", str(error), Place(self.document, pointer))
            return otherwise

    def templates(self, data: Json, pointer: Pointer) -> Json:
        """Data with Templates where strings were."""
        if isinstance(data, str):
            return self.expression(data, parse_template, pointer, Template(()))
        if isinstance(data, dict):
            for key in data:
                if "{{" in key:
                    self.problem("bad-expression", f"the name '{key}' cannot be a template",
                                 Place(self.document, (*pointer, key)), key=True)  # fmt: skip
            return {key: self.templates(value, (*pointer, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.templates(value, (*pointer, index)) for index, value in enumerate(data)]
        return self.document.written(data, pointer)

    def template(self, node: Node, *keys: str) -> Template | None:
        for key in keys:
            if key in node:
                return node.parse(key, parse_template, Template(()))
        return None


class Node:
    """A mapping of the document together with where it stands."""

    __slots__ = ("data", "pointer", "reader")

    def __init__(self, reader: Reader, data: Mapping[str, Json], pointer: Pointer) -> None:
        self.reader, self.data, self.pointer = reader, data, pointer

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, *keys: str) -> str | None:
        """The first of `keys` that is there, as its author wrote it."""
        for key in keys:
            value = self.data.get(key)
            if isinstance(value, str):
                return value
            if value is not None:
                return self.reader.document.scalar_text((*self.pointer, key))
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key) or ()
        scalar_text = self.reader.document.scalar_text
        return tuple(v if isinstance(v, str) else scalar_text((*self.pointer, key, i)) for i, v in enumerate(value))

    def node(self, key: str) -> Node | None:
        value = self.data.get(key)
        return Node(self.reader, value, (*self.pointer, key)) if isinstance(value, dict) else None

    def nodes(self, key: str) -> Iterator[Node]:
        for index, value in enumerate(self.data.get(key) or ()):
            yield Node(self.reader, value, (*self.pointer, key, index))

    def named(self, key: str) -> Iterator[tuple[str, Node]]:
        """A collection in either spelling: a list of `{name: ...}` or a map keyed by name."""
        value = self.data.get(key)
        if isinstance(value, dict):
            for name, item in value.items():
                yield name, Node(self.reader, item, (*self.pointer, key, name))
        elif value:
            for index, item in enumerate(value):
                node = Node(self.reader, item, (*self.pointer, key, index))
                yield node.text("name") or "", node

    def at(self, key: str | None = None) -> Place:
        return Place(self.reader.document, self.pointer if key is None else (*self.pointer, key))

    def parse(self, key: str, parser: Callable[[str], T], otherwise: T) -> T:
        """Run an expression parser over a text; its complaint becomes a problem at the text's place."""
        text = self.text(key)
        return otherwise if text is None else self.reader.expression(text, parser, (*self.pointer, key), otherwise)
