"""Settlements of the network: what was captured, refunded and charged back, taken together by currency and paid out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network.controls import as_account
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import choice_of, conflict, forbidden, invalid, krn, read_body, time_of
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import among, moment, page
from capstan.sandbox.network.partners import KIND as ACCOUNTS
from capstan.sandbox.network.partners import own_id
from capstan.sandbox.network.resources import find, of_account
from capstan.sandbox.network.transactions import ENTRIES
from capstan.sandbox.spreadsheet import MEDIA_TYPE, write_csv
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call

KIND: Final = "network-settlements"
_PATH: Final = "/v2/settlements"
_ONE: Final = f"{_PATH}/{{settlement_id}}"
_SIGNS: Final = {"CAPTURE": 1, "REFUND": -1, "CHARGEBACK": -1}
_COLUMNS: Final = ("type", "amount", "currency", "occurred_at", "payment_transaction_id", "reference_id",
                   "payment_transaction_reference", "partner_account_id", "payment_account_id")  # fmt: skip
_NEXT: Final = {"PENDING": ("PROCESSED", "FAILED"), "PROCESSED": ("CONFIRMED", "FAILED"), "CONFIRMED": (), "FAILED": ()}

operations = Operations()


def settle(call: Call, start: datetime | None, end: datetime, acquiring: str | None) -> list[Document]:
    """Take up what is due, one settlement for each currency."""
    accounts = None if acquiring is None else _payment_accounts(call, acquiring)
    due: dict[str, list[Document]] = {}
    for _, entry in call.items(ENTRIES):
        at = read_time(entry["occurred_at"])
        mine = accounts is None or entry["payment_account_id"] in accounts
        if mine and at < end and (start is None or at >= start):
            due.setdefault(entry["currency"], []).append(entry)
    return [_settlement(call, currency, entries, start, end, acquiring) for currency, entries in sorted(due.items())]


def _payment_accounts(call: Call, acquiring: str) -> set[str]:
    return {
        held["payment_account_id"]
        for _, account in call.items(ACCOUNTS) for product in account["products"]
        for held in product["payment_accounts"] if held.get("payment_acquiring_account_id") == acquiring
    }  # fmt: skip


def _settlement(
    call: Call, currency: str, entries: list[Document], start: datetime | None, end: datetime, acquiring: str | None
) -> Document:
    id_ = krn(call.account, "settlement", "global", "report")
    totals = {kind: sum(e["amount"] for e in entries if e["type"] == kind) for kind in _SIGNS}
    since = write_time(start) if start is not None else min(e["occurred_at"] for e in entries)
    settlement = {
        "settlement_id": id_, "currency": currency, "interval_start": since, "interval_end": write_time(end),
        **({"payment_acquiring_account_id": acquiring} if acquiring else {}), "transaction_count": len(entries),
        "captured_amount": totals["CAPTURE"], "refunded_amount": totals["REFUND"],
        "charged_back_amount": totals["CHARGEBACK"],
        "payout_amount": sum(sign * totals[kind] for kind, sign in _SIGNS.items()),  # no fees are taken
        "created_at": write_time(call.now), "_account": own_id(call.account), "_status": "PENDING",
    }  # fmt: skip
    call.put(KIND, id_, settlement)
    for entry in entries:
        call.state.delete(call.account.id, ENTRIES, entry["reference_id"])
        call.put(_folder(id_), entry["reference_id"], entry)
    fire(call, "settlement.report.created", view(settlement), settlement["_account"])
    return settlement


def _folder(settlement_id: str) -> str:
    return f"network-settled/{settlement_id}"


def _asked(call: Call) -> Document:
    return find(call, KIND, call.params["settlement_id"], "The settlement")


def _only_in_test(call: Call) -> None:
    if call.account.environment == "live":
        raise forbidden("Live settlements follow the schedule")


@operations("GET", _PATH)
def list_settlements(call: Call) -> Answer:
    start, end = moment(call, "interval_start"), moment(call, "interval_end")
    found = [
        view(held) for held in of_account(call, KIND)
        if (start is None or read_time(held["interval_end"]) >= start)
        and (end is None or read_time(held["interval_end"]) < end)
    ]  # fmt: skip
    same = {name: (name, None) for name in ("currency", "payment_acquiring_account_id")}
    return page(call, "settlements", among(call, found, same), "settlement_id", size=None)


@operations("POST", _PATH)
def generate(call: Call) -> Answer:
    _only_in_test(call)
    body = read_body(call, "generate-settlement-report")
    start, end = _time(body, "interval_start"), _time(body, "interval_end") or call.now
    if start is not None and start >= end:
        raise invalid("interval_end", "must be after interval_start")
    made = settle(call, start, end, body.get("payment_acquiring_account_id"))
    return Answer(201, {"settlement_reports": [view(held) for held in made]})


def _time(body: dict[str, Any], name: str) -> datetime | None:
    return time_of(body[name], name) if name in body else None


@operations("GET", _ONE)
def read(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


def _entries(call: Call) -> list[dict[str, Any]]:
    return [entry for _, entry in call.items(_folder(_asked(call)["settlement_id"]))]


@operations("GET", f"{_ONE}/transactions")
def list_transactions(call: Call) -> Answer:
    return page(call, "transactions", _entries(call), "reference_id")


@operations("GET", f"{_ONE}/csv")
def download(call: Call) -> Answer:
    return Answer(200, write_csv(_COLUMNS, _entries(call)), media_type=MEDIA_TYPE)


def _payout(settlement: Document) -> dict[str, Any]:
    return {
        "settlement_id": settlement["settlement_id"], "status": settlement["_status"],
        "amount": settlement["payout_amount"], "currency": settlement["currency"],
        **{n: settlement[f"_{n}"] for n in ("payout_bank_account_reference", "updated_at") if f"_{n}" in settlement},
    }  # fmt: skip


@operations("GET", f"{_ONE}/payouts/status")
def read_payout(call: Call) -> Answer:
    return Answer(200, _payout(_asked(call)))


@operations("POST", f"{_ONE}/payouts/set-status")
def set_payout(call: Call) -> Answer:
    settlement = _asked(call)
    _only_in_test(call)
    body = read_body(call, "set-payout-status")
    status = choice_of(body, "status", ("PROCESSED", "CONFIRMED", "FAILED"))
    if status not in _NEXT[settlement["_status"]]:
        raise conflict(f"The payout is {settlement['_status']}")
    settlement |= {"_status": status, "_updated_at": write_time(call.now)}
    if "payout_bank_account_reference" in body:
        settlement["_payout_bank_account_reference"] = body["payout_bank_account_reference"]
    call.put(KIND, settlement["settlement_id"], settlement)
    fire(call, f"settlement.payout.{status.lower()}", _payout(settlement), call.params[ACCOUNT])
    return Answer(200, _payout(settlement))


control = control_routes()


@control("POST", "/sandbox/network/settlements")
def run_schedule(call: Call) -> Answer:
    """The day of settlement comes, also for a live partner: `{"account": "P400001"}`."""
    call = as_account(call, read_options(call, account=str), "account")
    return Answer(201, {"settlement_reports": [view(held) for held in settle(call, None, call.now, None)]})


ROUTES: Final = (*operations.routes, *control.routes)
