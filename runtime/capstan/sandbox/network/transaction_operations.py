"""The operations on a payment transaction, its captures, refunds and chargebacks."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network import transactions
from capstan.sandbox.network.controls import in_place, option_among
from capstan.sandbox.network.family import amount_of, choice_of, invalid, read_body
from capstan.sandbox.network.operations import Operations
from capstan.sandbox.network.resources import find, find_now, merge
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

_PAYMENT: Final = "/v2/accounts/{partner_account_id}/payment"
_ONE: Final = f"{_PAYMENT}/transactions/{{payment_transaction_id}}"

operations = Operations()


def _asked(call: Call, id_: str | None = None) -> Document:
    id_ = id_ or call.params["payment_transaction_id"]
    return find_now(call, transactions.KIND, id_, "The payment transaction", transactions.load_transaction)


@operations("GET", _ONE)
def read(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


@operations("PATCH", _ONE)
def update(call: Call) -> Answer:
    transaction = _asked(call)
    body = read_body(call, "update-payment-transaction")
    merge(transaction, pick(body, "supplementary_purchase_data", "payment_transaction_reference"))
    transactions.store(call, transaction)
    return Answer(200, view(transaction))


@operations("POST", f"{_ONE}/capture")
def capture(call: Call) -> Answer:
    transaction = _asked(call)
    body = read_body(call, "capture-payment-transaction")
    release = body.get("remaining_authorization") is not None
    if release:
        choice_of(body, "remaining_authorization", ("RELEASE", "KEEP"))
        release = body["remaining_authorization"] == "RELEASE"
    details = pick(body, "payment_capture_reference", "supplementary_capture_data", "supplementary_purchase_data")
    made = transactions.capture(call, transaction, amount_of(body, "capture_amount"), details, release=release)
    return Answer(200, {**view(made), "payment_transaction": transactions.summary(transaction)})


@operations("POST", f"{_ONE}/refund")
def refund(call: Call) -> Answer:
    transaction = _asked(call)
    return _refund(call, transaction, read_body(call, "refund-payment-transaction"), None)


def _refund(call: Call, transaction: Document, body: dict[str, Any], of: Document | None) -> Answer:
    details = pick(body, "supplementary_refund_data")
    # The examples have either name; one of them is likely a slip, so both are taken.
    reference = body.get("payment_refund_reference", body.get("refund_reference"))
    if reference is not None:
        if not isinstance(reference, str):
            raise invalid("payment_refund_reference", "has the wrong type")
        details["payment_refund_reference"] = reference
    made = transactions.refund(call, transaction, amount_of(body, "refund_amount"), details, of)
    return Answer(200, {**view(made), "payment_transaction": transactions.summary(transaction)})


@operations("POST", f"{_ONE}/void")
def void(call: Call) -> Answer:
    transaction = _asked(call)
    transactions.void(call, transaction)
    return Answer(200, view(transaction))


@operations("POST", f"{_ONE}/authorize")
def reauthorize(call: Call) -> Answer:
    transaction = _asked(call)
    body = read_body(call, "reauthorize-payment-transaction")
    days = amount_of(body, "extension_days") or transactions.LIFE.days
    if days > transactions.LONGEST.days:
        raise invalid("extension_days", f"must be at most {transactions.LONGEST.days}")
    merge(transaction, pick(body, "supplementary_purchase_data"))
    transactions.reauthorize(call, transaction, days, amount_of(body, "amount"))
    return Answer(200, view(transaction))


@operations("GET", f"{_PAYMENT}/captures/{{payment_capture_id}}")
def read_capture(call: Call) -> Answer:
    return Answer(200, view(_capture(call)))


def _capture(call: Call) -> Document:
    return find(call, transactions.CAPTURES, call.params["payment_capture_id"], "The payment capture")


@operations("POST", f"{_PAYMENT}/captures/{{payment_capture_id}}/refund")
def refund_capture(call: Call) -> Answer:
    held = _capture(call)
    body = read_body(call, "refund-payment-capture")
    return _refund(call, _asked(call, held["payment_transaction_id"]), body, held)


@operations("GET", f"{_PAYMENT}/refunds/{{payment_refund_id}}")
def read_refund(call: Call) -> Answer:
    return Answer(200, view(find(call, transactions.REFUNDS, call.params["payment_refund_id"], "The payment refund")))


@operations("GET", f"{_PAYMENT}/chargebacks/{{payment_chargeback_id}}")
def read_chargeback(call: Call) -> Answer:
    id_ = call.params["payment_chargeback_id"]
    return Answer(200, view(find(call, transactions.CHARGEBACKS, id_, "The payment chargeback")))


# --- what others do


control = control_routes()
_CONTROL: Final = "/sandbox/network/transactions/{id}"


def _theirs(call: Call) -> tuple[Call, Document]:
    call = in_place(call, transactions.KIND, call.params["id"], "payment transaction")
    transaction = transactions.load_transaction(call, call.params["id"])
    assert transaction is not None
    return call, transaction


@control("POST", f"{_CONTROL}/chargeback")
def charge_back(call: Call) -> Answer:
    """Klarna takes money back from the partner: `{"amount": 500, "reason": "..."}`, all that can be without amount."""
    options = read_options(call, amount=int, reason=str)
    call, transaction = _theirs(call)
    amount = options.get("amount", transactions.returnable(transaction))
    made = transactions.charge_back(call, transaction, amount, options.get("reason", "PURCHASE_UNAUTHORIZED"))
    return Answer(201, view(made))


@control("POST", f"{_CONTROL}/funding")
def fund(call: Call) -> Answer:
    """In the program without guarantee the customer pays, or does not: `{"state": "FUNDED"}`."""
    options = read_options(call, state=str)
    state = option_among(options, "state", ("FUNDED", "EXPIRED"), "FUNDED")
    call, transaction = _theirs(call)
    if "funding_state" in transaction:
        raise Refusal(409, "CONFLICT", f"It is {transaction['funding_state']}")
    transactions.tell_funding(call, transaction, state)
    return Answer(200, view(transaction))


ROUTES: Final = (*operations.routes, *control.routes)
