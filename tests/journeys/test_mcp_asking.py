"""Calls that ask their user, tell and report while they run: the official client in both eras, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitResult, TextContent

from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILE = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, description: A shop for the tests.}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:1
    resources:
    - name: order
      path: /orders/{id}
      operations:
      - {name: get-order, method: GET}
    - name: refunds
      path: /orders/{id}/refunds
      operations:
      - name: refund
        method: POST
        effect: money
        inputParameters:
        - {name: amount, in: body, type: integer}
        - {name: reason, in: body, type: string}
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
    - name: read
      description: Reads an order.
      call: shop.get-order
      with: {id: tools.id}
    - name: refund
      description: Refunds an order.
      inputParameters:
      - {name: id, type: string, description: The order.}
      steps:
      - {name: order, call: shop.get-order, with: {id: tools.id}}
      - name: confirm
        ask: Refund {{order.amount}} EUR of the order {{id}}?
        schema:
          properties:
            reason: {type: string, enum: [damaged, late]}
          required: [reason]
      - {name: sent, call: shop.refund, with: {id: tools.id, amount: $.order.amount, reason: $.confirm.reason}}
"""
ERAS = ["auto", "legacy"]
TWICE = """\
    - name: pay
      description: Pays an order.
      inputParameters:
      - {name: id, type: string, description: The order.}
      inputs:
      - {name: confirm, message: 'Pay {{id}}?'}
      call: shop.refund
      with: {id: tools.id, amount: 1}
"""
Asked = list[ElicitRequestFormParams]
Answers = Callable[[ElicitRequestFormParams], ElicitResult]


@pytest_asyncio.fixture(loop_scope="module")
async def upstream(shared: RecordingUpstream) -> RecordingUpstream:
    shared.requests.clear()
    shared.always = answer
    return shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, shared: RecordingUpstream) -> AsyncIterator[Capstan]:
    path = tmp_path_factory.mktemp("asking") / "shop.yaml"
    path.write_text(FILE + TWICE)
    async with serving(path, "--base-uri", f"shop={shared.url}", ports=(9090,)) as running:
        yield running


def answer(request: Any) -> Any:
    return reply(data={"amount": 25}) if request.method == "GET" else reply(201, data={"refund": "r-1"})


def accept(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


@asynccontextmanager
async def client(server: Capstan, mode: Any, *answers: ElicitResult) -> AsyncIterator[tuple[Client, Asked]]:
    """A client whose user gives these answers, and what was asked so far."""
    asked: Asked = []
    left = list(answers)

    async def ask(_: Any, params: Any) -> ElicitResult:
        asked.append(params)
        return left.pop(0)

    async with asyncio.timeout(20), Client(server.mcp, mode=mode, elicitation_callback=ask) as running:
        yield running, asked


def data_of(result: CallToolResult) -> Any:
    (block, *_) = result.content
    assert isinstance(block, TextContent)
    return json.loads(block.text)


def sent(upstream: RecordingUpstream) -> list[str]:
    return [f"{request.method} {request.target}" for request in upstream.requests]


def problem(result: CallToolResult, code: str) -> Any:
    assert result.is_error
    told = data_of(result)
    assert told["code"] == code, told
    return told


# --- a question


@pytest.mark.parametrize("mode", ERAS)
async def test_a_call_asks_before_it_sends(mode: Any, server: Capstan, upstream: RecordingUpstream) -> None:
    async with client(server, mode, accept(reason="late")) as (session, asked):
        result = await session.call_tool("refund", {"id": "7"})
    assert not result.is_error, result
    assert data_of(result) == {"refund": "r-1"}
    (question,) = asked
    assert question.message == "Refund 25 EUR of the order 7?"
    assert question.requested_schema["properties"] == {"reason": {"type": "string", "enum": ["damaged", "late"]}}
    assert sent(upstream)[-1] == "POST /orders/7/refunds"
    assert upstream.last.json == {"amount": 25, "reason": "late"}
    assert sent(upstream).count("POST /orders/7/refunds") == 1


@pytest.mark.parametrize("action", ["decline", "cancel"])
@pytest.mark.parametrize("mode", ERAS)
async def test_a_user_who_does_not_agree_ends_the_call(
    mode: Any, action: Any, server: Capstan, upstream: RecordingUpstream
) -> None:
    async with client(server, mode, ElicitResult(action=action)) as (session, _):
        told = problem(await session.call_tool("refund", {"id": "7"}), "declined")
    assert told["outcome"] == "not-sent"
    assert told["steps"] == {"order": "done", "confirm": "failed", "sent": "not-reached"}
    assert "POST /orders/7/refunds" not in sent(upstream)


async def test_an_answer_that_does_not_fit_is_asked_for_again(server: Capstan, upstream: RecordingUpstream) -> None:
    async with client(server, "auto", accept(reason="bored"), accept(), accept(reason="damaged")) as (session, asked):
        result = await session.call_tool("refund", {"id": "7"})
    assert not result.is_error
    assert len(asked) == 3
    assert upstream.last.json == {"amount": 25, "reason": "damaged"}


async def test_in_a_session_an_answer_that_does_not_fit_is_an_error(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    async with client(server, "legacy", accept(reason="bored")) as (session, _):
        told = problem(await session.call_tool("refund", {"id": "7"}), "bad-answer")
    assert "reason" in told["detail"]
    assert sent(upstream) == ["GET /orders/7"]


async def test_a_question_that_changed_meanwhile_is_asked_again(server: Capstan, upstream: RecordingUpstream) -> None:
    amounts = iter([25, 30, 30])

    def changing(request: Any) -> Any:
        return reply(data={"amount": next(amounts)}) if request.method == "GET" else answer(request)

    upstream.always = changing
    async with client(server, "auto", accept(reason="late"), accept(reason="damaged")) as (session, asked):
        result = await session.call_tool("refund", {"id": "7"})
    assert not result.is_error
    assert [question.message[:13] for question in asked] == ["Refund 25 EUR", "Refund 30 EUR"]
    assert upstream.last.json == {"amount": 30, "reason": "damaged"}


# --- a client that takes no questions


async def test_a_client_without_elicitation_is_told_what_it_lacks(server: Capstan, upstream: RecordingUpstream) -> None:
    async with Client(server.mcp, mode="auto") as session:
        with pytest.raises(MCPError) as caught:
            await session.call_tool("refund", {"id": "7"})
    assert caught.value.error.code == -32021
    assert caught.value.error.data == {"requiredCapabilities": {"elicitation": {}}}
    assert "POST /orders/7/refunds" not in sent(upstream)


async def test_in_a_session_a_client_without_elicitation_gets_an_error_result(server: Capstan) -> None:
    async with Client(server.mcp, mode="legacy") as session:
        problem(await session.call_tool("refund", {"id": "7"}), "cannot-ask")


# --- the state of a call that waits

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
}


def body(name: str, arguments: dict[str, Any], meta: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    told = {"name": name, "arguments": arguments, "_meta": META | (meta or {}), **params}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": told}


async def post(url: str, name: str, arguments: dict[str, Any], **params: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=15) as http:
        return await http.post(url, json=body(name, arguments, **params), headers=HEADERS | {"mcp-name": name})


GIVEN = {"confirm": {"action": "accept", "content": {"reason": "late"}}}


async def asked_state(server: Capstan, arguments: dict[str, Any]) -> str:
    result = (await post(server.mcp, "refund", arguments)).json()["result"]
    assert result["resultType"] == "input_required"
    assert "confirm" not in result["requestState"]
    state: str = result["requestState"]
    return state


async def test_a_state_is_good_once(server: Capstan, upstream: RecordingUpstream) -> None:
    state = await asked_state(server, {"id": "7"})
    first = await post(server.mcp, "refund", {"id": "7"}, requestState=state, inputResponses=GIVEN)
    assert first.json()["result"]["structuredContent"] == {"refund": "r-1"}
    again = await post(server.mcp, "refund", {"id": "7"}, requestState=state, inputResponses=GIVEN)
    assert again.json()["error"]["code"] == -32602
    assert again.json()["error"]["data"] == {"reason": "invalid_request_state"}
    assert sent(upstream).count("POST /orders/7/refunds") == 1


@pytest.mark.parametrize("change", ["tampered", "another order", "another tool", "no state", "made up"])
async def test_a_state_serves_the_call_it_was_made_for(
    change: str, server: Capstan, upstream: RecordingUpstream
) -> None:
    state = await asked_state(server, {"id": "7"})
    name, order = ("pay" if change == "another tool" else "refund"), ("8" if change == "another order" else "7")
    params: dict[str, Any] = {"requestState": state, "inputResponses": GIVEN}
    if change == "tampered":
        params["requestState"] = state[:-3] + ("AAA" if state[-3:] != "AAA" else "BBB")
    if change == "made up":
        params["requestState"] = json.dumps({"number": "1", "asked": {}, "answers": {"confirm": ["", {}]}})
    if change == "no state":
        del params["requestState"]
    found = (await post(server.mcp, name, {"id": order}, **params)).json()
    if change == "no state":
        assert found["result"]["resultType"] == "input_required"  # nothing was asked yet
    else:
        assert found["error"]["code"] == -32602
    assert not any(line.startswith("POST") for line in sent(upstream))


async def test_replicas_of_one_key_take_each_others_states(tmp_path: Path, upstream: RecordingUpstream) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(FILE + TWICE)
    options = ("--base-uri", f"shop={upstream.url}")
    env = {"CAPSTAN_STATE_KEY": "a-secret-that-all-replicas-know-of"}
    async with (
        serving(path, *options, env=env, ports=(9090,)) as one,
        serving(path, *options, env=env, ports=(9090,)) as two,
        serving(path, *options, ports=(9090,)) as stranger,
    ):
        state = await asked_state(one, {"id": "7"})
        params = {"requestState": state, "inputResponses": GIVEN}
        assert "error" in (await post(stranger.mcp, "refund", {"id": "7"}, **params)).json()
        assert "result" in (await post(two.mcp, "refund", {"id": "7"}, **params)).json()
        assert env["CAPSTAN_STATE_KEY"] not in one.talk


async def test_workers_without_a_key_share_one(tmp_path: Path, upstream: RecordingUpstream) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(FILE + TWICE)
    async with serving(path, "--base-uri", f"shop={upstream.url}", "--workers", "2", ports=(9090,)) as workers:
        for _ in range(8):  # connections are shared out between the two
            state = await asked_state(workers, {"id": "7"})
            found = await post(workers.mcp, "refund", {"id": "7"}, requestState=state, inputResponses=GIVEN)
            assert found.json()["result"]["structuredContent"] == {"refund": "r-1"}
