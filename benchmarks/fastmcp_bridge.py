"""FastMCP's bridge from OpenAPI to MCP, in front of the origin: what mcp_calls.py measures beside Capstan.

Usage: fastmcp_bridge.py PORT ORIGIN. It runs in an environment of its own (fastmcp.txt), with the event loop and the
HTTP parser that Capstan has too, plain JSON answers and no log.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import httpx2
from fastmcp import FastMCP

_OPERATION: Final = {
    "operationId": "get_order",
    "summary": "Get an order.",
    "parameters": [{"name": "order_id", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {"200": {"description": "The order.", "content": {"application/json": {}}}},
}
_API: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {"/orders/{order_id}": {"get": _OPERATION}},
}


def main() -> None:
    port, origin = int(sys.argv[1]), sys.argv[2]
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    client = httpx2.AsyncClient(base_url=origin, auth=("user", "password"), limits=limits, trust_env=False)
    server = FastMCP.from_openapi(_API, client=client)
    quiet = {"log_level": "critical", "access_log": False, "loop": "uvloop", "http": "httptools"}
    server.run(
        transport="http", host="127.0.0.1", port=port, json_response=True, show_banner=False, uvicorn_config=quiet
    )


if __name__ == "__main__":
    main()
