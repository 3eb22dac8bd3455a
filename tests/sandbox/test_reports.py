"""Reports open in what they are for, and say the same as the JSON API."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from capstan.sandbox.app import App
from capstan.sandbox.classic.pdf import LEFT, RIGHT, Column, Pdf
from capstan.sandbox.classic.reports import _money
from capstan.sandbox.spreadsheet import _cell
from sandbox.client import Client
from sandbox.test_settlements import close, sell, transactions

REPORTS = "/settlements/v1/reports"
ALWAYS = "start_date=2020-01-01&end_date=2999-01-01"


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def pages_of(content: bytes) -> list[str]:
    """The text of each page, after the file was read as a PDF reader does: from its end, by its table of places."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", content)[1])
    table = content[start:].decode().splitlines()
    assert table[0] == "xref"
    count = int(table[1].split()[1])
    objects = {}
    for number in range(1, count):
        place = int(table[2 + number].split()[0])
        body = content[place:].partition(b"\nendobj\n")[0]
        assert body.startswith(f"{number} 0 obj\n".encode())
        objects[number] = body
    kids = re.search(rb"/Kids \[([^\]]*)\] /Count (\d+)", objects[2])
    pages = [int(n) for n in re.findall(rb"(\d+) 0 R", kids[1])]
    assert len(pages) == int(kids[2])
    return [_text_of(objects, int(re.search(rb"/Contents (\d+) 0 R", objects[page])[1])) for page in pages]


def _text_of(objects: dict[int, bytes], number: int) -> str:
    length, stream = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream$", objects[number], re.DOTALL).groups()
    assert int(length) == len(stream)
    shown = re.findall(rb"\(((?:[^\\()]|\\.)*)\) Tj", stream)
    return "\n".join(re.sub(r"\\(.)", r"\1", text.decode("cp1252")) for text in shown)


def test_the_csv_of_a_payout_has_its_transactions(app: App, klarna: Client, control: Client) -> None:
    sell(app, 10_000, refunded=700)
    sell(app, 25_000)
    [payout] = close(control)
    reply = klarna.get(f"{REPORTS}/payout-with-transactions?payment_reference={payout['payment_reference']}")
    assert reply.headers["content-type"].partition(";")[0] == "text/csv"
    assert reply.headers["content-disposition"] == (
        f'attachment; filename="payout-{payout["payment_reference"]}-transactions.csv"'
    )
    rows = rows_of(reply.content)
    by_json = transactions(klarna, payment_reference=payout["payment_reference"])
    assert [(r["type"], int(r["amount"]), r["order_id"]) for r in rows] == [
        (t["type"], t["amount"], t["order_id"]) for t in by_json
    ]
    assert {int(r["payout_settlement_amount"]) for r in rows} == {payout["totals"]["settlement_amount"]}
    assert reply.content.count(b"\r\n") == len(rows) + 1


def test_the_csv_of_a_period_sums_up_to_the_summary(app: App, klarna: Client, control: Client) -> None:
    for amount in (10_000, 20_000, 30_000):
        sell(app, amount, refunded=amount // 10)
        sell(app, amount, currency="SEK", country="SE")
        close(control)
    rows = rows_of(klarna.get(f"{REPORTS}/payouts-summary-with-transactions?{ALWAYS}").content)
    for summary in klarna.get(f"/settlements/v1/payouts/summary?{ALWAYS}").json:
        mine = [r for r in rows if r["currency_code"] == summary["summary_settlement_currency"]]
        for kind in ("SALE", "RETURN", "FEE", "TAX"):
            expected = summary[f"summary_total_{kind.lower()}_amount"]
            assert sum(int(r["amount"]) for r in mine if r["type"] == kind) == expected
    assert sum(int(r["amount"]) for r in rows if r["type"] == "RETURN") == 6_000


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+47", "'+47"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("plain", "plain"),
        (-5, -5),
    ],
)
def test_no_cell_is_a_formula(value: Any, cell: Any) -> None:
    assert _cell(value) == cell


def test_a_csv_cell_may_hold_quotes_commas_and_lines(app: App, klarna: Client, control: Client) -> None:
    reference = 'a "b", c\r\nd; é'
    from capstan.sandbox.classic import settlements

    call = app.internal_call(app.accounts.all()[0])
    order = {"order_id": "o", "purchase_currency": "EUR", "merchant_reference1": reference}
    settlements.record(call, "SALE", order, amount=100, capture={"capture_id": "c"})
    app.settle(call)
    [payout] = close(control)
    path = f"{REPORTS}/payout-with-transactions?payment_reference={payout['payment_reference']}"
    assert {row["merchant_reference1"] for row in rows_of(klarna.get(path).content)} == {reference}


def test_the_pdf_of_a_payout_shows_its_totals(app: App, klarna: Client, control: Client) -> None:
    sell(app, 1_234_567, refunded=4_000)
    [payout] = close(control)
    reference, totals = payout["payment_reference"], payout["totals"]
    reply = klarna.get(f"{REPORTS}/payout?payment_reference={reference}")
    assert reply.headers["content-type"] == "application/pdf"
    assert reply.headers["content-disposition"] == f'attachment; filename="payout-{reference}.pdf"'
    [page] = pages_of(reply.content)
    assert "Sales\n12,345.67" in page
    assert "Returns\n-40.00" in page
    assert f"Settlement\n{totals['settlement_amount'] // 100:,}.{totals['settlement_amount'] % 100:02d}" in page
    assert reference in page
    assert "Debt" not in page


def test_the_pdf_tells_of_a_debt(app: App, klarna: Client, control: Client) -> None:
    sell(app, 0, refunded=5_005)
    [payout] = close(control)
    [page] = pages_of(klarna.get(f"{REPORTS}/payout?payment_reference={payout['payment_reference']}").content)
    assert "Settlement\n-50.05" in page
    assert "Closing balance\n50.05" in page


def test_the_pdf_of_a_period_has_a_line_for_each_payout(app: App, klarna: Client, control: Client) -> None:
    references = []
    for _ in range(60):
        sell(app, 10_000)
        references.append(close(control)[0]["payment_reference"])
    pages = pages_of(klarna.get(f"{REPORTS}/payouts-summary?{ALWAYS}").content)
    assert len(pages) == 2
    assert [re.findall(r"^[A-Z0-9]{8}$", page, re.MULTILINE) for page in pages] == [
        references[: len(re.findall(r"^[A-Z0-9]{8}$", pages[0], re.MULTILINE))],
        references[len(re.findall(r"^[A-Z0-9]{8}$", pages[0], re.MULTILINE)) :],
    ]
    assert "EUR\n6,000.00" in pages[0]  # the sum of all


def test_a_period_without_payouts_has_reports_too(klarna: Client) -> None:
    [page] = pages_of(klarna.get(f"{REPORTS}/payouts-summary?{ALWAYS}").content)
    assert "No payouts in this period" in page
    assert rows_of(klarna.get(f"{REPORTS}/payouts-summary-with-transactions?{ALWAYS}").content) == []


def test_text_of_any_kind_stays_text_in_a_pdf() -> None:
    pdf = Pdf("Title (draft)")
    pdf.table([Column("a", LEFT), Column("b", RIGHT, right=True)], [(") Tj ET \\", "é € 漢\n")])
    [page] = pages_of(pdf.render())
    assert ") Tj ET \\\né € ? " in page


@pytest.mark.parametrize("rows", [1, 38, 39, 40, 200])
def test_no_row_of_a_table_is_lost_between_pages(rows: int) -> None:
    pdf = Pdf("Rows")
    pdf.table([Column("Number", LEFT)], [(f"row {n}",) for n in range(rows)])
    text = "\n".join(pages_of(pdf.render()))
    assert re.findall(r"row (\d+)", text) == [str(n) for n in range(rows)]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_a_pdf_reader_reads_it(app: App, klarna: Client, control: Client, tmp_path: Path) -> None:
    sell(app, 1_234_567)
    [payout] = close(control)
    file = tmp_path / "payout.pdf"
    file.write_bytes(klarna.get(f"{REPORTS}/payout?payment_reference={payout['payment_reference']}").content)
    done = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, check=True, timeout=30)
    assert (b"12,345.67" in done.stdout, done.stderr) == (True, b"")


@pytest.mark.parametrize("report", ["payout", "payout-with-transactions"])
def test_a_payout_must_be_named_and_exist(klarna: Client, report: str) -> None:
    assert klarna.get(f"{REPORTS}/{report}").json["error_messages"] == ["Bad value: payment_reference"]
    assert klarna.get(f"{REPORTS}/{report}").status == 400
    missing = klarna.get(f"{REPORTS}/{report}?payment_reference=XISA93DJ")
    assert (missing.status, missing.json["error_code"]) == (404, "NOT_FOUND")
    assert missing.headers["content-type"] == "application/json"


@pytest.mark.parametrize("report", ["payouts-summary", "payouts-summary-with-transactions"])
def test_a_period_must_be_given(klarna: Client, report: str) -> None:
    assert klarna.get(f"{REPORTS}/{report}?start_date=2026-01-01").json["error_messages"] == ["Bad value: end_date"]
    assert klarna.get(f"{REPORTS}/{report}?start_date=x&end_date=2026-01-01").status == 400


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(0, "EUR", "0.00"), (-5, "EUR", "-0.05"), (-100, "EUR", "-1.00"), (123_456_789, "SEK", "1,234,567.89"),
     (1_500, "JPY", "1,500")],
)  # fmt: skip
def test_money_is_shown_in_units_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert _money(amount, currency) == text
