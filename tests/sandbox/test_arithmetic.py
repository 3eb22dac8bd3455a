"""The money of orders under random sequences of operations, against a small model that is written independently.

After every step all orders are read and compared: nothing is negative, nothing is made or lost, a repeat with the same
idempotency key does nothing, and what settlements hold is what was captured less what was refunded.
"""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.assemble import create_app
from sandbox.client import Client, Reply

ORDERS: Final = "/ordermanagement/v1/orders"
DAY: Final = timedelta(days=1)


@dataclass
class Model:
    """What an order should be, told in its own way: by what happened, not by states."""

    merchant: int
    path: str
    created: datetime
    amount: int
    expires: datetime
    captures: list[int] = field(default_factory=list)
    refunds: list[int] = field(default_factory=list)
    cancelled: bool = False
    released: bool = False

    @property
    def captured(self) -> int:
        return sum(self.captures)

    @property
    def refunded(self) -> int:
        return sum(self.refunds)

    def status(self, now: datetime) -> str:
        if self.cancelled:
            return "CANCELLED"
        if self.captures and (self.released or self.captured == self.amount):
            return "CAPTURED"
        if now >= self.expires:
            return "EXPIRED"
        return "PART_CAPTURED" if self.captures else "AUTHORIZED"

    def remaining(self, now: datetime) -> int:
        return self.amount - self.captured if self.status(now) in ("AUTHORIZED", "PART_CAPTURED") else 0

    def refunded_per_capture(self) -> list[int]:
        """The oldest captures give back first."""
        left, shares = self.refunded, []
        for capture in self.captures:
            shares.append(min(left, capture))
            left -= shares[-1]
        return shares


@dataclass(frozen=True)
class Sent:
    """A request that carried an idempotency key, and how it was answered."""

    order: Model
    method: str
    below: str
    key: str
    at: datetime
    reply: Reply


DEEDS: Final = (*["capture"] * 6, *["refund"] * 6, *["update"] * 4, "extend", "cancel", "release")
WAYS: Final = ("without a key", "with a key", "the answer is lost, then again", "not available, then again")
# Small parts are drawn often: an order that is still open after some steps is where mistakes would be.
SHARES: Final = ("one", "tenth", "tenth", "half", "nothing", "one more", "one more", "all", 3, 2500, 9000)
CHANGES: Final = 8


def _part(share: str | int, whole: int) -> int:
    parts = {"nothing": 0, "one": 1, "tenth": whole // 10, "half": whole // 2, "all": whole, "one more": whole + 1}
    return share if isinstance(share, int) else parts[share]


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.app = create_app(sample=False)
        self.control = Client(self.app, None)
        self.merchants = [Client(self.app, account) for account in MERCHANTS[:2]]
        self.orders: list[Model] = []
        self.sent: list[Sent] = []

    def now(self) -> datetime:
        return datetime.fromisoformat(self.control.get("/sandbox/time").json["now"])

    # --- steps

    @initialize()
    def place_two(self) -> None:
        self.place(10_000, 0, False)
        self.place(10_000, 1, False)

    @rule(amount=st.integers(0, 10_000), merchant=st.integers(0, 1), auto_capture=st.booleans())
    def place(self, amount: int, merchant: int, auto_capture: bool) -> None:  # noqa: FBT001 - drawn
        if len(self.orders) == 6:
            return
        options = {"amount": amount, "merchant": MERCHANTS[merchant].id, "auto_capture": auto_capture}
        order = self.control.post("/sandbox/orders", options).json
        created = datetime.fromisoformat(order["created_at"])
        model = Model(merchant, f"{ORDERS}/{order['order_id']}", created, amount, _midnight(created, 28))
        if auto_capture and amount:
            model.captures.append(amount)
        self.orders.append(model)

    @rule(seed=st.integers(0, 2**32))
    def change(self, seed: int) -> None:
        """Some changes on end. Of equal chance each, which hypothesis' own choices are not."""
        draw = random.Random(seed)
        for _ in range(CHANGES):
            # The newest orders: the older ones are soon over.
            order = draw.choice(self.orders[-2:])
            self._change(order, draw.choice(DEEDS), draw.choice(SHARES), draw.choice(WAYS))
            self._check(order, self.now())

    def _change(self, order: Model, what: str, share: str | int, way: str) -> None:
        now = self.now()
        is_open = order.status(now) in ("AUTHORIZED", "PART_CAPTURED")
        match what:
            case "capture":
                amount = _part(share, order.remaining(now))
                allowed = 0 < amount <= order.remaining(now)
                if self._send(order, "POST", "/captures", {"captured_amount": amount}, allowed, way):
                    order.captures.append(amount)
            case "refund":
                room = order.captured - order.refunded
                amount = _part(share, room)
                allowed = bool(order.captures) and amount <= room
                if self._send(order, "POST", "/refunds", {"refunded_amount": amount}, allowed, way):
                    order.refunds.append(amount)
            case "update":
                low = max(order.captured - 1, 0)
                near = {"one": low, "nothing": low, "one more": order.captured + 1, "tenth": order.amount}
                amount = near.get(str(share), _part(share, order.captured))
                allowed = is_open and amount >= order.captured
                if self._send(order, "PATCH", "/authorization", {"order_amount": amount}, allowed, way):
                    order.amount = amount
            case "extend":
                if self._send(order, "POST", "/extend-authorization-time", None, is_open, way):
                    order.expires = min(_midnight(now, 28), _midnight(order.created, 180))
            case "cancel":
                if self._send(order, "POST", "/cancel", None, is_open and not order.captures, way):
                    order.cancelled = True
            case "release":
                allowed = is_open and bool(order.captures)
                if self._send(order, "POST", "/release-remaining-authorization", None, allowed, way):
                    order.released = True

    @rule(hours=st.sampled_from((1, 1, 1, 5, 25, 24 * 10, 24 * 25)))
    def let_time_pass(self, hours: int) -> None:
        assert self.control.post("/sandbox/time", {"hours": hours}).status == 200

    @rule(number=st.integers(0, 50), amount=st.integers(0, 10_000))
    def repeat(self, number: int, amount: int) -> None:
        """The same key again, with another body: the first answer, and no effect."""
        sent = self.sent[number % len(self.sent)] if self.sent else None
        if sent is None or self.now() - sent.at >= DAY:
            return
        body = {"captured_amount": amount, "refunded_amount": amount, "order_amount": amount}
        reply = self.merchants[sent.order.merchant].send(
            sent.method, sent.order.path + sent.below, json.dumps(body).encode(), key=sent.key
        )
        assert (reply.status, reply.content) == (sent.reply.status, sent.reply.content)
        for name in ("location", "capture-id", "refund-id"):
            assert reply.headers.get(name) == sent.reply.headers.get(name)

    # --- how a step is done

    def _send(self, order: Model, method: str, below: str, body: Any, allowed: bool, way: str) -> bool:  # noqa: FBT001
        """Send a request in one of the ways; whether it had its effect, which must be as allowed."""
        client = self.merchants[order.merchant]
        key, at = "" if way == "without a key" else str(uuid.uuid4()), self.now()
        trouble = {WAYS[2]: ("timeout-after", 500), WAYS[3]: ("unavailable", 503)}.get(way)
        if trouble is not None:
            self.control.post("/sandbox/faults", {"kind": trouble[0], "path": order.path + below, "count": 1})
            assert client.send(method, order.path + below, body, key=key).status == trouble[1]
        reply = client.send(method, order.path + below, body, key=key)
        assert reply.status == (403 if not allowed else 201 if below in ("/captures", "/refunds") else 204)
        if key:
            self.sent.append(Sent(order, method, below, key, at, reply))
        return allowed

    # --- what holds at all times

    @invariant()
    def orders_are_as_the_model_says(self) -> None:
        now = self.now()
        for model in self.orders:
            self._check(model, now)

    def _check(self, model: Model, now: datetime) -> None:
        order = self.merchants[model.merchant].get(model.path).json
        assert order["status"] == model.status(now)
        assert datetime.fromisoformat(order["expires_at"]) == model.expires
        assert order["order_amount"] == model.amount
        assert order["remaining_authorized_amount"] == model.remaining(now)
        assert [capture["captured_amount"] for capture in order["captures"]] == model.captures
        assert [capture["refunded_amount"] for capture in order["captures"]] == model.refunded_per_capture()
        assert [refund["refunded_amount"] for refund in order["refunds"]] == model.refunds
        assert order["captured_amount"] == sum(model.captures)
        assert order["refunded_amount"] == sum(model.refunds)
        assert 0 <= order["refunded_amount"] <= order["captured_amount"] <= order["order_amount"]
        assert order["remaining_authorized_amount"] >= 0
        assert sum(capture["refunded_amount"] for capture in order["captures"]) == order["refunded_amount"]

    @invariant()
    def no_merchant_sees_the_orders_of_another(self) -> None:
        if self.orders:
            assert self.merchants[1 - self.orders[-1].merchant].get(self.orders[-1].path).status == 404

    @invariant()
    def settlements_hold_what_was_captured_less_what_was_refunded(self) -> None:
        for number, account in enumerate(MERCHANTS[:2]):
            entries = [
                json.loads(text)
                for (owner, kind), folder in self.app.state._folders.items()
                if owner == account.id and kind.startswith("settlement-entries/")
                for text in folder.values()
            ]
            sums = {kind: sum(e["amount"] for e in entries if e["type"] == kind) for kind in ("SALE", "RETURN")}
            own = [order for order in self.orders if order.merchant == number]
            assert sums == {"SALE": sum(o.captured for o in own), "RETURN": sum(o.refunded for o in own)}


def _midnight(day: datetime, days: int) -> datetime:
    return datetime.combine(day.date(), datetime.min.time(), UTC) + days * DAY


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
