"""XML, separated values and bytes through both doors of a running server."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp_types import AudioContent, BlobResourceContents, EmbeddedResource, ImageContent, TextContent

from journeys.running import Capstan, client, serving
from support import RecordingUpstream, chunked, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = """\
ikanos: 1.0.0-beta7
info: {display: Ships, description: A fleet for the tests.}
capability:
  consumes:
  - type: http
    namespace: fleet
    baseUri: http://127.0.0.1:1
    resources:
      ships:
        path: /ships
        operations:
          list-ships: {method: GET, outputRawFormat: xml}
          list-prices: {method: GET, outputRawFormat: csv}
          read-picture: {method: GET, outputRawFormat: binary, outputMediaType: image/png}
  exposes:
  - type: rest
    namespace: fleet-rest
    port: 8080
    maxBinarySize: 100KiB
    resources:
      ships:
        path: /ships
        operations:
          list-ships:
            method: GET
            call: fleet.list-ships
            outputParameters: &ships
            - type: array
              mapping: $.fleet.ship
              items:
                type: object
                properties: {code: {type: string, mapping: $.code}, crew: {type: integer, mapping: $.crew}}
      prices:
        path: /prices
        operations: {list-prices: {method: GET, call: fleet.list-prices}}
      picture:
        path: /picture
        operations: {read-picture: {method: GET, call: fleet.read-picture}}
  - type: mcp
    namespace: fleet-mcp
    port: 9090
    maxBinarySize: 1KiB
    description: Look at ships.
    tools:
      list-ships: {description: Lists ships., call: fleet.list-ships, outputParameters: *ships}
      list-prices: {description: Lists prices., call: fleet.list-prices}
      read-picture: {description: Reads a picture., call: fleet.read-picture}
"""
XML = reply(
    body="<?xml version='1.0'?><fleet><ship crew='12'><code>V1</code></ship><ship><code>V2</code></ship></fleet>",
    content_type="application/xml",
)
SHIPS = [{"code": "V1", "crew": 12}, {"code": "V2", "crew": None}]
CSV = reply(body='ship,price\r\nV1,0042\r\n"V, 2",1.10\r\n', content_type="text/csv; charset=utf-8")
PRICES = [{"ship": "V1", "price": "0042"}, {"ship": "V, 2", "price": "1.10"}]
PICTURE = bytes(range(256))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("formats") / "fleet.yaml"
    path.write_text(FILE)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(upstream: RecordingUpstream, file: Path) -> AsyncIterator[Capstan]:
    async with serving(file, "--base-uri", f"fleet={upstream.url}") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Capstan) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server.rest) as opened:
        yield opened


async def test_xml_is_mapped_on_rest(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(XML)
    answer = await http.get("/ships")
    assert (answer.headers["Content-Type"], answer.json()) == ("application/json", SHIPS)


async def test_xml_is_mapped_on_mcp(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(XML)
    async with Client(server.mcp) as session:
        result = await session.call_tool("list-ships", {})
    assert (result.is_error, result.structured_content) == (False, {"result": SHIPS})


async def test_separated_values_are_json_on_rest(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(CSV)
    answer = await http.get("/prices")
    assert (answer.headers["Content-Type"], answer.json()) == ("application/json", PRICES)


async def test_separated_values_are_structured_on_mcp(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(CSV)
    async with Client(server.mcp) as session:
        result = await session.call_tool("list-prices", {})
    assert result.structured_content == {"result": PRICES}


async def test_a_damaged_answer_is_a_problem_on_both_doors(
    server: Capstan, http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    damaged = reply(body="ship,price\nV1,2,3\n", content_type="text/csv")
    upstream.then(damaged, damaged)
    answer = await http.get("/prices")
    told = answer.json()
    assert (answer.status_code, told["code"], told["retry_safe"]) == (502, "unexpected-answer", True)
    assert told["detail"].endswith("with csv that cannot be read: line 2 has 3 values, the first line names 2")
    async with Client(server.mcp) as session:
        result = await session.call_tool("list-prices", {})
    assert (result.is_error, result.structured_content) == (True, told)


async def test_bytes_are_bytes_with_their_media_type_on_rest(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=PICTURE, content_type="application/octet-stream"))
    answer = await http.get("/picture")
    assert (answer.headers["Content-Type"], answer.content) == ("image/png", PICTURE)


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("application/octet-stream", ImageContent), ("audio/ogg", AudioContent), ("application/pdf", EmbeddedResource)],
)
async def test_bytes_are_content_of_their_kind_on_mcp(
    media_type: str, kind: type, server: Capstan, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=PICTURE, content_type=media_type))
    async with Client(server.mcp) as session:
        result = await session.call_tool("read-picture", {})
    (block,) = [block for block in result.content if not isinstance(block, TextContent)]
    assert isinstance(block, kind)
    if isinstance(block, EmbeddedResource):
        assert isinstance(block.resource, BlobResourceContents)
        assert (block.resource.mime_type, base64.b64decode(block.resource.blob)) == (media_type, PICTURE)
    else:
        assert isinstance(block, (ImageContent, AudioContent))
        assert base64.b64decode(block.data) == PICTURE
        assert block.mime_type == ("image/png" if kind is ImageContent else media_type)


async def test_each_door_has_its_own_limit_for_bytes(
    server: Capstan, http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    larger = reply(body=b"x" * 2000, content_type="image/png")
    upstream.then(larger, larger, chunked(b"x" * 1000, b"x" * 1000, content_type="image/png"))
    assert len((await http.get("/picture")).content) == 2000
    async with Client(server.mcp) as session:
        announced, streamed = [await session.call_tool("read-picture", {}) for _ in range(2)]
    for result in (announced, streamed):
        assert result.is_error
        assert isinstance(result.content[0], TextContent)
        assert '"answer-too-large"' in result.content[0].text


async def test_bytes_beyond_the_limit_break_off_where_the_answer_has_begun(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=b"x" * (101 * 1024), content_type="image/png"))
    announced = await http.get("/picture")
    assert (announced.status_code, announced.json()["code"]) == (502, "answer-too-large")
    upstream.then(chunked(*[b"x" * 10240] * 11, content_type="image/png", pause=0.01))
    with pytest.raises(httpx2.RemoteProtocolError):
        await http.get("/picture")
