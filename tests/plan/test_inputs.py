"""What a unit asks of its callers: inputs of a path's every operation, and limits that nobody loses."""

from __future__ import annotations

import pytest

from capstan.call.guard import Guard
from capstan.errors import BindError
from plan.helpers import capability, plan_of, sent, target, tool_of

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
