"""A payment request: what a customer is asked to approve, its states, and the partner's operations on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import amount_of, conflict, invalid, krn, not_found, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.partners import must_sell
from capstan.sandbox.network.resources import find_now, merge
from capstan.sandbox.network.timers import clear_timer, on_timer, set_timer
from capstan.sandbox.network.tokens import (
    CUSTOMER_HEADER,
    SESSIONS,
    approval_of,
    customer_token_of,
    end_approval,
    new_token,
)
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call

KIND: Final = "network-requests"
OPEN: Final = ("SUBMITTED", "IN_PROGRESS")
_LIFE: Final = timedelta(hours=3)
_PATH: Final = "/v2/accounts/{partner_account_id}/payment/requests"
_ALONE: Final = "/v2/payment/requests"
_ONE: Final = "/{payment_request_id}"
_FIELDS: Final = (
    "currency", "amount", "payment_request_reference", "supplementary_purchase_data", "request_customer_token",
    "customer_interaction_config", "collect_customer_profile", "acquiring_config", "payment_option_id",
    "payment_program_enablement_codes", "shipping_config", "interoperability_data", "point_of_checkout",
)  # fmt: skip
_FIXED: Final = frozenset({"request_customer_token", "collect_customer_profile", "interoperability_data"})

operations = Operations()


def new_request(call: Call, fields: dict[str, Any], *, expires: datetime | None = None) -> Document:
    """Submit a request to the customer."""
    check_money(fields)
    id_, now = krn(call.account, "payment", "eu1", "request"), write_time(call.now)
    url = f"{call.public_url}/sandbox/network/payment-requests/{quote(id_, safe='')}"
    config = fields.get("customer_interaction_config", {})
    due = expires or call.now + _LIFE
    request = {
        "payment_request_id": id_, "payment_request_url": url, "state": "SUBMITTED",
        "state_context": {
            "customer_interaction": {"method": config.get("method", "HANDOVER"), "payment_request_url": url},
            "interoperability_token": new_token(call, "interoperability-token"),
        },
        **pick(fields, *_FIELDS),
        "created_at": now, "updated_at": now, "expires_at": write_time(due), "_account": call.params[ACCOUNT],
    }  # fmt: skip
    call.put(KIND, id_, request)
    set_timer(call, KIND, id_, due)
    _tell(call, request, None)
    return request


def check_money(fields: dict[str, Any], *, at: str = "") -> None:
    """A currency of three capital letters, and with it an amount.

    Raises:
        Refusal: 400.
    """
    currency = fields.get("currency")
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise invalid("currency", "must be three capital letters, as in ISO 4217")
    if amount_of(fields, "amount", at=at) is not None and currency is None:
        raise invalid("currency", "is required")


def load_request(call: Call, id_: str) -> Document | None:
    """A request as of now."""
    request = call.get(KIND, id_)
    if request is not None and request["state"] in OPEN and call.now >= read_time(request["expires_at"]):
        move(call, request, "EXPIRED")
    return request


@on_timer(KIND)
def _expire(call: Call, id_: str) -> None:
    load_request(call, id_)


def move(call: Call, request: Document, state: str) -> None:
    """Change the state, store the request and tell of it."""
    previous, request["state"] = request["state"], state
    request["previous_state"] = previous
    store(call, request)
    if state not in OPEN:
        clear_timer(call, KIND, request["payment_request_id"])
    _tell(call, request, previous)


def store(call: Call, request: Document) -> None:
    request["updated_at"] = write_time(call.now)
    call.put(KIND, request["payment_request_id"], request)


def _tell(call: Call, request: Document, previous: str | None) -> None:
    event = f"payment.request.state-change.{request['state'].lower().replace('_', '-')}"
    fire(call, event, _payload(request, previous), request["_account"])


def _payload(request: Document, previous: str | None) -> dict[str, Any]:
    """The names of the documented example, and those of the requests themselves."""
    reference = request.get("payment_request_reference")
    payload = {
        "payment_request_id": request["payment_request_id"], "payment_request_reference": reference,
        "payment_reference": reference, "merchant_reference": reference, "state": request["state"],
        "previous_state": previous,
    }  # fmt: skip
    return {name: value for name, value in payload.items() if value is not None}


# --- operations


def _asked(call: Call) -> Document:
    return find_now(call, KIND, call.params["payment_request_id"], "The payment request", load_request)


@operations("POST", _PATH, alone=_ALONE)
def create(call: Call) -> Answer:
    body = read_body(call, "create-payment-request")
    must_sell(call, call.params[ACCOUNT])
    if CUSTOMER_HEADER.lower() in call.request.headers:
        customer_token_of(call)
    request = new_request(call, body)
    # The partners' own examples expect 201 of an acquirer, and 200 of a merchant that acts for itself.
    return Answer(201 if "partner_account_id" in call.params else 200, view(request))


@operations("GET", _PATH + _ONE, alone=_ALONE + _ONE)
def read(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


@operations("PATCH", _PATH + _ONE, alone=_ALONE + _ONE)
def update(call: Call) -> Answer:
    request = _asked(call)
    body = read_body(call, "update-payment-request")
    check_money({"currency": request.get("currency"), **body})
    _must_be_open(request)
    merge(request, pick(body, *(name for name in _FIELDS if name not in _FIXED)))
    store(call, request)
    fire(call, "payment.request.updated", _payload(request, None), request["_account"])
    return Answer(200, view(request))


def _must_be_open(request: Document) -> None:
    if request["state"] not in OPEN:
        raise conflict(f"The payment request is {request['state']}")


@operations("DELETE", _PATH + _ONE, alone=_ALONE + _ONE)
def cancel(call: Call) -> Answer:
    """Also when completed, as long as nothing was authorized with it."""
    request = _asked(call)
    if request["state"] == "COMPLETED" and not request.get("_authorized"):
        approval = call.get(SESSIONS, request["state_context"]["klarna_network_session_token"])
        if approval is not None:
            end_approval(call, approval, "CANCELED")
        for name in ("klarna_network_session_token", "payment_token"):
            del request["state_context"][name]
    else:
        _must_be_open(request)
    move(call, request, "CANCELED")
    return Answer(200, view(request))


@operations("DELETE", "/v2/accounts/{partner_account_id}/payment/tokens/{payment_token}")
def cancel_token(call: Call) -> Answer:
    token = call.params["payment_token"]
    held = call.get(SESSIONS, token)
    if held is None or held["_account"] != call.params[ACCOUNT]:
        raise not_found("The payment token")
    end_approval(call, approval_of(call, token, "payment_token"), "CANCELED")
    return Answer(204)


ROUTES: Final = operations.routes
