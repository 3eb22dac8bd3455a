"""What a client is told when a file is loaded anew, over real sockets, with the official client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import METHOD_NOT_FOUND

from journeys.running import Capstan, serving
from journeys.telling import Told, ask_to_listen, subscribe

TOOL = "    tools: [{name: a, description: A., outputParameters: [{name: x, type: string, value: y}]}]\n"
RESOURCE = "    resources: [{name: r, uri: 'data://r', text: R.}]\n"
PROMPT = "    prompts: [{name: p, template: [{role: user, content: P.}]}]\n"
HEAD = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: mcp
    namespace: a
    port: 9090
"""
LISTS: Any = {"tools_list_changed": True, "resources_list_changed": True, "prompts_list_changed": True}


class Changing:
    """A server that watches a file, and the file."""

    def __init__(self, server: Capstan, file: Path) -> None:
        self.server, self._file = server, file
        self._parts = [TOOL, RESOURCE, PROMPT]
        self._times = 0

    async def change(self, old: str, new: str) -> None:
        self._parts = [part.replace(old, new) for part in self._parts]
        self._file.write_text(HEAD + "".join(self._parts))
        self._times += 1
        await self.server.said("reloaded", times=self._times)


async def _change_each(changing: Changing) -> None:
    await changing.change("content: P.", "content: Q.")  # what a prompt says is not in the list
    await changing.change("name: p,", "name: q,")
    await changing.change("description: A.", "description: B.")
    await changing.change("text: R.", "text: S.")  # neither is what a resource holds
    await changing.change("data://r", "data://s")


async def test_a_session_is_told_of_the_lists_that_are_others(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL + RESOURCE + PROMPT)
    told = Told()
    async with (
        serving(file, "--watch", ports=(9090,)) as server,
        Client(server.mcp, mode="legacy", message_handler=told) as client,
    ):
        has = client.server_capabilities
        assert has.tools is not None
        assert has.resources is not None
        assert has.prompts is not None
        assert (has.tools.list_changed, has.resources.list_changed, has.prompts.list_changed) == (True, True, True)
        assert has.resources.subscribe is None
        await client.list_tools()
        await _change_each(Changing(server, file))
        await told.wait_for(3)
        assert told.methods == [
            "notifications/prompts/list_changed",
            "notifications/tools/list_changed",
            "notifications/resources/list_changed",
        ]
        assert [tool.description for tool in (await client.list_tools()).tools] == ["B."]


@pytest.mark.parametrize("workers", [1, 2])
async def test_whoever_listens_is_told_of_the_lists_that_are_others(workers: int, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL + RESOURCE + PROMPT)
    async with (
        serving(file, "--watch", "--workers", str(workers), ports=(9090,)) as server,
        Client(server.mcp) as client,
    ):
        assert client.server_capabilities.tools is not None
        assert client.server_capabilities.tools.list_changed is True
        async with client.listen(**LISTS) as heard, client.listen(tools_list_changed=True) as of_tools:
            assert heard.honored.model_dump(exclude_none=True) == LISTS
            changing = Changing(server, file)
            if workers == 1:
                await _change_each(changing)
            else:  # every process says that it has reloaded, each in its time
                file.write_text((HEAD + TOOL + RESOURCE + PROMPT).replace("name: p,", "name: q,"))
                await server.said("reloaded", times=2)
                file.write_text(file.read_text().replace("description: A.", "description: B."))
                await server.said("reloaded", times=4)
                file.write_text(file.read_text().replace("data://r", "data://s"))
            async with asyncio.timeout(10):
                found = [await anext(heard) for _ in range(3)]
                assert found == [PromptsListChanged(), ToolsListChanged(), ResourcesListChanged()]
                assert await anext(of_tools) == ToolsListChanged()


async def test_a_server_that_stops_ends_the_streams_of_those_who_listen(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL)
    async with (
        serving(file, "--watch", ports=(9090,)) as server,
        Client(server.mcp) as client,
        client.listen(**LISTS) as heard,
        asyncio.timeout(10),
    ):
        assert await server.stop() == 0
        with pytest.raises(StopAsyncIteration):  # told, not cut off
            await anext(heard)


async def test_a_session_is_told_nothing_of_what_it_was_not_offered(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL)
    told = Told()
    async with (
        serving(file, "--watch", ports=(9090,)) as server,
        Client(server.mcp, mode="legacy", message_handler=told) as client,
    ):
        await client.list_tools()
        file.write_text(HEAD + TOOL + PROMPT)
        await server.said("reloaded")
        file.write_text(HEAD + TOOL.replace("A.", "B.") + PROMPT)
        await told.wait_for(1)
        assert told.methods == ["notifications/tools/list_changed"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_does_not_watch_promises_nothing(mode: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL + RESOURCE + PROMPT)
    async with serving(file, ports=(9090,)) as server, Client(server.mcp, mode=mode) as client:
        has = client.server_capabilities.model_dump(exclude_none=True)
        assert has == {"tools": {}, "resources": {}, "prompts": {}}
        with pytest.raises(MCPError) as caught:
            await (subscribe(client, "data://r") if mode == "legacy" else ask_to_listen(client, **LISTS))
        assert caught.value.error.code == METHOD_NOT_FOUND


async def test_a_server_without_sessions_promises_nothing_in_them(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(HEAD + TOOL + RESOURCE + PROMPT)
    async with (
        serving(file, "--watch", "--workers", "2", ports=(9090,)) as server,
        Client(server.mcp, mode="legacy") as client,
    ):
        assert client.server_capabilities.model_dump(exclude_none=True) == {"tools": {}, "resources": {}, "prompts": {}}
