"""One guard on the HTTP library's connections: bytes nobody asked for end the connection.

A late second answer, or bytes beyond the announced length, may arrive while a connection waits in the pool. The library
would take them for the answer to the next request, and every answer after that would belong to another caller. What is
overridden here is not public; tests/call/test_upstream.py fails when it stops working.
"""

from __future__ import annotations

import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler


class _Connection(ResponseHandler):
    """The library's end of one connection, open to data only while a request waits for its answer."""

    asked = False

    def set_response_params(self, **params: Any) -> None:
        self.asked = True
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self.asked or not data:  # no data: the library resumes a parser that it had paused
            super().data_received(data)
            if self._exception is not None and self._payload is not None and not self._payload.is_eof():
                # The parser gave up in the midst of a body; its reader would wait for the time-out.
                self._payload.set_exception(aiohttp.ClientPayloadError("the body does not keep to HTTP"))
            if self.asked or not self.should_close:
                return
        self.force_close()
        self.abort()


class QuietConnector(aiohttp.TCPConnector):
    """Opens such connections, and closes their ears when they go back to the pool."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = functools.partial(_Connection, loop=self._loop)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        if isinstance(protocol, _Connection):
            protocol.asked = False
        super()._release(key, protocol, should_close=should_close)
