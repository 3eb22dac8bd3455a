"""What is printed when everything is up: where it is, and what to try first."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from capstan.sandbox.sample import ORDERS

_ORDER: Final = ORDERS[0].id
_PATH: Final = f"/v1/ordermanagement/v1/orders/{_ORDER}"
_KEY: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:capstan:sandbox:first-capture")
_TOOL: Final = "klarna-get-order-details"
_TOOL_SET: Final = "klarna-payment-lifecycle"  # whose list an agent can take in
_PROTOCOL: Final = "2026-07-28"
_JSON: Final = "-H 'Content-Type: application/json'"


def welcome(rest_url: str | None, mcp_url: str | None, sandbox_url: str) -> str:
    """The addresses, then commands that work as they stand while the sample data is there."""
    places = [("Sandbox", sandbox_url)]
    commands: list[tuple[str, str]] = []
    if mcp_url is not None:
        small = f"{mcp_url.removesuffix('/mcp')}/{_TOOL_SET}/mcp"
        places[:0] = [("MCP for agents", f"{small}   eight tools, for a payment's life"), ("MCP, everything", mcp_url)]
        commands.append(("The same order, as the tool call of an agent:", _tool_call(mcp_url)))
    if rest_url is not None:
        places = [("Shop", f"{sandbox_url}/shop?capstan={rest_url}"), ("REST, with forms", f"{rest_url}/docs"), *places]
        commands = [
            ("Look at an order that is there already:", f"curl {rest_url}{_PATH}"),
            ("Capture 20.00 of it. However often this is sent, it captures once:", _capture(rest_url)),
            *commands,
        ]
    width = max(len(name) for name, _ in places)
    table = [f"  {name:<{width}}  {url}" for name, url in places]
    tries = [f"\n{about}\n\n  {command}" for about, command in commands]
    return "\n".join(["", *table, *tries, ""])


def _capture(rest_url: str) -> str:
    return (
        f"curl -i {rest_url}{_PATH}/captures \\\n"
        f"    {_JSON} -H 'Klarna-Idempotency-Key: {_KEY}' \\\n"
        f"    -d '{_text({'captured_amount': 2000})}'"
    )


def _tool_call(mcp_url: str) -> str:
    meta = {
        "io.modelcontextprotocol/protocolVersion": _PROTOCOL,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": _TOOL, "arguments": {"order_id": _ORDER}, "_meta": meta},
    }  # fmt: skip
    return (
        f"curl {mcp_url} {_JSON} \\\n"
        f"    -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: {_PROTOCOL}' \\\n"
        f"    -H 'Mcp-Method: tools/call' -H 'Mcp-Name: {_TOOL}' \\\n"
        f"    -d '{_text(call)}'"
    )


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
