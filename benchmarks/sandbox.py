"""How many orders a second the sandbox reads, with few and with many in it, in one process and with its database.

Each count of orders has a process of its own, on the same core; they are measured in turns over loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness import cores, cpu_seconds, free_port, load, machine, memory_mib, running, save

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.assemble import create_app
from capstan.sandbox.classic.orders import KIND, place_order
from capstan.sandbox.state import State

_FIRST: Final = "00000000-0000-4000-8000-"  # of every order's id; the rest is its number
_AIM: Final = 2000
_KEPT: Final = ("per_second", "cpu_ms", "p50_ms", "p99_ms")  # of which the median is told


@dataclass
class Sandbox:
    """A process that holds so many orders."""

    orders: int
    url: str
    pid: int
    ready_seconds: float
    runs: list[dict[str, Any]] = field(default_factory=list)


def fill(path: Path, count: int) -> None:
    """A database with so many partly captured orders of the demonstration merchant."""
    app = create_app(str(path), sample=False)
    call = app.internal_call(DEMO_MERCHANT)
    line = {"name": "Goods", "quantity": 1, "unit_price": 5000, "total_amount": 5000, "tax_rate": 2500}
    address = {"given_name": "Test", "family_name": "Person", "email": "customer@email.example", "country": "SE"}
    order = place_order(call, {
        "order_amount": 10_000, "purchase_currency": "SEK", "purchase_country": "SE", "locale": "en-SE",
        "order_lines": [line, line], "billing_address": address,
    })  # fmt: skip
    app.state.close()
    state = State(str(path))
    transaction = state.transaction()
    for number in range(count):
        own = f"{_FIRST}{number:012}"
        transaction.put(DEMO_MERCHANT.id, KIND, own, {**order, "order_id": own, "merchant_data": str(uuid.uuid4())})
    transaction.commit()
    state.close()


def measure(sandboxes: list[Sandbox], rounds: int, seconds: float, connections: int, core: int) -> None:
    for number in range(rounds):
        for sandbox in sandboxes if number % 2 == 0 else sandboxes[::-1]:
            before = cpu_seconds(sandbox.pid)
            run = load(sandbox.url, f"one-of-{sandbox.orders}", seconds, connections, core)
            if run["failed"] or run["lost"]:
                raise SystemExit(f"{sandbox.orders} orders: {run['failed']} failed, {run['lost']} connections lost")
            run["cpu_ms"] = round((cpu_seconds(sandbox.pid) - before) / run["all_requests"] * 1000, 3)
            sandbox.runs.append(run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run (default 3)")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    options = parser.parse_args()
    told = machine()
    measured, measuring = cores()
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sandboxes = []
        for count in options.orders:
            path, port = base / f"{count}.db", free_port()
            fill(path, count)
            command = [sys.executable, "-m", "capstan", "sandbox", "--port", str(port), "--db", str(path)]
            started = time.perf_counter()
            process = stack.enter_context(running(command, port=port, core=measured))
            pair = f"{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}"
            url = f"http://{pair}@127.0.0.1:{port}/ordermanagement/v1/orders/{_FIRST}"
            sandboxes.append(Sandbox(count, url, process.pid, time.perf_counter() - started))
        measure(sandboxes, options.rounds, options.seconds, options.connections, measuring)
        rows = [_row(sandbox, sandboxes[0]) for sandbox in sandboxes]
    for row in rows:
        print("  " + json.dumps({name: value for name, value in row.items() if name != "runs"}))
    slowest = min(row["per_second"] for row in rows)
    print(f"  the aim of {_AIM} orders a second is {'met' if slowest >= _AIM else 'missed'}")
    if not options.no_save:
        asked = {key: getattr(options, key) for key in ("orders", "rounds", "seconds", "connections")}
        save("sandbox", {"machine": told, "asked": asked, "rows": rows})


def _row(sandbox: Sandbox, first: Sandbox) -> dict[str, Any]:
    pairs = zip(sandbox.runs, first.runs, strict=True)
    return {  # the best run says more than the median where neighbours keep the machine busy
        "orders": sandbox.orders, "ready_seconds": round(sandbox.ready_seconds, 2),
        "memory_mib": round(memory_mib(sandbox.pid)),
        **{key: statistics.median(run[key] for run in sandbox.runs) for key in _KEPT},
        "best_per_second": max(run["per_second"] for run in sandbox.runs),
        "per_second_ratio": round(statistics.median(own["per_second"] / one["per_second"] for own, one in pairs), 2),
        "runs": sandbox.runs,
    }  # fmt: skip


if __name__ == "__main__":
    main()
