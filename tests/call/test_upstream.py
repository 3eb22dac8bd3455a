from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import brotli
import pytest

from capstan.call.unit import LiveUnit
from capstan.errors import CallError, UpstreamError, UpstreamRefused, UpstreamTimeout
from support import (
    CLOSE,
    HANG,
    QUICK,
    RESET,
    Raw,
    RecordingUpstream,
    body_of,
    capability_text,
    chunked,
    endless,
    live,
    refusing,
    reply,
    wired,
    write_capability,
)

KEY = {"name": "Idempotency-Key", "in": "header", "type": "string"}
READ = capability_text("GET", "/things")
WRITE = capability_text("POST", "/things", inputs=[KEY])
MAPPED = capability_text("POST", "/things", inputs=[KEY], outputs=[{"name": "ok", "mapping": "$.ok"}])
OK = b'{"ok": true}'

# A read, a write, a write with an idempotency key: text of the file, arguments, whether it may be repeated.
CALLS = [
    pytest.param(READ, {}, True, id="read"),
    pytest.param(WRITE, {}, False, id="write"),
    pytest.param(WRITE, {"Idempotency-Key": "k-1"}, True, id="write with a key"),
    pytest.param(WRITE, {"Idempotency-Key": ""}, False, id="write with an empty key"),
]


async def failure(unit: LiveUnit, arguments: dict[str, Any] | None = None) -> UpstreamError:
    """The error of a call, be it met at the head of the answer or in its body."""
    with pytest.raises(UpstreamError) as caught:
        await body_of(await unit.call(arguments or {}))
    return caught.value


def in_use(unit: LiveUnit) -> int:
    """How many connections a call holds."""
    upstream: Any = unit._upstream
    return len(upstream._session.connector._acquired)


def told(error: CallError) -> tuple[str, str, bool]:
    return error.code, error.outcome, error.retry_safe


# --- bad behaviour

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# What the upstream does, the code, and what is known of the effect.
NO_ANSWER = [
    pytest.param(HANG, "upstream-timeout", "unknown", id="never answers"),
    pytest.param(CLOSE, "upstream-broken", "unknown", id="closes"),
    pytest.param(RESET, "upstream-broken", "unknown", id="resets"),
    pytest.param(Raw((HEAD,)), "upstream-broken", "unknown", id="closes inside the head"),
    pytest.param(Raw((HEAD,), "hang"), "upstream-timeout", "unknown", id="hangs inside the head"),
    pytest.param(b"\0\1\2 nonsense\r\n\r\n", "upstream-broken", "unknown", id="is no HTTP server"),
    pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", "upstream-broken", "unknown", id="bad status"),
    pytest.param(HEAD + b"Content-Length: x\r\n\r\n", "upstream-broken", "unknown", id="length that is no number"),
    pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", "upstream-broken", "unknown",
                 id="two lengths"),
    pytest.param(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "upstream-broken",
                 "unknown", id="length and chunks"),
    pytest.param(HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", "upstream-broken", "unknown", id="huge header"),
    pytest.param(HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(500)) + b"\r\n", "upstream-broken", "unknown",
                 id="too many headers"),
    pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "upstream-broken", "unknown",
                 id="changes the protocol"),
]  # fmt: skip
HALF_ANSWER = [
    pytest.param(HEAD + b"Content-Length: 99\r\n\r\n{", "upstream-broken", id="shorter than announced"),
    pytest.param(Raw((HEAD + b"Content-Length: 99\r\n\r\n{",), "hang"), "upstream-timeout", id="hangs in the body"),
    pytest.param(Raw((HEAD + b"Content-Length: 99\r\n\r\n{",), "reset"), "upstream-broken", id="resets in the body"),
    pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "upstream-broken", id="cut chunk"),
    pytest.param(Raw((HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", 0.05, b"zz\r\nab"), "hang"),
                 "upstream-broken", id="bad chunk later"),
    pytest.param(reply(200, gzip.compress(OK)[:-3], headers={"Content-Encoding": "gzip"}), "upstream-broken",
                 id="cut gzip"),
    pytest.param(reply(200, OK, headers={"Content-Encoding": "gzip"}), "upstream-broken", id="no gzip at all"),
    pytest.param(reply(200, OK, headers={"Content-Encoding": "rot13"}), "upstream-broken", id="unknown encoding"),
    pytest.param(reply(200, gzip.compress(OK), headers=[("Content-Encoding", "gzip"), ("Content-Encoding", "br")]),
                 "upstream-broken", id="encoded twice"),
    pytest.param(endless(), "answer-too-large", id="endless"),
    pytest.param(reply(200, gzip.compress(b" " * 20_000_000), headers={"Content-Encoding": "gzip"}),
                 "answer-too-large", id="bomb"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "repeatable"), CALLS)
@pytest.mark.parametrize(("answer", "code", "outcome"), NO_ANSWER)
async def test_without_an_answer_nothing_is_known(
    tmp_path: Path, text: str, arguments: dict[str, Any], repeatable: Any, answer: Any, code: str, outcome: str
) -> None:
    async with wired(tmp_path, text, settings=replace(QUICK, read_timeout_seconds=0.15)) as (upstream, unit):
        upstream.always = answer
        error = await failure(unit, arguments)
        assert told(error) == (code, outcome, repeatable)
        assert isinstance(error, UpstreamTimeout) == (code == "upstream-timeout")


@pytest.mark.parametrize(("text", "arguments", "repeatable"), CALLS)
@pytest.mark.parametrize(("answer", "code"), HALF_ANSWER)
async def test_half_an_answer_of_success_means_it_is_done(
    tmp_path: Path, text: str, arguments: dict[str, Any], repeatable: Any, answer: Any, code: str
) -> None:
    settings = replace(QUICK, read_timeout_seconds=0.15)
    async with wired(tmp_path, text, settings=settings) as (upstream, unit):
        # The endless answer can be given only once.
        upstream.then(endless() if code == "answer-too-large" and not isinstance(answer.pieces, tuple) else answer)
        started = time.monotonic()
        assert told(await failure(unit, arguments)) == (code, "done", repeatable)
        assert time.monotonic() - started < 3
        assert len(upstream.requests) == 1
        assert in_use(unit) == 0


@pytest.mark.parametrize(("text", "arguments", "repeatable"), CALLS)
async def test_a_refused_connection_sends_nothing(
    tmp_path: Path, text: str, arguments: dict[str, Any], repeatable: Any
) -> None:
    with refusing() as url:
        async with live(write_capability(tmp_path, text), base_uris={"api": url}) as units:
            error = await failure(units["act"], arguments)
    assert told(error) == ("upstream-unreachable", "not-sent", True)


@pytest.mark.parametrize(
    "base",
    [
        pytest.param("http://127.0.0.1:99999", id="no port"),
        pytest.param(f"http://{'a' * 70}.invalid", id="no name"),
        pytest.param("http://a..invalid", id="an empty label"),
    ],
)
async def test_an_address_that_cannot_be_is_told_as_such(tmp_path: Path, base: str) -> None:
    async with live(write_capability(tmp_path, WRITE), base_uris={"api": base}) as units:
        error = await failure(units["act"])
    assert told(error) == ("upstream-unreachable", "not-sent", True)


STATUSES = [
    pytest.param(400, {}, "upstream-refused", "refused", id="400"),
    pytest.param(401, {}, "upstream-credentials", "refused", id="401"),
    pytest.param(404, {}, "upstream-refused", "refused", id="404"),
    pytest.param(409, {}, "upstream-refused", "refused", id="409"),
    pytest.param(429, {"Retry-After": "1"}, "upstream-busy", "refused", id="429"),
    pytest.param(500, {}, "upstream-failed", "unknown", id="500"),
    pytest.param(502, {}, "upstream-failed", "unknown", id="502"),
    pytest.param(503, {}, "upstream-failed", "unknown", id="503"),
    pytest.param(503, {"Retry-After": "1"}, "upstream-busy", "unknown", id="503 that says when"),
    pytest.param(504, {}, "upstream-failed", "unknown", id="504"),
    pytest.param(302, {"Location": "/b"}, "upstream-redirect", "unknown", id="302"),
    pytest.param(303, {"Location": "/b"}, "upstream-redirect", "unknown", id="303"),
    pytest.param(307, {"Location": "/b"}, "upstream-redirect", "refused", id="307"),
]


@pytest.mark.parametrize(("text", "arguments", "repeatable"), CALLS)
@pytest.mark.parametrize(("status", "headers", "code", "outcome"), STATUSES)
async def test_a_status_of_failure_keeps_all_the_upstream_said(
    tmp_path: Path, text: str, arguments: dict[str, Any], repeatable: Any,
    status: int, headers: dict[str, str], code: str, outcome: str,
) -> None:  # fmt: skip
    async with wired(tmp_path, text) as (upstream, unit):
        upstream.then(reply(status, "<h1>no</h1>", content_type="text/html", headers=headers))
        error = await failure(unit, arguments)
        assert told(error) == (code, outcome, repeatable or outcome == "refused")
        assert isinstance(error, UpstreamRefused)
        assert (error.status, error.body, error.media_type) == (status, b"<h1>no</h1>", "text/html")
        assert dict(error.headers) == headers
        assert len(upstream.requests) == 1


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with RecordingUpstream() as elsewhere, wired(tmp_path, READ) as (upstream, unit):
        upstream.then(reply(302, headers={"Location": elsewhere.url}))
        assert (await failure(unit)).code == "upstream-redirect"
        assert elsewhere.requests == []
        assert len(upstream.requests) == 1


async def test_a_long_error_body_is_kept_from_its_beginning(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.then(reply(500, b"x" * 300_000))
        error = await failure(unit)
        assert isinstance(error, UpstreamRefused)
        assert error.body == b"x" * 64 * 1024
        assert in_use(unit) == 0


async def test_an_error_body_that_breaks_off_does_not_hide_the_status(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.then(reply(422, b'{"why": "because', headers={"Content-Length": "99"}, then="close"))
        error = await failure(unit)
        assert isinstance(error, UpstreamRefused)
        assert (error.status, error.body) == (422, b'{"why": "because')


# --- waits


async def test_a_slow_drip_is_bounded_by_the_time_of_the_whole_call(tmp_path: Path) -> None:
    settings = replace(QUICK, read_timeout_seconds=1.0, total_timeout_seconds=0.4)
    async with wired(tmp_path, WRITE, settings=settings) as (upstream, unit):
        upstream.then(Raw((HEAD + b"Content-Length: 99\r\n\r\n", *([0.05, b"x"] * 60))))
        assert told(await failure(unit)) == ("upstream-timeout", "done", False)


async def test_waiting_for_a_free_connection_is_bounded_and_sends_nothing(tmp_path: Path) -> None:
    settings = replace(QUICK, max_connections=1, connect_timeout_seconds=0.1, read_timeout_seconds=2.0)
    async with wired(tmp_path, WRITE, settings=settings) as (upstream, unit):
        gate = asyncio.Event()

        async def wait(_: Any) -> Raw:
            await gate.wait()
            return reply(data={})

        upstream.then(wait)
        first = asyncio.create_task(unit.call({}))
        await upstream.wait_for(lambda u: len(u.requests) == 1)
        error = await failure(unit)
        assert isinstance(error, UpstreamTimeout)
        assert told(error) == ("upstream-timeout", "not-sent", True)
        gate.set()
        assert await body_of(await first) == b"{}"
        assert len(upstream.requests) == 1


async def test_a_tls_handshake_that_hangs_is_bounded_and_sends_nothing(tmp_path: Path) -> None:
    settings = replace(QUICK, connect_timeout_seconds=0.2)
    path = write_capability(tmp_path, WRITE)
    async with RecordingUpstream() as upstream:  # it waits for the end of a request line that never comes
        url = upstream.url.replace("http:", "https:")
        async with live(path, base_uris={"api": url}, settings=settings) as units:
            assert told(await failure(units["act"])) == ("upstream-timeout", "not-sent", True)


# --- bodies


@pytest.mark.parametrize(("encoding", "encode"), [("gzip", gzip.compress), ("br", brotli.compress)], ids=["gzip", "br"])
async def test_an_encoded_answer_is_decoded(tmp_path: Path, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    content = b'{"a": [' + b'"text", ' * 40_000 + b"1]}"
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.then(reply(200, encode(content), headers={"Content-Encoding": encoding}))
        assert await body_of(await unit.call({})) == content
        assert upstream.last.header("Accept-Encoding") == "gzip, deflate, br, zstd"


async def test_what_is_parsed_and_what_is_streamed_have_limits_of_their_own(tmp_path: Path) -> None:
    settings = replace(QUICK, max_parsed_bytes=1000, max_streamed_bytes=2000)
    long = b'{"ok": "' + b"x" * 1200 + b'"}'
    async with wired(tmp_path, MAPPED, settings=settings) as (upstream, unit):
        upstream.then(reply(201, long))
        assert told(await failure(unit)) == ("answer-too-large", "done", False)
    async with wired(tmp_path, WRITE, settings=settings) as (upstream, unit):
        upstream.then(reply(201, long))
        assert await body_of(await unit.call({}), settings.max_streamed_bytes) == long


async def test_a_large_answer_is_streamed_without_being_gathered(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.then(chunked(b"a" * 1000, b"b" * 1000, pause=0.1))
        answer = await unit.call({})
        assert answer.response is not None
        pieces = [piece async for piece in answer.response.pieces(10_000)]
    assert len(pieces) > 1
    assert b"".join(pieces) == b"a" * 1000 + b"b" * 1000


# --- connections


async def test_connections_are_used_again(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        for _ in range(5):
            await body_of(await unit.call({}))
        assert (len(upstream.requests), upstream.connections) == (5, 1)


@pytest.mark.parametrize("status", [201, 204])
async def test_an_answer_without_a_body_gives_its_connection_back(tmp_path: Path, status: int) -> None:
    async with wired(tmp_path, MAPPED) as (upstream, unit):
        upstream.always = reply(status, headers={"Location": "/things/7"})
        for _ in range(3):
            answer = await unit.call({})
            assert (answer.status, answer.empty, answer.headers) == (status, True, (("Location", "/things/7"),))
        assert upstream.connections == 1


async def test_an_error_gives_its_connection_back(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.always = reply(404, "no")
        for _ in range(3):
            await failure(unit)
        assert upstream.connections == 1


SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG"


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + SECOND,), id="at once"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none", 0.05, SECOND), id="later"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none", 0.05, SECOND[:20]), id="half of it"),
        pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 0.05, b"one" + SECOND), id="with the body"),
        pytest.param((b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n" + SECOND,), id="after no content"),
    ],
)
async def test_an_answer_nobody_asked_for_is_never_taken_for_the_next_one(tmp_path: Path, pieces: Any) -> None:
    async with wired(tmp_path, WRITE) as (upstream, unit):
        upstream.then(Raw(pieces, "keep"))
        assert await body_of(await unit.call({})) in (b"one", b"")
        await asyncio.sleep(0.1)
        assert await body_of(await unit.call({})) == OK
        assert (len(upstream.requests), upstream.connections) == (2, 2)


async def test_a_caller_who_leaves_takes_the_connection_along(tmp_path: Path) -> None:
    for text in (READ, MAPPED):
        async with wired(tmp_path, text, settings=replace(QUICK, read_timeout_seconds=5.0)) as (upstream, unit):
            for answer in (HANG, Raw((HEAD + b"Content-Length: 99\r\n\r\n{",), "hang"), Raw(
                (b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\n{",), "hang")):  # fmt: skip
                if text is READ and answer is not HANG:
                    continue
                upstream.then(answer)
                before = len(upstream.requests)
                call = asyncio.create_task(unit.call({}))
                await upstream.wait_for(lambda u, n=before: len(u.requests) > n)  # type: ignore[misc]
                await asyncio.sleep(0.05)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await upstream.wait_for(lambda u: u.open_connections == 0)


# --- nothing twice


async def stale(unit: LiveUnit, upstream: RecordingUpstream) -> None:
    """A first call, whose connection goes to the pool; the next request on it is met by its end."""
    await body_of(await unit.call({}))
    upstream.then(CLOSE)


async def test_a_read_on_a_connection_that_went_stale_is_repeated_once(tmp_path: Path) -> None:
    async with wired(tmp_path, READ) as (upstream, unit):
        await stale(unit, upstream)
        assert await body_of(await unit.call({})) == OK
        assert [r.connection for r in upstream.requests] == [1, 1, 2]
        upstream.always = CLOSE
        await failure(unit)
        assert len(upstream.requests) == 5


@pytest.mark.parametrize("end", [CLOSE, RESET, HANG], ids=["closed", "reset", "hanging"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_that_has_an_effect_is_sent_twice(tmp_path: Path, method: str, end: Raw) -> None:
    settings = replace(QUICK, read_timeout_seconds=0.15)
    async with wired(tmp_path, capability_text(method, "/things", inputs=[KEY]), settings=settings) as (upstream, unit):
        upstream.then(end)
        assert told(await failure(unit))[1:] == ("unknown", False)
        await body_of(await unit.call({}))
        upstream.then(end)
        assert told(await failure(unit, {"Idempotency-Key": "k"}))[1:] == ("unknown", True)
        assert len(upstream.requests) == 3


@pytest.mark.parametrize("effect", ["write", "money", "irreversible"])
async def test_a_get_that_its_author_says_has_an_effect_is_not_repeated(tmp_path: Path, effect: str) -> None:
    async with wired(tmp_path, capability_text("GET", "/fire", effect=effect)) as (upstream, unit):
        await stale(unit, upstream)
        assert told(await failure(unit)) == ("upstream-broken", "unknown", False)
        assert len(upstream.requests) == 2


# --- headers


async def test_headers_that_tell_how_to_go_on_are_passed_and_no_others(tmp_path: Path) -> None:
    passed = {
        "Location": "/orders/1", "Capture-Id": "c-1", "X-Request-ID": "r-1", "Retry-After": "5", "ETag": '"e"',
        "X-RateLimit-Remaining": "3", "Link": "</next>; rel=next", "Content-Disposition": "attachment; filename=a.pdf",
    }  # fmt: skip
    held = {"Set-Cookie": "a=b", "Server": "x", "X-Internal": "y", "Connection": "keep-alive",
            "Strict-Transport-Security": "max-age=1", "Access-Control-Allow-Origin": "*"}  # fmt: skip
    async with wired(tmp_path, READ) as (upstream, unit):
        upstream.then(reply(200, OK, headers={**passed, **held}))
        answer = await unit.call({})
        await body_of(answer)
    got = {name.lower(): value for name, value in answer.headers}
    assert got == {name.lower(): value for name, value in passed.items()}


async def test_cookies_of_the_upstream_are_not_kept(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:  # by name: jars keep nothing of bare addresses anyway
        base = upstream.url.replace("127.0.0.1", "localhost")
        async with live(write_capability(tmp_path, READ), base_uris={"api": base}) as units:
            upstream.then(reply(200, OK, headers={"Set-Cookie": "session=s; Path=/"}))
            await body_of(await units["act"].call({}))
            await body_of(await units["act"].call({}))
        assert upstream.last.header("Cookie") is None


async def test_netrc_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password from-netrc\ndefault login me password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with wired(tmp_path, READ) as (upstream, unit):
        await body_of(await unit.call({}))
        assert upstream.last.header("Authorization") is None


async def test_a_request_carries_what_was_declared_and_little_else(tmp_path: Path) -> None:
    inputs = [{"name": "X-Tenant", "in": "header", "type": "string"}, {"name": "Accept", "in": "header",
              "type": "string", "value": "text/csv"}, {"name": "s", "in": "cookie", "type": "string"}]  # fmt: skip
    async with wired(tmp_path, capability_text("POST", "/things", inputs=inputs)) as (upstream, unit):
        await body_of(await unit.call({"X-Tenant": "t 1", "s": "c"}))
        names = [name for name, _ in upstream.last.headers]
        assert sorted(names) == sorted(
            ["Host", "User-Agent", "Accept", "Accept-Encoding", "X-Tenant", "Cookie", "Content-Length"]
        )
        assert upstream.last.all("accept") == ["text/csv"]
        assert upstream.last.header("Cookie") == "s=c"


async def test_a_url_is_sent_as_it_was_built(tmp_path: Path) -> None:
    async with wired(tmp_path, capability_text("GET", "/things/{id}")) as (upstream, unit):
        await body_of(await unit.call({"id": "a/b?c=d&e%2F é+~"}))
        assert upstream.last.target == "/things/a%2Fb%3Fc%3Dd%26e%252F%20%C3%A9%2B~"


def test_a_request_shows_no_credential() -> None:
    from capstan.plan.request import HttpRequest

    shown = repr(
        HttpRequest("POST", "https://h/x?key=tops3cret", (("Authorization", "Bearer tops3cret"),), b"tops3cret")
    )
    assert "tops3cret" not in shown
    assert "POST" in shown
