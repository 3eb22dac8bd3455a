"""What is consumed -> what can be called: each operation with all that its API, its resource and itself say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import Hole, PathTemplate, Template, fold
from capstan.load.schema import suggest
from capstan.plan import types
from capstan.plan.auth import Credential
from capstan.plan.credentials import Credentials
from capstan.plan.decode import plan_decoder
from capstan.plan.forward import forward_operation, forwarded_parameters
from capstan.plan.target import Target
from capstan.plan.tls import plan_tls
from capstan.plan.variables import Variables

_Found = list[tuple[str, Target]]  # operations, each under the name by which it is called without doubt


@dataclass(frozen=True, slots=True)
class _Api:
    """A consumed API with its variables filled in."""

    written: model.ConsumedApi
    plan: types.ApiPlan
    credential: Credential | None
    origin: Template


class Consumed:
    """The APIs of one file, and the operations of theirs that a `call` may mean."""

    def __init__(
        self,
        capability: model.Capability,
        variables: Variables,
        credentials: Credentials,
        base_uris: Mapping[str, str],
        problems: list[Problem],
    ) -> None:
        self._capability = capability
        self._variables = variables
        self._credentials = credentials
        self._problems = problems
        self.answer_schemas: list[str] = []  # files that say what answers are
        self._apis: dict[str, _Api] = {}
        self._operations: dict[str, _Found] = {}  # what a `call` may say -> what it may mean
        self._resources: dict[str, _Found] = {}
        for api in capability.consumes:
            self._add(api, base_uris.get(api.namespace))

    @property
    def apis(self) -> tuple[types.ApiPlan, ...]:
        return tuple(api.plan for api in self._apis.values())

    def problem(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at.location(), hint))

    def _add(self, written: model.ConsumedApi, base_uri: str | None) -> None:
        auth = self._credentials.plan(written.auth) if written.auth is not None else None
        tls = None
        if written.tls is not None:
            fill = self._credentials.fill_at(written.tls.at)
            tls = plan_tls(written.tls, fill, self._problems, is_filled=self._variables.filled)
        plan = types.ApiPlan(written.namespace, None if isinstance(auth, Credential) else auth, tls)
        origin = _without_slash(Template((base_uri,)) if base_uri is not None else written.base_uri)
        api = _Api(written, plan, auth if isinstance(auth, Credential) else None, origin)
        self._apis[written.namespace] = api
        for resource in written.resources:
            whole = f"{written.namespace}.{resource.name}"
            for operation in resource.operations:
                found = (f"{whole}.{operation.name}", self._target(api, resource, operation))
                for key in dict.fromkeys((f"{written.namespace}.{operation.name}", found[0])):
                    self._operations.setdefault(key, []).append(found)
                self._resources.setdefault(whole, []).append(found)

    def _target(self, api: _Api, resource: model.ConsumedResource, operation: model.ConsumedOperation) -> Target:
        written, plan, credential = api.written, api.plan, api.credential
        if operation.auth is not None:
            auth = self._credentials.plan(operation.auth)
            credential = auth if isinstance(auth, Credential) else None
            plan = replace(plan, auth=None if isinstance(auth, Credential) else auth)
        path = resource.path.join(operation.path)
        layers = (*written.parameters, *resource.parameters, *operation.parameters)
        holes = (*path.holes, *(name for name in written.base_uri.holes if not self._variables.declares(name)))
        placed = [_placed(parameter, holes, operation) for parameter in layers]
        merged = {(p.name.lower() if p.where == "header" else p.name, p.where): p for p in placed}
        known = {fold(p.name) for p in merged.values()} | {fold(name) for name in path.holes if "." in name}
        undeclared = [n for n in dict.fromkeys(path.holes) if fold(n) not in known and not self._variables.declares(n)]
        derived = [model.Parameter(n, "path", {"type": "string"}, True, at=operation.at) for n in undeclared]
        return Target(
            written, operation, path, (*merged.values(), *derived), plan, credential, api.origin, frozenset(undeclared),
            plan_decoder(operation.answer, self._problems, self.answer_schemas),
        )  # fmt: skip

    def forwarded(self, forward: model.Forward) -> Target | None:
        """The API that a forward passes requests through to; None where there is none, which is told."""
        api = self._apis.get(forward.target)
        if api is None:
            self.problem("unknown-namespace", f"nothing is consumed under the namespace '{forward.target}'",
                         forward.at / "targetNamespace", suggest(forward.target, self._apis))  # fmt: skip
            return None
        kept = replace(api.written, parameters=forwarded_parameters(api.written, forward, self._problems))
        target = self._target(replace(api, written=kept), *forward_operation(forward.at))
        return replace(target, api=api.written)

    def find(self, unit: model.Unit, rest: model.RestOperation | None) -> Target | None:
        """The operation that a unit calls; None where it calls none, or none that there is, which is told."""
        if unit.call is None:
            return None
        assert unit.call_at is not None
        found = self._operations.get(unit.call, [])
        if not found:
            if any(not api.namespace for api in self._capability.consumes):
                return None
            if unit.call.partition(".")[0] in {api.namespace for api in self._capability.consumes if api.refused}:
                return None
            named = self._resources.get(unit.call, [])
            if len(named) == 1:
                message = f"'{unit.call}' names a resource; its only operation '{named[0][0]}' is called"
                self._problems.append(Problem("call-of-resource", message, unit.call_at.location(), severity="warning"))
                return named[0][1]
            hint = suggest(unit.call, self._operations)
            if any(unit.call in a.function_names for a in self._capability.aggregates):
                hint = f"it is a function of an aggregate: ref: {unit.call}"
            self.problem("unknown-operation", f"no operation '{unit.call}'", unit.call_at, hint)
            return None
        if len(found) > 1:
            return self._tell_apart(unit, rest, found)
        return found[0][1]

    def _tell_apart(self, unit: model.Unit, rest: model.RestOperation | None, found: _Found) -> Target | None:
        """Of several operations of one name, the one whose route or description is the unit's own."""
        assert unit.call_at is not None
        if rest is not None:
            fits = [(n, t) for n, t in found if t.operation.method == rest.method and _same_route(t.path, rest.path)]
        else:
            fits = [(n, t) for n, t in found if unit.description and t.operation.description == unit.description]
        if len(fits) == 1:
            message = f"'{unit.call}' names {len(found)} operations; the one that fits, '{fits[0][0]}', is called"
            self._problems.append(Problem("ambiguous-call", message, unit.call_at.location(), severity="warning"))
            return fits[0][1]
        names = ", ".join(dict.fromkeys(f"'{name}'" for name, _ in found))
        self.problem("ambiguous-operation", f"'{unit.call}' names {len(found)} operations", unit.call_at,
                     f"say which: {names}")  # fmt: skip
        return None


def _placed(parameter: model.Parameter, holes: tuple[str, ...], operation: model.ConsumedOperation) -> model.Parameter:
    """A parameter without `in` goes where its operation has room for it."""
    if parameter.where is not None:
        return parameter
    where: model.Where = "query" if operation.method in ("GET", "HEAD", "DELETE", "OPTIONS") else "body"
    if parameter.name in holes:
        where = "path"
    return replace(parameter, where=where)


def _without_slash(template: Template) -> Template:
    if template.parts and isinstance(template.parts[-1], str):
        return Template((*template.parts[:-1], template.parts[-1].rstrip("/")))
    return template


def _same_route(consumed: PathTemplate, exposed: PathTemplate) -> bool:
    """Whether an exposed path ends in the consumed one, whatever its variables are called."""
    one = [_anonymous(segment) for segment in consumed.segments]
    other = [_anonymous(segment) for segment in exposed.segments]
    return other[len(other) - len(one) :] == one if len(one) <= len(other) else False


def _anonymous(parts: tuple[str | Hole, ...]) -> str:
    return "".join("{}" if isinstance(part, Hole) else part.lower() for part in parts)
