"""Requests that are passed through, as ASGI: which forward they fall to, and bodies that stream both ways.

Routes of operations go first; what they leave falls to the forward whose path is the longest.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Final

from capstan.call.forward import LiveForward, Upload, fault_of
from capstan.call.problem import internal_problem, problem_of, status_of
from capstan.call.upstream import UpstreamResponse
from capstan.errors import BindError, CallError, UpstreamError, UpstreamRefused
from capstan.expose.asgi import (
    ABSOLUTE_TARGET,
    NOSNIFF,
    WITHOUT_CONTENT,
    RawHeaders,
    Receive,
    Scope,
    Send,
    raw_headers,
    respond,
    respond_problem,
    sandboxing,
    start,
)
from capstan.expose.calllog import log_fault_of, log_read
from capstan.plan.request import HttpRequest, effect_of
from capstan.settings import Settings

_BUFFERED_BYTES: Final = 64 * 1024  # a shorter body, where its length is known, goes as a whole
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NEVER: Final = frozenset({"TRACE", "CONNECT"})  # TRACE would answer with our credentials


class Forwards:
    """The forwards of one port, found by their literal segments."""

    def __init__(self, forwards: Iterable[LiveForward]) -> None:
        self._exact: dict[tuple[str, ...], LiveForward] = {}
        self._below: dict[tuple[str, ...], LiveForward] = {}
        for live in forwards:
            (self._below if live.plan.takes_rest else self._exact)[live.plan.prefix] = live
        self._longest = max(map(len, self._below), default=0)

    def find(self, segments: Sequence[str]) -> tuple[LiveForward, int] | None:
        """The forward that takes a path, and how many of its segments it has used up."""
        path = tuple(segments)
        if (exact := self._exact.get(path)) is not None:
            return exact, len(path)
        for length in range(min(self._longest, len(path) - 1), -1, -1):
            live = self._below.get(path[:length])
            if live is not None and any(path[length:]):
                return live, length
        return None


def allowed_methods(live: LiveForward) -> set[str]:
    """What to say of a path whose method an operation has taken."""
    return set(_METHODS - _taken(live))


def takes(live: LiveForward, method: str) -> bool:
    return method not in _NEVER and method not in _taken(live)


def _taken(live: LiveForward) -> frozenset[str]:
    return live.plan.taken | {"HEAD"} if "GET" in live.plan.taken else live.plan.taken


async def serve_forward(
    live: LiveForward, used: int, scope: Scope, receive: Receive, send: Send, settings: Settings
) -> None:
    """Answer one request with what the consumed API answers to it."""
    started = time.perf_counter()
    method: str = scope["method"]
    name = f"{method} {live.plan.path}"
    head = method == "HEAD"
    error: CallError | None = None
    passing = _Passing(live, send, receive, settings)
    try:
        request = await _request(live, used, scope, receive, settings)
        await passing.run(request, head=head)
    except CallError as caught:
        error = caught
        if passing.status is None:
            passing.status = status_of(caught)
            headers = raw_headers(caught.headers) if isinstance(caught, UpstreamRefused) else []
            await respond_problem(send, passing.status, problem_of(caught), headers, head=head)
    except Exception as fault:  # noqa: BLE001 - the outermost edge
        log_fault_of("rest", name, fault)
        if passing.status is None:
            passing.status = 500
            await respond_problem(send, 500, internal_problem(), head=head)
    finally:
        log_read("rest", name, effect_of(method), passing.status or 500, started, error)


async def _request(live: LiveForward, used: int, scope: Scope, receive: Receive, settings: Settings) -> HttpRequest:
    """The request as it goes on. Everything is checked before a byte of the body is asked for."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    parts = raw.partition(b"?")[0][1:].split(b"/")[used:] if live.plan.takes_rest else []
    headers = scope["headers"]
    if any(key == b"sec-websocket-key" for key, _ in headers):
        raise BindError("no-upgrade", "what is forwarded stays HTTP: there are no WebSockets here", status=501)
    if ABSOLUTE_TARGET in scope.get("extensions", ()):
        raise BindError("bad-argument", "the request names a host, and what is forwarded goes where the file says")
    body = _body(headers, receive, settings.max_streamed_bytes)
    request = live.bind(scope["method"], parts, scope["query_string"], headers, body)
    if not isinstance(body, Upload) or body.length is None or body.length > _BUFFERED_BYTES:
        return request
    return replace(request, headers=_without_length(request.headers), body=await body.read())


def _without_length(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(header for header in headers if header[0] != "Content-Length")  # a whole body has its own


def _body(headers: RawHeaders, receive: Receive, limit: int) -> Upload | bytes | None:
    """The body of a request, which may be empty; None when there is none."""
    length: int | None = None
    chunked = False
    for key, value in headers:
        if key == b"content-length" and value.isdigit():
            length = int(value)
        elif key == b"transfer-encoding":
            if value.strip().lower() != b"chunked":  # whoever takes the chunks apart would have to decode the rest
                raise BindError("unsupported-coding", "the only transfer coding that is taken is 'chunked'", status=501)
            chunked = True
    if not chunked and not length:
        return None if length is None else b""
    if length is not None and length > limit:
        raise BindError("request-too-large", f"the request body is larger than {limit:,} bytes", status=413)

    async def piece() -> tuple[bytes, bool] | None:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        return message.get("body", b""), message.get("more_body", False)

    return Upload(piece, None if chunked else length, limit)


class _Passing:
    """One request on its way; `status` is what the caller has been told, once it has."""

    def __init__(self, live: LiveForward, send: Send, receive: Receive, settings: Settings) -> None:
        self._live, self._send, self._receive, self._settings = live, send, receive, settings
        self.status: int | None = None

    async def run(self, request: HttpRequest, *, head: bool) -> None:
        response = await self._live.send(request)
        try:
            await self._answer(request, response, head=head)
        except UpstreamError as error:
            if (fault := fault_of(request)) is not None:
                raise fault from error
            raise
        finally:
            response.close()

    async def _answer(self, request: HttpRequest, response: UpstreamResponse, *, head: bool) -> None:
        headers = raw_headers(self._live.headers_of(response))
        headers += [NOSNIFF, *sandboxing(response.media_type)]
        length = response.content_length
        if head or response.status in WITHOUT_CONTENT:
            await self._start(response.status, headers, length if head or response.status == 304 else None)
            await self._send({"type": "http.response.body", "body": b""})
            return
        limit = self._settings.max_streamed_bytes
        if length is not None and length > limit:
            name = self._live.plan.call.api.namespace
            raise UpstreamError(
                "answer-too-large", f"'{name}' answers with more than {limit:,} bytes",
                outcome="done" if response.status < 300 else "unknown",
                retry_safe=effect_of(request.method) == "read",
            )  # fmt: skip
        if length is not None and length <= _BUFFERED_BYTES:
            body = await response.read(limit)
            self.status = response.status
            await respond(self._send, response.status, headers, body)
            return
        pieces = response.pieces(limit)
        # What cannot be decoded shows at the first piece, while there is still time to say so.
        first = await anext(pieces, b"") if response.is_encoded else b""
        await self._start(response.status, headers, length)
        await self._stream(request, response, first, pieces)

    async def _start(self, status: int, headers: RawHeaders, length: int | None) -> None:
        self.status = status
        await start(self._send, status, headers, length)

    async def _stream(
        self, request: HttpRequest, response: UpstreamResponse, first: bytes, pieces: AsyncIterator[bytes]
    ) -> None:
        """Give the body on as it comes, for as long as somebody takes it.

        An answer that breaks off is left incomplete: the server cuts the connection then, which is the truth.
        """
        sending = isinstance(request.body, Upload) and not request.body.complete
        watch = None if sending else asyncio.create_task(self._close_when_gone(response))
        try:
            if first:
                await self._send({"type": "http.response.body", "body": first, "more_body": True})
            async for piece in pieces:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except UpstreamError as error:
            if watch is not None and watch.done():
                left = "the caller closed the connection before the answer was complete"
                raise BindError("client-gone", left, error.outcome, error.retry_safe) from error
            raise
        finally:
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _close_when_gone(self, response: UpstreamResponse) -> None:
        """Nobody reads the rest of an answer whose caller has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        response.close()
