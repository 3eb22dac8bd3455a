"""Functions of aggregates, and the tools, operations and resources that refer to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from capstan.call.guard import Guard
from capstan.errors import LoadError, Problem
from capstan.plan.build import plan_file
from capstan.plan.explain import explain
from capstan.plan.types import CapabilityPlan, UnitPlan
from plan.helpers import plan_of, problems_of, sent, warnings_of

ORDERS = """
  consumes:
  - type: http
    namespace: api
    baseUri: https://api.example.com
    resources:
    - name: order
      path: /orders/{order_id}
      operations:
      - {name: get, method: GET, inputParameters: [{name: expand, in: query}, {name: X-Trace, in: header}]}
      - {name: cancel, method: DELETE}
      - {name: find, method: POST, body: {type: json, data: {text: '{{text}}'}}}
"""
GET = """
    - name: get-order
      label: Get an order
      description: One order, by its id.
      tags: [reading]
      semantics: {safe: true, idempotent: true}
      inputParameters:
      - {name: order-id, type: string, description: The order., maxLength: 36}
      - {name: expand, type: string, required: false}
      call: api.get
      with: {order_id: orders.order-id, expand: '{{expand}}'}
"""
TOOL = "{type: mcp, namespace: my-mcp, port: 9090, tools: [{ref: orders.get-order}]}"


def of_rest(operation: str, path: str = "/orders/{order-id}") -> str:
    return f"{{type: rest, namespace: my-rest, port: 8080, resources: [{{path: '{path}', operations: [{operation}]}}]}}"


def of_mcp(tool: str) -> str:
    return f"{{type: mcp, namespace: my-mcp, port: 9090, tools: [{tool}]}}"


def capability(*exposes: str, functions: str = GET, root: str = "") -> str:
    adapters = "".join(f"\n  - {one}" for one in exposes)
    return f"""
naftiko: 1.0.0-alpha2
{root}
capability:
  aggregates:
  - label: Orders
    namespace: orders
    functions:{functions}
{ORDERS}
  exposes:{adapters}
"""


def tool_unit(plan: CapabilityPlan) -> UnitPlan:
    return plan.mcp[0].tools[0].unit


def rest_unit(plan: CapabilityPlan) -> UnitPlan:
    return plan.rest[0].operations[0].unit


def only(text: str) -> Problem:
    (problem,) = problems_of(text)
    return problem


def line_of(text: str, part: str) -> int:
    (number,) = (n for n, line in enumerate(text.splitlines(), 1) if part in line)
    return number


# --- what is taken over


def test_a_tool_takes_over_all_of_its_function() -> None:
    plan, warnings = plan_of(capability(TOOL))
    tool = plan.mcp[0].tools[0]
    assert (tool.name, tool.unit.name, tool.unit.title) == ("get-order", "get-order", "Get an order")
    assert tool.unit.description == "One order, by its id."
    assert tool.claim == "api"
    assert tool.unit.input_schema["required"] == ["order-id"]
    assert tool.unit.input_schema["properties"]["order-id"]["maxLength"] == 36
    assert sent(tool.unit, {"order-id": "o-1", "expand": "lines"}).url == (
        "https://api.example.com/orders/o-1?expand=lines"
    )
    assert warnings == ()


def test_what_a_tool_says_itself_wins() -> None:
    outputs = "outputParameters: [{type: string, mapping: $.id}]"
    said = f"{{name: fetch, label: Fetch, description: Mine., ref: orders.get-order, {outputs}}}"
    tool = plan_of(capability(of_mcp(said)))[0].mcp[0].tools[0]
    assert (tool.name, tool.unit.title, tool.unit.description) == ("fetch", "Fetch", "Mine.")
    assert tool.unit.shape.take({"id": "o-1"}, {"id": "o-1"}, {}) == "o-1"


def test_an_operation_takes_over_name_texts_tags_and_inputs() -> None:
    plan, warnings = plan_of(capability(of_rest("{method: GET, ref: orders.get-order}")))
    operation = plan.rest[0].operations[0]
    assert (operation.unit.name, operation.unit.title, operation.tags) == ("get-order", "Get an order", ("reading",))
    assert [(i.name, i.where, i.required) for i in operation.unit.inputs] == [
        ("order-id", "path", True), ("expand", "query", False),
    ]  # fmt: skip
    assert warnings == ()


@pytest.mark.parametrize(
    ("method", "path", "place"),
    [("GET", "/orders", "query"), ("DELETE", "/orders", "query"), ("POST", "/orders", "body"),
     ("POST", "/orders/{order_id}", "path")],
)  # fmt: skip
def test_an_input_that_is_not_repeated_finds_its_place(method: str, path: str, place: str) -> None:
    plan, _ = plan_of(capability(of_rest(f"{{method: {method}, ref: orders.get-order}}", path)))
    order = next(item for item in rest_unit(plan).inputs if item.name.startswith("order"))
    assert (order.where, order.required) == (place, True)  # required as the function says, whoever exposes it


def test_a_repeated_input_says_its_place_and_keeps_what_it_does_not_say() -> None:
    repeated = "inputParameters: [{name: order-id, in: header, description: Mine.}, {name: expand, required: true}]"
    plan, _ = plan_of(capability(of_rest(f"{{method: GET, ref: orders.get-order, {repeated}}}", "/orders")))
    order, expand = rest_unit(plan).inputs
    assert (order.where, order.required) == ("header", True)
    assert order.schema == {"type": "string", "description": "Mine.", "maxLength": 36}
    assert (expand.where, expand.required) == ("query", True)


def test_a_repeated_input_of_another_type_keeps_no_limits_of_the_old_one() -> None:
    repeated = "inputParameters: [{name: order-id, type: integer}]"
    plan, _ = plan_of(capability(of_mcp(f"{{ref: orders.get-order, {repeated}}}")))
    assert tool_unit(plan).inputs[0].schema == {"type": "integer", "description": "The order."}


def test_an_input_with_a_default_is_not_required_even_where_an_operation_repeats_it() -> None:
    functions = GET.replace("description: The order., ", "default: o-1, ")
    repeated = "{method: GET, ref: orders.get-order, inputParameters: [{name: order-id, in: query}]}"
    plan, _ = plan_of(
        capability(
            of_rest(repeated, "/orders"),
            of_rest("{method: GET, ref: orders.get-order}", "/o").replace("my-rest", "second"),
            functions=functions,
        )
    )
    for adapter in plan.rest:
        order = adapter.operations[0].unit.inputs[0]
        assert (order.required, order.default) == (False, "o-1")


@pytest.mark.parametrize(
    "reference",
    ["orders.order-id", "'{{order-id}}'", "'{{orders.order-id}}'", "order-id", "my-mcp.order-id", "tools.order-id"],
)
def test_a_function_names_its_inputs_in_any_of_these_ways(reference: str) -> None:
    functions = GET.replace("orders.order-id", reference)
    plan, _ = plan_of(capability(TOOL, functions=functions))
    assert sent(tool_unit(plan), {"order-id": "o-1"}).url.endswith("/orders/o-1")


def test_the_list_and_the_map_form_are_the_same() -> None:
    exposes = (of_rest("{method: GET, ref: orders.get-order}"), TOOL)
    as_list, _ = plan_of(capability(*exposes))
    as_map, _ = plan_of(
        capability(*exposes)
        .replace("naftiko: 1.0.0-alpha2", "ikanos: 1.0.0-beta7")
        .replace("label: Orders", "display: Orders")
        .replace("functions:", "flows:")
        .replace("    - name: get-order\n      label", "      get-order:\n       display")
        .replace("\n      description", "\n       description")
        .replace("\n      tags", "\n       tags")
        .replace("\n      semantics", "\n       semantics")
        .replace("\n      call", "\n       call")
        .replace("\n      with", "\n       with")
        .replace(
            "\n      inputParameters:\n      - {name: order-id, ", "\n       inputParameters:\n        order-id: {"
        )
        .replace("\n      - {name: expand, type", "\n        expand: {type")
    )
    one, other = explain(as_list), explain(as_map)
    assert one["rest"] == other["rest"]
    assert one["mcp"] == other["mcp"]
    assert len(one["rest"][0]["operations"]) == len(one["mcp"][0]["tools"]) == 1


def test_aggregates_may_stand_at_the_root() -> None:
    text = capability(TOOL)
    start, end = text.index("  aggregates:"), text.index("\n  consumes:")
    moved = text[:start] + text[end:] + "\n".join(line[2:] for line in text[start:end].splitlines())
    assert explain(plan_of(moved)[0])["mcp"] == explain(plan_of(text)[0])["mcp"]


def test_aggregates_may_be_a_map_by_namespace() -> None:
    text = capability(TOOL)
    by_name = text.replace("  - label: Orders\n    namespace: orders\n", "   orders:\n    label: Orders\n")
    assert by_name != text
    assert explain(plan_of(by_name)[0])["mcp"] == explain(plan_of(text)[0])["mcp"]
    both = by_name.replace("    label: Orders\n", "    namespace: order\n")
    assert "ambiguous-keyword" in [problem.code for problem in problems_of(both)]


def test_a_mock_function_answers_with_the_inputs() -> None:
    functions = """
    - name: hello
      inputParameters: [{name: name, type: string}]
      outputParameters: [{name: message, type: string, value: 'Hello, {{name}}!'}]
"""
    plan, _ = plan_of(capability(of_mcp("{ref: orders.hello}"), functions=functions))
    unit = tool_unit(plan)
    assert unit.call is None
    assert unit.shape.take(None, None, Guard(unit).check({"name": "Nina"})) == {"message": "Hello, Nina!"}


def test_the_steps_of_a_function_are_those_of_a_tool() -> None:
    functions = """
    - name: twice
      inputParameters: [{name: order-id, type: string}]
      steps:
      - {type: call, name: first, call: api.get, with: {order_id: orders.order-id}}
      - {type: call, name: second, call: api.get, with: {order_id: $.first.parent}}
"""
    plan, _ = plan_of(capability(of_mcp("{ref: orders.twice}"), functions=functions))
    assert [call.operation for call in tool_unit(plan).calls] == ["api.get", "api.get"]


def test_a_resource_takes_over_its_function() -> None:
    adapter = (
        "{type: mcp, namespace: my-mcp, port: 9090, resources: "
        "[{name: order, label: An order, uri: 'order://{order-id}', ref: orders.get-order}]}"
    )
    plan, _ = plan_of(capability(adapter))
    (resource,) = plan.mcp[0].resources
    assert isinstance(resource.source, UnitPlan)
    assert (resource.title, resource.description) == ("An order", "One order, by its id.")
    assert sent(resource.source, {"order-id": "o-1"}).url.endswith("/orders/o-1")


def test_a_message_of_a_prompt_takes_over_its_function() -> None:
    adapter = (
        "{type: mcp, namespace: my-mcp, port: 9090, prompts: [{name: review, label: R, description: R., "
        "arguments: [{name: order-id, description: O.}], messages: [{role: user, ref: orders.get-order}]}]}"
    )
    (unit,) = plan_of(capability(adapter))[0].units
    assert sent(unit, {"order-id": "o-1"}).url.endswith("/orders/o-1")


# --- `with` beside `ref`: inputs of the function that callers do not give


@pytest.mark.parametrize(
    ("with_", "arguments", "url"),
    [
        pytest.param("{expand: lines}", {"order-id": "o-1"}, "/orders/o-1?expand=lines", id="a constant"),
        pytest.param("{order-id: tools.number}", {"number": "7"}, "/orders/7", id="another input"),
        pytest.param("{order_id: 'o-{{number}}'}", {"number": "7"}, "/orders/o-7", id="a template"),
        pytest.param("{order-id: my-mcp.order-id}", {"order-id": "7"}, "/orders/7", id="itself"),
        pytest.param("{order-id: 'o-{{order_id}}'}", {"order-id": "7"}, "/orders/o-7", id="itself within a text"),
        pytest.param(
            "{expand: tools.order-id}", {"order-id": "7"}, "/orders/7?expand=7", id="another of the function's"
        ),
    ],
)
def test_a_tool_gives_inputs_of_its_function_their_values(with_: str, arguments: dict[str, str], url: str) -> None:
    own = ", inputParameters: [{name: number, type: string}]" if "number" in arguments else ""
    unit = tool_unit(plan_of(capability(of_mcp(f"{{ref: orders.get-order, with: {with_}{own}}}")))[0])
    assert sent(unit, arguments).url == f"https://api.example.com{url}"
    assert set(arguments) == set(unit.input_schema["required"])


def test_a_value_that_does_not_fit_its_input_is_refused() -> None:
    problem = only(capability(of_mcp(f"{{ref: orders.get-order, with: {{order-id: {'o' * 37}}}}}")))
    assert (problem.code, problem.at.pointer) == ("bad-value", "/capability/exposes/0/tools/0/with/order-id")


def test_an_input_of_the_tool_keeps_the_limits_of_the_one_it_fills() -> None:
    said = "{ref: orders.get-order, with: {order-id: tools.number}, inputParameters: [{name: number, type: string}]}"
    schema = tool_unit(plan_of(capability(of_mcp(said)))[0]).input_schema
    assert schema["properties"]["number"] == {"type": "string", "maxLength": 36}


def test_an_entry_that_names_no_input_of_the_function_is_refused() -> None:
    text = capability(of_mcp("{ref: orders.get-order, with: {expanded: x}}"))
    problem = only(text)
    assert (problem.code, problem.hint) == ("unknown-parameter", "did you mean 'expand'?")
    assert problem.at.line == line_of(text, "expanded")


# --- hints


@pytest.mark.parametrize(
    ("semantics", "hints", "expected"),
    [
        pytest.param("{safe: true}", "{}", (True, False, None, None), id="safe"),
        pytest.param("{safe: false}", "{}", (False, None, None, None), id="not safe"),
        pytest.param("{idempotent: true}", "{}", (False, None, True, None), id="idempotent alone"),
        pytest.param("{idempotent: false, cacheable: true}", "{}", (False, None, False, None), id="not idempotent"),
        pytest.param("{safe: true, idempotent: true}", "{openWorld: true, destructive: true}",
                     (True, True, True, True), id="the tool's own win"),
        pytest.param("{safe: true}", "{readOnly: false}", (False, False, None, None), id="each for itself"),
    ],
)  # fmt: skip
def test_semantics_become_hints(semantics: str, hints: str, expected: tuple[bool | None, ...]) -> None:
    functions = GET.replace("{safe: true, idempotent: true}", semantics)
    plan, _ = plan_of(capability(of_mcp(f"{{ref: orders.get-order, hints: {hints}}}"), functions=functions))
    found = plan.mcp[0].tools[0].hints
    assert found is not None
    assert (found.read_only, found.destructive, found.idempotent, found.open_world) == expected


def test_without_semantics_a_tool_is_announced_by_what_it_does() -> None:
    functions = GET.replace("      semantics: {safe: true, idempotent: true}\n", "")
    assert plan_of(capability(TOOL, functions=functions))[0].mcp[0].tools[0].hints is None


@pytest.mark.parametrize(("call", "severity"), [("api.find", "warning"), ("api.cancel", "error")])
def test_a_safe_function_that_does_not_only_read_is_told(call: str, severity: str) -> None:
    functions = f"""
    - name: look
      semantics: {{safe: true}}
      inputParameters: [{{name: order_id, type: string}}, {{name: text, type: string, required: false}}]
      call: {call}
"""
    text = capability(
        of_mcp("{ref: orders.look}"),
        functions=functions.replace(", {name: text, type: string, required: false}", "")
        if call == "api.cancel"
        else functions,
    )
    if severity == "warning":
        assert warnings_of(text) == ["unsafe-function"]
        return
    problem = only(text)
    assert (problem.code, problem.at.pointer) == (
        "unsafe-function", "/capability/aggregates/0/functions/0/semantics/safe",
    )  # fmt: skip


# --- what is refused


def test_a_reference_to_nothing_is_told_with_what_was_meant() -> None:
    text = capability(of_mcp("{name: x, ref: orders.get-ordr}"))
    problem = only(text)
    assert (problem.code, problem.hint) == ("unknown-function", "did you mean 'orders.get-order'?")
    assert problem.at.pointer == "/capability/exposes/0/tools/0/ref"


def test_a_reference_to_an_operation_is_told_to_be_a_call() -> None:
    assert only(capability(of_mcp("{name: x, ref: api.get}"))).hint == "it is an operation of an API: call: api.get"


def test_a_call_of_a_function_is_told_to_be_a_reference() -> None:
    problem = only(capability(of_mcp("{name: x, call: orders.get-order}")))
    assert (problem.code, problem.hint) == (
        "unknown-operation",
        "it is a function of an aggregate: ref: orders.get-order",
    )


def test_a_function_does_not_refer_to_another() -> None:
    text = capability(TOOL, functions=f"{GET}    - {{name: more, ref: orders.get-order}}\n")
    problem = only(text)
    assert (problem.code, problem.at.line) == ("chained-ref", line_of(text, "name: more"))


def test_a_fault_of_a_function_is_not_told_again_of_those_that_refer_to_it(tmp_path: Path) -> None:
    path = tmp_path / "capability.yaml"
    path.write_text(
        capability(of_mcp("{ref: orders.more}"), functions=f"{GET}    - {{name: more, ref: orders.get-order}}\n")
    )
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    assert [problem.code for problem in caught.value.problems] == ["chained-ref"]


@pytest.mark.parametrize(
    ("beside", "code"),
    [
        ("call: api.get", "ambiguous-call"),
        ("steps: [{type: call, name: a, call: api.get}]", "ambiguous-call"),
        ("mappings: [{targetName: a, value: $.b}]", "unknown-keyword"),
    ],
)
def test_what_is_called_is_said_by_the_function_alone(beside: str, code: str) -> None:
    assert only(capability(of_mcp(f"{{ref: orders.get-order, {beside}}}"))).code == code


def test_a_fault_in_a_function_is_told_once_at_its_own_line() -> None:
    text = capability(TOOL, of_rest("{method: GET, ref: orders.get-order}"),
                      functions=GET.replace("order_id:", "ordr_id:"))  # fmt: skip
    found = [problem for problem in problems_of(text) if problem.code == "unknown-parameter"]
    assert [problem.at.line for problem in found] == [line_of(text, "ordr_id")]


def test_a_function_that_names_one_adapter_cannot_be_exposed_by_another() -> None:
    functions = GET.replace("orders.order-id", "my-mcp.order-id")
    problem = only(capability(TOOL, of_rest("{method: GET, ref: orders.get-order}"), functions=functions))
    assert (problem.code, problem.hint) == ("unknown-name", "did you mean 'orders.order-id'?")


def test_a_function_that_nothing_refers_to_is_checked_and_not_exposed() -> None:
    unused = GET.replace("get-order", "other")
    plan, _ = plan_of(capability(TOOL, functions=GET + unused))
    assert [unit.name for unit in plan.units] == ["get-order"]
    text = capability(TOOL, functions=GET + unused.replace("api.get", "api.gett"))
    problem = only(text)
    assert (problem.code, problem.at.line) == ("unknown-operation", line_of(text, "api.gett"))


def test_a_function_without_a_call_is_told_where_it_stands() -> None:
    text = capability(of_mcp("{ref: orders.nothing}"), functions="\n    - {name: nothing, description: d}\n")
    problem = only(text)
    assert (problem.code, problem.at.line) == ("nothing-to-call", line_of(text, "name: nothing"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(capability(TOOL).replace("    namespace: orders\n", ""), "missing-keyword", id="no namespace"),
        pytest.param(capability(TOOL, functions=" []"), "missing-keyword", id="no functions"),
        pytest.param(capability(TOOL, functions=GET + GET), "duplicate-name", id="a function twice"),
        pytest.param(capability(TOOL).replace("    functions:", "    flows: {a: {call: api.get}}\n    functions:"),
                     "ambiguous-keyword", id="functions and flows"),
        pytest.param(capability(TOOL).replace("safe: true,", "save: true,"), "unknown-keyword", id="no such meaning"),
        pytest.param(capability(TOOL).replace("      call: api.get", "      call: api.get\n      method: GET"),
                     "unknown-keyword", id="no keyword of a function"),
        pytest.param(capability(TOOL, root="aggregates: [{namespace: orders, functions: [{name: a, call: api.get}]}]"),
                     "duplicate-namespace", id="a namespace twice"),
        pytest.param(capability(of_mcp("{name: x, ref: orders.get-order.x}")), "unknown-function", id="three segments"),
        pytest.param(capability(TOOL, functions=GET + "      outputMediaType: png"), "wrong-form", id="no media type"),
    ],
)  # fmt: skip
def test_what_an_aggregate_cannot_be_is_refused(text: str, code: str) -> None:
    assert code in [problem.code for problem in problems_of(text)]


def test_a_tool_without_a_name_needs_a_reference() -> None:
    assert [p.code for p in problems_of(capability(of_mcp("{call: api.get}")))] == ["missing-keyword"]


def test_the_published_example_runs(tmp_path: Path) -> None:
    """Of the peer's own example: one mock function behind a tool and a route."""
    text = """
ikanos: 1.0.0-beta1
capability:
  aggregates:
  - display: Greeting
    namespace: greeting
    flows:
      hello:
        inputParameters: {name: {type: string, description: Who.}}
        outputParameters: {message: {type: string, value: 'Hello, {{name}}!'}, source: {type: string, value: mock}}
  exposes:
  - {type: mcp, port: 9200, namespace: greeting-mcp, tools: {hello: {description: Greet., ref: greeting.hello}}}
  - type: rest
    port: 9201
    namespace: greeting-rest
    resources:
      hello:
        path: /hello
        operations:
          hello: {method: GET, ref: greeting.hello, inputParameters: {name: {in: query, type: string}}}
"""
    plan, warnings = plan_of(text, folder=tmp_path)
    assert [unit.shape.take(None, None, {"name": "Nina"}) for unit in plan.units] == [
        {"message": "Hello, Nina!", "source": "mock"}
    ] * 2
    assert warnings == ()
