"""What tools take, over real sockets, with the official client in both eras: raw schemas, headers, errors that help."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import yaml
from mcp.client.client import Client
from mcp_types import HEADER_MISMATCH, CallToolResult, TextContent

from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAW = """\
$schema: https://json-schema.org/draft/2020-12/schema
type: object
$defs:
  address:
    $anchor: addressDef
    type: object
    properties: {street: {type: string}, city: {type: string}}
    required: [city]
properties:
  name: {type: string, pattern: '^[A-Z]', examples: [Ada]}
  address: {$ref: '#/$defs/address'}
  contactMethod: {enum: [phone, email], default: email}
  phone: {type: string}
  email: {type: string, format: email}
required: [name]
allOf: [{anyOf: [{required: [phone]}, {required: [email]}]}]
if: {properties: {contactMethod: {const: phone}}, required: [contactMethod]}
then: {required: [phone]}
else: {required: [email]}
additionalProperties: false
"""
FILE = """\
naftiko: 1.0.0-alpha2
types:
  line:
    type: object
    description: One line.
    properties:
      sku: {type: string, pattern: '^[A-Z]+$', maxLength: 9, description: What it is., example: TEA}
      count: {type: integer, minimum: 1, default: 1}
      kind: {type: string, enum: [goods, fee]}
    required: [sku]
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: people
      path: /people/{id}
      operations:
      - name: change
        method: PUT
        body: {type: json, data: {name: '{{name}}', where: '{{where}}', by: '{{by}}'}}
        inputParameters: [{name: id, in: path, type: string}, {name: name, in: body, type: string}]
      - {name: read, method: GET, inputParameters: [{name: id, in: path, type: string}]}
  exposes:
  - type: mcp
    namespace: my-mcp
    port: 9090
    tools:
    - name: change_person.v2
      title: Change a person
      description: Change what is known of a person.
      call: shop.change
      with: {id: 'p-{{phone}}', name: tools.name, where: tools.address, by: tools.contactMethod}
      inputSchema:
        RAW
    - name: in_region
      description: Read in a region.
      inputParameters:
      - {name: id, type: string, description: Whom., x-mcp-header: Person}
      - {name: region.name, type: string, description: Where., required: false, x-mcp-header: Region}
      call: shop.read
      with: {id: '{{id}}'}
    - name: order
      title: Order
      description: Order lines.
      hints: {readOnly: false, destructive: true, idempotent: true, openWorld: true}
      inputParameters:
      - {name: lines, type: array, minItems: 1, items: {$ref: '#/types/line'}, description: What.}
      - {name: due, type: string, format: date, required: false, description: When.}
      - {name: count, type: integer, minimum: 3, maximum: 9, description: How many.}
      - {name: code, type: string, pattern: '^[A-Z]{3}$', required: false, description: Code.}
      outputParameters:
      - {name: taken, type: boolean, value: true}
      - {name: lines, type: array, items: {type: object, properties: {sku: {type: string, value: TEA}}}}
""".replace("RAW\n", RAW.replace("\n", "\n        ").rstrip(" "))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        running.always = reply(data={"ok": True})
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    path = tmp_path_factory.mktemp("inputs") / "a.yaml"
    path.write_text(FILE)
    async with serving(path, "--base-uri", f"shop={upstream.url}", ports=(9090,)) as running:
        yield running


class Caller:
    """Who calls tools, each call with a client of its own, in one era of the protocol."""

    def __init__(self, url: str, era: Any) -> None:
        self.url, self.era = url, era

    async def tools(self) -> dict[str, Any]:
        async with Client(self.url, mode=self.era) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    async def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        async with Client(self.url, mode=self.era) as client:
            await client.list_tools()
            return await client.call_tool(name, arguments)

    async def problem(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        result = await self.call(name, **arguments)
        assert result.is_error, result
        (content,) = result.content
        assert isinstance(content, TextContent)
        told: dict[str, Any] = json.loads(content.text)
        return told


@pytest.fixture(params=["auto", "legacy"])
def caller(request: pytest.FixtureRequest, server: Capstan) -> Caller:
    return Caller(server.mcp, request.param)


async def test_a_raw_schema_is_told_as_it_is_written(caller: Caller) -> None:
    tool = (await caller.tools())["change_person.v2"]
    assert tool.input_schema == yaml.safe_load(RAW)
    assert tool.title == "Change a person"


async def test_the_properties_of_a_raw_schema_are_inputs_and_its_defaults_stand_in(
    caller: Caller, upstream: RecordingUpstream
) -> None:
    address = {"city": "Lund"}
    result = await caller.call("change_person.v2", name="Ada", phone="1", email="a@b.example", address=address)
    assert not result.is_error
    assert upstream.last.target == "/people/p-1"
    assert upstream.last.json == {"name": "Ada", "where": {"city": "Lund"}, "by": "email"}


@pytest.mark.parametrize(("arguments", "argument", "example"), [
    pytest.param({"name": "ada", "email": "a@b"}, "name", "Ada", id="a pattern"),
    pytest.param({"email": "a@b"}, "name", "Ada", id="what is missing"),
    pytest.param({"name": "Ada"}, "email", "ada@shop.example", id="one of two that are missing"),
    pytest.param({"name": "Ada", "contactMethod": "phone", "email": "a@b"}, "phone", "text", id="an if"),
    pytest.param({"name": "Ada", "email": "a@b", "address": {}}, "address", {"city": "text"}, id="a definition"),
])  # fmt: skip
async def test_arguments_are_held_against_a_raw_schema(
    caller: Caller, upstream: RecordingUpstream, arguments: dict[str, Any], argument: str, example: Any
) -> None:
    before = len(upstream.requests)
    told = await caller.problem("change_person.v2", **arguments)
    assert argument in [error["argument"] for error in told["errors"]]
    found = next(error for error in told["errors"] if error["argument"] == argument)
    assert found["example"] == example
    assert found["message"]
    assert len(upstream.requests) == before


async def test_an_argument_that_a_raw_schema_does_not_know_is_refused(caller: Caller) -> None:
    told = await caller.problem("change_person.v2", name="Ada", email="a@b", nme="x")
    assert (told["code"], told["argument"], "example" in told) == ("unknown-argument", "nme", False)


async def test_an_error_names_the_argument_the_problem_and_a_right_value(caller: Caller) -> None:
    told = await caller.problem("order", lines=[{"sku": "tea"}], due="2026-01-01", count=2, code="abc", more=1)
    errors = {error["argument"]: error for error in told["errors"]}
    assert errors["lines"]["message"].startswith("'lines/0/sku': 'tea' does not match")
    assert errors["lines"]["example"] == [{"sku": "TEA"}]
    assert (errors["count"]["message"], errors["count"]["example"]) == ("'count': 2 is less than 3", 3)
    assert "example" not in errors["code"]
    assert errors["more"]["code"] == "unknown-argument"
    first = told["errors"][0]
    assert (told["argument"], told.get("example")) == (first["argument"], first.get("example"))


async def test_a_tool_has_title_annotations_and_its_whole_schemas(caller: Caller) -> None:
    tool = (await caller.tools())["order"]
    line = {
        "type": "object", "description": "One line.", "required": ["sku"],
        "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 9, "description": "What it is.",
                    "examples": ["TEA"]},
            "count": {"type": "integer", "minimum": 1, "default": 1},
            "kind": {"type": "string", "enum": ["goods", "fee"]},
        },
    }  # fmt: skip
    assert tool.title == "Order"
    assert tool.annotations.model_dump(exclude_none=True) == {
        "read_only_hint": False, "destructive_hint": True, "idempotent_hint": True, "open_world_hint": True,
    }  # fmt: skip
    assert tool.input_schema["properties"]["lines"] == {
        "type": "array", "description": "What.", "minItems": 1, "items": line,
    }  # fmt: skip
    assert tool.input_schema["required"] == ["lines", "count"]
    assert tool.output_schema["properties"]["lines"]["items"]["properties"] == {"sku": {"type": ["string", "null"]}}


async def test_structured_content_stands_beside_the_same_as_text(caller: Caller) -> None:
    result = await caller.call("order", lines=[{"sku": "TEA"}], count=3)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert result.structured_content == json.loads(content.text) == {"taken": True, "lines": [{"sku": "TEA"}]}


async def test_a_header_is_said_at_its_property_and_sent_by_the_client(
    caller: Caller, upstream: RecordingUpstream
) -> None:
    properties = (await caller.tools())["in_region"].input_schema["properties"]
    assert {name: said["x-mcp-header"] for name, said in properties.items()} == {
        "id": "Person",
        "region.name": "Region",
    }
    result = await caller.call("in_region", **{"id": "p 1", "region.name": "EU"})
    assert not result.is_error
    assert upstream.last.target == "/people/p%201"


@pytest.mark.parametrize(("headers", "status"), [
    pytest.param({"Mcp-Param-Person": "p1"}, 200, id="as it is"),
    pytest.param({"Mcp-Param-Person": "p2"}, 400, id="another value"),
    pytest.param({}, 400, id="none"),
    pytest.param({"Mcp-Param-Person": "p1", "Mcp-Param-Region": "EU"}, 400, id="one that no argument has"),
])  # fmt: skip
async def test_a_header_says_what_the_argument_says(server: Capstan, headers: dict[str, str], status: int) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": "in_region", "arguments": {"id": "p1"}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    sent = {
        "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call", "Mcp-Name": "in_region", **headers,
    }  # fmt: skip
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(server.mcp, json=body, headers=sent)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()["error"]["code"] == HEADER_MISMATCH
