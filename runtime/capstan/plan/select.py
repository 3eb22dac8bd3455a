"""Which tools are published: selected by name, tag or effect, in a file or on the command line.

Of one kind any selector may match, and every kind that is there must: two tags and an effect are all tools of that
effect that have one tag or the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from capstan.errors import CapabilityError, Problem
from capstan.load import model
from capstan.load.schema import suggest
from capstan.plan.types import CapabilityPlan, ToolPlan


class SelectionError(CapabilityError):
    """What was selected on the command line is not there."""


def selected(tools: Sequence[ToolPlan], selection: model.Selection, problems: list[Problem]) -> tuple[ToolPlan, ...]:
    """The tools of an adapter that its file selects."""
    kept, faults = _chosen(tools, selection.selectors)
    for selector, message, hint in faults:
        at = selection.at if selector is None or selector.at is None else selector.at
        problems.append(Problem("nothing-selected", message, at.location(), hint))
    return kept


def select_tools(plans: Iterable[CapabilityPlan], selectors: Sequence[model.Selecting]) -> list[CapabilityPlan]:
    """The plans with the tools that an operator selects; all else stays.

    Raises:
        SelectionError: a selector matches no tool, or no tool is matched by all of them.
    """
    found = list(plans)
    if not selectors:
        return found
    tools = [tool for plan in found for adapter in plan.mcp for tool in adapter.tools]
    kept, faults = _chosen(tools, selectors)
    if faults:
        raise SelectionError("\n".join(f"{message}; {hint}" if hint else message for _, message, hint in faults))
    ids = {id(tool) for tool in kept}
    return [
        replace(plan, mcp=tuple(replace(a, tools=tuple(t for t in a.tools if id(t) in ids)) for a in plan.mcp))
        for plan in found
    ]


def with_list(plans: Iterable[CapabilityPlan], *, is_searched: bool | None) -> list[CapabilityPlan]:
    """The plans with their tools listed as an operator says; None: as the files say."""
    if is_searched is None:
        return list(plans)
    return [replace(plan, mcp=tuple(replace(a, is_searched=is_searched) for a in plan.mcp)) for plan in plans]


Fault = tuple[model.Selecting | None, str, str]  # the selector, what is wrong with it, a hint


def _chosen(
    tools: Sequence[ToolPlan], selectors: Sequence[model.Selecting]
) -> tuple[tuple[ToolPlan, ...], list[Fault]]:
    kinds: dict[str, set[int]] = {}
    faults: list[Fault] = []
    for selector in selectors:
        matched = {id(tool) for tool in tools if _matches(tool, selector)}
        kinds.setdefault(selector.kind, set()).update(matched)
        if not matched:
            hint = suggest(selector.text, _known(tools, selector.kind))
            faults.append((selector, f"no tool has the {selector.kind} '{selector.text}'", hint))
    kept = tuple(tool for tool in tools if all(id(tool) in ids for ids in kinds.values()))
    if not kept and not faults:
        faults.append((None, f"no tool has {' and '.join(f'such {_WITH_ARTICLE[kind]}' for kind in kinds)}", ""))
    return kept, faults


_WITH_ARTICLE = {"name": "a name", "tag": "a tag", "effect": "an effect"}


def _matches(tool: ToolPlan, selector: model.Selecting) -> bool:
    match selector.kind:
        case "name":
            return any(fnmatchcase(name, selector.text) for name in (tool.name, f"{tool.claim}__{tool.name}"))
        case "tag":
            return selector.text.casefold() in (tag.casefold() for tag in tool.tags)
        case "effect":
            return tool.unit.effect == selector.text


def _known(tools: Sequence[ToolPlan], kind: model.Selector) -> list[str]:
    match kind:
        case "name":
            return [tool.name for tool in tools]
        case "tag":
            return [tag for tool in tools for tag in tool.tags]
        case "effect":
            return [tool.unit.effect for tool in tools]
