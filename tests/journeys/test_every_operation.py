"""Every operation of the library, called through Capstan against the sandbox: real processes, both doors, and of MCP
each transport in both eras.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp.client.stdio import StdioServerParameters

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, MERCHANT_KEY, Account
from journeys import lives
from journeys.running import Capstan, free_offset, serving
from journeys.through import LIBRARY, Through, control, doors, through
from sandbox.network_life import OPERATIONS, Partner, network_life

PORTS = (8080, 9090, 8181)
NETWORK = re.compile(r"/(v1|v2|v4|messaging)/")  # how the paths of the network begin


@dataclass(frozen=True)
class OnStdio:
    """A server that its client starts, and whose sandbox is at an offset of its own."""

    mcp: StdioServerParameters
    offset: int
    rest: str = ""

    @classmethod
    def of(cls, path: Path, **env: str) -> OnStdio:
        offset = free_offset((8181,))
        arguments = [
            "-m",
            "capstan",
            "serve",
            str(path),
            "--stdio",
            "--sandbox",
            "--quiet",
            "--port-offset",
            str(offset),
        ]
        return cls(StdioServerParameters(command=sys.executable, args=arguments, env={**os.environ, **env}), offset)


def sandbox_of(server: Capstan | OnStdio) -> str:
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

    def __init__(
        self, account: Account, client: Through, server: Capstan | OnStdio, merchant: Behind | None = None
    ) -> None:
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
@pytest.mark.parametrize("kind", ["rest", "mcp", "mcp in a session"])
async def test_every_classic_operation_comes_back_right(server: Capstan, kind: str) -> None:
    def ask(method: str, path: str, body: Any) -> Any:
        return control(sandbox_of(server), method, path, body)

    with through(kind, server.rest, server.mcp) as client:
        await asyncio.to_thread(lives.classic_life, client, ask)
        assert [path for path in client.unused if not NETWORK.match(path.partition(" ")[2])] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["rest", "mcp", "mcp in a session"])
async def test_every_network_operation_comes_back_right(
    server: Capstan, server_of_merchant: Capstan, kind: str
) -> None:
    control(sandbox_of(server), "POST", "/sandbox/reset")
    await asyncio.to_thread(live_in_the_network, kind, server, server_of_merchant)


def live_in_the_network(kind: str, server: Capstan | OnStdio, of_merchant: Capstan | OnStdio) -> None:
    with (
        through(kind, server.rest, server.mcp) as client,
        through(kind, of_merchant.rest, of_merchant.mcp) as other,
    ):
        merchant = Behind(DEMO_MERCHANT, other, of_merchant)
        network_life(Behind(DEMO_PARTNER, client, server, merchant))
        unused = {path for path in client.unused if NETWORK.match(path.partition(" ")[2])} & set(other.unused)
        assert unused == set()


@pytest.mark.parametrize("kind", ["mcp", "mcp in a session"])
def test_every_operation_comes_back_right_on_standard_input_and_output(kind: str) -> None:
    server = OnStdio.of(LIBRARY)
    of_merchant = OnStdio.of(LIBRARY / "network" / "disputes-v4.yaml", KLARNA_NETWORK_API_KEY=MERCHANT_KEY)

    def ask(method: str, path: str, body: Any) -> Any:
        return control(sandbox_of(server), method, path, body)

    with through(kind, "", server.mcp) as client:
        lives.classic_life(client, ask)
        assert [path for path in client.unused if not NETWORK.match(path.partition(" ")[2])] == []
    live_in_the_network(kind, server, of_merchant)
