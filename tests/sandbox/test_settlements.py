"""What is captured and refunded reaches a payout, once, with its fees, and can be read back."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, MERCHANTS, Account
from capstan.sandbox.app import App
from capstan.sandbox.classic import settlements
from capstan.sandbox.clock import write_time
from sandbox.client import Client

PAYOUTS = "/settlements/v1/payouts"
TRANSACTIONS = "/settlements/v1/transactions"
# settlement = sale - return - reversal - fee + fee_correction + commission - tax - charge + credit - repay - holdback
#              + release + fee_refund
PLUS = ("sale", "fee_correction", "commission", "credit", "release", "fee_refund")
MINUS = ("return", "reversal", "fee", "tax", "charge", "repay", "holdback")


def sell(
    app: App, amount: int, *, refunded: int = 0, currency: str = "EUR", country: str = "DE",
    account: Account = DEMO_MERCHANT,
) -> str:  # fmt: skip
    """A capture, and maybe a refund, of a new order; the order's id."""
    call = app.internal_call(account)
    order = {
        "order_id": str(uuid.uuid4()), "klarna_reference": "K4MADNY", "purchase_currency": currency,
        "purchase_country": country, "created_at": write_time(call.now), "merchant_reference1": "our-1",
        "initial_payment_method": {"type": "INVOICE", "description": "Pay later"},
        "shipping_address": {"country": country},
    }  # fmt: skip
    if amount:
        capture = {"capture_id": str(uuid.uuid4()), "captured_at": write_time(call.now), "reference": "capture-1"}
        settlements.record(call, "SALE", order, amount=amount, capture=capture)
    if refunded:
        refund = {"refund_id": str(uuid.uuid4()), "reference": "refund-1"}
        settlements.record(call, "RETURN", order, amount=refunded, refund=refund)
    app.settle(call)
    return str(order["order_id"])


def close(control: Client, **options: str) -> list[dict[str, Any]]:
    reply = control.post("/sandbox/payouts/close", options)
    assert reply.status == 200
    return list(reply.json["payouts"])


def transactions(klarna: Client, **query: str) -> list[dict[str, Any]]:
    text = "&".join(f"{name}={value}" for name, value in {"size": "500", **query}.items())
    return list(klarna.get(f"{TRANSACTIONS}?{text}").json["transactions"])


def test_a_sale_brings_its_fees_and_the_tax_on_them(app: App, klarna: Client) -> None:
    order_id = sell(app, 10_000)
    found = [(t["type"], t.get("detailed_type"), t["amount"]) for t in transactions(klarna, order_id=order_id)]
    assert found == [
        ("SALE", "PURCHASE", 10_000),
        ("FEE", "PURCHASE_FEE_PERCENTAGE", 299),  # 2.99 %
        ("FEE", "PURCHASE_FEE_FIXED", 30),
        ("TAX", None, 66),  # 20 % of each fee: 59.8 and 6
    ]


def test_there_is_no_value_added_tax_in_the_us(app: App, klarna: Client) -> None:
    order_id = sell(app, 10_000, currency="USD", country="US")
    found = transactions(klarna, order_id=order_id)
    assert [t["type"] for t in found] == ["SALE", "FEE", "FEE"]
    assert {t.get("vat_amount", 0) for t in found} == {0}


def test_a_return_names_no_capture(app: App, klarna: Client) -> None:
    sale, *_, back = transactions(klarna, order_id=sell(app, 10_000, refunded=4_000))
    assert (sale["capture_id"] != "", sale["merchant_capture_reference"]) == (True, "capture-1")
    assert (back["type"], back["amount"], back["capture_id"]) == ("RETURN", 4_000, "")
    assert (back["merchant_refund_reference"], "refund_id" in back) == ("refund-1", True)


def test_what_waits_has_no_payout_until_it_is_closed(app: App, klarna: Client, control: Client) -> None:
    order_id = sell(app, 10_000)
    assert klarna.get(PAYOUTS).json["payouts"] == []
    assert not any("payment_reference" in t for t in transactions(klarna, order_id=order_id))
    [payout] = close(control)
    found = transactions(klarna, order_id=order_id)
    assert {t["payment_reference"] for t in found} == {payout["payment_reference"]}
    assert {t["payout"].rpartition("/")[2] for t in found} == {payout["payment_reference"]}
    assert klarna.get(f"{PAYOUTS}/{payout['payment_reference']}").json == payout


def test_an_open_batch_is_no_payout_even_to_who_knows_its_reference(app: App, klarna: Client) -> None:
    sell(app, 10_000)
    call = app.internal_call(DEMO_MERCHANT)
    [reference] = call.ids(settlements.BATCHES)
    assert klarna.get(f"{PAYOUTS}/{reference}").status == 404
    assert transactions(klarna, payment_reference=reference) == []


def test_one_payout_per_currency(app: App, control: Client) -> None:
    for currency in ("EUR", "SEK", "EUR"):
        sell(app, 1_000, currency=currency)
    paid = {p["currency_code"]: p["totals"]["sale_amount"] for p in close(control)}
    assert paid == {"EUR": 2_000, "SEK": 1_000}
    assert close(control) == []


def test_totals_are_the_sums_of_the_transactions(app: App, klarna: Client, control: Client) -> None:
    for amount, refunded in ((10_000, 0), (999, 999), (1, 0), (123_456, 7_890)):
        sell(app, amount, refunded=refunded)
    [payout] = close(control)
    totals = payout["totals"]
    found = transactions(klarna, payment_reference=payout["payment_reference"])
    for kind in ("SALE", "RETURN", "FEE", "TAX"):
        assert totals[f"{kind.lower()}_amount"] == sum(t["amount"] for t in found if t["type"] == kind) > 0
    by_formula = sum(totals[f"{n}_amount"] for n in PLUS) - sum(totals[f"{n}_amount"] for n in MINUS)
    assert totals["settlement_amount"] == by_formula > 0


def test_a_payout_below_zero_is_a_debt_that_the_next_ones_pay_back(app: App, control: Client) -> None:
    sell(app, 0, refunded=5_000)
    [first] = close(control)
    assert first["totals"]["settlement_amount"] == -5_000
    assert first["totals"]["deposit_amount"] == first["totals"]["closing_debt_balance_amount"] == 5_000
    sell(app, 2_000)
    [second] = close(control)
    earned = 2_000 - 60 - 30 - 12 - 6
    assert (second["totals"]["repay_amount"], second["totals"]["settlement_amount"]) == (earned, 0)
    assert second["totals"]["opening_debt_balance_amount"] == 5_000
    assert second["totals"]["closing_debt_balance_amount"] == 5_000 - earned
    sell(app, 100_000)
    [third] = close(control)
    assert third["totals"]["repay_amount"] == 5_000 - earned
    assert third["totals"]["closing_debt_balance_amount"] == 0


def test_a_merchant_is_paid_a_week_after_the_first_sale(app: App, klarna: Client, control: Client) -> None:
    sell(app, 10_000)
    control.post("/sandbox/time", {"days": 6, "hours": 23})
    assert klarna.get(PAYOUTS).json["pagination"]["total"] == 0
    control.post("/sandbox/time", {"hours": 2})
    assert klarna.get(PAYOUTS).json["pagination"]["total"] == 1


def test_a_sale_after_the_schedule_is_not_in_the_payout_that_is_due(app: App, klarna: Client, control: Client) -> None:
    sell(app, 10_000)
    app.clock.ahead += settlements.SCHEDULE * 2  # and nobody has looked after it yet
    late = sell(app, 500)
    [payout] = klarna.get(PAYOUTS).json["payouts"]
    assert payout["totals"]["sale_amount"] == 10_000
    assert not any("payout" in t for t in transactions(klarna, order_id=late))


def test_merchants_are_kept_apart(app: App, klarna: Client, control: Client) -> None:
    order_id = sell(app, 10_000)
    sell(app, 20_000, account=MERCHANTS[1])
    [payout] = close(control, merchant=MERCHANTS[1].id)
    assert payout["merchant_id"] == MERCHANTS[1].id
    assert klarna.get(f"{PAYOUTS}/{payout['payment_reference']}").status == 404
    assert transactions(klarna, payment_reference=payout["payment_reference"]) == []
    assert transactions(Client(app, MERCHANTS[1]), order_id=order_id) == []
    assert len(close(control)) == 1
    assert control.post("/sandbox/payouts/close", {"merchant": "M1"}).status == 404


def test_a_payout_nobody_made_is_not_found(klarna: Client) -> None:
    reply = klarna.get(f"{PAYOUTS}/XISA93DJ")
    assert (reply.status, reply.json["error_code"]) == (404, "NOT_FOUND")


# --- dates, sums, pages


def test_an_end_date_without_time_leaves_that_day_out(app: App, klarna: Client, control: Client) -> None:
    sell(app, 10_000)
    [payout] = close(control)
    day = payout["payout_date"][:10]

    def found(query: str) -> int:
        return int(klarna.get(f"{PAYOUTS}?{query}").json["pagination"]["total"])

    assert found(f"start_date={day}") == 1
    assert found(f"end_date={day}") == 0
    assert found(f"start_date={day}&end_date={day}T23:59:59Z") == 1
    assert found(f"start_date={day}T00:00:00%2B00:00&end_date={payout['payout_date']}") == 1
    assert found(f"start_date={day}T23:59:59.999Z") == 0


def test_the_summary_adds_up_per_currency(app: App, klarna: Client, control: Client) -> None:
    dates = []
    for amount, currency in ((1_000, "EUR"), (2_000, "EUR"), (4_000, "SEK")):
        sell(app, amount, currency=currency)
        dates += [p["payout_date"] for p in close(control)]
        control.post("/sandbox/time", {"days": 1})
    reply = klarna.get(f"{PAYOUTS}/summary?start_date=2020-01-01&end_date=2999-01-01")
    euro, krona = reply.json
    assert (euro["summary_settlement_currency"], euro["summary_total_sale_amount"]) == ("EUR", 3_000)
    assert (euro["summary_payout_date_start"], euro["summary_payout_date_end"]) == (dates[0], dates[1])
    assert (krona["summary_settlement_currency"], krona["summary_total_sale_amount"]) == ("SEK", 4_000)
    only = klarna.get(f"{PAYOUTS}/summary?start_date=2020-01-01&end_date=2999-01-01&currency_code=SEK").json
    assert only == [krona]
    assert klarna.get(f"{PAYOUTS}/summary?start_date=2020-01-01&end_date=2020-01-02").json == []


def follow(klarna: Client, url: str, name: str, link: str) -> list[list[Any]]:
    """The pages from one on, by their links."""
    pages = []
    while url:
        parts = urlsplit(url)
        reply = klarna.get(f"{parts.path}?{parts.query}")
        assert reply.json["pagination"]["count"] == len(reply.json[name])
        pages.append(reply.json[name])
        url = reply.json["pagination"].get(link, "")
    return pages


def test_pages_of_transactions_follow_each_other_and_keep_what_was_asked(app: App, klarna: Client) -> None:
    order_id = sell(app, 10_000, refunded=500)
    sell(app, 20_000)
    whole = transactions(klarna, order_id=order_id)
    first = f"http://localhost{TRANSACTIONS}?order_id={order_id}&size=2"
    pages = follow(klarna, first, "transactions", "next")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [t for page in pages for t in page] == whole
    back = follow(klarna, f"{first}&offset=4", "transactions", "prev")
    assert list(reversed(back)) == pages
    link = klarna.get(f"{TRANSACTIONS}?order_id={order_id}&size=2").json["pagination"]["next"]
    assert link.startswith("http://localhost/")
    assert parse_qs(urlsplit(link).query) == {"order_id": [order_id], "size": ["2"], "offset": ["2"]}


def test_pages_go_on_from_one_payout_to_the_next(app: App, klarna: Client, control: Client) -> None:
    for amount in (1_000, 2_000, 3_000):
        sell(app, amount, refunded=amount // 2)  # five transactions each
        close(control)
    whole = transactions(klarna)
    assert len(whole) == 15
    for size in (1, 4, 5, 7, 15):
        pages = follow(klarna, f"{TRANSACTIONS}?size={size}", "transactions", "next")
        assert [t for page in pages for t in page] == whole


def test_pages_of_payouts_keep_the_filter(app: App, klarna: Client, control: Client) -> None:
    for number in range(5):
        sell(app, 1_000 + number)
        sell(app, 5_000, currency="SEK")
        close(control)
    pages = follow(klarna, f"{PAYOUTS}?currency_code=EUR&start_date=2020-01-01&size=2", "payouts", "next")
    assert [p["totals"]["sale_amount"] for page in pages for p in page] == [1_000, 1_001, 1_002, 1_003, 1_004]


def test_links_name_the_host_that_was_asked(app: App, control: Client) -> None:
    host = "api.playground.klarna.com"
    for _ in range(2):
        sell(app, 1_000)
        close(control)
    reply = Client(app, host=host).get(f"{PAYOUTS}?size=1").json
    assert reply["pagination"]["next"].startswith(f"https://{host}/settlements/v1/payouts?")
    assert reply["payouts"][0]["transactions"].startswith(f"https://{host}{TRANSACTIONS}?payment_reference=")


def test_without_a_filter_all_transactions_are_listed(app: App, klarna: Client, control: Client) -> None:
    sell(app, 1_000)
    close(control)
    sell(app, 2_000)
    found = [(t["amount"], "payout" in t) for t in transactions(klarna) if t["type"] == "SALE"]
    assert found == [(1_000, True), (2_000, False)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param(f"{PAYOUTS}?size=501", "Bad value: size", id="size above the limit"),
        pytest.param(f"{PAYOUTS}?size=0", "Bad value: size", id="size of nothing"),
        pytest.param(f"{PAYOUTS}?size=many", "Bad value: size", id="size in words"),
        pytest.param(f"{TRANSACTIONS}?offset=-1", "Bad value: offset", id="offset below zero"),
        pytest.param(f"{TRANSACTIONS}?offset=%D9%A1", "Bad value: offset", id="digits of another script"),
        pytest.param(f"{TRANSACTIONS}?size=", "Bad value: size", id="empty size"),
        pytest.param(f"{PAYOUTS}?start_date=soon", "Bad value: start_date", id="no date"),
        pytest.param(f"{PAYOUTS}?end_date=2026-13-01", "Bad value: end_date", id="thirteenth month"),
        pytest.param(f"{PAYOUTS}?currency_code=euro", "Bad value: currency_code", id="no currency"),
        pytest.param(f"{PAYOUTS}?end_date=0001-01-01T00:00%2B14:00", "Bad value: end_date", id="before all time"),
        pytest.param(f"{PAYOUTS}/summary?end_date=2026-01-01", "Bad value: start_date", id="summary without start"),
        pytest.param(f"{PAYOUTS}/summary?start_date=2026-01-01", "Bad value: end_date", id="summary without end"),
    ],
)
def test_bad_parameters_are_refused_by_name(klarna: Client, path: str, message: str) -> None:
    reply = klarna.get(path)
    assert (reply.status, reply.json["error_code"], reply.json["error_messages"]) == (400, "BAD_VALUE", [message])


def test_size_may_be_as_large_as_the_limit(klarna: Client) -> None:
    assert klarna.get(f"{PAYOUTS}?size=500").status == 200


# --- against the orders themselves


@pytest.mark.parametrize("seed", range(5))
def test_payouts_account_for_every_capture_and_refund(klarna: Client, control: Client, seed: int) -> None:
    """Sales less returns over all payouts are what all orders captured less what they refunded, per currency."""
    chance = random.Random(seed)
    orders: list[str] = []
    paid: Counter[str] = Counter()
    for _ in range(60):
        step = chance.choice(["place", "capture", "capture", "refund", "cancel", "close", "wait"])
        if step == "place" or not orders:
            currency, country = chance.choice([("EUR", "DE"), ("SEK", "SE"), ("USD", "US")])
            options = {"amount": chance.randint(1, 50_000), "currency": currency, "country": country}
            placed = control.post("/sandbox/orders", {**options, "auto_capture": chance.random() < 0.3})
            orders.append(placed.json["order_id"])
            continue
        path = f"/ordermanagement/v1/orders/{chance.choice(orders)}"
        amount = chance.randint(1, 20_000)  # which is refused as often as not
        if step == "capture":
            klarna.post(f"{path}/captures", {"captured_amount": amount})
        elif step == "refund":
            klarna.post(f"{path}/refunds", {"refunded_amount": amount})
        elif step == "cancel":
            klarna.post(f"{path}/cancel")
        elif step == "close":
            close(control)
        else:
            control.post("/sandbox/time", {"days": chance.randint(1, 5)})
    close(control)
    for payout in klarna.get(f"{PAYOUTS}?size=500").json["payouts"]:
        paid[payout["currency_code"]] += payout["totals"]["sale_amount"] - payout["totals"]["return_amount"]
    expected: Counter[str] = Counter()
    for order_id in orders:
        order = klarna.get(f"/ordermanagement/v1/orders/{order_id}").json
        expected[order["purchase_currency"]] += order["captured_amount"] - order["refunded_amount"]
        mine = transactions(klarna, order_id=order_id)
        assert sum(t["amount"] for t in mine if t["type"] == "SALE") == order["captured_amount"]
        assert sum(t["amount"] for t in mine if t["type"] == "RETURN") == order["refunded_amount"]
    assert +paid == +expected
    assert expected.total() > 0


def test_a_capture_that_is_repeated_with_its_key_is_paid_once(klarna: Client, control: Client) -> None:
    order_id = control.post("/sandbox/orders", {"amount": 10_000}).json["order_id"]
    key = str(uuid.uuid4())
    for _ in range(2):
        klarna.post(f"/ordermanagement/v1/orders/{order_id}/captures", {"captured_amount": 4_000}, key=key)
    [payout] = close(control)
    assert payout["totals"]["sale_amount"] == 4_000
