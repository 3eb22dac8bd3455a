"""uvicorn, made to stop without cutting anybody off, and without signal handlers: the process has one place for them.

As it comes, uvicorn closes idle connections the moment it stops. A request on its way over one of them is lost then,
and so is one on a connection that the kernel took but nobody has accepted yet; its caller cannot tell whether it
happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from capstan.expose.asgi import ABSOLUTE_TARGET

LINGER_SECONDS: Final = 0.25  # for a request that is on its way
_MAX_HEAD_BYTES: Final = 64 * 1024
_UPGRADE: Final = frozenset({b"upgrade", b"http2-settings"})
_CLOSE: Final = (b"connection", b"close")
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """A connection that stays in HTTP/1.1, bounds the head of a request and the wait for it, and closes gently.

    Asked to upgrade, uvicorn's parser stops at the end of the head, and uvicorn takes the request for complete: it
    would be served without its body.
    """

    patience = 30.0  # seconds for a head, and between two pieces of a body
    _head_bytes = 0  # received since the last head was complete
    _is_whole = False  # the request last begun
    _is_head_whole = False  # its head
    _waiting: asyncio.TimerHandle | None = None  # for the rest of it

    @classmethod
    def with_patience(cls, seconds: float) -> type[Protocol]:
        return type(cls.__name__, (cls,), {"patience": seconds})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._is_whole:
            self._wait_no_more()
        elif self._waiting is None and not self.transport.is_closing():
            self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        """Close the connection of a request that does not come to its end. Nothing acts on one that is not whole."""
        self._waiting = None
        cycle = self.cycle
        begun = cycle is not None and not cycle.response_complete
        answering = begun and (cycle.response_started or not cycle.more_body)
        if answering or self.pipeline or self.flow.read_paused:  # an earlier one, or it is not the caller who is slow
            self._wait()
            return
        if begun or self._head_bytes:
            self.transport.write(_TOO_SLOW)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        self._is_whole = False  # what comes is at least the start of a request
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        self._wait()

    def _decline(self, rest: bytes) -> None:
        """Read the same head again without its wish for another protocol, and then what follows it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("CONNECT is not taken.")
            return
        kept = b"".join(b"%s: %s\r\n" % pair for pair in self.headers if pair[0] not in _UPGRADE)
        self.parser = httptools.HttpRequestParser(self)
        with contextlib.suppress(AttributeError):  # as uvicorn does with its own
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"%s %s HTTP/1.1\r\n%s\r\n" % (method, self.url, kept) + rest)

    def on_message_begin(self) -> None:
        self._is_whole = self._is_head_whole = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_head_whole:  # a trailer is no header: whoever stands in front of us has not looked at it
            super().on_header(name, value.rstrip(b" \t"))  # blanks around a value are no part of it

    def on_headers_complete(self) -> None:
        self._is_head_whole = True
        self._head_bytes = 0
        self._wait_no_more()
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            if self.url[:1] != b"/":  # a whole address, which HTTP allows; a forward has to know of it
                self.scope["extensions"] = {ABSOLUTE_TARGET: {}}

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        self._wait_no_more()
        if not self.parser.should_upgrade():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        self._is_whole = True
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def shutdown(self) -> None:
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.default_headers = [*self.cycle.default_headers, _CLOSE]
        self.loop.call_later(LINGER_SECONDS, super().shutdown)


class Listener(uvicorn.Server):
    """The server of one port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.deaf = asyncio.Event()  # no further connection will be taken
        self._late: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return bool(self.server_state.connections or self._late)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # From here to the closing of the sockets nothing may wait, or connections would come in between.
        waiting = list(_accept_waiting(sockets or ()))
        for server in self.servers:
            server.close()
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        for accepted in waiting:
            task = asyncio.create_task(self._take(accepted))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        self.deaf.set()
        await super().shutdown(sockets)

    async def _take(self, accepted: socket.socket) -> None:
        def protocol() -> Protocol:
            return Protocol(config=self.config, server_state=self.server_state, app_state={})

        with contextlib.suppress(OSError):  # it has gone again
            _, taken = await asyncio.get_running_loop().connect_accepted_socket(protocol, accepted)
            taken.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _accept_waiting(sockets: Sequence[socket.socket]) -> Iterator[socket.socket]:
    """The connections that the kernel has taken and nobody has accepted."""
    for item in sockets:
        with contextlib.suppress(OSError):
            item.setblocking(False)
            while True:
                yield item.accept()[0]
