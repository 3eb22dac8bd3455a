"""Small lists of tools over real sockets, with the official client in both protocol eras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from journeys.running import serving
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
