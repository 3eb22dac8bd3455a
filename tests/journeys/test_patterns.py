"""A caller's text beside the patterns of a file, through both doors of a server process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp_types import TextContent

from journeys.running import client, serving
from support import RecordingUpstream, capability_text, write_capability

SECONDS = 3.0
PATTERNS = {"plain": "^(a+)+$", "around": "(?=(a+)+b)a", "large": "[ab]*a[ab]{900}c"}


async def test_no_text_of_a_caller_makes_a_pattern_slow(tmp_path: Path) -> None:
    properties = {name: {"type": "string", "pattern": rule} for name, rule in PATTERNS.items()}
    body = {"name": "body", "in": "body", "type": "object", "properties": properties}
    async with RecordingUpstream() as upstream:
        text = capability_text("POST", "/things", inputs=[body], base_uri=upstream.url)
        async with serving(write_capability(tmp_path, text)) as server, client(server.rest) as http:
            took: dict[str, float] = {}
            for name in PATTERNS:
                began = time.perf_counter()
                answer = await http.post("/things", json={name: "ab" * 500_000 + "!"})
                took[f"REST {name}"] = time.perf_counter() - began
                assert answer.status_code == 400
            async with Client(server.mcp) as session:
                for name in PATTERNS:
                    began = time.perf_counter()
                    result = await session.call_tool("act", {"body": {name: "ab" * 500_000 + "!"}})
                    took[f"MCP {name}"] = time.perf_counter() - began
                    assert result.is_error
                    assert isinstance(result.content[0], TextContent)
        assert upstream.requests == []
    assert took == pytest.approx(dict.fromkeys(took, 0.0), abs=SECONDS)
