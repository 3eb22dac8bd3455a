"""What the network's (partner) APIs have in common: credentials, error bodies, identifiers, limits of bodies."""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.bodies import Bodies
from capstan.sandbox.classic.family import CLASSIC
from capstan.sandbox.clock import read_time
from capstan.sandbox.hosts import SITES
from capstan.sandbox.web import Answer, Call, Refusal, Request

BODIES: Final = Bodies("network/bodies.json")
_DOCS: Final = "https://docs.klarna.com/api/kn/integration-resilience/"

_TYPES: Final = {400: "INPUT_ERROR", 401: "ACCESS_ERROR", 413: "INPUT_ERROR", 429: "ACCESS_ERROR"}
_CODES: Final = {  # of refusals that the sandbox's core makes in the classic APIs' words
    "BAD_REQUEST": "VALIDATION_ERROR", "CONFLICT": "RESOURCE_CONFLICT", "TOO_MANY_REQUESTS": "RATE_LIMITED",
    "TIMEOUT": "INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE": "SERVER_CONFIGURATION_ERROR",
    "REQUEST_TOO_LARGE": "VALIDATION_ERROR", "INTERNAL_SERVER_ERROR": "INTERNAL_ERROR",
}  # fmt: skip


class Network:
    """The partner APIs on their global host."""

    is_ours = False
    key_header = "klarna-idempotency-key"

    def account(self, request: Request, accounts: Accounts) -> Account:
        key = _api_key(request.headers.get("authorization", ""))
        found = accounts.find("", key) if key else None
        if found is None or not found.is_known_at(request.host):
            raise unauthorized()
        return found

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        status, code = refusal.status, _CODES.get(refusal.code, refusal.code)
        if refusal.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED"):  # a path that does not exist is forbidden here
            status, code = 403, "OPERATION_FORBIDDEN"
        kind = _TYPES.get(status, "TECHNICAL_ERROR" if status >= 500 else "RESOURCE_ERROR")
        extra = refusal.extra
        if refusal.code == "BAD_REQUEST":
            extra = {"validation_errors": [{"parameter": "body", "reason": " ".join(refusal.messages)}], **extra}
        body: dict[str, Any] = {
            "error_id": correlation_id,
            "error_type": kind,
            "error_code": code,
            "error_message": " ".join(refusal.messages) or code.replace("_", " ").capitalize(),
            "doc_url": _DOCS,
            **extra,
        }
        return Answer(status, body)

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return (("Klarna-Correlation-Id", correlation_id),)


class Regional(Network):
    """Partner APIs on the merchants' regional hosts: a merchant's user name and password, or a partner's API key."""

    def account(self, request: Request, accounts: Accounts) -> Account:
        _must_be_regional(request)
        try:
            return CLASSIC.account(request, accounts)
        except Refusal:
            key = _api_key(request.headers.get("authorization", ""))
            found = accounts.find("", key) if key else None
            site = SITES.get(request.host)
            if found is None or (site is not None and site.environment != found.environment):
                raise unauthorized() from None
            return found


class Public(Network):
    """What anybody's browser may ask."""

    def account(self, request: Request, accounts: Accounts) -> Account:
        _must_be_regional(request)
        return ANYBODY


def _must_be_regional(request: Request) -> None:
    """Raises Refusal: the global host does not have these paths."""
    site = SITES.get(request.host)
    if site is not None and site.region == "global":
        raise forbidden("This is served on the regional hosts")


ANYBODY: Final = Account("anybody", "Anybody", "playground", "global", "", "")
NETWORK: Final = Network()
REGIONAL: Final = Regional()
PUBLIC: Final = Public()


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


# --- refusals


def unauthorized() -> Refusal:
    return Refusal(401, "UNAUTHORIZED", "The presented credentials failed authentication")


def forbidden(why: str) -> Refusal:
    return Refusal(403, "OPERATION_FORBIDDEN", why)


def not_found(what: str) -> Refusal:
    return Refusal(404, "RESOURCE_NOT_FOUND", f"{what} was not found")


def conflict(why: str) -> Refusal:
    return Refusal(409, "RESOURCE_CONFLICT", why)


def invalid(parameter: str, reason: str) -> Refusal:
    """One parameter, of the body, the query or a header, that will not do."""
    entry = {"parameter": parameter, "reason": reason}
    return Refusal(400, "VALIDATION_ERROR", f"{parameter}: {reason}", validation_errors=[entry])


# --- bodies


def read_body(call: Call, operation: str) -> dict[str, Any]:
    """The JSON body of an operation, with fields of the documented types; an empty one is `{}` where nothing is needed.

    Raises:
        Refusal: 400 INVALID_CONTENT_TYPE or VALIDATION_ERROR.
    """
    text = call.request.body.strip()
    if text and call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(400, "INVALID_CONTENT_TYPE", "Send Content-Type: application/json")
    body = call.json() if text else {}
    if not isinstance(body, dict):
        raise invalid("body", "must be a JSON object")
    if breaches := BODIES.breaches(operation, body):
        entries = [{"parameter": b.path, "reason": _REASONS.get(b.keyword, "is not valid")} for b in breaches]
        message = "; ".join(f"{entry['parameter']}: {entry['reason']}" for entry in entries)
        raise Refusal(400, "VALIDATION_ERROR", message, validation_errors=entries)
    return body


_REASONS: Final = {"required": "is required", "type": "has the wrong type"}


def amount_of(body: dict[str, Any], name: str, *, at: str = "") -> int | None:
    """An amount of a body in minor units, or None where there is none."""
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or value <= 0):  # the schema takes 1.0 for an integer
        raise invalid(f"{at}{name}", "must be a positive integer, in minor units")
    return value


def choice_of(body: dict[str, Any], name: str, known: tuple[str, ...], *, at: str = "", default: str = "") -> str:
    """A text of a body that can only be one of a few."""
    value: str = body.get(name, default)
    if value not in known:
        raise invalid(f"{at}{name}", f"must be one of: {', '.join(known)}")
    return value


def time_of(text: str, name: str) -> datetime:
    """A time of a request, in UTC; the Refusal names the parameter it stood in."""
    try:
        return read_time(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "must be a time of ISO 8601") from error


# --- identifiers


def mode_of(account: Account) -> str:
    """How KRNs and keys name the environment."""
    return "live" if account.environment == "live" else "test"


def krn(account: Account, *kinds: str) -> str:
    """A new identifier, for example krn:payment:eu1:request:test:<id>."""
    return ":".join(("krn", *kinds, mode_of(account), str(uuid.uuid4())))
