"""How long lists keep, what changes, and what is told of it: over real sockets, with the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client

from journeys.running import Capstan, serving
from support import RecordingUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

ERAS: list[Any] = ["auto", "legacy"]
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
    namespace: kept
    port: 9090
    ttlMs: 60000
    cacheScope: public
    tools: [{name: read, description: Read., call: shop.read-order}]
    resources:
    - {name: order, uri: 'data://orders/{id}', call: shop.read-order}
    - {name: rules, uri: 'data://rules', text: Be kind., ttlMs: 86400000, cacheScope: public}
    - {name: mine, uri: 'data://mine', text: Mine., ttlMs: 5}
    prompts: [{name: hello, template: [{role: user, content: Hello.}]}]
  - type: mcp
    namespace: shorter
    port: 9090
    ttlMs: 1000
    tools: [{name: again, description: Read again., call: shop.read-order}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Capstan]:
    path = tmp_path_factory.mktemp("live") / "a.yaml"
    path.write_text(FILE)
    async with RecordingUpstream() as upstream, serving(path, "--base-uri", f"shop={upstream.url}") as running:
        yield running


async def _kept(client: Client) -> dict[str, tuple[int, str]]:
    tools, resources = await client.list_tools(), await client.list_resources()
    templates, prompts = await client.list_resource_templates(), await client.list_prompts()
    found = {"tools": tools, "resources": resources, "templates": templates, "prompts": prompts}
    return {name: (result.ttl_ms, result.cache_scope) for name, result in found.items()}


async def test_lists_say_for_how_long_and_for_whom_they_keep(server: Capstan) -> None:
    async with Client(server.mcp.replace("/mcp", "/kept/mcp")) as client:
        assert set((await _kept(client)).values()) == {(60_000, "public")}


async def test_a_list_of_several_adapters_keeps_for_the_shortest_time(server: Capstan) -> None:
    async with Client(server.mcp) as client:
        assert set((await _kept(client)).values()) == {(1000, "private")}


async def test_what_is_read_says_for_how_long_it_keeps(server: Capstan) -> None:
    async with Client(server.mcp) as client:
        kept = {
            uri: (read.ttl_ms, read.cache_scope)
            for uri in ("data://orders/1", "data://rules", "data://mine")
            if (read := await client.read_resource(uri))
        }
    assert kept == {
        "data://orders/1": (0, "private"),  # what is said of lists is not said of it
        "data://rules": (86_400_000, "public"),
        "data://mine": (5, "private"),
    }


async def test_sessions_know_nothing_of_how_long_a_list_keeps(server: Capstan) -> None:
    async with Client(server.mcp, mode="legacy") as client:
        for result in (await client.list_tools(), await client.read_resource("data://rules")):
            assert not result.model_fields_set & {"ttl_ms", "cache_scope"}
