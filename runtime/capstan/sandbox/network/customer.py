"""What the customer does with a payment request or an identity request: control paths, and a page for a browser."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from capstan.sandbox.choice import choice
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network.controls import in_place
from capstan.sandbox.network.requests import KIND, OPEN, load_request, move
from capstan.sandbox.network.tokens import issue_customer_token, issue_session
from capstan.sandbox.state import EVERYBODY, Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

KNOWN: Final = "network-known-customers"  # of everybody: digests of e-mail addresses and phone numbers
_PATH: Final = "/sandbox/network/payment-requests/{id}"

control = control_routes()


def _open(call: Call) -> tuple[Call, Document]:
    call = in_place(call, KIND, call.params["id"], "payment request")
    request = load_request(call, call.params["id"])
    assert request is not None
    if request["state"] not in OPEN:
        raise Refusal(409, "CONFLICT", f"The payment request is {request['state']}")
    return call, request


def _start(call: Call, request: Document) -> None:
    if request["state"] == "SUBMITTED":
        move(call, request, "IN_PROGRESS")


@control("POST", f"{_PATH}/start")
def start(call: Call) -> Answer:
    """The customer opens it."""
    call, request = _open(call)
    _start(call, request)
    return Answer(200, view(request))


@control("POST", f"{_PATH}/leave")
def leave(call: Call) -> Answer:
    """The customer goes away, and can come again."""
    call, request = _open(call)
    if request["state"] == "IN_PROGRESS":
        move(call, request, "SUBMITTED")
    return Answer(200, view(request))


@control("POST", f"{_PATH}/decline")
def decline(call: Call) -> Answer:
    """Klarna declines the customer."""
    call, request = _open(call)
    _start(call, request)
    move(call, request, "DECLINED")
    return Answer(200, view(request))


@control("POST", f"{_PATH}/complete")
def complete(call: Call) -> Answer:
    """The customer approves: `{"customer": {"email": "..."}}` says who that is."""
    options = read_options(call, customer=dict)
    call, request = _open(call)
    _start(call, request)
    customer = {**request.get("supplementary_purchase_data", {}).get("customer", {}), **options.get("customer", {})}
    remember(call, customer)
    told: dict[str, Any] = {}
    if "request_customer_token" in request:
        told["customer_token"] = issue_customer_token(call, request["request_customer_token"], customer)
    if "collect_customer_profile" in request:
        told["customer_profile"] = pick(customer, *_asked_profile(request))
    request["state_context"] |= {**issue_session(call, request), **({"klarna_customer": told} if told else {})}
    move(call, request, "COMPLETED")
    return Answer(200, view(request))


_PROFILE: Final = {"profile:name": ("given_name", "family_name"), "profile:country": ("address",)}


def _asked_profile(request: Document) -> Iterator[str]:
    for scope in request["collect_customer_profile"]:
        yield from _PROFILE.get(scope, (scope.removeprefix("profile:"),))


# --- who is a customer of Klarna's


def digest(text: str) -> str:
    return hashlib.sha256(text.strip().lower().encode()).hexdigest()


def remember(call: Call, customer: dict[str, Any]) -> None:
    """Somebody who approved something is a customer from then on."""
    for name in ("email", "phone"):
        if isinstance(customer.get(name), str):
            call.state.put(EVERYBODY, KNOWN, digest(customer[name]), {"known": name})


@control("POST", "/sandbox/network/customers")
def add_customer(call: Call) -> Answer:
    """Somebody becomes a customer of Klarna's: `{"email": "...", "phone": "..."}`."""
    remember(call, read_options(call, email=str, phone=str))
    return Answer(201, {})


# --- a page


@control("GET", _PATH)
def page(call: Call) -> Answer:
    """Where payment_request_url leads: the customer's choice, as buttons."""
    call = in_place(call, KIND, call.params["id"], "payment request")
    request = load_request(call, call.params["id"])
    assert request is not None
    goes_to = request.get("customer_interaction_config", {}).get("return_url", "")
    acts = {"complete": "Approve", "decline": "Be declined"} if request["state"] in OPEN else {}
    return choice(
        "Payment request", request["state"], acts, amount=request.get("amount"), currency=request.get("currency", ""),
        goes_to=goes_to if isinstance(goes_to, str) else "",
    )  # fmt: skip


ROUTES: Final = tuple(control.routes)
