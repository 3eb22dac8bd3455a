"""Which answers are streams: the SDK chooses between JSON and a stream per server, and here each request chooses.

An answer is JSON, but where something is to be said before it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from capstan.plan.jsontext import parse_json

# Whether the request that is being answered, by this task, is answered with a stream.
streamed: Final = ContextVar("streamed", default=False)


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


@dataclass(frozen=True, slots=True)
class Peeked:
    """What a body asks for, as far as it decides how it is answered."""

    request_id: str | None = None  # what tells a request from others of its session
    tool: str | None = None
    follows: bool = False  # it asks to be told how far the call is


def peek(body: bytes) -> Peeked:
    with suppress(ValueError):
        message = parse_json(body)
        if isinstance(message, dict) and "method" in message and message.get("id") is not None:
            known = repr(message["id"])
            params = message.get("params") if message["method"] == "tools/call" else None
            if not isinstance(params, dict) or not isinstance(params.get("name"), str):
                return Peeked(known)
            meta = params.get("_meta")
            return Peeked(known, params["name"], isinstance(meta, dict) and meta.get("progressToken") is not None)
    return Peeked()


def takes_streams(headers: dict[bytes, bytes]) -> bool:
    accept = headers.get(b"accept", b"").lower()
    return b"text/event-stream" in accept or b"text/*" in accept or b"*/*" in accept
