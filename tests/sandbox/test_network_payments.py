"""Payment requests, authorizations and transactions: their states, and their amounts at all times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from sandbox.network_life import Partner


@pytest.fixture
def partner(app: App) -> Partner:
    return Partner(app)


def _request(p: Partner, **fields: Any) -> str:
    made = p.ok("create-payment-request", {"currency": "EUR", "amount": 1000, **fields})
    assert made["state"] == "SUBMITTED"
    return str(made["payment_request_id"])


def _state(p: Partner, id_: str) -> str:
    return str(p.ok("read-payment-request", payment_request_id=id_)["state"])


def _pass(p: Partner, **time: int) -> None:
    assert p.control.post("/sandbox/time", time).status == 200


# --- payment requests


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["start"], "IN_PROGRESS"),
        (["start", "leave"], "SUBMITTED"),
        (["start", "complete"], "COMPLETED"),
        (["complete"], "COMPLETED"),
        (["start", "decline"], "DECLINED"),
    ],
)
def test_a_customer_moves_a_payment_request(partner: Partner, steps: list[str], state: str) -> None:
    id_ = _request(partner)
    for step in steps:
        partner.act(f"payment-requests/{id_}/{step}")
    assert _state(partner, id_) == state


@pytest.mark.parametrize("over", ["complete", "decline"])
@pytest.mark.parametrize("step", ["start", "leave", "complete", "decline"])
def test_what_is_over_moves_no_more(partner: Partner, over: str, step: str) -> None:
    id_ = _request(partner)
    partner.act(f"payment-requests/{id_}/{over}")
    assert partner.control.post(f"/sandbox/network/payment-requests/{id_}/{step}", {}).status == 409


def test_a_payment_request_is_open_for_three_hours(partner: Partner) -> None:
    id_ = _request(partner)
    _pass(partner, hours=2, minutes=59)
    assert _state(partner, id_) == "SUBMITTED"
    _pass(partner, minutes=1)
    assert _state(partner, id_) == "EXPIRED"
    assert partner.do("update-payment-request", {"currency": "EUR", "amount": 1}).status == 409
    assert partner.do("cancel-payment-request").status == 409


def test_a_change_is_kept_and_of_a_closed_request_refused(partner: Partner) -> None:
    id_ = _request(partner)
    changed = partner.ok("update-payment-request", {"currency": "SEK", "amount": 5, "state": "COMPLETED"})
    assert (changed["amount"], changed["currency"], changed["state"]) == (5, "SEK", "SUBMITTED")
    assert partner.ok("cancel-payment-request")["state"] == "CANCELED"
    assert partner.do("update-payment-request", {"currency": "SEK", "amount": 6}, payment_request_id=id_).status == 409


def test_a_merchant_that_acts_for_itself_is_answered_200(partner: Partner) -> None:
    reply = partner.do("create-payment-request", {"currency": "EUR", "amount": 1}, alone=True)
    assert reply.status == 200
    read = partner.do("read-payment-request", alone=True, payment_request_id=reply.json["payment_request_id"])
    assert read.json == reply.json


def test_a_completed_request_can_be_canceled_until_it_is_used(partner: Partner) -> None:
    token = partner.approved()
    assert partner.ok("cancel-payment-request")["state"] == "CANCELED"
    assert _authorize(partner, token).status == 409
    used = Partner(partner.client.app)
    used.transaction()
    assert used.do("cancel-payment-request").status == 409


def _authorize(p: Partner, token: str = "", amount: int = 1000, **more: Any) -> Any:
    body = {"currency": "EUR", "request_payment_transaction": {"amount": amount, **more}}
    return p.do("authorize-payment", body, **({"Klarna_Network_Session_Token": token} if token else {}))


def test_a_session_token_is_good_for_sixty_minutes_and_once(partner: Partner) -> None:
    late = partner.approved()
    _pass(partner, minutes=60)
    assert _authorize(partner, late).status == 409
    token = partner.approved()
    _pass(partner, minutes=59)
    assert _authorize(partner, token).json["payment_transaction_response"]["result"] == "APPROVED"
    assert _authorize(partner, token).status == 409


def test_a_token_that_was_cancelled_or_never_was_does_not_pay(partner: Partner) -> None:
    token = partner.approved()
    partner.ok("cancel-payment-token", payment_token=token)
    assert _authorize(partner, token).status == 409
    assert partner.do("cancel-payment-token", payment_token="unknown").status == 404
    reply = _authorize(partner, "unknown")
    assert reply.status == 400
    assert reply.json["validation_errors"][0]["parameter"] == "Klarna-Network-Session-Token"


@pytest.mark.parametrize("header", ["Klarna_Network_Session_Token", "Klarna_Payment_Token"])
def test_either_token_of_an_approval_pays(partner: Partner, header: str) -> None:
    partner.approved()
    context = partner.ok("read-payment-request")["state_context"]
    token = context["klarna_network_session_token" if "Session" in header else "payment_token"]
    body = {"currency": "EUR", "request_payment_transaction": {"amount": 1000}}
    answer = partner.ok("authorize-payment", body, **{header: token})
    assert answer["payment_transaction_response"]["payment_transaction"]["state"] == "AUTHORIZED"


def test_without_an_approval_the_customer_is_asked(partner: Partner) -> None:
    body = {
        "currency": "EUR", "request_payment_transaction": {"amount": 700},
        "step_up_config": {"payment_request_reference": "again"},
    }  # fmt: skip
    answer = partner.ok("authorize-payment", body)
    assert answer["payment_transaction_response"] == {"result": "STEP_UP_REQUIRED"}
    asked = answer["payment_request"]
    assert (asked["state"], asked["amount"], asked["payment_request_reference"]) == ("SUBMITTED", 700, "again")
    done = partner.act(f"payment-requests/{asked['payment_request_id']}/complete")
    reply = _authorize(partner, done["state_context"]["klarna_network_session_token"], 700)
    assert reply.json["payment_transaction_response"]["result"] == "APPROVED"


def test_more_than_was_approved_has_to_be_asked_for(partner: Partner) -> None:
    token = partner.approved(1000)
    assert _authorize(partner, token, 1001).json["payment_transaction_response"]["result"] == "STEP_UP_REQUIRED"
    assert _authorize(partner, token, 1000).json["payment_transaction_response"]["result"] == "APPROVED"


def test_a_decision_made_beforehand_holds_for_so_many_authorizations(partner: Partner) -> None:
    partner.act("next-authorizations", {"account": partner.account.id, "result": "DECLINED"})
    token = partner.approved()
    answer = _authorize(partner, token).json
    assert answer == {"payment_transaction_response": {"result": "DECLINED"}}
    assert _authorize(partner, token).json["payment_transaction_response"]["result"] == "APPROVED"


def test_a_stored_customer_is_charged_until_the_token_is_revoked(partner: Partner) -> None:
    wanted = {"scopes": ["customer:login"], "customer_token_reference": "c-1"}
    session = partner.approved(request_customer_token=wanted)
    context = partner.ok("read-payment-request")["state_context"]
    assert context["klarna_network_session_token"] == session
    token = context["klarna_customer"]["customer_token"]
    body = {"currency": "EUR", "request_payment_transaction": {"amount": 10_000}}
    for _ in range(2):
        answer = partner.ok("authorize-payment", body, Klarna_Customer_Token=token)
        assert answer["payment_transaction_response"]["result"] == "APPROVED"
    told = partner.ok("introspect-customer-token", Klarna_Customer_Token=token)
    assert (told["state"], told["customer_token_reference"]) == ("ACTIVE", "c-1")
    assert partner.ok("revoke-customer-token", Klarna_Customer_Token=token)["state"] == "REVOKED"
    assert partner.do("authorize-payment", body, Klarna_Customer_Token=token).status == 409
    assert partner.ok("introspect-customer-token", Klarna_Customer_Token=token)["state"] == "REVOKED"
    assert partner.do("introspect-customer-token").status == 400


def test_a_token_can_be_had_with_an_authorization(partner: Partner) -> None:
    body = {"request_customer_token": {"scopes": ["customer:login"]}}
    answer = partner.ok("authorize-payment", body, Klarna_Network_Session_Token=partner.approved())
    token = answer["customer_token_response"]["customer_token"]
    assert partner.ok("introspect-customer-token", Klarna_Customer_Token=token)["state"] == "ACTIVE"


def test_somebody_who_approved_is_a_customer(partner: Partner) -> None:
    assert partner.ok("customer-exists", {"email": "ada@example.com"}) == {"exists": False}
    partner.act(f"payment-requests/{_request(partner)}/complete", {"customer": {"email": "Ada@Example.com"}})
    assert partner.ok("customer-exists", {"email": "ada@example.com"}) == {"exists": True}
    assert partner.do("customer-exists", {}).status == 400


# --- transactions


def _read(p: Partner) -> Any:
    return p.ok("read-payment-transaction")


def _of(p: Partner, transaction: dict[str, Any]) -> Partner:
    p.ids["payment_transaction_id"] = transaction["payment_transaction_id"]
    return p


@pytest.fixture
def paid(partner: Partner) -> Partner:
    """A partner with an authorized transaction of 1000."""
    return _of(partner, partner.transaction(1000))


def test_capturing_at_once_completes(partner: Partner) -> None:
    made = partner.transaction(500, capture="NOW", payment_capture_reference="c")
    assert (made["state"], made["captured_amount"]) == ("COMPLETED", 500)
    capture = partner.ok("read-payment-capture", payment_capture_id=made["payment_capture_id"])
    assert (capture["capture_amount"], capture["payment_capture_reference"]) == (500, "c")


def test_a_transaction_is_captured_in_parts_and_then_completed(paid: Partner) -> None:
    paid.ok("capture-payment-transaction", {"capture_amount": 400})
    assert (_read(paid)["state"], _read(paid)["remaining_authorized_amount"]) == ("AUTHORIZED", 600)
    assert paid.do("capture-payment-transaction", {"capture_amount": 601}).status == 409
    paid.ok("capture-payment-transaction", {})
    assert (_read(paid)["state"], _read(paid)["captured_amount"]) == ("COMPLETED", 1000)
    assert paid.do("capture-payment-transaction", {"capture_amount": 1}).status == 409


def test_the_rest_is_released_with_a_capture(paid: Partner) -> None:
    paid.ok("capture-payment-transaction", {"capture_amount": 400, "remaining_authorization": "RELEASE"})
    assert (_read(paid)["state"], _read(paid)["voided_amount"]) == ("COMPLETED", 600)


@pytest.mark.parametrize(("captured", "state"), [(0, "CLOSED"), (300, "COMPLETED")])
def test_a_void_closes_without_captures_and_completes_with_them(paid: Partner, captured: int, state: str) -> None:
    if captured:
        paid.ok("capture-payment-transaction", {"capture_amount": captured})
    assert paid.ok("void-payment-transaction")["state"] == state
    assert _read(paid)["remaining_authorized_amount"] == 0
    assert paid.do("void-payment-transaction").status == 409
    assert paid.do("capture-payment-transaction", {"capture_amount": 1}).status == 409


def test_an_expired_transaction_can_be_revived_for_seven_days(paid: Partner) -> None:
    _pass(paid, days=28)
    assert _read(paid)["state"] == "EXPIRED"
    assert paid.do("capture-payment-transaction", {"capture_amount": 1}).status == 409
    _pass(paid, days=6, hours=23)
    assert paid.ok("reauthorize-payment-transaction", {"extension_days": 2, "amount": 1200})["state"] == "AUTHORIZED"
    paid.ok("capture-payment-transaction", {"capture_amount": 1100})
    _pass(paid, days=2)
    assert _read(paid)["state"] == "EXPIRED"
    _pass(paid, days=7)
    assert paid.do("reauthorize-payment-transaction", {"extension_days": 2}).status == 409


def test_an_authorization_cannot_be_lowered_below_what_was_captured(paid: Partner) -> None:
    paid.ok("capture-payment-transaction", {"capture_amount": 400})
    assert paid.do("reauthorize-payment-transaction", {"amount": 399}).status == 409
    assert paid.ok("reauthorize-payment-transaction", {"amount": 400})["state"] == "COMPLETED"


def test_there_are_at_most_two_hundred_captures_and_refunds(partner: Partner) -> None:
    paid = _of(partner, partner.transaction(1000))
    for _ in range(200):
        paid.ok("capture-payment-transaction", {"capture_amount": 1})
    assert paid.do("capture-payment-transaction", {"capture_amount": 1}).status == 409
    for _ in range(200):
        paid.ok("refund-payment-transaction", {"refund_amount": 1})
    assert paid.do("refund-payment-transaction", {"refund_amount": 1}).status == 409


def test_a_refund_of_a_capture_is_at_most_that_capture(paid: Partner) -> None:
    first = paid.ok("capture-payment-transaction", {"capture_amount": 300})["payment_capture_id"]
    paid.ok("capture-payment-transaction", {"capture_amount": 300})
    assert paid.do("refund-payment-capture", {"refund_amount": 301}, payment_capture_id=first).status == 409
    made = paid.ok("refund-payment-capture", {"payment_refund_reference": "r"}, payment_capture_id=first)
    assert (made["refund_amount"], made["payment_refund_reference"]) == (300, "r")
    assert made["payment_captures"] == [{"payment_capture_id": first, "amount": 300}]
    assert paid.do("refund-payment-transaction", {"refund_amount": 301}).status == 409
    assert paid.ok("refund-payment-transaction", {})["refund_amount"] == 300


@pytest.mark.parametrize("amount", [0, -1, True, "10", 10.5, None, 10**30])
def test_an_amount_is_a_positive_integer_that_is_there(paid: Partner, amount: Any) -> None:
    expected = 409 if amount == 10**30 else 400
    assert paid.do("capture-payment-transaction", {"capture_amount": amount}).status == expected
    assert _read(paid)["captured_amount"] == 0


def test_a_chargeback_leaves_less_to_refund(paid: Partner) -> None:
    paid.ok("capture-payment-transaction", {})
    made = paid.act(f"transactions/{paid.ids['payment_transaction_id']}/chargeback", {"amount": 900})
    assert made == paid.ok("read-payment-chargeback", payment_chargeback_id=made["payment_chargeback_id"])
    assert paid.do("refund-payment-transaction", {"refund_amount": 101}).status == 409
    paid.ok("refund-payment-transaction", {"refund_amount": 100})
    capture = paid.ok("read-payment-capture")
    assert (capture["refunded_amount"], capture["charged_back_amount"]) == (100, 900)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["capture", "refund", "refund-first", "chargeback", "void", "again"]), st.integers(1, 700)
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_no_order_of_operations_gives_back_more_than_was_taken(steps: list[tuple[str, int]]) -> None:
    partner = Partner(create_app(sample=False))
    paid = _of(partner, partner.transaction(1000))
    id_ = paid.ids["payment_transaction_id"]
    for step, amount in steps:
        if step == "capture":
            paid.do("capture-payment-transaction", {"capture_amount": amount})
        elif step == "refund":
            paid.do("refund-payment-transaction", {"refund_amount": amount})
        elif step == "refund-first" and _read(paid)["payment_captures"]:
            first = _read(paid)["payment_captures"][0]["payment_capture_id"]
            paid.do("refund-payment-capture", {"refund_amount": amount}, payment_capture_id=first)
        elif step == "chargeback":
            paid.control.post(f"/sandbox/network/transactions/{id_}/chargeback", {"amount": amount})
        elif step == "void":
            paid.do("void-payment-transaction")
        elif step == "again":
            paid.do("reauthorize-payment-transaction", {"amount": amount * 2})
        _check(paid)


def _check(p: Partner) -> None:
    t = _read(p)
    given_back = t["refunded_amount"] + t["charged_back_amount"]
    assert 0 <= given_back <= t["captured_amount"] <= t["amount"]
    assert t["captured_amount"] == sum(c["capture_amount"] for c in t["payment_captures"])
    assert t["refunded_amount"] == sum(r["refund_amount"] for r in t["payment_refunds"])
    assert t["charged_back_amount"] == sum(c["chargeback_amount"] for c in t["payment_chargebacks"])
    assert 0 <= t["remaining_authorized_amount"] <= t["amount"] - t["captured_amount"]
    captures = [p.ok("read-payment-capture", payment_capture_id=c["payment_capture_id"]) for c in t["payment_captures"]]
    assert all(0 <= c["refunded_amount"] + c["charged_back_amount"] <= c["capture_amount"] for c in captures)
    assert sum(c["refunded_amount"] for c in captures) == t["refunded_amount"]
    assert (t["state"] == "AUTHORIZED") == (t["remaining_authorized_amount"] > 0)
