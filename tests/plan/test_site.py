"""Several capabilities in one process."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from capstan.errors import LoadError
from capstan.plan.site import Site, join_plans
from capstan.plan.types import CapabilityPlan
from plan.helpers import capability, plan_of


def plan(**changes: Any) -> CapabilityPlan:
    """A capability with a route and a tool; `changes` say what differs from the others."""
    namespace = changes.get("namespace", "one")
    data = capability(tool="{}", rest="{}", path=changes.get("path", f"/{namespace}"))
    data["info"]["label"] = changes.get("label", namespace)
    data["capability"]["consumes"][0]["namespace"] = changes.get("consumes", f"{namespace}-api")
    rest, mcp = data["capability"]["exposes"]
    rest["namespace"], mcp["namespace"] = f"{namespace}-rest", f"{namespace}-mcp"
    rest["port"], mcp["port"] = changes.get("rest", 8080), changes.get("mcp", 9090)
    mcp["description"] = changes.get("description", f"About {namespace}.")
    unit, tool = rest["resources"][0]["operations"][0], mcp["tools"][0]
    unit["method"] = changes.get("method", "GET")
    tool["name"] = changes.get("tool", f"tool-{namespace}")
    unit["call"] = tool["call"] = f"{data['capability']['consumes'][0]['namespace']}.op"
    if "address" in changes:
        rest["address"] = changes["address"]
    if changes.get("stdio"):
        del mcp["port"]
        mcp["transport"] = "stdio"
    return plan_of(yaml.safe_dump(data))[0]


def tools(site: Site, path: str = "/mcp") -> list[str]:
    endpoints = {name: tool_set for port in site.ports for name, tool_set in port.endpoints}
    return [tool.name for tool in endpoints[path].tools]


def test_adapters_of_one_port_share_it() -> None:
    site, problems = join_plans([plan(namespace="one"), plan(namespace="two")])
    assert problems == ()
    assert [port.port for port in site.ports] == [8080, 9090]
    rest, mcp = site.ports
    assert [operation.path for operation in rest.operations] == ["/one", "/two"]
    assert [name for name, _ in mcp.endpoints] == ["/mcp", "/one-mcp/mcp", "/two-mcp/mcp"]
    assert tools(site) == ["tool-one", "tool-two"]
    assert tools(site, "/two-mcp/mcp") == ["tool-two"]


def test_rest_and_mcp_can_share_a_port() -> None:
    site, _ = join_plans([plan(rest=8080, mcp=8080)])
    (port,) = site.ports
    assert port.has_rest
    assert len(port.operations) == 1
    assert [name for name, _ in port.endpoints] == ["/mcp", "/one-mcp/mcp"]


def test_a_port_of_tools_has_no_rest() -> None:
    site, _ = join_plans([plan()])
    assert [port.has_rest for port in site.ports] == [True, False]


def test_one_capability_names_its_port() -> None:
    site, _ = join_plans([plan(label="Orders")])
    assert {port.title for port in site.ports} == {"Orders"}
    site, _ = join_plans([plan(label="Orders"), plan(namespace="two", label="Refunds")])
    assert site.ports[0].title == "2 capabilities"


def test_a_port_has_one_address() -> None:
    with pytest.raises(LoadError) as caught:
        join_plans([plan(), plan(namespace="two", address="0.0.0.0")])
    assert [problem.code for problem in caught.value.problems] == ["two-addresses"]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1"])
def test_spellings_of_this_machine_are_one_address(address: str) -> None:
    site, _ = join_plans([plan(address=address), plan(namespace="two")])
    assert site.ports[0].address == address


def test_an_operators_host_stands_above_every_address() -> None:
    site, _ = join_plans([plan(), plan(namespace="two", address="0.0.0.0")], "10.0.0.1")
    assert site.ports[0].address == "10.0.0.1"


def test_a_route_that_is_the_mcp_servers_own_is_refused() -> None:
    with pytest.raises(LoadError) as caught:
        join_plans([plan(path="/mcp", rest=9090)])
    assert [problem.code for problem in caught.value.problems] == ["duplicate-route"]


def test_a_route_taken_twice_names_both_files() -> None:
    one, two = plan(namespace="one", path="/same/{id}"), plan(namespace="two", path="/same/{other}")
    with pytest.raises(LoadError) as caught:
        join_plans([one, two])
    (problem,) = caught.value.problems
    assert problem.code == "duplicate-route"
    assert problem.at.file == two.file
    assert one.file in problem.hint


@pytest.mark.parametrize(
    "changes",
    [{"method": "POST"}, {"rest": 8081}, {"path": "/same"}, {"path": "/same/{id}/x"}, {"path": "/same/{id}.json"}],
    ids=["method", "port", "shorter", "longer", "text beside the variable"],
)
def test_routes_that_differ_share_a_port(changes: dict[str, Any]) -> None:
    join_plans([plan(path="/same/{id}"), plan(namespace="two", **{"path": "/same/{id}", **changes})])


def test_a_tool_name_taken_twice_is_published_with_its_api_for_every_claimant() -> None:
    plans = [plan(namespace=n, tool="list-files") for n in ("openai", "xero")] + [plan(namespace="other")]
    site, problems = join_plans(plans)
    assert tools(site) == ["openai-api__list-files", "xero-api__list-files", "tool-other"]
    assert tools(site, "/xero-mcp/mcp") == ["list-files"]
    assert [(p.code, p.severity) for p in problems] == [("duplicate-tool", "warning")] * 2


def test_names_that_are_still_the_same_are_numbered() -> None:
    site, _ = join_plans([plan(namespace=n, tool="t", consumes="files") for n in ("one", "two", "three")])
    assert tools(site) == ["files__t", "files__t_2", "files__t_3"]


def test_published_names_are_never_the_same() -> None:
    names = [("one", "t"), ("two", "t"), ("three", "one-api__t"), ("four", "one-api__t")]
    site, _ = join_plans([plan(namespace=namespace, tool=tool) for namespace, tool in names])
    published = tools(site)
    assert len(set(published)) == 4


@pytest.mark.parametrize(
    ("name", "fine"),
    [("a-b_C9", True), ("a" * 64, True), ("a" * 65, False), ("a.b", False), ("ä", False), ("a b", False)],
)
def test_a_tool_name_that_some_clients_refuse_is_told(name: str, fine: bool) -> None:  # noqa: FBT001
    _, problems = join_plans([plan(tool=name)])
    assert [problem.code for problem in problems] == ([] if fine else ["tool-name"])
    assert all(problem.severity == "warning" for problem in problems)


def test_tools_over_stdio_have_no_port() -> None:
    site, _ = join_plans([plan(stdio=True)])
    assert [port.port for port in site.ports] == [8080]
    assert site.stdio is not None
    assert [tool.name for tool in site.stdio.tools] == ["tool-one"]


def test_the_instructions_of_a_server_are_its_capabilities_descriptions() -> None:
    site, _ = join_plans([plan(description="Money."), plan(namespace="two", description="Parcels.")])
    assert site.ports[1].endpoints[0][1].instructions == "Money.\nParcels."


def test_adapter_namespaces_may_repeat_across_files() -> None:
    one = plan(namespace="files", path="/a", tool="a")
    two = plan(namespace="files", path="/b", tool="b")
    site, _ = join_plans([one, two])
    assert tools(site, "/files-mcp/mcp") == ["a", "b"]
