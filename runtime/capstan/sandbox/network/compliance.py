"""Decisions about onboarded accounts: Klarna takes them, partners read them."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network.controls import in_place, option_among
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.partners import KIND as ACCOUNTS
from capstan.sandbox.network.resources import Resource, add, serve
from capstan.sandbox.state import view
from capstan.sandbox.web import Answer, Call

_ACCOUNT: Final = "/v2/accounts/{partner_account_id}"

operations = Operations()
control = control_routes()


_DECISIONS: Final = Resource(
    "compliance-decision", "decisions", f"{_ACCOUNT}/compliance/decisions", ("partner", "compliance", "decision"),
    ("list", "read"), "decision_id", paged=True,
)  # fmt: skip
serve(operations, _DECISIONS)


@control("POST", "/sandbox/network/accounts/{id}/compliance-decisions")
def decide(call: Call) -> Answer:
    """Klarna takes a decision about an onboarded account: `{"decision": "APPROVED", "reason": "..."}`."""
    options = read_options(call, decision=str, reason=str)
    decision = option_among(options, "decision", ("APPROVED", "REJECTED"), "APPROVED")
    call = in_place(call, ACCOUNTS, call.params["id"], "onboarded account")
    document = add(call, _DECISIONS, {**options, "decision": decision, "partner_account_id": call.params[ACCOUNT]})
    fire(call, "partner.compliance.decision.created", view(document), call.params[ACCOUNT])
    return Answer(201, view(document))


ROUTES: Final = (*operations.routes, *control.routes)
