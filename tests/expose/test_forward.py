"""Requests that are passed through, on sockets from end to end."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from capstan.call.masking import MIN_LENGTH
from expose.forwarding import TOKEN, forwarding, head, passing, served
from support import CLOSE, HANG, Raw, RecordingUpstream, chunked, refusing, reply

BEARER = "authentication: {type: bearer, token: '{{TOKEN}}'}"


def problem(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "MKCOL"])
async def test_any_method_passes_with_its_path_query_and_body(method: str, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(207, b"<a/>", content_type="text/xml"))
        got = await caller.send("/shop/a/b%20c/?x=1&&y=%zz+[a]", method, [("Content-Type", "a/b")], b"body")
    assert (got.status, got.body, got.header("content-type")) == (207, b"<a/>", "text/xml")
    sent = upstream.last
    assert (sent.method, sent.target, sent.body) == (method, "/v1/a/b%20c/?x=1&&y=%zz+[a]", b"body")
    assert sent.header("content-type") == "a/b"


async def test_a_path_without_a_variable_is_the_base_uri_itself(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding(path="/shop")) as (upstream, caller):
        got = await caller.send("/shop?a=1")
        below = await caller.send("/shop/a")
    assert (got.status, below.status) == (200, 404)
    assert [request.target for request in upstream.requests] == ["/v1?a=1"]


@pytest.mark.parametrize("target", ["/shop", "/shop/", "/other/a", "/"])
async def test_a_forward_of_what_is_below_takes_nothing_else(target: str, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        assert (await caller.send(target)).status == 404
    assert not upstream.requests


# --- headers


async def test_only_trusted_headers_go_and_in_any_case_of_letters(tmp_path: Path) -> None:
    forward = "{targetNamespace: shop, trustedHeaders: [X-One, x-two, Accept]}"
    given = [
        ("x-one", "1"), ("X-TWO", "2"), ("X-two", "3"), ("X-Three", "4"), ("Accept", "text/csv"), ("Cookie", "a=b"),
        ("Authorization", "Basic eA=="), ("User-Agent", "test"), ("Referer", "http://x"), ("Origin", "http://localhost"),
        ("X-Forwarded-For", "1.2.3.4"), ("Content-Type", "of/nothing"), ("Forwarded", "for=1.2.3.4"),
    ]  # fmt: skip
    async with passing(tmp_path, forwarding(forward)) as (upstream, caller):
        await caller.send("/shop/a", headers=given)
        host = upstream.url.removeprefix("http://")
    assert {name: value for name, value in upstream.last.headers if name not in ("Host", "User-Agent")} == {
        "X-One": "1", "x-two": "2, 3", "Accept": "text/csv", "Accept-Encoding": "identity",
    }  # fmt: skip
    assert str(upstream.last.header("user-agent")).startswith("capstan/")
    assert upstream.last.header("host") == host


async def test_without_a_list_no_header_goes(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        await caller.send("/shop/a", headers=[("X-One", "1"), ("Accept", "text/csv")])
    assert {name for name, _ in upstream.last.headers} == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
    assert upstream.last.header("accept") == "*/*"


async def test_headers_of_the_connection_stop_here_in_both_directions(tmp_path: Path) -> None:
    forward = "{targetNamespace: shop, trustedHeaders: [X-A, X-B]}"
    of_upstream = {"Connection": "X-Mine, keep-alive", "X-Mine": "1", "Keep-Alive": "timeout=9", "X-Yours": "2",
                   "Proxy-Authenticate": "Basic", "Trailer": "X-Sum", "Upgrade": "h2c", "TE": "trailers"}  # fmt: skip
    async with passing(tmp_path, forwarding(forward)) as (upstream, caller):
        upstream.then(reply(200, b"{}", headers=of_upstream))
        given = [("Connection", "x-a, TE"), ("X-A", "1"), ("X-B", "2"), ("TE", "trailers"), ("Keep-Alive", "timeout=5"),
                 ("Proxy-Connection", "keep-alive"), ("Trailer", "X-Sum"), ("Upgrade", "h2c")]  # fmt: skip
        got = await caller.send("/shop/a", headers=given)
    sent = {name.lower() for name, _ in upstream.last.headers}
    assert sent == {"host", "user-agent", "accept", "accept-encoding", "x-b"}
    assert got.header("x-yours") == "2"
    assert not {"x-mine", "keep-alive", "proxy-authenticate", "trailer", "upgrade", "te"} & {n for n, _ in got.headers}
    assert got.all("connection") == ["close"]


async def test_headers_of_the_answer_pass_but_those_of_another_place(tmp_path: Path) -> None:
    given = [
        ("ETag", '"a"'), ("X-Many", "1"), ("X-Many", "2"), ("Cache-Control", "no-store"), ("Location", "https://x/y?z"),
        ("Set-Cookie", "sid=1"), ("Strict-Transport-Security", "max-age=1"), ("Access-Control-Allow-Origin", "*"),
        ("Alt-Svc", 'h3=":443"'), ("Clear-Site-Data", '"*"'), ("Server", "x"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ]  # fmt: skip
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(201, b"<p>", headers=given, content_type="text/html"))
        got = await caller.send("/shop/a", "POST")
    assert got.all("x-many") == ["1", "2"]
    kept = {"etag": '"a"', "cache-control": "no-store", "location": "https://x/y?z", "server": "x"}
    assert kept.items() <= dict(got.headers).items()
    gone = {"set-cookie", "strict-transport-security", "access-control-allow-origin", "alt-svc", "clear-site-data"}
    assert not gone & {name for name, _ in got.headers}
    assert "1970" not in str(got.header("date"))  # a real server adds its own
    assert (got.header("content-security-policy"), got.header("x-content-type-options")) == ("sandbox", "nosniff")


async def test_a_trailer_is_no_header(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding("{targetNamespace: shop, trustedHeaders: [X-Tenant]}")) as (
        upstream,
        caller,
    ):
        body = b"3\r\nabc\r\n0\r\nX-Tenant: other\r\nContent-Type: text/html\r\n\r\n"
        headers = [("X-Tenant", "own"), ("Transfer-Encoding", "chunked"), ("Trailer", "X-Tenant")]
        got = await caller.send("/shop/a", "POST", headers, body)
    assert got.status == 200
    assert (upstream.last.all("x-tenant"), upstream.last.header("content-type")) == (["own"], None)
    assert upstream.last.body == b"abc"


async def test_headers_that_are_not_utf8_pass_byte_for_byte(tmp_path: Path) -> None:
    name = 'attachment; filename="na\xefve \xc3\xa9.txt"'
    async with passing(tmp_path, forwarding(api=BEARER)) as (upstream, caller):
        upstream.then(reply(200, b"1", headers={"Content-Disposition": name}, content_type='text/plain; x="\xe9"'))
        got = await caller.send("/shop/a")
    assert (got.header("content-disposition"), got.header("content-type")) == (name, 'text/plain; x="\xe9"')


async def test_cookies_pass_both_ways_where_cookies_are_trusted(tmp_path: Path) -> None:
    forward = "{targetNamespace: shop, trustedHeaders: [Cookie]}"
    api = "authentication: {type: apikey, key: sid, value: '{{TOKEN}}', placement: cookie}"
    async with passing(tmp_path, forwarding(forward, api=api)) as (upstream, caller):
        upstream.then(reply(200, b"{}", headers={"Set-Cookie": "a=2"}))
        got = await caller.send("/shop/a", headers=[("Cookie", "a=1; sid=forged"), ("Cookie", "b=2")])
    assert upstream.last.all("cookie") == [f"a=1; b=2; sid={TOKEN}"]
    assert got.header("set-cookie") == "a=2"


async def test_what_belongs_to_a_body_goes_with_it(tmp_path: Path) -> None:
    given = [
        ("Content-Type", "text/csv"), ("Content-Encoding", "gzip"), ("Content-Language", "sv"),
        ("Content-Range", "bytes 0-1/9"), ("Content-Disposition", "attachment"), ("Content-Location", "/x"),
    ]  # fmt: skip
    body = gzip.compress(b"a,b")
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        await caller.send("/shop/a", "PUT", given, body)
    sent = dict(upstream.last.headers)
    assert {name: sent.get(name) for name, _ in given} == {**dict(given), "Content-Location": None}
    assert upstream.last.body == body


async def test_a_body_of_nothing_is_a_body(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        await caller.send("/shop/a", "PUT", [("Content-Length", "0"), ("Content-Type", "text/plain")])
    assert (upstream.last.header("content-type"), upstream.last.header("content-length")) == ("text/plain", "0")


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "If-Unmodified-Since", "Idempotency-Key"])
async def test_a_change_does_not_lose_the_condition_it_is_asked_on(name: str, tmp_path: Path) -> None:
    trusted = f"{{targetNamespace: shop, trustedHeaders: [{name}]}}"
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        refused = await caller.send("/shop/a", "PUT", [(name, "x")], b"1")
        read = await caller.send("/shop/a", "GET", [(name, "x")])
    assert (refused.status, problem(refused.body)["code"], problem(refused.body)["argument"]) == (
        400, "untrusted-header", name.lower(),
    )  # fmt: skip
    assert (read.status, len(upstream.requests)) == (200, 1)
    async with passing(tmp_path, forwarding(trusted)) as (upstream, caller):
        assert (await caller.send("/shop/a", "PUT", [(name, "x")], b"1")).status == 200
    assert upstream.last.header(name) == "x"


# --- what the file says of every request


async def test_fixed_values_go_with_every_request_and_nobody_replaces_them(tmp_path: Path) -> None:
    api = ("inputParameters: [{name: X-V, in: header, value: '7'}, {name: lang, in: query, value: 'a b'}, "
           "{name: c, in: cookie, value: d}, {name: X-D, in: header, default: e}, {name: page, in: query, default: 2}, "
           "{name: X-T, in: header, value: '{{TOKEN}}'}, {name: needed, in: query, required: true}]")  # fmt: skip
    forward = "{targetNamespace: shop, trustedHeaders: [X-V, X-D]}"
    async with passing(tmp_path, forwarding(forward, api=api)) as (upstream, caller):
        await caller.send("/shop/a?q=1")
        await caller.send("/shop/a?page=3", headers=[("X-V", "8"), ("X-D", "9")])
    plain, given = upstream.requests
    assert (plain.target, given.target) == ("/v1/a?q=1&page=2&lang=a%20b", "/v1/a?page=3&lang=a%20b")
    assert [plain.all("x-v"), given.all("x-v")] == [["7"], ["7"]]
    assert [plain.all("x-d"), given.all("x-d")] == [["e"], ["9"]]
    assert (plain.all("cookie"), plain.all("x-t")) == (["c=d"], [TOKEN])


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("{type: basic, username: u, password: '{{TOKEN}}'}", "authorization",
         "Basic dTphLXRva2VuLXRoYXQtbm9ib2R5LW1heS1zZWU="),
        ("{type: bearer, token: '{{TOKEN}}'}", "authorization", f"Bearer {TOKEN}"),
        ("{type: apikey, key: X-Key, value: '{{TOKEN}}', placement: header}", "x-key", TOKEN),
        ("{type: apikey, key: sid, value: '{{TOKEN}}', placement: cookie}", "cookie", f"sid={TOKEN}"),
    ],
)  # fmt: skip
async def test_the_credential_of_the_api_is_the_only_one(auth: str, header: str, value: str, tmp_path: Path) -> None:
    forward = "{targetNamespace: shop, trustedHeaders: [Authorization, X-Key]}"
    async with passing(tmp_path, forwarding(forward, api=f"authentication: {auth}")) as (upstream, caller):
        await caller.send("/shop/a", headers=[(header, "forged")])
    assert upstream.last.all(header) == [value]


@pytest.mark.parametrize(
    "query",
    [
        "Api-Key=x",
        "a=1&API-key=x",
        "Api%2DKey=x",
        "a;Api-Key",
        "Api-Key%5B%5D=x",
        "api_key=x",
        "+api.key=x",
        "api-key%00",
    ],
)
async def test_a_credential_in_the_query_has_no_rival(query: str, tmp_path: Path) -> None:
    api = "authentication: {type: apikey, key: Api-Key, value: '{{TOKEN}}', placement: query}"
    async with passing(tmp_path, forwarding(api=api)) as (upstream, caller):
        got = await caller.send(f"/shop/a?{query}")
        await caller.send("/shop/a?key=1")
    assert (got.status, problem(got.body)["code"]) == (400, "bad-argument")
    assert [request.target for request in upstream.requests] == [f"/v1/a?key=1&Api-Key={TOKEN}"]


async def test_a_secret_is_masked_in_the_answer_wherever_it_stands(tmp_path: Path) -> None:
    assert len(TOKEN) >= MIN_LENGTH
    echo = f'{{"sent": "{TOKEN}"}}'.encode()
    answers = [
        reply(200, echo, headers={"X-Echo": TOKEN}), reply(418, echo), chunked(echo[:20], echo[20:]),
        reply(200, gzip.compress(echo), headers={"Content-Encoding": "gzip", "ETag": '"a"', "Content-MD5": "x"}),
    ]  # fmt: skip
    async with passing(tmp_path, forwarding(api=BEARER)) as (upstream, caller):
        for answer in answers:
            upstream.then(answer)
            got = await caller.send("/shop/a")
            assert got.body == echo.replace(TOKEN.encode(), b"*" * len(TOKEN))
            assert TOKEN not in str(got.headers)
    assert (got.header("etag"), got.header("content-encoding"), got.header("content-md5")) == ('W/"a"', None, None)


# --- statuses


@pytest.mark.parametrize("status", [200, 206, 299, 300, 302, 307, 400, 403, 404, 409, 418, 422, 429, 500, 503, 599])
async def test_the_status_passes_as_it_is_with_its_body(status: int, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding(api=BEARER)) as (upstream, caller):
        headers = {"Location": "//x", "Retry-After": "9", "WWW-Authenticate": "Bearer", "Authentication-Info": "a=b"}
        upstream.then(reply(status, b"as it is", content_type="a/b", headers=headers))
        got = await caller.send("/shop/a", "POST", body=b"1")
    assert (got.status, got.body, got.header("content-type")) == (status, b"as it is", "a/b")
    assert (got.header("location"), got.header("retry-after")) == ("//x", "9")
    assert not {"www-authenticate", "authentication-info"} & {name for name, _ in got.headers}
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("api", [BEARER, ""], ids=["with credentials", "without"])
async def test_a_401_is_no_matter_of_the_caller(api: str, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding(api=api)) as (upstream, caller):
        upstream.then(reply(401, b'{"why": 1}', headers={"WWW-Authenticate": "Bearer"}))
        got = await caller.send("/shop/a", "DELETE")
    told = problem(got.body)
    assert (got.status, told["code"], told["outcome"], told["upstream"]) == (
        502, "upstream-credentials", "refused", {"status": 401, "body": {"why": 1}},
    )  # fmt: skip
    assert got.header("www-authenticate") is None


@pytest.mark.parametrize("status", [401, 407])
async def test_a_refusal_that_spells_the_credential_in_escapes_is_masked(status: int, tmp_path: Path) -> None:
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in TOKEN).encode()
    async with passing(tmp_path, forwarding(api=BEARER)) as (upstream, caller):
        upstream.then(reply(status, b'{"unknown token": "' + spelled + b'"}'))
        got = await caller.send("/shop/a")
    told = problem(got.body)
    assert (told["code"], told["upstream"]["status"]) == ("upstream-credentials", status)
    assert TOKEN not in str(told)
    assert told["upstream"]["body"]["unknown token"] == "*" * len(TOKEN)


async def test_a_401_over_the_callers_own_credentials_is_the_callers(tmp_path: Path) -> None:
    forward = "{targetNamespace: shop, trustedHeaders: [authorization]}"
    async with passing(tmp_path, forwarding(forward)) as (up, caller):
        up.then(reply(401, b"no", headers={"WWW-Authenticate": 'Basic realm="x"'}))
        got = await caller.send("/shop/a", headers=[("Authorization", "Basic eA==")])
    assert (got.status, got.body, got.header("www-authenticate")) == (401, b"no", 'Basic realm="x"')
    assert up.last.header("authorization") == "Basic eA=="


async def test_a_head_has_the_length_and_no_body(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(200, headers={"Content-Length": "123456789012", "ETag": '"a"'}))
        got = await caller.send("/shop/a", "HEAD")
    assert (got.status, got.header("content-length"), got.header("etag"), got.body) == (200, "123456789012", '"a"', b"")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_content_stays_without(status: int, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(status, headers={"ETag": '"a"'}))
        got = await caller.send("/shop/a")
    assert (got.status, got.body, got.header("etag")) == (status, b"", '"a"')
    assert got.header("transfer-encoding") is None


@pytest.mark.parametrize("status", [101, 600, 999])
async def test_a_status_that_is_none_is_not_passed(status: int, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(status, b"x", then="close"))
        got = await caller.send("/shop/a", "PUT", body=b"1")
    assert (got.status, problem(got.body)["code"], problem(got.body)["outcome"]) == (502, "upstream-broken", "unknown")


# --- what goes wrong


@pytest.mark.parametrize(("method", "outcome", "safe"), [("GET", "unknown", True), ("POST", "unknown", False)])
async def test_a_call_without_an_answer_is_told_as_any_other(
    method: str, outcome: str, *, safe: bool, tmp_path: Path
) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.always = CLOSE
        closed = await caller.send("/shop/a", method)
        upstream.always = HANG
        late = await caller.send("/shop/a", method)
    assert (closed.status, problem(closed.body)["code"], late.status) == (502, "upstream-broken", 504)
    for got in (closed, late):
        assert (problem(got.body)["outcome"], problem(got.body)["retry_safe"]) == (outcome, safe)
    assert [request.method for request in upstream.requests] == [method] * (3 if safe else 2)  # a read goes twice


async def test_an_api_that_cannot_be_reached_has_got_nothing(tmp_path: Path) -> None:
    with refusing() as url:
        async with served(tmp_path, [forwarding()], {"shop": url}) as caller:
            got = await caller.send("/shop/a", "POST", body=b"1")
    told = problem(got.body)
    assert (got.status, told["code"], told["outcome"]) == (502, "upstream-unreachable", "not-sent")
    assert told["retry_safe"]


async def test_an_encoding_nobody_asked_for_is_told_before_the_answer_begins(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(chunked(b"x" * 100_000, headers={"Content-Encoding": "rot13"}))
        got = await caller.send("/shop/a")
    assert (got.status, problem(got.body)["code"]) == (502, "upstream-broken")


# --- WebSockets, TRACE, proxies


async def test_a_websocket_is_refused(tmp_path: Path) -> None:
    given = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]  # fmt: skip
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        got = await caller.send("/shop/a", headers=given)
    assert (got.status, problem(got.body)["code"], upstream.requests) == (501, "no-upgrade", [])


@pytest.mark.parametrize("target", ["http://evil.example/shop/a", "http://localhost/shop/a", "//evil.example/shop/a"])
async def test_no_caller_names_a_host(target: str, tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        got = await caller.send(target)
        other = await caller.send("/shop/http://evil.example/a")
    assert (got.status, other.status, upstream.requests) == (404 if target[0] == "/" else 400, 400, [])


async def test_no_other_transfer_coding_than_chunks_is_taken(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        got = await caller.send("/shop/a", "POST", [("Transfer-Encoding", "gzip, chunked")], b"0\r\n\r\n")
    assert (got.status, problem(got.body)["code"], upstream.requests) == (501, "unsupported-coding", [])


async def test_who_waits_for_a_continue_is_told_to_go_on_unless_refused(tmp_path: Path) -> None:
    given = [("Expect", "100-continue"), ("Content-Length", "100000")]
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/a", "PUT", given))
        async with asyncio.timeout(5):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"x" * 100_000)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        refused, other = await caller.connect()
        other.write(head("/shop/../a", "PUT", given))
        async with asyncio.timeout(5):
            assert (await refused.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
        writer.close()
        other.close()
    assert [len(request.body) for request in upstream.requests] == [100_000]


async def test_trace_would_show_our_credentials_and_is_refused(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        got = await caller.send("/shop/a", "TRACE")
    assert (got.status, problem(got.body)["code"], upstream.requests) == (405, "wrong-method", [])
    assert got.header("allow") == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"


# --- beside operations and other forwards

BESIDE = """
    - {path: '/shop/orders/{id}', operations: [{method: GET, name: one, outputParameters: [{name: own, value: 'one'}]}]}
    - path: '/files/{path}'
      forward: {targetNamespace: shop}
      operations: [{method: GET, name: file, outputParameters: [{name: own, value: 'file'}]}]
    - {path: '/shop/deep/{path}', forward: {targetNamespace: shop, trustedHeaders: [X-Deep]}}
"""


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/shop/orders/1", "one"),
        ("HEAD", "/shop/orders/1", "HEAD"),
        ("DELETE", "/shop/orders/1", "/v1/orders/1"),
        ("GET", "/shop/orders/1/2", "/v1/orders/1/2"),
        ("GET", "/files/a", "file"),
        ("GET", "/files/a/b", 405),
        ("HEAD", "/files/a/b", 405),
        ("POST", "/files/a/b", "/v1/a/b"),
        ("GET", "/shop/deep", "/v1/deep"),
        ("GET", "/shop/deep/a", "/v1/a"),
    ],
)
async def test_operations_go_first_and_the_longest_path_takes_what_they_leave(
    method: str, target: str, expected: str | int, tmp_path: Path
) -> None:
    async with passing(tmp_path, forwarding(resources=BESIDE)) as (upstream, caller):
        got = await caller.send(target, method)
    if isinstance(expected, int):
        assert (got.status, upstream.requests) == (expected, [])
    elif expected.startswith("/"):
        assert (upstream.last.method, upstream.last.target) == (method, expected)
    else:
        assert (got.status, upstream.requests) == (200, [])
        assert method == "HEAD" or problem(got.body) == {"own": expected}


async def test_a_forward_of_everything_leaves_the_pages_about_it(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding(path="/{path}")) as (upstream, caller):
        page = await caller.send("/openapi.json")
        await caller.send("/docs", "POST")
        await caller.send("/a")
    assert "openapi" in problem(page.body)
    assert [(r.method, r.target) for r in upstream.requests] == [("POST", "/v1/docs"), ("GET", "/v1/a")]


async def test_two_capabilities_forward_on_one_port(tmp_path: Path) -> None:
    async with RecordingUpstream() as one, RecordingUpstream() as other:
        texts = [forwarding(), forwarding(namespace="bank", path="/bank/{path}", forward="{targetNamespace: bank}")]
        async with served(tmp_path, texts, {"shop": one.url, "bank": other.url}) as caller:
            assert (await caller.send("/shop/a")).status == 200
            assert (await caller.send("/bank/b")).status == 200
    assert ([r.target for r in one.requests], [r.target for r in other.requests]) == (["/a"], ["/b"])


async def test_each_request_leaves_one_line_without_a_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "capstan.call")
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(reply(503, b"no"), Raw((), "close"))
        await caller.send("/shop/secret?q=secret", "POST")
        await caller.send("/shop/secret", "DELETE")
    first, second = [record.getMessage() for record in caplog.records if record.name == "capstan.call"]
    assert first.startswith("rest POST /shop/{path} 503 in ")
    assert second.startswith("rest DELETE /shop/{path} 502 in ")
    assert second.endswith("[upstream-broken, unknown]")
