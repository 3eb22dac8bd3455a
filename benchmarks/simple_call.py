"""What Capstan itself spends on a simple call: check, bind, decode, shape, with an upstream that answers at once.

No socket takes part, so a difference of one percent can be seen. `--also NAME=FOLDER` lets the `runtime` folder of
another checkout take its turns: what a construct costs a file that does not use it. `--instructions` counts them under
valgrind, which no busy neighbour changes (four minutes for each contender).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness import machine, save

_FILE: Final = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: https://api.shop.example/v2
    authentication: {type: basic, username: a, password: b}
    resources:
    - name: order
      path: /orders/{order_id}
      inputParameters: [{name: order_id, in: path, type: string}]
      operations:
      - {name: read, method: GET, inputParameters: [{name: q, in: query, type: string}]}
      - name: change
        method: POST
        inputParameters: [{name: amount, in: body, type: integer}, {name: note, in: body, type: string}]
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
    - {name: read, description: Read., call: shop.read}
    - {name: change, description: Change., call: shop.change}
    - name: mapped
      description: Read a part.
      call: shop.read
      outputParameters:
      - type: object
        properties:
          id: {type: string, mapping: $.order_id}
          lines:
            type: array
            mapping: $.lines[*]
            items: {type: object, properties: {sku: {type: string, mapping: $.sku}}}
"""
_ANSWER: Final = b'{"order_id":"o-1","status":"CAPTURED","lines":[{"sku":"a"},{"sku":"b"}]}'
_CASES: Final[Mapping[str, dict[str, Any]]] = {
    "read": {"order_id": "o-1", "q": "x"},
    "change": {"order_id": "o-1", "amount": 5, "note": "n"},
    "mapped": {"order_id": "o-1", "q": "x"},
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--calls", type=int, default=20_000, help="of one run")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER")
    arguments.add_argument("--instructions", action="store_true", help="count them, in place of time")
    arguments.add_argument("--no-save", action="store_true")
    arguments.add_argument("--child", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.child:
        _child(Path(options.child), options.calls)
        return
    about = machine()
    contenders: dict[str, str] = {"now": ""} | dict(one.split("=", 1) for one in options.also)
    if options.instructions:
        _count(contenders)
        return
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "shop.yaml")
        file.write_text(_FILE)
        for number in range(options.rounds):
            order = list(contenders) if number % 2 else list(contenders)[::-1]
            for name in order:
                runs[name].append(_run(contenders[name], file, options.calls))
    result = {
        name: {case: statistics.median(run[case] for run in done) for case in _CASES} for name, done in runs.items()
    }
    ratios = {
        name: {
            case: statistics.median(n[case] / o[case] for n, o in zip(runs["now"], done, strict=True))
            for case in _CASES
        }
        for name, done in runs.items()
        if name != "now"
    }
    for name, found in result.items():
        told = "  ".join(f"{case} {micros:6.2f} µs" for case, micros in found.items())
        beside = "  ".join(f"now x{ratio:.3f}" for ratio in ratios.get(name, {}).values())
        print(f"{name:8} {told}  {beside}")
    if not options.no_save:
        save("simple_call", {"machine": about, "rounds": options.rounds, "microseconds": result, "now_to_it": ratios})


def _count(contenders: Mapping[str, str]) -> None:
    """Instructions of one call, all cases together: what 1,000 further calls of each take."""
    few, many = 100, 1100
    warmed = (many - few) * 11 // 10  # a child makes a tenth more, before it measures
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "shop.yaml")
        file.write_text(_FILE)
        for name, source in contenders.items():
            counted = [_instructions(source, file, calls) for calls in (few, many)]
            found[name] = (counted[1] - counted[0]) / (warmed * len(_CASES))
            beside = "" if name == "now" else f"  now x{found['now'] / found[name]:.3f}"
            print(f"{name:8} {found[name]:,.0f} instructions{beside}")


def _instructions(source: str, file: Path, calls: int) -> int:
    environ = {**os.environ, "PYTHONHASHSEED": "0", **({"PYTHONPATH": source} if source else {})}
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__,
               "--child", str(file), "--calls", str(calls)]  # fmt: skip
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True, timeout=600)
    return int(re.findall(r"Collected : (\d+)", done.stderr)[-1])


def _run(source: str, file: Path, calls: int) -> dict[str, float]:
    environ = {**os.environ, "PYTHONPATH": source} if source else os.environ
    command = [sys.executable, __file__, "--child", str(file), "--calls", str(calls)]
    return dict(json.loads(subprocess.run(command, env=environ, check=True, capture_output=True, timeout=120).stdout))


def _child(file: Path, calls: int) -> None:
    import asyncio  # noqa: PLC0415 - only the child calls
    import time  # noqa: PLC0415

    from capstan.plan.build import plan_file  # noqa: PLC0415 - of the checkout that takes its turn
    from capstan.settings import Settings  # noqa: PLC0415

    try:
        from capstan.call.unit import LiveUnit  # noqa: PLC0415
    except ImportError:  # where it stood before
        from capstan.call.engine import LiveUnit  # type: ignore[no-redef,attr-defined]  # noqa: PLC0415

    async def measure() -> dict[str, float]:
        found: dict[str, float] = {}
        for unit in plan_file(file, {})[0].units:
            live: Any = LiveUnit(unit, _Upstream(), Settings())  # type: ignore[arg-type]
            given = _CASES[unit.name]
            for _ in range(calls // 10):
                await live.call(given)
            started = time.process_time()
            for _ in range(calls):
                await live.call(given)
            found[unit.name] = (time.process_time() - started) / calls * 1e6
        return found

    print(json.dumps(asyncio.run(measure())))


class _Response:
    status = 200
    media_type = "application/json"
    passed_headers = ()
    content_length = len(_ANSWER)

    async def read(self, _: int, **__: Any) -> bytes:
        return _ANSWER

    def masked(self, value: Any) -> Any:
        return value

    def close(self) -> None:
        pass


class _Upstream:
    async def send(self, *_: Any) -> _Response:
        return _Response()


if __name__ == "__main__":
    main()
