"""The port of operators."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from capstan.errors import LoadError
from capstan.expose.control import ControlApp
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.site import Site, join_plans
from capstan.plan.types import CapabilityPlan, ControlPlan

OUTPUT = {"name": "text", "type": "string", "value": "hello"}
TOOL = {"name": "hello", "description": "Say hello.", "outputParameters": [OUTPUT]}
MCP = {"type": "mcp", "namespace": "shop", "port": 9090, "tools": [TOOL]}
REST = {"type": "rest", "namespace": "shop-api", "port": 8080, "resources": []}


def planned(folder: Path, *adapters: dict[str, Any], name: str = "a") -> CapabilityPlan:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"naftiko": "1.0.0-alpha2", "capability": {"exposes": adapters}}))
    return build_plan(load(path))[0]


def control_of(plan: CapabilityPlan) -> ControlPlan:
    assert plan.control is not None
    return plan.control


def site(*plans: CapabilityPlan, host: str | None = None) -> Site:
    return join_plans(plans, host)[0]


async def asked(app: ControlApp, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    await app({"type": "http", "path": path, "method": method}, receive, send)
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


@pytest.fixture
def app(tmp_path: Path) -> ControlApp:
    return ControlApp([control_of(planned(tmp_path, MCP, REST, {"type": "control", "port": 9092}))])


async def test_a_server_that_answers_is_alive(app: ControlApp) -> None:
    status, headers, body = await asked(app, "/health/live")
    assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {"status": "UP"})


async def test_readiness_names_every_adapter_of_the_file(app: ControlApp) -> None:
    status, _, body = await asked(app, "/health/ready")
    assert status == 200
    assert json.loads(body) == {
        "status": "UP",
        "adapters": [
            {"type": "mcp", "namespace": "shop", "port": 9090, "state": "started"},
            {"type": "rest", "namespace": "shop-api", "port": 8080, "state": "started"},
            {"type": "control", "port": 9092, "state": "started"},
        ],
    }


async def test_readiness_names_the_ports_that_are_listened_at(tmp_path: Path) -> None:
    app = ControlApp([control_of(planned(tmp_path, MCP, {"type": "control", "port": 9092}))], 100)
    _, _, body = await asked(app, "/health/ready")
    assert [adapter["port"] for adapter in json.loads(body)["adapters"]] == [9190, 9192]


async def test_an_adapter_on_standard_input_has_no_port(tmp_path: Path) -> None:
    stdio = {"type": "mcp", "namespace": "shop", "transport": "stdio", "tools": [TOOL]}
    app = ControlApp([control_of(planned(tmp_path, stdio, {"type": "control", "port": 9092}))])
    _, _, body = await asked(app, "/health/ready")
    assert json.loads(body)["adapters"][0] == {"type": "mcp", "namespace": "shop", "state": "started"}


async def test_head_has_the_length_of_get_and_no_body(app: ControlApp) -> None:
    _, headers, body = await asked(app, "/health/ready")
    assert await asked(app, "/health/ready", "HEAD") == (200, headers, b"")
    assert headers["content-length"] == str(len(body))


async def test_nothing_else_is_there(app: ControlApp) -> None:
    for path in ("/", "/health", "/status", "/metrics", "/scripting", "/openapi.json", "/mcp"):
        status, _, body = await asked(app, path)
        assert (status, json.loads(body)["code"]) == (404, "no-route")
    status, headers, body = await asked(app, "/health/live", "POST")
    assert (status, headers["allow"], json.loads(body)["code"]) == (405, "GET, HEAD", "wrong-method")


def test_a_file_may_have_a_control_adapter_alone(tmp_path: Path) -> None:
    found = site(planned(tmp_path, {"type": "control", "port": 9092}))
    assert [port.port for port in found.ports] == [9092]


def test_without_health_the_port_is_not_opened(tmp_path: Path) -> None:
    control = {"type": "control", "port": 9092, "management": {"health": False, "scripting": {}}}
    plan = planned(tmp_path, MCP, control)
    assert plan.control is None
    assert [port.port for port in site(plan).ports] == [9090]


def test_control_adapters_of_several_files_share_a_port(tmp_path: Path) -> None:
    plans = [planned(tmp_path, {"type": "control", "port": 9092}, name=name) for name in "ab"]
    (port,) = site(*plans).ports
    assert len(port.controls) == 2


def test_a_port_of_another_adapter_is_refused_whichever_file_has_it(tmp_path: Path) -> None:
    first, second = planned(tmp_path, MCP), planned(tmp_path, {"type": "control", "port": 9090}, name="b")
    with pytest.raises(LoadError) as caught:
        site(first, second)
    (problem,) = caught.value.problems
    assert (problem.code, problem.at.pointer) == ("shared-control", "/capability/exposes/0/port")
    assert problem.at.file.endswith("b.json")


def test_two_addresses_for_one_port_are_refused_but_where_the_operator_says_one(tmp_path: Path) -> None:
    addresses = {"a": "127.0.0.1", "b": "0.0.0.0"}
    plans = [
        planned(tmp_path, {"type": "control", "port": 9092, "address": address}, name=name)
        for name, address in addresses.items()
    ]
    with pytest.raises(LoadError) as caught:
        site(*plans)
    assert [problem.code for problem in caught.value.problems] == ["two-addresses"]
    assert site(*plans, host="127.0.0.1").ports[0].address == "127.0.0.1"


@pytest.mark.parametrize(
    "management",
    [{"info": True}, {"reload": True}, {"validate": True}, {"logs": True}, {"logs": {}}, {"logs": {"stream": False}}],
)
def test_what_is_switched_on_and_not_there_is_refused_by_name(tmp_path: Path, management: dict[str, Any]) -> None:
    with pytest.raises(LoadError) as caught:
        planned(tmp_path, {"type": "control", "port": 9092, "management": management})
    (problem,) = caught.value.problems
    assert problem.code == "not-supported-yet"
    assert f"'{next(iter(management))}'" in problem.message


def test_what_is_switched_off_need_not_be_there(tmp_path: Path) -> None:
    off = {"info": False, "reload": False, "validate": False, "logs": False}
    control = {"type": "control", "port": 9092, "management": off, "observability": {"enabled": False}}
    assert control_of(planned(tmp_path, control)).port == 9092


@pytest.mark.parametrize("observability", [{}, {"enabled": True}, {"traces": {"local": {"enabled": False}}}])
def test_observability_is_on_unless_it_is_switched_off(tmp_path: Path, observability: dict[str, Any]) -> None:
    with pytest.raises(LoadError) as caught:
        planned(tmp_path, {"type": "control", "port": 9092, "observability": observability})
    assert [problem.code for problem in caught.value.problems] == ["not-supported-yet"]


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "a"},
        {"managment": {}},
        {"management": {"healt": True}},
        {"management": {"scripting": {"timeOut": 1}}},
        {"management": {"scripting": {"timeout": 0}}},
        {"management": {"scripting": {"statementLimit": "many"}}},
        {"management": {"scripting": {"defaultLanguage": "ruby"}}},
        {"management": {"scripting": {"allowedLanguages": ["perl"]}}},
        {"observability": {"enabled": False, "metric": {}}},
        {"port": 0},
    ],
)
def test_the_schema_knows_every_keyword_and_no_other(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(LoadError):
        planned(tmp_path, {"type": "control", "port": 9092, **change})
