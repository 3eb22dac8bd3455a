"""Checkout v3: an order the customer completes in a snippet of the merchant's page, and read-only from then on."""

from __future__ import annotations

import html
import uuid
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.choice import choice
from capstan.sandbox.classic import tokens
from capstan.sandbox.classic.basket import check_purchase
from capstan.sandbox.classic.browser import fill_urls, way_back
from capstan.sandbox.classic.family import Classic, check_body, read_body, read_object
from capstan.sandbox.classic.merchants import require_active
from capstan.sandbox.classic.methods import DEFAULT, METHODS, order_method
from capstan.sandbox.classic.orders import place_order
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal, Routes

KIND: Final = "checkout-orders"
LIFE: Final = timedelta(hours=48)  # of an order nobody completes
INCOMPLETE: Final = "checkout_incomplete"

# What the API says; it cannot be said by a merchant.
_OURS: Final = (
    "order_id", "name", "status", "html_snippet", "started_at", "completed_at", "last_modified_at",
    "merchant_requested", "recurring_token",
)  # fmt: skip
_PURCHASE: Final = (
    "purchase_country", "purchase_currency", "locale", "order_amount", "order_tax_amount", "order_lines",
    "billing_address", "shipping_address", "customer", "merchant_reference1", "merchant_reference2", "merchant_data",
    "selected_shipping_option",
)  # fmt: skip
_ABOUT: Final = ("purchase_country", "purchase_currency", "locale", "billing_address", "customer")
_SOMEBODY: Final = {
    "given_name": "Test", "family_name": "Person", "email": "customer@email.example", "phone": "+46701740615",
    "street_address": "Examplegatan 1", "postal_code": "11111", "city": "Stockholm",
}  # fmt: skip


class Checkout(Classic):
    """The classic family, but the list of an error's messages has another name here."""

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        plain = super().refuse(refusal, correlation_id)
        if refusal.status == 401:  # told before the request gets to checkout, and the same everywhere
            return plain
        body = {"error_text" if name == "error_messages" else name: value for name, value in plain.body.items()}
        return Answer(plain.status, body, plain.headers)


routes = Routes(Checkout())
control = control_routes()


@routes("POST", "/checkout/v3/orders")
def create_order(call: Call) -> Answer:
    require_active(call)
    body = read_body(call, "checkout-v3.order")
    check_purchase(body)
    order_id, now = str(uuid.uuid4()), write_time(call.now)
    order = _sayable(body) | {
        "order_id": order_id, "name": call.account.name, "status": INCOMPLETE, "started_at": now,
        "last_modified_at": now, "html_snippet": _snippet(call, order_id), "_expires_at": write_time(call.now + LIFE),
    }  # fmt: skip
    call.put(KIND, order_id, order)
    return Answer(201, view(order), (("Location", call.url(f"/checkout/v3/orders/{order_id}")),))


@routes("GET", "/checkout/v3/orders/{order_id}")
def read_order(call: Call) -> Answer:
    require_active(call)
    return Answer(200, view(load(call, call.params["order_id"])))


@routes("POST", "/checkout/v3/orders/{order_id}")
def update_order(call: Call) -> Answer:
    """Replace what is sent; everything else stays."""
    require_active(call)
    order = load(call, call.params["order_id"])
    body = read_object(call)
    check_body("checkout-v3.order", view(order | body))  # with what a merchant cannot say: it must be right, too
    changed = order | _sayable(body)
    check_purchase(changed)
    require_incomplete(order)
    changed["last_modified_at"] = write_time(call.now)
    call.put(KIND, order["order_id"], changed)
    return Answer(200, view(changed))


@routes("POST", "/checkout/v3/orders/{order_id}/abort")
def abort_order(call: Call) -> Answer:
    require_active(call)
    order = load(call, call.params["order_id"])
    require_incomplete(order)
    order |= {"status": "aborted", "last_modified_at": write_time(call.now)}
    call.put(KIND, order["order_id"], order)
    return Answer(200, view(order))


def load(call: Call, order_id: str) -> Document:
    """The order of this merchant; one that nobody completed in time is gone."""
    order = call.get(KIND, order_id)
    if order is None or (order["status"] == INCOMPLETE and read_time(order["_expires_at"]) <= call.now):
        raise Refusal(404, "NOT_FOUND", "There is no such order")
    return order


def require_incomplete(order: Document) -> None:
    if order["status"] != INCOMPLETE:
        raise Refusal(403, "READ_ONLY_ORDER", "Resource is read-only")


def _sayable(body: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in view(body).items() if name not in _OURS}
    return said | {
        name: said[name].upper()
        for name in ("purchase_country", "purchase_currency")
        if isinstance(said.get(name), str)
    }


def _snippet(call: Call, order_id: str) -> str:
    page = html.escape(f"{call.public_url}/sandbox/checkout/orders/{order_id}/page")
    return f'<div id="sandbox-checkout"><iframe src="{page}" title="Checkout" width="100%" height="240"></iframe></div>'


# --- the customer


def complete(call: Call, order_id: str, *, payment_method: str = DEFAULT, fraud_status: str = "ACCEPTED") -> Document:
    """The customer buys: the order is placed under the same id, and pushed to the merchant until acknowledged.

    Raises:
        Refusal: there is no such order, or it is not incomplete.
    """
    order = load(call, order_id)
    require_incomplete(order)
    order.setdefault("billing_address", {**_SOMEBODY, "country": order["purchase_country"]})
    now = write_time(call.now)
    order |= {"status": "checkout_complete", "completed_at": now, "last_modified_at": now}
    if order.get("recurring"):
        about: dict[str, Any] = pick(order, *_ABOUT)
        order["recurring_token"] = tokens.issue(call, about, payment_method, order.get("recurring_description", ""))
    call.put(KIND, order_id, order)
    urls = fill_urls(order.get("merchant_urls", {}), checkout_order_id=order_id)
    purchase = pick(order, *_PURCHASE) | {
        "merchant_urls": urls, "auto_capture": order.get("options", {}).get("auto_capture", False),
        "_order_id": order_id, "_source": "checkout", "_payment_method": order_method(payment_method),
    }  # fmt: skip
    placed = place_order(call, purchase, fraud_status=fraud_status)
    if "push" in urls:
        call.deliver(Delivery(urls["push"], b"", "push", subject=f"push {order_id}", owner=call.account.id))
    return placed


@control("POST", "/sandbox/checkout/orders/{order_id}/complete")
def complete_order(call: Call) -> Answer:
    """The customer buys: `{"payment_method": "invoice", "fraud_status": "ACCEPTED"}`, both optional."""
    options = read_options(call, payment_method=str, fraud_status=str)
    if options.get("payment_method", DEFAULT) not in METHODS:
        raise Refusal(400, "BAD_OPTION", f"'payment_method' is one of: {', '.join(METHODS)}")
    if options.get("fraud_status", "ACCEPTED") not in ("ACCEPTED", "PENDING"):
        raise Refusal(400, "BAD_OPTION", "'fraud_status' is ACCEPTED or PENDING")
    order_id = call.params["order_id"]
    owner = as_owner(call, KIND, order_id, "There is no such order")
    complete(owner, order_id, **options)
    order = load(owner, order_id)
    urls = fill_urls(order.get("merchant_urls", {}), checkout_order_id=order_id)
    next_url = way_back(call, order_id, urls.get("confirmation", ""))
    return Answer(200, {"order_id": order_id, "status": order["status"], "next_url": next_url})


@control("GET", "/sandbox/checkout/orders/{order_id}/page")
def page(call: Call) -> Answer:
    """What the snippet shows: the amount and a button to buy."""
    owner = as_owner(call, KIND, call.params["order_id"], "There is no such order")
    order = load(owner, call.params["order_id"])
    acts = {"complete": "Buy"} if order["status"] == INCOMPLETE else {}
    return choice(
        "To pay", order["status"], acts, amount=order["order_amount"], currency=order["purchase_currency"], framed=True
    )


ROUTES: Final = (*routes.routes, *control.routes)
