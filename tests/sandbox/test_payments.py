"""Payments v1: a session's life, its authorizations, and the order placed with one of them."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.classic.methods import METHODS
from capstan.sandbox.classic.sessions import find_by_client_token
from capstan.sandbox.control import OPERATOR
from capstan.sandbox.web import Refusal
from sandbox import baskets
from sandbox.client import Client, Reply
from sandbox.receiver import wired

NOWHERE = "00000000-0000-4000-8000-000000000000"
SESSIONS = "/payments/v1/sessions"
PERSONAL = {"billing_address", "shipping_address", "customer"}
WHOLE = baskets.purchase(
    billing_address=baskets.person(),
    shipping_address=baskets.person(city="Potsdam"),
    customer={"date_of_birth": "1990-01-01", "national_identification_number": "1234567", "type": "person"},
    merchant_reference1="ON4711",
)


def opened(klarna: Client, purchase: dict[str, Any] = WHOLE, **more: Any) -> str:
    session_id: str = klarna.post(SESSIONS, purchase | more).json["session_id"]
    return session_id


def authorized(control: Client, session_id: str, **choices: Any) -> str:
    reply = control.post(f"/sandbox/payments/sessions/{session_id}/authorize", choices)
    token: str = reply.json["authorization_token"]
    return token


def placed(klarna: Client, token: str, purchase: dict[str, Any] = WHOLE, **more: Any) -> Reply:
    return klarna.post(f"/payments/v1/authorizations/{token}/order", purchase | more)


def error(reply: Reply) -> tuple[int, str, list[str]]:
    return reply.status, reply.json["error_code"], reply.json["error_messages"]


INVALID_TOKEN = (404, "NOT_FOUND", ["Invalid authorization token"])
CONSUMED = (403, "INVALID_OPERATION", ["Authorization token already consumed"])


# --- sessions


def test_a_new_session_offers_one_category_and_a_client_token_that_names_it(klarna: Client, control: Client) -> None:
    reply = klarna.post(SESSIONS, WHOLE)
    assert reply.status == 200
    assert [category["identifier"] for category in reply.json["payment_method_categories"]] == ["klarna"]
    payload = reply.json["client_token"].split(".")[1]
    named = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert named["session_id"] == reply.json["session_id"]
    badge = reply.json["payment_method_categories"][0]["asset_urls"]["standard"]
    got = control.get(badge.removeprefix("http://localhost"))
    assert (got.status, got.headers["content-type"]) == (200, "image/svg+xml")


def test_a_session_tells_nothing_of_the_customer_before_an_authorization(klarna: Client) -> None:
    session = klarna.get(f"{SESSIONS}/{opened(klarna)}").json
    assert PERSONAL.isdisjoint(session)
    assert "authorization_token" not in session
    assert (session["status"], session["intent"], session["order_amount"]) == ("incomplete", "buy", 11900)
    assert session["order_lines"] == WHOLE["order_lines"]


def test_after_an_authorization_a_session_tells_of_the_customer_but_no_identity_number(
    klarna: Client, control: Client
) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    session = klarna.get(f"{SESSIONS}/{session_id}").json
    assert session["authorization_token"] == token
    assert session["shipping_address"]["city"] == "Potsdam"
    assert session["customer"] == {"date_of_birth": "1990-01-01", "type": "person"}


def test_what_a_merchant_cannot_say_has_no_effect(klarna: Client) -> None:
    session_id = opened(klarna, status="complete", authorization_token="mine", client_token="mine")
    session = klarna.get(f"{SESSIONS}/{session_id}").json
    assert session["status"] == "incomplete"
    assert session["client_token"] != "mine"
    assert "authorization_token" not in session


def test_codes_are_written_in_capitals(klarna: Client, control: Client) -> None:
    small = {"purchase_country": "de", "purchase_currency": "eur"}
    session_id = opened(klarna, **small)
    session = klarna.get(f"{SESSIONS}/{session_id}").json
    assert (session["purchase_country"], session["purchase_currency"]) == ("DE", "EUR")
    assert placed(klarna, authorized(control, session_id), **small).status == 200


def test_an_update_replaces_what_is_sent_and_keeps_the_rest(klarna: Client) -> None:
    session_id = opened(klarna)
    changed = baskets.purchase(baskets.line("Sock", 1000))
    assert klarna.post(f"{SESSIONS}/{session_id}", changed).status == 204
    session = klarna.get(f"{SESSIONS}/{session_id}").json
    assert (session["order_amount"], session["merchant_reference1"]) == (1000, "ON4711")


def test_an_update_that_disagrees_with_what_stays_is_refused_and_changes_nothing(klarna: Client) -> None:
    session_id = opened(klarna)
    reply = klarna.post(f"{SESSIONS}/{session_id}", {"order_amount": 1, "merchant_reference1": "other"})
    assert error(reply) == (400, "BAD_VALUE", ["Bad value: order_amount"])
    assert klarna.get(f"{SESSIONS}/{session_id}").json["merchant_reference1"] == "ON4711"


def test_a_session_lives_48_hours(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    control.post("/sandbox/time", {"hours": 47, "minutes": 59})
    assert klarna.get(f"{SESSIONS}/{session_id}").status == 200
    control.post("/sandbox/time", {"minutes": 1})
    gone = (404, "NOT_FOUND", ["Invalid session id"])
    assert error(klarna.get(f"{SESSIONS}/{session_id}")) == gone
    assert error(klarna.post(f"{SESSIONS}/{session_id}", {})) == gone


def test_an_unknown_session_is_told_before_a_bad_body(klarna: Client) -> None:
    gone = (404, "NOT_FOUND", ["Invalid session id"])
    assert error(klarna.get(f"{SESSIONS}/{NOWHERE}")) == gone
    assert error(klarna.post(f"{SESSIONS}/{NOWHERE}", {"order_amount": -1})) == gone


def test_a_completed_session_is_read_but_not_changed(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    placed(klarna, authorized(control, session_id))
    assert klarna.get(f"{SESSIONS}/{session_id}").json["status"] == "complete"
    completed = (404, "SESSION_COMPLETED", ["Session has already been completed"])
    assert error(klarna.post(f"{SESSIONS}/{session_id}", {})) == completed
    for step in ("authorize", "decline"):
        reply = control.post(f"/sandbox/payments/sessions/{session_id}/{step}", {})
        assert (reply.status, reply.json["error"]) == (404, "SESSION_COMPLETED")


def test_sessions_and_tokens_of_another_merchant_do_not_exist(app: App, klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    other = Client(app, MERCHANTS[1])
    assert error(other.get(f"{SESSIONS}/{session_id}"))[0] == 404
    assert error(other.post(f"{SESSIONS}/{session_id}", {}))[0] == 404
    assert error(placed(other, token)) == INVALID_TOKEN
    assert error(other.delete(f"/payments/v1/authorizations/{token}")) == INVALID_TOKEN
    assert placed(klarna, token).status == 200


def test_a_merchant_who_is_switched_off_can_do_nothing(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    control.post("/sandbox/merchants/M100001", {"active": False})
    replies = (
        klarna.post(SESSIONS, WHOLE), klarna.get(f"{SESSIONS}/{session_id}"),
        klarna.post(f"{SESSIONS}/{session_id}", {}), placed(klarna, token),
        klarna.delete(f"/payments/v1/authorizations/{token}"),
    )  # fmt: skip
    assert {error(reply)[:2] for reply in replies} == {(403, "MERCHANT_INACTIVE")}
    reply = control.post("/sandbox/merchants/M100001", {"active": True})
    assert (reply.status, reply.json) == (200, {"id": "M100001", "active": True})
    assert placed(klarna, token).status == 200


def test_no_account_can_be_switched_off_that_is_no_merchant(control: Client) -> None:
    assert control.post("/sandbox/merchants/P300001", {"active": False}).status == 404


def test_creating_sessions_is_limited_on_its_own_account(control: Client, klarna: Client) -> None:
    session_id = opened(klarna)
    control.send("PUT", "/sandbox/rate-limits", {"enforced": True})
    replies = [klarna.post(SESSIONS, WHOLE) for _ in range(12)]  # two seconds would be needed for ten of them
    assert {reply.headers["x-ratelimit-limit"] for reply in replies} == {"5"}
    assert (429, "TOO_MANY_REQUESTS", ["Too many requests"]) in [error(r) for r in replies if r.status != 200]
    assert klarna.get(f"{SESSIONS}/{session_id}").status == 200


# --- the browser's token


def test_a_client_token_finds_its_session_whoever_the_merchant_is(app: App) -> None:
    other = Client(app, MERCHANTS[1])
    made = other.post(SESSIONS, WHOLE).json
    owner, session = find_by_client_token(app.internal_call(OPERATOR), made["client_token"])
    assert (owner.account, session["_session_id"]) == (MERCHANTS[1], made["session_id"])


@pytest.mark.parametrize("spoil", [lambda t: t[:-1] + "_", lambda t: "a.b.c", lambda t: t.split(".")[0], lambda t: "é"])
def test_a_client_token_that_was_not_given_out_finds_nothing(app: App, klarna: Client, spoil: Any) -> None:
    token = klarna.post(SESSIONS, WHOLE).json["client_token"]
    with pytest.raises(Refusal) as refused:
        find_by_client_token(app.internal_call(OPERATOR), spoil(token))
    assert refused.value.status == 404


# --- authorizing


def test_the_customer_agrees_and_the_page_gets_a_token(klarna: Client, control: Client) -> None:
    reply = control.post(f"/sandbox/payments/sessions/{opened(klarna)}/authorize", {})
    token = reply.json["authorization_token"]
    assert reply.status == 200
    assert reply.json == {
        "approved": True, "show_form": True, "finalize_required": False, "authorization_token": token,
    }  # fmt: skip


def test_without_finalizing_there_is_no_token_yet(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    reply = control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {"finalize": False})
    assert reply.json == {"approved": True, "show_form": True, "finalize_required": True}
    assert "authorization_token" not in klarna.get(f"{SESSIONS}/{session_id}").json


def test_a_refusal_gives_no_token(klarna: Client, control: Client) -> None:
    reply = control.post(f"/sandbox/payments/sessions/{opened(klarna)}/authorize", {"approved": False})
    assert reply.json == {"approved": False, "show_form": False}


def test_the_page_can_say_more_when_it_asks_for_the_authorization(klarna: Client, control: Client) -> None:
    session_id = opened(klarna, baskets.purchase())
    token = authorized(control, session_id, details={"billing_address": baskets.person(postal_code="10115")})
    assert klarna.get(f"{SESSIONS}/{session_id}").json["billing_address"]["postal_code"] == "10115"
    reply = placed(klarna, token, billing_address=baskets.person(postal_code="10999"))
    assert error(reply)[2] == ["Not matching fields: [billing_address.postal_code]"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"fraud_status": "MAYBE"}, 400),
        ({"payment_method": "gold"}, 400),
        ({"approved": "yes"}, 400),
        ({"colour": "red"}, 400),
        ({"details": {"order_amount": -1}}, 400),
        ({"details": {"order_amount": 1}}, 400),
    ],
)
def test_an_authorization_with_senseless_options_is_refused(
    klarna: Client, control: Client, options: dict[str, Any], status: int
) -> None:
    assert control.post(f"/sandbox/payments/sessions/{opened(klarna)}/authorize", options).status == status


def test_an_unknown_session_cannot_be_authorized_or_declined(control: Client) -> None:
    for step in ("authorize", "decline"):
        assert control.post(f"/sandbox/payments/sessions/{NOWHERE}/{step}", {}).status == 404


def test_a_declined_session_is_refused_at_its_next_authorization_only(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    assert control.post(f"/sandbox/payments/sessions/{session_id}/decline", {}).status == 204
    reply = control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {})
    assert reply.json == {"approved": False, "show_form": False}
    assert placed(klarna, authorized(control, session_id)).status == 200


def test_declining_after_the_authorization_rejects_the_order(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    control.post(f"/sandbox/payments/sessions/{session_id}/decline", {})
    assert error(placed(klarna, token)) == (403, "REJECTED", ["Rejected"])
    assert error(placed(klarna, token)) == (403, "REJECTED", ["Rejected"])
    assert klarna.get(f"{SESSIONS}/{session_id}").json["status"] == "incomplete"


# --- placing


def test_an_authorization_becomes_an_order(klarna: Client, control: Client) -> None:
    reply = placed(klarna, authorized(control, opened(klarna)))
    assert (reply.status, reply.json["fraud_status"]) == (200, "ACCEPTED")
    assert reply.json["authorized_payment_method"] == {"type": "invoice", "number_of_days": 30}
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert (order["status"], order["order_amount"], order["merchant_reference1"]) == ("AUTHORIZED", 11900, "ON4711")
    assert order["shipping_address"]["city"] == "Potsdam"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_payment_method_can_be_chosen(klarna: Client, control: Client, method: str) -> None:
    reply = placed(klarna, authorized(control, opened(klarna), payment_method=method))
    assert reply.json["authorized_payment_method"]["type"] == method
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert order["initial_payment_method"]["type"] == METHODS[method][0]


def test_an_order_under_review_is_pending(klarna: Client, control: Client) -> None:
    reply = placed(klarna, authorized(control, opened(klarna), fraud_status="PENDING"))
    assert reply.json["fraud_status"] == "PENDING"


def test_a_rejected_authorization_makes_no_order(klarna: Client, control: Client) -> None:
    reply = placed(klarna, authorized(control, opened(klarna), fraud_status="REJECTED"))
    assert error(reply) == (403, "REJECTED", ["Rejected"])


def test_auto_capture_captures_everything_at_once(klarna: Client, control: Client) -> None:
    reply = placed(klarna, authorized(control, opened(klarna)), auto_capture=True)
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert (order["status"], order["captured_amount"], len(order["captures"])) == ("CAPTURED", 11900, 1)


def test_what_an_order_leaves_out_was_said_in_the_session(klarna: Client, control: Client) -> None:
    token = authorized(control, opened(klarna))
    reply = placed(klarna, token, baskets.purchase())
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert order["billing_address"] == baskets.person()


def test_an_order_may_say_what_the_session_left_open(klarna: Client, control: Client) -> None:
    token = authorized(control, opened(klarna, baskets.purchase()))
    reply = placed(klarna, token)
    order = klarna.get(f"/ordermanagement/v1/orders/{reply.json['order_id']}").json
    assert order["billing_address"] == baskets.person()


@pytest.mark.parametrize("first", ["said", "left out"])
def test_an_amount_of_a_line_that_is_left_out_is_zero(klarna: Client, control: Client, first: str) -> None:
    said = baskets.purchase(baskets.line("Book", 500, tax_rate=0))
    line = {name: value for name, value in said["order_lines"][0].items() if value != 0}
    left_out = said | {"order_lines": [line]}
    before, after = (said, left_out) if first == "said" else (left_out, said)
    assert placed(klarna, authorized(control, opened(klarna, before)), after).status == 200


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"billing_address": baskets.person(postal_code="1")}, "billing_address.postal_code"),
        ({"locale": "de-DE"}, "locale"),
        ({"customer": {"date_of_birth": "1990-01-02"}}, "customer.date_of_birth"),
        (
            baskets.purchase(baskets.line("Running shoe", 11900, tax_rate=700)),
            "order_tax_amount, order_lines[0].tax_rate, order_lines[0].total_tax_amount",
        ),
        (
            baskets.purchase(baskets.line("Other shoe", 11900)),
            "order_lines[0].reference, order_lines[0].name",
        ),
        (
            baskets.purchase(baskets.line("Running shoe", 11900), baskets.line("Gift", 0)),
            "order_lines",
        ),
        (
            baskets.purchase(country="GB", currency="GBP"),
            "purchase_country, purchase_currency, locale",
        ),
    ],
)  # fmt: skip
def test_an_order_that_contradicts_its_session_names_every_field(
    klarna: Client, control: Client, change: dict[str, Any], fields: str
) -> None:
    token = authorized(control, opened(klarna))
    assert error(placed(klarna, token, **change)) == (409, "BAD_VALUE", [f"Not matching fields: [{fields}]"])
    assert placed(klarna, token).status == 200


def test_an_order_must_match_what_was_said_last(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    klarna.post(f"{SESSIONS}/{session_id}", baskets.purchase(baskets.line("Sock", 1000)))
    assert "order_amount" in error(placed(klarna, token))[2][0]


def test_an_order_whose_figures_disagree_is_a_bad_value(klarna: Client, control: Client) -> None:
    token = authorized(control, opened(klarna))
    assert error(placed(klarna, token, order_tax_amount=1)) == (400, "BAD_VALUE", ["Bad value: order_tax_amount"])


def test_the_same_body_gives_the_same_order_and_another_is_a_conflict(klarna: Client, control: Client) -> None:
    token = authorized(control, opened(klarna))
    first = placed(klarna, token)
    assert placed(klarna, token).json == first.json
    conflict = (409, "BAD_VALUE", ["The order has been already completed with different request body"])
    assert error(placed(klarna, token, merchant_reference1="other")) == conflict


def test_only_one_token_of_a_session_places_an_order(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    first, second = authorized(control, session_id), authorized(control, session_id)
    assert placed(klarna, first).status == 200
    assert error(placed(klarna, second)) == CONSUMED


def test_a_token_lives_60_minutes(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    control.post("/sandbox/time", {"minutes": 59})
    assert klarna.get(f"{SESSIONS}/{session_id}").json["authorization_token"] == token
    control.post("/sandbox/time", {"minutes": 1})
    assert error(placed(klarna, token)) == INVALID_TOKEN
    assert error(klarna.delete(f"/payments/v1/authorizations/{token}")) == INVALID_TOKEN
    assert "authorization_token" not in klarna.get(f"{SESSIONS}/{session_id}").json
    assert placed(klarna, authorized(control, session_id)).status == 200


def test_an_unknown_token_is_told_before_a_bad_body(klarna: Client) -> None:
    assert error(placed(klarna, NOWHERE, {})) == INVALID_TOKEN


def test_no_order_is_placed_of_a_session_that_only_makes_tokens(klarna: Client, control: Client) -> None:
    token = authorized(control, opened(klarna, intent="tokenize"))
    assert error(placed(klarna, token))[:2] == (403, "INVALID_OPERATION")


# --- cancelling


def test_a_cancelled_authorization_is_good_for_nothing(klarna: Client, control: Client) -> None:
    session_id = opened(klarna)
    token = authorized(control, session_id)
    reply = klarna.delete(f"/payments/v1/authorizations/{token}")
    assert reply.status == 204
    assert reply.headers["klarna-correlation-id"]
    assert error(placed(klarna, token)) == INVALID_TOKEN
    assert "authorization_token" not in klarna.get(f"{SESSIONS}/{session_id}").json


def test_what_was_used_or_cancelled_cannot_be_cancelled(klarna: Client, control: Client) -> None:
    refused = (404, "NOT_FOUND", ["Authorization cannot be deleted"])
    token = authorized(control, opened(klarna))
    klarna.delete(f"/payments/v1/authorizations/{token}")
    assert error(klarna.delete(f"/payments/v1/authorizations/{token}")) == refused
    token = authorized(control, opened(klarna))
    placed(klarna, token)
    assert error(klarna.delete(f"/payments/v1/authorizations/{token}")) == refused
    assert error(klarna.delete(f"/payments/v1/authorizations/{NOWHERE}")) == INVALID_TOKEN


# --- the way back


def test_the_customer_is_led_back_to_the_shop(klarna: Client, control: Client) -> None:
    session_id = opened(klarna, merchant_urls={"confirmation": "http://shop/done?s={session.id}&o={order.id}"})
    answer = placed(klarna, authorized(control, session_id)).json
    reply = control.get(answer["redirect_url"].removeprefix("http://localhost"))
    assert (reply.status, reply.headers["location"]) == (302, f"http://shop/done?s={session_id}&o={answer['order_id']}")


def test_the_way_back_is_spelled_as_a_header_can_hold_it(klarna: Client, control: Client) -> None:
    urls = {"confirmation": "http://shop/gr\N{LATIN SMALL LETTER O WITH DIAERESIS}n?a=%20&b=\r\nX-Evil: 1"}
    answer = placed(klarna, authorized(control, opened(klarna, merchant_urls=urls))).json
    reply = control.get(answer["redirect_url"].removeprefix("http://localhost"))
    assert reply.headers["location"] == "http://shop/gr%C3%B6n?a=%20&b=%0D%0AX-Evil:%201"


@pytest.mark.parametrize("urls", [{}, {"confirmation": "javascript:alert(1)"}])
def test_without_a_web_page_to_go_to_the_customer_stays(klarna: Client, control: Client, urls: dict[str, str]) -> None:
    answer = placed(klarna, authorized(control, opened(klarna, merchant_urls=urls))).json
    reply = control.get(answer["redirect_url"].removeprefix("http://localhost"))
    assert reply.status == 200
    assert answer["order_id"].encode() in reply.content
    assert control.get(f"/sandbox/redirect/{NOWHERE}").status == 404


# --- callbacks


async def test_the_merchant_is_called_back_with_the_token(app: App) -> None:
    async with wired(app) as world:
        purchase = WHOLE | {"merchant_urls": {"authorization": f"{world.merchant.url}/auth?s={{session.id}}"}}
        session_id = (await world.klarna.post(SESSIONS, purchase)).json["session_id"]
        reply = await world.control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {})
        [callback] = await world.received(1)
        assert callback.path == f"/auth?s={session_id}"
        assert callback.json == {
            "authorization_token": reply.json["authorization_token"], "session_id": session_id,
        }  # fmt: skip
        assert (await world.attempted("authorization", 1))["state"] == "delivered"


async def test_a_callback_is_tried_three_times_with_growing_pauses(app: App) -> None:
    async with wired(app) as world:
        world.merchant.statuses = [500]
        purchase = WHOLE | {"merchant_urls": {"authorization": f"{world.merchant.url}/auth"}}
        session_id = (await world.klarna.post(SESSIONS, purchase)).json["session_id"]
        await world.control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {})
        assert (await world.attempted("authorization", 1))["state"] == "waiting"
        await world.let_pass(seconds=1)
        assert (await world.attempted("authorization", 2))["state"] == "waiting"
        await world.let_pass(seconds=2)
        assert (await world.attempted("authorization", 3))["state"] == "given-up"
        assert len(world.merchant.received) == 3


async def test_a_callback_that_is_taken_at_the_second_try_comes_no_more(app: App) -> None:
    async with wired(app) as world:
        world.merchant.statuses = [503, 204]
        purchase = WHOLE | {"merchant_urls": {"authorization": f"{world.merchant.url}/auth"}}
        session_id = (await world.klarna.post(SESSIONS, purchase)).json["session_id"]
        await world.control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {})
        await world.attempted("authorization", 1)
        await world.let_pass(seconds=1)
        assert (await world.attempted("authorization", 2))["state"] == "delivered"
        await world.let_pass(days=1)
        assert len(world.merchant.received) == 2


async def test_the_outcome_of_a_review_reaches_the_url_that_names_session_and_order(app: App) -> None:
    async with wired(app) as world:
        url = f"{world.merchant.url}/notify?s={{session.id}}&o={{order.id}}"
        purchase = WHOLE | {"merchant_urls": {"notification": url}}
        session_id = (await world.klarna.post(SESSIONS, purchase)).json["session_id"]
        path = f"/sandbox/payments/sessions/{session_id}/authorize"
        token = (await world.control.post(path, {"fraud_status": "PENDING"})).json["authorization_token"]
        order = (await world.klarna.post(f"/payments/v1/authorizations/{token}/order", purchase)).json
        await world.control.post(f"/sandbox/orders/{order['order_id']}/fraud-decision", {"decision": "ACCEPTED"})
        [told] = await world.received(1)
        assert told.path == f"/notify?s={session_id}&o={order['order_id']}"
        assert told.json == {"order_id": order["order_id"], "event_type": "FRAUD_RISK_ACCEPTED"}


async def test_two_requests_at_once_place_one_order(app: App) -> None:
    async with wired(app) as world:
        session_id = (await world.klarna.post(SESSIONS, WHOLE)).json["session_id"]
        reply = await world.control.post(f"/sandbox/payments/sessions/{session_id}/authorize", {})
        path = f"/payments/v1/authorizations/{reply.json['authorization_token']}/order"
        replies = await asyncio.gather(*(world.klarna.post(path, WHOLE) for _ in range(5)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.json["order_id"] for reply in replies}) == 1


def test_an_authorization_survives_a_restart(tmp_path: Path) -> None:
    before = create_app(str(tmp_path / "sandbox.db"), sample=False)
    token = authorized(Client(before, None), opened(Client(before)))
    before.state.close()
    after = create_app(str(tmp_path / "sandbox.db"), sample=False)
    assert placed(Client(after), token).status == 200
    after.state.close()
