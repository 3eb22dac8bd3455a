"""Hosted payment page v1: a page around a Payments session or a checkout order, and what its visitor does there.

Whatever changes its status is told to the merchant's `status_update` URL. The page itself is drawn elsewhere: it calls
`visit`.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic import authorizations, checkout, payments, sessions
from capstan.sandbox.classic.family import Classic, bad_value, read_body
from capstan.sandbox.classic.merchants import require_active
from capstan.sandbox.classic.orders import load_order
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.qr import qr_svg
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal, Routes

KIND: Final = "hosted-sessions"
FINAL: Final = ("COMPLETED", "CANCELLED", "DISABLED")
# What a visitor does other than pay -> the status it leads to.
STEPS: Final = {
    "open": "IN_PROGRESS", "fail": "FAILED", "cancel": "CANCELLED", "back": "BACK", "error": "ERROR",
    "manual-id-check": "MANUAL_ID_CHECK",
}  # fmt: skip
# Which of the merchant's URLs the visitor is sent to.
_EXITS: Final = {"COMPLETED": "success", "FAILED": "failure", "CANCELLED": "cancel", "BACK": "back", "ERROR": "error"}
_BEFORE_PAYMENT_SESSION: Final = timedelta(hours=1)
_PAYMENT_SESSION: Final = re.compile(r"https?://[^/?#]+/(payments/v1/sessions|checkout/v3/orders)/([^/?#]+)")
# What a message needs to arrive.
_CONTACT: Final = {"sms": ("phone", "phone_country"), "email": ("email",), "token": ("access_id",)}
_NO_PAGE: Final = "There is no such hosted payment page"
_CODES: Final = {400: "BAD_REQUEST", 403: "FORBIDDEN", 404: "NOT_FOUND", 503: "SERVICE_UNAVAILABLE"}

routes = Routes(Classic(_CODES))
control = control_routes()


@routes("POST", "/hpp/v1/sessions", category="create-hpp-session")
def create_session(call: Call) -> Answer:
    require_active(call)
    body = read_body(call, "hosted-payment-page.SessionCreationRequestV1")
    found = _PAYMENT_SESSION.fullmatch(body["payment_session_url"])
    if found is None:
        raise bad_value("payment_session_url")
    what, id_ = found.groups()
    hosted = _hosted(call, is_checkout=what.startswith("checkout"), id_=id_)
    mode = body.get("options", {}).get("place_order_mode", "NONE")
    if mode != "NONE" and hosted.get("intent") == "tokenize":
        raise bad_value("options.place_order_mode")
    expires_at = read_time(hosted["expires_at"]) - _BEFORE_PAYMENT_SESSION
    if expires_at <= call.now:
        raise Refusal(404, "NOT_FOUND", "Payment session has expired")
    session_id, now = str(uuid.uuid4()), write_time(call.now)
    page: Document = {
        "session_id": session_id, "status": "WAITING", "updated_at": now, "expires_at": write_time(expires_at),
        "_hosts": id_, "_is_checkout": what.startswith("checkout"), "_urls": body.get("merchant_urls", {}),
        "_options": body.get("options", {}), "_messages": [],
    }  # fmt: skip
    call.put(KIND, session_id, page)
    visited, read = _address(call, session_id), call.url(f"/hpp/v1/sessions/{session_id}")
    return Answer(201, {
        "session_id": session_id, "session_url": read, "expires_at": page["expires_at"], "redirect_url": visited,
        "qr_code_url": f"{visited}/qr", "distribution_url": f"{read}/distribution",
    })  # fmt: skip


@routes("GET", "/hpp/v1/sessions/{session_id}")
def read_session(call: Call) -> Answer:
    return Answer(200, view(_load(call)))


@routes("DELETE", "/hpp/v1/sessions/{session_id}")
def disable_session(call: Call) -> Answer:
    page = _load(call)
    if page["status"] == "COMPLETED":
        raise Refusal(400, "BAD_REQUEST", "The session is completed already")
    if page["status"] not in FINAL:
        _become(call, page, "DISABLED")
    return Answer(204)


@routes("POST", "/hpp/v1/sessions/{session_id}/distribution")
def distribute_session(call: Call) -> Answer:
    """Send the customer a link. It is only noted here; the control path of the page shows it."""
    page = _load(call)
    body = read_body(call, "hosted-payment-page.DistributionRequestV1")
    contact = body["contact_information"]
    missing = next((name for name in _CONTACT[body["method"]] if not contact.get(name)), None)
    if missing is not None:
        raise bad_value(f"contact_information.{missing}")
    if page["status"] in FINAL:
        raise Refusal(400, "BAD_REQUEST", f"The session is {page['status'].lower()}")
    page["_messages"].append({"method": body["method"], "contact": contact, "at": write_time(call.now)})
    call.put(KIND, page["session_id"], page)
    return Answer(204)


def _load(call: Call) -> Document:
    """The page in the path, of this merchant, as long as it lives."""
    require_active(call)
    page = call.get(KIND, call.params["session_id"])
    if page is None or read_time(page["expires_at"]) <= call.now:
        raise Refusal(404, "NOT_FOUND", "The session does not exist or has expired")
    return page


def _hosted(call: Call, *, is_checkout: bool, id_: str) -> Document:
    """What the page is for: a session or an order that is still open."""
    if is_checkout:
        order = checkout.load(call, id_)
        checkout.require_incomplete(order)
        return {"expires_at": order["_expires_at"]}
    session = sessions.load(call, id_)
    sessions.require_incomplete(session)
    return session


def _address(call: Call, session_id: str) -> str:
    return f"{call.public_url}/hosted/{session_id}"


def destination(page: Document) -> str | None:
    """Where the visitor goes now, if the merchant said so."""
    url = page["_urls"].get(_EXITS.get(page["status"], ""))
    return _filled(url, page) if url and url.startswith(("http://", "https://")) else None


def _filled(url: str, page: Document) -> str:
    for name in ("session_id", "authorization_token", "order_id"):
        url = url.replace("{{" + name + "}}", page.get(name, ""))
    return url


def _become(call: Call, page: Document, status: str) -> None:
    """Change the status, and tell the merchant."""
    page |= {"status": status, "updated_at": write_time(call.now)}
    call.put(KIND, page["session_id"], page)
    if url := page["_urls"].get("status_update"):
        body = json.dumps({"event_id": str(uuid.uuid4()), "session": view(page)}).encode()
        subject = f"hosted page {page['session_id']}"
        call.deliver(Delivery(_filled(url, page), body, "status", subject=subject, owner=call.account.id))


# --- the visitor


def find_page(call: Call, session_id: str) -> tuple[Call, Document]:
    """A page whoever's it is, and the call as its merchant's.

    Raises:
        Refusal: there is none, or it has expired.
    """
    owner = as_owner(call, KIND, session_id, _NO_PAGE)
    page = owner.get(KIND, session_id)
    if page is None or read_time(page["expires_at"]) <= call.now:
        raise Refusal(404, "NOT_FOUND", _NO_PAGE)
    return owner, page


def visit(call: Call, session_id: str, step: str, **choices: Any) -> Document:
    """What a visitor does on a page, one of STEPS or `complete`: the page afterwards.

    `choices` of `complete` are those of `payments.authorize_session`.

    Raises:
        Refusal: there is no such page, or nothing can be done on it any more.
    """
    owner, page = find_page(call, session_id)
    if page["status"] in FINAL:
        raise Refusal(409, "FINAL", f"The page is {page['status'].lower()}")
    page.pop("manual_identification", None)
    if step == "complete":
        _pay(owner, page, choices)
        return page
    if step == "manual-id-check":
        page["manual_identification"] = {"challenge": "A78", "expires_at": page["expires_at"]}
    if page["status"] != STEPS[step]:
        _become(owner, page, STEPS[step])
    return page


def _pay(call: Call, page: Document, choices: dict[str, Any]) -> None:
    """The customer agrees; as the merchant chose, an order is placed, and captured."""
    mode = page["_options"].get("place_order_mode", "NONE")
    if page["_is_checkout"]:
        order = checkout.complete(call, page["_hosts"])
    else:
        given = payments.authorize_session(call, page["_hosts"], **choices)
        session = sessions.load(call, page["_hosts"])
        token = given.get("authorization_token")
        if token is None:
            _become(call, page, "FAILED")
            return
        if told := _customer(session):
            page["customer"] = told
        if mode == "NONE":
            page["authorization_token"] = token
            _become(call, page, "COMPLETED")
            return
        body = sessions.known(session) | {"auto_capture": mode == "CAPTURE_ORDER"}
        try:
            placed = authorizations.place(call, authorizations.load(call, token), body, source="hpp")
        except Refusal:  # by the risk check: the session itself was looked at when the page was made
            _become(call, page, "FAILED")
            return
        found = load_order(call, placed["order_id"])
        assert found is not None
        order = found
    page |= {"order_id": order["order_id"], "klarna_reference": order["klarna_reference"]}
    _become(call, page, "COMPLETED")


def _customer(session: Document) -> dict[str, Any]:
    address, customer = session.get("billing_address", {}), session.get("customer", {})
    return pick(address, "given_name", "family_name", "title") | pick(customer, "date_of_birth")


@control("GET", "/hosted/{session_id}/qr")
def qr_code(call: Call) -> Answer:
    """The page's address, for a telephone to read from a screen."""
    _, page = find_page(call, call.params["session_id"])
    try:
        drawn = qr_svg(_address(call, page["session_id"]))
    except ValueError as error:  # the sandbox has a very long name
        raise Refusal(404, "NOT_FOUND", str(error)) from error
    return Answer(200, drawn, media_type="image/svg+xml")


@control("GET", "/sandbox/hpp/sessions/{session_id}")
def look(call: Call) -> Answer:
    """A page with what the sandbox keeps beside it: the messages that were sent, and where its visitor goes."""
    _, page = find_page(call, call.params["session_id"])
    return Answer(200, _told(page) | {"messages": page["_messages"]})


def _told(page: Document) -> dict[str, Any]:
    return view(page) | {"next_url": destination(page)}


@control("POST", "/sandbox/hpp/sessions/{session_id}/{step}")
def step(call: Call) -> Answer:
    """What the visitor does: open, complete, fail, cancel, back, error, manual-id-check."""
    name = call.params["step"]
    if name == "complete":
        return Answer(200, _told(visit(call, call.params["session_id"], name, **payments.read_choices(call))))
    if name not in STEPS:
        raise Refusal(404, "NOT_FOUND", f"A visitor can: complete, {', '.join(STEPS)}")
    read_options(call)
    return Answer(200, _told(visit(call, call.params["session_id"], name)))


ROUTES: Final = (*routes.routes, *control.routes)
