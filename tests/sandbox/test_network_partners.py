"""Onboarding and what an account consists of; settlements; the small surfaces."""

from __future__ import annotations

import copy
import csv
import io
from typing import Any

import pytest

from capstan.sandbox.accounts import PARTNERS
from capstan.sandbox.app import App
from sandbox.client import Client
from sandbox.network_life import ONBOARDING, Partner


@pytest.fixture
def partner(app: App) -> Partner:
    return Partner(app)


@pytest.fixture
def shop(partner: Partner) -> dict[str, Any]:
    """An onboarded account; the partner acts for it from then on."""
    made: dict[str, Any] = partner.ok("onboard", ONBOARDING)
    partner.ids["partner_account_id"] = made["partner_account_id"]
    return made


PARTS = ("brands", "store_groups", "partner_business_entities")


def test_onboarding_brings_everything_along(partner: Partner, shop: dict[str, Any]) -> None:
    assert shop["partner_account_id"].startswith("krn:partner:global:account:test:")
    assert shop["state"] == "PARTIALLY_OPERATIONAL"
    read = partner.ok("read-account", query="expand=brands,store_groups&expand=partner_business_entities,products")
    assert {name: read[name] for name in PARTS} == {name: shop[name] for name in PARTS}
    assert [s["store_reference"] for s in partner.ok("list-stores")["stores"]] == ["s-1"]
    assert read["products"][0]["payment_accounts"][0]["payment_account_reference"] == "pa-1"
    assert "payment_accounts" not in partner.ok("read-account")["products"][0]
    assert partner.do("read-account", query="expand=secrets").status == 400


def test_an_account_is_operational_after_a_while(partner: Partner, shop: dict[str, Any]) -> None:
    partner.control.post("/sandbox/time", {"minutes": 5})
    assert partner.ok("read-account")["state"] == "OPERATIONAL"


def test_a_disabled_account_can_be_read_only(partner: Partner, shop: dict[str, Any]) -> None:
    partner.act(f"accounts/{shop['partner_account_id']}/state", {"state": "DISABLED"})
    assert partner.ok("read-account")["state"] == "DISABLED"
    reply = partner.do("create-payment-request", {"currency": "EUR", "amount": 1})
    assert (reply.status, reply.json["error_code"]) == (403, "OPERATION_FORBIDDEN")


def test_the_same_onboarding_again_changes_nothing(partner: Partner, shop: dict[str, Any]) -> None:
    again = partner.ok("onboard", ONBOARDING)
    for one in (again, shop):
        one.pop("updated_at")
    assert again == shop


def test_onboarding_again_adds_what_is_new(partner: Partner, shop: dict[str, Any]) -> None:
    more: dict[str, Any] = copy.deepcopy(ONBOARDING)
    more["brands"] = [{"brand_reference": "b-2"}]
    more["store_groups"][0]["stores"] = [{"store_reference": "s-2", "type": "WEBSITE"}]
    more["products"][0]["payment_accounts"].append({"payment_account_reference": "pa-2"})
    again = partner.ok("onboard", more)
    assert again["partner_account_id"] == shop["partner_account_id"]
    assert [b["brand_reference"] for b in again["brands"]] == ["b-1", "b-2"]
    assert len(again["products"][0]["payment_accounts"]) == 2
    assert [s["store_reference"] for s in partner.ok("list-stores")["stores"]] == ["s-1", "s-2"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("partner_account_name",), "Another"),
        (("brands", 0, "display_name"), "Another"),
        (("store_groups", 0, "brand_reference"), "b-9"),
        (("store_groups", 0, "stores", 0, "url"), "https://another.example"),
        (("partner_business_entities", 0, "legal_registration_country"), "US"),
        (("products", 0, "payment_accounts", 0, "default_merchant_category_code"), "9999"),
    ],
)
def test_a_known_reference_with_other_data_is_a_conflict(
    partner: Partner, shop: dict[str, Any], place: tuple[Any, ...], value: str
) -> None:
    changed: Any = copy.deepcopy(ONBOARDING)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    changed["brands"].append({"brand_reference": "b-new"})
    assert partner.do("onboard", changed).status == 409
    read = partner.ok("read-account", query="expand=brands,store_groups")
    assert (read["brands"], read["store_groups"]) == (shop["brands"], shop["store_groups"])


@pytest.mark.parametrize("missing", [n for n in ONBOARDING if n not in ("brands", "store_groups")])
def test_onboarding_needs_what_is_documented(partner: Partner, missing: str) -> None:
    reply = partner.do("onboard", {n: v for n, v in ONBOARDING.items() if n != missing})
    assert reply.json["validation_errors"] == [{"parameter": missing, "reason": "is required"}]


def test_references_are_unique_in_an_account(partner: Partner, shop: dict[str, Any]) -> None:
    assert partner.do("create-brand", {"brand_reference": "b-1"}).status == 409
    made = partner.ok("create-brand", {"brand_reference": "b-2"})
    assert partner.do("update-brand", {"brand_reference": "b-1"}, brand_id=made["brand_id"]).status == 409
    partner.ok("create-brand", {"brand_reference": "b-1"}, partner_account_id=partner.account.id)


def test_a_change_merges_objects(partner: Partner, shop: dict[str, Any]) -> None:
    partner.ok("create-brand", {"element": {"logo_url": "a", "icon_url": "b"}})
    assert partner.ok("update-brand", {"element": {"icon_url": "c"}})["element"] == {"logo_url": "a", "icon_url": "c"}
    partner.ok("update-account", {"partner_account_contact": {"phone": "+1"}})
    assert partner.ok("read-account")["partner_account_contact"] == {
        **ONBOARDING["partner_account_contact"], "phone": "+1",
    }  # fmt: skip


def test_a_store_is_in_a_group_that_exists(partner: Partner, shop: dict[str, Any]) -> None:
    assert partner.do("create-store", {"store_group_id": "nowhere"}).status == 400
    group = shop["store_groups"][0]["store_group_id"]
    partner.ok("create-store", {"store_group_id": group})
    assert partner.do("create-store", {"store_group_id": group}, partner_account_id=partner.account.id).status == 400


def test_a_product_is_switched_off_and_on(partner: Partner, shop: dict[str, Any]) -> None:
    product = shop["products"][0]["product_id"]
    off = partner.ok("disable-payment-product", {"reason": "VOLUNTARY"}, product_id=product)
    assert (off["state"], off["reason"]) == ("DISABLED", "VOLUNTARY")
    for name, body in (("create-payment-request", {}), ("authorize-payment", {"request_customer_token": {}})):
        assert partner.do(name, body).status == 403
    on = partner.ok("enable-payment-product", product_id=product)
    assert (on["state"], "reason" in on) == ("ENABLED", False)
    again = {"payment_account_reference": "pa-1"}
    assert partner.do("create-payment-account", again, product_id=product).status == 409


def test_programs_are_filtered(partner: Partner) -> None:
    plan = partner.ok("list-payment-program-plans")["payment_program_plans"][0]["payment_program_plan_id"]

    def names(query: str) -> list[str]:
        answer = partner.ok("read-payment-program-plan", query=query, payment_program_plan_id=plan)
        return [program["name"] for program in answer["payment_programs"]]

    assert names("enablement_type=RESTRICTED") == ["pay-in-full"]
    assert "pay-in-parts" not in names("customer_country=SE")
    assert names("transaction_currency=SEK&enablement_type=PRESET&size=1") == ["pay-now"]
    for query in ("enablement_type=ALL", "version=99"):
        assert partner.do("read-payment-program-plan", query=query, payment_program_plan_id=plan).status == 400
    assert partner.do("create-payment-program-enablement", {"payment_program_id": "x"}).status == 400


# --- settlements


def _take(p: Partner, amount: int, currency: str = "EUR", **more: Any) -> None:
    body = {"currency": currency, "amount": amount}
    made = p.ok("create-payment-request", body)
    done = p.act(f"payment-requests/{made['payment_request_id']}/complete")
    token = done["state_context"]["klarna_network_session_token"]
    wanted = {"currency": currency, "request_payment_transaction": {"amount": amount, "capture": "NOW"}, **more}
    answer = p.ok("authorize-payment", wanted, Klarna_Network_Session_Token=token)
    transaction = answer["payment_transaction_response"]["payment_transaction"]
    p.ids["payment_transaction_id"] = transaction["payment_transaction_id"]


def test_a_settlement_takes_up_everything_once_by_currency(partner: Partner) -> None:
    _take(partner, 1000)
    partner.ok("refund-payment-transaction", {"refund_amount": 150})
    partner.act(f"transactions/{partner.ids['payment_transaction_id']}/chargeback", {"amount": 50})
    _take(partner, 500, "SEK")
    euro, krona = partner.ok("generate-settlement-report", {})["settlement_reports"]
    assert (euro["currency"], euro["payout_amount"], euro["transaction_count"]) == ("EUR", 800, 3)
    assert (krona["currency"], krona["payout_amount"]) == ("SEK", 500)
    assert partner.ok("generate-settlement-report", {})["settlement_reports"] == []
    listed = partner.ok("list-settlements", query="currency=SEK")["settlements"]
    assert [s["settlement_id"] for s in listed] == [krona["settlement_id"]]
    partner.ids["settlement_id"] = euro["settlement_id"]
    rows = list(csv.DictReader(io.StringIO(partner.ok("download-settlement-csv").decode())))
    assert [(row["type"], row["amount"]) for row in rows] == [
        ("CAPTURE", "1000"),
        ("REFUND", "150"),
        ("CHARGEBACK", "50"),
    ]
    page = partner.ok("list-settlement-transactions", query="size=2")
    rest = partner.ok("list-settlement-transactions", query=f"starting_after={page['pagination']['last_item']}")
    assert [len(page["transactions"]), len(rest["transactions"])] == [2, 1]


def test_an_interval_includes_its_start_and_not_its_end(partner: Partner) -> None:
    _take(partner, 100)
    partner.control.post("/sandbox/time", {"days": 2})
    _take(partner, 30)
    now = partner.control.get("/sandbox/time").json["now"]
    early = {"interval_start": "2020-01-01", "interval_end": now[:10]}
    (made,) = partner.ok("generate-settlement-report", early)["settlement_reports"]
    assert made["captured_amount"] == 100
    for wrong in ({"interval_start": now, "interval_end": now}, {"interval_end": "never"}):
        assert partner.do("generate-settlement-report", wrong).status == 400


def test_a_settlement_of_one_acquiring_account_leaves_the_others(partner: Partner) -> None:
    shop = partner.ok("onboard", ONBOARDING)
    account = shop["products"][0]["payment_accounts"][0]["payment_account_id"]
    _take(partner, 100, acquiring_config={"payment_account_id": account})
    _take(partner, 30)
    body = {"payment_acquiring_account_id": "acq-1"}
    (made,) = partner.ok("generate-settlement-report", body)["settlement_reports"]
    assert made["captured_amount"] == 100
    assert partner.ok("generate-settlement-report", {})["settlement_reports"][0]["captured_amount"] == 30


def test_a_payout_is_processed_before_it_is_confirmed(partner: Partner) -> None:
    _take(partner, 100)
    partner.ids["settlement_id"] = partner.ok("generate-settlement-report", {})["settlement_reports"][0][
        "settlement_id"
    ]
    assert partner.ok("read-payout-status")["status"] == "PENDING"
    assert partner.do("set-payout-status", {"status": "CONFIRMED"}).status == 409
    partner.ok("set-payout-status", {"status": "PROCESSED", "payout_bank_account_reference": "bank"})
    assert partner.ok("set-payout-status", {"status": "CONFIRMED"})["payout_bank_account_reference"] == "bank"
    assert partner.do("set-payout-status", {"status": "FAILED"}).status == 409
    assert partner.do("set-payout-status", {"status": "LOST"}).status == 400


def test_live_partners_are_settled_on_schedule_only(app: App) -> None:
    live = Partner(app, PARTNERS[2])
    _take(live, 100)
    assert live.do("generate-settlement-report", {}).status == 403
    made = live.act("settlements", {"account": live.account.id})["settlement_reports"]
    assert [s["payout_amount"] for s in made] == [100]
    assert live.do("create-test-interoperability-token", {}).status == 403


# --- the rest


def test_a_deep_link_is_signed_or_says_for_whom(partner: Partner) -> None:
    for body in ({}, {"jwt": "a", "subject": "b"}):
        assert partner.do("create-deep-link", body).status == 400
    partner.ok("create-deep-link", {"jwt": "a.b.c"})
    partner.ok("delete-deep-link")
    assert partner.do("delete-deep-link").status == 404


def test_an_identity_request_is_completed_by_the_customer(partner: Partner) -> None:
    made = partner.ok("create-identity-request", {"request_customer_token": {"scopes": ["customer:login"]}})
    url = made["state_context"]["customer_interaction"]["identity_request_url"]
    assert b'data-act="complete"' in partner.control.get(url.removeprefix(partner.client.app.public_url)).content
    partner.act(f"identity-requests/{made['identity_request_id']}/complete")
    read = partner.ok("read-identity-request")
    assert read["state"] == "COMPLETED"
    token = read["state_context"]["klarna_customer"]["customer_token"]
    assert partner.ok("introspect-customer-token", Klarna_Customer_Token=token)["state"] == "ACTIVE"


def test_the_first_version_names_the_account_in_a_header(partner: Partner) -> None:
    shop = partner.ok("onboard", ONBOARDING)["partner_account_id"]
    partner.ok("create-credential-v1", {"type": "CLIENT"}, Klarna_Partner_Account=shop)
    assert partner.ok("list-credentials-v1")["credentials"] == []
    assert len(partner.ok("list-credentials-v1", Klarna_Partner_Account=shop)["credentials"]) == 1
    assert partner.do("list-credentials-v1", Klarna_Partner_Account="krn:other").status == 404


def test_a_browser_finds_a_page_for_the_customer(partner: Partner, app: App) -> None:
    body = {"currency": "EUR", "amount": 5, "customer_interaction_config": {"return_url": "</script><b>"}}
    made = partner.ok("create-payment-request", body)
    path = made["payment_request_url"].removeprefix(app.public_url)
    page = Client(app, None).get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert b'data-act="complete"' in page.content
    assert b"</script><b>" not in page.content
    partner.act(f"payment-requests/{made['payment_request_id']}/decline")
    assert b"data-act" not in Client(app, None).get(path).content
