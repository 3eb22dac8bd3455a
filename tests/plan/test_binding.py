"""Where the values of a request land."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from capstan.errors import BindError
from plan.helpers import capability, header, plan_of, refusals_of, rest_of, sent, target, tool_of, warnings_of


def one(where: str, more: str = "") -> str:
    """An operation with one optional parameter `a`."""
    return f"inputParameters: [{{name: a, in: {where}, type: string, required: false{more}}}]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a b", "/things/a%20b", id="space"),
        pytest.param("a/b", "/things/a%2Fb", id="slash"),
        pytest.param("%2e%2e", "/things/%252e%252e", id="percent"),
        pytest.param("ü😀", "/things/%C3%BC%F0%9F%98%80", id="not ASCII"),
        pytest.param("a?b#c", "/things/a%3Fb%23c", id="query and fragment"),
        pytest.param("a;b=c&d", "/things/a%3Bb%3Dc%26d", id="reserved"),
        pytest.param(12, "/things/12", id="number"),
        pytest.param(True, "/things/true", id="boolean"),
        pytest.param(["a", "b"], "/things/a%2Cb", id="array"),
    ],
)
def test_a_path_value_is_encoded_for_its_segment(value: Any, expected: str) -> None:
    unit = tool_of("inputParameters: [{name: id, in: path, required: true}]", resource="path: '/things/{id}'")
    assert unit.call is not None
    assert target(unit.call.request.bind({"id": value})) == expected


@pytest.mark.parametrize("items", [["a", "b,c"], ["b,c"]])
@pytest.mark.parametrize("where", ["path", "header"])
def test_an_item_with_a_comma_is_refused_where_commas_part_items(where: str, items: list[str]) -> None:
    resource = "path: '/things/{id}'" if where == "path" else "{}"
    unit = tool_of(f"inputParameters: [{{name: id, in: {where}, type: array}}]", resource=resource)
    with pytest.raises(BindError) as caught:
        sent(unit, {"id": items})
    assert caught.value.argument == "id"


def test_an_array_of_cookies_keeps_its_items_apart() -> None:
    unit = tool_of("inputParameters: [{name: a, in: cookie, type: array}]")
    assert header(sent(unit, {"a": ["1,2", "3;4\n"]}), "Cookie") == "a=1%2C2; a=3%3B4%0A"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_value_that_would_change_the_path_is_refused(value: str) -> None:
    unit = tool_of("inputParameters: [{name: id, in: path}]", resource="path: '/things/{id}'")
    with pytest.raises(BindError) as caught:
        sent(unit, {"id": value})
    assert caught.value.argument == "id"
    assert caught.value.outcome == "not-sent"


def test_two_values_in_one_segment_cannot_make_two_dots_together() -> None:
    unit = tool_of(resource="path: '/things/{a}{b}/c'")
    with pytest.raises(BindError):
        sent(unit, {"a": ".", "b": "."})
    assert target(sent(unit, {"a": "x", "b": "."})) == "/things/x./c"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/things/{a}.json", "/things/1.json", id="text after"),
        pytest.param("/things/{a}:append", "/things/1:append", id="verb"),
        pytest.param("/things(id='{a}')", "/things(id='1')", id="parentheses"),
        pytest.param("/things/{{a}}", "/things/1", id="double braces"),
        pytest.param("/{a}/", "/1/", id="trailing slash"),
        pytest.param("/a b/{a}", "/a%20b/1", id="literal space"),
        pytest.param("/a%20b/{a}", "/a%20b/1", id="literal already encoded"),
        pytest.param("/things/$metadata/{a}", "/things/$metadata/1", id="dollar"),
        pytest.param("/search?q=x:{a}+repo", "/search?q=x:1+repo", id="query written in the path"),
    ],
)
def test_a_consumed_path_is_kept_as_its_author_wrote_it(path: str, expected: str) -> None:
    assert target(sent(tool_of(resource=f'path: "{path}"'), {"a": "1"})) == expected


@pytest.mark.parametrize(
    ("resource", "operation", "expected"),
    [
        pytest.param("/things", "/{id}/parts", "/things/1/parts", id="below the resource"),
        pytest.param("/things/", "/{id}", "/things/1", id="no double slash"),
        pytest.param("/things", "/things/{id}", "/things/1", id="repeats the resource"),
        pytest.param("/", "/login/{id}", "/login/1", id="below the root"),
    ],
)
def test_the_path_of_an_operation_joins_that_of_its_resource(resource: str, operation: str, expected: str) -> None:
    unit = tool_of(f"path: '{operation}'", resource=f"path: '{resource}'")
    assert target(sent(unit, {"id": "1"})) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("x y&z=1", "/things?a=x%20y%26z%3D1", id="text"),
        pytest.param(["x", "y,z"], "/things?a=x&a=y%2Cz", id="array repeats the name"),
        pytest.param([], "/things", id="empty array is absent"),
        pytest.param(1.5, "/things?a=1.5", id="number"),
        pytest.param(False, "/things?a=false", id="boolean"),
        pytest.param({"b": [1]}, "/things?a=%7B%22b%22%3A%5B1%5D%7D", id="object as JSON"),
        pytest.param("", "/things?a=", id="empty text is a value"),
    ],
)
def test_a_query_value_is_encoded(value: Any, expected: str) -> None:
    unit = tool_of("inputParameters: [{name: a, in: query, required: false}]")
    assert unit.call is not None
    assert target(unit.call.request.bind({"a": value})) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("filter[status]", "/things?filter%5Bstatus%5D=1", id="brackets"),
        pytest.param("$select", "/things?%24select=1", id="dollar"),
        pytest.param("page.limit", "/things?page.limit=1", id="dot"),
        pytest.param("ids[]", "/things?ids%5B%5D=1", id="empty brackets"),
    ],
)
def test_the_name_of_a_query_parameter_is_encoded(name: str, expected: str) -> None:
    unit = tool_of(f"inputParameters: [{{name: '{name}', in: query}}]", f"with: {{'{name}': 'tools.{name}'}}")
    assert [item.name for item in unit.inputs] == [name]
    assert target(sent(unit, {name: "1"})) == expected


def test_a_header_value_is_sent_and_trimmed() -> None:
    request = sent(tool_of(one("header")), {"a": " x ü "})
    assert header(request, "a") == "x ü"


def test_an_array_in_a_header_is_one_line() -> None:
    unit = tool_of("inputParameters: [{name: X-Tags, in: header, type: array}]")
    assert header(sent(unit, {"X-Tags": ["a", "b"]}), "X-Tags") == "a, b"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\x7fb", "a\x1bb"])
def test_a_control_character_in_a_header_is_refused(value: str) -> None:
    with pytest.raises(BindError) as caught:
        sent(tool_of(one("header")), {"a": value})
    assert caught.value.argument == "a"


def test_cookies_share_one_header() -> None:
    unit = tool_of("inputParameters: [{name: a, in: cookie}, {name: b, in: cookie}]")
    assert header(sent(unit, {"a": "1; b=9", "b": "x y"}), "Cookie") == "a=1%3B%20b=9; b=x%20y"


def test_a_body_parameter_of_its_own_is_the_whole_body() -> None:
    unit = tool_of("{method: POST, inputParameters: [{name: body, in: body, type: object, required: true}]}")
    request = sent(unit, {"body": {"b": [1, None, 1.5], "ü": "😀"}})
    assert request.body == '{"b":[1,null,1.5],"ü":"😀"}'.encode()
    assert header(request, "Content-Type") == "application/json"


def test_one_object_in_the_body_is_the_whole_body_whatever_its_name() -> None:
    unit = tool_of("{method: POST, inputParameters: [{name: config, in: body, type: object}]}")
    assert sent(unit, {"config": {"a": 1}}).body == b'{"a":1}'


def test_several_body_parameters_are_members_of_an_object() -> None:
    unit = tool_of("{method: POST, inputParameters: [{name: to, in: body}, {name: n, in: body, type: integer}]}")
    assert sent(unit, {"to": "x", "n": 2}).body == b'{"to":"x","n":2}'


def test_one_text_in_the_body_is_a_member_of_an_object() -> None:
    unit = tool_of("{method: POST, inputParameters: [{name: to, in: body, type: string}]}")
    assert sent(unit, {"to": "x"}).body == b'{"to":"x"}'


def test_a_get_is_sent_with_the_body_the_file_asks_for() -> None:
    unit = tool_of("inputParameters: [{name: body, in: body, type: object, required: true}]")
    request = sent(unit, {"body": {"q": 1}})
    assert (request.method, request.body) == ("GET", b'{"q":1}')


# --- what is absent is not sent


@pytest.mark.parametrize("where", ["query", "header", "cookie", "body"])
def test_an_optional_parameter_that_is_absent_leaves_nothing_behind(where: str) -> None:
    request = sent(tool_of("{method: POST, " + one(where) + "}"))
    assert target(request) == "/things"
    assert [name for name, _ in request.headers] == ["Accept"]
    assert request.body is None


@pytest.mark.parametrize("where", ["query", "header", "cookie"])
def test_null_for_an_optional_parameter_is_as_good_as_absent(where: str) -> None:
    request = sent(tool_of(one(where)), {"a": None})
    assert target(request) == "/things"
    assert [name for name, _ in request.headers] == ["Accept"]


def test_an_absent_member_leaves_no_null_in_a_body() -> None:
    body = "{type: json, data: {a: '{{a}}', b: '{{b}}', c: ['{{a}}', '{{b}}'], d: 'x{{b}}'}}"
    names = "inputParameters: [{name: a}, {name: b, required: false}]"
    unit = tool_of(f"{{method: POST, body: {body}}}", names)
    assert sent(unit, {"a": "1"}).body == b'{"a":"1","c":["1"]}'


def test_a_template_value_that_is_absent_leaves_its_parameter_out() -> None:
    unit = tool_of("inputParameters: [{name: q, in: query, value: 'is:{{kind}}'}]",
                   "inputParameters: [{name: kind, required: false}]")  # fmt: skip
    assert target(sent(unit, {"kind": "a b"})) == "/things?q=is%3Aa%20b"
    assert target(sent(unit)) == "/things"


def test_a_path_value_that_is_absent_is_the_callers_mistake() -> None:
    unit = tool_of("path: '/{kind}'", "{with: {kind: 'tools.kind'}, inputParameters: [{name: kind, required: false}]}")
    with pytest.raises(BindError) as caught:
        sent(unit)
    assert (caught.value.code, caught.value.argument) == ("missing-argument", "kind")


# --- values, templates and defaults


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("'EUR'", "EUR", id="text"),
        pytest.param("10", "10", id="number"),
        pytest.param("1.10", "1.10", id="decimal"),
        pytest.param("0042", "0042", id="leading zeros"),
        pytest.param("true", "true", id="boolean"),
    ],
)
def test_a_fixed_value_is_sent_and_nobody_is_asked_for_it(value: str, expected: str) -> None:
    file = yaml.safe_dump(capability("inputParameters: [{name: a, in: query, value: LITERAL}]"))
    unit = plan_of(file.replace("LITERAL", value), {})[0].units[0]
    assert unit.inputs == ()
    assert target(sent(unit)) == f"/things?a={expected}"


@pytest.mark.parametrize("where", ["query", "header", "cookie", "path"])
def test_a_template_in_a_value_takes_inputs_and_variables(where: str) -> None:
    operation = f"inputParameters: [{{name: p, in: {where}, value: '{{{{a}}}}-{{{{env.KEY}}}}'}}]"
    resource = "path: '/things/{p}'" if where == "path" else "{}"
    unit = tool_of(operation, "inputParameters: [{name: a}]", resource=resource,
                   binds="[{namespace: env, keys: {KEY: KEY}}]", environ={"KEY": "k"})  # fmt: skip
    request = sent(unit, {"a": "1"})
    shown = f"{request.url} {request.headers}"
    assert "1-k" in shown
    assert "{" not in shown


def test_an_object_as_value_keeps_its_structure() -> None:
    operation = "{method: POST, inputParameters: [{name: body, in: body, type: object, value: {a: '{{x}}', n: 1}}]}"
    unit = tool_of(operation, "inputParameters: [{name: x, type: integer}]")
    assert sent(unit, {"x": 5}).body == b'{"a":5,"n":1}'


def test_a_default_stands_in_and_can_be_set() -> None:
    unit = tool_of("inputParameters: [{name: a, in: query, type: integer, default: 10}]")
    assert target(sent(unit)) == "/things?a=10"
    assert target(sent(unit, {"a": 3})) == "/things?a=3"
    assert unit.input_schema["properties"]["a"]["default"] == 10
    assert "required" not in unit.input_schema


def test_a_consumed_default_is_sent_when_the_unit_leaves_the_parameter_out() -> None:
    unit = tool_of("inputParameters: [{name: a, in: query, default: x}, {name: b, in: query}]",
                   "{inputParameters: [{name: b}], with: {b: tools.b}}")  # fmt: skip
    assert target(sent(unit, {"b": "1"})) == "/things?a=x&b=1"


def test_an_exposed_value_is_a_constant_that_no_caller_sets() -> None:
    unit = rest_of("inputParameters: [{name: a, in: query}]",
                   "{inputParameters: [{name: a, in: query, value: fixed}], with: {a: rest.a}}")  # fmt: skip
    assert unit.inputs == ()
    assert target(sent(unit)) == "/things?a=fixed"
    with pytest.raises(BindError):
        sent(unit, {"a": "other"})


def test_a_parameter_in_the_environment_is_read_at_start() -> None:
    operation = "inputParameters: [{name: REGION, in: environment}, {name: X-Region, in: header, value: '{{REGION}}'}]"
    unit = tool_of(operation, environ={"REGION": "eu"})
    assert unit.inputs == ()
    request = sent(unit)
    assert header(request, "X-Region") == "eu"
    assert "REGION" not in target(request)


@pytest.mark.parametrize(
    ("kind", "spelled", "expected"),
    [
        pytest.param("number", "1.50", b'{"v":1.5,"w":1}', id="number"),
        pytest.param("integer", "0042", b'{"v":42,"w":1}', id="integer"),
        pytest.param("string", "0042", b'{"v":"0042","w":1}', id="integer for a text"),
        pytest.param("string", "1.10", b'{"v":"1.10","w":1}', id="decimal for a text"),
        pytest.param("[string, number]", "1.10", b'{"v":1.1,"w":1}', id="number or text"),
    ],
)
@pytest.mark.parametrize(
    ("consumed", "tool"),
    [
        pytest.param(", value: LITERAL", "{}", id="consumed value"),
        pytest.param("", "with: {v: LITERAL}", id="with"),
        pytest.param(
            "", "{inputParameters: [{name: x, type: KIND, value: LITERAL}], with: {v: x}}", id="exposed value"
        ),
    ],
)
def test_a_constant_number_is_a_number_in_json_and_its_spelling_in_a_text(
    consumed: str, tool: str, kind: str, spelled: str, expected: bytes
) -> None:
    operation = f"inputParameters: [{{name: v, in: body, type: KIND{consumed}}}, {{name: w, in: body, value: 1}}]"
    data = capability(f"{{method: POST, {operation.replace('KIND', kind)}}}", tool.replace("KIND", kind))
    unit = plan_of(yaml.safe_dump(data).replace("LITERAL", spelled), {})[0].units[0]
    assert sent(unit).body == expected


@pytest.mark.parametrize("where", ["path", "query", "header", "cookie"])
def test_a_constant_number_keeps_its_spelling_outside_json(where: str) -> None:
    resource = "path: '/things/{a}'" if where == "path" else "{}"
    data = capability(f"inputParameters: [{{name: a, in: {where}}}]", "with: {a: LITERAL}", resource=resource)
    request = sent(plan_of(yaml.safe_dump(data).replace("LITERAL", "0042"), {})[0].units[0])
    assert "0042" in f"{request.url} {request.headers}"


# --- a query written in the path


@pytest.mark.parametrize("parameter", ["status, in: query", "status, in: query, type: integer"])
def test_a_pair_of_a_query_in_the_path_is_left_out_when_its_value_is_absent(parameter: str) -> None:
    unit = tool_of(f"{{path: '/p?status={{status}}&z=1', inputParameters: [{{name: {parameter}, required: false}}]}}")
    assert target(sent(unit)) == "/things/p?z=1"
    assert target(sent(unit, {"status": 5 if "integer" in parameter else "5"})) == "/things/p?status=5&z=1"


def test_an_input_for_a_query_in_the_path_may_be_absent() -> None:
    unit = tool_of("path: '/p?a={a}&b={b}'", "{inputParameters: [{name: a, required: false}, {name: b}]}")
    assert target(sent(unit, {"b": "1"})) == "/things/p?b=1"


# --- inherited parameters


def test_parameters_of_the_api_and_the_resource_are_inherited() -> None:
    unit = tool_of(
        "inputParameters: [{name: c, in: query, value: '3'}]",
        consumes="inputParameters: [{name: a, in: query, value: '1'}]",
        resource="inputParameters: [{name: b, in: query, value: '2'}]",
    )
    assert sorted(target(sent(unit)).partition("?")[2].split("&")) == ["a=1", "b=2", "c=3"]


@pytest.mark.parametrize(
    ("resource", "operation", "expected"),
    [
        pytest.param("{}", "{}", "api", id="of the API"),
        pytest.param("inputParameters: [{name: X-A, in: header, value: resource}]",
                     "{}", "resource", id="of the resource"),
        pytest.param("inputParameters: [{name: X-A, in: header, value: resource}]",
                     "inputParameters: [{name: X-A, in: header, value: operation}]", "operation",
                     id="of the operation"),
        pytest.param("{}", "inputParameters: [{name: x-a, in: header, value: operation}]", "operation",
                     id="a header in other case"),
    ],
)  # fmt: skip
def test_the_innermost_parameter_of_a_name_wins(resource: str, operation: str, expected: str) -> None:
    unit = tool_of(operation, resource=resource, consumes="inputParameters: [{name: X-A, in: header, value: api}]")
    assert header(sent(unit), "X-A") == expected


def test_a_parameter_without_a_place_goes_where_its_operation_has_room() -> None:
    names = "inputParameters: [{name: id}, {name: note, type: string}]"
    assert target(sent(tool_of(f"{{path: '/{{id}}', {names}}}"), {"id": "1", "note": "n"})) == "/things/1?note=n"
    posted = sent(tool_of(f"{{method: POST, path: '/{{id}}', {names}}}"), {"id": "1", "note": "n"})
    assert (target(posted), posted.body) == ("/things/1", b'{"note":"n"}')


# --- headers of HTTP itself


def test_a_header_that_http_sets_is_never_the_callers() -> None:
    data = capability("inputParameters: [{name: Host, in: header}, {name: Content-Length, in: header}]",
                      "with: {Host: tools.h}")  # fmt: skip
    plan, warnings = plan_of(data, {})
    assert [problem.code for problem in warnings] == ["unused-entry"]
    unit = plan.mcp[0].tools[0].unit
    assert [name for name, _ in sent(unit).headers] == ["Accept"]


def test_a_fixed_value_of_a_header_that_http_sets_is_told() -> None:
    assert warnings_of(capability("inputParameters: [{name: Host, in: header, value: other}]")) == ["unused-entry"]


def test_a_fixed_value_stays_fixed_whatever_a_with_entry_says() -> None:
    data = capability("inputParameters: [{name: a, in: query, value: fixed}]", "with: {a: tools.a}")
    plan, warnings = plan_of(data, {})
    assert [problem.code for problem in warnings] == ["unused-entry"]
    assert target(sent(plan.mcp[0].tools[0].unit)) == "/things?a=fixed"


def test_a_name_that_is_no_header_name_is_refused() -> None:
    assert refusals_of(capability("inputParameters: [{name: 'X A', in: header}]")) == ["bad-name"]


def test_a_fixed_header_with_a_line_break_is_refused() -> None:
    data = capability('inputParameters: [{name: X-A, in: header, value: "a\\nb"}]')
    assert refusals_of(data) == ["bad-value"]


def test_an_accept_header_of_the_file_replaces_ours() -> None:
    unit = tool_of("inputParameters: [{name: accept, in: header, value: text/csv}]")
    assert header(sent(unit), "Accept") == "text/csv"


def test_a_path_parameter_without_a_place_in_the_path_is_told() -> None:
    data = capability("inputParameters: [{name: id, in: path}]", "with: {id: tools.id}")
    assert warnings_of(data) == ["unplaced-parameter"]
