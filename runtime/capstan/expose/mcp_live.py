"""What an endpoint tells its clients unasked: that a list is another one, that a resource they watch has changed.

In sessions it goes out on the stream that a client keeps open with GET, from 2026-07-28 on on the streams that are the
answers to `subscriptions/listen`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError

from capstan.expose.mcp_conversation import Context, session_of
from capstan.expose.mcp_offer import LiveOffer, OfferServer
from capstan.expose.mcp_polling import Polls
from capstan.settings import Settings

_TELL_SECONDS: Final = 5.0  # that a client which does not read may keep others waiting
_STDIO: Final = ""  # the one session without a name
_LISTENING: Final = (b"mcp-method", b"subscriptions/listen")


def stays_open(method: str, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether what is asked of an endpoint is no call but a stream, which ends with its client."""
    return method == "GET" or _LISTENING in headers


def changes(old: LiveOffer, new: LiveOffer) -> list[ServerEvent]:
    """Which lists are others."""
    found: list[ServerEvent] = []
    if old.tools != new.tools:
        found.append(ToolsListChanged())
    if old.resources.published != new.resources.published:
        found.append(ResourcesListChanged())
    if old.prompts.listed != new.prompts.listed:
        found.append(PromptsListChanged())
    return found


@dataclass(frozen=True, slots=True)
class _Session:
    """One that has begun, and the kinds of lists that it was told of."""

    session: ServerSession
    kinds: frozenset[type]

    async def tell(self, event: ServerEvent) -> None:
        match event:
            case ToolsListChanged():
                await self.session.send_tool_list_changed()
            case ResourcesListChanged():
                await self.session.send_resource_list_changed()
            case PromptsListChanged():
                await self.session.send_prompt_list_changed()
            case ResourceUpdated(uri):
                await self.session.send_resource_updated(uri)


class Live:
    """The clients of one endpoint that want to be told of changes."""

    def __init__(self, server: OfferServer, settings: Settings) -> None:
        self._server = server
        self._bus = InMemorySubscriptionBus()
        self._listeners = ListenHandler(self._bus, max_subscriptions=settings.max_sessions)
        self._sessions: dict[str, _Session] = {}
        self._streams: Counter[str] = Counter()  # session -> open streams
        self._polls = Polls(server, settings, self._listens, self._tell_of)
        self._background: set[asyncio.Task[None]] = set()
        server.add_notification_handler("notifications/initialized", types.NotificationParams, self._begin)
        server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, self._listen)
        server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)

    # --- what changes

    def replaced(self, old: LiveOffer) -> None:
        """Tell of what the offer of now has that the one before it had not, or the other way round."""
        task = asyncio.ensure_future(self._announce(changes(old, self._server.offer)))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _announce(self, events: list[ServerEvent]) -> None:
        for event in events:
            await self._bus.publish(event)
            told = [one for key, one in self._sessions.items() if type(event) in one.kinds and self._listens(key)]
            await self._tell(told, event)
        await self._polls.renew()

    async def _tell_of(self, uri: str, subscribers: frozenset[Hashable]) -> None:
        event = ResourceUpdated(uri)
        await self._bus.publish(event)
        await self._tell([one for key, one in self._sessions.items() if key in subscribers], event)

    async def _tell(self, sessions: list[_Session], event: ServerEvent) -> None:
        if sessions:
            tasks = [asyncio.ensure_future(session.tell(event)) for session in sessions]
            _, late = await asyncio.wait(tasks, timeout=_TELL_SECONDS)
            for task in late:
                task.cancel()

    def close(self) -> None:
        """Say farewell to those who listen, and read no more."""
        self._listeners.close()
        self._polls.close()
        for task in self._background:
            task.cancel()

    # --- from 2026-07-28 on

    async def _listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        watches, wanted = self._server.watches, params.notifications
        offer = self._server.offer
        offer.ask("subscriptions/listen", there=watches or offer.resources.has_polls)
        listener = object()
        try:
            uris = await self._subscribed(listener, wanted.resource_subscriptions or [], context.protocol_version)
            honored = types.SubscriptionFilter(
                tools_list_changed=watches and wanted.tools_list_changed,
                resources_list_changed=watches and wanted.resources_list_changed,
                prompts_list_changed=watches and wanted.prompts_list_changed,
                resource_subscriptions=uris,
            )
            return await self._listeners(context, params.model_copy(update={"notifications": honored}))
        finally:
            self._polls.leave(listener)

    async def _subscribed(self, listener: object, uris: Sequence[str], protocol_version: str) -> list[str]:
        """Those of the URIs that can be watched; the answer names them.

        Raises:
            MCPError: none of them can.
        """
        asked = list(dict.fromkeys(uris))
        added = await asyncio.gather(
            *(self._polls.add(listener, uri, protocol_version) for uri in asked), return_exceptions=True
        )
        refused = [result for result in added if isinstance(result, BaseException)]
        for error in refused:
            if not isinstance(error, MCPError) or len(refused) == len(asked):
                raise error
        return [uri for uri, result in zip(asked, added, strict=True) if result is None]

    # --- sessions

    async def _begin(self, context: Context, _: Any) -> None:
        """A session has been opened. What it does not know of it is not told about."""
        if self._server.has_sessions:
            offer = self._server.offer
            kinds = {
                ToolsListChanged: offer.has_tools,
                ResourcesListChanged: offer.has_resources,
                PromptsListChanged: offer.has_prompts,
            }
            known = frozenset(kind for kind, there in kinds.items() if there) if self._server.watches else frozenset()
            self._sessions[session_of(context)] = _Session(context.session, known)

    async def _subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        self._ask("resources/subscribe")
        await self._polls.add(session_of(context), params.uri, context.protocol_version)
        return types.EmptyResult()

    async def _unsubscribe(self, context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        self._ask("resources/unsubscribe")
        self._polls.remove(session_of(context), params.uri)
        return types.EmptyResult()

    def _ask(self, method: str) -> None:
        offer = self._server.offer
        offer.ask(method, there=self._server.has_sessions and offer.resources.has_polls)

    def _listens(self, subscriber: Hashable) -> bool:
        """Whether what is told reaches anybody: a session may have no stream open just now."""
        return not isinstance(subscriber, str) or subscriber == _STDIO or self._streams[subscriber] > 0

    @contextmanager
    def stream(self, session: str) -> Iterator[None]:
        """For as long as a session has its stream open."""
        self._streams[session] += 1
        try:
            yield
        finally:
            self._streams[session] -= 1
            if not self._streams[session]:
                del self._streams[session]

    def ended(self, session: str) -> None:
        self._sessions.pop(session, None)
        self._polls.leave(session)
