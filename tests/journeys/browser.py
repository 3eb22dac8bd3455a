"""A headless browser in the tests, driven over the DevTools protocol on a pipe: no port and no further library."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed"
)
_SECONDS = 20.0
# The browser reads commands from descriptor 3 and answers on 4.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 13); os.dup2(int(sys.argv[2]), 14); os.dup2(13, 3); os.dup2(14, 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One tab of a headless browser, told what to do by the DevTools protocol."""

    def __init__(self, reader: asyncio.StreamReader, commands: int) -> None:
        self._reader, self._commands = reader, commands
        self._number = 0
        self._session: str | None = None
        self.faults: list[str] = []

    async def attach(self) -> None:
        target = await self.tell("Target.createTarget", url="about:blank")
        attached = await self.tell("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.tell("Page.enable")
        await self.tell("Runtime.enable")
        await self.tell("Log.enable")
        await self.tell("Emulation.setFocusEmulationEnabled", enabled=True)

    async def tell(self, method: str, **params: Any) -> Any:
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        async with asyncio.timeout(_SECONDS):
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if message.get("id") == self._number:
                    assert "error" not in message, message
                    return message["result"]
                if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                    self.faults.append(json.dumps(message["params"]))

    async def run(self, script: str) -> Any:
        """What a script gives, promises awaited."""
        found = await self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, condition: str) -> None:
        async with asyncio.timeout(_SECONDS):
            while not await self.run(f"Boolean({condition})"):  # noqa: ASYNC110 - a page has no event of ours
                await asyncio.sleep(0.02)

    async def open(self, url: str) -> None:
        """Load a page from nothing, as a link in a message would."""
        self.faults.clear()
        await self.tell("Page.navigate", url="about:blank")
        await self.tell("Page.navigate", url=url)
        await self.until("document.querySelector('main h1')")

    async def text(self, selector: str) -> list[str]:
        """What a person reads in every such element that is shown."""
        found: list[str] = await self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].filter(e => e.checkVisibility())"
            ".map(e => e.innerText.trim()).filter(Boolean)"
        )
        return found

    async def fill(self, label: str, value: str) -> None:
        await self.run(
            "(() => { const field = [...document.querySelectorAll('label')]"
            f".find(e => e.textContent.startsWith({json.dumps(label)})).control;"
            f" field.value = {json.dumps(value)}; field.dispatchEvent(new Event('input')); }})()"
        )

    async def click(self, selector: str) -> None:
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")


@asynccontextmanager
async def browsing(profile: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM is not None
    commands_out, commands = os.pipe()
    answers, answers_in = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LAUNCH, str(commands_out), str(answers_in), CHROMIUM, *_FLAGS,
        f"--user-data-dir={profile}", "about:blank", pass_fds=(commands_out, answers_in),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(commands_out)
    os.close(answers_in)
    reader = asyncio.StreamReader(limit=64 * 1024**2)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers, "rb", buffering=0)
    )
    try:
        browser = Browser(reader, commands)
        await browser.attach()
        yield browser
    finally:
        os.close(commands)  # the browser ends when nobody can tell it anything any more
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
        transport.close()
