"""Forwards of a server process: a change of the file, and what streaming costs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from expose.forwarding import forwarding
from journeys.running import client, exchange, serving
from support import Raw, RecordingUpstream

MEGABYTE = 1024**2


def forwarded(url: str, forward: str) -> str:
    return forwarding(forward).replace("http://127.0.0.1:1/v1/", url)


async def test_a_change_is_taken_over_and_what_is_under_way_ends_as_it_began(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    gate = asyncio.Event()

    async def slow(_: object) -> Raw:
        await gate.wait()
        return Raw((b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow",), "keep")

    async with RecordingUpstream() as old, RecordingUpstream() as new:
        old.then(slow)
        file.write_text(forwarded(old.url, "{targetNamespace: shop, trustedHeaders: [X-A]}"))
        async with serving(file, "--watch", env={"TOKEN": "t"}) as server, client(server.rest) as http:
            under_way = asyncio.create_task(http.get("/shop/a", headers={"X-A": "1"}))
            await old.wait_for(lambda upstream: bool(upstream.requests))
            file.write_text(forwarded(new.url, "{targetNamespace: shop}"))
            await server.said("reloaded")
            assert (await http.get("/shop/b", headers={"X-A": "1"})).status_code == 200
            gate.set()
            assert (await under_way).text == "slow"
            named = await exchange(server.rest, b"GET http://evil.example/shop/a HTTP/1.1\r\nHost: localhost\r\n"
                                                b"Connection: close\r\n\r\n")  # fmt: skip
    assert (old.last.header("x-a"), new.last.header("x-a"), len(new.requests)) == ("1", None, 1)
    assert named.startswith(b"HTTP/1.1 400")


async def test_streaming_takes_no_more_memory_than_a_few_pieces(tmp_path: Path) -> None:
    size = 60 * MEGABYTE
    file = tmp_path / "shop.yaml"
    length = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(size // MEGABYTE):
            yield b"x" * MEGABYTE

    async with RecordingUpstream() as upstream:
        file.write_text(forwarded(upstream.url, "{targetNamespace: shop}"))
        async with serving(file, env={"TOKEN": "t"}) as server, client(server.rest) as http:
            await http.post("/shop/a", content=b"warm")
            before = peak_memory(server.process.pid)
            put = await http.put("/shop/up", content=body(), headers={"Content-Length": str(size)})
            assert put.status_code == 200
            assert len(upstream.last.body) == size
            upstream.then(Raw((length, *(b"x" * MEGABYTE for _ in range(size // MEGABYTE))), "keep"))
            async with http.stream("GET", "/shop/down") as answer:
                received = 0
                async for piece in answer.aiter_raw():
                    received += len(piece)
            grown = peak_memory(server.process.pid) - before
    assert received == size
    assert grown < 10 * MEGABYTE


def peak_memory(pid: int) -> int:
    """The most that a process has had in memory so far."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
