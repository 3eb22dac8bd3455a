"""So many requests a second for each merchant and category, where limits are enforced."""

from __future__ import annotations

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.limits import NETWORK, Limits
from capstan.sandbox.network.surfaces import ROUTES
from sandbox.client import Client, Reply, partner

PAYOUTS = "/settlements/v1/payouts"
SESSION = "/payments/v1/sessions"
LIVE = next(account for account in MERCHANTS if account.environment == "live")


class Second:
    """The clock that limits go by."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Second:
    found = Second()
    monkeypatch.setattr("capstan.sandbox.limits.time", found)
    return found


@pytest.fixture
def app() -> App:
    return create_app(sample=False, rate_limits=True)


def quota(reply: Reply) -> tuple[int, int]:
    return int(reply.headers["x-ratelimit-limit"]), int(reply.headers["x-ratelimit-remaining"])


def test_every_answer_tells_what_is_left(second: Second, klarna: Client) -> None:
    assert [quota(klarna.get(PAYOUTS)) for _ in range(3)] == [(50, 49), (50, 48), (50, 47)]
    assert quota(klarna.get(f"{PAYOUTS}/none")) == (50, 46)  # a refusal too


def test_above_the_limit_requests_are_refused_without_effect(second: Second, klarna: Client, control: Client) -> None:
    order = "/ordermanagement/v1/orders/" + control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    for _ in range(50):
        assert klarna.get(PAYOUTS).status == 200
    refused = klarna.post(f"{order}/captures", {"captured_amount": 1_000})
    assert (refused.status, refused.json["error_code"]) == (429, "TOO_MANY_REQUESTS")
    assert refused.json["error_messages"] == ["Too many requests"]
    assert quota(refused) == (50, 0)
    second.now += 1
    assert klarna.get(order).json["captured_amount"] == 0


def test_the_next_second_begins_anew(second: Second, klarna: Client) -> None:
    for _ in range(51):
        last = klarna.get(PAYOUTS)
    assert last.status == 429
    second.now += 0.999
    assert klarna.get(PAYOUTS).status == 429
    second.now += 0.001
    assert quota(klarna.get(PAYOUTS)) == (50, 49)


def test_merchants_do_not_use_up_each_others_limits(second: Second, app: App, klarna: Client) -> None:
    for _ in range(51):
        last = klarna.get(PAYOUTS)
    assert last.status == 429
    assert Client(app, MERCHANTS[1]).get(PAYOUTS).status == 200


def test_sessions_are_counted_apart_and_more_strictly(second: Second, klarna: Client) -> None:
    assert [klarna.post(SESSION, {}).status for _ in range(6)] == [400] * 5 + [429]
    assert klarna.get(PAYOUTS).status == 200


@pytest.mark.parametrize(
    ("environment", "category", "limit"),
    [("playground", "create-session", 5), ("playground", "other", 50), ("live", "create-hpp-session", 40),
     ("live", "create-token-session", 40), ("live", "other", 200)],
)  # fmt: skip
def test_limits_are_those_of_the_environment(environment: str, category: str, limit: int) -> None:
    limits = Limits(enforced=True)
    assert limits.take("M", environment, category)[0] == limit


def test_live_merchants_have_more(second: Second, app: App) -> None:
    assert quota(Client(app, LIVE).get(PAYOUTS)) == (200, 199)


def test_what_is_without_credentials_counts_for_nobody(second: Second, app: App, klarna: Client) -> None:
    for _ in range(60):
        assert Client(app, None).get(PAYOUTS).status == 401
    assert quota(klarna.get(PAYOUTS)) == (50, 49)


def test_the_sandboxs_own_paths_have_no_limit(second: Second, control: Client) -> None:
    assert {control.get("/sandbox/time").status for _ in range(60)} == {200}


def test_partners_are_limited_and_told_in_their_words(second: Second, app: App) -> None:
    replies = [partner(app).get("/v2/accounts/none/payment/requests/none") for _ in range(41)]
    assert (replies[-1].status, replies[-1].json["error_code"]) == (429, "RATE_LIMITED")
    assert 429 not in {reply.status for reply in replies[:-1]}
    assert replies[-1].headers["x-ratelimit-limit"] == '40;w=1;name="Payment Request Management"'
    elsewhere = partner(app).get("/v2/accounts/none/payment/disputes")
    assert (elsewhere.status, elsewhere.headers["x-ratelimit-limit"]) == (404, '40;w=1;name="Dispute"')


def test_every_operation_of_the_network_has_a_category() -> None:
    counted = {(route.template, route.category) for route in ROUTES if not route.family.is_ours}
    assert {category for _, category in counted} == set(NETWORK)
    account = "/v2/accounts/{partner_account_id}"
    one = f"{account}/payment/transactions/{{payment_transaction_id}}"
    assert {
        (one, "Payment Transaction Management"), (f"{one}/capture", "Payment Transaction Capture"),
        (f"{one}/authorize", "Payment Transaction Authorization"),
        (f"{account}/payment/authorize", "Payment Transaction Authorization"),
        ("/v2/distribution/onboard", "Account Onboarding"), (account, "Partner Management"),
        ("/v2/payment/presentation", "Payment Presentation"), ("/v4/payment/disputes", "Dispute"),
    } <= counted  # fmt: skip


def test_customer_tokens_are_counted_apart_too(second: Second, klarna: Client) -> None:
    path = "/payments/v1/authorizations/none/customer-token"
    assert [klarna.post(path, {}).status for _ in range(6)] == [404] * 5 + [429]


def test_limits_are_turned_off_and_on(second: Second, klarna: Client, control: Client) -> None:
    for enforced, expected in ((False, 200), (True, 429)):
        reply = control.send("PUT", "/sandbox/rate-limits", {"enforced": enforced})
        assert reply.json == {"enforced": enforced}
        assert [klarna.get(PAYOUTS).status for _ in range(60)][-1] == expected
        assert control.get("/sandbox").json["rate_limits"] is enforced
    assert control.send("PUT", "/sandbox/rate-limits", {"enforced": "yes"}).status == 400


def test_without_limits_nothing_is_used_up(klarna: Client, control: Client) -> None:
    control.send("PUT", "/sandbox/rate-limits", {"enforced": False})
    assert {quota(klarna.get(PAYOUTS)) for _ in range(5)} == {(50, 50)}


def test_a_request_that_is_limited_uses_up_no_fault(second: Second, klarna: Client, control: Client) -> None:
    control.post("/sandbox/faults", {"kind": "unavailable", "count": 1, "path": f"{PAYOUTS}/x"})
    for _ in range(50):
        klarna.get(PAYOUTS)
    assert klarna.get(f"{PAYOUTS}/x").status == 429
    second.now += 1
    assert klarna.get(f"{PAYOUTS}/x").status == 503


def test_the_demonstration_merchant_is_a_playground_one() -> None:
    assert DEMO_MERCHANT.environment == "playground"  # which the figures above rely on
