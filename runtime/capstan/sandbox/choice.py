"""A page on which a customer decides something: what it is about, and a button for each control path they may use."""

from __future__ import annotations

import html
import string
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from capstan.sandbox.web import Answer

_TEMPLATE: Final = string.Template(files("capstan.sandbox.shop").joinpath("choice.html").read_text(encoding="utf-8"))
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
_EVERY: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))
_STATES: Final = {
    "SUBMITTED": "Waits for the customer", "IN_PROGRESS": "The customer is at it", "COMPLETED": "Approved",
    "DECLINED": "Declined", "CANCELED": "Cancelled", "EXPIRED": "Expired",
    "checkout_incomplete": "Waits for the customer", "checkout_complete": "The order is placed",
}  # fmt: skip


def choice(
    title: str, state: str, acts: Mapping[str, str], *, amount: int | None = None, currency: str = "",
    goes_to: str = "", framed: bool = False,
) -> Answer:  # fmt: skip
    """A page with a button for each control path, by its last segment, below the page's own.

    `goes_to` is where the customer is sent afterwards. A page that is `framed` may stand within a shop's.
    """
    about = html.escape(title)
    page = _TEMPLATE.substitute(
        title=about, heading=about if amount is None else _sum(amount, currency),
        over="" if amount is None else f'<p class="to">{about}</p>', state=html.escape(_STATES.get(state, state)),
        buttons="".join(_button(act, label) for act, label in acts.items()), goes_to=html.escape(goes_to),
        kind="framed" if framed else "alone",
    )  # fmt: skip
    policy = _POLICY if framed else f"{_POLICY}; frame-ancestors 'none'"
    return Answer(200, page.encode(), (*_EVERY, ("Content-Security-Policy", policy)), "text/html; charset=utf-8")


def _sum(amount: int, currency: str) -> str:
    """In minor units, which the page's script writes as people do."""
    code = html.escape(currency)
    return f'<data id="amount" value="{amount:d}" data-currency="{code}">{amount:d} {code}</data>'


def _button(act: str, label: str) -> str:
    return f'<button type="button" data-act="{html.escape(act)}">{html.escape(label)}</button>'
