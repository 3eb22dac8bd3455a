"""What two thousand capability files in one process cost: the time until it is ready, its memory, and a call's latency.

Each file has seven consumed operations, seven REST operations and seven MCP tools, all under names of its own. One file
alone is served beside them, and the latencies of both are taken in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness import HERE, cores, free_port, load, machine, memory_mib, running, save

# Name, method, path below /orders/{order_id}, and whether there is a body.
_OPERATIONS: Final = (
    ("get", "GET", "", False),
    ("captures", "GET", "/captures", False),
    ("capture", "POST", "/captures", True),
    ("refund", "POST", "/refunds", True),
    ("cancel", "POST", "/cancel", False),
    ("extend", "PATCH", "/extend", True),
    ("release", "DELETE", "/authorization", False),
)


def capability(number: int, rest: int, mcp: int) -> str:
    """The text of one file."""
    consumed, routes, tools = [], [], []
    for name, method, below, body in _OPERATIONS:
        own, path = f"{name}-{number}", f"/orders/{{order_id}}{below}"
        field_ = ", {name: body, in: body, type: object, description: The request., required: true}" if body else ""
        filled = "{order_id: %s.order_id" + (", body: %s.body}" if body else "}")
        consumed.append(
            f"    - {{name: {own}, path: '{path}', operations: [{{name: {own}, method: {method}, "
            f"description: Do {own}., inputParameters: "
            "[{name: order_id, in: path, type: string, description: Order id, required: true}"
            f"{field_}]}}]}}"
        )
        routes.append(
            f"    - {{path: '/api-{number}{path}', operations: [{{method: {method}, name: {own}, "
            f"call: api-{number}.{own}, with: {filled.replace('%s', 'rest')}}}]}}"
        )
        tools.append(
            f"    - {{name: {own}, description: Do {own} for an order., call: api-{number}.{own}, "
            f"with: {filled.replace('%s', 'tools')}}}"
        )
    return "\n".join([
        "naftiko: 1.0.0-alpha2",
        f"info: {{label: API {number}, description: One of many.}}",
        "binds:",
        "- {namespace: env, keys: {ORDERS_USER: ORDERS_USER, ORDERS_PASSWORD: ORDERS_PASSWORD}}",
        "capability:", "  consumes:", "  - type: http", f"    namespace: api-{number}",
        f"    baseUri: http://api-{number}.example",
        "    authentication: {type: basic, username: '{{ORDERS_USER}}', password: '{{ORDERS_PASSWORD}}'}",
        "    resources:", *consumed,
        "  exposes:", "  - type: rest", f"    namespace: rest-{number}", f"    port: {rest}", "    resources:", *routes,
        "  - type: mcp", f"    namespace: mcp-{number}", f"    port: {mcp}", "    tools:", *tools, "",
    ])  # fmt: skip


@dataclass
class Served:
    name: str
    files: int
    pid: int
    url: str
    ready_seconds: float
    memory_mib: float
    runs: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def served(name: str, count: int, folder: Path, origin: str, core: int, runtime: str) -> Iterator[Served]:
    """`count` files in one process; the first one's calls reach the origin."""
    rest, mcp = free_port(), free_port()
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:05}.yaml").write_text(capability(number, rest, mcp))
    command = [sys.executable, "-m", "capstan", "serve", str(folder), "--base-uri", f"api-0={origin}", "--quiet"]
    environ = {**os.environ, "ORDERS_USER": "user", "ORDERS_PASSWORD": "password"}
    if runtime:
        environ["PYTHONPATH"] = runtime
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = time.perf_counter() - started
        if b"ready" not in line:
            raise SystemExit(f"{name} did not become ready")
        yield Served(
            name, count, process.pid, f"http://127.0.0.1:{rest}/api-0/orders/", elapsed, memory_mib(process.pid)
        )
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default 2)")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER",
                        help="serve the many files with the `runtime` folder of another checkout too")  # fmt: skip
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    options = parser.parse_args()
    told = machine()
    measured, measuring = cores()
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        stack.enter_context(running([sys.executable, str(HERE / "origin.py"), str(port)], port=port, core=measuring))
        wanted = [("one file", 1, ""), (f"{options.files} files", options.files, "")]
        wanted += [(text.partition("=")[0], options.files, text.partition("=")[2]) for text in options.also]
        contenders = [
            stack.enter_context(served(name, count, base / str(index), f"http://127.0.0.1:{port}", measured, runtime))
            for index, (name, count, runtime) in enumerate(wanted)
        ]
        for number in range(options.rounds):
            for contender in contenders if number % 2 == 0 else contenders[::-1]:
                run = load(contender.url, "get", options.seconds, options.connections, measuring)
                if run["failed"] or run["lost"]:
                    raise SystemExit(f"{contender.name}: {run['failed']} failed, {run['lost']} connections lost")
                contender.runs.append(run)
    rows = []
    for contender in contenders:
        row: dict[str, Any] = {"name": contender.name, "files": contender.files}
        row |= {"ready_seconds": round(contender.ready_seconds, 2), "memory_mib": round(contender.memory_mib)}
        row |= {key: statistics.median(run[key] for run in contender.runs) for key in ("p50_ms", "p99_ms")}
        pairs = zip(contender.runs, contenders[0].runs, strict=True)
        row["p50_ratio"] = round(statistics.median(own["p50_ms"] / one["p50_ms"] for own, one in pairs), 2)
        rows.append({**row, "runs": contender.runs})
        print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if not options.no_save:
        asked = {key: getattr(options, key) for key in ("files", "rounds", "seconds", "connections")}
        save("many_files", {"machine": told, "asked": asked, "rows": rows})


if __name__ == "__main__":
    main()
