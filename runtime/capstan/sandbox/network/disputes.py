"""Disputes as version 2 of the API has them.

PRE_ARBITRATION (customer and partner talk) -> MERCHANT_EVIDENCE_PENDING -> ARBITRATION_PENDING ->
ARBITRATION_APPEAL_OPEN -> CLOSED. What a deadline that passes leads to is this sandbox's choice: one state further.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network import attachments, transactions
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import conflict, invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import among, between, in_order, page
from capstan.sandbox.network.partners import load_account, product_of
from capstan.sandbox.network.resources import find_now, of_account
from capstan.sandbox.network.timers import clear_timer, on_timer, set_timer
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call

KIND: Final = "network-disputes"
REASONS: Final = (
    "RETURN_NOT_REFUNDED", "PRODUCTS_NOT_RECEIVED", "PRODUCTS_FAULTY", "CAPTURE_AMOUNT_INCORRECT", "PURCHASE_CANCELED",
    "PURCHASE_UNAUTHORIZED", "PURCHASE_HIGH_RISK",
)  # fmt: skip
LINE: Final = (
    "PRE_ARBITRATION",
    "MERCHANT_EVIDENCE_PENDING",
    "ARBITRATION_PENDING",
    "ARBITRATION_APPEAL_OPEN",
    "CLOSED",
)
_EVENTS: Final = {"ARBITRATION_APPEAL_OPEN": "arbitration-appeal-window-open"}
_DAYS: Final = {"PRE_ARBITRATION": 21, "MERCHANT_EVIDENCE_PENDING": 14, "ARBITRATION_PENDING": 30,
                "ARBITRATION_APPEAL_OPEN": 7}  # fmt: skip
_PATH: Final = "/v2/accounts/{partner_account_id}/payment/disputes"
_ONE: Final = f"{_PATH}/{{payment_dispute_id}}"

operations = Operations()


def open_dispute(call: Call, transaction: Document, reason: str, amount: int, evidence: str) -> Document:
    """A customer objects to a transaction."""
    id_, now = krn(call.account, "payment", "eu1", "dispute"), write_time(call.now)
    dispute = {
        "payment_dispute_id": id_, "payment_transaction_id": transaction["payment_transaction_id"],
        "state": "PRE_ARBITRATION", "state_context": {}, "reason": reason, "amount": amount,
        "currency": transaction["currency"],
        "purchase_reference": transaction.get("supplementary_purchase_data", {}).get("purchase_reference", ""),
        "customer_evidence": [{
            "payment_dispute_customer_evidence_id": krn(call.account, "payment", "eu1", "dispute-evidence"),
            "comment": evidence, "created_at": now,
        }],
        "payment_product_instance_id": _product(call), "opened_at": now, "updated_at": now,
        "_account": call.params[ACCOUNT],
    }  # fmt: skip
    _enter(call, dispute, "PRE_ARBITRATION")
    return dispute


def _product(call: Call) -> str | None:
    account = load_account(call, call.params[ACCOUNT])
    product = product_of(account) if account is not None else None
    return product["product_id"] if product is not None else None


def load_dispute(call: Call, id_: str) -> Document | None:
    """A dispute as of now."""
    dispute = call.get(KIND, id_)
    while (
        dispute is not None and dispute["state"] != "CLOSED" and call.now >= read_time(dispute["deadline_expires_at"])
    ):
        advance(call, dispute)
    return dispute


@on_timer(KIND)
def _pass(call: Call, id_: str) -> None:
    dispute = load_dispute(call, id_)
    if dispute is not None and dispute["state"] != "CLOSED":  # the deadline was moved meanwhile
        set_timer(call, KIND, id_, read_time(dispute["deadline_expires_at"]))


def advance(call: Call, dispute: Document, outcome: str = "") -> None:
    """Go on to the next state. Klarna decides when arbitration is pending: for the customer, unless told otherwise."""
    state = LINE[LINE.index(dispute["state"]) + 1]
    if dispute["state"] == "ARBITRATION_PENDING":
        dispute["state_context"] = {"dispute_outcome": outcome or "LOST"}
    _enter(call, dispute, state)


def close(call: Call, dispute: Document, outcome: str) -> None:
    dispute["state_context"] = {"dispute_outcome": outcome}
    _enter(call, dispute, "CLOSED")


def _enter(call: Call, dispute: Document, state: str) -> None:
    """Change the state, store the dispute and tell of it; a dispute that is lost costs the partner its amount."""
    if state != dispute["state"]:
        dispute |= {"previous_state": dispute["state"], "state": state}
    dispute["updated_at"] = write_time(call.now)
    if state == "CLOSED":
        clear_timer(call, KIND, dispute["payment_dispute_id"])
        dispute.pop("deadline_expires_at", None)
        dispute["closed_at"] = write_time(call.now)
        if dispute["state_context"]["dispute_outcome"] == "LOST":
            charge_back(call, dispute, dispute["amount"], dispute["reason"])
    else:
        set_deadline(call, dispute, _DAYS[state])
    call.put(KIND, dispute["payment_dispute_id"], dispute)
    event = _EVENTS.get(state, state.lower().replace("_", "-"))
    fire(call, f"payment.dispute.state-change.{event}", _payload(dispute), dispute["_account"])


def set_deadline(call: Call, dispute: Document, days: int) -> None:
    due = call.now + timedelta(days=days)
    dispute["deadline_expires_at"] = write_time(due)
    set_timer(call, KIND, dispute["payment_dispute_id"], due)


def extend(call: Call, dispute: Document, days: int) -> None:
    """Klarna gives more time."""
    set_deadline(call, dispute, days)
    call.put(KIND, dispute["payment_dispute_id"], dispute)
    fire(call, "payment.dispute.updated.arbitration-deadline-extended", _payload(dispute), dispute["_account"])


def _payload(dispute: Document) -> dict[str, Any]:
    return {name: value for name, value in view(dispute).items() if name not in ("customer_evidence", "response")}


def charge_back(call: Call, dispute: Document, amount: int, reason: str) -> None:
    """Take the amount back, as far as it was not given back already."""
    transaction = transactions.load_transaction(call, dispute.get("payment_transaction_id", ""))
    amount = min(amount, transactions.returnable(transaction)) if transaction is not None else 0
    if transaction is not None and amount > 0:
        made = transactions.charge_back(call, transaction, amount, reason)
        dispute["payment_chargeback_id"] = made["payment_chargeback_id"]


# --- operations


def _asked(call: Call) -> Document:
    return find_now(call, KIND, call.params["payment_dispute_id"], "The dispute", load_dispute)


@operations("GET", _PATH)
def list_disputes(call: Call) -> Answer:
    loaded = (load_dispute(call, held["payment_dispute_id"]) for held in of_account(call, KIND))
    found = [view(held) for held in loaded if held is not None]
    found = among(call, found, {
        "payment_transaction_id": ("payment_transaction_id", None), "purchase_references": ("purchase_reference", None),
        "state": ("state", None), "reason": ("reason", None),
        "payment_product_instance_id": ("payment_product_instance_id", None),
    })  # fmt: skip
    for field in ("opened_at", "closed_at"):
        found = between(call, found, field)
    found = in_order(call, found, ("opened_at", "deadline_expires_at", "closed_at"))
    return page(call, "disputes", found, "payment_dispute_id")


@operations("GET", _ONE)
def read(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


@operations("POST", f"{_ONE}/accept-loss")
def accept_loss(call: Call) -> Answer:
    dispute = _asked(call)
    if dispute["state"] == "CLOSED":
        raise conflict("The dispute is CLOSED")
    close(call, dispute, "LOST")
    return Answer(200, view(dispute))


@operations("POST", f"{_ONE}/respond")
def respond(call: Call) -> Answer:
    """Evidence when it is asked for, or an appeal while one is possible."""
    dispute = _asked(call)
    body = read_body(call, "respond-to-dispute")
    attachments.check_listed(call, dispute, body.get("attachments", []))
    if not body:
        raise invalid("body", "must say something")
    if dispute["state"] not in ("PRE_ARBITRATION", "MERCHANT_EVIDENCE_PENDING", "ARBITRATION_APPEAL_OPEN"):
        raise conflict(f"The dispute is {dispute['state']}: there is nothing to respond to")
    names = ("additional_information", "attachments", "details")
    dispute["state_context"] = {}  # an appeal undoes the decision
    dispute["response"] = {**pick(body, *names), "created_at": write_time(call.now)}
    _enter(call, dispute, "ARBITRATION_PENDING")
    return Answer(200, view(dispute))


attachments.serve(operations, _ONE, _asked)

ROUTES: Final = operations.routes
