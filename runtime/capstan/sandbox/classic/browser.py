"""What a customer's browser fetches or follows without credentials: the badge, and the way back to the shop."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from capstan.sandbox.choice import choice
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


def fill_urls(urls: Mapping[str, Any], **ids: str) -> dict[str, str]:
    """All of a merchant's URLs; a member that is none, which no schema knows, is left out."""
    return {name: fill_url(url, **ids) for name, url in urls.items() if isinstance(url, str)}


def way_back(call: Call, id_: str, confirmation: str) -> str:
    """A URL that leads the customer on to the merchant's confirmation page."""
    call.state.put(EVERYBODY, _WAYS_BACK, id_, {"url": confirmation})
    return f"{call.public_url}/sandbox/redirect/{id_}"


def order_answer(call: Call, order: Document, merchant_urls: Mapping[str, str], method: str) -> dict[str, Any]:
    """What the placing of an order is answered with."""
    return {
        "order_id": order["order_id"], "fraud_status": order["fraud_status"],
        "redirect_url": way_back(call, order["order_id"], merchant_urls.get("confirmation", "")),
        "authorized_payment_method": authorized_method(method),
    }  # fmt: skip


@open_paths("GET", "/sandbox/assets/badge.svg")
def badge(call: Call) -> Answer:
    return Answer(200, _BADGE, media_type="image/svg+xml")


@open_paths("GET", "/sandbox/redirect/{id}")
def redirect(call: Call) -> Answer:
    """Where a customer is sent afterwards: on to the merchant's confirmation page, if there is one."""
    found = call.state.get(EVERYBODY, _WAYS_BACK, call.params["id"])
    if found is None:
        raise Refusal(404, "NOT_FOUND", "There is nothing to go back from")
    if found["url"].startswith(("http://", "https://")):
        address = quote(found["url"], safe=string.punctuation)  # a header holds neither line breaks nor all letters
        return Answer(302, headers=(("Location", address),))
    return choice("Done", f"Order {call.params['id']}", {})


ROUTES: Final = tuple(open_paths.routes)
