"""What agents do with the small sets of tools, by any client that calls a tool and gives its structured content."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from journeys.lives import Control

Call = Callable[..., dict[str, Any]]

_ADDRESS: Final = {
    "given_name": "Ada", "family_name": "Byron", "email": "ada@shop.example", "street_address": "Gatan 1",
    "postal_code": "11122", "city": "Stockholm", "country": "SE", "phone": "+46701740615",
}  # fmt: skip
_LINE: Final = {
    "name": "Lamp", "quantity": 2, "unit_price": 5000, "tax_rate": 2500,
    "total_amount": 10000, "total_tax_amount": 2000,
}  # fmt: skip
_BASKET: Final = {
    "purchase_country": "SE", "purchase_currency": "SEK", "locale": "sv-SE", "order_amount": 10000,
    "order_tax_amount": 2000, "order_lines": [_LINE], "billing_address": _ADDRESS, "shipping_address": _ADDRESS,
}  # fmt: skip

_HOST: Final = {"apiHost": "api.playground.klarna.com"}  # where the demo credentials are good


def agents_life(call: Call, control: Control) -> None:
    """Each tool of the payment lifecycle, of orders, of the flows and of the desk, at least once; all at one endpoint,
    where a name that is taken twice is published with its namespace."""

    def session() -> str:
        opened: str = call("create_payment_session", **_BASKET)["session_id"]
        control("POST", f"/sandbox/payments/sessions/{opened}/authorize", None)
        return opened

    def placed() -> str:
        token = call("get_payment_session", session_id=session())["authorization_token"]
        order: str = call("create_klarna_order", authorizationToken=token, **_BASKET)["order_id"]
        return order

    _orders(call, placed)
    _desk(call, _flows(call, placed, session), session(), control)


def _orders(call: Call, placed: Callable[[], str]) -> None:
    order = placed()
    parcel = {"shipping_company": "DHL", "shipping_method": "Home", "tracking_number": "1"}
    moved = {**_ADDRESS, "street_address": "Gatan 2"}
    call("update_order_shipping", order_id=order, shipping_address=moved, shipping_info=[parcel])
    first = call("capture_klarna_order", order_id=order, captured_amount=4000)
    assert call("get_capture", **_HOST, order_id=order, capture_id=first["capture-id"])["captured_amount"] == 4000
    call("capture_order", **_HOST, order_id=order, captured_amount=1000)
    assert call("refund_klarna_order", order_id=order, refunded_amount=500)["refund-id"]
    assert call("orders__refund_order", **_HOST, order_id=order, refunded_amount=500)["refund-id"]
    call("release_remaining_authorization", **_HOST, order_id=order)
    assert call("get_order_details", order_id=order)["captured_amount"] == 5000
    assert call("get_order", **_HOST, order_id=order)["refunded_amount"] == 1000
    for tool, more in (("cancel_authorized_order", {}), ("cancel_order", _HOST)):
        call(tool, **more, order_id=(left := placed()))
        assert call("get_order", **_HOST, order_id=left)["status"] == "CANCELLED"


def _flows(call: Call, placed: Callable[[], str], session: Callable[[], str]) -> str:
    order = placed()
    taken = call("capture_if_allowed", order_id=order, captured_amount=6000, idempotency_key=str(uuid.uuid4()))
    assert taken["captured_amount"] == 6000
    back = call("refund_and_compare", order_id=order, refunded_amount=1000, idempotency_key=str(uuid.uuid4()))
    assert back["refund_id"]
    whole = call("session_to_capture", session_id=session(), idempotency_key=str(uuid.uuid4()))
    assert whole["status"] == "CAPTURED"
    (row,) = call("audit_orders", order_ids=[order])["orders"]
    assert (row["captured_amount"], row["order_amount"]) == (6000, 10000)
    return order


def _desk(call: Call, order: str, session: str, control: Control) -> None:
    assert call("read_session", session_id=session)["authorization_token"]
    asked = {"order_id": order, "refunded_amount": 500, "idempotency_key": str(uuid.uuid4())}
    assert call("order-management-orders__refund_order", **asked)["refunded_amount"] == 1500  # its user wants it
    assert call("read_order", order_id=order)["refunded_amount"] == 1500
    control("POST", "/sandbox/payouts/close", {})
    payout = call("list_payouts")["payouts"][0]["payment_reference"]
    assert call("read_payout", payment_reference=payout)["payment_reference"] == payout
    assert call("list_transactions", payment_reference=payout)["transactions"]
