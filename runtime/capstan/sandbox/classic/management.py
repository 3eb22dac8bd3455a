"""Order management: reading an order and changing everything about it but its captures and refunds."""

from __future__ import annotations

import re
from typing import Any, Final

from capstan.sandbox.classic import ledger
from capstan.sandbox.classic.family import classic_routes, length_refusal, read_body
from capstan.sandbox.classic.orders import acknowledge, load_order, store_order
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call, Refusal

ORDERS: Final = "/ordermanagement/v1/orders"

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")
_ADDRESS_NEEDS: Final = ("street_address", "postal_code", "city", "country")

routes = classic_routes()


def find_order(
    call: Call, missing: str = "Order {order_id} cannot be found", *, code: str = "NO_SUCH_ORDER"
) -> Document:
    """The order in the path.

    Raises:
        Refusal: the id is malformed, or no order of this merchant; `missing` is the message, to be filled with the ids.
    """
    if not _UUID.fullmatch(call.params["order_id"]):
        raise Refusal(400, "INVALID_ORDER_ID", "Order ID must be a valid UUID.")
    order = load_order(call, call.params["order_id"])
    if order is None:
        raise Refusal(404, code, missing.format(**call.params))
    return order


def read_change(call: Call, schema: str) -> dict[str, Any]:
    """A body of order management, which tells apart what is too long."""
    return read_body(call, f"order-management.{schema}", too_long=length_refusal)


@routes("GET", ORDERS + "/{order_id}")
def get_order(call: Call) -> Answer:
    return Answer(200, view(find_order(call)))


@routes("POST", ORDERS + "/{order_id}/acknowledge", keyed=True)
def acknowledge_order(call: Call) -> Answer:
    order = find_order(call, "Order {order_id} cannot be found. Acknowledgement not possible.")
    if order["status"] not in (*ledger.OPEN, "CAPTURED"):
        raise ledger.not_allowed()
    acknowledge(call, order)
    return _changed(call, order)


@routes("PATCH", ORDERS + "/{order_id}/authorization", keyed=True)
def update_authorization(call: Call) -> Answer:
    order = find_order(call)
    body = read_change(call, "Update authorization")
    # Lines that are not sent again are gone.
    ledger.update_authorization(order, body["order_amount"], body.get("order_lines", []))
    return _changed(call, order)


@routes("POST", ORDERS + "/{order_id}/cancel", keyed=True)
def cancel_order(call: Call) -> Answer:
    order = find_order(call)
    ledger.cancel(order)
    return _changed(call, order)


@routes("POST", ORDERS + "/{order_id}/release-remaining-authorization", keyed=True)
def release_remaining_authorization(call: Call) -> Answer:
    order = find_order(call)
    ledger.release(order)
    return _changed(call, order)


@routes("POST", ORDERS + "/{order_id}/extend-authorization-time", keyed=True)
def extend_authorization_time(call: Call) -> Answer:
    order = find_order(call)
    ledger.extend(order, call.now)
    return _changed(call, order)


@routes("PATCH", ORDERS + "/{order_id}/merchant-references", keyed=True)
def update_merchant_references(call: Call) -> Answer:
    """What is sent overwrites, an empty text clears, what is not sent stays."""
    order = find_order(call, "Order cannot be found. Merchant references cannot be updated.")
    body = read_change(call, "Update merchant references")
    if order["status"] in ("CANCELLED", "CLOSED"):
        raise ledger.not_allowed()
    for name in ("merchant_reference1", "merchant_reference2"):
        if name in body:
            _set_or_clear(order, name, body[name])
    return _changed(call, order)


@routes("PATCH", ORDERS + "/{order_id}/customer-details", keyed=True)
def update_consumer_details(call: Call) -> Answer:
    """The shipping address alone, field by field; an empty text clears."""
    order = find_order(call)
    body = read_change(call, "UpdateConsumer")
    if order["status"] not in (*ledger.OPEN, "CAPTURED"):
        raise ledger.not_allowed()
    if "billing_address" in body:
        raise ledger.not_allowed(
            "Billing address cannot be updated for user account order. Customer details cannot be updated."
        )
    change: dict[str, str] = body.get("shipping_address", {})
    if any(change.get(name) == "" for name in _ADDRESS_NEEDS) or not _COUNTRY.fullmatch(change.get("country", "XX")):
        raise Refusal(422, "INVALID_ADDRESS", "The shipping and/or billing address is invalid")
    address = order.setdefault("shipping_address", {})
    for name, text in change.items():
        _set_or_clear(address, name, text)
    return _changed(call, order)


@routes("POST", ORDERS + "/{order_id}/shipping-info", keyed=True)
def append_order_shipping_info(call: Call) -> Answer:
    order = find_order(call, "Order cannot be found. Shipping info cannot be added to order {order_id}.")
    order["shipping_info"] += read_shipping_info(call)
    return _changed(call, order)


def read_shipping_info(call: Call) -> list[Any]:
    """The entries that are to be appended to an order or a capture."""
    entries: list[Any] = read_change(call, "UpdateShippingInfo")["shipping_info"]
    return entries


def _changed(call: Call, order: Document) -> Answer:
    store_order(call, order)
    return Answer(204)


def _set_or_clear(document: Document, name: str, text: str) -> None:
    if text:
        document[name] = text
    else:
        document.pop(name, None)


ROUTES: Final = tuple(routes.routes)
