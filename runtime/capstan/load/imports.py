"""Parts of a capability that stand in other files, put into it. An imported file does not import in turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from capstan.errors import Problem
from capstan.load import model
from capstan.load.expression import Template
from capstan.load.files import find_written, is_file
from capstan.load.other import read_other
from capstan.load.parse import parse_capability
from capstan.load.schema import suggest


def resolve_imports(capability: model.Capability) -> tuple[model.Capability, list[Problem]]:
    """The capability with everything it imports, and what is wrong with that."""
    resolver = _Resolver(capability)
    for wanted in capability.imports:
        if wanted.name and wanted.source:  # what is missing is told already
            resolver.take(wanted)
    whole = replace(
        capability,
        binds=(*capability.binds, *resolver.binds),
        consumes=(*capability.consumes, *resolver.consumes),
        sources=(*capability.sources, *resolver.sources()),
    )
    return whole, resolver.problems


class _Resolver:
    def __init__(self, capability: model.Capability) -> None:
        self._file = capability.at.document.path
        self.files: dict[Path, model.Capability | None] = {}  # None: it cannot be read, which is told once
        self.binds: list[model.Bind] = []
        self.consumes: list[model.ConsumedApi] = []
        self.problems: list[Problem] = []

    def sources(self) -> list[str]:
        """The imported files, and those that they refer to."""
        further = [file for source in self.files.values() if source is not None for file in source.sources]
        return [*map(str, self.files), *further]

    def take(self, wanted: model.Import) -> None:
        source = self._source(wanted)
        if wanted.section == "binds":
            bind = next((b for b in source.binds if b.namespace == wanted.name), None) if source else None
            if bind is not None:
                self.binds.append(replace(bind, namespace=wanted.alias))
            elif source is not None:
                self._unknown(wanted, [b.namespace for b in source.binds])
            return
        api = next((a for a in source.consumes if a.namespace == wanted.name), None) if source else None
        if api is None:
            if source is not None:
                self._unknown(wanted, [a.namespace for a in source.consumes])
            nothing = model.ConsumedApi(wanted.alias, Template(()), refused=True, base_uri_at=wanted.at, at=wanted.at)
            self.consumes.append(nothing)
            return
        self.consumes.append(replace(api, namespace=wanted.alias))
        assert source is not None
        # What the API says in {{...}} is bound where the API is written.
        self.binds += [bind for bind in source.binds if bind not in self.binds]

    def _source(self, wanted: model.Import) -> model.Capability | None:
        found = find_written(wanted.source, self._file)
        path = next((path for path in found if is_file(path)), found[0])
        if path not in self.files:
            self.files[path] = self._read(path, wanted)
        return self.files[path]

    def _read(self, path: Path, wanted: model.Import) -> model.Capability | None:
        if not is_file(path):
            self._problem(wanted, f"there is no file {path}")
            return None
        if path.resolve() == self._file.resolve():
            self._problem(wanted, "a file cannot import from itself")
            return None
        document, problems = read_other(path)
        self.problems += problems
        if document is None:
            self._problem(wanted, f"{path} is no capability file that can be read")
            return None
        source, more = parse_capability(document)
        self.problems += more
        if source.imports:
            self._problem(wanted, f"{path} imports in turn, which is not followed")
        return source

    def _unknown(self, wanted: model.Import, known: list[str]) -> None:
        message = f"{wanted.source} has no namespace '{wanted.name}' in '{wanted.section}'"
        self._problem(wanted, message, suggest(wanted.name, known))

    def _problem(self, wanted: model.Import, message: str, hint: str = "") -> None:
        self.problems.append(Problem("bad-import", message, wanted.at.location(), hint))
