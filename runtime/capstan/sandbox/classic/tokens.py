"""Customer tokens: made of an authorization, charged without the customer, suspended and cancelled."""

from __future__ import annotations

import uuid
from typing import Any, Final

from capstan.sandbox.classic import authorizations, sessions
from capstan.sandbox.classic.basket import check_amounts, check_market
from capstan.sandbox.classic.browser import fill_url, fill_urls, order_answer, way_back
from capstan.sandbox.classic.family import CLASSIC, Classic, classic_routes, read_body
from capstan.sandbox.classic.merchants import require_active
from capstan.sandbox.classic.methods import METHODS, order_method
from capstan.sandbox.classic.orders import place_order
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal, Routes

KIND: Final = "customer-tokens"

# Why a charge fails, and what is said of it.
_FAILURES: Final = {
    "TOKEN_SUSPENDED": "Customer token is suspended",
    "TOKEN_CANCELLED": "Customer token is cancelled",
    "TOKEN_FORBIDDEN": "Customer token cannot be used by this merchant",
    "UNAVAILABLE_PAYMENT_METHOD": "The payment method is not available",
    "PAYMENT_METHOD_CURRENCY_MISMATCH": "The payment method does not take this currency",
    "PAYMENT_METHOD_FAILED": "The payment method was refused",
}
_READ_CUSTOMER: Final = ("date_of_birth", "gender")
# What a token remembers of the customer it was made for.
_ABOUT: Final = ("purchase_country", "purchase_currency", "locale", "billing_address", "customer")
# What a charge says of its order.
_CHARGED: Final = (
    "order_amount", "order_tax_amount", "order_lines", "purchase_currency", "shipping_address", "auto_capture",
    "merchant_reference1", "merchant_reference2", "merchant_data", "merchant_urls",
)  # fmt: skip

routes = classic_routes()
charges = Routes(Classic({503: "SERVICE_UNAVAILABLE"}))
control = control_routes()


@routes("POST", "/payments/v1/authorizations/{token}/customer-token", category="create-token-session")
def create_token(call: Call) -> Answer:
    """Use an authorization for a token instead of an order."""
    require_active(call)
    authorization = authorizations.load(call, call.params["token"])
    body = read_body(call, "payments.customer_token_creation_request")
    check_market(body)
    session = authorizations.session_of(call, authorization)
    authorizations.require_unused(authorization, session)
    if session["intent"] not in ("tokenize", "buy_and_tokenize"):
        raise Refusal(403, "INVALID_OPERATION", f"Not allowed to create customer token for intent {session['intent']}")
    wanted = sessions.known(body)
    authorizations.require_matching(session, wanted)
    authorizations.require_accepted(authorization)
    about = {name: value for name, value in {**session, **wanted}.items() if name in _ABOUT}
    token_id = issue(call, about, authorization["payment_method"], body["description"])
    call.put(authorizations.KIND, authorization["token"], {**authorization, "state": "tokenized"})
    confirmation = session.get("merchant_urls", {}).get("confirmation", "")
    answer: dict[str, Any] = {
        "token_id": token_id,
        "redirect_url": way_back(call, token_id, fill_url(confirmation, session_id=session["_session_id"])),
    }  # fmt: skip
    if "billing_address" in about:
        answer["billing_address"] = about["billing_address"]
    if "customer" in about:
        answer["customer"] = pick(about["customer"], *_READ_CUSTOMER)
    return Answer(200, answer)


def issue(call: Call, about: dict[str, Any], method: str, description: str) -> str:
    """Make a token for a customer with a payment method."""
    token_id = str(uuid.uuid4())
    call.put(KIND, token_id, {
        **_instrument(method), "status": "ACTIVE", "_token_id": token_id, "_about": about, "_method": method,
        "_description": description,
    })  # fmt: skip
    return token_id


@routes("GET", "/customer-token/v1/tokens/{token_id}")
def read_token(call: Call) -> Answer:
    token = _load(call, "NOT_FOUND", "Invalid token ID")
    return Answer(200, view(token))


@routes("PATCH", "/customer-token/v1/tokens/{token_id}/status")
def update_status(call: Call) -> Answer:
    """Cancel a token, for good."""
    token = _load(call, "NOT_FOUND", "Invalid customer-token ID")
    read_body(call, "customer-token.customer_token_status_update_request")
    call.put(KIND, token["_token_id"], {**token, "status": "CANCELLED"})
    return Answer(202)


@charges("POST", "/customer-token/v1/tokens/{token_id}/order", keyed=True)
def create_order(call: Call) -> Answer:
    """Charge: an order without the customer."""
    token = _load(call, "TOKEN_NOT_FOUND", "Customer token not found")
    body = read_body(call, "customer-token.customer_token_order")
    purchase = {**token["_about"], **pick(body, *_CHARGED)}
    check_amounts(purchase)
    _require_chargeable(token, purchase)
    if "_next_failure" in token:  # asked for once, so it is an answer and no Refusal: that would forget the once
        code = token.pop("_next_failure")
        call.put(KIND, token["_token_id"], token)
        return CLASSIC.refuse(_refusal(code), call.correlation_id)
    order_id = str(uuid.uuid4())
    urls = fill_urls(body.get("merchant_urls", {}), order_id=order_id)
    purchase |= {
        "purchase_currency": body["purchase_currency"].upper(), "merchant_urls": urls, "_order_id": order_id,
        "_source": "token", "_payment_method": order_method(token["_method"]),
    }  # fmt: skip
    order = place_order(call, purchase)
    return Answer(200, order_answer(call, order, urls, token["_method"]))


def _load(call: Call, code: str, message: str) -> Document:
    """The token in the path. The operations tell of an unknown one each in its own words."""
    require_active(call)
    token = call.get(KIND, call.params["token_id"])
    if token is None:
        raise Refusal(404, code, message)
    return token


def _instrument(method: str) -> dict[str, Any]:
    """What is told of how the customer pays."""
    told: dict[str, Any] = {"payment_method_type": METHODS[method][0]}
    if "card" in method:
        told["card"] = {"brand": "VISA", "expiry_date": "12/2099", "masked_number": "************1234"}
    if method == "direct_debit":
        told["direct_debit"] = {"masked_number": "**********124"}
    return told


def _require_chargeable(token: Document, purchase: dict[str, Any]) -> None:
    if token["status"] != "ACTIVE":
        raise _refusal(f"TOKEN_{token['status']}")
    if purchase["purchase_currency"].upper() != token["_about"]["purchase_currency"]:
        raise _refusal("PAYMENT_METHOD_CURRENCY_MISMATCH")


def _refusal(code: str) -> Refusal:
    return Refusal(403, code, _FAILURES[code])


# --- what only the customer or Klarna can do


@control("POST", "/sandbox/customer-tokens/{token_id}/suspend")
def suspend(call: Call) -> Answer:
    return _set_status(call, "SUSPENDED")


@control("POST", "/sandbox/customer-tokens/{token_id}/activate")
def activate(call: Call) -> Answer:
    return _set_status(call, "ACTIVE")


@control("POST", "/sandbox/customer-tokens/{token_id}/fail-next")
def fail_next(call: Call) -> Answer:
    """Have the next charge fail: `{"code": "PAYMENT_METHOD_FAILED"}`."""
    code = read_options(call, code=str).get("code", "PAYMENT_METHOD_FAILED")
    if code not in _FAILURES:
        raise Refusal(400, "BAD_OPTION", f"'code' is one of: {', '.join(_FAILURES)}")
    owner, token = _any_token(call)
    owner.put(KIND, token["_token_id"], {**token, "_next_failure": code})
    return Answer(204)


def _set_status(call: Call, status: str) -> Answer:
    read_options(call)
    owner, token = _any_token(call)
    if token["status"] == "CANCELLED":
        raise Refusal(409, "CANCELLED", "The token is cancelled, for good")
    owner.put(KIND, token["_token_id"], {**token, "status": status})
    return Answer(200, {"status": status})


def _any_token(call: Call) -> tuple[Call, Document]:
    owner = as_owner(call, KIND, call.params["token_id"], "There is no such customer token")
    token = owner.get(KIND, call.params["token_id"])
    assert token is not None
    return owner, token


ROUTES: Final = (*routes.routes, *charges.routes, *control.routes)
