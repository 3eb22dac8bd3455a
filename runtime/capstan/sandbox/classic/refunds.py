"""Refunds of an order."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.classic.family import classic_routes
from capstan.sandbox.classic.management import ORDERS, find_order, read_change
from capstan.sandbox.classic.orders import refund_order
from capstan.sandbox.web import Answer, Call, Refusal

REFUNDS: Final = ORDERS + "/{order_id}/refunds"

routes = classic_routes()


@routes("POST", REFUNDS, keyed=True)
def create_refund(call: Call) -> Answer:
    order = find_order(call, code="NOT_FOUND")
    body = read_change(call, "RefundObject")
    id_ = refund_order(call, order, body["refunded_amount"], body)["refund_id"]
    location = call.url(f"{ORDERS}/{order['order_id']}/refunds/{id_}")
    return Answer(201, headers=(("Refund-Id", id_), ("Location", location)))


@routes("GET", REFUNDS + "/{refund_id}")
def get_refund(call: Call) -> Answer:
    order = find_order(call, code="NOT_FOUND")
    for refund in order["refunds"]:
        if refund["refund_id"] == call.params["refund_id"]:
            return Answer(200, refund)
    raise Refusal(404, "NOT_FOUND", "Refund {refund_id} cannot be found for order {order_id}".format(**call.params))


ROUTES: Final = tuple(routes.routes)
