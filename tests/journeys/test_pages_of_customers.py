"""What a customer sees of the sandbox outside its shop, on whatever page, and a sandbox that was started by itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from capstan.sandbox.accounts import DEMO_PARTNER
from capstan.sandbox.network.partners import own_id
from journeys.browser import NEEDS_BROWSER, Browser, browsing
from journeys.running import REPOSITORY, Capstan, client, free_offset
from journeys.shopping import Shop
from support import RecordingUpstream, reply

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]

MERCHANT = ("sandbox-playground-eu", "sandbox-password")
LINE = {"name": "Oar", "quantity": 1, "unit_price": 900, "total_amount": 900, "tax_rate": 0, "total_tax_amount": 0}
PURCHASE = {
    "purchase_country": "GB", "purchase_currency": "GBP", "locale": "en-GB", "order_amount": 900, "order_tax_amount": 0,
    "order_lines": [LINE],
}  # fmt: skip


@asynccontextmanager
async def sandbox_alone(*arguments: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "capstan", "sandbox", "--port", "0", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        yield line.rpartition(" ")[2].strip()
    finally:
        process.terminate()
        await process.wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[str]:
    async with sandbox_alone() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


async def as_merchant(sandbox: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with client(sandbox, auth=MERCHANT) as http:
        answer = await http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        made: dict[str, Any] = answer.json()
        return made


@asynccontextmanager
async def looking(browser: Browser, scheme: str) -> AsyncIterator[None]:
    """With the system's colours as a person set them."""
    await browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        yield
    finally:
        await browser.tell("Emulation.setEmulatedMedia", features=[])


# --- the widget on pages of all colours

PAGE = """<!doctype html>%s<title>elsewhere</title><style>
body { background: %s; color: %s } div { color: #777; background: none }</style>
<main><h1>Elsewhere</h1><div id="here"></div></main><script src="%s/shop/widget.js"></script>"""
# The lowest contrast of any text against the nearest ground that is painted below it, by WCAG's formula.
CONTRAST = """(root => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const channel = value => (value /= 255) <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found[3] === undefined || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const texts = [...root.querySelectorAll('*')].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.map(e => {
    const [one, other] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
    return (one + .05) / (other + .05);
  });
})"""


@pytest.mark.parametrize("declared", ["", '<meta name="color-scheme" content="light dark">'], ids=["plain", "declared"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ground", "ink"), [("white", "black"), ("black", "white")])
async def test_the_widget_can_be_read_on_any_page(
    browser: Browser, sandbox: str, ground: str, ink: str, scheme: str, declared: str
) -> None:
    session = await as_merchant(sandbox, "/payments/v1/sessions", PURCHASE)
    async with RecordingUpstream() as elsewhere, looking(browser, scheme):
        elsewhere.then(reply(body=PAGE % (declared, ground, ink, sandbox), content_type="text/html"))
        await browser.open(elsewhere.url)
        await browser.until("window.Klarna")
        await browser.run(
            f"Klarna.Payments.init({{client_token: {json.dumps(session['client_token'])}}});"
            "new Promise(done => Klarna.Payments.load({container: '#here', payment_method_category: 'klarna'}, done))"
        )
        root = "document.querySelector('#here > div').shadowRoot"
        form = await browser.run(f"{CONTRAST}({root})")
        await browser.run("void Klarna.Payments.authorize({payment_method_category: 'klarna'}, {}, () => {})")
        await browser.until(f"{root}.querySelector('dialog')")
        window = await browser.run(f"{CONTRAST}({root}.querySelector('dialog'))")
    assert len(form) >= 8
    assert len(window) >= 6
    assert min(form + window) >= 4.5


# --- pages that a merchant leads to


async def test_who_buys_in_the_snippet_comes_to_the_shops_confirmation(browser: Browser, sandbox: str) -> None:
    async with RecordingUpstream() as merchant:
        urls = dict.fromkeys(("terms", "checkout", "confirmation", "push"), f"{merchant.url}/thanks")
        order = await as_merchant(sandbox, "/checkout/v3/orders", {**PURCHASE, "merchant_urls": urls})
        body = f"<main><h1>Till</h1>{order['html_snippet']}</main>"
        merchant.then(reply(body=body, content_type="text/html"))
        await browser.open(merchant.url)
        source = re.search('src="(.*?)"', order["html_snippet"])
        assert source is not None
        await browser.open(source[1])
        await browser.until("document.querySelector('#amount').textContent === '£9.00'")
        assert await browser.text("button") == ["Buy"]
        for _ in range(3):  # the push to the merchant gets one too
            merchant.then(reply(body="<main><h1>Thanks</h1></main>", content_type="text/html"))
        await browser.click("button")
        await browser.until("document.querySelector('h1')?.textContent === 'Thanks'")
    await browser.open(source[1])
    assert await browser.text(".soft") == ["The order is placed."]
    assert await browser.text("button") == []


@pytest.mark.parametrize(
    ("currency", "shown"), [("GBP", "£49.90"), ("JPY", "JP¥4,990"), ("SEK", "SEK\xa049.90")], ids=str.lower
)
async def test_a_payment_request_is_decided_on_its_page(
    browser: Browser, sandbox: str, currency: str, shown: str
) -> None:
    asked = {"currency": currency, "amount": 4990, "customer_interaction_config": {"method": "HANDOVER"}}
    async with client(sandbox, headers={"Authorization": "basic klarna_test_api_sandbox"}) as http:
        made = (await http.post("/v2/payment/requests", json=asked)).json()
    await browser.open(made["payment_request_url"])
    await browser.until(f"document.querySelector('#amount').textContent === {json.dumps(shown)}")
    assert await browser.text("button") == ["Approve", "Be declined"]
    await browser.click("[data-act=decline]")
    await browser.until("document.querySelector('.soft')?.textContent === 'Declined.'")
    assert await browser.text("button") == []
    assert browser.faults == []


async def test_an_identity_request_leads_back_from_its_page(browser: Browser, sandbox: str) -> None:
    path = f"/v2/accounts/{own_id(DEMO_PARTNER)}/identity/requests"
    async with RecordingUpstream() as partner:
        partner.then(reply(body="<main><h1>Welcome</h1></main>", content_type="text/html"))
        asked = {"customer_interaction_config": {"return_url": f"{partner.url}/back"}}
        async with client(sandbox, headers={"Authorization": "basic klarna_test_api_sandbox"}) as http:
            made = (await http.post(path, json=asked)).json()
        await browser.open(made["state_context"]["customer_interaction"]["identity_request_url"])
        assert await browser.text("h1, .soft, button") == [
            "Identity request",
            "Waits for the customer.",
            "Say who I am",
        ]
        await browser.until("document.readyState === 'complete'")  # its script was run
        await browser.click("button")
        await browser.until("document.querySelector('h1')?.textContent === 'Welcome'")


# --- a sandbox that was started by itself


async def test_a_sandbox_alone_says_how_to_name_a_capstan_and_can_be_used_by_it(browser: Browser) -> None:
    async with sandbox_alone() as sandbox:
        await browser.open(f"{sandbox}/")
        await browser.until("document.querySelector('#docs p')")
        assert "No Capstan was named" in (await browser.text("#docs"))[0]
        await browser.open(f"{sandbox}/shop")
        await browser.until("document.querySelector('.note form')")
        await browser.click(".note summary")
        (command,) = await browser.text(".note pre")
        offset = free_offset()
        process = await asyncio.create_subprocess_shell(
            f"{command} --port-offset {offset}", cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
            env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        server = Capstan(process, offset)
        try:
            await server.ready()
            await browser.fill("Where are its REST routes?", server.rest)
            await browser.click(".note [type=submit]")
            await browser.until("document.querySelector('.goods') && !document.querySelector('.note')")
            shop = Shop(browser, server)
            await shop.add("Watch mug")
            await shop.pay("approve")
            await shop.order_id()
            assert (await shop.amounts())["ordered"] == "£19.40"
            start = str(await browser.run("document.querySelector('#start').href"))
            await browser.open(start)
            await browser.until(f"document.querySelector('#docs a').href === '{server.rest}/docs'")
        finally:
            os.killpg(process.pid, 15)
            await server.ended()


async def test_links_lead_to_the_capstan_that_was_named_at_the_start(browser: Browser) -> None:
    async with sandbox_alone("--capstan", "http://127.0.0.1:11080/") as sandbox:
        await browser.open(f"{sandbox}/")
        await browser.until("document.querySelector('#accounts td')")
        links = await browser.run("['#docs a', '#shop'].map(found => document.querySelector(found).href)")
        assert links == ["http://127.0.0.1:11080/docs", f"{sandbox}/shop"]
        await browser.open(f"{sandbox}/shop")
        assert await browser.run("import('/shop/capstan.js').then(found => found.capstan.url)") == (
            "http://127.0.0.1:11080"
        )


async def test_orders_that_the_sandbox_forgot_vanish_from_the_shop(browser: Browser, sandbox: str) -> None:
    async with client(sandbox) as http:
        made = (await http.post("/sandbox/orders", json={"amount": 1000, "currency": "EUR"})).json()
    kept = {
        "order_id": made["order_id"],
        "merchant_reference1": "BB-1",
        "order_amount": 1000,
        "purchase_currency": "EUR",
    }
    await browser.open(f"{sandbox}/shop")
    await browser.run(f"localStorage.setItem('shop.orders', {json.dumps(json.dumps([kept]))})")
    await browser.open(f"{sandbox}/shop")
    await browser.until("document.querySelector('#own .soft')?.textContent.includes('€10.00')")
    async with client(sandbox) as http:
        assert (await http.post("/sandbox/reset", json={})).status_code == 200
    await browser.open(f"{sandbox}/shop")
    await browser.until("document.querySelector('#own')?.textContent.startsWith('Yours appear here')")
    assert await browser.run("localStorage.getItem('shop.orders')") == "[]"
