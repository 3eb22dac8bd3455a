"""The hosted payment page: its states, what its visitor does, and what the merchant hears of it."""

from __future__ import annotations

from typing import Any

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from sandbox import baskets
from sandbox.client import Client, Reply
from sandbox.receiver import Wired, wired

NOWHERE = "00000000-0000-4000-8000-000000000000"
PAGES = "/hpp/v1/sessions"
PURCHASE = baskets.purchase(billing_address=baskets.person(), customer={"date_of_birth": "1990-01-01"})
URLS = {name: f"http://shop/{name}?p={{{{session_id}}}}" for name in ("success", "failure", "cancel", "back", "error")}
STEPS = [
    ("open", "IN_PROGRESS"), ("fail", "FAILED"), ("cancel", "CANCELLED"), ("back", "BACK"), ("error", "ERROR"),
    ("manual-id-check", "MANUAL_ID_CHECK"),
]  # fmt: skip


def payment_session(klarna: Client, **more: Any) -> str:
    session_id: str = klarna.post("/payments/v1/sessions", PURCHASE | more).json["session_id"]
    return session_id


def created(klarna: Client, session_id: str, **body: Any) -> Reply:
    return klarna.post(PAGES, {"payment_session_url": f"http://localhost/payments/v1/sessions/{session_id}"} | body)


def page(klarna: Client, mode: str = "NONE", **more: Any) -> str:
    body = {"merchant_urls": URLS, "options": {"place_order_mode": mode}} | more
    page_id: str = created(klarna, payment_session(klarna), **body).json["session_id"]
    return page_id


def step(control: Client, page_id: str, name: str, **choices: Any) -> Reply:
    return control.post(f"/sandbox/hpp/sessions/{page_id}/{name}", choices)


def status(klarna: Client, page_id: str) -> str:
    text: str = klarna.get(f"{PAGES}/{page_id}").json["status"]
    return text


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error_code"]


# --- making


def test_a_page_says_where_everything_is(klarna: Client) -> None:
    reply = created(klarna, payment_session(klarna))
    page_id = reply.json["session_id"]
    assert reply.status == 201
    assert reply.json["redirect_url"] == f"http://localhost/hosted/{page_id}"
    assert reply.json["session_url"] == f"http://localhost{PAGES}/{page_id}"
    assert reply.json["distribution_url"] == f"http://localhost{PAGES}/{page_id}/distribution"
    assert klarna.get(f"{PAGES}/{page_id}").json["status"] == "WAITING"


def test_a_page_on_klarnas_host_has_klarnas_urls(app: App) -> None:
    klarna = Client(app, host="api.playground.klarna.com")
    reply = created(klarna, payment_session(klarna))
    assert reply.json["session_url"].startswith(f"https://api.playground.klarna.com{PAGES}/")
    assert reply.json["redirect_url"].startswith("http://localhost/hosted/")


@pytest.mark.parametrize(
    "url", ["", "nothing", "http://localhost/payments/v1/sessions", "http://localhost/other/v1/sessions/1", "ftp://a/b"]
)
def test_a_url_that_names_no_session_is_refused(klarna: Client, url: str) -> None:
    reply = klarna.post(PAGES, {"payment_session_url": url})
    assert error(reply) == (400, "BAD_REQUEST")
    assert reply.json["error_messages"] == ["Bad value: payment_session_url"]


def test_a_merchant_who_is_switched_off_has_no_pages(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    control.post("/sandbox/merchants/M100001", {"active": False})
    assert error(klarna.get(f"{PAGES}/{page_id}")) == (403, "FORBIDDEN")
    assert error(klarna.post(PAGES, {"payment_session_url": "any"})) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"options": {"place_order_mode": "MAYBE"}}, "options.place_order_mode"),
        ({"payment_session_url": 1}, "payment_session_url"),
        ({"merchant_urls": {"success": 1}}, "merchant_urls.success"),
    ],
)
def test_a_page_asked_for_wrongly_is_refused(klarna: Client, body: dict[str, Any], named: str) -> None:
    reply = created(klarna, payment_session(klarna), **body)
    assert (reply.status, reply.json["error_messages"]) == (400, [f"Bad value: {named}"])


def test_no_page_places_orders_for_a_session_that_only_makes_tokens(klarna: Client) -> None:
    session_id = payment_session(klarna, intent="tokenize")
    assert created(klarna, session_id, options={"place_order_mode": "PLACE_ORDER"}).status == 400
    assert created(klarna, session_id).status == 201


def test_there_is_no_page_for_a_session_that_is_unknown_over_or_done(klarna: Client, control: Client) -> None:
    done, over = payment_session(klarna), payment_session(klarna)
    token = control.post(f"/sandbox/payments/sessions/{done}/authorize", {}).json["authorization_token"]
    klarna.post(f"/payments/v1/authorizations/{token}/order", PURCHASE)
    assert created(klarna, done).status == 404
    control.post("/sandbox/time", {"hours": 48})
    assert {created(klarna, session_id).status for session_id in (over, NOWHERE)} == {404}


def test_a_page_ends_an_hour_before_its_session(klarna: Client, control: Client) -> None:
    session_id = payment_session(klarna)
    page_id = created(klarna, session_id).json["session_id"]
    control.post("/sandbox/time", {"hours": 46, "minutes": 59})
    assert klarna.get(f"{PAGES}/{page_id}").status == 200
    control.post("/sandbox/time", {"minutes": 1})
    assert error(klarna.get(f"{PAGES}/{page_id}")) == (404, "NOT_FOUND")
    assert error(klarna.delete(f"{PAGES}/{page_id}")) == (404, "NOT_FOUND")
    assert step(control, page_id, "complete").status == 404
    assert created(klarna, session_id).status == 404
    assert klarna.get(f"/payments/v1/sessions/{session_id}").status == 200


def test_pages_of_nobody_and_of_another_merchant_do_not_exist(app: App, klarna: Client, control: Client) -> None:
    session_id = payment_session(klarna)
    mine = created(klarna, session_id).json["session_id"]
    other = Client(app, MERCHANTS[1])
    assert created(other, session_id).status == 404
    for client, page_id in ((klarna, NOWHERE), (other, mine)):
        assert client.get(f"{PAGES}/{page_id}").status == 404
        assert client.delete(f"{PAGES}/{page_id}").status == 404
        assert distributed(client, page_id, {"method": "email", "contact_information": {}}).status == 404
    assert step(control, NOWHERE, "open").status == 404
    assert control.get(f"/sandbox/hpp/sessions/{NOWHERE}").status == 404


# --- visiting


@pytest.mark.parametrize(("name", "becomes"), STEPS)
def test_each_step_leads_to_its_status(klarna: Client, control: Client, name: str, becomes: str) -> None:
    page_id = page(klarna)
    assert step(control, page_id, name).json["status"] == becomes
    assert status(klarna, page_id) == becomes


@pytest.mark.parametrize("name", ["fail", "back", "error", "manual-id-check"])
def test_what_went_wrong_can_be_tried_again(klarna: Client, control: Client, name: str) -> None:
    page_id = page(klarna)
    step(control, page_id, name)
    assert step(control, page_id, "complete").json["status"] == "COMPLETED"


@pytest.mark.parametrize("end", ["complete", "cancel"])
@pytest.mark.parametrize("name", ["complete", *(name for name, _ in STEPS)])
def test_nothing_can_be_done_on_a_page_that_is_over(klarna: Client, control: Client, end: str, name: str) -> None:
    page_id = page(klarna)
    before = step(control, page_id, end).json["status"]
    assert step(control, page_id, name).status == 409
    assert status(klarna, page_id) == before


def test_an_unknown_step_is_refused(klarna: Client, control: Client) -> None:
    assert step(control, page(klarna), "dance").status == 404


@pytest.mark.parametrize(
    ("name", "exit_"), [("complete", "success"), ("fail", "failure"), ("cancel", "cancel"), ("back", "back")]
)
def test_the_visitor_is_sent_to_the_merchants_url(klarna: Client, control: Client, name: str, exit_: str) -> None:
    page_id = page(klarna)
    assert step(control, page_id, name).json["next_url"] == f"http://shop/{exit_}?p={page_id}"


def test_urls_learn_the_token_and_lead_to_the_web_only(klarna: Client, control: Client) -> None:
    page_id = page(klarna, merchant_urls={"success": "http://shop/{{authorization_token}}", "back": "javascript:1"})
    assert step(control, page_id, "back").json["next_url"] is None
    done = step(control, page_id, "complete").json
    assert done["next_url"] == f"http://shop/{done['authorization_token']}"


def test_without_placing_the_merchant_gets_a_token(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    step(control, page_id, "complete")
    read = klarna.get(f"{PAGES}/{page_id}").json
    assert "order_id" not in read
    assert read["customer"] == {"given_name": "Ada", "family_name": "Muster", "date_of_birth": "1990-01-01"}
    placed = klarna.post(f"/payments/v1/authorizations/{read['authorization_token']}/order", PURCHASE)
    assert placed.status == 200


@pytest.mark.parametrize(("mode", "becomes"), [("PLACE_ORDER", "AUTHORIZED"), ("CAPTURE_ORDER", "CAPTURED")])
def test_the_page_places_the_order_and_captures_it(klarna: Client, control: Client, mode: str, becomes: str) -> None:
    page_id = page(klarna, mode)
    step(control, page_id, "complete", payment_method="card")
    read = klarna.get(f"{PAGES}/{page_id}").json
    assert "authorization_token" not in read
    order = klarna.get(f"/ordermanagement/v1/orders/{read['order_id']}").json
    assert (order["status"], order["klarna_reference"]) == (becomes, read["klarna_reference"])
    assert order["initial_payment_method"]["type"] == "CARD"


@pytest.mark.parametrize(
    ("mode", "choices"),
    [
        ("NONE", {"approved": False}),
        ("PLACE_ORDER", {"approved": False}),
        ("PLACE_ORDER", {"fraud_status": "REJECTED"}),
    ],
)
def test_a_refusal_by_the_risk_check_fails_the_page(
    klarna: Client, control: Client, mode: str, choices: dict[str, Any]
) -> None:
    page_id = page(klarna, mode)
    assert step(control, page_id, "complete", **choices).json["status"] == "FAILED"
    assert step(control, page_id, "complete").json["status"] == "COMPLETED"


def test_a_manual_check_shows_its_challenge_while_it_lasts(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    step(control, page_id, "manual-id-check")
    assert klarna.get(f"{PAGES}/{page_id}").json["manual_identification"]["challenge"]
    step(control, page_id, "complete")
    assert "manual_identification" not in klarna.get(f"{PAGES}/{page_id}").json


def test_a_page_around_a_checkout_order_completes_it(klarna: Client, control: Client) -> None:
    location = klarna.post("/checkout/v3/orders", baskets.purchase()).headers["location"]
    page_id = klarna.post(PAGES, {"payment_session_url": location}).json["session_id"]
    done = step(control, page_id, "complete").json
    assert (done["status"], done["order_id"]) == ("COMPLETED", location.rpartition("/")[2])
    assert klarna.get(f"/checkout/v3/orders/{done['order_id']}").json["status"] == "checkout_complete"


# --- disabling


def test_a_disabled_page_cannot_be_visited(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    assert klarna.delete(f"{PAGES}/{page_id}").status == 204
    assert status(klarna, page_id) == "DISABLED"
    assert klarna.delete(f"{PAGES}/{page_id}").status == 204
    assert step(control, page_id, "complete").status == 409


def test_a_completed_page_cannot_be_disabled(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    step(control, page_id, "complete")
    assert error(klarna.delete(f"{PAGES}/{page_id}")) == (400, "BAD_REQUEST")
    assert status(klarna, page_id) == "COMPLETED"


# --- distributing


def distributed(klarna: Client, page_id: str, body: dict[str, Any]) -> Reply:
    return klarna.post(f"{PAGES}/{page_id}/distribution", body)


CONTACTS = {
    "sms": {"phone": "07000212345", "phone_country": "SE"}, "email": {"email": "ada@example.com"},
    "token": {"access_id": "278352"},
}  # fmt: skip


@pytest.mark.parametrize("method", CONTACTS)
def test_a_link_is_sent(klarna: Client, control: Client, method: str) -> None:
    page_id = page(klarna)
    reply = distributed(klarna, page_id, {"method": method, "contact_information": CONTACTS[method]})
    assert reply.status == 204
    [message] = control.get(f"/sandbox/hpp/sessions/{page_id}").json["messages"]
    assert (message["method"], message["contact"]) == (method, CONTACTS[method])


@pytest.mark.parametrize(
    ("method", "missing"), [("sms", "phone"), ("sms", "phone_country"), ("email", "email"), ("token", "access_id")]
)
def test_a_link_needs_somewhere_to_go(klarna: Client, method: str, missing: str) -> None:
    contact = {name: text for name, text in CONTACTS[method].items() if name != missing}
    reply = distributed(klarna, page(klarna), {"method": method, "contact_information": contact})
    assert (reply.status, reply.json["error_messages"]) == (400, [f"Bad value: contact_information.{missing}"])


@pytest.mark.parametrize("body", [{}, {"method": "pigeon", "contact_information": {}}, {"method": "sms"}])
def test_a_link_sent_in_no_known_way_is_refused(klarna: Client, body: dict[str, Any]) -> None:
    assert distributed(klarna, page(klarna), body).status == 400


@pytest.mark.parametrize("end", ["complete", "cancel", "disable"])
def test_no_link_is_sent_to_a_page_that_is_over(klarna: Client, control: Client, end: str) -> None:
    page_id = page(klarna)
    if end == "disable":
        klarna.delete(f"{PAGES}/{page_id}")
    else:
        step(control, page_id, end)
    reply = distributed(klarna, page_id, {"method": "email", "contact_information": CONTACTS["email"]})
    assert error(reply) == (400, "BAD_REQUEST")


def test_a_link_that_cannot_be_sent_is_told_so(klarna: Client, control: Client) -> None:
    page_id = page(klarna)
    control.post("/sandbox/faults", {"kind": "unavailable", "path": "*/distribution", "count": 1})
    body = {"method": "email", "contact_information": CONTACTS["email"]}
    assert [distributed(klarna, page_id, body).status for _ in range(2)] == [503, 204]


# --- callbacks


async def _page(world: Wired, mode: str) -> str:
    session_id = (await world.klarna.post("/payments/v1/sessions", PURCHASE)).json["session_id"]
    reply = await world.klarna.post(PAGES, {
        "payment_session_url": f"http://localhost/payments/v1/sessions/{session_id}",
        "options": {"place_order_mode": mode},
        "merchant_urls": {"status_update": f"{world.merchant.url}/status?p={{{{session_id}}}}"},
    })  # fmt: skip
    page_id: str = reply.json["session_id"]
    return page_id


async def test_every_change_is_told_to_the_merchant(app: App) -> None:
    async with wired(app) as world:
        page_id = await _page(world, "PLACE_ORDER")
        for number, name in enumerate(["open", "back", "open", "complete"], 1):
            await world.control.post(f"/sandbox/hpp/sessions/{page_id}/{name}", {})
            await world.received(number)
        told = world.merchant.received
        assert [one.json["session"]["status"] for one in told] == ["IN_PROGRESS", "BACK", "IN_PROGRESS", "COMPLETED"]
        assert {one.path for one in told} == {f"/status?p={page_id}"}
        assert len({one.json["event_id"] for one in told}) == 4
        read = (await world.klarna.get(f"{PAGES}/{page_id}")).json
        assert told[-1].json["session"] == read
        assert read["order_id"]


async def test_what_changes_nothing_is_not_told(app: App) -> None:
    async with wired(app) as world:
        page_id = await _page(world, "NONE")
        for name in ("open", "open", "complete"):
            await world.control.post(f"/sandbox/hpp/sessions/{page_id}/{name}", {})
        assert len(await world.deliveries()) == 2


async def test_the_merchant_hears_that_a_page_was_disabled(app: App) -> None:
    async with wired(app) as world:
        page_id = await _page(world, "NONE")
        await world.klarna.delete(f"{PAGES}/{page_id}")
        [told] = await world.received(1)
        assert told.json["session"]["status"] == "DISABLED"


async def test_an_update_is_tried_again_and_given_up_after_five_times(app: App) -> None:
    async with wired(app) as world:
        world.merchant.statuses = [500]
        page_id = await _page(world, "NONE")
        await world.control.post(f"/sandbox/hpp/sessions/{page_id}/open", {})
        for attempts in range(1, 5):
            assert (await world.attempted("hosted page", attempts))["state"] == "waiting"
            await world.let_pass(seconds=2**attempts)
        assert (await world.attempted("hosted page", 5))["state"] == "given-up"
        assert len(world.merchant.received) == 5
