"""A Payments session: what is kept, what of it is told to whom, and how a browser names it."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
import uuid
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic.basket import check_purchase
from capstan.sandbox.classic.browser import badge_url
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.control import as_owner
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Call, Refusal

KIND: Final = "payment-sessions"
LIFE: Final = timedelta(hours=48)
NO_SESSION: Final = "There is no such Payments session"
PERSONAL: Final = ("billing_address", "shipping_address", "customer")

# What a merchant says of a session; everything else in a request has no effect.
_FIELDS: Final = (
    "acquiring_channel", "attachment", "billing_address", "custom_payment_method_ids", "customer", "design", "intent",
    "locale", "merchant_data", "merchant_reference1", "merchant_reference2", "merchant_urls", "options", "order_amount",
    "order_lines", "order_tax_amount", "purchase_country", "purchase_currency", "shipping_address",
)  # fmt: skip
# Of a customer, numbers that identify a person are taken but never told.
_SECRET: Final = ("national_identification_number", "last_four_ssn")


def open_session(call: Call, purchase: dict[str, Any]) -> Document:
    """A new session, stored."""
    session_id = str(uuid.uuid4())
    session = {
        **known(purchase), "status": "incomplete", "expires_at": write_time(call.now + LIFE),
        "client_token": _client_token(call, session_id), "payment_method_categories": _categories(call),
        "_session_id": session_id,
    }  # fmt: skip
    session.setdefault("intent", "buy")
    store(call, session)
    return session


def known(purchase: dict[str, Any]) -> dict[str, Any]:
    """What counts of a request, with codes as they are written."""
    kept: dict[str, Any] = pick(purchase, *_FIELDS)
    for name in ("purchase_country", "purchase_currency"):
        if name in kept:
            kept[name] = kept[name].upper()
    return kept


def change(call: Call, session: Document, purchase: dict[str, Any]) -> None:
    """Replace what is sent.

    Raises:
        Refusal: what came of it disagrees with itself.
    """
    session.update(known(purchase))
    check_purchase(session)
    store(call, session)


def store(call: Call, session: Document) -> None:
    call.put(KIND, session["_session_id"], session)


def load(call: Call, session_id: str) -> Document:
    """The session of this merchant as of now.

    Raises:
        Refusal: there is none, or it is over.
    """
    session = call.get(KIND, session_id)
    if session is None or read_time(session["expires_at"]) <= call.now:
        raise Refusal(404, "NOT_FOUND", "Invalid session id")
    return session


def require_incomplete(session: Document) -> None:
    if session["status"] == "complete":
        raise Refusal(404, "SESSION_COMPLETED", "Session has already been completed")


def view_session(session: Document) -> dict[str, Any]:
    """What the merchant reads: of the customer nothing until there was an authorization."""
    shown = view(session)
    if not session.get("_authorized"):
        return {name: value for name, value in shown.items() if name not in PERSONAL}
    if "customer" in shown:
        shown["customer"] = {name: value for name, value in shown["customer"].items() if name not in _SECRET}
    return shown


def find_by_client_token(call: Call, client_token: str) -> tuple[Call, Document]:
    """The session a browser means, whoever its merchant is, and the call as that merchant's.

    Raises:
        Refusal: the token is none of ours, or its session is over.
    """
    try:
        payload = client_token.split(".")[1]
        session_id = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["session_id"]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error, RecursionError) as error:
        raise Refusal(404, "NOT_FOUND", NO_SESSION) from error
    owner = as_owner(call, KIND, str(session_id), NO_SESSION)
    session = load(owner, str(session_id))
    if not hmac.compare_digest(session["client_token"].encode(), client_token.encode()):
        raise Refusal(404, "NOT_FOUND", NO_SESSION)
    return owner, session


def _client_token(call: Call, session_id: str) -> str:
    """Looks like a JSON web token, so that a browser can read the session out of it; the last part is a secret."""
    parts = (
        {"alg": "none", "typ": "JWT"},
        {"session_id": session_id, "base_url": f"{call.public_url}/payments", "environment": call.account.environment},
    )
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join((*encoded, secrets.token_urlsafe(32)))


def _categories(call: Call) -> list[dict[str, Any]]:
    badge = badge_url(call)
    return [{"identifier": "klarna", "name": "Klarna", "asset_urls": {"descriptive": badge, "standard": badge}}]
