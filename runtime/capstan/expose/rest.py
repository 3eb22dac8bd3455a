"""Plan -> REST, as a plain ASGI application: routes to units, requests to arguments, answers to responses."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from capstan.call.problem import broken_off, internal_problem, problem_of, refusal, status_of
from capstan.call.unit import Answer, LiveUnit
from capstan.call.upstream import UpstreamResponse
from capstan.errors import BindError, CallError, UpstreamError, UpstreamRefused
from capstan.expose.arguments import ArgumentReader
from capstan.expose.asgi import (
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
from capstan.expose.calllog import log_call, log_fault, log_refusal
from capstan.expose.forward import Forwards, allowed_methods, serve_forward, takes
from capstan.expose.router import Router
from capstan.plan.body import to_json
from capstan.plan.types import RestOperationPlan
from capstan.settings import Settings

Page = Callable[[], tuple[bytes, bytes]]  # media type and content, made when first asked for

_BUFFERED_BYTES: Final = 64 * 1024  # a longer answer is streamed
_JSON: Final = b"application/json"
_COMPARED: Final = 100  # characters of a path that is not there; who sends more has not mistyped


class RestUnit:
    """One operation behind one route."""

    __slots__ = ("json_type", "live", "plan", "reader")

    def __init__(self, plan: RestOperationPlan, live: LiveUnit) -> None:
        self.plan = plan
        self.live = live
        self.reader = ArgumentReader(plan.unit, tuple(name for s in plan.segments for name in s.inputs))
        said = plan.replies.media_type if plan.replies is not None else None
        self.json_type = said.encode("latin-1", "replace") if said is not None else _JSON  # of JSON that is made here


class RestApp:
    """The routes of one port."""

    def __init__(
        self,
        units: list[RestUnit],
        settings: Settings,
        pages: Mapping[str, Page],
        elsewhere: Sequence[str] = (),
        forwards: Forwards | None = None,
    ) -> None:
        self._router: Router[RestUnit] = Router()
        self._settings = settings
        self._pages = pages  # a declared route of the same path goes first
        self._elsewhere = elsewhere
        self._forwards = forwards
        for unit in units:
            self._router.add(unit.plan.method, unit.plan.segments, unit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        segments = _segments(scope)
        found, values = self._router.find(segments) if segments is not None else ({}, [])
        unit = found.get(method) or (found.get("GET") if method == "HEAD" else None)
        if unit is not None:
            await self._serve(unit, values, scope, receive, send, head=method == "HEAD")
        else:
            await self._otherwise(segments, set(found), scope, receive, send)

    async def _otherwise(
        self, segments: list[str] | None, allowed: set[str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A request that no operation takes: of a page of ours, of a forward, or a mistake."""
        method, head = scope["method"], scope["method"] == "HEAD"
        page = self._pages.get(scope["path"])
        forward = self._forwards.find(segments) if segments is not None and self._forwards is not None else None
        # A forward of all that is below a path says less of this one than the page does.
        if page is not None and method in ("GET", "HEAD") and (forward is None or forward[0].plan.takes_rest):
            media_type, content = page()
            await respond(send, 200, [(b"content-type", media_type), NOSNIFF], content, head=head)
            return
        if forward is not None:
            live, used = forward
            if takes(live, method):
                await serve_forward(live, used, scope, receive, send, self._settings)
                return
            allowed |= allowed_methods(live)
        elif page is not None:
            allowed.add("GET")
        if allowed:
            await self._not_by_this_method(method, allowed, send)
            return
        log_refusal("rest", method, 404, "no-route")
        hint = _hint(scope["path"], self._pages, self._elsewhere)
        await respond_problem(send, 404, refusal(404, "no-route", "there is no route of this path", hint), head=head)

    async def _not_by_this_method(self, method: str, allowed: set[str], send: Send) -> None:
        if "GET" in allowed:
            allowed.add("HEAD")
        allowed.add("OPTIONS")
        allow = (b"allow", ", ".join(sorted(allowed)).encode())
        if method == "OPTIONS":
            await respond(send, 204, [allow], b"")
            return
        log_refusal("rest", method, 405, "wrong-method")
        hint = f"it takes {', '.join(sorted(allowed))}"
        problem = refusal(405, "wrong-method", f"this route does not take {method}", hint)
        await respond_problem(send, 405, problem, [allow])

    async def _serve(
        self, unit: RestUnit, values: list[str], scope: Scope, receive: Receive, send: Send, *, head: bool
    ) -> None:
        started = time.perf_counter()
        error: CallError | None = None
        status, begun = 500, False
        try:
            body = await _read_body(scope, receive, self._settings.max_request_bytes)
            arguments = unit.reader.read(values, scope["query_string"], scope["headers"], body)
            answer = await unit.live.call(arguments)
            if (replies := unit.plan.replies) is not None:
                answer.status = replies.status(answer.status)
            status, begun = answer.status, True
            await self._send(unit, answer, send, head=head)
        except CallError as caught:
            error = caught
            if isinstance(caught, _BrokenOff):
                error = caught.cause
            else:
                status = status_of(caught)
                headers = raw_headers(caught.headers) if isinstance(caught, UpstreamRefused) else []
                await respond_problem(send, status, problem_of(caught), headers, head=head)
        except asyncio.CancelledError:  # the server stops, and has waited for as long as it may
            if not begun:
                error = broken_off(reads=unit.live.guard.effect == "read")
                status = status_of(error)
                await respond_problem(send, status, problem_of(error), head=head)
            raise
        except Exception as fault:  # noqa: BLE001 - the outermost edge
            log_fault("rest", unit.plan.unit, fault)
            await respond_problem(send, 500, internal_problem(), head=head)
        finally:
            log_call("rest", unit.plan.unit, status, started, error)

    async def _send(self, unit: RestUnit, answer: Answer, send: Send, *, head: bool) -> None:
        headers = raw_headers(answer.headers)
        if answer.response is None:
            if answer.empty or answer.status in WITHOUT_CONTENT:
                await respond(send, answer.status, headers, b"")
            else:
                headers.append((b"content-type", unit.json_type))
                await respond(send, answer.status, headers, to_json(answer.value), head=head)
            return
        response, replies = answer.response, unit.plan.replies
        try:
            if replies is not None and answer.status in WITHOUT_CONTENT:
                await respond(send, answer.status, headers, b"")
                return
            pieces, taken, complete = await self._begin(response, answer.limit or self._settings.max_streamed_bytes)
            said = response.media_type
            if replies is not None and (taken or not complete):
                said = replies.media_type_of(said)
            if said:
                headers += [*raw_headers([("content-type", said)]), NOSNIFF, *sandboxing(said)]
            if complete:
                await respond(send, answer.status, headers, taken, head=head)
                return
            if head:
                await start(send, answer.status, headers, response.content_length)
                await send({"type": "http.response.body", "body": b""})
                return
            await _stream(send, answer.status, headers, response.content_length, taken, pieces)
        finally:
            response.close()

    async def _begin(self, response: UpstreamResponse, limit: int) -> tuple[AsyncIterator[bytes], bytes, bool]:
        """The body as far as it is held back before a status goes out, the rest, and whether there is none."""
        pieces = response.pieces(limit)
        length = response.content_length
        if length is not None and length <= _BUFFERED_BYTES:
            return pieces, await response.read(_BUFFERED_BYTES), True
        taken = bytearray()
        async for piece in pieces:
            taken += piece
            if len(taken) > _BUFFERED_BYTES:
                return pieces, bytes(taken), False
        return pieces, bytes(taken), True


def _hint(path: str, pages: Mapping[str, Page], elsewhere: Sequence[str]) -> str:
    """What whoever asked for a path that is not there may have meant."""
    compared = len(path) <= _COMPARED and ("mcp" in path.lower() or not pages)
    near = difflib.get_close_matches(path, elsewhere, n=1, cutoff=0.6) if compared else []
    if pages and not near:
        return "the routes are listed at /docs and /openapi.json"
    shown = list(dict.fromkeys([*near, *sorted(elsewhere, key=len)]))[:4]
    return f"MCP is spoken at {', '.join(shown)}{', ...' if len(elsewhere) > 4 else ''}" if shown else ""


class _BrokenOff(UpstreamError):
    """The upstream failed after we had begun to answer: the status is out, only the connection can tell."""

    cause: UpstreamError


async def _stream(send: Send, status: int, headers: RawHeaders, length: int | None, first: bytes, pieces: Any) -> None:
    await start(send, status, headers, length)
    await send({"type": "http.response.body", "body": first, "more_body": True})
    try:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except UpstreamError as error:
        # Leaving the response incomplete makes the server cut the connection, which is the truth.
        broken = _BrokenOff(error.code, error.message, error.outcome, error.retry_safe)
        broken.cause = error
        raise broken from error
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _segments(scope: Scope) -> list[str] | None:
    """The path, split before it is decoded: an encoded slash stays inside its segment."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    raw = raw.partition(b"?")[0]
    try:
        if b"%" not in raw:
            return raw[1:].decode().split("/") if len(raw) > 1 else []
        return [unquote_to_bytes(part).decode() for part in raw[1:].split(b"/")] if len(raw) > 1 else []
    except UnicodeDecodeError:
        return None


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    announced = False
    for key, value in scope["headers"]:
        if key == b"content-length":
            announced = value != b"0"
            if value.isdigit() and int(value) > limit:
                raise _too_large(limit)
        elif key == b"transfer-encoding":
            announced = True
    if not announced:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BindError("client-gone", "the caller closed the connection before its request was complete")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> BindError:
    return BindError("request-too-large", f"the request body is larger than {limit:,} bytes", status=413)
