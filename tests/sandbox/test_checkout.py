"""Checkout: an order that the customer completes, and the push that repeats until it is acknowledged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from sandbox import baskets
from sandbox.client import Client, Reply
from sandbox.receiver import wired

NOWHERE = "00000000-0000-4000-8000-000000000000"
ORDERS = "/checkout/v3/orders"
URLS = {name: f"http://shop/{name}?o={{checkout.order.id}}" for name in ("terms", "checkout", "confirmation", "push")}


def created(klarna: Client, **more: Any) -> str:
    order_id: str = klarna.post(ORDERS, baskets.purchase(merchant_urls=URLS, **more)).json["order_id"]
    return order_id


def completed(control: Client, order_id: str, **choices: Any) -> Reply:
    return control.post(f"/sandbox/checkout/orders/{order_id}/complete", choices)


def updated(klarna: Client, order_id: str, change: dict[str, Any]) -> Reply:
    """An update of less than everything, which the OpenAPI document of checkout does not foresee."""
    headers = {"host": "localhost", **klarna.headers, "content-type": "application/json"}
    return asyncio.run(klarna._exchange("POST", f"{ORDERS}/{order_id}", headers, json.dumps(change).encode()))


def error(reply: Reply) -> tuple[int, str, list[str]]:
    return reply.status, reply.json["error_code"], reply.json["error_text"]


def test_a_new_order_is_incomplete_and_says_where_it_is(klarna: Client) -> None:
    reply = klarna.post(ORDERS, baskets.purchase(merchant_urls=URLS))
    assert (reply.status, reply.json["status"]) == (201, "checkout_incomplete")
    assert reply.headers["location"] == f"http://localhost{ORDERS}/{reply.json['order_id']}"
    assert klarna.get(reply.headers["location"].removeprefix("http://localhost")).json == reply.json


def test_wrong_credentials_are_told_as_everywhere(app: App) -> None:
    reply = Client(app, None).get(f"{ORDERS}/any")
    assert reply.status == 401
    assert reply.json.keys() == {"error_code", "error_messages", "correlation_id"}


def test_the_snippet_shows_what_is_to_pay(klarna: Client, control: Client) -> None:
    order_id = created(klarna)
    page = f"/sandbox/checkout/orders/{order_id}/page"
    assert f'src="http://localhost{page}"' in klarna.get(f"{ORDERS}/{order_id}").json["html_snippet"]
    reply = control.get(page)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<data id="amount" value="11900" data-currency="EUR">' in reply.content
    assert b'data-act="complete"' in reply.content
    control.post(f"/sandbox/checkout/orders/{order_id}/complete", {})
    assert b"data-act" not in control.get(page).content


def test_what_a_merchant_cannot_say_must_be_right_too(klarna: Client) -> None:
    order_id = created(klarna)
    assert error(updated(klarna, order_id, {"html_snippet": 1})) == (400, "BAD_VALUE", ["Bad value: html_snippet"])
    assert updated(klarna, order_id, {"html_snippet": "mine"}).json["html_snippet"] != "mine"


def test_what_a_merchant_cannot_say_has_no_effect(klarna: Client) -> None:
    said = baskets.purchase(order_id="mine", status="checkout_complete", html_snippet="mine", _expires_at="mine")
    order = klarna.post(ORDERS, said).json
    assert (order["order_id"] != "mine", order["status"]) == (True, "checkout_incomplete")
    assert "mine" not in order["html_snippet"]
    changed = klarna.post(f"{ORDERS}/{order['order_id']}", said | {"_mine": "mine"}).json
    assert {name for name in order if order[name] != changed[name]} <= {"last_modified_at"}
    assert "_mine" not in klarna.get(f"{ORDERS}/{order['order_id']}").json


def test_codes_are_written_in_capitals(klarna: Client) -> None:
    order = klarna.post(ORDERS, baskets.purchase() | {"purchase_country": "de", "purchase_currency": "eur"}).json
    assert (order["purchase_country"], order["purchase_currency"]) == ("DE", "EUR")


@pytest.mark.parametrize("field", [
    "order_amount", "order_tax_amount", "order_lines", "locale", "purchase_country", "purchase_currency",
])  # fmt: skip
def test_an_order_needs_its_required_fields(klarna: Client, field: str) -> None:
    purchase = baskets.purchase()
    del purchase[field]
    assert error(klarna.post(ORDERS, purchase)) == (400, "BAD_VALUE", [f"Bad value: {field}"])


@pytest.mark.parametrize("url", URLS)
def test_merchant_urls_are_whole(klarna: Client, url: str) -> None:
    urls = {name: text for name, text in URLS.items() if name != url}
    reply = klarna.post(ORDERS, baskets.purchase(merchant_urls=urls))
    assert error(reply) == (400, "BAD_VALUE", [f"Bad value: merchant_urls.{url}"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"order_amount": 1}, "order_amount"),
        ({"order_tax_amount": 1}, "order_tax_amount"),
        ({"locale": "en-GB"}, "locale"),
        ({"purchase_currency": "SEK"}, "purchase_currency"),
        ({"order_lines": [baskets.line("Shoe", 11900) | {"total_amount": 1}]}, "order_lines[0].total_amount"),
        ({"shipping_options": [{}]}, "shipping_options[0].id"),
    ],
)
def test_an_order_or_update_that_disagrees_is_refused(klarna: Client, change: dict[str, Any], named: str) -> None:
    bad = (400, "BAD_VALUE", [f"Bad value: {named}"])
    assert error(klarna.post(ORDERS, baskets.purchase() | change)) == bad
    order_id = created(klarna)
    assert error(klarna.post(f"{ORDERS}/{order_id}", baskets.purchase() | change)) == bad
    assert error(updated(klarna, order_id, change)) == bad


def test_an_update_replaces_what_is_sent_and_keeps_the_rest(klarna: Client, control: Client) -> None:
    order_id = created(klarna, merchant_reference1="ON4711")
    control.post("/sandbox/time", {"minutes": 5})
    sock = baskets.purchase(baskets.line("Sock", 1000))
    reply = klarna.post(f"{ORDERS}/{order_id}", sock)
    assert (reply.status, reply.json["order_amount"], reply.json["merchant_reference1"]) == (200, 1000, "ON4711")
    assert reply.json["last_modified_at"] > reply.json["started_at"]
    assert updated(klarna, order_id, {"merchant_reference1": "other"}).json["merchant_reference1"] == "other"
    assert klarna.get(f"{ORDERS}/{order_id}").json["order_amount"] == 1000


def test_an_order_that_is_completed_is_read_only(klarna: Client, control: Client) -> None:
    order_id = created(klarna)
    reply = completed(control, order_id)
    assert (reply.status, reply.json["status"]) == (200, "checkout_complete")
    read_only = (403, "READ_ONLY_ORDER", ["Resource is read-only"])
    assert error(klarna.post(f"{ORDERS}/{order_id}", baskets.purchase())) == read_only
    assert error(klarna.post(f"{ORDERS}/{order_id}/abort")) == read_only
    order = klarna.get(f"{ORDERS}/{order_id}").json
    assert (order["status"], order["completed_at"] >= order["started_at"]) == ("checkout_complete", True)
    assert completed(control, order_id).status == 403


def test_an_aborted_order_is_read_only(klarna: Client, control: Client) -> None:
    order_id = created(klarna)
    assert klarna.post(f"{ORDERS}/{order_id}/abort").status == 200
    assert error(klarna.post(f"{ORDERS}/{order_id}", baskets.purchase()))[:2] == (403, "READ_ONLY_ORDER")
    assert completed(control, order_id).status == 403
    assert klarna.get(f"/ordermanagement/v1/orders/{order_id}").status == 404


def test_a_completed_order_lives_in_order_management_under_its_id(klarna: Client, control: Client) -> None:
    order_id = created(klarna, merchant_reference1="ON4711")
    completed(control, order_id, payment_method="direct_debit", fraud_status="PENDING")
    order = klarna.get(f"/ordermanagement/v1/orders/{order_id}").json
    assert (order["status"], order["fraud_status"], order["order_amount"]) == ("AUTHORIZED", "PENDING", 11900)
    assert (order["merchant_reference1"], order["initial_payment_method"]["type"]) == ("ON4711", "DIRECT_DEBIT")
    assert order["billing_address"]["country"] == "DE"


def test_an_order_can_be_captured_at_once(klarna: Client, control: Client) -> None:
    order_id = created(klarna, options={"auto_capture": True})
    completed(control, order_id)
    assert klarna.get(f"/ordermanagement/v1/orders/{order_id}").json["status"] == "CAPTURED"


def test_a_recurring_order_leaves_a_token_to_charge(klarna: Client, control: Client) -> None:
    order_id = created(klarna, recurring=True)
    assert "recurring_token" not in klarna.get(f"{ORDERS}/{order_id}").json
    completed(control, order_id)
    token_id = klarna.get(f"{ORDERS}/{order_id}").json["recurring_token"]
    names = ("order_amount", "order_tax_amount", "order_lines", "purchase_currency")
    charge = {name: baskets.purchase()[name] for name in names}
    assert klarna.post(f"/customer-token/v1/tokens/{token_id}/order", charge).status == 200


def test_the_customer_is_led_back_to_the_shop(klarna: Client, control: Client) -> None:
    order_id = created(klarna)
    next_url = completed(control, order_id).json["next_url"]
    reply = control.get(next_url.removeprefix("http://localhost"))
    assert (reply.status, reply.headers["location"]) == (302, f"http://shop/confirmation?o={order_id}")


@pytest.mark.parametrize("choices", [{"payment_method": "gold"}, {"fraud_status": "REJECTED"}, {"colour": "red"}])
def test_an_order_cannot_be_completed_senselessly(klarna: Client, control: Client, choices: dict[str, Any]) -> None:
    assert completed(control, created(klarna), **choices).status == 400


def test_an_order_that_nobody_completes_is_gone_after_two_days(klarna: Client, control: Client) -> None:
    left, done = created(klarna), created(klarna)
    completed(control, done)
    control.post("/sandbox/time", {"hours": 48})
    assert error(klarna.get(f"{ORDERS}/{left}"))[:2] == (404, "NOT_FOUND")
    assert completed(control, left).status == 404
    assert klarna.get(f"{ORDERS}/{done}").status == 200


def test_orders_of_nobody_and_of_another_merchant_do_not_exist(app: App, klarna: Client, control: Client) -> None:
    mine = created(klarna)
    for client, order_id in ((klarna, NOWHERE), (Client(app, MERCHANTS[1]), mine)):
        replies = (
            client.get(f"{ORDERS}/{order_id}"), client.post(f"{ORDERS}/{order_id}", {}),
            client.post(f"{ORDERS}/{order_id}/abort"),
        )  # fmt: skip
        assert {error(reply)[:2] for reply in replies} == {(404, "NOT_FOUND")}
    assert completed(control, NOWHERE).status == 404


def test_a_merchant_who_is_switched_off_can_do_nothing(klarna: Client, control: Client) -> None:
    order_id = created(klarna)
    control.post("/sandbox/merchants/M100001", {"active": False})
    replies = (
        klarna.get(f"{ORDERS}/{order_id}"), klarna.post(ORDERS, baskets.purchase()),
        klarna.post(f"{ORDERS}/{order_id}", baskets.purchase()), klarna.post(f"{ORDERS}/{order_id}/abort"),
    )  # fmt: skip
    assert {error(reply)[:2] for reply in replies} == {(403, "MERCHANT_INACTIVE")}


@pytest.mark.parametrize("body", [b"[]", b"{", b""])
def test_what_is_no_json_object_is_refused(klarna: Client, body: bytes) -> None:
    assert error(klarna.post(ORDERS, body))[:2] == (400, "BAD_REQUEST")
    assert error(klarna.post(f"{ORDERS}/{created(klarna)}", body))[:2] == (400, "BAD_REQUEST")


async def test_the_push_repeats_until_the_order_is_acknowledged(app: App) -> None:
    async with wired(app) as world:
        urls = URLS | {"push": f"{world.merchant.url}/push?o={{checkout.order.id}}"}
        order_id = (await world.klarna.post(ORDERS, baskets.purchase(merchant_urls=urls))).json["order_id"]
        await world.control.post(f"/sandbox/checkout/orders/{order_id}/complete", {})
        assert (await world.attempted(f"push {order_id}", 1))["state"] == "waiting"
        await world.let_pass(hours=2)
        assert (await world.attempted(f"push {order_id}", 2))["state"] == "waiting"
        assert {one.path for one in await world.received(2)} == {f"/push?o={order_id}"}
        reply = await world.klarna.post(f"/ordermanagement/v1/orders/{order_id}/acknowledge")
        assert reply.status == 204
        await world.let_pass(hours=3)
        [push] = [one for one in await world.deliveries() if one["subject"] == f"push {order_id}"]
        assert (push["state"], push["attempts"]) == ("withdrawn", 2)
        assert len(world.merchant.received) == 2


async def test_the_push_ends_after_two_days(app: App) -> None:
    async with wired(app) as world:
        urls = URLS | {"push": f"{world.merchant.url}/push"}
        order_id = (await world.klarna.post(ORDERS, baskets.purchase(merchant_urls=urls))).json["order_id"]
        await world.control.post(f"/sandbox/checkout/orders/{order_id}/complete", {})
        await world.attempted(f"push {order_id}", 1)
        await world.let_pass(days=2)
        assert (await world.attempted(f"push {order_id}", 2))["state"] == "given-up"
