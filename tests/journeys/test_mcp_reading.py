"""Resources and prompts over real sockets, with the official client: in sessions, without them, and over stdio."""

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
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    BlobResourceContents,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from journeys.running import Capstan, serving
from support import HANG, RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = """\
ikanos: 1.0.0-beta2
info: {display: Reading, description: What can be read.}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
      orders:
        path: /orders
        operations:
          list-orders:
            method: GET
            inputParameters: {limit: {in: query, type: integer, default: 2}}
          read-order:
            method: GET
            path: /{id}
            inputParameters: {id: {in: path, type: string}}
          read-line:
            method: GET
            path: /{id}/lines/{number}
            inputParameters: {id: {in: path, type: string}, number: {in: path, type: integer, maximum: 99}}
          search:
            method: POST
            effect: read
            body: {type: json, data: {place: '{{place}}', number: '{{number}}'}}
            inputParameters: {place: {in: body, type: string}, number: {in: body, type: integer}}
  exposes:
  - type: mcp
    namespace: reading-mcp
    port: 9090
    description: Read orders.
    resources:
      all-orders:
        display: All orders
        uri: data://orders
        description: Every order.
        mimeType: application/json
        call: shop.list-orders
      order: {display: An order, uri: 'data://orders/{order-id}', call: shop.read-order, with: {id: '{order-id}'}}
      line: {uri: 'data://orders/{id}/lines/{number}', description: One line., call: shop.read-line}
      totals:
        uri: data://orders/{id}/total
        call: shop.read-order
        outputParameters:
        - {type: object, properties: {total: {type: number, mapping: $.amount}, of: {type: string, value: '{{id}}'}}}
      note: {uri: 'data://orders/{id}/note', mimeType: text/markdown, call: shop.read-order,
             outputParameters: [{type: string, mapping: $.note}]}
      found: {uri: 'data://found/{number}/{place}', call: shop.search, with: {place: mcp.place, number: '{{number}}'}}
      photo: {uri: 'photos://{id}', mimeType: image/jpeg, binary: true, call: shop.read-order}
      mock: {uri: 'data://mock/{name}', outputParameters: {hello: {type: string, value: 'Hi {{name}}'}}}
      both:
        uri: data://both/{id}
        steps:
          order: {type: call, call: shop.read-order, with: {id: '{{id}}'}}
          all: {type: call, call: shop.list-orders}
      docs: {display: Handbook, uri: 'docs://handbook', description: How we work., location: 'file:///./handbook'}
    prompts:
      outreach:
        display: Outreach
        description: Write to a participant.
        arguments:
          name: {display: Who, description: Name of the participant.}
          tone: {description: How it sounds., required: false}
        template:
        - {role: user, content: "Write to {{name}}, {tone}: {{ name }}. {unknown} stays."}
        - {role: assistant, content: I will.}
      review:
        arguments:
          id: {description: Order.}
          number: {description: Line.}
          place: {description: Where.}
        messages:
        - {role: user, content: 'Review {id}.'}
        - {role: user, call: shop.read-line, with: {id: reading-mcp.id, number: '{{number}}'}}
      latest:
        arguments: [{name: limit, required: false}]
        messages: [{role: user, call: shop.list-orders, outputParameters: [{type: string, mapping: '$[0].id'}]}]
      house:
        description: How we answer.
        arguments: {who: {description: Whom.}}
        location: file:///./house.md
"""
OTHER = """\
naftiko: 1.0.0-alpha2
info: {label: Other, description: Another capability on the same port.}
capability:
  exposes:
  - type: mcp
    namespace: other-mcp
    port: 9090
    tools: [{name: where, description: Says where., outputParameters: [{name: place, type: string, value: here}]}]
    resources:
    - {name: here, label: Here, uri: 'data://here', outputParameters: [{name: text, type: string, value: Here.}]}
    prompts: [{name: outreach, label: Other outreach, template: [{role: user, content: Write.}]}]
"""
TOOLS = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: mcp
    namespace: tools-mcp
    port: 9090
    tools: [{name: only, description: Says it., outputParameters: [{name: it, type: string, value: it}]}]
"""
ENVIRON = {"CAPSTAN_TOOLS_PER_PAGE": "3", "CAPSTAN_READ_TIMEOUT_SECONDS": "0.5", "CAPSTAN_MAX_PARSED_BYTES": "20000"}
PNG = b"\x89PNG\r\n\x1a\n\xff\x00"
ERAS = ["auto", "legacy"]
NOT_FOUND = {"auto": INVALID_PARAMS, "legacy": -32002}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading")
    (path / "a.yaml").write_text(FILE)
    (path / "b.yaml").write_text(OTHER)
    (path / "c.yaml").write_text(TOOLS)
    (path / "house.md").write_text("Answer {{who}} kindly.\n")
    (path / "secret.txt").write_text("not for anybody")
    book = path / "handbook"
    (book / "more").mkdir(parents=True)
    (book / "start.md").write_text("# Start\n\nGrüße {{who}}\n")
    (book / "more" / "a b.json").write_text('{"a": 1}')
    (book / "more" / "logo.png").write_bytes(PNG)
    (book / "plain").write_text("no ending")
    (book / "big.txt").write_text("x" * 20001)
    (book / ".hidden").write_text("hidden")
    (book / "out.txt").symlink_to("../secret.txt")
    (book / "up").symlink_to("..")
    (book / "again.md").symlink_to("start.md")
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sessions", "stateless"])
async def server(request: pytest.FixtureRequest, folder: Path, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    workers = ("--workers", "2") if request.param == "stateless" else ()
    async with serving(folder, "--base-uri", f"shop={upstream.url}", *workers, env=ENVIRON, ports=(9090,)) as running:
        yield running


class Session:
    """A client, and the era it speaks."""

    def __init__(self, client: Client, era: str) -> None:
        self.client, self.era = client, era

    async def text(self, uri: str) -> TextResourceContents:
        (content,) = (await self.client.read_resource(uri, cache_mode="bypass")).contents
        assert isinstance(content, TextResourceContents), content
        assert content.uri == uri
        return content

    async def blob(self, uri: str) -> tuple[str | None, bytes]:
        (content,) = (await self.client.read_resource(uri, cache_mode="bypass")).contents
        assert isinstance(content, BlobResourceContents), content
        return content.mime_type, base64.b64decode(content.blob)

    async def refused(self, uri: str) -> Any:
        with pytest.raises(MCPError) as caught:
            await self.client.read_resource(uri, cache_mode="bypass")
        return caught.value.error

    async def resources(self) -> list[Any]:
        found, cursor = [], None
        while True:
            page = await self.client.list_resources(cursor=cursor, cache_mode="bypass")
            assert len(page.resources) <= 3
            found += page.resources
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def prompts(self) -> list[Any]:
        found, cursor = [], None
        while True:
            page = await self.client.list_prompts(cursor=cursor)
            found += page.prompts
            cursor = page.next_cursor
            if cursor is None:
                return found


@pytest_asyncio.fixture(params=ERAS, loop_scope="module")
async def session(request: pytest.FixtureRequest, server: Capstan) -> AsyncIterator[Session]:
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
    yield Session(opened.result(), request.param)
    done.set()
    await task


# --- what is advertised and listed


async def test_what_an_endpoint_has_is_advertised(session: Session) -> None:
    capabilities = session.client.server_capabilities
    assert capabilities.tools is not None
    assert capabilities.resources is not None
    assert capabilities.prompts is not None


@pytest.mark.parametrize("era", ERAS)
async def test_what_an_endpoint_has_not_is_neither_advertised_nor_answered(era: Any, server: Capstan) -> None:
    async with Client(server.mcp.replace("/mcp", "/tools-mcp/mcp"), mode=era) as client:
        assert client.server_capabilities.resources is None
        assert client.server_capabilities.prompts is None
        with pytest.raises(MCPError) as caught:
            await client.list_resources()
        assert caught.value.error.code == METHOD_NOT_FOUND
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("outreach", {})
        assert caught.value.error.code == METHOD_NOT_FOUND
    async with Client(server.mcp.replace("/mcp", "/reading-mcp/mcp"), mode=era) as client:
        assert client.server_capabilities.tools is None
        assert client.server_capabilities.resources is not None
        assert (await client.list_tools()).tools == []


async def test_fixed_resources_and_files_are_listed_in_pages(session: Session) -> None:
    listed = await session.resources()
    by_uri = {resource.uri: resource for resource in listed}
    assert len(by_uri) == len(listed)
    assert list(by_uri) == [
        "data://orders", "data://here",
        "docs://handbook/again.md", "docs://handbook/big.txt", "docs://handbook/more/a%20b.json",
        "docs://handbook/more/logo.png", "docs://handbook/plain", "docs://handbook/start.md",
    ]  # fmt: skip
    first = by_uri["data://orders"]
    assert (first.name, first.title, first.description) == ("all-orders", "All orders", "Every order.")
    assert first.mime_type == "application/json"
    start = by_uri["docs://handbook/start.md"]
    assert (start.title, start.description, start.mime_type) == (
        "Handbook: start.md", "How we work.", "text/markdown",
    )  # fmt: skip
    assert start.size == len("# Start\n\nGrüße {{who}}\n".encode())
    assert by_uri["docs://handbook/more/logo.png"].mime_type == "image/png"
    assert by_uri["docs://handbook/plain"].mime_type is None


async def test_a_resource_with_variables_is_listed_as_a_template(session: Session) -> None:
    found, cursor = [], None
    while True:
        page = await session.client.list_resource_templates(cursor=cursor)
        found += page.resource_templates
        cursor = page.next_cursor
        if cursor is None:
            break
    templates = {template.name: template for template in found}
    assert templates["order"].uri_template == "data://orders/{order_id}"
    assert templates["order"].title == "An order"
    assert templates["line"].uri_template == "data://orders/{id}/lines/{number}"
    assert templates["totals"].mime_type == "application/json"
    assert set(templates) == {"order", "line", "totals", "note", "found", "photo", "mock", "both"}


async def test_a_cursor_of_no_list_is_refused(session: Session) -> None:
    for cursor in ("x", "0", "-3", "9" * 40):
        with pytest.raises(MCPError, match="no cursor"):
            await session.client.list_resources(cursor=cursor)
    with pytest.raises(MCPError, match="no cursor"):
        await session.client.list_prompts(cursor="99")


# --- what a call answers


async def test_a_resource_is_what_its_call_answers(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data=[{"id": "o-1"}]))
    content = await session.text("data://orders")
    assert json.loads(content.text) == [{"id": "o-1"}]
    assert content.mime_type == "application/json"
    assert upstream.last.target == "/orders?limit=2"  # nobody can give it, so the default holds


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        pytest.param("data://orders/o-1", "/orders/o-1", id="plain"),
        pytest.param("data://orders/a%2Fb%20%C3%A9", "/orders/a%2Fb%20%C3%A9", id="decoded once, encoded once"),
        pytest.param("data://orders/a%252Fb", "/orders/a%252Fb", id="not decoded twice"),
        pytest.param("data://orders/é", "/orders/%C3%A9", id="not encoded at all"),
        pytest.param("DATA://orders/%6F-1", "/orders/o-1", id="another spelling of the same"),
        pytest.param("data://orders/o-1/lines/7", "/orders/o-1/lines/7", id="two variables"),
    ],
)
async def test_a_variable_of_the_uri_is_an_input_of_the_call(
    uri: str, target: str, session: Session, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(data={"id": 1}))
    assert json.loads((await session.text(uri)).text) == {"id": 1}
    assert upstream.last.target == target


async def test_a_variable_has_the_type_of_what_it_fills(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data=[]))
    await session.text("data://found/5/05")
    assert upstream.last.json == {"place": "05", "number": 5}


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("data://orders/o-1/lines/x", id="no integer"),
        pytest.param("data://orders/o-1/lines/100", id="too large"),
        pytest.param("data://orders/..", id="dots"),
        pytest.param("data://orders/%2e%2e", id="encoded dots"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_and_nothing_is_sent(
    uri: str, session: Session, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    error = await session.refused(uri)
    assert error.code == INVALID_PARAMS
    assert error.data["code"] == "bad-argument"
    assert error.data["outcome"] == "not-sent"
    assert len(upstream.requests) == before


UNKNOWN = (
    "data://nothing", "data://orders/", "data://orders/o-1/", "data://orders/a/b", "data://orders//lines/1",
    "data://orders/%ff", "data://orders/a?b=1", "data://orders/a#b", "", "x", "data://orders/" + "x" * 9000,
    "DATA://ORDERS", "\0", "docs://handbook", "docs://handbook/", "docs://handbookx/a",
)  # fmt: skip


async def test_an_unknown_uri_is_an_error_of_the_protocol(session: Session, upstream: RecordingUpstream) -> None:
    before = len(upstream.requests)
    for uri in UNKNOWN:
        error = await session.refused(uri)
        assert error.code == NOT_FOUND[session.era], uri
        assert error.data["uri"] == uri[:2000]
    assert len(upstream.requests) == before


async def test_outputs_shape_a_resource_as_they_shape_a_tool(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"amount": "12.5", "more": "x"}))
    content = await session.text("data://orders/o-1/total")
    assert json.loads(content.text) == {"total": 12.5, "of": "o-1"}
    assert content.mime_type == "application/json"


async def test_a_mapped_text_is_that_text(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"note": "# Hello"}))
    content = await session.text("data://orders/o-1/note")
    assert (content.text, content.mime_type) == ("# Hello", "text/markdown")


async def test_a_mock_answers_from_the_file(session: Session) -> None:
    assert json.loads((await session.text("data://mock/Ann")).text) == {"hello": "Hi Ann"}
    # A sign that encodes nothing stands for itself.
    assert json.loads((await session.text("data://mock/%")).text) == {"hello": "Hi %"}
    assert json.loads((await session.text("data://here")).text) == {"text": "Here."}


async def test_steps_are_run_one_after_the_other(session: Session, upstream: RecordingUpstream) -> None:
    before = len(upstream.requests)
    upstream.then(reply(data={"id": "o-1"}), reply(data=[]))
    await session.text("data://both/o-1")
    assert [request.target for request in upstream.requests[before:]] == ["/orders/o-1", "/orders?limit=2"]


async def test_binary_content_is_a_blob(session: Session, upstream: RecordingUpstream) -> None:
    bom = b"\xef\xbb\xbftext"
    upstream.then(reply(body=PNG, content_type="application/octet-stream"), reply(body=bom, content_type="text/plain"))
    assert await session.blob("photos://p-1") == ("image/jpeg", PNG)
    assert await session.blob("photos://p-1") == ("image/jpeg", bom)  # byte for byte


async def test_what_is_no_text_is_a_blob_of_its_own_type(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(
        reply(body=PNG, content_type="image/png"), reply(body=b"\xff\x00\xfe", content_type="application/json")
    )
    assert await session.blob("data://orders") == ("image/png", PNG)
    assert await session.blob("data://orders/o-1") == ("application/octet-stream", b"\xff\x00\xfe")


async def test_an_answer_without_content_is_an_empty_text(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(204))
    assert (await session.text("data://orders/o-1")).text == ""


async def test_a_failing_upstream_is_an_error_with_the_problem_of_every_door(
    session: Session, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(503, data={"why": "closed"}))
    error = await session.refused("data://orders/o-1")
    assert error.code == INTERNAL_ERROR
    assert (error.data["code"], error.data["outcome"], error.data["retry_safe"]) == ("upstream-failed", "unknown", True)
    assert error.data["upstream"] == {"status": 503, "body": {"why": "closed"}}
    upstream.then(HANG)
    assert (await session.refused("data://orders/o-1/total")).data["code"] == "upstream-timeout"


async def test_what_the_upstream_does_not_have_is_not_found(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(404, data={"error": "no such order"}))
    error = await session.refused("data://orders/o-9")
    assert error.code == NOT_FOUND[session.era]
    assert error.data["upstream"]["body"] == {"error": "no such order"}


async def test_an_answer_that_is_too_large_is_refused(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(body="x" * 20001, content_type="text/plain"))
    assert (await session.refused("data://orders/o-1")).data["code"] == "answer-too-large"


# --- files of a folder


async def test_files_are_read_as_what_they_are(session: Session) -> None:
    start = await session.text("docs://handbook/start.md")
    assert (start.text, start.mime_type) == ("# Start\n\nGrüße {{who}}\n", "text/markdown")
    assert (await session.text("docs://handbook/more/a%20b.json")).mime_type == "application/json"
    assert await session.blob("docs://handbook/more/logo.png") == ("image/png", PNG)
    assert (await session.text("docs://handbook/plain")).mime_type == "text/plain"
    assert (await session.text("docs://handbook/again.md")).text == start.text  # a link that stays inside


# A client is opened for all of them: there are too many for one each.
OUTSIDE = (
    "../secret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%2fsecret.txt", "more/../../secret.txt",
    "/etc/passwd", "%2fetc%2fpasswd", "more%2flogo.png", "start.md%00", "start.md/", "./start.md", "more",
    ".hidden", "%2ehidden", "out.txt", "up/secret.txt", "up/handbook/start.md", "..%5csecret.txt", "nothing.md",
    "start.md?x", "x" * 300, "a/" * 2000 + "b", "%C0%AE%C0%AE/secret.txt", "%ff",
)  # fmt: skip


async def test_nothing_leads_out_of_a_folder(session: Session) -> None:
    for path in OUTSIDE:
        error = await session.refused(f"docs://handbook/{path}")
        assert error.code == NOT_FOUND[session.era], path
        assert "not for anybody" not in json.dumps([error.message, error.data])


async def test_a_file_that_is_too_large_is_refused(session: Session) -> None:
    error = await session.refused("docs://handbook/big.txt")
    assert error.data["code"] == "answer-too-large"


async def test_what_changes_in_a_folder_is_seen(session: Session, folder: Path) -> None:
    file = folder / "handbook" / "zz.md"
    file.write_text("first")
    try:
        assert (await session.text("docs://handbook/zz.md")).text == "first"
        assert "docs://handbook/zz.md" in {resource.uri for resource in await session.resources()}
        file.write_text("second")
        assert (await session.text("docs://handbook/zz.md")).text == "second"
    finally:
        file.unlink()
    assert (await session.refused("docs://handbook/zz.md")).code == NOT_FOUND[session.era]


# --- prompts


async def test_prompts_are_listed_and_those_of_one_name_told_apart(session: Session) -> None:
    prompts = {prompt.name: prompt for prompt in await session.prompts()}
    assert set(prompts) == {"reading-mcp__outreach", "other-mcp__outreach", "review", "latest", "house"}
    outreach = prompts["reading-mcp__outreach"]
    assert (outreach.title, outreach.description) == ("Outreach", "Write to a participant.")
    told = [(a.name, a.title, a.description, a.required) for a in outreach.arguments]
    assert told == [
        ("name", "Who", "Name of the participant.", True), ("tone", None, "How it sounds.", False),
    ]  # fmt: skip
    # With `messages` nothing is asked for unless it says so; but a path cannot do without.
    assert {a.name: a.required for a in prompts["review"].arguments} == {"id": True, "number": True, "place": False}


async def test_arguments_fill_the_messages(session: Session) -> None:
    result = await session.client.get_prompt("reading-mcp__outreach", {"name": "Ann {{tone}} {name}", "tone": "warm"})
    texts = [(m.role, m.content.text) for m in result.messages if isinstance(m.content, TextContent)]
    assert texts == [
        ("user", "Write to Ann {{tone}} {name}, warm: Ann {{tone}} {name}. {unknown} stays."), ("assistant", "I will."),
    ]  # fmt: skip
    assert result.description == "Write to a participant."


async def test_an_optional_argument_that_is_absent_leaves_nothing(session: Session) -> None:
    result = await session.client.get_prompt("reading-mcp__outreach", {"name": "Ann"})
    assert isinstance(result.messages[0].content, TextContent)
    assert result.messages[0].content.text == "Write to Ann, : Ann. {unknown} stays."


async def test_a_file_is_the_message_of_a_user(session: Session) -> None:
    result = await session.client.get_prompt("house", {"who": "Ann"})
    (message,) = result.messages
    assert isinstance(message.content, TextContent)
    assert (message.role, message.content.text) == ("user", "Answer Ann kindly.\n")


async def test_a_message_is_what_its_call_answers(session: Session, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"sku": "a"}), reply(body=PNG, content_type="image/png"))
    result = await session.client.get_prompt("review", {"id": "o-1", "number": "7"})
    assert isinstance(result.messages[1].content, TextContent)
    assert json.loads(result.messages[1].content.text) == {"sku": "a"}
    assert upstream.last.target == "/orders/o-1/lines/7"
    result = await session.client.get_prompt("review", {"id": "o-1", "number": "7"})
    assert isinstance(result.messages[1].content, ImageContent)
    assert base64.b64decode(result.messages[1].content.data) == PNG


async def test_an_argument_of_a_call_has_its_type_and_may_be_absent(
    session: Session, upstream: RecordingUpstream
) -> None:
    for arguments, target in (({"limit": "5"}, "/orders?limit=5"), ({}, "/orders")):
        upstream.then(reply(data=[{"id": "o-1"}]))
        (message,) = (await session.client.get_prompt("latest", arguments)).messages
        assert isinstance(message.content, TextContent)
        assert (message.content.text, upstream.last.target) == ("o-1", target)


@pytest.mark.parametrize(
    ("name", "arguments", "code", "argument"),
    [
        pytest.param("house", {}, "missing-argument", "who", id="missing"),
        pytest.param("house", {"who": "x", "whom": "y"}, "unknown-argument", "whom", id="unknown"),
        pytest.param("review", {"id": "o", "number": "x"}, "bad-argument", "number", id="of another type"),
        pytest.param("review", {"number": "1"}, "missing-argument", "id", id="missing for a call"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(
    name: str, arguments: dict[str, str], code: str, argument: str, session: Session, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    with pytest.raises(MCPError) as caught:
        await session.client.get_prompt(name, arguments)
    error = caught.value.error
    assert error.code == INVALID_PARAMS
    assert (error.data["code"], error.data["argument"]) == (code, argument)
    assert len(upstream.requests) == before


async def test_an_unknown_prompt_is_an_error_of_the_protocol(session: Session) -> None:
    with pytest.raises(MCPError, match="no prompt 'outreach'") as caught:
        await session.client.get_prompt("outreach", {})
    assert caught.value.error.code == INVALID_PARAMS


async def test_a_prompt_that_would_grow_beyond_bounds_is_refused(session: Session) -> None:
    with pytest.raises(MCPError, match="longer than") as caught:
        await session.client.get_prompt("reading-mcp__outreach", {"name": "x" * 15000})
    assert caught.value.error.code == INVALID_PARAMS


async def test_a_call_of_a_prompt_that_fails_is_an_error_with_its_problem(
    session: Session, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(500))
    with pytest.raises(MCPError) as caught:
        await session.client.get_prompt("review", {"id": "o-1", "number": "7"})
    assert caught.value.error.code == INTERNAL_ERROR
    assert caught.value.error.data["code"] == "upstream-failed"


async def test_reading_leaves_one_line_without_values(session: Session, server: Capstan) -> None:
    await session.text("docs://handbook/start.md")
    await session.client.get_prompt("house", {"who": "Ann-of-the-log"})
    await server.said("mcp docs 200")
    await server.said("mcp house 200")
    assert "Ann-of-the-log" not in server.talk


# --- over standard input and output


@pytest.mark.parametrize("era", ERAS)
async def test_stdio_offers_the_same(era: Any, tmp_path: Path, upstream: RecordingUpstream) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "start.md").write_text("# Start")
    (tmp_path / "house.md").write_text("Answer {{who}}.")
    (tmp_path / "a.yaml").write_text(FILE.replace("    port: 9090\n", "    transport: stdio\n"))
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "capstan", "serve", str(tmp_path / "a.yaml"), "--base-uri", f"shop={upstream.url}"],
        env={"PATH": os.environ["PATH"]},
    )
    async with Client(stdio_client(parameters), mode=era) as client:
        assert client.server_capabilities.resources is not None
        upstream.then(reply(data={"id": "o-1"}))
        (order,) = (await client.read_resource("data://orders/o-1")).contents
        assert isinstance(order, TextResourceContents)
        assert json.loads(order.text) == {"id": "o-1"}
        (start,) = (await client.read_resource("docs://handbook/start.md")).contents
        assert isinstance(start, TextResourceContents)
        assert start.text == "# Start"
        result = await client.get_prompt("house", {"who": "Ann"})
        assert isinstance(result.messages[0].content, TextContent)
        assert result.messages[0].content.text == "Answer Ann."


# --- a server that watches its files


async def test_what_a_changed_file_offers_is_offered_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(TOOLS)
    async with serving(file, "--watch", ports=(9090,)) as server:
        async with Client(server.mcp, mode="legacy") as early:
            assert early.server_capabilities.resources is None
            (tmp_path / "house.md").write_text("Answer {{who}}.")
            added = """\
    resources:
    - {name: here, label: Here, uri: 'data://here', outputParameters: [{name: text, type: string, value: Here.}]}
    prompts: [{name: house, label: House, arguments: [{name: who}], location: 'file:///./house.md'}]
"""
            file.write_text(TOOLS + added)
            await server.said("reloaded")
            (here,) = (await early.read_resource("data://here")).contents  # the session stayed
            assert isinstance(here, TextResourceContents)
            assert json.loads(here.text) == {"text": "Here."}
        async with Client(server.mcp) as client:
            assert client.server_capabilities.resources is not None
            assert client.server_capabilities.prompts is not None
            (tmp_path / "house.md").write_text("Answer {{who}} soon.")
            await server.said("reloaded", times=2)
            (message,) = (await client.get_prompt("house", {"who": "Ann"})).messages
            assert isinstance(message.content, TextContent)
            assert message.content.text == "Answer Ann soon."
        file.write_text(TOOLS)
        await server.said("reloaded", times=3)
        async with Client(server.mcp) as client:
            assert client.server_capabilities.prompts is None


async def test_a_long_folder_is_cut_short_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for number in range(10_000):
        (tmp_path / "docs" / f"{number:05}.txt").touch()
    added = "    resources: [{name: docs, uri: 'docs://all', location: 'file:///./docs'}]\n"
    (tmp_path / "c.yaml").write_text(TOOLS + added)
    async with serving(tmp_path / "c.yaml", ports=(9090,)) as server, Client(server.mcp) as client:
        found, cursor = 0, None
        while True:
            page = await client.list_resources(cursor=cursor)
            found += len(page.resources)
            assert page.meta is not None
            assert page.meta["capstan/not-listed"] == ["docs://all/"]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == 1000
        await server.said("docs://all/ has more than 1000 files")
        (content,) = (await client.read_resource("docs://all/09999.txt")).contents
        assert isinstance(content, TextResourceContents)
        assert content.text == ""


async def test_a_declared_type_is_that_of_what_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    files = {"a.txt": b"# A", "logo.png": PNG, "photo.bin": b"\x01\xff", "blob.dat": b"\x00\xfe", "nul": b"a\x00b"}
    for name, data in files.items():
        (tmp_path / "docs" / name).write_bytes(data)
    (tmp_path / "c.yaml").write_text(
        TOOLS
        + """\
    resources:
    - {name: notes, uri: 'docs://notes', mimeType: text/markdown, location: 'file:///./docs'}
    - {name: photos, uri: 'docs://photos', mimeType: image/jpeg, location: 'file:///./docs'}
    - {name: bytes, uri: 'docs://bytes', binary: true, location: 'file:///./docs'}
"""
    )
    expected = {
        "notes/a.txt": ("text/markdown", "# A"), "notes/logo.png": ("image/png", PNG),
        "notes/blob.dat": ("application/octet-stream", b"\x00\xfe"),
        "photos/photo.bin": ("image/jpeg", b"\x01\xff"), "photos/logo.png": ("image/jpeg", PNG),
        "bytes/a.txt": ("text/plain", b"# A"), "bytes/nul": ("application/octet-stream", b"a\x00b"),
    }  # fmt: skip
    async with serving(tmp_path / "c.yaml", ports=(9090,)) as server, Client(server.mcp) as client:
        found = {}
        for path in expected:
            (content,) = (await client.read_resource(f"docs://{path}")).contents
            data = content.text if isinstance(content, TextResourceContents) else base64.b64decode(content.blob)
            found[path] = (content.mime_type, data)
        assert found == expected


async def test_the_bytes_of_a_file_have_a_limit_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "small.png").write_bytes(b"\x89" * 30_000)
    (tmp_path / "docs" / "large.png").write_bytes(b"\x89" * 30_001)
    (tmp_path / "docs" / "long.txt").write_text("x" * 20_001)
    added = "    resources: [{name: docs, uri: 'docs://all', location: 'file:///./docs'}]\n    maxBinarySize: 30000B\n"
    (tmp_path / "c.yaml").write_text(TOOLS + added)
    async with serving(tmp_path / "c.yaml", env=ENVIRON, ports=(9090,)) as server, Client(server.mcp) as client:
        (content,) = (await client.read_resource("docs://all/small.png")).contents
        assert isinstance(content, BlobResourceContents)
        for name in ("large.png", "long.txt"):
            with pytest.raises(MCPError, match="larger than"):
                await client.read_resource(f"docs://all/{name}")
