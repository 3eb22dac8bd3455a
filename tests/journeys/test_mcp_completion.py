"""What is offered while an argument is typed, over real sockets, with the official client in both eras."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, PromptReference, ResourceTemplateReference

from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: orders
      path: /orders
      operations:
      - {name: list-orders, method: GET, inputParameters: [{name: q, in: query, type: string}]}
      - name: list-lines
        method: GET
        path: /{order-id}/lines
        inputParameters: [{name: order-id, in: path, type: integer}]
      - name: read-state
        method: GET
        path: /states/{state}/{level}
        inputParameters:
        - {name: state, in: path, type: string, enum: [open, closed, reopened]}
        - {name: level, in: path, type: integer, enum: [1, 2, 12]}
      - {name: read-line, method: GET, path: '/{order-id}/lines/{line}'}
  exposes:
  - type: mcp
    namespace: typed
    port: 9090
    resources:
    - {name: state, uri: 'data://states/{state}/{level}', call: shop.read-state}
    - name: line
      uri: data://orders/{order-id}/lines/{line}
      call: shop.read-line
      complete:
        order_id: {call: shop.list-orders, with: {q: '{order-id}'}, values: '$.orders[*].id'}
        line: {call: shop.list-lines, with: {order-id: '{order-id}'}, values: $}
    - {name: note, uri: 'data://notes/{topic}', text: 'Of {topic}.', complete: {topic: [returns, refunds]}}
    prompts:
    - name: refund
      arguments:
      - {name: reason, enum: [Broken, late, not wanted]}
      - {name: lang, required: false, complete: [sv, en, de]}
      - name: order
        required: false
        complete: {call: shop.list-orders, with: {q: mcp.order}, values: '$.orders[*].id'}
      - {name: free, required: false}
      template: [{role: user, content: '{{reason}} {{lang}} {{order}} {{free}}'}]
    - name: look
      arguments: [{name: state}, {name: level}]
      messages: [{role: user, call: shop.read-state, with: {state: mcp.state, level: mcp.level}}]
    - name: one
      arguments: [{name: id, complete: {call: shop.list-orders, values: $.id}}]
      template: [{role: user, content: '{{id}}'}]
    - {name: many, arguments: [{name: number, complete: {call: shop.list-orders, values: '$.orders[*].id'}}],
       template: [{role: user, content: '{{number}}'}]}
  - {type: mcp, namespace: untyped, port: 9090, prompts: [{name: plain, arguments: [{name: a}],
     template: [{role: user, content: '{{a}}'}]}]}
"""
REFUND, LOOK = PromptReference(name="refund"), PromptReference(name="look")
STATE = ResourceTemplateReference(uri="data://states/{state}/{level}")
LINE = ResourceTemplateReference(uri="data://orders/{order_id}/lines/{line}")
NOTE = ResourceTemplateReference(uri="data://notes/{topic}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("typed") / "a.yaml"
    path.write_text(FILE)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(file: Path, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    async with serving(file, "--base-uri", f"shop={upstream.url}", ports=(9090,)) as running:
        yield running


ERAS: list[Any] = ["auto", "legacy"]


async def _offered(server: Capstan, ref: Any, name: str, typed: str, era: Any = "auto", **before: str) -> list[str]:
    async with Client(server.mcp, mode=era) as client:
        completion = (await client.complete(ref, {"name": name, "value": typed}, context_arguments=before)).completion
    assert completion.total == len(completion.values)
    assert completion.has_more is False
    return completion.values


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("ref", "name", "typed", "values"),
    [
        pytest.param(REFUND, "reason", "", ["Broken", "late", "not wanted"], id="an enum of an argument"),
        pytest.param(REFUND, "reason", "b", ["Broken"], id="in any case"),
        pytest.param(REFUND, "reason", "t", ["late", "not wanted"], id="that hold it"),
        pytest.param(REFUND, "reason", "x", [], id="none"),
        pytest.param(REFUND, "lang", "e", ["en", "de"], id="that begin with it first"),
        pytest.param(REFUND, "free", "", [], id="an argument nobody knows"),
        pytest.param(LOOK, "state", "o", ["open", "closed", "reopened"], id="an enum of what an argument fills"),
        pytest.param(STATE, "state", "open", ["open", "reopened"], id="an enum of what a variable fills"),
        pytest.param(STATE, "level", "2", ["2", "12"], id="numbers"),
        pytest.param(NOTE, "topic", "ref", ["refunds"], id="values of a variable"),
    ],
)
async def test_what_the_file_knows_is_offered(
    ref: Any, name: str, typed: str, values: list[str], era: Any, server: Capstan, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    assert await _offered(server, ref, name, typed, era) == values
    assert len(upstream.requests) == before


@pytest.mark.parametrize("era", ERAS)
async def test_what_an_api_knows_is_looked_up(era: Any, server: Capstan, upstream: RecordingUpstream) -> None:
    orders = reply(data={"orders": [{"id": "A7"}, {"id": 7}, {"id": None}, {"id": "b"}, {"id": {}}, {"id": 7}, {}]})
    upstream.then(orders)
    assert await _offered(server, REFUND, "order", "7", era) == ["7", "A7"]
    assert upstream.last.target == "/orders?q=7"
    upstream.then(orders)
    assert await _offered(server, REFUND, "order", "", era) == ["A7", "7", "b"]
    assert upstream.last.target == "/orders"  # what is not typed yet is not asked for
    upstream.then(orders)
    assert await _offered(server, LINE, "order_id", "b", era) == ["b"]


async def test_what_was_typed_before_goes_along(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data=[1, 2, 12]))
    assert await _offered(server, LINE, "line", "2", order_id="5", other="x") == ["2", "12"]
    assert upstream.last.target == "/orders/5/lines"


async def test_where_there_is_nothing_yet_to_ask_for_nothing_is_offered(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    assert await _offered(server, LINE, "line", "2") == []  # of which order?
    assert await _offered(server, LINE, "line", "2", order_id="no number") == []
    assert len(upstream.requests) == before
    upstream.then(reply(data={"orders": None}))
    assert await _offered(server, REFUND, "order", "7") == []


async def test_one_value_is_one_to_offer(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"id": 7}), reply(data={"id": {}}))
    assert await _offered(server, PromptReference(name="one"), "id", "") == ["7"]
    assert await _offered(server, PromptReference(name="one"), "id", "") == []


async def test_a_hundred_values_are_offered_at_most(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"orders": [{"id": number} for number in range(1000)]}))
    async with Client(server.mcp) as client:
        ref = PromptReference(name="many")
        completion = (await client.complete(ref, {"name": "number", "value": "9"})).completion
    # Those that begin with 9 come first: 9, 90 to 99, 900 to 999.
    assert completion.values == [str(number) for number in (9, *range(90, 100), *range(900, 989))]
    assert completion.total == sum("9" in str(number) for number in range(1000))
    assert completion.has_more is True


@pytest.mark.parametrize(
    ("ref", "name", "words"),
    [
        pytest.param(PromptReference(name="none"), "a", "there is no prompt 'none'", id="no prompt"),
        pytest.param(REFUND, "none", "the prompt takes no argument 'none'", id="no argument"),
        pytest.param(ResourceTemplateReference(uri="data://none/{a}"), "a", "no resource template", id="no template"),
        pytest.param(LINE, "none", "the uri has no variable 'none'", id="no variable"),
    ],
)
async def test_what_is_not_there_is_refused(ref: Any, name: str, words: str, server: Capstan) -> None:
    async with Client(server.mcp) as client:
        with pytest.raises(MCPError, match=words) as caught:
            await client.complete(ref, {"name": name, "value": ""})
    assert caught.value.error.code == INVALID_PARAMS


async def test_a_look_up_that_fails_says_why(server: Capstan, upstream: RecordingUpstream) -> None:
    async with Client(server.mcp) as client:
        upstream.then(reply(500, data={"why": "broken"}))
        with pytest.raises(MCPError) as caught:
            await client.complete(REFUND, {"name": "order", "value": "7"})
        assert caught.value.error.code == INTERNAL_ERROR
        assert caught.value.error.data["code"] == "upstream-failed"
        upstream.then(reply(data={"orders": [1]}))
        assert (await client.complete(REFUND, {"name": "order", "value": ""})).completion.values == []


@pytest.mark.parametrize("era", ERAS)
async def test_an_endpoint_that_has_nothing_to_offer_does_not_say_that_it_has(era: Any, server: Capstan) -> None:
    async with Client(server.mcp, mode=era) as client:
        assert client.server_capabilities.completions is not None
    async with Client(server.mcp.replace("/mcp", "/untyped/mcp"), mode=era) as client:
        assert client.server_capabilities.completions is None
        with pytest.raises(MCPError) as caught:
            await client.complete(PromptReference(name="plain"), {"name": "a", "value": ""})
        assert caught.value.error.code == METHOD_NOT_FOUND


async def test_an_argument_that_is_none_of_its_values_is_refused(server: Capstan) -> None:
    async with Client(server.mcp) as client:
        await client.get_prompt("refund", {"reason": "late"})
        with pytest.raises(MCPError, match="'reason' is not one of Broken, late, not wanted") as caught:
            await client.get_prompt("refund", {"reason": "Late"})
        assert caught.value.error.data["code"] == "bad-argument"


async def test_values_are_offered_over_standard_input_and_output_too(file: Path, upstream: RecordingUpstream) -> None:
    arguments = ["-m", "capstan", "serve", str(file), "--stdio", "--base-uri", f"shop={upstream.url}"]
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=arguments))) as client:
        assert (await client.complete(NOTE, {"name": "topic", "value": "ret"})).completion.values == ["returns"]
