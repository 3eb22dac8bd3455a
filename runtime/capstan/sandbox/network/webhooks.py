"""Webhooks and the keys that sign what is sent to them."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from capstan.sandbox.clock import write_time
from capstan.sandbox.deliveries import withdraw
from capstan.sandbox.network.events import EVENTS, SIGNING_KEYS, WEBHOOKS, known, matches, send
from capstan.sandbox.network.family import choice_of, conflict, forbidden, invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import page
from capstan.sandbox.network.partners import own_account, own_id
from capstan.sandbox.network.resources import find, of_account, views
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call

_HOOKS: Final = "/v2/notification/webhooks"
_KEYS: Final = "/v2/notification/signing-keys"
_MAX_KEYS: Final = 50
_STATUSES: Final = ("ENABLED", "DISABLED")
_FIELDS: Final = ("url", "event_types", "event_version", "signing_key_id", "status")

operations = Operations()


@operations("POST", _HOOKS)
def create_webhook(call: Call) -> Answer:
    body = read_body(call, "create-webhook")
    now = write_time(call.now)
    webhook = {
        "webhook_id": krn(call.account, "notification", "webhook"), **{name: body[name] for name in _FIELDS},
        "created_at": now, "updated_at": now, "_account": call.params[ACCOUNT], "_recipient": own_id(call.account),
        "_product": own_account(call.account)["products"][0]["product_id"],
    }  # fmt: skip
    _check(call, webhook)
    call.put(WEBHOOKS, webhook["webhook_id"], webhook)
    return Answer(201, view(webhook))


def _check(call: Call, webhook: Document) -> None:
    """The ports that Klarna insists on are not insisted on here: a developer's receiver listens anywhere."""
    if not _is_url(webhook["url"]):
        raise invalid("url", "must be an absolute http or https URL")
    version = choice_of(webhook, "event_version", tuple(EVENTS))
    if not webhook["event_types"]:
        raise invalid("event_types", "must not be empty")
    for number, event_type in enumerate(webhook["event_types"]):
        if not known(event_type, version):
            raise invalid(f"event_types[{number}]", f"is no event of version {version}")
    choice_of(webhook, "status", _STATUSES)
    if call.get(SIGNING_KEYS, webhook["signing_key_id"]) is None:
        raise invalid("signing_key_id", "there is no such signing key")
    for other in of_account(call, WEBHOOKS):
        same = all(other[name] == webhook[name] for name in ("url", "event_version"))
        if same and other["webhook_id"] != webhook["webhook_id"] and _same_events(other, webhook):
            raise conflict("There is a webhook with this URL and these events")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _same_events(one: Document, other: Document) -> bool:
    return sorted(one["event_types"]) == sorted(other["event_types"])


@operations("GET", _HOOKS)
def list_webhooks(call: Call) -> Answer:
    return page(call, "webhooks", views(call, WEBHOOKS), "webhook_id", size=None)


def _asked(call: Call) -> Document:
    return find(call, WEBHOOKS, call.params["webhook_id"], "The webhook")


@operations("GET", f"{_HOOKS}/{{webhook_id}}")
def read_webhook(call: Call) -> Answer:
    return Answer(200, view(_asked(call)))


@operations("PATCH", f"{_HOOKS}/{{webhook_id}}")
def update_webhook(call: Call) -> Answer:
    webhook = _asked(call)
    body = read_body(call, "update-webhook")
    webhook |= pick(body, *_FIELDS)
    webhook["updated_at"] = write_time(call.now)
    _check(call, webhook)
    if webhook["status"] == "DISABLED":
        withdraw(call.state, webhook["webhook_id"])
    call.put(WEBHOOKS, webhook["webhook_id"], webhook)
    return Answer(200, view(webhook))


@operations("DELETE", f"{_HOOKS}/{{webhook_id}}")
def delete_webhook(call: Call) -> Answer:
    webhook = _asked(call)
    withdraw(call.state, webhook["webhook_id"])
    call.state.delete(call.account.id, WEBHOOKS, webhook["webhook_id"])
    return Answer(204)


@operations("POST", f"{_HOOKS}/{{webhook_id}}/simulate")
def simulate(call: Call) -> Answer:
    """Send an event that did not happen."""
    webhook = _asked(call)
    body = read_body(call, "simulate-webhook")
    version = body.get("event_version", webhook["event_version"])
    if version != webhook["event_version"]:
        raise invalid("event_version", f"the webhook takes {webhook['event_version']}")
    subscribed = [e for e in EVENTS[version] if any(matches(pattern, e) for pattern in webhook["event_types"])]
    event_type = body.get("event_type", subscribed[0])
    if event_type not in EVENTS[version]:
        raise invalid("event_type", f"is no event of version {version}")
    event_id = send(call, webhook, event_type, _sample(call, event_type), call.params[ACCOUNT])
    told = {"webhook_id": webhook["webhook_id"], "event_id": event_id}
    return Answer(200, {**told, "event_type": event_type, "event_version": version})


def _sample(call: Call, event_type: str) -> dict[str, Any]:
    """A payload with the members that all events of its kind have."""
    area, kind, *rest = event_type.split(".")
    payload = {f"{area}_{kind.replace('-', '_')}_id": krn(call.account, area, kind), "simulated": True}
    if "state-change" in rest:
        payload["state"] = rest[-1].upper().replace("-", "_")
    return payload


@operations("POST", _KEYS)
def create_key(call: Call) -> Answer:
    if len(of_account(call, SIGNING_KEYS)) >= _MAX_KEYS:
        raise forbidden(f"There are {_MAX_KEYS} signing keys, which is as many as there can be")
    key = secrets.token_urlsafe(32)
    document = {
        "signing_key_id": krn(call.account, "notification", "signing-key"), "created_at": write_time(call.now),
        "_key": key, "_account": call.params[ACCOUNT],
    }  # fmt: skip
    call.put(SIGNING_KEYS, document["signing_key_id"], document)
    return Answer(201, {**view(document), "signing_key": key})


@operations("GET", _KEYS)
def list_keys(call: Call) -> Answer:
    return page(call, "signing_keys", views(call, SIGNING_KEYS), "signing_key_id", size=None)


@operations("GET", f"{_KEYS}/{{signing_key_id}}")
def read_key(call: Call) -> Answer:
    return Answer(200, view(find(call, SIGNING_KEYS, call.params["signing_key_id"], "The signing key")))


@operations("DELETE", f"{_KEYS}/{{signing_key_id}}")
def delete_key(call: Call) -> Answer:
    key = find(call, SIGNING_KEYS, call.params["signing_key_id"], "The signing key")
    if any(hook["signing_key_id"] == key["signing_key_id"] for hook in of_account(call, WEBHOOKS)):
        raise conflict("A webhook uses the signing key")
    call.state.delete(call.account.id, SIGNING_KEYS, key["signing_key_id"])
    return Answer(204)


ROUTES: Final = operations.routes
