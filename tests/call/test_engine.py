from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capstan.call.engine import open_engine
from capstan.call.unit import Answer
from capstan.errors import CallError, ShapeError
from capstan.load import load
from capstan.plan.build import build_plan
from support import QUICK, body_of, capability_text, live, reply, wired, write_capability

OUTPUTS = [{"name": "id", "type": "string", "mapping": "$.id"}, {"name": "n", "type": "integer", "mapping": "$.a[0].n"}]
MAPPED = capability_text("POST", "/things", outputs=OUTPUTS)
WHOLE = capability_text("POST", "/things")
READ = capability_text("GET", "/things", outputs=OUTPUTS)


async def answered(tmp_path: Path, text: str, answer: Any) -> Answer:
    async with wired(tmp_path, text) as (upstream, unit):
        upstream.then(answer)
        return await unit.call({})


async def test_an_answer_is_shaped_as_declared(tmp_path: Path) -> None:
    answer = await answered(tmp_path, MAPPED, reply(201, data={"id": 7, "a": [{"n": "3"}], "more": 1}))
    assert (answer.status, answer.value, answer.response) == (201, {"id": "7", "n": 3}, None)


async def test_an_object_or_array_that_is_declared_as_text_is_its_json(tmp_path: Path) -> None:
    assert (await answered(tmp_path, MAPPED, reply(200, data={"id": [1, {"b": "c"}]}))).value["id"] == '[1,{"b":"c"}]'


async def test_what_an_answer_lacks_is_null(tmp_path: Path) -> None:
    assert (await answered(tmp_path, MAPPED, reply(200, data={"a": []}))).value == {"id": None, "n": None}


@pytest.mark.parametrize("text", [MAPPED, WHOLE], ids=["mapped", "whole"])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_an_empty_success_keeps_its_status_and_headers(tmp_path: Path, text: str, status: int) -> None:
    async with wired(tmp_path, text) as (upstream, unit):
        upstream.then(reply(status, headers={"Location": "/things/7", "Capture-Id": "c"}))
        answer = await unit.call({})
        assert answer.status == status
        assert dict(answer.headers) == {"Location": "/things/7", "Capture-Id": "c"}
        assert answer.empty or await body_of(answer) == b""


@pytest.mark.parametrize("content_type", ["application/pdf", "text/html", None])
async def test_an_answer_without_mapping_is_passed_on_as_it_is(tmp_path: Path, content_type: str | None) -> None:
    content = b"%PDF-1.7 \xff\x00\r\n" * 100
    async with wired(tmp_path, WHOLE) as (upstream, unit):
        upstream.then(reply(200, content, content_type=content_type))
        answer = await unit.call({})
        assert await body_of(answer) == content
        assert answer.response is not None
        assert answer.response.media_type == (content_type or "")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"%PDF-1.7 \xff\x00", id="a document"),
        pytest.param(b"<html>busy</html>", id="a page"),
        pytest.param(b'{"id": ', id="half of it"),
        pytest.param(b'{"id": NaN}', id="NaN"),
        pytest.param(b'{"id": -Infinity}', id="infinity"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"9" * 10_000, id="a number beyond all bounds"),
        pytest.param(b'{"id": "\xff"}', id="text that is not Unicode"),
        pytest.param(b'{"a": [{"n": [1]}]}', id="another type"),
        pytest.param(b'{"a": [{"n": "--5"}]}', id="nearly a number"),
        pytest.param(b'{"a": [{"n": "' + b"9" * 5000 + b'"}]}', id="too many digits"),
    ],
)
async def test_an_answer_that_cannot_be_shaped_was_still_a_success(tmp_path: Path, content: bytes) -> None:
    for text, repeatable in ((MAPPED, False), (READ, True)):
        with pytest.raises(ShapeError) as caught:
            await answered(tmp_path, text, reply(200, content))
        error = caught.value
        assert (error.code, error.outcome, error.retry_safe) == ("unexpected-answer", "done", repeatable)


async def test_half_of_a_surrogate_pair_becomes_a_replacement_mark(tmp_path: Path) -> None:
    answer = await answered(tmp_path, MAPPED, reply(200, rb'{"id": "a\ud800b \ud83d\ude00"}'))
    assert answer.value["id"] == "a?b \U0001f600"
    answer.value["id"].encode()


async def test_a_static_answer_needs_no_call(tmp_path: Path) -> None:
    text = """
naftiko: 1.0.0-alpha2
info: {label: A test, description: Nothing consumed.}
capability:
  exposes:
  - type: rest
    namespace: r
    port: 8080
    resources:
    - path: /hello/{name}
      operations:
      - method: GET
        name: hello
        inputParameters: [{name: name, in: path, type: string}]
        outputParameters: [{name: message, type: string, value: 'Hello, {{name}}!'}]
"""
    async with live(write_capability(tmp_path, text)) as units:
        answer = await units["hello"].call({"name": '"Ada"'})
    assert (answer.status, answer.value) == (200, {"message": 'Hello, "Ada"!'})


async def test_rest_and_mcp_share_the_connections_to_an_api(tmp_path: Path) -> None:
    async with wired(tmp_path, capability_text("GET", "/things")) as (upstream, _):
        plan, _ = build_plan(load(tmp_path / "capability.yaml"), {}, {"api": upstream.url})
        async with open_engine(QUICK) as engine:
            for unit in engine.units(plan).values():
                await body_of(await unit.call({}))
        assert (len(upstream.requests), upstream.connections) == (2, 1)


async def test_closing_the_engine_closes_its_connections(tmp_path: Path) -> None:
    async with wired(tmp_path, capability_text("GET", "/things")) as (upstream, _):
        plan, _ = build_plan(load(tmp_path / "capability.yaml"), {}, {"api": upstream.url})
        async with open_engine(QUICK) as engine:
            await body_of(await engine.units(plan)[id(plan.units[0])].call({}))
            assert upstream.open_connections == 1
        await upstream.wait_for(lambda u: u.open_connections == 0)


async def test_a_call_that_was_not_sent_may_always_be_repeated() -> None:
    for kind in CallError.__subclasses__():
        assert (kind("c", "m").outcome, kind("c", "m").retry_safe) == ("not-sent", True)


@pytest.mark.parametrize("media_type", ["application/pdf", "text/html; charset=utf-8", "text/csv"])
async def test_what_says_that_it_is_no_json_is_passed_on_even_where_outputs_are_mapped(
    tmp_path: Path, media_type: str
) -> None:
    async with wired(tmp_path, MAPPED) as (upstream, unit):
        upstream.then(reply(200, b"%PDF-1.7 \xff\x00", content_type=media_type))
        answer = await unit.call({"id": "1"} if any(i.required for i in unit.unit.inputs) else {})
        assert answer.response is not None
        assert answer.response.media_type == media_type
        assert await body_of(answer) == b"%PDF-1.7 \xff\x00"
