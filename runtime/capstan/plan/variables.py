"""Bound variables: `{{KEY}}` and `{{namespace.KEY}}` -> the values they stand for, read once, at start.

Without an environment (validate, explain) every variable stands for itself; with one, what is missing is a problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from capstan.errors import LoadError, Problem
from capstan.load.document import Place, read_document
from capstan.load.files import find_written, is_file
from capstan.load.model import Bind
from capstan.plan.values import Secret

_ENVIRONMENT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Variables:
    """The variables of one capability."""

    def __init__(
        self, binds: tuple[Bind, ...], environ: Mapping[str, str] | None, settings: Mapping[str, str] | None = None
    ) -> None:
        """Without `environ`, settings have the values that `settings` gives their variables, else their defaults."""
        self.problems: list[Problem] = []
        self.used: dict[str, Secret] = {}
        self._environ = environ
        self._settings = settings or {}
        self._binds = binds
        self.files: list[str] = []  # that were read
        self._files: dict[str, Mapping[str, str] | None] = {}  # None: it cannot be read, which is told once
        self._told: set[str] = set()
        self._missing: set[str] = set()

    @property
    def filled(self) -> bool:
        """Whether variables have values, and do not stand for themselves."""
        return self._environ is not None

    def holds(self, names: Iterable[str]) -> bool:
        """Whether each of these that is a variable has a value; what has none is told already."""
        return not any(name in self._missing for name in names)

    def declares(self, name: str) -> bool:
        """Whether a bind declares this name, so that it cannot be anything else."""
        return self._find(name) is not None or self._undeclared(name) is not None

    def takes(self, name: str) -> bool:
        """Whether a name is one of a bound variable, or of the namespace of some."""
        return self._find(name) is not None or any(bind.namespace == name for bind in self._binds)

    def is_setting(self, name: str) -> bool:
        """Whether a variable has a default that all can read, so that it is no secret."""
        found = self._find(name)
        return found is not None and bool(_default(name, found[0]))

    def lookup(self, name: str, at: Place, *, implicit: bool) -> Secret | None:
        """The value of a variable; None when the name is no variable.

        With `implicit`, a name that no bind declares is taken to be an environment variable, with a warning: that is
        how published files name credentials they never bind.
        """
        found = self._find(name)
        if found is not None:
            bind, key = found
            return self._read(name, key, bind, at)
        undeclared = self._undeclared(name)
        if undeclared is None and implicit and _ENVIRONMENT_NAME.fullmatch(name):
            if (meant := self._in_other_case(name)) is not None and name not in (self._environ or ()):
                self._warn_once(name, f"'{name}' is declared in no bind; '{meant}' is taken for it", at)
                return self.lookup(meant, at, implicit=False)
            undeclared = name
        if undeclared is None:
            return None
        self._warn_once(name, f"'{name}' is declared in no bind; the environment variable {undeclared} is read", at)
        return self._read(name, undeclared, None, at)

    def _warn_once(self, name: str, message: str, at: Place) -> None:
        if name not in self._told:
            self._told.add(name)
            self.problems.append(Problem("undeclared-variable", message, at.location(), severity="warning"))

    def _in_other_case(self, name: str) -> str | None:
        """The one variable whose name differs in case alone: files say `{{api_token}}` and bind API_TOKEN."""
        alike = {key for bind in self._binds for key in bind.keys if key.lower() == name.lower()}
        return alike.pop() if len(alike) == 1 else None

    def _find(self, name: str) -> tuple[Bind, str] | None:
        namespace, _, key = name.rpartition(".")
        for bind in self._binds:
            if namespace in ("", bind.namespace) and key in bind.keys:
                return bind, bind.keys[key]
        return None

    def _undeclared(self, name: str) -> str | None:
        """`env.OTHER`, where `env` binds the environment but not that key."""
        namespace, _, key = name.rpartition(".")
        known = any(bind.namespace == namespace and bind.location is None for bind in self._binds)
        return key if namespace and known and _ENVIRONMENT_NAME.fullmatch(key) else None

    def _read(self, name: str, key: str, bind: Bind | None, at: Place) -> Secret:
        if name in self.used:
            return self.used[name]
        value: str | None
        default = _default(name, bind)
        if self._environ is None:
            set_here = bool(default) and bind is not None and bind.location is None
            value = (self._settings.get(key) if set_here else None) or default or f"{{{{{name}}}}}"
        elif bind is None or bind.location is None:
            value = self._environ.get(key)
        elif (values := self._values(bind)) is None:
            value = ""
            self._missing.add(name)
        else:
            value = values.get(key)
        if value is None and default is not None:
            value = default
        if value is None:
            self._missing.add(name)
            where = f"the environment variable {key} is not set"
            if bind is not None and bind.location is not None:
                where = f"{bind.location} holds no value named '{key}'"
            subject = key if bind is None or bind.location is None else ""
            told = Problem("missing-variable", where, at.location(), _set_hint(bind, key), subject=subject)
            self.problems.append(told)
            value = ""
        secret = Secret(value, name, is_setting=bool(default))
        self.used[name] = secret
        return secret

    def _values(self, bind: Bind) -> Mapping[str, str] | None:
        assert bind.location is not None
        if bind.location not in self._files:
            self._files[bind.location] = self._load(bind)
        return self._files[bind.location]

    def _load(self, bind: Bind) -> Mapping[str, str] | None:
        assert bind.location is not None
        at = (bind.at / "location").location()
        candidates = find_written(bind.location, bind.at.document.path, or_here=True)
        path = next((candidate for candidate in candidates if is_file(candidate)), None)
        if path is None:
            looked = ", nor ".join(map(str, candidates))
            self.problems.append(Problem("missing-file", f"there is no file {looked}", at))
            return None
        self.files.append(str(path))
        try:
            return read_values(path)
        except (OSError, ValueError) as error:
            # The parser's own words could quote a line of the file, and that line is a secret.
            reason = error.strerror if isinstance(error, OSError) else "it is neither KEY=value lines, JSON nor YAML"
            self.problems.append(Problem("unreadable-file", f"{path} cannot be read: {reason}", at))
            return None


def _default(name: str, bind: Bind | None) -> str | None:
    return bind.defaults.get(name.rpartition(".")[2]) if bind is not None else None


def _set_hint(bind: Bind | None, key: str) -> str:
    if bind is not None and bind.location is not None:
        return ""
    return f"export {key}=... or put {key}=... into a file and pass --env-file"


def read_values(path: Path) -> Mapping[str, str]:
    """A file of values: JSON or YAML by its ending, else lines of KEY=value. `0042` keeps its zeros.

    Raises:
        OSError, ValueError: it cannot be read as what it is.
    """
    data: Any
    if path.suffix in (".yaml", ".yml"):
        try:
            document = read_document(path)
        except LoadError:
            raise ValueError("not YAML") from None  # what went wrong quotes a line, and that line may be a secret
        data = document.data
        if isinstance(data, dict):
            number = (int, float)
            data = {k: document.scalar_text((k,)) if isinstance(v, number) else v for k, v in data.items()}
    elif path.suffix == ".json":
        data = json.loads(path.read_text("utf-8-sig"), parse_int=str, parse_float=str)
    else:
        return _lines(path.read_text("utf-8-sig"))
    if isinstance(data, dict):
        return {k: v if isinstance(v, str) else json.dumps(v) for k, v in data.items() if isinstance(v, (str, bool))}
    raise ValueError("not a mapping")


def _lines(text: str) -> dict[str, str]:
    values = {}
    for line in text.splitlines():
        kept = line.strip()
        if not kept or kept.startswith("#"):
            continue
        name, equals, value = kept.removeprefix("export ").partition("=")
        if not equals:
            raise ValueError("a line without '='")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values
