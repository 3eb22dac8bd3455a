"""What the tools cost an agent that reads them all: the bytes of `tools/list`, as a server tells it.

`pytest -s` shows every tool.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pytest
from mcp.client.client import Client

from journeys.running import serving
from library.classic import CREDENTIALS, FOLDER

# The surfaces of the published catalogue, 37 operations.
_EIGHT: Final = (
    "order-management-orders", "order-management-captures", "order-management-refunds", "hosted-payment-page-hpp",
    "merchant-card-service-merchantcard", "settlements-payouts", "settlements-transactions", "settlements-reports",
)  # fmt: skip


async def _listed(files: Sequence[str]) -> dict[str, int]:
    """Each tool's bytes in compact JSON."""
    paths = [FOLDER / f"{file}.yaml" for file in files]
    async with serving(*paths, env=CREDENTIALS) as server, Client(server.mcp) as session:
        answer = await session.list_tools()
    assert answer.next_cursor is None
    sizes = {}
    for tool in answer.tools:
        told = tool.model_dump(by_alias=True, exclude_none=True, mode="json")
        assert "annotations" in told
        sizes[tool.name] = len(json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode())
        print(f"{sizes[tool.name]:7,}  {tool.name}")
    print(f"{sum(sizes.values()):7,}  {len(sizes)} tools of {', '.join(files)}")
    return sizes


@pytest.mark.parametrize(
    ("files", "tools", "limit"),
    [
        pytest.param(_EIGHT, 37, 45_000, id="the eight published surfaces"),
        pytest.param(("klarna-payment-lifecycle",), 8, 12_000, id="payment lifecycle"),
        pytest.param(("klarna-orders",), 6, 11_000, id="orders"),
        pytest.param(("klarna-order-flows",), 4, 8_000, id="order flows"),
        pytest.param(("klarna-desk",), 6, 8_000, id="desk"),
    ],
)
async def test_a_list_of_tools_stays_small(files: Sequence[str], tools: int, limit: int) -> None:
    sizes = await _listed(files)
    assert len(sizes) == tools
    assert sum(sizes.values()) + len(sizes) + 1 < limit  # commas and brackets of the list
