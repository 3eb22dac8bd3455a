"""An authorization: the customer's yes to a session, good for one order or one customer token within an hour."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.classic import sessions
from capstan.sandbox.classic.basket import check_purchase, expected_tax
from capstan.sandbox.classic.browser import fill_url, fill_urls, order_answer
from capstan.sandbox.classic.methods import order_method
from capstan.sandbox.classic.orders import place_order
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Call, Refusal

KIND: Final = "authorizations"
LIFE: Final = timedelta(minutes=60)
FRAUD_STATUSES: Final = ("ACCEPTED", "PENDING", "REJECTED")

# What an order may not say otherwise than its session. References, URLs and merchant data may differ.
_MATCHED: Final = (
    "order_amount", "order_tax_amount", "order_lines", "purchase_country", "purchase_currency", "locale",
    "billing_address", "shipping_address", "customer",
)  # fmt: skip
# Of an order line, what is not said is zero.
_ZERO: Final = frozenset({"tax_rate", "total_tax_amount", "total_discount_amount"})
_ORDERED: Final = (*_MATCHED, "merchant_data", "merchant_reference1", "merchant_reference2", "merchant_urls")


def authorize(call: Call, session: Document, *, fraud_status: str, payment_method: str) -> str:
    """Give out a token for a session, and tell the merchant of it."""
    token = str(uuid.uuid4())
    call.put(KIND, token, {
        "token": token, "session_id": session["_session_id"], "expires_at": write_time(call.now + LIFE),
        "state": "open", "fraud_status": fraud_status, "payment_method": payment_method,
    })  # fmt: skip
    session["_authorized"] = True
    session["authorization_token"] = token
    sessions.store(call, session)
    url = session.get("merchant_urls", {}).get("authorization")
    if url:
        body = {"authorization_token": token, "session_id": session["_session_id"]}
        call.deliver(Delivery(
            fill_url(url, session_id=session["_session_id"]), json.dumps(body).encode(), "callback",
            subject=f"authorization {session['_session_id']}", owner=call.account.id,
        ))  # fmt: skip
    return token


def load(call: Call, token: str) -> Document:
    """An authorization of this merchant, unless it ran out or was taken back.

    Raises:
        Refusal: there is none.
    """
    found = call.get(KIND, token)
    if found is None or found["state"] == "cancelled" or _is_expired(call, found):
        raise Refusal(404, "NOT_FOUND", "Invalid authorization token")
    return found


def is_live(call: Call, token: str) -> bool:
    """Whether it can be used for an order, or was."""
    found = call.get(KIND, token)
    return found is not None and found["state"] in ("open", "ordered") and not _is_expired(call, found)


def reject(call: Call, token: str) -> None:
    """Let the risk check refuse what it will be used for."""
    found = load(call, token)
    call.put(KIND, token, {**found, "fraud_status": "REJECTED"})


def _is_expired(call: Call, authorization: Document) -> bool:
    return authorization["state"] == "open" and read_time(authorization["expires_at"]) <= call.now


def cancel(call: Call, token: str) -> None:
    """Take an authorization back before it was used."""
    found = call.get(KIND, token)
    if found is None or _is_expired(call, found):
        raise Refusal(404, "NOT_FOUND", "Invalid authorization token")
    session = session_of(call, found)
    if found["state"] != "open" or session["status"] == "complete":
        raise Refusal(404, "NOT_FOUND", "Authorization cannot be deleted")
    call.put(KIND, token, {**found, "state": "cancelled"})


def place(call: Call, authorization: Document, body: dict[str, Any], *, source: str = "payments") -> dict[str, Any]:
    """Use an authorization for an order: the answer to `createOrder`. The same body again gives the same answer."""
    session = session_of(call, authorization)
    purchase = _purchase(session, body)
    check_purchase(purchase)
    if authorization["state"] == "ordered":
        if authorization["body"] != body:
            raise Refusal(409, "BAD_VALUE", "The order has been already completed with different request body")
        before: dict[str, Any] = authorization["answer"]
        return before
    require_unused(authorization, session)
    if session["intent"] == "tokenize":
        raise Refusal(403, "INVALID_OPERATION", "Not allowed to create order for intent tokenize")
    require_matching(session, purchase)
    require_accepted(authorization)
    purchase["order_tax_amount"] = purchase.get("order_tax_amount", expected_tax(purchase))
    method, order_id = authorization["payment_method"], str(uuid.uuid4())
    urls = fill_urls(purchase.get("merchant_urls", {}), order_id=order_id, session_id=session["_session_id"])
    purchase |= {
        "merchant_urls": urls, "_order_id": order_id, "_source": source, "_payment_method": order_method(method),
    }  # fmt: skip
    order = place_order(call, purchase, fraud_status=authorization["fraud_status"])
    answer = order_answer(call, order, urls, method)
    call.put(KIND, authorization["token"], {**authorization, "state": "ordered", "body": body, "answer": answer})
    session["status"] = "complete"
    sessions.store(call, session)
    return answer


def session_of(call: Call, authorization: Document) -> Document:
    session = call.get(sessions.KIND, authorization["session_id"])
    assert session is not None  # a session stays when its time is over
    return session


def require_unused(authorization: Document, session: Document) -> None:
    """Neither it nor another authorization of its session may have been used."""
    if authorization["state"] != "open" or session["status"] == "complete":
        raise Refusal(403, "INVALID_OPERATION", "Authorization token already consumed")


def require_accepted(authorization: Document) -> None:
    if authorization["fraud_status"] == "REJECTED":
        raise Refusal(403, "REJECTED", "Rejected")


def _purchase(session: Document, body: dict[str, Any]) -> dict[str, Any]:
    """The order as it is meant: what the request leaves out was said in the session."""
    said = {**session, **body}
    purchase: dict[str, Any] = pick(said, *_ORDERED)
    for name in ("purchase_country", "purchase_currency"):
        purchase[name] = purchase[name].upper()
    return {**purchase, "auto_capture": body.get("auto_capture", False)}


def require_matching(session: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse what contradicts its session. What only one of them says is no contradiction."""
    both = [name for name in _MATCHED if name in session and name in wanted]
    differing = [path for name in both for path in _differences(name, session[name], wanted[name])]
    if differing:
        raise Refusal(409, "BAD_VALUE", f"Not matching fields: [{', '.join(differing)}]")


def _differences(path: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        names = [n for n in {**before, **now} if (n in before and n in now) or n in _ZERO]
        return [p for n in names for p in _differences(f"{path}.{n}", before.get(n, 0), now.get(n, 0))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [p for i, pair in enumerate(zip(before, now, strict=True)) for p in _differences(f"{path}[{i}]", *pair)]
    return [] if before == now else [path]
