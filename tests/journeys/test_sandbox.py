"""`capstan sandbox`, and a sandbox beside the server, with a small module in place of the bundled one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from journeys.running import REPOSITORY, Capstan, client, free_offset, serving
from support import capability_text

# Stands in for `capstan.sandbox` in every process that has this folder on its path. Answers with what it was asked.
FAKE = """
import http.server, json, os, signal, sys, threading, types

HOSTS = frozenset({"api.shop.invalid"})
DEMO_VARIABLES = {"SHOP_TOKEN": "demo-token"}


def run(*, host, port, database, rate_limits, capstan_url, ready):
    if database == "cannot-be-opened":
        print("capstan sandbox: cannot-be-opened is no database", file=sys.stderr)
        return 1

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            told = {"pid": os.getpid(), "host": self.headers["Host"], "path": self.path, "database": database,
                    "token": self.headers["Authorization"], "limits": rate_limits, "capstan": capstan_url}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def server_bind(self):  # without asking for the name of the host
            http.server.socketserver.TCPServer.server_bind(self)

    try:
        server = Server((host, port), Handler)
    except OSError as error:
        print(f"capstan sandbox: cannot listen: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    ready(f"http://localhost:{server.server_address[1]}")
    server.serve_forever()
    return 0


def welcome(rest_url, mcp_url, sandbox_url):
    return f"try {rest_url} and {mcp_url} before {sandbox_url}"


module = types.ModuleType("capstan.sandbox")
module.HOSTS, module.DEMO_VARIABLES, module.run, module.welcome = HOSTS, DEMO_VARIABLES, run, welcome
sys.modules["capstan.sandbox"] = module
"""
PORTS = (8080, 9090, 8181)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(FAKE)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(
        capability_text(
            "GET",
            "/orders",
            base_uri="https://api.shop.invalid/v1",
            variables=["SHOP_TOKEN"],
            authentication={"type": "bearer", "token": "{{env.SHOP_TOKEN}}"},
        )
    )
    return path


def change(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


@asynccontextmanager
async def beside(shop: Path, *arguments: str, env: Mapping[str, str]) -> AsyncIterator[Capstan]:
    async with serving(shop, "--sandbox", *arguments, env=env, ports=PORTS) as server:
        yield server


async def orders(server: Capstan) -> dict[str, Any]:
    async with client(server.rest) as http:
        told: dict[str, Any] = (await http.get("/orders")).json()
        return told


async def is_gone(pid: int) -> bool:
    """Wait until a process that is no child of ours has ended."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_credentials_that_are_set_here_are_told_of(shop: Path, env: dict[str, str]) -> None:
    async with beside(shop, env={**env, "SHOP_TOKEN": "a-real-one"}) as server:
        assert "SHOP_TOKEN is set here; the sandbox refuses what it was not told of" in server.talk
        assert "a-real-one" not in server.talk
    async with beside(shop, env=env) as server:
        assert "set here" not in server.talk


async def test_a_host_that_is_called_in_spite_of_the_sandbox_is_told_of(shop: Path, env: dict[str, str]) -> None:
    async with beside(shop, env=env) as server:
        assert "called for real" not in server.talk
    change(shop, "api.shop.invalid", "api.other.invalid")
    async with beside(shop, env=env) as server:
        assert "api.other.invalid is called for real: the sandbox does not stand in for it" in server.talk


async def test_a_door_that_is_taken_is_told_before_the_sandbox_is_started(shop: Path, env: dict[str, str]) -> None:
    offset = free_offset(PORTS)
    with socket.create_server(("127.0.0.1", 8080 + offset)), socket.create_server(("127.0.0.1", 8181 + offset)):
        server = await Capstan.start(shop, "--sandbox", offset=offset, env=env)
        assert await server.ended() == 1
    assert f"port {8080 + offset} on 127.0.0.1 is taken by another program" in server.talk
    assert "sandbox" not in server.talk


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_calls_go_to_the_sandbox_with_its_credentials(shop: Path, env: dict[str, str], workers: str) -> None:
    async with beside(shop, "--workers", workers, "--sandbox-db", "state.db", env=env) as server:
        told = await orders(server)
        sandbox = f"http://localhost:{8181 + server.offset}"
        assert server.out[0].endswith(f"MCP {server.mcp}, sandbox {sandbox} (1 file)")
        await server.said(f"try {server.rest} and {server.mcp} before {sandbox}")
        assert server.out[1].startswith("try ")
    assert (told.pop("host"), told.pop("path")) == ("api.shop.invalid", "/v1/orders")
    assert told.pop("token") == "Bearer **********"  # echoed, and masked on its way
    assert (told.pop("database"), told.pop("limits")) == ("state.db", False)
    assert told.pop("capstan") == server.rest
    assert server.process.returncode == 0
    assert await is_gone(told["pid"])


async def test_a_variable_of_the_environment_goes_before_the_sandboxs_own(shop: Path, env: dict[str, str]) -> None:
    async with beside(shop, env={**env, "SHOP_TOKEN": "mine"}) as server:
        assert (await orders(server))["token"] == "Bearer mine"


async def test_a_reload_keeps_the_sandbox(shop: Path, env: dict[str, str]) -> None:
    async with beside(shop, "--watch", env=env) as server:
        before = await orders(server)
        change(shop, "/v1", "/v2")
        await server.said("reloaded")
        after = await orders(server)
    assert (before["pid"], after["path"]) == (after["pid"], "/v2/orders")


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_sandbox_does_not_outlive_its_server(shop: Path, env: dict[str, str], workers: str) -> None:
    async with beside(shop, "--workers", workers, env=env) as server:
        pid = (await orders(server))["pid"]
        await server.stop(signal.SIGKILL)
        assert await is_gone(pid)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_server_does_not_outlive_its_sandbox(shop: Path, env: dict[str, str], workers: str) -> None:
    async with beside(shop, "--workers", workers, env=env) as server:
        os.kill((await orders(server))["pid"], signal.SIGKILL)
        assert await server.ended() == 1
    assert server.err[-1] == "capstan: the sandbox has ended, and the server ends with it"


async def test_a_sandbox_that_cannot_start_is_told_and_ends_the_start(shop: Path, env: dict[str, str]) -> None:
    server = await Capstan.start(
        shop, "--sandbox", "--sandbox-db", "cannot-be-opened", offset=free_offset(PORTS), env=env
    )
    assert await server.ended() == 1
    assert server.err == [
        "capstan sandbox: cannot-be-opened is no database",
        "capstan: the sandbox could not be started; --sandbox-port and --sandbox-db say where",
    ]


async def test_a_taken_port_of_the_sandbox_is_told(shop: Path, env: dict[str, str]) -> None:
    offset = free_offset(PORTS)
    with socket.create_server(("127.0.0.1", 8181 + offset)):
        server = await Capstan.start(shop, "--sandbox", offset=offset, env=env)
        assert await server.ended() == 1
    assert "cannot listen" in server.talk
    assert "Traceback" not in server.talk


async def test_an_mcp_server_on_stdio_keeps_its_output_clean(shop: Path, env: dict[str, str]) -> None:
    change(shop, "port: 9090", "transport: stdio")
    async with beside(shop, env=env) as server:
        await server.said("try ")
        assert server.out == []


def run_capstan(*arguments: str | Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "capstan", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("--sandbox-db", "x"), ("--sandbox", "--sandbox-port", "70000"), ("--sandbox", "--sandbox-port", "x")]
)
def test_bad_usage_exits_2(shop: Path, env: dict[str, str], arguments: tuple[str, ...]) -> None:
    assert run_capstan("serve", shop, *arguments, env=env).returncode == 2


async def test_a_bundled_capability_is_served_against_the_bundled_sandbox() -> None:
    captures = REPOSITORY / "capabilities" / "klarna" / "order-management-captures.yaml"
    env = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    async with beside(captures, env=env) as server, client(server.rest) as http:
        (route,) = [path for path in (await http.get("/openapi.json")).json()["paths"] if path.endswith("/captures")]
        answer = await http.get(re.sub(r"{.*?}", "00000000-0000-4000-8000-000000000000", route))
    assert (answer.status_code, answer.json()["code"]) == (404, "upstream-refused")


# --- the sandbox alone


@asynccontextmanager
async def sandbox(*arguments: str, env: Mapping[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A sandbox that listens, and its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "capstan", "sandbox", "--port", "0", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"], **env},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(15):
            line = (await process.stdout.readline()).decode()
            assert line.startswith("capstan sandbox ready: http://localhost:")
            yield process, int(line.rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_call_goes_to_a_sandbox_that_runs(shop: Path, env: dict[str, str]) -> None:
    async with sandbox("--rate-limits", "--db", "my.db", env=env) as (_, port):
        done = await asyncio.to_thread(
            run_capstan, "call", shop, "act", "--sandbox", "--sandbox-port", str(port), "--json", env=env
        )
    told = json.loads(done.stdout)
    assert (told["host"], told["limits"], told["database"]) == ("api.shop.invalid", True, "my.db")


def test_a_port_that_is_none_is_bad_usage(env: dict[str, str]) -> None:
    done = run_capstan("sandbox", "--port", "70000", env=env)
    assert (done.returncode, done.stderr) == (2, "capstan: 70000 is no port\n")


@pytest.mark.parametrize("url", ["localhost:8080", "http://localhost:8080/docs", "http:///"])
def test_a_capstan_that_is_no_address_is_bad_usage(env: dict[str, str], url: str) -> None:
    done = run_capstan("sandbox", "--capstan", url, env=env)
    assert (done.returncode, done.stderr) == (2, f"capstan: --capstan takes http://host:port, not '{url}'\n")


async def test_a_sandbox_goes_on_when_its_input_ends(env: dict[str, str]) -> None:
    async with sandbox(env=env) as (process, port):
        assert process.stdin is not None
        process.stdin.close()
        async with client(f"http://127.0.0.1:{port}") as http:
            assert (await http.get("/")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
