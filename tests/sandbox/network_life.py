"""The operations of the network's APIs, and a partner's client that calls them by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from capstan.sandbox.accounts import DEMO_PARTNER, Account
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


def form(content: bytes, *, filename: str = "proof.bin", media: str = "application/octet-stream") -> bytes:
    """A multipart form with one file; its boundary is `frontier`."""
    return b"".join((
        b'--frontier\r\nContent-Disposition: form-data; name="filename"\r\n\r\n', filename.encode(), b"\r\n",
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: ', media.encode(),
        b"\r\n\r\n", content, b"\r\n--frontier--\r\n",
    ))  # fmt: skip


FORM = "multipart/form-data; boundary=frontier"
