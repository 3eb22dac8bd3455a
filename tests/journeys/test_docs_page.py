"""The page at /docs in a real browser: what a person sees there, and what is sent when they press Send."""

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
import pytest_asyncio

from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed"),
]

FILE = """\
naftiko: 1.0.0-alpha2
info: {label: Till, description: A till for the tests., created: '2026-01-01', modified: '2026-01-01'}
capability:
  consumes:
  - type: http
    namespace: till
    baseUri: http://127.0.0.1:1
    resources:
    - name: payments
      path: /payments
      operations:
      - name: list-payments
        method: GET
        description: 'List payments, <img src=x onerror="document.title = 1"> and all.'
        inputParameters:
        - {name: 'filter[status]', in: query, type: string, enum: [open, closed]}
        - {name: $select, in: query, type: string, maxLength: 40}
    - name: refunds
      path: /payments/{payment_id}/refunds
      operations:
      - name: refund
        method: POST
        effect: money
        description: Give money back.
        inputParameters:
        - {name: payment_id, in: path, type: string, required: true, description: Id of the payment.}
        - {name: amount, in: body, type: integer, required: true, minimum: 1, maximum: 5000}
        - {name: reason, in: body, type: string}
        body: {type: json, data: '{"amount": {{amount}}, "reason": "{{reason}}"}'}
  exposes:
  - type: rest
    namespace: till-rest
    port: 8080
    resources:
    - path: /v1/payments
      operations:
      - {method: GET, name: list-payments, call: till.list-payments}
    - path: /v1/payments/{payment_id}/refunds
      operations:
      - {method: POST, name: refund, call: till.refund}
"""
REFUND = "#POST/v1/payments/{payment_id}/refunds"
PAYMENTS = "#GET/v1/payments"
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[RecordingUpstream]:
    async with RecordingUpstream() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory, upstream: RecordingUpstream) -> AsyncIterator[Capstan]:
    path = tmp_path_factory.mktemp("docs") / "till.yaml"
    path.write_text(FILE)
    async with serving(path, "--base-uri", f"till={upstream.url}", ports=(8080,)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


async def test_the_page_lists_every_operation(browser: Browser, server: Capstan) -> None:
    await browser.open(f"{server.rest}/docs")
    assert await browser.run("document.title") == "Till"
    assert await browser.text("h1") == ["Till"]
    assert sorted(await browser.text("nav .cut:not(.tail)")) == ["list-payments", "refund"]
    assert await browser.text("nav .verb") == ["GET", "POST"]
    assert await browser.text("nav .tone") == ["money"]
    assert browser.faults == []


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        pytest.param("refu", ["refund"], id="name"),
        pytest.param("get /v1", ["list-payments"], id="method and path"),
        pytest.param("MONEY back", ["refund"], id="description, in any case"),
        pytest.param("nothing of that", [], id="no match"),
    ],
)
async def test_the_filter_leaves_what_matches(browser: Browser, server: Capstan, typed: str, left: list[str]) -> None:
    await browser.open(f"{server.rest}/docs")
    for kind in ("keyDown", "keyUp"):
        await browser.tell("Input.dispatchKeyEvent", type=kind, key="/", **({"text": "/"} if kind == "keyDown" else {}))
    await browser.tell("Input.insertText", text=typed)  # a slash brings the focus to the filter
    assert await browser.text("nav .cut:not(.tail)") == left
    assert await browser.text("nav .none") == ([] if left else ["No operation matches."])


async def test_a_deep_link_shows_the_operation(browser: Browser, server: Capstan) -> None:
    await browser.open(f"{server.rest}/docs{REFUND}")
    assert await browser.text("h1") == ["refund"]
    assert await browser.text(".badge, #path") == ["POST", "/v1/payments/{payment_id}/refunds"]
    assert await browser.text("header .effect") == ["Money. A call moves or commits money."]
    assert await browser.text("td > code") == ["payment_id"]
    assert await browser.text(".tree > li > code") == ["amount", "reason"]
    assert "1 to 5000" in await browser.text(".tree .lim")
    assert await browser.text("label code") == ["payment_id"]
    assert json.loads(await browser.run("document.querySelector('#body').value")) == {"amount": 1}
    assert await browser.text("nav [aria-current] .cut:not(.tail)") == ["refund"]
    assert browser.faults == []


async def test_the_curl_command_follows_the_fields(browser: Browser, server: Capstan) -> None:
    await browser.open(f"{server.rest}/docs{REFUND}")
    (before,) = await browser.text("#curl")
    assert before.startswith(f"curl -X POST '{server.rest}/v1/payments/{{payment_id}}/refunds'")
    await browser.fill("payment_id", "a/b c")
    await browser.fill("Body", '{"amount": 2, "reason": "it\'s late"}')
    (after,) = await browser.text("#curl")
    assert f"'{server.rest}/v1/payments/a%2Fb%20c/refunds'" in after
    assert "-H 'Content-Type: application/json'" in after
    assert """--data-raw '{"amount": 2, "reason": "it'\\''s late"}'""" in after


async def test_odd_names_and_markup_are_shown_as_they_are(browser: Browser, server: Capstan) -> None:
    await browser.open(f"{server.rest}/docs{PAYMENTS}")
    assert await browser.text("td > code") == ["filter[status]", "$select"]
    assert await browser.text("td .chip") == ["open", "closed"]
    assert await browser.text("header .prose") == ['List payments, <img src=x onerror="document.title = 1"> and all.']
    assert await browser.run("document.images.length") == 0
    await browser.fill("filter[status]", "open")
    assert await browser.text("#curl") == [f"curl '{server.rest}/v1/payments?filter%5Bstatus%5D=open'"]
    assert browser.faults == []


async def test_a_read_is_sent_at_once_and_its_answer_keeps_every_digit(
    browser: Browser, server: Capstan, upstream: RecordingUpstream
) -> None:
    upstream.then(reply(body='{"id":12345678901234567890,"open":true}'))
    await browser.open(f"{server.rest}/docs{PAYMENTS}")
    await browser.fill("filter[status]", "open")
    await browser.click("form [type=submit]")
    await browser.until("document.querySelector('#answer pre')")
    assert await browser.text("#answer pre") == ['{\n  "id": 12345678901234567890,\n  "open": true\n}']
    assert await browser.text("#answer b") == ["200 OK"]
    assert "application/json" in await browser.text("#answer dd")
    assert upstream.last.target == "/payments?filter%5Bstatus%5D=open"


async def test_money_moves_only_after_a_second_decision(
    browser: Browser, server: Capstan, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    await browser.open(f"{server.rest}/docs{REFUND}")
    await browser.fill("payment_id", "p-1")
    await browser.click("form [type=submit]")
    await browser.click("form [type=submit]")  # a double click is one decision
    assert await browser.text("form [type=submit]") == ["This moves money. Send it?"]
    await browser.fill("payment_id", "p-2")  # another request wants to be asked for anew
    assert await browser.text("form [type=submit]") == ["Send"]
    await browser.click("form [type=submit]")
    await browser.run("new Promise(done => setTimeout(done, 600))")
    assert len(upstream.requests) == before
    await browser.click("form [type=submit]")
    await browser.until("document.querySelector('#answer b')")
    assert [(r.method, r.target, r.json) for r in upstream.requests[before:]] == [
        ("POST", "/payments/p-2/refunds", {"amount": 1})
    ]


async def test_what_is_missing_is_said_and_not_sent(
    browser: Browser, server: Capstan, upstream: RecordingUpstream
) -> None:
    before = len(upstream.requests)
    await browser.open(f"{server.rest}/docs{REFUND}")
    await browser.fill("Body", "{")
    await browser.click("form [type=submit]")
    first, second = await browser.text("form .bad")
    assert first == "Needed."
    assert second.startswith("Not JSON yet:")
    assert await browser.text("form [type=submit]") == ["Send"]
    assert len(upstream.requests) == before


async def test_a_link_to_nothing_says_so(browser: Browser, server: Capstan) -> None:
    await browser.open(f"{server.rest}/docs#GET/v9/nothing")
    assert await browser.text("main .bad") == ["There is no operation GET/v9/nothing here."]
