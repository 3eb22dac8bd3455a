"""The sandbox's own paths, under /sandbox: what only a customer, an operator or time can do. No credentials are asked.

A browser's page from elsewhere cannot use them: what changes something must be declared as JSON.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.state import EVERYBODY
from capstan.sandbox.web import Answer, Call, Refusal, Request, Routes

OPERATOR: Final = Account(EVERYBODY, "Operator", "playground", "eu", "", "")


class Control:
    """The family of the sandbox's own paths."""

    is_ours = True
    key_header = ""

    def account(self, request: Request, accounts: Accounts) -> Account:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method == "POST" and kind != "application/json":  # other methods a browser asks about first
            raise Refusal(415, "JSON_EXPECTED", "Send Content-Type: application/json")
        return OPERATOR

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        return Answer(refusal.status, {"error": refusal.code, "message": " ".join(refusal.messages), **refusal.extra})

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return ()


CONTROL: Final = Control()


def control_routes() -> Routes:
    """An empty table for the control paths of a surface."""
    return Routes(CONTROL)


def read_options(call: Call, **known: type | tuple[type, ...]) -> dict[str, Any]:
    """The JSON body of a control path; an empty one is `{}`. Unknown members and wrong types are refused."""
    body = call.json() if call.request.body.strip() else {}
    if not isinstance(body, dict):
        raise Refusal(400, "BAD_OPTION", "The body is not a JSON object")
    for name, value in body.items():
        if name not in known:
            raise Refusal(400, "BAD_OPTION", f"'{name}' is unknown; known are: {', '.join(known) or 'none'}")
        # JSON's true is no number, though Python's is.
        if not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
            raise Refusal(400, "BAD_OPTION", f"'{name}' cannot be {value!r}")
    return body


def as_owner(call: Call, kind: str, id_: str, missing: str) -> Call:
    """The call as if it came from whoever owns that document.

    Raises:
        Refusal: nobody owns it; `missing` says so.
    """
    owner = call.state.owner_of(kind, id_)
    account = call.accounts.get(owner) if owner is not None else None
    if account is None:
        raise Refusal(404, "NOT_FOUND", missing)
    return replace(call, account=account)
