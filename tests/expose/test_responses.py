"""The answers that an operation declares: what a socket shows of them, what the OpenAPI document says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from capstan.call.engine import open_engine
from capstan.expose.rest import RestApp, RestUnit
from expose.test_openapi import document
from expose.test_rest import Client, running
from plan.helpers import capability, plan_of, problems_of, warnings_of
from support import QUICK, RecordingUpstream, chunked, reply

PNG = b"\x89PNG\r\n"
BINARY = "responseBinary: {mediaType: image/png}"


def text_of(operation: str, method: str = "GET") -> dict[str, Any]:
    return capability(f"{{method: {method}}}", rest=f"{{{operation}}}")


@asynccontextmanager
async def served(operation: str | dict[str, Any]) -> AsyncIterator[tuple[RecordingUpstream, Client]]:
    async with RecordingUpstream() as upstream, open_engine(QUICK) as engine:
        data = text_of(operation) if isinstance(operation, str) else operation
        plan, _ = plan_of(data, {}, {"api": upstream.url})
        units = engine.units(plan)
        app = RestApp([RestUnit(o, units[id(o.unit)]) for o in plan.rest[0].operations], QUICK, {})
        async with running(app) as client:
            yield upstream, client


# --- what is sent


@pytest.mark.parametrize(
    ("declared", "upstream", "status"),
    [
        pytest.param("{'201': {}}", 200, 201, id="the declared one"),
        pytest.param("{'201': {}}", 202, 201, id="instead of another"),
        pytest.param("{'200': {}, '201': {}}", 201, 201, id="the upstream's own among them"),
        pytest.param("{'202': {}, '201': {}}", 200, 201, id="else the first"),
        pytest.param("{'2XX': {}}", 203, 203, id="any success"),
        pytest.param("{'2XX': {}, '201': {}}", 203, 203, id="any success beside a named one"),
        pytest.param("{'404': {}}", 201, 201, id="nothing is said of a success"),
    ],
)
async def test_the_declared_status_of_a_success_is_sent(declared: str, upstream: int, status: int) -> None:
    async with served(f"responses: {declared}") as (api, client):
        api.then(reply(upstream, data={"a": 1}))
        found, _, content = await client.send("/v1/things")
        assert (found, content) == (status, b'{"a": 1}')


async def test_a_declared_204_has_no_content() -> None:
    async with served("responses: {'204': {description: Gone.}}") as (api, client):
        api.then(reply(200, data={"a": 1}), reply(200, data={"a": 2}))
        for _ in range(2):
            status, headers, content = await client.send("/v1/things")
            assert (status, content) == (204, b"")
            assert "content-type" not in headers
        assert len(api.requests) == 2


async def test_a_mapped_answer_has_the_declared_status_and_media_type() -> None:
    said = "responses: {'201': {content: {application/hal+json: {}}}}, outputParameters: [{type: string, mapping: $.a}]"
    async with served(said) as (api, client):
        api.then(reply(data={"a": "x"}))
        status, headers, content = await client.send("/v1/things")
        assert (status, headers["content-type"], content) == (201, "application/hal+json", b'"x"')


@pytest.mark.parametrize(
    ("upstream", "sent"),
    [
        pytest.param(None, "image/png", id="says nothing"),
        pytest.param("application/octet-stream", "image/png", id="says that it is bytes"),
        pytest.param("image/jpeg", "image/jpeg", id="knows better"),
    ],
)
async def test_bytes_have_the_declared_media_type_where_the_upstream_does_not_say(
    upstream: str | None, sent: str
) -> None:
    async with served(BINARY) as (api, client):
        api.then(reply(body=PNG, content_type=upstream))
        status, headers, content = await client.send("/v1/things")
        assert (status, headers["content-type"], content) == (200, sent, PNG)


async def test_a_long_answer_is_streamed_with_the_declared_status_and_media_type() -> None:
    async with served("responseBinary: {mediaType: image/png, status: 203}") as (api, client):
        api.then(chunked(PNG * 20_000, PNG, content_type="application/octet-stream"))
        status, headers, content = await client.send("/v1/things")
        assert (status, headers["content-type"]) == (203, "image/png")
        assert "transfer-encoding" in headers
        assert content.count(PNG) >= 20_000


async def test_an_empty_answer_has_no_media_type() -> None:
    async with served(BINARY) as (api, client):
        api.then(reply(200, content_type=None))
        status, headers, content = await client.send("/v1/things")
        assert (status, content) == (200, b"")
        assert "content-type" not in headers


async def test_an_error_keeps_its_status_and_is_a_problem() -> None:
    async with served("responses: {'200': {content: {image/png: {binary: true}}}, '404': {}}") as (api, client):
        api.then(reply(404, data={"no": "such thing"}))
        status, headers, _ = await client.send("/v1/things")
        assert (status, headers["content-type"]) == (404, "application/problem+json")


# --- what is told


def responses_of(operation: str) -> dict[str, Any]:
    found: dict[str, Any] = document(plan_of(text_of(operation))[0])["paths"]["/v1/things"]["get"]["responses"]
    assert found.pop("default")["content"].keys() == {"application/problem+json"}
    return found


def test_the_document_has_the_declared_answers() -> None:
    found = responses_of(
        "responses: {'200': {description: An image., content: {image/png: {binary: true}, "
        "application/json: {schema: {type: object, properties: {a: {type: string}}}}}}, "
        "'404': {description: No such image.}}"
    )
    assert found["200"] == {
        "description": "An image.",
        "content": {
            "image/png": {},
            "application/json": {"schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
    }
    assert found["404"]["description"] == "No such image."
    assert found["404"]["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_the_short_form_is_the_same_as_the_long_one() -> None:
    short = "responseBinary: {status: 201, mediaType: image/png, description: Bytes.}"
    long = "responses: {'201': {description: Bytes., content: {image/png: {binary: true}}}}"
    assert responses_of(short) == responses_of(long) == {
        "201": {"description": "Bytes.", "content": {"image/png": {}}}
    }  # fmt: skip


def test_a_schema_that_is_left_out_is_that_of_the_outputs() -> None:
    found = responses_of(
        "outputParameters: [{name: a, type: string, mapping: $.a}], "
        "responses: {'201': {description: Made., content: {application/json: {}}}}"
    )
    assert found["201"]["content"]["application/json"]["schema"]["properties"]["a"]["type"] == ["string", "null"]


def test_an_error_alone_leaves_the_success_as_it_is() -> None:
    assert responses_of("responses: {'404': {}}").keys() == {"200", "404"}


def test_a_schema_of_a_response_may_refer_to_a_type() -> None:
    data = text_of("responses: {'200': {content: {application/json: {schema: {$ref: '#/types/thing'}}}}}")
    data["types"] = {"thing": {"type": "object", "properties": {"a": {"type": "string"}}}}
    found = document(plan_of(data)[0])["paths"]["/v1/things"]["get"]["responses"]["200"]
    assert found["content"]["application/json"]["schema"]["properties"] == {"a": {"type": "string"}}


# --- what is refused

MAPPED = "outputParameters: [{type: string, mapping: $.a}]"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        pytest.param(f"{BINARY}, responses: {{'200': {{}}}}", "ambiguous-keyword", id="both forms"),
        pytest.param("responses: {'302': {}}", "bad-response", id="a redirect is never sent"),
        pytest.param("responses: {'100': {}}", "bad-response", id="nor is an interim answer"),
        pytest.param("responses: {'204': {content: {image/png: {}}}}", "bad-response", id="content of a 204"),
        pytest.param("responseBinary: {mediaType: image/png, status: 404}", "bad-response", id="bytes of an error"),
        pytest.param(f"{BINARY}, {MAPPED}", "bad-response", id="bytes that are mapped"),
        pytest.param(f"responses: {{'200': {{content: {{text/plain: {{}}}}}}}}, {MAPPED}", "bad-response",
                     id="text that is mapped"),
        pytest.param(f"responses: {{'200': {{content: {{application/json: {{binary: true}}}}}}}}, {MAPPED}",
                     "bad-response", id="JSON that is bytes"),
        pytest.param("responses: {'20': {}}", "wrong-form", id="no status"),
        pytest.param("responses: {ok: {}}", "wrong-form", id="a word"),
        pytest.param("responses: {'200': {content: {png: {}}}}", "wrong-form", id="no media type"),
        pytest.param("responseBinary: {mediaType: png}", "wrong-form", id="no media type, short"),
        pytest.param("responseBinary: {}", "missing-keyword", id="no media type at all"),
        pytest.param("responses: {'200': {headers: {}}}", "unknown-keyword", id="no keyword of an answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(operation: str, code: str) -> None:
    assert [problem.code for problem in problems_of(text_of(operation))] == [code]


def test_content_of_an_error_that_is_not_sent_is_told() -> None:
    assert warnings_of(text_of("responses: {'404': {content: {application/json: {}}}}")) == ["undeclared-content"]
    assert warnings_of(text_of("responses: {'404': {content: {application/problem+json: {}}}}")) == []


# --- `outputMediaType` of a function

PICTURE = "{name: picture, description: A picture., outputMediaType: image/png, call: api.op}"


def with_function(function: str = PICTURE) -> dict[str, Any]:
    data = text_of("method: GET")
    data["capability"]["aggregates"] = [{"namespace": "things", "functions": [yaml.safe_load(function)]}]
    operation = data["capability"]["exposes"][0]["resources"][0]["operations"][0]
    del operation["call"]
    operation["ref"] = "things.picture"
    return data


@pytest.mark.parametrize(("upstream", "sent"), [(None, "image/png"), ("image/gif", "image/gif")])
async def test_a_function_names_the_media_type_of_its_answer(upstream: str | None, sent: str) -> None:
    async with served(with_function()) as (api, client):
        api.then(reply(body=PNG, content_type=upstream))
        status, headers, content = await client.send("/v1/things")
        assert (status, headers["content-type"], content) == (200, sent, PNG)


def test_the_document_knows_the_media_type_of_a_function() -> None:
    found = document(plan_of(with_function())[0])["paths"]["/v1/things"]["get"]["responses"]["200"]
    assert found["content"] == {"image/png": {}}


async def test_a_function_may_name_its_own_kind_of_json() -> None:
    function = PICTURE.replace("image/png", "application/hal+json").replace("call:", f"{MAPPED}, call:")
    async with served(with_function(function)) as (api, client):
        api.then(reply(data={"a": "x"}))
        status, headers, content = await client.send("/v1/things")
        assert (status, headers["content-type"], content) == (200, "application/hal+json", b'"x"')


def test_a_function_whose_answer_is_mapped_answers_with_json() -> None:
    (problem,) = problems_of(with_function(PICTURE.replace("call:", f"{MAPPED}, call:")))
    assert (problem.code, problem.at.pointer) == (
        "bad-response",
        "/capability/aggregates/0/functions/0/outputMediaType",
    )
