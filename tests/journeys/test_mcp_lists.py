"""Small lists of tools over real sockets, with the official client in both protocol eras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from capstan.cli import main
from journeys.running import client, serving
from support import RecordingUpstream, reply

ERAS = ["auto", "legacy"]
SHOP = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, tags: [Retail]}
capability:
  consumes:
  - namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: orders
      path: /orders/{order_id}
      operations:
      - {name: read-order, method: GET, inputParameters: [{name: order_id, in: path}]}
      - {name: refund-order, method: POST, effect: money, inputParameters: [{name: order_id, in: path}]}
      - {name: drop-order, method: DELETE, inputParameters: [{name: order_id, in: path}]}
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    description: Look after orders.
    tools:
    - {name: read-order, description: Reads one order., tags: [orders], call: shop.read-order}
    - {name: refund-order, description: Gives money back., tags: [orders, refunds], call: shop.refund-order}
    - {name: drop-order, description: Drops one order., call: shop.drop-order}
    resources:
    - {name: an-order, uri: 'data://orders/{order_id}', description: One order., call: shop.read-order}
    prompts:
    - {name: ask, description: Ask., template: [{role: user, content: Hello}]}
"""


@pytest.mark.parametrize("mode", ERAS)
async def test_the_selected_tools_are_listed_and_no_other_can_be_called(mode: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    async with RecordingUpstream(reply(data={"id": "o-1"})) as upstream:
        options = ("--base-uri", f"shop={upstream.url}", "--tag", "orders", "--effect", "read", "--effect", "money")
        async with serving(file, *options, ports=(9090,)) as server, Client(server.mcp, mode=mode) as session:
            assert [tool.name for tool in (await session.list_tools()).tools] == ["read-order", "refund-order"]
            assert not (await session.call_tool("read-order", {"order_id": "o-1"})).is_error
            with pytest.raises(MCPError, match="there is no tool 'drop-order'"):
                await session.call_tool("drop-order", {"order_id": "o-1"})
            assert [request.method for request in upstream.requests] == ["GET"]
            assert (await session.list_resource_templates()).resource_templates
            assert (await session.list_prompts()).prompts


# --- parts of an answer

FIELDS = SHOP.replace("    tools:\n", "    fields: true\n    tools:\n").replace(
    "    resources:\n    - {name: an-order",
    """\
    - name: order-lines
      description: Reads the lines of an order.
      call: shop.read-order
      outputParameters:
      - type: array
        mapping: $.lines
        items:
          type: object
          properties:
            sku: {type: string, required: true, mapping: $.sku}
            price: {type: number, mapping: $.price}
    - name: both
      description: Reads it twice.
      inputParameters: [{name: order_id, type: string}]
      steps:
      - {name: one, call: shop.read-order, with: {order_id: tools.order_id}}
      - {name: two, call: shop.read-order, with: {order_id: '{{one.id}}'}}
      mappings: [{targetName: first, value: $.one.lines}, {targetName: second, value: $.two.id}]
    resources:
    - {name: an-order""",
)
ORDER = {"id": "o-1", "lines": [{"sku": "a", "price": 1}, {"sku": "b", "price": 2}], "secret": "password-of-the-shop"}


@pytest.mark.parametrize("mode", ERAS)
async def test_a_caller_gets_the_parts_it_asks_for(mode: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FIELDS)
    async with RecordingUpstream(reply(data=ORDER)) as upstream:
        options = ("--base-uri", f"shop={upstream.url}")
        async with serving(file, *options, ports=(9090,)) as server, Client(server.mcp, mode=mode) as session:
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert "fields" in tools["read-order"].input_schema["properties"]

            async def parts(tool: str, *fields: str) -> Any:
                # The client holds the answer against the output schema.
                result = await session.call_tool(tool, {"order_id": "o-1", "fields": list(fields)})
                assert not result.is_error, result
                (block,) = result.content
                assert isinstance(block, TextContent)
                told = json.loads(block.text)
                assert result.structured_content == (told if isinstance(told, dict) else {"result": told})
                return told

            assert await parts("read-order", "id", "lines.price", "nowhere") == {
                "id": "o-1", "lines": [{"price": 1}, {"price": 2}],
            }  # fmt: skip
            assert await parts("refund-order", "id") == {"id": "o-1"}
            assert await parts("order-lines", "price") == [{"price": 1}, {"price": 2}]
            assert await parts("order-lines", "result.price") == [{"price": 1}, {"price": 2}]
            assert await parts("both", "first.sku") == {"first": [{"sku": "a"}, {"sku": "b"}]}
            whole = await session.call_tool("read-order", {"order_id": "o-1"})
            assert whole.structured_content == ORDER
            assert (
                await session.call_tool("read-order", {"order_id": "o-1", "fields": None})
            ).structured_content == ORDER


@pytest.mark.parametrize("mode", ERAS)
async def test_fields_that_do_not_fit_are_told_before_the_call(mode: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FIELDS)
    async with RecordingUpstream(reply(data=ORDER)) as upstream:
        options = ("--base-uri", f"shop={upstream.url}")
        async with serving(file, *options, ports=(9090,)) as server, Client(server.mcp, mode=mode) as session:
            for tool, fields, code in (
                ("order-lines", ["skuu"], "unknown-field"),
                ("both", ["first", "third"], "unknown-field"),
                ("read-order", ["a..b"], "bad-argument"),
                ("read-order", "id", "bad-argument"),
                ("read-order", [], "bad-argument"),
            ):
                result = await session.call_tool(tool, {"order_id": "o-1", "fields": fields})
                assert result.is_error, (tool, fields)
                (block,) = result.content
                assert isinstance(block, TextContent)
                told = json.loads(block.text)
                assert (told["code"], told["argument"], told["outcome"]) == (code, "fields", "not-sent")
            assert upstream.requests == []


async def test_what_is_no_json_comes_whole_and_what_is_no_longer_json_is_told(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FIELDS)
    async with RecordingUpstream() as upstream:
        options = ("--base-uri", f"shop={upstream.url}")
        async with serving(file, *options, ports=(9090,)) as server, Client(server.mcp) as session:

            async def asked(**answer: Any) -> Any:
                upstream.always = reply(**answer)
                result = await session.call_tool("read-order", {"order_id": "o-1", "fields": ["id"]})
                return result.is_error, [getattr(block, "text", "") for block in result.content]

            assert await asked(body="hello", content_type="text/plain") == (False, ["hello"])
            assert await asked(status=204) == (False, ['{"status": 204}'])
            assert await asked(body="7") == (False, ["7"])
            is_error, (text,) = await asked(body="{")
            assert (is_error, json.loads(text)["code"], json.loads(text)["outcome"]) == (
                True,
                "unexpected-answer",
                "done",
            )
            is_error, (text,) = await asked(status=404, data={"id": "none"})
            assert (is_error, json.loads(text)["code"]) == (True, "upstream-refused")
            deep = "[" * 5000 + "]" * 5000
            is_error, (text,) = await asked(body=deep)
            assert is_error
            assert await asked(data={"id": 1}) == (False, ['{"id": 1}'])


# --- sizes


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
@pytest.mark.parametrize("options", [(), ("--tools", "search")])
async def test_the_bytes_that_are_told_are_those_that_are_sent(
    era: str, options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FIELDS.replace("Reads one order.", "Reads one ördér."))
    assert main(["tokens", str(file), "--json", *options]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    meta = {"io.modelcontextprotocol/protocolVersion": era, "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}  # fmt: skip
    params = {"_meta": meta} if era.startswith("2026") else {}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": era, "mcp-method": "tools/list"}
    async with serving(file, *options, ports=(9090,)) as server, client(server.mcp) as http:
        if not params:
            told_first = {"protocolVersion": era, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
            hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": told_first}
            opened = await http.post(server.mcp, json=hello, headers=headers)
            headers["mcp-session-id"] = opened.headers["mcp-session-id"]
            await http.post(server.mcp, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}
        answer = await http.post(server.mcp, json=asked, headers=headers)
    start = answer.content.index(b'"tools":') + len(b'"tools":')
    _, length = json.JSONDecoder().raw_decode(answer.content[start:].decode())
    sent = answer.content[start:].decode()[:length]
    if params:  # from 2026-07-28 on the SDK writes letters beyond ASCII as escapes
        sent = sent.replace(r"\u00f6", "ö").replace(r"\u00e9", "é")
    assert len(sent.encode()) == told["bytes"]
