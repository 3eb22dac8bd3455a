"""A bare origin: answers every complete request with the same 1 KB of JSON. Usage: origin.py PORT

It reads no more of HTTP than it must, for it has to be faster than whatever is measured in front of it. A request
without the credentials is answered with 401, so that a proxy which forgets them shows up as errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Final

import uvloop

_LINES: Final = [{"sku": f"SKU-{n:05}", "quantity": n, "unit_price": 1299, "name": f"Article {n}"} for n in range(14)]
_ORDER: Final = json.dumps(
    {"order_id": "o-1", "status": "CAPTURED", "currency": "EUR", "order_amount": 12990, "order_lines": _LINES},
    separators=(",", ":"),
).encode()
_HEAD: Final = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_ANSWER: Final = _HEAD % (b"200 OK", len(_ORDER)) + _ORDER
_REFUSAL: Final = _HEAD % (b"401 Unauthorized", 2) + b"{}"
_CREDENTIALS: Final = b"authorization: basic dxnlcjpwyxnzd29yza=="  # user:password, in small letters


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        held = self._held + data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end].lower()
            found = head.find(b"\r\ncontent-length:")
            length = int(head[found + 17 :].split(b"\r\n", 1)[0]) if found >= 0 else 0
            if len(held) < end + 4 + length:
                break
            held = held[end + 4 + length :]
            self._transport.write(_ANSWER if _CREDENTIALS in head else _REFUSAL)
        self._held = held


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
