"""Several capabilities -> one site: adapters that name the same port share it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from capstan.errors import LoadError, Problem
from capstan.load.model import Keeping
from capstan.plan.types import (
    CapabilityPlan,
    ControlPlan,
    FolderPlan,
    ForwardPlan,
    McpPlan,
    PromptPlan,
    ResourcePlan,
    RestOperationPlan,
    RestPlan,
    ToolPlan,
)
from capstan.settings import is_loopback

SEARCH, DESCRIBE, CALL = SEARCHING = ("search-tools", "describe-tool", "call-tool")  # in place of many tools
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Named = TypeVar("Named", ToolPlan, PromptPlan)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one MCP endpoint offers, under the names it is published with."""

    title: str
    instructions: str
    tools: tuple[ToolPlan, ...]
    resources: tuple[ResourcePlan, ...]
    prompts: tuple[PromptPlan, ...]
    keeping: Keeping
    searched: tuple[ToolPlan, ...] = ()  # tools that are found, described and called by three others


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
    endpoints: tuple[tuple[str, Offer], ...]  # MCP path -> what is there
    forwards: tuple[ForwardPlan, ...] = ()
    controls: tuple[ControlPlan, ...] = ()  # a port that has some has nothing else


@dataclass(frozen=True, slots=True)
class Site:
    capabilities: tuple[CapabilityPlan, ...]
    ports: tuple[PortPlan, ...]
    stdio: Offer | None


def join_plans(plans: Iterable[CapabilityPlan], host: str | None = None) -> tuple[Site, tuple[Problem, ...]]:
    """The site and the warnings met on the way. `host`, where an operator names one, stands above every address.

    Raises:
        LoadError: two adapters want the same route, or one port at two addresses.
    """
    capabilities = tuple(plans)
    problems: list[Problem] = []
    rest: dict[int, list[RestPlan]] = {}
    mcp: dict[int | None, list[McpPlan]] = {}
    controls: dict[int, list[ControlPlan]] = {}
    for capability in capabilities:
        for adapter in capability.rest:
            rest.setdefault(adapter.port, []).append(adapter)
        for server in capability.mcp:
            mcp.setdefault(server.port, []).append(server)
        if capability.control is not None:
            controls.setdefault(capability.control.port, []).append(capability.control)
    numbers = sorted({*rest, *(port for port in mcp if port is not None)})
    ports = tuple(_port(number, rest.get(number, []), mcp.get(number, []), host, problems) for number in numbers)
    ports += tuple(_control_port(number, found, ports, host, problems) for number, found in sorted(controls.items()))
    stdio = _offer(mcp[None], problems) if None in mcp else None
    if any(problem.severity == "error" for problem in problems):
        raise LoadError(problems)
    return Site(capabilities, ports, stdio), tuple(problems)


def _port(number: int, rest: list[RestPlan], mcp: list[McpPlan], host: str | None, problems: list[Problem]) -> PortPlan:
    operations = [operation for adapter in rest for operation in adapter.operations]
    forwards = [forward for adapter in rest for forward in adapter.forwards]
    _check_routes(operations, problems)
    _check_forwards(forwards, problems)
    endpoints: list[tuple[str, Offer]] = []
    if mcp:
        endpoints.append(("/mcp", _offer(mcp, problems)))
        by_namespace: dict[str, list[McpPlan]] = {}
        for server in mcp:
            by_namespace.setdefault(server.namespace, []).append(server)
        endpoints += [(f"/{name}/mcp", _offer(servers)) for name, servers in by_namespace.items()]
    taken = {path for path, _ in endpoints}
    routes: list[RestOperationPlan | ForwardPlan] = [*operations, *forwards]
    for route in routes:
        if route.path in taken:
            message = f"the route {route.path} is that of the MCP server on the same port"
            problems.append(Problem("duplicate-route", message, route.at.location()))
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
        forwards=tuple(forwards),
    )


def _control_port(
    number: int, controls: list[ControlPlan], others: Iterable[PortPlan], host: str | None, problems: list[Problem]
) -> PortPlan:
    """Control adapters share a port with each other alone: who may call must not be who may operate."""
    if any(port.port == number for port in others):
        message = f"port {number} is another adapter's too; a control adapter has one of its own"
        problems += [Problem("shared-control", message, (control.at / "port").location()) for control in controls]
    return PortPlan(
        port=number, address=host or _address(number, [*controls], problems), title="control", version=None,
        description="", operations=(), has_rest=False, endpoints=(), controls=tuple(controls),
    )  # fmt: skip


def _address(number: int, adapters: list[RestPlan | McpPlan | ControlPlan], problems: list[Problem]) -> str | None:
    """The one address of a port. One file must not open what another keeps on this machine."""
    first = adapters[0]
    for adapter in adapters[1:]:
        if _place(adapter) != _place(first):
            message = f"port {number} is at {_place(adapter)} here and at {_place(first)} in another adapter"
            hint = f"that is in {first.at.location()}; give both one address, or start with --host"
            problems.append(Problem("two-addresses", message, adapter.at.location(), hint))
    return first.address


def _place(adapter: RestPlan | McpPlan | ControlPlan) -> str:
    return "127.0.0.1" if adapter.address is None or is_loopback(adapter.address) else adapter.address


def _check_routes(operations: list[RestOperationPlan], problems: list[Problem]) -> None:
    taken: dict[tuple[str, ...], RestOperationPlan] = {}
    for operation in operations:
        key = (operation.method, *operation.key)
        first = taken.setdefault(key, operation)
        if first is not operation:
            whose = "twice" if first.at.document is operation.at.document else "by another file too"
            message = f"the route {operation.method} {operation.path} is taken {whose}"
            hint = f"first in {first.at.location()}; give one of them another path or port"
            problems.append(Problem("duplicate-route", message, operation.at.location(), hint))


def _check_forwards(forwards: list[ForwardPlan], problems: list[Problem]) -> None:
    taken: dict[tuple[str, ...], ForwardPlan] = {}
    for forward in forwards:
        first = taken.setdefault(forward.key, forward)
        if first is not forward:
            message = f"requests of {forward.path} are forwarded twice"
            hint = f"first in {first.at.location()}; give one of them another path or port"
            problems.append(Problem("duplicate-route", message, forward.at.location(), hint))


def _offer(servers: list[McpPlan], problems: list[Problem] | None = None) -> Offer:
    """Everything merged; a name taken twice is told apart by where it comes from, for every claimant."""
    is_searched = [server.is_searched for server in servers for _ in server.tools]
    reserved = SEARCHING if any(is_searched) else ()
    published = _published([tool for server in servers for tool in server.tools], problems, reserved)
    tools = tuple(tool for tool, hidden in zip(published, is_searched, strict=True) if not hidden)
    searched = tuple(tool for tool, hidden in zip(published, is_searched, strict=True) if hidden)
    prompts = _published([prompt for server in servers for prompt in server.prompts], problems)
    resources = tuple(resource for server in servers for resource in server.resources)
    if problems is not None:
        _check_uris(resources, problems)
    only = len({server.title for server in servers}) == 1
    title = servers[0].title if only else "Capstan"
    instructions = (
        "\n".join(dict.fromkeys(s.description for s in servers if s.description)) if len(servers) <= 20 else ""
    )
    keeping = _shortest([server.keeping for server in servers])
    return Offer(title, instructions, tools, resources, prompts, keeping, searched)


def _shortest(said: list[Keeping]) -> Keeping:
    """What holds for a list that several adapters make: no part of it is kept for longer than it may be."""
    is_public = all(one.scope == "public" for one in said)
    return Keeping(min(one.ttl_ms for one in said), "public" if is_public else "private")


def _published(items: list[Named], problems: list[Problem] | None, reserved: tuple[str, ...] = ()) -> tuple[Named, ...]:
    counts = Counter([*reserved, *(item.name for item in items)])
    published: list[Named] = []
    taken = {*reserved}
    for item in items:
        name = item.name if counts[item.name] == 1 else f"{item.claim}__{item.name}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        if problems is not None:
            _warn_of_name(item, unique, problems)
        published.append(replace(item, name=unique))
    return tuple(published)


def _warn_of_name(item: ToolPlan | PromptPlan, name: str, problems: list[Problem]) -> None:
    is_tool = isinstance(item, ToolPlan)
    kind = "tool" if is_tool else "prompt"
    if name != item.name:
        message = f"the {kind} name '{item.name}' is taken twice; this one is published as '{name}'"
        at = item.at.location()
        problems.append(Problem("duplicate-tool" if is_tool else "duplicate-prompt", message, at, severity="warning"))
    if not _SAFE_NAME.fullmatch(name):
        message = f"the {kind} name '{name}' is refused by some clients"
        hint = "up to 64 of A-Z a-z 0-9 _ - are taken by all"
        at = item.at.location()
        problems.append(Problem("tool-name" if is_tool else "prompt-name", message, at, hint, "warning"))


def _check_uris(resources: tuple[ResourcePlan, ...], problems: list[Problem]) -> None:
    """Two resources that would answer to one URI, or a folder that lies in the URIs of another."""
    taken: dict[str, ResourcePlan] = {}
    folders: list[tuple[str, ResourcePlan]] = []
    for resource in resources:
        key = resource.uri.key.rstrip("/") if isinstance(resource.source, FolderPlan) else resource.uri.key
        first = taken.setdefault(key, resource)
        if isinstance(resource.source, FolderPlan):
            first = next((r for k, r in folders if f"{key}/".startswith(f"{k}/") or k.startswith(f"{key}/")), first)
            folders.append((key, resource))
        if first is not resource:
            whose = "twice" if first.at.document is resource.at.document else "by another file too"
            message = f"the uri {resource.uri} is taken {whose}"
            hint = f"first in {first.at.location()}; give one of them another uri or port"
            problems.append(Problem("duplicate-uri", message, (resource.at / "uri").location(), hint))
