"""One function of an imported aggregate, through both doors of a server of its own."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
from mcp.client.client import Client

from journeys.running import client, serving
from support import RecordingUpstream, reply

FLEET = """
ikanos: 1.0.0-beta7
aggregates:
- display: Fleet
  namespace: fleet
  flows:
    get-ship:
      display: A ship
      description: One ship, by its number.
      semantics: {safe: true, idempotent: true}
      inputParameters:
        imo: {type: string, description: Its number., pattern: '^[0-9]+$'}
        unit: {type: string, required: false, enum: [m, ft]}
      call: registry.get-ship
      with: {imo: fleet.imo, unit: '{{unit}}'}
      outputParameters:
      - type: object
        properties: {name: {type: string, mapping: $.vessel}, length: {type: number, mapping: $.length}}
    scrap-ship:
      description: The end of a ship.
      inputParameters: {imo: {type: string, description: Its number.}}
      call: registry.scrap-ship
"""
CAPABILITY = """
ikanos: 1.0.0-beta7
capability:
  aggregates: [{from: ./fleet.aggregates.yml, import: fleet, as: navy}]
  consumes:
  - type: http
    namespace: registry
    baseUri: http://127.0.0.1:1
    resources:
      ship:
        path: /ships/{imo}
        operations:
          get-ship: {method: GET, inputParameters: {unit: {in: query}}}
          scrap-ship: {method: DELETE}
  exposes:
  - type: mcp
    namespace: agents
    port: 9090
    tools:
      get-ship: {ref: navy.get-ship}
      get-ship-in-feet: {description: In feet., ref: navy.get-ship, with: {unit: ft}, hints: {openWorld: false}}
      scrap-ship: {ref: navy.scrap-ship}
  - type: rest
    namespace: web
    port: 8080
    resources:
      ship:
        path: /ships/{imo}
        operations:
          read: {method: GET, ref: navy.get-ship}
          scrap: {method: DELETE, ref: navy.scrap-ship, responses: {'204': {description: Scrapped.}}}
"""


async def test_one_function_answers_both_doors(tmp_path: Path) -> None:
    (tmp_path / "fleet.aggregates.yml").write_text(FLEET)
    (tmp_path / "capability.yml").write_text(CAPABILITY)
    ship = reply(data={"vessel": "Vasa", "length": 69, "secret": "cargo"})
    async with RecordingUpstream(ship) as upstream:
        given = ("--base-uri", f"registry={upstream.url}")
        async with serving(tmp_path, *given) as server, client(server.rest) as http:
            await _over_rest(http, upstream)
            async with Client(server.mcp) as session:
                await _over_mcp(session, upstream)


async def _over_rest(http: httpx2.AsyncClient, upstream: RecordingUpstream) -> None:
    answer = await http.get("/ships/42?unit=m")
    assert (answer.status_code, answer.json()) == (200, {"name": "Vasa", "length": 69})
    refused = await http.get("/ships/x")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-argument")
    gone = await http.delete("/ships/42")
    assert (gone.status_code, gone.content) == (204, b"")
    assert [(r.method, r.target) for r in upstream.requests] == [("GET", "/ships/42?unit=m"), ("DELETE", "/ships/42")]
    described = (await http.get("/openapi.json")).json()["paths"]["/ships/{imo}"]
    assert (described["get"]["operationId"], described["get"]["summary"]) == ("read", "A ship")
    assert described["get"]["parameters"][0]["schema"]["pattern"] == "^[0-9]+$"
    assert described["delete"]["responses"]["204"] == {"description": "Scrapped."}


async def _over_mcp(session: Client, upstream: RecordingUpstream) -> None:
    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert (tools["get-ship"].title, tools["get-ship"].description) == ("A ship", "One ship, by its number.")
    read, feet, scrap = (hints[name] for name in ("get-ship", "get-ship-in-feet", "scrap-ship"))
    assert read is not None
    assert feet is not None
    assert scrap is not None
    assert (read.read_only_hint, read.destructive_hint, read.idempotent_hint) == (True, False, True)
    assert (feet.read_only_hint, feet.open_world_hint) == (True, False)
    assert (scrap.read_only_hint, scrap.destructive_hint) == (False, True)  # of what it does: it has no semantics
    assert set(tools["get-ship-in-feet"].input_schema["properties"]) == {"imo"}
    result = await session.call_tool("get-ship-in-feet", {"imo": "42"})
    assert json.loads(json.dumps(result.structured_content)) == {"name": "Vasa", "length": 69}
    assert upstream.requests[-1].target == "/ships/42?unit=ft"
    assert (await session.call_tool("get-ship", {})).is_error


async def test_a_changed_file_of_functions_is_served_anew(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.aggregates.yml"
    fleet.write_text(FLEET)
    (tmp_path / "capability.yml").write_text(CAPABILITY)
    async with serving(tmp_path, "--watch") as server, client(server.rest) as http:
        fleet.write_text(FLEET.replace("'^[0-9]+$'", "'^[a-z]+$'"))
        await server.said("reloaded")
        refused = await http.get("/ships/42")
        assert refused.json()["argument"] == "imo"
