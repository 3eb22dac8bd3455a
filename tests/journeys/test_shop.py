"""The sandbox's shop in a real browser, in front of `capstan serve --sandbox`: a purchase, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from capstan.sandbox.sample import ORDERS
from journeys.browser import NEEDS_BROWSER, Browser, browsing
from journeys.running import REPOSITORY, Capstan, client, free_offset, serving
from journeys.shopping import ORDER_PATH, SHADOW, Shop, by_rest, by_tool
from support import RecordingUpstream, reply

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]

FILES = [
    REPOSITORY / "capabilities" / "klarna" / f"{name}.yaml"
    for name in (
        "payments", "order-management-orders", "order-management-captures", "order-management-refunds",
        "hosted-payment-page-hpp",
    )
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Capstan]:
    async with serving(*FILES, "--sandbox", ports=(8080, 9090, 8181)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with browsing(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def shop(browser: Browser, server: Capstan) -> Shop:
    opened = Shop(browser, server)
    await opened.start()
    return opened


# --- the journey


async def test_an_order_is_the_same_on_the_page_over_rest_and_over_mcp(shop: Shop) -> None:
    await shop.add("Storm lantern", "Watch mug", "Watch mug")
    assert await shop.browser.text("#to-till span") == ["3 things, £75.90 with delivery"]
    await shop.pay("approve")
    id_ = await shop.order_id()
    assert await shop.amounts() == {"ordered": "£75.90", "captured": "£0.00", "refunded": "£0.00", "open": "£75.90"}
    assert await shop.browser.text(".state") == ["Nothing captured yet"]

    async with client(shop.server.rest) as http:
        path = f"{ORDER_PATH}/{id_}/captures"
        assert (await http.post(path, json={"captured_amount": 4200})).status_code == 201
    await shop.until_amount("captured", "£42.00")  # without a reload
    assert await shop.browser.text(".state") == ["Captured in part"]

    await by_tool(shop.server, "klarna-refund-order", order_id=id_, body={"refunded_amount": 1050})
    await shop.until_amount("refunded", "£10.50")
    await by_tool(shop.server, "klarna-release-authorization", order_id=id_)
    await shop.until_amount("open", "£0.00")

    rest, told = await by_rest(shop.server, id_), await by_tool(shop.server, "klarna-get-order-details", order_id=id_)
    assert rest == told
    assert (rest["status"], rest["order_amount"], rest["captured_amount"], rest["refunded_amount"]) == (
        "CAPTURED", 7590, 4200, 1050,
    )  # fmt: skip
    assert await shop.amounts() == {
        "ordered": "£75.90", "captured": "£42.00", "refunded": "£10.50", "open": "£0.00", "gone": "£33.90",
    }  # fmt: skip
    assert await shop.browser.text(".state") == ["Captured"]
    assert await shop.browser.text(".moves strong") == ["Captured", "Refunded"]
    assert await shop.browser.text("#basket .pill") == ["0"]
    assert shop.browser.faults == []


async def test_the_route_to_the_order_goes_through_capstan(shop: Shop) -> None:
    await shop.add("Ship’s bell")
    await shop.pay("approve")
    id_ = await shop.order_id()
    sent = [re.sub(r"[0-9a-f]{8}…", "ID", row) for row in await shop.trail()]
    assert sent == [
        "POST /v1/payments/v1/sessions 200", "POST /shop/widget/session 200", "POST /shop/widget/session 200",
        "POST /shop/widget/authorize 200", "POST /v1/payments/v1/authorizations/ID/order 200",
        "GET /v1/ordermanagement/v1/orders/ID 200",
    ]  # fmt: skip
    await shop.browser.click(".trail li:first-child summary")
    (command,) = await shop.browser.text(".trail li:first-child .command pre")
    assert command == f"curl -i '{shop.server.rest}{ORDER_PATH}/{id_}'"
    page = await shop.browser.run("document.documentElement.outerHTML + JSON.stringify(localStorage)")
    assert "sandbox-password" not in page


async def test_the_merchant_captures_and_refunds_on_the_page(shop: Shop) -> None:
    await shop.add("Pocket compass")
    await shop.pay("approve")
    id_ = await shop.order_id()
    await shop.browser.fill("Capture", "20")
    await shop.press("#do-capture")
    await shop.until_amount("captured", "£20.00")
    await shop.browser.fill("Refund", "5,50")
    await shop.press("#do-refund")
    await shop.until_amount("refunded", "£5.50")
    assert await shop.browser.run("document.querySelector('#amount-capture').value") == "49.89"  # all that is left
    await shop.press("#do-capture")
    await shop.until_amount("open", "£0.00")
    order = await by_rest(shop.server, id_)
    assert [capture["captured_amount"] for capture in order["captures"]] == [2000, 4989]
    assert order["refunded_amount"] == 550
    assert await shop.browser.text("#do-capture, #do-release, #do-cancel") == []


async def test_what_is_for_good_wants_to_be_pressed_twice(shop: Shop) -> None:
    await shop.add("Watch cap")
    await shop.pay("approve")
    id_ = await shop.order_id()
    await shop.press("#do-cancel")
    assert await shop.browser.text("#do-cancel") == ["This is for good. Sure?"]
    assert (await by_rest(shop.server, id_))["status"] == "AUTHORIZED"
    await shop.press("#do-cancel")
    await shop.until_amount("gone", "£28.90")
    assert (await by_rest(shop.server, id_))["status"] == "CANCELLED"
    assert await shop.browser.text(".actions p") == ["Nothing more can be done with this order."]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param("154", "£154.00 is too much: at most £153.99 can be captured.", id="more than there is"),
        pytest.param("0", "Nothing cannot be captured.", id="nothing"),
        pytest.param("a lot", "“a lot” is not an amount of GBP. Write it like 12.50.", id="no number"),
        pytest.param("1.234", "“1.234” is not an amount of GBP.", id="a fraction of a penny"),
    ],
)
async def test_a_refusal_is_said_in_words(shop: Shop, typed: str, said: str) -> None:
    await shop.open(f"#/order/{ORDERS[6].id}")
    await shop.press("#amount-capture")
    await shop.browser.fill("Capture", typed)
    await shop.press("#do-capture")
    await shop.browser.until("document.querySelector('.alert')")
    (alert,) = await shop.browser.text(".alert")
    assert said in alert
    assert not [row for row in await shop.trail() if row.startswith("POST")]
    assert (await by_rest(shop.server, ORDERS[6].id))["captures"] == []


async def test_a_refusal_that_stays_one_offers_no_other_try(shop: Shop) -> None:
    await shop.add("Watch mug")
    await shop.pay("approve")
    id_ = await shop.order_id()
    await shop.browser.run("void Object.defineProperty(document, 'hidden', {value: true})")  # it looks no more
    async with client(shop.server.rest) as http:
        assert (await http.post(f"{ORDER_PATH}/{id_}/cancel")).status_code == 204
    await shop.press("#do-capture")
    await shop.browser.until("document.querySelector('.alert')")
    (alert,) = await shop.browser.text(".alert")
    assert alert.startswith("That did not work. Capture not allowed. (403 CAPTURE_NOT_ALLOWED)")
    assert await shop.browser.text(".alert button") == []


async def test_what_is_tried_again_after_a_lost_answer_happens_once(shop: Shop) -> None:
    await shop.add("Watch mug")
    await shop.pay("approve")
    id_ = await shop.order_id()
    async with client(shop.url) as sandbox:
        fault = {"kind": "cut-after", "method": "POST", "path": "*/captures", "count": 1}
        assert (await sandbox.post("/sandbox/faults", json=fault)).status_code == 201
    await shop.browser.fill("Capture", "5")
    await shop.press("#do-capture")
    await shop.browser.until("document.querySelector('.alert button')")
    (alert,) = await shop.browser.text(".alert")
    assert alert.startswith("It may have worked.")
    await shop.press(".alert button")
    await shop.browser.until("!document.querySelector('.alert')")
    assert [capture["captured_amount"] for capture in (await by_rest(shop.server, id_))["captures"]] == [500]


# --- the customer


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        pytest.param("decline", "The payment was declined. Nothing was ordered.", id="declined"),
        pytest.param("later", "Not paid yet.", id="not now"),
        pytest.param("error", "The payment failed: a technical error", id="error"),
        pytest.param("reject", "Rejected. (403 REJECTED)", id="refused when ordered"),
    ],
)
async def test_without_a_payment_there_is_no_order(shop: Shop, decision: str, said: str) -> None:
    await shop.add("Watch mug")
    await shop.pay(decision)
    await shop.browser.until("document.querySelector('.alert')")
    (alert,) = await shop.browser.text(".alert")
    assert said in alert
    assert not [row for row in await shop.trail() if row.endswith("/order 200")]
    assert await shop.browser.text("#basket .pill") == ["1"]


async def test_after_not_now_the_same_session_is_paid(shop: Shop) -> None:
    await shop.add("Watch mug")
    await shop.pay("later")
    await shop.browser.until("document.querySelector('.alert')")
    await shop.press("form .big")
    await shop.decide("approve")
    await shop.order_id()
    assert sum(row.startswith("POST /v1/payments/v1/sessions") for row in await shop.trail()) == 1


async def test_what_changes_after_the_session_was_opened_is_what_is_ordered(shop: Shop) -> None:
    await shop.add("Watch mug")
    await shop.press("#basket")
    await shop.press("form .big")
    await shop.browser.until("document.querySelector('form .big').textContent === 'Pay £19.40'")
    await shop.press(".lines [data-is=more]")
    await shop.browser.fill("Town", "Elsewhere")
    assert await shop.browser.text("form .big") == ["Pay £33.90"]
    await shop.press("form .big")
    await shop.decide("approve")
    order = await by_rest(shop.server, await shop.order_id())
    assert (order["order_amount"], order["shipping_address"]["city"]) == (3390, "Elsewhere")


async def test_a_fraud_review_is_shown(shop: Shop) -> None:
    await shop.add("Watch mug")
    await shop.pay("review")
    await shop.order_id()
    assert "Under fraud review" in await shop.browser.text(".state")


@pytest.mark.parametrize(
    ("country", "total", "paid"),
    [
        pytest.param("SE", "SEK 248.00", {"purchase_currency": "SEK", "order_amount": 24800}, id="Sweden"),
        pytest.param("DE", "€22.80", {"purchase_currency": "EUR", "order_amount": 2280}, id="Germany"),
    ],
)
async def test_another_country_has_its_own_prices(shop: Shop, country: str, total: str, paid: dict[str, Any]) -> None:
    await shop.add("Watch mug")
    await shop.browser.run(
        f"(() => {{ const field = document.querySelector('#market'); field.value = '{country}';"
        " field.dispatchEvent(new Event('change')); })()"
    )
    await shop.pay("approve")
    order = await by_rest(shop.server, await shop.order_id())
    assert {name: order[name] for name in paid} == paid
    assert [(await shop.amounts())["ordered"].replace("\xa0", " ")] == [total]


# --- where Capstan is


async def test_a_capstan_that_is_down_is_told_with_how_to_start_it(shop: Shop) -> None:
    await shop.open(capstan=f"http://127.0.0.1:{8080 + free_offset((8080,))}")
    await shop.add("Watch mug")
    await shop.press("#basket")
    await shop.press("form .big")
    await shop.browser.until("document.querySelector('.alert form')")
    (alert,) = await shop.browser.text(".alert")
    assert "Capstan does not answer at http://127.0.0.1:" in alert
    assert f"The one that started this sandbox is at {shop.server.rest}." in alert
    assert (await shop.trail())[-1] == "POST /v1/payments/v1/sessions no answer"
    assert await shop.browser.run("document.querySelector('.alert input').value") == shop.server.rest
    await shop.press(".alert [type=submit]")  # which tries again
    await shop.browser.until("document.querySelector('form .big').textContent.startsWith('Pay')")
    assert await shop.browser.text(".alert") == []


async def test_a_capstan_that_went_is_told_with_how_to_start_it_again(shop: Shop) -> None:
    async with serving(FILES[0], FILES[1], "--sandbox", ports=(8080, 9090, 8181)) as server:
        passing = Shop(shop.browser, server)
        await passing.open(f"#/order/{ORDERS[0].id}")
        await shop.browser.until("document.querySelector('.amounts')")
    await shop.browser.until("document.querySelector('.alert pre')")
    (alert,) = await shop.browser.text(".alert pre")
    assert alert == f"capstan serve --sandbox --port-offset {server.offset} capabilities"


async def test_a_capstan_that_lets_no_page_in_is_told_from_one_that_is_down(shop: Shop) -> None:
    env = {"KLARNA_API_USERNAME": "u", "KLARNA_API_PASSWORD": "p"}
    async with serving(FILES[1], env=env) as closed:
        await shop.open(f"#/order/{ORDERS[0].id}", capstan=closed.rest)
        await shop.browser.until("document.querySelector('.alert pre')")
        (alert,) = await shop.browser.text(".alert")
    assert "does not let this page call" in alert
    assert f"--cors-origin {shop.url}" in alert


async def test_an_order_nobody_knows_is_said_to_be_unknown(shop: Shop) -> None:
    await shop.open("#/order/00000000-0000-4000-8000-000000000000")
    await shop.browser.until("document.querySelector('.alert')")
    (alert,) = await shop.browser.text(".alert")
    assert "Order 00000000-0000-4000-8000-000000000000 cannot be found. (404 NO_SUCH_ORDER)" in alert


# --- the widget on somebody else's page, and the hosted page

FOREIGN = """<!doctype html><title>elsewhere</title><main><h1>Elsewhere</h1><div id="here"></div></main>
<script>window.klarnaAsyncCallback = () => { window.loaded = true; };</script>
<script src="%s/shop/widget.js" async></script>"""


async def test_a_page_of_another_origin_uses_the_widget(shop: Shop) -> None:
    line = {"name": "Oar", "quantity": 1, "unit_price": 900, "total_amount": 900}
    purchase = {"purchase_country": "GB", "purchase_currency": "GBP", "order_amount": 900, "order_lines": [line]}
    async with RecordingUpstream() as elsewhere, client(shop.server.rest) as http:
        session = (await http.post("/v1/payments/v1/sessions", json=purchase)).json()
        elsewhere.then(reply(body=FOREIGN % shop.url, content_type="text/html"))
        await shop.browser.open(elsewhere.url)
        await shop.browser.until("window.loaded")
        loaded = await shop.browser.run(
            f"Klarna.Payments.init({{client_token: {json.dumps(session['client_token'])}}});"
            "new Promise(done => Klarna.Payments.load({container: '#here', payment_method_category: 'klarna'}, done))"
        )
        assert loaded == {"show_form": True}
        await shop.browser.run(
            "void Klarna.Payments.authorize({payment_method_category: 'klarna', auto_finalize: false},"
            " {billing_address: {email: 'a@example.com'}}, res => { window.first = res; })"
        )
        dialog = "document.querySelector('#here > div').shadowRoot.querySelector('dialog [value=approve]')"
        await shop.browser.until(dialog)
        await shop.browser.run(f"{dialog}.click()")
        await shop.browser.until("window.first")
        assert await shop.browser.run("first") == {"approved": True, "show_form": True, "finalize_required": True}
        last = await shop.browser.run(
            "new Promise(done => Klarna.Payments.finalize({payment_method_category: 'klarna'}, {}, done))"
        )
        placed = await http.post(f"/v1/payments/v1/authorizations/{last['authorization_token']}/order", json=purchase)
        assert placed.status_code == 200
        assert last["approved"]
        assert not last["finalize_required"]
        order = await by_rest(shop.server, placed.json()["order_id"])
        assert order["billing_address"] == {"email": "a@example.com"}


async def hosted(server: Capstan, **urls: str) -> dict[str, Any]:
    line = {"name": "Oar", "quantity": 2, "unit_price": 900, "total_amount": 1800}
    purchase = {"purchase_country": "GB", "purchase_currency": "GBP", "order_amount": 1800, "order_lines": [line]}
    async with client(server.rest) as http:
        session = (await http.post("/v1/payments/v1/sessions", json=purchase)).json()
        body = {
            "payment_session_url": f"https://api.playground.klarna.com/payments/v1/sessions/{session['session_id']}",
            "merchant_urls": urls, "options": {"place_order_mode": "PLACE_ORDER"},
        }  # fmt: skip
        answer = await http.post("/v1/hpp/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


async def test_the_hosted_page_takes_the_payment_and_leads_back(shop: Shop) -> None:
    async with RecordingUpstream() as merchant:
        merchant.then(reply(body="<main><h1>Thanks</h1></main>", content_type="text/html"))
        page = await hosted(shop.server, success=f"{merchant.url}/thanks?order={{{{order_id}}}}")
        await shop.browser.open(page["redirect_url"])
        await shop.browser.until("document.querySelector('fieldset')")
        assert await shop.browser.text("h1") == ["£18.00"]
        assert await shop.browser.text(".lines span") == ["2 × Oar", "£18.00"]
        await shop.press("button.big")
        await shop.browser.until("document.querySelector('h1')?.textContent === 'Thanks'")
        order_id = str(await shop.browser.run("new URLSearchParams(location.search).get('order')"))
    assert (await by_rest(shop.server, order_id))["order_amount"] == 1800


async def test_a_hosted_page_that_was_cancelled_cannot_be_paid(shop: Shop) -> None:
    page = await hosted(shop.server)
    await shop.browser.open(page["redirect_url"])
    await shop.press(".row button")
    await shop.browser.until("document.querySelector('h1').textContent === 'Cancelled'")
    await shop.browser.open(page["redirect_url"])
    await shop.browser.until("document.querySelector('h1').textContent === 'Cancelled'")
    assert await shop.browser.text("button") == []


# --- for everybody


@pytest.mark.parametrize(
    "path",
    ["/", "/shop", "/shop#/checkout", f"/shop#/order/{ORDERS[1].id}", "/hosted/{}"],
    ids=["start", "goods", "till", "order", "hosted page"],
)
async def test_a_page_fits_a_telephone_and_names_its_controls(shop: Shop, path: str) -> None:
    await shop.add("Storm lantern", "Ship’s bell")
    tell = shop.browser.tell
    if path == "/hosted/{}":
        path = path.format((await hosted(shop.server))["session_id"])
    await tell("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    try:
        await shop.browser.open(f"{shop.url}{path}")
        await shop.browser.until("document.querySelector('.ways, .goods, .till, .amounts, fieldset')")
        assert await shop.browser.run("document.documentElement.scrollWidth - innerWidth") <= 0
        await tell("Accessibility.enable")
        nodes = (await tell("Accessibility.getFullAXTree"))["nodes"]
    finally:
        await tell("Accessibility.disable")
        await tell("Emulation.clearDeviceMetricsOverride")
    controls = [node for node in nodes if node.get("role", {}).get("value") in CONTROLS]
    assert [node for node in controls if not node.get("name", {}).get("value")] == []
    assert controls
    headings = [node for node in nodes if node.get("role", {}).get("value") == "heading"]
    levels = [p["value"]["value"] for node in headings for p in node["properties"] if p["name"] == "level"]
    assert levels.count(1) == 1


CONTROLS = {"button", "link", "textbox", "combobox", "radio"}


async def test_a_purchase_needs_no_mouse(shop: Shop) -> None:
    async def key(name: str, text: str = "", code: int = 0) -> None:
        more = {"text": text} if text else {}
        await shop.browser.tell(
            "Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **more
        )
        await shop.browser.tell("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    async def tab_to(condition: str) -> None:
        for _ in range(60):
            if await shop.browser.run(f"(e => Boolean({condition}))(document.activeElement)"):
                return
            await key("Tab", code=9)
        raise AssertionError(condition)

    async def enter() -> None:
        await key("Enter", "\r", 13)

    await tab_to("e.ariaLabel === 'Add Storm lantern to the basket'")
    await enter()
    assert await shop.browser.run("document.activeElement.ariaLabel") == "One more"
    await tab_to("e.textContent === 'Check out'")
    await enter()
    await tab_to("e.textContent === 'Choose how to pay'")
    await enter()
    await shop.browser.until("document.querySelector('form .big').textContent.startsWith('Pay')")
    await enter()
    await shop.browser.until(f"{SHADOW}.activeElement?.value === 'approve'")  # the window took the focus
    await key("Escape", code=27)
    await shop.browser.until("document.querySelector('.alert')")
    await tab_to("e.textContent.startsWith('Pay £')")
    await enter()
    await shop.browser.until(f"{SHADOW}.activeElement?.value === 'approve'")
    await enter()
    await shop.order_id()


AMOUNTS = {
    "dom.money(1250, 'GBP')": "£12.50",
    "dom.money(1250, 'JPY')": "JP¥1,250",
    "dom.decimal(5, 'EUR')": "0.05",
    "dom.minorUnits('12.50', 'GBP')": 1250,
    "dom.minorUnits(' 12,5 ', 'GBP')": 1250,
    "dom.minorUnits('0.29', 'GBP')": 29,  # 28.999 by arithmetic
    "dom.minorUnits('1250', 'JPY')": 1250,
    "dom.minorUnits('1.5', 'JPY')": None,
    "dom.minorUnits('1e3', 'GBP')": None,
    "dom.minorUnits('-1', 'GBP')": None,
    "dom.minorUnits('', 'GBP')": None,
}


async def test_amounts_are_written_and_read_in_minor_units(shop: Shop) -> None:
    found = {script: await shop.browser.run(f"import('/shop/dom.js').then(dom => {script})") for script in AMOUNTS}
    assert found == AMOUNTS


# --- the greeting


async def shell(command: str) -> str:
    quiet = command.replace("curl ", "curl -s --noproxy '*' ", 1)
    process = await asyncio.create_subprocess_shell(quiet, stdout=asyncio.subprocess.PIPE)
    return (await process.communicate())[0].decode()


async def test_the_commands_of_the_greeting_work_as_they_stand(server: Capstan) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    await server.said("klarna-get-order-details")
    greeting = "\n".join(server.out[1:])
    commands = re.findall(r"^  (curl (?:.*\\\n)*.*)$", greeting, re.MULTILINE)
    assert len(commands) == 3
    said = [await shell(command) for command in (*commands, commands[1])]
    assert json.loads(said[0])["order_id"] == ORDERS[0].id
    assert "201 Created" in said[1]
    assert json.loads(json.loads(said[2])["result"]["content"][0]["text"])["captured_amount"] == 2000
    assert re.findall("capture-id: (.*)", said[3]) == re.findall("capture-id: (.*)", said[1])
    assert (await by_rest(server, ORDERS[0].id))["captured_amount"] == 2000
