"""Credentials, hosts, errors, idempotency, pages of lists, and that nobody sees what is another's."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, MERCHANTS, PARTNERS
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from sandbox.client import Client
from sandbox.network_life import CSR, ONBOARDING, OPERATIONS, Partner

KEYS = "/v2/account/integration/credentials/api-key"


@pytest.fixture
def partner(app: App) -> Partner:
    return Partner(app)


def _with(app: App, authorization: str | None, host: str = "localhost") -> Client:
    client = Client(app, None, host)
    if authorization is not None:
        client.headers["authorization"] = authorization
    return client


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Basic {DEMO_PARTNER.password}", 200),
        (f"Basic {_encoded(f':{DEMO_PARTNER.password}')}", 200),
        (f"basic {DEMO_PARTNER.password}", 200),
        (f"Bearer {DEMO_PARTNER.password}", 401),
        ("Basic klarna_test_api_nothing", 401),
        (f"Basic {_encoded(f'someone:{DEMO_PARTNER.password}')}", 401),
        (f"Basic {_encoded(f'{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}')}", 401),
        ("Basic ", 401),
        (None, 401),
    ],
)
def test_the_api_key_is_taken_as_it_is_or_encoded(app: App, authorization: str | None, status: int) -> None:
    reply = _with(app, authorization).get(KEYS)
    assert reply.status == status
    if status == 401:
        assert (reply.json["error_type"], reply.json["error_code"]) == ("ACCESS_ERROR", "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("host", "status"),
    [("api-global.test.klarna.com", 200), ("api-global.klarna.com", 401), ("api.playground.klarna.com", 401)],
)
def test_a_key_is_good_on_the_host_of_its_environment(app: App, host: str, status: int) -> None:
    assert _with(app, f"Basic {DEMO_PARTNER.password}", host).get(KEYS).status == status


@pytest.mark.parametrize(
    ("authorization", "host", "status"),
    [
        (f"Basic {_encoded(f'{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}')}", "api.playground.klarna.com", 200),
        (
            f"Basic {_encoded(f'{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}')}",
            "api-na.playground.klarna.com",
            401,
        ),
        (f"Basic {DEMO_PARTNER.password}", "api-na.playground.klarna.com", 200),
        (f"Basic {DEMO_PARTNER.password}", "api.klarna.com", 401),
        (f"Basic {DEMO_PARTNER.password}", "api-global.test.klarna.com", 403),
        (None, "api.playground.klarna.com", 401),
    ],
)
def test_disputes_v4_take_merchants_and_partners_on_regional_hosts(
    app: App, authorization: str | None, host: str, status: int
) -> None:
    assert _with(app, authorization, host).get("/v4/payment/disputes").status == status


def test_on_site_messages_need_a_known_client_id_and_no_credentials(app: App, partner: Partner) -> None:
    own = partner.ok("create-client-identifier", {"description": "shop"})
    anybody = Client(app, None)
    for client, status in ((DEMO_MERCHANT.id, 200), (own["client_identifier"], 200), ("nobody", 403), ("", 400)):
        query = f"client_id={client}&placement_key=top-strip-promotion-badge&locale=en-US"
        assert anybody.get(f"/messaging/v3?{query}").status == status
    partner.ok("disable-client-identifier", credential_id=own["credential_id"])
    query = f"client_id={own['client_identifier']}&placement_key=top-strip-promotion-badge&locale=en-US"
    assert anybody.get(f"/messaging/v3?{query}").status == 403
    reply = anybody.get(f"/messaging/v3?client_id={DEMO_MERCHANT.id}&placement_key=credit-promotion-badge&locale=en-US")
    assert reply.json["validation_errors"][0]["parameter"] == "purchase_amount"


# --- credentials that the partner makes


def test_a_new_api_key_works_until_it_is_disabled(app: App, partner: Partner) -> None:
    made = partner.ok("create-api-key", {"description": "second"})
    assert made["api_key"].startswith("klarna_test_api_")
    second = _with(app, f"Basic {made['api_key']}")
    listed = second.get(KEYS).json["credentials"]
    assert [c["credential_id"] for c in listed] == [made["credential_id"]]
    assert made["api_key"] not in str(listed)
    assert listed[0]["api_key"].endswith(made["api_key"][-4:])
    assert made["api_key"] not in str(partner.ok("read-api-key"))
    partner.ok("disable-api-key")
    assert second.get(KEYS).status == 401
    assert partner.ok("read-api-key")["state"] == "DISABLED"


@pytest.mark.parametrize("config", [{}, {"certificate_signing_request": "x"}, {"certificate_signing_request": CSR,
                                                                              "usage": "FUN"}])  # fmt: skip
def test_a_certificate_needs_a_signing_request(partner: Partner, config: dict[str, str]) -> None:
    assert partner.do("create-client-certificate", {"description": "d", "config": config}).status == 400


def test_mtls_is_enforced_from_a_time_on(partner: Partner) -> None:
    made = partner.ok("create-client-certificate", {"config": {"certificate_signing_request": CSR, "usage": "MTLS"}})
    assert made["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    partner.ok("enforce-mtls", {"enforced_from": "2999-01-01T00:00:00Z"})
    assert partner.ok("read-mtls-enforcement")["enforced"] is False
    partner.ok("enforce-mtls", {"enforced_from": "NOW"})
    assert partner.ok("read-mtls-enforcement")["enforced"] is True
    partner.ok("remove-mtls-enforcement")
    assert partner.ok("read-mtls-enforcement") == {"enforced": False}


# --- errors


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/accounts", "/v4/payment", "/v1/x/y"])
def test_a_path_that_does_not_exist_is_forbidden(partner: Partner, path: str) -> None:
    reply = partner.client.get(path)
    assert (reply.status, reply.json["error_type"], reply.json["error_code"]) == (
        403, "RESOURCE_ERROR", "OPERATION_FORBIDDEN",
    )  # fmt: skip


def test_every_wrong_field_is_named(partner: Partner) -> None:
    body = {"url": 1, "event_types": [2], "event_version": "v2", "signing_key_id": "k"}
    reply = partner.do("create-webhook", body)
    assert (reply.status, reply.json["error_type"], reply.json["error_code"]) == (
        400, "INPUT_ERROR", "VALIDATION_ERROR",
    )  # fmt: skip
    assert reply.json["validation_errors"] == [
        {"parameter": "event_types[0]", "reason": "has the wrong type"},
        {"parameter": "status", "reason": "is required"},
        {"parameter": "url", "reason": "has the wrong type"},
    ]
    assert {"error_id", "error_message", "doc_url"} <= set(reply.json)


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b'{"a": NaN}', b"\xff"])
def test_what_is_no_json_object_is_refused(partner: Partner, body: bytes) -> None:
    reply = partner.do("create-payment-request", body)
    assert (reply.status, reply.json["error_code"]) == (400, "VALIDATION_ERROR")
    assert reply.json["validation_errors"][0]["parameter"] == "body"


def test_another_content_type_is_refused(partner: Partner) -> None:
    reply = partner.do("create-payment-request", b"a=b", Content_Type="application/x-www-form-urlencoded")
    assert (reply.status, reply.json["error_code"]) == (400, "INVALID_CONTENT_TYPE")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("too-many-requests", (429, "ACCESS_ERROR", "RATE_LIMITED")),
        ("unavailable", (503, "TECHNICAL_ERROR", "SERVER_CONFIGURATION_ERROR")),
        ("timeout-after", (500, "TECHNICAL_ERROR", "INTERNAL_ERROR")),
    ],
)
def test_faults_speak_as_the_network_does(partner: Partner, kind: str, told: tuple[int, str, str]) -> None:
    partner.control.post("/sandbox/faults", {"kind": kind, "count": 1})
    reply = partner.do("create-brand", {"brand_reference": "b"}, key="k")
    assert (reply.status, reply.json["error_type"], reply.json["error_code"]) == told
    partner.ok("create-brand", {"brand_reference": "b"}, key="k")  # what was done before the fault is answered now


def test_unknown_fields_are_taken_but_not_the_sandboxs_own(partner: Partner) -> None:
    made = partner.ok("create-brand", {"brand_reference": "b", "new": {"a": 1}, "_account": "x", "brand_id": "mine"})
    assert made["new"] == {"a": 1}
    assert made["brand_id"] != "mine"
    assert partner.ok("update-brand", {"_account": "x", "created_at": "never"})["created_at"] == made["created_at"]


# --- idempotency


def test_a_key_is_remembered_for_a_day(partner: Partner) -> None:
    body = {"currency": "EUR", "amount": 5}
    first = partner.do("create-payment-request", body, key="k-1")
    again = partner.do("create-payment-request", {"currency": "SEK", "amount": 6}, key="k-1")
    assert (again.status, again.json) == (first.status, first.json)
    assert partner.do("create-payment-request", body, key="k-2").json != first.json
    partner.control.post("/sandbox/time", {"hours": 24})
    assert partner.do("create-payment-request", body, key="k-1").json != first.json


def test_a_change_with_one_key_is_made_once(partner: Partner) -> None:
    partner.ok("create-brand", {"display_name": "one"})
    for name in ("two", "three"):
        assert partner.ok("update-brand", {"display_name": name}, key="k")["display_name"] == "two"
    assert partner.ok("read-brand")["display_name"] == "two"


def test_a_refusal_is_remembered_too_and_a_key_is_of_one_partner(app: App, partner: Partner) -> None:
    other = Partner(app, PARTNERS[1])
    assert partner.do("create-store", {"store_group_id": "nowhere"}, key="k").status == 400
    assert partner.do("create-store", {}, key="k").status == 400
    assert other.do("create-store", {}, key="k").status == 201


def test_a_capture_with_one_key_is_made_once(partner: Partner) -> None:
    partner.ids["payment_transaction_id"] = partner.transaction(1000)["payment_transaction_id"]
    for _ in range(3):
        partner.ok("capture-payment-transaction", {"capture_amount": 400}, key="k")
    partner.ok("capture-payment-transaction", {"capture_amount": 400})
    assert partner.ok("read-payment-transaction")["captured_amount"] == 800


def test_a_key_is_not_too_long(partner: Partner) -> None:
    assert partner.do("create-signing-key", Partner_Correlation_Id="k" * 256).status == 400
    assert partner.do("create-signing-key", key="k" * 256).status == 400
    assert partner.do("create-signing-key", key="k" * 255).status == 201


# --- pages


def _stores(p: Partner, count: int) -> list[str]:
    return [p.ok("create-store", {"store_reference": str(n), "type": "WEBSITE"})["store_id"] for n in range(count)]


def test_a_list_is_read_in_pages_in_both_directions(partner: Partner) -> None:
    made = _stores(partner, 5)

    def page(query: str) -> Any:
        answer = partner.ok("list-stores", query=query)
        ids = [store["store_id"] for store in answer["stores"]]
        if ids:
            assert (answer["pagination"]["first_item"], answer["pagination"]["last_item"]) == (ids[0], ids[-1])
        return [made.index(id_) for id_ in ids]

    assert page("") == [0, 1, 2, 3, 4]
    assert page("size=2") == [0, 1]
    assert page(f"size=2&starting_after={quote(made[1])}") == [2, 3]
    assert page(f"size=2&starting_after={quote(made[3])}") == [4]
    assert page(f"size=2&starting_after={quote(made[4])}") == []
    assert page(f"size=2&ending_before={quote(made[3])}") == [1, 2]
    assert page(f"size=2&ending_before={quote(made[1])}") == [0]


def test_a_list_without_documented_pages_is_whole_unless_asked(partner: Partner) -> None:
    for _ in range(21):
        partner.ok("create-brand", {})
    assert len(partner.ok("list-brands")["brands"]) == 21
    assert len(partner.ok("list-brands", query="size=3")["brands"]) == 3
    _stores(partner, 21)
    assert len(partner.ok("list-stores")["stores"]) == 20


def test_a_page_is_after_one_item_or_before_one(partner: Partner) -> None:
    first, last = (quote(id_) for id_ in _stores(partner, 2))
    reply = partner.do("list-stores", query=f"starting_after={first}&ending_before={last}")
    assert reply.json["validation_errors"][0]["parameter"] == "starting_after"


@pytest.mark.parametrize("query", ["size=0", "size=101", "size=x", "size=-1", "size=", "starting_after=x",
                                   "ending_before=x", "starting_after=x&ending_before=y"])  # fmt: skip
def test_a_page_that_cannot_be_is_refused(partner: Partner, query: str) -> None:
    _stores(partner, 1)
    reply = partner.do("list-stores", query=query)
    assert (reply.status, reply.json["error_code"]) == (400, "VALIDATION_ERROR")


# --- isolation


def _everything(p: Partner) -> dict[str, str]:
    """One of each thing that has an identifier in a path."""
    shop = p.ok("onboard", ONBOARDING)
    ids = {"partner_account_id": shop["partner_account_id"], "account_id": shop["partner_account_id"],
           "product_id": shop["products"][0]["product_id"],
           "payment_account_id": shop["products"][0]["payment_accounts"][0]["payment_account_id"]}  # fmt: skip
    p.ids |= ids
    for plural in ("brands", "store_groups", "partner_business_entities"):
        p.ids |= {n: v for n, v in shop[plural][0].items() if n.endswith("_id")}
    p.ids["store_id"] = shop["store_groups"][0]["stores"][0]["store_id"]
    p.ids["payment_transaction_id"] = p.transaction()["payment_transaction_id"]
    p.ok("capture-payment-transaction", {"capture_amount": 900})
    p.ok("refund-payment-transaction", {"refund_amount": 1})
    made = p.act(f"transactions/{p.ids['payment_transaction_id']}/chargeback", {"amount": 1})
    p.ids["payment_chargeback_id"] = made["payment_chargeback_id"]
    about = {"payment_transaction_id": p.ids["payment_transaction_id"], "amount": 1}
    p.ids["payment_dispute_id"] = p.act("disputes", about)["payment_dispute_id"]
    p.ok("create-identity-request", {})
    p.ok("create-shopping-session", {})
    programs = p.ok("list-payment-programs")["payment_programs"]
    p.ok("create-payment-program-enablement", {"payment_program_id": programs[0]["payment_program_id"]})
    p.act(f"accounts/{shop['partner_account_id']}/compliance-decisions")
    p.ids["decision_id"] = p.ok("list-compliance-decisions")["decisions"][0]["decision_id"]
    p.ids["settlement_id"] = p.ok("generate-settlement-report", {})["settlement_reports"][0]["settlement_id"]
    p.ok("create-signing-key")
    body = {"url": "http://127.0.0.1:9", "event_types": ["payment.*"], "event_version": "v2", "status": "ENABLED",
            "signing_key_id": p.ids["signing_key_id"]}  # fmt: skip
    p.ok("create-webhook", body)
    p.ok("create-api-key", {"description": ""})
    return p.ids


READS = [
    name for name, o in OPERATIONS.items()
    if "{" in o.path and name not in ("read-payment-program", "read-payment-program-plan", "read-price-plan")
    and "merchants" not in o.path and "partners" not in o.path
]  # fmt: skip


@pytest.fixture(scope="module")
def two() -> tuple[Partner, Partner, Partner]:
    """The owner of everything, another partner, and the owner acting for itself rather than for its shop."""
    app = create_app(sample=False)
    owner, other, itself = Partner(app), Partner(app, PARTNERS[1]), Partner(app)
    for p in (other, itself):
        own = p.ids["partner_account_id"]
        p.ids |= {**_everything(owner), "partner_account_id": own, "account_id": own} if p is other else owner.ids
        p.ids |= {"partner_account_id": own, "account_id": own}
        p.ids |= {"payment_token": "t", "payment_confirmation_token": "t", "deep_link_id": "d", "plugin_id": "p"}
        p.ids |= {"payment_dispute_attachment_id": "a"}
    return owner, other, itself


ABSENT = {n for n in READS if "/v4/" in OPERATIONS[n].path or "download-dispute" in n} | {
    "read-client-identifier", "read-client-certificate", "read-sftp-credential",
}  # fmt: skip
BODIES: dict[str, Any] = {
    "confirm-payment-confirmation-token": {"currency": "EUR", "payment_amount": 1},
    "represent-dispute-v4": {"attachments": [{}]},
    "appeal-dispute-v4": {"additional_information": "a"},
}
ONLY_ACCOUNT = [n for n in READS if OPERATIONS[n].path.count("{") == 1 and "account_id}" in OPERATIONS[n].path]


@pytest.mark.parametrize(
    "name", [n for n in READS if n not in ONLY_ACCOUNT and n != "confirm-payment-confirmation-token"]
)
@pytest.mark.parametrize("who", ["another partner", "the partner under another account"])
def test_what_belongs_to_another_is_not_found(two: tuple[Partner, Partner, Partner], name: str, who: str) -> None:
    path = OPERATIONS[name].path
    if who != "another partner" and "account_id}" not in path:
        return
    reply = two[1 if who == "another partner" else 2].do(name, BODIES.get(name))
    assert (reply.status, reply.json["error_code"]) == (404, "RESOURCE_NOT_FOUND"), reply.content


@pytest.mark.parametrize("name", [n for n in READS if OPERATIONS[n].method == "GET" and n not in ABSENT])
def test_it_is_there_for_its_owner(two: tuple[Partner, Partner, Partner], name: str) -> None:
    two[0].ok(name)


@pytest.mark.parametrize("name", [n for n in READS if "account_id}" in OPERATIONS[n].path])
def test_the_account_of_another_is_not_found(two: tuple[Partner, Partner, Partner], name: str) -> None:
    owner, other, _ = two
    account = owner.ids["partner_account_id"]
    reply = other.do(name, BODIES.get(name), partner_account_id=account, account_id=account)
    assert (reply.status, reply.json["error_code"]) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    "name", ["list-settlements", "list-webhooks", "list-signing-keys", "list-api-keys", "list-disputes"]
)
def test_lists_show_what_is_ones_own(two: tuple[Partner, Partner, Partner], name: str) -> None:
    answer = two[1].ok(name)
    assert [value for key, value in answer.items() if key != "pagination"] == [[]]


def test_a_disputed_order_is_its_merchants_alone(app: App) -> None:
    p = Partner(app)
    about = {"version": "v4", "account": DEMO_MERCHANT.id, "order_id": "o", "amount": 1, "currency": "EUR"}
    id_ = p.act("disputes", about)["payment_dispute_id"]
    for account, status in ((DEMO_MERCHANT, 200), (MERCHANTS[1], 404), (DEMO_PARTNER, 404)):
        asking = Partner(app, account)
        assert asking.do("read-dispute-v4", payment_dispute_id=id_).status == status
        assert len(asking.ok("list-disputes-v4")["disputes"]) == (status == 200)
    assert Partner(app).do("enroll-merchant", merchant_id=DEMO_MERCHANT.id).status == 403
    assert Partner(app, DEMO_MERCHANT).do("enroll-partner", {"client_id": "c"}, partner_id="P300001").status == 403


def test_the_network_is_kept_over_a_restart(tmp_path: Path) -> None:
    database = str(tmp_path / "sandbox.db")
    app = create_app(database, sample=False)
    first = Partner(app)
    made = first.ok("create-api-key", {"description": "kept"})
    transaction = first.transaction(1000)
    app.state.close()
    again = create_app(database, sample=False)
    second = _with(again, f"Basic {made['api_key']}")
    path = f"/v2/accounts/{DEMO_PARTNER.id}/payment/transactions/{quote(transaction['payment_transaction_id'])}"
    assert second.get(path).json == transaction
    again.state.close()
