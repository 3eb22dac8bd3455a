"""What the widget script asks the sandbox: about its session, and for the customer's authorization.

A browser has nothing but the session's client token, which is all the credentials there are. Pages of any origin may
ask, as a shop under development is served from anywhere.
"""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.classic import sessions
from capstan.sandbox.classic.methods import DEFAULT, METHODS
from capstan.sandbox.classic.payments import authorize_session
from capstan.sandbox.control import Control, read_options
from capstan.sandbox.shop.files import ANYWHERE
from capstan.sandbox.web import Answer, Call, Refusal, Routes

_PREFLIGHT: Final = (("Access-Control-Allow-Methods", "POST"), ("Access-Control-Allow-Headers", "content-type"),
                     ("Access-Control-Max-Age", "600"))  # fmt: skip
# What the customer, or the risk check, can decide.
_DECISIONS: Final[dict[str, dict[str, Any]]] = {
    "approve": {},
    "decline": {"approved": False},
    "review": {"fraud_status": "PENDING"},
    "reject": {"fraud_status": "REJECTED"},
}


class Widget(Control):
    """Control paths that pages of every origin may use."""

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return ANYWHERE


routes = Routes(Widget())


@routes("OPTIONS", "/shop/widget/session")
@routes("OPTIONS", "/shop/widget/authorize")
def preflight(call: Call) -> Answer:
    return Answer(204, headers=_PREFLIGHT)


@routes("POST", "/shop/widget/session")
def session(call: Call) -> Answer:
    """What the form shows of a session."""
    owner, found = _session(call, read_options(call, client_token=str))
    sessions.require_incomplete(found)
    shown = ("order_amount", "purchase_currency", "purchase_country", "payment_method_categories")
    return Answer(
        200,
        {"session": {**{name: found[name] for name in shown}, "merchant_name": owner.account.name}},
    )


@routes("POST", "/shop/widget/authorize")
def authorize(call: Call) -> Answer:
    """The customer decides: `{"client_token": ..., "decision": "approve", "method": "invoice"}`."""
    options = read_options(call, client_token=str, decision=str, method=str, auto_finalize=bool, data=dict)
    for name, choices in (("decision", _DECISIONS), ("method", METHODS)):
        if name in options and options[name] not in choices:
            raise Refusal(400, "BAD_OPTION", f"'{name}' is one of: {', '.join(choices)}")
    owner, found = _session(call, options)
    result = authorize_session(
        owner, found["_session_id"], finalize=options.get("auto_finalize", True), details=options.get("data"),
        payment_method=options.get("method", DEFAULT), **_DECISIONS[options.get("decision", "approve")],
    )  # fmt: skip
    return Answer(200, {"result": result})


def _session(call: Call, options: dict[str, Any]) -> tuple[Call, dict[str, Any]]:
    if "client_token" not in options:
        raise Refusal(400, "BAD_OPTION", "'client_token' is missing")
    return sessions.find_by_client_token(call, options["client_token"])


ROUTES: Final = tuple(routes.routes)
