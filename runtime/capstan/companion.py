"""The sandbox as a process of its own beside the server: started before it, ended with it, missed when it is gone.

Two pipes tie the two together. The child ends when its standard input does, however this process went; its standard
output ends when the child does. Knows nothing of what the sandbox stands in for.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import Final, Self

from capstan.workers import ServeError

READY: Final = "capstan sandbox ready: "  # what the child says, and its address after it

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0


def end_with_input() -> None:
    """End this process, the sandbox, when its standard input does: whoever started it is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_STOP_SECONDS)
        os._exit(1)

    threading.Thread(target=wait, name="standard input", daemon=True).start()


class Companion:
    """A sandbox that is ready. `url` is where a person finds it, `pipe` can be read from once it has ended."""

    def __init__(self, port: int, database: str | None, rest_url: str | None) -> None:
        """Start one and wait for it; its pages lead to `rest_url`.

        Raises:
            ServeError: it did not come to be ready.
        """
        command = [sys.executable, "-m", "capstan", "sandbox", "--port", str(port), "--end-with-input"]
        if database is not None:
            command += ["--db", database]
        if rest_url is not None:
            command += ["--capstan", rest_url]
        # A session of its own: an interrupt from the keyboard is for the server, whose last calls need the sandbox.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        self.pipe = self._process.stdout.fileno()
        try:
            self.url = self._address()
        except BaseException:
            self.stop()
            raise

    def _address(self) -> str:
        said = b""
        until = time.monotonic() + _START_SECONDS
        while not said.endswith(b"\n"):
            if not select.select([self.pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise ServeError(f"the sandbox was not ready within {_START_SECONDS:.0f} seconds")
            piece = os.read(self.pipe, 4096)
            if not piece:  # it has said why on standard error
                raise ServeError("the sandbox could not be started; --sandbox-port and --sandbox-db say where")
            said += piece
        return said.decode().strip().removeprefix(READY)

    def check(self) -> None:
        """Raises ServeError when the sandbox has ended."""
        if select.select([self.pipe], [], [], 0)[0] and not os.read(self.pipe, 4096):
            raise ServeError("the sandbox has ended, and the server ends with it")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let it end, and see to it that it does."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
