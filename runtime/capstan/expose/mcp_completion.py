"""What an endpoint offers while an argument of a prompt, or a variable of a URI, is typed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError

from capstan.call.problem import status_of
from capstan.call.unit import LiveUnit
from capstan.errors import BindError, CallError
from capstan.expose.arguments import TextReader
from capstan.expose.calllog import log_fault, log_read
from capstan.expose.mcp_contents import error_of, our_fault
from capstan.plan.types import Completion, CompletionCall, PromptPlan, ResourcePlan
from capstan.plan.values import to_text

_MOST: Final = 100  # values of one answer, as the protocol has it


@dataclass(frozen=True, slots=True)
class _LookUp:
    live: LiveUnit
    arguments: TextReader


_Known = Sequence[str] | _LookUp


class LiveCompletions:
    def __init__(
        self, resources: Sequence[ResourcePlan], prompts: Sequence[PromptPlan], live: Mapping[int, LiveUnit]
    ) -> None:
        self._of_prompts = {
            prompt.name: {argument.name: _ready(argument.completion, live) for argument in prompt.arguments}
            for prompt in prompts
        }
        self._of_uris = {
            # As a URI is listed: a name has no `-` there.
            str(resource.uri): {
                hole.replace("-", "_"): (hole, _ready(dict(resource.completions).get(hole, ()), live))
                for hole in resource.uri.holes
            }
            for resource in resources
        }
        known = [known for arguments in self._of_prompts.values() for known in arguments.values()]
        known += [known for variables in self._of_uris.values() for _, known in variables.values()]
        self.there = any(known)

    async def complete(self, params: types.CompleteRequestParams) -> types.CompleteResult:
        """The values that begin with what is typed, then those that hold it.

        Raises:
            MCPError: there is no such argument, or the look-up failed.
        """
        name, typed = params.argument.name, params.argument.value
        before = (params.context.arguments if params.context is not None else None) or {}
        if isinstance(params.ref, types.PromptReference):
            arguments = self._of_prompts.get(params.ref.name)
            if arguments is None:
                raise MCPError(types.INVALID_PARAMS, f"there is no prompt '{params.ref.name[:100]}'")
            if name not in arguments:
                raise MCPError(types.INVALID_PARAMS, f"the prompt takes no argument '{name[:100]}'")
            known = arguments[name]
        else:
            variables = self._of_uris.get(params.ref.uri)
            if variables is None:
                raise MCPError(types.INVALID_PARAMS, f"there is no resource template '{params.ref.uri[:200]}'")
            if name not in variables:
                raise MCPError(types.INVALID_PARAMS, f"the uri has no variable '{name[:100]}'")
            before = {variables[key][0]: value for key, value in before.items() if key in variables}
            name, known = variables[name]
        if isinstance(known, _LookUp):
            known = await _looked_up(known, {**before, name: typed})
        found = _matching(known, typed)
        values, total = found[:_MOST], len(found)
        return types.CompleteResult(
            completion=types.Completion(values=values, total=total, has_more=total > len(values))
        )


def _ready(completion: Completion, live: Mapping[int, LiveUnit]) -> _Known:
    if not isinstance(completion, CompletionCall):
        return completion
    return _LookUp(live[id(completion.unit)], TextReader(completion.unit, completion.slots))


def _matching(values: Iterable[str], typed: str) -> list[str]:
    wanted = typed.casefold()
    beginning: list[str] = []
    holding: list[str] = []
    for value in dict.fromkeys(values):
        folded = value.casefold()
        if folded.startswith(wanted):
            beginning.append(value)
        elif wanted in folded:
            holding.append(value)
    return beginning + holding


async def _looked_up(known: _LookUp, typed: Mapping[str, str]) -> list[str]:
    """The values that an API knows. With what is typed so far there may be nothing yet to ask it for."""
    unit = known.live.unit
    started = time.perf_counter()
    error: CallError | None = None
    status = 500
    try:
        answer = await known.live.call(known.arguments.read({key: text for key, text in typed.items() if text}))
        status = answer.status
    except BindError as caught:
        error, status = caught, status_of(caught)
        return []
    except CallError as caught:
        error, status = caught, status_of(caught)
        raise error_of(caught) from caught
    except Exception as fault:
        log_fault("mcp", unit, fault)
        raise our_fault() from fault
    finally:
        log_read("mcp", unit.name, unit.effect, status, started, error)
    found: list[Any] = answer.value if isinstance(answer.value, list) else [answer.value]
    return [to_text(value) for value in found if isinstance(value, (str, int, float))]
