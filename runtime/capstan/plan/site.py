"""Several capabilities -> one site: adapters that name the same port share it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from capstan.errors import LoadError, Problem
from capstan.plan.types import CapabilityPlan, McpPlan, RestOperationPlan, RestPlan, ToolPlan
from capstan.settings import is_loopback

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
    address: str | None  # None: wherever the operator says
    title: str
    version: str | None
    description: str
    operations: tuple[RestOperationPlan, ...]
    has_rest: bool
    endpoints: tuple[tuple[str, ToolSet], ...]  # MCP path -> tools


@dataclass(frozen=True, slots=True)
class Site:
    capabilities: tuple[CapabilityPlan, ...]
    ports: tuple[PortPlan, ...]
    stdio: ToolSet | None


def join_plans(plans: Iterable[CapabilityPlan], host: str | None = None) -> tuple[Site, tuple[Problem, ...]]:
    """The site and the warnings met on the way. `host`, where an operator names one, stands above every address.

    Raises:
        LoadError: two adapters want the same route, or one port at two addresses.
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
    ports = tuple(_port(number, rest.get(number, []), mcp.get(number, []), host, problems) for number in numbers)
    stdio = _tool_set(mcp[None], problems) if None in mcp else None
    if any(problem.severity == "error" for problem in problems):
        raise LoadError(problems)
    return Site(capabilities, ports, stdio), tuple(problems)


def _port(number: int, rest: list[RestPlan], mcp: list[McpPlan], host: str | None, problems: list[Problem]) -> PortPlan:
    operations = [operation for adapter in rest for operation in adapter.operations]
    _check_routes(operations, problems)
    endpoints: list[tuple[str, ToolSet]] = []
    if mcp:
        endpoints.append(("/mcp", _tool_set(mcp, problems)))
        by_namespace: dict[str, list[McpPlan]] = {}
        for server in mcp:
            by_namespace.setdefault(server.namespace, []).append(server)
        endpoints += [(f"/{name}/mcp", _tool_set(servers)) for name, servers in by_namespace.items()]
    taken = {path for path, _ in endpoints}
    for operation in operations:
        if operation.path in taken:
            message = f"the route {operation.path} is that of the MCP server on the same port"
            problems.append(Problem("duplicate-route", message, operation.at.location()))
    adapters: list[RestPlan] | list[McpPlan] = rest or mcp
    only = adapters[0] if len({adapter.title for adapter in adapters}) == 1 else None
    return PortPlan(
        port=number,
        address=host or _address(number, [*rest, *mcp], problems),
        title=only.title if only else f"{len(rest)} capabilities",
        version=rest[0].version if only and rest else None,
        description=only.description if only else ", ".join(dict.fromkeys(a.title for a in rest)),
        operations=tuple(operations),
        has_rest=bool(rest),
        endpoints=tuple(endpoints),
    )


def _address(number: int, adapters: list[RestPlan | McpPlan], problems: list[Problem]) -> str | None:
    """The one address of a port. One file must not open what another keeps on this machine."""
    first = adapters[0]
    for adapter in adapters[1:]:
        if _place(adapter) != _place(first):
            message = f"port {number} is at {_place(adapter)} here and at {_place(first)} in another adapter"
            hint = f"that is in {first.at.location()}; give both one address, or start with --host"
            problems.append(Problem("two-addresses", message, adapter.at.location(), hint))
    return first.address


def _place(adapter: RestPlan | McpPlan) -> str:
    return "127.0.0.1" if adapter.address is None or is_loopback(adapter.address) else adapter.address


def _check_routes(operations: list[RestOperationPlan], problems: list[Problem]) -> None:
    taken: dict[tuple[str, ...], RestOperationPlan] = {}
    for operation in operations:
        key = (operation.method, *(segment.key for segment in operation.segments))
        first = taken.setdefault(key, operation)
        if first is not operation:
            whose = "twice" if first.at.document is operation.at.document else "by another file too"
            message = f"the route {operation.method} {operation.path} is taken {whose}"
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
