"""Resources that somebody is subscribed to: read every so often, and told of when they are no longer the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from capstan.expose.mcp_contents import NOT_FOUND_IN_SESSIONS
from capstan.expose.mcp_offer import OfferServer
from capstan.settings import Settings

_MOST_OF_ONE: Final = 100  # resources that one session, or one stream, is subscribed to
_GONE: Final = b""  # in place of the digest of what is there

Tell = Callable[[str, frozenset[Hashable]], Awaitable[None]]


@dataclass(slots=True)
class _Watched:
    """One resource, by the URI that its subscribers said."""

    subscribers: set[Hashable] = field(default_factory=set)
    digest: bytes | None = None  # of what was there last; None: nobody has looked
    first_look: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None


class Polls:
    """What is watched, for whom. Without subscribers that listen nothing is read."""

    def __init__(
        self, server: OfferServer, settings: Settings, listens: Callable[[Hashable], bool], tell: Tell
    ) -> None:
        self._server, self._settings = server, settings
        self._listens, self._tell = listens, tell
        self._watched: dict[str, _Watched] = {}
        self._of: dict[Hashable, set[str]] = {}  # subscriber -> URIs
        self._count = 0

    async def add(self, subscriber: Hashable, uri: str, protocol_version: str) -> None:
        """Subscribe. What is there now is read at once, so that every later change is seen.

        Raises:
            MCPError: there is no such resource, it is not watched, or too many are.
        """
        seconds = self._server.offer.resources.poll_of(uri, protocol_version)
        own = self._of.setdefault(subscriber, set())
        if uri in own:
            return
        self._check(own)
        watched = self._watched.setdefault(uri, _Watched())
        watched.subscribers.add(subscriber)
        own.add(uri)
        self._count += 1
        try:
            async with watched.first_look:
                if watched.digest is None:
                    watched.digest = await self._digest(uri, protocol_version)
        except BaseException:
            self.remove(subscriber, uri)
            raise
        if watched.task is None and self._watched.get(uri) is watched:
            watched.task = asyncio.create_task(self._poll(uri, watched, seconds))

    def _check(self, own: set[str]) -> None:
        most = self._settings.max_subscriptions
        if len(own) >= _MOST_OF_ONE:
            message = f"one client is subscribed to {_MOST_OF_ONE} resources at most"
        elif self._count >= most:
            message = f"there are {most:,} subscriptions already, and this server takes no more; try again later"
        else:
            return
        raise MCPError(types.INTERNAL_ERROR, message)

    def remove(self, subscriber: Hashable, uri: str) -> None:
        own = self._of.get(subscriber, set())
        if uri not in own:
            return
        own.discard(uri)
        self._count -= 1
        if not own:
            del self._of[subscriber]
        watched = self._watched[uri]
        watched.subscribers.discard(subscriber)
        if not watched.subscribers:
            del self._watched[uri]
            if watched.task is not None:
                watched.task.cancel()

    def leave(self, subscriber: Hashable) -> None:
        """End all that one is subscribed to."""
        for uri in tuple(self._of.get(subscriber, ())):
            self.remove(subscriber, uri)
        self._of.pop(subscriber, None)

    async def renew(self) -> None:
        """Go on with what is offered now. A resource that is no longer watched has changed for the last time."""
        for uri, watched in tuple(self._watched.items()):
            if watched.task is not None:
                watched.task.cancel()
                watched.task = None
            try:
                seconds = self._server.offer.resources.poll_of(uri, LATEST_HANDSHAKE_VERSION)
            except MCPError:
                watched.digest = _GONE
                await self._tell(uri, frozenset(watched.subscribers))
            else:
                watched.task = asyncio.create_task(self._poll(uri, watched, seconds))

    def close(self) -> None:
        for watched in self._watched.values():
            if watched.task is not None:
                watched.task.cancel()

    async def _poll(self, uri: str, watched: _Watched, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            if not any(map(self._listens, watched.subscribers)):
                continue
            try:
                found = await self._digest(uri, LATEST_HANDSHAKE_VERSION)
            except MCPError as error:  # which the log tells
                if error.error.code != NOT_FOUND_IN_SESSIONS:
                    continue
                found = _GONE
            if found != watched.digest:
                watched.digest = found
                await self._tell(uri, frozenset(watched.subscribers))

    async def _digest(self, uri: str, protocol_version: str) -> bytes:
        offer, limit = self._server.offer, self._settings.max_parsed_bytes
        read = await offer.read_resource(uri, limit, protocol_version)
        digest = sha256()
        for content in read.contents:
            digest.update(content.model_dump_json().encode())
        return digest.digest()
