"""What a flow of five calls that nothing orders costs, beside one such call, over REST through a serving process.

The upstream takes some milliseconds for each answer, as upstreams do; the two take turns, one request at a time.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from harness import HERE, cores, free_port, machine, running, save

_CALLS: Final = 5
_FILE: Final = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: http://127.0.0.1:{origin}
    resources:
    - {{name: orders, path: '/orders/{{id}}', operations: [{{name: read, method: GET}}]}}
  exposes:
  - type: rest
    namespace: shop-rest
    port: {rest}
    resources:
    - {{path: '/one/{{id}}', operations: [{{name: one, method: GET, call: shop.read}}]}}
    - path: '/flow/{{id}}'
      operations:
      - name: flow
        method: GET
        steps: [{steps}]
        mappings: [{mappings}]
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pauses", type=float, nargs="+", default=[0.0, 5.0, 20.0, 50.0], help="milliseconds")
    arguments.add_argument("--rounds", type=int, default=200)
    arguments.add_argument("--no-save", action="store_true")
    options = arguments.parse_args()
    about = machine()
    measured = [_measure(pause, options.rounds) for pause in options.pauses]
    for row in measured:
        print(
            f"upstream takes {row['pause_ms']:4.0f} ms: one call {row['one_ms']:6.2f} ms, "
            f"{_CALLS} in a flow {row['flow_ms']:6.2f} ms, x{row['ratio']:.2f}"
        )
    if not options.no_save:
        save("flows", {"machine": about, "calls": _CALLS, "rounds": options.rounds, "results": measured})


def _measure(pause: float, rounds: int) -> dict[str, float]:
    core, other = cores()
    origin, rest = free_port(), free_port()
    steps = ", ".join(f"{{name: s{n}, call: shop.read, with: {{id: 'o-{n}-{{{{id}}}}'}}}}" for n in range(_CALLS))
    mappings = ", ".join(f"{{target: t{n}, value: $.s{n}.status}}" for n in range(_CALLS))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "flow.yaml")
        file.write_text(_FILE.format(origin=origin, rest=rest, steps=steps, mappings=mappings))
        upstream = [sys.executable, str(HERE / "slow_origin.py"), str(origin), str(pause)]
        server = [sys.executable, "-m", "capstan", "serve", str(file), "--quiet"]
        with running(upstream, port=origin, core=other), running(server, port=rest, core=core):
            return {"pause_ms": pause, **_turns(rest, rounds)}


def _turns(port: int, rounds: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(20):
        _once(connection, "/one/1"), _once(connection, "/flow/1")
    pairs = [(_once(connection, "/one/1"), _once(connection, "/flow/1")) for _ in range(rounds)]
    return {
        "one_ms": statistics.median(one for one, _ in pairs) * 1000,
        "flow_ms": statistics.median(flow for _, flow in pairs) * 1000,
        "ratio": statistics.median(flow / one for one, flow in pairs),
    }


def _once(connection: http.client.HTTPConnection, path: str) -> float:
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - started
    if answer.status != 200 or b"CAPTURED" not in body:
        raise SystemExit(f"{path} answered {answer.status}: {body[:200]!r}")
    return took


if __name__ == "__main__":
    main()
