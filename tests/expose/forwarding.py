"""What tests of forwards share: capabilities behind a real listener, and a client that sends bytes as they are."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from capstan.expose.door import Access
from capstan.expose.generation import Generation
from capstan.listener import Protocol
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.site import join_plans
from capstan.settings import Settings
from support import QUICK, RecordingUpstream, write_capability

TOKEN = "a-token-that-nobody-may-see"


def forwarding(
    forward: str = "{targetNamespace: shop}",
    *,
    path: str = "/shop/{path}",
    api: str = "",
    resources: str = "",
    namespace: str = "shop",
) -> str:
    """A capability of one forward. `api` are further lines of what is consumed, `resources` further resources."""
    return (
        "naftiko: 1.0.0-alpha2\n"
        "binds: [{namespace: env, keys: {TOKEN: TOKEN}}]\n"
        "capability:\n"
        "  consumes:\n"
        f"  - {{type: http, namespace: {namespace}, baseUri: 'http://127.0.0.1:1/v1/'{api and ', '}{api}}}\n"
        "  exposes:\n"
        "  - type: rest\n"
        f"    namespace: {namespace}-rest\n"
        "    port: 8080\n"
        "    resources:\n"
        f"    - {{path: '{path}', forward: {forward}}}\n{resources}"
    )


@dataclass(frozen=True)
class Got:
    """An answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool  # whether it ended as HTTP says that it ends

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        return found[0] if found else None


class Caller:
    """A client that sends bytes as they are: a library would tidy the very things that are tested here."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1024)

    async def send(
        self, target: str, method: str = "GET", headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Got:
        """One request on a connection of its own."""
        reader, writer = await self.connect()
        length = [("Content-Length", str(len(body)))] if body and "chunked" not in str(headers) else []
        writer.write(head(target, method, [*headers, *length, ("Connection", "close")]) + body)
        async with asyncio.timeout(10):
            got = await answer(reader, head=method == "HEAD")
        writer.close()
        return got


def head(target: str, method: str = "GET", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


async def answer(reader: asyncio.StreamReader, *, head: bool = False) -> Got:
    """The one answer of a connection that closes after it."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1024**2):
            received += piece
    top, _, body = received.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    found = dict(fields)
    complete = True
    if found.get("transfer-encoding") == "chunked":
        whole = bytearray()
        complete = False
        while body and not complete:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            whole += body[:length]
            complete, body = length == 0, body[length + 2 :]
        body = bytes(whole)
    elif "content-length" in found and not head:
        complete = len(body) == int(found["content-length"])
    return Got(int(status.split()[1]), fields, body, complete)


def narrow(end: Any) -> None:
    """Give a socket buffers that do not grow: the kernel would take megabytes for a reader who reads nothing."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, 64 * 1024)


@contextlib.asynccontextmanager
async def served(
    tmp_path: Path,
    texts: Sequence[str],
    base_uris: Mapping[str, str],
    settings: Settings = QUICK,
) -> AsyncIterator[Caller]:
    """Capabilities behind one port, as `serve` puts them there."""
    environ = {"TOKEN": TOKEN}
    paths = [write_capability(tmp_path, text, f"{number}.yaml") for number, text in enumerate(texts)]
    site, _ = join_plans([build_plan(load(path), environ, base_uris)[0] for path in paths])
    generation = Generation(site, settings, {8080: Access(True, frozenset(), frozenset())})
    generation.open_doors({})
    config = uvicorn.Config(
        generation.doors[8080], http=Protocol, ws="none", lifespan="off", interface="asgi3", log_config=None,
        access_log=False, server_header=False, proxy_headers=False,
    )  # fmt: skip
    config.load()
    state = ServerState()  # a whole server of uvicorn's would take a tenth of a second to notice that it is over
    protocol = Protocol.with_patience(settings.request_timeout_seconds)
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    narrow(server.sockets[0])  # which those of its connections inherit
    try:
        yield Caller(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await generation.engine.close()


@contextlib.asynccontextmanager
async def passing(
    tmp_path: Path, text: str, *, upstream: RecordingUpstream | None = None, **changed: float
) -> AsyncIterator[tuple[RecordingUpstream, Caller]]:
    """An upstream, and a forward in front of it."""
    async with upstream or RecordingUpstream() as origin:
        settings = replace(QUICK, **changed)
        async with served(tmp_path, [text], {"shop": origin.url + "/v1"}, settings) as caller:
            yield origin, caller
