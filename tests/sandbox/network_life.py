"""The operations of the network's APIs, a partner's client that calls them by name, and a life that calls them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, Account
from capstan.sandbox.app import App
from sandbox.client import Client, Reply


@dataclass(frozen=True)
class Operation:
    """A line of network_operations.txt."""

    name: str
    method: str
    path: str
    status: int
    content: str  # json, empty, csv or binary
    alone: str  # how a merchant calls it that acts for itself; "" where it cannot
    fields: tuple[str, ...]  # seen in answers


def _read() -> dict[str, Operation]:
    found = {}
    for line in Path(__file__).with_name("network_operations.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, method, path, status, content, alone, *fields = line.split(" ")
            found[name] = Operation(name, method, path, int(status), content, alone.strip("-"), tuple(fields))
    return found


OPERATIONS = _read()


class Partner:
    """Calls operations by name, as one account, and keeps the last reply of each."""

    def __init__(self, app: App, account: Account = DEMO_PARTNER, *, host: str = "localhost") -> None:
        self.account, self.client, self.control = account, Client(app, account, host), Client(app, None)
        self.ids: dict[str, str] = {"partner_account_id": account.id, "account_id": account.id}
        self.replies: dict[str, Reply] = {}

    def do(
        self, name: str, body: Any = None, *, query: str = "", key: str = "", alone: bool = False, **more: str
    ) -> Reply:
        """Call an operation. Lower-case members of `more` fill the path, others are headers."""
        operation = OPERATIONS[name]
        given = {**self.ids, **{n: value for n, value in more.items() if n.islower()}}
        headers = {n.lower(): value for n, value in more.items() if not n.islower()}
        path = re.sub(
            r"\{(\w+)\}", lambda m: quote(given[m.group(1)], safe=""), operation.alone if alone else operation.path
        )
        reply = self.client.send(operation.method, path + (f"?{query}" if query else ""), body, key=key, **headers)
        self.replies[name] = reply
        return reply

    def ok(self, name: str, body: Any = None, **more: Any) -> Any:
        """Call an operation that must succeed; what it answers, and the identifiers of it filled into later paths."""
        reply = self.do(name, body, **more)
        expected = OPERATIONS[name].status
        assert reply.status == expected, f"{name}: {reply.status} {reply.content.decode()}"
        if OPERATIONS[name].content != "json":
            return reply.content
        self.ids |= {
            n: v for n, v in reply.json.items() if n.endswith("_id") and isinstance(v, str) and n not in self.ids
        }
        return reply.json

    def upload(self, name: str) -> None:
        """Send evidence."""
        self.ok(name, form(b"\x00proof\r\n"), Content_Type=FORM)

    def merchant(self) -> Partner:
        """Who has disputes about orders."""
        return Partner(self.client.app, DEMO_MERCHANT)

    def act(self, path: str, body: Any = None) -> Any:
        """A control path that must succeed, what it answers."""
        reply = self.control.post(f"/sandbox/network/{path}", body or {})
        assert reply.status in (200, 201), reply.content.decode()
        return reply.json

    def approved(self, amount: int = 1000, **fields: Any) -> str:
        """The session token of a payment request that a customer approved."""
        body = {"currency": "EUR", "amount": amount, "payment_request_reference": "r-1", **fields}
        made = self.ok("create-payment-request", body)
        return str(self.act(f"payment-requests/{made['payment_request_id']}/complete")["state_context"][
            "klarna_network_session_token"])  # fmt: skip

    def transaction(self, amount: int = 1000, **wanted: Any) -> dict[str, Any]:
        """An authorized transaction."""
        body = {"currency": "EUR", "request_payment_transaction": {"amount": amount, **wanted}}
        answer = self.ok("authorize-payment", body, Klarna_Network_Session_Token=self.approved(amount))
        found: dict[str, Any] = answer["payment_transaction_response"]["payment_transaction"]
        return found


ONBOARDING: dict[str, Any] = {
    "partner_account_reference": "shop-1",
    "partner_account_name": "A shop",
    "partner_account_contact": {"given_name": "Ada", "family_name": "Shop", "email": "ada@shop.example"},
    "products": [{
        "type": "PAYMENT", "payment_profile_id": "p-1",
        "payment_accounts": [{"payment_account_reference": "pa-1", "payment_acquiring_account_id": "acq-1",
                              "default_merchant_category_code": "0744"}],
    }],
    "brands": [{"brand_reference": "b-1", "display_name": "Brand"}],
    "store_groups": [{"store_group_reference": "g-1", "brand_reference": "b-1",
                      "stores": [{"store_reference": "s-1", "type": "WEBSITE", "url": "https://shop.example"}]}],
    "partner_business_entities": [{"partner_business_entity_reference": "e-1", "legal_registered_entity_name": "Shop",
                                   "legal_registration_country": "DE"}],
}  # fmt: skip
CSR = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----"


def form(content: bytes, *, filename: str = "proof.pdf", media: str = "application/octet-stream") -> bytes:
    """A multipart form with one file; its boundary is `frontier`."""
    return b"".join((
        b'--frontier\r\nContent-Disposition: form-data; name="filename"\r\n\r\n', filename.encode(), b"\r\n",
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: ', media.encode(),
        b"\r\n\r\n", content, b"\r\n--frontier--\r\n",
    ))  # fmt: skip


FORM = "multipart/form-data; boundary=frontier"


def network_life(partner: Partner) -> None:
    """Every operation once, or more often, in an order that makes sense."""
    for chapter in (_manage, _connect, _look_around, _pay, _dispute, _settle, _old_times, _leave):
        chapter(partner)


def _manage(p: Partner) -> None:
    shop = p.ok("onboard", ONBOARDING)
    shop_id = shop["partner_account_id"]
    p.ids |= {"partner_account_id": shop_id, "account_id": shop_id, "product_id": shop["products"][0]["product_id"]}
    p.ok("read-account", query="expand=products,brands,store_groups")
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
    p.upload("upload-dispute-attachment")
    p.ok("download-dispute-attachment")
    attached = [{"payment_dispute_attachment_id": p.ids.pop("payment_dispute_attachment_id")}]
    p.ok("respond-to-dispute", {"additional_information": "sent", "attachments": attached, "details": {}})
    p.ok("accept-dispute-loss", payment_dispute_id=second)

    p.ok("enroll-partner", {"client_id": "c"}, partner_id=p.account.id)
    merchant = p.merchant()
    merchant.ok("enroll-merchant", merchant_id=merchant.account.id)
    order = {
        "version": "v4",
        "account": merchant.account.id,
        "order_id": "o-1",
        "capture_id": "c-1",
        "amount": 100,
        "currency": "EUR",
    }
    second = merchant.act("disputes", order)["payment_dispute_id"]
    merchant.ids["payment_dispute_id"] = merchant.act("disputes", order)["payment_dispute_id"]
    merchant.upload("upload-dispute-attachment-v4")
    merchant.ok("download-dispute-attachment-v4")
    attached = [{"payment_dispute_attachment_id": merchant.ids["payment_dispute_attachment_id"]}]
    merchant.ok("represent-dispute-v4", {"attachments": attached, "additional_information": "sent"})
    merchant.act(f"disputes/{merchant.ids['payment_dispute_id']}/decide", {"outcome": "LOST"})
    merchant.ok("appeal-dispute-v4", {"additional_information": "really"})
    merchant.act(f"disputes/{merchant.ids['payment_dispute_id']}/decide", {"outcome": "WON"})
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
    made = p.ok("create-credential-v1", {"description": "old", "type": "API"})
    p.ok("list-credentials-v1")
    p.ok("disable-credential-v1", credential_id=made["credential_id"])


def _leave(p: Partner) -> None:
    p.ok("delete-webhook")
    p.ok("delete-signing-key")
