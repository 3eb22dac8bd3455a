"""The load generator: keep-alive connections that each send their next request when the last is answered.

Usage: load.py URL get|post|mcp|mcp-session|one-of-COUNT SECONDS CONNECTIONS, where URL ends before the order's number.
Prints one JSON object. `one-of-1000` asks for a thousand orders in turn, with the URL's credentials and twelve digits a
number. With `mcp` calls are those of 2026-07-28; with `mcp-session` each connection has a session of 2025-11-25.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import uvloop

_WARM_UP_SECONDS: Final = 0.5
_CAPTURE: Final = json.dumps({
    "captured_amount": 12990, "reference": "capture-1", "description": "Shipped part of the order",
    "order_lines": [{"reference": f"SKU-{n:05}", "quantity": n, "unit_price": 1299} for n in range(1, 5)],
}).encode()  # fmt: skip
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "load", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_ACCEPT: Final = "application/json, text/event-stream"
_STATELESS: Final = (
    f"accept: {_ACCEPT}\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: get_order"
)
_SESSION: Final = f"accept: {_ACCEPT}\r\nmcp-protocol-version: 2025-11-25\r\nmcp-session-id: "


def open_session(url: str) -> str:
    """The id of a session that is ready for calls."""
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "load", "version": "1"}}
    headers = {"Content-Type": "application/json", "Accept": _ACCEPT}
    first = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info}
    for message in (first, {"jsonrpc": "2.0", "method": "notifications/initialized"}):
        with urlopen(Request(url, json.dumps(message).encode(), headers)) as answer:
            headers.setdefault("Mcp-Session-Id", answer.headers.get("mcp-session-id"))
    return headers["Mcp-Session-Id"]


def requests(url: str, kind: str, session: str = "") -> Callable[[int], bytes]:
    """The n-th request; no two name the same order."""
    parts = urlsplit(url)
    host, path = parts.netloc.encode(), parts.path.encode()
    more = (_SESSION + session if session else _STATELESS).encode()

    def get(n: int) -> bytes:
        return b"GET %s%d HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n\r\n" % (path, n, host)

    def post(n: int, body: bytes = _CAPTURE) -> bytes:
        head = b"POST %s%d HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        return (head + b"Content-Length: %d\r\n\r\n") % (path, n, host, len(body)) + body

    def mcp(n: int) -> bytes:
        params = {"name": "get_order", "arguments": {"order_id": str(n)}} | ({} if session else {"_meta": _META})
        body = json.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params}).encode()
        head = b"POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n"
        return head % (path, host, more, len(body)) + body

    if kind.startswith("one-of-"):
        count = int(kind.removeprefix("one-of-"))
        pair = base64.b64encode(f"{parts.username}:{parts.password}".encode())
        rest = b" HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nAccept: */*\r\n\r\n"
        rest %= (host.rpartition(b"@")[2], pair)
        # Steps of a prime number: neighbours in the sandbox's memory are not asked for one after the other.
        return lambda n: b"GET %s%012d" % (path, n * 7919 % count) + rest
    return {"get": get, "post": post, "mcp": mcp, "mcp-session": mcp}[kind]


class Client(asyncio.Protocol):
    """One connection. Reads of an answer what it must: the status, the length, and where it ends."""

    def __init__(self, make: Callable[[int], bytes], numbers: itertools.count[int], tally: Tally) -> None:
        self._make, self._numbers, self._tally = make, numbers, tally
        self._held = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._make(next(self._numbers)))

    def data_received(self, data: bytes) -> None:
        self._held = held = self._held + data
        end = held.find(b"\r\n\r\n")
        if end < 0:
            return
        head = held[:end].lower()
        length = int(head[head.index(b"\r\ncontent-length:") + 17 :].split(b"\r\n", 1)[0])
        if len(held) < end + 4 + length:
            return
        self._held = b""
        good = head.startswith(b"http/1.1 200") and b'"isError":true' not in held
        self._tally.add(time.perf_counter() - self._sent_at, good=good)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._tally.lost += 1


class Tally:
    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed = self.lost = 0

    def add(self, seconds: float, *, good: bool) -> None:
        self.seconds.append(seconds)
        self.failed += not good


async def main(url: str, kind: str, seconds: float, connections: int) -> None:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    tally, numbers = Tally(), itertools.count(100_000)
    sessions = [open_session(url) if kind == "mcp-session" else "" for _ in range(connections)]
    for make in [requests(url, kind, session) for session in sessions]:
        client = Client(make, numbers, tally)
        await loop.create_connection(lambda client=client: client, parts.hostname, parts.port)  # type: ignore[misc]
    await asyncio.sleep(_WARM_UP_SECONDS)
    before, started = len(tally.seconds), time.perf_counter()
    await asyncio.sleep(seconds)
    taken, elapsed = sorted(tally.seconds[before:]), time.perf_counter() - started
    print(json.dumps({
        "requests": len(taken), "all_requests": len(tally.seconds), "failed": tally.failed, "lost": tally.lost,
        "per_second": round(len(taken) / elapsed, 1),
        "p50_ms": round(taken[len(taken) // 2] * 1000, 3), "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 3),
    }))  # fmt: skip


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
