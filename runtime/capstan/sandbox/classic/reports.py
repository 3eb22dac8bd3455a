"""Settlements v1: reports of payouts, as PDF to print and as CSV for a spreadsheet.

A CSV has one row per transaction. Amounts are minor units with no sign of their own, as in the JSON API: the type says
which way the money goes. A PDF shows units of the currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from capstan.sandbox.classic.family import bad_value, classic_routes
from capstan.sandbox.classic.payouts import entries_of_payout, find_payouts, load_payout, required_period, summarize
from capstan.sandbox.classic.pdf import LEFT, RIGHT, Column, Pdf
from capstan.sandbox.clock import write_time
from capstan.sandbox.spreadsheet import MEDIA_TYPE, write_csv
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call

_PATH: Final = "/settlements/v1/reports"
_COLUMNS: Final = (
    "type", "detailed_type", "amount", "currency_code", "vat_rate", "vat_amount", "sale_date", "capture_date",
    "order_id", "short_order_id", "capture_id", "refund_id", "merchant_reference1", "merchant_reference2",
    "merchant_capture_reference", "merchant_refund_reference", "purchase_country", "shipping_country",
    "initial_payment_method_type", "initial_number_of_installments", "payment_reference", "payout_date",
    "payout_settlement_amount",
)  # fmt: skip
_WHOLE_UNITS: Final = frozenset({"CLP", "ISK", "JPY", "KRW", "VND"})  # currencies without minor units
# In the order in which a reader adds up; the sign is how it enters into the settlement.
_LINES: Final = (
    ("Sales", "sale_amount", 1), ("Returns", "return_amount", -1), ("Reversals", "reversal_amount", -1),
    ("Fees", "fee_amount", -1), ("Fee corrections", "fee_correction_amount", 1),
    ("Fee refunds", "fee_refund_amount", 1),
    ("Tax on fees", "tax_amount", -1), ("Commissions", "commission_amount", 1), ("Charges", "charge_amount", -1),
    ("Credits", "credit_amount", 1), ("Held back", "holdback_amount", -1), ("Released", "release_amount", 1),
    ("Repaid debt", "repay_amount", -1),
)  # fmt: skip
_ALWAYS: Final = frozenset({"sale_amount", "return_amount", "fee_amount", "tax_amount"})

routes = classic_routes()


@routes("GET", f"{_PATH}/payout")
def payout_report(call: Call) -> Answer:
    payout = _asked_payout(call)
    return _pdf(_print_payout(call, payout), f"payout-{payout['payment_reference']}.pdf")


@routes("GET", f"{_PATH}/payout-with-transactions")
def payout_with_transactions(call: Call) -> Answer:
    payout = _asked_payout(call)
    return _csv(_rows(call, [payout]), f"payout-{payout['payment_reference']}-transactions.csv")


@routes("GET", f"{_PATH}/payouts-summary")
def payouts_summary(call: Call) -> Answer:
    start, end = required_period(call)
    period = f"{write_time(start)[:10]}-{write_time(end)[:10]}"
    facts = [("Merchant", f"{call.account.id}, {call.account.name}"), ("From", _moment(write_time(start))),
             ("To", _moment(write_time(end)))]  # fmt: skip
    return _pdf(_print_summary(facts, find_payouts(call, start, end)), f"payouts-{period}.pdf")


@routes("GET", f"{_PATH}/payouts-summary-with-transactions")
def payouts_summary_with_transactions(call: Call) -> Answer:
    start, end = required_period(call)
    period = f"{write_time(start)[:10]}-{write_time(end)[:10]}"
    return _csv(_rows(call, find_payouts(call, start, end)), f"payouts-{period}-transactions.csv")


def _asked_payout(call: Call) -> Document:
    reference = call.first("payment_reference")
    if not reference:
        raise bad_value("payment_reference")
    return load_payout(call, reference)


def _file(content: bytes, media_type: str, name: str) -> Answer:
    return Answer(200, content, (("Content-Disposition", f'attachment; filename="{name}"'),), media_type)


# --- CSV


def _rows(call: Call, payouts: Iterable[Document]) -> Iterable[dict[str, Any]]:
    for payout in payouts:
        of_payout = {"payout_date": payout["payout_date"],
                     "payout_settlement_amount": payout["totals"]["settlement_amount"]}  # fmt: skip
        for entry in entries_of_payout(call, payout):
            yield {**entry, **of_payout}


def _csv(rows: Iterable[dict[str, Any]], name: str) -> Answer:
    return _file(write_csv(_COLUMNS, rows), MEDIA_TYPE, name)


# --- PDF


def _pdf(document: Pdf, name: str) -> Answer:
    return _file(document.render(), "application/pdf", name)


def _print_payout(call: Call, payout: Document) -> Pdf:
    currency, totals = payout["currency_code"], payout["totals"]
    pdf = Pdf(f"Payout {payout['payment_reference']}")
    pdf.heading("Settlement report")
    pdf.facts([
        ("Payment reference", payout["payment_reference"]), ("Paid out", _moment(payout["payout_date"])),
        ("Merchant", f"{call.account.id}, {call.account.name}"), ("Currency", currency),
        ("Settlement type", payout["merchant_settlement_type"]),
    ])  # fmt: skip
    _print_totals(pdf, totals, currency)
    _print_debt(pdf, totals, currency)
    pdf.section("Transactions")
    rows = [(kind, str(number)) for kind, number in payout["_counts"].items()]
    pdf.table([Column("Type", LEFT), Column("Number", RIGHT, right=True)], rows)
    return pdf


def _print_totals(pdf: Pdf, totals: Document, currency: str) -> None:
    rows = [(label, _money(sign * totals[name], currency)) for label, name, sign in _LINES
            if totals[name] or name in _ALWAYS]  # fmt: skip
    rows.append(("Settlement", _money(totals["settlement_amount"], currency)))
    pdf.section("Settlement")
    pdf.table([Column("", LEFT), Column(currency, RIGHT, right=True)], rows, bold_last=True)


def _print_debt(pdf: Pdf, totals: Document, currency: str) -> None:
    opening, closing = totals["opening_debt_balance_amount"], totals["closing_debt_balance_amount"]
    if not opening and not closing:
        return
    amounts = (("Opening balance", opening), ("Repaid", -totals["repay_amount"]), ("Added", totals["deposit_amount"]),
               ("Closing balance", closing))  # fmt: skip
    rows = [(label, _money(amount, currency)) for label, amount in amounts]
    pdf.section("Debt")
    pdf.table([Column("", LEFT), Column(currency, RIGHT, right=True)], rows, bold_last=True)


def _print_summary(facts: Sequence[tuple[str, str]], payouts: Sequence[Document]) -> Pdf:
    pdf = Pdf("Payouts summary")
    pdf.heading("Payouts summary")
    pdf.facts([*facts, ("Payouts", str(len(payouts)))])
    if not payouts:
        pdf.section("No payouts in this period")
        return pdf
    amounts = [Column("Sales", 270, right=True), Column("Returns", 338, right=True), Column("Fees", 403, right=True),
               Column("Tax", 462, right=True), Column("Settlement", RIGHT, right=True)]  # fmt: skip
    pdf.section("By currency")
    pdf.table(
        [Column("Currency", LEFT), *amounts],
        [
            (s["summary_settlement_currency"], *_amounts(s, "summary_total_", s["summary_settlement_currency"]))
            for s in summarize(payouts)
        ],
    )
    pdf.section("Payouts")
    pdf.table(
        [Column("Date", LEFT), Column("Reference", 114), Column("", 183), *amounts],
        [
            (p["payout_date"][:10], p["payment_reference"], p["currency_code"],
             *_amounts(p["totals"], "", p["currency_code"]))
            for p in payouts
        ],
    )  # fmt: skip
    return pdf


def _amounts(totals: Document, prefix: str, currency: str) -> list[str]:
    names = (("sale", 1), ("return", -1), ("fee", -1), ("tax", -1), ("settlement", 1))
    return [_money(sign * totals[f"{prefix}{name}_amount"], currency) for name, sign in names]


def _money(amount: int, currency: str) -> str:
    """In units of the currency: `-1,234.50`."""
    if currency in _WHOLE_UNITS:
        return f"{amount:,}"
    return f"{'-' if amount < 0 else ''}{abs(amount) // 100:,}.{abs(amount) % 100:02d}"


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:16]} UTC"


ROUTES: Final = tuple(routes.routes)
