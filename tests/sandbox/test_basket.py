"""The figures of a purchase must agree with each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from capstan.sandbox.classic.basket import MARKETS, check_purchase
from capstan.sandbox.web import Refusal
from sandbox import baskets
from sandbox.client import Client

Purchase = dict[str, Any]


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    quantity, unit_price = draw(st.integers(0, 50)), draw(st.integers(0, 100_000))
    return baskets.line(
        draw(st.sampled_from(["Shoe", "Ärmel", "靴"])),
        unit_price,
        quantity,
        tax_rate=draw(st.integers(0, 10_000)),
        discount=draw(st.integers(0, quantity * unit_price)),
    )


@st.composite
def purchases(draw: st.DrawFn) -> Purchase:
    country = draw(st.sampled_from(sorted(set(MARKETS) - {"US"})))
    currency, languages = MARKETS[country]
    language = draw(st.sampled_from(["en", *languages.split()]))
    bought = draw(st.lists(lines(), min_size=1, max_size=5))
    return baskets.purchase(*bought, country=country, currency=currency) | {"locale": f"{language}-{country}"}


def refused(purchase: Purchase) -> str:
    with pytest.raises(Refusal) as caught:
        check_purchase(purchase)
    assert (caught.value.status, caught.value.code) == (400, "BAD_VALUE")
    return caught.value.messages[0]


@given(purchases())
def test_a_purchase_built_right_is_accepted(purchase: Purchase) -> None:
    check_purchase(purchase)


@given(purchases(), st.data())
def test_a_line_tax_may_be_rounded_up_or_down(purchase: Purchase, data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(purchase["order_lines"]))
    rate = line["tax_rate"]
    down = line["total_amount"] * rate // (10_000 + rate)
    line["total_tax_amount"] = data.draw(st.sampled_from([down, down + 1]))
    purchase["order_tax_amount"] = sum(entry["total_tax_amount"] for entry in purchase["order_lines"])
    check_purchase(purchase)


@given(purchases(), st.sampled_from(["order_amount", "order_tax_amount"]), st.integers(-999, 999).filter(bool))
def test_a_wrong_sum_is_named(purchase: Purchase, field: str, by: int) -> None:
    purchase[field] += by
    assert refused(purchase) == f"Bad value: {field}"


@given(purchases(), st.data(), st.integers(-999, 999).filter(bool))
def test_a_line_total_that_does_not_follow_is_named(purchase: Purchase, data: st.DataObject, by: int) -> None:
    """Price, quantity, discount and total bind each other: whichever is wrong, the total is the one to tell of."""
    number = data.draw(st.integers(0, len(purchase["order_lines"]) - 1))
    line = purchase["order_lines"][number]
    field = data.draw(st.sampled_from(["total_amount", "total_discount_amount", "unit_price", "quantity"]))
    if field in ("unit_price", "quantity"):
        assume(line["quantity" if field == "unit_price" else "unit_price"] != 0)
    line[field] += by
    assert refused(purchase) == f"Bad value: order_lines[{number}].total_amount"


@given(purchases(), st.data(), st.integers(2, 999), st.sampled_from([-1, 1]))
def test_a_line_tax_that_is_off_by_more_than_one_is_named(
    purchase: Purchase, data: st.DataObject, by: int, sign: int
) -> None:
    number = data.draw(st.integers(0, len(purchase["order_lines"]) - 1))
    purchase["order_lines"][number]["total_tax_amount"] += sign * by
    assert refused(purchase) == f"Bad value: order_lines[{number}].total_tax_amount"


@given(purchases(), st.data(), st.integers(0, 10_000))
def test_a_wrong_tax_rate_shows_in_the_line_tax(purchase: Purchase, data: st.DataObject, rate: int) -> None:
    number = data.draw(st.integers(0, len(purchase["order_lines"]) - 1))
    line = purchase["order_lines"][number]
    assume(abs(line["total_tax_amount"] - line["total_amount"] * rate / (10_000 + rate)) > 1.001)
    line["tax_rate"] = rate
    assert refused(purchase) == f"Bad value: order_lines[{number}].total_tax_amount"


@given(purchases(), st.sampled_from(sorted({currency for currency, _ in MARKETS.values()})))
def test_a_currency_of_another_country_is_named(purchase: Purchase, currency: str) -> None:
    assume(currency != purchase["purchase_currency"])
    purchase["purchase_currency"] = currency
    assert refused(purchase) == "Bad value: purchase_currency"


@given(purchases(), st.sampled_from(sorted(MARKETS)))
def test_a_locale_of_another_country_is_named(purchase: Purchase, country: str) -> None:
    assume(country != purchase["purchase_country"])
    purchase["locale"] = f"en-{country}"
    assert refused(purchase) == "Bad value: locale"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"purchase_country": "XX"}, "purchase_country", id="a country that is served by nobody"),
        pytest.param({"locale": "sv-DE"}, "locale", id="a language that is not spoken there"),
    ],
)
def test_what_fits_no_market_is_named(change: Purchase, named: str) -> None:
    assert refused(baskets.purchase() | change) == f"Bad value: {named}"


@pytest.mark.parametrize("locale", ["de-DE", "en-DE", "DE-de", "de", None])
def test_a_locale_is_good_in_either_case_without_country_or_left_out(locale: str | None) -> None:
    purchase = baskets.purchase() | {"locale": locale}
    if locale is None:
        del purchase["locale"]
    check_purchase(purchase)


@pytest.mark.parametrize(
    ("total", "rate", "tax", "fits"),
    [
        pytest.param(10_001, 1, 2, True, id="off by exactly one"),
        pytest.param(10_000, 1, 2, False, id="off by a ten thousandth more"),
        pytest.param(100, 0, 1, True, id="no tax, one too many"),
        pytest.param(100, 0, 2, False, id="no tax, two too many"),
        pytest.param(100, 0, -1, True, id="no tax, one too few"),
    ],
)
def test_a_line_tax_is_right_within_one(total: int, rate: int, tax: int, *, fits: bool) -> None:
    line = baskets.line("Shoe", total) | {"tax_rate": rate, "total_tax_amount": tax}
    purchase = baskets.purchase(line)
    if fits:
        check_purchase(purchase)
    else:
        assert refused(purchase) == "Bad value: order_lines[0].total_tax_amount"


def test_a_tax_without_a_rate_names_the_rate() -> None:
    purchase = baskets.purchase()
    del purchase["order_lines"][0]["tax_rate"]
    assert refused(purchase) == "Bad value: order_lines[0].tax_rate"


def test_taxes_and_discount_may_be_left_out() -> None:
    line = {"name": "Book", "quantity": 2, "unit_price": 500_000, "total_amount": 1_000_000}
    purchase = {
        "purchase_country": "GB", "purchase_currency": "GBP", "order_amount": 1_000_000, "order_lines": [line],
    }  # fmt: skip
    check_purchase(purchase)
    check_purchase(purchase | {"order_tax_amount": 0})
    assert refused(purchase | {"order_tax_amount": 1}) == "Bad value: order_tax_amount"


def test_a_discount_is_a_line_below_zero() -> None:
    check_purchase(baskets.purchase(baskets.line("Shoe", 11900), baskets.line("Voucher", -1190)))


def test_in_the_united_states_the_tax_is_a_line_of_its_own() -> None:
    goods = baskets.line("Shoe", 10_000, tax_rate=0)
    tax = baskets.line("Tax", 825, tax_rate=0) | {"type": "sales_tax"}
    purchase = baskets.purchase(goods, tax, country="US", currency="USD")
    assert refused(purchase) == "Bad value: order_tax_amount"
    check_purchase(purchase | {"order_tax_amount": 825})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"order_lines": []}, "order_lines", id="no lines"),
        pytest.param({"order_lines": [baskets.line("Pin", 1)] * 1001, "order_amount": 1001}, "order_lines", id="1001"),
        pytest.param({"order_amount": -1}, "order_amount", id="below zero"),
        pytest.param({"order_amount": 11900.5}, "order_amount", id="a fraction"),
        pytest.param({"order_amount": True}, "order_amount", id="no number"),
        pytest.param({"purchase_country": "DEU"}, "purchase_country", id="three letters"),
        pytest.param({"locale": "german"}, "locale", id="no locale"),
        pytest.param(
            {"order_lines": [baskets.line("Shoe", 11900) | {"tax_rate": 10001}]}, "order_lines[0].tax_rate", id="rate"
        ),
        pytest.param(
            {"order_lines": [baskets.line("Shoe", 200_000_001)]}, "order_lines[0].total_amount", id="too much"
        ),
    ],
)
def test_a_session_refuses_what_is_out_of_bounds(klarna: Client, change: Purchase, named: str) -> None:
    reply = klarna.post("/payments/v1/sessions", baskets.purchase() | change)
    assert (reply.status, reply.json["error_code"]) == (400, "BAD_VALUE")
    assert reply.json["error_messages"] == [f"Bad value: {named}"]


@pytest.mark.parametrize("field", ["order_amount", "order_lines", "purchase_country", "purchase_currency"])
def test_a_session_needs_its_required_fields(klarna: Client, field: str) -> None:
    purchase = baskets.purchase()
    del purchase[field]
    assert klarna.post("/payments/v1/sessions", purchase).json["error_messages"] == [f"Bad value: {field}"]


@pytest.mark.parametrize("field", ["name", "quantity", "total_amount", "unit_price"])
def test_a_line_needs_its_required_fields(klarna: Client, field: str) -> None:
    purchase = baskets.purchase()
    del purchase["order_lines"][0][field]
    reply = klarna.post("/payments/v1/sessions", purchase)
    assert reply.json["error_messages"] == [f"Bad value: order_lines[0].{field}"]


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b"", b'{"order_amount": NaN}'])
def test_what_is_no_json_object_is_refused(klarna: Client, body: bytes) -> None:
    reply = klarna.post("/payments/v1/sessions", body)
    assert (reply.status, reply.json["error_code"]) == (400, "BAD_REQUEST")
