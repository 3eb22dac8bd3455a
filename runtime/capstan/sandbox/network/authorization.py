"""Authorizing a payment: a customer's approval, or a stored token, becomes a transaction; or the customer is asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network import requests, transactions
from capstan.sandbox.network.controls import as_account, option_among
from capstan.sandbox.network.family import amount_of, choice_of, conflict, invalid, read_body, time_of
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.partners import must_sell
from capstan.sandbox.network.requests import check_money, new_request
from capstan.sandbox.network.tokens import (
    CUSTOMER_HEADER,
    PAYMENT_HEADER,
    SESSION_HEADER,
    approval_of,
    customer_token_of,
    end_approval,
    issue_customer_token,
)
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call

_NEXT: Final = "network-next-results"  # by account: what the next authorizations come to
_RESULTS: Final = ("APPROVED", "DECLINED", "STEP_UP_REQUIRED")
_WANTED: Final = "request_payment_transaction"
_KEPT: Final = ("supplementary_purchase_data", "acquiring_config", "point_of_checkout", "point_of_transaction")

operations = Operations()


@operations("POST", "/v2/accounts/{partner_account_id}/payment/authorize", alone="/v2/payment/authorize")
def authorize(call: Call) -> Answer:
    body = read_body(call, "authorize-payment")
    wanted, token_wanted = body.get(_WANTED), body.get("request_customer_token")
    if wanted is None and token_wanted is None:
        raise invalid(_WANTED, "is required, or request_customer_token is")
    if wanted is not None:
        _check(body, wanted)
    must_sell(call, call.params[ACCOUNT])
    approval, customer = _standing(call)
    result = _result(call, body, approval, customer)
    answer: dict[str, Any] = {}
    if result == "APPROVED":
        answer = _approve(call, body, approval, customer)
    elif result == "STEP_UP_REQUIRED":
        answer["payment_request"] = view(_step_up(call, body))
    if wanted is not None:
        answer.setdefault("payment_transaction_response", {})["result"] = result
    if token_wanted is not None:
        answer.setdefault("customer_token_response", {})["result"] = result
    return Answer(200, answer)


def _check(body: dict[str, Any], wanted: dict[str, Any]) -> None:
    choice_of(wanted, "capture", ("LATER", "NOW"), at=f"{_WANTED}.", default="LATER")
    if amount_of(wanted, "amount", at=f"{_WANTED}.") is None:
        raise invalid(f"{_WANTED}.amount", "is required")
    if "currency" not in body:
        raise invalid("currency", "is required")
    check_money(body)


def _standing(call: Call) -> tuple[Document | None, Document | None]:
    """What the headers stand for: the approval of a payment request, and a stored customer token."""
    headers = call.request.headers
    approval = None
    for name in (SESSION_HEADER, PAYMENT_HEADER):
        if approval is None and headers.get(name.lower()):
            approval = approval_of(call, headers[name.lower()], name)
    return approval, customer_token_of(call) if headers.get(CUSTOMER_HEADER.lower()) else None


def _result(call: Call, body: dict[str, Any], approval: Document | None, customer: Document | None) -> str:
    """What was decided for this account beforehand, or else what the tokens are good for."""
    decided = call.get(_NEXT, call.account.id)
    if decided is not None and decided["count"] > 0:
        call.put(_NEXT, call.account.id, {**decided, "count": decided["count"] - 1})
        result: str = decided["result"]
        return result
    if approval is None:
        return "STEP_UP_REQUIRED" if customer is None else "APPROVED"
    approved = _approved(call, approval)
    wanted = body.get(_WANTED)
    if wanted is None:
        return "APPROVED"
    if approved.get("currency", body["currency"]) != body["currency"]:
        raise invalid("currency", f"the customer approved {approved['currency']}")
    return "APPROVED" if wanted["amount"] <= approved.get("amount", wanted["amount"]) else "STEP_UP_REQUIRED"


def _approved(call: Call, approval: Document) -> Document:
    found = call.get(requests.KIND, approval["payment_request_id"])
    assert found is not None
    return found


def _approve(call: Call, body: dict[str, Any], approval: Document | None, customer: Document | None) -> dict[str, Any]:
    """Use the approval up, and give what was asked for."""
    answer: dict[str, Any] = {}
    told = body.get("supplementary_purchase_data", {}).get("customer", {})
    if approval is not None:
        use(call, approval)
        told = _approved(call, approval).get("supplementary_purchase_data", {}).get("customer", told)
    if _WANTED in body:
        answer["payment_transaction_response"] = {"payment_transaction": transact(call, body, body[_WANTED])}
    if "request_customer_token" in body:
        token = issue_customer_token(call, body["request_customer_token"], customer["_customer"] if customer else told)
        answer["customer_token_response"] = {"customer_token": token}
    return answer


def use(call: Call, approval: Document) -> None:
    """An approval is good for one authorization."""
    end_approval(call, approval, "USED")
    request = _approved(call, approval)
    request["_authorized"] = True
    requests.store(call, request)


def transact(call: Call, body: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Make the transaction, captured where that is asked; as it is answered."""
    fields = pick(body, *_KEPT)
    names = ("payment_transaction_reference", "payment_option_id", "payment_program_enablement_codes")
    fields |= pick(wanted, *names)
    transaction = transactions.new_transaction(call, wanted["amount"], body["currency"], fields)
    if wanted.get("capture") != "NOW":
        return view(transaction)
    details = pick(wanted, "payment_capture_reference")
    made = transactions.capture(call, transaction, None, details, release=False)
    return {**view(transaction), "payment_capture_id": made["payment_capture_id"]}


def _step_up(call: Call, body: dict[str, Any]) -> Document:
    """The payment request that the customer is to approve first."""
    config = body.get("step_up_config", {})
    names = ("currency", "request_customer_token", "interoperability_data", *_KEPT[:-1])
    fields = pick(body, *names)
    fields |= pick(config, "payment_request_reference", "customer_interaction_config")
    if "amount" in body.get(_WANTED, {}):
        fields["amount"] = body[_WANTED]["amount"]
    return new_request(call, fields, expires=_expiry(call, config.get("payment_request_expires_at")))


def _expiry(call: Call, text: str | None) -> datetime | None:
    if text is None:
        return None
    name = "step_up_config.payment_request_expires_at"
    moment = time_of(text, name)
    if moment <= call.now:
        raise invalid(name, f"must be after {write_time(call.now)}")
    return moment


@operations(
    "POST", "/v2/accounts/{partner_account_id}/payment/confirmation-tokens/{payment_confirmation_token}/confirm"
)
def confirm(call: Call) -> Answer:
    """What there was before authorize: a token of an approval, in the path, becomes a transaction."""
    body = read_body(call, "confirm-payment-confirmation-token")
    approval = approval_of(call, call.params["payment_confirmation_token"], "payment_confirmation_token")
    amount = amount_of(body, "payment_amount") or 0
    request = _approved(call, approval)
    if request.get("currency", body["currency"]) != body["currency"] or amount > request.get("amount", amount):
        raise conflict("The customer approved another amount")
    use(call, approval)
    wanted = {"amount": amount, **pick(body, "payment_transaction_reference")}
    made = transact(call, body, wanted)
    context = {"payment_transaction_id": made["payment_transaction_id"]}
    return Answer(200, {**view(request), "state": "AUTHORIZED", "state_context": context})


control = control_routes()


@control("POST", "/sandbox/network/next-authorizations")
def decide(call: Call) -> Answer:
    """What the next authorizations of an account come to: `{"account": "P300001", "result": "DECLINED"}`."""
    options = read_options(call, account=str, result=str, count=int)
    decided = {"result": option_among(options, "result", _RESULTS, "DECLINED"), "count": options.get("count", 1)}
    theirs = as_account(call, options, "account")
    theirs.put(_NEXT, theirs.account.id, decided)
    return Answer(200, decided)


ROUTES: Final = (*operations.routes, *control.routes)
