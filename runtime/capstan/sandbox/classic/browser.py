"""What a customer's browser fetches or follows without credentials: the badge, and the way back to the shop."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Final

from capstan.sandbox.classic.methods import authorized_method
from capstan.sandbox.control import control_routes
from capstan.sandbox.state import EVERYBODY, Document
from capstan.sandbox.web import Answer, Call, Refusal

_WAYS_BACK: Final = "ways-back"
_BADGE: Final = b"""<svg xmlns="http://www.w3.org/2000/svg" width="96" height="32" role="img">
<title>Sandbox</title>
<rect width="96" height="32" rx="8" fill="#1d3557"/>
<text x="48" y="21" fill="#fff" font-family="sans-serif" font-size="14" text-anchor="middle">sandbox</text></svg>
"""

open_paths = control_routes()


def badge_url(call: Call) -> str:
    return f"{call.public_url}/sandbox/assets/badge.svg"


def fill_url(url: str, **ids: str) -> str:
    """A merchant's URL with its placeholders filled in: `{session.id}`, `{order.id}`."""
    for name, value in ids.items():
        url = url.replace("{" + name.replace("_", ".") + "}", value)
    return url


def order_answer(call: Call, order: Document, purchase: Mapping[str, Any], method: str) -> dict[str, Any]:
    """What the placing of an order is answered with; the redirect leads to the merchant's confirmation page."""
    order_id = order["order_id"]
    confirmation = purchase.get("merchant_urls", {}).get("confirmation", "")
    url = fill_url(confirmation, order_id=order_id, session_id=purchase.get("_session_id", ""))
    call.state.put(EVERYBODY, _WAYS_BACK, order_id, {"url": url})
    return {
        "order_id": order_id, "fraud_status": order["fraud_status"],
        "redirect_url": f"{call.public_url}/sandbox/redirect/{order_id}",
        "authorized_payment_method": authorized_method(method),
    }  # fmt: skip


@open_paths("GET", "/sandbox/assets/badge.svg")
def badge(call: Call) -> Answer:
    return Answer(200, _BADGE, media_type="image/svg+xml")


@open_paths("GET", "/sandbox/redirect/{order_id}")
def redirect(call: Call) -> Answer:
    """Where a customer is sent after the order: on to the merchant's confirmation page, if there is one."""
    found = call.state.get(EVERYBODY, _WAYS_BACK, call.params["order_id"])
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is no such order")
    if found["url"].startswith(("http://", "https://")):
        return Answer(302, headers=(("Location", found["url"]),))
    page = f"<!doctype html><title>Sandbox</title><p>Order {html.escape(call.params['order_id'])} is placed."
    return Answer(200, page.encode(), media_type="text/html; charset=utf-8")
