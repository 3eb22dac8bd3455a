"""How many `tools/call` one Capstan process answers, beside FastMCP's bridge from OpenAPI that makes the same call.

Both eras of the protocol are measured: 2026-07-28, where a call is a request of its own, and 2025-11-25, with a session
for each connection. The two take turns on one core; origin and load generator share another.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from harness import HERE, cores, cpu_seconds, free_port, load, machine, memory_mib, running, save

_ENVIRONMENT: Final = HERE / ".venv"
_REQUIREMENTS: Final = HERE / "fastmcp.txt"
_CASES: Final = {"mcp": "tools/call of 2026-07-28", "mcp-session": "tools/call in sessions of 2025-11-25"}
_CREDENTIALS: Final = {"ORDERS_USER": "user", "ORDERS_PASSWORD": "password"}

Run = dict[str, Any]


def environment() -> str:
    """The Python of an environment with FastMCP, made where there is none."""
    python, stamp = _ENVIRONMENT / "bin" / "python", _ENVIRONMENT / ".installed"
    wanted = _REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing FastMCP into {_ENVIRONMENT} ...")
        venv.create(_ENVIRONMENT, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(_REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return str(python)


@contextlib.contextmanager
def fastmcp(origin: str, core: int) -> Iterator[tuple[int, str]]:
    """Process id and endpoint."""
    port = free_port()
    command = [environment(), str(HERE / "fastmcp_bridge.py"), str(port), origin]
    with running(command, port=port, core=core) as process:
        yield process.pid, f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def capstan(origin: str, core: int, folder: Path, source: str = "") -> Iterator[tuple[int, str]]:
    """Process id and endpoint; `source` is the `runtime` folder of another checkout."""
    rest, mcp = free_port(), free_port()
    file = folder / f"{mcp}.yaml"
    text = (HERE / "orders.yaml").read_text()
    file.write_text(text.replace("port: 8080", f"port: {rest}").replace("port: 9090", f"port: {mcp}"))
    command = [sys.executable, "-m", "capstan", "serve", str(file), "--base-uri", f"orders={origin}", "--quiet"]
    environ = {**_CREDENTIALS, "PYTHONPATH": source} if source else _CREDENTIALS
    with running(command, port=mcp, core=core, environ=environ) as process:
        yield process.pid, f"http://127.0.0.1:{mcp}/mcp"


def measure(pid: int, url: str, case: str, seconds: float, connections: int, core: int) -> Run:
    before = cpu_seconds(pid)
    run = load(url, case, seconds, connections, core)
    if run["failed"] or run["lost"]:
        raise SystemExit(f"{url}, {case}: {run['failed']} failed, {run['lost']} connections lost")
    run["cpu_ms_per_call"] = round((cpu_seconds(pid) - before) * 1000 / run["all_requests"], 4)
    return run


def report(case: str, runs: dict[str, list[Run]]) -> dict[str, Any]:
    """Print a case; ratios are against the last contender, round by round."""
    print(f"\n{_CASES[case]}")
    against = list(runs)[-1]
    rows: dict[str, Any] = {}
    for name, done in runs.items():
        row: Run = {
            key: statistics.median(run[key] for run in done) for key in ("per_second", "cpu_ms_per_call", "p50_ms")
        }
        pairs = list(zip(done, runs[against], strict=True))
        row["ratio"] = round(statistics.median(own["per_second"] / other["per_second"] for own, other in pairs), 2)
        row["cpu_ratio"] = round(
            statistics.median(other["cpu_ms_per_call"] / own["cpu_ms_per_call"] for own, other in pairs), 2
        )
        print(
            f"  {name:10} {row['per_second']:8.0f}/s  {row['cpu_ms_per_call']:.3f} ms CPU  p50 {row['p50_ms']:6.2f} ms"
            f"  x{row['ratio']:.2f} calls/s  x{row['cpu_ratio']:.2f} CPU"
        )
        rows[name] = row | {"runs": done}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default 2)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--case", action="append", choices=tuple(_CASES), help="only this case (repeatable)")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER",
                        help="a further contender: the `runtime` folder of another checkout")  # fmt: skip
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    options = parser.parse_args()
    told = machine()
    measured, measuring = cores()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        stack.enter_context(running([sys.executable, str(HERE / "origin.py"), str(port)], port=port, core=measuring))
        origin = f"http://127.0.0.1:{port}"
        contenders = {"capstan": stack.enter_context(capstan(origin, measured, folder))}
        for name, _, source in (text.partition("=") for text in options.also):
            contenders[name] = stack.enter_context(capstan(origin, measured, folder, source))
        contenders["fastmcp"] = stack.enter_context(fastmcp(origin, measured))
        cases = {}
        for case in options.case or _CASES:
            runs: dict[str, list[Run]] = {name: [] for name in contenders}
            for number in range(options.rounds):
                for name in list(contenders) if number % 2 == 0 else list(contenders)[::-1]:
                    run = measure(*contenders[name], case, options.seconds, options.connections, measuring)
                    runs[name].append(run)
            cases[case] = report(case, runs)
        memory = {name: round(memory_mib(pid), 1) for name, (pid, _) in contenders.items()}
    if not options.no_save:
        asked = {key: getattr(options, key) for key in ("rounds", "seconds", "connections")}
        versions = _REQUIREMENTS.read_text().split()
        save("mcp_calls", {"machine": told, "asked": asked, "beside": versions, "memory_mib": memory, "cases": cases})


if __name__ == "__main__":
    main()
