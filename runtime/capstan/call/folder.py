"""The files of a folder: which there are, and what is in one. Nothing outside it is ever opened.

A name comes from a caller. It is cut at its slashes, each piece decoded once; what could lead elsewhere names no file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from capstan.errors import ShapeError
from capstan.load.media_type import type_of_name

MOST_LISTED: Final = 1000
_MOST_VISITED: Final = 20_000
_DEEPEST: Final = 16
_SAFE_IN_URI: Final = "!$&'()*+,;=:@-._~"
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file by its path below the folder, encoded as a URI has it."""

    path: str
    size: int
    media_type: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    files: tuple[FoundFile, ...]
    is_whole: bool  # False: there are more than are listed


@dataclass(frozen=True, slots=True)
class Content:
    data: bytes
    media_type: str | None


def list_folder(root: Path) -> Listing:
    """The files of a folder as they are now, by name, the first thousand of them."""
    found: list[FoundFile] = []
    visits = iter(range(_MOST_VISITED))
    for names, size in _walk(Path(os.path.realpath(root)), (), visits):
        if len(found) == MOST_LISTED:
            return Listing(tuple(found), is_whole=False)
        path = "/".join(quote(name, safe=_SAFE_IN_URI) for name in names)
        found.append(FoundFile(path, size, type_of_name(names[-1])))
    return Listing(tuple(found), is_whole=next(visits, None) is not None)


def _walk(root: Path, inside: tuple[str, ...], visits: Iterator[int]) -> Iterator[tuple[tuple[str, ...], int]]:
    folder = root.joinpath(*inside)
    try:
        with os.scandir(folder) as entries:
            # What is looked at is counted before it is sorted: a folder may hold millions.
            seen = sorted((entry for entry, _ in zip(entries, visits, strict=False)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in seen:
        if _is_hidden(entry.name):
            continue
        try:
            if entry.is_symlink() and not _may_follow(root, folder, entry.path):
                continue
            if entry.is_file():
                yield (*inside, entry.name), entry.stat().st_size
            # Links may lead round about; the depth makes an end of it.
            elif entry.is_dir() and len(inside) < _DEEPEST:
                yield from _walk(root, (*inside, entry.name), visits)
        except OSError:
            continue


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or any(0xDC80 <= ord(character) <= 0xDCFF for character in name)


def _inside(root: Path, path: str | Path) -> tuple[str, ...]:
    """The names on the way from the real root to where a path really leads; none where that is elsewhere."""
    try:
        real = Path(os.path.realpath(path))
    except OSError:  # what was a link is another thing by now
        return ()
    return real.relative_to(root).parts if real.is_relative_to(root) else ()


def _may_follow(root: Path, folder: Path, link: str) -> bool:
    """Whether a link stays in the root and does not lead back to a folder that it stands in."""
    real = Path(os.path.realpath(link))
    return real.is_relative_to(root) and not Path(os.path.realpath(folder)).is_relative_to(real)


def read_file(root: Path, path: str, limit: int) -> Content | None:
    """The file of a path as a URI has it; None: there is none that may be read.

    Raises:
        ShapeError: it is larger than `limit`.
    """
    pieces = _pieces(path)
    real_root = Path(os.path.realpath(root))
    inside = _way(real_root, pieces)
    if not inside:
        return None
    try:
        descriptor = _open(real_root, inside)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        data = file.read(limit + 1) if size <= limit else b""
    if size > limit or len(data) > limit:
        raise too_large(limit)
    return Content(data, type_of_name(pieces[-1]))


def too_large(limit: int) -> ShapeError:
    message = f"the file is larger than {limit:,} bytes"
    return ShapeError("answer-too-large", message, outcome="refused", retry_safe=False)


def _way(root: Path, pieces: list[str]) -> tuple[str, ...]:
    """The real way to a file; none where it leads out of the root, were it only to come back."""
    inside: tuple[str, ...] = ()
    for count in range(1, len(pieces) + 1):
        inside = _inside(root, root.joinpath(*pieces[:count]))
        if not inside:
            break
    return inside


def _pieces(path: str) -> list[str]:
    """The names in a path; empty where one of them could lead elsewhere or is none of ours to show."""
    pieces = []
    for text in path.split("/"):
        try:
            piece = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            return []
        if not piece or _is_hidden(piece) or "/" in piece or "\0" in piece:
            return []
        pieces.append(piece)
    return pieces if len(pieces) <= _DEEPEST + 1 else []


def _open(root: Path, pieces: tuple[str, ...]) -> int:
    """Open a file from its root on, following no link: what was looked at is what is opened."""
    folder = os.open(root, _FLAGS | os.O_DIRECTORY)
    for piece in pieces[:-1]:
        try:
            inner = os.open(piece, _FLAGS | os.O_DIRECTORY, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    try:
        descriptor = os.open(pieces[-1], _FLAGS | os.O_NONBLOCK, dir_fd=folder)  # a pipe would wait for a writer
    finally:
        os.close(folder)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError(pieces[-1])
