"""An order: how its document comes to be, is loaded and stored. Every change of an order goes through here.

What is kept is what Klarna answers (`getOrder`) plus a few members of our own that begin with an underscore. Time has
its effect when an order is loaded. The arithmetic is the ledger's.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic import ledger, settlements
from capstan.sandbox.clock import write_time
from capstan.sandbox.deliveries import withdraw
from capstan.sandbox.state import Document
from capstan.sandbox.web import Call

KIND: Final = "orders"

_REFERENCE_LETTERS: Final = string.ascii_uppercase + string.digits
_COPIED: Final = (
    "purchase_country", "purchase_currency", "locale", "billing_address", "merchant_reference1", "merchant_reference2",
    "merchant_data", "selected_shipping_option",
)  # fmt: skip
_CUSTOMER: Final = ("date_of_birth", "national_identification_number")
_PAY_LATER: Final = {"type": "INVOICE", "description": "Pay later"}


def place_order(call: Call, purchase: Mapping[str, Any], *, fraud_status: str = "ACCEPTED") -> Document:
    """Make an order of a purchase whose amounts were checked, and store it. With `auto_capture` it is captured too."""
    amount = purchase["order_amount"]
    order: Document = {
        "order_id": purchase.get("_order_id") or str(uuid.uuid4()),
        "status": "AUTHORIZED",
        "fraud_status": fraud_status,
        "klarna_reference": "".join(secrets.choice(_REFERENCE_LETTERS) for _ in range(7)),
        "created_at": write_time(call.now),
        "expires_at": write_time(ledger.midnight(call.now, ledger.AUTHORIZATION_DAYS)),
        "order_amount": amount,
        "original_order_amount": amount,
        "captured_amount": 0,
        "refunded_amount": 0,
        "remaining_authorized_amount": amount,
        **{name: purchase[name] for name in _COPIED if purchase.get(name)},
        "order_lines": purchase.get("order_lines", []),
        "initial_payment_method": purchase.get("_payment_method") or _PAY_LATER,
        "captures": [],
        "refunds": [],
        "shipping_info": [],
        "_merchant_urls": purchase.get("merchant_urls") or {},
        "_source": purchase.get("_source", "payments"),
    }
    customer = {name: text for name, text in (purchase.get("customer") or {}).items() if name in _CUSTOMER}
    if customer:
        order["customer"] = customer
    shipping = purchase.get("shipping_address") or purchase.get("billing_address")
    if shipping:
        order["shipping_address"] = shipping
    if fraud_status == "REJECTED":
        cancel_unless_captured(call, order)
    store_order(call, order)
    if purchase.get("auto_capture") and amount:
        capture_order(call, order, amount, {"order_lines": order["order_lines"]})
    return order


def load_order(call: Call, order_id: str) -> Document | None:
    """The order of this merchant as of now, or None."""
    order = call.get(KIND, order_id)
    if order is not None:
        ledger.elapse(order, call.now)
    return order


def store_order(call: Call, order: Document) -> None:
    call.put(KIND, order["order_id"], order)


def capture_order(call: Call, order: Document, amount: int, details: Mapping[str, Any]) -> Document:
    """Capture, store the order, and note the sale for a settlement. `details` are those of a capture request.

    Raises:
        Refusal: the order's state or amount does not allow it.
    """
    capture = ledger.capture(order, amount, details, call.now)
    acknowledge(call, order)
    store_order(call, order)
    settlements.record(call, "SALE", order, amount=amount, capture=capture)
    return capture


def refund_order(call: Call, order: Document, amount: int, details: Mapping[str, Any]) -> Document:
    """Refund, store the order, and note the return for a settlement. `details` are those of a refund request.

    Raises:
        Refusal: the order's state or amount does not allow it.
    """
    refund = ledger.refund(order, amount, details, call.now)
    store_order(call, order)
    settlements.record(call, "RETURN", order, amount=amount, refund=refund)
    return refund


def acknowledge(call: Call, order: Document) -> None:
    """The merchant knows of the order: it is pushed no more. The caller stores it."""
    order.setdefault("_acknowledged_at", write_time(call.now))
    withdraw(call.state, f"push {order['order_id']}")


def cancel_unless_captured(call: Call, order: Document) -> None:
    """The fraud review rejected it: only a capture within hours saves the order. The caller stores it."""
    order["_cancel_at"] = write_time(call.now + timedelta(hours=ledger.OVERRIDE_HOURS))
