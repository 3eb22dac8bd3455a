"""Whatever a body holds, an operation answers: with success or with a refusal, never with a fault of the sandbox."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.assemble import create_app
from sandbox.network_life import CSR, ONBOARDING, OPERATIONS, Partner

SCHEMAS: dict[str, Any] = json.loads(files("capstan.sandbox").joinpath("network/bodies.json").read_text())["$defs"]
BODIED = [name for name in OPERATIONS if name in SCHEMAS]

MANY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
WORDS = ["NOW", "MTLS", "API_KEY", "RELEASE", "PROCESSED", "ENABLED", "v2", "EUR", "2026-01-01T00:00:00Z", "", CSR,
         "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "payment.*", "http://[", "http://h:x"]  # fmt: skip
LEAVES: dict[str, Any] = {
    "string": st.sampled_from(WORDS) | st.text(max_size=5),
    "integer": st.integers(1, 20) | st.integers(),
    "number": st.floats(),
    "boolean": st.booleans(),
}


def _values(schema: dict[str, Any], depth: int = 0) -> Any:
    """Values of a schema's types, now and then something else."""
    if "$ref" in schema:
        return _values(SCHEMAS[schema["$ref"].rpartition("/")[2]], depth + 1)
    if schema["type"] in LEAVES:
        return LEAVES[schema["type"]]
    if depth > 3:
        return st.just({} if schema["type"] == "object" else [])
    if schema["type"] == "array":
        return st.lists(_values(schema.get("items", {"type": "string"}), depth + 1), max_size=2)
    properties = {name: _values(inner, depth + 1) for name, inner in schema.get("properties", {}).items()}
    required = {name: properties.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=properties)


@pytest.fixture(scope="module")
def partner() -> Partner:
    p = Partner(create_app(sample=False))
    shop = p.ok("onboard", ONBOARDING)
    p.ids |= {"partner_account_id": shop["partner_account_id"], "product_id": shop["products"][0]["product_id"]}
    p.ids["payment_account_id"] = shop["products"][0]["payment_accounts"][0]["payment_account_id"]
    for plural in ("brands", "store_groups", "partner_business_entities"):
        p.ids |= {name: value for name, value in shop[plural][0].items() if name.endswith("_id")}
    p.ids["store_id"] = shop["store_groups"][0]["stores"][0]["store_id"]
    p.ids["account_id"] = p.account.id
    transaction = p.transaction(1000)["payment_transaction_id"]
    p.ids["payment_transaction_id"] = transaction
    p.ok("capture-payment-transaction", {"capture_amount": 500})
    p.ids["payment_dispute_id"] = p.act("disputes", {"payment_transaction_id": transaction})["payment_dispute_id"]
    p.ids["payment_request_id"] = p.ok("create-payment-request", {})["payment_request_id"]
    p.ids["credential_id"] = p.ok("create-client-certificate", {"config": {"certificate_signing_request": CSR}})[
        "credential_id"]  # fmt: skip
    for name, body in (("create-shopping-session", {}), ("create-signing-key", None),
                       ("create-api-key", {}), ("register-plugin", {})):  # fmt: skip
        p.ok(name, body)
    p.ok("create-webhook", {"url": "http://127.0.0.1:9/", "event_types": ["payment.*"], "event_version": "v2",
                            "signing_key_id": p.ids["signing_key_id"], "status": "ENABLED"})  # fmt: skip
    p.ids |= {"settlement_id": p.ok("generate-settlement-report", {})["settlement_reports"][0]["settlement_id"]}
    p.ids |= {"payment_confirmation_token": "t", "partner_id": p.account.id}
    return p


@pytest.mark.parametrize("name", BODIED)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_body_makes_a_fault(partner: Partner, name: str, data: Any) -> None:
    body = data.draw(_values(SCHEMAS[name]))
    if body and data.draw(st.integers(0, 4)) == 0:
        body[data.draw(st.sampled_from(sorted(body)))] = data.draw(ANY)
    asking = partner
    if "/v4/" in OPERATIONS[name].path:
        asking = Partner(partner.client.app, DEMO_MERCHANT)
        about = {"version": "v4", "account": DEMO_MERCHANT.id, "order_id": "o", "amount": 5, "currency": "EUR"}
        asking.ids |= {**asking.act("disputes", about), "partner_id": "p"}
    reply = asking.do(name, body)
    assert reply.status < 500
    told = reply.json if reply.content else None
    if reply.status == 400:
        assert (told["error_type"], bool(told["validation_errors"])) == ("INPUT_ERROR", True)


QUERIES = ["size", "starting_after", "ending_before", "state", "sort_by", "opened_at_start", "interval_start", "amount",
           "locale", "version", "expand", "intents[]", "created_at_end"]  # fmt: skip
TEXTS = [*WORDS, "1", "-1", "²", "9" * 20, "-opened_at"]
LISTS = [n for n, o in OPERATIONS.items() if o.method == "GET" and n.startswith(("list-", "get-"))]


@pytest.mark.parametrize("name", LISTS)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    query=st.dictionaries(st.sampled_from(QUERIES), st.sampled_from([*WORDS, "1", "-1", "²", "9" * 20, "-opened_at"]))
)
def test_no_query_makes_a_fault(partner: Partner, name: str, query: dict[str, str]) -> None:
    assert partner.do(name, query=urlencode(query)).status < 500
