"""Several capabilities -> one site: adapters that name the same port share it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from capstan.errors import LoadError, Problem
from capstan.plan.types import CapabilityPlan, McpPlan, RestOperationPlan, RestPlan, ToolPlan

_SAFE_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of one MCP endpoint, under the names they are published with."""

    title: str
    instructions: str
    tools: tuple[ToolPlan, ...]


@dataclass(frozen=True, slots=True)
class PortPlan:
    """Everything behind one port."""

    port: int
    addresses: tuple[str, ...]  # none: wherever the operator says
    title: str
    description: str
    operations: tuple[RestOperationPlan, ...]
    has_rest: bool
    endpoints: tuple[tuple[str, ToolSet], ...]  # MCP path -> tools


@dataclass(frozen=True, slots=True)
class Site:
    capabilities: tuple[CapabilityPlan, ...]
    ports: tuple[PortPlan, ...]
    stdio: ToolSet | None


def join_plans(plans: Iterable[CapabilityPlan]) -> tuple[Site, tuple[Problem, ...]]:
    """The site and the warnings met on the way.

    Raises:
        LoadError: two files want the same route.
    """
    capabilities = tuple(plans)
    problems: list[Problem] = []
    rest: dict[int, list[RestPlan]] = {}
    mcp: dict[int | None, list[McpPlan]] = {}
    for capability in capabilities:
        for adapter in capability.rest:
            rest.setdefault(adapter.port, []).append(adapter)
        for server in capability.mcp:
            mcp.setdefault(server.port, []).append(server)
    numbers = sorted({*rest, *(port for port in mcp if port is not None)})
    ports = tuple(_port(number, rest.get(number, []), mcp.get(number, []), problems) for number in numbers)
    stdio = _tool_set(mcp[None], problems) if None in mcp else None
    if any(problem.severity == "error" for problem in problems):
        raise LoadError(problems)
    return Site(capabilities, ports, stdio), tuple(problems)


def _port(number: int, rest: list[RestPlan], mcp: list[McpPlan], problems: list[Problem]) -> PortPlan:
    operations = [operation for adapter in rest for operation in adapter.operations]
    _check_routes(operations, problems)
    endpoints: list[tuple[str, ToolSet]] = []
    if mcp:
        endpoints.append(("/mcp", _tool_set(mcp, problems)))
        by_namespace: dict[str, list[McpPlan]] = {}
        for server in mcp:
            by_namespace.setdefault(server.namespace, []).append(server)
        endpoints += [(f"/{name}/mcp", _tool_set(servers)) for name, servers in by_namespace.items()]
    adapters: list[RestPlan] | list[McpPlan] = rest or mcp
    named = [adapter.address for adapter in rest] + [server.address for server in mcp]
    addresses = dict.fromkeys(address for address in named if address is not None)
    only = adapters[0] if len({adapter.title for adapter in adapters}) == 1 else None
    return PortPlan(
        port=number,
        addresses=tuple(addresses),
        title=only.title if only else f"{len(rest)} capabilities",
        description=only.description if only else ", ".join(dict.fromkeys(a.title for a in rest)),
        operations=tuple(operations),
        has_rest=bool(rest),
        endpoints=tuple(endpoints),
    )


def _check_routes(operations: list[RestOperationPlan], problems: list[Problem]) -> None:
    taken: dict[tuple[str, ...], RestOperationPlan] = {}
    for operation in operations:
        key = (operation.method, *(segment.key for segment in operation.segments))
        first = taken.setdefault(key, operation)
        if first is not operation:
            message = f"the route {operation.method} {operation.path} is taken by another file too"
            hint = f"first in {first.at.location()}; give one of them another path or port"
            problems.append(Problem("duplicate-route", message, operation.at.location(), hint))


def _tool_set(servers: list[McpPlan], problems: list[Problem] | None = None) -> ToolSet:
    """Tools merged; a name taken twice is told apart by the API behind it, for every claimant."""
    tools = [tool for server in servers for tool in server.tools]
    counts = Counter(tool.name for tool in tools)
    published: list[ToolPlan] = []
    taken: set[str] = set()
    for tool in tools:
        name = tool.name if counts[tool.name] == 1 else f"{tool.claim}__{tool.name}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        if problems is not None:
            _warn_of_name(tool, unique, problems)
        published.append(replace(tool, name=unique))
    only = len({server.title for server in servers}) == 1
    title = servers[0].title if only else "Capstan"
    instructions = (
        "\n".join(dict.fromkeys(s.description for s in servers if s.description)) if len(servers) <= 20 else ""
    )
    return ToolSet(title, instructions, tuple(published))


def _warn_of_name(tool: ToolPlan, name: str, problems: list[Problem]) -> None:
    if name != tool.name:
        message = f"the tool name '{tool.name}' is taken twice; this one is published as '{name}'"
        problems.append(Problem("duplicate-tool", message, tool.at.location(), severity="warning"))
    if not _SAFE_TOOL_NAME.fullmatch(name):
        message = f"the tool name '{name}' is refused by some clients"
        hint = "up to 64 of A-Z a-z 0-9 _ - are taken by all"
        problems.append(Problem("tool-name", message, tool.at.location(), hint, "warning"))
