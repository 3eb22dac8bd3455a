"""Files that stand in a plan, read when it is made: where a name in a capability file leads, and what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.files import find_written

_MOST_BYTES: Final = 4 * 1024**2


def find(written: model.Written, is_there: Callable[[Path], bool], kind: str, problems: list[Problem]) -> Path | None:
    candidates = find_written(written.text, written.at.document.path)
    found = next((path for path in candidates if is_there(path)), None)
    if found is None:
        looked = ", nor ".join(map(str, candidates))
        problems.append(Problem("missing-file", f"there is no {kind} {looked}", written.at.location()))
    return found


def read_bytes(path: Path, at: Place, problems: list[Problem]) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem("unreadable-file", f"{path} cannot be read: {error.strerror}", at.location()))
        return b""
    if len(data) > _MOST_BYTES:
        problems.append(Problem("too-large", f"{path} is larger than 4 MiB", at.location()))
        return b""
    return data


def read_text(path: Path, at: Place, problems: list[Problem]) -> str:
    try:
        return read_bytes(path, at, problems).decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.append(Problem("wrong-encoding", f"{path} is not UTF-8", at.location()))
    return ""
