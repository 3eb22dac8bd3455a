"""Payments v1: sessions, authorizations and the orders placed with them; and what only the customer can do."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.classic import authorizations, sessions
from capstan.sandbox.classic.basket import check_purchase
from capstan.sandbox.classic.family import check_body, classic_routes, read_body
from capstan.sandbox.classic.merchants import require_active
from capstan.sandbox.classic.methods import DEFAULT, METHODS
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call, Refusal

routes = classic_routes()
customer = control_routes()


@routes("POST", "/payments/v1/sessions", category="create-session")
def create_session(call: Call) -> Answer:
    require_active(call)
    purchase = read_body(call, "payments.session_create")
    check_purchase(purchase)
    session = sessions.open_session(call, purchase)
    shown = {name: session[name] for name in ("client_token", "payment_method_categories")}
    return Answer(200, {"session_id": session["_session_id"], **shown})


@routes("GET", "/payments/v1/sessions/{session_id}")
def read_session(call: Call) -> Answer:
    require_active(call)
    return Answer(200, sessions.view_session(_with_live_token(call, sessions.load(call, call.params["session_id"]))))


@routes("POST", "/payments/v1/sessions/{session_id}")
def update_session(call: Call) -> Answer:
    require_active(call)
    session = sessions.load(call, call.params["session_id"])
    purchase = read_body(call, "payments.session")
    sessions.require_incomplete(session)
    sessions.change(call, session, purchase)
    return Answer(204)


@routes("POST", "/payments/v1/authorizations/{token}/order")
def create_order(call: Call) -> Answer:
    require_active(call)
    authorization = authorizations.load(call, call.params["token"])
    body = read_body(call, "payments.create_order_request")
    return Answer(200, authorizations.place(call, authorization, body))


@routes("DELETE", "/payments/v1/authorizations/{token}")
def cancel_authorization(call: Call) -> Answer:
    require_active(call)
    authorizations.cancel(call, call.params["token"])
    return Answer(204)


def _with_live_token(call: Call, session: Document) -> Document:
    """A session names its token as long as it is good for something."""
    token = session.get("authorization_token")
    if token is not None and not authorizations.is_live(call, token):
        del session["authorization_token"]
    return session


# --- the customer


def authorize_session(
    call: Call,
    session_id: str,
    *,
    approved: bool = True,
    fraud_status: str = "ACCEPTED",
    finalize: bool = True,
    payment_method: str = DEFAULT,
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The customer's answer in the browser, as the merchant of the session: what the widget gives its page.

    `approved=False` is a refusal by the risk check, and `finalize=False` leaves the last step to another call.
    `details` change the session, as a page can do when it asks for the authorization.

    Raises:
        Refusal: there is no such session, an order was placed, or the details are not valid.
    """
    session = sessions.load(call, session_id)
    sessions.require_incomplete(session)
    if details:
        check_body("payments.session", details)
        sessions.change(call, session, details)
    if session.pop("_declined", False) or not approved:
        sessions.store(call, session)
        return {"approved": False, "show_form": False}
    if not finalize:
        return {"approved": True, "show_form": True, "finalize_required": True}
    token = authorizations.authorize(call, session, fraud_status=fraud_status, payment_method=payment_method)
    return {"approved": True, "show_form": True, "finalize_required": False, "authorization_token": token}


def decline_session(call: Call, session_id: str) -> None:
    """Let the risk check refuse: the order for a token that was given out, else the next authorization."""
    session = sessions.load(call, session_id)
    sessions.require_incomplete(session)
    token = _with_live_token(call, session).get("authorization_token")
    if token is not None:
        authorizations.reject(call, token)
    else:
        sessions.store(call, {**session, "_declined": True})


@customer("POST", "/sandbox/payments/sessions/{session_id}/authorize")
def authorize(call: Call) -> Answer:
    """The customer agrees, or is refused: `{"approved": true, "fraud_status": "PENDING"}`, all of it optional."""
    choices = read_choices(call, finalize=bool)
    owner = as_owner(call, sessions.KIND, call.params["session_id"], sessions.NO_SESSION)
    return Answer(200, authorize_session(owner, call.params["session_id"], **choices))


def read_choices(call: Call, **more: type) -> dict[str, Any]:
    """What a control path says of the customer's answer, for `authorize_session`."""
    options = read_options(call, approved=bool, fraud_status=str, payment_method=str, details=dict, **more)
    for name, choices in (("fraud_status", authorizations.FRAUD_STATUSES), ("payment_method", tuple(METHODS))):
        if name in options and options[name] not in choices:
            raise Refusal(400, "BAD_OPTION", f"'{name}' is one of: {', '.join(choices)}")
    return options


@customer("POST", "/sandbox/payments/sessions/{session_id}/decline")
def decline(call: Call) -> Answer:
    """The risk check refuses the order, or the next authorization."""
    read_options(call)
    owner = as_owner(call, sessions.KIND, call.params["session_id"], sessions.NO_SESSION)
    decline_session(owner, call.params["session_id"])
    return Answer(204)


ROUTES: Final = (*routes.routes, *customer.routes)
