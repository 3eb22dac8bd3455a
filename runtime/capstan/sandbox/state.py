"""Documents by owner, kind and id: in memory, and in SQLite too where a file was named.

A request works in a transaction: what it puts is seen by itself at once, and by others, and in the file, only when it
commits, as a whole. A document is kept as JSON text, so what is read is a copy that nobody else holds.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Document = dict[str, Any]  # members that begin with an underscore are the sandbox's own
Folder = tuple[str, str]  # whose, and what kind

EVERYBODY: Final = ""  # owner of what belongs to no single merchant
ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once

_LOCK_SECONDS: Final = 2.0  # for how long another process may keep it

_TABLE: Final = """
create table if not exists document (
    owner text not null, kind text not null, id text not null, body text not null, primary key (owner, kind, id)
)"""
# An update keeps the row, and with it the order in which documents came.
_PUT: Final = """
insert into document (owner, kind, id, body) values (?, ?, ?, ?)
on conflict (owner, kind, id) do update set body = excluded.body"""
_ALL: Final = "select owner, kind, id, body from document order by rowid"
_OTHERS: Final = (
    "select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name <> 'document'"
)
_DELETE: Final = "delete from document where owner = ? and kind = ? and id = ?"


def view(document: Document) -> dict[str, Any]:
    """What is answered of a document: all but the sandbox's own members."""
    return {name: value for name, value in document.items() if not name.startswith("_")}


def pick(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of some members that are there."""
    return {name: fields[name] for name in names if name in fields}


class StateError(Exception):
    """The database file cannot be used."""


class State:
    """Everything the sandbox knows."""

    def __init__(self, path: str | None = None) -> None:
        """Raises StateError when `path` cannot be opened or is no database of a sandbox."""
        self._folders: dict[Folder, dict[str, str]] = {}
        self._owners: dict[str, list[str]] = {}  # of each kind
        self._file: sqlite3.Connection | None = None
        if path is not None:
            self._file = _open(path)
            try:
                for owner, kind, id_, body in self._file.execute(_ALL):
                    self._make_folder((owner, kind))[id_] = body
            except sqlite3.Error as error:
                self._file.close()
                raise _unusable(path, error) from error

    def transaction(self) -> Transaction:
        return Transaction(self)

    def folder(self, owner: str, kind: str) -> dict[str, str]:
        return self._folders.get((owner, kind), {})

    def owners(self, kind: str) -> list[str]:
        return self._owners.get(kind, [])

    def _make_folder(self, place: Folder) -> dict[str, str]:
        folder = self._folders.get(place)
        if folder is None:
            folder = self._folders[place] = {}
            self._owners.setdefault(place[1], []).append(place[0])
        return folder

    def write(self, changes: dict[Folder, dict[str, str | None]]) -> None:
        """All of it, or nothing: the file first, memory after."""
        if self._file is not None:
            self._file.execute("begin")
            try:
                for (owner, kind), documents in changes.items():
                    for id_, body in documents.items():
                        if body is None:
                            self._file.execute(_DELETE, (owner, kind, id_))
                        else:
                            self._file.execute(_PUT, (owner, kind, id_, body))
                self._file.execute("commit")
            except BaseException:
                if self._file.in_transaction:  # some errors end it
                    self._file.execute("rollback")
                raise
        for place, documents in changes.items():
            folder = self._make_folder(place)
            for id_, body in documents.items():
                if body is None:
                    folder.pop(id_, None)
                else:
                    folder[id_] = body
            if not folder:
                del self._folders[place]
                self._owners[place[1]].remove(place[0])

    def clear(self) -> None:
        """Forget everything."""
        if self._file is not None:
            self._file.execute("delete from document")
        self._folders.clear()
        self._owners.clear()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _open(path: str) -> sqlite3.Connection:
    """Raises StateError, in words for whoever named the file."""
    if (obstacle := _obstacle(Path(path))) is not None:
        raise StateError(f"{path} cannot be used as the sandbox's database: {obstacle}")
    try:
        file = sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        # One writer: a second sandbox on the same file would overwrite what this one holds in memory.
        file.execute("pragma locking_mode = exclusive")
        if (other := file.execute(_OTHERS).fetchone()) is not None:
            raise StateError(f"{path} is the database of another program: it has a table '{other[0]}'")
        file.execute("pragma journal_mode = wal")
        file.execute("pragma synchronous = normal")  # survives kill -9, and a power cut but for the last moments
        file.execute("begin immediate")
        file.execute(_TABLE)
        file.execute("commit")
    except (sqlite3.Error, StateError) as error:
        file.close()
        raise (error if isinstance(error, StateError) else _unusable(path, error)) from error
    return file


def _obstacle(path: Path) -> str | None:
    """What SQLite would tell of in words of its own, such as a disk error."""
    try:
        path.exists()
    except OSError as error:  # no file can have such a name
        return error.strerror
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return "it can be read only"
    return None


def _unusable(path: str, error: sqlite3.Error) -> StateError:
    taken = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    reason = "another process is using it" if taken else error
    return StateError(f"{path} cannot be used as the sandbox's database: {reason}")


class Transaction:
    """What one request reads and changes."""

    __slots__ = ("_changes", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        self._changes: dict[Folder, dict[str, str | None]] = {}

    def get(self, owner: str, kind: str, id_: str) -> Document | None:
        """A copy; to change it for good, `put` it back."""
        changed = self._changes.get((owner, kind))
        text = changed[id_] if changed is not None and id_ in changed else self._state.folder(owner, kind).get(id_)
        return None if text is None else json.loads(text)

    def put(self, owner: str, kind: str, id_: str, document: Document) -> None:
        self._changes.setdefault((owner, kind), {})[id_] = ENCODE(document)

    def delete(self, owner: str, kind: str, id_: str) -> None:
        self._changes.setdefault((owner, kind), {})[id_] = None

    def items(self, owner: str, kind: str) -> Iterator[tuple[str, Document]]:
        """All of a kind, in the order they came."""
        for id_, text in ({**self._state.folder(owner, kind), **self._changes.get((owner, kind), {})}).items():
            if text is not None:
                yield id_, json.loads(text)

    def ids(self, owner: str, kind: str) -> list[str]:
        """The ids of a kind, in the order they came; cheaper than `items`, which reads every document."""
        held, changed = self._state.folder(owner, kind), self._changes.get((owner, kind))
        if not changed:
            return list(held)
        return [id_ for id_ in {**held, **changed} if changed.get(id_, "") is not None]

    def owner_of(self, kind: str, id_: str) -> str | None:
        """Whose document that is; ids are unique over all owners."""
        for owner in dict.fromkeys((*self._state.owners(kind), *(o for o, k in self._changes if k == kind))):
            if self.get(owner, kind, id_) is not None:
                return owner
        return None

    def discard(self) -> None:
        self._changes.clear()

    def commit(self) -> None:
        if self._changes:
            self._state.write(self._changes)
            self._changes = {}
