"""A sandbox in a process of its own, and a plain HTTP client: what only a real socket shows."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from capstan.sandbox.accounts import DEMO_MERCHANT, Account
from sandbox.client import Reply

_START_SECONDS = 30
_COMMAND = [sys.executable, "-m", "capstan", "sandbox", "--port", "0"]


@dataclass
class Process:
    """One that listens."""

    popen: subprocess.Popen[str]
    port: int

    def connect(self, timeout_seconds: float = 10) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)

    def send(
        self, method: str, path: str, body: Any = None, *, key: str = "", account: Account = DEMO_MERCHANT,
        timeout_seconds: float = 10, connection: http.client.HTTPConnection | None = None,
    ) -> Reply:  # fmt: skip
        """Ask over a connection of its own, or one that is kept."""
        used = connection or self.connect(timeout_seconds)
        pair = base64.b64encode(f"{account.username}:{account.password}".encode()).decode()
        headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
        if key:
            headers["Klarna-Idempotency-Key"] = key
        try:
            used.request(method, path, None if body is None else json.dumps(body), headers)
            response = used.getresponse()
            return Reply(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            if connection is None:
                used.close()

    def place(self, amount: int = 10_000) -> str:
        """An order; the path of its captures."""
        made = self.send("POST", "/sandbox/orders", {"amount": amount}).json
        return f"/ordermanagement/v1/orders/{made['order_id']}"

    def fault(self, kind: str, **options: Any) -> None:
        assert self.send("POST", "/sandbox/faults", {"kind": kind, **options}).status == 201

    def kill(self) -> None:
        """As a power cut would."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(_START_SECONDS)


@contextlib.contextmanager
def sandbox_process(*options: str | Path) -> Iterator[Process]:
    command = [*_COMMAND, *(str(option) for option in options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as popen:
        try:
            ready = popen.stdout.readline() if popen.stdout is not None else ""
            assert "ready" in ready, popen.communicate(timeout=_START_SECONDS)
            yield Process(popen, int(ready.rstrip().rpartition(":")[2]))
        finally:
            if popen.poll() is None:
                popen.terminate()
            popen.communicate(timeout=_START_SECONDS)


def refused(*options: str | Path) -> tuple[int, str]:
    """The exit code and the words of one that cannot start."""
    command = [*_COMMAND, *(str(option) for option in options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_START_SECONDS, check=False)
    return done.returncode, done.stderr
