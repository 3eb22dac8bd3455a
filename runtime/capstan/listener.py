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

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LINGER_SECONDS: Final = 0.25  # for a request that is on its way
_CLOSE: Final = (b"connection", b"close")


class Protocol(HttpToolsProtocol):
    """A connection that, before it closes, waits a moment for a request and tells its caller of the end."""

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
