"""Several processes on the same listening sockets. Knows nothing of what they serve."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from capstan.errors import CapabilityError

logger = logging.getLogger(__name__)

_YOUNG_SECONDS: Final = 2.0  # a worker that dies younger would die again


class ServeError(CapabilityError):
    """The server cannot start, for a reason outside the files."""


def run_workers(
    count: int, sockets: Sequence[socket.socket], run: Callable[[Callable[[], None]], None], ready: Callable[[], None]
) -> None:
    """Fork the workers and look after them: one that dies is replaced, and a signal reaches all."""
    reading, writing = os.pipe()
    children: dict[int, float] = {}
    stopping = False

    def start(tell: Callable[[], None]) -> None:
        pid = os.fork()
        if pid:
            children[pid] = time.monotonic()
            return
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            run(tell)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)

    def forward(number: int, _: object) -> None:
        nonlocal stopping
        stopping = True
        for item in sockets:
            item.close()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def tell_parent() -> None:
        os.write(writing, b".")

    signal.signal(signal.SIGINT, forward)
    signal.signal(signal.SIGTERM, forward)
    for _ in range(count):
        start(tell_parent)
    os.close(writing)
    told = 0
    while told < count and (found := os.read(reading, count)):
        told += len(found)
    if told == count and not stopping:
        ready()
    while children:
        pid, status = os.wait()
        lived = time.monotonic() - children.pop(pid)
        if stopping:
            continue
        if lived < _YOUNG_SECONDS:
            forward(signal.SIGTERM, None)
            raise ServeError(f"a worker ended as soon as it had started (status {status})")
        logger.error("worker %d ended unasked (status %d); another takes its place", pid, status)
        start(lambda: None)
