"""The pages a person opens: the start page and the shop, files of this folder, and the orders to look at first."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.classic.orders import KIND
from capstan.sandbox.control import control_routes
from capstan.sandbox.sample import SAMPLES, order_id
from capstan.sandbox.shop import hosted, widget
from capstan.sandbox.web import Answer, Call, Refusal

_FOLDER: Final = files("capstan.sandbox.shop")
_FILE: Final = re.compile(r"[a-z]+\.(css|js|svg)")
_MEDIA_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_EVERY: Final = (("Cache-Control", "no-cache"), ("X-Content-Type-Options", "nosniff"))
# Capstan's REST adapter is at an address of its own, which the page is told.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' http: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

routes = control_routes()


def page(name: str) -> Answer:
    """An HTML file of this folder."""
    headers = (*_EVERY, ("Content-Security-Policy", _POLICY), ("Referrer-Policy", "no-referrer"))
    return Answer(200, _FOLDER.joinpath(name).read_bytes(), headers, "text/html; charset=utf-8")


def _file(name: str, *folder: str) -> Answer:
    found = _FILE.fullmatch(name)
    path = _FOLDER.joinpath(*folder, name)
    if found is None or not path.is_file():
        raise Refusal(404, "NOT_FOUND", "There is no such file")
    # A shop's own page, served from elsewhere, may use the widget too.
    return Answer(200, path.read_bytes(), (*_EVERY, *widget.ANYWHERE), _MEDIA_TYPES[found[1]])


@routes("GET", "/")
def start(call: Call) -> Answer:
    return page("start.html")


@routes("GET", "/shop")
def shop(call: Call) -> Answer:
    return page("shop.html")


@routes("GET", "/shop/{file}")
def shop_file(call: Call) -> Answer:
    return _file(call.params["file"])


@routes("GET", "/shop/art/{file}")
def art(call: Call) -> Answer:
    return _file(call.params["file"], "art")


@routes("GET", "/shop/samples")
def samples(call: Call) -> Answer:
    """The sample orders that are there, for the shop to link to."""
    found = [
        {"order_id": id_, "reference": sample.reference, "about": sample.about}
        for sample in SAMPLES
        if call.state.get(DEMO_MERCHANT.id, KIND, id_ := order_id(sample.reference)) is not None
    ]
    return Answer(200, {"orders": found})


ROUTES: Final = (*routes.routes, *widget.ROUTES, *hosted.ROUTES)
