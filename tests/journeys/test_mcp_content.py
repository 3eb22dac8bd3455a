"""Contents that a file says itself, over real sockets, with the official client in both eras."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Annotations,
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    PromptMessage,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from capstan.plan.build import plan_file
from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n\xff\x00"
WAV = base64.b64encode(b"RIFF\x00\x00").decode()
FILE = f"""\
naftiko: 1.0.0-alpha2
binds:
- namespace: env
  keys: {{SHOP: SHOP}}
  defaults: {{SHOP: Shop of all}}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: orders
      path: /orders/{{id}}
      operations:
      - {{name: read-order, method: GET}}
      - {{name: refund, method: POST}}
  exposes:
  - type: mcp
    namespace: my-mcp
    port: 9090
    tools:
    - name: show_everything
      description: One of each.
      inputParameters:
      - {{name: who, type: string, description: Whom., required: false}}
      content:
      - type: text
        text: 'Hello {{{{who}}}} of {{{{env.SHOP}}}}, {{not}} {{{{who}}}}.'
        annotations: {{audience: [user], priority: 0.5}}
      - {{type: image, file: ./logo.png}}
      - type: audio
        mimeType: audio/wav
        data: |
          {WAV[:4]}
          {WAV[4:]}
      - {{type: resource, resource: {{uri: 'note://{{{{who}}}}/text', mimeType: text/plain, text: 'Of {{{{who}}}}.'}}}}
      - {{type: resource, resource: {{uri: 'note://guide', file: guide.md}}}}
      - {{type: resource, resource: {{uri: 'note://bytes', file: 'file:///./logo.png'}}}}
      - {{type: resource_link, uri: 'https://shop.example/{{{{who}}}}?a=b', name: shop, title: The shop, size: 7}}
    - {{name: always.fails, description: Fails., content: [{{type: text, text: No.}}], isError: true}}
    - name: order-card
      description: An order as a card.
      inputParameters: [{{name: id, type: string, description: The order.}}]
      steps:
      - {{name: order, call: shop.read-order, with: {{id: tools.id}}}}
      content:
      - {{type: text, text: 'Order {{{{id}}}}: {{{{order.total}}}} {{{{order.lines}}}} {{{{order.absent}}}}'}}
      - {{type: image, mimeType: image/png, data: '{{{{order.photo}}}}'}}
      - {{type: resource_link, uri: '{{{{order.url}}}}', name: 'order {{{{id}}}}'}}
    - name: order-data
      description: An order as a card and as data.
      inputParameters: [{{name: id, type: string, description: The order.}}]
      steps:
      - {{name: order, call: shop.read-order, with: {{id: tools.id}}}}
      mappings: [{{target: total, value: $.order.total}}]
      outputParameters: [{{name: total, type: integer}}]
      content: [{{type: text, text: 'It is {{{{order.total}}}}.'}}]
    - name: refund-card
      description: Refund and show.
      inputParameters: [{{name: id, type: string, description: The order.}}]
      steps: [{{name: done, call: shop.refund, with: {{id: tools.id}}}}]
      content: [{{type: image, mimeType: image/png, data: '{{{{done.photo}}}}'}}]
    - name: refund-note
      description: Refund and tell.
      inputParameters:
      - {{name: id, type: string, description: The order.}}
      - {{name: seal, type: string, description: Base64.}}
      steps: [{{name: done, call: shop.refund, with: {{id: tools.id}}}}]
      content:
      - {{type: text, text: '{{{{done.note}}}}{{{{done.note}}}}{{{{done.note}}}}'}}
      - {{type: image, mimeType: image/png, data: '{{{{seal}}}}'}}
    - name: picture
      description: A picture of yours.
      inputParameters: [{{name: data, type: string, description: Base64.}}]
      content: [{{type: image, mimeType: image/png, data: '{{{{data}}}}'}}]
      outputParameters: [{{name: kind, type: string, value: picture}}]
    resources:
    - {{name: terms, uri: 'note://terms', description: Terms., text: 'Of {{{{env.SHOP}}}} {{and}} more.'}}
    - name: note
      uri: note://{{id}}/{{order-kind}}
      mimeType: application/json
      text: '{{"id": "{{id}}", "kind": "{{{{order_kind}}}}", "other": {{}}}}'
    - {{name: seal, uri: 'note://seal', mimeType: image/png, blob: iVBORw0KGgo=}}
    - {{name: raw, uri: 'note://raw', blob: aGk=}}
    prompts:
    - name: look
      description: Look at it.
      arguments:
      - {{name: who}}
      - {{name: where, required: false}}
      messages:
      - role: user
        content: {{type: text, text: 'For {{{{who}}}}, {{who}} of {{{{env.SHOP}}}}.', annotations: {{priority: 1}}}}
      - role: assistant
        content:
        - {{type: image, file: ./logo.png}}
        - {{type: resource, resource: {{uri: 'note://{{{{who}}}}/a', text: 'Of {{{{who}}}}.'}}}}
        - {{type: resource, resource: {{uri: '{{{{where}}}}', text: There.}}}}
        - {{type: resource_link, uri: 'note://terms', name: Terms}}
    - name: see
      arguments: [{{name: photo}}]
      messages: [{{role: user, content: {{type: audio, mimeType: audio/wav, data: '{{{{photo}}}}'}}}}]
"""
ENVIRON = {"CAPSTAN_MAX_PARSED_BYTES": "20000"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("content")
    (path / "a.yaml").write_text(FILE)
    (path / "logo.png").write_bytes(PNG)
    (path / "guide.md").write_text("# Guide for {{who}}\n")
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    async with serving(folder, "--base-uri", f"shop={upstream.url}", "--watch", env=ENVIRON, ports=(9090,)) as running:
        yield running


class Caller:
    """Who calls tools, each call with a client of its own, in one era of the protocol."""

    def __init__(self, url: str, era: str) -> None:
        self.url, self.era = url, era

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        async with Client(self.url, mode=self.era) as client:
            return await client.call_tool(name, arguments)

    async def read(self, uri: str) -> TextResourceContents | BlobResourceContents:
        async with Client(self.url, mode=self.era) as client:
            (content,) = (await client.read_resource(uri)).contents
            return content

    async def prompt(self, name: str, arguments: dict[str, str]) -> list[PromptMessage]:
        async with Client(self.url, mode=self.era) as client:
            return (await client.get_prompt(name, arguments)).messages


@pytest.fixture(params=["auto", "legacy"])
def client(request: pytest.FixtureRequest, server: Capstan) -> Caller:
    return Caller(server.mcp, request.param)


def problem(result: Any) -> dict[str, Any]:
    assert result.is_error
    told: dict[str, Any] = json.loads(result.content[0].text)
    return told


async def test_a_tool_answers_the_blocks_that_its_file_says(client: Caller) -> None:
    result = await client.call_tool("show_everything", {"who": "a/b ö"})
    assert (result.is_error, result.structured_content) == (False, None)
    text, image, audio, note, guide, octets, link = result.content
    assert isinstance(text, TextContent)
    assert text.text == "Hello a/b ö of Shop of all, {not} a/b ö."
    assert text.annotations is not None
    assert (text.annotations.audience, text.annotations.priority) == (["user"], 0.5)
    assert image == ImageContent(data=base64.b64encode(PNG).decode(), mime_type="image/png")
    assert audio == AudioContent(data=WAV, mime_type="audio/wav")
    assert isinstance(note, EmbeddedResource)
    assert (note.resource.uri, note.resource.mime_type) == ("note://a%2Fb%20%C3%B6/text", "text/plain")
    assert note.resource.text == "Of a/b ö."  # type: ignore[union-attr]
    assert isinstance(guide, EmbeddedResource)
    assert guide.resource.mime_type == "text/markdown"
    assert guide.resource.text == "# Guide for {{who}}\n"  # type: ignore[union-attr]
    assert isinstance(octets, EmbeddedResource)
    assert isinstance(octets.resource, BlobResourceContents)
    assert base64.b64decode(octets.resource.blob) == PNG
    assert isinstance(link, ResourceLink)
    assert (link.uri, link.title, link.size) == ("https://shop.example/a%2Fb%20%C3%B6?a=b", "The shop", 7)


async def test_an_argument_that_is_left_out_leaves_nothing(client: Caller) -> None:
    text = (await client.call_tool("show_everything", {})).content[0]
    assert isinstance(text, TextContent)
    assert text.text == "Hello  of Shop of all, {not} ."


async def test_a_value_is_never_read_as_a_template(client: Caller) -> None:
    text = (await client.call_tool("show_everything", {"who": "{{env.SHOP}}"})).content[0]
    assert isinstance(text, TextContent)
    assert text.text.startswith("Hello {{env.SHOP}} of")


async def test_a_content_is_told_as_an_error_where_the_file_says_so(client: Caller) -> None:
    result = await client.call_tool("always.fails", {})
    assert (result.is_error, result.content) == (True, [TextContent(text="No.")])


async def test_a_content_holds_what_steps_answered(client: Caller, upstream: RecordingUpstream) -> None:
    answer = {"total": 5, "lines": [1, {"a": None}], "photo": base64.b64encode(PNG).decode(), "url": "shop://7?a=ö"}
    upstream.always = reply(data=answer)
    text, image, link = (await client.call_tool("order-card", {"id": "7"})).content
    assert text == TextContent(text='Order 7: 5 [1,{"a":null}] ')
    assert image == ImageContent(data=answer["photo"], mime_type="image/png")  # type: ignore[arg-type]
    assert isinstance(link, ResourceLink)
    assert (link.uri, link.name) == ("shop://7?a=ö", "order 7")


async def test_beside_a_content_outputs_give_the_data(client: Caller, upstream: RecordingUpstream) -> None:
    upstream.always = reply(data={"total": 5, "more": 1})
    result = await client.call_tool("order-data", {"id": "7"})
    assert result.content == [TextContent(text="It is 5.")]
    assert result.structured_content == {"total": 5}


async def test_a_part_of_an_answer_that_is_no_base64_is_an_error_that_tells_what_was_done(
    client: Caller, upstream: RecordingUpstream
) -> None:
    upstream.always = reply(data={"photo": "no base64!", "id": "r-1"})
    told = problem(await client.call_tool("refund-card", {"id": "7"}))
    assert (told["code"], told["outcome"], told["retry_safe"]) == ("unexpected-answer", "done", False)
    assert told["changed"] == {"done": {"photo": "no base64!", "id": "r-1"}}


async def test_a_content_that_grows_too_large_by_an_answer_is_no_reason_to_call_again(
    client: Caller, upstream: RecordingUpstream
) -> None:
    upstream.always = reply(data={"note": "x" * 9000, "id": "r-1"})
    told = problem(await client.call_tool("refund-note", {"id": "7", "seal": WAV}))
    assert (told["code"], told["outcome"], told["retry_safe"]) == ("unexpected-answer", "done", False)
    assert told["changed"]["done"]["id"] == "r-1"


async def test_an_argument_that_is_no_base64_is_refused_before_anything_is_called(
    client: Caller, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    told = problem(await client.call_tool("refund-note", {"id": "7", "seal": "no base64!"}))
    assert (told["code"], told["argument"], told["outcome"]) == ("bad-argument", "seal", "not-sent")
    assert len(upstream.requests) == before


async def test_an_argument_that_is_no_base64_is_refused(client: Caller) -> None:
    told = problem(await client.call_tool("picture", {"data": "no base64!"}))
    assert (told["code"], told["argument"]) == ("bad-argument", "data")
    result = await client.call_tool("picture", {"data": WAV})
    assert (result.content, result.structured_content) == (
        [ImageContent(data=WAV, mime_type="image/png")],
        {"kind": "picture"},
    )


async def test_a_content_that_grows_too_large_is_refused(client: Caller) -> None:
    told = problem(await client.call_tool("show_everything", {"who": "x" * 9000}))
    assert told["code"] == "bad-argument"


async def test_half_a_character_of_an_answer_is_replaced(client: Caller, upstream: RecordingUpstream) -> None:
    photo = base64.b64encode(PNG)
    upstream.always = reply(body=b'{"total": "a\\ud800", "photo": "' + photo + b'", "url": "a://b"}')
    result = await client.call_tool("order-card", {"id": "7"})
    assert result.content[0] == TextContent(text="Order 7: a?  ")


async def test_a_file_of_a_content_is_watched(server: Capstan, folder: Path) -> None:
    (folder / "logo.png").write_bytes(PNG + b"more")
    async with asyncio.timeout(20), Client(f"{server.mcp}") as client:
        while True:
            image = (await client.call_tool("show_everything", {})).content[1]
            assert isinstance(image, ImageContent)
            if base64.b64decode(image.data) == PNG + b"more":
                return
            await asyncio.sleep(0.05)


async def test_a_resource_holds_what_its_file_says(client: Caller) -> None:
    terms = await client.read("note://terms")
    assert terms == TextResourceContents(uri="note://terms", mime_type="text/plain", text="Of Shop of all {and} more.")
    seal = await client.read("note://seal")
    assert seal == BlobResourceContents(uri="note://seal", mime_type="image/png", blob="iVBORw0KGgo=")
    raw = await client.read("note://raw")
    assert raw == BlobResourceContents(uri="note://raw", mime_type="application/octet-stream", blob="aGk=")


async def test_variables_of_the_uri_are_filled_into_a_text(client: Caller) -> None:
    note = await client.read("note://a%20%7Bid%7D/x")
    assert isinstance(note, TextResourceContents)
    assert json.loads(note.text) == {"id": "a {id}", "kind": "x", "other": {}}
    assert note.mime_type == "application/json"


async def test_resources_that_a_file_says_are_listed(client: Caller) -> None:
    async with Client(client.url, mode=client.era) as one:
        listed = {r.uri: r.mime_type for r in (await one.list_resources()).resources}
        templates = {t.uri_template: t.mime_type for t in (await one.list_resource_templates()).resource_templates}
    assert listed == {
        "note://terms": "text/plain", "note://seal": "image/png", "note://raw": "application/octet-stream",
    }  # fmt: skip
    assert templates == {"note://{id}/{order_kind}": "application/json"}


async def test_a_message_of_a_prompt_holds_blocks_and_a_list_of_them_is_as_many_messages(client: Caller) -> None:
    messages = await client.prompt("look", {"who": "a/b", "where": "note://c"})
    assert [message.role for message in messages] == ["user", *["assistant"] * 4]
    text, _, note, there, link = [message.content for message in messages]
    assert isinstance(text, TextContent)
    assert (text.text, text.annotations) == ("For a/b, a/b of Shop of all.", Annotations(priority=1))
    assert isinstance(messages[1].content, ImageContent)
    assert isinstance(note, EmbeddedResource)
    assert note.resource == TextResourceContents(uri="note://a%2Fb/a", text="Of a/b.")
    assert isinstance(there, EmbeddedResource)
    assert there.resource.uri == "note://c"
    assert link == ResourceLink(uri="note://terms", name="Terms")


async def test_an_argument_of_a_prompt_that_is_no_base64_is_refused(client: Caller) -> None:
    assert (await client.prompt("see", {"photo": WAV}))[0].content == AudioContent(data=WAV, mime_type="audio/wav")
    async with Client(client.url, mode=client.era) as one:
        with pytest.raises(MCPError) as caught:
            await one.get_prompt("see", {"photo": "no!"})
    assert caught.value.error.code == INVALID_PARAMS
    assert caught.value.error.data["argument"] == "photo"


async def test_the_files_of_contents_are_sources_of_the_plan(folder: Path) -> None:
    plan, _ = plan_file(folder / "a.yaml", {})
    assert {Path(source).name for source in plan.sources} == {"logo.png", "guide.md"}
