"""Whatever is done in whatever order: one session places one order at most, and every answer is the one that is due."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from capstan.sandbox.assemble import create_app
from sandbox import baskets
from sandbox.client import Client, Reply

MINUTE, HOUR = 1, 60
TOKEN = {
    "description": "Coffee", "intended_use": "SUBSCRIPTION", "locale": "en-DE", "purchase_country": "DE",
    "purchase_currency": "EUR",
}  # fmt: skip
PICK = st.integers(0, 5)  # one of the tokens that were given out, counted around


@dataclass
class Given:
    """A token, as the test knows it."""

    token: str
    until: int
    state: str = "open"  # ordered, tokenized, cancelled
    rejected: bool = False


@dataclass
class Known:
    intent: str = "buy"
    minute: int = 0
    amount: int = 11900
    order_id: str = ""
    declined: bool = False
    tokens: list[Given] = field(default_factory=list)
    current: Given | None = None  # the last that was given out, unless it was cancelled


class OneSession(RuleBasedStateMachine):
    """One Payments session, and a model of it."""

    @initialize(intent=st.sampled_from(["buy", "tokenize", "buy_and_tokenize"]))
    def open(self, intent: str) -> None:
        app = create_app(sample=False)
        self.klarna, self.control = Client(app), Client(app, None)
        self.known = Known(intent)
        self.session_id = self.klarna.post("/payments/v1/sessions", self.purchase(intent=intent)).json["session_id"]

    def purchase(self, **more: str) -> dict[str, object]:
        return baskets.purchase(baskets.line("Shoe", self.known.amount), **more)

    @property
    def over(self) -> bool:
        return self.known.minute >= 48 * HOUR

    def pick(self, number: int) -> Given | None:
        return self.known.tokens[number % len(self.known.tokens)] if self.known.tokens else None

    def is_good(self, given: Given) -> bool:
        """Whether the token is known to those who ask for it."""
        return given.state in ("ordered", "tokenized") or (given.state == "open" and self.known.minute < given.until)

    @rule(minutes=st.sampled_from([25 * MINUTE, 61 * MINUTE, 13 * HOUR]))
    def wait(self, minutes: int) -> None:
        self.control.post("/sandbox/time", {"minutes": minutes})
        self.known.minute += minutes

    @rule(amount=st.sampled_from([11900, 5000]))
    def update(self, amount: int) -> None:
        body = baskets.purchase(baskets.line("Shoe", amount))
        reply = self.klarna.post(f"/payments/v1/sessions/{self.session_id}", body)
        if self.over:
            assert code(reply) == (404, "NOT_FOUND")
        elif self.known.order_id:
            assert code(reply) == (404, "SESSION_COMPLETED")
        else:
            assert reply.status == 204
            self.known.amount = amount

    @rule(fraud_status=st.sampled_from(["ACCEPTED", "PENDING", "REJECTED"]))
    def authorize(self, fraud_status: str) -> None:
        path = f"/sandbox/payments/sessions/{self.session_id}/authorize"
        reply = self.control.post(path, {"fraud_status": fraud_status})
        if self.over or self.known.order_id:
            assert reply.status == 404
        elif self.known.declined:
            assert reply.json["approved"] is False
            self.known.declined = False
        else:
            token = reply.json["authorization_token"]
            self.known.current = Given(token, self.known.minute + HOUR, rejected=fraud_status == "REJECTED")
            self.known.tokens.append(self.known.current)

    @rule()
    def decline(self) -> None:
        reply = self.control.post(f"/sandbox/payments/sessions/{self.session_id}/decline", {})
        if self.over or self.known.order_id:
            assert reply.status == 404
            return
        assert reply.status == 204
        current = self.known.current
        if current is not None and current.state == "open" and self.is_good(current):
            current.rejected = True
        else:
            self.known.declined = True

    @rule(number=PICK)
    def cancel(self, number: int) -> None:
        if (given := self.pick(number)) is None:
            return
        reply = self.klarna.delete(f"/payments/v1/authorizations/{given.token}")
        if given.state == "open" and self.known.minute < given.until and not self.known.order_id:
            assert reply.status == 204
            given.state = "cancelled"
            if given is self.known.current:
                self.known.current = None
        else:
            assert code(reply) == (404, "NOT_FOUND")

    @rule(number=PICK, other=st.booleans())
    def place(self, number: int, *, other: bool) -> None:
        if (given := self.pick(number)) is None:
            return
        body = self.purchase(merchant_reference1="other" if other else "same")
        reply = self.klarna.post(f"/payments/v1/authorizations/{given.token}/order", body)
        if not self.is_good(given):
            assert code(reply) == (404, "NOT_FOUND")
        elif given.state == "ordered":
            assert reply.status in (200, 409)
            assert reply.status == 409 or reply.json["order_id"] == self.known.order_id
        elif given.state == "tokenized" or self.known.order_id or self.known.intent == "tokenize":
            assert code(reply) == (403, "INVALID_OPERATION")
        elif given.rejected:
            assert code(reply) == (403, "REJECTED")
        else:
            assert reply.status == 200
            given.state, self.known.order_id = "ordered", reply.json["order_id"]

    @rule(number=PICK)
    def tokenize(self, number: int) -> None:
        if (given := self.pick(number)) is None:
            return
        reply = self.klarna.post(f"/payments/v1/authorizations/{given.token}/customer-token", TOKEN)
        if not self.is_good(given):
            assert code(reply) == (404, "NOT_FOUND")
        elif given.state != "open" or self.known.order_id or self.known.intent == "buy":
            assert code(reply) == (403, "INVALID_OPERATION")
        elif given.rejected:
            assert code(reply) == (403, "REJECTED")
        else:
            assert reply.status == 200
            given.state = "tokenized"

    @invariant()
    def what_is_read_is_true(self) -> None:
        reply = self.klarna.get(f"/payments/v1/sessions/{self.session_id}")
        if self.over:
            assert code(reply) == (404, "NOT_FOUND")
            return
        assert reply.json["status"] == ("complete" if self.known.order_id else "incomplete")
        assert reply.json["order_amount"] == self.known.amount
        current = self.known.current
        named = current if current and current.state in ("open", "ordered") and self.is_good(current) else None
        assert reply.json.get("authorization_token") == (named.token if named else None)


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error_code"]


TestOneSession = OneSession.TestCase
TestOneSession.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
