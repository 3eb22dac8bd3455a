"""Arguments of a command -> the capability files they mean; a path written in a file -> the file it means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from capstan.errors import LoadError, Location, Problem

# A folder of capabilities often holds other YAML; the root key tells, even in a file that is not quite YAML.
# Only JSON indents a root key, and quotes it; a plain one further in is a key of something else.
_ROOT_KEY = re.compile(
    rb"""^(\xef\xbb\xbf)?(\{\s*)?((naftiko|ikanos)|[ \t]*(["'])(naftiko|ikanos)\5)\s*:""", re.MULTILINE
)

_CAPABILITY_KEY = re.compile(rb"^capability\s*:", re.MULTILINE)
_LOCAL_HOST: Final = "//localhost/"
_PARTS_KEY = re.compile(rb"^(consumes|types|aggregates|exposes|binds)\s*:", re.MULTILINE)


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


def is_folder(path: Path) -> bool:
    """Whether a folder is there; as is_file."""
    return os.path.isdir(path)  # noqa: PTH112 - as in is_file


def find_written(text: str, beside: Path, *, or_here: bool = False) -> list[Path]:
    """Where to look for what a file names, in order: a path or a `file:` URI, in the file `beside`.

    A relative one starts at the folder of that file. `file:///./x` and `file://x` are relative too, and then looked for
    in the working directory as well; with `or_here` that holds of every relative path.
    """
    is_uri = text[:5].lower() == "file:"
    path = unquote(text[5:]) if is_uri else text
    if is_uri and path.startswith("//"):
        path = path.removeprefix(_LOCAL_HOST[:-1]) if path.startswith(_LOCAL_HOST) else path[2:]
        # No root has a folder called `.` or `..`: it is how these files write a relative path after three slashes.
        path = path[1:] if path.startswith(("/./", "/../")) else path
    if path.startswith("/"):
        return [Path(path)]
    near = Path(os.path.normpath(beside.parent / path))
    return list(dict.fromkeys([near, Path(os.path.normpath(path))] if is_uri or or_here else [near]))


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
