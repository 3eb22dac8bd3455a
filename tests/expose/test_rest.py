"""The REST application behind a real server: what only a socket shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from capstan.call.unit import LiveUnit
from capstan.expose.rest import RestApp, RestUnit
from capstan.settings import Settings
from plan.helpers import plan_of

# Every operation answers with its own arguments, so no upstream is needed.
ECHO = """
naftiko: 1.0.0-alpha2
info: {label: Echo}
capability:
  exposes:
  - type: rest
    namespace: echo
    port: 8080
    resources:
    - path: /echo/{a}
      operations:
      - method: GET
        name: get
        inputParameters: [{name: a, in: path}, {name: b, in: query}, {name: X-C, in: header}, {name: d, in: cookie}]
        outputParameters:
        - {name: a, value: '{{a}}'}
        - {name: b, value: '{{b}}'}
        - {name: c, value: '{{X-C}}'}
        - {name: d, value: '{{d}}'}
      - method: POST
        name: post
        inputParameters: [{name: body, in: body}]
        outputParameters: [{name: body, value: '{{body}}'}]
    - path: /echo/fixed
      operations:
      - {method: GET, name: fixed, outputParameters: [{name: fixed, const: true}]}
"""


class Client:
    """Sends bytes as they are: an HTTP library would tidy the very things tested here."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def send(
        self, target: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, content

    async def json(self, target: str, **more: Any) -> Any:
        _, _, content = await self.send(target, **more)
        return json.loads(content)


@asynccontextmanager
async def serving(text: str, settings: Settings) -> AsyncIterator[Client]:
    plan, _ = plan_of(text, {})
    units = [RestUnit(o, LiveUnit(o.unit, None, settings)) for o in plan.rest[0].operations]
    app = RestApp(
        units, settings, {"/page": lambda: (b"text/html", b"<p>"), "/echo/fixed": lambda: (b"text/html", b"page")}
    )
    async with running(app) as client:
        yield client


@asynccontextmanager
async def running(app: RestApp) -> AsyncIterator[Client]:
    """A server in front of the application, and a client of it."""
    config = uvicorn.Config(app, "127.0.0.1", 0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(5):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
    try:
        yield Client(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 5)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(ECHO, Settings(max_request_bytes=1000)) as client:
        yield client


@pytest.mark.parametrize(
    ("segment", "value"),
    [("a", "a"), ("a%20b", "a b"), ("a%2Fb", "a/b"), ("%2e%2e", ".."), ("%252F", "%2F"),
     ("a+b", "a+b"), ("%C3%BC", "ü"), ("a%3Fb", "a?b"), ("a;b=c", "a;b=c"), ("%00", "\0")],
)  # fmt: skip
async def test_a_segment_is_split_before_it_is_decoded(client: Client, segment: str, value: str) -> None:
    assert (await client.json(f"/echo/{segment}"))["a"] == value


async def test_every_place_arrives(client: Client) -> None:
    answer = await client.json("/echo/1?b=x+y%26", X_C="ü", Cookie="z=1; d=4")
    assert answer == {"a": "1", "b": "x y&", "c": "ü", "d": "4"}


async def test_a_body_arrives(client: Client) -> None:
    assert await client.json("/echo/1", method="POST", body=b'{"n": 1.50}', Content_Type="application/json") == {
        "body": {"n": 1.5}
    }


async def test_text_that_utf8_cannot_hold_still_comes_back(client: Client) -> None:
    status, _, content = await client.send("/echo/1", method="POST", body=b'["\\ud800"]')
    assert (status, json.loads(content)) == (200, {"body": ["\ud800"]})


@pytest.mark.parametrize(
    ("target", "method", "status", "code"),
    [
        ("/nowhere", "GET", 404, "no-route"),
        ("/echo/", "GET", 404, "no-route"),
        ("/echo/%ff", "GET", 404, "no-route"),
        ("/echo/1", "DELETE", 405, "wrong-method"),
        ("/echo/1?zzz=1", "GET", 400, "unknown-argument"),
    ],
)
async def test_what_cannot_be_served_is_told_as_a_problem(
    client: Client, target: str, method: str, status: int, code: str
) -> None:
    found, headers, content = await client.send(target, method)
    assert (found, headers["content-type"], json.loads(content)["code"]) == (status, "application/problem+json", code)


async def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    status, _, content = await client.send("/echo/1", "POST", b'"' + b"x" * 1000 + b'"')
    assert (status, json.loads(content)["code"]) == (413, "request-too-large")


async def test_a_path_tells_its_methods(client: Client) -> None:
    status, headers, content = await client.send("/echo/1", "OPTIONS")
    assert (status, headers["allow"], content) == (204, "GET, HEAD, OPTIONS, POST", b"")


async def test_head_is_get_without_its_content(client: Client) -> None:
    _, headers, content = await client.send("/echo/fixed")
    status, head_headers, nothing = await client.send("/echo/fixed", "HEAD")
    assert (status, nothing, head_headers["content-length"]) == (200, b"", headers["content-length"])
    assert json.loads(content) == {"fixed": True}


async def test_a_declared_route_goes_before_a_page(client: Client) -> None:
    assert (await client.send("/echo/fixed"))[1]["content-type"] == "application/json"
    assert (await client.send("/page"))[2] == b"<p>"


async def test_a_path_that_is_not_there_leads_to_the_routes_or_to_mcp() -> None:
    app = RestApp([], Settings(), {"/docs": lambda: (b"text/html", b"page")}, ("/mcp", "/echo/mcp", "/shop/mcp"))
    async with running(app) as client:
        assert "/docs" in (await client.json("/cap"))["hint"]
        assert (await client.json("/shops/mcp"))["hint"] == "MCP is spoken at /shop/mcp, /mcp, /echo/mcp"
        assert "/docs" in (await client.json("/" + "mcp" * 500))["hint"]
