"""Everything a merchant can do with the classic APIs, in an order that makes sense, in Klarna's own terms.

A life says what it wants and checks what comes back; which way a request goes is its client's business.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from capstan.sandbox.classic.cardkeys import DEMO_KEY_ID
from sandbox.baskets import line, person, purchase
from sandbox.client import Reply

Control = Callable[[str, str, Any], Any]


class Client(Protocol):
    def send(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Reply: ...


class Merchant:
    """A client whose every request succeeds, or the life ends here."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, expected: int, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        if method in ("POST", "PATCH") and path.startswith("/ordermanagement"):
            more.setdefault("key", str(uuid.uuid4()))
        reply = self._client.send(method, path, body, **more)
        assert reply.status in (expected, None), f"{method} {path}: {reply.status} {reply.content[:500]!r}"
        return reply


def classic_life(client: Client, control: Control) -> None:
    """All of the merchant's surfaces."""
    merchant = Merchant(client)
    order_id = payments(merchant, control)
    customer_tokens(merchant, control)
    orders(merchant, order_id)
    captures_and_refunds(merchant, order_id)
    hosted_page(merchant)
    checkout(merchant)
    cards(merchant, control)
    settlements(merchant, control)


def authorized(merchant: Merchant, control: Control, bought: dict[str, Any], **more: Any) -> str:
    """A token for these goods, as the customer's consent makes it."""
    session = merchant(200, "POST", "/payments/v1/sessions", {**bought, **more}).json
    given = control("POST", f"/sandbox/payments/sessions/{session['session_id']}/authorize", {})
    token: str = given["authorization_token"]
    return token


def placed(merchant: Merchant, control: Control, bought: dict[str, Any] | None = None) -> str:
    bought = bought or purchase(line("Lamp", 4900, 2), line("Bulb", 600))
    token = authorized(merchant, control, bought)
    order_id: str = merchant(200, "POST", f"/payments/v1/authorizations/{token}/order", bought).json["order_id"]
    return order_id


def payments(merchant: Merchant, control: Control) -> str:
    bought = purchase(line("Lamp", 4900, 2), line("Bulb", 600))
    session = merchant(200, "POST", "/payments/v1/sessions", bought).json
    path = f"/payments/v1/sessions/{session['session_id']}"
    merchant(204, "POST", path, {"merchant_reference1": "A-1"})
    read = merchant(200, "GET", path).json
    assert (read["status"], read["order_amount"]) == ("incomplete", bought["order_amount"])
    merchant(204, "DELETE", f"/payments/v1/authorizations/{authorized(merchant, control, bought)}")
    order_id = placed(merchant, control, bought)
    order = merchant(200, "GET", f"/ordermanagement/v1/orders/{order_id}").json
    assert (order["status"], order["order_amount"]) == ("AUTHORIZED", 10400)
    return order_id


def customer_tokens(merchant: Merchant, control: Control) -> None:
    bought = purchase(line("Subscription", 990))
    token = authorized(merchant, control, bought, intent="tokenize")
    wanted = {
        "description": "Monthly", "intended_use": "SUBSCRIPTION", "locale": "en-DE",
        "purchase_country": "DE", "purchase_currency": "EUR",
    }  # fmt: skip
    made = merchant(200, "POST", f"/payments/v1/authorizations/{token}/customer-token", wanted).json
    path = f"/customer-token/v1/tokens/{made['token_id']}"
    assert merchant(200, "GET", path).json["status"].lower() == "active"
    charged = merchant(200, "POST", f"{path}/order", bought, key=str(uuid.uuid4())).json
    assert merchant(200, "GET", f"/ordermanagement/v1/orders/{charged['order_id']}").json["order_amount"] == 990
    merchant(202, "PATCH", f"{path}/status", {"status": "CANCELLED"})


def orders(merchant: Merchant, order_id: str) -> None:
    path = f"/ordermanagement/v1/orders/{order_id}"
    merchant(204, "POST", f"{path}/acknowledge")
    changed = purchase(line("Lamp", 4900, 2), line("Bulb", 500))
    merchant(204, "PATCH", f"{path}/authorization",
             {"order_amount": changed["order_amount"], "order_lines": changed["order_lines"]})  # fmt: skip
    merchant(204, "PATCH", f"{path}/customer-details", {"shipping_address": person(city="Potsdam")})
    merchant(204, "PATCH", f"{path}/merchant-references", {"merchant_reference1": "B-2"})
    merchant(204, "POST", f"{path}/extend-authorization-time")
    merchant(204, "POST", f"{path}/shipping-info", {"shipping_info": [{"tracking_number": "T1"}]})
    order = merchant(200, "GET", path).json
    assert order["order_amount"] == order["remaining_authorized_amount"] == 10300
    assert (order["merchant_reference1"], order["shipping_address"]["city"]) == ("B-2", "Potsdam")


def captures_and_refunds(merchant: Merchant, order_id: str) -> None:
    path = f"/ordermanagement/v1/orders/{order_id}"
    capture_id = merchant(201, "POST", f"{path}/captures", {"captured_amount": 4900}).headers["capture-id"]
    capture = f"{path}/captures/{capture_id}"
    assert len(merchant(200, "GET", f"{path}/captures").json) == 1
    assert merchant(200, "GET", capture).json["captured_amount"] == 4900
    merchant(204, "POST", f"{capture}/shipping-info", {"shipping_info": [{"tracking_number": "T2"}]})
    merchant(204, "POST", f"{capture}/trigger-send-out")
    options = merchant(200, "GET", f"{capture}/extend-due-date-options").json["options"]
    merchant(204, "PATCH", f"{capture}/extend-due-date", {"number_of_days": options[0]["number_of_days"]})
    refund_id = merchant(201, "POST", f"{path}/refunds", {"refunded_amount": 1000}).headers["refund-id"]
    assert merchant(200, "GET", f"{path}/refunds/{refund_id}").json["refunded_amount"] == 1000
    merchant(204, "POST", f"{path}/release-remaining-authorization")
    order = merchant(200, "GET", path).json
    amounts = [order[f"{kind}_amount"] for kind in ("captured", "refunded", "remaining_authorized")]
    assert (order["status"], amounts) == ("CAPTURED", [4900, 1000, 0])


def hosted_page(merchant: Merchant) -> None:
    session = merchant(200, "POST", "/payments/v1/sessions", purchase()).json
    url = f"https://api.playground.klarna.com/payments/v1/sessions/{session['session_id']}"
    urls = {name: f"https://shop.example/{name}" for name in ("success", "cancel", "back", "failure", "error")}
    page = merchant(201, "POST", "/hpp/v1/sessions", {"payment_session_url": url, "merchant_urls": urls}).json
    path = f"/hpp/v1/sessions/{page['session_id']}"
    assert merchant(200, "GET", path).json["status"] == "WAITING"
    wanted = {"contact_information": {"email": "ada@example.com"}, "method": "email", "template": "INSTORE_PURCHASE"}
    merchant(204, "POST", f"{path}/distribution", wanted)
    merchant(204, "DELETE", path)
    assert merchant(200, "GET", path).json["status"] == "DISABLED"


def checkout(merchant: Merchant) -> None:
    urls = {name: f"https://shop.example/{name}" for name in ("terms", "checkout", "confirmation", "push")}
    made = merchant(201, "POST", "/checkout/v3/orders", purchase(merchant_urls=urls)).json
    path = f"/checkout/v3/orders/{made['order_id']}"
    merchant(200, "POST", path, purchase(line("Desk", 20000), merchant_urls=urls))
    read = merchant(200, "GET", path).json
    assert (read["order_amount"], read["status"]) == (20000, "checkout_incomplete")
    merchant(200, "POST", f"{path}/abort")


def cards(merchant: Merchant, control: Control) -> None:
    order_id = placed(merchant, control)
    wanted = [{"amount": 10400, "currency": "EUR", "reference": "card-1"}]
    promise = merchant(201, "POST", "/merchantcard/v3/promises", {"order_id": order_id, "cards": wanted}).json
    merchant(200, "GET", f"/merchantcard/v3/promises/{promise['promise_id']}")
    key = DEMO_KEY_ID
    body = {"order_id": order_id, "key_id": key, "promise_id": promise["promise_id"]}
    settled = merchant(201, "POST", "/merchantcard/v3/settlements", body).json
    merchant(200, "GET", f"/merchantcard/v3/settlements/{settled['settlement_id']}", KeyId=key)
    merchant(200, "GET", f"/merchantcard/v3/settlements/order/{order_id}", KeyId=key)
    merchant(202, "POST", f"/merchantcard/v3/orders/{order_id}/cancel-request")
    merchant(200, "GET", f"/merchantcard/v3/orders/{order_id}/cancel-request")
    other = placed(merchant, control)
    merchant(204, "POST", f"/ordermanagement/v1/orders/{other}/cancel")
    assert merchant(200, "GET", f"/ordermanagement/v1/orders/{other}").json["status"] == "CANCELLED"


def settlements(merchant: Merchant, control: Control) -> None:
    control("POST", "/sandbox/payouts/close", {})
    found = merchant(200, "GET", "/settlements/v1/payouts?size=5").json
    payout = found["payouts"][0]
    reference = payout["payment_reference"]
    assert merchant(200, "GET", f"/settlements/v1/payouts/{reference}").json["payment_reference"] == reference
    dates = "start_date=2020-01-01T00:00:00Z&end_date=2040-01-01T00:00:00Z"
    merchant(200, "GET", f"/settlements/v1/payouts/summary?{dates}")
    entries = merchant(200, "GET", f"/settlements/v1/transactions?payment_reference={reference}").json["transactions"]
    assert {"SALE", "RETURN"} & {entry["type"] for entry in entries}
    for name, query, media_type, begins in (
        ("payout", f"payment_reference={reference}", "application/pdf", b"%PDF-"),
        ("payout-with-transactions", f"payment_reference={reference}", "text/csv", b""),
        ("payouts-summary", dates, "application/pdf", b"%PDF-"),
        ("payouts-summary-with-transactions", dates, "text/csv", b""),
    ):
        reply = merchant(200, "GET", f"/settlements/v1/reports/{name}?{query}")
        assert reply.headers.get("content-type", media_type).partition(";")[0] == media_type
        assert reply.content.startswith(begins)
        assert begins or reply.content.count(b",") > 5
