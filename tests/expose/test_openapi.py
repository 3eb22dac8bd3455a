"""The document at /openapi.json: valid, complete, and true to the plan."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from capstan.expose.openapi import openapi_document
from capstan.load import load
from capstan.load.files import find_files
from capstan.plan.build import build_plan
from capstan.plan.explain import explain
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan
from plan.helpers import capability, plan_of

ROOT = Path(__file__).parents[2]
# Tool sets for agents have no routes to describe.
BUNDLED = [file for file in find_files([str(ROOT / "capabilities")])[0] if "type: rest" in file.read_text("utf-8")]
PUBLISHED = sorted((ROOT.parent / "shared" / "specs" / "published").glob("*.yaml"))


def document(*plans: CapabilityPlan) -> dict[str, Any]:
    """The document of all routes, checked to be OpenAPI 3.1 and plain JSON."""
    site, _ = join_plans(plans)
    port = next(port for port in site.ports if port.has_rest)
    found: dict[str, Any] = json.loads(
        json.dumps(openapi_document(port.title, port.version, port.description, port.operations))
    )
    OpenAPIV31SpecValidator(found).validate()
    identifiers = Counter(o["operationId"] for item in found["paths"].values() for o in item.values())
    assert max(identifiers.values()) == 1
    return found


def described(operation: str, rest: str = "{}", path: str = "/v1/things") -> dict[str, Any]:
    """The one operation of a document."""
    found = document(plan_of(capability(operation, rest=rest, path=path))[0])
    ((_, item),) = found["paths"].items()
    ((_, described),) = item.items()
    return dict(described)


@pytest.mark.parametrize("file", BUNDLED, ids=lambda file: file.stem)
def test_the_document_of_a_bundled_capability_is_valid(file: Path) -> None:
    document(build_plan(load(file))[0])


def test_bundled_capabilities_have_one_document_together() -> None:
    document(*(build_plan(load(file))[0] for file in BUNDLED))


@pytest.mark.skipif(not PUBLISHED, reason="the published catalogue files are not beside this repository")
def test_the_documents_of_the_published_files_are_valid() -> None:
    plans = [build_plan(load(file))[0] for file in PUBLISHED]
    for plan in plans:
        document(plan)
    document(*plans)


EVERY_PLACE = """
method: POST
inputParameters:
- {name: id, in: path, type: string, required: true, description: Which.}
- {name: 'filter[status]', in: query, type: array, items: {type: string, enum: [a, b]}, default: [a]}
- {name: $top, in: query, type: integer, minimum: 1, maximum: 100, default: 10, description: How many.}
- {name: since, in: query, schema: {type: string, format: date, pattern: '^2'}, nullable: true}
- {name: X-Trace, in: header, type: boolean, required: true}
- {name: Authorization, in: header, type: string}
- {name: Content-Type, in: header, type: string}
- {name: sid, in: cookie, type: string, deprecated: true}
- name: body
  in: body
  type: object
  required: true
  description: What to do.
  properties:
    amount: {type: integer, required: true, minimum: 0}
    lines: {type: array, items: {type: object, properties: {sku: {type: string, example: a-1}}}}
    extra: {type: object, additionalProperties: {type: string}}
"""


def test_every_place_and_keyword_is_described() -> None:
    found = described(EVERY_PLACE,
                      "{tags: [orders], description: Does it.,"
                      " outputParameters: [{name: a, type: integer, mapping: $.a}]}",
                      "/v1/things/{id}")  # fmt: skip
    assert {(p["name"], p["in"], p.get("required", False)) for p in found["parameters"]} == {
        ("id", "path", True), ("filter[status]", "query", False), ("$top", "query", False), ("since", "query", False),
        ("X-Trace", "header", True), ("sid", "cookie", False),
    }  # fmt: skip
    top = next(p for p in found["parameters"] if p["name"] == "$top")
    assert top == {"name": "$top", "in": "query", "description": "How many.",
                   "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}}  # fmt: skip
    body = found["requestBody"]
    assert (body["required"], body["description"]) == (True, "What to do.")
    assert body["content"]["application/json"]["schema"]["required"] == ["amount"]
    assert found["responses"]["200"]["content"]["application/json"]["schema"]["properties"] == {
        "a": {"type": ["integer", "null"]}
    }
    assert "application/problem+json" in found["responses"]["default"]["content"]
    assert (found["tags"], found["description"], found["x-effect"]) == (["orders"], "Does it.", "write")


def test_members_of_a_body_are_one_object() -> None:
    body = described(
        "{method: POST, inputParameters: [{name: to, in: body, type: string, required: true, description: Whom.},"
        " {name: n, in: body, type: integer}]}"
    )["requestBody"]
    assert body["content"]["application/json"]["schema"] == {
        "type": "object", "properties": {"to": {"type": "string", "description": "Whom."}, "n": {"type": "integer"}},
        "additionalProperties": False, "required": ["to"],
    }  # fmt: skip


def test_an_input_inside_the_body_is_described_where_it_stands() -> None:
    body = "{type: json, data: {id: '{{id}}', first: '{{first}}'}}"
    inputs = """[{name: id, in: body, type: string, value: $.user.id, required: true},
                 {name: first, in: body, type: string, description: Of the name., value: $.user.name.first}]"""
    told = described(f"{{method: POST, body: {body}}}", f"{{inputParameters: {inputs}}}")["requestBody"]
    name = {"type": "object", "properties": {"first": {"type": "string", "description": "Of the name."}}}
    user = {"type": "object", "properties": {"id": {"type": "string"}, "name": name}, "required": ["id"]}
    assert told["content"]["application/json"]["schema"] == {
        "type": "object", "properties": {"user": user}, "additionalProperties": False, "required": ["user"],
    }  # fmt: skip
    assert told["required"] is True


def test_an_operation_without_inputs_has_neither_parameters_nor_body() -> None:
    found = described("{}")
    assert "parameters" not in found
    assert "requestBody" not in found


def two_routes(
    first: str, second: str, methods: tuple[str, str] = ("GET", "DELETE"), names: tuple[str, str] = ("a", "b")
) -> dict[str, Any]:
    """A capability of two routes."""
    data = capability("{}", rest="{}")
    api, rest = data["capability"]["consumes"][0], data["capability"]["exposes"][0]
    api["resources"] = [
        {"name": f"r{i}", "path": path, "operations": [{"name": f"op{i}", "method": method}]}
        for i, (path, method) in enumerate(zip((first, second), methods, strict=True))
    ]
    rest["resources"] = [
        {"path": path, "operations": [{"method": method, "name": name, "call": f"api.op{i}"}]}
        for i, (path, method, name) in enumerate(zip((first, second), methods, names, strict=True))
    ]
    return data


def test_routes_that_differ_in_the_name_of_a_variable_are_one_path() -> None:
    found = document(plan_of(two_routes("/files/{fileid}", "/files/{folder-id}"))[0])
    assert list(found["paths"]) == ["/files/{fileid}"]
    assert {method: o["parameters"][0]["name"] for method, o in found["paths"]["/files/{fileid}"].items()} == {
        "get": "fileid", "delete": "fileid",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/a/{{id}}", "/a/{id}.json", "/a/{x}-{y}/b", "/a b/{id}", "/#x/{id}", "/a/{order-id}"]
)
def test_odd_routes_are_described(path: str) -> None:
    document(plan_of(two_routes(path, path))[0])


def test_one_name_for_several_operations_gives_several_ids() -> None:
    plans = []
    for index, names in enumerate([("get", "get"), ("get-2", "get"), ("get", "get-2-2")]):
        data = two_routes(f"/x{index}", f"/y{index}", names=names)
        plans.append(plan_of(yaml.safe_dump(data))[0])
    document(*plans)


def test_the_description_of_the_adapter_is_that_of_the_document() -> None:
    data = capability(rest="{}")
    data["capability"]["exposes"][0]["description"] = "About things."
    found = document(plan_of(data)[0])
    assert found["info"] == {"title": "Test", "version": "1.0.0", "description": "About things."}


def test_the_title_and_version_of_the_file_are_those_of_the_document() -> None:
    data = capability(rest="{}")
    data["info"] = {"label": "Things", "version": "2.10"}
    assert {**document(plan_of(data)[0])["info"], "description": ""} == {
        "title": "Things", "version": "2.10", "description": "",
    }  # fmt: skip


def test_what_is_read_from_another_format_is_described_as_json() -> None:
    answer = described("outputRawFormat: csv")["responses"]["200"]
    assert list(answer["content"]) == ["application/json"]
    assert "read as csv" in answer["description"]


def test_tags_are_those_of_the_operation_else_of_its_resource() -> None:
    data = capability(rest="tags: [own]")
    (resource,) = data["capability"]["exposes"][0]["resources"]
    resource["tags"] = ["shared"]
    resource["operations"].append({"method": "DELETE", "name": "other", "call": "api.op"})
    (item,) = document(plan_of(data)[0])["paths"].values()
    assert (item["get"]["tags"], item["delete"]["tags"]) == (["own"], ["shared"])


def test_what_mappings_put_together_is_an_object_of_their_names() -> None:
    rest = """{call: null, with: null, steps: [{name: one, call: api.op}],
               mappings: [{target: a.b, value: $.one.x}, {target: a.c, value: 1}, {target: d, value: [$.one.y]}]}"""
    data = capability("{}", rest=rest)
    (operation,) = data["capability"]["exposes"][0]["resources"][0]["operations"]
    del operation["call"], operation["with"]
    plan, _ = plan_of(data)
    ((_, item),) = document(plan)["paths"].items()
    responses = item["get"]["responses"]
    schema = {
        "type": "object",
        "properties": {"a": {"type": "object", "properties": {"b": {}, "c": {}}}, "d": {}},
    }
    assert responses["200"] == {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    told = explain(plan)["rest"][0]["operations"][0]
    assert told["answer"] == told["mappings"] == {"a": {"b": "<$.one.x>", "c": 1}, "d": ["<$.one.y>"]}
