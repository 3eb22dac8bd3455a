"""Parts of a capability that stand in other files, put into it. An imported file does not import in turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from capstan.errors import Problem
from capstan.load import model
from capstan.load.expression import Template
from capstan.load.files import find_written, is_file
from capstan.load.other import read_other
from capstan.load.parse import parse_capability
from capstan.load.schema import suggest
from capstan.load.units import with_units

Part = TypeVar("Part", model.Bind, model.ConsumedApi, model.Aggregate, model.RestAdapter | model.McpAdapter)


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
        aggregates=(*capability.aggregates, *resolver.aggregates),
        exposes=(*capability.exposes, *resolver.exposes),
        sources=(*capability.sources, *resolver.sources()),
    )
    return whole, resolver.problems


class _Resolver:
    def __init__(self, capability: model.Capability) -> None:
        self._file = capability.at.document.path
        self.files: dict[Path, model.Capability | None] = {}  # None: it cannot be read, which is told once
        self.binds: list[model.Bind] = []
        self.consumes: list[model.ConsumedApi] = []
        self.aggregates: list[model.Aggregate] = []
        self.exposes: list[model.Adapter] = []
        self.problems: list[Problem] = []
        self._taken: set[tuple[str, str]] = {("binds", bind.namespace) for bind in capability.binds}
        self._taken |= {("consumes", api.namespace) for api in capability.consumes}
        self._taken |= {("aggregates", aggregate.namespace) for aggregate in capability.aggregates}
        self._taken |= {("exposes", adapter.namespace) for adapter in capability.exposes}

    def sources(self) -> list[str]:
        """The imported files, and those that they refer to."""
        further = [file for source in self.files.values() if source is not None for file in source.sources]
        return [*map(str, self.files), *further]

    def take(self, wanted: model.Import) -> None:
        if (wanted.section, wanted.alias) in self._taken:
            message = f"the namespace '{wanted.alias}' is taken twice in '{wanted.section}'"
            at = wanted.at.location()
            self.problems.append(Problem("duplicate-namespace", message, at, "give it another name with 'as'"))
            return
        self._taken.add((wanted.section, wanted.alias))
        source = self._source(wanted)
        if wanted.section == "binds":
            if (bind := self._find(wanted, source, source.binds if source else ())) is not None:
                self.binds.append(replace(bind, namespace=wanted.alias))
        elif wanted.section == "consumes":
            self._take_api(wanted, source)
        elif wanted.section == "aggregates":
            found = self._find(wanted, source, source.aggregates if source else ())
            nothing = model.Aggregate(wanted.alias, (), refused=True, at=wanted.at)
            self.aggregates.append(_aliased_aggregate(found, wanted.alias) if found is not None else nothing)
            self._take_binds(source)
        elif (adapter := self._find(wanted, source, source.exposes if source else ())) is not None:
            self.exposes.append(_aliased_adapter(adapter, wanted.alias))
            self._take_binds(source)

    def _take_api(self, wanted: model.Import, source: model.Capability | None) -> None:
        api = self._find(wanted, source, source.consumes if source else ())
        if api is None or source is None:
            nothing = model.ConsumedApi(wanted.alias, Template(()), refused=True, base_uri_at=wanted.at, at=wanted.at)
            self.consumes.append(nothing)
            return
        self.consumes.append(replace(api, namespace=wanted.alias))
        self._take_binds(source)

    def _take_binds(self, source: model.Capability | None) -> None:
        """What a part says in {{...}} is bound where it is written, unless the importing file binds that name."""
        self.binds += [bind for bind in source.binds if bind not in self.binds] if source is not None else []

    def _find(self, wanted: model.Import, source: model.Capability | None, parts: Iterable[Part]) -> Part | None:
        """The part that is wanted; where its file has none of that name, which is told."""
        known = {part.namespace: part for part in parts}
        if source is not None and wanted.name not in known:
            message = f"{wanted.source} has no namespace '{wanted.name}' in '{wanted.section}'"
            if not known:
                message = f"{wanted.source} has nothing in '{wanted.section}'"
            self._problem(wanted, message, suggest(wanted.name, known))
        return known.get(wanted.name)

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

    def _problem(self, wanted: model.Import, message: str, hint: str = "") -> None:
        self.problems.append(Problem("bad-import", message, wanted.at.location(), hint))


def _aliased_aggregate(aggregate: model.Aggregate, alias: str) -> model.Aggregate:
    """An aggregate under another namespace; in what it says, its own still means its inputs."""
    functions = tuple(_aliased_unit(function, aggregate.namespace) for function in aggregate.functions)
    return replace(aggregate, namespace=alias, functions=functions)


def _aliased_adapter(adapter: model.Adapter, alias: str) -> model.Adapter:
    """As of an aggregate."""
    return replace(with_units(adapter, lambda unit: _aliased_unit(unit, adapter.namespace)), namespace=alias)


def _aliased_unit(unit: model.Unit, own: str) -> model.Unit:
    return replace(unit, scopes=(*unit.scopes, own))
