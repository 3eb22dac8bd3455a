"""Three tools in place of many: one finds them, one describes them, one calls them."""

from __future__ import annotations

import difflib
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import mcp_types as types

from capstan.call.guard import Guard
from capstan.call.problem import problem_of, status_of
from capstan.call.unit import LiveUnit
from capstan.errors import BindError
from capstan.expose.calllog import log_call
from capstan.expose.mcp_results import failure
from capstan.expose.mcp_tools import listed, searching_units
from capstan.expose.word_index import WordIndex
from capstan.plan.site import CALL, SEARCH
from capstan.plan.types import ToolPlan

Params = types.CallToolRequestParams

_LONGEST_LINE: Final = 160
_NEAR: Final = 3
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s")


class ToolSearch:
    """The tools behind the three."""

    def __init__(self, plans: Sequence[ToolPlan], live: Mapping[int, LiveUnit]) -> None:
        self.units = {tool.name: live[id(tool.unit)] for tool in plans}
        self.flows = {tool.name: tool.unit.flow for tool in plans if tool.unit.flow is not None}
        self._plans = {plan.name: plan for plan in plans}
        self._entries = [_entry(plan) for plan in plans]
        self._index = WordIndex([_texts(plan) for plan in plans])
        units = searching_units(plans)
        self._guards = {unit.name: Guard(unit) for unit in units}
        self._about = units[0].description

    def take(self, params: Params) -> types.CallToolResult | tuple[LiveUnit, Params] | None:
        """What one of the three answers, or the call that `call-tool` is to make; None where it is none of them."""
        guard = self._guards.get(params.name)
        if guard is None:
            return None
        started = time.perf_counter()
        try:
            arguments = guard.check(params.arguments or {})
            if params.name == SEARCH:
                value = self._search(**arguments)
            else:
                live = self._unit(arguments["name"])
                if params.name == CALL:
                    called = {"name": arguments["name"], "arguments": arguments["arguments"]}
                    return live, params.model_copy(update=called)
                value = self._describe(arguments["name"], live)
        except BindError as error:
            log_call("mcp", guard.unit, status_of(error), started, error)
            return failure(problem_of(error), guard.unit)
        log_call("mcp", guard.unit, 200, started)
        text = types.TextContent(text=json.dumps(value, ensure_ascii=False))
        return types.CallToolResult(content=[text], structured_content=value)

    def _search(self, query: str, limit: int) -> dict[str, Any]:
        found = self._index.find(query)
        told: dict[str, Any] = {"found": len(found), "tools": [self._entries[number] for number in found[:limit]]}
        if not found:
            told["hint"] = f"no tool has such a word: {self._about}"
        elif len(found) > limit:
            told["hint"] = "more words find less, and 'limit' shows more"
        return told

    def _describe(self, name: str, live: LiveUnit) -> dict[str, Any]:
        told = listed(self._plans[name]).model_dump(by_alias=True, exclude_none=True, mode="json")
        return {**told, "effect": live.unit.effect}

    def _unit(self, name: str) -> LiveUnit:
        """
        Raises:
            BindError: there is no such tool; those of nearly that name are told.
        """
        live = self.units.get(name)
        if live is None:
            folded = {known.replace("-", "_").lower(): known for known in self.units}
            near = difflib.get_close_matches(name.replace("-", "_").lower(), folded, n=_NEAR)
            meant = " or ".join(f"'{folded[one]}'" for one in near)
            hint = f"did you mean {meant}?" if near else f"'{SEARCH}' finds tools by words"
            message = f"there is no tool '{name[:100]}' behind '{CALL}'"
            raise BindError("unknown-tool", message, hint=hint, argument="name")
        return live


# --- what is told of a tool


def _entry(plan: ToolPlan) -> dict[str, Any]:
    title = {"title": plan.unit.title} if plan.unit.title else {}
    return {"name": plan.name, **title, "description": _line(plan.unit.description), "effect": plan.unit.effect}


def _line(text: str) -> str:
    """The first sentence, if it is not too long for a list."""
    first = _SENTENCE.split(text.strip().partition("\n")[0], maxsplit=1)[0].strip()
    return first if len(first) <= _LONGEST_LINE else first[: _LONGEST_LINE - 4].rstrip() + " ..."


def _texts(plan: ToolPlan) -> list[tuple[str, float]]:
    inputs = " ".join(item.name for item in plan.unit.inputs)
    return [(plan.name, 6.0), (plan.unit.title or "", 4.0), (" ".join(plan.tags), 3.0), (plan.unit.description, 2.0),
            (inputs, 1.0)]  # fmt: skip
