"""Whether a merchant's account is active."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.web import Answer, Call, Refusal

_KIND: Final = "merchant"

control = control_routes()


def require_active(call: Call) -> None:
    """Raises Refusal for a merchant who was switched off."""
    if call.get(_KIND, "inactive") is not None:
        raise Refusal(403, "MERCHANT_INACTIVE", "Merchant is not active")


@control("POST", "/sandbox/merchants/{merchant_id}")
def switch(call: Call) -> Answer:
    """Switch a merchant off, or on again: `{"active": false}`."""
    options = read_options(call, active=bool)
    account = call.accounts.get(call.params["merchant_id"])
    if account is None or not account.username:
        raise Refusal(404, "NOT_FOUND", "There is no such merchant")
    active = options.get("active", True)
    if active:
        call.state.delete(account.id, _KIND, "inactive")
    else:
        replace(call, account=account).put(_KIND, "inactive", {})
    return Answer(200, {"id": account.id, "active": active})


ROUTES: Final = tuple(control.routes)
