"""Disputes of the framework of 2026, on the merchants' hosts.

INITIATED -> REPRESENTMENT -> PRE_ARBITRATION -> ARBITRATION -> CLOSED; from all but the last they can be closed too.

A dispute belongs to whoever's credentials they are: a merchant (a classic order) or a partner (a payment transaction).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network import attachments
from capstan.sandbox.network.disputes import charge_back
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import REGIONAL, amount_of, conflict, forbidden, invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import among, between, in_order, page, values
from capstan.sandbox.network.resources import find_now, of_account
from capstan.sandbox.network.timers import clear_timer, on_timer, set_timer
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call

KIND: Final = "network-disputes-v4"
REASONS: Final = (
    "REFUND_NOT_PROCESSED", "PRODUCTS_OR_SERVICES_NOT_RECEIVED", "PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED",
    "INCORRECT_AMOUNT", "PURCHASE_HIGH_RISK", "PURCHASE_UNAUTHORIZED", "NON_COMPLIANCE",
    "NON_GUARANTEED_PAYMENT_PROGRAM",
)  # fmt: skip
STATES: Final = ("INITIATED", "REPRESENTMENT", "PRE_ARBITRATION", "ARBITRATION", "CLOSED")
_ENROLLED: Final = "network-disputes-enrolled"
_ANSWERED_BY_PARTNER: Final = ("INITIATED", "PRE_ARBITRATION")  # where a deadline runs against it
_DAYS: Final = 14  # for evidence and appeals: this sandbox's choice
_PATH: Final = "/v4/payment/disputes"
_ONE: Final = f"{_PATH}/{{payment_dispute_id}}"
_ABOUT: Final = ("payment_transaction_id", "order_id", "payment_capture_reference", "capture_id", "purchase_reference",
                 "payment_transaction_reference", "payment_account_id")  # fmt: skip

operations = Operations(REGIONAL)


def open_dispute(call: Call, about: dict[str, Any], reason: str, amount: int, currency: str, evidence: str) -> Document:
    """A customer objects to an order or a transaction."""
    id_, now = krn(call.account, "payment", "eu1", "dispute"), write_time(call.now)
    due = call.now + timedelta(days=_DAYS)
    dispute = {
        "payment_dispute_id": id_, "dispute_reason": reason, "state": "INITIATED", "previous_state": None,
        "state_context": {}, **{name: about.get(name) for name in _ABOUT},
        "representment": {"evidence_response_deadline_at": write_time(due)}, "arbitration": {},
        "dispute_details": {"dispute_amount": amount, "currency": currency},
        "customer_evidences": [{
            "payment_dispute_customer_evidence_id": krn(call.account, "payment", "eu1", "dispute-evidence"),
            "comment": evidence, "created_at": now,
        }],
        "configuration": {"base_framework": "FRAMEWORK_2026"}, "created_at": now, "updated_at": now,
        "_account": call.params[ACCOUNT], "_due": write_time(due),
    }  # fmt: skip
    set_timer(call, KIND, id_, due)
    _store(call, dispute)
    _tell(call, dispute)
    return dispute


def load_dispute(call: Call, id_: str) -> Document | None:
    """A dispute as of now: one that is not answered in time is lost."""
    dispute = call.get(KIND, id_)
    if dispute is not None and dispute["state"] in _ANSWERED_BY_PARTNER and call.now >= read_time(dispute["_due"]):
        close(call, dispute, "LOST")
    return dispute


@on_timer(KIND)
def _pass(call: Call, id_: str) -> None:
    dispute = load_dispute(call, id_)
    if dispute is not None and dispute["state"] in _ANSWERED_BY_PARTNER:  # the deadline was moved meanwhile
        set_timer(call, KIND, id_, read_time(dispute["_due"]))


def decide(call: Call, dispute: Document, outcome: str) -> None:
    """Klarna decides. A lost representment can be appealed; everything else is final."""
    if dispute["state"] == "REPRESENTMENT" and outcome == "LOST":
        dispute["_due"] = write_time(call.now + timedelta(days=_DAYS))
        dispute["arbitration"] = {"appeal_deadline_at": dispute["_due"]}
        set_timer(call, KIND, dispute["payment_dispute_id"], read_time(dispute["_due"]))
        _enter(call, dispute, "PRE_ARBITRATION")
    else:
        close(call, dispute, outcome)


def close(call: Call, dispute: Document, outcome: str) -> None:
    dispute |= {"state_context": {"dispute_outcome": outcome}, "closed_at": write_time(call.now)}
    if outcome == "LOST":
        charge_back(call, dispute, dispute["dispute_details"]["dispute_amount"], dispute["dispute_reason"])
    _enter(call, dispute, "CLOSED")


def extend(call: Call, dispute: Document, days: int) -> None:
    """Klarna gives more time for evidence."""
    before = dispute["representment"]["evidence_response_deadline_at"]
    dispute["_due"] = write_time(call.now + timedelta(days=days))
    dispute["representment"]["evidence_response_deadline_at"] = dispute["_due"]
    set_timer(call, KIND, dispute["payment_dispute_id"], read_time(dispute["_due"]))
    _store(call, dispute)
    names = ("payment_dispute_id", "order_id", "payment_transaction_id", "state", "updated_at", "configuration")
    payload = {name: dispute[name] for name in names} | {
        "currency": dispute["dispute_details"]["currency"],
        "updated_fields": {"evidence_response_deadline_at": dispute["_due"]},
        "previous_fields": {"evidence_response_deadline_at": before},
    }
    event = "payment.dispute.updated.representment-deadline-extended"
    fire(call, event, payload, dispute["_account"], version="v4")


def _enter(call: Call, dispute: Document, state: str) -> None:
    dispute |= {"previous_state": dispute["state"], "state": state}
    if state not in _ANSWERED_BY_PARTNER:
        clear_timer(call, KIND, dispute["payment_dispute_id"])
    _store(call, dispute)
    _tell(call, dispute)


def _store(call: Call, dispute: Document) -> None:
    dispute["updated_at"] = write_time(call.now)
    call.put(KIND, dispute["payment_dispute_id"], dispute)


def _tell(call: Call, dispute: Document) -> None:
    event = f"payment.dispute.state-change.{dispute['state'].lower().replace('_', '-')}"
    payload = {name: value for name, value in view(dispute).items() if name != "customer_evidences"}
    fire(call, event, payload, dispute["_account"], version="v4")


# --- operations


@operations("POST", f"{_PATH}/merchants/{{merchant_id}}/enroll")
def enroll_merchant(call: Call) -> Answer:
    if not call.account.username or call.params["merchant_id"] != call.account.id:
        raise forbidden("Merchants enroll themselves")
    call.put(_ENROLLED, call.account.id, {"enrolled_at": write_time(call.now)})
    return Answer(204)


@operations("POST", f"{_PATH}/partners/{{partner_id}}/enroll")
def enroll_partner(call: Call) -> Answer:
    if call.account.username or call.params["partner_id"] not in (call.account.id, call.params[ACCOUNT]):
        raise forbidden("Partners enroll themselves")
    body = read_body(call, "enroll-partner")
    call.put(_ENROLLED, call.account.id, {"enrolled_at": write_time(call.now), "client_id": body["client_id"]})
    return Answer(204)


def _asked(call: Call) -> Document:
    return find_now(call, KIND, call.params["payment_dispute_id"], "The dispute", load_dispute)


@operations("GET", _PATH)
def list_disputes(call: Call) -> Answer:
    for name, known in (("state", STATES), ("reason", REASONS)):
        if any(value not in known for value in values(call, name)):
            raise invalid(name, f"must be one of: {', '.join(known)}")
    loaded = (load_dispute(call, held["payment_dispute_id"]) for held in of_account(call, KIND))
    found = among(call, [view(held) for held in loaded if held is not None], {
        "order_ids": ("order_id", 100), "payment_transaction_ids": ("payment_transaction_id", 100),
        "state": ("state", None), "reason": ("dispute_reason", None), "purchase_references": ("purchase_reference", 10),
    })  # fmt: skip
    for field in ("created_at", "closed_at", "updated_at"):
        found = between(call, found, field)
    found = in_order(call, found, ("created_at", "updated_at", "closed_at"))
    return page(call, "disputes", found, "payment_dispute_id")


@operations("GET", _ONE)
def read(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


def _in_state(dispute: Document, *states: str) -> None:
    if dispute["state"] not in states:
        raise conflict(f"The dispute is {dispute['state']}")


@operations("POST", f"{_ONE}/accept-loss")
def accept_loss(call: Call) -> Answer:
    dispute = _asked(call)
    _in_state(dispute, "INITIATED", "PRE_ARBITRATION")
    close(call, dispute, "LOST")
    return Answer(202, view(dispute))


@operations("POST", f"{_ONE}/represent")
def represent(call: Call) -> Answer:
    dispute = _asked(call)
    body = read_body(call, "represent-dispute-v4")
    if not body["attachments"]:
        raise invalid("attachments", "must not be empty")
    proposed = amount_of(body, "partner_proposed_refund_amount")
    if proposed is not None and proposed >= dispute["dispute_details"]["dispute_amount"]:
        raise invalid("partner_proposed_refund_amount", "is not below the amount that is disputed")
    return _answer(call, dispute, body, "INITIATED", "REPRESENTMENT")


@operations("POST", f"{_ONE}/appeal")
def appeal(call: Call) -> Answer:
    dispute = _asked(call)
    return _answer(call, dispute, read_body(call, "appeal-dispute-v4"), "PRE_ARBITRATION", "ARBITRATION")


def _answer(call: Call, dispute: Document, body: dict[str, Any], before: str, after: str) -> Answer:
    """What the partner says goes to the part of the dispute that the new state is named for."""
    _in_state(dispute, before)
    attachments.check_listed(call, dispute, body.get("attachments", []))
    names = ("additional_information", "attachments", "partner_proposed_refund_amount")
    said = {**pick(body, *names), "created_at": write_time(call.now)}
    dispute[after.lower()] |= said
    _enter(call, dispute, after)
    return Answer(201, {"additional_information": "", "attachments": [], **said, "state": after})


attachments.serve(operations, _ONE, _asked, ("pdf", "jpeg", "jpg", "png", "docx"))

ROUTES: Final = operations.routes
