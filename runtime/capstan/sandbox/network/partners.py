"""Partner accounts: the partner's own, and those it onboarded. Nobody else's can be touched."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.accounts import Account
from capstan.sandbox.clock import read_time
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import forbidden, mode_of, not_found
from capstan.sandbox.network.timers import on_timer
from capstan.sandbox.state import Document
from capstan.sandbox.web import Call

KIND: Final = "network-accounts"
STATES: Final = ("PARTIALLY_OPERATIONAL", "OPERATIONAL", "DISABLED")


def own_id(account: Account) -> str:
    """The account id of whoever calls."""
    return f"krn:partner:global:account:{mode_of(account)}:{account.id}"


def own_account(account: Account) -> Document:
    """A partner's own account. Nobody onboarded it, so it is the same for as long as nothing of it was changed."""
    return {
        "partner_account_id": own_id(account),
        "partner_account_reference": account.id,
        "partner_account_name": account.name,
        "state": "OPERATIONAL",
        "products": [{
            "product_id": f"krn:partner:product:payment:{mode_of(account)}:{account.id.lower()}",
            "type": "PAYMENT", "state": "ENABLED", "payment_accounts": [],
        }],
    }  # fmt: skip


def acting_for(call: Call, account_id: str) -> Document:
    """The account that a request is about; the caller's own may be named by its plain id as well.

    Raises:
        Refusal: 404, it is neither the caller's nor one that the caller onboarded.
    """
    own = own_id(call.account)
    found = load_account(call, own if account_id == call.account.id else account_id)
    if found is None:
        raise not_found(f"The account {account_id}")
    return found


def load_account(call: Call, account_id: str) -> Document | None:
    """An account as of now."""
    found = call.get(KIND, account_id)
    if found is None:
        return own_account(call.account) if account_id == own_id(call.account) else None
    due = found.get("_operational_at")
    if due is not None and call.now >= read_time(due):
        set_state(call, found, "OPERATIONAL")
    return found


def store_account(call: Call, account: Document) -> None:
    call.put(KIND, account["partner_account_id"], account)


def product_of(account: Document) -> Document | None:
    """The payment product: one that is enabled, where there are several."""
    payment: list[Document] = [p for p in account["products"] if p["type"] == "PAYMENT"]
    return next((p for p in payment if p["state"] == "ENABLED"), payment[0] if payment else None)


def must_sell(call: Call, account_id: str) -> None:
    """Raises Refusal: 403, the account's payment product is disabled."""
    account = load_account(call, account_id)
    product = product_of(account) if account is not None else None
    if product is not None and product["state"] == "DISABLED":
        raise forbidden("The payment product is disabled")


def set_state(call: Call, account: Document, state: str) -> None:
    """Change the state, store the account and tell of it."""
    account["state"] = state
    account.pop("_operational_at", None)  # decided, and no longer up to time
    store_account(call, account)
    if state == "OPERATIONAL":
        fire(call, "partner.account.state-change.operational", _summary(account), account["partner_account_id"])
    else:
        tell_change(call, account)


def tell_change(call: Call, account: Document) -> None:
    fire(call, "partner.account.change.created", _summary(account), account["partner_account_id"])


def _summary(account: Document) -> dict[str, Any]:
    return {name: account[name] for name in ("partner_account_id", "partner_account_reference", "state")}


@on_timer(KIND)
def _grow_up(call: Call, account_id: str) -> None:
    load_account(call, account_id)
