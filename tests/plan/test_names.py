# ruff: noqa: E501 - tables of YAML read best with one case to a line
"""What a name in `with`, in a template or in a route stands for, and which inputs a unit has."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from capstan.errors import BindError
from plan.helpers import (
    capability,
    header,
    plan_of,
    problems_of,
    refusals_of,
    rest_of,
    route_of,
    sent,
    target,
    tool_of,
    warnings_of,
)

QUERY_A = "inputParameters: [{name: a, in: query}]"


def inputs(unit: Any) -> dict[str, tuple[str, bool]]:
    return {item.name: (item.where, item.required) for item in unit.inputs}


# --- references in `with`


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("tools.x", id="tools"),
        pytest.param("rest.x", id="rest, on a tool"),
        pytest.param("mcp.x", id="mcp"),
        pytest.param("my-mcp.x", id="own namespace"),
        pytest.param("$this.my-mcp.x", id="$this"),
        pytest.param("$this.my-mcp.{{x}}", id="$this, name in braces"),
        pytest.param("x", id="bare name"),
        pytest.param("{x}", id="braces"),
        pytest.param("{{x}}", id="template"),
        pytest.param("{{tools.x}}", id="scoped template"),
    ],
)
def test_a_reference_to_a_declared_input(value: str) -> None:
    unit = tool_of(QUERY_A, f"{{inputParameters: [{{name: x}}], with: {{a: '{value}'}}}}")
    assert target(sent(unit, {"x": "1"})) == "/things?a=1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("plain", "plain", id="text"),
        pytest.param("{y}", "%7By%7D", id="braces around no input"),
        pytest.param("other.x", "other.x", id="no scope of ours"),
        pytest.param("a {{x}} b", "a%201%20b", id="template in text"),
        pytest.param("1.10", "1.10", id="text that looks like a number"),
    ],
)
def test_what_is_no_reference_is_a_literal_or_a_template(value: str, text: str) -> None:
    unit = tool_of(QUERY_A, f"{{inputParameters: [{{name: x, required: false}}], with: {{a: '{value}'}}}}")
    assert target(sent(unit, {"x": "1"})) == f"/things?a={text}"


@pytest.mark.parametrize(
    ("value", "text"), [("5", "5"), ("1.10", "1.10"), ("true", "true"), ("false", "false"), ("[1, b]", "1&a=b")]
)
def test_a_literal_that_is_no_text(value: str, text: str) -> None:
    file = yaml.safe_dump(capability(QUERY_A, "with: {a: LITERAL}")).replace("LITERAL", value)
    unit = plan_of(file, {})[0].mcp[0].tools[0].unit
    assert target(sent(unit)) == f"/things?a={text}"


def test_a_literal_keeps_its_type_in_a_body() -> None:
    operation = "{method: POST, inputParameters: [{name: body, in: body}]}"
    unit = tool_of(operation, "{inputParameters: [{name: x}], with: {body: {n: 5, f: true, x: '{{x}}', l: [1]}}}")
    assert sent(unit, {"x": "1"}).body == b'{"n":5,"f":true,"x":"1","l":[1]}'


@pytest.mark.parametrize("value", ["tools.x", "my-mcp.x", "{x}", "x", "{{x}}", "{{tools.x}}"])
def test_a_reference_is_one_at_any_depth(value: str) -> None:
    operation = "{method: POST, inputParameters: [{name: body, in: body}]}"
    unit = tool_of(
        operation, f"{{inputParameters: [{{name: x}}], with: {{body: {{a: '{value}', b: [{{c: '{value}'}}]}}}}}}"
    )
    assert sent(unit, {"x": "1"}).body == b'{"a":"1","b":[{"c":"1"}]}'


def test_members_and_items_of_an_entry_are_of_the_types_their_schema_says() -> None:
    schema = (
        "{name: body, in: body, type: object, properties: {a: {type: string}, b: {type: array, items: {type: string}}}}"
    )
    data = capability(
        f"{{method: POST, inputParameters: [{schema}]}}", "with: {body: {a: LITERAL, b: [LITERAL], c: LITERAL}}"
    )
    unit = plan_of(yaml.safe_dump(data).replace("LITERAL", "0042"), {})[0].units[0]
    assert sent(unit).body == b'{"a":"0042","b":["0042"],"c":42}'


def test_a_reference_in_a_body_is_derived_from_the_member_it_fills() -> None:
    schema = "{name: body, in: body, type: object, properties: {n: {type: integer, required: true, minimum: 1}}}"
    unit = tool_of(f"{{method: POST, inputParameters: [{schema}]}}", "with: {body: {n: tools.n}}")
    assert inputs(unit) == {"n": ("body", True)}
    assert unit.inputs[0].schema == {"type": "integer", "minimum": 1}
    assert sent(unit, {"n": 2}).body == b'{"n":2}'


@pytest.mark.parametrize("value", ["my-rest.x", "{{my-rest.x}}", "$this.my-rest.x", "a {{my-rest.x}}"])
def test_an_input_of_another_adapter_is_no_input_here(value: str) -> None:
    data = capability(QUERY_A, f"{{inputParameters: [{{name: x, required: false}}], with: {{a: '{value}'}}}}", "{}")
    assert refusals_of(data) == ["unknown-name"]


@pytest.mark.parametrize("value", ["$.x", "$fetch.x", "$fetch.x.y", "{{$.x}}", "{{$fetch.x}}"])
@pytest.mark.parametrize("entry", ["{a: 'VALUE'}", "{a: ['VALUE']}"])
def test_a_call_without_steps_takes_no_output_of_a_step(entry: str, value: str) -> None:
    assert refusals_of(capability(QUERY_A, f"with: {entry.replace('VALUE', value)}")) == ["unknown-name"]


@pytest.mark.parametrize(
    ("value", "code"),
    [("$.a.b", "not-supported-yet"), ("$body.a", "not-supported-yet"), ("{{$.a.b}}", "unknown-name")],
)
def test_a_path_as_the_value_of_an_input_is_refused(value: str, code: str) -> None:
    data = capability(QUERY_A, rest=f"{{inputParameters: [{{name: x, value: '{value}'}}], with: {{a: rest.x}}}}")
    assert refusals_of(data) == [code]


@pytest.mark.parametrize("value", ["$5.00", "$", "US$"])
def test_a_dollar_alone_is_text(value: str) -> None:
    assert "%24" in target(sent(tool_of(QUERY_A, f"with: {{a: '{value}'}}")))


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        ("order_id", "order-id"),
        ("order-id", "order_id"),
        ("OrderId", "orderid"),
        ("order_id", "ORDER-ID"),
        ("order_id", "orderId"),
        ("orderId", "order-id"),
    ],
)
def test_a_name_matches_with_case_hyphen_and_underscore_folded(declared: str, used: str) -> None:
    unit = tool_of(QUERY_A, f"{{inputParameters: [{{name: {declared}}}], with: {{a: tools.{used}}}}}")
    assert target(sent(unit, {declared: "1"})) == "/things?a=1"


def test_an_exact_name_is_matched_before_a_folded_one() -> None:
    operation = "inputParameters: [{name: maxResults, in: query}, {name: MaxResults, in: query}]"
    unit = tool_of(operation, "with: {maxResults: tools.maxResults, MaxResults: tools.MaxResults}")
    assert target(sent(unit, {"maxResults": "1", "MaxResults": "2"})) == "/things?maxResults=1&MaxResults=2"


@pytest.mark.parametrize(
    "name", ["filter[status]", "$select", "If-Match", "a.b", "names[]", "(x)", "a:b", "body.x", "query.y"]
)
def test_a_name_is_everything_after_the_scope(name: str) -> None:
    unit = tool_of(f"inputParameters: [{{name: '{name}', in: query}}]", f"with: {{'{name}': 'tools.{name}'}}")
    assert [item.name for item in unit.inputs] == [name]


@pytest.mark.parametrize(
    ("where", "value", "expected"),
    [
        pytest.param("query", "rest.query.x", {"x": ("query", False)}, id="query"),
        pytest.param("header", "rest.header.X-Rutter", {"X-Rutter": ("header", False)}, id="header"),
        pytest.param("query", "rest.header.x", {"x": ("header", False)}, id="another place than the parameter's"),
        pytest.param("query", "rest.query", {"query": ("query", False)}, id="an input called query"),
    ],
)
def test_a_reference_can_name_its_place(where: str, value: str, expected: dict[str, Any]) -> None:
    unit = rest_of(f"inputParameters: [{{name: a, in: {where}}}]", f"with: {{a: {value}}}")
    assert inputs(unit) == expected


def test_members_of_the_rest_body_are_inputs() -> None:
    operation = "{method: POST, inputParameters: [{name: check_in, in: body, type: string}, {name: n, in: body, type: integer}]}"
    unit = rest_of(operation, "with: {check_in: rest.body.from, n: rest.body.n}")
    assert inputs(unit) == {"from": ("body", False), "n": ("body", False)}
    assert sent(unit, {"from": "x", "n": 2}).body == b'{"check_in":"x","n":2}'


def test_a_reference_to_a_path_variable_of_the_route() -> None:
    operation = (
        "{path: '/{report_id}', inputParameters: [{name: report_id, in: path, type: string, description: Which.}]}"
    )
    unit = rest_of(operation, "with: {report_id: rest.id}", path="/v1/reports/{id}")
    assert inputs(unit) == {"id": ("path", True)}
    assert unit.inputs[0].schema["description"] == "Which."
    assert target(sent(unit, {"id": "1"})) == "/things/1"


def test_a_new_name_is_a_new_input_with_the_type_of_what_it_fills() -> None:
    operation = "inputParameters: [{name: i, in: query, type: integer, required: true, enum: [1, 2], description: D.}]"
    unit = rest_of(operation, "with: {i: rest.q}")
    assert inputs(unit) == {"q": ("query", True)}
    assert unit.inputs[0].schema == {"type": "integer", "description": "D.", "enum": [1, 2]}


@pytest.mark.parametrize(
    ("tool", "code"),
    [
        pytest.param(
            "{inputParameters: [{name: amount}], with: {a: tools.amuont}}", "unknown-name", id="slip of a name"
        ),
        pytest.param("with: {b: tools.b}", "unknown-parameter", id="key of nothing"),
        pytest.param("with: {a: '{{nothing}}'}", "unknown-name", id="template of nothing"),
        pytest.param("with: {a: $.step.x}", "unknown-name", id="step"),
    ],
)
def test_a_name_of_nothing_is_refused_and_never_sent_as_text(tool: str, code: str) -> None:
    found = problems_of(capability(QUERY_A, tool))
    assert [problem.code for problem in found if problem.severity == "error"] == [code]


def test_a_slip_of_a_name_comes_with_a_hint() -> None:
    (problem,) = [p for p in problems_of(capability(QUERY_A, "with: {A-: tools.a, b: tools.b}")) if "'b'" in p.message]
    assert problem.hint == "known here: a"


def test_with_fills_a_name_in_path_and_query_unless_the_entry_says_where() -> None:
    operation = "{path: '/{id}', inputParameters: [{name: id, in: path}, {name: id, in: query}]}"
    both = tool_of(operation, "with: {id: tools.id}")
    assert target(sent(both, {"id": "1"})) == "/things/1?id=1"
    each = tool_of(operation, "with: {path.id: tools.p, query.id: tools.q}")
    assert target(sent(each, {"p": "1", "q": "2"})) == "/things/1?id=2"


def test_a_key_that_only_a_template_uses_is_bound() -> None:
    operation = "{method: POST, body: {type: json, data: {name: '{{tools.title}}'}}}"
    unit = tool_of(operation, "with: {title: tools.t}")
    assert sent(unit, {"t": "x"}).body == b'{"name":"x"}'


def test_free_names_of_a_consumed_body_are_inputs_on_both_doors() -> None:
    operation = "{method: POST, body: {type: json, data: {name: '{{tools.title}}'}}}"
    plan, _ = plan_of(capability(operation, "{}", "{}"))
    for unit in (plan.mcp[0].tools[0].unit, plan.rest[0].operations[0].unit):
        assert sent(unit, {"title": "x"}).body == b'{"name":"x"}'


# --- derived inputs


DERIVING = """
method: POST
path: /{id}
inputParameters:
- {name: id, in: path, type: integer, required: true}
- {name: q, in: query, type: string, pattern: '^a', enum: [a, ab]}
- {name: X-H, in: header, type: boolean, required: true}
- {name: sid, in: cookie, type: string}
- {name: body, in: body, type: object, required: true, properties: {n: {type: integer, required: true}}}
"""


def test_a_unit_without_with_and_inputs_derives_everything() -> None:
    unit = rest_of(DERIVING, path="/v1/things/{id}")
    assert inputs(unit) == {
        "id": ("path", True), "q": ("query", False), "X-H": ("header", True), "sid": ("cookie", False), "body": ("body", True),
    }  # fmt: skip
    assert unit.input_schema == {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "q": {"type": "string", "pattern": "^a", "enum": ["a", "ab"]},
            "X-H": {"type": "boolean"},
            "sid": {"type": "string"},
            "body": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
        },
        "required": ["id", "X-H", "body"],
        "additionalProperties": False,
    }
    request = sent(unit, {"id": 7, "q": "a", "X-H": True, "sid": "s", "body": {"n": 1}})
    assert target(request) == "/things/7?q=a"
    assert (header(request, "X-H"), header(request, "Cookie"), request.body) == ("true", "sid=s", b'{"n":1}')


def test_a_tool_and_a_route_derive_the_same_inputs() -> None:
    plan, _ = plan_of(capability(DERIVING, "{}", "{}", path="/v1/things/{id}"))
    tool, route = plan.mcp[0].tools[0].unit, plan.rest[0].operations[0].unit
    assert tool.input_schema["properties"] == route.input_schema["properties"]
    assert sorted(tool.input_schema["required"]) == sorted(route.input_schema["required"])


def test_one_derived_input_fills_a_name_in_two_places() -> None:
    unit = tool_of("{path: '/{id}', inputParameters: [{name: id, in: path}, {name: id, in: query}]}")
    assert inputs(unit) == {"id": ("query", True)}
    assert target(sent(unit, {"id": "1"})) == "/things/1?id=1"


@pytest.mark.parametrize("tool", ["{}", "with: {id: tools.id}"])
@pytest.mark.parametrize("declared", ["", ", {name: id, in: path}"], ids=["undeclared", "declared"])
def test_an_input_that_a_path_takes_is_required_whatever_else_takes_it(tool: str, declared: str) -> None:
    unit = tool_of(f"{{path: '/{{id}}', inputParameters: [{{name: id, in: query, required: false}}{declared}]}}", tool)
    assert inputs(unit) == {"id": ("query", True)}


@pytest.mark.parametrize("tool", ["{}", "with: {maxResults: tools.maxResults, MaxResults: tools.MaxResults}"])
def test_parameters_whose_names_fold_to_one_are_two_inputs(tool: str) -> None:
    unit = tool_of("inputParameters: [{name: maxResults, in: query}, {name: MaxResults, in: query}]", tool)
    assert list(inputs(unit)) == ["maxResults", "MaxResults"]
    assert target(sent(unit, {"MaxResults": "2"})) == "/things?MaxResults=2"


@pytest.mark.parametrize(
    ("operation", "tool"),
    [("{}", "{}"), (QUERY_A, "with: {a: tools.a}"), (QUERY_A, "{inputParameters: [{name: a}], with: {a: tools.a}}")],
    ids=["nothing declared", "with", "inputs and with"],
)
def test_an_undeclared_path_variable_is_a_required_string(operation: str, tool: str) -> None:
    unit = tool_of(operation, tool, resource="path: '/things/{ThingSid}.json'")
    derived = next(item for item in unit.inputs if item.name == "ThingSid")
    assert (derived.required, derived.schema) == (True, {"type": "string"})
    with pytest.raises(BindError):
        sent(unit, {"a": "1"})
    assert target(sent(unit, {"ThingSid": "S1"} | ({"a": "1"} if "a" in inputs(unit) else {}))).startswith(
        "/things/S1.json"
    )


def test_a_path_variable_lost_in_the_route_is_a_required_query_input() -> None:
    route = route_of(resource="path: '/accounts/{Sid}/messages/{Id}.json'", path="/v1/accounts/{sid}/messages/id-json")
    assert inputs(route.unit) == {"sid": ("path", True), "Id": ("query", True)}
    assert target(sent(route.unit, {"sid": "A", "Id": "M"})) == "/accounts/A/messages/M.json"


def test_what_with_leaves_out_but_the_operation_requires_is_asked_of_callers() -> None:
    data = capability(
        "inputParameters: [{name: a, in: query}, {name: version, in: query, required: true}]", "with: {a: tools.a}"
    )
    plan, warnings = plan_of(data)
    assert [problem.code for problem in warnings] == ["derived-input"]
    assert inputs(plan.mcp[0].tools[0].unit) == {"a": ("query", False), "version": ("query", True)}


def test_an_optional_parameter_that_with_leaves_out_is_no_input() -> None:
    unit = tool_of("inputParameters: [{name: a, in: query}, {name: b, in: query}]", "with: {a: tools.a}")
    assert list(inputs(unit)) == ["a"]


def test_an_input_of_a_tool_is_required_unless_it_says_otherwise() -> None:
    unit = tool_of(QUERY_A, "{inputParameters: [{name: a}], with: {a: tools.a}}")
    assert unit.inputs[0].required
    unit = tool_of(QUERY_A, "{inputParameters: [{name: a, required: false}], with: {a: tools.a}}")
    assert not unit.inputs[0].required


def test_an_input_of_a_rest_operation_outside_its_path_is_optional() -> None:
    assert not rest_of(QUERY_A, "{inputParameters: [{name: a, in: query}], with: {a: rest.a}}").inputs[0].required


@pytest.mark.parametrize(
    ("method", "where"), [("GET", "query"), ("DELETE", "query"), ("POST", "body"), ("PATCH", "body")]
)
def test_a_rest_input_without_a_place_is_where_its_method_has_room(method: str, where: str) -> None:
    unit = rest_of(QUERY_A, f"{{method: {method}, inputParameters: [{{name: a}}], with: {{a: rest.a}}}}")
    assert unit.inputs[0].where == where


def test_a_body_member_derived_for_a_get_comes_from_the_query() -> None:
    operation = (
        "{method: POST, inputParameters: [{name: start, in: body, type: integer}, {name: n, in: body, type: integer}]}"
    )
    unit = rest_of(operation, "method: GET")
    assert inputs(unit) == {"start": ("query", False), "n": ("query", False)}
    assert sent(unit, {"start": 1, "n": 2}).body == b'{"start":1,"n":2}'


def test_an_input_nothing_uses_is_told() -> None:
    _, warnings = plan_of(capability(QUERY_A, "{inputParameters: [{name: a}, {name: zzz}], with: {a: tools.a}}"))
    assert [(problem.code, problem.severity) for problem in warnings] == [("unused-input", "warning")]


# --- names taken twice


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(capability(rest="{}", path="/a/{id}/b/{ID}", resource="path: '/a/{id}'"), "duplicate-name", id="variable of a route"),
        pytest.param(capability(QUERY_A, rest="{inputParameters: [{name: id, in: path}, {name: id, in: query}], with: {a: rest.id}}", path="/a/{id}"), "duplicate-name", id="input in path and query"),
        pytest.param(capability(QUERY_A, rest="{inputParameters: [{name: id, in: query}], with: {a: rest.id}}", path="/a/{id}"), "duplicate-name", id="input in the query beside the route's"),
        pytest.param(capability(QUERY_A, "{inputParameters: [{name: a}, {name: a}], with: {a: tools.a}}"), "duplicate-name", id="input of a tool"),
    ],
)  # fmt: skip
def test_one_name_for_two_inputs_is_refused(data: dict[str, Any], code: str) -> None:
    assert refusals_of(data) == [code]


def test_two_consumed_apis_of_one_namespace_are_refused() -> None:
    data = capability()
    data["capability"]["consumes"].append(data["capability"]["consumes"][0])
    assert "duplicate-namespace" in refusals_of(data)


def test_one_route_twice_is_refused() -> None:
    data = capability(rest="{}", path="/a/{id}", resource="path: '/a/{id}'")
    resources = data["capability"]["exposes"][0]["resources"]
    resources.append({**resources[0], "path": "/a/{other}"})
    assert refusals_of(data) == ["duplicate-route"]


# --- calls


def several(*operations: tuple[str, str, str], call: str, unit: dict[str, Any] | None = None) -> dict[str, Any]:
    """Operations of one API as (resource, name, path), with a tool or a route that calls."""
    data = capability("{}", "{}" if unit is None else None, None if unit is None else "{}")
    data["capability"]["consumes"][0]["resources"] = [
        {"name": resource, "path": path, "operations": [{"name": name, "method": "GET", "description": f"Of {path}."}]}
        for resource, name, path in operations
    ]
    adapter = data["capability"]["exposes"][0]
    if unit is None:
        adapter["tools"][0]["call"] = call
    else:
        adapter["resources"] = [
            {"path": unit.pop("path"), "operations": [{"name": "u", "method": "GET", "call": call, **unit}]}
        ]
    return data


SEARCHES = (("repos", "search", "/repos"), ("users", "search", "/users"))


def called(data: dict[str, Any]) -> tuple[str, list[str]]:
    plan, warnings = plan_of(data)
    (unit,) = plan.units
    return target(sent(unit)), [problem.code for problem in warnings]


def test_a_call_of_three_segments_names_the_resource_too() -> None:
    assert called(several(*SEARCHES, call="api.users.search")) == ("/users", [])


def test_a_call_of_two_segments_is_enough_where_the_name_is_unique() -> None:
    assert called(several(("a", "x", "/a"), ("b", "y", "/b"), call="api.y")) == ("/b", [])


def test_a_call_of_a_resource_with_one_operation_calls_that() -> None:
    assert called(several(("find-users", "search", "/users"), call="api.find-users")) == (
        "/users",
        ["call-of-resource"],
    )


def test_an_ambiguous_call_of_a_route_means_the_operation_of_the_same_path() -> None:
    assert called(several(*SEARCHES, call="api.search", unit={"path": "/v1/users"})) == ("/users", ["ambiguous-call"])


def test_an_ambiguous_call_of_a_tool_means_the_operation_of_the_same_description() -> None:
    data = several(*SEARCHES, call="api.search")
    data["capability"]["exposes"][0]["tools"][0]["description"] = "Of /users."
    assert called(data) == ("/users", ["ambiguous-call"])


@pytest.mark.parametrize(
    ("call", "code", "hint"),
    [
        pytest.param(
            "api.search", "ambiguous-operation", "say which: 'api.repos.search', 'api.users.search'", id="ambiguous"
        ),
        pytest.param("api.serch", "unknown-operation", "did you mean 'api.search'?", id="slip"),
        pytest.param("other.search", "unknown-operation", None, id="other namespace"),
    ],
)
def test_a_call_that_means_no_one_operation_is_refused(call: str, code: str, hint: str | None) -> None:
    (problem,) = problems_of(several(*SEARCHES, call=call))
    assert problem.code == code
    assert hint in (None, problem.hint)


def test_a_dangling_call_is_the_only_complaint_about_its_unit() -> None:
    data = capability(tool="{call: api.gone, with: {x: tools.y, z: '{{nope}}'}}")
    assert [problem.code for problem in problems_of(data)] == ["unknown-operation"]


# --- what is probably a slip is told, not sent


def test_a_reference_with_a_misspelt_scope_is_refused() -> None:
    data = capability("inputParameters: [{name: a, in: query}]", "with: {a: tols.a}")
    assert refusals_of(data) == ["unknown-name"]


def test_a_misspelt_name_in_a_body_is_refused_where_a_near_parameter_exists() -> None:
    operation = (
        "{method: POST, body: {type: json, data: {m: '{{membr}}'}}, inputParameters: [{name: member, in: body}]}"
    )
    assert refusals_of(capability(operation)) == ["unknown-name"]


def test_a_body_parameter_that_the_written_body_has_no_place_for_is_told() -> None:
    operation = "{method: POST, body: {type: json, data: {m: 1}}, inputParameters: [{name: note, in: body}]}"
    assert warnings_of(capability(operation)) == ["unplaced-parameter"]


def test_a_misspelt_route_variable_is_refused() -> None:
    data = capability("{path: '/{isbn}'}", rest="with: {isbn: rest.ibsn}", path="/v1/{isbn}")
    assert refusals_of(data) == ["unknown-name"]


def test_a_route_variable_that_reaches_nothing_is_told() -> None:
    assert "unused-input" in warnings_of(capability(rest="{}", path="/v1/{other}"))


def test_a_default_that_does_not_fit_is_refused() -> None:
    data = capability("inputParameters: [{name: a, in: query, type: integer, default: 200, maximum: 100}]")
    assert refusals_of(data) == ["bad-schema"]


@pytest.mark.parametrize("text", ["{env.TOKEN}", "{TOKEN}", "$env.TOKEN"])
def test_a_variable_of_another_spelling_is_refused_where_it_would_be_a_credential(text: str) -> None:
    data = capability(consumes=f"authentication: {{type: bearer, token: '{text}'}}",
                      binds="[{namespace: env, keys: {TOKEN: TOKEN}}]")  # fmt: skip
    assert refusals_of(data) == ["bad-expression"]


def test_an_empty_token_counts_as_missing() -> None:
    data = capability(consumes="authentication: {type: bearer, token: '{{env.TOKEN}}'}",
                      binds="[{namespace: env, keys: {TOKEN: TOKEN}}]")  # fmt: skip
    assert refusals_of(data, {"TOKEN": ""}) == ["missing-variable"]


def test_an_operation_without_a_method_is_refused() -> None:
    data = capability()
    del data["capability"]["consumes"][0]["resources"][0]["operations"][0]["method"]
    assert refusals_of(data) == ["missing-keyword"]
