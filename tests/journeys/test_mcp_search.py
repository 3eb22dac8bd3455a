"""Three tools in place of many: over real sockets, with the official client in both protocol eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitResult, TextContent

from journeys.running import Capstan, serving
from library.classic import CREDENTIALS, FOLDER
from support import RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

ERAS = ["auto", "legacy"]
THREE = ["search-tools", "describe-tool", "call-tool"]
FILE = """\
naftiko: 1.0.0-alpha2
info: {label: Shop}
binds:
- {namespace: env, keys: {SHOP_TOKEN: SHOP_TOKEN}}
capability:
  consumes:
  - namespace: shop
    baseUri: http://127.0.0.1:1
    authentication: {type: bearer, token: '{{env.SHOP_TOKEN}}'}
    resources:
    - name: orders
      path: /orders/{order_id}
      operations:
      - {name: read-order, method: GET, inputParameters: [{name: order_id, in: path}]}
      - {name: refund-order, method: POST, effect: money, inputParameters: [{name: order_id, in: path}]}
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    toolList: search
    tools:
    - name: read-order
      label: Look at an order
      description: Reads one order. It is not changed.
      inputParameters: [{name: order_id, type: string, pattern: '^o-', description: Its id.}]
      call: shop.read-order
      with: {order_id: tools.order_id}
      outputParameters: [{name: id, type: string, mapping: $.id}]
    - {name: show, description: Shows all of an order., call: shop.read-order}
    - {name: refund-order, description: Gives money back., tags: [after sales], call: shop.refund-order}
    - name: ask-and-refund
      description: Asks, then gives money back.
      inputParameters: [{name: order_id, type: string}]
      steps:
      - {name: order, call: shop.read-order, with: {order_id: tools.order_id}}
      - {name: told, log: 'The order {{order_id}} is read', level: warning}
      - {name: sure, ask: 'Refund {{order_id}}?'}
      - {name: refund, call: shop.refund-order, with: {order_id: tools.order_id}}
"""
OTHER = """\
naftiko: 1.0.0-alpha2
info: {label: Other}
capability:
  exposes:
  - type: mcp
    namespace: other-mcp
    port: 9090
    tools:
    - {name: where, description: Says where., outputParameters: [{name: place, type: string, value: here}]}
    - {name: call-tool, description: Calls a tool-maker., outputParameters: [{name: calls, type: string, value: none}]}
"""
ENV = {"SHOP_TOKEN": "token-of-the-shop"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def upstream(shared: RecordingUpstream) -> RecordingUpstream:
    shared.requests.clear()
    shared.always = reply(data={"id": "o-1", "note": "token-of-the-shop"})
    return shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, shared: RecordingUpstream) -> AsyncIterator[Capstan]:
    folder = tmp_path_factory.mktemp("search")
    (folder / "other.yaml").write_text(OTHER)
    (folder / "shop.yaml").write_text(FILE)
    async with serving(folder, "--base-uri", f"shop={shared.url}", env=ENV, ports=(9090,)) as running:
        yield running


def data_of(result: CallToolResult) -> Any:
    (block, *_) = result.content
    assert isinstance(block, TextContent)
    return json.loads(block.text)


async def found(session: Client, query: str, **more: Any) -> list[str]:
    result = await session.call_tool("search-tools", {"query": query, **more})
    assert not result.is_error, result
    assert result.structured_content == data_of(result)
    return [tool["name"] for tool in data_of(result)["tools"]]


def refused(result: CallToolResult, code: str) -> Any:
    assert result.is_error
    told = data_of(result)
    assert told["code"] == code, told
    return told


# --- the list


@pytest.mark.parametrize("mode", ERAS)
async def test_three_tools_are_listed_beside_those_of_other_adapters(mode: Any, server: Capstan) -> None:
    async with Client(server.mcp, mode=mode) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == [*THREE, "where", "other-mcp__call-tool"]
        result = await session.call_tool("other-mcp__call-tool", {})
        assert data_of(result) == {"calls": "none"}
    own = server.mcp.replace("/mcp", "/shop-mcp/mcp")
    async with Client(own, mode=mode) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == THREE
    async with Client(server.mcp.replace("/mcp", "/other-mcp/mcp"), mode=mode) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == ["where", "call-tool"]


async def test_what_calls_the_others_is_announced_as_the_gravest_of_them(server: Capstan, tmp_path: Path) -> None:
    async with Client(server.mcp) as session:
        tools = {tool.name: tool.annotations for tool in (await session.list_tools()).tools}
    for name in THREE[:2]:
        hints = tools[name]
        assert hints is not None
        assert (hints.read_only_hint, hints.open_world_hint) == (True, False)
    calling = tools["call-tool"]
    assert calling is not None
    assert (calling.read_only_hint, calling.destructive_hint) == (False, True)
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    async with serving(file, "--effect", "read", env=ENV, ports=(9090,)) as reading, Client(reading.mcp) as session:
        calling = {tool.name: tool.annotations for tool in (await session.list_tools()).tools}["call-tool"]
    assert calling is not None
    assert calling.read_only_hint is True


# --- finding


@pytest.mark.parametrize("mode", ERAS)
async def test_tools_are_found_by_words_best_first(mode: Any, server: Capstan) -> None:
    async with Client(server.mcp, mode=mode) as session:
        assert await found(session, "refund an order") == ["refund-order", "ask-and-refund", "read-order", "show"]
        assert await found(session, "after-sales") == ["refund-order"]
        assert await found(session, "LOOK") == ["read-order"]
        assert await found(session, "refunds", limit=1) == ["refund-order"]
        assert await found(session, "where") == []


async def test_what_is_found_is_told_in_a_line(server: Capstan) -> None:
    async with Client(server.mcp) as session:
        told = data_of(await session.call_tool("search-tools", {"query": "read"}))
        assert told == {
            "found": 1,
            "tools": [{"name": "read-order", "title": "Look at an order", "description": "Reads one order.",
                       "effect": "read"}],
        }  # fmt: skip
        told = data_of(await session.call_tool("search-tools", {"query": "teleport"}))
        assert (told["found"], told["tools"]) == (0, [])
        assert "there are 4 tools, of order, refund, read" in told["hint"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "missing-argument"),
        ({"query": 7}, "bad-argument"),
        ({"query": "x" * 501}, "bad-argument"),
        ({"query": "order", "limit": 51}, "bad-argument"),
        ({"query": "order", "limits": 5}, "unknown-argument"),
    ],
)
async def test_a_search_is_checked_as_other_calls_are(arguments: dict[str, Any], code: str, server: Capstan) -> None:
    async with Client(server.mcp) as session:
        refused(await session.call_tool("search-tools", arguments), code)


@pytest.mark.parametrize("mode", ERAS)
async def test_a_tool_is_described_as_a_list_would(mode: Any, server: Capstan, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    async with (
        serving(file, "--tools", "all", env=ENV, ports=(9090,)) as plain,
        Client(plain.mcp, mode=mode) as session,
    ):
        listed = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert list(listed) == ["read-order", "show", "refund-order", "ask-and-refund"]
    async with Client(server.mcp, mode=mode) as session:
        for name, tool in listed.items():
            told = data_of(await session.call_tool("describe-tool", {"name": name}))
            effect = told.pop("effect")
            assert told == tool.model_dump(by_alias=True, exclude_none=True, mode="json")
            assert effect == ("read" if name in ("read-order", "show") else "money")


# --- calling


@pytest.mark.parametrize("mode", ERAS)
async def test_a_call_goes_through_the_tool_with_all_its_checks(
    mode: Any, server: Capstan, upstream: RecordingUpstream
) -> None:
    async with Client(server.mcp, mode=mode) as session:
        result = await session.call_tool("call-tool", {"name": "read-order", "arguments": {"order_id": "o-1"}})
        assert result.structured_content == {"id": "o-1"}
        shown = await session.call_tool("call-tool", {"name": "show", "arguments": {"order_id": "o-1"}})
        assert set(data_of(shown)["note"]) == {"*"}
        wrong = await session.call_tool("call-tool", {"name": "read-order", "arguments": {"order_id": "1"}})
        assert refused(wrong, "bad-argument")["argument"] == "order_id"
        refused(await session.call_tool("call-tool", {"name": "read-order"}), "missing-argument")
        upstream.always = reply(404, data={"reason": "no such order, token-of-the-shop"})
        missing = await session.call_tool("call-tool", {"name": "read-order", "arguments": {"order_id": "o-2"}})
        told = refused(missing, "upstream-refused")
        assert (told["outcome"], told["upstream"]["status"]) == ("refused", 404)
    assert "token-of-the-shop" not in json.dumps([data_of(r) for r in (result, shown, wrong, missing)])
    assert [request.target for request in upstream.requests] == ["/orders/o-1", "/orders/o-1", "/orders/o-2"]
    await server.said("mcp read-order")


@pytest.mark.parametrize("mode", ERAS)
async def test_a_name_that_is_none_is_told_with_those_near_it(
    mode: Any, server: Capstan, upstream: RecordingUpstream
) -> None:
    async with Client(server.mcp, mode=mode) as session:
        for tool in ("call-tool", "describe-tool"):
            told = refused(await session.call_tool(tool, {"name": "read_orders"}), "unknown-tool")
            assert told["hint"] == "did you mean 'read-order' or 'refund-order'?"
            assert told["outcome"] == "not-sent"
        told = refused(await session.call_tool("call-tool", {"name": "teleport"}), "unknown-tool")
        assert told["hint"] == "'search-tools' finds tools by words"
        refused(
            await session.call_tool("call-tool", {"name": "call-tool", "arguments": {"name": "show"}}), "unknown-tool"
        )
        told = refused(await session.call_tool("call-tool", {"name": "show", "arguments": "{}"}), "bad-argument")
        assert told["argument"] == "arguments"
        with pytest.raises(MCPError, match="there is no tool 'show'; 'call-tool' calls it"):
            await session.call_tool("show", {"order_id": "o-1"})
        with pytest.raises(MCPError, match=r"there is no tool 'teleport'$"):
            await session.call_tool("teleport", {})
    assert upstream.requests == []


@pytest.mark.parametrize("mode", ERAS)
async def test_a_tool_behind_them_asks_tells_and_reports(
    mode: Any, server: Capstan, upstream: RecordingUpstream
) -> None:
    asked: list[str] = []
    said: list[Any] = []
    steps: list[str | None] = []

    async def ask(_: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={})

    async def tell(params: Any) -> None:
        said.append(params.data)

    async def report(_: float, __: float | None, step: str | None) -> None:
        steps.append(step)

    options: dict[str, Any] = {"elicitation_callback": ask, "logging_callback": tell}
    async with asyncio.timeout(20), Client(server.mcp, mode=mode, **options) as session:
        call = {"name": "ask-and-refund", "arguments": {"order_id": "o-1"}}
        result = await session.call_tool("call-tool", call, progress_callback=report)
    assert not result.is_error, result
    assert asked == ["Refund o-1?"]
    assert steps[-1] == "refund"
    assert [request.method for request in upstream.requests][-1] == "POST"
    assert [request.method for request in upstream.requests].count("POST") == 1
    if mode == "legacy":  # from 2026-07-28 on a client says that it listens, call by call
        assert "The order o-1 is read" in said


async def test_a_long_list_costs_an_agent_next_to_nothing() -> None:
    async with (
        serving(FOLDER, "--tools", "search", env={**CREDENTIALS, "KLARNA_NETWORK_API_KEY": "key"}) as server,
        Client(server.mcp) as session,
    ):
        tools = (await session.list_tools()).tools
        told = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]
        assert [tool.name for tool in tools] == THREE
        assert len(json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()) < 2_000
        names = await found(session, "capture an order", limit=5)
        assert any("capture" in name for name in names)
        result = await session.call_tool("search-tools", {"query": "order payment refund", "limit": 50})
        assert len(json.dumps(data_of(result)["tools"], ensure_ascii=False).encode()) < 20_000
