"""Merchant card service v3: requests to cancel an order that was paid with cards. Klarna decides later."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic import ledger
from capstan.sandbox.classic.cards import SETTLEMENTS_OF_ORDERS
from capstan.sandbox.classic.family import classic_routes
from capstan.sandbox.classic.orders import KIND as ORDERS
from capstan.sandbox.classic.orders import load_order, store_order
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call, Refusal

_PATH: Final = "/merchantcard/v3/orders/{order_id}/cancel-request"
_REQUESTS: Final = "card-cancel-requests"
_PENDING: Final = "card-cancel-requests-pending"  # those that time will decide
_USED: Final = "card-in-use"
_DECIDED_AFTER: Final = timedelta(hours=1)
_REASONS: Final = {
    "CARD_IN_USE": "A card of this order is in use.",
    "OTHER": "The order cannot be cancelled.",
}

routes = classic_routes()
control = control_routes()


@routes("POST", _PATH)
def request_cancel(call: Call) -> Answer:
    order = _order_with_cards(call)
    if order["status"] == "CANCELLED":
        return Answer(200, _decide(call, order["order_id"], None))
    request = call.get(_REQUESTS, order["order_id"])
    if request is None or request["status"] != "PENDING":
        request = {"status": "PENDING", "check_after": write_time(call.now + _DECIDED_AFTER)}
        call.put(_REQUESTS, order["order_id"], request)
        call.put(_PENDING, order["order_id"], {})
    return Answer(202, request)


@routes("GET", _PATH)
def read_cancel(call: Call) -> Answer:
    order = _order_with_cards(call)
    request = call.get(_REQUESTS, order["order_id"])
    if request is None:
        reason = "NO_REQUEST_FOUND"
        message = "Nobody asked to cancel this order."
        return Answer(400, {"status": reason, "reason_code": reason, "reason_message": message})
    return Answer(200, request)


def _order_with_cards(call: Call) -> Document:
    """The order in the path, after what was due for it."""
    order_id = call.params["order_id"]
    if call.get(SETTLEMENTS_OF_ORDERS, order_id) is None:
        raise Refusal(404, "NOT_FOUND", f"Order {order_id} cannot be found, or has no cards")
    _decide_due(call, order_id)
    order = load_order(call, order_id)
    assert order is not None, "cards are issued for an order, and orders stay"
    return order


def _decide_due(call: Call, order_id: str) -> None:
    request = call.get(_REQUESTS, order_id)
    if request is not None and request["status"] == "PENDING" and read_time(request["check_after"]) <= call.now:
        _decide(call, order_id, "CARD_IN_USE" if call.get(_USED, order_id) is not None else None)


def _decide(call: Call, order_id: str, reason: str | None) -> dict[str, Any]:
    """Cancel the order, or refuse for a reason. One that cannot be cancelled any more is refused."""
    order = load_order(call, order_id)
    assert order is not None, "cards are issued for an order, and orders stay"
    if reason is None and order["status"] != "CANCELLED":
        try:
            ledger.cancel(order)
            store_order(call, order)
        except Refusal:
            reason = "OTHER"
    decided: dict[str, Any] = {"status": "CANCELLED"}
    if reason is not None:
        decided = {"status": "REJECTED", "reason_code": reason, "reason_message": _REASONS[reason]}
    call.put(_REQUESTS, order_id, decided)
    call.state.delete(call.account.id, _PENDING, order_id)
    return decided


# --- what Klarna and the cards' users do


def decide_all_due(call: Call) -> None:
    """The requests whose time has come, as a sweep."""
    for order_id in call.ids(_PENDING):
        _decide_due(call, order_id)


@control("POST", "/sandbox/orders/{order_id}/cancel-request")
def decide(call: Call) -> Answer:
    """Decide a request to cancel: `{"status": "REJECTED", "reason_code": "CARD_IN_USE"}`, or CANCELLED."""
    options = read_options(call, status=str, reason_code=str)
    owner = as_owner(call, _PENDING, call.params["order_id"], "There is no pending request to cancel that order")
    if options.get("status") not in ("CANCELLED", "REJECTED"):
        raise Refusal(400, "BAD_OPTION", "'status' is CANCELLED or REJECTED")
    reason = options.get("reason_code", "OTHER")
    if reason not in _REASONS:
        raise Refusal(400, "BAD_OPTION", f"'reason_code' is one of: {', '.join(_REASONS)}")
    return Answer(200, _decide(owner, call.params["order_id"], reason if options["status"] == "REJECTED" else None))


@control("POST", "/sandbox/orders/{order_id}/card-use")
def use_card(call: Call) -> Answer:
    """Somebody pays with a card of that order: a request to cancel will be refused."""
    read_options(call)
    order_id = call.params["order_id"]
    owner = as_owner(call, ORDERS, order_id, "There is no such order")
    if owner.get(SETTLEMENTS_OF_ORDERS, order_id) is None:
        raise Refusal(409, "NO_CARDS", "The order has no cards")
    owner.put(_USED, order_id, {})
    return Answer(204)


ROUTES: Final = (*routes.routes, *control.routes)
