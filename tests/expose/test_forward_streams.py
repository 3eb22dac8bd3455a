"""Bodies that stream through a forward: as fast as the slower side, bounded, and honest where they break off."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from expose.forwarding import Caller, forwarding, head, narrow, passing, served
from support import CLOSE, QUICK, Raw, RecordingUpstream, reply

MEGABYTE = 1024**2
# What may be under way between two ends: buffers of ours, and of the one socket that nobody narrows.
UNDER_WAY = 10 * MEGABYTE


class Origin:
    """An upstream that reads and writes only as a test says."""

    def __init__(self, port: int, taken: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._taken = taken

    async def take(self) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """The next connection, once the head of its request has come."""
        async with asyncio.timeout(5):
            reader, writer = await self._taken.get()
            return await reader.readuntil(b"\r\n\r\n"), reader, writer


@asynccontextmanager
async def origin() -> AsyncIterator[Origin]:
    taken: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    writers = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await taken.put((reader, writer))

    listening = socket.socket()
    narrow(listening)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(accept, sock=listening, limit=64 * 1024)
    try:
        yield Origin(server.sockets[0].getsockname()[1], taken)
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def standing(tmp_path: Path, api: str = "", **changed: Any) -> AsyncIterator[tuple[Origin, Caller]]:
    settings = replace(QUICK, **{"read_timeout_seconds": 5.0, "total_timeout_seconds": 20.0, **changed})
    texts = [forwarding(api=api)]
    async with origin() as upstream, served(tmp_path, texts, {"shop": upstream.url}, settings) as caller:
        yield upstream, caller


async def fill(writer: asyncio.StreamWriter, piece: bytes, most: int, quiet: float = 0.5) -> int:
    """Write until nobody takes more, or `most` is written; how much that was."""
    written = 0
    while written < most:
        writer.write(piece)
        try:
            await asyncio.wait_for(writer.drain(), quiet)
        except TimeoutError:
            break
        written += len(piece)
    return written


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_twenty_megabytes_go_up_no_faster_than_they_are_taken(framing: str, tmp_path: Path) -> None:
    size, piece = 20 * MEGABYTE, bytes(range(256)) * 256
    count, sent = size // len(piece), hashlib.sha256()
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        narrow(writer.get_extra_info("socket"))
        headers = [("Content-Length", str(size))] if framing == "length" else [("Transfer-Encoding", "chunked")]
        framed = piece if framing == "length" else b"%x\r\n%s\r\n" % (len(piece), piece)
        writer.write(head("/shop/up", "PUT", headers) + framed)
        top, origin_reader, origin_writer = await upstream.take()
        assert (b"Content-Length: %d" % size in top) == (framing == "length")
        stuck = len(framed) + await fill(writer, framed, (count - 1) * len(framed))
        assert stuck < UNDER_WAY < size

        async def rest() -> None:
            for _ in range(count - stuck // len(framed) - 1):
                writer.write(framed)
                await writer.drain()
            writer.write(b"" if framing == "length" else b"0\r\n\r\n")

        task = asyncio.create_task(rest())
        received = await read_body(origin_reader, size if framing == "length" else None)
        await task
        origin_writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201")
        for _ in range(count):
            sent.update(piece)
        assert received == sent.hexdigest()
        writer.close()


async def read_body(reader: asyncio.StreamReader, length: int | None) -> str:
    """The digest of a body that is as long as said, or in chunks."""
    found = hashlib.sha256()
    async with asyncio.timeout(20):
        while length is None:
            size = int(await reader.readline(), 16)
            found.update(await reader.readexactly(size))
            await reader.readline()
            if not size:
                return found.hexdigest()
        while length:
            piece = await reader.read(length)
            assert piece
            found.update(piece)
            length -= len(piece)
    return found.hexdigest()


async def test_twenty_megabytes_come_down_no_faster_than_they_are_taken(tmp_path: Path) -> None:
    size, piece = 20 * MEGABYTE, bytes(range(256)) * 256
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        narrow(writer.get_extra_info("socket"))
        writer.write(head("/shop/down"))
        _, _, origin_writer = await upstream.take()
        origin_writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        stuck = await fill(origin_writer, piece, size)
        assert stuck < UNDER_WAY < size

        async def rest() -> None:
            for _ in range(size // len(piece) - stuck // len(piece) - 1):
                origin_writer.write(piece)
                await origin_writer.drain()

        task = asyncio.create_task(rest())
        top = await reader.readuntil(b"\r\n\r\n")
        assert b"content-length: %d" % size in top
        received = await read_body(reader, size)
        await task
        assert received == hashlib.sha256(piece * (size // len(piece))).hexdigest()
        writer.close()


async def test_a_piece_is_given_on_when_it_comes_though_it_may_hold_a_secret(tmp_path: Path) -> None:
    api = "authentication: {type: bearer, token: '{{TOKEN}}'}"
    async with standing(tmp_path, api=api) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/events"))
        _, _, origin_writer = await upstream.take()
        origin_writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            for number in range(3):
                event = b"data: %d\n\n" % number
                origin_writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                await reader.readuntil(event)
        writer.close()


async def test_an_answer_may_come_before_the_request_is_complete(tmp_path: Path) -> None:
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/up", "POST", [("Content-Length", str(MEGABYTE))]) + b"x" * 1000)
        _, _, origin_writer = await upstream.take()
        origin_writer.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"no!")
        assert got.startswith(b"HTTP/1.1 413")
        writer.close()


async def test_after_an_early_answer_the_connection_takes_the_next_request(tmp_path: Path) -> None:
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/up", "POST", [("Content-Length", str(MEGABYTE))]) + b"x" * 100_000)
        _, _, first = await upstream.take()
        first.write(b"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!")
        async with asyncio.timeout(5):
            await reader.readuntil(b"no!")
        writer.write(b"x" * (MEGABYTE - 100_000) + head("/shop/next"))
        _, _, second = await upstream.take()
        second.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
        async with asyncio.timeout(5):
            await reader.readuntil(b"yes")
        writer.close()


async def test_both_bodies_may_be_under_way_at_once(tmp_path: Path) -> None:
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/talk", "POST", [("Transfer-Encoding", "chunked")]) + b"3\r\none\r\n")
        _, origin_reader, origin_writer = await upstream.take()
        origin_writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.readuntil(b"\r\n\r\n")
            for word in (b"one", b"two", b"six"):
                await origin_reader.readuntil(word)
                origin_writer.write(b"5\r\n<%s>\r\n" % word)
                await reader.readuntil(b"<%s>" % word)
                following = {b"one": b"two", b"two": b"six"}.get(word)
                writer.write(b"3\r\n%s\r\n" % following if following else b"0\r\n\r\n")
            await origin_reader.readuntil(b"0\r\n\r\n")
            origin_writer.write(b"0\r\n\r\n")
            await reader.readuntil(b"0\r\n\r\n")
        writer.close()


async def test_an_api_that_takes_nothing_more_is_given_up_in_time(tmp_path: Path) -> None:
    async with standing(tmp_path, total_timeout_seconds=1.0) as (upstream, caller):
        reader, writer = await caller.connect()
        narrow(writer.get_extra_info("socket"))
        writer.write(head("/shop/up", "POST", [("Content-Length", str(20 * MEGABYTE))]) + b"x" * 1000)
        await upstream.take()
        sending = asyncio.create_task(fill(writer, b"x" * 65536, 20 * MEGABYTE - 65536, quiet=5.0))
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"}\n")
        sending.cancel()
        writer.transport.abort()
    assert got.startswith(b"HTTP/1.1 504")
    assert b'"outcome": "unknown"' in got


# --- limits


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_that_is_too_large_is_refused(framing: str, tmp_path: Path) -> None:
    body = b"x" * 300_000
    headers: list[tuple[str, str]] = []
    if framing == "chunked":
        headers, body = [("Transfer-Encoding", "chunked")], b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    async with passing(tmp_path, forwarding(), max_streamed_bytes=200_000) as (upstream, caller):
        got = await caller.send("/shop/a", "POST", headers, body)
    assert (got.status, b"request-too-large" in got.body) == (413, True)
    assert (b"not-sent" in got.body) == (framing == "length")
    assert not upstream.requests  # none that is complete


async def test_an_answer_that_is_too_large_is_refused_where_its_length_is_known(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding(), max_streamed_bytes=200_000) as (upstream, caller):
        upstream.then(reply(200, b"x" * 200_001), Raw((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 300_000)))
        known = await caller.send("/shop/a")
        cut = await caller.send("/shop/a")
    assert (known.status, b"answer-too-large" in known.body) == (502, True)
    assert (cut.status, cut.complete, len(cut.body) <= 200_000) == (200, False, True)


# --- who leaves


async def test_a_caller_who_leaves_in_the_midst_of_a_body_leaves_the_request_incomplete(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capstan.call")
    async with standing(tmp_path) as (upstream, caller):
        _, writer = await caller.connect()
        writer.write(head("/shop/up", "POST", [("Transfer-Encoding", "chunked")]) + b"3\r\nabc\r\n")
        _, reader, _ = await upstream.take()
        await reader.readuntil(b"abc\r\n")
        writer.transport.abort()
        async with asyncio.timeout(5):
            assert await reader.read() == b""  # and no last chunk, which would make it look whole
        await logged(caplog)
    assert caplog.messages[0].endswith("[client-gone, unknown]")


async def test_a_caller_who_leaves_a_short_body_has_reached_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capstan.call")
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        _, writer = await caller.connect()
        writer.write(head("/shop/a", "POST", [("Content-Length", "9")]) + b"abc")
        await writer.drain()
        await asyncio.sleep(0.05)  # so that the request is begun
        writer.transport.abort()
        await logged(caplog)
    assert caplog.messages[0].endswith("[client-gone, not-sent]")
    assert upstream.connections == 0


async def test_a_read_whose_body_streamed_away_is_not_sent_again(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.always = CLOSE
        got = await caller.send("/shop/a", "GET", [("Transfer-Encoding", "chunked")], b"1\r\na\r\n0\r\n\r\n")
    assert (got.status, b'"retry_safe": false' in got.body) == (502, True)
    assert [request.body for request in upstream.requests] == [b"a"]


async def logged(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(5):
        while not caplog.messages:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)


async def test_an_answer_whose_caller_has_left_is_not_read_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capstan.call")
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/events"))
        _, origin_reader, origin_writer = await upstream.take()
        origin_writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        await reader.readuntil(b"ab")
        writer.transport.abort()
        async with asyncio.timeout(3):
            assert await origin_reader.read() == b""
        await logged(caplog)
    assert "client-gone, done" in caplog.messages[0]


async def test_an_api_that_dies_in_the_midst_of_a_request_is_told(tmp_path: Path) -> None:
    async with standing(tmp_path) as (upstream, caller):
        reader, writer = await caller.connect()
        writer.write(head("/shop/up", "POST", [("Content-Length", str(MEGABYTE))]) + b"x" * 70_000)
        _, _, origin_writer = await upstream.take()
        origin_writer.transport.abort()
        await fill(writer, b"x" * 1000, MEGABYTE - 70_000)
        async with asyncio.timeout(5):
            got = await reader.readuntil(b"}\n")
        writer.close()
    assert got.startswith(b"HTTP/1.1 502")
    assert b"upstream-broken" in got
    assert b'"outcome": "unknown"' in got


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_an_answer_that_breaks_off_breaks_off_here_too(framing: str, tmp_path: Path) -> None:
    pieces = (f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode(), b"2\r\nab\r\n")
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(Raw(pieces, "close"))
        got = await caller.send("/shop/a")
    assert (got.status, got.complete) == (200, False)


async def test_a_short_answer_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    async with passing(tmp_path, forwarding()) as (upstream, caller):
        upstream.then(Raw((b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",), "close"))
        got = await caller.send("/shop/a", "POST")
    assert (got.status, b"upstream-broken" in got.body, b'"done"' in got.body) == (502, True, True)


async def test_a_stand_in_gets_what_streams_and_keeps_the_host(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        settings = replace(QUICK, stand_ins={"shop.example": upstream.url})
        async with served(tmp_path, [forwarding()], {"shop": "https://shop.example/v1"}, settings) as caller:
            got = await caller.send("/shop/a", "PUT", body=b"x" * 100_000)
    assert (got.status, upstream.last.target, upstream.last.header("host")) == (200, "/v1/a", "shop.example")
    assert len(upstream.last.body) == 100_000


# --- credentials that take two requests


async def test_a_streamed_body_goes_once_where_digest_wants_a_challenge_first(tmp_path: Path) -> None:
    api = "authentication: {type: digest, username: u, password: '{{TOKEN}}'}"
    challenge = reply(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    body = b"x" * 100_000
    async with passing(tmp_path, forwarding(api=api)) as (upstream, caller):
        upstream.then(challenge, reply(200, b"1"), challenge, reply(200, b"2"))
        first = await caller.send("/shop/a", "PUT", body=body)
        stale = await caller.send("/shop/a", "PUT", body=body)
        again = await caller.send("/shop/a", "PUT", body=body)
    assert [request.method for request in upstream.requests] == ["HEAD", "PUT", "PUT", "PUT"]
    assert [len(request.body) for request in upstream.requests] == [0, 100_000, 100_000, 100_000]
    assert all("Digest" in str(request.header("authorization")) for request in upstream.requests[1:])
    assert (first.status, stale.status, again.status) == (200, 502, 200)
    assert b"upstream-credentials" in stale.body
    assert b'"retry_safe": true' in stale.body


async def test_a_short_body_is_sent_again_with_what_digest_asks_for(tmp_path: Path) -> None:
    api = "authentication: {type: digest, username: u, password: '{{TOKEN}}'}"
    async with passing(tmp_path, forwarding(api=api)) as (upstream, caller):
        upstream.then(reply(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}))
        got = await caller.send("/shop/a", "PUT", body=b"short")
    assert (got.status, [request.body for request in upstream.requests]) == (200, [b"short", b"short"])


@pytest.mark.parametrize(("method", "sent", "status"), [("GET", 2, 200), ("POST", 1, 502)])
async def test_a_fetched_token_goes_along_and_is_renewed_for_a_read(
    method: str, sent: int, status: int, tmp_path: Path
) -> None:
    async with RecordingUpstream(reply(data={"access_token": "fetched-token", "expires_in": 900})) as login:
        api = f"authentication: {{type: oauth2, tokenUri: '{login.url}', clientId: i, clientSecret: '{{{{TOKEN}}}}'}}"
        async with passing(tmp_path, forwarding(api=api)) as (upstream, caller):
            upstream.then(reply(200, b"fetched-token"), reply(401))
            first = await caller.send("/shop/a", method)
            second = await caller.send("/shop/a", method, body=b"" if method == "GET" else b"x" * 100_000)
    assert (first.status, first.body, second.status) == (200, b"*************", status)
    assert len(upstream.requests) == 1 + sent
    assert all(request.header("authorization") == "Bearer fetched-token" for request in upstream.requests)
