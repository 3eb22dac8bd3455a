"""Typed capability -> plan. Joins the parts; collects every problem before giving up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from capstan.errors import LoadError, Problem, in_file_order
from capstan.load import model, read
from capstan.load.aggregates import units_of
from capstan.load.document import Place
from capstan.load.expression import Hole, PathTemplate, Template, fold
from capstan.load.files import find_written, is_file
from capstan.load.schema import suggest
from capstan.plan import types
from capstan.plan.auth import Credential, Fill, plan_auth
from capstan.plan.decode import plan_decoder
from capstan.plan.flow import ScriptRun
from capstan.plan.forward import forward_operation, forwarded_parameters, plan_forward
from capstan.plan.mcp import PlanUnit, plan_prompts, plan_resources
from capstan.plan.responses import plan_replies
from capstan.plan.site import join_plans
from capstan.plan.target import Target
from capstan.plan.tls import open_context
from capstan.plan.unit import host_names, limited, plan_unit
from capstan.plan.values import Secret, to_text
from capstan.plan.variables import Variables

_NEVER_EMPTY: Final = frozenset({"token", "value"})  # a user may have no password
_CREDENTIALS: Final = frozenset({"password", "token", "value", "clientSecret", "clientKeyPassword"})

Built = tuple[types.CapabilityPlan, tuple[Problem, ...]]


def build_plan(
    capability: model.Capability,
    environ: Mapping[str, str] | None = None,
    base_uris: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Built:
    """The plan of one capability and the warnings met on the way.

    Without `environ` the plan is complete but for its variables, which stand for themselves; settings have the values
    that `settings` gives them, else their defaults. `base_uris` replaces the baseUri of a consumed namespace.

    Raises:
        LoadError: with every problem found, in file order.
    """
    return _finish(*_Builder(capability, environ, base_uris or {}, settings).build(), [])


def plan_file(
    path: Path | str,
    environ: Mapping[str, str] | None = None,
    base_uris: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Built:
    """Load a file and plan it, as build_plan does; problems of both are told together.

    Raises:
        LoadError: with every problem found, in file order.
    """
    capability, problems = read(path)
    if capability is None:
        raise LoadError(in_file_order(problems))
    plan, warnings = _finish(*_Builder(capability, environ, base_uris or {}, settings).build(), problems)
    return plan, tuple(in_file_order([*warnings, *join_plans([plan])[1]]))


def _finish(plan: types.CapabilityPlan, found: list[Problem], before: list[Problem]) -> Built:
    if before:  # what could not be read may have exposed something
        found = [problem for problem in found if problem.code != "nothing-exposed"]
    problems = in_file_order([*before, *found])
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise LoadError(errors)
    return plan, tuple(problems)


class _Builder:
    def __init__(
        self,
        capability: model.Capability,
        environ: Mapping[str, str] | None,
        base_uris: Mapping[str, str],
        settings: Mapping[str, str] | None,
    ) -> None:
        self.capability = capability
        self.variables = Variables((*capability.binds, *_environment_binds(capability)), environ, settings)
        self.base_uris = base_uris
        self.problems: list[Problem] = []
        self.apis: dict[str, types.ApiPlan] = {}
        self.credentials: list[Credential] = []
        self.written: list[Secret] = []  # credentials that stand in the file itself, or around a variable
        self.answer_schemas: list[str] = []  # files that say what answers are
        self.consumed: dict[str, Callable[[model.Forward], Target]] = {}  # an API as forwards call it
        # What a `call` may say -> the operations it may mean, and how each is called without doubt.
        self.targets: dict[str, list[tuple[str, Target]]] = {}
        self.resources: dict[str, list[tuple[str, Target]]] = {}

    def problem(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self.problems.append(Problem(code, message, at.location(), hint))

    def build(self) -> tuple[types.CapabilityPlan, list[Problem]]:
        capability = self.capability
        self._check_namespaces()
        for api in capability.consumes:
            self._api(api)
        rest: list[types.RestPlan] = []
        mcp: list[types.McpPlan] = []
        for adapter in () if capability.is_parts else capability.exposes:
            if isinstance(adapter, model.RestAdapter):
                rest.append(self._rest(adapter))
            else:
                mcp.append(self._mcp(adapter))
        self._check_functions()
        if capability.is_parts or not (capability.exposes or capability.control):
            parts = capability.is_parts
            message = "the file has parts for others and exposes nothing itself" if parts else "nothing is exposed"
            severity: Literal["warning", "error"] = "warning" if parts else "error"
            self.problems.append(Problem("nothing-exposed", message, capability.at.location(), severity=severity))
        plan = types.CapabilityPlan(
            capability.file,
            (*capability.sources, *self.variables.files, *self.answer_schemas, *_prompt_files(mcp)),
            capability.title, capability.description,
            tuple(self.apis.values()), tuple(rest), tuple(mcp), self._secrets(), self._control(),
        )  # fmt: skip
        plan = replace(plan, sources=(*plan.sources, *_script_files(plan)))
        return plan, [*self.problems, *self.variables.problems]

    def _control(self) -> types.ControlPlan | None:
        control = self.capability.control
        if control is None or not control.health or self.capability.is_parts:
            return None
        adapters = [
            ("rest" if isinstance(adapter, model.RestAdapter) else "mcp", adapter.namespace, adapter.port)
            for adapter in self.capability.exposes
        ]
        return types.ControlPlan(control.port, control.address, (*adapters, ("control", "", control.port)), control.at)

    def _secrets(self) -> tuple[Secret, ...]:
        """Everything that must be masked wherever it turns up; a host is known to all and is not among it."""
        hosts = {name for api in self.capability.consumes for name in host_names(api.base_uri)}
        used = self.variables.used.items()
        found = [secret for name, secret in used if name not in hosts and not secret.is_setting]
        found += self.written
        for credential in self.credentials:  # `Basic dXNlcjpwYXNz`: the encoded pair is as good as the pair
            found.append(Secret(credential.value.reveal().rpartition(" ")[2], credential.name))
        return tuple(dict.fromkeys(found))

    def _check_namespaces(self) -> None:
        for kind, items in (("consumes", self.capability.consumes), ("exposes", self.capability.exposes),
                            ("aggregates", self.capability.aggregates)):  # fmt: skip
            seen: dict[str, Place] = {}
            for item in items:
                first = seen.setdefault(item.namespace, item.at)
                if first is not item.at:
                    self.problem("duplicate-namespace", f"the namespace '{item.namespace}' is taken twice in '{kind}'",
                                 item.at / "namespace", f"first in line {first.location().line}")  # fmt: skip

    # --- consumes

    def _api(self, api: model.ConsumedApi) -> None:
        auth = plan_auth(api.auth, self._fill_at(api.auth.at, api)) if api.auth is not None else None
        plan = types.ApiPlan(api.namespace, None if isinstance(auth, Credential) else auth, self._tls(api))
        self.apis[api.namespace] = plan
        override = self.base_uris.get(api.namespace)
        origin = _without_slash(Template((override,)) if override is not None else api.base_uri)
        if isinstance(auth, Credential) and api.auth is not None:
            self._credential(auth, api.auth.at)

        def forwarded(forward: model.Forward) -> Target:
            kept = replace(api, parameters=forwarded_parameters(api, forward, self.problems))
            return replace(self._target(kept, plan, auth, origin, *forward_operation(forward.at)), api=api)

        self.consumed[api.namespace] = forwarded
        for resource in api.resources:
            for operation in resource.operations:
                target = self._target(api, plan, auth, origin, resource, operation)
                full = f"{api.namespace}.{resource.name}.{operation.name}"
                for key in dict.fromkeys((f"{api.namespace}.{operation.name}", full)):
                    self.targets.setdefault(key, []).append((full, target))
                self.resources.setdefault(f"{api.namespace}.{resource.name}", []).append((full, target))

    def _credential(self, credential: Credential, at: Place) -> None:
        self.credentials.append(credential)
        if credential.place != "header":
            return
        if credential.name and not types.HEADER_NAME.fullmatch(credential.name):
            self.problem("bad-name", f"'{credential.name}' cannot be the name of a header", at / "key")
        if types.FORBIDDEN_IN_HEADER.search(credential.value.reveal()):
            message = f"the credential '{credential.value.name}' holds a line break or another control character"
            self.problem("bad-value", message, at, "a header cannot; was a file read with its last line's end?")

    def _target(
        self,
        api: model.ConsumedApi,
        plan: types.ApiPlan,
        auth: object,
        origin: Template,
        resource: model.ConsumedResource,
        operation: model.ConsumedOperation,
    ) -> Target:
        credential = auth if isinstance(auth, Credential) else None
        if operation.auth is not None:
            own = plan_auth(operation.auth, self._fill_at(operation.auth.at, api))
            if isinstance(own, Credential):
                credential, plan = own, replace(plan, auth=None)
                self._credential(own, operation.auth.at)
            else:
                credential, plan = None, replace(plan, auth=own)
        path = resource.path.join(operation.path)
        layers = (*api.parameters, *resource.parameters, *operation.parameters)
        holes = (*path.holes, *(name for name in api.base_uri.holes if not self.variables.declares(name)))
        placed = [self._placed(parameter, holes, operation) for parameter in layers]
        merged = {(p.name.lower() if p.where == "header" else p.name, p.where): p for p in placed}
        known = {fold(p.name) for p in merged.values()} | {fold(n) for n in _template_scopes(path.holes)}
        undeclared = [n for n in dict.fromkeys(path.holes) if fold(n) not in known and not self.variables.declares(n)]
        derived = [model.Parameter(n, "path", {"type": "string"}, True, at=operation.at) for n in undeclared]
        return Target(
            api, operation, path, (*merged.values(), *derived), plan, credential, origin, frozenset(undeclared),
            plan_decoder(operation.answer, self.problems, self.answer_schemas),
        )  # fmt: skip

    def _placed(
        self, parameter: model.Parameter, holes: tuple[str, ...], operation: model.ConsumedOperation
    ) -> model.Parameter:
        """A parameter without `in` goes where its operation has room for it."""
        if parameter.where is not None:
            return parameter
        where: model.Where = "query" if operation.method in ("GET", "HEAD", "DELETE", "OPTIONS") else "body"
        if parameter.name in holes:
            where = "path"
        return replace(parameter, where=where)

    def _fill_at(self, at: Place, api: model.ConsumedApi) -> Fill:
        def fill(template: Template, keyword: str) -> Secret:
            texts: list[str] = []
            names: list[str] = []
            for part in template.parts:
                if isinstance(part, str):
                    texts.append(part)
                    names.append(part)
                    continue
                secret = self.variables.lookup(part.name, at / keyword, implicit=True)
                if secret is None:
                    declared = [key for bind in self.capability.binds for key in bind.keys]
                    self.problem("unknown-name", f"'{{{{{part.name}}}}}' names no bound variable", at / keyword,
                                 suggest(part.name, declared))  # fmt: skip
                    continue
                texts.append(secret.reveal())
                names.append(secret.shown)
            written = keyword in _CREDENTIALS and template.literal is not None
            secret = Secret("".join(texts), "***" if written else "".join(names))
            if (meant := self._meant(template.literal or "")) is not None:
                self.problem("bad-expression", f"'{template.literal}' is only text", at / keyword,
                             f"did you mean '{{{{{meant}}}}}'?")  # fmt: skip
            bound = self.variables.filled and template.holes and self.variables.holds(template.holes)
            if bound and not secret.reveal() and keyword in _NEVER_EMPTY:
                self.problem("missing-variable", f"the value of {secret.name} is empty", at / keyword)
            if keyword in _CREDENTIALS:
                self.written.append(secret)
            return secret

        return fill

    def _meant(self, text: str) -> str | None:
        """The variable that a text of another spelling was meant to be: `{KEY}`, or `$env.KEY` as old pages say."""
        if text.startswith("$env."):
            return text.removeprefix("$env.")
        return text[1:-1] if text.startswith("{") and self.variables.declares(text[1:-1]) else None

    def _tls(self, api: model.ConsumedApi) -> types.TlsPlan | None:
        if api.tls is None:
            return None
        fill = self._fill_at(api.tls.at, api)
        beside = api.tls.at.document.path

        def path(template: Template | None, keyword: str) -> str | None:
            if template is None:
                return None
            text = fill(template, keyword).reveal()
            if not text:  # a variable that is set to nothing, or not set where it may be left out
                return None
            found = [] if text.startswith("{{") else find_written(text, beside)
            return str(next((path for path in found if is_file(path)), found[0])) if found else text

        password = api.tls.client_key_password
        plan = types.TlsPlan(
            path(api.tls.client_certificate, "clientCertificate"), path(api.tls.client_key, "clientKey"),
            fill(password, "clientKeyPassword") if password is not None else None,
            path(api.tls.ca_bundle, "caBundle"),
        )  # fmt: skip
        if plan.client_certificate is None and plan.client_key is not None and api.tls.client_certificate is not None:
            message = "there is a clientKey, and the clientCertificate it belongs to is empty"
            self.problem("bad-certificate", message, api.tls.at / "clientCertificate")
            return None
        if plan.client_certificate is None and plan.ca_bundle is None:
            return None
        if self.variables.filled:
            try:
                open_context(plan)
            except OSError as error:
                reason = error.strerror or "no certificate or key in PEM form"
                self.problem("bad-certificate", f"the TLS files cannot be used: {reason}", api.tls.at)
        return plan

    # --- calls

    def _find(self, unit: model.Unit, rest: model.RestOperation | None) -> Target | None:
        if unit.call is None:
            return None
        assert unit.call_at is not None
        found = self.targets.get(unit.call, [])
        if not found:
            if any(not api.namespace for api in self.capability.consumes):
                return None
            if unit.call.partition(".")[0] in {api.namespace for api in self.capability.consumes if api.refused}:
                return None
            named = self.resources.get(unit.call, [])
            if len(named) == 1:
                message = f"'{unit.call}' names a resource; its only operation '{named[0][0]}' is called"
                self.problems.append(Problem("call-of-resource", message, unit.call_at.location(), severity="warning"))
                return named[0][1]
            hint = suggest(unit.call, self.targets)
            if any(unit.call in a.function_names for a in self.capability.aggregates):
                hint = f"it is a function of an aggregate: ref: {unit.call}"
            self.problem("unknown-operation", f"no operation '{unit.call}'", unit.call_at, hint)
            return None
        if len(found) > 1:
            return self._tell_apart(unit, rest, found)
        return found[0][1]

    def _tell_apart(
        self, unit: model.Unit, rest: model.RestOperation | None, found: list[tuple[str, Target]]
    ) -> Target | None:
        """Of several operations of one name, the one whose route or description is the unit's own."""
        assert unit.call_at is not None
        if rest is not None:
            fits = [(n, t) for n, t in found if t.operation.method == rest.method and _same_route(t.path, rest.path)]
        else:
            fits = [(n, t) for n, t in found if unit.description and t.operation.description == unit.description]
        if len(fits) == 1:
            message = f"'{unit.call}' names {len(found)} operations; the one that fits, '{fits[0][0]}', is called"
            self.problems.append(Problem("ambiguous-call", message, unit.call_at.location(), severity="warning"))
            return fits[0][1]
        names = ", ".join(dict.fromkeys(f"'{name}'" for name, _ in found))
        self.problem("ambiguous-operation", f"'{unit.call}' names {len(found)} operations", unit.call_at,
                     f"say which: {names}")  # fmt: skip
        return None

    # --- exposes

    def _unit(
        self, unit: model.Unit, namespace: str, rest: model.RestOperation | None, max_binary: int | None = None
    ) -> tuple[types.UnitPlan, dict[str, str]]:
        target = self._find(unit, rest)
        steps = [(step, self._step_target(unit, step)) for step in unit.steps]
        # Where the call or the unit itself is at fault, that is told; what follows from it is noise.
        lost = (unit.call is not None and target is None) or any(
            found is None and isinstance(step.does, model.CallStep) for step, found in steps
        )
        problems = [] if unit.refused or lost else self.problems
        namespaces = frozenset(adapter.namespace for adapter in self.capability.exposes)
        scripting = self.capability.control.scripting if self.capability.control else None
        plan, slots = plan_unit(
            unit, namespace, namespaces, rest, target, self.variables, problems, steps, scripting
        )  # fmt: skip
        self._check_semantics(unit, plan, problems)
        return limited(plan, max_binary), slots

    def _check_functions(self) -> None:
        """What nothing refers to is planned all the same: its mistakes are told, and nobody can call it."""
        exposed = [unit for adapter in self.capability.exposes for unit in units_of(adapter)]
        used = {unit.ref.name for unit in exposed if unit.ref is not None}
        for aggregate in () if self.capability.is_parts else self.capability.aggregates:
            for name, function in zip(aggregate.function_names, aggregate.functions, strict=True):
                if name not in used:
                    self._unit(function, aggregate.namespace, None)

    def _check_semantics(self, unit: model.Unit, plan: types.UnitPlan, problems: list[Problem]) -> None:
        """A function that calls itself safe is announced as one that only reads."""
        if unit.semantics is None or unit.semantics.safe is not True or plan.effect == "read":
            return
        at = (unit.semantics.at / "safe").location()
        hint = "set 'effect: read' on the operation that it calls, if all it does is to read"
        message = f"the function says that it is safe, and what it calls is of the effect '{plan.effect}'"
        severity: Literal["warning", "error"] = "warning" if plan.effect == "write" else "error"
        problems.append(Problem("unsafe-function", message, at, hint, severity))

    def _step_target(self, unit: model.Unit, step: model.Step) -> Target | None:
        """What a step calls. Without a call there is a problem that is told already."""
        if not isinstance(step.does, model.CallStep) or not step.does.call:
            return None
        return self._find(replace(unit, call=step.does.call, call_at=step.does.at), None)

    def _rest(self, adapter: model.RestAdapter) -> types.RestPlan:
        operations: list[types.RestOperationPlan] = []
        taken: dict[tuple[str, ...], model.RestOperation] = {}
        for item in adapter.operations:
            unit, slots = self._unit(item.unit, adapter.namespace, item, adapter.max_binary_bytes)
            segments = tuple(_route_segment(parts, slots) for parts in item.path.segments)
            key = (item.method, *(segment.key for segment in segments))
            first = item if item.unit.refused else taken.setdefault(key, item)
            if first is not item:
                line = first.unit.at.location().line
                self.problem("duplicate-route", f"the route {item.method} {item.path} is taken twice", item.unit.at,
                             f"first in line {line}")  # fmt: skip
            names = [fold(name) for name in item.path_parameters]
            if len(set(names)) != len(names):
                self.problem("duplicate-name", f"the path {item.path} names a variable twice", item.path_at)
            problems = [] if item.unit.refused else self.problems
            replies = plan_replies(item.responses, unit.media_type, problems, is_mapped=unit.is_mapped)
            operations.append(
                types.RestOperationPlan(
                    item.method, str(item.path), segments, item.tags, unit, replies, at=item.unit.at
                )
            )
        return types.RestPlan(
            adapter.namespace, adapter.address, adapter.port, self.capability.title, self.capability.version,
            adapter.description or self.capability.description, tuple(operations), adapter.at,
            forwards=tuple(f for one in adapter.forwards if (f := self._forward(one, adapter, operations)) is not None),
        )  # fmt: skip

    def _forward(
        self, forward: model.Forward, adapter: model.RestAdapter, operations: list[types.RestOperationPlan]
    ) -> types.ForwardPlan | None:
        forwarded = self.consumed.get(forward.target)
        if forwarded is None:
            self.problem("unknown-namespace", f"nothing is consumed under the namespace '{forward.target}'",
                         forward.at / "targetNamespace", suggest(forward.target, self.consumed))  # fmt: skip
            return None
        target = forwarded(forward)
        return plan_forward(forward, adapter.namespace, target, operations, self.variables, self.problems)

    def _mcp(self, adapter: model.McpAdapter) -> types.McpPlan:
        tools: list[types.ToolPlan] = []
        for item in adapter.tools:
            unit, _ = self._unit(item.unit, adapter.namespace, None, adapter.max_binary_bytes)
            calls = [step.does.call for step in item.unit.steps if isinstance(step.does, model.CallStep)]
            first = item.unit.call or next(iter(calls), adapter.namespace)
            claim = first.partition(".")[0]
            tools.append(types.ToolPlan(item.unit.name, claim, item.hints, unit, at=item.unit.at))
        return types.McpPlan(
            adapter.namespace, adapter.address, adapter.port, self.capability.title,
            adapter.description or self.capability.description, tuple(tools),
            plan_resources(adapter, self._of_mcp(adapter), self.problems),
            plan_prompts(adapter, self._of_mcp(adapter), self.variables, self.problems), adapter.at,
        )  # fmt: skip

    def _of_mcp(self, adapter: model.McpAdapter) -> PlanUnit:
        return lambda unit: self._unit(unit, adapter.namespace, None, adapter.max_binary_bytes)


def _prompt_files(adapters: list[types.McpPlan]) -> list[str]:
    return [prompt.file for adapter in adapters for prompt in adapter.prompts if prompt.file is not None]


def _script_files(plan: types.CapabilityPlan) -> list[str]:
    steps = [step.does for unit in plan.units if unit.flow is not None for step in unit.flow.steps]
    return [file for does in steps if isinstance(does, ScriptRun) for file in does.script.files]


def _environment_binds(capability: model.Capability) -> list[model.Bind]:
    """`in: environment` parameters are variables of the environment by another spelling."""
    layers = [p for api in capability.consumes for p in api.parameters]
    layers += [p for api in capability.consumes for r in api.resources for p in r.parameters]
    layers += [p for api in capability.consumes for r in api.resources for o in r.operations for p in o.parameters]
    return [
        model.Bind("", {p.name: p.name}, None, {} if p.default is None else {p.name: to_text(p.default)}, at=p.at)
        for p in layers
        if p.where == "environment"
    ]


def _template_scopes(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if "." in name]


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


def _route_segment(parts: tuple[str | Hole, ...], slots: Mapping[str, str]) -> types.RouteSegment:
    if all(isinstance(part, str) for part in parts):
        return types.RouteSegment(unquote("".join(map(str, parts))))
    inputs = tuple(slots.get(part.name, part.name) for part in parts if isinstance(part, Hole))
    if len(parts) == 1:
        return types.RouteSegment(None, inputs)
    pattern = "".join("(.+?)" if isinstance(part, Hole) else re.escape(unquote(part)) for part in parts)
    return types.RouteSegment(None, inputs, pattern)
