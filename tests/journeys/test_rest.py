"""REST over a real socket: what comes in, what goes on to the consumed API, what comes back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openapi_spec_validator import validate as validate_openapi

from journeys.running import Capstan, client, exchange, serving
from support import CLOSE, HANG, Raw, RecordingUpstream, chunked, refusing, reply

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
    baseUri: http://127.0.0.1:1/api
    authentication: {type: basic, username: shop-user, password: '{{env.SHOP_PASSWORD}}'}
    resources:
    - name: orders
      path: /orders
      operations:
      - name: list-orders
        method: GET
        inputParameters:
        - {name: size, in: query, type: integer, minimum: 1}
        - {name: open, in: query, type: boolean}
        - {name: tag, in: query, type: array, items: {type: string}}
        - {name: X-Trace, in: header, type: string}
      - name: make-order
        method: POST
        inputParameters:
        - {name: body, in: body, type: object, required: true}
    - name: order
      path: /orders/{order_id}
      operations:
      - name: read-order
        method: GET
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
      - name: name-order
        method: PUT
        inputParameters:
        - {name: order_id, in: path, type: string, required: true}
        - {name: name, in: query, type: string}
        body: {type: json, data: '{"name": "{{name}}", "amount": 1}'}
    - name: report
      path: /report
      operations:
      - name: read-report
        method: GET
        outputRawFormat: json
  exposes:
  - type: rest
    namespace: shop-rest
    port: 8080
    resources:
    - path: /v1/orders
      operations:
      - method: GET
        name: list-orders
        call: shop.list-orders
        with: {size: rest.size, open: rest.open, tag: rest.tag, X-Trace: rest.X-Trace}
      - {method: POST, name: make-order, call: shop.make-order, with: {body: rest.body}}
    - path: /v1/orders/{order-id}
      operations:
      - {method: GET, name: read-order, call: shop.read-order, with: {order_id: rest.order_id}}
      - method: PUT
        name: name-order
        call: shop.name-order
        with: {order_id: rest.order_id, name: rest.name}
    - path: /v1/report
      operations:
      - {method: GET, name: read-report, call: shop.read-report}
    - path: /v1/shaped
      operations:
      - method: GET
        name: read-shaped
        call: shop.read-report
        outputParameters:
        - {name: id, type: string, mapping: $.order.id}
"""
ENVIRON = {
    "SHOP_PASSWORD": "password-of-the-shop",
    "CAPSTAN_READ_TIMEOUT_SECONDS": "0.5",
    "CAPSTAN_MAX_REQUEST_BYTES": str(1500 * 1024),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rest") / "shop.yaml"
    path.write_text(FILE)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(file: Path, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    async with serving(file, "--base-uri", f"shop={upstream.url}/api", env=ENVIRON, ports=(8080,)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: Capstan) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server.rest) as opened:
        yield opened


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem details of an answer, which must have this status and code."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code), told
    assert told["type"] == f"urn:capstan:error:{code}"
    assert {"title", "detail", "outcome", "retry_safe"} <= set(told)
    return told


async def get_raw(server: Capstan, target: str) -> bytes:
    """The answer to a target that is sent as it is, where a client library would tidy it."""
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return await exchange(server.rest, request.encode())


# --- methods and paths


async def test_an_unknown_path_is_404(http: httpx2.AsyncClient) -> None:
    problem(await http.get("/v2/orders"), 404, "no-route")


@pytest.mark.parametrize("path", ["/v1/orders/", "/v1/orders//", "//v1/orders", "/v1/orders/a/b", "/V1/orders"])
async def test_a_path_that_is_only_nearly_right_is_404(path: str, server: Capstan) -> None:
    assert (await get_raw(server, path)).startswith(b"HTTP/1.1 404 ")


async def test_a_method_without_an_operation_is_405_and_allow_names_the_others(http: httpx2.AsyncClient) -> None:
    answer = await http.delete("/v1/orders")
    problem(answer, 405, "wrong-method")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_options_tells_the_methods_and_allows_no_other_origin(http: httpx2.AsyncClient) -> None:
    answer = await http.options("/v1/orders/o-1")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, PUT")
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_head_is_get_without_the_body(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(reply(data={"id": "o-1"}))
    answer = await http.head("/v1/orders/o-1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(b'{"id": "o-1"}'))


async def test_head_of_an_error_has_no_body(http: httpx2.AsyncClient) -> None:
    answer = await http.head("/v2/orders")
    assert (answer.status_code, answer.content) == (404, b"")


# --- who may call


async def test_no_answer_is_for_pages_of_other_origins_by_default(http: httpx2.AsyncClient) -> None:
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"}
    problem(await http.options("/v1/orders", headers=preflight), 403, "foreign-origin")
    answer = await http.get("/v1/orders", headers={"Origin": "http://evil.example"})
    problem(answer, 403, "foreign-origin")
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_foreign_origin_is_refused_before_anything_is_sent(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    await http.post("/v1/orders", json={}, headers={"Origin": "null"})
    assert len(upstream.requests) == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"])
async def test_a_foreign_host_is_421(host: str, http: httpx2.AsyncClient) -> None:
    problem(await http.get("/v1/orders", headers={"Host": host}), 421, "foreign-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"])
async def test_this_machine_goes_by_its_loopback_names(host: str, http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/orders", headers={"Host": host})).status_code == 200


async def test_cors_is_on_for_the_origins_the_operator_names(file: Path, upstream: RecordingUpstream) -> None:
    options = ("--cors-origin", "https://shop.example", "--base-uri", f"shop={upstream.url}/api")
    async with serving(file, *options, env=ENVIRON, ports=(8080,)) as server, client(server.rest) as http:
        origin = {"Origin": "https://shop.example"}
        preflight = {**origin, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        allowed = await http.options("/v1/orders/o-1", headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "PUT" in allowed.headers["Access-Control-Allow-Methods"]
        upstream.then(reply(201, headers={"Capture-Id": "c-1"}))
        answer = await http.post("/v1/orders", json={}, headers=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        exposed = answer.headers["Access-Control-Expose-Headers"].lower()
        assert exposed == "*" or "capture-id" in exposed
        problem(await http.get("/v1/orders", headers={"Origin": "https://other.example"}), 403, "foreign-origin")


# --- request bodies


async def test_a_body_larger_than_the_limit_is_413(http: httpx2.AsyncClient) -> None:
    problem(await http.post("/v1/orders", json={"x": "x" * 1600 * 1024}), 413, "request-too-large")


async def test_a_chunked_body_larger_than_the_limit_is_413(http: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 64 * 1024

    problem(await http.post("/v1/orders", content=pieces()), 413, "request-too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
async def test_a_body_of_another_media_type_is_415(kind: str, http: httpx2.AsyncClient) -> None:
    told = problem(
        await http.post("/v1/orders", content=b"{}", headers={"Content-Type": kind}), 415, "unsupported-media-type"
    )
    assert kind in told["detail"]


async def test_malformed_json_is_400_and_tells_the_position(http: httpx2.AsyncClient) -> None:
    told = problem(await http.post("/v1/orders", content=b'{"a": 1,\n  "b": }'), 400, "bad-json")
    assert "line 2, column 8" in told["detail"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b'{"a": 1, "a": 2}', "'a' stands twice", id="duplicate member"),
        pytest.param(b'{"b": {"a": 1, "a": 2}}', "'a' stands twice", id="duplicate member inside"),
        pytest.param(b'{"a": NaN}', "NaN", id="NaN"),
        pytest.param(b'{"a": 1e999}', "too large", id="infinite number"),
        pytest.param(b'{"a": "\xff"}', "UTF-8", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep nesting"),
    ],
)
async def test_json_that_two_readers_would_read_differently_is_400(
    body: bytes, text: str, http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    told = problem(await http.post("/v1/orders", content=body), 400, "bad-json")
    assert text in told["detail"]
    assert len(upstream.requests) == before


async def test_a_missing_body_is_400_and_named(http: httpx2.AsyncClient) -> None:
    assert problem(await http.post("/v1/orders"), 400, "missing-argument")["argument"] == "body"


async def test_a_body_of_another_type_is_400(http: httpx2.AsyncClient) -> None:
    assert problem(await http.post("/v1/orders", json=[1]), 400, "bad-argument")["argument"] == "body"


async def test_a_body_where_none_is_taken_is_400(http: httpx2.AsyncClient) -> None:
    problem(await http.request("GET", "/v1/report", json={"a": 1}), 400, "unexpected-body")


async def test_text_survives_the_way_through(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    body = {"text": 'emoji 🧾, "quotes", \\ {{braces}} {x} $.a \u2028 \x00 \r\n <é>', "big": 2**60, "price": 10.10}
    assert (await http.post("/v1/orders", json=body)).status_code == 200
    assert upstream.last.json == body


async def test_a_megabyte_goes_through(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    body = {"note": "ä" * 512 * 1024}
    assert (await http.post("/v1/orders", json=body)).status_code == 200
    assert upstream.last.json == body


# --- arguments


async def test_an_unknown_query_argument_is_400_with_a_suggestion(http: httpx2.AsyncClient) -> None:
    told = problem(await http.get("/v1/orders?sise=4"), 400, "unknown-argument")
    assert (told["argument"], "size" in told["hint"]) == ("sise", True)


@pytest.mark.parametrize("query", ["size=four", "size=0", "size=1.5", "size=", "size=1&size=2", "open=maybe"])
async def test_a_query_argument_that_does_not_fit_is_400_and_named(query: str, http: httpx2.AsyncClient) -> None:
    assert problem(await http.get(f"/v1/orders?{query}"), 400, "bad-argument")["argument"] == query.partition("=")[0]


async def test_a_repeated_array_argument_is_repeated_upstream(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    assert (await http.get("/v1/orders?tag=a%26b&tag=c&size=3&open=true")).status_code == 200
    assert sorted(upstream.last.target.partition("?")[2].split("&")) == ["open=true", "size=3", "tag=a%26b", "tag=c"]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        pytest.param("a%2Fb", "a%2Fb", id="slash"),
        pytest.param("a%20b", "a%20b", id="space"),
        pytest.param("a+b", "a%2Bb", id="plus"),
        pytest.param("a%2Bb", "a%2Bb", id="encoded plus"),
        pytest.param("%F0%9F%A7%BE", "%F0%9F%A7%BE", id="emoji"),
        pytest.param("a%3Fb%23c", "a%3Fb%23c", id="question mark and hash"),
        pytest.param("%2525", "%2525", id="percent"),
        pytest.param("%22%7B%7Bx%7D%7D", "%22%7B%7Bx%7D%7D", id="quote and braces"),
        pytest.param("a%3Bb", "a%3Bb", id="semicolon"),
        pytest.param("a%00b", "a%00b", id="NUL"),
        pytest.param("%0d%0aX-Evil:%201", "%0D%0AX-Evil%3A%201", id="line break"),
        pytest.param("...", "...", id="three dots"),
        pytest.param("..a", "..a", id="a name that starts with dots"),
    ],
)
async def test_a_path_value_stays_in_its_segment(
    sent: str, received: str, server: Capstan, upstream: RecordingUpstream
) -> None:
    assert (await get_raw(server, f"/v1/orders/{sent}")).startswith(b"HTTP/1.1 200 ")
    assert upstream.last.target == f"/api/orders/{received}"
    assert upstream.last.header("X-Evil") is None


@pytest.mark.parametrize("sent", ["..", ".", "%2e%2e", "%2E.", "%2e", "%ff"])
async def test_a_path_value_that_would_leave_its_segment_is_refused(
    sent: str, server: Capstan, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    assert (await get_raw(server, f"/v1/orders/{sent}")).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert len(upstream.requests) == before


async def test_dots_next_to_a_slash_in_a_value_reach_no_other_endpoint(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    assert (await get_raw(server, "/v1/orders/..%2F..%2Freport")).startswith(b"HTTP/1.1 200 ")
    assert upstream.last.target == "/api/orders/..%2F..%2Freport"


async def test_line_breaks_and_nul_in_a_query_value_stay_values(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    assert (await http.get("/v1/orders", params={"tag": "a\r\nX-Evil: 1\x00&size=9"})).status_code == 200
    assert httpx2.QueryParams(upstream.last.target.partition("?")[2]).multi_items() == [
        ("tag", "a\r\nX-Evil: 1\x00&size=9")
    ]
    assert upstream.last.header("X-Evil") is None


async def test_a_value_inside_a_json_template_changes_no_structure(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    name = '", "amount": 9999, "x": "{{name}} \\'
    assert (await http.put("/v1/orders/o-1", params={"name": name})).status_code == 200
    assert upstream.last.json == {"name": name, "amount": 1}


async def test_a_header_argument_goes_on_and_others_do_not(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    headers = {"X-Trace": "t-1", "X-Other": "o", "Cookie": "a=b", "Authorization": "Bearer of-the-caller"}
    assert (await http.get("/v1/orders", headers=headers)).status_code == 200
    assert upstream.last.header("X-Trace") == "t-1"
    assert [upstream.last.header(name) for name in ("X-Other", "Cookie")] == [None, None]
    assert (upstream.last.header("Authorization") or "").startswith("Basic ")


async def test_absent_arguments_are_not_sent(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    await http.get("/v1/orders")
    assert upstream.last.target == "/api/orders"
    assert upstream.last.header("X-Trace") is None


# --- answers


async def test_the_answer_is_passed_on_as_it_came(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    body = b'{ "amount":10.10,\n"n": 12345678901234567890 }'
    upstream.then(reply(body=body))
    assert (await http.get("/v1/report")).content == body


async def test_an_empty_201_keeps_its_location_and_identifier(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(201, headers={"Location": "/orders/o-9", "Capture-Id": "c-9", "X-Powered-By": "x"}))
    answer = await http.post("/v1/orders", json={})
    assert (answer.status_code, answer.content) == (201, b"")
    assert (answer.headers["Location"], answer.headers["Capture-Id"]) == ("/orders/o-9", "c-9")
    assert "X-Powered-By" not in answer.headers


async def test_a_204_stays_a_204(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(reply(204))
    answer = await http.get("/v1/report")
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_pdf_where_json_was_declared_arrives_as_it_is(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    pdf = b"%PDF-1.7\n\xff\xfe\x00" + os.urandom(4096)
    upstream.then(reply(body=pdf, content_type="application/pdf",
                        headers={"Content-Disposition": 'attachment; filename="r.pdf"'}))  # fmt: skip
    answer = await http.get("/v1/report")
    assert (answer.status_code, answer.content) == (200, pdf)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="r.pdf"'


async def test_a_page_of_the_upstream_cannot_run_as_ours(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(reply(body="<script>1</script>", content_type="text/html"))
    answer = await http.get("/v1/report")
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def memory(server: Capstan) -> int:
    """Bytes of the server's resident memory."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


async def test_a_big_answer_is_streamed_and_not_held(server: Capstan, upstream: RecordingUpstream) -> None:
    piece = os.urandom(512) * 128
    upstream.then(reply(body=piece * 480, content_type="application/octet-stream"))
    before = peak = memory(server)
    total = 0
    async with client(server.rest) as http, http.stream("GET", "/v1/report") as answer:
        assert answer.headers["Content-Length"] == str(len(piece) * 480)
        async for got in answer.aiter_raw():
            total += len(got)
            peak = max(peak, memory(server))
    assert total == len(piece) * 480 == 30 * 1024**2
    assert peak - before < 8 * 1024**2


async def test_a_slow_reader_does_not_fill_the_memory(server: Capstan, upstream: RecordingUpstream) -> None:
    upstream.then(chunked(*[b"x" * 1024**2] * 30, content_type="text/plain"))
    before = memory(server)
    async with client(server.rest) as http, http.stream("GET", "/v1/report") as answer:
        await anext(answer.aiter_raw(1000))
        await asyncio.sleep(0.3)  # time in which an unbounded server would take in all of it
        assert memory(server) - before < 12 * 1024**2


async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=b"x" * 300_000, headers={"Content-Length": "500000"}, then="close"))
    with pytest.raises(httpx2.RemoteProtocolError):
        await http.get("/v1/report")


async def test_a_short_answer_that_breaks_off_is_502(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(reply(body=b'{"a"', headers={"Content-Length": "50"}, then="close"))
    told = problem(await http.get("/v1/report"), 502, "upstream-broken")
    assert told["outcome"] == "done"


# --- what an upstream error becomes


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 429])
async def test_a_refusal_keeps_its_status_and_body(
    status: int, http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(status, data={"error_code": "NOT_ALLOWED"}, headers={"Retry-After": "3"}))
    answer = await http.post("/v1/orders", json={})
    told = problem(answer, status, "upstream-busy" if status == 429 else "upstream-refused")
    assert told["upstream"] == {"status": status, "body": {"error_code": "NOT_ALLOWED"}}
    assert (told["outcome"], told["retry_safe"]) == ("refused", True)
    assert answer.headers["Retry-After"] == "3"


async def test_a_refusal_of_our_credentials_is_502(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(reply(401, body="no", content_type="text/plain", headers={"WWW-Authenticate": "Basic"}))
    answer = await http.get("/v1/report")
    assert problem(answer, 502, "upstream-credentials")["upstream"] == {"status": 401, "body": "no"}
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
async def test_a_failure_is_502_and_nobody_knows_whether_it_happened(
    status: int, http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(status, data={"sorry": True}))
    told = problem(await http.post("/v1/orders", json={}), 502, "upstream-failed")
    assert (told["outcome"], told["retry_safe"]) == ("unknown", False)
    assert told["upstream"] == {"status": status, "body": {"sorry": True}}


async def test_a_redirect_is_not_followed(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    before = len(upstream.requests)
    upstream.then(reply(302, headers={"Location": f"{upstream.url}/elsewhere"}))
    problem(await http.get("/v1/report"), 502, "upstream-redirect")
    assert len(upstream.requests) == before + 1


async def test_a_time_out_is_504_and_a_write_is_not_sent_again(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    upstream.then(HANG)
    told = problem(await http.post("/v1/orders", json={}), 504, "upstream-timeout")
    assert (told["outcome"], told["retry_safe"]) == ("unknown", False)
    assert len(upstream.requests) == before + 1


async def test_a_time_out_of_a_read_may_be_tried_again(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    upstream.then(HANG)
    assert problem(await http.get("/v1/report"), 504, "upstream-timeout")["retry_safe"] is True


async def test_a_connection_that_closes_without_an_answer_is_502(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    upstream.then(CLOSE)
    told = problem(await http.post("/v1/orders", json={}), 502, "upstream-broken")
    assert (told["outcome"], told["retry_safe"]) == ("unknown", False)
    assert len(upstream.requests) == before + 1


async def test_an_error_is_not_shaped_by_the_output_of_the_file(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(404, data={"order": {"id": "not this"}}))
    problem(await http.get("/v1/shaped"), 404, "upstream-refused")
    upstream.then(reply(data={"order": {"id": "this"}}))
    assert (await http.get("/v1/shaped")).json() == {"id": "this"}


async def test_a_document_where_a_shape_was_declared_is_passed_on_as_it_is(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=b"%PDF", content_type="application/pdf"))
    answer = await http.get("/v1/shaped")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/pdf", b"%PDF")


async def test_what_says_that_it_is_json_and_is_not_where_a_shape_needs_it_is_502(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body=b"%PDF", content_type="application/json"))
    told = problem(await http.get("/v1/shaped"), 502, "unexpected-answer")
    assert told["outcome"] == "done"


async def test_a_request_that_offers_another_protocol_keeps_its_body(
    server: Capstan, upstream: RecordingUpstream
) -> None:
    body = b'{"amount": 7}'
    head = (
        b"POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABk\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    upstream.then(reply(200, "{}"))
    answer = await exchange(server.rest, head + body)
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    assert json.loads(upstream.last.body) == {"amount": 7}


async def test_a_head_without_an_end_is_refused(server: Capstan) -> None:
    answer = await exchange(server.rest, b"GET /v1/orders HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_control_character_in_a_header_of_the_upstream_does_not_cost_the_answer(
    http: httpx2.AsyncClient, upstream: RecordingUpstream
) -> None:
    upstream.then(Raw([b"HTTP/1.1 201 Created\r\nCapture-Id: a\x01b\r\nContent-Length: 2\r\n\r\n{}"]))
    answer = await http.post("/v1/orders", json={})
    assert (answer.status_code, answer.headers["capture-id"]) == (201, "a?b")


async def test_an_upstream_that_is_not_there_is_502_and_nothing_was_sent(file: Path) -> None:
    with refusing() as url:
        options = ("--base-uri", f"shop={url}")
        async with serving(file, *options, env=ENVIRON, ports=(8080,)) as server, client(server.rest) as http:
            told = problem(await http.post("/v1/orders", json={}), 502, "upstream-unreachable")
    assert (told["outcome"], told["retry_safe"]) == ("not-sent", True)


# --- the pages


async def test_the_openapi_document_is_valid_and_has_every_operation(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    validate_openapi(document)
    routes = {f"{method} {path}" for path, item in document["paths"].items() for method in item}
    assert routes == {
        "get /v1/orders", "post /v1/orders", "get /v1/orders/{order-id}", "put /v1/orders/{order-id}",
        "get /v1/report", "get /v1/shaped",
    }  # fmt: skip


async def test_the_documentation_is_a_page(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/docs")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "openapi.json" in answer.text


async def test_every_call_and_refusal_leaves_the_server_whole(server: Capstan) -> None:
    """Runs last: whatever came in above, nothing failed inside Capstan."""
    assert "failed inside Capstan" not in server.talk
    assert "Traceback" not in server.talk
    assert json.dumps(ENVIRON["SHOP_PASSWORD"])[1:-1] not in server.talk
