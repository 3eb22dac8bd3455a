"""Several processes on the same ports, each with sockets of its own: the kernel shares the connections out.

Knows nothing of what they serve.
"""

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


Run = Callable[[int, Callable[[], None], int], None]


def run_workers(
    shares: Sequence[Sequence[socket.socket]], run: Run, ready: Callable[[], None], keep_up: Callable[[], None]
) -> None:
    """Fork a worker for each share of the sockets, and look after them until a signal ends all.

    `run` gets the number of its share, what to call when it is ready, and a pipe that ends when this process does.
    `keep_up` is called now and then, so that a worker which takes a dead one's place starts from where the others are;
    what it raises ends all.
    """
    workers = _Workers(shares, run, keep_up)
    try:
        workers.look_after(ready)
    except ServeError:
        workers.end()
        raise


class _Workers:
    def __init__(self, shares: Sequence[Sequence[socket.socket]], run: Run, keep_up: Callable[[], None]) -> None:
        self._shares, self._run, self._keep_up = shares, run, keep_up
        self._children: dict[int, tuple[int, float]] = {}  # the share of each, and when it began
        self._stopping = False
        # A worker reads the end of this pipe when this process is gone, however it went.
        self._parent, self._life = os.pipe()

    def look_after(self, ready: Callable[[], None]) -> None:
        """One that dies is replaced, a signal reaches all, none outlives us."""
        for number in _STOPPING:
            signal.signal(number, self._forward)
        if self._start_all() and not self._stopping:
            ready()
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                time.sleep(_LOOK_SECONDS)
                self._keep_up()
                continue
            share, began = self._children.pop(pid, (None, 0.0))
            if self._stopping or share is None:  # no worker of ours: whoever started it looks after it
                continue
            if time.monotonic() - began < _YOUNG_SECONDS:
                raise ServeError(f"a worker ended as soon as it had started (status {status})")
            logger.error("worker %d ended unasked (status %d); another takes its place", pid, status)
            self._start(share, lambda: None)

    def _start_all(self) -> bool:
        """Whether every worker came to be ready."""
        reading, writing = os.pipe()

        def tell() -> None:
            os.write(writing, b".")

        for share in range(len(self._shares)):
            if not self._stopping:
                self._start(share, tell)
        os.close(writing)
        told = 0
        while told < len(self._shares) and not self._stopping and not _has_ended():
            if select.select([reading], [], [], _LOOK_SECONDS)[0]:
                told += len(os.read(reading, len(self._shares)))
        os.close(reading)
        return told == len(self._shares)

    def _start(self, share: int, tell: Callable[[], None]) -> None:
        # A signal must find the child in our list, and never find our handler in the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        pid = os.fork()
        if pid:
            self._children[pid] = (share, time.monotonic())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            return
        code = 1
        try:
            for number in _STOPPING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            os.close(self._life)
            for others in (*self._shares[:share], *self._shares[share + 1 :]):
                for item in others:  # or the kernel would go on queueing for their workers here
                    item.close()
            self._run(share, tell, self._parent)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)

    def end(self) -> None:
        """Ask every worker to end, and wait until all have."""
        self._forward(signal.SIGTERM, None)
        for pid in self._children:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _forward(self, number: int, _: object) -> None:
        self._stopping = True
        for share in self._shares:
            for item in share:
                item.close()
        for pid in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _has_ended() -> bool:
    """Whether a child has, without taking note of it."""
    return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
