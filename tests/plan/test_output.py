# ruff: noqa: E501 - tables of YAML read best with one case to a line
"""What is taken from an answer, and of which type it then is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from capstan.errors import ShapeError
from capstan.plan.output import Whole, coerce
from capstan.plan.types import UnitPlan
from plan.helpers import capability, plan_of, refusals_of, tool_of

ORDER = {
    "id": "o-1", "total": {"amount": 1000, "currency": "EUR"},
    "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}], "empty": None, "a.b": 1,
}  # fmt: skip


def shaped(outputs: str, answer: Any = ORDER, arguments: dict[str, Any] | None = None, inputs: str = "[]") -> Any:
    unit = unit_with(outputs, inputs)
    return unit.shape.take(answer, answer, arguments or {})


def unit_with(outputs: str, inputs: str = "[]") -> UnitPlan:
    return tool_of(tool=f"{{outputParameters: {outputs}, inputParameters: {inputs}}}")


@pytest.mark.parametrize(
    "outputs",
    ["[]", "[{type: object, mapping: $.}]", "[{type: object, mapping: $}]", "[{type: object}]", "[{name: r, type: object, mapping: $.}]",
     "[{name: r, value: $.}]"],
)  # fmt: skip
def test_the_whole_answer_is_passed_on(outputs: str) -> None:
    assert isinstance(unit_with(outputs).shape, Whole)
    assert shaped(outputs) is ORDER


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        pytest.param("[{type: string, mapping: $.id}]", "o-1", id="one value"),
        pytest.param("[{name: id, type: string, mapping: $.id}]", {"id": "o-1"}, id="one named value"),
        pytest.param("[{name: a, mapping: $.total.amount}, {name: b, mapping: $.id}]", {"a": 1000, "b": "o-1"}, id="several"),
        pytest.param("[{name: a, mapping: '{{$.id}}'}]", {"a": "o-1"}, id="braces around a path"),
        pytest.param("[{name: a, value: $.id}]", {"a": "o-1"}, id="path as value"),
        pytest.param("[{name: id, type: string}, {name: empty}]", {"id": "o-1", "empty": None}, id="member of the name"),
        pytest.param("[{name: a, mapping: $.gone.far}]", {"a": None}, id="nothing there"),
        pytest.param("[{name: a, type: array, mapping: '$.lines[*].sku'}]", {"a": ["a", "b"]}, id="every item"),
        pytest.param("[{name: a, mapping: '$.lines[1].sku'}]", {"a": "b"}, id="one item"),
        pytest.param("[{name: a, mapping: '$.lines[?(@.n>1)].sku'}]", {"a": ["b"]}, id="filter"),
        pytest.param("[{name: a, mapping: \"$['a.b']\"}]", {"a": 1}, id="quoted key"),
        pytest.param("[{name: a, const: 5}]", {"a": 5}, id="const"),
        pytest.param("[{name: a, type: string, mapping: $.id, maxLength: 2}]", {"a": "o-"}, id="cut"),
        pytest.param("[{type: object, properties: [{name: x, mapping: $.id}]}]", {"x": "o-1"}, id="properties as list"),
        pytest.param("[{type: object, properties: {x: {mapping: $.id}}}]", {"x": "o-1"}, id="properties as map"),
        pytest.param("[{type: object, mapping: $.total, properties: {amount: {type: integer, mapping: $.amount}}}]",
                     {"amount": 1000}, id="relative to the object"),
        pytest.param("[{type: object, mapping: $.total, properties: {id: {mapping: $.id}}}]", {"id": "o-1"}, id="then to the root"),
        pytest.param("[{type: object, mapping: {properties: {x: {mapping: $.id}}}}]", {"x": "o-1"}, id="properties in the mapping"),
        pytest.param("[{name: t, type: object, mapping: $.gone, properties: {x: {mapping: $.id}}}]", {"t": None}, id="no object"),
        pytest.param("[{type: array, mapping: $.lines, items: {type: object, properties: {s: {mapping: $.sku}}}}]",
                     [{"s": "a"}, {"s": "b"}], id="items"),
        pytest.param("[{type: array, mapping: $.lines, items: [{type: object, properties: {s: {mapping: $.sku}}}]}]",
                     [{"s": "a"}, {"s": "b"}], id="items as list"),
        pytest.param("[{type: array, mapping: $.lines, items: {type: object}}]", ORDER["lines"], id="items as they are"),
        pytest.param("[{type: array, mapping: $.lines, items: {type: object, properties: {i: {mapping: $.id}}}}]",
                     [{"i": None}, {"i": None}], id="an item does not look outside"),
        pytest.param("[{type: array, mapping: $.gone, items: {type: string}}]", None, id="no array"),
        pytest.param("[{mapping: $.gone}, {mapping: $.empty}, {mapping: $.id}, {mapping: $.total}]", "o-1",
                     id="of several unnamed ones the first that is not null"),
        pytest.param("[{name: lines, type: array, items: {type: object, properties: {s: {mapping: $.sku}}}}]",
                     {"lines": [{"s": "a"}, {"s": "b"}]}, id="items of the member of the name"),
        pytest.param("[{name: lines, type: array, mapping: {items: {type: object, properties: {s: {mapping: $.sku}}}}}]",
                     {"lines": [{"s": "a"}, {"s": "b"}]}, id="items in the mapping"),
        pytest.param("[{type: object, properties: {lines: {type: array, items: {type: object}}}}]",
                     {"lines": ORDER["lines"]}, id="items as they are, of the member of the name"),
        pytest.param("[{type: object, properties: {x: {mapping: $.id}}, mapping: {properties: {x: {const: 1}, y: {const: 2}}}}]",
                     {"x": "o-1", "y": 2}, id="properties in both places"),
        pytest.param("[{name: a, type: string, value: abc, maxLength: 2}]", {"a": "ab"}, id="cut constant"),
        pytest.param("[{name: id, type: string, maxLength: 2}, {name: empty}]", {"id": "o-", "empty": None}, id="cut member of the name"),
        pytest.param("[{mapping: $.gone}, {mapping: $.empty}]", None, id="none of several unnamed ones"),
    ],
)  # fmt: skip
def test_outputs(outputs: str, expected: Any) -> None:
    assert shaped(outputs) == expected


def test_an_unnamed_array_is_the_whole_answer() -> None:
    outputs = "[{type: array, items: {type: object, properties: {s: {mapping: $.sku}}}}]"
    assert shaped(outputs, ORDER["lines"]) == [{"s": "a"}, {"s": "b"}]
    with pytest.raises(ShapeError):
        shaped(outputs, ORDER)


@pytest.mark.parametrize(("key", "spelled"), [("value", "1.10"), ("value", "0042"), ("const", "0042")])
def test_a_constant_text_is_what_is_written(key: str, spelled: str) -> None:
    data = capability(tool=f"outputParameters: [{{name: a, type: string, {key}: LITERAL}}]")
    unit = plan_of(yaml.safe_dump(data).replace("LITERAL", spelled), {})[0].units[0]
    assert unit.shape.take(None, None, {}) == {"a": spelled}


@pytest.mark.parametrize("constant", ["value: x", "const: 1", "value: $.b"])
def test_an_output_is_a_constant_or_taken_from_the_answer(constant: str) -> None:
    assert refusals_of(capability(tool=f"outputParameters: [{{name: a, mapping: $.a, {constant}}}]")) == [
        "unknown-keyword"
    ]


def test_a_value_sees_the_inputs() -> None:
    outputs = "[{name: a, type: string, value: 'Hello, {{who}}!'}, {name: n, type: integer, value: '{{n}}'}]"
    inputs = "[{name: who}, {name: n, type: integer}]"
    assert shaped(outputs, None, {"who": "<b>", "n": 5}, inputs) == {"a": "Hello, <b>!", "n": 5}
    assert shaped(outputs, None, {}, inputs) == {"a": None, "n": None}


def test_a_unit_of_constants_needs_no_call() -> None:
    data = capability(tool="{call: null, outputParameters: [{name: a, const: [1]}, {name: b, value: x}]}")
    del data["capability"]["exposes"][0]["tools"][0]["call"]
    unit = plan_of(data)[0].units[0]
    assert (unit.call, unit.effect) == (None, "read")
    assert unit.shape.take(None, None, {}) == {"a": [1], "b": "x"}


def test_a_unit_that_neither_calls_nor_answers_is_refused() -> None:
    data = capability(tool="outputParameters: [{name: a, mapping: $.x}]")
    del data["capability"]["exposes"][0]["tools"][0]["call"]
    assert refusals_of(data) == ["nothing-to-call"]


# --- types


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("x", "string", "x"), (1, "string", "1"), (1.5, "string", "1.5"), (True, "string", "true"), (False, "string", "false"),
        (5, "integer", 5), (5.0, "integer", 5), ("5", "integer", 5), (" -5 ", "integer", -5), ("+5", "integer", 5),
        (10**30, "integer", 10**30), (1.5, "number", 1.5), (3, "number", 3), ("1.5", "number", 1.5), ("-2", "number", -2),
        ("1e3", "number", 1000.0), (True, "boolean", True), ("TRUE", "boolean", True), ("false", "boolean", False),
        ({"a": 1}, "object", {"a": 1}), ([1], "array", [1]), (None, "integer", None), (None, "object", None), ([1], None, [1]),
    ],
)  # fmt: skip
def test_a_value_becomes_its_declared_type_where_the_meaning_is_beyond_doubt(
    value: Any, kind: str | None, expected: Any
) -> None:
    result = coerce(value, kind, "x")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, "string"), ([], "string"), (1.5, "integer"), (True, "integer"), ("1.5", "integer"), ("--5", "integer"),
        ("+-5", "integer"), ("", "integer"), ("5 apples", "integer"), ("9" * 5000, "integer"), ("1_000", "integer"),
        (True, "number"), ("NaN", "number"), ("inf", "number"), ("1e999", "number"), ("x", "number"), ("1_000", "number"),
        (math.inf, "integer"), (0, "boolean"), ("yes", "boolean"), ([], "object"), ("{}", "object"), ({}, "array"), ("[]", "array"),
    ],
)  # fmt: skip
def test_what_is_not_as_declared_is_an_error_and_never_a_guess(value: Any, kind: str) -> None:
    with pytest.raises(ShapeError) as caught:
        coerce(value, kind, "total")
    assert caught.value.code == "unexpected-answer"
    assert caught.value.outcome == "done"
    assert "'total'" in caught.value.message


def test_the_error_of_an_item_names_what_is_wrong() -> None:
    with pytest.raises(ShapeError, match="'n' is text, declared as an integer"):
        shaped(
            "[{type: array, mapping: $.l, items: {type: object, properties: {n: {type: integer, mapping: $.n}}}}]",
            {"l": [{"n": "x"}]},
        )


# --- schemas


@pytest.mark.parametrize(
    ("outputs", "schema"),
    [
        pytest.param("[]", None, id="nothing declared"),
        pytest.param("[{type: object, mapping: $.}]", None, id="the answer as it comes"),
        pytest.param("[{mapping: $.a}, {mapping: $.b}]", None, id="several unnamed"),
        pytest.param("[{name: a, type: integer, mapping: $.a, description: D.}]",
                     {"type": "object", "properties": {"a": {"type": ["integer", "null"], "description": "D."}}}, id="named"),
        pytest.param("[{type: object, properties: {a: {type: array, mapping: $.a, items: {type: string}}}}]",
                     {"type": "object", "properties": {"a": {"type": ["array", "null"], "items": {"type": ["string", "null"]}}}}, id="nested"),
    ],
)  # fmt: skip
def test_the_schema_of_an_answer_is_what_the_file_declares(outputs: str, schema: Any) -> None:
    assert unit_with(outputs).output_schema == schema
