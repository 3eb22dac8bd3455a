"""The pages a person opens: the start page and the shop, and the orders to look at first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.classic.orders import KIND, load_order
from capstan.sandbox.control import control_routes
from capstan.sandbox.sample import ORDERS
from capstan.sandbox.shop import hosted, widget
from capstan.sandbox.shop.files import page, part
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Answer, Call

_SHOWN: Final = (
    "order_id", "merchant_reference1", "klarna_reference", "status", "fraud_status", "order_amount",
    "purchase_currency",
)  # fmt: skip

routes = control_routes()


@routes("GET", "/")
def start(call: Call) -> Answer:
    return page("start.html")


@routes("GET", "/shop")
def shop(call: Call) -> Answer:
    return page("shop.html")


@routes("GET", "/shop/{file}")
def shop_file(call: Call) -> Answer:
    return part(call.params["file"])


@routes("GET", "/shop/art/{file}")
def art(call: Call) -> Answer:
    return part(call.params["file"], "art")


@routes("GET", "/shop/orders")
def orders(call: Call) -> Answer:
    """Orders as they are now, for the shop to link to: the samples, and those of `?id=...&id=...` that there are."""
    owner = replace(call, account=DEMO_MERCHANT)
    samples = [load_order(owner, sample.id) for sample in ORDERS]
    asked = [_whosever(call, id_) for id_ in call.request.query.get("id", ())]
    return Answer(200, {"samples": _shown(samples), "asked": _shown(asked)})


def _whosever(call: Call, id_: str) -> Document | None:
    owner = call.accounts.get(call.state.owner_of(KIND, id_) or "")
    return load_order(replace(call, account=owner), id_) if owner is not None else None


def _shown(found: Iterable[Document | None]) -> list[Document]:
    return [pick(order, *_SHOWN) for order in found if order is not None]


ROUTES: Final = (*routes.routes, *widget.ROUTES, *hosted.ROUTES)
