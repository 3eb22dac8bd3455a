"""Tools selected by name, tag and effect: in a file, and on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.cli import main
from capstan.load.model import Selecting
from capstan.plan.select import SelectionError, select_tools
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan
from plan.helpers import plan_of, refusals_of

FILE = """\
naftiko: 1.0.0-alpha2
info: {label: Shop, tags: [Retail]}
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    resources:
    - name: orders
      path: /orders
      operations:
      - {name: read, method: GET}
      - {name: change, method: POST}
      - {name: pay, method: POST, effect: money}
      - {name: drop, method: DELETE}
  aggregates:
  - namespace: shop-flows
    functions: [{name: look, tags: [functions], call: shop.read}]
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
    - {name: list-orders, description: a, tags: [orders, lists], call: shop.read}
    - {name: list-refunds, description: b, tags: [refunds, lists], call: shop.read}
    - {name: change-order, description: c, tags: [orders], call: shop.change}
    - {name: pay-order, description: d, call: shop.pay}
    - {name: drop-order, description: e, call: shop.drop}
    - {name: look, ref: shop-flows.look}
    resources:
    - {name: orders, uri: 'data://orders', description: f, call: shop.read}
    prompts:
    - {name: ask, description: g, template: [{role: user, content: Hello}]}
"""
ALL = ["list-orders", "list-refunds", "change-order", "pay-order", "drop-order", "look"]


def data(**select: Any) -> str:
    found = yaml.safe_load(FILE)
    if select:
        found["capability"]["exposes"][0]["select"] = select
    return yaml.safe_dump(found)


def names(plan: CapabilityPlan) -> list[str]:
    return [tool.name for tool in plan.mcp[0].tools]


CASES: list[tuple[dict[str, list[str]], list[str]]] = [
    ({"names": ["pay-order"]}, ["pay-order"]),
    ({"names": ["list-*", "l??k"]}, ["list-orders", "list-refunds", "look"]),
    ({"names": ["shop__pay-*"]}, ["pay-order"]),
    ({"tags": ["ORDERS"]}, ["list-orders", "change-order"]),
    ({"tags": ["functions"]}, ["look"]),
    ({"tags": ["retail"]}, ALL),
    ({"tags": ["refunds", "orders"]}, ["list-orders", "list-refunds", "change-order"]),
    ({"effects": ["read"]}, ["list-orders", "list-refunds", "look"]),
    ({"effects": ["money", "irreversible"]}, ["pay-order", "drop-order"]),
    ({"effects": ["read"], "tags": ["orders"]}, ["list-orders"]),
    ({"effects": ["read", "write"], "names": ["*-orders", "*-order"]}, ["list-orders", "change-order"]),
]


@pytest.mark.parametrize(("select", "expected"), CASES)
def test_an_adapter_publishes_what_it_selects(select: dict[str, list[str]], expected: list[str]) -> None:
    plan, warnings = plan_of(data(**select))
    assert names(plan) == expected
    assert warnings == ()
    assert [item.name for item in plan.mcp[0].resources] == ["orders"]
    assert [item.name for item in plan.mcp[0].prompts] == ["ask"]
    assert {unit.name for unit in plan.units} == {*expected, "orders"}


@pytest.mark.parametrize(("select", "expected"), CASES)
def test_an_operator_selects_in_the_same_way(select: dict[str, list[str]], expected: list[str]) -> None:
    (plan,) = select_tools([plan_of(FILE)[0]], selectors(**select))
    assert names(plan) == expected
    assert plan.mcp[0].resources
    site, _ = join_plans([plan])
    assert [tool.name for tool in site.ports[0].endpoints[0][1].tools] == expected


def selectors(**select: list[str]) -> list[Selecting]:
    return [Selecting(kind[:-1], text) for kind, texts in select.items() for text in texts]  # type: ignore[arg-type]


def test_an_operator_selects_from_all_files_together() -> None:
    other = FILE.replace("shop", "store").replace("Retail", "Wholesale")
    first, second = select_tools([plan_of(FILE)[0], plan_of(other)[0]], selectors(names=["shop__pay-order"]))
    assert (names(first), names(second)) == (["pay-order"], [])
    assert second.mcp[0].resources


def test_what_a_file_selects_is_what_an_operator_selects_from() -> None:
    plan, _ = plan_of(data(effects=["read"]))
    with pytest.raises(SelectionError, match="no tool has the name 'pay-order'"):
        select_tools([plan], selectors(names=["pay-order"]))


def test_without_selectors_all_is_published() -> None:
    plan, _ = plan_of(FILE)
    assert select_tools([plan], []) == [plan]
    assert names(plan) == ALL


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ({"names": ["list-order"]}, "no tool has the name 'list-order'; did you mean 'list-orders'?"),
        ({"tags": ["order"]}, "no tool has the tag 'order'; did you mean 'orders'?"),
        ({"names": ["pay-order"], "tags": ["refunds"]}, "no tool has such a name and such a tag"),
    ],
)
def test_a_selector_that_matches_nothing_is_refused(select: dict[str, list[str]], said: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select_tools([plan_of(FILE)[0]], selectors(**select))
    assert str(caught.value) == said
    assert refusals_of(data(**select)).count("nothing-selected") == 1


def test_a_tool_that_is_wrong_is_no_reason_to_complain_of_the_selection() -> None:
    text = data(effects=["money"]).replace("call: shop.pay", "call: shop.pya")
    assert refusals_of(text) == ["unknown-operation"]


@pytest.mark.parametrize("verb", ["serve"])
def test_a_command_line_that_selects_nothing_is_told(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    assert main([verb, str(file), "--tool", "pay-ordr", "--effect", "read"]) == 1
    assert capsys.readouterr().err == "capstan: no tool has the name 'pay-ordr'; did you mean 'pay-order'?\n"
    with pytest.raises(SystemExit) as caught:
        main([verb, str(file), "--effect", "red"])
    assert caught.value.code == 2
