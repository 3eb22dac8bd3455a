"""Standard input by lines, read by a thread of its own that ends with the process.

The SDK's own thread is waited for when the server stops, and a read from an open pipe never ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

_AHEAD: Final = 64  # lines that are read before their turn


class Lines:
    def __init__(self) -> None:
        self._read: asyncio.Queue[bytes] = asyncio.Queue()

    def end(self) -> None:
        """Take no more, as if the input had ended."""
        self._read.put_nowait(b"")

    async def __aiter__(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        room = threading.Semaphore(_AHEAD)

        def read() -> None:
            with suppress(RuntimeError), open(0, "rb", closefd=False) as stream:  # the loop may have ended meanwhile
                while True:
                    line = stream.readline()
                    room.acquire()
                    loop.call_soon_threadsafe(self._read.put_nowait, line)
                    if not line:
                        return

        threading.Thread(target=read, name="standard input", daemon=True).start()
        while line := await self._read.get():
            room.release()
            yield line.decode("utf-8", "replace")
