"""What a unit asks of its callers: inputs of a path's every operation, and limits that nobody loses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capstan.call.guard import Guard
from capstan.errors import BindError
from plan.helpers import capability, plan_of, refusals_of, sent, target, tool_of

OPERATION = "{inputParameters: [{name: n, in: query, type: integer, maximum: 10}]}"


def test_inputs_of_a_resource_are_those_of_each_operation_below() -> None:
    data = capability("inputParameters: [{name: a, in: query}]", rest="with: {a: rest.x}")
    (resource,) = data["capability"]["exposes"][0]["resources"]
    resource["inputParameters"] = [{"name": "x", "in": "query", "type": "integer"}]
    resource["operations"].append({"method": "DELETE", "name": "other", "call": "api.op", "with": {"a": "rest.x"}})
    plan, warnings = plan_of(data)
    assert warnings == ()
    assert [[(i.name, i.schema["type"]) for i in unit.inputs] for unit in plan.units] == [[("x", "integer")]] * 2


def test_an_input_of_an_operation_replaces_that_of_its_resource() -> None:
    data = capability(
        "inputParameters: [{name: a, in: query}]",
        rest="{with: {a: rest.x}, inputParameters: [{name: x, in: query, type: boolean}]}",
    )
    (resource,) = data["capability"]["exposes"][0]["resources"]
    resource["inputParameters"] = [{"name": "x", "in": "query", "type": "integer"}]
    (unit,) = plan_of(data)[0].units
    assert [(i.name, i.schema["type"]) for i in unit.inputs] == [("x", "boolean")]


@pytest.mark.parametrize("said", ["type: integer", "type: integer, maximum: 100", "type: integer, minimum: 0"])
def test_a_declared_input_keeps_the_limits_of_what_it_fills(said: str) -> None:
    unit = tool_of(OPERATION, f"{{inputParameters: [{{name: m, {said}}}], with: {{n: tools.m}}}}")
    assert target(sent(unit, {"m": 10})) == "/things?n=10"
    with pytest.raises(BindError):
        Guard(unit).check({"m": 11})


def test_a_format_is_shown_and_not_checked() -> None:
    unit = tool_of("inputParameters: [{name: d, in: query, type: string, format: date}]")
    assert unit.input_schema["properties"]["d"]["format"] == "date"
    assert target(sent(unit, {"d": "someday"})) == "/things?d=someday"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_a_request_is_made_with_the_method_of_the_file(method: str) -> None:
    assert sent(tool_of(f"method: {method}")).method == method


@pytest.mark.parametrize(
    ("keywords", "good", "bad"),
    [
        pytest.param("type: string, enum: [a, b]", "a", "c", id="enum"),
        pytest.param("const: a", "a", "b", id="const"),
        pytest.param("type: string, pattern: '^a'", "ab", "ba", id="pattern"),
        pytest.param("type: string, minLength: 2", "ab", "a", id="minLength"),
        pytest.param("type: string, maxLength: 2", "ab", "abc", id="maxLength"),
        pytest.param("type: number, minimum: 2", 2, 1.5, id="minimum"),
        pytest.param("type: number, maximum: 2", 2, 2.5, id="maximum"),
        pytest.param("type: number, exclusiveMinimum: 2", 3, 2, id="exclusiveMinimum"),
        pytest.param("type: number, exclusiveMaximum: 2", 1, 2, id="exclusiveMaximum"),
        pytest.param("type: integer, multipleOf: 5", 10, 11, id="multipleOf"),
        pytest.param("type: array, minItems: 1", [1], [], id="minItems"),
        pytest.param("type: array, maxItems: 1", [1], [1, 2], id="maxItems"),
        pytest.param("type: array, uniqueItems: true", [1, 2], [1, 1], id="uniqueItems"),
        pytest.param("type: array, items: {type: integer}", [1], ["a"], id="items"),
        pytest.param("type: object, properties: {a: {type: integer}}", {"a": 1}, {"a": "x"}, id="properties"),
        pytest.param("type: object, properties: {a: {required: true}}", {"a": 1}, {}, id="required"),
        pytest.param("type: object, properties: [{name: a, type: integer}]", {"a": 1}, {"a": "x"}, id="a list"),
        pytest.param("type: object, additionalProperties: false", {}, {"a": 1}, id="additionalProperties"),
        pytest.param("type: object, additionalProperties: {type: integer}", {"a": 1}, {"a": "x"}, id="a map"),
        pytest.param("type: string, nullable: true", "a", 1, id="nullable"),
        pytest.param("schema: {allOf: [{type: integer}, {minimum: 2}]}", 2, 1, id="allOf"),
        pytest.param("schema: {anyOf: [{type: integer}, {type: boolean}]}", True, "a", id="anyOf"),
        pytest.param("schema: {oneOf: [{type: integer}, {type: number}]}", 1.5, 1, id="oneOf"),
        pytest.param("schema: {type: integer, minimum: 2}", 2, 1, id="schema"),
        pytest.param("enum: [1, 2]", 1, "1", id="enum of numbers without a type"),
        pytest.param("enum: [a, b]", "a", 1, id="enum of texts without a type"),
        pytest.param("const: 1", 1, "1", id="const of a number without a type"),
        pytest.param("type: [string, integer]", 1, 1.5, id="several types"),
        pytest.param("type: file", "a", 1, id="file"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(keywords: str, good: object, bad: object) -> None:
    unit = tool_of(f"{{method: POST, inputParameters: [{{name: a, in: body, {keywords}}}, {{name: b, in: body}}]}}")
    assert json.loads(sent(unit, {"a": good}).body or b"") == {"a": good}
    with pytest.raises(BindError) as caught:
        Guard(unit).check({"a": bad})
    assert caught.value.argument == "a"


@pytest.mark.parametrize(
    ("keywords", "shown"),
    [
        ("title: T", {"title": "T"}),
        ("description: D.", {"description": "D."}),
        ("deprecated: true", {"deprecated": True}),
        ("example: 1", {"examples": [1]}),
        ("examples: [1, 2]", {"examples": [1, 2]}),
        ("default: 3", {"default": 3}),
    ],
)
def test_what_is_said_about_an_input_is_shown(keywords: str, shown: dict[str, object]) -> None:
    unit = tool_of(f"inputParameters: [{{name: a, in: query, type: integer, {keywords}}}]")
    assert unit.input_schema["properties"]["a"] == {"type": "integer", **shown}


@pytest.mark.parametrize(
    ("options", "kind"),
    [("[1, 2]", "integer"), ("[true]", "boolean"), ("[a, b]", "string"), ("[1.5]", "number"), ("[a, 1]", None)],
)
def test_the_values_there_can_be_say_the_type(options: str, kind: str | None) -> None:
    (item,) = tool_of(f"inputParameters: [{{name: a, in: query, enum: {options}}}]").inputs
    assert item.schema.get("type") == kind


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        pytest.param("type: integer, maximum: 100", "5", "text", id="a text for a number"),
        pytest.param("type: integer, maximum: 100", "'5'", "500", id="more than there may be"),
        pytest.param("type: integer", "5", "{k: 1}", id="an object for a number"),
        pytest.param("type: string", "a", "[a]", id="a list for a text"),
        pytest.param("type: string, enum: [a, b]", "a", "c", id="none of the values"),
        pytest.param("type: boolean", "true", "perhaps", id="a text for a boolean"),
        pytest.param("type: object, properties: {n: {type: integer}}", "{n: 1}", "{n: x}", id="inside an object"),
        pytest.param("type: array, items: {type: integer}", "[1]", "[x]", id="inside a list"),
    ],
)
def test_a_constant_that_does_not_fit_is_its_authors_mistake(declared: str, good: str, bad: str) -> None:
    operation = f"{{method: POST, inputParameters: [{{name: a, in: body, {declared}}}, {{name: b, in: body}}]}}"
    assert sent(tool_of(operation, f"with: {{a: {good}}}")).body is not None
    assert refusals_of(capability(operation, f"with: {{a: {bad}}}")) == ["bad-value"]


@pytest.mark.parametrize(
    ("own", "consumed", "shown"),
    [
        ("minimum: 1", "minimum: 0", {"minimum": 1}),
        ("minimum: 0", "minimum: 1", {"minimum": 0, "allOf": [{"minimum": 1}]}),
        ("minimum: 1", "minimum: 0, maximum: 9", {"minimum": 1, "maximum": 9}),
        ("maximum: 5, minimum: 1", "maximum: 9, minimum: 0", {"maximum": 5, "minimum": 1}),
        ("exclusiveMinimum: 2", "exclusiveMinimum: 1", {"exclusiveMinimum": 2}),
        ("enum: [1, 2]", "enum: [1, 2, 3]", {"enum": [1, 2]}),
        ("enum: [1, 4]", "enum: [1, 2, 3]", {"enum": [1, 4], "allOf": [{"enum": [1, 2, 3]}]}),
        ("enum: [1]", "enum: [true]", {"enum": [1], "allOf": [{"enum": [True]}]}),
        ("multipleOf: 4", "multipleOf: 2", {"multipleOf": 4, "allOf": [{"multipleOf": 2}]}),
    ],
)
def test_a_limit_of_the_consumed_parameter_is_shown_where_the_input_does_not_keep_it(
    own: str, consumed: str, shown: dict[str, object]
) -> None:
    assert both(f"type: integer, {own}", f"type: integer, {consumed}") == {"type": "integer", **shown}


@pytest.mark.parametrize(
    ("own", "consumed", "shown"),
    [
        ("minLength: 2, maxLength: 3", "minLength: 1, maxLength: 4", {"minLength": 2, "maxLength": 3}),
        ("maxLength: 5", "maxLength: 4", {"maxLength": 5, "allOf": [{"maxLength": 4}]}),
    ],
)
def test_the_limits_of_a_text_are_shown_likewise(own: str, consumed: str, shown: dict[str, object]) -> None:
    assert both(f"type: string, {own}", f"type: string, {consumed}") == {"type": "string", **shown}


@pytest.mark.parametrize(
    ("own", "consumed", "kept"),
    [
        ("minItems: 1, maxItems: 5, items: {type: string}", "maxItems: 9, items: {type: string}", {}),
        ("items: {type: integer, minimum: 3}", "items: {type: number, minimum: 1, description: D.}", {}),
        ("items: {type: string}", "items: {type: string, maxLength: 2}",
         {"allOf": [{"items": {"type": "string", "maxLength": 2}}]}),
        ("items: {type: number}", "items: {type: integer}", {"allOf": [{"items": {"type": "integer"}}]}),
    ],
)  # fmt: skip
def test_the_limits_of_a_list_and_its_items_are_shown_likewise(
    own: str, consumed: str, kept: dict[str, object]
) -> None:
    assert {k: v for k, v in both(f"type: array, {own}", f"type: array, {consumed}").items() if k == "allOf"} == kept


def both(own: str, consumed: str) -> dict[str, Any]:
    """The schema of a tool's input that fills a consumed parameter."""
    unit = tool_of(
        f"inputParameters: [{{name: p, in: query, {consumed}}}]",
        f"{{inputParameters: [{{name: m, {own}}}], with: {{p: tools.m}}}}",
    )
    return dict(unit.inputs[0].schema)
