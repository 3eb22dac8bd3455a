"""The arithmetic and the states of an order: what is captured, refunded and left, and which step is allowed when.

It takes an order's document and a moment, changes the document or refuses, and knows of no request and no store. At all
times 0 <= refunded <= captured <= order amount, and what remains is order amount less captured while the authorization
lives, else 0.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Refusal

OPEN: Final = ("AUTHORIZED", "PART_CAPTURED")  # the authorization lives
AUTHORIZATION_DAYS: Final = 28
LONGEST_DAYS: Final = 180  # after creation, however often it is extended
OVERRIDE_HOURS: Final = 4  # in which a capture still saves an order that the fraud review rejected

_CAPTURE_DETAILS: Final = ("description", "reference", "order_lines", "shipping_info")
_REFUND_DETAILS: Final = ("description", "reference", "order_lines")


def midnight(day: datetime, days: int) -> datetime:
    """The first moment of a day so many days later, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=days)


def not_allowed(message: str = "Update not allowed.") -> Refusal:
    return Refusal(403, "NOT_ALLOWED", message)


def elapse(order: Document, now: datetime) -> None:
    """What time does to an order: an authorization expires, a rejected order is cancelled."""
    if order["status"] not in OPEN:
        return
    ends = [(read_time(order["expires_at"]), "EXPIRED")]
    if "_cancel_at" in order and not order["captures"]:
        ends.append((read_time(order["_cancel_at"]), "CANCELLED"))
    moment, status = min(ends)
    if moment <= now:
        order["status"] = status
        _tally(order)


def capture(order: Document, amount: int, details: Mapping[str, Any], now: datetime) -> Document:
    """Take an amount of what remains."""
    # A capture of nothing could be asked for, but a capture that is read has an amount of 1 or more.
    if order["status"] not in OPEN or not 0 < amount <= order["remaining_authorized_amount"]:
        raise Refusal(403, "CAPTURE_NOT_ALLOWED", "Capture not allowed")
    made: Document = {
        "capture_id": str(uuid.uuid4()),
        "klarna_reference": f"{order['klarna_reference']}-{len(order['captures']) + 1}",
        "captured_amount": amount,
        "captured_at": write_time(now),
        "refunded_amount": 0,
        "order_lines": [],
        "shipping_info": [],
        **pick(order, "billing_address", "shipping_address"),
        **pick(details, *_CAPTURE_DETAILS),
    }
    order["captures"].append(made)
    order.pop("_cancel_at", None)
    _tally(order)
    order["status"] = "PART_CAPTURED" if order["remaining_authorized_amount"] else "CAPTURED"
    return made


def refund(order: Document, amount: int, details: Mapping[str, Any], now: datetime) -> Document:
    """Give back an amount of what was captured. It counts against the oldest captures with room."""
    if not order["captures"]:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "Order has no captures. Refund not possible")
    if order["status"] == "CLOSED":
        raise Refusal(403, "REFUND_NOT_ALLOWED", "Order is closed. Refund not possible.")
    if not 0 <= amount <= order["captured_amount"] - order["refunded_amount"]:
        raise Refusal(403, "REFUND_NOT_ALLOWED", "Over refund is not allowed. Refund not possible.")
    made: Document = {
        "refund_id": str(uuid.uuid4()),
        "refunded_amount": amount,
        "refunded_at": write_time(now),
        "order_lines": [],
        **pick(details, *_REFUND_DETAILS),
    }
    order["refunds"].append(made)
    left = amount
    for captured in order["captures"]:
        part = min(left, captured["captured_amount"] - captured["refunded_amount"])
        captured["refunded_amount"] += part
        left -= part
    _tally(order)
    return made


def cancel(order: Document) -> None:
    """Let go of the whole authorization."""
    if order["captures"]:
        raise Refusal(403, "CANCEL_NOT_ALLOWED", "Order has previous captures. Cancel not possible.")
    if order["status"] != "AUTHORIZED":
        raise Refusal(403, "CANCEL_NOT_ALLOWED", f"Order is {order['status'].lower()}. Cancel not possible.")
    order["status"] = "CANCELLED"
    _tally(order)


def release(order: Document) -> None:
    """Let go of what remains after captures."""
    if order["status"] == "CAPTURED":
        raise not_allowed("Order is fully captured. Remaining authorization cannot be released.")
    if order["status"] == "AUTHORIZED":
        raise not_allowed("Order has no captures. Remaining authorization cannot be released.")
    if order["status"] != "PART_CAPTURED":
        raise not_allowed()
    order["status"] = "CAPTURED"
    _tally(order)


def update_authorization(order: Document, amount: int, lines: list[Any]) -> None:
    """Set another order amount, with the lines that belong to it."""
    if order["status"] not in OPEN:
        raise not_allowed()
    if amount < order["captured_amount"]:
        raise not_allowed(
            f"Resulting authorization amount {amount} cannot be less than the captured amount "
            f"{order['captured_amount']} for order. Order authorization cannot be updated"
        )
    if amount > order["order_amount"] and order.get("_refuse_increase"):
        raise not_allowed()
    order["order_amount"], order["order_lines"] = amount, lines
    _tally(order)
    if order["captures"] and not order["remaining_authorized_amount"]:
        order["status"] = "CAPTURED"


def extend(order: Document, now: datetime) -> None:
    """Put the expiry off, as if the order were placed today."""
    fixed_sum = order["purchase_country"].upper() == "US" and _method(order) == "FIXED_SUM_CREDIT"
    if order["status"] not in OPEN or fixed_sum:
        raise not_allowed()
    last = midnight(read_time(order["created_at"]), LONGEST_DAYS)
    order["expires_at"] = write_time(min(midnight(now, AUTHORIZATION_DAYS), last))


def close(order: Document) -> None:
    """Archive it: it is read from then on, and no more changed."""
    order["status"] = "CLOSED"
    _tally(order)


def _method(order: Document) -> str:
    return str(order["initial_payment_method"]["type"])


def _tally(order: Document) -> None:
    """Bring the order's sums up to date."""
    order["captured_amount"] = sum(item["captured_amount"] for item in order["captures"])
    order["refunded_amount"] = sum(item["refunded_amount"] for item in order["refunds"])
    # A capture decides between the open states only after the sums are known, so both count as open here.
    lives = order["status"] in OPEN
    order["remaining_authorized_amount"] = order["order_amount"] - order["captured_amount"] if lives else 0
