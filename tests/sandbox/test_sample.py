"""What a new sandbox holds, and the commands it is greeted with."""

from __future__ import annotations

from typing import Any

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.sample import ORDERS, OTHERS, TOKEN_ID, put_sample
from capstan.sandbox.welcome import welcome
from sandbox.client import Client
from sandbox.network_life import Partner

PATH = "/ordermanagement/v1/orders"


@pytest.fixture
def app() -> App:
    return create_app()


def states(client: Client) -> dict[str, tuple[str, str, int, int]]:
    found: dict[str, tuple[str, str, int, int]] = {}
    for sample in ORDERS:
        order = client.get(f"{PATH}/{sample.id}").json
        found[sample.reference] = (
            order["status"], order["fraud_status"], order["captured_amount"], order["refunded_amount"],
        )  # fmt: skip
    return found


def test_there_is_an_order_in_every_state(klarna: Client) -> None:
    assert states(klarna) == {
        "DEMO-1001": ("AUTHORIZED", "ACCEPTED", 0, 0),
        "DEMO-1002": ("PART_CAPTURED", "ACCEPTED", 4200, 0),
        "DEMO-1003": ("CAPTURED", "ACCEPTED", 11800, 2900),
        "DEMO-1004": ("CAPTURED", "ACCEPTED", 6499, 0),
        "DEMO-1005": ("CANCELLED", "ACCEPTED", 0, 0),
        "DEMO-1006": ("EXPIRED", "ACCEPTED", 0, 0),
        "DEMO-1007": ("AUTHORIZED", "PENDING", 0, 0),
        "DEMO-1008": ("CAPTURED", "ACCEPTED", 10699, 10699),
        "DEMO-1009": ("CAPTURED", "ACCEPTED", 4200, 0),
    }


def test_every_captured_amount_is_in_a_payout_or_waits_for_one(klarna: Client) -> None:
    payouts = klarna.get("/settlements/v1/payouts").json["payouts"]
    assert len(payouts) == 2
    sales = [
        item
        for sample in ORDERS
        for item in klarna.get(f"/settlements/v1/transactions?order_id={sample.id}").json["transactions"]
        if item["type"] == "SALE"
    ]
    captured = sum(state[2] for state in states(klarna).values())
    paid_out = sum(payout["totals"]["sale_amount"] for payout in payouts)
    assert sum(item["amount"] for item in sales) == captured > paid_out > 0


def test_the_customer_token_can_be_charged(klarna: Client) -> None:
    line = {"name": "Oil", "quantity": 1, "unit_price": 500, "total_amount": 500}
    body = {
        "purchase_country": "GB", "purchase_currency": "GBP", "locale": "en-GB", "order_amount": 500,
        "order_tax_amount": 0, "order_lines": [line], "auto_capture": True,
    }  # fmt: skip
    answer = klarna.post(f"/customer-token/v1/tokens/{TOKEN_ID}/order", body)
    assert answer.status == 200
    assert klarna.get(f"{PATH}/{answer.json['order_id']}").json["captured_amount"] == 500


@pytest.mark.parametrize("merchant", [pytest.param(m, id=m.id) for m in MERCHANTS if m is not DEMO_MERCHANT])
def test_other_merchants_have_orders_of_their_own(app: App, merchant: Any) -> None:
    client = Client(app, merchant)
    ids = [order.id[:-6] + merchant.id[1:] for order in OTHERS]
    assert [client.get(f"{PATH}/{id_}").status for id_ in ids] == [200, 200]
    assert [Client(app).get(f"{PATH}/{id_}").status for id_ in ids] == [404, 404]


def test_the_partner_has_a_dispute_and_a_settlement(app: App) -> None:
    partner = Partner(app)
    (dispute,) = partner.ok("list-disputes")["disputes"]
    assert (dispute["state"], dispute["amount"]) == ("PRE_ARBITRATION", 8900)
    (settlement,) = partner.ok("list-settlements")["settlements"]
    assert (settlement["captured_amount"], settlement["refunded_amount"]) == (17550, 2875)


def test_samples_are_put_once(app: App, klarna: Client) -> None:
    klarna.post(f"{PATH}/{ORDERS[0].id}/captures", {"captured_amount": 100})
    put_sample(app)
    assert states(klarna)["DEMO-1001"] == ("PART_CAPTURED", "ACCEPTED", 100, 0)


def test_after_a_reset_all_is_as_it_was(control: Client, klarna: Client) -> None:
    before = states(klarna)
    klarna.post(f"{PATH}/{ORDERS[0].id}/captures", {"captured_amount": 100})
    control.post("/sandbox/reset")
    assert states(klarna) == before


def test_the_shop_lists_the_samples_as_they_are_now(control: Client, klarna: Client) -> None:
    klarna.post(f"{PATH}/{ORDERS[0].id}/cancel")
    listed = control.get("/shop/orders").json["samples"]
    assert [order["merchant_reference1"] for order in listed] == [order.reference for order in ORDERS]
    assert listed[0]["status"] == "CANCELLED"


def test_doors_that_are_not_served_are_not_named() -> None:
    text = welcome(None, None, "http://localhost:8181")
    assert "http://localhost:8181" in text
    assert "curl" not in text
    assert "None" not in text
    assert "docs" not in welcome(None, "http://127.0.0.1:9090/mcp", "http://localhost:8181")
    assert "mcp" not in welcome("http://127.0.0.1:8080", None, "http://localhost:8181")
