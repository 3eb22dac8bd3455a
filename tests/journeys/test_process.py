"""The server as a process: starting, stopping, reloading, several workers, and what it writes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx2
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from journeys.running import REPOSITORY, Capstan, client, free_offset, serving
from support import RecordingUpstream, capability_text, reply

HELLO = REPOSITORY / "capabilities" / "hello.yaml"
KLARNA = REPOSITORY / "capabilities" / "klarna" / "order-management-captures.yaml"


@pytest.fixture
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest.fixture
def things(tmp_path: Path, upstream: RecordingUpstream) -> Path:
    path = tmp_path / "things.yaml"
    path.write_text(thing_text(upstream))
    return path


def thing_text(upstream: RecordingUpstream, **changes: Any) -> str:
    inputs = [{"name": "id", "in": "path", "type": "string", "required": True}]
    return capability_text(base_uri=upstream.url, inputs=inputs, **changes)


def change(path: Path, old: str, new: str) -> None:
    """Write a file anew with something replaced."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def greeting(text: str) -> str:
    """hello.yaml with another greeting."""
    return HELLO.read_text().replace("Hello, {{name}}!", text)


class Gate:
    """An answer that waits until it is let go."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, _: Any) -> Any:
        await self.open.wait()
        return reply(data={"waited": True})


# --- starting


async def test_the_ready_line_names_every_door() -> None:
    async with serving(HELLO) as server:
        assert server.out == [f"capstan 0.1.0 ready: REST {server.rest}, MCP {server.mcp} (1 file)"]
        async with client(server.rest) as http:
            assert (await http.get("/v1/hello/Ada")).json() == {"message": "Hello, Ada!"}


async def fails(*arguments: str | Path, env: dict[str, str] | None = None, offset: int | None = None) -> Capstan:
    server = await Capstan.start(*arguments, offset=free_offset() if offset is None else offset, env=env)
    await server.ended()
    assert not server.out
    assert "Traceback" not in server.talk
    return server


async def test_a_taken_port_exits_1_and_says_which() -> None:
    offset = free_offset()
    with socket.create_server(("127.0.0.1", 9090 + offset)):
        server = await fails(HELLO, offset=offset)
    assert server.process.returncode == 1
    assert f"port {9090 + offset} on 127.0.0.1 is taken by another program" in server.talk


async def test_all_missing_secrets_are_named_at_once() -> None:
    server = await fails(KLARNA)
    assert server.process.returncode == 1
    assert "set KLARNA_API_PASSWORD, KLARNA_API_USERNAME and start again" in server.talk


async def test_a_variable_that_many_files_ask_for_is_told_of_once() -> None:
    server = await fails(KLARNA.parent)
    missing = [line for line in server.err if line.endswith("[missing-variable]")]
    assert [line.split()[4] for line in missing] == [
        "KLARNA_API_USERNAME", "KLARNA_API_PASSWORD", "KLARNA_NETWORK_API_KEY",
    ]  # fmt: skip
    assert "the same variables are missing in" in server.talk
    assert server.err[-1].endswith("and start again, or try it with --sandbox, which brings its own")


async def test_a_refused_file_exits_1_with_its_problem(things: Path) -> None:
    change(things, "call: api.act", "call: api.atc")
    server = await fails(HELLO, things)
    assert server.process.returncode == 1
    assert "things.yaml:" in server.talk
    assert "[unknown-operation]" in server.talk


async def test_two_files_with_one_route_are_refused_naming_both(tmp_path: Path) -> None:
    twin = tmp_path / "twin.yaml"
    twin.write_text(HELLO.read_text())
    server = await fails(HELLO, twin)
    assert server.process.returncode == 1
    assert "hello.yaml" in server.talk
    assert "twin.yaml" in server.talk


async def test_a_file_of_parts_alone_is_nothing_to_serve_and_beside_others_no_obstacle(tmp_path: Path) -> None:
    parts = tmp_path / "types.yaml"
    parts.write_text("naftiko: 1.0.0-alpha2\ntypes: {a: {type: string}}")
    server = await fails(parts)
    assert (server.process.returncode, server.err[-1]) == (
        1, "capstan: there is nothing to serve: what is here are parts for other files")  # fmt: skip
    async with serving(parts, HELLO) as both:
        assert both.out[0].endswith("(1 file)")


async def test_bad_usage_exits_2() -> None:
    assert (await fails(HELLO, "--workers", "0")).process.returncode == 2


async def test_a_base_uri_of_no_namespace_is_told() -> None:
    server = await fails(HELLO, "--base-uri", "klarna=http://127.0.0.1:1")
    assert server.process.returncode == 1
    assert "klarna" in server.talk


async def test_an_offset_that_leaves_the_ports_is_told() -> None:
    server = await fails(HELLO, offset=60000)
    assert server.process.returncode == 1
    assert "68080" in server.talk or "port 8080 with the offset 60000" in server.talk


async def test_secrets_come_from_an_env_file_too(upstream: RecordingUpstream, tmp_path: Path) -> None:
    file = tmp_path / "klarna.env"
    file.write_text("KLARNA_API_USERNAME=from-the-file\nKLARNA_API_PASSWORD='also from it'\n")
    options = ("--env-file", file, "--base-uri", f"order-management-captures={upstream.url}")
    async with serving(KLARNA, *options) as server, client(server.rest) as http:
        await http.get("/v1/ordermanagement/v1/orders/o-1/captures")
    assert httpx2.BasicAuth("from-the-file", "also from it")._auth_header == upstream.last.header("Authorization")


# --- stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_stops_an_idle_server_cleanly(number: signal.Signals) -> None:
    async with serving(HELLO) as server, client(server.rest) as http:
        await http.get("/v1/hello/Ada")  # the connection stays open
        async with asyncio.timeout(5):
            assert await server.stop(number) == 0
        assert "Traceback" not in server.talk


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_calls_in_flight_finish_before_the_end(
    number: signal.Signals, things: Path, upstream: RecordingUpstream
) -> None:
    gates = [Gate(), Gate(), Gate()]
    upstream.then(*gates)
    async with serving(things) as server, client(server.rest) as http, client(server.rest) as late:
        calls: list[asyncio.Task[Any]] = [asyncio.create_task(http.get("/things/1"))]

        async def by_tool(mode: Any) -> Any:
            async with Client(server.mcp, mode=mode) as session:
                await session.list_tools()  # or the client would ask for it after the call
                return await session.call_tool("act", {"id": "2"})

        for count, mode in enumerate(("auto", "legacy"), 1):
            await upstream.wait_for(lambda running, n=count: len(running.requests) == n)  # type: ignore[misc]
            calls.append(asyncio.create_task(by_tool(mode)))
        await upstream.wait_for(lambda running: len(running.requests) == 3)
        server.process.send_signal(number)
        async with asyncio.timeout(5):
            while True:
                try:
                    await late.get("/openapi.json", headers={"Connection": "close"})
                except httpx2.TransportError:
                    break
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.6)  # longer than the server waits for requests that are on their way
        assert server.process.returncode is None
        for gate in gates:
            gate.open.set()
        answer, *results = await asyncio.wait_for(asyncio.gather(*calls), 10)
        assert (answer.status_code, answer.json()) == (200, {"waited": True})
        assert [result.structured_content for result in results] == [{"waited": True}] * 2
        assert await server.ended() == 0


async def test_a_call_that_never_ends_is_given_up_in_time(things: Path, upstream: RecordingUpstream) -> None:
    upstream.then(Gate())
    async with serving(things, env={"CAPSTAN_STOP_TIMEOUT_SECONDS": "1"}) as server, client(server.rest) as http:
        call = asyncio.create_task(http.get("/things/1"))
        await upstream.wait_for(lambda running: len(running.requests) == 1)
        async with asyncio.timeout(6):
            await server.stop()
        answer = await call
        assert answer.status_code == 503
        told = answer.json()
        assert (told["code"], told["outcome"], told["retry_safe"]) == ("server-stopped", "unknown", True)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_is_told_too_that_its_call_is_given_up(
    things: Path, upstream: RecordingUpstream, mode: Any
) -> None:
    upstream.then(Gate())
    async with (
        serving(things, env={"CAPSTAN_STOP_TIMEOUT_SECONDS": "1"}) as server,
        Client(server.mcp, mode=mode) as session,
    ):
        await session.list_tools()
        call = asyncio.create_task(session.call_tool("act", {"id": "2"}))
        await upstream.wait_for(lambda running: len(running.requests) == 1)
        async with asyncio.timeout(6):
            await server.stop()
        with pytest.raises(MCPError) as caught:
            await call
        told = caught.value.error.data
        assert (told["code"], told["outcome"], told["retry_safe"]) == ("server-stopped", "unknown", False)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"\r\n", b"HTTP/1.1 408", id="an empty line"),
        pytest.param(b"%b HTTP/1.1\r\nHost: local", b"HTTP/1.1 408", id="half a head"),
        pytest.param(
            b"%b HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
            b"HTTP/1.1 408",
            id="half a body",
        ),
    ],
)
@pytest.mark.parametrize(("door", "line"), [(8080, b"GET /things/1"), (9090, b"POST /mcp")])
async def test_a_request_that_does_not_come_to_its_end_is_given_up(
    things: Path, upstream: RecordingUpstream, door: int, line: bytes, sent: bytes, answer: bytes
) -> None:
    async with serving(things, env={"CAPSTAN_REQUEST_TIMEOUT_SECONDS": "0.3"}) as server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", door + server.offset)
        writer.write(sent.replace(b"%b", line))
        told = await reader.read()
        writer.close()
        assert told.startswith(answer)
        assert bool(told) == bool(answer)
        assert not upstream.requests


async def test_an_answer_that_takes_longer_than_a_request_may_is_not_cut_off(
    things: Path, upstream: RecordingUpstream
) -> None:
    gate = Gate()
    upstream.then(gate)
    async with serving(things, env={"CAPSTAN_REQUEST_TIMEOUT_SECONDS": "0.2"}) as server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", 8080 + server.offset)
        writer.write(b"GET /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await upstream.wait_for(lambda running: len(running.requests) == 1)
        writer.write(b"GET /things/2 HTTP/1.1\r\nHo")  # the next one, which never ends
        await asyncio.sleep(0.5)
        gate.open.set()
        told = await reader.read()
        writer.close()
        assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"408"]
        assert len(upstream.requests) == 1


async def test_an_open_mcp_stream_does_not_hold_the_server(things: Path) -> None:
    async with serving(things) as server, client(server.mcp) as http:
        who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        start = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": who}
        answer = await http.post(server.mcp, json=start, headers={"Accept": "application/json, text/event-stream"})
        headers = {"Accept": "text/event-stream", "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
        async with http.stream("GET", server.mcp, headers=headers) as stream:
            assert stream.status_code == 200
            async with asyncio.timeout(5):
                assert await server.stop() == 0


@pytest.mark.parametrize(
    "header", [b"", b"Connection: close\r\n"], ids=["kept-alive connections", "a connection for each request"]
)
@pytest.mark.parametrize("workers", ["1", "2"], ids=["one process", "two"])
async def test_under_load_every_request_is_answered_or_refused_at_connect(
    workers: str, header: bytes, things: Path, upstream: RecordingUpstream
) -> None:
    answered = 0
    cut: list[bytes] = []
    enough = asyncio.Event()

    async def caller(port: int) -> None:
        nonlocal answered
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        request = b"GET /things/1 HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n"
        while True:
            if reader is None or writer is None:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except (ConnectionRefusedError, ConnectionResetError):
                    return  # reset: the door was closed between the kernel's greeting and its answer; nothing was sent
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                assert length is not None
                body = await reader.readexactly(int(length[1]))
                assert (head[:12], body) == (b"HTTP/1.1 200", b'{"ok": true}')
            except (OSError, EOFError) as error:
                cut.append(repr(error).encode())
                return
            answered += 1
            if answered == 200:
                enough.set()
            if b"connection: close" in head.lower():
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                reader = writer = None

    async with serving(things, "--workers", workers) as server:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(caller(8080 + server.offset))
            await enough.wait()
            server.process.terminate()
        assert await server.ended() == 0
    assert answered >= 200
    assert not cut


# --- several workers


def children(server: Capstan) -> set[int]:
    pid = server.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


async def test_two_workers_answer_and_a_killed_one_is_replaced(things: Path, upstream: RecordingUpstream) -> None:
    async with serving(things, "--workers", "2") as server:
        first = children(server)
        assert len(first) == 2
        owners = await owners_of(server, upstream)
        assert owners == first
        await asyncio.sleep(2.1)  # a worker that dies younger ends the server
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        await server.said(f"worker {victim} ended unasked")
        async with asyncio.timeout(10):
            while len(second := children(server) - {victim}) < 2:  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.02)
        async with asyncio.timeout(10):
            while await owners_of(server, upstream) != second:
                pass
        async with asyncio.timeout(10):
            assert await server.stop() == 0
        assert not [pid for pid in second if is_alive(pid)]
    assert "Traceback" not in server.talk


async def test_no_worker_outlives_a_killed_parent() -> None:
    async with serving(HELLO, "--workers", "2") as server:
        workers = children(server)
        server.process.kill()
        async with asyncio.timeout(10):
            while any(is_alive(pid) for pid in workers):  # noqa: ASYNC110 - other processes make it so
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_mcp_client_is_served_by_whichever_worker_it_meets(mode: Any) -> None:
    async with serving(HELLO, "--workers", "2") as server:
        for _ in range(4):
            async with Client(server.mcp, mode=mode) as session:
                for name in ("Ada", "Alan", "Grace"):
                    result = await session.call_tool("say-hello", {"name": name})
                    assert result.structured_content == {"message": f"Hello, {name}!"}


async def test_a_worker_that_takes_a_dead_ones_place_knows_what_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text())
    async with serving(file, "--workers", "2", "--watch") as server:
        await asyncio.sleep(2.1)  # a worker that dies younger ends the server
        change(file, "Hello, {{name}}!", "Good day, {{name}}!")
        await server.said("reloaded", times=2)
        for victim in children(server):
            os.kill(victim, signal.SIGKILL)
        await server.said("another takes its place", times=2)
        for _ in range(10):
            async with client(server.rest) as http:
                assert (await http.get("/v1/hello/Ada")).json() == {"message": "Good day, Ada!"}


async def test_a_worker_that_takes_a_dead_ones_place_starts_from_the_last_good_state(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text())
    async with serving(file, "--workers", "2", "--watch") as server:
        await asyncio.sleep(2.1)  # a worker that dies younger ends the server
        change(file, "Hello, {{name}}!", "Good day, {{name}}!")
        await server.said("reloaded", times=2)
        await asyncio.sleep(1.2)  # the parent looks twice a second, and must see this state before the next
        change(file, "capability:", "capabilty:")
        await server.said("is not taken over", times=2)
        for victim in children(server):
            os.kill(victim, signal.SIGKILL)
        await server.said("another takes its place", times=2)
        async with client(server.rest) as http:
            assert (await http.get("/v1/hello/Ada")).json() == {"message": "Good day, Ada!"}


async def owners_of(server: Capstan, upstream: RecordingUpstream) -> set[int]:
    """Which processes answer: held calls keep their connections, and each connection has its owner in /proc."""
    gates = [Gate() for _ in range(16)]
    before = len(upstream.requests)
    upstream.then(*gates)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client(server.rest)) for _ in gates]
        calls = [asyncio.create_task(http.get("/things/1")) for http in clients]
        await upstream.wait_for(lambda running: len(running.requests) == before + len(gates))
        found = {pid for pid in children(server) if established(pid, 8080 + server.offset)}
        for gate in gates:
            gate.open.set()
        for answer in await asyncio.gather(*calls):
            assert answer.status_code == 200
    return found


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def established(pid: int, port: int) -> bool:
    """Whether a process has accepted a connection to a port."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(str(link.readlink()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01" and int(fields[1].partition(":")[2], 16) == port and f"socket:[{fields[9]}]" in inodes:
            return True
    return False


# --- watching


async def test_a_changed_file_is_taken_over_and_connections_and_sessions_stay(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text())
    async with (
        serving(file, "--watch") as server,
        client(server.rest, limits=httpx2.Limits(max_connections=1)) as http,
        Client(server.mcp, mode="legacy") as session,
    ):
        assert (await http.get("/v1/hello/Ada")).json() == {"message": "Hello, Ada!"}
        kept = connection_of(8080 + server.offset)
        file.write_text(greeting("Good day, {{name}}!"))
        await server.said("reloaded")
        assert (await http.get("/v1/hello/Ada")).json() == {"message": "Good day, Ada!"}
        assert connection_of(8080 + server.offset) == kept
        result = await session.call_tool("say-hello", {"name": "Ada"})
        assert result.structured_content == {"message": "Good day, Ada!"}


def connection_of(port: int) -> set[str]:
    """The client ends of connections to a port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    found = [line.split() for line in lines]
    return {item[1] for item in found if item[3] == "01" and int(item[2].partition(":")[2], 16) == port}


async def test_a_wrong_change_is_told_and_the_last_good_state_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text())
    async with serving(file, "--watch") as server, client(server.rest) as http:
        file.write_text(HELLO.read_text().replace("method: GET", "methd: GET"))
        await server.said("the last good state goes on")
        await server.said("[unknown-keyword]")
        assert (await http.get("/v1/hello/Ada")).json() == {"message": "Hello, Ada!"}
        file.unlink()
        await asyncio.sleep(0.7)  # one look at the folder
        assert (await http.get("/v1/hello/Ada")).json() == {"message": "Hello, Ada!"}
        file.write_text(greeting("Back, {{name}}!"))
        await server.said("reloaded")
        assert (await http.get("/v1/hello/Ada")).json() == {"message": "Back, Ada!"}


async def test_a_reload_tells_the_warnings_of_the_new_state(tmp_path: Path) -> None:
    file = tmp_path / "hello.yaml"
    file.write_text(HELLO.read_text())
    async with serving(file, "--watch") as server:
        assert "unused-input" not in server.talk
        change(file, "        - {name: name, in", "        - {name: idle, type: string}\n        - {name: name, in")
        await server.said("reloaded")
        (line,) = [line for line in server.err if "[unused-input]" in line]
        assert "warning: " in line
        assert "hello.yaml:20:" in line


async def test_a_change_of_a_file_of_types_is_taken_over(tmp_path: Path, upstream: RecordingUpstream) -> None:
    types = tmp_path / "parts.yaml"
    types.write_text("naftiko: 1.0.0-alpha2\ntypes: {id: {type: string, maxLength: 1}}")
    file = tmp_path / "things.yaml"
    inputs = [{"name": "id", "in": "path", "required": True, "$ref": "./parts.yaml#/types/id"}]
    file.write_text(capability_text(base_uri=upstream.url, inputs=inputs))
    async with serving(tmp_path, "--watch") as server, client(server.rest) as http:
        assert [(await http.get(f"/things/{name}")).status_code for name in ("a", "ab")] == [200, 400]
        change(types, "maxLength: 1", "maxLen: 2")
        await server.said("parts.yaml:2:")
        assert (await http.get("/things/ab")).status_code == 400
        change(types, "maxLen: 2", "maxLength: 2")
        await server.said("reloaded")
        assert (await http.get("/things/ab")).status_code == 200


async def test_a_call_in_flight_ends_as_it_began_while_the_file_changes(
    things: Path, upstream: RecordingUpstream
) -> None:
    gate = Gate()
    upstream.then(gate)
    async with serving(things, "--watch") as server, client(server.rest) as http, client(server.rest) as other:
        call = asyncio.create_task(http.get("/things/1"))
        await upstream.wait_for(lambda running: len(running.requests) == 1)
        change(things, "path: /things/{id}", "path: /others/{id}")
        await server.said("reloaded")
        assert (await other.get("/things/2")).status_code == 404
        assert (await other.get("/others/2")).status_code == 200
        gate.open.set()
        assert (await call).json() == {"waited": True}


async def test_a_file_added_to_a_folder_brings_its_routes_and_ports(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO.read_text())
    async with serving(tmp_path, "--watch", ports=(8080, 9090, 8085)) as server, client(server.rest) as http:
        more = HELLO.read_text().replace("/v1/hello", "/v1/bye").replace("say-hello", "say-bye")
        more = more.replace("hello-mcp", "bye-mcp").replace("hello-rest", "bye-rest").replace("8080", "8085")
        (tmp_path / "bye.yaml").write_text(more)
        await server.said("reloaded")
        async with client(f"http://127.0.0.1:{8085 + server.offset}") as new:
            assert (await new.get("/v1/bye/Ada")).status_code == 200
        async with Client(server.mcp) as session:
            assert {tool.name for tool in (await session.list_tools()).tools} == {"say-hello", "say-bye"}
        (tmp_path / "bye.yaml").unlink()
        await server.said("reloaded", times=2)
        with pytest.raises(httpx2.ConnectError):
            async with client(f"http://127.0.0.1:{8085 + server.offset}") as new:
                await new.get("/v1/bye/Ada")
        assert (await http.get("/v1/hello/Ada")).status_code == 200


# --- what it writes


async def test_json_logs_are_one_line_for_each_call(things: Path, upstream: RecordingUpstream) -> None:
    async with serving(things, "--log-format", "json") as server, client(server.rest) as http:
        await http.get("/things/1")
        upstream.then(reply(404))
        await http.get("/things/1")
        async with Client(server.mcp) as session:
            await session.call_tool("act", {"id": "3"})
        await server.stop()
        lines = [json.loads(line) for line in server.err if line.startswith("{")]
    calls = [line for line in lines if line["logger"] == "capstan.call"]
    assert [(line["door"], line["unit"], line["status"]) for line in calls] == [
        ("rest", "act", 200), ("rest", "act", 404), ("mcp", "act", 200)
    ]  # fmt: skip
    assert (calls[1]["code"], calls[1]["outcome"]) == ("upstream-refused", "refused")
    for line in calls:
        assert {"time", "level", "message", "effect", "ms"} <= set(line)


async def test_quiet_logs_no_calls(things: Path) -> None:
    async with serving(things, "--quiet") as server, client(server.rest) as http:
        await http.get("/things/1")
        await server.stop()
    assert server.err == []


SECRET = 's3cr3t/with "quotes" & a täil'


def spellings(secret: str) -> set[str]:
    """How a secret may show."""
    basic = base64.b64encode(f"the-user-name:{secret}".encode()).decode()
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe=""),
            quote_plus(secret), basic}  # fmt: skip


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_secret_leaves_the_process_though_the_upstream_echoes_it(
    log_format: str, tmp_path: Path, upstream: RecordingUpstream
) -> None:
    def echo(received: Any) -> Any:
        status = int(received.target.rpartition("/")[2].partition("?")[0])
        told = {"you sent": received.headers, "password": SECRET, "again": received.header("X-Key")}
        return reply(status, data=told, headers={"X-Request-Id": received.header("Authorization") or ""})

    upstream.always = echo
    file = tmp_path / "secret.yaml"
    text = thing_text(
        upstream, variables=["THE_USER", "THE_PASSWORD"],
        authentication={"type": "basic", "username": "{{env.THE_USER}}", "password": "{{env.THE_PASSWORD}}"},
    )  # fmt: skip
    file.write_text(text)
    seen: list[str] = []
    environ = {"THE_USER": "the-user-name", "THE_PASSWORD": SECRET}
    async with serving(file, "--log-format", log_format, env=environ) as server, client(server.rest) as http:
        async with Client(server.mcp) as session:
            for status in ("200", "400", "401", "500"):
                answer = await http.get(f"/things/{status}")
                assert answer.status_code in (200, 400, 502)
                seen += [answer.text, str(answer.headers)]
                seen.append((await session.call_tool("act", {"id": status})).model_dump_json())
            seen.append((await session.list_tools()).model_dump_json())
        seen += [(await http.get(path)).text for path in ("/openapi.json", "/docs")]
        await server.stop()
        seen.append(server.talk)
    assert upstream.requests
    for text in seen:
        for spelling in spellings(SECRET):
            assert spelling not in text
            assert json.dumps(spelling)[1:-1] not in text
