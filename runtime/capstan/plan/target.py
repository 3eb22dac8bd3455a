"""What a unit calls: the consumed operation, and what its parameters and templates ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from capstan.load.expression import PathTemplate, Template, fold, match_name
from capstan.load.model import ConsumedApi, ConsumedOperation, Parameter, Where
from capstan.load.walk import walk
from capstan.plan import types
from capstan.plan.auth import Credential
from capstan.plan.decode import Decoder

PLACES: Final[dict[str, Where]] = {"path": "path", "query": "query", "header": "header", "body": "body",
                                   "cookie": "cookie"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A consumed operation with all that surrounds it."""

    api: ConsumedApi
    operation: ConsumedOperation
    path: PathTemplate
    parameters: tuple[Parameter, ...]  # of the API, the resource and the operation; the innermost wins
    plan: types.ApiPlan
    credential: Credential | None
    origin: Template
    undeclared: frozenset[str]  # variables of the path that no parameter declares
    decoder: Decoder | None = None

    @property
    def reads_xml(self) -> bool:
        return self.decoder is not None and self.decoder.format == "xml"

    def free_names(self) -> Iterator[str]:
        """Every name in a template of the consumed side."""
        yield from self.path.holes
        yield from self.origin.holes
        yield from template_names(self.operation.body)
        yield from template_names([parameter.value for parameter in self.parameters])

    def find(self, name: str) -> Parameter | None:
        named = {parameter.name: parameter for parameter in self.parameters}
        match = match_name(name, named)
        return named[match] if match is not None else None

    def matching(self, name: str) -> list[Parameter]:
        """The parameters a `with` key fills; `path.x` names the place too."""
        exact = [p for p in self.parameters if p.name == name]
        if exact:
            return exact
        place, _, rest = name.partition(".")
        if rest and place in PLACES:
            located = [p for p in self.parameters if p.where == place]
            match = match_name(rest, [p.name for p in located])
            return [p for p in located if p.name == match]
        match = match_name(name, [p.name for p in self.parameters])
        return [p for p in self.parameters if p.name == match]

    def is_credential(self, parameter: Parameter) -> bool:
        """Whether the authentication fills a parameter."""
        credential = self.credential
        if credential is None or parameter.where != credential.place:
            return False
        if credential.place == "header":
            return parameter.name.lower() == credential.name.lower()
        return parameter.name == credential.name

    def takes_whole_body(self, parameter: Parameter) -> bool:
        """Whether a parameter is the body itself rather than a member of it."""
        if self.operation.body is not None:
            return False
        bodies = [p for p in self.parameters if p.where == "body"]
        if len(bodies) != 1 or bodies[0] is not parameter:
            return False
        return fold(parameter.name) == "body" or parameter.schema.get("type") in (None, "object", "array")


def template_names(value: Any) -> Iterator[str]:
    """The names in the templates of a body or a value, however deep."""
    for part in walk(value, Template):
        if isinstance(part, Template):
            yield from part.holes
