# ruff: noqa: E501 - YAML reads best with one thing to a line
"""Files that consume nothing and answer what they say: through both doors, in every family's spelling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp_types import TextContent

from journeys.running import client, serving

INPUTS = {
    "list": "[{name: who, in: query, type: string, description: Who., required: false}, {name: n, in: query, type: integer, "
    "description: How many., default: 3}]",
    "map": "{who: {in: query, type: string, description: Who., required: false}, n: {in: query, type: integer, description: How many., "
    "default: 3}}",
}
OUTPUTS = {
    "const": "[{name: greeting, type: string, const: Hello}, {name: count, type: integer, const: '4'}, {name: tags, type: array, items: "
    "[{type: string, const: new}]}, {name: at, type: object, properties: {town: {type: string, const: Brest}}}]",
    "list": "[{name: greeting, type: string, value: 'Hello {{who}}'}, {name: count, type: integer, value: '{{n}}'}, {name: tags, "
    "type: array, items: [{name: tag, type: string, value: new}]}, {name: at, type: object, properties: {town: {type: string, "
    "value: '{{who}}'}}}]",
    "map": "{greeting: {type: string, value: 'Hello {{who}}'}, count: {type: integer, value: '{{n}}'}, tags: {type: array, items: {type: "
    "string, value: new}}, at: {type: object, properties: {town: {type: string, value: '{{who}}'}}}}",
}


def lists(version: str, outputs: str, inputs: str = "[]") -> str:
    return f"""naftiko: "{version}"
capability:
  exposes:
    - type: rest
      port: 8080
      namespace: mock-rest
      resources:
        - name: mock
          path: /mock
          operations:
            - {{method: GET, name: mock, inputParameters: {inputs}, outputParameters: {outputs}}}
        - name: bare
          path: /bare
          operations:
            - {{method: GET, name: bare, outputParameters: [{{type: string, const: Hello}}]}}
            - {{method: POST, name: made, responses: {{'201': {{description: Made.}}}}, outputParameters: [{{name: id, const: 1}}]}}
    - type: mcp
      port: 9090
      namespace: mock-tools
      tools:
        - {{name: mock, description: A mock., inputParameters: {inputs}, outputParameters: {outputs}}}
"""


def maps() -> str:
    return f"""ikanos: "1.0.0-beta5"
capability:
  exposes:
    - type: rest
      port: 8080
      namespace: mock-rest
      resources:
        mock:
          path: /mock
          operations:
            mock: {{method: GET, inputParameters: {INPUTS["map"]}, outputParameters: {OUTPUTS["map"]}}}
        bare:
          path: /bare
          operations:
            bare: {{method: GET, outputParameters: [{{type: string, value: Hello}}]}}
            made: {{method: POST, responses: {{'201': {{description: Made.}}}}, outputParameters: {{id: {{value: 1}}}}}}
    - type: mcp
      port: 9090
      namespace: mock-tools
      tools:
        mock: {{description: A mock., inputParameters: {INPUTS["map"]}, outputParameters: {OUTPUTS["map"]}}}
"""


def answer(who: str | None, count: int) -> dict[str, Any]:
    return {"greeting": f"Hello {who or ''}", "count": count, "tags": ["new"], "at": {"town": who}}


CONSTANT = {"greeting": "Hello", "count": 4, "tags": ["new"], "at": {"town": "Brest"}}
FILES = {
    "naftiko-0.5": (lists("0.5", OUTPUTS["const"]), [({}, CONSTANT)]),
    "naftiko-1.0.0-alpha2": (
        lists("1.0.0-alpha2", OUTPUTS["list"], INPUTS["list"]),
        [({}, answer(None, 3)), ({"who": "Ada", "n": 5}, answer("Ada", 5))],
    ),
    "ikanos-1.0.0-beta5": (maps(), [({}, answer(None, 3)), ({"who": "Ada", "n": 5}, answer("Ada", 5))]),
}


@pytest.mark.parametrize(("text", "calls"), FILES.values(), ids=FILES)
async def test_a_file_that_consumes_nothing_answers_what_it_says(
    tmp_path: Path, text: str, calls: list[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    file = tmp_path / "mock.yaml"
    file.write_text(text)
    async with serving(file) as server, client(server.rest) as rest, Client(server.mcp) as session:
        for arguments, expected in calls:
            assert (await rest.get("/mock", params=arguments)).json() == expected
            result = await session.call_tool("mock", arguments)
            assert result.structured_content == expected
            (block,) = result.content
            assert isinstance(block, TextContent)
            assert json.loads(block.text) == expected
        assert (await rest.get("/bare")).json() == {"value": "Hello"}
        made = await rest.post("/bare")
        assert (made.status_code, made.json()) == (201, {"id": 1})
