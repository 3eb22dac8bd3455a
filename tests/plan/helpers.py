"""Small capabilities for tests: a few lines of YAML for the part that matters, defaults for the rest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.call.guard import Guard
from capstan.errors import LoadError, Problem
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.request import HttpRequest
from capstan.plan.types import CapabilityPlan, RestOperationPlan, UnitPlan


def capability(
    operation: str = "{}",
    tool: str | None = None,
    rest: str | None = None,
    *,
    resource: str = "{}",
    consumes: str = "{}",
    binds: str = "[]",
    path: str = "/v1/things",
) -> dict[str, Any]:
    """A capability of one consumed operation `api.op`, with a tool, a REST operation, or both, in front of it."""
    consumed = {"name": "op", "method": "GET", **yaml.safe_load(operation)}
    of_resource = {"name": "res", "path": "/things", "operations": [consumed], **yaml.safe_load(resource)}
    api = {"type": "http", "namespace": "api", "baseUri": "https://api.example.com", "resources": [of_resource],
           **yaml.safe_load(consumes)}  # fmt: skip
    exposes: list[dict[str, Any]] = []
    if rest is not None:
        unit = {"method": consumed["method"], "name": "unit", "call": "api.op", **yaml.safe_load(rest)}
        exposes.append({"type": "rest", "namespace": "my-rest", "port": 8080,
                        "resources": [{"path": path, "operations": [unit]}]})  # fmt: skip
    if tool is not None or rest is None:
        unit = {"name": "unit", "description": "A tool.", "call": "api.op", **yaml.safe_load(tool or "{}")}
        exposes.append({"type": "mcp", "namespace": "my-mcp", "port": 9090, "tools": [unit]})
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Test"},
        "binds": yaml.safe_load(binds),
        "capability": {"consumes": [api], "exposes": exposes},
    }


def plan_of(
    data: Mapping[str, Any] | str,
    environ: Mapping[str, str] | None = None,
    base_uris: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[CapabilityPlan, tuple[Problem, ...]]:
    """The plan of a capability and its warnings."""
    text = data if isinstance(data, str) else json.dumps(data)
    if folder is not None:
        file = folder / "capability.yaml"
        file.write_text(text, "utf-8")
        return build_plan(load(file), environ, base_uris)
    with tempfile.TemporaryDirectory() as name:
        return plan_of(text, environ, base_uris, Path(name))


def tool_of(*parts: str, environ: Mapping[str, str] | None = None, **more: str) -> UnitPlan:
    """The tool of `capability(...)`."""
    plan, _ = plan_of(capability(*parts, **more), environ or {})
    return plan.mcp[0].tools[0].unit


def route_of(
    operation: str = "{}", rest: str = "{}", environ: Mapping[str, str] | None = None, **more: str
) -> RestOperationPlan:
    """The REST operation of `capability(...)`."""
    plan, _ = plan_of(capability(operation, rest=rest, **more), environ or {})
    return plan.rest[0].operations[0]


def rest_of(operation: str = "{}", rest: str = "{}", environ: Mapping[str, str] | None = None, **more: str) -> UnitPlan:
    return route_of(operation, rest, environ, **more).unit


def sent(unit: UnitPlan, arguments: Mapping[str, Any] | None = None) -> HttpRequest:
    """What goes upstream for these arguments, checked by the guard as every door does."""
    assert unit.call is not None
    return unit.call.request.bind(Guard(unit).check(arguments or {}))


def target(request: HttpRequest) -> str:
    """Path and query of a request to the API of `capability(...)`."""
    assert request.url.startswith("https://api.example.com")
    return request.url.removeprefix("https://api.example.com")


def header(request: HttpRequest, name: str) -> str | None:
    found = [value for key, value in request.headers if key.lower() == name.lower()]
    assert len(found) < 2, f"{name} is sent {len(found)} times"
    return found[0] if found else None


def problems_of(data: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
    """What a capability is refused for, errors and warnings."""
    with pytest.raises(LoadError) as caught:
        plan_of(data, environ)
    return caught.value.problems


def refusals_of(data: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The codes of the errors a capability is refused for."""
    return [problem.code for problem in problems_of(data, environ) if problem.severity == "error"]


def warnings_of(data: Mapping[str, Any] | str, environ: Mapping[str, str] | None = None) -> list[str]:
    """The codes of the warnings of a capability that is planned."""
    return [problem.code for problem in plan_of(data, environ)[1]]
