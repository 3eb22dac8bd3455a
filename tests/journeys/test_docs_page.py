"""The page at /docs in a real browser: what a person sees there, and what is sent when they press Send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from journeys.browser import NEEDS_BROWSER, Browser, browsing
from journeys.running import Capstan, serving
from support import RecordingUpstream, reply

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]

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
