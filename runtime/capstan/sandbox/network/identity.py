"""Who a customer is: tokens looked into and revoked, identity requests, and whether somebody is a customer at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from capstan.sandbox.choice import choice
from capstan.sandbox.clock import write_time
from capstan.sandbox.control import control_routes
from capstan.sandbox.network.controls import in_place
from capstan.sandbox.network.customer import KNOWN, digest
from capstan.sandbox.network.family import invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.resources import find
from capstan.sandbox.network.tokens import (
    CUSTOMER_HEADER,
    customer_token_of,
    issue_customer_token,
    new_token,
    revoke_customer_token,
)
from capstan.sandbox.state import EVERYBODY, Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

_REQUESTS: Final = "network-identity-requests"
_IDENTITY: Final = "/v2/accounts/{partner_account_id}/identity"
_ALONE: Final = "/v2/identity"
_LIFE: Final = timedelta(hours=1)  # of tokens for SDKs: this sandbox's choice

operations = Operations()


def short_lived(call: Call, name: str, kind: str) -> Answer:
    """A new token that ends by itself."""
    return Answer(201, {name: new_token(call, kind), "expires_at": write_time(call.now + _LIFE)})


@operations("POST", f"{_IDENTITY}/sdk-tokens", alone=f"{_ALONE}/sdk-tokens")
def create_sdk_token(call: Call) -> Answer:
    if CUSTOMER_HEADER.lower() in call.request.headers:
        customer_token_of(call)
    return short_lived(call, "sdk_token", "identity-sdk-token")


@operations("POST", f"{_IDENTITY}/customer-token/introspect", alone=f"{_ALONE}/customer-token/introspect")
def introspect(call: Call) -> Answer:
    return Answer(200, view(customer_token_of(call, active=False)))


@operations("POST", f"{_IDENTITY}/customer-token/revoke")
def revoke(call: Call) -> Answer:
    """A second time it does nothing again."""
    token = customer_token_of(call, active=False)
    revoke_customer_token(call, token)
    return Answer(200, view(token))


@operations("POST", f"{_IDENTITY}/requests")
def create_request(call: Call) -> Answer:
    body = read_body(call, "create-identity-request")
    id_ = krn(call.account, "identity", "eu1", "request")
    url = f"{call.public_url}/sandbox/network/identity-requests/{quote(id_, safe='')}"
    request = {
        "identity_request_id": id_, "state": "SUBMITTED",
        "state_context": {"customer_interaction": {"identity_request_url": url}},
        **pick(body, "request_customer_token", "customer_interaction_config"),
        "created_at": write_time(call.now), "_account": call.params[ACCOUNT],
    }  # fmt: skip
    call.put(_REQUESTS, id_, request)
    return Answer(201, view(request))


@operations("GET", f"{_IDENTITY}/requests/{{identity_request_id}}")
def read_request(call: Call) -> Answer:
    return Answer(200, view(find(call, _REQUESTS, call.params["identity_request_id"], "The identity request")))


@operations("POST", "/v1/accounts/{account_id}/identity/customer-exists")
def customer_exists(call: Call) -> Answer:
    body = read_body(call, "customer-exists")
    asked: list[Any] = [body[name] for name in ("email", "phone") if name in body]
    if not asked:
        raise invalid("email", "is required, or phone is")
    exists = any(call.state.get(EVERYBODY, KNOWN, digest(text)) is not None for text in asked)
    return Answer(200, {"exists": exists})


control = control_routes()


_PATH: Final = "/sandbox/network/identity-requests/{id}"


def _theirs(call: Call) -> tuple[Call, Document]:
    call = in_place(call, _REQUESTS, call.params["id"], "identity request")
    request = call.get(_REQUESTS, call.params["id"])
    assert request is not None
    return call, request


@control("GET", _PATH)
def page(call: Call) -> Answer:
    """Where identity_request_url leads."""
    _, request = _theirs(call)
    goes_to = request.get("customer_interaction_config", {}).get("return_url", "")
    acts = {"complete": "Say who I am"} if request["state"] == "SUBMITTED" else {}
    return choice("Identity request", request["state"], acts, goes_to=goes_to if isinstance(goes_to, str) else "")


@control("POST", f"{_PATH}/complete")
def complete(call: Call) -> Answer:
    """The customer says who they are."""
    call, request = _theirs(call)
    if request["state"] != "SUBMITTED":
        raise Refusal(409, "CONFLICT", f"The identity request is {request['state']}")
    request["state"] = "COMPLETED"
    if "request_customer_token" in request:
        token = issue_customer_token(call, request["request_customer_token"], {})
        request["state_context"]["klarna_customer"] = {"customer_token": token}
    call.put(_REQUESTS, request["identity_request_id"], request)
    return Answer(200, view(request))


ROUTES: Final = (*operations.routes, *control.routes)
