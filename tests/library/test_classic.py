"""The library of Klarna's classic APIs: everything is there, typed as Klarna says, and tells the truth of itself."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from capstan.load import load
from capstan.load.files import find_files
from capstan.plan.build import build_plan
from capstan.plan.site import join_plans
from capstan.sandbox import DEMO_VARIABLES
from library.classic import (
    CREDENTIALS,
    FACTS,
    FILES,
    FOLDER,
    OPERATIONS,
    PLAYGROUND,
    PUBLISHED,
    Operation,
    facts,
    openapi,
    plan_of,
    sent,
)

_NEEDS_FACTS = pytest.mark.skipif(not FACTS.is_dir(), reason="the facts about Klarna are not beside this repository")
_NEEDS_PUBLISHED = pytest.mark.skipif(not PUBLISHED, reason="the published files are not beside this repository")
_EACH = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
_LIMITS: Final = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default")
# Klarna's document lists three examples of it as if there were no others.
_NO_ENUMERATION: Final = "body.contact_information.access_id"
# Klarna's document shares one schema between creating and updating; an update takes what changes.
_NOTHING_REQUIRED: Final = {"updateOrderMerchant"}
# What cannot be taken back, and what moves money: a DELETE tells nothing of it, nor does a POST.
_IRREVERSIBLE: Final = {
    "cancelAuthorization", "cancelOrder", "releaseRemainingAuthorization", "abortOrder", "patchCustomerToken",
    "disableHppSession", "postcancelorder",
}  # fmt: skip
_MONEY: Final = {"createOrder", "captureOrder", "extendDueDate", "refundOrder", "settlePromise"}


# --- complete


def test_there_are_fifty_operations_in_eleven_files_with_a_route_and_a_tool_each() -> None:
    assert (len(OPERATIONS), len(FILES)) == (50, 11)
    for file in FILES:
        expected = [operation for operation in OPERATIONS if operation.file == file]
        (rest,), (mcp,) = plan_of(file).rest, plan_of(file).mcp
        assert (rest.port, mcp.port) == (8080, 9090)
        assert Counter((o.method, o.path) for o in rest.operations) == Counter((o.method, o.route) for o in expected)
        assert sorted(tool.name for tool in mcp.tools) == sorted(operation.tool for operation in expected)


@_NEEDS_FACTS
def test_the_operations_are_those_of_the_catalogue() -> None:
    assert {(o.method, o.path, o.identifier) for o in OPERATIONS} == {
        (method, path, operation["operation_id"]) for (method, path), (operation, _) in facts().items()
    }


@_EACH
@pytest.mark.parametrize("members", ["required", "all"])
def test_both_doors_send_what_klarna_expects_to_the_playground(operation: Operation, members: str) -> None:
    by_rest = sent(operation.rest_plan.unit, whole=members == "all")
    by_mcp = sent(operation.tool_plan.unit, whole=members == "all")
    assert by_rest == by_mcp
    assert by_rest.method == operation.method
    assert by_rest.url.partition("?")[0] == PLAYGROUND + re.sub(r"\{[^}]+\}", "xxxxx", operation.path)
    basic = base64.b64encode(":".join(CREDENTIALS.values()).encode()).decode()
    assert dict(by_rest.headers)["Authorization"] == f"Basic {basic}"
    assert (by_rest.body is not None) == ("body" in operation.tool_plan.unit.input_schema["properties"])


def test_the_host_is_the_operators_to_choose() -> None:
    for file in FILES:
        environ = {**CREDENTIALS, "KLARNA_API_HOST": "api-na.klarna.com"}
        plan, warnings = build_plan(load(FOLDER / f"{file}.yaml"), environ)
        assert warnings == ()
        for unit in plan.units:
            assert sent(unit).url.startswith("https://api-na.klarna.com/")


def test_the_whole_folder_joins_and_one_tool_name_is_taken_twice() -> None:
    plans = [build_plan(load(file), _every_variable(file))[0] for file in find_files([str(FOLDER)])[0]]
    site, warnings = join_plans(plans)
    assert {port.port for port in site.ports} == {8080, 9090}
    taken = [warning.message for warning in warnings if "klarna-add-shipping-information" in warning.message]
    assert taken
    classic = {tool.name for file in FILES for tool in plan_of(file).mcp[0].tools}
    assert len(classic) == len(OPERATIONS) - 1


def _every_variable(file: Path) -> dict[str, str]:
    """The variables a file asks for and has no default for."""
    binds = yaml.safe_load(file.read_text("utf-8")).get("binds", ())
    asked = {name for bind in binds for key, name in bind["keys"].items() if key not in bind.get("defaults", ())}
    return dict.fromkeys(asked, "x") | CREDENTIALS


def test_the_sandboxs_credentials_start_every_bundled_file() -> None:
    for file in find_files([str(FOLDER.parent)])[0]:
        build_plan(load(file), DEMO_VARIABLES)


# --- true


@_EACH
def test_what_a_call_does_is_told(operation: Operation) -> None:
    tool = operation.tool_plan
    expected = (
        "irreversible" if operation.identifier in _IRREVERSIBLE
        else "money" if operation.identifier in _MONEY
        else "read" if operation.method == "GET"
        else "write"
    )  # fmt: skip
    assert (tool.unit.effect, operation.rest_plan.unit.effect) == (expected, expected)
    assert tool.hints is not None
    assert tool.hints.read_only == (operation.method == "GET")
    assert tool.hints.destructive == (expected == "irreversible")
    assert tool.hints.open_world is True
    assert tool.unit.title
    assert tool.unit.description


@_NEEDS_FACTS
@_EACH
def test_hints_are_those_of_the_catalogue(operation: Operation) -> None:
    known = facts()[operation.method, operation.path][0]["hints"]
    hints = operation.tool_plan.hints
    assert hints is not None
    assert (hints.read_only, hints.destructive, hints.idempotent) == (
        known["read_only"], known["destructive"], known["idempotent"],
    )  # fmt: skip
    assert (operation.tool_plan.unit.effect == "money") == (known["moves_money"] and not known["destructive"])


@_NEEDS_FACTS
@_EACH
def test_parameters_are_those_of_the_catalogue(operation: Operation) -> None:
    known = facts()[operation.method, operation.path][0]
    schema = operation.tool_plan.unit.input_schema
    required = schema.get("required", ())
    found = {name: (item, name in required) for name, item in schema["properties"].items() if name != "body"}
    expected = {item["name"]: item for item in known["parameters"]}
    assert found.keys() == expected.keys()
    for name, (item, is_required) in found.items():
        assert item["type"] == expected[name]["type"].partition("(")[0]
        assert is_required == expected[name]["required"]
        assert _limits(item) == _limits(expected[name])
    assert ("Klarna-Idempotency-Key" in found) == bool(known.get("idempotency_key"))
    assert ("body" in required) == bool(known["body"])


# --- typed


@_NEEDS_FACTS
@_EACH
def test_the_fields_of_a_body_are_those_of_the_catalogue(operation: Operation) -> None:
    known = facts()[operation.method, operation.path][0]["body"]
    if known is None:
        assert "body" not in operation.tool_plan.unit.input_schema["properties"]
        return
    body = operation.tool_plan.unit.input_schema["properties"]["body"]
    fields = {item["name"]: item for item in known["fields"] if not item.get("read_only")}
    assert body["properties"].keys() == fields.keys()
    for name, field in fields.items():
        item = body["properties"][name]
        assert item["type"] == re.split(r"[:<(]", field["type"])[0]
        assert _limits(item) == _limits(field)
        assert item.get("enum") == field.get("enum")
        assert item.get("pattern") == field.get("pattern")
    required = [] if operation.identifier in _NOTHING_REQUIRED else [n for n, f in fields.items() if f["required"]]
    assert sorted(body.get("required", [])) == sorted(required)


@_NEEDS_FACTS
@_EACH
def test_a_body_is_typed_down_to_its_last_field_as_klarna_does(operation: Operation) -> None:
    known, surface = facts()[operation.method, operation.path]
    if known["body"] is None:
        return
    document = openapi(surface["openapi"])
    theirs = document["components"]["schemas"][known["body"]["schema"]]
    if operation.identifier in _NOTHING_REQUIRED:
        theirs = {**theirs, "required": []}
    ours = operation.tool_plan.unit.input_schema["properties"]["body"]
    assert list(_differences(ours, theirs, document, "body")) == []


def _differences(ours: dict[str, Any], theirs: dict[str, Any], document: dict[str, Any], at: str) -> Any:
    """What our schema of a value says otherwise than Klarna's document."""
    while "$ref" in theirs:
        theirs = document["components"]["schemas"][theirs["$ref"].rpartition("/")[2]]
    if (ours.get("type"), _limits(ours)) != (theirs.get("type"), _limits(theirs)):
        yield f"{at}: {ours} is not {theirs}"
    yield from _other_values(ours, theirs, at)
    fields = {name: item for name, item in theirs.get("properties", {}).items() if not item.get("readOnly")}
    if ours.get("properties", {}).keys() != fields.keys():
        yield f"{at}: {sorted(ours.get('properties', {}).keys() ^ fields.keys())} in one of both"
    if set(ours.get("required", ())) != set(theirs.get("required", ())) & fields.keys():
        yield f"{at}: required are {ours.get('required')}"
    for name in fields.keys() & ours.get("properties", {}).keys():
        yield from _differences(ours["properties"][name], fields[name], document, f"{at}.{name}")
    if theirs.get("type") == "array":
        yield from _differences(ours["items"], theirs["items"], document, f"{at}[]")


def _other_values(ours: dict[str, Any], theirs: dict[str, Any], at: str) -> Any:
    """Enumerations and patterns. A pattern that only lists words is an enumeration here, and so is the list of line
    types that some of Klarna's documents give in prose alone.
    """
    listed = theirs.get("enum") or re.fullmatch(r"\^?\(?([\w|]+)\)?\$?", theirs.get("pattern", ""))
    if isinstance(listed, re.Match):
        listed = listed[1].split("|")
    if at == _NO_ENUMERATION:
        if "enum" in ours:
            yield f"{at}: {ours['enum']}"
    elif listed:
        if ours.get("enum") != listed or "pattern" in ours:
            yield f"{at}: {ours.get('enum')} is not {listed}"
    elif "enum" in ours:
        if not (at.endswith("order_lines[].type") and all(word in theirs["description"] for word in ours["enum"])):
            yield f"{at}: {ours['enum']} is made up"
    elif ours.get("pattern") != theirs.get("pattern"):
        yield f"{at}: {ours.get('pattern')} is not {theirs.get('pattern')}"


def _limits(schema: dict[str, Any]) -> dict[str, Any]:
    """The limits a schema sets; of a length or a number of items, 0 is none."""
    return {k: schema[k] for k in _LIMITS if k in schema and not (k in ("minLength", "minItems") and schema[k] == 0)}


def test_amounts_say_that_they_are_minor_units() -> None:
    told = Counter[str]()
    for operation in OPERATIONS:
        for name, item in _members(operation.tool_plan.unit.input_schema):
            if re.search(r"amount|price", name) and item.get("type") == "integer" and item.get("maximum") != 0:
                assert "inor units" in item.get("description", ""), f"{operation}: {name}"
                told[name] += 1
    assert told["order_amount"] >= 6


def _members(schema: Any) -> Any:
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for item in [*schema.get("properties", {}).values(), schema.get("items")]:
            yield from _members(item)


def test_a_payment_link_goes_to_any_access_id() -> None:
    (operation,) = (o for o in OPERATIONS if o.identifier == "distributeHppSession")
    body = {"method": "token", "contact_information": {"access_id": "klarna:00000000-0000-4000-8000-000000000000"}}
    assert operation.tool_plan.unit.checker.accepts({"session_id": "s", "body": body})


@_NEEDS_FACTS
def test_descriptions_are_not_klarnas() -> None:
    theirs = set[tuple[str, ...]]()
    for document in [*(FACTS / "openapi").glob("*.yml"), *PUBLISHED]:
        for text in _descriptions(yaml.safe_load(document.read_text("utf-8"))):
            theirs.update(_runs(text))
    assert len(theirs) > 1000
    for file in FOLDER.rglob("*.yaml"):
        for text in _descriptions(yaml.safe_load(file.read_text("utf-8"))):
            assert theirs.isdisjoint(_runs(text)), text


def _descriptions(node: Any) -> Iterator[str]:
    """All that is said in words."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key in ("description", "summary", "label") and isinstance(value, str):
            yield value
        else:
            yield from _descriptions(value)


def _runs(text: str, length: int = 8) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9_'-]+", text.lower())
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


# --- kept


@_NEEDS_PUBLISHED
@pytest.mark.parametrize("published", PUBLISHED, ids=lambda path: path.stem)
def test_names_and_paths_of_the_published_files_are_kept(published: Path) -> None:
    assert _names(FOLDER / published.name) == _names(published)


def _names(file: Path) -> dict[str, Any]:
    """All that a caller or another file may know a capability by."""
    capability = yaml.safe_load(file.read_text("utf-8"))["capability"]
    (api,), (rest, mcp) = capability["consumes"], capability["exposes"]
    return {
        "consumed": (api["namespace"], sorted((r["name"], r["path"], o["name"], o["method"]) for r in api["resources"]
                                              for o in r["operations"])),
        "rest": (rest["namespace"], rest["port"], sorted((o["method"], r["path"], o["name"]) for r in rest["resources"]
                                                         for o in r["operations"])),
        "mcp": (mcp["namespace"], mcp["port"], sorted((tool["name"], tool["call"]) for tool in mcp["tools"])),
    }  # fmt: skip


def test_nothing_names_a_live_host_but_the_tool_set_whose_callers_choose() -> None:
    naming = {
        file.stem for file in FOLDER.glob("*.yaml") if re.search(r"\bapi(-na|-oc)?\.klarna\.com", file.read_text())
    }
    assert naming == {"klarna-orders"}


def test_reports_are_passed_on_as_files() -> None:
    formats = {}
    for resource in yaml.safe_load((FOLDER / "settlements-reports.yaml").read_text("utf-8"))["capability"]["consumes"][
        0
    ]["resources"]:
        (operation,) = resource["operations"]
        formats[operation["name"]] = operation["outputRawFormat"]
    assert json.dumps(formats, sort_keys=True) == json.dumps({
        "getpayoutreportwithtransactions": "text", "getpayoutssummaryreportwithtransactions": "text",
        "payout": "binary", "payoutssummary": "binary",
    })  # fmt: skip
