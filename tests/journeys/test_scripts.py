"""Scripts in a server that is a process: what callers get, and what is left of them when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from journeys.running import Capstan, client, serving

PORTS = (8080, 9092)
LOOP = "while (true) {}\n"


@pytest.fixture
def capability(tmp_path: Path) -> Path:
    """One route for a script of each language, and one for a script without end."""
    (tmp_path / "total.js").write_text("result = {total: context.amounts.reduce((a, b) => a + b, 0)}\n")
    (tmp_path / "total.py").write_text("result = {'total': sum(context['amounts'])}\n")
    (tmp_path / "loop.js").write_text(LOOP)
    (tmp_path / "loop.py").write_text("while True:\n    pass\n")
    resources = [
        {
            "path": f"/{name.replace('.', '-')}",
            "operations": [{
                "method": "POST", "name": name.replace(".", "-"),
                "inputParameters": [{"name": "amounts", "in": "body", "type": "array", "description": "Numbers.",
                                     "items": {"type": "number"}, "required": False}],
                "steps": [{"name": "step", "type": "script", "file": name,
                           "language": "python" if name.endswith("py") else "javascript"}],
                "mappings": [{"targetName": "answer", "value": "$.step"}],
            }],
        }
        for name in ("total.js", "total.py", "loop.js", "loop.py")
    ]  # fmt: skip
    scripting = {"defaultLocation": "file:///./", "timeout": 4000, "statementLimit": 10**15}
    exposes = [
        {"type": "rest", "namespace": "app", "port": 8080, "resources": resources},
        {"type": "control", "port": 9092, "management": {"scripting": scripting}},
    ]
    path = tmp_path / "scripts.yaml"
    path.write_text(json.dumps({"naftiko": "1.0.0-alpha2", "capability": {"exposes": exposes}}))
    return path


@pytest.fixture
async def server(capability: Path) -> AsyncIterator[Capstan]:
    async with serving(capability, "--watch", ports=PORTS) as running:
        yield running


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that these did."""
    parents: dict[int, int] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(process.name)] = int(parent)
    found = [child for child, parent in parents.items() if parent == pid]
    return [*found, *(below for child in found for below in descendants(child))]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("script", ["total-js", "total-py"])
async def test_callers_get_what_a_script_makes_of_their_arguments(server: Capstan, script: str) -> None:
    async with client(server.rest) as http:
        answer = await http.post(f"/{script}", json={"amounts": [1, 2.5]})
        assert (answer.status_code, answer.json()) == (200, {"answer": {"total": 3.5}})
        answer = await http.post(f"/{script}", json={})
        assert answer.status_code == 500
        problem = answer.json()
        assert (problem["code"], problem["outcome"], problem["retry_safe"]) == ("script-failed", "not-sent", True)
        assert f"line 1 of '{script.replace('-', '.')}'" in problem["detail"]


async def test_the_control_port_answers_beside_it(server: Capstan) -> None:
    async with client(f"http://127.0.0.1:{9092 + server.offset}") as http:
        answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "UP")
    assert "/health/ready" in server.talk


async def test_a_changed_script_is_taken_over(server: Capstan, capability: Path) -> None:
    (capability.parent / "total.js").write_text("result = 'another'\n")
    await server.said("reloaded")
    async with client(server.rest) as http:
        answer = await http.post("/total-js", json={"amounts": [1]})
    assert answer.json() == {"answer": "another"}


@pytest.mark.parametrize("script", ["loop-js", "loop-py"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_no_process_of_a_script_outlives_the_server(capability: Path, script: str, number: int) -> None:
    env = {"CAPSTAN_STOP_TIMEOUT_SECONDS": "0.5"}
    async with serving(capability, ports=PORTS, env=env) as server, client(server.rest) as http:
        waiting = asyncio.create_task(http.post(f"/{script}", json={"amounts": []}))
        pid, wanted = server.process.pid, 2 if script == "loop-py" else 1
        await until(lambda: len(descendants(pid)) >= wanted)
        await asyncio.sleep(0.3)
        found = descendants(pid)
        os.kill(pid, number)
        await server.ended()
        await until(lambda: not any(map(is_there, found)), 2.5)  # time alone would end them after 4 seconds
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("script", ["loop-js", "loop-py"])
async def test_a_script_whose_process_is_killed_ends_its_call_at_once(server: Capstan, script: str) -> None:
    async with client(server.rest) as http:
        waiting = asyncio.create_task(http.post(f"/{script}", json={"amounts": []}))
        await until(lambda: len(descendants(server.process.pid)) >= (2 if script == "loop-py" else 1))
        await asyncio.sleep(0.3)
        found = descendants(server.process.pid)
        os.kill(found[0], signal.SIGKILL)
        async with asyncio.timeout(2):
            answer = await waiting
        assert (answer.status_code, answer.json()["code"]) == (500, "script-failed")
        await until(lambda: not any(map(is_there, found)), 2)
        assert (await http.post("/total-js", json={"amounts": [1]})).json() == {"answer": {"total": 1}}
