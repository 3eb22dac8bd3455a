"""Customer tokens: made, read, charged, suspended, cancelled."""

from __future__ import annotations

from typing import Any

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from sandbox import baskets
from sandbox.client import Client, Reply

NOWHERE = "00000000-0000-4000-8000-000000000000"
WANTED = {
    "description": "Coffee each month", "intended_use": "SUBSCRIPTION", "locale": "en-DE", "purchase_country": "DE",
    "purchase_currency": "EUR",
}  # fmt: skip
CHARGE = {
    name: baskets.purchase()[name] for name in ("order_amount", "order_tax_amount", "order_lines", "purchase_currency")
}


def authorized(klarna: Client, control: Client, intent: str = "tokenize", **choices: Any) -> str:
    purchase = baskets.purchase(
        intent=intent, billing_address=baskets.person(), customer={"date_of_birth": "1990-01-01", "type": "person"}
    )
    session_id = klarna.post("/payments/v1/sessions", purchase).json["session_id"]
    reply = control.post(f"/sandbox/payments/sessions/{session_id}/authorize", choices)
    token: str = reply.json["authorization_token"]
    return token


def asked(klarna: Client, authorization: str, **change: Any) -> Reply:
    return klarna.post(f"/payments/v1/authorizations/{authorization}/customer-token", WANTED | change)


def made(klarna: Client, control: Client, **choices: Any) -> str:
    token_id: str = asked(klarna, authorized(klarna, control, **choices)).json["token_id"]
    return token_id


def charged(klarna: Client, token_id: str, *, key: str = "", **change: Any) -> Reply:
    return klarna.post(f"/customer-token/v1/tokens/{token_id}/order", CHARGE | change, key=key)


def read(klarna: Client, token_id: str) -> Reply:
    return klarna.get(f"/customer-token/v1/tokens/{token_id}")


def cancelled(klarna: Client, token_id: str) -> Reply:
    return klarna.patch(f"/customer-token/v1/tokens/{token_id}/status", {"status": "CANCELLED"})


def error(reply: Reply) -> tuple[int, str, list[str]]:
    return reply.status, reply.json["error_code"], reply.json["error_messages"]


# --- making


@pytest.mark.parametrize("intent", ["tokenize", "buy_and_tokenize"])
def test_an_authorization_becomes_a_token(klarna: Client, control: Client, intent: str) -> None:
    reply = asked(klarna, authorized(klarna, control, intent))
    assert reply.status == 200
    assert reply.json["billing_address"] == baskets.person()
    assert reply.json["customer"] == {"date_of_birth": "1990-01-01"}
    assert read(klarna, reply.json["token_id"]).json == {"status": "ACTIVE", "payment_method_type": "INVOICE"}


def test_no_token_is_made_of_a_session_that_only_buys(klarna: Client, control: Client) -> None:
    reply = asked(klarna, authorized(klarna, control, "buy"))
    assert error(reply) == (403, "INVALID_OPERATION", ["Not allowed to create customer token for intent buy"])


def test_an_authorization_is_used_once(klarna: Client, control: Client) -> None:
    consumed = (403, "INVALID_OPERATION", ["Authorization token already consumed"])
    authorization = authorized(klarna, control, "buy_and_tokenize")
    asked(klarna, authorization)
    assert error(asked(klarna, authorization)) == consumed
    order = klarna.post(f"/payments/v1/authorizations/{authorization}/order", baskets.purchase())
    assert error(order) == consumed
    deleted = klarna.delete(f"/payments/v1/authorizations/{authorization}")
    assert error(deleted) == (404, "NOT_FOUND", ["Authorization cannot be deleted"])


def test_an_unknown_or_expired_authorization_makes_no_token(klarna: Client, control: Client) -> None:
    invalid = (404, "NOT_FOUND", ["Invalid authorization token"])
    authorization = authorized(klarna, control)
    control.post("/sandbox/time", {"hours": 1})
    assert error(asked(klarna, authorization)) == invalid
    assert error(asked(klarna, NOWHERE, locale=1)) == invalid


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"description": ""}, "description"),
        ({"intended_use": "FUN"}, "intended_use"),
        ({"locale": "en-GB"}, "locale"),
        ({"purchase_currency": "SEK"}, "purchase_currency"),
        ({"purchase_country": "XX"}, "purchase_country"),
    ],
)
def test_a_token_asked_for_wrongly_is_refused(
    klarna: Client, control: Client, change: dict[str, Any], named: str
) -> None:
    reply = asked(klarna, authorized(klarna, control), **change)
    assert error(reply) == (400, "BAD_VALUE", [f"Bad value: {named}"])


def test_a_token_must_match_its_session(klarna: Client, control: Client) -> None:
    reply = asked(klarna, authorized(klarna, control), billing_address=baskets.person(city="Bonn"))
    assert error(reply) == (409, "BAD_VALUE", ["Not matching fields: [billing_address.city]"])


def test_a_rejected_authorization_makes_no_token(klarna: Client, control: Client) -> None:
    reply = asked(klarna, authorized(klarna, control, fraud_status="REJECTED"))
    assert error(reply) == (403, "REJECTED", ["Rejected"])


@pytest.mark.parametrize(("method", "member"), [("card", "card"), ("direct_debit", "direct_debit")])
def test_a_token_shows_the_masked_instrument(klarna: Client, control: Client, method: str, member: str) -> None:
    assert "*" in read(klarna, made(klarna, control, payment_method=method)).json[member]["masked_number"]


# --- charging


def test_a_charge_places_an_order(klarna: Client, control: Client) -> None:
    reply = charged(klarna, made(klarna, control), merchant_reference1="July")
    assert (reply.status, reply.json["fraud_status"]) == (200, "ACCEPTED")
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert (order["order_amount"], order["merchant_reference1"], order["status"]) == (11900, "July", "AUTHORIZED")
    assert order["billing_address"] == baskets.person()
    assert order["purchase_country"] == "DE"


@pytest.mark.parametrize("member", ["purchase_country", "billing_address", "customer", "locale", "_order_id"])
def test_a_charge_changes_nothing_of_what_the_token_is_about(klarna: Client, control: Client, member: str) -> None:
    reply = charged(klarna, made(klarna, control), **{member: 5})
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert (order["purchase_country"], order["billing_address"]) == ("DE", baskets.person())


def test_a_charge_can_capture_at_once(klarna: Client, control: Client) -> None:
    reply = charged(klarna, made(klarna, control), auto_capture=True)
    assert klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json["status"] == "CAPTURED"


def test_a_token_is_charged_again_and_again_for_years(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    first = charged(klarna, token_id)
    control.post("/sandbox/time", {"days": 800})
    second = charged(klarna, token_id)
    assert second.status == 200
    assert second.json["order_id"] != first.json["order_id"]


def test_a_charge_with_a_key_is_made_once(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    first = charged(klarna, token_id, key="a")
    assert charged(klarna, token_id, key="a", merchant_reference1="other").json == first.json
    assert charged(klarna, token_id, key="b").json["order_id"] != first.json["order_id"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"order_amount": 1}, "order_amount"),
        ({"order_tax_amount": 1}, "order_tax_amount"),
        ({"order_lines": []}, "order_lines"),
        ({"order_lines": [baskets.line("Shoe", 11900) | {"total_amount": 1}]}, "order_lines[0].total_amount"),
        ({"merchant_urls": {}}, "merchant_urls.confirmation"),
    ],
)
def test_a_charge_whose_figures_disagree_is_refused(
    klarna: Client, control: Client, change: dict[str, Any], named: str
) -> None:
    assert error(charged(klarna, made(klarna, control), **change)) == (400, "BAD_VALUE", [f"Bad value: {named}"])


def test_a_charge_in_another_currency_is_refused(klarna: Client, control: Client) -> None:
    reply = charged(klarna, made(klarna, control), purchase_currency="SEK")
    assert error(reply)[:2] == (403, "PAYMENT_METHOD_CURRENCY_MISMATCH")


@pytest.mark.parametrize(
    "code",
    [
        "TOKEN_SUSPENDED", "TOKEN_CANCELLED", "TOKEN_FORBIDDEN", "UNAVAILABLE_PAYMENT_METHOD",
        "PAYMENT_METHOD_CURRENCY_MISMATCH", "PAYMENT_METHOD_FAILED",
    ],
)  # fmt: skip
def test_the_next_charge_fails_as_it_was_asked_to(klarna: Client, control: Client, code: str) -> None:
    token_id = made(klarna, control)
    assert control.post(f"/sandbox/customer-tokens/{token_id}/fail-next", {"code": code}).status == 204
    assert error(charged(klarna, token_id))[:2] == (403, code)
    assert charged(klarna, token_id).status == 200


def test_a_failed_charge_is_remembered_under_its_key(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    control.post(f"/sandbox/customer-tokens/{token_id}/fail-next", {})
    assert error(charged(klarna, token_id, key="a"))[1] == "PAYMENT_METHOD_FAILED"
    assert error(charged(klarna, token_id, key="a"))[1] == "PAYMENT_METHOD_FAILED"
    assert charged(klarna, token_id, key="b").status == 200


def test_a_charge_that_cannot_be_made_now_is_told_in_the_words_of_tokens(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    control.post("/sandbox/faults", {"kind": "unavailable", "path": "*/order", "count": 1})
    reply = charged(klarna, token_id)
    assert (reply.status, reply.json["error_code"]) == (503, "SERVICE_UNAVAILABLE")


def test_a_charge_cannot_be_made_to_fail_for_no_known_reason(klarna: Client, control: Client) -> None:
    reply = control.post(f"/sandbox/customer-tokens/{made(klarna, control)}/fail-next", {"code": "BORED"})
    assert reply.status == 400


# --- states


def test_a_suspended_token_is_not_charged_until_it_is_active_again(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    control.post(f"/sandbox/customer-tokens/{token_id}/suspend", {})
    assert read(klarna, token_id).json["status"] == "SUSPENDED"
    assert error(charged(klarna, token_id))[:2] == (403, "TOKEN_SUSPENDED")
    control.post(f"/sandbox/customer-tokens/{token_id}/activate", {})
    assert charged(klarna, token_id).status == 200


def test_a_cancelled_token_stays_cancelled(klarna: Client, control: Client) -> None:
    token_id = made(klarna, control)
    assert (cancelled(klarna, token_id).status, cancelled(klarna, token_id).status) == (202, 202)
    assert read(klarna, token_id).json["status"] == "CANCELLED"
    assert error(charged(klarna, token_id))[:2] == (403, "TOKEN_CANCELLED")
    for step in ("activate", "suspend"):
        assert control.post(f"/sandbox/customer-tokens/{token_id}/{step}", {}).status == 409
    assert read(klarna, token_id).json["status"] == "CANCELLED"


def test_a_merchant_cannot_set_another_status(klarna: Client, control: Client) -> None:
    reply = klarna.patch(f"/customer-token/v1/tokens/{made(klarna, control)}/status", {"status": "ACTIVE"})
    assert error(reply) == (400, "BAD_VALUE", ["Bad value: status"])


def test_tokens_of_nobody_and_of_another_merchant_do_not_exist(app: App, klarna: Client, control: Client) -> None:
    mine = made(klarna, control)
    for client, token_id in ((klarna, NOWHERE), (Client(app, MERCHANTS[1]), mine)):
        assert error(read(client, token_id)) == (404, "NOT_FOUND", ["Invalid token ID"])
        assert error(cancelled(client, token_id)) == (404, "NOT_FOUND", ["Invalid customer-token ID"])
        assert error(charged(client, token_id, order_amount=-1))[:2] == (404, "TOKEN_NOT_FOUND")
    assert read(klarna, mine).json["status"] == "ACTIVE"
    assert control.post(f"/sandbox/customer-tokens/{NOWHERE}/suspend", {}).status == 404
    assert control.post(f"/sandbox/customer-tokens/{mine}/suspend", {"until": "May"}).status == 400


def test_a_merchant_who_is_switched_off_charges_nothing(klarna: Client, control: Client) -> None:
    token_id, authorization = made(klarna, control), authorized(klarna, control)
    control.post("/sandbox/merchants/M100001", {"active": False})
    for reply in (asked(klarna, authorization), read(klarna, token_id), charged(klarna, token_id)):
        assert error(reply)[:2] == (403, "MERCHANT_INACTIVE")
