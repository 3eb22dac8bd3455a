"""Every operation of the library, called through Capstan against the sandbox: real processes, both doors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from journeys import lives
from journeys.running import Capstan, serving
from journeys.through import LIBRARY, control, doors, through


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def capstan() -> AsyncIterator[Capstan]:
    async with serving(LIBRARY, "--sandbox", "--quiet", ports=(8080, 9090, 8181)) as server:
        yield server


@pytest.mark.parametrize("kind", ["rest", "mcp"])
def test_the_library_has_every_operation(kind: str) -> None:
    classic = [door for door in doors(kind) if not re.match(r"/(v1|v2|v4|messaging)/", door.pattern.pattern)]
    assert (len(classic), len(doors(kind)) - len(classic)) == (50, 137)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("kind", ["rest", "mcp"])
async def test_every_classic_operation_comes_back_right(capstan: Capstan, kind: str) -> None:
    sandbox = f"http://127.0.0.1:{8181 + capstan.offset}"

    def ask(method: str, path: str, body: Any) -> Any:
        return control(sandbox, method, path, body)

    with through(kind, capstan.rest, capstan.mcp) as client:
        await asyncio.to_thread(lives.classic_life, client, ask)
        unused = [door for door in client.unused if not re.search(r" /(v1|v2|v4|messaging)/", door)]
        assert unused == []
