"""YAML -> data, by the reader of the capability files: bounded in depth and aliases, without tags."""

from __future__ import annotations

from typing import Any

from capstan.errors import LoadError
from capstan.load.document import Document
from capstan.plan.formats.charset import decode


def read_yaml(body: bytes, charset: str) -> Any:
    """Read one document.

    Raises:
        ValueError: it is not YAML, or passes a limit.
    """
    return parse_yaml(decode(body, charset))


def parse_yaml(text: str) -> Any:
    """As read_yaml, of text."""
    if "\0" in text:
        raise ValueError("it holds the character U+0000")
    try:
        return Document("the answer", text).data
    except LoadError as error:
        problem = error.problems[0]
        where = "" if problem.code == "empty-file" else f"line {problem.at.line}, column {problem.at.column}: "
        raise ValueError(where + problem.message) from None
