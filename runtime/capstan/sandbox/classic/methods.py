"""Payment methods a customer can choose, and how the different APIs name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DEFAULT: Final = "invoice"

# As Payments names it -> type in order management, words, and what else there is to say.
METHODS: Final[Mapping[str, tuple[str, str, Mapping[str, int]]]] = {
    "invoice": ("INVOICE", "Pay in 30 days", {"number_of_days": 30}),
    "fixed_amount": ("FIXED_AMOUNT", "Pay in 3 parts", {"number_of_installments": 3}),
    "fixed_sum_credit": ("FIXED_SUM_CREDIT", "Financing", {"number_of_installments": 12}),
    "base_account": ("ACCOUNT", "Flexible account", {}),
    "direct_debit": ("DIRECT_DEBIT", "Direct debit", {}),
    "direct_bank_transfer": ("BANK_TRANSFER", "Bank transfer", {}),
    "b2b_invoice": ("INVOICE_BUSINESS", "Business invoice", {"number_of_days": 30}),
    "card": ("CARD", "Card", {}),
    "slice_it_by_card": ("PAY_LATER_IN_PARTS", "Pay in parts by card", {"number_of_installments": 3}),
    "pay_later_by_card": ("PAY_LATER_BY_CARD", "Pay later by card", {}),
    "pay_by_card": ("PAY_BY_CARD", "Pay by card", {}),
}

# What order management knows beside these.
_OTHER_TYPES: Final = frozenset({
    "ALTERNATIVE_PAYMENT_METHOD", "DEFERRED_INTEREST", "FIXED_AMOUNT_BY_CARD", "MOBILEPAY", "OTHER", "PAY_IN_X",
    "SWISH",
})  # fmt: skip


def authorized_method(name: str) -> dict[str, Any]:
    """As it stands in the answer to a placed order."""
    return {"type": name, **METHODS[name][2]}


def order_method(name: str) -> dict[str, Any]:
    """As the order keeps it."""
    kind, description, more = METHODS[name]
    return {"type": kind, "description": description, **{n: v for n, v in more.items() if n != "number_of_days"}}


def named_method(text: str) -> dict[str, Any] | None:
    """The same, by the name that Payments or order management has for it; None for a name that neither has."""
    kind = text.upper()
    for name, (known, _, _) in METHODS.items():
        if kind in (name.upper(), known):
            return order_method(name)
    return {"type": kind, "description": kind.replace("_", " ").capitalize()} if kind in _OTHER_TYPES else None
