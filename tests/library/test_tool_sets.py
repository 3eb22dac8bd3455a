"""The small tool sets for agents: exactly their tools, and where their calls go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from capstan.errors import BindError
from capstan.plan.types import UnitPlan
from library.classic import CREDENTIALS, FOLDER, PLAYGROUND, plan_of, sent
from support import RecordingUpstream, live, reply

_LIFECYCLE: Final = {  # tool -> method, path at Klarna, effect
    "create_payment_session": ("POST", "/payments/v1/sessions", "write"),
    "get_payment_session": ("GET", "/payments/v1/sessions/xxxxx", "read"),
    "create_klarna_order": ("POST", "/payments/v1/authorizations/xxxxx/order", "money"),
    "capture_klarna_order": ("POST", "/ordermanagement/v1/orders/xxxxx/captures", "money"),
    "cancel_authorized_order": ("POST", "/ordermanagement/v1/orders/xxxxx/cancel", "irreversible"),
    "refund_klarna_order": ("POST", "/ordermanagement/v1/orders/xxxxx/refunds", "money"),
    "get_order_details": ("GET", "/ordermanagement/v1/orders/xxxxx", "read"),
    "update_order_shipping": ("", "", "write"),  # two calls, tested below
}
_ORDERS: Final = {  # tool -> title, method, path at Klarna, effect
    "get_order": ("Get Order", "GET", "/ordermanagement/v1/orders/xxxxx", "read"),
    "capture_order": ("Capture Order", "POST", "/ordermanagement/v1/orders/xxxxx/captures", "money"),
    "refund_order": ("Refund Order", "POST", "/ordermanagement/v1/orders/xxxxx/refunds", "money"),
    "cancel_order": ("Cancel Order", "POST", "/ordermanagement/v1/orders/xxxxx/cancel", "irreversible"),
    "release_remaining_authorization": (
        "Release Remaining Authorization", "POST", "/ordermanagement/v1/orders/xxxxx/release-remaining-authorization",
        "irreversible",
    ),
    "get_capture": ("Get Capture", "GET", "/ordermanagement/v1/orders/xxxxx/captures/xxxxx", "read"),
}  # fmt: skip
_HOSTS: Final = [
    "api.klarna.com", "api-na.klarna.com", "api-oc.klarna.com",
    "api.playground.klarna.com", "api-na.playground.klarna.com", "api-oc.playground.klarna.com",
]  # fmt: skip


def units(file: str) -> dict[str, UnitPlan]:
    plan = plan_of(file)
    (mcp,) = plan.mcp
    assert plan.rest == ()
    assert mcp.port == 9090
    for tool in mcp.tools:
        assert tool.hints is not None
        assert tool.hints.read_only == (tool.unit.effect == "read")
        assert tool.hints.destructive == (tool.unit.effect == "irreversible")
    return {tool.name: tool.unit for tool in mcp.tools}


def properties(unit: UnitPlan) -> dict[str, Any]:
    found: dict[str, Any] = unit.input_schema["properties"]
    return found


def test_the_payment_lifecycle_has_its_tools_and_calls_the_playground() -> None:
    found = units("klarna-payment-lifecycle")
    assert list(found) == list(_LIFECYCLE)
    for name, (method, path, effect) in _LIFECYCLE.items():
        assert found[name].effect == effect
        assert found[name].description
        if path:
            request = sent(found[name], whole=True)
            assert (request.method, request.url) == (method, PLAYGROUND + path)


def test_what_changes_an_order_takes_an_idempotency_key() -> None:
    for file in ("klarna-payment-lifecycle", "klarna-orders"):
        for name, unit in units(file).items():
            ordered = "order_id" in properties(unit) and unit.effect != "read"
            assert ("Klarna-Idempotency-Key" in properties(unit)) == ordered, name
            assert "Klarna-Idempotency-Key" not in unit.input_schema["required"]


def test_inputs_beside_each_other_become_one_body() -> None:
    unit = units("klarna-payment-lifecycle")["refund_klarna_order"]
    line = {"name": "Hat", "quantity": 1, "unit_price": 500, "total_amount": 500, "type": "return_fee"}
    request = sent(unit, refunded_amount=500, order_lines=[line])
    assert request.body is not None
    assert json.loads(request.body) == {"refunded_amount": 500, "order_lines": [line]}


# tool -> the surface and operation whose body it asks for, all or in part
_BODIES: Final = {
    "create_payment_session": ("payments", "createcreditsession"),
    "create_klarna_order": ("payments", "createorder"),
    "capture_klarna_order": ("order-management-captures", "captureorder"),
    "refund_klarna_order": ("order-management-refunds", "refundorder"),
    "capture_order": ("order-management-captures", "captureorder"),
    "refund_order": ("order-management-refunds", "refundorder"),
}


@pytest.mark.parametrize("tool", _BODIES)
def test_a_tool_asks_for_nothing_that_its_operation_does_not_take(tool: str) -> None:
    file, name = _BODIES[tool]
    (operation,) = (o.unit for o in plan_of(file).rest[0].operations if o.unit.name == name)
    unit = (units("klarna-payment-lifecycle") | units("klarna-orders"))[tool]
    beside = {"order_id", "authorizationToken", "Klarna-Idempotency-Key", "apiHost"}
    body = {
        "type": "object",
        "properties": {k: v for k, v in properties(unit).items() if k not in beside},
        "required": [name for name in unit.input_schema["required"] if name not in beside],
    }
    assert list(_wider(body, operation.input_schema["properties"]["body"], "body")) == []


def _wider(narrow: dict[str, Any], wide: dict[str, Any], at: str) -> Iterator[str]:
    """Where a schema lets through what another does not."""
    if narrow["type"] != wide["type"]:
        yield f"{at}: {narrow['type']}"
    for limit in ("minimum", "minLength", "minItems"):
        if narrow.get(limit, 0) < wide.get(limit, 0):
            yield f"{at}: {limit}"
    for limit in ("maximum", "maxLength", "maxItems"):
        if limit in wide and narrow.get(limit, wide[limit] + 1) > wide[limit]:
            yield f"{at}: {limit}"
    if "enum" in wide and not set(narrow.get("enum", [None])) <= set(wide["enum"]):
        yield f"{at}: enum"
    if narrow.get("pattern") != wide.get("pattern"):
        yield f"{at}: pattern"
    if not set(narrow.get("required", ())) >= set(wide.get("required", ())):
        yield f"{at}: required"
    for name, item in narrow.get("properties", {}).items():
        if name in wide["properties"]:
            yield from _wider(item, wide["properties"][name], f"{at}.{name}")
        else:
            yield f"{at}.{name}"
    if "items" in wide:
        yield from _wider(narrow["items"], wide["items"], f"{at}[]")


ADDRESS = {"street_address": "Sveavägen 46", "postal_code": "11134", "city": "Stockholm", "country": "SE"}
PARCELS = [{"shipping_company": "DHL", "shipping_method": "Home", "tracking_number": "63456415674545679071"}]


@pytest.mark.parametrize("given", [("address",), ("tracking",), ("address", "tracking")], ids="+".join)
async def test_shipping_is_updated_by_what_is_given(given: tuple[str, ...]) -> None:
    calls = {
        "address": ("PATCH", "/ordermanagement/v1/orders/o-1/customer-details", {"shipping_address": ADDRESS}),
        "tracking": ("POST", "/ordermanagement/v1/orders/o-1/shipping-info", {"shipping_info": PARCELS}),
    }
    arguments: dict[str, Any] = {"order_id": "o-1", "Klarna-Idempotency-Key": "k-1"}
    for name in given:
        arguments |= calls[name][2]
    async with RecordingUpstream() as upstream:
        upstream.then(*(reply(204) for _ in given))
        file = FOLDER / "klarna-payment-lifecycle.yaml"
        async with live(file, CREDENTIALS, {"lifecycle": upstream.url}) as found:
            answer = await found["update_order_shipping"].call(arguments)
    assert answer.value == {name: {"status": 204} for name in given}
    assert [(r.method, r.target, r.json) for r in upstream.requests] == [calls[name] for name in given]
    assert [r.all("Klarna-Idempotency-Key") for r in upstream.requests] == [["k-1"] for _ in given]


@pytest.mark.parametrize("arguments", [{}, {"shipping_info": []}, {"shipping_address": None}], ids=str)
async def test_shipping_that_says_nothing_is_refused(arguments: dict[str, Any]) -> None:
    async with RecordingUpstream() as upstream:
        file = FOLDER / "klarna-payment-lifecycle.yaml"
        async with live(file, CREDENTIALS, {"lifecycle": upstream.url}) as found:
            with pytest.raises(BindError):
                await found["update_order_shipping"].call({"order_id": "o-1", **arguments})
    assert upstream.requests == []


def test_the_tools_for_orders_go_to_the_host_the_caller_names() -> None:
    found = units("klarna-orders")
    assert list(found) == list(_ORDERS)
    for name, (title, method, path, effect) in _ORDERS.items():
        unit = found[name]
        assert (unit.title, unit.effect) == (title, effect)
        host = properties(unit)["apiHost"]
        assert (host["enum"], host["default"]) == (_HOSTS, "api.klarna.com")
        for said in ("Default: api.klarna.com", "live European", "Credentials fit one host"):
            assert said in host["description"]
        assert "apiHost" not in unit.input_schema["required"]
        request = sent(unit)
        assert (request.method, request.url) == (method, f"https://api.klarna.com{path}")
        for other in _HOSTS:
            assert sent(unit, apiHost=other).url == f"https://{other}{path}"


@pytest.mark.parametrize("host", ["evil.example", "api.klarna.com.evil.example", "api.klarna.com/x", "", 1])
def test_no_other_host_is_called(host: Any) -> None:
    with pytest.raises(BindError):
        sent(units("klarna-orders")["get_order"], apiHost=host)
