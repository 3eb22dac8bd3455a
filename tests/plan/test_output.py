# ruff: noqa: E501 - tables of YAML read best with one case to a line
"""What is taken from an answer, and of which type it then is."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from capstan.errors import ShapeError
from capstan.load.schema import Checker
from capstan.plan.coerce import coerce
from capstan.plan.explain import explain
from capstan.plan.shape import Whole
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
    assert shaped(outputs, None, {}, inputs) == {"a": "Hello, !", "n": None}


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
        ({"a": 1}, "string", '{"a":1}'), ([1, "é"], "string", '[1,"é"]'), (" True ", "boolean", True), (-0.0, "integer", 0), (1e3, "integer", 1000),
        (1e300, "integer", 1e300), (10**400, "number", 10**400), ("-0", "integer", 0), (1e16, "string", "1e+16"),
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
        (math.inf, "string"), (math.nan, "number"), (math.inf, "number"), (1.5, "integer"), (True, "integer"), ("1.5", "integer"), ("--5", "integer"),
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


@pytest.mark.parametrize(
    ("outputs", "answer", "place"),
    [
        ("[{type: array, mapping: $.l, items: {type: object, properties: {n: {type: integer, mapping: $.n}}}}]", {"l": [{"n": 1}, {"n": "x"}]},
         "'[1].n' is text, declared as an integer"),
        ("[{name: lines, type: array, items: {type: object, properties: {price: {type: number, mapping: $.p}}}}]",
         {"lines": [{"p": 1}, {"p": 2}, {"p": 3}, {"p": True}]}, "'lines[3].price' is a boolean, declared as a number"),
        ("[{name: a, type: object, properties: {b: {type: object, properties: {c: {type: boolean, mapping: $.x}}}}}]", {"x": 1}, "'a.b.c' is a number"),
        ("[{name: m, type: object, mapping: $.m, values: {type: array, items: {type: string, required: true}}}]", {"m": {"k": 5}},
         "'m.k' is a number, declared as an array"),
        ("[{name: a, type: array, items: {type: array, items: {type: integer}}}]", {"a": [[1], [2, None, "z"]]}, "'a[1][2]' is text"),
        ("[{type: integer, mapping: $.x}]", {"x": []}, "the answer is an array, declared as an integer"),
        ("[{name: o, type: object, mapping: $.o, properties: {id: {mapping: $.id, required: true}}}]", {"o": {}}, "'o.id' is not there"),
        ("[{name: o, type: object, mapping: $.o, required: [id], properties: {id: {mapping: $.id}}}]", {"o": {}}, "'o.id' is not there"),
        ("[{name: s, type: string, enum: [open, closed]}, {name: t}]", {"s": "ajar"}, "'s' is none of open, closed"),
    ],
)  # fmt: skip
def test_an_error_names_the_place_of_the_value_at_fault(outputs: str, answer: Any, place: str) -> None:
    with pytest.raises(ShapeError) as caught:
        shaped(outputs, answer)
    assert place in caught.value.message
    assert (caught.value.code, caught.value.outcome) == ("unexpected-answer", "done")


CREW = {
    "crew": [{"fullName": "Ada", "role": "captain", "age": 30}, {"fullName": "Bo"}],
    "ship": {"length": "12.5", "at": {"x": "1"}},
}


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        pytest.param("{crew: {type: array, items: {fullName: {type: string}, role: {type: string}}}}",
                     {"crew": [{"fullName": "Ada", "role": "captain"}, {"fullName": "Bo", "role": None}]}, id="a map of names is an object"),
        pytest.param("[{name: crew, type: array, items: [{name: fullName, type: string}, {name: role, type: string}]}]",
                     {"crew": [{"fullName": "Ada", "role": "captain"}, {"fullName": "Bo", "role": None}]}, id="a list of names is an object"),
        pytest.param("[{name: crew, type: array, items: [{name: fullName, type: string}]}]",
                     {"crew": [{"fullName": "Ada"}, {"fullName": "Bo"}]}, id="a list of one name is an object"),
        pytest.param("[{name: crew, type: array, items: [{name: n, type: string, mapping: $.fullName}]}]",
                     {"crew": ["Ada", "Bo"]}, id="a list of one with a mapping is the item"),
        pytest.param("[{name: crew, type: array, items: [{name: member, type: object, properties: {fullName: {type: string}}}]}]",
                     {"crew": [{"fullName": "Ada"}, {"fullName": "Bo"}]}, id="a list of one object is the item"),
        pytest.param("{crew: {type: array, items: {type: {type: string}, fullName: {type: string}}}}",
                     {"crew": [{"type": None, "fullName": "Ada"}, {"type": None, "fullName": "Bo"}]}, id="a member called type"),
        pytest.param("[{name: ship, type: object, properties: {length: {type: number}}}]", {"ship": {"length": 12.5}}, id="the object of the name"),
        pytest.param("[{name: ship, type: object, properties: {at: {type: object, properties: {x: {type: integer}}}}}]", {"ship": {"at": {"x": 1}}},
                     id="objects of names in one another"),
        pytest.param("[{name: boat, type: object, properties: {length: {type: number}}}]", {"boat": None}, id="no object of the name"),
        pytest.param("[{name: ship, type: object, properties: {crew: {type: array}}}]", {"ship": {"crew": None}}, id="nothing from outside the object of the name"),
        pytest.param("[{name: n, type: array, mapping: '$.crew[*].age', items: [{type: string}]}]", {"n": ["30"]}, id="a list of one without a name is the item"),
        pytest.param("[{name: boat, type: object, properties: {size: {type: number, mapping: $.ship.length}}}]", {"boat": {"size": 12.5}},
                     id="an object with a path inside counts from outside"),
        pytest.param("[{name: n, type: array, mapping: '$.crew[*].fullName', items: {type: string, mapping: $.}}]", {"n": ["Ada", "Bo"]},
                     id="the item itself"),
        pytest.param("[{name: m, type: object, mapping: $.ship.at, values: {type: integer}}]", {"m": {"x": 1}}, id="a map"),
        pytest.param("[{name: m, type: object, mapping: $.ship, values: {type: string, mapping: $.x}}]", {"m": {"length": None, "at": "1"}},
                     id="a map of what is at a path"),
        pytest.param("[{name: r, type: string, mapping: '$.crew[*].fullName', maxLength: 3}, {name: x}]",
                     {"r": '["A', "x": None}, id="a list as text"),
        pytest.param("[{name: o, value: {who: '{{who}}', list: ['{{n}}', 5, 'n={{n}}']}}]", {"o": {"who": "w", "list": [7, 5, "n=7"]}},
                     id="data with templates"),
    ],
)  # fmt: skip
def test_nested_outputs(outputs: str, expected: Any) -> None:
    assert shaped(outputs, CREW, {"who": "w", "n": 7}, "[{name: who}, {name: n, type: integer}]") == expected


@pytest.mark.parametrize(
    "keyword", ["precision: 2", "scale: 2", "contentEncoding: base64", "selector: p", "in: header"]
)
def test_what_others_read_and_capstan_does_not_do_is_refused(keyword: str) -> None:
    assert refusals_of(capability(tool=f"outputParameters: [{{name: a, {keyword}}}]")) == ["not-supported-yet"]


@pytest.mark.parametrize(
    ("outputs", "code"),
    [
        ("[{name: a, type: object, required: [b], properties: {c: {type: string}}}]", "unknown-name"),
        ("[{name: a, type: array, items: [{name: b}, {type: string}]}]", "missing-keyword"),
        ("[{name: a, mapping: '$.b[?@.c =~ /x/]'}]", "bad-expression"),
    ],
)
def test_an_output_that_means_nothing_is_refused(outputs: str, code: str) -> None:
    assert refusals_of(capability(tool=f"outputParameters: {outputs}")) == [code]


# --- what answers without a call


def mock(outputs: str, inputs: str = "[]") -> UnitPlan:
    data = capability(tool=f"{{call: null, outputParameters: {outputs}, inputParameters: {inputs}}}")
    del data["capability"]["exposes"][0]["tools"][0]["call"]
    return plan_of(data)[0].units[0]


@pytest.mark.parametrize(
    ("outputs", "arguments", "expected"),
    [
        pytest.param("[{type: string, const: hello}]", {}, {"value": "hello"}, id="without a name"),
        pytest.param("{message: {type: string, value: 'Hello, {{who}}!'}}", {"who": "Ada"}, {"message": "Hello, Ada!"}, id="a map"),
        pytest.param("{message: {type: string, value: 'Hello, {{who}}!'}}", {}, {"message": "Hello, !"}, id="an absent input in a text"),
        pytest.param("{who: {type: string, value: '{{who}}'}}", {}, {"who": None}, id="an absent input alone"),
        pytest.param("{n: {type: integer, value: '{{n}}'}, t: {type: string, value: '{{n}}'}}", {"n": 5}, {"n": 5, "t": "5"}, id="types"),
        pytest.param("{n: {type: number, value: '1.5'}, b: {type: boolean, value: 'true'}}", {}, {"n": 1.5, "b": True}, id="types of texts"),
        pytest.param("{o: {type: object, properties: {a: {type: string, value: x}, b: {type: object, properties: {c: {value: 1}}}}}}", {},
                     {"o": {"a": "x", "b": {"c": 1}}}, id="objects"),
        pytest.param("{l: {type: array, items: {type: object, properties: {a: {type: string, value: 'a {{who}}'}}}}}", {"who": "w"},
                     {"l": [{"a": "a w"}]}, id="an array of one"),
        pytest.param("{l: {type: array, items: {type: string, value: '{{who}}'}}}", {}, {"l": []}, id="an array of none"),
        pytest.param("{l: {type: array, items: {a: {type: string, value: x}, b: {type: integer, value: '2'}}}}", {},
                     {"l": [{"a": "x", "b": 2}]}, id="an array of one object of names"),
        pytest.param("[{type: object, properties: {a: {type: string, value: x}}}]", {}, {"value": {"a": "x"}}, id="an object without a name"),
        pytest.param("[{type: array, mapping: $.results, items: [{type: object, properties: {a: {type: string, const: x}}}]}]", {},
                     {"value": [{"a": "x"}]}, id="a path that leads nowhere"),
        pytest.param("{a: {const: '{{who}}'}}", {"who": "w"}, {"a": "{{who}}"}, id="a const is no template"),
        pytest.param("{l: {type: array, value: [a, '{{who}}']}}", {"who": "w"}, {"l": ["a", "w"]}, id="a list with a template"),
    ],
)  # fmt: skip
def test_a_unit_without_a_call_answers_its_values(outputs: str, arguments: Any, expected: Any) -> None:
    unit = mock(outputs, "[{name: who, required: false}, {name: n, type: integer, required: false}]")
    assert unit.call is None
    assert unit.shape.take(None, None, arguments) == expected
    assert unit.output_schema is not None
    assert Checker(unit.output_schema).violations(expected) == []


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
        pytest.param("[{name: m, type: object, mapping: $.m, values: {type: integer, required: true}}]",
                     {"type": "object", "properties": {"m": {"type": ["object", "null"], "additionalProperties": {"type": "integer"}}}}, id="a map"),
        pytest.param("[{name: s, type: string, enum: [a, b], maxLength: 3, mapping: $.s}, {name: t, type: string, enum: [a], required: true}]",
                     {"type": "object", "required": ["t"], "properties": {
                         "s": {"type": ["string", "null"], "enum": ["a", "b", None], "maxLength": 3}, "t": {"type": "string", "enum": ["a"]}}},
                     id="limits"),
        pytest.param("{c: {type: array, items: {n: {type: string}}}}",
                     {"type": "object", "properties": {"c": {"type": ["array", "null"], "items": {
                         "type": ["object", "null"], "properties": {"n": {"type": ["string", "null"]}}}}}}, id="items of names"),
    ],
)  # fmt: skip
def test_the_schema_of_an_answer_is_what_the_file_declares(outputs: str, schema: Any) -> None:
    assert unit_with(outputs).output_schema == schema


DECLARED = """outputParameters: [{name: number, type: string, value: $.id}, {name: lines, type: array, value: $.rows},
    {name: count, type: integer, value: $.rows.length()}, {name: first, type: object, value: '$.rows[0]'}]"""
ROWS = {"id": "o-1", "rows": [{"sku": "s-1"}, {"sku": "s-2"}]}


def test_outputs_of_the_consumed_operation_leave_the_answer_of_a_plain_call_as_it_is() -> None:
    assert tool_of(DECLARED).shape == Whole()
    assert tool_of(DECLARED, "outputParameters: [{type: object, mapping: $.}]").shape == Whole()


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("{mapping: $.id}", "o-1"),
        ("{mapping: $.number}", "o-1"),
        ("{mapping: '{{$.first.sku}}'}", "s-1"),
        ("{type: integer, mapping: $.count}", 2),
        ("{mapping: $.count.more}", None),
        ("{type: array, mapping: $.lines, items: {type: object, properties: {s: {type: string, mapping: $.sku}}}}",
         [{"s": "s-1"}, {"s": "s-2"}]),
        ("{type: array, mapping: '$.lines[*].sku'}", ["s-1", "s-2"]),
        ("{type: object, properties: {n: {type: string, mapping: $.number}, m: {type: string, mapping: $.missing}}}",
         {"n": "o-1", "m": None}),
        ("{name: number, type: string}", {"number": "o-1"}),
    ],
)  # fmt: skip
def test_an_output_of_a_plain_call_can_be_one_that_the_operation_declares(output: str, expected: Any) -> None:
    assert tool_of(DECLARED, f"outputParameters: [{output}]").shape.take(ROWS, ROWS, {}) == expected


def test_what_stands_in_the_answer_comes_before_what_is_declared_under_its_name() -> None:
    shape = tool_of(DECLARED, "outputParameters: [{mapping: $.number}]").shape
    answer = {"number": "of the answer", "id": "o-1"}
    assert shape.take(answer, answer, {}) == "of the answer"


def test_explain_says_what_an_answer_will_look_like() -> None:
    outputs = "[{name: m, type: object, mapping: $.m, values: {type: integer, required: true}}, {name: l, type: array, items: {value: x}}]"
    plan = plan_of(capability(tool=f"outputParameters: {outputs}"))[0]
    (tool,) = explain(plan)["mcp"][0]["tools"]
    assert tool["answer"] == {"m": {"each value of $.m": "$ (integer)"}, "l": ["x"]}
