"""What one MCP endpoint offers, ready to list and to call. Replaced as a whole on a reload; sessions stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from opentelemetry import trace

from capstan.call.conversation import Conversation
from capstan.call.unit import LiveUnit
from capstan.expose.mcp_completion import LiveCompletions
from capstan.expose.mcp_prompts import LivePrompts
from capstan.expose.mcp_resources import NOT_LISTED, LiveResources
from capstan.expose.mcp_search import ToolSearch
from capstan.expose.mcp_tools import listed_tools
from capstan.plan.headers import has_headers
from capstan.plan.site import CALL, Offer
from capstan.plan.types import FlowPlan

T = TypeVar("T")

_CALL: Final = f"tools/call {CALL}"


class LiveOffer:
    def __init__(self, offer: Offer, live: Mapping[int, LiveUnit], page_size: int) -> None:
        self.title = offer.title
        self.instructions = offer.instructions
        self.units = {tool.name: live[id(tool.unit)] for tool in offer.tools}
        self.tools = listed_tools(offer)
        self.search = ToolSearch(offer.searched, live) if offer.searched else None
        schemas = {tool.name: tool.unit.input_schema for tool in offer.tools}
        self._with_headers = {name: schema for name, schema in schemas.items() if has_headers(schema)}
        self.resources = LiveResources(offer.resources, live)
        self.prompts = LivePrompts(offer.prompts, live)
        self.completions = LiveCompletions(offer.resources, offer.prompts, live)
        # What may say something before it answers.
        flows = [("tools/call", tool.name, tool.unit.flow) for tool in offer.tools]
        flows += [("prompts/get", prompt.name, prompt.asks.unit.flow) for prompt in offer.prompts if prompt.asks]
        self._talking = {f"{method} {name}": flow for method, name, flow in flows if flow is not None}
        behind = self.search.flows if self.search is not None else {}
        self.may_talk = frozenset({*self._talking, _CALL} if behind else self._talking)
        self.has_logs = any(flow.logs for flow in (*self._talking.values(), *behind.values()))
        self.has_resources, self.has_prompts = bool(offer.resources), bool(offer.prompts)
        # An endpoint that offers nothing at all still says that it is one of tools.
        self.has_tools = bool(self.tools) or not (offer.resources or offer.prompts)
        self._page_size = page_size
        self._kept: Any = {"ttl_ms": offer.keeping.ttl_ms, "cache_scope": offer.keeping.scope}

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """What the SDK holds the headers of a call against: where none are declared it need not search for them."""
        return self._with_headers.get(name)

    def flow_of(self, what: str, behind: str = "") -> FlowPlan | None:
        """The flow that a request would run, by its method and name, and that of a tool which is called by another."""
        if self.search is not None and what == _CALL:
            return self.search.flows.get(behind)
        return self._talking.get(what)

    def take(
        self, params: types.CallToolRequestParams
    ) -> types.CallToolResult | tuple[LiveUnit, types.CallToolRequestParams]:
        """What a tool that stands in for others answers, or the call of another that it makes.

        Raises:
            MCPError: there is no tool of that name.
        """
        taken = self.search.take(params) if self.search is not None else None
        if taken is None:
            hidden = self.search is not None and params.name in self.search.units
            hint = f"; '{CALL}' calls it" if hidden else ""
            raise MCPError(types.INVALID_PARAMS, f"there is no tool '{params.name[:100]}'{hint}")
        return taken

    def list_tools(self, cursor: str | None) -> types.ListToolsResult:
        tools, following = self._page(self.tools, cursor)
        return types.ListToolsResult(tools=tools, next_cursor=following, **self._kept)

    async def list_resources(self, cursor: str | None) -> types.ListResourcesResult:
        self.ask("resources/list", there=self.has_resources)
        listed, cut = await self.resources.listed()
        found, following = self._page(listed, cursor, may_shrink=True)
        meta: Any = {NOT_LISTED: cut} if cut else None
        return types.ListResourcesResult(resources=found, next_cursor=following, _meta=meta, **self._kept)

    def list_templates(self, cursor: str | None) -> types.ListResourceTemplatesResult:
        self.ask("resources/templates/list", there=self.has_resources)
        found, following = self._page(self.resources.templates, cursor)
        return types.ListResourceTemplatesResult(resource_templates=found, next_cursor=following, **self._kept)

    async def read_resource(self, uri: str, limit: int, protocol_version: str) -> types.ReadResourceResult:
        self.ask("resources/read", there=self.has_resources)
        return await self.resources.read(uri, limit, protocol_version)

    def list_prompts(self, cursor: str | None) -> types.ListPromptsResult:
        self.ask("prompts/list", there=self.has_prompts)
        found, following = self._page(self.prompts.listed, cursor)
        return types.ListPromptsResult(prompts=found, next_cursor=following, **self._kept)

    async def get_prompt(
        self, name: str, arguments: Mapping[str, str], limit: int, conversation: Conversation | None = None
    ) -> types.GetPromptResult:
        self.ask("prompts/get", there=self.has_prompts)
        return await self.prompts.get(name, arguments, limit, conversation)

    async def complete(self, params: types.CompleteRequestParams) -> types.CompleteResult:
        self.ask("completion/complete", there=self.completions.there)
        return await self.completions.complete(params)

    def ask(self, method: str, *, there: bool) -> None:
        """Refuse what is not advertised."""
        if not there:
            raise MCPError(types.METHOD_NOT_FOUND, "Method not found", data=method)

    def _page(self, items: Sequence[T], cursor: str | None, *, may_shrink: bool = False) -> tuple[list[T], str | None]:
        start = 0
        if cursor is not None:
            known = cursor.isdecimal() and len(cursor) < 10 and int(cursor) > 0
            # Files may go between two pages; the last page is then an empty one.
            if not known or not (may_shrink or int(cursor) < len(items)):
                raise MCPError(types.INVALID_PARAMS, f"'{cursor[:40]}' is no cursor of this list")
            start = int(cursor)
        end = start + self._page_size
        return list(items[start:end]), str(end) if end < len(items) else None


class OfferServer(Server[Any]):
    """The SDK's server, whose handlers are set once; it advertises what is offered now."""

    offer: LiveOffer
    watches: bool  # what is offered may be replaced
    has_sessions: bool  # before 2026-07-28

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):  # nobody records the spans of a call
            self.middleware = [one for one in self.middleware if type(one).__name__ != "OpenTelemetryMiddleware"]

    def get_capabilities(self, *arguments: Any, **options: Any) -> types.ServerCapabilities:
        found = super().get_capabilities(*arguments, **options)
        reaches = self.has_sessions or options.get("protocol_version") in MODERN_PROTOCOL_VERSIONS
        changes = (self.watches and reaches) or None
        for kind in (found.tools, found.resources, found.prompts):
            assert kind is not None  # there is a handler for each
            kind.list_changed = changes
        assert found.resources is not None
        found.resources.subscribe = (self.offer.resources.has_polls and reaches) or None
        offered = {
            "tools": self.offer.has_tools, "resources": self.offer.has_resources, "prompts": self.offer.has_prompts,
            "completions": self.offer.completions.there, "logging": self.offer.has_logs,
        }  # fmt: skip
        return found.model_copy(update=dict.fromkeys(name for name, there in offered.items() if not there))
