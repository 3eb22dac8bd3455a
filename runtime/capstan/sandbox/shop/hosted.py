"""The hosted payment page: what it shows. What its visitor does goes to the control paths of `classic.hosted`."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.classic import checkout, sessions
from capstan.sandbox.classic.hosted import FINAL, destination, find_page
from capstan.sandbox.control import control_routes
from capstan.sandbox.shop.files import page
from capstan.sandbox.state import pick
from capstan.sandbox.web import Answer, Call

_SHOWN: Final = ("order_amount", "purchase_currency", "order_lines")

routes = control_routes()


@routes("GET", "/hosted/{session_id}")
def hosted_page(call: Call) -> Answer:
    return page("hosted.html")


@routes("GET", "/hosted/{session_id}/about")
def about(call: Call) -> Answer:
    """The state of a page, and the purchase it is for."""
    owner, found = find_page(call, call.params["session_id"])
    kind = checkout.KIND if found["_is_checkout"] else sessions.KIND
    purchase = owner.get(kind, found["_hosts"]) or {}
    return Answer(200, {
        "status": found["status"], "is_final": found["status"] in FINAL, "next_url": destination(found),
        "order_id": found.get("order_id"), "merchant_name": owner.account.name,
        **pick(purchase, *_SHOWN),
    })  # fmt: skip


ROUTES: Final = tuple(routes.routes)
