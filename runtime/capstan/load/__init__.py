"""YAML text -> typed capability."""

from __future__ import annotations

from pathlib import Path

from capstan.errors import LoadError, Problem
from capstan.load.document import read_document
from capstan.load.model import Capability
from capstan.load.parse import parse_capability
from capstan.load.schema import schema_problems

__all__ = ["load"]


def load(path: Path | str, name: str | None = None) -> Capability:
    """Read, check and parse one capability file; `name` is how messages call it.

    Raises:
        LoadError: with every problem found, in file order.
    """
    document = read_document(Path(path), name)
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else "a single value"
        hint = "for example: naftiko: 1.0.0-alpha2"
        raise LoadError(
            [Problem("not-a-mapping", f"a capability file is a mapping; this is {found}", document.locate(()), hint)]
        )
    if problems := schema_problems(document):
        raise LoadError(problems)
    return parse_capability(document)
