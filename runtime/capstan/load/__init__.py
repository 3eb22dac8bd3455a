"""YAML text -> typed capability."""

from __future__ import annotations

from pathlib import Path

from capstan.errors import LoadError, Problem, in_file_order
from capstan.load.aggregates import resolve_refs
from capstan.load.document import read_document
from capstan.load.imports import resolve_imports
from capstan.load.model import Capability
from capstan.load.parse import parse_capability
from capstan.load.schema import schema_problems

__all__ = ["load", "read"]


def load(path: Path | str, name: str | None = None) -> Capability:
    """Read, check and parse one capability file; `name` is how messages call it.

    Raises:
        LoadError: with every problem found, in file order.
    """
    capability, problems = read(path, name)
    if problems or capability is None:
        raise LoadError(in_file_order(problems))
    return capability


def read(path: Path | str, name: str | None = None) -> tuple[Capability | None, list[Problem]]:
    """Like load, but what can be read in spite of problems is read, for the plan to find the rest of them.

    Raises:
        LoadError: the file is not YAML at all.
    """
    document = read_document(Path(path), name)
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else "a single value"
        message = f"a capability file is a mapping; this is {found}"
        hint = "for example: naftiko: 1.0.0-alpha2"
        raise LoadError([Problem("not-a-mapping", message, document.locate(()), hint)])
    problems, readable = schema_problems(document)
    if not readable:
        return None, problems
    capability, more = parse_capability(document)
    whole, further = resolve_imports(capability)
    if whole.is_parts:  # what its parts call and refer to is found where they are imported
        return whole, [*problems, *more, *further]
    resolved, unknown = resolve_refs(whole)
    return resolved, [*problems, *more, *further, *unknown]
