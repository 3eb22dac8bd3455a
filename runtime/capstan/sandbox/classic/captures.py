"""Captures of an order, and what is done about each of them afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic.family import classic_routes
from capstan.sandbox.classic.ledger import midnight, not_allowed
from capstan.sandbox.classic.management import ORDERS, find_order, read_change, read_shipping_info
from capstan.sandbox.classic.orders import capture_order, store_order
from capstan.sandbox.classic.settlements import record_fee
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call, Refusal

CAPTURES: Final = ORDERS + "/{order_id}/captures"
CAPTURE: Final = CAPTURES + "/{capture_id}"

# Payment methods in which the customer owes an invoice with a due date.
_PAY_LATER: Final = frozenset({"INVOICE", "INVOICE_BUSINESS", "PAY_LATER_BY_CARD"})
_PAYMENT_DAYS: Final = 30
# What the merchant pays for so many days more, in minor units.
_EXTENSION_FEES: Final = {14: 100, 30: 200, 60: 400}

routes = classic_routes()


def find_capture(call: Call, order: Document, missing: str = "Capture {capture_id} cannot be found") -> Document:
    """The capture in the path.

    Raises:
        Refusal: the order has no such capture; `missing` is the message, to be filled with the ids.
    """
    for capture in order["captures"]:
        if capture["capture_id"] == call.params["capture_id"]:
            found: Document = capture
            return found
    raise Refusal(404, "NO_SUCH_CAPTURE", missing.format(**call.params))


@routes("POST", CAPTURES, keyed=True)
def create_capture(call: Call) -> Answer:
    order = find_order(call)
    body = read_change(call, "CaptureObject")
    id_ = capture_order(call, order, body["captured_amount"], body)["capture_id"]
    location = call.url(f"{ORDERS}/{order['order_id']}/captures/{id_}")
    return Answer(201, headers=(("Capture-Id", id_), ("Location", location)))


@routes("GET", CAPTURES)
def get_captures(call: Call) -> Answer:
    return Answer(200, find_order(call)["captures"])


@routes("GET", CAPTURE)
def get_capture(call: Call) -> Answer:
    return Answer(200, find_capture(call, find_order(call)))


@routes("POST", CAPTURE + "/shipping-info", keyed=True)
def append_shipping_info(call: Call) -> Answer:
    order = find_order(call, "Order cannot be found. Shipping info cannot be added to capture {capture_id}.")
    entries = read_shipping_info(call)
    _need_captures(order)
    missing = "Capture could not be found. Shipping info cannot be added to capture {capture_id}"
    find_capture(call, order, missing)["shipping_info"] += entries
    store_order(call, order)
    return Answer(204)


@routes("POST", CAPTURE + "/trigger-send-out", keyed=True)
def trigger_send_out(call: Call) -> Answer:
    order = find_order(call)
    _need_captures(order)
    capture = find_capture(call, order)
    # No customer reads it; that it was sent can be looked up under /sandbox/orders.
    _notes(order, capture).setdefault("send_outs", []).append(write_time(call.now))
    store_order(call, order)
    return Answer(204)


@routes("GET", CAPTURE + "/extend-due-date-options")
def due_date_options(call: Call) -> Answer:
    order = find_order(call)
    find_capture(call, order)
    options = [{"number_of_days": days, "amount": fee} for days, fee in _fees(order).items()]
    return Answer(200, {"currency": order["purchase_currency"], "options": options})


@routes("PATCH", CAPTURE + "/extend-due-date", keyed=True)
def extend_due_date(call: Call) -> Answer:
    order = find_order(call)
    days = read_change(call, "ExtendDueDateRequest")["number_of_days"]
    capture = find_capture(call, order)
    if days not in _fees(order) or order["status"] == "CLOSED":
        raise not_allowed("The due date cannot be extended by this number of days.")
    notes = _notes(order, capture)
    due = (
        read_time(notes["due_at"]) if "due_at" in notes else midnight(read_time(capture["captured_at"]), _PAYMENT_DAYS)
    )
    notes["due_at"] = write_time(due + timedelta(days=days))
    record_fee(call, "EXTEND_DUE_DATE_FEE", order, capture, amount=_fees(order)[days])
    store_order(call, order)
    return Answer(204)


def _fees(order: Document) -> dict[int, int]:
    return _EXTENSION_FEES if order["initial_payment_method"]["type"] in _PAY_LATER else {}


def _need_captures(order: Document) -> None:
    if not order["captures"]:
        raise not_allowed("Order has no captures.")


def _notes(order: Document, capture: Document) -> dict[str, Any]:
    """What the sandbox keeps about a capture beside what Klarna answers."""
    notes: dict[str, Any] = order.setdefault("_captures", {}).setdefault(capture["capture_id"], {})
    return notes


ROUTES: Final = tuple(routes.routes)
