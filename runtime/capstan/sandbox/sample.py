"""Sample data: what a new sandbox already holds, so that there is something to look at.

It is made as requests make it, only in the past. Ids of orders follow from their references, so that commands can name
them; the dates count back from when the sandbox began.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, MERCHANTS, Account
from capstan.sandbox.app import App
from capstan.sandbox.classic import ledger, orders, sessions, settlements, tokens
from capstan.sandbox.classic.orders import KIND
from capstan.sandbox.classic.payments import authorize_session
from capstan.sandbox.network import disputes, transactions
from capstan.sandbox.network import settlements as network_settlements
from capstan.sandbox.network.operations import ACCOUNT
from capstan.sandbox.network.partners import own_id
from capstan.sandbox.web import Call

_Line = tuple[str, int, int]  # what, how many, and the price of one in minor units
_Step = tuple[float, str, int]  # how many days ago, what, and how much


def _id(reference: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:capstan:sandbox:{reference}"))


TOKEN_ID: Final = _id("DEMO-TOKEN")


@dataclass(frozen=True, slots=True)
class Order:
    """An order, and what became of it."""

    reference: str
    days_ago: float
    lines: tuple[_Line, ...]
    steps: tuple[_Step, ...] = ()
    fraud_status: str = "ACCEPTED"

    @property
    def id(self) -> str:
        return _id(self.reference)

    @property
    def klarna_reference(self) -> str:
        word, _, number = self.reference.partition("-")
        return word[:3] + number


_LANTERN, _MUG, _ROPE = ("Storm lantern", 1, 4200), ("Watch mug", 2, 1450), ("Mooring line", 1, 2875)
_CAP, _COMPASS, _BELL = ("Watch cap", 1, 2400), ("Pocket compass", 1, 6499), ("Ship's bell", 1, 8900)

# Of the demo merchant. The captures of three weeks and of two weeks ago make two payouts.
ORDERS: Final = (
    Order("DEMO-1001", 1, (_LANTERN, _MUG)),
    Order("DEMO-1002", 3, (_LANTERN, _ROPE, _CAP), ((2, "capture", 4200),)),
    Order("DEMO-1003", 24, (_BELL, _MUG), ((23, "capture", 11800), (12, "refund", 2900))),
    Order("DEMO-1004", 22, (_COMPASS,), ((21, "capture", 6499),)),
    Order("DEMO-1005", 6, (_CAP, _MUG), ((5, "cancel", 0),)),
    Order("DEMO-1006", 40, (_ROPE,)),
    Order("DEMO-1007", 0.1, (_BELL, _COMPASS), fraud_status="PENDING"),
    Order("DEMO-1008", 14, (_LANTERN, _COMPASS), ((13, "capture", 4200), (11, "capture", 6499), (9, "refund", 10699))),
    Order("DEMO-1009", 11, (_LANTERN, _BELL), ((10, "capture", 4200), (8, "release", 0))),
)
# A little for everybody else, so that lists are not empty and merchants can be told apart.
OTHERS: Final = (
    Order("OTHER-2001", 2, (_CAP,)),
    Order("OTHER-2002", 16, (_MUG, _ROPE), ((15, "capture", 5775),)),
)
_MARKETS: Final = {"eu": ("GB", "GBP", "en-GB"), "na": ("US", "USD", "en-US"), "oc": ("AU", "AUD", "en-AU")}
_TAX_RATE: Final = 2000
_CUSTOMER: Final = {
    "given_name": "Robin", "family_name": "Marsh", "email": "robin.marsh@example.com", "phone": "+447700900123",
    "street_address": "7 Harbour Steps", "postal_code": "TR19 6XX", "city": "Penhallow",
}  # fmt: skip


def put_sample(app: App) -> None:
    """Fill a sandbox that holds nothing."""
    if app.state.owners(KIND):
        return
    for merchant in MERCHANTS:
        call = app.internal_call(merchant)
        for days_ago, order, what, amount in _story(ORDERS if merchant is DEMO_MERCHANT else OTHERS):
            _act(replace(call, now=call.now - timedelta(days=days_ago)), order, what, amount)
        settlements.close_due(call)
        if merchant is DEMO_MERCHANT:
            _put_token(call)
        call.state.commit()
    call = app.internal_call(DEMO_PARTNER)
    _put_network(call)
    call.state.commit()


def _put_network(call: Call) -> None:
    """What lists of the network show: a settlement of two payments, and a dispute about one."""
    call = replace(call, params={ACCOUNT: own_id(call.account)})

    def ago(days: float) -> Call:
        return replace(call, now=call.now - timedelta(days=days))

    bell = transactions.new_transaction(ago(20), 11800, "EUR", {"payment_transaction_reference": "DEMO-3001"})
    transactions.capture(ago(19), bell, None, {}, release=False)
    rope = transactions.new_transaction(ago(18), 5750, "EUR", {"payment_transaction_reference": "DEMO-3002"})
    transactions.capture(ago(17), rope, None, {}, release=False)
    transactions.refund(ago(12), rope, 2875, {}, None)
    network_settlements.settle(ago(10), None, ago(10).now, None)
    disputes.open_dispute(ago(1), bell, "PRODUCTS_FAULTY", 8900, "It does not ring")


def _story(found: tuple[Order, ...]) -> Iterator[tuple[float, Order, str, int]]:
    """Everything that happened, from the oldest on: payouts are made as time goes by."""
    events = [(order.days_ago, order, "place", 0) for order in found]
    events += [(ago, order, what, amount) for order in found for ago, what, amount in order.steps]
    yield from sorted(events, key=lambda event: -event[0])


def _act(call: Call, about: Order, what: str, amount: int) -> None:
    # Ids are unique over all merchants, so the others' end in the merchant's number.
    order_id = about.id if call.account is DEMO_MERCHANT else about.id[:-6] + call.account.id[1:]
    if what == "place":
        purchase = _purchase(call.account, about) | {"_order_id": order_id}
        placed = orders.place_order(call, purchase, fraud_status=about.fraud_status)
        orders.store_order(call, placed | {"klarna_reference": about.klarna_reference})
        return
    order = orders.load_order(call, order_id)
    assert order is not None, "an order is placed before anything else"
    match what:
        case "capture":
            orders.capture_order(call, order, amount, {"description": "Sent from the harbour"})
        case "refund":
            orders.refund_order(call, order, amount, {"description": "Returned"})
        case "cancel":
            ledger.cancel(order)
            orders.store_order(call, order)
        case "release":
            ledger.release(order)
            orders.store_order(call, order)
        case _:
            raise ValueError(what)


def _put_token(call: Call) -> None:
    """A customer who agreed to later charges."""
    session = sessions.open_session(call, _purchase(call.account, ORDERS[0]) | {"intent": "tokenize"})
    token = authorize_session(call, session["_session_id"])["authorization_token"]
    asked = {name: session[name] for name in ("purchase_country", "purchase_currency", "locale")}
    body = json.dumps(asked | {"description": "Oil for the lantern, monthly", "intended_use": "SUBSCRIPTION"}).encode()
    request = replace(call.request, body=body)
    made = tokens.create_token(replace(call, request=request, params={"token": token})).body["token_id"]
    document = call.get(tokens.KIND, made)
    assert document is not None
    call.state.delete(call.account.id, tokens.KIND, made)
    call.put(tokens.KIND, TOKEN_ID, document | {"_token_id": TOKEN_ID})


def _purchase(merchant: Account, about: Order) -> dict[str, Any]:
    country, currency, locale = _MARKETS[merchant.region]
    lines = [_line(*line, rate=0 if country == "US" else _TAX_RATE) for line in about.lines]
    address = _CUSTOMER | {"country": country}
    return {
        "purchase_country": country, "purchase_currency": currency, "locale": locale, "order_lines": lines,
        "order_amount": sum(line["total_amount"] for line in lines),
        "order_tax_amount": sum(line["total_tax_amount"] for line in lines),
        "billing_address": address, "shipping_address": address, "merchant_reference1": about.reference,
    }  # fmt: skip


def _line(name: str, quantity: int, price: int, *, rate: int) -> dict[str, Any]:
    total = quantity * price
    return {
        "type": "physical", "reference": name.rpartition(" ")[2].upper(), "name": name, "quantity": quantity,
        "unit_price": price, "tax_rate": rate, "total_amount": total, "total_discount_amount": 0,
        "total_tax_amount": round(total * rate / (10_000 + rate)),
    }  # fmt: skip
