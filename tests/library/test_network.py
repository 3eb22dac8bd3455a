"""The Klarna Network files: each operation has a route and a tool, aimed at a test host and marked for what it does."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from capstan.errors import LoadError
from capstan.load import load
from capstan.load.files import find_files
from capstan.plan.build import build_plan
from capstan.plan.request import HttpRequest
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan, RestOperationPlan, ToolPlan, UnitPlan

ROOT = Path(__file__).parents[2]
KLARNA = ROOT / "capabilities" / "klarna"
FILES = {file.stem: file for file in find_files([str(KLARNA / "network")])[0]}
CATALOGUE = ROOT.parent / "shared" / "klarna" / "network-operations.yaml"

NETWORK = "https://api-global.test.klarna.com"
PLAYGROUND = "https://api.playground.klarna.com"
REGIONAL = {"disputes-v4", "on-site-messaging-classic"}
WITHOUT_CREDENTIALS = {"on-site-messaging-classic"}
WITHOUT_KEYS = {"plugin-integration"}  # and what is not v2

MONEY = {
    "authorize-payment", "capture-payment-transaction", "confirm-payment-confirmation-token",
    "reauthorize-payment-transaction", "refund-payment-capture", "refund-payment-transaction",
}  # fmt: skip
IRREVERSIBLE = {  # beyond every DELETE
    "accept-dispute-loss", "accept-dispute-loss-v4", "disable-payment-product", "enforce-mtls",
    "revoke-client-certificate", "revoke-customer-token", "void-payment-transaction",
}  # fmt: skip
READING_POSTS = {"customer-exists", "introspect-customer-token", "read-plugin-features"}


@functools.cache
def plan_of(stem: str) -> CapabilityPlan:
    plan, warnings = build_plan(load(FILES[stem]), {"KLARNA_NETWORK_API_KEY": "klarna_test_api_x"})
    assert warnings == ()
    return plan


def operation_name(unit: UnitPlan) -> str:
    assert unit.call is not None
    return unit.call.operation.partition(".")[2]


def pairs(stem: str) -> Iterator[tuple[RestOperationPlan, ToolPlan]]:
    """The route and the tool of each operation of a file."""
    (rest,), (mcp,) = plan_of(stem).rest, plan_of(stem).mcp
    tools = {operation_name(tool.unit): tool for tool in mcp.tools}
    assert len(tools) == len(mcp.tools) == len(rest.operations)
    for route in rest.operations:
        yield route, tools[operation_name(route.unit)]


def pair(stem: str, name: str) -> tuple[RestOperationPlan, ToolPlan]:
    return next(found for found in pairs(stem) if operation_name(found[0].unit) == name)


def request_of(route: RestOperationPlan, unit: UnitPlan, **arguments: Any) -> HttpRequest:
    """What a route or the tool beside it sends, with each variable of the path filled by its own name."""
    assert unit.call is not None
    return unit.call.request.bind({name: name for name in re.findall(r"{(\w+)}", route.path)} | arguments)


# --- What holds of every file


def test_there_is_a_file_for_each_group() -> None:
    assert len(FILES) == 25
    assert sum(len(plan_of(stem).mcp[0].tools) for stem in FILES) == 137


def test_beside_the_classic_files_every_tool_keeps_its_name() -> None:
    environ = dict.fromkeys(("KLARNA_NETWORK_API_KEY", "KLARNA_API_USERNAME", "KLARNA_API_PASSWORD"), "x")
    files, _ = find_files([str(KLARNA)])
    site, _ = join_plans(build_plan(load(file), environ)[0] for file in files)
    shared = next(tools for port in site.ports for path, tools in port.endpoints if path == "/mcp")
    published = Counter(tool.name for tool in shared.tools)
    assert {published[tool.name] for stem in FILES for _, tool in pairs(stem)} == {1}


def test_tools_have_names_that_every_client_takes() -> None:
    names = Counter(tool.name for stem in FILES for _, tool in pairs(stem))
    assert set(names.values()) == {1}
    assert [name for name in names if not re.fullmatch(r"klarna-[a-z0-9-]{1,57}", name)] == []


def test_tools_have_inputs_that_every_client_takes() -> None:
    for stem in FILES:
        for _, tool in pairs(stem):
            assert [i.name for i in tool.unit.inputs if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", i.name)] == []


@pytest.mark.parametrize("stem", FILES)
def test_a_route_is_klarnas_own_path_below_network(stem: str) -> None:
    for route, tool in pairs(stem):
        host = PLAYGROUND if stem in REGIONAL else NETWORK
        filled = re.sub(r"[{}]", "", route.path.removeprefix("/network"))
        for unit in (route.unit, tool.unit):
            request = request_of(route, unit)
            assert f"{route.method} /network" == f"{request.method} /{route.path.split('/')[1]}"
            assert unquote(request.url) == host + filled


@pytest.mark.parametrize("stem", FILES)
def test_the_key_goes_along_as_klarna_hands_it_out(stem: str) -> None:
    expected = None if stem in WITHOUT_CREDENTIALS else "Basic klarna_test_api_x"
    for route, tool in pairs(stem):
        for unit in (route.unit, tool.unit):
            assert dict(request_of(route, unit).headers).get("Authorization") == expected


@pytest.mark.parametrize("stem", sorted(FILES.keys() - REGIONAL))
def test_a_client_certificate_is_used_when_one_is_named(stem: str) -> None:
    assert plan_of(stem).apis[0].tls is None
    environ = {"KLARNA_NETWORK_API_KEY": "x", "KLARNA_CLIENT_CERTIFICATE": "no.pem", "KLARNA_CLIENT_KEY": "no.key"}
    with pytest.raises(LoadError) as refused:
        build_plan(load(FILES[stem]), environ)
    assert [problem.code for problem in refused.value.problems] == ["bad-certificate"]


@pytest.mark.parametrize("stem", FILES)
def test_calls_are_marked_for_what_they_do(stem: str) -> None:
    for route, tool in pairs(stem):
        name = operation_name(tool.unit)
        assert tool.hints is not None
        if route.method == "GET" or name in READING_POSTS:
            expected = "read"
        elif route.method == "DELETE" or name in IRREVERSIBLE:
            expected = "irreversible"
        else:
            expected = "money" if name in MONEY else "write"
        assert (name, route.unit.effect, tool.unit.effect) == (name, expected, expected)
        assert (name, tool.hints.read_only) == (name, expected == "read")
        assert (name, tool.hints.destructive) == (name, expected == "irreversible")
        assert tool.hints.idempotent is True or expected != "read"


@pytest.mark.parametrize("stem", FILES)
def test_what_changes_something_can_be_repeated_with_a_key(stem: str) -> None:
    for route, tool in pairs(stem):
        keyed = route.method in ("POST", "PATCH") and route.path.startswith("/network/v2/")
        expected = "Klarna-Idempotency-Key" if keyed and stem not in WITHOUT_KEYS else None
        for unit in (route.unit, tool.unit):
            assert unit.call is not None
            assert (unit.call.operation, unit.call.idempotency_header) == (unit.call.operation, expected)


def test_money_and_loss_are_named_after_operations_that_exist() -> None:
    names = {operation_name(tool.unit) for stem in FILES for _, tool in pairs(stem)}
    assert names >= MONEY | IRREVERSIBLE | READING_POSTS


@pytest.mark.parametrize("stem", FILES)
def test_money_without_an_amount_is_warned_of(stem: str) -> None:
    """No amount is required as far as is known, and what its absence does is not."""
    for _, tool in pairs(stem):
        body = tool.unit.input_schema["properties"].get("body", {})
        for amount in ("capture_amount", "refund_amount"):
            if amount in body.get("properties", {}) and amount not in body.get("required", ()):
                assert f"Always give {amount}" in tool.unit.description


# --- What is special about some


def test_what_a_customer_is_about_to_do_goes_as_klarna_spells_it() -> None:
    route, tool = pair("payment-presentation", "get-payment-presentation")
    request = request_of(route, tool.unit, intents=["PAY", "SUBSCRIBE"])
    assert request.url.endswith("?intents%5B%5D=PAY&intents%5B%5D=SUBSCRIBE")


@pytest.mark.parametrize(
    ("stem", "name"),
    [("disputes-v2", "upload-dispute-attachment"), ("disputes-v4", "upload-dispute-attachment-v4")],
)
def test_evidence_is_uploaded_as_a_file(stem: str, name: str) -> None:
    route, tool = pair(stem, name)
    request = request_of(route, tool.unit, filename="note.txt", file="SXQgd2FzIGRlbGl2ZXJlZC4A")
    assert request.body is not None
    assert b'name="file"; filename="note.txt"' in request.body
    assert b"\r\n\r\nIt was delivered.\0\r\n" in request.body
    assert dict(request.headers)["Content-Type"].startswith("multipart/form-data; boundary=")


def test_purchase_data_takes_members_that_are_not_listed() -> None:
    unit = pair("payment-requests", "create-payment-request")[1].unit
    body = {"currency": "EUR", "supplementary_purchase_data": {"new_in_2027": 1, "line_items": [{"colour": "red"}]}}
    assert unit.checker.accepts({"partner_account_id": "krn:x", "body": body})
    assert not unit.checker.accepts({"partner_account_id": "krn:x", "body": {"amount": "10.00"}})


# --- Beside the catalogue


def catalogue() -> list[Any]:
    """Group, shared objects and operation, of each operation whose method and path were seen."""
    if not CATALOGUE.exists():
        return []
    data = yaml.safe_load(CATALOGUE.read_text("utf-8"))
    return [
        pytest.param(group["id"], data["shared_objects"], operation, id=operation["id"])
        for group in data["apis"]
        for operation in group["operations"]
        if operation["confidence"] in ("high", "medium")
    ]


def inner(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The schema at a dotted name; [] is the items of a list."""
    for part in path.split("."):
        name = part.removesuffix("[]")
        schema = schema["properties"][name]
        if part != name:
            schema = schema["items"]
    return schema


def body_fields(operation: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    body = operation["body"] or {}
    listed = [*body.get("fields", ()), *body.get("nested", ())]
    yield from listed
    if any(field["name"] == "supplementary_purchase_data" for field in listed):
        for field in shared["supplementary_purchase_data"]["fields"]:
            yield {**field, "name": f"supplementary_purchase_data.{field['name']}"}
    if operation["id"] == "respond-to-dispute":
        for answer in shared["dispute_response_details"]:
            for field in answer["fields"]:
                yield {**field, "name": f"details.{field['name']}"}


def whole_enum(schema: Mapping[str, Any]) -> Any:
    return schema.get("enum", schema.get("items", {}).get("enum"))


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the catalogue of operations is not part of the repository")
@pytest.mark.parametrize(("group", "shared", "operation"), catalogue())
def test_everything_the_catalogue_says_of_an_operation_is_there(
    group: str, shared: Mapping[str, Any], operation: Mapping[str, Any]
) -> None:
    route, tool = pair(group, operation["id"])
    assert (route.method, route.path) == (operation["method"], "/network" + operation["path"])
    assert tool.name == f"klarna-{operation['id']}"
    inputs = {i.name: i for i in route.unit.inputs}
    for parameter in operation["parameters"]:
        found = inputs.pop(parameter["name"])
        assert found.where == parameter["in"]
        assert found.required is (parameter.get("required") is True)
        assert found.schema["type"] == parameter["type"].partition("(")[0]
        assert whole_enum(found.schema) == parameter.get("values")
    multipart = (operation["body"] or {}).get("content_type") == "multipart/form-data"
    schema = {"properties": {i.name: i.schema for i in inputs.values()}} if multipart else None
    for field in body_fields(operation, shared):
        body = schema or inputs["body"].schema
        found_field = inner(body, field["name"])
        assert found_field["type"] == {"binary": "string"}.get(field["type"], field["type"].partition("<")[0])
        assert whole_enum(found_field) == field.get("values")
    fields = (operation["body"] or {}).get("fields", ())
    required = [field["name"] for field in fields if field.get("required") is True]
    if multipart:
        assert [name for name, i in inputs.items() if i.required] == required
    elif fields:
        assert sorted(inputs["body"].schema.get("required", [])) == sorted(required)
        assert inputs["body"].required is bool(required)
        assert inputs.keys() == {"body"}
    else:
        assert inputs == {}
