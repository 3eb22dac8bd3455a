"""One or several: paths that can meet several values, and XML elements that stand once."""

from __future__ import annotations

from typing import Any

import pytest

from capstan.errors import ShapeError
from capstan.load.jsonpath import parse_jsonpath
from capstan.plan.flow import step_key
from capstan.plan.single import through_ones
from plan.helpers import capability, plan_of, tool_of

LINES = {"lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}, {"sku": "c", "n": 2}]}


def shaped(output: str, answer: Any) -> Any:
    unit = tool_of(tool=f"{{outputParameters: [{output}]}}")
    return unit.shape.take(answer, answer, {})


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param("{type: string, mapping: '$.lines[?@.n==1].sku'}", "a", id="text"),
        pytest.param("{type: integer, mapping: '$..lines[?@.sku==\"b\"].n'}", 2, id="number"),
        pytest.param("{type: number, mapping: '$.lines[1:2].n'}", 2, id="slice"),
        pytest.param("{type: string, mapping: '$.lines[?@.n==9].sku'}", None, id="met nowhere"),
        pytest.param("{name: a, type: string, mapping: '$.lines[?@.n==9].sku'}", {"a": None}, id="met nowhere, named"),
        pytest.param("{type: string, mapping: '$.lines[?@.n==2].sku'}", '["b","c"]', id="several as text"),
        pytest.param(
            "{type: object, mapping: '$.lines[?@.n==1]', properties: {s: {type: string, mapping: $.sku}}}",
            {"s": "a"},
            id="object",
        ),
        pytest.param("{type: array, mapping: '$.lines[?@.n==1].sku'}", ["a"], id="a list stays one"),
        pytest.param("{mapping: '$.lines[?@.n==1].sku'}", ["a"], id="of no type"),
    ],
)
def test_a_path_that_meets_one_value_where_one_is_declared_gives_it(output: str, expected: Any) -> None:
    assert shaped(output, LINES) == expected


@pytest.mark.parametrize(
    "output",
    [
        "{type: integer, mapping: '$.lines[*].n'}",
        "{type: object, mapping: '$.lines[*]', properties: {s: {type: string, mapping: $.sku}}}",
    ],
)
def test_several_values_are_never_taken_for_one(output: str) -> None:
    with pytest.raises(ShapeError, match="an array, declared as"):
        shaped(output, LINES)


def test_a_mapping_of_a_flow_gives_one_value_where_its_output_is_one() -> None:
    flow = """{steps: [{type: call, name: s, call: api.op}],
      mappings: [{target: a, value: '$.s.lines[?@.n==1].sku'}, {target: b.c, value: '$.s.lines[?@.n==1].sku'},
                 {target: l, value: '$.s.lines[?@.n==1].sku'}],
      outputParameters: [{name: a, type: string}, {name: b, type: object, properties: {c: {type: string}}},
                         {name: l, type: array}]}"""
    data = capability(tool=flow)
    del data["capability"]["exposes"][0]["tools"][0]["call"]
    unit = plan_of(data, {})[0].mcp[0].tools[0].unit
    assert unit.flow is not None
    assert unit.flow.answer.mapped is not None
    assert unit.flow.answer.mapped.get({step_key("s"): LINES}) == {"a": "a", "b": {"c": "a"}, "l": ["a"]}


FLEET = {"ship": {"code": "V1", "port": "Oslo"}, "name": "North"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("$.ship[0].code", "V1", id="first"),
        pytest.param("$.ship[-1].port[0]", "Oslo", id="last, and a text"),
        pytest.param("$.ship[1].code", None, id="there is no second"),
        pytest.param("$.boat[0].code", None, id="there is none"),
        pytest.param("$.ship[*].code", ["V1"], id="all"),
        pytest.param("$.ship[0:5].code", ["V1"], id="slice"),
        pytest.param("$.ship[?@.code=='V1'].port", ["Oslo"], id="filter that meets"),
        pytest.param("$.ship[?@.code=='V2'].port", [], id="filter that does not"),
        pytest.param("$.ship['port','code']", ["Oslo", "V1"], id="names"),
        pytest.param("$.ship.*", ["V1", "Oslo"], id="what an element holds"),
        pytest.param("$[*].code", ["V1"], id="what the whole holds"),
        pytest.param("$..code", ["V1"], id="anywhere"),
    ],
)
def test_a_path_for_items_takes_what_stands_once_for_a_list_of_one(path: str, expected: Any) -> None:
    assert through_ones(parse_jsonpath(path)).find(FLEET) == expected


@pytest.mark.parametrize(("path", "expected"), [("$.ship[1].code", "b"), ("$.ship[*].code", ["a", "b"])])
def test_a_path_for_items_takes_a_list_as_it_is(path: str, expected: Any) -> None:
    assert through_ones(parse_jsonpath(path)).find({"ship": [{"code": "a"}, {"code": "b"}]}) == expected
