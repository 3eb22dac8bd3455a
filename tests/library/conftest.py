"""What tests of the library share: a sandbox of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest_asyncio


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[str]:
    """Where a sandbox listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "capstan", "sandbox", "--port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(15):
            url = (await process.stdout.readline()).decode().rpartition(" ")[2].strip()
        assert url.startswith("http://")
        yield url
    finally:
        process.terminate()
        await process.communicate()
