"""An order: its document, its states, its amounts. Every change of an order goes through here.

What is kept is what Klarna answers (`getOrder`) plus a few members of our own that begin with an underscore. Time has
its effect when an order is loaded.
"""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.classic.family import classic_routes
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call, Refusal

KIND: Final = "orders"

routes = classic_routes()


def place_order(call: Call, purchase: dict[str, Any], *, fraud_status: str = "ACCEPTED") -> Document:
    """Make an order of a purchase whose amounts were checked, and store it. With `auto_capture` it is captured too."""
    raise NotImplementedError


def load_order(call: Call, order_id: str) -> Document | None:
    """The order of this merchant as of now, or None."""
    return call.get(KIND, order_id)


def store_order(call: Call, order: Document) -> None:
    call.put(KIND, order["order_id"], order)


def view(order: Document) -> dict[str, Any]:
    """What `getOrder` answers."""
    return {key: value for key, value in order.items() if not key.startswith("_")}


@routes("GET", "/ordermanagement/v1/orders/{order_id}")
def get_order(call: Call) -> Answer:
    order = load_order(call, call.params["order_id"])
    if order is None:
        raise Refusal(404, "NO_SUCH_ORDER", f"Order {call.params['order_id']} cannot be found")
    return Answer(200, view(order))


ROUTES: Final = tuple(routes.routes)
