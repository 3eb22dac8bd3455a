"""Another file that a file names: read and held against the schema.

A path written by mistake may lead to a file of secrets. Of a file that is none of ours nothing is shown, neither a
line nor a key: its place and what is wrong with it have to do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from capstan.errors import LoadError, Problem
from capstan.load.document import Document, read_document
from capstan.load.schema import schema_problems

_QUOTING: Final = {"duplicate-key": "a key stands twice in one mapping", "unknown-alias": "an alias names no anchor",
                   "yaml-tag": "it has a tag, which is not read here"}  # fmt: skip


def read_other(path: Path) -> tuple[Document | None, list[Problem]]:
    """The document, where its keywords can be read, and what is wrong with it; no mapping is None without a problem."""
    try:
        document = read_document(path)
    except LoadError as error:
        return None, [_unquoted(problem) for problem in error.problems]
    if not isinstance(document.data, dict):
        return None, []
    if "naftiko" not in document.data and "ikanos" not in document.data:
        message = "the file must begin with its version: one of 'naftiko' or 'ikanos'"
        return None, [_unquoted(Problem("missing-version", message, document.locate(())))]
    problems, readable = schema_problems(document)
    return (document if readable else None), problems


def _unquoted(problem: Problem) -> Problem:
    message = _QUOTING.get(problem.code, problem.message)
    if problem.code == "not-yaml":
        message = "not YAML"
    return replace(problem, message=message, hint="", at=replace(problem.at, source=""))
