"""Webhook events: which there are, and sending them to whoever subscribed."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.state import Document
from capstan.sandbox.web import Call

WEBHOOKS: Final = "network-webhooks"
SIGNING_KEYS: Final = "network-signing-keys"

_REQUEST: Final = "payment.request.state-change."
_DISPUTE: Final = "payment.dispute.state-change."
EVENTS: Final[dict[str, tuple[str, ...]]] = {  # by version
    "v2": (
        *(_REQUEST + s for s in ("submitted", "in-progress", "completed", "canceled", "expired", "declined")),
        "payment.request.updated",
        *(f"payment.transaction.state-change.{s}" for s in ("authorized", "completed", "expired", "closed")),
        "payment.transaction.captured", "payment.transaction.refunded", "payment.transaction.chargeback",
        "payment.funding.state-change.funded", "payment.funding.state-change.expired",
        *(_DISPUTE + s for s in ("pre-arbitration", "arbitration-pending", "merchant-evidence-pending",
                                 "arbitration-appeal-window-open", "closed")),
        "payment.dispute.updated.arbitration-deadline-extended",
        "settlement.report.created", "settlement.report.uploaded-to-sftp", "settlement.payout.processed",
        "settlement.payout.confirmed", "settlement.payout.failed", "identity.customer-token.state-change.revoked",
        "partner.compliance.decision.created", "partner.account.state-change.operational",
        "partner.account.change.created",
    ),
    "v4": (
        *(_DISPUTE + s for s in ("initiated", "representment", "pre-arbitration", "arbitration", "closed")),
        "payment.dispute.updated.representment-deadline-extended",
    ),
    "v1": (
        *(_REQUEST + s for s in ("submitted", "prepared", "in-progress", "pending-confirmation", "authorized",
                                 "canceled", "expired", "declined")),
        "partner.account.product.payment.state-change.disabled", "partner.account.product.payment.state-change.enabled",
    ),
}  # fmt: skip


def known(event_type: str, version: str) -> bool:
    """Whether there is such an event, or one that a wildcard such as `payment.*` stands for."""
    return any(matches(event_type, event) for event in EVENTS.get(version, ()))


def matches(pattern: str, event_type: str) -> bool:
    if pattern in ("*", event_type):
        return True
    return pattern.endswith(".*") and event_type.startswith(pattern[:-1])


def fire(call: Call, event_type: str, payload: dict[str, Any], subject: str, *, version: str = "v2") -> None:
    """Tell every webhook of this account that wants to know; `subject` is the account it happened to."""
    for _, webhook in call.items(WEBHOOKS):
        wanted = webhook["status"] == "ENABLED" and webhook["event_version"] == version
        if wanted and any(matches(pattern, event_type) for pattern in webhook["event_types"]):
            send(call, webhook, event_type, payload, subject)


def send(call: Call, webhook: Document, event_type: str, payload: dict[str, Any], subject: str) -> str:
    """Deliver an event to one webhook; the id of the event.

    The signature is HMAC-SHA256 of the bytes of the body under the text of the signing key, in lower-case hexadecimal
    digits: the digits are this sandbox's choice, as Klarna's documents say the algorithm only.
    """
    version, event_id = webhook["event_version"], str(uuid.uuid4())
    accounts = {"account_id": subject} if version == "v1" else {
        "subject_account_id": subject, "recipient_account_id": webhook["_recipient"],
    }  # fmt: skip
    metadata = {
        "event_type": event_type, "event_id": event_id, "event_version": version, "occurred_at": write_time(call.now),
        "correlation_id": call.correlation_id, **accounts, "product_instance_id": webhook["_product"],
        "webhook_id": webhook["webhook_id"], "live": call.account.environment == "live",
    }  # fmt: skip
    if version == "v4":
        metadata["merchant_id"] = call.account.id
    body = json.dumps({"metadata": metadata, "payload": payload}, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Klarna-Signing-Key-Id": webhook["signing_key_id"]}
    key = call.get(SIGNING_KEYS, webhook["signing_key_id"])
    if key is not None:
        headers["Klarna-Signature"] = hmac.new(key["_key"].encode(), body, hashlib.sha256).hexdigest()
    call.deliver(Delivery(
        webhook["url"], body, policy="webhook", headers=headers, subject=webhook["webhook_id"], owner=call.account.id
    ))  # fmt: skip
    return event_id
