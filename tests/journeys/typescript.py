"""The official TypeScript client: a Node of its own that calls tools as it is told, see tests/mcp/typescript."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from mcp_types import CallToolResult

from journeys.running import REPOSITORY
from journeys.through import ThroughTools
from node import find_node

FOLDER: Final = REPOSITORY / "tests" / "mcp" / "typescript"
_OLDEST_NODE: Final = 20


def node() -> str:
    """A Node that runs the client; in CI it has to be there, elsewhere a test without it is skipped."""
    found = find_node(_OLDEST_NODE)
    missing = None
    if found is None:
        missing = f"there is no Node {_OLDEST_NODE} or later"
    elif not Path(FOLDER, "node_modules").exists():
        missing = "the TypeScript client is not installed (scripts/modules typescript)"
    if missing is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    assert found is not None
    return found


class ThroughTypescript(ThroughTools):
    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self._process = process
        told = self._read()
        self.revision: str = told["revision"]
        self.tools: list[str] = told["tools"]
        self.called: set[str] = set()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the client ended: {self._process.wait(20)}"
        told: dict[str, Any] = json.loads(line)
        return told

    def call(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        assert self._process.stdin is not None
        self.called.add(name)
        self._process.stdin.write(json.dumps({"name": name, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        told = self._read()
        assert "error" not in told, f"{name}: {told['error']}"
        return CallToolResult.model_validate(told["result"])


@contextmanager
def typescript(url: str, era: str) -> Iterator[ThroughTypescript]:
    """A client that is connected; `era` is "legacy" or a revision."""
    command = [node(), str(FOLDER / "caller.mjs"), url, era]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield ThroughTypescript(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()
