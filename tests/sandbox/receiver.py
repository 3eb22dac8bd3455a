"""A merchant's server that really listens, and a sandbox that really delivers to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from capstan.sandbox.app import App
from capstan.sandbox.server import running
from sandbox.client import Client, Reply

_PATIENCE_SECONDS = 10.0


@dataclass
class Received:
    path: str  # with the query
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass
class Receiver:
    """What arrived. `statuses` are answered in turn, the last of them from then on."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [200])
    received: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.received.append(Received(request.path_qs, dict(request.headers), await request.read()))
        self.arrived.set()
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


class Outside:
    """Asks a sandbox from within a test that is itself asynchronous."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        return await self.client.send_async("POST", path, body, **more)

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.client.send_async("GET", path, **more)

    async def delete(self, path: str, **more: Any) -> Reply:
        return await self.client.send_async("DELETE", path, **more)


@dataclass
class Wired:
    """A sandbox that delivers, its clients and the merchant's server."""

    klarna: Outside
    control: Outside
    merchant: Receiver

    async def attempted(self, subject: str, attempts: int) -> dict[str, Any]:
        """The delivery about that, once so many attempts are over."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                found = [d for d in await self.deliveries() if d["subject"].startswith(subject)]
                if found and found[-1]["attempts"] >= attempts:
                    return found[-1]
                await asyncio.sleep(0.005)

    async def received(self, count: int) -> list[Received]:
        """What the merchant got, once it is so much."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.merchant.received) < count:
                self.merchant.arrived.clear()
                await self.merchant.arrived.wait()
        return self.merchant.received

    async def deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.control.get("/sandbox/deliveries")).json["deliveries"]
        return found

    async def let_pass(self, **time: float) -> None:
        await self.control.post("/sandbox/time", time)


@contextlib.asynccontextmanager
async def wired(app: App) -> AsyncIterator[Wired]:
    """Run a sandbox with its deliveries, and a merchant's server, each on a port of the kernel's choice."""
    merchant = Receiver("")
    server = web.Server(merchant.answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    with _listening() as at_merchant, _listening() as at_sandbox:
        await web.SockSite(runner, at_merchant).start()
        merchant.url = f"http://127.0.0.1:{at_merchant.getsockname()[1]}"
        try:
            async with running(app, at_sandbox):
                yield Wired(Outside(Client(app)), Outside(Client(app, None)), merchant)
        finally:
            await runner.cleanup()


def _listening() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    return listening
