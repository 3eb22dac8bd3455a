"""Every operation of the network answers, in the life of a partner, with its status and the fields that are known."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.sandbox.assemble import create_app
from capstan.sandbox.network.surfaces import ROUTES
from sandbox.client import Reply
from sandbox.network_life import OPERATIONS, Partner, network_life

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
    network_life(partner)
    return partner.replies


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
