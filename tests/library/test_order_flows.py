"""The flows at work, against the sandbox: several calls as one, with the order read before money moves and after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import pytest

from capstan.call.problem import problem_of
from capstan.errors import CallError
from capstan.sandbox import DEMO_VARIABLES
from library.classic import FOLDER, plan_of
from library.test_life_of_a_payment import BASKET
from support import RecordingUpstream, live, reply

NAMESPACES: Final = ("payments", "order-management-orders", "order-management-captures", "order-management-refunds")
KEY: Final = {"idempotency_key": "5b9a2a0e-6f4f-4c0e-9a4e-0d3f3f5c9e11"}
Call = Callable[..., Awaitable[dict[str, Any]]]


@asynccontextmanager
async def flows(url: str) -> AsyncIterator[Call]:
    """Calls a flow by its tool's name; what it raises comes as the problem that callers see."""
    there = dict.fromkeys(NAMESPACES, url)
    async with live(FOLDER / "klarna-order-flows.yaml", DEMO_VARIABLES, there) as units:

        async def call(name: str, **arguments: Any) -> dict[str, Any]:
            try:
                value: dict[str, Any] = (await units[name].call(arguments)).value
            except CallError as error:
                return problem_of(error)
            return value

        yield call


async def authorized(url: str) -> str:
    """A session that its customer has authorized."""
    user = (DEMO_VARIABLES["KLARNA_API_USERNAME"], DEMO_VARIABLES["KLARNA_API_PASSWORD"])
    async with httpx2.AsyncClient(trust_env=False, auth=user, base_url=url) as klarna:
        session: str = (await klarna.post("/payments/v1/sessions", json=BASKET)).json()["session_id"]
        await klarna.post(f"/sandbox/payments/sessions/{session}/authorize", json={})
    return session


async def placed(url: str) -> str:
    """An order of 10000 that nothing was captured of."""
    session = await authorized(url)
    user = (DEMO_VARIABLES["KLARNA_API_USERNAME"], DEMO_VARIABLES["KLARNA_API_PASSWORD"])
    async with httpx2.AsyncClient(trust_env=False, auth=user, base_url=url) as klarna:
        token = (await klarna.get(f"/payments/v1/sessions/{session}")).json()["authorization_token"]
        order: str = (await klarna.post(f"/payments/v1/authorizations/{token}/order", json=BASKET)).json()["order_id"]
    return order


async def test_a_capture_whose_answer_was_lost_is_found_again(sandbox: str) -> None:
    order = await placed(sandbox)
    fault = {"kind": "timeout-after", "method": "POST", "path": "/ordermanagement/*/captures", "count": 1}
    async with httpx2.AsyncClient(trust_env=False, base_url=sandbox) as operator:
        assert (await operator.post("/sandbox/faults", json=fault)).status_code < 300
    async with flows(sandbox) as call:
        lost = await call("capture_if_allowed", order_id=order, captured_amount=10000, **KEY)
        assert (lost["outcome"], lost["retry_safe"]) == ("unknown", True)
        found = await call("capture_if_allowed", order_id=order, captured_amount=10000, **KEY)
    assert found["capture_id"]
    assert (found["captured_amount"], found["remaining_authorized_amount"]) == (10000, 0)


async def test_a_payment_is_taken_from_its_session_and_given_back_in_part(sandbox: str) -> None:
    session = await authorized(sandbox)
    async with flows(sandbox) as call:
        taken = await call("session_to_capture", session_id=session, merchant_reference1="R-1", **KEY)
        assert (taken["status"], taken["captured_amount"], taken["remaining_authorized_amount"]) == (
            "CAPTURED",
            10000,
            0,
        )
        assert taken["capture_id"]
        order = taken["order_id"]
        given = await call("refund_and_compare", order_id=order, refunded_amount=400, description="late", **KEY)
        assert given["before"] == {"captured_amount": 10000, "refunded_amount": 0}
        assert given["after"] == {"captured_amount": 10000, "refunded_amount": 400}
        again = await call("refund_and_compare", order_id=order, refunded_amount=400, description="late", **KEY)
        assert again["refund_id"] == given["refund_id"]
        assert again["after"]["refunded_amount"] == 400


async def test_a_repeat_is_known_by_its_key_even_where_the_order_allows_no_more(sandbox: str) -> None:
    """What was captured or refunded before the answer was lost is found again, and not refused as too much."""
    session = await authorized(sandbox)
    async with flows(sandbox) as call:
        order = (await call("session_to_capture", session_id=session, **KEY))["order_id"]
        whole = {"order_id": order, "refunded_amount": 10000, **KEY}
        first = await call("refund_and_compare", **whole)
        again = await call("refund_and_compare", **whole)
        assert again["refund_id"] == first["refund_id"]
        assert again["after"] == first["after"] == {"captured_amount": 10000, "refunded_amount": 10000}
        other = await call("refund_and_compare", **{**whole, "idempotency_key": "5b9a2a0e-6f4f-4c0e-9a4e-0d3f3f5c9e12"})
        assert other["code"] == "assertion-failed"


async def test_money_moves_only_where_the_order_allows_it(sandbox: str) -> None:
    session = await authorized(sandbox)
    async with flows(sandbox) as call:
        order = (await call("session_to_capture", session_id=session, **KEY))["order_id"]
        refused = await call("capture_if_allowed", order_id=order, captured_amount=1, **KEY)
        assert (refused["code"], refused["status"], refused["outcome"]) == ("assertion-failed", 409, "not-sent")
        assert refused["detail"] == f"this call captured nothing: order {order} is CAPTURED, fraud status ACCEPTED"
        refused = await call("refund_and_compare", order_id=order, refunded_amount=10001, **KEY)
        assert refused["steps"] == {
            "before": "done", "made": "done", "refundable": "failed", "refund": "not-reached", "after": "not-reached",
        }  # fmt: skip
        assert "10001 asked" in refused["detail"]


async def test_without_the_customer_nothing_is_placed(sandbox: str) -> None:
    user = (DEMO_VARIABLES["KLARNA_API_USERNAME"], DEMO_VARIABLES["KLARNA_API_PASSWORD"])
    async with httpx2.AsyncClient(trust_env=False, auth=user, base_url=sandbox) as klarna:
        session = (await klarna.post("/payments/v1/sessions", json=BASKET)).json()["session_id"]
    async with flows(sandbox) as call:
        refused = await call("session_to_capture", session_id=session, **KEY)
    assert refused["code"] == "assertion-failed"
    assert (refused["steps"]["authorized"], refused["steps"]["order"]) == ("failed", "not-reached")


async def test_an_audit_of_fifteen_orders_is_one_table_in_their_order(sandbox: str) -> None:
    async with flows(sandbox) as call:
        orders = [
            (await call("session_to_capture", session_id=await authorized(sandbox), **KEY))["order_id"]
            for _ in range(14)
        ]
        asked = [*orders[:7], "00000000-0000-4000-8000-000000000000", *orders[7:]]
        table = (await call("audit_orders", order_ids=asked))["orders"]
    assert [row["order_id"] for row in table] == asked
    assert [row["status"] for row in table] == ["CAPTURED"] * 7 + [None] + ["CAPTURED"] * 7
    assert table[7]["problem"] == "'order-management-orders' refused the call with 404"
    assert table[0]["problem"] is table[0]["reason"] is None
    assert table[7]["reason"]


async def test_an_order_that_is_placed_and_not_captured_is_named(tmp_path: object) -> None:
    session = {"status": "complete", "authorization_token": "t", "order_amount": 5, "order_lines": []}
    async with RecordingUpstream() as klarna, flows(klarna.url) as call:
        klarna.then(reply(data=session), reply(data={"order_id": "o-1", "fraud_status": "ACCEPTED"}), reply(500))
        failed = await call("session_to_capture", session_id="s", **KEY)
    assert (failed["outcome"], failed["retry_safe"]) == ("partly", False)
    assert failed["detail"].startswith("step 'capture': 'order-management-captures' failed with 500")
    assert failed["changed"] == {"order": {"order_id": "o-1", "fraud_status": "ACCEPTED"}}
    assert failed["steps"] == {
        "session": "done",
        "authorized": "done",
        "order": "done",
        "accepted": "done",
        "capture": "unknown",
        "after": "not-reached",
    }


@pytest.mark.parametrize("name", ["audit_orders", "capture_if_allowed", "refund_and_compare", "session_to_capture"])
def test_each_flow_is_a_route_and_a_tool_with_the_same_inputs(name: str) -> None:
    plan = plan_of("klarna-order-flows")
    (tool,) = [tool for tool in plan.mcp[0].tools if tool.name == name]
    (route,) = [one for one in plan.rest[0].operations if one.unit.name == name.replace("_", "-")]
    assert _schemas(route.unit.input_schema) == _schemas(tool.unit.input_schema)
    assert tool.unit.effect == ("read" if name == "audit_orders" else "money")


def _schemas(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"properties": schema["properties"], "required": sorted(schema["required"])}
