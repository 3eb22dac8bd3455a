"""Do the figures of a purchase agree: lines, sums, taxes, and country with currency and locale.

Shared by whatever takes a purchase: Payments sessions and orders, customer tokens, checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from capstan.sandbox.classic.family import bad_value

Purchase = Mapping[str, Any]

# Currency and languages by purchase country. English is taken in each of them.
MARKETS: Final[Mapping[str, tuple[str, str]]] = {
    "AT": ("EUR", "de"), "AU": ("AUD", ""), "BE": ("EUR", "nl fr"), "CA": ("CAD", "fr"), "CH": ("CHF", "de fr it"),
    "CZ": ("CZK", "cs"), "DE": ("EUR", "de"), "DK": ("DKK", "da"), "ES": ("EUR", "es"), "FI": ("EUR", "fi sv"),
    "FR": ("EUR", "fr"), "GB": ("GBP", ""), "GR": ("EUR", "el"), "HU": ("HUF", "hu"), "IE": ("EUR", ""),
    "IT": ("EUR", "it"), "MX": ("MXN", "es"), "NL": ("EUR", "nl"), "NO": ("NOK", "nb nn no"), "NZ": ("NZD", ""),
    "PL": ("PLN", "pl"), "PT": ("EUR", "pt"), "RO": ("RON", "ro"), "SE": ("SEK", "sv"), "SK": ("EUR", "sk"),
    "US": ("USD", "es"),
}  # fmt: skip


def check_purchase(purchase: Purchase) -> None:
    """Refuse a purchase that disagrees with itself.

    Raises:
        Refusal: 400 BAD_VALUE naming the first field that does not fit.
    """
    check_market(purchase)
    check_amounts(purchase)


def check_market(purchase: Purchase) -> None:
    """Country, currency and, where there is one, locale must belong together."""
    country = purchase["purchase_country"].upper()
    if country not in MARKETS:
        raise bad_value("purchase_country")
    currency, languages = MARKETS[country]
    if purchase["purchase_currency"].upper() != currency:
        raise bad_value("purchase_currency")
    locale = purchase.get("locale")
    if locale is None:
        return
    language, _, place = locale.partition("-")
    if language.lower() not in ("en", *languages.split()) or place.upper() not in ("", country):
        raise bad_value("locale")


def check_amounts(purchase: Purchase) -> None:
    """Each line in itself, then the sums over all of them."""
    lines = purchase["order_lines"]
    for number, line in enumerate(lines):
        wrong = wrong_amount(line)
        if wrong is not None:
            raise bad_value(f"order_lines[{number}].{wrong}")
    if purchase["order_amount"] != sum(line["total_amount"] for line in lines):
        raise bad_value("order_amount")
    if purchase.get("order_tax_amount", expected_tax(purchase)) != expected_tax(purchase):
        raise bad_value("order_tax_amount")


def wrong_amount(line: Mapping[str, Any]) -> str | None:
    """The field of an order line that does not follow from the others."""
    total = line["total_amount"]
    if total != line["quantity"] * line["unit_price"] - line.get("total_discount_amount", 0):
        return "total_amount"
    rate, tax = line.get("tax_rate", 0), line.get("total_tax_amount", 0)
    if tax and "tax_rate" not in line:
        return "tax_rate"
    # |tax - (total - total * 10000 / (10000 + rate))| <= 1, without fractions.
    if abs(tax * (10000 + rate) - total * rate) > 10000 + rate:
        return "total_tax_amount"
    return None


def expected_tax(purchase: Purchase) -> int:
    """The tax of all lines; in the United States it is a line of its own, and the others bear none."""
    lines = purchase["order_lines"]
    if purchase.get("purchase_country", "").upper() == "US":
        return sum(line["total_amount"] for line in lines if line.get("type") == "sales_tax")
    return sum(line.get("total_tax_amount", 0) for line in lines)
