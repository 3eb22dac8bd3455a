"""The pages a person opens: the start page and the shop, and the orders to look at first."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.classic.orders import load_order
from capstan.sandbox.control import control_routes
from capstan.sandbox.sample import ORDERS
from capstan.sandbox.shop import hosted, widget
from capstan.sandbox.shop.files import page, part
from capstan.sandbox.web import Answer, Call

_SHOWN: Final = ("order_id", "merchant_reference1", "status", "fraud_status", "order_amount", "purchase_currency")

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


@routes("GET", "/shop/samples")
def samples(call: Call) -> Answer:
    """The sample orders that are there, as they are now, for the shop to link to."""
    owner = replace(call, account=DEMO_MERCHANT)
    found = [order for sample in ORDERS if (order := load_order(owner, sample.id)) is not None]
    return Answer(200, {"orders": [{name: order[name] for name in _SHOWN} for order in found]})


ROUTES: Final = (*routes.routes, *widget.ROUTES, *hosted.ROUTES)
