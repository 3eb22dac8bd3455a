"""What the classic merchant APIs have in common: Basic credentials, error bodies, limits of fields."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.bodies import Bodies, Breach
from capstan.sandbox.web import Answer, Call, Refusal, Request, Routes

BODIES: Final = Bodies("classic/bodies.json")


class Classic:
    """The family of the merchant APIs. `codes` are those that an API has one of for a status, whatever the reason."""

    is_ours = False
    key_header = "klarna-idempotency-key"

    def __init__(self, codes: Mapping[int, str] | None = None) -> None:
        self._codes = codes or {}

    def account(self, request: Request, accounts: Accounts) -> Account:
        credentials = _basic(request.headers.get("authorization", ""))
        found = accounts.find(*credentials) if credentials is not None and credentials[0] else None
        if found is None or not found.is_known_at(request.host):
            raise Refusal(401, "UNAUTHORIZED")
        return found

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer:
        body = {
            "error_code": self._codes.get(refusal.status, refusal.code),
            "error_messages": list(refusal.messages),
            "correlation_id": correlation_id,
            **refusal.extra,
        }
        headers = (("WWW-Authenticate", 'Basic realm="Klarna API"'),) if refusal.status == 401 else ()
        return Answer(refusal.status, body, headers)

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        return (("Klarna-Correlation-Id", correlation_id),)


CLASSIC: Final = Classic()


def classic_routes() -> Routes:
    """An empty table for a surface."""
    return Routes(CLASSIC)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, colon, password = text.partition(":")
    return (username, password) if colon else None


def read_body(call: Call, schema: str, *, too_long: Callable[[Breach], Refusal] | None = None) -> dict[str, Any]:
    """The JSON body, within the limits of its schema; the Refusal names the first field that is not.

    `too_long` says how a text of a wrong length is told of, where that is told apart.

    Raises:
        Refusal: 400 BAD_VALUE `Bad value: <path>`, or 400 BAD_REQUEST for what is no JSON object.
    """
    body = read_object(call)
    check_body(schema, body, too_long=too_long)
    return body


def read_object(call: Call) -> dict[str, Any]:
    """The JSON body, which must be an object."""
    body = call.json()
    if not isinstance(body, dict):
        raise Refusal(400, "BAD_REQUEST", "The request body is not a JSON object")
    return body


def check_body(schema: str, body: dict[str, Any], *, too_long: Callable[[Breach], Refusal] | None = None) -> None:
    """Refuse what is not within the limits of its schema."""
    breach = BODIES.breach(schema, body)
    if breach is not None:
        raise too_long(breach) if too_long is not None and breach.is_length else bad_value(breach.path)


def bad_value(path: str) -> Refusal:
    return Refusal(400, "BAD_VALUE", f"Bad value: {path}")


def length_refusal(breach: Breach) -> Refusal:
    """How order management tells of a text that is too long: by its path, which counts no items."""
    path = re.sub(r"\[\d+\]", "", breach.path).replace(".", "/")
    message = f"The size of the {path} value must be between {breach.lower} and {breach.upper}"
    return Refusal(422, "UNPROCESSABLE_ENTITY", message)
