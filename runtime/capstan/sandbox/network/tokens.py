"""Tokens that stand for a customer: of a session that the customer approved, or stored to be charged again."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import conflict, invalid, mode_of
from capstan.sandbox.network.operations import ACCOUNT
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Call

SESSIONS: Final = "network-session-tokens"  # of approved payment requests
CUSTOMERS: Final = "network-customer-tokens"
SESSION_HEADER: Final = "Klarna-Network-Session-Token"
PAYMENT_HEADER: Final = "Klarna-Payment-Token"
CUSTOMER_HEADER: Final = "Klarna-Customer-Token"
_SESSION_LIFE: Final = timedelta(minutes=60)


def new_token(call: Call, kind: str) -> str:
    return f"krn:network:{kind}:{mode_of(call.account)}:{secrets.token_urlsafe(24)}"


def issue_session(call: Call, request: Document) -> dict[str, str]:
    """The tokens of an approved payment request. Either stands for the one approval, which is used once."""
    session, payment = new_token(call, "session-token"), new_token(call, "payment-token")
    approval = {
        "payment_request_id": request["payment_request_id"], "expires_at": write_time(call.now + _SESSION_LIFE),
        "session": session, "payment": payment, "state": "ACTIVE", "_account": request["_account"],
    }  # fmt: skip
    for token in (session, payment):
        call.put(SESSIONS, token, approval)
    return {"klarna_network_session_token": session, "payment_token": payment}


def approval_of(call: Call, token: str, where: str) -> Document:
    """The approval that a token stands for.

    Raises:
        Refusal: 400, there is no such token; 409, it expired, was cancelled or used.
    """
    approval = call.get(SESSIONS, token)
    if approval is None or approval["_account"] != call.params[ACCOUNT]:
        raise invalid(where, "is not a token of this account")
    if approval["state"] != "ACTIVE":
        raise conflict(f"{where}: the token is {approval['state'].lower()}")
    if call.now >= read_time(approval["expires_at"]):
        raise conflict(f"{where}: the token expired")
    return approval


def end_approval(call: Call, approval: Document, state: str) -> None:
    for token in (approval["session"], approval["payment"]):
        call.put(SESSIONS, token, {**approval, "state": state})


def issue_customer_token(call: Call, wanted: dict[str, Any], customer: dict[str, Any]) -> str:
    token = new_token(call, "customer-token")
    document = {
        "customer_token": token, "customer_token_reference": wanted.get("customer_token_reference"),
        "scopes": wanted.get("scopes", []), "state": "ACTIVE", "created_at": write_time(call.now),
        "_account": call.params[ACCOUNT], "_customer": customer,
    }  # fmt: skip
    call.put(CUSTOMERS, token, {name: value for name, value in document.items() if value is not None})
    return token


def customer_token_of(call: Call, *, active: bool = True) -> Document:
    """The stored token in the header.

    Raises:
        Refusal: 400, there is none; 409, it is revoked.
    """
    token = call.request.headers.get(CUSTOMER_HEADER.lower())
    if not token:
        raise invalid(CUSTOMER_HEADER, "is required")
    found = call.get(CUSTOMERS, token)
    if found is None or found["_account"] != call.params[ACCOUNT]:
        raise invalid(CUSTOMER_HEADER, "is not a token of this account")
    if active and found["state"] != "ACTIVE":
        raise conflict(f"{CUSTOMER_HEADER}: the token is {found['state'].lower()}")
    return found


def revoke_customer_token(call: Call, token: Document) -> None:
    if token["state"] == "REVOKED":
        return
    token |= {"state": "REVOKED", "revoked_at": write_time(call.now)}
    call.put(CUSTOMERS, token["customer_token"], token)
    payload = pick(token, "customer_token", "customer_token_reference", "state")
    fire(call, "identity.customer-token.state-change.revoked", payload, token["_account"])
