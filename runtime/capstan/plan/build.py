"""Typed capability -> plan. Joins the parts; collects every problem before giving up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from capstan.errors import LoadError, Problem, in_file_order
from capstan.load import model, read
from capstan.load.document import Place
from capstan.load.expression import Hole, fold
from capstan.load.units import units_of
from capstan.plan import types
from capstan.plan.consumed import Consumed
from capstan.plan.content import BlockPlan
from capstan.plan.credentials import Credentials
from capstan.plan.fields import with_fields
from capstan.plan.flow import ScriptRun
from capstan.plan.forward import plan_forward
from capstan.plan.mcp import plan_prompts, plan_resources
from capstan.plan.mcp_completion import PlanUnit
from capstan.plan.origin import host_names
from capstan.plan.responses import plan_replies
from capstan.plan.select import selected
from capstan.plan.site import join_plans
from capstan.plan.target import Target
from capstan.plan.unit import limited, plan_unit
from capstan.plan.values import to_text
from capstan.plan.variables import Variables

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
        self.problems: list[Problem] = []
        self.credentials = Credentials(capability.binds, self.variables, self.problems)
        self.consumed = Consumed(capability, self.variables, self.credentials, base_uris, self.problems)

    def problem(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self.problems.append(Problem(code, message, at.location(), hint))

    def build(self) -> tuple[types.CapabilityPlan, list[Problem]]:
        capability = self.capability
        self._check_namespaces()
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
        hosts = {name for api in capability.consumes for name in host_names(api.base_uri)}
        plan = types.CapabilityPlan(
            capability.file,
            (*capability.sources, *self.variables.files, *self.consumed.answer_schemas, *_read_files(mcp)),
            capability.title, capability.description,
            self.consumed.apis, tuple(rest), tuple(mcp), self.credentials.secrets(hosts), self._control(),
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

    def _check_namespaces(self) -> None:
        for kind, items in (("consumes", self.capability.consumes), ("exposes", self.capability.exposes),
                            ("aggregates", self.capability.aggregates)):  # fmt: skip
            seen: dict[str, Place] = {}
            for item in items:
                first = seen.setdefault(item.namespace, item.at)
                if first is not item.at:
                    self.problem("duplicate-namespace", f"the namespace '{item.namespace}' is taken twice in '{kind}'",
                                 item.at / "namespace", f"first in line {first.location().line}")  # fmt: skip

    def _unit(
        self, unit: model.Unit, namespace: str, rest: model.RestOperation | None, max_binary: int | None = None
    ) -> tuple[types.UnitPlan, dict[str, str]]:
        target = self.consumed.find(unit, rest)
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
        return self.consumed.find(replace(unit, call=step.does.call, call_at=step.does.at), None)

    def _rest(self, adapter: model.RestAdapter) -> types.RestPlan:
        operations: list[types.RestOperationPlan] = []
        taken: dict[tuple[str, ...], model.RestOperation] = {}
        for item in adapter.operations:
            unit, slots = self._unit(item.unit, adapter.namespace, item, adapter.max_binary_bytes)
            self._refuse_questions(item.unit, "on REST nobody can be asked", "expose it as a tool of an MCP adapter")
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
        target = self.consumed.forwarded(forward)
        if target is None:
            return None
        return plan_forward(forward, adapter.namespace, target, operations, self.variables, self.problems)

    def _mcp(self, adapter: model.McpAdapter) -> types.McpPlan:
        tools: list[types.ToolPlan] = []
        before = len(self.problems)
        for item in adapter.tools:
            unit, _ = self._unit(item.unit, adapter.namespace, None, adapter.max_binary_bytes)
            if not item.unit.refused:
                unit = with_fields(item, unit, self.problems, of_all=adapter.fields)
            calls = [step.does.call for step in item.unit.steps if isinstance(step.does, model.CallStep)]
            first = item.unit.call or next(iter(calls), adapter.namespace)
            claim = first.partition(".")[0]
            tags = tuple(dict.fromkeys((*item.tags, *self.capability.tags)))
            tools.append(types.ToolPlan(item.unit.name, claim, item.hints, unit, at=item.unit.at, tags=tags))
        return types.McpPlan(
            adapter.namespace, adapter.address, adapter.port, self.capability.title,
            adapter.description or self.capability.description, self._selected(adapter, tools, before),
            plan_resources(adapter, self._of_mcp(adapter), self.variables, self.problems),
            plan_prompts(
                adapter, self._of_mcp(adapter), self._plain_of(adapter), self.variables, self.problems
            ), adapter.keeping, adapter.at,
            is_searched=adapter.is_searched,
        )  # fmt: skip

    def _selected(
        self, adapter: model.McpAdapter, tools: list[types.ToolPlan], before: int
    ) -> tuple[types.ToolPlan, ...]:
        if adapter.select is None:
            return tuple(tools)
        # What is wrong with a tool may be why it is not selected.
        wrong = any(item.unit.refused for item in adapter.tools) or any(
            problem.severity == "error" for problem in self.problems[before:]
        )
        return selected(tools, adapter.select, [] if wrong else self.problems)

    def _of_mcp(self, adapter: model.McpAdapter) -> PlanUnit:
        def plan(unit: model.Unit) -> tuple[types.UnitPlan, dict[str, str]]:
            hint = "ask in a tool, or in the 'inputs' of a prompt"
            self._refuse_questions(unit, "what is only read or prompted asks nobody", hint)
            return self._plain_of(adapter)(unit)

        return plan

    def _plain_of(self, adapter: model.McpAdapter) -> PlanUnit:
        return lambda unit: self._unit(unit, adapter.namespace, None, adapter.max_binary_bytes)

    def _refuse_questions(self, unit: model.Unit, why: str, hint: str) -> None:
        for step in unit.steps:
            if isinstance(step.does, model.AskStep):
                self.problem("nobody-to-ask", f"'{step.name}' asks, and {why}", step.at, hint)


def _read_files(adapters: list[types.McpPlan]) -> list[str]:
    """The files that are a part of a prompt, or of what a tool answers."""
    prompts = [prompt.file for adapter in adapters for prompt in adapter.prompts]
    contents = [tool.unit.content for adapter in adapters for tool in adapter.tools]
    blocks = [block for content in contents if content is not None for block in content.blocks]
    messages = [message.content for adapter in adapters for prompt in adapter.prompts for message in prompt.messages]
    blocks += [content for content in messages if isinstance(content, BlockPlan)]
    return [file for file in (*prompts, *(block.file for block in blocks)) if file is not None]


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


def _route_segment(parts: tuple[str | Hole, ...], slots: Mapping[str, str]) -> types.RouteSegment:
    if all(isinstance(part, str) for part in parts):
        return types.RouteSegment(unquote("".join(map(str, parts))))
    inputs = tuple(slots.get(part.name, part.name) for part in parts if isinstance(part, Hole))
    if len(parts) == 1:
        return types.RouteSegment(None, inputs)
    return types.RouteSegment(None, inputs, _segment_pattern(parts))


def _segment_pattern(parts: tuple[str | Hole, ...]) -> str:
    """Every variable ends where the text after it begins first, and the last with the segment.

    What is found is kept (`?>`): looking for another place would find no more, and take a long path time that goes
    with a power of its length.
    """
    literals = [""]
    for part in parts:
        if isinstance(part, Hole):
            literals.append("")
        else:
            literals[-1] += re.escape(unquote(part))
    first, *between, last = literals
    return first + "".join(f"(?>(.+?){literal})" for literal in between) + f"(.+){last}"
