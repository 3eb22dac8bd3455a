"""Several processes on the same listening sockets. Knows nothing of what they serve."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from capstan.errors import CapabilityError

logger = logging.getLogger(__name__)

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
_LOOK_SECONDS: Final = 0.1
_YOUNG_SECONDS: Final = 2.0  # a worker that dies younger would die again


class ServeError(CapabilityError):
    """The server cannot start, for a reason outside the files."""


def run_workers(
    count: int,
    sockets: Sequence[socket.socket],
    run: Callable[[Callable[[], None], int], None],
    ready: Callable[[], None],
) -> None:
    """Fork the workers and look after them: one that dies is replaced, a signal reaches all, none outlives us."""
    reading, writing = os.pipe()
    parent, life = os.pipe()  # a worker reads the end of `life` when this process is gone, however it went
    children: dict[int, float] = {}
    stopping = False

    def start(tell: Callable[[], None]) -> None:
        # A signal must find the child in our list, and never find our handler in the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        pid = os.fork()
        if pid:
            children[pid] = time.monotonic()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            return
        code = 1
        try:
            for number in _STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            os.close(life)
            run(tell, parent)
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

    for number in _STOPPING:
        signal.signal(number, forward)
    for _ in range(count):
        if not stopping:
            start(tell_parent)
    os.close(writing)
    told = 0
    while told < count and not stopping and not _has_ended():
        if select.select([reading], [], [], _LOOK_SECONDS)[0]:
            told += len(os.read(reading, count))
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


def _has_ended() -> bool:
    """Whether a child has, without taking note of it."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
