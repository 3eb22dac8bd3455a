"""Control paths about orders: place one without a customer, decide its fraud review, archive it, look behind it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.classic import ledger
from capstan.sandbox.classic.methods import METHODS, named_method
from capstan.sandbox.classic.orders import (
    KIND,
    cancel_unless_captured,
    load_order,
    place_order,
    store_order,
)
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

_LARGEST: Final = 200_000_000
_FRAUD: Final = ("ACCEPTED", "PENDING", "REJECTED")
_TAX_RATE: Final = 2500
_CODES: Final = {"country": re.compile("[A-Za-z]{2}"), "currency": re.compile("[A-Za-z]{3}")}

routes = control_routes()


@routes("POST", "/sandbox/orders")
def place(call: Call) -> Answer:
    """Place an order as if a customer had: `{"amount": 10000, "currency": "SEK", "auto_capture": false, ...}`."""
    options = read_options(
        call, amount=int, currency=str, country=str, locale=str, auto_capture=bool, fraud_status=str,
        payment_method=str, merchant=str, merchant_reference1=str, merchant_reference2=str, notification_url=str,
        refuse_increase=bool, order_lines=list, billing_address=dict, shipping_address=dict,
    )  # fmt: skip
    account = call.accounts.get(options.get("merchant", DEMO_MERCHANT.id))
    if account is None or not account.username:
        raise Refusal(400, "BAD_OPTION", "'merchant' is the id of none")
    if not 0 <= options.get("amount", 0) <= _LARGEST:
        raise Refusal(400, "BAD_OPTION", f"'amount' is between 0 and {_LARGEST}")
    if options.get("fraud_status", "ACCEPTED") not in _FRAUD:
        raise Refusal(400, "BAD_OPTION", f"'fraud_status' is one of: {', '.join(_FRAUD)}")
    for name, code in _CODES.items():
        if name in options and not code.fullmatch(options[name]):
            raise Refusal(400, "BAD_OPTION", f"'{name}' is a code of letters, such as SE or SEK")
    call.account = account
    order = place_order(call, _purchase(options), fraud_status=options.get("fraud_status", "ACCEPTED"))
    if options.get("refuse_increase"):
        order["_refuse_increase"] = True
        store_order(call, order)
    return Answer(201, view(order))


@routes("GET", "/sandbox/orders/{order_id}")
def look(call: Call) -> Answer:
    """An order with what the sandbox keeps beside it, whoever's it is."""
    _, order = _any_order(call)
    return Answer(200, order)


@routes("POST", "/sandbox/orders/{order_id}/close")
def close(call: Call) -> Answer:
    """Archive an order."""
    read_options(call)
    owner, order = _any_order(call)
    ledger.close(order)
    store_order(owner, order)
    return Answer(200, view(order))


@routes("POST", "/sandbox/orders/{order_id}/fraud-decision")
def decide(call: Call) -> Answer:
    """End the fraud review of a pending order: `{"decision": "ACCEPTED"}` or `"REJECTED"`; the merchant is told."""
    decision = read_options(call, decision=str).get("decision")
    if decision not in ("ACCEPTED", "REJECTED"):
        raise Refusal(400, "BAD_OPTION", "'decision' is ACCEPTED or REJECTED")
    owner, order = _any_order(call)
    if order["fraud_status"] != "PENDING":
        raise Refusal(409, "NOT_PENDING", f"The fraud status of the order is {order['fraud_status']} already")
    order["fraud_status"] = decision
    if decision == "REJECTED":
        cancel_unless_captured(owner, order)
    store_order(owner, order)
    if url := order["_merchant_urls"].get("notification"):
        body = json.dumps({"order_id": order["order_id"], "event_type": f"FRAUD_RISK_{decision}"}).encode()
        subject = f"fraud {order['order_id']}"
        owner.deliver(Delivery(url, body, "notification", subject=subject, owner=owner.account.id))
    return Answer(200, view(order))


def _any_order(call: Call) -> tuple[Call, Document]:
    """The order in the path, and the call as its merchant."""
    missing = "There is no such order"
    owner = as_owner(call, KIND, call.params["order_id"], missing)
    order = load_order(owner, call.params["order_id"])
    assert order is not None
    return owner, order


def _purchase(options: dict[str, Any]) -> dict[str, Any]:
    """A purchase like one that a Payments session asks for."""
    amount = options.get("amount", 10_000)
    country = options.get("country", "SE").upper()
    address = {
        "given_name": "Test", "family_name": "Person", "email": "customer@email.example", "phone": "+46701740615",
        "street_address": "Examplegatan 1", "postal_code": "11111", "city": "Stockholm", "country": country,
    }  # fmt: skip
    line = {
        "type": "physical", "reference": "SKU-1", "name": "Goods", "quantity": 1, "unit_price": amount,
        "tax_rate": _TAX_RATE, "total_amount": amount, "total_discount_amount": 0,
        "total_tax_amount": amount - amount * 10_000 // (10_000 + _TAX_RATE),
    }  # fmt: skip
    purchase = {
        "order_amount": amount, "purchase_currency": options.get("currency", "SEK").upper(),
        "purchase_country": country, "locale": options.get("locale", "en-SE"), "order_lines": [line],
        "billing_address": address, "auto_capture": options.get("auto_capture", False),
    }  # fmt: skip
    same = ("order_lines", "billing_address", "shipping_address", "merchant_reference1", "merchant_reference2")
    purchase |= pick(options, *same)
    if "payment_method" in options:
        method = named_method(options["payment_method"])
        if method is None:
            raise Refusal(400, "BAD_OPTION", f"'payment_method' is, for example, one of: {', '.join(METHODS)}")
        purchase["_payment_method"] = method
    if "notification_url" in options:
        purchase["merchant_urls"] = {"notification": options["notification_url"]}
    return purchase


ROUTES: Final = tuple(routes.routes)
