"""Clients that say what they want in Klarna's own terms, and send it through Capstan: by REST, or as an MCP tool call.

Where an operation is found is worked out from the plans of the library, so a life of an order reads the same whichever
way it goes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, unquote

import httpx2
from mcp.client.client import Client as McpClient
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import ElicitResult

from capstan.load.expression import fold
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.types import RestOperationPlan, ToolPlan, UnitPlan
from journeys.running import REPOSITORY
from sandbox.client import Reply

LIBRARY: Final = REPOSITORY / "capabilities" / "klarna"
# They repeat operations, or put several into one; of those are test_order_flows.py and test_desk.py.
_TOOL_SETS: Final = (
    "klarna-orders.yaml", "klarna-payment-lifecycle.yaml", "klarna-order-flows.yaml", "klarna-desk.yaml",
)  # fmt: skip


@dataclass(frozen=True)
class Door:
    """One consumed operation and how to get to it."""

    method: str
    pattern: re.Pattern[str]  # of Klarna's path
    names: tuple[str, ...]  # the inputs its variables are
    unit: UnitPlan
    rest: RestOperationPlan | None
    tool: ToolPlan | None


def doors(kind: str) -> list[Door]:
    """Every operation of the library that is exposed by `rest` or `mcp`; literal paths before variable ones."""
    found = []
    for file in find_files([str(LIBRARY)])[0]:
        if file.name in _TOOL_SETS:
            continue
        plan, _ = plan_file(file, None)
        if kind == "rest":
            found += [_door(item.unit, item, None) for adapter in plan.rest for item in adapter.operations]
        else:
            found += [_door(item.unit, None, item) for adapter in plan.mcp for item in adapter.tools]
    return sorted(found, key=lambda door: len(door.names))


def _door(unit: UnitPlan, rest: RestOperationPlan | None, tool: ToolPlan | None) -> Door:
    assert unit.call is not None
    request = unit.call.request
    names: list[str] = []
    text = re.sub(r"^https?://[^/]*", "", "".join(map(str, request.origin)))
    for segment in request.path:
        text += segment if isinstance(segment, str) else "/" + "".join(_part(part, names) for part in segment.parts)
    return Door(request.method, re.compile(text), tuple(names), unit, rest, tool)


def _part(part: Any, names: list[str]) -> str:
    if isinstance(part, str):
        return re.escape(part)
    names.append(part.name)
    return "([^/]+)"


class Through:
    """Finds the operation that a request in Klarna's terms means, and remembers which were used."""

    def __init__(self, kind: str) -> None:
        self.doors = doors(kind)
        self.used: set[int] = set()

    def send(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Reply:
        bare, _, query = path.partition("?")
        sent = {
            **({"Klarna-Idempotency-Key": key} if key else {}),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        for index, door in enumerate(self.doors):
            found = door.pattern.fullmatch(bare) if door.method == method else None
            if found is not None:
                self.used.add(index)
                values = dict(zip(door.names, map(unquote, found.groups()), strict=True))
                return self.through(door, values, parse_qsl(query, keep_blank_values=True), sent, body)
        raise LookupError(f"no file of the library calls {method} {bare}")

    @property
    def unused(self) -> list[str]:
        """The operations no request went through."""
        return [f"{d.method} {d.pattern.pattern}" for i, d in enumerate(self.doors) if i not in self.used]

    def through(
        self, door: Door, values: Mapping[str, str], query: Any, headers: Mapping[str, str], body: Any
    ) -> Reply:
        raise NotImplementedError


class ThroughRest(Through):
    def __init__(self, url: str) -> None:
        super().__init__("rest")
        self._client = httpx2.Client(base_url=url, trust_env=False, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def through(
        self, door: Door, values: Mapping[str, str], query: Any, headers: Mapping[str, str], body: Any
    ) -> Reply:
        assert door.rest is not None
        path = ""
        for segment in door.rest.segments:
            path += "/" + (
                segment.literal if segment.literal is not None else quote(values[segment.inputs[0]], safe="")
            )
        answer = self._client.request(door.rest.method, path, params=query, headers=dict(headers), json=body)
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


class ThroughTools(Through):
    """What has the operations as tools; which client calls them is left open."""

    def __init__(self) -> None:
        super().__init__("mcp")
        tools = [door.tool for door in self.doors if door.tool is not None]
        taken = Counter(tool.name for tool in tools)
        self._published = {id(t): t.name if taken[t.name] == 1 else f"{t.claim}__{t.name}" for t in tools}

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool; its result as the SDK has it."""
        raise NotImplementedError

    def through(
        self, door: Door, values: Mapping[str, str], query: Any, headers: Mapping[str, str], body: Any
    ) -> Reply:
        assert door.tool is not None
        inputs = {fold(item.name): item for item in door.unit.inputs}
        arguments: dict[str, Any] = dict(values)
        for name, text in (*query, *headers.items()):
            item = inputs[fold(name.removesuffix("[]"))]
            if item.schema.get("type") == "array":
                arguments.setdefault(item.name, []).append(text)
            else:
                arguments[item.name] = int(text) if item.schema.get("type") == "integer" else text
        if body is not None:
            whole = next((item.name for item in door.unit.inputs if item.whole_body), None)
            arguments |= {whole: body} if whole is not None else body
        return reply_of(self.call(self._published[id(door.tool)], arguments))


class ThroughMcp(ThroughTools):
    """Runs the official client in a thread of its own, since its connection belongs to one task."""

    def __init__(self, server: Any, mode: Any = "auto") -> None:
        super().__init__()
        self._server, self._mode = server, mode
        self._loop = asyncio.new_event_loop()
        self._open, self._done = threading.Event(), asyncio.Event()
        self._client: Any = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    async def _run(self) -> None:
        server = stdio_client(self._server) if isinstance(self._server, StdioServerParameters) else self._server
        async with McpClient(server, mode=self._mode, elicitation_callback=agree) as self._client:
            self._open.set()
            await self._done.wait()

    def start(self) -> None:
        self._thread.start()
        assert self._open.wait(60)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)
        self._loop.close()

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        called = self._client.call_tool(name, dict(arguments))
        return asyncio.run_coroutine_threadsafe(called, self._loop).result(30)


async def agree(_: Any, params: Any) -> ElicitResult:
    """A user who agrees to whatever is asked."""
    fields = params.requested_schema["properties"]
    content = {name: True for name, field in fields.items() if field["type"] == "boolean"}
    return ElicitResult(action="accept", content=content)


def reply_of(result: Any) -> Reply:
    """What a tool call gave, as if it were an HTTP answer."""
    content = result.content[0]  # of a file, a line about it comes after
    resource = getattr(content, "resource", None)
    if resource is not None:
        blob = getattr(resource, "blob", None)
        data = base64.b64decode(blob) if blob is not None else resource.text.encode()
        return Reply(None, {"content-type": resource.mime_type or ""}, data)
    if not hasattr(content, "text"):
        return Reply(None, {"content-type": content.mime_type}, base64.b64decode(content.data))
    text = content.text
    value = json.loads(text) if text[:1] in "{[" else None
    if result.is_error:
        return Reply(value["status"], {}, text.encode())
    if isinstance(value, dict) and isinstance(value.get("status"), int):  # an empty answer
        return Reply(value["status"], {k: str(v) for k, v in value.items()}, b"")
    return Reply(None, {}, text.encode())


@contextmanager
def through(kind: str, rest: str, mcp: Any) -> Iterator[Through]:
    """A client of one of the doors; of MCP in the later era, or in a session."""
    if kind == "rest":
        with ThroughRest(rest) as client:
            yield client
        return
    opened = ThroughMcp(mcp, "legacy" if kind.endswith("session") else "auto")
    opened.start()
    try:
        yield opened
    finally:
        opened.stop()


def control(url: str, method: str, path: str, body: Any = None) -> Any:
    """Ask the sandbox itself for something only a customer or time can do."""
    with httpx2.Client(base_url=url, trust_env=False, timeout=20) as client:
        answer = client.request(method, path, json=body if body is not None else {})
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None
