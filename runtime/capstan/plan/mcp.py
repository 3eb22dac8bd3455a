"""Resources and prompts of an MCP adapter -> their plans. What they call is planned as any unit is."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import match_name
from capstan.load.files import is_file, is_folder
from capstan.load.schema import suggest
from capstan.plan import types
from capstan.plan.files import find, read_text
from capstan.plan.values import ABSENT, FromInput
from capstan.plan.variables import Variables

_NAME: Final = r"\s*([A-Za-z0-9_.-]+)\s*"
_PLACEHOLDER: Final = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{{_NAME}\}}\}}|\{{([A-Za-z0-9_.-]+)\}}")

PlanUnit = Callable[[model.Unit], tuple[types.UnitPlan, dict[str, str]]]
Text = tuple[str | FromInput, ...]


def plan_resources(
    adapter: model.McpAdapter, plan_unit: PlanUnit, problems: list[Problem]
) -> tuple[types.ResourcePlan, ...]:
    return tuple(_resource(item, adapter.max_binary_bytes, plan_unit, problems) for item in adapter.resources)


def _resource(
    item: model.McpResource, max_binary: int | None, plan_unit: PlanUnit, problems: list[Problem]
) -> types.ResourcePlan:
    slots: Mapping[str, str] = {}
    source: types.UnitPlan | types.FolderPlan
    if isinstance(item.source, model.Written):
        source = types.FolderPlan(find(item.source, is_folder, "folder", problems) or Path(), max_binary)
    else:
        source, slots = plan_unit(item.source)
        _check(item.source, source, slots, "variable of the uri", f"'{item.name}' is read", item.uri_at, problems)
        if item.binary and source.is_mapped and not item.source.refused:
            message = "what is put together here is JSON, and no binary content"
            problems.append(Problem("ambiguous-call", message, (item.at / "binary").location()))
        if not item.source.refused:
            _tell_unused(((name, item.uri_at) for name in item.uri.holes), slots, "variable", problems)
    return types.ResourcePlan(
        item.name, item.title, item.description or getattr(source, "description", ""), item.uri, item.mime_type,
        item.binary, source, tuple(slots.items()), at=item.at,
    )  # fmt: skip


def plan_prompts(
    adapter: model.McpAdapter, plan_unit: PlanUnit, variables: Variables, problems: list[Problem]
) -> tuple[types.PromptPlan, ...]:
    return tuple(_Prompt(item, plan_unit, variables, problems).plan(adapter.namespace) for item in adapter.prompts)


@dataclass(slots=True)
class _Prompt:
    """One prompt while it is being planned."""

    item: model.McpPrompt
    plan_unit: PlanUnit
    variables: Variables
    problems: list[Problem]

    def plan(self, claim: str) -> types.PromptPlan:
        item = self.item
        file: Path | None = None
        if isinstance(item.messages, model.Written):
            file = find(item.messages, is_file, "file", self.problems)
            text = read_text(file, item.messages.at, self.problems) if file is not None else ""
            messages: tuple[types.MessagePlan, ...] = (types.MessagePlan("user", self._text(text, item.messages.at)),)
        else:
            messages = tuple(types.MessagePlan(m.role, self._content(m)) for m in item.messages)
        refused = isinstance(item.messages, tuple) and any(getattr(m.content, "refused", False) for m in item.messages)
        if not refused:
            _tell_unused(((a.name, a.at) for a in item.arguments), _used(messages), "argument", self.problems)
        return types.PromptPlan(
            item.name, claim, item.title, item.description, tuple(self._argument(a, messages) for a in item.arguments),
            messages, str(file) if file is not None else None, at=item.at,
        )  # fmt: skip

    def _argument(
        self, argument: model.PromptArgument, messages: Sequence[types.MessagePlan]
    ) -> types.PromptArgumentPlan:
        """What is said of an argument; one that a call cannot do without is required, whatever the file says."""
        required = argument.required
        for message in messages:
            if isinstance(message.content, types.MessageCallPlan):
                name = dict(message.content.slots).get(argument.name)
                required = required or any(i.name == name and i.required for i in message.content.unit.inputs)
        return types.PromptArgumentPlan(argument.name, argument.title, argument.description, required)

    def _content(self, message: model.PromptMessage) -> Text | types.MessageCallPlan:
        if isinstance(message.content, str):
            return self._text(message.content, message.at)
        unit, slots = self.plan_unit(message.content)
        what = f"the prompt '{self.item.name}' is asked for"
        _check(message.content, unit, slots, "argument of the prompt", what, message.at, self.problems)
        return types.MessageCallPlan(unit, tuple(slots.items()))

    def _text(self, text: str, at: Place) -> Text:
        """A text with arguments in it. `{{x}}` must be one of them or a setting; `{x}` is text where it is none."""
        names = [argument.name for argument in self.item.arguments]
        parts: list[str | FromInput] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            name = match[1] or match[2]
            if name is None and match[3] not in names:
                continue
            parts.append(text[end : match.start()])
            parts.append(FromInput(match[3]) if name is None else self._value(name, names, at))
            end = match.end()
        parts.append(text[end:])
        return tuple(part for part in parts if part != "")

    def _value(self, name: str, names: list[str], at: Place) -> str | FromInput:
        found = match_name(name, names)
        if found is not None:
            return FromInput(found)
        if self.variables.is_setting(name):
            secret = self.variables.lookup(name, at, implicit=False)
            return secret.reveal() if secret is not None else ""
        if self.variables.declares(name):
            message = f"'{{{{{name}}}}}' would give a bound variable to whoever asks for the prompt"
            self.problems.append(Problem("secret-in-answer", message, at.location()))
        else:
            message = f"the prompt has no argument '{name}'"
            self.problems.append(Problem("unknown-name", message, at.location(), suggest(name, names)))
        return ""


def _used(messages: Sequence[types.MessagePlan]) -> set[str]:
    """The arguments that stand in a text or fill an input."""
    used: set[str] = set()
    for message in messages:
        if isinstance(message.content, types.MessageCallPlan):
            used |= {name for name, _ in message.content.slots}
        else:
            used |= {part.name for part in message.content if isinstance(part, FromInput)}
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
