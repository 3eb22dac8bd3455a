"""What the network's (partner) APIs have in common: the API key, error bodies, KRNs."""

from __future__ import annotations

import base64
import binascii
import uuid
from typing import Any, Final

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.web import Answer, Refusal, Request, Routes

_TYPES: Final = {400: "INPUT_ERROR", 401: "ACCESS_ERROR", 429: "ACCESS_ERROR"}
_CODES: Final = {  # of refusals that the sandbox's core makes in the classic APIs' words
    "BAD_REQUEST": "VALIDATION_ERROR", "CONFLICT": "RESOURCE_CONFLICT", "TOO_MANY_REQUESTS": "RATE_LIMITED",
    "TIMEOUT": "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE": "SERVER_CONFIGURATION_ERROR",
    "REQUEST_TOO_LARGE": "VALIDATION_ERROR",
}  # fmt: skip


class Network:
    """The family of the partner APIs."""

    name = "network"
    key_header = "klarna-idempotency-key"

    def account(self, request: Request, accounts: Accounts) -> Account:
        key = _api_key(request.headers.get("authorization", ""))
        found = accounts.find("", key) if key else None
        if found is None or not found.is_known_at(request.host):
            raise Refusal(401, "UNAUTHORIZED", "The presented credentials failed authentication")
        return found

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        status, code = refusal.status, _CODES.get(refusal.code, refusal.code)
        if refusal.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED"):  # a path that does not exist is forbidden here
            status, code = 403, "OPERATION_FORBIDDEN"
        kind = _TYPES.get(status, "TECHNICAL_ERROR" if status >= 500 else "RESOURCE_ERROR")
        body: dict[str, Any] = {
            "error_id": correlation_id,
            "error_type": kind,
            "error_code": code,
            "error_message": " ".join(refusal.messages) or code.replace("_", " ").capitalize(),
            **refusal.extra,
        }
        return Answer(status, body)

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return (("Klarna-Correlation-Id", correlation_id),)


NETWORK: Final = Network()


def network_routes() -> Routes:
    """An empty table for a surface."""
    return Routes(NETWORK)


def _api_key(header: str) -> str | None:
    """The key itself after `Basic`, or base64 of an empty user name, a colon and the key."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    text = text.strip()
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text
    return decoded.removeprefix(":") if decoded.startswith(":") else text


def not_found(what: str) -> Refusal:
    return Refusal(404, "RESOURCE_NOT_FOUND", f"{what} was not found")


def krn(account: Account, *kinds: str) -> str:
    """A new identifier, for example krn:payment:eu1:request:<id>."""
    return ":".join(("krn", *kinds, "live" if account.environment == "live" else "test", str(uuid.uuid4())))
