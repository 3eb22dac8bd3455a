"""Every operation of the network answers, in the life of a partner, with its status and the fields that are known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.assemble import create_app
from capstan.sandbox.network.surfaces import ROUTES
from sandbox.client import Reply
from sandbox.network_life import CSR, FORM, ONBOARDING, OPERATIONS, Partner, form

CATALOGUE = Path(__file__).parents[2].parent / "shared" / "klarna" / "network-operations.yaml"

# Fields that the answer has in some lives only: there, a test of their own sees them.
ELSEWHERE = {
    ("create-payment-request", "state_context.klarna_network_session_token"): "once the customer approved",
    ("authorize-payment", "payment_request.payment_request_id"): "when the customer has to be asked",
    ("authorize-payment", "customer_token_response.customer_token"): "when a token is asked for",
}
# The life disputes an order of a merchant, which has no payment transaction.
NULL = {("read-dispute-v4", "payment_transaction_id"), ("read-dispute-v4", "payment_capture_reference")}


@pytest.fixture(scope="module")
def lived() -> dict[str, Reply]:
    partner = Partner(create_app(sample=False))
    for chapter in (_manage, _connect, _look_around, _pay, _dispute, _settle, _old_times, _leave):
        chapter(partner)
    return partner.replies


def _manage(p: Partner) -> None:
    shop = p.ok("onboard", ONBOARDING)
    shop_id = shop["partner_account_id"]
    p.ids |= {"partner_account_id": shop_id, "account_id": shop_id, "product_id": shop["products"][0]["product_id"]}
    p.ok("read-account", query="expand=products,brands&expand=store_groups")
    p.ok("update-account", {"partner_account_name": "The shop"})
    p.ok("create-business-entity", {"partner_business_entity_reference": "e-2", "legal_registered_entity_name": "Two",
                                    "legal_registration_country": "US"})  # fmt: skip
    p.ok("list-business-entities")
    p.ok("read-business-entity")
    p.ok("update-business-entity", {"supplementary_business_data": {"operating_addresses": []}})
    p.ok("create-brand", {"brand_reference": "b-2", "display_name": "Two"})
    p.ok("list-brands")
    p.ok("read-brand")
    p.ok("update-brand", {"display_name": "Second"})
    p.ok("create-store-group", {"store_group_reference": "g-2", "brand_reference": "b-2", "stores": []})
    p.ok("list-store-groups", query="size=5")
    p.ok("read-store-group")
    p.ok("update-store-group", {"support_contact": {"email": "help@shop.example"}})
    p.ok("create-store", {"store_group_id": p.ids["store_group_id"], "type": "WEBSITE", "store_reference": "s-2",
                          "url": "https://two.example"})  # fmt: skip
    p.ok("list-stores")
    p.ok("read-store")
    p.ok("update-store", {"url": "https://second.example"})
    p.ok("list-payment-products")
    p.ok("disable-payment-product", {"reason": "VOLUNTARY"})
    p.ok("enable-payment-product")
    p.ok("create-payment-account", {"payment_account_reference": "pa-2", "payment_acquiring_account_id": "acq-1"})
    p.ok("read-payment-account")
    p.ok("update-payment-account", {"default_merchant_category_code": "0001"})
    p.ok("list-payment-profiles")
    programs = p.ok("list-payment-programs", query="customer_country=DE")
    p.ids["payment_program_id"] = programs["payment_programs"][0]["payment_program_id"]
    p.ok("create-payment-program-enablement", {"payment_program_id": p.ids["payment_program_id"]})
    p.ok("list-payment-program-enablements")
    p.ok("read-payment-program-enablement")
    p.ok("delete-payment-program-enablement")
    p.act(f"accounts/{shop_id}/compliance-decisions", {"decision": "APPROVED"})
    p.ids["decision_id"] = p.ok("list-compliance-decisions")["decisions"][0]["decision_id"]
    p.ok("read-compliance-decision")


def _connect(p: Partner) -> None:
    for name, plural in (("api-key", "api-keys"), ("client-identifier", "client-identifiers")):
        made = p.ok(f"create-{name}", {"description": "of a test"})
        p.ok(f"list-{plural}")
        p.ok(f"read-{name}", credential_id=made["credential_id"])
        p.ok(f"update-{name}", {"description": "changed"}, credential_id=made["credential_id"])
        p.ok(f"disable-{name}", credential_id=made["credential_id"])
    config = {"usage": "MTLS", "certificate_signing_request": CSR}
    made = p.ok("create-client-certificate", {"description": "mTLS", "config": config})
    p.ok("list-client-certificates")
    p.ok("read-client-certificate", credential_id=made["credential_id"])
    p.ok("update-client-certificate", {"description": "changed"}, credential_id=made["credential_id"])
    p.ok("enforce-mtls", {"enforced_from": "NOW"})
    p.ok("read-mtls-enforcement")
    p.ok("remove-mtls-enforcement")
    p.ok("revoke-client-certificate", {"revoked_from": "NOW"}, credential_id=made["credential_id"])
    made = p.ok("create-sftp-credential", {"description": "reports"})
    p.ok("list-sftp-credentials")
    p.ok("read-sftp-credential", credential_id=made["credential_id"])
    p.ok("disable-sftp-credential", credential_id=made["credential_id"])
    p.ok("list-allowed-ips")
    p.ok(
        "create-deep-link", {"subject": "ada", "roles": ["merchant:admin"], "on_behalf_of": p.ids["partner_account_id"]}
    )
    p.ok("delete-deep-link")
    p.ok("grant-portal-user-access", {"jwt": "a.b.c"})
    p.ok("revoke-portal-user-access", query="account_id=a&principal=ada")
    p.ok("create-signing-key")
    p.ok("list-signing-keys")
    p.ok("read-signing-key")
    p.ok("create-webhook", {"url": "http://127.0.0.1:9/", "event_types": ["payment.*"], "event_version": "v2",
                            "signing_key_id": p.ids["signing_key_id"], "status": "ENABLED"})  # fmt: skip
    p.ok("list-webhooks")
    p.ok("read-webhook")
    p.ok("update-webhook", {"event_types": ["payment.*", "partner.*"]})
    p.ok("simulate-webhook", {"event_type": "payment.transaction.captured", "event_version": "v2"})


def _look_around(p: Partner) -> None:
    plans = p.ok("list-payment-program-plans")["payment_program_plans"]
    p.ok(
        "read-payment-program-plan",
        query="size=2&version=1",
        payment_program_plan_id=plans[0]["payment_program_plan_id"],
    )
    p.ok("read-payment-program")
    plans = p.ok("list-price-plans")["price_plans"]
    p.ok("read-price-plan", query="currency=EUR", price_plan_id=plans[0]["price_plan_id"])
    p.ok("get-payment-presentation", query="locale=de-DE&currency=EUR&amount=12336&intents[]=PAY")
    for placement in ("credit-promotion", "top-strip-promotion"):
        for size in ("auto-size", "badge"):
            p.ok(f"get-{placement}-{size}", query="locale=de-DE&amount=12336&currency=EUR")
    p.ok("create-interoperability-token")
    p.ok("create-interoperability-sdk-token")
    p.ok("create-test-interoperability-token", {"customer_journey": "KLARNA_EXPRESS_CHECKOUT"})
    p.ok("create-shopping-session", {"supplementary_purchase_data": {"purchase_reference": "1"}})
    p.ok("read-shopping-session")
    p.ok("update-shopping-session", {"supplementary_purchase_data": {"purchase_reference": "2"}})
    p.ok("create-identity-sdk-token")
    p.ok("create-identity-request", {"request_customer_token": {"scopes": ["customer:login"]}})
    p.ok("read-identity-request")
    p.ids["plugin_id"] = p.ok("register-plugin", {"plugin": "woo", "version": "1"})["plugin_id"]
    p.ok("read-plugin-features", {"installation_data": {}})
    p.ok("get-on-site-message", query=f"client_id={DEMO_MERCHANT.id}&placement_key=credit-promotion-badge&locale=en-US"
         "&purchase_amount=1000")  # fmt: skip


def _pay(p: Partner) -> None:
    p.ok("create-payment-request", {"currency": "EUR", "amount": 500})
    p.ok("update-payment-request", {"currency": "EUR", "amount": 600})
    p.ok("cancel-payment-request")
    token = p.approved()
    p.ok("cancel-payment-token", payment_token=token)
    body = {"currency": "EUR", "amount": 1000, "request_customer_token": {"scopes": ["customer:login"]}}
    made = p.ok("create-payment-request", body)
    done = p.act(f"payment-requests/{made['payment_request_id']}/complete", {"customer": {"email": "ada@example.com"}})
    p.ok("read-payment-request", payment_request_id=made["payment_request_id"])
    customer = done["state_context"]["klarna_customer"]["customer_token"]
    p.ok("introspect-customer-token", Klarna_Customer_Token=customer)
    p.ok("customer-exists", {"email": "ada@example.com"})
    wanted = {"amount": 1000, "payment_transaction_reference": "t-1"}
    session = done["state_context"]["klarna_network_session_token"]
    answer = p.ok("authorize-payment", {"currency": "EUR", "request_payment_transaction": wanted},
                  Klarna_Network_Session_Token=session)  # fmt: skip
    p.ids["payment_transaction_id"] = answer["payment_transaction_response"]["payment_transaction"][
        "payment_transaction_id"
    ]
    p.ok("read-payment-transaction")
    p.ok("update-payment-transaction", {"payment_transaction_reference": "t-2"})
    p.ok("reauthorize-payment-transaction", {"extension_days": 7})
    p.ok("capture-payment-transaction", {"capture_amount": 900})
    p.ok("refund-payment-transaction", {"refund_amount": 100, "refund_reference": "x"})
    p.ok("refund-payment-capture", {"refund_amount": 100, "payment_refund_reference": "y"})
    p.ok("void-payment-transaction")
    p.ok("read-payment-capture")
    p.ok("read-payment-refund")
    made = p.act(f"transactions/{p.ids['payment_transaction_id']}/chargeback", {"amount": 50})
    p.ok("read-payment-chargeback", payment_chargeback_id=made["payment_chargeback_id"])
    p.ok("revoke-customer-token", Klarna_Customer_Token=customer)


def _dispute(p: Partner) -> None:
    about = {"payment_transaction_id": p.ids["payment_transaction_id"], "amount": 100}
    second = p.act("disputes", about)["payment_dispute_id"]
    p.ids["payment_dispute_id"] = p.act("disputes", about)["payment_dispute_id"]
    p.ok("list-disputes", query="state=PRE_ARBITRATION&size=1&sort_by=-opened_at")
    p.ok("read-dispute")
    p.ok("upload-dispute-attachment", form(b"\x00proof\r\n"), Content_Type=FORM)
    p.ok("download-dispute-attachment")
    attached = [{"payment_dispute_attachment_id": p.ids.pop("payment_dispute_attachment_id")}]
    p.ok("respond-to-dispute", {"additional_information": "sent", "attachments": attached, "details": {}})
    p.ok("accept-dispute-loss", payment_dispute_id=second)

    p.ok("enroll-partner", {"client_id": "c"}, partner_id=p.account.id)
    merchant = Partner(p.client.app, DEMO_MERCHANT)
    merchant.ok("enroll-merchant", merchant_id=DEMO_MERCHANT.id)
    order = {
        "version": "v4",
        "account": DEMO_MERCHANT.id,
        "order_id": "o-1",
        "capture_id": "c-1",
        "amount": 100,
        "currency": "EUR",
    }
    second = p.act("disputes", order)["payment_dispute_id"]
    merchant.ids["payment_dispute_id"] = p.act("disputes", order)["payment_dispute_id"]
    merchant.ok("upload-dispute-attachment-v4", form(b"proof"), Content_Type=FORM)
    merchant.ok("download-dispute-attachment-v4")
    attached = [{"payment_dispute_attachment_id": merchant.ids["payment_dispute_attachment_id"]}]
    merchant.ok("represent-dispute-v4", {"attachments": attached, "additional_information": "sent"})
    p.act(f"disputes/{merchant.ids['payment_dispute_id']}/decide", {"outcome": "LOST"})
    merchant.ok("appeal-dispute-v4", {"additional_information": "really"})
    p.act(f"disputes/{merchant.ids['payment_dispute_id']}/decide", {"outcome": "WON"})
    merchant.ok("list-disputes-v4", query="order_ids=o-1")
    merchant.ok("read-dispute-v4")
    merchant.ok("accept-dispute-loss-v4", payment_dispute_id=second)
    p.replies |= merchant.replies


def _settle(p: Partner) -> None:
    made = p.ok("generate-settlement-report", {})
    p.ids["settlement_id"] = made["settlement_reports"][0]["settlement_id"]
    p.ok("list-settlements", query="currency=EUR")
    p.ok("read-settlement")
    p.ok("list-settlement-transactions", query="size=20")
    p.ok("download-settlement-csv")
    p.ok("read-payout-status")
    p.ok("set-payout-status", {"status": "PROCESSED"})


def _old_times(p: Partner) -> None:
    token = p.approved(700)
    p.ok(
        "confirm-payment-confirmation-token",
        {"currency": "EUR", "payment_amount": 700},
        payment_confirmation_token=token,
    )
    made = p.ok("create-credential-v1", {"description": "old", "type": "API_KEY"})
    p.ok("list-credentials-v1")
    p.ok("disable-credential-v1", credential_id=made["credential_id"])


def _leave(p: Partner) -> None:
    p.ok("delete-webhook")
    p.ok("delete-signing-key")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_an_operation_succeeds_in_a_partners_life(operation: Any, lived: dict[str, Reply]) -> None:
    reply = lived[operation.name]
    assert reply.status == operation.status
    assert "klarna-correlation-id" in reply.headers
    media = {"json": "application/json", "csv": "text/csv; charset=utf-8", "binary": "application/octet-stream"}
    if operation.content == "empty":
        assert (reply.content, "content-type" in reply.headers) == (b"", False)
    else:
        assert reply.headers["content-type"] == media[operation.content]


@pytest.mark.parametrize(
    ("operation", "field"), [(o.name, f) for o in OPERATIONS.values() for f in o.fields if (o.name, f) not in ELSEWHERE]
)
def test_a_field_that_is_known_of_an_answer_is_there(operation: str, field: str, lived: dict[str, Reply]) -> None:
    found: Any = lived[operation].json
    for part in field.split("."):
        name = part.removesuffix("[]")
        assert name in found, f"{field} is not in {lived[operation].json}"
        found = found[name]
        if part.endswith("[]"):
            assert found, f"{field}: {name} is empty"
            found = found[0]
    assert found is not None or (operation, field) in NULL


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", path).rstrip("/")


def test_every_route_is_an_operation_or_a_control_path() -> None:
    known = {(o.method, _shape(path)) for o in OPERATIONS.values() for path in (o.path, o.alone) if path}
    served = {(r.method, _shape(r.template)) for r in ROUTES if not r.template.startswith("/sandbox/")}
    assert served == known


def test_the_list_of_operations_is_that_of_the_catalogue() -> None:
    if not CATALOGUE.is_file():
        pytest.skip("the catalogue is not at hand")
    apis = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["apis"]
    listed = [o for api in apis for o in api["operations"] if o["confidence"] in ("high", "medium")]
    expected = {
        o["id"]: (o["method"], o["path"], o["success"][0]["status"], o["success"][0]["content"],
                  o.get("path_without_account", ""), tuple(o.get("response_fields_seen") or ()))
        for o in listed
    }  # fmt: skip
    assert {o.name: (o.method, o.path, o.status, o.content, o.alone, o.fields) for o in OPERATIONS.values()} == expected
