"""The tool sets at work, against the sandbox: a payment from its session to the refund, as an agent takes it."""

from __future__ import annotations

from typing import Any, Final

import httpx2
from mcp.client.client import Client

from capstan.sandbox import DEMO_VARIABLES
from journeys.running import serving
from library.classic import FOLDER

_LINE: Final = {
    "type": "physical", "reference": "H-1", "name": "Hat", "quantity": 2, "unit_price": 5000, "tax_rate": 2500,
    "total_amount": 10000, "total_tax_amount": 2000,
}  # fmt: skip
_ADDRESS: Final = {
    "given_name": "Alva", "family_name": "Larsson", "email": "alva@example.com", "street_address": "Gatan 1",
    "postal_code": "11134", "city": "Stockholm", "country": "SE",
}  # fmt: skip
BASKET: Final = {
    "purchase_country": "SE", "purchase_currency": "SEK", "locale": "sv-SE", "order_amount": 10000,
    "order_tax_amount": 2000, "order_lines": [_LINE], "billing_address": _ADDRESS, "shipping_address": _ADDRESS,
}  # fmt: skip


async def test_an_agent_takes_a_payment_from_its_session_to_the_refund(sandbox: str) -> None:
    files = [FOLDER / "klarna-payment-lifecycle.yaml", FOLDER / "klarna-orders.yaml"]
    namespaces = ("payments", "order-management-orders", "lifecycle", "orders")
    there = [word for name in namespaces for word in ("--base-uri", f"{name}={sandbox}")]
    async with serving(*files, *there, env=DEMO_VARIABLES) as server, Client(server.mcp) as session:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            answer = await session.call_tool(tool, arguments)
            assert answer.structured_content is not None
            assert not answer.is_error, answer.structured_content
            return answer.structured_content

        opened = await call("create_payment_session", **BASKET)
        async with httpx2.AsyncClient(trust_env=False) as customer:
            agreed = await customer.post(
                f"{sandbox}/sandbox/payments/sessions/{opened['session_id']}/authorize", json={}
            )
            assert agreed.status_code == 200
        token = (await call("get_payment_session", session_id=opened["session_id"]))["authorization_token"]
        order = (await call("create_klarna_order", authorizationToken=token, **BASKET))["order_id"]
        moved = {**_ADDRESS, "street_address": "Gatan 2"}
        parcel = {"shipping_company": "DHL", "shipping_method": "Home", "tracking_number": "1"}
        key = {"Klarna-Idempotency-Key": "5b9a2a0e-6f4f-4c0e-9a4e-0d3f3f5c9e11"}
        await call("update_order_shipping", order_id=order, shipping_address=moved, shipping_info=[parcel], **key)
        half = {**_LINE, "quantity": 1, "total_amount": 5000, "total_tax_amount": 1000}
        first = await call("capture_klarna_order", order_id=order, captured_amount=5000, order_lines=[half], **key)
        again = await call("capture_klarna_order", order_id=order, captured_amount=5000, order_lines=[half], **key)
        assert first["capture-id"] == again["capture-id"]
        assert (await call("refund_klarna_order", order_id=order, refunded_amount=1000))["refund-id"]

        # the other set goes on
        capture = await call("get_capture", order_id=order, capture_id=first["capture-id"])
        assert capture["captured_amount"] == 5000
        await call("capture_order", order_id=order, captured_amount=2000)
        await call("refund_order", order_id=order, refunded_amount=500, apiHost="api.playground.klarna.com")
        await call("release_remaining_authorization", order_id=order)
        found = await call("get_order_details", order_id=order)
        assert (found["captured_amount"], found["refunded_amount"], found["remaining_authorized_amount"]) == (
            7000,
            1500,
            0,
        )
        assert found["shipping_address"]["street_address"] == "Gatan 2"
        assert found["shipping_info"][0]["tracking_number"] == "1"
        refused = await session.call_tool("cancel_authorized_order", {"order_id": order})
        assert refused.is_error
        assert refused.structured_content is not None
        assert refused.structured_content["upstream"]["body"]["error_code"] == "CANCEL_NOT_ALLOWED"
