"""An origin that takes its time: a small JSON body after a pause. Usage: slow_origin.py PORT MILLISECONDS"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import uvloop

_BODY: Final = b'{"order_id":"o-1","status":"CAPTURED","order_amount":12990}'
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)


class Connection(asyncio.Protocol):
    """One request at a time, none with a body."""

    pause = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            asyncio.get_running_loop().call_later(self.pause, self._transport.write, _ANSWER)


async def main() -> None:
    Connection.pause = float(sys.argv[2]) / 1000
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
