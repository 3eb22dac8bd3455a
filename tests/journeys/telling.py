"""What a client is told unasked, in the order it comes."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.client.client import Client
from mcp_types import (
    EmptyResult,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)


class Told:
    """A message handler that keeps notifications."""

    def __init__(self) -> None:
        self.notifications: list[Any] = []
        self._changed = asyncio.Condition()

    async def __call__(self, message: Any) -> None:
        self.notifications.append(message)
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, count: int, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.notifications) >= count)

    @property
    def methods(self) -> list[str]:
        return [notification.method for notification in self.notifications]


async def subscribe(client: Client, uri: str) -> None:
    """In a session; the client's own method warns that the next revision has none."""
    await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EmptyResult)


async def unsubscribe(client: Client, uri: str) -> None:
    await client.session.send_request(UnsubscribeRequest(params=UnsubscribeRequestParams(uri=uri)), EmptyResult)


async def ask_to_listen(client: Client, **to: Any) -> dict[str, Any]:
    """Open a stream and close it again: what the server agreed to."""
    async with client.listen(**to) as heard:
        return heard.honored.model_dump(exclude_none=True)
