"""Calls that ask their user, tell and report while they run: the official client in both eras, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitResult, TextContent

from journeys.running import Capstan, serving
from support import HANG, RecordingUpstream, reply

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
    - name: plain
      description: Refunds without asking.
      call: shop.refund
      with: {id: tools.id, amount: 1}
    - name: both
      description: Refunds twice and says so.
      inputParameters:
      - {name: id, type: string, description: The order.}
      steps:
      - {name: order, call: shop.get-order, with: {id: tools.id}}
      - {name: loud, log: 'The order {{id}} has {{order.amount}}', level: warning}
      - {name: quiet, log: Nothing to see, level: debug}
      - {name: first, call: shop.refund, with: {id: tools.id, amount: 1}}
      - {name: second, call: shop.refund, with: {id: tools.id, amount: 2}}
    - name: steps
      description: Reads twice.
      inputParameters:
      - {name: id, type: string, description: The order.}
      steps:
      - {name: one, call: shop.get-order, with: {id: tools.id}}
      - {name: two, call: shop.get-order, with: {id: '{{id}}-{{one.amount}}'}}
    - name: greet
      description: Greets a person.
      inputs:
      - {name: who, message: What is your name, schema: {properties: {name: {type: string}}, required: [name]}}
      content: [{type: text, text: 'Hello, {{who.name}}!'}]
    - name: greet-again
      description: Greets a person by another name.
      inputParameters: [{name: id, type: string, description: The order.}]
      inputs:
      - {name: who, message: 'Who ordered {{id}}?', schema: {properties: {name: {type: string}}, required: [name]}}
      content: [{type: text, text: 'Hello, {{who.name}}!'}]
    - name: pay
      description: Pays an order.
      inputParameters:
      - {name: id, type: string, description: The order.}
      inputs:
      - {name: confirm, message: 'Pay {{id}}?'}
      call: shop.refund
      with: {id: tools.id, amount: 1}
    prompts:
    - name: refund
      description: Has an order refunded.
      arguments: [{name: order, description: The order., required: true}]
      inputs:
      - {name: why, message: 'Why is {{order}} refunded?', schema: {properties: {reason: {type: string},
         days: {type: integer}, note: {type: string}}, required: [reason, days]}}
      messages:
      - {role: user, content: 'Refund {{order}}, for {{why.reason}}, within {{why.days}} days.{{why.note}}'}
      - {role: assistant, call: shop.get-order, with: {id: '{{order}}-{{why.days}}'}}
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


@pytest.mark.parametrize("mode", ERAS)
async def test_a_prompt_asks_before_it_answers(mode: Any, server: Capstan, upstream: RecordingUpstream) -> None:
    async with client(server, mode, accept(reason="rain", days=3), ElicitResult(action="decline")) as (session, asked):
        found = await session.get_prompt("refund", {"order": "7"})
        with pytest.raises(MCPError) as caught:
            await session.get_prompt("refund", {"order": "7"})
    assert [question.message for question in asked] == ["Why is 7 refunded?"] * 2
    texts = [message.content.text for message in found.messages if isinstance(message.content, TextContent)]
    assert texts == ["Refund 7, for rain, within 3 days.", '{"amount": 25}']
    assert sent(upstream) == ["GET /orders/7-3"]
    assert caught.value.error.data["code"] == "declined"


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


@pytest.mark.parametrize(
    ("name", "arguments", "given", "taken"),
    [
        pytest.param("greet", {}, {"name": "Ada"}, True, id="words of the file, nothing is changed"),
        pytest.param("greet", {}, {"name": 1}, False, id="an answer that does not fit"),
        pytest.param("greet-again", {"id": "7"}, {"name": "Ada"}, False, id="words of this call"),
        pytest.param("pay", {"id": "7"}, {}, False, id="something is changed"),
    ],
)
async def test_an_answer_without_a_state_is_taken_where_it_cannot_be_one_to_something_else(
    name: str, arguments: dict[str, Any], given: dict[str, Any], *, taken: bool, server: Capstan,
    upstream: RecordingUpstream,
) -> None:  # fmt: skip
    answer = {"action": "accept", "content": given}
    responses = {"who": answer, "confirm": answer, "nobody-asked": answer}
    result = (await post(server.mcp, name, arguments, inputResponses=responses)).json()["result"]
    assert result["resultType"] == ("complete" if taken else "input_required")
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


# --- what is told before the answer


async def streamed(
    server: Capstan, name: str, meta: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> tuple[str, list[Any]]:
    """The media type of an answer of 2026-07-28, and its messages."""
    async with httpx2.AsyncClient(timeout=15) as http:
        told = body(name, {"id": "7"}, meta)
        found = await http.post(server.mcp, json=told, headers=HEADERS | {"mcp-name": name} | (headers or {}))
    media_type = found.headers["content-type"].partition(";")[0]
    if media_type == "application/json":
        return media_type, [found.json()]
    return media_type, [json.loads(line[6:]) for line in found.text.splitlines() if line.startswith("data: ")]


async def test_a_call_that_names_a_level_is_told_what_is_logged(server: Capstan) -> None:
    media_type, messages = await streamed(server, "both", {"io.modelcontextprotocol/logLevel": "info"})
    assert media_type == "text/event-stream"
    assert [m["params"] for m in messages[:-1]] == [
        {"level": "warning", "data": "The order 7 has 25", "logger": "capstan"}
    ]
    assert messages[-1]["result"]["structuredContent"] == {"refund": "r-1"}
    _, messages = await streamed(server, "both", {"io.modelcontextprotocol/logLevel": "debug"})
    assert sorted(m["params"]["level"] for m in messages[:-1]) == ["debug", "warning"]


async def test_nothing_is_said_before_an_answer_unless_it_is_asked_for(server: Capstan) -> None:
    for name in ("both", "steps", "read"):
        media_type, messages = await streamed(server, name)
        assert (media_type, len(messages)) == ("application/json", 1), name
    media_type, messages = await streamed(server, "steps", {"progressToken": 1}, {"accept": "application/json"})
    assert (media_type, len(messages)) == ("application/json", 1)


async def test_each_step_that_is_done_is_reported(server: Capstan) -> None:
    media_type, messages = await streamed(server, "steps", {"progressToken": "p"})
    assert media_type == "text/event-stream"
    assert [m["params"] for m in messages[:-1]] == [
        {"progressToken": "p", "progress": 1, "total": 2, "message": "one"},
        {"progressToken": "p", "progress": 2, "total": 2, "message": "two"},
    ]


@pytest.mark.parametrize("mode", ERAS)
async def test_the_official_client_hears_of_progress_and_log_lines(mode: Any, server: Capstan) -> None:
    heard: list[tuple[str, Any]] = []
    done: list[tuple[float, float | None, str | None]] = []

    async def hear(params: Any) -> None:
        heard.append((params.level, params.data))

    async def follow(progress: float, total: float | None, message: str | None) -> None:
        done.append((progress, total, message))

    async with asyncio.timeout(20), Client(server.mcp, mode=mode, logging_callback=hear) as session:
        if mode == "legacy":
            assert session.server_capabilities.logging is not None
            await listen(session, "debug")
        await session.call_tool(
            "both", {"id": "7"}, progress_callback=follow, meta={"io.modelcontextprotocol/logLevel": "debug"}
        )
    assert sorted(heard) == [("debug", "Nothing to see"), ("warning", "The order 7 has 25")]
    assert [progress for progress, _, _ in done] == [1, 2, 3, 4, 5]
    assert {step for _, _, step in done} == {"order", "loud", "quiet", "first", "second"}


async def listen(session: Client, level: Any) -> None:
    with pytest.warns(MCPDeprecationWarning):
        await session.session.set_logging_level(level)


async def test_a_session_hears_what_it_wants_to(server: Capstan) -> None:
    heard: list[str] = []

    async def hear(params: Any) -> None:
        heard.append(params.level)

    async with asyncio.timeout(20), Client(server.mcp, mode="legacy", logging_callback=hear) as session:
        await session.call_tool("both", {"id": "7"})
        assert heard == ["warning"]
        await listen(session, "error")
        await session.call_tool("both", {"id": "7"})
        assert heard == ["warning"]


async def test_plain_calls_of_a_session_are_answered_with_json_beside_one_that_is_not(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    """The session's own transport answers both ways at once."""
    gate = asyncio.Event()

    async def hold(request: Any) -> Any:
        await gate.wait()
        return answer(request)

    async with httpx2.AsyncClient(timeout=15) as http:
        headers = {"accept": "application/json, text/event-stream"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        first = await http.post(server.mcp, headers=headers, json=message(0, "initialize", hello))
        headers["mcp-session-id"] = first.headers["mcp-session-id"]
        headers["mcp-protocol-version"] = "2025-11-25"
        assert first.headers["content-type"] == "application/json"
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post(server.mcp, headers=headers, json=told)
        upstream.then(hold)
        slow = {"name": "steps", "arguments": {"id": "s"}, "_meta": {"progressToken": 1}}
        stream = asyncio.create_task(http.post(server.mcp, headers=headers, json=message(1, "tools/call", slow)))
        await upstream.wait_for(lambda running: bool(running.requests) and running.last.target == "/orders/s")
        plain = {"name": "read", "arguments": {"id": "7"}}
        quick = await http.post(server.mcp, headers=headers, json=message(2, "tools/call", plain))
        assert quick.headers["content-type"] == "application/json"
        assert quick.json()["result"]["structuredContent"] == {"amount": 25}
        gate.set()
        found = await stream
    assert found.headers["content-type"].startswith("text/event-stream")
    messages = [json.loads(line[6:]) for line in found.text.splitlines() if line.startswith("data: ")]
    assert [m.get("method", m.get("id")) for m in messages] == ["notifications/progress", "notifications/progress", 1]


def message(number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


# --- a client that goes away


@pytest.mark.parametrize("tool", ["read", "steps"])
@pytest.mark.parametrize("mode", ERAS)
async def test_a_read_is_broken_off_when_its_client_cancels(
    mode: Any, tool: str, server: Capstan, upstream: RecordingUpstream
) -> None:
    upstream.then(HANG)
    async with asyncio.timeout(20), Client(server.mcp, mode=mode) as session:
        call = asyncio.create_task(session.call_tool(tool, {"id": "gone"}))
        await upstream.wait_for(lambda running: bool(running.requests))
        held = upstream.open_connections
        call.cancel()
        await upstream.wait_for(lambda running: running.open_connections < held)
        await session.list_tools()  # what the server says of the call in a session has come
    assert sent(upstream) == ["GET /orders/gone"]


@pytest.mark.parametrize("tool", ["plain", "both"])
@pytest.mark.parametrize("mode", ERAS)
async def test_what_changes_something_is_finished_and_nothing_further_is_sent(
    mode: Any, tool: str, server: Capstan, upstream: RecordingUpstream
) -> None:
    gate = asyncio.Event()

    async def hold(request: Any) -> Any:
        await gate.wait()
        return answer(request)

    upstream.always = lambda request: hold(request) if request.method == "POST" else answer(request)
    before = len(server.err)
    async with asyncio.timeout(20), Client(server.mcp, mode=mode) as session:
        call = asyncio.create_task(session.call_tool(tool, {"id": "gone"}))
        await upstream.wait_for(lambda running: bool(running.requests) and running.last.method == "POST")
        held = upstream.open_connections
        call.cancel()
        await session.list_tools()  # the server has taken note of what came before
        assert upstream.open_connections == held
        gate.set()
        outcome = "201" if tool == "plain" else "499 client-gone partly"
        await server.said(f" mcp {tool} ", times=1 + sum(f" mcp {tool} " in line for line in server.err[:before]))
        await session.list_tools()  # as above
        (line,) = [line for line in server.err[before:] if f"mcp {tool}" in line]
    assert all(word in line for word in outcome.split()), line
    assert sum(target == "POST /orders/gone/refunds" for target in sent(upstream)) == 1


# --- standard input and output


@pytest.mark.parametrize("mode", ERAS)
async def test_over_stdio_a_call_asks_and_tells_too(mode: Any, tmp_path: Path, upstream: RecordingUpstream) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text((FILE + TWICE).replace("    port: 9090\n", "    transport: stdio\n"))
    command = ["-m", "capstan", "serve", str(path), "--base-uri", f"shop={upstream.url}"]
    parameters = StdioServerParameters(command=sys.executable, args=command, env={"PATH": os.environ["PATH"]})
    heard: list[str] = []

    async def ask(_: Any, params: Any) -> ElicitResult:
        return accept(reason="late")

    async def hear(params: Any) -> None:
        heard.append(params.data)

    async with (
        asyncio.timeout(40),
        Client(stdio_client(parameters), mode=mode, elicitation_callback=ask, logging_callback=hear) as session,
    ):
        assert data_of(await session.call_tool("refund", {"id": "7"})) == {"refund": "r-1"}
        await session.call_tool("both", {"id": "7"}, meta={"io.modelcontextprotocol/logLevel": "info"})
    assert heard == ["The order 7 has 25"]
