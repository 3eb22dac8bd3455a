"""Webhooks: really delivered, signed, tried again, and only to whom they concern."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from capstan.sandbox.accounts import DEMO_PARTNER, PARTNERS
from capstan.sandbox.app import App
from capstan.sandbox.network.events import EVENTS, matches
from sandbox.client import partner as partner_client
from sandbox.network_life import ONBOARDING, Partner
from sandbox.receiver import Outside, Received, Wired, wired

_HOOKS = "/v2/notification/webhooks"
_REQUESTS = f"/v2/accounts/{DEMO_PARTNER.id}/payment/requests"


class Subscriber:
    """A partner with a server that listens."""

    def __init__(self, app: App, sandbox: Wired) -> None:
        self.partner, self.sandbox = Outside(partner_client(app)), sandbox
        self.keys: dict[str, str] = {}
        self.webhook_id = ""

    async def subscribe(self, *event_types: str, version: str = "v2") -> None:
        key = (await self.partner.post("/v2/notification/signing-keys")).json
        self.keys[key["signing_key_id"]] = key["signing_key"]
        body = {
            "url": f"{self.sandbox.merchant.url}/hook", "event_types": list(event_types), "event_version": version,
            "signing_key_id": key["signing_key_id"], "status": "ENABLED",
        }  # fmt: skip
        made = await self.partner.post(_HOOKS, body)
        assert made.status == 201, made.content
        self.webhook_id = made.json["webhook_id"]

    async def request(self) -> str:
        return str((await self.partner.post(_REQUESTS, {"currency": "EUR", "amount": 5})).json["payment_request_id"])

    async def act(self, path: str, body: Any = None) -> Any:
        reply = await self.sandbox.control.post(f"/sandbox/network/{path}", body or {})
        assert reply.status in (200, 201), reply.content
        return reply.json

    def check(self, received: Received) -> Any:
        """The event, when its signature is good."""
        headers = {name.lower(): value for name, value in received.headers.items()}
        key = self.keys[headers["klarna-signing-key-id"]]
        expected = hmac.new(key.encode(), received.content, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(headers["klarna-signature"], expected)
        assert headers["content-type"] == "application/json"
        return received.json


@pytest.fixture
async def subscriber(app: App) -> AsyncIterator[Subscriber]:
    async with wired(app) as sandbox:
        yield Subscriber(app, sandbox)


async def test_a_payment_request_is_followed_by_signed_events(subscriber: Subscriber) -> None:
    await subscriber.subscribe("payment.*")
    id_ = await subscriber.request()
    await subscriber.act(f"payment-requests/{id_}/complete")
    events = [subscriber.check(r) for r in await subscriber.sandbox.received(3)]
    found = {e["metadata"]["event_type"].rpartition(".")[2]: e for e in events}
    assert set(found) == {"submitted", "in-progress", "completed"}
    assert found["completed"]["payload"]["payment_request_id"] == id_
    assert (found["completed"]["payload"]["state"], found["completed"]["payload"]["previous_state"]) == (
        "COMPLETED", "IN_PROGRESS",
    )  # fmt: skip
    metadata = found["completed"]["metadata"]
    assert set(metadata) == {
        "event_type", "event_id", "event_version", "occurred_at", "correlation_id", "subject_account_id",
        "recipient_account_id", "product_instance_id", "webhook_id", "live",
    }  # fmt: skip
    assert (metadata["webhook_id"], metadata["live"]) == (subscriber.webhook_id, False)
    assert len({e["metadata"]["event_id"] for e in events}) == 3


async def test_an_event_is_tried_again_until_it_is_taken(subscriber: Subscriber) -> None:
    subscriber.sandbox.merchant.statuses = [500, 302, 204]
    await subscriber.subscribe("payment.request.state-change.submitted")
    await subscriber.request()
    await subscriber.sandbox.attempted(subscriber.webhook_id, 1)
    await subscriber.sandbox.let_pass(seconds=6)
    await subscriber.sandbox.attempted(subscriber.webhook_id, 2)
    await subscriber.sandbox.let_pass(seconds=16)
    done = await subscriber.sandbox.attempted(subscriber.webhook_id, 3)
    assert done["state"] == "delivered"
    events = [subscriber.check(r) for r in subscriber.sandbox.merchant.received]
    assert len({e["metadata"]["event_id"] for e in events}) == 1


async def test_expiry_is_told_without_anybody_asking(subscriber: Subscriber) -> None:
    await subscriber.subscribe("payment.request.state-change.expired")
    id_ = await subscriber.request()
    await subscriber.sandbox.let_pass(hours=3)
    (received,) = await subscriber.sandbox.received(1)
    assert subscriber.check(received)["payload"]["payment_request_id"] == id_


async def test_a_transaction_tells_what_becomes_of_it(subscriber: Subscriber) -> None:
    await subscriber.subscribe("payment.transaction.*", "payment.funding.*")
    id_ = await subscriber.request()
    done = await subscriber.act(f"payment-requests/{id_}/complete")
    token = done["state_context"]["klarna_network_session_token"]
    body = {"currency": "EUR", "request_payment_transaction": {"amount": 5}}
    path = f"/v2/accounts/{DEMO_PARTNER.id}/payment"
    made = await subscriber.partner.post(f"{path}/authorize", body, Klarna_Network_Session_Token=token)
    transaction = made.json["payment_transaction_response"]["payment_transaction"]["payment_transaction_id"]
    one = f"{path}/transactions/{quote(transaction, safe='')}"
    await subscriber.partner.post(f"{one}/capture", {})
    await subscriber.partner.post(f"{one}/refund", {"refund_amount": 1})
    await subscriber.act(f"transactions/{transaction}/chargeback", {"amount": 2})
    await subscriber.act(f"transactions/{transaction}/funding", {"state": "FUNDED"})
    events = [subscriber.check(r) for r in await subscriber.sandbox.received(6)]
    assert sorted(e["metadata"]["event_type"] for e in events) == [
        "payment.funding.state-change.funded", "payment.transaction.captured", "payment.transaction.chargeback",
        "payment.transaction.refunded", "payment.transaction.state-change.authorized",
        "payment.transaction.state-change.completed",
    ]  # fmt: skip
    assert {e["payload"]["payment_transaction_id"] for e in events} == {transaction}


async def test_disputes_of_both_versions_tell_their_states(subscriber: Subscriber, app: App) -> None:
    await subscriber.subscribe("payment.dispute.*", version="v4")
    about = {"version": "v4", "account": DEMO_PARTNER.id, "order_id": "o-1", "amount": 5, "currency": "EUR"}
    dispute = (await subscriber.act("disputes", about))["payment_dispute_id"]
    await subscriber.act(f"disputes/{dispute}/extend", {"days": 20})
    await subscriber.act(f"disputes/{dispute}/decide", {"outcome": "WON"})
    events = [subscriber.check(r) for r in await subscriber.sandbox.received(3)]
    found = {e["metadata"]["event_type"].rpartition(".")[2]: e for e in events}
    assert set(found) == {"initiated", "representment-deadline-extended", "closed"}
    assert found["initiated"]["metadata"]["merchant_id"] == DEMO_PARTNER.id
    assert found["closed"]["payload"]["state_context"] == {"dispute_outcome": "WON"}
    changed = found["representment-deadline-extended"]["payload"]
    assert changed["previous_fields"] != changed["updated_fields"]


async def test_accounts_settlements_and_tokens_tell_too(subscriber: Subscriber) -> None:
    await subscriber.subscribe("*")
    account = (await subscriber.partner.post("/v2/distribution/onboard", ONBOARDING)).json["partner_account_id"]
    await subscriber.act(f"accounts/{account}/compliance-decisions")
    await subscriber.sandbox.let_pass(minutes=5)
    events = [subscriber.check(r) for r in await subscriber.sandbox.received(3)]
    assert sorted(e["metadata"]["event_type"] for e in events) == [
        "partner.account.change.created", "partner.account.state-change.operational",
        "partner.compliance.decision.created",
    ]  # fmt: skip
    assert {e["metadata"]["subject_account_id"] for e in events} == {account}


async def test_every_step_of_a_dispute_and_of_money_is_told(subscriber: Subscriber) -> None:
    await subscriber.subscribe("payment.dispute.*", "settlement.*", "identity.*")
    made = (
        await subscriber.partner.post(_REQUESTS, {"currency": "EUR", "amount": 5, "request_customer_token": {}})
    ).json
    context = (await subscriber.act(f"payment-requests/{made['payment_request_id']}/complete"))["state_context"]
    path, body = f"/v2/accounts/{DEMO_PARTNER.id}", {"currency": "EUR"}
    wanted = {"request_payment_transaction": {"amount": 5, "capture": "NOW"}}
    token = context["klarna_network_session_token"]
    answer = await subscriber.partner.post(
        f"{path}/payment/authorize", {**body, **wanted}, Klarna_Network_Session_Token=token
    )
    paid = answer.json["payment_transaction_response"]["payment_transaction"]
    about = {"payment_transaction_id": paid["payment_transaction_id"], "amount": 5}
    dispute = (await subscriber.act("disputes", about))["payment_dispute_id"]
    for step in ("extend", "advance", "advance", "decide", "advance"):
        await subscriber.act(f"disputes/{dispute}/{step}")
    settled = (await subscriber.partner.post("/v2/settlements", {})).json["settlement_reports"][0]["settlement_id"]
    for status in ("PROCESSED", "CONFIRMED"):
        await subscriber.partner.post(f"/v2/settlements/{settled}/payouts/set-status", {"status": status})
    customer = context["klarna_customer"]["customer_token"]
    await subscriber.partner.post(f"{path}/identity/customer-token/revoke", Klarna_Customer_Token=customer)
    events = [subscriber.check(r)["metadata"]["event_type"] for r in await subscriber.sandbox.received(10)]
    assert sorted(events) == sorted([
        "identity.customer-token.state-change.revoked", "payment.dispute.state-change.pre-arbitration",
        "payment.dispute.updated.arbitration-deadline-extended", "settlement.report.created",
        "payment.dispute.state-change.merchant-evidence-pending", "payment.dispute.state-change.arbitration-pending",
        "payment.dispute.state-change.arbitration-appeal-window-open", "payment.dispute.state-change.closed",
        "settlement.payout.processed", "settlement.payout.confirmed",
    ])  # fmt: skip


async def test_what_is_simulated_is_delivered(subscriber: Subscriber) -> None:
    await subscriber.subscribe("partner.account.product.*", version="v1")
    told = await subscriber.partner.post(f"{_HOOKS}/{quote(subscriber.webhook_id)}/simulate", {})
    (received,) = await subscriber.sandbox.received(1)
    metadata = subscriber.check(received)["metadata"]
    assert (metadata["event_id"], metadata["event_type"]) == (told.json["event_id"], told.json["event_type"])
    assert "account_id" in metadata
    assert "subject_account_id" not in metadata


async def test_only_subscribers_of_the_same_partner_version_and_event_are_told(subscriber: Subscriber) -> None:
    await subscriber.subscribe("payment.request.state-change.canceled")
    other = Outside(partner_client(subscriber.partner.client.app))
    other.client.headers["authorization"] = f"Basic {PARTNERS[1].password}"
    await other.post("/v2/payment/requests", {"currency": "EUR", "amount": 5})
    id_ = await subscriber.request()
    await subscriber.partner.delete(f"{_REQUESTS}/{quote(id_)}")
    deliveries = await subscriber.sandbox.deliveries()
    assert [d["subject"] for d in deliveries] == [subscriber.webhook_id]


async def test_an_event_of_another_version_is_not_told(subscriber: Subscriber) -> None:
    await subscriber.subscribe("*", version="v2")
    about = {"version": "v4", "account": DEMO_PARTNER.id, "order_id": "o-1", "amount": 5, "currency": "EUR"}
    await subscriber.act("disputes", about)
    assert await subscriber.sandbox.deliveries() == []


async def test_a_webhook_that_is_deleted_or_disabled_gets_nothing_more(subscriber: Subscriber) -> None:
    subscriber.sandbox.merchant.statuses = [500]
    await subscriber.subscribe("payment.*")
    await subscriber.request()
    await subscriber.sandbox.attempted(subscriber.webhook_id, 1)
    await subscriber.partner.delete(f"{_HOOKS}/{quote(subscriber.webhook_id)}")
    await subscriber.request()
    assert [d["state"] for d in await subscriber.sandbox.deliveries()] == ["withdrawn"]


# --- without a server


def _webhook(p: Partner, **changed: Any) -> dict[str, Any]:
    key = p.ids.get("signing_key_id") or p.ok("create-signing-key")["signing_key_id"]
    return {"url": "http://127.0.0.1:9/", "event_types": ["payment.*"], "event_version": "v2", "signing_key_id": key,
            "status": "ENABLED", **changed}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "parameter"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["payment.*", "payment.nothing"]}, "event_types[1]"),
        ({"event_types": ["payment.transaction.captured"], "event_version": "v4"}, "event_types[0]"),
        ({"event_version": "v3"}, "event_version"),
        ({"status": "PAUSED"}, "status"),
        ({"signing_key_id": "k"}, "signing_key_id"),
    ],
)
def test_a_webhook_that_could_not_work_is_refused(app: App, changed: dict[str, Any], parameter: str) -> None:
    p = Partner(app)
    reply = p.do("create-webhook", _webhook(p, **changed))
    assert reply.status == 400
    assert [e["parameter"] for e in reply.json["validation_errors"]] == [parameter]


def test_the_same_webhook_is_a_conflict(app: App) -> None:
    p = Partner(app)
    p.ok("create-webhook", _webhook(p))
    assert p.do("create-webhook", _webhook(p)).status == 409
    p.ok("create-webhook", _webhook(p, event_types=["payment.request.*"]))


def test_there_are_at_most_fifty_signing_keys_and_they_are_shown_once(app: App) -> None:
    p = Partner(app)
    made = [p.ok("create-signing-key") for _ in range(50)]
    assert p.do("create-signing-key").status == 403
    assert "signing_key" not in p.ok("read-signing-key", signing_key_id=made[0]["signing_key_id"])
    p.ok("delete-signing-key", signing_key_id=made[0]["signing_key_id"])
    p.ok("create-signing-key")


def test_a_signing_key_in_use_stays(app: App) -> None:
    p = Partner(app)
    p.ok("create-webhook", _webhook(p))
    assert p.do("delete-signing-key").status == 409
    p.ok("delete-webhook")
    p.ok("delete-signing-key")


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ("payment.*", "payment.transaction.captured", True),
        ("payment.*", "partner.account.change.created", False),
        ("payment.transaction.*", "payment.request.updated", False),
        ("pay*", "payment.request.updated", False),
        ("payment.request.updated", "payment.request.updated", True),
    ],
)
def test_a_wildcard_stands_for_what_is_below_it(pattern: str, event: str, *, expected: bool) -> None:
    assert matches(pattern, event) is expected


def test_the_events_are_those_of_the_catalogue() -> None:
    from sandbox.test_network_operations import CATALOGUE

    if not CATALOGUE.is_file():
        pytest.skip("the catalogue is not at hand")
    import yaml

    listed = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["events"]
    expected = {(e["version"], e["name"]) for e in listed}
    assert {(version, name) for version, names in EVENTS.items() for name in names} == expected
