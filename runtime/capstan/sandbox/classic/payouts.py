"""Settlements v1: payouts and their transactions to read, and the control path that closes payouts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from capstan.sandbox.classic import settlements
from capstan.sandbox.classic.family import bad_value, classic_routes
from capstan.sandbox.clock import read_time
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call, Refusal

_PATH: Final = "/settlements/v1"
_DEFAULT_SIZE: Final = 20
_MAX_SIZE: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_SUMMED: Final = (
    "sale", "return", "reversal", "fee", "fee_correction", "tax", "commission", "repay", "holdback", "release",
    "settlement",
)  # fmt: skip

routes = classic_routes()
control = control_routes()


# --- query parameters


def time_parameter(call: Call, name: str) -> datetime | None:
    """A date or time of the query; a date alone is midnight UTC.

    Raises:
        Refusal: it is neither.
    """
    text = call.first(name)
    if text is None:
        return None
    try:
        return read_time(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:  # a zone can lead out of the calendar
        raise bad_value(name) from error


def required_period(call: Call) -> tuple[datetime, datetime]:
    start, end = time_parameter(call, "start_date"), time_parameter(call, "end_date")
    if start is None or end is None:
        raise bad_value("start_date" if start is None else "end_date")
    return start, end


def _currency(call: Call) -> str | None:
    text = call.first("currency_code")
    if text is not None and not _CURRENCY.fullmatch(text):
        raise bad_value("currency_code")
    return text


def _number(call: Call, name: str, default: int, lowest: int, highest: int) -> int:
    text = call.first(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise bad_value(name)
    return int(text)


# --- what is found


def find_payouts(
    call: Call, start: datetime | None, end: datetime | None, currency: str | None = None
) -> list[Document]:
    """The payouts of a period, both ends included, by their date."""
    dated = [(read_time(batch["payout_date"]), batch) for _, batch in call.items(settlements.BATCHES)
             if "payout_date" in batch and currency in (None, batch["currency_code"])]  # fmt: skip
    found = [pair for pair in dated if (start is None or pair[0] >= start) and (end is None or pair[0] <= end)]
    return [batch for _, batch in sorted(found, key=lambda pair: pair[0])]


def load_payout(call: Call, reference: str) -> Document:
    """Raises Refusal when there is no such payout."""
    batch = call.get(settlements.BATCHES, reference)
    if batch is None or "payout_date" not in batch:
        raise Refusal(404, "NOT_FOUND", f"Payout {reference} cannot be found")
    return batch


def entries_of_payout(call: Call, payout: Document) -> Iterator[Document]:
    """Its transactions, as they are answered."""
    for _, entry in call.items(settlements.entries_of(payout["payment_reference"])):
        yield _view_entry(call, entry, payout)


def summarize(payouts: Sequence[Document]) -> list[dict[str, Any]]:
    """One sum per currency, with the dates of its first and last payout."""
    by_currency: dict[str, list[Document]] = {}
    for payout in payouts:
        by_currency.setdefault(payout["currency_code"], []).append(payout)
    return [
        {
            "summary_settlement_currency": currency,
            "summary_payout_date_start": found[0]["payout_date"],
            "summary_payout_date_end": found[-1]["payout_date"],
            **{f"summary_total_{name}_amount": sum(p["totals"][f"{name}_amount"] for p in found) for name in _SUMMED},
        }
        for currency, found in sorted(by_currency.items())
    ]


def view_payout(call: Call, payout: Document) -> dict[str, Any]:
    query = urlencode({"payment_reference": payout["payment_reference"]})
    return {**view(payout), "transactions": call.url(f"{_PATH}/transactions?{query}")}


def _view_entry(call: Call, entry: Document, batch: Document) -> dict[str, Any]:
    if "payout_date" not in batch:
        return entry
    reference = batch["payment_reference"]
    return {**entry, "payment_reference": reference, "payout": call.url(f"{_PATH}/payouts/{reference}")}


# --- pages


def _page(call: Call, name: str, total: int, cut: Callable[[int, int], list[Any]]) -> Answer:
    """The page that was asked for; `cut` gives what is shown from one place to another."""
    size = _number(call, "size", _DEFAULT_SIZE, 1, _MAX_SIZE)
    offset = _number(call, "offset", 0, 0, 10**15)
    shown = cut(offset, offset + size)
    pagination: dict[str, Any] = {"count": len(shown), "total": total, "offset": offset}
    if offset + size < total:
        pagination["next"] = _page_url(call, size, offset + size)
    if offset > 0:
        pagination["prev"] = _page_url(call, size, max(0, offset - size))
    return Answer(200, {name: shown, "pagination": pagination})


def _page_url(call: Call, size: int, offset: int) -> str:
    """The request's own address with another offset; whatever else was asked for stays."""
    kept = [(name, values[0]) for name, values in call.request.query.items() if name not in ("size", "offset")]
    return call.url(f"{call.request.path}?{urlencode([*kept, ('size', size), ('offset', offset)])}")


# --- operations


@routes("GET", f"{_PATH}/payouts")
def get_payouts(call: Call) -> Answer:
    start, end = time_parameter(call, "start_date"), time_parameter(call, "end_date")
    found = find_payouts(call, start, end, _currency(call))
    return _page(call, "payouts", len(found), lambda begin, end: [view_payout(call, p) for p in found[begin:end]])


@routes("GET", f"{_PATH}/payouts/summary")
def get_payout_summary(call: Call) -> Answer:
    return Answer(200, summarize(find_payouts(call, *required_period(call), _currency(call))))


@routes("GET", f"{_PATH}/payouts/{{payment_reference}}")
def get_payout(call: Call) -> Answer:
    return Answer(200, view_payout(call, load_payout(call, call.params["payment_reference"])))


@routes("GET", f"{_PATH}/transactions")
def get_transactions(call: Call) -> Answer:
    """Of a payout, of an order, of both, or all. What waits for its payout has no payment reference yet."""
    folders = _places(call, call.first("payment_reference"), call.first("order_id"))

    def cut(begin: int, end: int) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = []
        for reference, ids in folders:
            wanted = ids[max(0, begin) : max(0, end)]
            batch = call.get(settlements.BATCHES, reference) if wanted else None
            for id_ in wanted:
                entry = call.get(settlements.entries_of(reference), id_)
                shown.append(_view_entry(call, entry or {}, batch or {}))
            begin, end = begin - len(ids), end - len(ids)
        return shown

    return _page(call, "transactions", sum(len(ids) for _, ids in folders), cut)


def _places(call: Call, reference: str | None, order_id: str | None) -> list[tuple[str, list[str]]]:
    """Batches with the ids of the entries that are asked for, in the order they came."""
    if order_id is not None:
        by_batch: dict[str, list[str]] = {}
        for id_, held in call.items(settlements.entries_of_order(order_id)):
            by_batch.setdefault(held["batch"], []).append(id_)
    else:
        names = call.ids(settlements.BATCHES) if reference is None else [reference]
        by_batch = {name: call.ids(settlements.entries_of(name)) for name in names}
    if reference is None:
        return list(by_batch.items())
    return [(reference, by_batch.get(reference, []))] if _is_paid(call, reference) else []


def _is_paid(call: Call, reference: str) -> bool:
    return "payout_date" in (call.get(settlements.BATCHES, reference) or {})


# --- what the operator does


@control("POST", "/sandbox/payouts/close")
def close_payouts(call: Call) -> Answer:
    """Pay out everything that waits: of every merchant, or of one (`{"merchant": "M100001"}`)."""
    merchant = read_options(call, merchant=str).get("merchant")
    accounts = call.accounts.all() if merchant is None else [call.accounts.get(merchant)]
    payouts = []
    for account in accounts:
        if account is None:
            raise Refusal(404, "NOT_FOUND", f"There is no merchant {merchant}")
        as_merchant = replace(call, account=account)
        payouts += [view_payout(as_merchant, payout) for payout in settlements.close_all(as_merchant)]
    return Answer(200, {"payouts": payouts})


ROUTES: Final = (*routes.routes, *control.routes)
