"""What tests share: an upstream on a real socket that records and misbehaves on demand, and small capability files."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from capstan.call.engine import open_engine
from capstan.call.unit import LiveUnit
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.settings import Settings

Headers = Sequence[tuple[str, str]] | Mapping[str, str]
End = Literal["keep", "close", "reset", "hang"]

# Short enough that a test of a time-out is quick, long enough for a busy machine.
QUICK = Settings(connect_timeout_seconds=2.0, read_timeout_seconds=0.4, total_timeout_seconds=5.0)


# --- what an upstream answers


@dataclass(frozen=True)
class Received:
    """One request as it came: the raw target, headers in their order and case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int  # 1 for the first connection the upstream took

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Raw:
    """Bytes as they are and pauses in seconds, and what becomes of the connection then."""

    pieces: Iterable[bytes | float] = ()
    then: End = "close"


Reply = Raw | bytes
Answer = Reply | Callable[[Received], "Reply | Awaitable[Reply]"]


def reply(
    status: int = 200,
    body: bytes | str | None = None,
    *,
    data: Any = None,
    content_type: str | None = "application/json",
    headers: Headers = (),
    then: End = "keep",
) -> Raw:
    """An honest answer; `data` is sent as JSON. Give `Content-Length` or `Transfer-Encoding` yourself to lie."""
    content = json.dumps(data).encode() if body is None and data is not None else body or b""
    content = content.encode() if isinstance(content, str) else content
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in pairs}
    if content_type and content and "content-type" not in names:
        pairs.append(("Content-Type", content_type))
    if not names & {"content-length", "transfer-encoding"} and status not in (204, 304):
        pairs.append(("Content-Length", str(len(content))))
    head = f"HTTP/1.1 {status} Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return Raw((head.encode("latin-1") + b"\r\n" + content,), then)


def chunked(*pieces: bytes, headers: Headers = (), content_type: str = "application/json", pause: float = 0.0) -> Raw:
    """An answer in chunks, with a pause after each."""
    pairs = [*(headers.items() if isinstance(headers, Mapping) else headers), ("Content-Type", content_type)]
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    sent: list[bytes | float] = [f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{lines}\r\n".encode()]
    for piece in pieces:
        sent += [b"%x\r\n%s\r\n" % (len(piece), piece), pause]
    return Raw((*sent, b"0\r\n\r\n"), "keep")


def endless(content_type: str = "application/json") -> Raw:
    """A body that never ends."""

    def pieces() -> Iterator[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode()
        while True:
            yield b" " * 16384

    return Raw(pieces())


HANG = Raw((), "hang")
CLOSE = Raw((), "close")
RESET = Raw((), "reset")


# --- the upstream


class RecordingUpstream:
    """An HTTP/1.1 server on a port the kernel picked.

    Answers come from the queue filled by `then(...)`; when it is empty, from `always`, which is `{"ok": true}`.

        async with RecordingUpstream() as upstream:
            upstream.then(reply(201, headers={"Location": "/x"}), HANG)
    """

    def __init__(self, always: Answer | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.always: Answer = always if always is not None else reply(data={"ok": True})
        self.requests: list[Received] = []
        self.peer_certificates: list[Any] = []
        self.connections = 0  # taken so far
        self.open_connections = 0
        self._tls = tls
        self._queue: deque[Answer] = deque()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    def then(self, *answers: Answer) -> Self:
        """Answer the next requests so, one after the other."""
        self._queue.extend(answers)
        return self

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def last(self) -> Received:
        return self.requests[-1]

    async def wait_for(self, condition: Callable[[Self], bool], seconds: float = 5.0) -> None:
        """Until something is so; it is looked at whenever a request or a connection comes or goes."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0, ssl=self._tls, limit=1024**2)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        self.open_connections += 1
        if self._tls is not None:
            self.peer_certificates.append(writer.get_extra_info("peercert"))
        try:
            await self._converse(reader, writer, self.connections)
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self.open_connections -= 1
            self._handlers.discard(task)
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            request = await read_request(reader, number)
            self.requests.append(request)
            await self._tell()
            answer = self._queue.popleft() if self._queue else self.always
            if callable(answer):
                made = answer(request)
                answer = await made if isinstance(made, Awaitable) else made
            raw = Raw((answer,)) if isinstance(answer, bytes) else answer
            for piece in raw.pieces:
                if isinstance(piece, bytes):
                    writer.write(piece)
                    await writer.drain()
                else:
                    await asyncio.sleep(piece)
            match raw.then:
                case "close":
                    writer.close()
                    await writer.wait_closed()
                    return
                case "reset":
                    await asyncio.sleep(0.01)  # what was written must leave before the reset drops it
                    _reset(writer)
                    return
                case "hang":
                    while await reader.read(65536):
                        pass
                    return


async def read_request(reader: asyncio.StreamReader, connection: int = 1) -> Received:
    """One request from a stream, its body included."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
    found = {name.lower(): value for name, value in headers}
    body = b""
    if "chunked" in found.get("transfer-encoding", ""):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif length := int(found.get("content-length", "0")):
        body = await reader.readexactly(length)
    return Received(method, target, headers, body, connection)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """The URL of a port that refuses connections for as long as the block lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


# --- capability files


def capability_text(
    method: str = "GET",
    path: str = "/things/{id}",
    *,
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
    body: Any = None,
    effect: str | None = None,
    authentication: Mapping[str, Any] | None = None,
    tls: Mapping[str, Any] | None = None,
    variables: Sequence[str] = (),
    name: str = "act",
    namespace: str = "api",
    base_uri: str = "http://127.0.0.1:1",
    rest_port: int = 8080,
    mcp_port: int = 9090,
) -> str:
    """A file with one consumed operation, exposed on REST and on MCP under one name and under its own path.

    `inputs` are those of the consumed operation; the exposed ones are derived. `variables` are bound from the
    environment as `{{env.NAME}}`.
    """
    operation = {"name": name, "method": method, "inputParameters": list(inputs), "body": body, "effect": effect}
    consumed = {
        "type": "http", "namespace": namespace, "baseUri": base_uri, "authentication": authentication, "tls": tls,
        "resources": [{"name": "all", "path": path, "operations": [_given(operation)]}],
    }  # fmt: skip
    unit = _given({
        "name": name, "description": "Do it.", "call": f"{namespace}.{name}", "outputParameters": list(outputs),
    })  # fmt: skip
    rest = {"type": "rest", "namespace": f"{namespace}-rest", "port": rest_port,
            "resources": [{"path": path, "operations": [{"method": method, **unit}]}]}  # fmt: skip
    mcp = {"type": "mcp", "namespace": f"{namespace}-mcp", "port": mcp_port, "tools": [unit]}
    document = {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "A test", "description": "One operation."},
        "binds": [{"namespace": "env", "keys": {key: key for key in variables}}] if variables else [],
        "capability": {"consumes": [_given(consumed)], "exposes": [rest, mcp]},
    }
    return yaml.safe_dump(_given(document), sort_keys=False, allow_unicode=True)


def _given(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None and value != []}


def write_capability(tmp_path: Path, text: str, name: str = "capability.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


@contextlib.asynccontextmanager
async def live(
    path: Path,
    environ: Mapping[str, str] | None = None,
    base_uris: Mapping[str, str] | None = None,
    settings: Settings = QUICK,
) -> AsyncIterator[dict[str, LiveUnit]]:
    """Every unit of a file, ready to call, by name; of two of one name, that of REST."""
    plan, _ = build_plan(load(path), environ or {}, base_uris or {})
    async with open_engine(settings) as engine:
        units = engine.units(plan)
        yield {unit.name: units[id(unit)] for unit in reversed(plan.units)}


@contextlib.asynccontextmanager
async def wired(
    tmp_path: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    *,
    settings: Settings = QUICK,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[RecordingUpstream, LiveUnit]]:
    """An upstream and, in front of it, the unit `act` of a capability that consumes it as `api`."""
    async with RecordingUpstream(tls=tls) as upstream:
        path = write_capability(tmp_path, text)
        async with live(path, environ, {"api": upstream.url}, settings) as units:
            yield upstream, units["act"]


async def body_of(answer: Any, limit: int = 1024**2) -> bytes:
    """The whole body of an answer that was not shaped."""
    try:
        body: bytes = await answer.response.read(limit)
        return body
    finally:
        answer.response.close()
