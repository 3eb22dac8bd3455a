"""Files in the shape of a generated catalogue load as they are, and every unit of them can be called."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
import yaml

from capstan.call.guard import Guard
from capstan.load.expression import fold
from capstan.plan.request import HttpRequest
from capstan.plan.site import join_plans
from capstan.plan.types import UnitPlan
from capstan.plan.values import to_text
from plan.catalogue import ENVIRON, Operation, vendor_file
from plan.helpers import plan_of

FILES = 150


def argument(schema: dict[str, Any], number: int) -> Any:
    """A value for one input that no other input has."""
    text = f"{number}: ü/?&='\"{{}}"
    return {
        "string": text, "integer": 1000 + number, "number": 1000.5 + number, "boolean": True,
        "array": [text, f"{text}2"],
        "object": {"k": text},
    }[schema["type"]]  # fmt: skip


def arguments_of(unit: UnitPlan, *, every: bool) -> dict[str, Any]:
    """Arguments made of nothing but the unit's own input schema."""
    schema = unit.input_schema
    wanted = schema["properties"] if every else schema.get("required", [])
    return {
        name: argument(schema["properties"][name], i) for i, name in enumerate(schema["properties"]) if name in wanted
    }


def in_path(arguments: dict[str, Any], name: str) -> Any:
    """The argument for a variable of the consumed path, which a route may spell another way."""
    return arguments.get(name, next((value for key, value in arguments.items() if fold(key) == fold(name)), None))


def check_path(request: HttpRequest, operation: Operation, arguments: dict[str, Any]) -> None:
    base = operation.base.replace("{region}", "eu").rstrip("/")
    assert request.url.startswith(base + "/")
    sent = request.url.partition("?")[0].removeprefix(base + "/").split("/")
    declared = operation.path.removeprefix("/").split("/")
    assert len(sent) == len(declared)
    for segment, template in zip(sent, declared, strict=True):
        pattern = ""
        for part in re.split(r"(\{[^{}]+\})", template):
            pattern += "([^/]+)" if part.startswith("{") else re.escape(quote(part, safe="!$&'()*+,;=:@~-._"))
        found = re.fullmatch(pattern, segment)
        assert found, f"{segment} is no {template}"
        names = re.findall(r"\{([^{}]+)\}", template)
        values = [in_path(arguments, name) for name in names]
        texts = [",".join(value) if isinstance(value, list) else to_text(value) for value in values]
        assert [unquote(text) for text in found.groups()] == texts


def check_rest(request: HttpRequest, operation: Operation, arguments: dict[str, Any]) -> None:
    """Query, headers and body hold what was given, and nothing else but the credential."""
    pairs = parse_qsl(request.url.partition("?")[2], keep_blank_values=True, strict_parsing="?" in request.url)
    headers = {name.lower(): value for name, value in request.headers}
    assert len(headers) == len(request.headers)
    expected: list[tuple[str, str]] = []
    for parameter in operation.parameters:
        name, value = parameter["name"], arguments.get(parameter["name"])
        if name == operation.credential:
            continue
        match parameter["in"]:
            case "query" if value is not None:
                expected += [(name, to_text(item)) for item in (value if isinstance(value, list) else [value])]
            case "header":
                default = "application/json" if name == "Content-Type" and request.body is not None else None
                assert headers.get(name.lower()) == (default if value is None else value)
            case "body":
                assert (None if request.body is None else json.loads(request.body)) == value
    assert sorted(p for p in pairs if p[0] != operation.credential) == sorted(expected)
    if not any(parameter["in"] == "body" for parameter in operation.parameters):
        assert request.body is None


@pytest.mark.parametrize("number", range(FILES))
def test_every_unit_of_a_generated_file_can_be_called(number: int) -> None:
    file = vendor_file(number)
    plan, warnings = plan_of(yaml.safe_dump(file.data, sort_keys=False, allow_unicode=True, width=120), ENVIRON)
    assert all(problem.severity == "warning" for problem in warnings)
    routes = [operation.unit for operation in plan.rest[0].operations]
    tools = [tool.unit for tool in plan.mcp[0].tools]
    assert len(routes) == len(tools) == len(file.operations)
    for units in (routes, tools):
        for unit, operation in zip(units, file.operations, strict=True):
            assert unit.call is not None
            for every in (True, False):
                arguments = arguments_of(unit, every=every)
                request = unit.call.request.bind(Guard(unit).check(arguments))
                assert request.method == operation.method
                check_path(request, operation, arguments)
                check_rest(request, operation, arguments)


@pytest.mark.parametrize("number", range(0, FILES, 10))
def test_a_required_argument_that_is_missing_is_refused(number: int) -> None:
    plan, _ = plan_of(vendor_file(number).data, ENVIRON)
    for unit in plan.units:
        arguments = arguments_of(unit, every=False)
        for name in arguments:
            assert not unit.checker.accepts({k: v for k, v in arguments.items() if k != name})


def test_generated_files_of_other_namespaces_live_on_one_port() -> None:
    plans = []
    for number in range(30):
        data = vendor_file(number).data
        for resource in data["capability"]["exposes"][0]["resources"]:
            resource["path"] = f"/{number}{resource['path']}"
        plans.append(plan_of(data, ENVIRON)[0])
    site, warnings = join_plans(plans)
    published = [tool.name for tool in site.ports[1].endpoints[0][1].tools]
    assert len(published) == len(set(published)) == sum(len(plan.mcp[0].tools) for plan in plans)
    assert {problem.code for problem in warnings} <= {"duplicate-tool", "tool-name"}
