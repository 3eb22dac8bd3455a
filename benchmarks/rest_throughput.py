"""How many calls one Capstan process passes on, beside a hand-written proxy that makes the same calls.

The contenders take turns on one core, in an order that turns round each time; origin and load generator share another.
`--also NAME=FOLDER` lets another checkout of Capstan take its turns too: how a change is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness import HERE, cores, cpu_seconds, free_port, load, machine, memory_mib, running, save

_PYTHON: Final = sys.executable
_ENVIRON: Final = {"ORDERS_USER": "user", "ORDERS_PASSWORD": "password"}
_CASES: Final = {"get": "REST GET", "post": "REST POST, 300 bytes of JSON", "mcp": "MCP tools/call",
                 "forward": "REST GET, forwarded"}  # fmt: skip
_FORWARD: Final = "    - {path: '/forwarded/{path}', forward: {targetNamespace: orders, trustedHeaders: [Accept]}}\n"


@dataclass
class Contender:
    name: str
    pid: int
    rest: str
    mcp: str | None
    forwards: bool = False
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def url(self, case: str) -> str | None:
        if case == "forward":
            return self.rest.replace("/orders/", "/forwarded/orders/") if self.forwards else None
        return self.mcp if case == "mcp" else self.rest

    def median(self, case: str, key: str) -> float:
        return statistics.median(run[key] for run in self.runs[case])


@contextlib.contextmanager
def baseline(origin: str, core: int) -> Iterator[Contender]:
    port = free_port()
    with running([_PYTHON, str(HERE / "baseline.py"), str(port), origin], port=port, core=core) as process:
        yield Contender("starlette + httpx2", process.pid, f"http://127.0.0.1:{port}/orders/", None)


@contextlib.contextmanager
def capstan(name: str, origin: str, core: int, log: Path, *options: str, source: str = "") -> Iterator[Contender]:
    """A serving process on two free ports; `source` is the `runtime` folder of another checkout."""
    rest, mcp = free_port(), free_port()
    text = (HERE / "orders.yaml").read_text()
    if not source:  # an older checkout may know of no forwards
        text = text.replace("  - type: mcp\n", f"{_FORWARD}  - type: mcp\n")
    file = log.with_suffix(".yaml")
    file.write_text(text.replace("port: 8080", f"port: {rest}").replace("port: 9090", f"port: {mcp}"))
    command = [_PYTHON, "-m", "capstan", "serve", str(file), "--base-uri", f"orders={origin}", *options]
    environ = {**_ENVIRON, "PYTHONPATH": source} if source else _ENVIRON
    with running(command, port=mcp, core=core, environ=environ, log=log) as process:
        urls = f"http://127.0.0.1:{rest}/orders/", f"http://127.0.0.1:{mcp}/mcp"
        yield Contender(name, process.pid, *urls, forwards=not source)


def measure(contender: Contender, case: str, seconds: float, connections: int, core: int) -> None:
    url = contender.url(case)
    if url is None:
        return
    before = cpu_seconds(contender.pid)
    run = load(url, "get" if case == "forward" else case, seconds, connections, core)
    used = cpu_seconds(contender.pid) - before
    if run["failed"] or run["lost"]:
        raise SystemExit(f"{contender.name}, {case}: {run['failed']} failed, {run['lost']} connections lost")
    run["cpu_ms_per_call"] = round(used * 1000 / run["all_requests"], 4)
    contender.runs.setdefault(case, []).append(run)


def report(case: str, contenders: list[Contender]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    print(f"\n{_CASES[case]}")
    for contender in contenders:
        if case not in contender.runs:
            continue
        row: dict[str, Any] = {"name": contender.name}
        for key in ("per_second", "cpu_ms_per_call", "p50_ms", "p99_ms"):
            row[key] = contender.median(case, key)
        first = rows[0] if rows else row
        # A ratio is taken round by round: both runs of a round met the same neighbours on the machine.
        pairs = zip(contender.runs[case], next(c for c in contenders if case in c.runs).runs[case], strict=True)
        row["ratio"] = round(statistics.median(own["per_second"] / other["per_second"] for own, other in pairs), 2)
        row["cpu_ratio"] = round(first["cpu_ms_per_call"] / row["cpu_ms_per_call"], 2)
        row["runs"] = contender.runs[case]
        rows.append(row)
        print(
            f"  {row['name']:24} {row['per_second']:8.0f}/s  {row['cpu_ms_per_call']:.3f} ms CPU"
            f"  p50 {row['p50_ms']:6.2f}  p99 {row['p99_ms']:6.2f} ms"
            f"  x{row['ratio']:.2f} calls/s  x{row['cpu_ratio']:.2f} CPU"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default 2)")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--case", action="append", choices=tuple(_CASES), help="only this case (repeatable)")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER",
                        help="a further contender: the `runtime` folder of another checkout")  # fmt: skip
    parser.add_argument("--only-capstan", action="store_true", help="leave the hand-written proxy and the log out")
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    options = parser.parse_args()
    told = machine()
    measured, measuring = cores()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        stack.enter_context(running([_PYTHON, str(HERE / "origin.py"), str(port)], port=port, core=measuring))
        origin = f"http://127.0.0.1:{port}"
        contenders = []
        if not options.only_capstan:
            contenders += [
                stack.enter_context(baseline(origin, measured)),
                stack.enter_context(capstan("capstan, a log line a call", origin, measured, folder / "logging")),
            ]
        for text in options.also:
            name, _, source = text.partition("=")
            other = capstan(name, origin, measured, folder / f"also-{name}", "--quiet", source=source)
            contenders.append(stack.enter_context(other))
        quiet = capstan("capstan --quiet", origin, measured, folder / "quiet", "--quiet")
        contenders.append(stack.enter_context(quiet))
        results = {}
        for case in options.case or _CASES:
            for number in range(options.rounds):
                for contender in contenders if number % 2 == 0 else contenders[::-1]:
                    measure(contender, case, options.seconds, options.connections, measuring)
            results[case] = report(case, contenders)
        memory = {contender.name: round(memory_mib(contender.pid), 1) for contender in contenders}
    if not options.no_save:
        asked = {key: getattr(options, key) for key in ("rounds", "seconds", "connections")}
        save("rest_throughput", {"machine": told, "asked": asked, "memory_mib": memory, "cases": results})


if __name__ == "__main__":
    main()
