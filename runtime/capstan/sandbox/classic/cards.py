"""Merchant card service v3: an order is paid with virtual cards, promised first and then issued, encrypted.

A promise and a settlement are for an order that is authorized and not captured. Nothing here captures it: the merchant
charges the cards instead. Numbers of cards are made up.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from capstan.sandbox.classic.cardcrypto import encrypt
from capstan.sandbox.classic.cardkeys import find_key
from capstan.sandbox.classic.family import bad_value, classic_routes, read_body
from capstan.sandbox.classic.orders import load_order
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

SETTLEMENTS_OF_ORDERS: Final = "card-settlement-of-order"

_PATH: Final = "/merchantcard/v3"
_PROMISES: Final = "card-promises"
_PROMISE_OF_ORDER: Final = "card-promise-of-order"
_SETTLEMENTS: Final = "card-settlements"
_PROMISE_LIFE: Final = timedelta(days=1)
_CARD_LIFE: Final = timedelta(days=365)
_HOLDER: Final = "Klarna Sandbox"
_BIN: Final = "411111"  # the beginning of Visa's test numbers

routes = classic_routes()


# --- promises


@routes("POST", f"{_PATH}/promises")
def create_promise(call: Call) -> Answer:
    body = read_body(call, "merchant-card-service.promise_request")
    order = _payable_order(call, body["order_id"])
    _check_cards(body["cards"], order)
    promise = {
        "promise_id": str(uuid.uuid4()), "order_id": order["order_id"],
        "cards": [_specification(card) for card in body["cards"]],
        "created_at": write_time(call.now), "expire_at": write_time(call.now + _PROMISE_LIFE),
    }  # fmt: skip
    old = call.get(_PROMISE_OF_ORDER, order["order_id"])
    if old is not None:  # only the newest holds
        call.state.delete(call.account.id, _PROMISES, old["promise_id"])
    call.put(_PROMISES, promise["promise_id"], promise)
    call.put(_PROMISE_OF_ORDER, order["order_id"], {"promise_id": promise["promise_id"]})
    return Answer(201, {"promise_id": promise["promise_id"], "expires_at": promise["expire_at"]})


@routes("GET", f"{_PATH}/promises/{{promise_id}}")
def read_promise(call: Call) -> Answer:
    promise = call.get(_PROMISES, call.params["promise_id"])
    if promise is None:
        raise Refusal(404, "NOT_FOUND", f"Promise {call.params['promise_id']} cannot be found")
    return Answer(200, promise)


def _payable_order(call: Call, order_id: str) -> Document:
    order = load_order(call, order_id)
    if order is None:
        raise bad_value("order_id")
    return order


def _specification(card: Document) -> Document:
    return pick(card, "amount", "currency", "fund_amount", "reference")


def _check_cards(cards: list[Document], order: Document) -> None:
    """Cards are in the currency of the order, and together not above what remains of it."""
    for number, card in enumerate(cards):
        if card["currency"] != order["purchase_currency"]:
            raise bad_value(f"cards[{number}].currency")
        if card.get("fund_amount", 1) < 1:
            raise bad_value(f"cards[{number}].fund_amount")
    if sum(card["amount"] for card in cards) > order["remaining_authorized_amount"]:
        raise bad_value("cards")


# --- settlements


@routes("POST", f"{_PATH}/settlements")
def settle(call: Call) -> Answer:
    body = read_body(call, "merchant-card-service.settlement_request")
    order = _payable_order(call, body["order_id"])
    key = find_key(call, body["key_id"])
    if key is None:
        raise bad_value("key_id")
    promise = _promise(call, order, body.get("promise_id"))
    if order["status"] != "AUTHORIZED":
        raise Refusal(403, "NOT_ALLOWED", f"Order is {order['status'].lower()}. Cards cannot be issued.")
    if call.get(SETTLEMENTS_OF_ORDERS, order["order_id"]) is not None:
        raise Refusal(403, "NOT_ALLOWED", "Order has cards already.")
    wanted = promise["cards"] if promise is not None else [_single_card(order)]
    if sum(card["amount"] for card in wanted) > order["remaining_authorized_amount"]:
        raise Refusal(403, "NOT_ALLOWED", "The cards are worth more than what remains of the order.")
    settlement = {
        "settlement_id": str(uuid.uuid4()),
        **({"promise_id": promise["promise_id"]} if promise is not None else {}),
        "order_id": order["order_id"],
        "cards": [_issue(card, key, call.now) for card in wanted],
        "created_at": write_time(call.now),
        "expires_at": write_time(call.now + _CARD_LIFE),
        "_key_id": body["key_id"],
    }
    call.put(_SETTLEMENTS, settlement["settlement_id"], settlement)
    call.put(SETTLEMENTS_OF_ORDERS, order["order_id"], {"settlement_id": settlement["settlement_id"]})
    return Answer(201, view(settlement))


@routes("GET", f"{_PATH}/settlements/{{settlement_id}}")
def read_settlement(call: Call) -> Answer:
    return _read(call, call.params["settlement_id"])


@routes("GET", f"{_PATH}/settlements/order/{{order_id}}")
def read_settlement_by_order(call: Call) -> Answer:
    return _read(call, (call.get(SETTLEMENTS_OF_ORDERS, call.params["order_id"]) or {}).get("settlement_id", ""))


def _promise(call: Call, order: Document, promise_id: str | None) -> Document | None:
    """The promise to settle: the one that is named, or the order's, if it still holds."""
    named = promise_id or (call.get(_PROMISE_OF_ORDER, order["order_id"]) or {}).get("promise_id", "")
    promise = call.get(_PROMISES, named)
    holds = (
        promise is not None and promise["order_id"] == order["order_id"] and call.now < read_time(promise["expire_at"])
    )
    if promise_id is not None and not holds:
        raise bad_value("promise_id")
    return promise if holds else None


def _single_card(order: Document) -> Document:
    """Without a promise, one card pays the whole order."""
    amount = order["remaining_authorized_amount"]
    return {"amount": amount, "currency": order["purchase_currency"], "reference": order["klarna_reference"]}


def _issue(card: Document, key: str, now: datetime) -> dict[str, Any]:
    """A card as it is answered: only whoever has the private key can read its number."""
    data = {"pan": _card_number(), "cvv": f"{secrets.randbelow(1000):03d}",
            "expiry_date": (now + _CARD_LIFE).strftime("%m/%y")}  # fmt: skip
    return {
        "reference": card["reference"], "card_id": str(uuid.uuid4()), "amount": card.get("fund_amount", card["amount"]),
        "currency": card["currency"], "brand": "VISA", "holder": _HOLDER, **encrypt(data, key),
    }  # fmt: skip


def _card_number() -> str:
    digits = f"{_BIN}{secrets.randbelow(10**9):09d}"
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(digits))  # Luhn: every other one, from the first of sixteen
    return f"{digits}{-sum(n // 10 + n % 10 for n in doubled) % 10}"


def _read(call: Call, settlement_id: str) -> Answer:
    settlement = call.get(_SETTLEMENTS, settlement_id)
    if settlement is None:
        raise Refusal(404, "NOT_FOUND", "The settlement cannot be found")
    if call.request.headers.get("keyid") != settlement["_key_id"]:
        raise Refusal(403, "FORBIDDEN", "KeyId is not the key that the cards are encrypted for")
    return Answer(200, view(settlement))


ROUTES: Final = tuple(routes.routes)
