"""Settlements: what captures and refunds become, and the payouts they are paid out in.

Each merchant has one open batch per currency. Entries go into it as they arise and its totals are kept with it, so
that closing it, which makes it a payout, costs the same for one entry as for a million. Entries stand in the folder of
their batch; an order has a folder that says where its entries are.
"""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.state import Document
from capstan.sandbox.web import Call

SCHEDULE: Final = timedelta(days=7)  # a payout is made that long after the first entry of its batch
BATCHES: Final = "settlement-batches"  # by payment reference; with a payout_date they are payouts
_OPEN: Final = "settlement-open"  # currency -> the batch that takes entries
_DEBT: Final = "settlement-debt"  # currency -> what the merchant owes from payouts below zero

# What a sale costs: a share of its amount and a fixed part, and value-added tax on both, but for the US.
FEE_HUNDREDTHS_OF_PERCENT: Final = 299
FEE_FIXED: Final = 30
VAT_RATE: Final = 2000  # two implied decimals

_LETTERS: Final = string.ascii_uppercase + string.digits
_TOTALS: Final = {"SALE": "sale_amount", "RETURN": "return_amount", "FEE": "fee_amount", "TAX": "tax_amount"}
# settlement = the sum of these; the rest says where a debt comes from and goes.
_SIGNS: Final[Mapping[str, int]] = {
    "sale_amount": 1, "return_amount": -1, "reversal_amount": -1, "fee_amount": -1, "fee_correction_amount": 1,
    "commission_amount": 1, "tax_amount": -1, "charge_amount": -1, "credit_amount": 1, "repay_amount": -1,
    "holdback_amount": -1, "release_amount": 1, "fee_refund_amount": 1,
}  # fmt: skip


def entries_of(batch: str) -> str:
    """The folder of a batch's entries."""
    return f"settlement-entries/{batch}"


def entries_of_order(order_id: str) -> str:
    """The folder that says in which batch each entry of an order is."""
    return f"settlement-order/{order_id}"


# --- what comes in


def record(
    call: Call,
    kind: Literal["SALE", "RETURN"],
    order: Document,
    *,
    amount: int,
    capture: Document | None = None,
    refund: Document | None = None,
) -> None:
    """Note a capture or a refund for the next payout. A sale brings its fees and the tax on them."""
    if amount == 0:
        return
    batch = _open_batch(call, order["purchase_currency"])
    common = _common(call, order, capture, refund)
    detailed = "PURCHASE" if kind == "SALE" else "PURCHASE_RETURN"
    _add(call, batch, {"type": kind, "detailed_type": detailed, "amount": amount, **common})
    if kind == "SALE":
        fees = {"PURCHASE_FEE_PERCENTAGE": _share(amount, FEE_HUNDREDTHS_OF_PERCENT), "PURCHASE_FEE_FIXED": FEE_FIXED}
        _add_fees(call, batch, fees, common)
    call.put(BATCHES, batch["payment_reference"], batch)


def record_fee(call: Call, detailed_type: str, order: Document, capture: Document, *, amount: int) -> None:
    """Note what a service for a capture costs, and the tax on it."""
    batch = _open_batch(call, order["purchase_currency"])
    _add_fees(call, batch, {detailed_type: amount}, _common(call, order, capture, None))
    call.put(BATCHES, batch["payment_reference"], batch)


def _common(call: Call, order: Document, capture: Document | None, refund: Document | None) -> Document:
    """What all entries of one capture or refund share."""
    now = write_time(call.now)
    method = order.get("initial_payment_method") or {}
    found = {
        "order_id": order["order_id"],
        "short_order_id": order.get("klarna_reference"),
        "currency_code": order["purchase_currency"],
        "purchase_country": order.get("purchase_country", ""),
        "shipping_country": (order.get("shipping_address") or {}).get("country"),
        "sale_date": order.get("created_at", now),
        "capture_date": (capture or {}).get("captured_at", now),
        "capture_id": capture["capture_id"] if capture else "",  # empty where there is no capture
        "refund_id": refund["refund_id"] if refund else None,
        "merchant_reference1": order.get("merchant_reference1"),
        "merchant_reference2": order.get("merchant_reference2"),
        "merchant_capture_reference": (capture or {}).get("reference"),
        "merchant_refund_reference": (refund or {}).get("reference"),
        "initial_payment_method_type": method.get("type"),
        "initial_number_of_installments": method.get("number_of_installments"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _add_fees(call: Call, batch: Document, fees: Mapping[str, int], common: Document) -> None:
    """Fees by their detailed type, and one entry with the tax on all of them."""
    rate = 0 if common["purchase_country"] == "US" else VAT_RATE
    taxes = 0
    for detailed_type, fee in fees.items():
        if fee:
            tax = _share(fee, rate)
            taxes += tax
            told = {"detailed_type": detailed_type, "amount": fee, "vat_rate": rate, "vat_amount": tax}
            _add(call, batch, {"type": "FEE", **told, **common})
    if taxes:
        _add(call, batch, {"type": "TAX", "amount": taxes, **common})


def _share(amount: int, hundredths_of_percent: int) -> int:
    """A share of an amount, half a unit rounded up."""
    return (amount * hundredths_of_percent + 5000) // 10000


def _add(call: Call, batch: Document, entry: Document) -> None:
    id_, reference = str(uuid.uuid4()), batch["payment_reference"]
    call.put(entries_of(reference), id_, entry)
    call.put(entries_of_order(entry["order_id"]), id_, {"batch": reference})
    batch["totals"][_TOTALS[entry["type"]]] += entry["amount"]
    batch["_counts"][entry["type"]] = batch["_counts"].get(entry["type"], 0) + 1


# --- batches


def _open_batch(call: Call, currency: str) -> Document:
    """The batch that takes entries in that currency now."""
    close_due(call)
    held = call.get(_OPEN, currency)
    batch = call.get(BATCHES, held["batch"]) if held is not None else None
    if batch is not None:
        return batch
    reference = _new_reference(call)
    batch = {
        "payment_reference": reference, "currency_code": currency, "merchant_settlement_type": "NET",
        "merchant_id": call.account.id, "totals": dict.fromkeys(_SIGNS, 0),
        "_counts": {}, "_since": write_time(call.now),
    }  # fmt: skip
    call.put(_OPEN, currency, {"batch": reference, "since": batch["_since"]})
    return batch


def _new_reference(call: Call) -> str:
    while True:
        reference = "".join(secrets.choice(_LETTERS) for _ in range(8))
        if call.get(BATCHES, reference) is None:
            return reference


def close_due(call: Call) -> None:
    """Pay out what the schedule says, as of the moment it says."""
    for currency, held in list(call.items(_OPEN)):
        due = read_time(held["since"]) + SCHEDULE
        if due <= call.now:
            close(call, currency, held["batch"], due)


def close_all(call: Call) -> list[Document]:
    """Pay out everything that waits, now; the payouts."""
    return [close(call, currency, held["batch"], call.now) for currency, held in list(call.items(_OPEN))]


def close(call: Call, currency: str, reference: str, at: datetime) -> Document:
    """Make the open batch of a currency a payout."""
    batch = call.get(BATCHES, reference)
    assert batch is not None, "an open batch is kept with its entries"
    debt = (call.get(_DEBT, currency) or {"amount": 0})["amount"]
    batch["totals"] = final_totals(batch["totals"], debt)
    batch["payout_date"] = write_time(at.replace(microsecond=0))
    call.put(BATCHES, reference, batch)
    call.put(_DEBT, currency, {"amount": batch["totals"]["closing_debt_balance_amount"]})
    call.state.delete(call.account.id, _OPEN, currency)
    return batch


def final_totals(sums: Mapping[str, int], debt: int) -> dict[str, Any]:
    """The totals of a payout: a debt from earlier ones is paid back first, and one below zero becomes a debt."""
    net = sum(sign * sums[name] for name, sign in _SIGNS.items())
    repay = max(0, min(net, debt))
    deposit = max(0, -net)
    return {
        **sums, "repay_amount": repay, "settlement_amount": net - repay, "tax_refund_amount": 0,
        "deposit_amount": deposit, "opening_debt_balance_amount": debt,
        "closing_debt_balance_amount": debt - repay + deposit,
    }  # fmt: skip
