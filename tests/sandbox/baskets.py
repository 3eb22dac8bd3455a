"""Purchases that are right, to be used as they are or made wrong."""

from __future__ import annotations

import copy
from typing import Any

_PERSON = {
    "given_name": "Ada", "family_name": "Muster", "email": "ada@example.com", "phone": "+491701234567",
    "street_address": "Hauptstrasse 1", "postal_code": "10115", "city": "Berlin", "country": "DE",
}  # fmt: skip


def line(name: str, unit_price: int, quantity: int = 1, *, tax_rate: int = 1900, discount: int = 0) -> dict[str, Any]:
    """An order line whose figures agree."""
    total = quantity * unit_price - discount
    return {
        "type": "physical", "reference": name.lower().replace(" ", "-"), "name": name, "quantity": quantity,
        "unit_price": unit_price, "tax_rate": tax_rate, "total_amount": total, "total_discount_amount": discount,
        "total_tax_amount": round(total * tax_rate / (10000 + tax_rate)),
    }  # fmt: skip


def purchase(*lines: dict[str, Any], country: str = "DE", currency: str = "EUR", **more: Any) -> dict[str, Any]:
    """A purchase of these lines, of 119.00 in one line without any."""
    bought = [copy.deepcopy(entry) for entry in lines or (line("Running shoe", 11900),)]
    return {
        "purchase_country": country, "purchase_currency": currency, "locale": f"en-{country}",
        "order_amount": sum(entry["total_amount"] for entry in bought),
        "order_tax_amount": sum(entry["total_tax_amount"] for entry in bought),
        "order_lines": bought, **more,
    }  # fmt: skip


def person(**more: str) -> dict[str, str]:
    """An address."""
    return {**_PERSON, **more}
