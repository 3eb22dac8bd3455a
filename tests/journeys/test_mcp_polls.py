"""Resources that are watched for those who are subscribed to them, over real sockets, in both eras."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from journeys.running import Capstan, client, serving
from journeys.telling import Told, ask_to_listen, subscribe, unsubscribe
from support import Raw, Received, RecordingUpstream, reply

FILE = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: orders
      path: /orders/{id}
      operations: [{name: read-order, method: GET}]
  exposes:
  - type: mcp
    namespace: polled
    port: 9090
    resources:
    - {name: order, uri: 'data://orders/{id}', call: shop.read-order, poll: 1}
    - {name: clock, uri: 'data://clock', call: shop.read-order, with: {id: clock}, poll: 1}
    - {name: still, uri: 'data://still', text: Still.}
    - {name: files, uri: 'data://files', location: file:///./files, poll: 1}
  - {type: mcp, namespace: quiet, port: 9090, resources: [{name: q, uri: 'data://quiet', text: Quiet.}]}
"""
OF_PATH = "/orders/"


class Shop:
    """An upstream whose orders can be changed, and that counts who reads them."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.status = 200
        self.upstream = RecordingUpstream(self._answer)

    def _answer(self, request: Received) -> Raw:
        name = request.target.removeprefix(OF_PATH)
        if name == "gone":
            return reply(404, data={})
        return reply(self.status, data={name: self.state.get(name, 1)})

    def reads(self, name: str) -> int:
        return sum(request.target == OF_PATH + name for request in self.upstream.requests)

    async def read_again(self, name: str, times: int) -> None:
        wanted = self.reads(name) + times
        await self.upstream.wait_for(lambda _: self.reads(name) >= wanted, seconds=15)


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    found = Shop()
    async with found.upstream:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("one")
    path = tmp_path / "a.yaml"
    path.write_text(FILE)
    return path


@asynccontextmanager
async def polling(file: Path, shop: Shop, *more: str, **env: str) -> AsyncIterator[Capstan]:
    base = f"shop={shop.upstream.url}"
    async with serving(file, "--base-uri", base, *more, env=env, ports=(9090,)) as running:
        yield running


async def test_a_session_is_told_when_what_it_is_subscribed_to_is_no_longer_the_same(file: Path, shop: Shop) -> None:
    told = Told()
    async with (
        polling(file, shop) as server,
        Client(server.mcp, mode="legacy", message_handler=told) as session,
    ):
        assert session.server_capabilities.resources is not None
        assert session.server_capabilities.resources.subscribe is True
        await subscribe(session, "data://orders/7")
        assert shop.reads("7") == 1  # what is there now, so that no later change is missed
        await shop.read_again("7", 2)
        assert told.methods == []
        shop.state["7"] = 2
        await told.wait_for(1)
        shop.status = 503  # what cannot be read has not changed
        await shop.read_again("7", 2)
        shop.status = 200
        await shop.read_again("7", 2)
        (file.parent / "files" / "a.txt").write_text("two")
        await subscribe(session, "data://files/a.txt")
        (file.parent / "files" / "a.txt").write_text("three")
        await told.wait_for(2)
        (file.parent / "files" / "a.txt").unlink()
        await told.wait_for(3)
        assert [(one.method, one.params.uri) for one in told.notifications] == [
            ("notifications/resources/updated", "data://orders/7"),
            ("notifications/resources/updated", "data://files/a.txt"),
            ("notifications/resources/updated", "data://files/a.txt"),
        ]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_whoever_listens_is_told_when_a_resource_is_no_longer_the_same(
    workers: str, file: Path, shop: Shop
) -> None:
    async with polling(file, shop, "--workers", workers) as server, Client(server.mcp) as agent:
        assert agent.server_capabilities.resources is not None
        assert agent.server_capabilities.resources.subscribe is True
        assert agent.server_capabilities.resources.list_changed is None
        uris = ["data://orders/7", "data://still", "data://orders/gone", "data://orders/8", "data://orders/7"]
        async with agent.listen(resource_subscriptions=uris, tools_list_changed=True) as heard, asyncio.timeout(15):
            # Only what will be told is agreed to.
            honored = heard.honored.model_dump(exclude_none=True, exclude_defaults=True)
            assert honored == {"resource_subscriptions": ["data://orders/7", "data://orders/8"]}
            shop.state["8"] = 2
            assert await anext(heard) == ResourceUpdated("data://orders/8")
            shop.state["7"] = 2
            assert await anext(heard) == ResourceUpdated("data://orders/7")


async def test_what_nobody_is_subscribed_to_is_not_read(file: Path, shop: Shop) -> None:
    async with (
        polling(file, shop) as server,
        Client(server.mcp, mode="legacy") as session,
        Client(server.mcp) as agent,
        client(server.mcp.removesuffix("/mcp")) as bare,
        agent.listen(resource_subscriptions=["data://clock"]),
    ):
        await subscribe(session, "data://orders/ended")
        await unsubscribe(session, "data://orders/ended")
        await unsubscribe(session, "data://orders/never")
        async with Client(server.mcp, mode="legacy") as leaving:
            await subscribe(leaving, "data://orders/left")
        async with agent.listen(resource_subscriptions=["data://orders/heard"]):
            pass
        opened = await _open(bare)
        await _post(bare, opened, "resources/subscribe", {"uri": "data://orders/deaf"})  # it has no stream open
        await subscribe(session, "data://orders/shared")
        async with agent.listen(resource_subscriptions=["data://orders/shared"]):
            pass
        await unsubscribe(session, "data://orders/shared")
        await shop.read_again("clock", 1)
        names = ("ended", "left", "heard", "deaf", "shared")
        before = [shop.reads(name) for name in names]
        await shop.read_again("clock", 3)
        assert [shop.reads(name) for name in names] == before
        assert shop.reads("deaf") == 1
        async with bare.stream(
            "GET", "/mcp", headers={"mcp-session-id": opened, "accept": "text/event-stream"}
        ) as stream:
            shop.state["deaf"] = 2  # now it has one
            async with asyncio.timeout(15):
                async for line in stream.aiter_lines():
                    if "notifications/resources/updated" in line:
                        break
        before = [shop.reads("deaf")]
        await shop.read_again("clock", 3)
        assert shop.reads("deaf") - before[0] <= 1  # one may have been on its way


async def test_two_that_watch_one_resource_have_it_read_once(file: Path, shop: Shop) -> None:
    async with polling(file, shop) as server, Client(server.mcp) as one, Client(server.mcp) as other:
        both = ["data://orders/7"]
        async with (
            one.listen(resource_subscriptions=both) as first,
            other.listen(resource_subscriptions=both) as second,
            asyncio.timeout(15),
        ):
            assert shop.reads("7") == 1
            shop.state["7"] = 2
            assert await anext(first) == await anext(second) == ResourceUpdated("data://orders/7")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        pytest.param("data://still", "how often", id="that is never read again"),
        pytest.param("data://none", "there is no resource", id="that is not there"),
        pytest.param("data://orders/gone", "there is no resource", id="that is gone"),
    ],
)
async def test_a_subscription_to_a_resource_is_refused_in_words(uri: str, words: str, file: Path, shop: Shop) -> None:
    async with (
        polling(file, shop) as server,
        Client(server.mcp, mode="legacy") as session,
        Client(server.mcp) as agent,
    ):
        with pytest.raises(MCPError, match=words):
            await subscribe(session, uri)
        with pytest.raises(MCPError, match=words) as caught:
            await ask_to_listen(agent, resource_subscriptions=[uri])
        assert caught.value.error.code == INVALID_PARAMS
        has = (await agent.session.discover()).capabilities.resources
        assert has is not None
        quiet = server.mcp.replace("/mcp", "/quiet/mcp")
        async with Client(quiet, mode="legacy") as other:
            assert other.server_capabilities.resources is not None
            assert other.server_capabilities.resources.subscribe is None
            with pytest.raises(MCPError, match="Method not found"):
                await subscribe(other, "data://quiet")


async def test_subscriptions_are_bounded(file: Path, shop: Shop) -> None:
    async with (
        polling(file, shop, CAPSTAN_MAX_SUBSCRIPTIONS="102") as server,
        Client(server.mcp, mode="legacy") as session,
        Client(server.mcp, mode="legacy") as other,
        Client(server.mcp) as agent,
    ):
        for number in range(100):
            await subscribe(session, f"data://orders/{number}")
        await subscribe(session, "data://orders/7")  # again: that is nothing new
        with pytest.raises(MCPError, match="100 resources at most"):
            await subscribe(session, "data://orders/100")
        three = [f"data://orders/{number}" for number in range(3)]
        await subscribe(other, three[0])
        await subscribe(other, three[1])
        with pytest.raises(MCPError, match="102 subscriptions already"):
            await subscribe(other, three[2])
        with pytest.raises(MCPError, match="102 subscriptions already"):
            await ask_to_listen(agent, resource_subscriptions=three)
        await unsubscribe(session, "data://orders/7")
        assert (await ask_to_listen(agent, resource_subscriptions=three))["resource_subscriptions"] == three[:1]


async def test_what_is_watched_is_watched_on_after_a_reload(file: Path, shop: Shop) -> None:
    changed = iter([
        FILE.replace("poll: 1}\n    - {name: clock", "poll: 1.5}\n    - {name: clock"),
        FILE.replace("{name: order,", "{name: order, mimeType: text/plain,"),  # it is read as something else
        FILE.replace("data://orders", "data://goods"),
    ])  # fmt: skip
    updated = ResourceUpdated("data://orders/7")
    async with polling(file, shop, "--watch") as server, Client(server.mcp) as agent:
        async with agent.listen(resource_subscriptions=["data://orders/7"]) as heard, asyncio.timeout(20):
            _write(file, next(changed))
            await server.said("reloaded")
            shop.state["7"] = 2
            assert await anext(heard) == updated
            for text in changed:
                _write(file, text)
                assert await anext(heard) == updated
            reads = shop.reads("7")
        async with agent.listen(resource_subscriptions=["data://clock"]):
            await shop.read_again("clock", 3)
            assert shop.reads("7") == reads


def _write(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_changes_are_told_over_standard_input_and_output_too(mode: Any, file: Path, shop: Shop) -> None:
    arguments = ["-m", "capstan", "serve", str(file), "--stdio", "--base-uri", f"shop={shop.upstream.url}"]
    told = Told()
    transport = stdio_client(StdioServerParameters(command=sys.executable, args=arguments))
    async with Client(transport, mode=mode, message_handler=told) as agent:
        if mode == "legacy":
            await subscribe(agent, "data://orders/7")
            shop.state["7"] = 2
            await told.wait_for(1)
            assert told.methods == ["notifications/resources/updated"]
        else:
            async with agent.listen(resource_subscriptions=["data://orders/7"]) as heard, asyncio.timeout(15):
                shop.state["7"] = 2
                assert await anext(heard) == ResourceUpdated("data://orders/7")


# --- a client of our own, which does what it is told and no more

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


async def _open(http: Any) -> str:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = await http.post("/mcp", json=_request("initialize", params), headers=HEADERS)
    opened: str = answer.headers["mcp-session-id"]
    headers = {**HEADERS, "mcp-session-id": opened}
    await http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    return opened


async def _post(http: Any, session: str, method: str, params: dict[str, Any]) -> Any:
    answer = await http.post("/mcp", json=_request(method, params), headers={**HEADERS, "mcp-session-id": session})
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def _request(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
