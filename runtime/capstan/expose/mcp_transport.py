"""Which answers are streams: the SDK chooses between JSON and a stream per server, and here each request chooses.

An answer is JSON, but where something is to be said before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from anyio import CancelScope
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from capstan.call.problem import broken_off, problem_of, status_of
from capstan.expose.asgi import respond
from capstan.plan.jsontext import parse_json
from capstan.plan.site import CALL

# Whether the request that is being answered, by this task, is answered with a stream.
streamed: Final = ContextVar("streamed", default=False)

_UNWATCHED_SECONDS: Final = 0.1


class SessionTransport(StreamableHTTPServerTransport):
    """The transport of a session, whose every request is answered its own way."""

    @property
    def is_json_response_enabled(self) -> bool:
        return not streamed.get()

    @is_json_response_enabled.setter
    def is_json_response_enabled(self, _: bool) -> None:
        """What is chosen for all of them has no meaning."""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Any]:
        streamed.set(True)  # of the task that hands messages out: what belongs to a request goes out with its answer
        async with super().connect() as streams:
            yield streams


class SessionManager(StreamableHTTPSessionManager):
    """The SDK's manager, which makes transports of that kind, and without a session goes by the request itself."""

    ended: Callable[[str], None]  # told of every session that is over, however it ended

    @property
    def json_response(self) -> bool:
        return not streamed.get()

    @json_response.setter
    def json_response(self, _: bool) -> None:
        """As above."""

    def _admit_session(self, *arguments: Any) -> Any:
        transport = super()._admit_session(*arguments)
        if transport is not None:  # the SDK names the class itself, and there is no other place to say which one
            transport.__class__ = SessionTransport
        return transport

    async def _discard_session(self, session_id: str, transport: StreamableHTTPServerTransport) -> None:
        self.ended(session_id)
        await super()._discard_session(session_id, transport)


@dataclass(frozen=True, slots=True)
class Peeked:
    """What a body asks for, as far as it decides how it is answered."""

    request_id: str | None = None  # what tells a request from others of its session
    what: str = ""  # its method and the name of what is called or asked for
    behind: str = ""  # the tool that this one is to call
    follows: bool = False  # it asks to be told how far the call is


def peek(body: bytes) -> Peeked:
    with suppress(ValueError):
        message = parse_json(body)
        if isinstance(message, dict) and "method" in message and message.get("id") is not None:
            known = repr(message["id"])
            params = message.get("params") if message["method"] in ("tools/call", "prompts/get") else None
            if not isinstance(params, dict) or not isinstance(params.get("name"), str):
                return Peeked(known)
            meta = params.get("_meta")
            what = f"{message['method']} {params['name']}"
            arguments = params.get("arguments")
            behind = arguments.get("name") if params["name"] == CALL and isinstance(arguments, dict) else None
            follows = isinstance(meta, dict) and meta.get("progressToken") is not None
            return Peeked(known, what, behind if isinstance(behind, str) else "", follows)
    return Peeked()


def takes_streams(headers: dict[bytes, bytes]) -> bool:
    accept = headers.get(b"accept", b"").lower()
    return b"text/event-stream" in accept or b"text/*" in accept or b"*/*" in accept


async def until_gone(answer: Any, scope: Any, receive: Any, send: Any) -> None:
    """Answer a request for as long as its client is there: from 2026-07-28 on one that closes its connection cancels.

    A stream is watched by the SDK. Nobody looks after an answer that is there at once.
    """
    loop = asyncio.get_running_loop()
    is_whole = False
    timer: asyncio.TimerHandle
    watcher: asyncio.Task[None] | None = None
    asked = CancelScope()

    async def noting() -> Any:
        nonlocal is_whole
        message = await receive()
        is_whole = not message.get("more_body", False)
        return message

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        asked.cancel()

    def begin() -> None:
        nonlocal timer, watcher
        if is_whole:
            watcher = asyncio.create_task(watch())
        else:
            timer = loop.call_later(_UNWATCHED_SECONDS, begin)

    timer = loop.call_later(_UNWATCHED_SECONDS, begin)
    try:
        with asked:
            await answer(scope, noting, send)
    finally:
        timer.cancel()
        if watcher is not None:
            watcher.cancel()


async def tell_broken_off(send: Any) -> None:
    """To whoever called what is still going on. The SDK answers no more, and only it knows what was called."""
    told = broken_off(reads=False)
    error = {"code": types.INTERNAL_ERROR, "message": told.message, "data": problem_of(told)}
    await _respond_error(send, status_of(told), error)


async def refuse(send: Any, status: int, message: str) -> None:
    await _respond_error(send, status, {"code": types.INVALID_REQUEST, "message": message})


async def _respond_error(send: Any, status: int, error: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    await respond(send, status, [(b"content-type", b"application/json")], body)
