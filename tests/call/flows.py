"""A capability for tests of flows: an API with orders, and one unit `act` whose steps a test writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capstan.errors import CallError, LoadError
from capstan.plan.build import plan_file
from support import Received, RecordingUpstream, live, write_capability

HEAD = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: api
    baseUri: http://localhost
    resources:
    - name: orders
      path: /orders/{id}
      operations:
      - {name: read, method: GET}
      - {name: capture, method: POST, effect: money, inputParameters: [{name: amount, in: body, type: integer},
         {name: Idempotency-Key, in: header, type: string}]}
      - {name: cancel, method: DELETE}
    - name: lists
      path: /{list}
      operations:
      - {name: all, method: GET, inputParameters: [{name: of, in: query, type: string}]}
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools:
    - name: act
      description: Does something.
"""


def flow(unit: str) -> str:
    """The file whose unit has these keywords."""
    return HEAD + "\n".join("      " + line for line in unit.strip("\n").splitlines()) + "\n"


async def run(
    folder: Path, unit: str, arguments: Mapping[str, Any], *answers: Any, by: Any = None
) -> tuple[Any, list[Received]]:
    """What `act` answers or raises, and the requests it made. `by` answers every request."""
    async with RecordingUpstream() as upstream:
        if by is not None:
            upstream.always = by
        upstream.then(*answers)
        async with live(write_capability(folder, flow(unit)), None, {"api": upstream.url}) as units:
            try:
                result: Any = (await units["act"].call(arguments)).value
            except CallError as error:
                result = error
        return result, list(upstream.requests)


def problems(folder: Path, unit: str) -> list[str]:
    """Code and message of everything that is wrong with the unit, warnings too."""
    try:
        found = plan_file(write_capability(folder, flow(unit)))[1]
    except LoadError as error:
        found = error.problems
    return [f"{problem.code}: {problem.message}" for problem in found]
