"""A payment transaction: its document, its states, its amounts. Every change of one goes through here.

At all times 0 <= refunded + charged back <= captured <= amount, for the transaction and for each of its captures.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import conflict, krn
from capstan.sandbox.network.operations import ACCOUNT
from capstan.sandbox.network.timers import clear_timer, on_timer, set_timer
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Call

KIND: Final = "network-transactions"
CAPTURES: Final = "network-captures"
REFUNDS: Final = "network-refunds"
CHARGEBACKS: Final = "network-chargebacks"
ENTRIES: Final = "network-entries"  # what settlements will take up
MAX_EACH: Final = 200
LIFE: Final = timedelta(days=28)  # of an authorization: this sandbox's choice, the classic orders' default
LONGEST: Final = timedelta(days=180)  # so far ahead it can be extended: this sandbox's choice, as for classic orders
REVIVABLE: Final = timedelta(days=7)


def new_transaction(call: Call, amount: int, currency: str, fields: dict[str, Any]) -> Document:
    """An authorized one."""
    id_, now = krn(call.account, "payment", "eu1", "transaction"), write_time(call.now)
    transaction = {
        "payment_transaction_id": id_, **fields, "state": "AUTHORIZED", "amount": amount, "currency": currency,
        "captured_amount": 0, "refunded_amount": 0, "charged_back_amount": 0, "voided_amount": 0,
        "remaining_authorized_amount": amount, "payment_captures": [], "payment_refunds": [],
        "payment_chargebacks": [], "created_at": now, "updated_at": now,
        "expires_at": write_time(call.now + LIFE), "_account": call.params[ACCOUNT],
    }  # fmt: skip
    store(call, transaction)
    set_timer(call, KIND, id_, call.now + LIFE)
    _tell(call, transaction)
    return transaction


def load_transaction(call: Call, id_: str) -> Document | None:
    """A transaction as of now."""
    transaction = call.get(KIND, id_)
    if transaction is None:
        return None
    if transaction["state"] == "AUTHORIZED" and call.now >= read_time(transaction["expires_at"]):
        transaction["remaining_authorized_amount"] = 0
        move(call, transaction, "EXPIRED")
    return transaction


@on_timer(KIND)
def _expire(call: Call, id_: str) -> None:
    transaction = load_transaction(call, id_)
    if transaction is not None and transaction["state"] == "AUTHORIZED":  # it was extended meanwhile
        set_timer(call, KIND, id_, read_time(transaction["expires_at"]))


def store(call: Call, transaction: Document) -> None:
    transaction["updated_at"] = write_time(call.now)
    call.put(KIND, transaction["payment_transaction_id"], transaction)


def move(call: Call, transaction: Document, state: str) -> None:
    """Change the state, store the transaction and tell of it."""
    transaction |= {"previous_state": transaction["state"], "state": state}
    if state != "AUTHORIZED":
        clear_timer(call, KIND, transaction["payment_transaction_id"])
    store(call, transaction)
    _tell(call, transaction)


def summary(transaction: Document) -> dict[str, Any]:
    """What events and other documents say of a transaction."""
    names = ("payment_transaction_id", "payment_transaction_reference", "state", "previous_state", "amount", "currency",
             "captured_amount", "refunded_amount", "remaining_authorized_amount")  # fmt: skip
    return pick(transaction, *names)


def _tell(call: Call, transaction: Document, event: str = "", **more: Any) -> None:
    event = event or f"state-change.{transaction['state'].lower()}"
    fire(call, f"payment.transaction.{event}", {**summary(transaction), **more}, transaction["_account"])


def tell_funding(call: Call, transaction: Document, state: str) -> None:
    transaction["funding_state"] = state
    store(call, transaction)
    payload = {**summary(transaction), "funding_state": state}
    fire(call, f"payment.funding.state-change.{state.lower()}", payload, transaction["_account"])


# --- amounts


def capture(
    call: Call, transaction: Document, amount: int | None, details: dict[str, Any], *, release: bool
) -> Document:
    """Take an amount, or all that is left; `release` gives up the rest.

    Raises:
        Refusal: 409, the state or the amounts do not allow it.
    """
    if transaction["state"] != "AUTHORIZED":
        raise conflict(f"The payment transaction is {transaction['state']}: it cannot be captured")
    left = transaction["remaining_authorized_amount"]
    taken = left if amount is None else amount
    if taken > left:
        raise conflict(f"The capture of {taken} is above the {left} that is left of the authorization")
    _must_have_room(transaction["payment_captures"], "captures")
    made = _made(call, transaction, "capture", CAPTURES, {
        "capture_amount": taken, "refunded_amount": 0, "charged_back_amount": 0, **details,
    })  # fmt: skip
    transaction["captured_amount"] += taken
    transaction["remaining_authorized_amount"] = 0 if release else left - taken
    if release:
        transaction["voided_amount"] += left - taken
    _tell(call, transaction, "captured", payment_capture_id=made["payment_capture_id"], capture_amount=taken)
    _record(call, transaction, "CAPTURE", taken, made["payment_capture_id"])
    store(call, transaction)
    if transaction["remaining_authorized_amount"] == 0:
        move(call, transaction, "COMPLETED")
    return made


def refund(
    call: Call, transaction: Document, amount: int | None, details: dict[str, Any], of: Document | None
) -> Document:
    """Give back an amount, or all that was captured; of one capture, or of all, the oldest first.

    Raises:
        Refusal: 409, nothing or less was captured.
    """
    _must_have_room(transaction["payment_refunds"], "refunds")
    given = _room(call, transaction, of) if amount is None else amount
    shares = _give_back(call, transaction, given, of, "refund")
    made = _made(call, transaction, "refund", REFUNDS, {"refund_amount": given, **details, "payment_captures": shares})
    transaction["refunded_amount"] += given
    store(call, transaction)
    _tell(call, transaction, "refunded", payment_refund_id=made["payment_refund_id"], refund_amount=given)
    _record(call, transaction, "REFUND", given, made["payment_refund_id"])
    return made


def charge_back(call: Call, transaction: Document, amount: int, reason: str) -> Document:
    """Klarna takes an amount back from the partner."""
    shares = _give_back(call, transaction, amount, None, "chargeback")
    details = {"chargeback_amount": amount, "reason": reason, "payment_captures": shares}
    made = _made(call, transaction, "chargeback", CHARGEBACKS, details)
    transaction["charged_back_amount"] += amount
    store(call, transaction)
    told = {"payment_chargeback_id": made["payment_chargeback_id"], "chargeback_amount": amount}
    _tell(call, transaction, "chargeback", **told)
    _record(call, transaction, "CHARGEBACK", amount, made["payment_chargeback_id"])
    return made


def returnable(transaction: Document) -> int:
    """What can still be refunded or charged back."""
    left: int = transaction["captured_amount"] - transaction["refunded_amount"] - transaction["charged_back_amount"]
    return left


def _captures(call: Call, transaction: Document, of: Document | None) -> list[Document]:
    if of is not None:
        return [of]
    found = (call.get(CAPTURES, held["payment_capture_id"]) for held in transaction["payment_captures"])
    return [held for held in found if held is not None]


def _room(call: Call, transaction: Document, of: Document | None) -> int:
    return sum(_left(held) for held in _captures(call, transaction, of))


def _left(capture: Document) -> int:
    left: int = capture["capture_amount"] - capture["refunded_amount"] - capture["charged_back_amount"]
    return left


def _give_back(call: Call, transaction: Document, amount: int, of: Document | None, what: str) -> list[dict[str, Any]]:
    """Allot what goes back to the captures it was taken with."""
    room = _room(call, transaction, of)
    if amount > room or amount <= 0:
        raise conflict(f"The {what} of {amount} is above the {room} that was captured and not given back")
    shares, left = [], amount
    for held in _captures(call, transaction, of):
        share = min(left, _left(held))
        if share:
            held["refunded_amount" if what == "refund" else "charged_back_amount"] += share
            call.put(CAPTURES, held["payment_capture_id"], held)
            shares.append({"payment_capture_id": held["payment_capture_id"], "amount": share})
            left -= share
    return shares


def void(call: Call, transaction: Document) -> None:
    """Give up what is left of the authorization. That ends it, so that the limit of 200 voids is never met."""
    if transaction["state"] != "AUTHORIZED":
        raise conflict(f"The payment transaction is {transaction['state']}: it cannot be voided")
    transaction["voided_amount"] += transaction["remaining_authorized_amount"]
    transaction["remaining_authorized_amount"] = 0
    move(call, transaction, "COMPLETED" if transaction["payment_captures"] else "CLOSED")


def reauthorize(call: Call, transaction: Document, days: int, amount: int | None) -> None:
    """Extend an authorization, or revive an expired one; `amount` is its new total.

    Raises:
        Refusal: 409, it is over for good, or below what was captured.
    """
    expiry, state = read_time(transaction["expires_at"]), transaction["state"]
    if state not in ("AUTHORIZED", "EXPIRED") or (state == "EXPIRED" and call.now >= expiry + REVIVABLE):
        raise conflict(f"The payment transaction is {state}: it cannot be authorized again")
    total = transaction["amount"] if amount is None else amount
    if total < transaction["captured_amount"]:
        raise conflict(f"The amount of {total} is below the {transaction['captured_amount']} that was captured")
    due = max(expiry, call.now) + timedelta(days=days)
    if due > call.now + LONGEST:
        raise conflict(f"An authorization cannot reach further ahead than {LONGEST.days} days")
    left = total - transaction["captured_amount"]
    transaction |= {"amount": total, "remaining_authorized_amount": left, "expires_at": write_time(due)}
    if left == 0:
        move(call, transaction, "COMPLETED")
        return
    set_timer(call, KIND, transaction["payment_transaction_id"], due)
    if state == "EXPIRED":
        move(call, transaction, "AUTHORIZED")
    else:
        store(call, transaction)


def _must_have_room(made: list[Any], what: str) -> None:
    if len(made) >= MAX_EACH:
        raise conflict(f"There are {MAX_EACH} {what}, which is as many as there can be")


def _made(call: Call, transaction: Document, name: str, kind: str, fields: dict[str, Any]) -> Document:
    """A capture, refund or chargeback, stored, and listed by the transaction in short."""
    id_name = f"payment_{name}_id"
    document = {
        id_name: krn(call.account, "payment", "eu1", name),
        "payment_transaction_id": transaction["payment_transaction_id"], "currency": transaction["currency"], **fields,
        "created_at": write_time(call.now), "_account": transaction["_account"],
    }  # fmt: skip
    call.put(kind, document[id_name], document)
    transaction[f"payment_{name}s"].append({n: document[n] for n in (id_name, f"{name}_amount", "created_at")})
    return document


def _record(call: Call, transaction: Document, kind: str, amount: int, id_: str) -> None:
    """An entry for the next settlement."""
    call.put(ENTRIES, id_, {
        "type": kind, "amount": amount, "currency": transaction["currency"], "occurred_at": write_time(call.now),
        "payment_transaction_id": transaction["payment_transaction_id"], "reference_id": id_,
        "payment_transaction_reference": transaction.get("payment_transaction_reference", ""),
        "partner_account_id": transaction["_account"],
        "payment_account_id": transaction.get("acquiring_config", {}).get("payment_account_id", ""),
    })  # fmt: skip
