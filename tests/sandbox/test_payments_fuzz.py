"""Whatever is wrong in a body is refused or does no harm; and what is accepted is valid by the documents."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capstan.sandbox.assemble import create_app
from sandbox import baskets
from sandbox.client import Client, Reply

FULL = baskets.purchase(
    baskets.line("Shoe", 11900) | {
        "image_url": "http://shop/i", "product_url": "http://shop/p", "merchant_data": "m", "quantity_unit": "pcs",
        "product_identifiers": {"brand": "b", "color": "red"},
        "subscription": {"name": "Monthly", "interval": "MONTH", "interval_count": 1},
    },
    billing_address=baskets.person(), shipping_address=baskets.person(title="Frau"),
    customer={"date_of_birth": "1990-01-01", "type": "person"}, merchant_reference1="1", merchant_reference2="2",
    merchant_data="m", merchant_urls={
        name: f"http://shop/{name}" for name in ("confirmation", "push", "terms", "checkout", "notification")
    },
    options={"color_border": "#000000", "auto_capture": True}, attachment={"body": "{}", "content_type": "text/plain"},
)  # fmt: skip
CHARGED = ("order_amount", "order_tax_amount", "order_lines", "purchase_currency", "merchant_urls", "shipping_address")
TOKEN = {
    "description": "Coffee", "intended_use": "SUBSCRIPTION", "locale": "en-DE", "purchase_country": "DE",
    "purchase_currency": "EUR", "billing_address": baskets.person(), "customer": {"date_of_birth": "1990-01-01"},
}  # fmt: skip
PAGE = {
    "merchant_urls": {"success": "http://shop/s", "status_update": "http://127.0.0.1:9/"},
    "options": {"place_order_mode": "NONE", "page_title": "Pay", "background_images": [{"url": "u", "width": 1}]},
}  # fmt: skip
MESSAGE = {"method": "sms", "contact_information": {"phone": "1", "phone_country": "DE", "email": "a@b.example"}}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(-(10**30), 10**30), st.just(1.5), st.text(max_size=8),
    st.sampled_from(["DE", "EUR", "\ud800", "\0", "x" * 7000, [], {}, [[]], [None], {"name": None}]),
)  # fmt: skip


class Shop:
    """A merchant with one of everything."""

    def __init__(self) -> None:
        app = create_app(sample=False)
        self.klarna, self.control = Client(app), Client(app, None)
        self.session_id = self.klarna.post("/payments/v1/sessions", FULL).json["session_id"]
        self.order_id = self.klarna.post("/checkout/v3/orders", FULL).json["order_id"]
        url = f"http://localhost/payments/v1/sessions/{self.session_id}"
        self.page_id = self.klarna.post("/hpp/v1/sessions", PAGE | {"payment_session_url": url}).json["session_id"]
        made = self.klarna.post(f"/payments/v1/authorizations/{self.authorization()}/customer-token", TOKEN)
        self.token_id = made.json["token_id"]

    def authorization(self) -> str:
        session = self.klarna.post("/payments/v1/sessions", FULL | {"intent": "buy_and_tokenize"}).json
        reply = self.control.post(f"/sandbox/payments/sessions/{session['session_id']}/authorize", {})
        token: str = reply.json["authorization_token"]
        return token


CALLS: dict[str, tuple[Any, Callable[[Shop, Any], Reply]]] = {
    "create session": (FULL, lambda s, body: s.klarna.post("/payments/v1/sessions", body)),
    "update session": (FULL, lambda s, body: s.klarna.post(f"/payments/v1/sessions/{s.session_id}", body)),
    "place order": (
        FULL, lambda s, body: s.klarna.post(f"/payments/v1/authorizations/{s.authorization()}/order", body)
    ),
    "make token": (
        TOKEN, lambda s, body: s.klarna.post(f"/payments/v1/authorizations/{s.authorization()}/customer-token", body)
    ),
    "charge token": (
        {name: FULL[name] for name in CHARGED},
        lambda s, body: s.klarna.post(f"/customer-token/v1/tokens/{s.token_id}/order", body),
    ),
    "create page": (
        PAGE | {"payment_session_url": ""}, lambda s, body: s.klarna.post("/hpp/v1/sessions", _hosting(s, body))
    ),
    "distribute page": (MESSAGE, lambda s, body: s.klarna.post(f"/hpp/v1/sessions/{s.page_id}/distribution", body)),
    "create checkout": (FULL, lambda s, body: s.klarna.post("/checkout/v3/orders", body)),
    "update checkout": (FULL, lambda s, body: s.klarna.post(f"/checkout/v3/orders/{s.order_id}", _whole(body))),
    "authorize": (
        {"details": FULL, "approved": True},
        lambda s, body: s.control.post(f"/sandbox/payments/sessions/{s.session_id}/authorize", body),
    ),
}  # fmt: skip


def _hosting(shop: Shop, body: Any) -> Any:
    if isinstance(body, dict) and body.get("payment_session_url") == "":
        return body | {"payment_session_url": f"http://localhost/payments/v1/sessions/{shop.session_id}"}
    return body


def _whole(body: Any) -> Any:
    """An update may leave out what the documents have as required, because they share it with the creation."""
    return FULL | body if isinstance(body, dict) else body


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body, the whole of it first."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from places(part, (*path, name))


def changed(body: Any, path: tuple[Any, ...], junk: Any, *, leave_out: bool) -> Any:
    if not path:
        return junk
    body = copy.deepcopy(body)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    if leave_out:
        del inner[path[-1]]
    else:
        inner[path[-1]] = junk
    return body


@pytest.mark.parametrize("name", CALLS)
def test_a_whole_body_is_accepted(shop: Shop, name: str) -> None:
    body, call = CALLS[name]
    assert call(shop, body).status in (200, 201, 204)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_thing_wrong_is_refused_or_does_no_harm(shop: Shop, name: str, data: st.DataObject) -> None:
    body, call = CALLS[name]
    path = data.draw(st.sampled_from(list(places(body))))
    wrong = changed(body, path, data.draw(JUNK), leave_out=data.draw(st.booleans()))
    reply = call(shop, wrong)
    assert reply.status in (200, 201, 204, 400, 403, 404, 409), (path, reply.content)
