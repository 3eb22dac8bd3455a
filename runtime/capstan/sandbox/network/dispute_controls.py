"""What customers and Klarna do about disputes of either version: control paths."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network import disputes, disputes_v4, transactions
from capstan.sandbox.network.controls import as_account, in_place, option_among
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call, Refusal

_PATH: Final = "/sandbox/network/disputes"
_OUTCOMES: Final = ("WON", "LOST")

control = control_routes()


@control("POST", _PATH)
def open_(call: Call) -> Answer:
    """A customer objects to a captured transaction, or (`"version": "v4"`) to an order of a merchant too.

    `{"payment_transaction_id": "krn:...", "reason": "PRODUCTS_FAULTY", "amount": 500, "version": "v2"}`, or for
    an order `{"version": "v4", "account": "M100001", "order_id": "...", "amount": 500, "currency": "EUR"}`.
    """
    options = read_options(
        call, version=str, payment_transaction_id=str, order_id=str, capture_id=str, account=str, reason=str,
        amount=int, currency=str, comment=str,
    )  # fmt: skip
    version = option_among(options, "version", ("v2", "v4"), "v2")
    reasons = disputes.REASONS if version == "v2" else disputes_v4.REASONS
    reason = option_among(options, "reason", reasons, reasons[1])
    comment = options.get("comment", "")
    if "payment_transaction_id" not in options:
        return _open_for_order(call, options, version, reason, comment)
    call = in_place(call, transactions.KIND, options["payment_transaction_id"], "payment transaction")
    transaction = transactions.load_transaction(call, options["payment_transaction_id"])
    assert transaction is not None
    most = transactions.returnable(transaction)
    amount = options.get("amount", most)
    if not 0 < amount <= most:
        raise Refusal(409, "CONFLICT", f"{most} was captured and not given back; {amount} cannot be disputed")
    if version == "v2":
        return Answer(201, view(disputes.open_dispute(call, transaction, reason, amount, comment)))
    made = disputes_v4.open_dispute(call, _about(call, transaction), reason, amount, transaction["currency"], comment)
    return Answer(201, view(made))


def _about(call: Call, transaction: Document) -> dict[str, Any]:
    first = transaction["payment_captures"][0]["payment_capture_id"]
    capture = call.get(transactions.CAPTURES, first) or {}
    return {
        **transaction, "capture_id": first, "payment_capture_reference": capture.get("payment_capture_reference"),
        "payment_account_id": transaction.get("acquiring_config", {}).get("payment_account_id"),
        "purchase_reference": transaction.get("supplementary_purchase_data", {}).get("purchase_reference"),
    }  # fmt: skip


def _open_for_order(call: Call, options: dict[str, Any], version: str, reason: str, comment: str) -> Answer:
    if version != "v4" or not all(name in options for name in ("order_id", "amount", "currency")):
        raise Refusal(
            400, "BAD_OPTION", "give payment_transaction_id; or version v4, account, order_id, amount, currency"
        )
    call = as_account(call, options, "account")
    made = disputes_v4.open_dispute(call, options, reason, options["amount"], options["currency"], comment)
    return Answer(201, view(made))


def _theirs(call: Call) -> tuple[Call, Document, bool]:
    """As whoever the dispute belongs to, and whether it is of version 4."""
    id_ = call.params["id"]
    new = call.state.owner_of(disputes_v4.KIND, id_) is not None
    call = in_place(call, disputes_v4.KIND if new else disputes.KIND, id_, "dispute")
    dispute = (disputes_v4 if new else disputes).load_dispute(call, id_)
    assert dispute is not None
    if dispute["state"] == "CLOSED":
        raise Refusal(409, "CONFLICT", "The dispute is CLOSED")
    return call, dispute, new


@control("POST", f"{_PATH}/{{id}}/advance")
def advance(call: Call) -> Answer:
    """Version 2: on to the next state, as if its deadline had passed."""
    call, dispute, new = _theirs(call)
    if new:
        raise Refusal(409, "CONFLICT", "Disputes of version 4 go on when somebody answers or decides")
    if dispute["state"] == "ARBITRATION_APPEAL_OPEN":
        disputes.close(call, dispute, dispute["state_context"]["dispute_outcome"])
    else:
        disputes.advance(call, dispute)
    return Answer(200, view(dispute))


@control("POST", f"{_PATH}/{{id}}/decide")
def decide(call: Call) -> Answer:
    """Klarna decides: `{"outcome": "WON"}`. Version 2 can then be appealed, unless `"final": true`."""
    options = read_options(call, outcome=str, final=bool)
    outcome = option_among(options, "outcome", _OUTCOMES, "WON")
    call, dispute, new = _theirs(call)
    if new:
        disputes_v4.decide(call, dispute, outcome)
    elif options.get("final", False):
        disputes.close(call, dispute, outcome)
    elif dispute["state"] == "ARBITRATION_PENDING":
        disputes.advance(call, dispute, outcome)
    else:
        raise Refusal(409, "CONFLICT", f"The dispute is {dispute['state']}: there is nothing to decide")
    return Answer(200, view(dispute))


@control("POST", f"{_PATH}/{{id}}/extend")
def extend(call: Call) -> Answer:
    """Klarna moves the deadline: `{"days": 14}` from now."""
    days = read_options(call, days=int).get("days", 14)
    if not 1 <= days <= 365:
        raise Refusal(400, "BAD_OPTION", "'days' is between 1 and 365")
    call, dispute, new = _theirs(call)
    (disputes_v4 if new else disputes).extend(call, dispute, days)
    return Answer(200, view(dispute))


ROUTES: Final = tuple(control.routes)
