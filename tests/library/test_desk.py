"""The desk at work, against the sandbox and through a server: reads, prompts, and a refund that asks first."""

from __future__ import annotations

import json
from typing import Any, Final

import httpx2
import pytest
from mcp.client.client import Client
from mcp_types import ElicitRequestFormParams, ElicitResult, TextContent, TextResourceContents

from capstan.sandbox import DEMO_VARIABLES
from journeys.running import serving
from library.classic import FOLDER, plan_of
from library.test_order_flows import KEY, placed

FILE: Final = FOLDER / "klarna-desk.yaml"
NAMESPACES: Final = ("payments", "order-management-orders", "order-management-refunds")
SETTLEMENTS: Final = ("settlements-payouts", "settlements-transactions")
OTHER: Final = {"idempotency_key": "0b0c5f2e-8f7d-4c57-9d53-6a4f4b8a7c11"}
PROMPTS: Final = {"reconcile_payout", "refund_with_reason", "check_failed_payment", "answer_dispute"}


class User:
    """Answers what it is asked, and keeps the questions."""

    def __init__(self, **answer: Any) -> None:
        self.answer, self.asked = answer, []

    async def __call__(self, _: Any, params: ElicitRequestFormParams) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action="accept", content=self.answer)


def desk(sandbox: str) -> Any:
    there = [f"{name}={sandbox}" for name in NAMESPACES] + [f"{name}={sandbox}/settlements/v1" for name in SETTLEMENTS]
    return serving(FILE, *(part for uri in there for part in ("--base-uri", uri)), env=DEMO_VARIABLES)


async def captured(sandbox: str) -> str:
    order = await placed(sandbox)

    user = (DEMO_VARIABLES["KLARNA_API_USERNAME"], DEMO_VARIABLES["KLARNA_API_PASSWORD"])
    async with httpx2.AsyncClient(trust_env=False, auth=user, base_url=sandbox) as klarna:
        answer = await klarna.post(f"/ordermanagement/v1/orders/{order}/captures", json={"captured_amount": 5000})
        assert answer.status_code == 201
    return order


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_refund_is_sent_once_its_user_wants_it(mode: Any, sandbox: str) -> None:
    order = await captured(sandbox)
    arguments = {"order_id": order, "refunded_amount": 2500, **KEY}
    async with desk(sandbox) as server:
        no = User(refund=False)
        async with Client(server.mcp, mode=mode, elicitation_callback=no) as client:
            refused = await client.call_tool("refund_order", arguments)
        yes = User(refund=True)
        async with Client(server.mcp, mode=mode, elicitation_callback=yes) as client:
            done = await client.call_tool("refund_order", arguments)
            again = await client.call_tool("refund_order", arguments)
            more = await client.call_tool("refund_order", {**arguments, "refunded_amount": 2501, **OTHER})
    question = f"Refund 2500 SEK in minor units (100 is 1.00) of order {order}? Captured are 5000, refunded before 0."
    assert (no.asked, yes.asked) == ([question], [question])  # what is done already is not asked again
    assert refused.is_error
    assert "the user did not want it" in refused.content[0].text  # type: ignore[union-attr]
    assert not done.is_error
    assert done.structured_content == again.structured_content
    assert done.structured_content is not None
    assert done.structured_content["refunded_amount"] == 2500
    assert more.is_error
    assert "2501 asked" in more.content[0].text  # type: ignore[union-attr]


async def test_orders_and_the_guide_are_read(sandbox: str) -> None:
    order = await placed(sandbox)
    async with desk(sandbox) as server, Client(server.mcp) as client:
        [found] = (await client.read_resource(f"klarna://orders/{order}")).contents
        [guide] = (await client.read_resource("klarna://guide")).contents
        templates = (await client.list_resource_templates()).resource_templates
    assert isinstance(found, TextResourceContents)
    assert json.loads(found.text)["status"] == "AUTHORIZED"
    assert isinstance(guide, TextResourceContents)
    assert guide.mime_type == "text/markdown"
    assert {item.uri_template for item in templates} == {
        "klarna://orders/{order_id}", "klarna://payouts/{payment_reference}",
    }  # fmt: skip


async def test_prompts_bring_the_order_with_them(sandbox: str) -> None:
    order = await placed(sandbox)
    async with desk(sandbox) as server, Client(server.mcp) as client:
        listed = {prompt.name for prompt in (await client.list_prompts()).prompts}
        told = await client.get_prompt("refund_with_reason", {"order_id": order, "reason": "It broke."})
    assert listed == PROMPTS
    text, data = (message.content for message in told.messages)
    assert isinstance(text, TextContent)
    assert "The reason is: It broke." in text.text
    assert isinstance(data, TextContent)
    assert json.loads(data.text)["order_id"] == order


def test_only_the_refund_moves_money() -> None:
    [adapter] = plan_of("klarna-desk").mcp
    assert [tool.name for tool in adapter.tools if tool.unit.effect != "read"] == ["refund_order"]
    assert all(unit.effect == "read" for unit in adapter.units if unit.name != "refund_order")
    assert {prompt.name for prompt in adapter.prompts} == PROMPTS


def test_tools_that_prompts_name_are_there() -> None:
    [adapter] = plan_of("klarna-desk").mcp
    disputes = (FOLDER / "network" / "disputes-v4.yaml").read_text("utf-8")
    there = {tool.name for tool in adapter.tools}
    for prompt in adapter.prompts:
        text = " ".join(part for m in prompt.messages if isinstance(m.content, tuple) for part in map(str, m.content))
        for word in text.replace(",", " ").replace(".", " ").replace(";", " ").replace(":", " ").split():
            if word.startswith("klarna-"):
                assert f"name: {word}\n" in disputes
            elif word.startswith(("list_", "refund_order", "read_")):
                assert word in there
