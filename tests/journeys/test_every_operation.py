"""Every operation of the library, called through Capstan against the sandbox: real processes, both doors."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, MERCHANT_KEY, Account
from journeys import lives
from journeys.running import Capstan, serving
from journeys.through import LIBRARY, Through, control, doors, through
from sandbox.network_life import OPERATIONS, Partner, network_life

PORTS = (8080, 9090, 8181)
NETWORK = re.compile(r"/(v1|v2|v4|messaging)/")  # how the paths of the network begin


def sandbox_of(server: Capstan) -> str:
    return f"http://127.0.0.1:{8181 + server.offset}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Capstan]:
    async with serving(LIBRARY, "--sandbox", "--quiet", ports=PORTS) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server_of_merchant() -> AsyncIterator[Capstan]:
    """Disputes about orders are a merchant's, who has an API key of their own."""
    file, env = LIBRARY / "network" / "disputes-v4.yaml", {"KLARNA_NETWORK_API_KEY": MERCHANT_KEY}
    async with serving(file, "--sandbox", "--quiet", env=env, ports=PORTS) as opened:
        yield opened


class Behind(Partner):
    """A partner or a merchant whose requests go through a server that holds the API key."""

    def __init__(self, account: Account, client: Through, server: Capstan, merchant: Behind | None = None) -> None:
        self.account, self.client, self._server, self._merchant = account, client, server, merchant
        self.ids = {"partner_account_id": account.id, "account_id": account.id}
        self.replies = {}

    def do(self, name: str, body: Any = None, **more: Any) -> Any:
        reply = super().do(name, body, **more)
        return replace(reply, status=OPERATIONS[name].status) if reply.status is None else reply

    def upload(self, name: str) -> None:
        self.ok(name, {"filename": "proof.pdf", "file": base64.b64encode(b"\x00proof\xff").decode()})

    def merchant(self) -> Partner:
        assert self._merchant is not None
        return self._merchant

    def act(self, path: str, body: Any = None) -> Any:
        return control(sandbox_of(self._server), "POST", f"/sandbox/network/{path}", body)


@pytest.mark.parametrize("kind", ["rest", "mcp"])
def test_the_library_has_every_operation(kind: str) -> None:
    paths = [door.pattern.pattern for door in doors(kind)]
    of_network = [path for path in paths if NETWORK.match(path)]
    assert (len(paths) - len(of_network), len(of_network)) == (50, 137)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["rest", "mcp"])
async def test_every_classic_operation_comes_back_right(server: Capstan, kind: str) -> None:
    def ask(method: str, path: str, body: Any) -> Any:
        return control(sandbox_of(server), method, path, body)

    with through(kind, server.rest, server.mcp) as client:
        await asyncio.to_thread(lives.classic_life, client, ask)
        assert [path for path in client.unused if not NETWORK.match(path.partition(" ")[2])] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["rest", "mcp"])
async def test_every_network_operation_comes_back_right(
    server: Capstan, server_of_merchant: Capstan, kind: str
) -> None:
    control(sandbox_of(server), "POST", "/sandbox/reset")
    with (
        through(kind, server.rest, server.mcp) as client,
        through(kind, server_of_merchant.rest, server_of_merchant.mcp) as other,
    ):
        merchant = Behind(DEMO_MERCHANT, other, server_of_merchant)
        await asyncio.to_thread(network_life, Behind(DEMO_PARTNER, client, server, merchant))
        unused = {path for path in client.unused if NETWORK.match(path.partition(" ")[2])} & set(other.unused)
        assert unused == set()
