"""The prompts of one MCP endpoint: which there are, and the messages of one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from capstan.call.conversation import Conversation, Unanswered
from capstan.call.problem import status_of
from capstan.call.unit import LiveUnit
from capstan.errors import BindError, CallError
from capstan.expose.arguments import TextReader
from capstan.expose.calllog import log_fault, log_read
from capstan.expose.mcp_contents import block_of, content_block, error_of, fill_text, our_fault, read_answer
from capstan.load.schema import suggest
from capstan.plan.content import BlockPlan, fill
from capstan.plan.mcp_text import Text
from capstan.plan.types import MessageCallPlan, PromptPlan
from capstan.plan.values import to_text


@dataclass(frozen=True, slots=True)
class _Called:
    """A message that is what a unit answers."""

    live: LiveUnit
    arguments: TextReader


class LivePrompts:
    def __init__(self, plans: Sequence[PromptPlan], live: Mapping[int, LiveUnit]) -> None:
        self._prompts = {plan.name: _LivePrompt(plan, live) for plan in plans}
        self.listed = [_prompt(plan) for plan in plans]

    async def get(
        self, name: str, arguments: Mapping[str, str], limit: int, conversation: Conversation | None = None
    ) -> types.GetPromptResult:
        """The messages of a prompt.

        Raises:
            MCPError: there is no such prompt, its arguments do not fit, or a call behind it failed.
        """
        prompt = self._prompts.get(name)
        if prompt is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no prompt '{name[:100]}'")
        started = time.perf_counter()
        error: CallError | None = None
        status = 500
        try:
            result = await prompt.get(arguments, limit, conversation)
            status = 200
        except CallError as caught:
            error, status = caught, status_of(caught)
            raise error_of(caught) from caught
        except Unanswered:
            status = 202
            raise
        except MCPError:  # the client cannot be asked
            status = 400
            raise
        except Exception as fault:
            log_fault("mcp", prompt.plan, fault)
            raise our_fault() from fault
        finally:
            log_read("mcp", name, prompt.effect, status, started, error)
        return result


class _LivePrompt:
    def __init__(self, plan: PromptPlan, live: Mapping[int, LiveUnit]) -> None:
        self.plan = plan
        self._asks = None if plan.asks is None else _called(plan.asks, live)
        self._names = frozenset(argument.name for argument in plan.arguments)
        self._messages: list[tuple[types.Role, Text | BlockPlan | _Called]] = [
            (m.role, _called(m.content, live) if isinstance(m.content, MessageCallPlan) else m.content)
            for m in plan.messages
        ]
        self.effect = next((unit.effect for unit in plan.units if unit.effect != "read"), "read")

    async def get(
        self, arguments: Mapping[str, str], limit: int, conversation: Conversation | None
    ) -> types.GetPromptResult:
        self._check(arguments)
        if self._asks is not None:
            given = await self._asks.live.call(self._asks.arguments.read(arguments), conversation)
            arguments = {**arguments, **_answers(given.value)}
        messages = []
        changed = False  # by a message before
        for role, content in self._messages:
            block: types.ContentBlock
            if isinstance(content, _Called):
                block = await _answer(content, arguments, limit, changed=changed)
                changed = changed or content.live.unit.effect != "read"
            elif isinstance(content, BlockPlan):
                (fields,) = fill((content,), arguments, limit)
                block = block_of(fields)
            else:
                block = types.TextContent(text=fill_text(content, arguments, limit))
            messages.append(types.PromptMessage(role=role, content=block))
        return types.GetPromptResult(description=self.plan.description or None, messages=messages)

    def _check(self, arguments: Mapping[str, str]) -> None:
        for name in arguments:
            if name not in self._names:
                raise BindError("unknown-argument", f"the prompt takes no argument '{name[:100]}'",
                                hint=suggest(name[:100], self._names), argument=name[:100])  # fmt: skip
        for argument in self.plan.arguments:
            if argument.required and argument.name not in arguments:
                raise BindError("missing-argument", f"'{argument.name}' is missing", argument=argument.name)
            if argument.enum and arguments.get(argument.name, argument.enum[0]) not in argument.enum:
                raise BindError("bad-argument", f"'{argument.name}' is not one of {', '.join(argument.enum)}",
                                argument=argument.name)  # fmt: skip


def _answers(given: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What was answered, as arguments: `confirm.reason`."""
    found = ((f"{step}.{name}", value) for step, answer in given.items() for name, value in answer.items())
    return {name: to_text(value) for name, value in found if value is not None}


def _called(call: MessageCallPlan, live: Mapping[int, LiveUnit]) -> _Called:
    return _Called(live[id(call.unit)], TextReader(call.unit, call.slots))


async def _answer(called: _Called, arguments: Mapping[str, str], limit: int, *, changed: bool) -> types.ContentBlock:
    """The message; `changed` says that one before it has done something, which a failure here does not undo."""
    try:
        answer = await called.live.call(called.arguments.read(arguments))
        return content_block(await read_answer(answer, limit), called.live.unit.name)
    except CallError as error:
        if changed:
            error.outcome, error.retry_safe = "partly", False
        raise


def _prompt(plan: PromptPlan) -> types.Prompt:
    arguments = [
        types.PromptArgument(name=a.name, title=a.title, description=a.description or None, required=a.required)
        for a in plan.arguments
    ]
    return types.Prompt(
        name=plan.name, title=plan.title, description=plan.description or None, arguments=arguments or None
    )
