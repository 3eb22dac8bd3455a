"""Sessions of MCP clients: how many, for how long, and whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from journeys.running import client, serving

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
FILE = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: mcp
    namespace: a
    port: 9090
    tools: [{name: a, description: A., outputParameters: [{name: x, type: string, value: y}]}]
"""
OPENING = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip


@asynccontextmanager
async def talking(tmp_path: Path, **env: str) -> AsyncIterator[httpx2.AsyncClient]:
    file = tmp_path / "a.yaml"
    file.write_text(FILE)
    async with serving(file, env=env, ports=(9090,)) as server, client(server.mcp.removesuffix("/mcp")) as http:
        yield http


async def _open(http: httpx2.AsyncClient) -> httpx2.Response:
    return await http.post("/mcp", json=OPENING, headers=HEADERS)


async def _list(http: httpx2.AsyncClient, session: str) -> httpx2.Response:
    asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    return await http.post("/mcp", json=asked, headers={**HEADERS, "mcp-session-id": session})


def _words(answer: httpx2.Response) -> Any:
    return answer.json()["error"]["message"]


async def test_a_thousand_sessions_are_open_and_the_next_is_refused_in_words(tmp_path: Path) -> None:
    async with talking(tmp_path) as http:
        answers = []
        for _ in range(20):
            answers += await asyncio.gather(*(_open(http) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        sessions = [answer.headers["mcp-session-id"] for answer in answers]
        assert len(set(sessions)) == 1000
        refused = await _open(http)
        assert (refused.status_code, _words(refused)) == (503, "Too many open sessions")
        assert (await _list(http, sessions[0])).status_code == 200  # nobody is put out for it
        ended = await http.delete("/mcp", headers={"mcp-session-id": sessions[1]})
        assert ended.status_code == 200
        assert (await _open(http)).status_code == 200


async def test_a_session_that_is_ended_or_that_is_none_is_not_found(tmp_path: Path) -> None:
    async with talking(tmp_path) as http:
        session = (await _open(http)).headers["mcp-session-id"]
        assert (await _list(http, session)).status_code == 200
        await http.delete("/mcp", headers={"mcp-session-id": session})
        for other in (session, "f" * 32, "no such thing"):
            answer = await _list(http, other)
            assert (answer.status_code, _words(answer)) == (404, "Session not found")
            assert (await http.delete("/mcp", headers={"mcp-session-id": other})).status_code == 404
            of_a_stream = {"mcp-session-id": other, "accept": "text/event-stream"}
            assert (await http.get("/mcp", headers=of_a_stream)).status_code == 404


async def test_a_session_that_is_not_used_makes_room(tmp_path: Path) -> None:
    env = {"CAPSTAN_MAX_SESSIONS": "1", "CAPSTAN_SESSION_IDLE_SECONDS": "0.5"}
    async with talking(tmp_path, **env) as http:
        session = (await _open(http)).headers["mcp-session-id"]
        assert (await _open(http)).status_code == 503
        async with asyncio.timeout(10):
            while (await _open(http)).status_code != 200:
                pass  # a request takes its time
        assert (await _list(http, session)).status_code == 404


async def test_a_session_whose_stream_is_open_is_used(tmp_path: Path) -> None:
    env = {"CAPSTAN_MAX_SESSIONS": "2", "CAPSTAN_SESSION_IDLE_SECONDS": "0.5"}
    async with talking(tmp_path, **env) as http:
        session = (await _open(http)).headers["mcp-session-id"]
        other = (await _open(http)).headers["mcp-session-id"]
        of_a_stream = {"mcp-session-id": session, "accept": "text/event-stream"}
        async with http.stream("GET", "/mcp", headers=of_a_stream) as stream, asyncio.timeout(10):
            assert stream.status_code == 200
            while (await _open(http)).status_code != 200:
                pass  # a request takes its time
            assert (await _list(http, session)).status_code == 200
        assert (await _list(http, other)).status_code == 404


@pytest.mark.parametrize("name", ["CAPSTAN_MAX_SESSIONS", "CAPSTAN_SESSION_IDLE_SECONDS", "CAPSTAN_MAX_SUBSCRIPTIONS"])
async def test_a_limit_is_a_positive_number(name: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{name} must be a positive number, not '0'"):
        async with talking(tmp_path, **{name: "0"}):
            pass
