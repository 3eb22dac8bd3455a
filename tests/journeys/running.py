"""`capstan serve` as a process of its own, and the ways to talk to it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx2

REPOSITORY = Path(__file__).parents[2]
PORTS = (8080, 9090)  # what files in these tests name; an offset moves them to free ones
_START_SECONDS = 15.0
_STOP_SECONDS = 15.0


class Capstan:
    """A server process: its lines so far, and where its doors are."""

    def __init__(self, process: asyncio.subprocess.Process, offset: int) -> None:
        self.process = process
        self.offset = offset
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.out)),
            asyncio.create_task(self._read(process.stderr, self.err)),
        ]

    @classmethod
    async def start(cls, *arguments: str | Path, offset: int, env: Mapping[str, str] | None = None) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "capstan", "serve", *map(str, arguments), "--port-offset", str(offset),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **(env or {})}, limit=16 * 1024**2,
        )  # fmt: skip
        return cls(process, offset)

    async def _read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        while line := await stream.readline():
            lines.append(line.decode().rstrip("\n"))
            async with self._changed:
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    async def ready(self) -> Self:
        """Wait for the ready line.

        Raises:
            RuntimeError: the process ended instead.
        """
        async with asyncio.timeout(_START_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.is_ready or all(task.done() for task in self._readers))
        if not self.is_ready:
            raise RuntimeError("\n".join(self.err))
        return self

    @property
    def is_ready(self) -> bool:
        return any(" ready" in line for line in self.out + self.err)

    async def said(self, text: str, *, times: int = 1, seconds: float = 10.0) -> None:
        """Wait for lines of either stream that hold `text`."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: sum(text in line for line in self.out + self.err) >= times)

    @property
    def talk(self) -> str:
        """Everything the process wrote."""
        return "\n".join(self.out + self.err)

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{8080 + self.offset}"

    @property
    def mcp(self) -> str:
        return f"http://127.0.0.1:{9090 + self.offset}/mcp"

    async def ended(self) -> int:
        """Wait for the end and give the exit code."""
        async with asyncio.timeout(_STOP_SECONDS):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()


def free_offset(ports: Sequence[int] = PORTS) -> int:
    """An offset whose ports are free, below those the kernel gives to clients."""
    while True:
        offset = random.randint(2000, 20000)
        try:
            for port in ports:
                socket.create_server(("127.0.0.1", port + offset)).close()
        except OSError:
            continue
        return offset


@asynccontextmanager
async def serving(
    *arguments: str | Path, env: Mapping[str, str] | None = None, ports: Sequence[int] = PORTS
) -> AsyncIterator[Capstan]:
    """A server that is ready; another process may take a port between looking and listening, so it is tried anew."""
    for last in (False, False, True):
        server = await Capstan.start(*arguments, offset=free_offset(ports), env=env)
        try:
            await server.ready()
        except RuntimeError as error:
            await server.ended()
            if last or "is taken" not in str(error):
                raise
        except BaseException:
            await _end(server)
            raise
        else:
            break
    try:
        yield server
    finally:
        await _end(server)


async def _end(server: Capstan) -> None:
    try:
        await server.stop()
    except TimeoutError:
        server.process.kill()
        await server.ended()
        raise


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=20, **options) as opened:
        yield opened


async def exchange(url: str, request: bytes, seconds: float = 10.0) -> bytes:
    """Send bytes as they are, for what no client library would send, and read until the server closes or answers."""
    parts = httpx2.URL(url)
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    try:
        async with asyncio.timeout(seconds):
            writer.write(request)
            await writer.drain()
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
