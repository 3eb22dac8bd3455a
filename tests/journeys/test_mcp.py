"""MCP over a real socket and over standard input and output, with the official client in both protocol eras."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import BlobResourceContents, CallToolResult, EmbeddedResource, ImageContent, TextContent

from journeys.running import Capstan, client, exchange, serving
from support import HANG, RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, description: A shop for the tests., created: '2026-01-01', modified: '2026-01-01'}
binds:
- {namespace: env, keys: {SHOP_PASSWORD: SHOP_PASSWORD}}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    authentication: {type: basic, username: shop-user, password: '{{env.SHOP_PASSWORD}}'}
    resources:
    - name: order
      path: /orders/{order_id}
      operations:
      - name: read-order
        method: GET
        inputParameters:
        - {name: order_id, in: path, type: string, required: true, description: Id of the order.}
        - {name: limit, in: query, type: integer, maximum: 10}
      - name: change-order
        method: POST
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
        - name: body
          in: body
          type: object
          required: true
          properties:
            amount: {type: integer, required: true}
      - name: drop-order
        method: DELETE
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    transport: http
    description: Look after orders.
    tools:
    - name: read-order
      label: Read an order
      description: Reads one order.
      hints: {readOnly: true, destructive: false, idempotent: true, openWorld: false}
      call: shop.read-order
      with: {order_id: tools.order_id, limit: tools.limit}
    - name: change-order
      description: Changes one order.
      call: shop.change-order
      with: {order_id: tools.order_id, body: tools.body}
    - name: drop-order
      description: Drops one order.
      hints: {destructive: true}
      call: shop.drop-order
      with: {order_id: tools.order_id}
    - name: read-id
      description: Reads one order's id and lines.
      call: shop.read-order
      with: {order_id: tools.order_id}
      outputParameters:
      - type: object
        properties:
          id: {type: string, mapping: $.order.id}
          lines: {type: array, mapping: '$.order.lines', items: {type: string}}
    - name: read-lines
      description: Reads one order's lines.
      call: shop.read-order
      with: {order_id: tools.order_id}
      outputParameters:
      - {type: array, mapping: '$.order.lines', items: {type: string}}
"""
OTHER = """\
naftiko: 1.0.0-alpha2
info: {label: Other, description: Another capability on the same port., created: '2026-01-01', modified: '2026-01-01'}
capability:
  exposes:
  - type: mcp
    namespace: other-mcp
    port: 9090
    description: Says where it is.
    tools:
    - name: where
      description: Says where.
      outputParameters:
      - {name: place, type: string, value: here}
"""
STDIO = FILE.replace("    port: 9090\n    transport: http\n", "    transport: stdio\n")
ENVIRON = {
    "SHOP_PASSWORD": "password-of-the-shop",
    "CAPSTAN_TOOLS_PER_PAGE": "2",
    "CAPSTAN_READ_TIMEOUT_SECONDS": "0.5",
}
ERAS = ["auto", "legacy"]
NAMES = ["read-order", "change-order", "drop-order", "read-id", "read-lines"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mcp")
    (path / "shop.yaml").write_text(FILE)
    (path / "tother.yaml").write_text(OTHER)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    async with serving(folder, "--base-uri", f"shop={upstream.url}", env=ENVIRON, ports=(9090,)) as running:
        yield running


@pytest_asyncio.fixture(params=ERAS, loop_scope="module")
async def session(request: pytest.FixtureRequest, server: Capstan) -> AsyncIterator[Client]:
    """A client; its own task opens and closes it, as its task groups ask for."""
    opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def live() -> None:
        async with Client(server.mcp, mode=request.param) as running:
            opened.set_result(running)
            await done.wait()

    task = asyncio.create_task(live())
    await asyncio.wait([task, opened], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    if task.done():
        await task
    yield opened.result()
    done.set()
    await task


async def listed(session: Client) -> list[Any]:
    found, cursor = [], None
    while True:
        page = await session.list_tools(cursor=cursor)
        assert len(page.tools) <= 2
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return found


def text_of(result: CallToolResult) -> str:
    (block, *_) = result.content
    assert isinstance(block, TextContent)
    return block.text


def problem(result: CallToolResult, code: str) -> dict[str, Any]:
    """The problem of a result, which must be an error of this code."""
    assert result.is_error
    told: dict[str, Any] = json.loads(text_of(result))
    assert told["code"] == code, told
    assert {"detail", "outcome", "retry_safe", "status"} <= set(told)
    return told


# --- the list


@pytest.mark.parametrize("mode", ERAS)
async def test_both_eras_of_the_protocol_are_spoken_on_one_port(mode: Any, server: Capstan) -> None:
    async with Client(server.mcp, mode=mode) as session:
        assert session.server_info is not None
        assert session.server_info.name == "capstan"
        assert session.server_capabilities.tools is not None
        assert session.protocol_version.startswith("2025-" if mode == "legacy" else "2026-")


async def test_the_list_comes_in_pages_and_is_complete(session: Client) -> None:
    assert [tool.name for tool in await listed(session)] == [*NAMES, "where"]


async def test_a_cursor_of_no_list_is_refused(session: Client) -> None:
    with pytest.raises(MCPError, match="no cursor"):
        await session.list_tools(cursor="99")


async def test_a_tool_says_what_it_is_and_what_it_takes(session: Client) -> None:
    tool = (await listed(session))[0]
    assert (tool.title, tool.description) == ("Read an order", "Reads one order.")
    assert tool.input_schema["type"] == "object"
    assert tool.input_schema["required"] == ["order_id"]
    assert tool.input_schema["additionalProperties"] is False
    assert tool.input_schema["properties"]["order_id"] == {"type": "string", "description": "Id of the order."}
    assert tool.input_schema["properties"]["limit"]["maximum"] == 10


async def test_hints_of_the_file_become_annotations(session: Client) -> None:
    tools = {tool.name: tool.annotations for tool in await listed(session)}
    hints = tools["read-order"]
    assert hints is not None
    assert (hints.read_only_hint, hints.destructive_hint) == (True, False)
    assert (hints.idempotent_hint, hints.open_world_hint) == (True, False)
    assert tools["drop-order"] is not None
    assert tools["drop-order"].destructive_hint is True


async def test_without_hints_what_the_method_does_becomes_annotations(session: Client) -> None:
    tools = {tool.name: tool.annotations for tool in await listed(session)}
    assert tools["change-order"] is not None
    assert tools["change-order"].read_only_hint is False
    assert tools["read-id"] is not None
    assert tools["read-id"].read_only_hint is True


async def test_a_declared_output_becomes_an_output_schema_of_an_object(session: Client) -> None:
    tools = {tool.name: tool.output_schema for tool in await listed(session)}
    assert tools["read-order"] is None
    assert tools["read-id"] is not None
    assert set(tools["read-id"]["properties"]) == {"id", "lines"}
    assert tools["read-lines"] is not None
    assert tools["read-lines"]["type"] == "object"
    assert "array" in tools["read-lines"]["properties"]["result"]["type"]


# --- calls


async def test_an_answer_comes_as_text_and_as_data(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"id": "o-1", "name": "é🧾"}))
    result = await session.call_tool("read-order", {"order_id": "o/1", "limit": 3})
    assert not result.is_error
    assert upstream.last.target == "/orders/o%2F1?limit=3"
    assert result.structured_content == {"id": "o-1", "name": "é🧾"}
    assert json.loads(text_of(result)) == result.structured_content


@pytest.mark.parametrize("encoding", ["escapes", "utf-16", "utf-32"])
async def test_a_secret_that_only_reading_shows_is_masked(
    encoding: str, session: Client, upstream: RecordingUpstream
) -> None:
    secret = ENVIRON["SHOP_PASSWORD"]
    if encoding == "escapes":
        spelled = "".join(f"\\u{ord(character):04x}" for character in secret)
        body = f'{{"id": "{spelled}", "{spelled}": ["{spelled}"]}}'.encode()
    else:
        body = json.dumps({"id": secret, secret: [secret]}).encode(encoding)
    upstream.then(reply(body=body))
    result = await session.call_tool("read-order", {"order_id": "o-1"})
    masked = "*" * len(secret)
    assert result.structured_content == {"id": masked, masked: [masked]}
    assert json.loads(text_of(result)) == result.structured_content


async def test_an_answer_that_is_a_list_is_wrapped(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data=[1, 2]))
    result = await session.call_tool("read-order", {"order_id": "o-1"})
    assert (result.structured_content, text_of(result)) == ({"result": [1, 2]}, "[1, 2]")


async def test_a_shaped_answer_fits_its_schema(session: Client, upstream: RecordingUpstream) -> None:
    answer = {"order": {"id": "o-1", "lines": ["a", "b"], "secret": "s"}}
    upstream.then(reply(data=answer), reply(data=answer))
    result = await session.call_tool("read-id", {"order_id": "o-1"})
    assert result.structured_content == {"id": "o-1", "lines": ["a", "b"]}
    result = await session.call_tool("read-lines", {"order_id": "o-1"})
    assert result.structured_content == {"result": ["a", "b"]}


async def test_an_empty_answer_tells_how_to_go_on(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(201, headers={"Location": "/orders/o-2", "Capture-Id": "c-1"}))
    result = await session.call_tool("change-order", {"order_id": "o-1", "body": {"amount": 1}})
    assert result.structured_content == {"status": 201, "location": "/orders/o-2", "capture-id": "c-1"}
    upstream.then(reply(204))
    result = await session.call_tool("drop-order", {"order_id": "o-1"})
    assert result.structured_content == {"status": 204}


async def test_a_pdf_comes_as_an_embedded_resource(session: Client, upstream: RecordingUpstream) -> None:
    pdf = b"%PDF-1.7\n\xff\x00" + os.urandom(200)
    upstream.then(reply(body=pdf, content_type="application/pdf"))
    result = await session.call_tool("read-order", {"order_id": "o-1"})
    assert not result.is_error
    (block,) = (block for block in result.content if isinstance(block, EmbeddedResource))
    assert isinstance(block.resource, BlobResourceContents)
    assert (block.resource.mime_type, base64.b64decode(block.resource.blob)) == ("application/pdf", pdf)


async def test_an_image_comes_as_an_image(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(body=b"\x89PNG\xff", content_type="image/png"))
    result = await session.call_tool("read-order", {"order_id": "o-1"})
    (block,) = (block for block in result.content if isinstance(block, ImageContent))
    assert (block.mime_type, base64.b64decode(block.data)) == ("image/png", b"\x89PNG\xff")


@pytest.mark.parametrize(("tool", "data"), [("read-id", {}), ("read-lines", {"result": None})])
@pytest.mark.parametrize(("media_type", "kind"), [("application/pdf", EmbeddedResource), ("text/csv", TextContent)])
async def test_clients_that_check_schemas_take_what_is_not_of_the_declared_kind(
    session: Client, upstream: RecordingUpstream, tool: str, data: Any, media_type: str, kind: type
) -> None:
    upstream.then(reply(body="%PDF", content_type=media_type))
    result = await session.call_tool(tool, {"order_id": "o-1"})
    assert (result.is_error, result.structured_content) == (False, data)
    assert isinstance(result.content[0], kind)


@pytest.mark.parametrize(
    ("tool", "data"),
    [("read-id", {"status": 204, "location": "/x"}), ("read-lines", {"status": 204, "location": "/x", "result": None})],
)
async def test_clients_that_check_schemas_take_an_empty_answer(
    session: Client, upstream: RecordingUpstream, tool: str, data: Any
) -> None:
    upstream.then(reply(204, headers={"Location": "/x"}))
    result = await session.call_tool(tool, {"order_id": "o-1"})
    assert (result.is_error, result.structured_content) == (False, data)


async def test_csv_comes_as_text(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(body="a;b\n1;2\n", content_type="text/csv"))
    assert text_of(await session.call_tool("read-order", {"order_id": "o-1"})) == "a;b\n1;2\n"


async def test_a_text_is_read_in_its_charset_and_masked_there(session: Client, upstream: RecordingUpstream) -> None:
    secret = ENVIRON["SHOP_PASSWORD"]
    for charset in ("utf-16", "utf-16-le"):
        upstream.then(reply(body=f"på {secret}".encode(charset), content_type=f"text/plain; charset={charset}"))
        result = await session.call_tool("read-order", {"order_id": "o-1"})
        assert text_of(result) == "på " + "*" * len(secret)
    upstream.then(reply(body="på".encode("latin-1"), content_type="text/csv; charset=iso-8859-1"))
    assert text_of(await session.call_tool("read-order", {"order_id": "o-1"})) == "på"
    upstream.then(reply(body=b"p\xe5", content_type="text/plain; charset=nobody-knows"))
    assert text_of(await session.call_tool("read-order", {"order_id": "o-1"})) == "p\ufffd"


# --- errors


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "argument"),
    [
        pytest.param("read-order", {}, "missing-argument", "order_id", id="missing"),
        pytest.param("read-order", {"order_id": 7}, "bad-argument", "order_id", id="of another type"),
        pytest.param("read-order", {"order_id": "o", "limit": 11}, "bad-argument", "limit", id="too large"),
        pytest.param("read-order", {"order_id": "o", "limt": 1}, "unknown-argument", "limt", id="unknown"),
        pytest.param("read-order", {"order_id": ".."}, "bad-argument", "order_id", id="dots in a path"),
        pytest.param("read-order", {"order_id": ""}, "missing-argument", "order_id", id="empty in a path"),
        pytest.param("change-order", {"order_id": "o", "body": {}}, "missing-argument", "body", id="missing inside"),
        pytest.param(
            "change-order", {"order_id": "o", "body": {"amount": "1"}}, "bad-argument", "body", id="wrong inside"
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_named_and_nothing_is_sent(
    tool: str, arguments: dict[str, Any], code: str, argument: str, session: Client, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    told = problem(await session.call_tool(tool, arguments), code)
    assert (told["argument"], told["outcome"]) == (argument, "not-sent")
    assert len(upstream.requests) == before


async def test_a_null_for_an_optional_argument_means_absent(session: Client, upstream: RecordingUpstream) -> None:
    result = await session.call_tool("read-order", {"order_id": "o-1", "limit": None})
    assert not result.is_error
    assert upstream.last.target == "/orders/o-1"


async def test_an_unknown_tool_is_an_error_of_the_protocol(session: Client) -> None:
    with pytest.raises(MCPError, match="read-oder"):
        await session.call_tool("read-oder", {})


async def test_a_refusal_says_what_the_upstream_said(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(409, data={"error_code": "TWICE"}))
    told = problem(await session.call_tool("drop-order", {"order_id": "o-1"}), "upstream-refused")
    assert told["upstream"] == {"status": 409, "body": {"error_code": "TWICE"}}
    assert (told["outcome"], told["retry_safe"]) == ("refused", True)


async def test_a_failure_of_a_shaped_call_is_an_error_too(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(500, data={"order": {"id": "x", "lines": []}}))
    assert problem(await session.call_tool("read-id", {"order_id": "o-1"}), "upstream-failed")["outcome"] == "unknown"


async def test_a_time_out_of_a_write_is_not_safe_to_repeat(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(HANG)
    result = await session.call_tool("change-order", {"order_id": "o-1", "body": {"amount": 1}})
    told = problem(result, "upstream-timeout")
    assert (told["outcome"], told["retry_safe"]) == ("unknown", False)


async def test_both_doors_say_the_same_of_one_error(session: Client, upstream: RecordingUpstream) -> None:
    upstream.then(reply(404, data={"x": 1}))
    result = await session.call_tool("read-order", {"order_id": "o-1"})
    assert result.structured_content == problem(result, "upstream-refused")


async def test_calls_run_side_by_side(session: Client, upstream: RecordingUpstream) -> None:
    gate = asyncio.Event()

    async def wait(_: Any) -> Any:
        await gate.wait()
        return reply(data={"waited": True})

    before = len(upstream.requests)
    upstream.then(wait, wait, wait)
    calls = [asyncio.create_task(session.call_tool("read-id", {"order_id": str(n)})) for n in range(3)]
    await upstream.wait_for(lambda running: len(running.requests) == before + 3)
    gate.set()
    assert not [result for result in await asyncio.gather(*calls) if result.is_error and "waited" in text_of(result)]


# --- endpoints and access


@pytest.mark.parametrize("mode", ERAS)
async def test_each_capability_has_an_endpoint_of_its_own(mode: Any, server: Capstan) -> None:
    base = server.mcp.removesuffix("/mcp")
    async with Client(f"{base}/shop-mcp/mcp", mode=mode) as session:
        assert [tool.name for tool in await listed(session)] == NAMES
        assert "Look after orders." in (session.instructions or "")
    async with Client(f"{base}/other-mcp/mcp", mode=mode) as session:
        assert [tool.name for tool in await listed(session)] == ["where"]
        assert (await session.call_tool("where", {})).structured_content == {"place": "here"}
        with pytest.raises(MCPError):
            await session.call_tool("read-order", {"order_id": "o-1"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Origin": "http://evil.example"}, 403, id="foreign origin"),
        pytest.param({"Origin": "null"}, 403, id="null origin"),
        pytest.param({"Host": "evil.example"}, 421, id="foreign host"),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/other-mcp/mcp"])
async def test_foreign_pages_reach_no_endpoint(
    path: str, headers: dict[str, str], status: int, server: Capstan
) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop-order", "arguments": {}}}
    async with client(server.mcp.removesuffix("/mcp")) as http:
        answer = await http.post(path, json=asked, headers={"Accept": "application/json, text/event-stream", **headers})
    assert answer.status_code == status


async def test_a_request_that_is_no_json_is_refused_and_the_server_goes_on(server: Capstan) -> None:
    async with client(server.mcp.removesuffix("/mcp")) as http:
        headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        answer = await http.post("/mcp", content=b"{", headers=headers)
        assert answer.status_code == 400
        assert (await http.get("/nothing")).status_code == 404
    async with Client(server.mcp) as session:
        assert len((await session.list_tools()).tools) == 2


# --- stdio


def stdio_parameters(folder: Path, upstream: RecordingUpstream) -> StdioServerParameters:
    path = folder / "stdio" / "shop.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(STDIO)
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "capstan", "serve", str(path), "--base-uri", f"shop={upstream.url}"],
        env={"PATH": os.environ["PATH"], **ENVIRON},
    )


@pytest.mark.parametrize("mode", ERAS)
async def test_stdio_serves_the_same_tools(
    mode: Any, folder: Path, upstream: RecordingUpstream, capfd: pytest.CaptureFixture[str]
) -> None:
    parameters = stdio_parameters(folder, upstream)
    async with Client(stdio_client(parameters), mode=mode) as session:
        assert [tool.name for tool in await listed(session)] == NAMES
        upstream.then(reply(data={"id": "o-1"}))
        result = await session.call_tool("read-order", {"order_id": "o-1"})
        assert result.structured_content == {"id": "o-1"}
        problem(await session.call_tool("read-order", {}), "missing-argument")


async def stdio_process(folder: Path, upstream: RecordingUpstream) -> asyncio.subprocess.Process:
    parameters = stdio_parameters(folder, upstream)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        parameters.command, *parameters.args, env=parameters.env, stdin=pipe, stdout=pipe, stderr=pipe
    )


INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip


async def test_stdout_of_stdio_holds_the_protocol_and_nothing_else(folder: Path, upstream: RecordingUpstream) -> None:
    process = await stdio_process(folder, upstream)
    assert process.stdin is not None
    assert process.stdout is not None
    messages = [
        INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    lines = []
    for message in messages:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        if "id" in message:
            lines.append(await asyncio.wait_for(process.stdout.readline(), 10))
    process.stdin.close()
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert [json.loads(line)["id"] for line in lines] == [1, 2]
    assert (out, process.returncode) == (b"", 0)
    assert b"ready" in err


async def test_stdio_answers_everything_that_is_asked_before_its_input_ends(
    folder: Path, upstream: RecordingUpstream
) -> None:
    process = await stdio_process(folder, upstream)
    call = {"name": "read-order", "arguments": {"order_id": "o-1"}}
    asked = (INITIALIZE, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call})
    out, _ = await asyncio.wait_for(process.communicate(b"".join(json.dumps(m).encode() + b"\n" for m in asked)), 10)
    assert [json.loads(line)["id"] for line in out.splitlines()] == [1, 2]
    assert process.returncode == 0


async def test_stdio_answers_what_is_asked_and_ends_on_sigterm_though_its_input_stays_open(
    folder: Path, upstream: RecordingUpstream
) -> None:
    gate = asyncio.Event()

    async def wait(_: Any) -> Any:
        await gate.wait()
        return reply(data={"waited": True})

    before = len(upstream.requests)
    upstream.then(wait)
    process = await stdio_process(folder, upstream)
    assert process.stdin is not None
    assert process.stdout is not None
    call = {"name": "drop-order", "arguments": {"order_id": "o-1"}}
    for message in (INITIALIZE, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}):
        process.stdin.write(json.dumps(message).encode() + b"\n")
    try:
        await upstream.wait_for(lambda running: len(running.requests) == before + 1)
        process.terminate()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.3)
        gate.set()
        assert await asyncio.wait_for(process.wait(), 5) == 0
        lines = (await process.stdout.read()).splitlines()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    answers = [json.loads(line) for line in lines]
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"] == {"waited": True}


async def test_no_call_fails_inside(server: Capstan) -> None:
    """Runs last: whatever came in above, nothing failed inside Capstan."""
    assert "failed inside Capstan" not in server.talk
    assert "Traceback" not in server.talk


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a": "\\ud83d"}', id="half of an emoji"),
        pytest.param(b'{"a": 1e400}', id="a number beyond all bounds"),
    ],
)
async def test_odd_json_of_the_upstream_does_not_lose_the_outcome_of_a_call(
    server: Capstan, upstream: RecordingUpstream, body: bytes
) -> None:
    async with Client(server.mcp, mode="legacy") as session:
        upstream.then(reply(body=body, content_type="application/json"))
        result = await session.call_tool("read-order", {"order_id": "1"})
        assert not result.is_error
        upstream.then(reply(422, body=body, content_type="application/json"))
        result = await session.call_tool("read-order", {"order_id": "1"})
        assert result.is_error


async def test_an_answer_nested_too_deeply_for_the_protocol_is_an_error_that_knows_it_is_done(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    async with Client(server.mcp) as session:
        upstream.then(reply(body=b'{"a":' + b"[" * 400 + b"]" * 400 + b"}", content_type="application/json"))
        result = await session.call_tool("read-order", {"order_id": "1"})
        assert result.is_error
        assert json.loads(result.content[0].text)["outcome"] == "done"  # type: ignore[union-attr]


async def test_a_request_id_that_is_still_being_answered_is_refused(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    info = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with client(server.mcp) as http:
        first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info}
        opened = await http.post(server.mcp, json=first, headers=headers)
        headers["Mcp-Session-Id"] = opened.headers["mcp-session-id"]
        await http.post(server.mcp, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)

        def call(order: str) -> dict[str, object]:
            params = {"name": "read-order", "arguments": {"order_id": order}}
            return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}

        gate = asyncio.Event()

        async def held(_: object) -> object:
            await gate.wait()
            return reply(data={"order": "A"})

        upstream.then(held)
        one = asyncio.create_task(http.post(server.mcp, json=call("A"), headers=headers))
        await upstream.wait_for(lambda running: bool(running.requests) and running.last.target.endswith("/A"))
        two = await http.post(server.mcp, json=call("B"), headers=headers)
        assert two.status_code == 400
        gate.set()
        assert (await one).json()["result"]["structuredContent"] == {"order": "A"}


async def test_blanks_around_the_value_of_a_header_are_no_part_of_it(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": "read-order", "arguments": {"order_id": "A"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    lines = (
        "POST /mcp HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Connection: close",
        "Accept: application/json, text/event-stream", "MCP-Protocol-Version: 2026-07-28 ", "Mcp-Method:\ttools/call\t",
        "Mcp-Name:  read-order  ", f"Content-Length: {len(body)}", "", body,
    )  # fmt: skip
    assert b"HTTP/1.1 200" in await exchange(server.mcp, "\r\n".join(lines).encode())
    assert upstream.last.target.startswith("/orders/A")


@pytest.mark.parametrize("mode", ERAS)
async def test_a_request_that_is_too_large_is_refused_in_words(mode: Any, server: Capstan) -> None:
    async with Client(server.mcp, mode=mode) as session:
        with pytest.raises(MCPError, match="larger than 1,048,576 bytes"):
            await session.call_tool("read-order", {"order_id": "x" * 1024**2})
        assert (await session.list_tools()).tools


async def test_a_path_that_is_not_there_says_where_mcp_is_spoken(server: Capstan) -> None:
    async with client(server.mcp.removesuffix("/mcp")) as http:
        found = (await http.get("/docs")).json()
    assert found["code"] == "no-route"
    assert found["hint"].startswith("MCP is spoken at /mcp")


@pytest.mark.parametrize(("wrong", "meant"), [("/othermcp/mcp", "/other-mcp/mcp"), ("/shop-mcp", "/shop-mcp/mcp")])
async def test_a_mistyped_path_of_mcp_is_told_the_nearest_first(server: Capstan, wrong: str, meant: str) -> None:
    async with client(server.mcp.removesuffix("/mcp")) as http:
        found = (await http.post(wrong)).json()
    assert found["hint"].startswith(f"MCP is spoken at {meant}, ")
