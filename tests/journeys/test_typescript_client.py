"""Every tool of the library, called against the sandbox by the official TypeScript client, in both protocol eras; and
the small sets of tools by the Python client as well, whose other tools test_every_operation.py calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER
from journeys import lives
from journeys.agents import agents_life
from journeys.running import Capstan
from journeys.test_every_operation import Behind, sandbox_of, server, server_of_merchant
from journeys.through import ThroughMcp, control, through
from journeys.typescript import node, typescript
from sandbox.network_life import network_life

__all__ = ["server", "server_of_merchant"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="module")
ERAS = [pytest.param("legacy", "2025-11-25", id="sessions"), pytest.param("2026-07-28", "2026-07-28", id="stateless")]


@pytest.fixture(scope="module", autouse=True)
def _node() -> None:
    node()


def structured(client: Any) -> Callable[..., dict[str, Any]]:
    """Calls that must succeed, and what they answer as data."""

    def call(tool: str, **arguments: Any) -> dict[str, Any]:
        result = client.call(tool, arguments)
        assert not result.is_error, f"{tool}: {result.content}"
        found: dict[str, Any] = result.structured_content
        return found

    return call


def asking(server: Capstan) -> Callable[[str, str, Any], Any]:
    """What only customers and time do."""

    def ask(method: str, path: str, body: Any) -> Any:
        return control(sandbox_of(server), method, path, body)

    return ask


@pytest.mark.parametrize(("era", "revision"), ERAS)
async def test_the_typescript_client_calls_every_tool(
    era: str, revision: str, server: Capstan, server_of_merchant: Capstan
) -> None:
    control(sandbox_of(server), "POST", "/sandbox/reset")

    def live() -> None:
        with typescript(server.mcp, era) as client, typescript(server_of_merchant.mcp, era) as other:
            assert client.revision == other.revision == revision
            lives.classic_life(client, asking(server))
            agents_life(structured(client), asking(server))
            merchant = Behind(DEMO_MERCHANT, other, server_of_merchant)
            network_life(Behind(DEMO_PARTNER, client, server, merchant))
            # Of disputes about orders a merchant has tools on a server of its own, under the same names.
            assert set(client.tools) - client.called - other.called == set()
            assert len(client.tools) == len(set(client.tools)) > 200

    await asyncio.to_thread(live)


async def test_the_python_client_calls_the_small_sets_of_tools(server: Capstan) -> None:
    with through("mcp", server.rest, server.mcp) as client:
        assert isinstance(client, ThroughMcp)
        await asyncio.to_thread(agents_life, structured(client), asking(server))
