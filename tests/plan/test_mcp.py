"""Resources and prompts: what is refused when a file is loaded, and what becomes of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.errors import LoadError, Problem
from capstan.plan.explain import explain
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan, FolderPlan, UnitPlan
from plan.helpers import plan_of

API = """
type: http
namespace: api
baseUri: https://api.example.com
resources:
- name: things
  path: /things
  operations:
  - {name: all, method: GET, inputParameters: [{name: limit, in: query, type: integer}]}
  - {name: one, method: GET, path: '/{id}', inputParameters: [{name: id, in: path, type: integer}]}
  - name: typed
    method: GET
    inputParameters: [{name: kind, in: query, type: string, required: true}]
  - {name: change, method: POST, path: '/{id}'}
  - {name: drop, method: DELETE, path: '/{id}'}
  - {name: find, method: POST, effect: read, inputParameters: [{name: q, in: body, type: string}]}
"""


def file(resources: str = "[]", prompts: str = "[]", **changes: Any) -> dict[str, Any]:
    mcp = {"type": "mcp", "namespace": "my-mcp", "port": 9090,
           "resources": yaml.safe_load(resources), "prompts": yaml.safe_load(prompts), **changes}  # fmt: skip
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Test"},
        "capability": {"consumes": [yaml.safe_load(API)], "exposes": [mcp]},
    }


def planned(tmp_path: Path, resources: str = "[]", prompts: str = "[]", **changes: Any) -> CapabilityPlan:
    return plan_of(file(resources, prompts, **changes), {}, folder=tmp_path)[0]


def problems(tmp_path: Path, resources: str = "[]", prompts: str = "[]") -> list[Problem]:
    """What a file is refused for, else what it is warned of."""
    try:
        plan, warnings = plan_of(file(resources, prompts), {}, folder=tmp_path)
        return [*warnings, *join_plans([plan])[1]]
    except LoadError as error:
        return list(error.problems)


def codes(tmp_path: Path, resources: str = "[]", prompts: str = "[]") -> list[str]:
    return [problem.code for problem in problems(tmp_path, resources, prompts)]


# --- resources


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        pytest.param("{uri: 'data://x', call: api.all}", "missing-keyword", id="no name"),
        pytest.param("{name: r, call: api.all}", "missing-keyword", id="no uri"),
        pytest.param("{name: r, uri: 'data://x'}", "nothing-to-call", id="nothing behind it"),
        pytest.param("{name: r, uri: orders, call: api.all}", "bad-expression", id="no scheme"),
        pytest.param("{name: r, uri: 'data://{+x}', call: api.all}", "bad-expression", id="an operator"),
        pytest.param("{name: r, uri: 'data://x', call: api.al}", "unknown-operation", id="no such operation"),
        pytest.param("{name: r, uri: 'data://x', call: api.one}", "unfilled-input", id="a path nothing fills"),
        pytest.param("{name: r, uri: 'data://x', call: api.typed}", "unfilled-input", id="a query nothing fills"),
        pytest.param(
            "{name: r, uri: 'data://{x}', call: api.one, with: {id: '{{y}}'}}", "unknown-name", id="no such variable"
        ),
        pytest.param(
            "{name: r, uri: 'data://{x}', call: api.one, with: {id: mcp.y}}", "unfilled-input", id="no such input"
        ),
        pytest.param("{name: r, uri: 'data://x', call: api.all, mimeType: json}", "wrong-form", id="no media type"),
        pytest.param("{name: r, uri: 'data://x', call: api.all, port: 1}", "unknown-keyword", id="unknown keyword"),
        pytest.param("{name: r, uri: 'data://x', call: api.all, binary: 'yes'}", "wrong-type", id="no boolean"),
        pytest.param(
            "{name: r, uri: 'data://x', call: api.all, binary: true, outputParameters: [{type: string, mapping: $.a}]}",
            "ambiguous-call", id="binary and mapped",
        ),
        pytest.param("{name: r, uri: 'docs://x', location: 'file:///./nothing'}", "missing-file", id="no such folder"),
        pytest.param("{name: r, uri: 'docs://x', location: 'file:///./capability.yaml'}", "missing-file", id="a file"),
        pytest.param("{name: r, uri: 'docs://x', location: ./docs}", "wrong-form", id="no file URI"),
        pytest.param("{name: r, uri: 'docs://{x}', location: 'file:///./docs'}", "bad-expression", id="a template"),
        pytest.param(
            "{name: r, uri: 'docs://x', location: 'file:///./docs', call: api.all}", "ambiguous-call", id="both"
        ),
    ],
)  # fmt: skip
def test_a_resource_that_cannot_be_read_is_refused(resource: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    assert code in codes(tmp_path, f"[{resource}]")
    with pytest.raises(LoadError):
        planned(tmp_path, f"[{resource}]")


def test_a_name_of_a_resource_is_taken_once(tmp_path: Path) -> None:
    resources = "[{name: r, uri: 'data://x', call: api.all}, {name: r, uri: 'data://y', call: api.all}]"
    assert codes(tmp_path, resources) == ["duplicate-name"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("data://x", "data://x"), ("data://x/{a}", "data://x/{b}"), ("data://é", "DATA://%C3%A9"),
    ],
)  # fmt: skip
def test_a_uri_is_taken_once(one: str, other: str, tmp_path: Path) -> None:
    resources = [{"name": name, "uri": uri, "outputParameters": [{"type": "string", "value": "x"}]}
                 for name, uri in (("a", one), ("b", other))]  # fmt: skip
    found = problems(tmp_path, yaml.safe_dump(resources))
    assert "duplicate-uri" in [problem.code for problem in found]
    told = next(problem for problem in found if problem.code == "duplicate-uri")
    assert told.at.pointer.endswith("/resources/1/uri")


def test_a_folder_does_not_lie_in_the_uris_of_another(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for one, other in (("docs://x", "docs://x/y"), ("docs://x/y/", "docs://x"), ("docs://x/", "docs://x")):
        resources = [{"name": n, "uri": u, "location": "file:///./docs"} for n, u in (("a", one), ("b", other))]
        assert codes(tmp_path, yaml.safe_dump(resources)) == ["duplicate-uri"], (one, other)
    resources = [
        {"name": n, "uri": u, "location": "file:///./docs"} for n, u in (("a", "docs://x"), ("b", "docs://xy"))
    ]
    assert codes(tmp_path, yaml.safe_dump(resources)) == []


def test_two_files_may_not_offer_one_uri_on_one_port(tmp_path: Path) -> None:
    one = planned(tmp_path, "[{name: r, uri: 'data://x', call: api.all}]")
    other = planned(tmp_path, "[{name: s, uri: 'data://x', call: api.all}]", namespace="other-mcp")
    with pytest.raises(LoadError) as caught:
        join_plans([one, other])
    (problem,) = caught.value.problems
    assert (problem.code, "by another file too" in problem.message) == ("duplicate-uri", True)
    elsewhere = planned(tmp_path, "[{name: s, uri: 'data://x', call: api.all}]", namespace="other-mcp", port=9091)
    join_plans([one, elsewhere])


def test_a_variable_has_the_type_of_the_parameter_it_fills(tmp_path: Path) -> None:
    for resource in (
        "{name: r, uri: 'data://{id}', call: api.one}",
        "{name: r, uri: 'data://{x}', call: api.one, with: {id: '{{x}}'}}",
        "{name: r, uri: 'data://{x}', call: api.one, with: {id: '{x}'}}",
        "{name: r, uri: 'data://{x}', call: api.one, with: {id: my-mcp.x}}",
        "{name: r, uri: 'data://{x}', call: api.one, with: {id: mcp.x}}",
    ):
        (found,) = planned(tmp_path, f"[{resource}]").mcp[0].resources
        assert isinstance(found.source, UnitPlan)
        (variable,) = found.source.inputs
        assert (variable.required, variable.schema["type"]) == (True, "integer"), resource
        assert found.slots == ((found.uri.holes[0], variable.name),)


@pytest.mark.parametrize(("call", "effect"), [("api.change", "a write"), ("api.drop", "an irreversible")])
def test_a_resource_whose_call_is_no_read_is_warned_of(call: str, effect: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"[{{name: r, uri: 'data://{{id}}', call: {call}}}]")
    assert (problem.code, problem.severity) == ("unsafe-read", "warning")
    assert effect in problem.message
    assert codes(tmp_path, "[{name: r, uri: 'data://{q}', call: api.find}]") == []


def test_an_unused_variable_is_warned_of(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "[{name: r, uri: 'data://{a}/{id}', call: api.one, with: {id: mcp.id}}]")
    assert (problem.code, problem.severity, "'a'" in problem.message) == ("unused-input", "warning", True)


def test_a_folder_is_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (found,) = planned(tmp_path, "[{name: r, uri: 'docs://x', location: 'file:///./docs'}]").mcp[0].resources
    assert found.source == FolderPlan(tmp_path / "docs")
    resource = f"[{{name: r, uri: 'docs://x', location: 'file://{tmp_path}/docs'}}]"
    assert planned(tmp_path, resource).mcp[0].resources[0].source == FolderPlan(tmp_path / "docs")


def test_a_resource_may_be_a_function_of_an_aggregate(tmp_path: Path) -> None:
    data = file("[{name: r, uri: 'data://{id}', ref: things.get-one, mimeType: application/json}]")
    data["capability"]["aggregates"] = yaml.safe_load("""
    - label: Things
      namespace: things
      functions:
      - name: get-one
        description: One thing.
        semantics: {safe: true}
        inputParameters: [{name: id, type: integer, description: Which., minimum: 1}]
        call: api.one
        with: {id: things.id}
    """)
    plan, warnings = plan_of(data, {}, folder=tmp_path)
    assert warnings == ()
    (resource,) = plan.mcp[0].resources
    assert resource.description == "One thing."
    assert isinstance(resource.source, UnitPlan)
    assert resource.source.inputs[0].schema["minimum"] == 1


def test_an_input_of_an_aggregate_that_no_variable_fills_is_refused(tmp_path: Path) -> None:
    data = file("[{name: r, uri: 'data://x', ref: things.get-one}]")
    data["capability"]["aggregates"] = yaml.safe_load("""
    - label: Things
      namespace: things
      functions:
      - name: get-one
        description: One thing.
        inputParameters: [{name: id, type: integer, description: Which.}]
        call: api.one
    """)
    with pytest.raises(LoadError) as caught:
        plan_of(data, {}, folder=tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["unfilled-input"]


# --- prompts


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        pytest.param("{template: [{role: user, content: x}]}", "missing-keyword", id="no name"),
        pytest.param("{name: p}", "missing-keyword", id="nothing in it"),
        pytest.param("{name: p, template: []}", "out-of-range", id="no message"),
        pytest.param("{name: p, template: [{role: system, content: x}]}", "unknown-value", id="another role"),
        pytest.param("{name: p, template: [{content: x}]}", "missing-keyword", id="no role"),
        pytest.param("{name: p, template: [{role: user}]}", "missing-keyword", id="a message of nothing"),
        pytest.param(
            "{name: p, template: [{role: user, content: x}], messages: [{role: user, content: x}]}",
            "ambiguous-call", id="two forms",
        ),
        pytest.param(
            "{name: p, template: [{role: user, content: x, call: api.all}]}", "ambiguous-call", id="text and call"
        ),
        pytest.param("{name: p, template: [{role: user, content: '{{x}}'}]}", "unknown-name", id="no such argument"),
        pytest.param("{name: p, template: [{role: user, call: api.one}]}", "unfilled-input", id="nobody gives it"),
        pytest.param("{name: p, template: [{role: user, call: api.on}]}", "unknown-operation", id="no such operation"),
        pytest.param("{name: p, location: 'file:///./nothing.md'}", "missing-file", id="no such file"),
        pytest.param("{name: p, location: 'file:///./docs'}", "missing-file", id="a folder"),
        pytest.param("{name: p, location: 'file:///./latin.md'}", "wrong-encoding", id="not UTF-8"),
        pytest.param("{name: p, location: 'file:///./large.md'}", "too-large", id="too large"),
        pytest.param(
            "{name: p, arguments: [{name: a}, {name: a}], template: [{role: user, content: '{a}'}]}",
            "duplicate-name", id="an argument twice",
        ),
        pytest.param(
            "{name: p, arguments: [{name: a, type: string}], template: [{role: user, content: '{a}'}]}",
            "unknown-keyword", id="an argument has no type",
        ),
    ],
)  # fmt: skip
def test_a_prompt_that_cannot_be_given_is_refused(prompt: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "latin.md").write_bytes(b"Gr\xfc\xdfe")
    (tmp_path / "large.md").write_bytes(b"x" * (4 * 1024**2 + 1))
    assert code in codes(tmp_path, prompts=f"[{prompt}]")
    with pytest.raises(LoadError):
        planned(tmp_path, prompts=f"[{prompt}]")


def test_an_argument_that_nothing_uses_is_warned_of(tmp_path: Path) -> None:
    prompt = "{name: p, arguments: [{name: a}, {name: id}], template: [{role: user, call: api.one}]}"
    (problem,) = problems(tmp_path, prompts=f"[{prompt}]")
    assert (problem.code, problem.severity, "'a'" in problem.message) == ("unused-input", "warning", True)


def test_a_value_that_looks_like_an_argument_of_a_prompt_is_warned_of(tmp_path: Path) -> None:
    prompt = """
- name: p
  arguments: [{name: kind, description: Kind.}]
  template: [{role: user, content: '{{kind}}'}, {role: user, call: api.typed, with: {kind: kynd}}]
"""
    [problem] = problems(tmp_path, prompts=prompt)
    assert (problem.code, problem.severity, problem.hint) == ("text-like-reference", "warning", "did you mean 'kind'?")


def test_a_prompt_that_changes_something_is_warned_of(tmp_path: Path) -> None:
    prompt = "{name: p, arguments: [{name: id}], template: [{role: user, call: api.change}]}"
    assert codes(tmp_path, prompts=f"[{prompt}]") == ["unsafe-read"]


def test_a_setting_may_stand_in_a_prompt_and_a_secret_may_not(tmp_path: Path) -> None:
    data = file(prompts="[{name: p, template: [{role: user, content: 'Shop {{env.SHOP}}'}]}]")
    data["binds"] = [{"namespace": "env", "keys": {"SHOP": "SHOP"}, "defaults": {"SHOP": "north"}}]
    plan, _ = plan_of(data, {"SHOP": "south"}, folder=tmp_path)
    assert plan.mcp[0].prompts[0].messages[0].content == ("Shop ", "south")
    data["binds"] = [{"namespace": "env", "keys": {"SHOP": "SHOP"}}]
    with pytest.raises(LoadError) as caught:
        plan_of(data, {"SHOP": "south"}, folder=tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["secret-in-answer"]


def test_the_file_of_a_prompt_is_watched_with_the_capability(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("\ufeffHello {{who}}")
    plan = planned(tmp_path, prompts="[{name: p, arguments: [{name: who}], location: 'file:///./p.md'}]")
    assert plan.sources == (str(tmp_path / "p.md"),)
    assert plan.mcp[0].prompts[0].messages[0].content[0] == "Hello "


def test_an_adapter_may_have_prompts_alone_and_maps_are_lists(tmp_path: Path) -> None:
    prompts = "{p: {arguments: {a: {display: A}}, template: [{role: user, content: '{{{a}}} {{A}} {b} {'}]}}"
    (prompt,) = planned(tmp_path, prompts=prompts).mcp[0].prompts
    assert (prompt.name, prompt.arguments[0].title, prompt.arguments[0].required) == ("p", "A", True)
    told = explain(planned(tmp_path, prompts=prompts))["mcp"][0]["prompts"]
    assert told == [
        {"prompt": "p", "arguments": {"a": {"required": True}},
         "messages": [{"role": "user", "text": "<a> <a> {b} {"}]},
    ]  # fmt: skip


def test_what_is_planned_is_explained(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    plan = planned(
        tmp_path,
        "[{name: r, uri: 'data://{id}', call: api.one}, {name: d, uri: 'docs://x', location: 'file:///./docs'}]",
        "[{name: p, arguments: [{name: id}], messages: [{role: assistant, call: api.one}]}]",
    )
    told = explain(plan)["mcp"][0]
    assert told["tools"] == []
    resource, folder = told["resources"]
    assert resource["resource"] == "data://{id}"
    assert resource["call"]["url"] == "https://api.example.com/things/<id>"
    assert (folder["resource"], folder["files"]) == ("docs://x", str(tmp_path / "docs"))
    (prompt,) = told["prompts"]
    assert prompt["arguments"] == {"id": {"required": True}}  # a path cannot do without
    assert prompt["messages"][0]["call"]["operation"] == "api.one"
    assert {unit.name for unit in plan.units} == {"r", "p"}


def test_an_argument_of_one_message_need_not_be_that_of_another(tmp_path: Path) -> None:
    prompt = """{name: p, arguments: [{name: a}, {name: id}],
                 template: [{role: user, content: '{a}'}, {role: user, call: api.one}]}"""
    assert codes(tmp_path, prompts=f"[{prompt}]") == []
    (found,) = planned(tmp_path, prompts=f"[{prompt}]").mcp[0].prompts
    assert [item.name for unit in found.units for item in unit.inputs] == ["id"]
