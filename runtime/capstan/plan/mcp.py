"""Resources and prompts of an MCP adapter -> their plans. What they call is planned as any unit is."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.files import is_file, is_folder
from capstan.load.mcp import asked_parameters
from capstan.plan import types
from capstan.plan.content import BlockPlan, plan_blocks
from capstan.plan.files import find, read_text
from capstan.plan.mcp_completion import PlanUnit, enumerated, plan_completion
from capstan.plan.mcp_text import Text, Texts
from capstan.plan.values import ABSENT, FromInput
from capstan.plan.variables import Variables


def plan_resources(
    adapter: model.McpAdapter, plan_unit: PlanUnit, variables: Variables, problems: list[Problem]
) -> tuple[types.ResourcePlan, ...]:
    return tuple(
        _inline(item, item.source, plan_unit, variables, problems)
        if isinstance(item.source, model.Inline)
        else _resource(item, item.source, adapter.max_binary_bytes, plan_unit, problems)
        for item in adapter.resources
    )


def _inline(
    item: model.McpResource, said: model.Inline, plan_unit: PlanUnit, variables: Variables, problems: list[Problem]
) -> types.ResourcePlan:
    """A resource whose content is in the file."""
    completions = _completions(item, None, {}, plan_unit, problems)
    if isinstance(said.content, bytes):
        source, mime_type = types.InlinePlan(said.content), "application/octet-stream"
        used: Container[str] = ()
    else:
        texts = Texts(item.uri.holes, "uri has no variable", "reads it", variables, problems)
        parts = texts.parts(said.content, said.at)
        source, mime_type = types.InlinePlan(parts), "text/plain"
        used = {part.name for part in parts if isinstance(part, FromInput)}
    _tell_unused(((name, item.uri_at) for name in item.uri.holes), used, "variable", problems)
    return types.ResourcePlan(
        item.name, item.title, item.description, item.uri, item.mime_type or mime_type,
        isinstance(said.content, bytes), source, (), item.keeping, item.poll_seconds, completions, at=item.at,
    )  # fmt: skip


def _resource(
    item: model.McpResource,
    said: model.Unit | model.Written,
    max_binary: int | None,
    plan_unit: PlanUnit,
    problems: list[Problem],
) -> types.ResourcePlan:
    slots: Mapping[str, str] = {}
    source: types.UnitPlan | types.FolderPlan
    if isinstance(said, model.Written):
        source = types.FolderPlan(find(said, is_folder, "folder", problems) or Path(), max_binary)
    else:
        source, slots = plan_unit(said)
        _check_poll(item, source, problems)
        _check(said, source, slots, "variable of the uri", f"'{item.name}' is read", item.uri_at, problems)
        if item.binary and source.is_mapped and not said.refused:
            message = "what is put together here is JSON, and no binary content"
            problems.append(Problem("ambiguous-call", message, (item.at / "binary").location()))
        if not said.refused:
            _tell_unused(((name, item.uri_at) for name in item.uri.holes), slots, "variable", problems)
    unit = source if isinstance(source, types.UnitPlan) else None
    completions = _completions(item, unit, slots, plan_unit, problems)
    return types.ResourcePlan(
        item.name, item.title, item.description or getattr(source, "description", ""), item.uri, item.mime_type,
        item.binary, source, tuple(slots.items()), item.keeping, item.poll_seconds, completions, at=item.at,
    )  # fmt: skip


def _completions(
    item: model.McpResource,
    unit: types.UnitPlan | None,
    slots: Mapping[str, str],
    plan_unit: PlanUnit,
    problems: list[Problem],
) -> tuple[tuple[str, types.Completion], ...]:
    """What there is to offer for each variable: what the file says, else the values that its call knows."""
    found: dict[str, types.Completion] = {}
    for name in item.uri.holes:
        if values := enumerated([(unit, slots.get(name))] if unit is not None else []):
            found[name] = values
    found |= {name: plan_completion(said, plan_unit, problems) for name, said in item.completions}
    return tuple(found.items())


def _check_poll(item: model.McpResource, unit: types.UnitPlan, problems: list[Problem]) -> None:
    """Nobody is there who would want that something changes again and again."""
    if item.poll_seconds is not None and unit.effect != "read":
        message = "what is read every so often must change nothing, and a call of it does"
        hint = "if it changes nothing, say 'effect: read' at the consumed operation"
        problems.append(Problem("unsafe-read", message, (item.at / "poll").location(), hint))


def plan_prompts(
    adapter: model.McpAdapter,
    plan_unit: PlanUnit,
    plan_asks: PlanUnit,
    variables: Variables,
    problems: list[Problem],
) -> tuple[types.PromptPlan, ...]:
    prompts = (_Prompt(item, plan_unit, plan_asks, variables, problems) for item in adapter.prompts)
    return tuple(prompt.plan(adapter.namespace) for prompt in prompts)


@dataclass(slots=True)
class _Prompt:
    """One prompt while it is being planned."""

    item: model.McpPrompt
    plan_unit: PlanUnit
    plan_asks: PlanUnit
    variables: Variables
    problems: list[Problem]

    def plan(self, claim: str) -> types.PromptPlan:
        item = self.item
        file: Path | None = None
        asks: types.MessageCallPlan | None = None
        if item.asks is not None:
            unit, slots = self.plan_asks(item.asks)
            asks = types.MessageCallPlan(unit, tuple(slots.items()))
        if isinstance(item.messages, model.Written):
            file = find(item.messages, is_file, "file", self.problems)
            text = read_text(file, item.messages.at, self.problems) if file is not None else ""
            parts = self._texts().parts(text, item.messages.at)
            messages: tuple[types.MessagePlan, ...] = (types.MessagePlan("user", parts),)
        else:
            messages = tuple(types.MessagePlan(m.role, content) for m in item.messages for content in self._contents(m))
        refused = isinstance(item.messages, tuple) and any(getattr(m.content, "refused", False) for m in item.messages)
        if not refused:
            _tell_unused(((a.name, a.at) for a in item.arguments), _used(messages, asks), "argument", self.problems)
        return types.PromptPlan(
            item.name, claim, item.title, item.description, tuple(self._argument(a, messages) for a in item.arguments),
            messages, str(file) if file is not None else None, asks, at=item.at,
        )  # fmt: skip

    def _argument(
        self, argument: model.PromptArgument, messages: Sequence[types.MessagePlan]
    ) -> types.PromptArgumentPlan:
        """What is said of an argument; one that a call cannot do without is required, whatever the file says."""
        called = [message.content for message in messages if isinstance(message.content, types.MessageCallPlan)]
        filled = [(call.unit, dict(call.slots).get(argument.name)) for call in called]
        required = argument.required or any(
            item.name == name and item.required for unit, name in filled for item in unit.inputs
        )
        completion: types.Completion = argument.enum or enumerated(filled)
        if argument.completion is not None:
            completion = plan_completion(argument.completion, self.plan_unit, self.problems)
        return types.PromptArgumentPlan(
            argument.name, argument.title, argument.description, required, argument.enum, completion
        )

    def _contents(self, message: model.PromptMessage) -> Iterator[Text | BlockPlan | types.MessageCallPlan]:
        """A message of the protocol has one content: several make as many messages."""
        if isinstance(message.content, str):
            yield self._texts().parts(message.content, message.at)
        elif isinstance(message.content, tuple):
            yield from plan_blocks(message.content, self._texts().parts, self.problems)
        else:
            yield self._call(message, message.content)

    def _texts(self) -> Texts:
        names = [argument.name for argument in self.item.arguments]
        names += [parameter.name for parameter in asked_parameters(self.item.asks)] if self.item.asks else []
        return Texts(names, "prompt has no argument", "asks for the prompt", self.variables, self.problems)

    def _call(self, message: model.PromptMessage, said: model.Unit) -> types.MessageCallPlan:
        unit, slots = self.plan_unit(said)
        what = f"the prompt '{self.item.name}' is asked for"
        _check(said, unit, slots, "argument of the prompt", what, message.at, self.problems)
        return types.MessageCallPlan(unit, tuple(slots.items()))


def _used(messages: Sequence[types.MessagePlan], asks: types.MessageCallPlan | None) -> set[str]:
    """The arguments that stand in a text or fill an input."""
    used = {name for name, _ in asks.slots} if asks is not None else set()
    for message in messages:
        if isinstance(message.content, types.MessageCallPlan):
            used |= {name for name, _ in message.content.slots}
        else:
            texts = (
                [text.parts for _, text in message.content.filled]
                if isinstance(message.content, BlockPlan)
                else [message.content]
            )
            used |= {part.name for parts in texts for part in parts if isinstance(part, FromInput)}
    return used


def _tell_unused(given: Iterable[tuple[str, Place]], used: Container[str], kind: str, problems: list[Problem]) -> None:
    for name, at in given:
        if name not in used:
            message = f"the {kind} '{name}' is used by nothing"
            problems.append(Problem("unused-input", message, at.location(), severity="warning"))


def _check(
    unit: model.Unit,
    plan: types.UnitPlan,
    slots: Mapping[str, str],
    giver: str,
    what: str,
    at: Place,
    problems: list[Problem],
) -> None:
    """Nobody but the URI or the prompt gives an argument, and nobody expects that asking changes anything."""
    if unit.refused:
        return
    given = set(slots.values())
    for item in plan.inputs:
        if item.required and item.default is ABSENT and item.name not in given:
            message = f"'{item.name}' is needed, and no {giver} gives it"
            problems.append(Problem("unfilled-input", message, at.location(), f"add '{item.name}: ...' to 'with'"))
    if plan.effect != "read":
        kind = "an irreversible" if plan.effect == "irreversible" else f"a {plan.effect}"
        message = f"whenever {what}, {kind} call is made"
        hint = "if it changes nothing, say 'effect: read' at the consumed operation; else make it a tool"
        place = (unit.call_at or unit.at).location()
        problems.append(Problem("unsafe-read", message, place, hint, "warning"))
