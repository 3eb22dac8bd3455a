"""`fields`: which tools have it, what it takes, and what is left of an answer."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from capstan.errors import BindError
from capstan.plan.narrow import Narrowing, narrowed, relaxed
from capstan.plan.types import UnitPlan
from plan.helpers import capability, plan_of, refusals_of

ORDER = "outputParameters: [{name: id, type: string, mapping: $.id}, {name: lines, type: array, mapping: $.lines, \
items: {type: object, properties: {sku: {type: string, mapping: $.sku}}}}]"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "string"},
        "customer": {
            "type": ["object", "null"],
            "properties": {"name": {"type": "string"}, "required": {"type": "string"}},
            "required": ["name"],
        },
        "lines": {
            "type": "array",
            "items": {"type": ["object", "null"], "properties": {"sku": {"type": "string"}}, "required": ["sku"]},
        },
        "totals": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"net": {"type": "number"}}},
        },
        "anything": {},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
VALUE: dict[str, Any] = {
    "id": "o-1", "customer": {"name": "Ada", "required": "x"}, "lines": [{"sku": "a", "price": 1}, {"sku": "b"}, None],
    "totals": {"eur": {"net": 1, "gross": 2}}, "anything": {"a": {"b": 1}, "c": 2}, "tags": ["x"],
}  # fmt: skip


def unit(tool: str) -> UnitPlan:
    plan, warnings = plan_of(capability(tool=tool))
    assert warnings == ()
    return plan.mcp[0].tools[0].unit


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (["id"], {"id": "o-1"}),
        (["tags", "id"], {"id": "o-1", "tags": ["x"]}),
        (["lines.sku"], {"lines": [{"sku": "a"}, {"sku": "b"}, None]}),
        (["lines", "lines.sku"], {"lines": VALUE["lines"]}),
        (["lines.sku", "lines"], {"lines": VALUE["lines"]}),
        (["customer.name", "customer.required"], {"customer": {"name": "Ada", "required": "x"}}),
        (["totals.eur.net"], {"totals": {"eur": {"net": 1}}}),
        (["totals.usd"], {"totals": {}}),
        (["anything.a.b"], {"anything": {"a": {"b": 1}}}),
        (["anything.c.d"], {"anything": {}}),  # a number has no parts
    ],
)
def test_parts_of_an_answer(fields: list[str], left: dict[str, Any]) -> None:
    found = narrowed(VALUE, Narrowing(SCHEMA).parts(fields))
    assert found == left
    jsonschema.validate(found, relaxed(SCHEMA))
    assert list(found) == [key for key in VALUE if key in found]


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("idd", "did you mean 'id'?"),
        ("line", "did you mean 'lines'?"),
        ("lines.skuu", "did you mean 'lines.sku'?"),
        ("customer.name.first", ""),
        ("tags.x", ""),
        ("totals.eur.nett", "did you mean 'totals.eur.net'?"),
    ],
)
def test_a_field_that_no_answer_has_is_told(field: str, hint: str) -> None:
    with pytest.raises(BindError) as caught:
        Narrowing(SCHEMA).parts(["id", field])
    assert (caught.value.code, caught.value.argument, caught.value.hint) == ("unknown-field", "fields", hint)
    assert f"'{field}'" in caught.value.message
    assert Narrowing(None).parts([field])  # nothing is known: it may be there


@pytest.mark.parametrize("field", ["", ".", "a.", ".a", "a..b"])
def test_what_is_no_path_is_told(field: str) -> None:
    with pytest.raises(BindError) as caught:
        Narrowing(None).parts([field])
    assert caught.value.code == "bad-argument"


def test_of_a_list_the_path_is_that_within_it_or_the_one_clients_see() -> None:
    found = Narrowing({"type": "array", "items": SCHEMA})
    for field in ("lines.sku", "result.lines.sku"):
        assert found.parts([field]) == {"lines": {"sku": None}}
    assert narrowed([{"id": 1, "a": 2}, {"a": 3}], found.parts(["id"])) == [{"id": 1}, {}]


def test_a_schema_requires_nothing_and_says_all_else_as_before() -> None:
    found = relaxed(SCHEMA)
    assert "required" not in found
    assert found["properties"]["customer"] == {
        "type": ["object", "null"], "properties": {"name": {"type": "string"}, "required": {"type": "string"}},
    }  # fmt: skip
    assert "required" not in found["properties"]["lines"]["items"]
    assert list(found["properties"]) == list(SCHEMA["properties"])
    assert SCHEMA["required"] == ["id", "lines"]


# --- files


@pytest.mark.parametrize(
    ("tool", "adapter", "there"),
    [
        ("{}", None, False),
        ("{}", True, True),
        ("{fields: true}", None, True),
        ("{fields: false}", True, False),
        ("{fields: true}", False, True),
        ("{outputParameters: [{type: string, mapping: $.a}]}", True, False),
        ("{outputParameters: [{type: array, mapping: $.a, items: {type: string}}]}", True, False),
    ],
)
def test_a_tool_or_its_adapter_asks_for_fields(tool: str, adapter: bool | None, there: bool) -> None:  # noqa: FBT001
    data = capability(tool=tool)
    if adapter is not None:
        data["capability"]["exposes"][0]["fields"] = adapter
    plan, _ = plan_of(data)
    found = plan.mcp[0].tools[0].unit
    assert (found.narrowing is not None) == there
    assert ("fields" in found.input_schema["properties"]) == there
    assert ("fields" in [item.name for item in found.inputs]) == there


def test_the_input_is_checked_as_any_other() -> None:
    checker = unit("{fields: true, " + ORDER + "}").checker
    assert checker.accepts({"fields": ["id"]})
    assert checker.accepts({})
    for wrong in ("id", [], [1], {"id": True}):
        assert not checker.accepts({"fields": wrong})


def test_a_raw_schema_has_one_property_more() -> None:
    tool = "{fields: true, with: {}, inputSchema: {type: object, properties: {a: {type: string}}, required: [a]}, \
outputParameters: [{name: a, type: string, value: '{{a}}'}, {name: b, type: string, mapping: $.b}]}"
    found = unit(tool)
    assert list(found.input_schema["properties"]) == ["a", "fields"]
    assert found.input_schema["required"] == ["a"]


@pytest.mark.parametrize(
    ("tool", "code"),
    [
        ("{fields: true, outputParameters: [{type: string, mapping: $.a}]}", "no-fields"),
        ("{fields: true, call: null, content: [{type: text, text: hello}]}", "no-fields"),
        ("{fields: true, inputParameters: [{name: fields, type: string}], with: {x: tools.fields}}", "duplicate-name"),
        ("{fields: 1}", "wrong-type"),
    ],
)
def test_what_cannot_be_narrowed_is_refused(tool: str, code: str) -> None:
    data = capability("{inputParameters: [{name: x, in: query}]}", tool=tool)
    unit = data["capability"]["exposes"][0]["tools"][0]
    if unit["call"] is None:
        del unit["call"]
    assert refusals_of(yaml.safe_dump(data)) == [code]


def test_an_input_of_that_name_is_refused_where_the_adapter_asks_too() -> None:
    data = capability("{inputParameters: [{name: fields, in: query}]}", tool="{}")
    plan_of(data)
    data["capability"]["exposes"][0]["fields"] = True
    assert refusals_of(data) == ["duplicate-name"]
