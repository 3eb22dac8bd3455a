"""Arguments of a command -> the capability files they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from capstan.errors import LoadError, Location, Problem

# A folder of capabilities often holds other YAML; the root key tells, even in a file that is not quite YAML.
# Only JSON indents a root key, and quotes it; a plain one further in is a key of something else.
_ROOT_KEY = re.compile(
    rb"""^(\xef\xbb\xbf)?(\{\s*)?((naftiko|ikanos)|[ \t]*(["'])(naftiko|ikanos)\5)\s*:""", re.MULTILINE
)

_CAPABILITY_KEY = re.compile(rb"^capability\s*:", re.MULTILINE)
_PARTS_KEY = re.compile(rb"^(consumes|types)\s*:", re.MULTILINE)


def find_files(paths: Iterable[str]) -> tuple[list[Path], list[Path]]:
    """The capability files, and the YAML files in folders that are of no use here; files of parts are neither.

    Raises:
        LoadError: a path does not exist, or a folder holds no capability.
    """
    found: dict[Path, None] = {}
    passed: list[Path] = []
    problems: list[Problem] = []
    for text in paths:
        path = Path(text)
        if not os.path.exists(path):  # noqa: PTH110 - as in is_file
            problems.append(Problem("no-such-file", "there is no such file or folder", Location(text)))
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
            kinds = {p: _kind(p) for p in inside}
            kept = [p for p in inside if kinds[p] == "capability"]
            passed += [p for p in inside if kinds[p] == "other"]
            found |= dict.fromkeys(kept)
            if not kept:
                problems.append(Problem("no-capability", "no capability file in this folder", Location(text)))
        else:
            found[path] = None
    if problems:
        raise LoadError(problems)
    return list(found), passed


def is_file(path: Path) -> bool:
    """Whether a file is there. A name that no file can have, as it is too long, is of none."""
    return os.path.isfile(path)  # noqa: PTH113 - the method of a path raises for such a name


def _kind(path: Path) -> Literal["capability", "parts", "other"]:
    """Whether a file is there to be served; one without a `capability` lends its parts to others."""
    try:
        text = path.read_bytes()
    except OSError:
        return "capability"  # whoever reads it tells why that is impossible
    if _ROOT_KEY.search(text) is None:
        return "other"
    lends = _PARTS_KEY.search(text) is not None and _CAPABILITY_KEY.search(text) is None
    return "parts" if lends else "capability"
