"""The host a request goes to: its author's choice, never a caller's."""

from __future__ import annotations

import pytest

from capstan.errors import BindError
from plan.helpers import capability, plan_of, problems_of, refusals_of, rest_of, sent, tool_of

BINDS = "[{namespace: env, keys: {BASE: BASE, REGION: REGION}}]"


def url(base: str, path: str = "/things", environ: dict[str, str] | None = None) -> str:
    unit = tool_of(consumes=f"baseUri: '{base}'", resource=f"path: '{path}'", binds=BINDS, environ=environ)
    return sent(unit).url


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        pytest.param("https://h", "/a", "https://h/a", id="plain"),
        pytest.param("https://h/", "/a", "https://h/a", id="trailing slash"),
        pytest.param("https://h//", "/a", "https://h/a", id="two trailing slashes"),
        pytest.param("https://h/v1/", "/a/", "https://h/v1/a/", id="path and trailing slash of the path"),
        pytest.param("https://h/v1", "a", "https://h/v1/a", id="path without a leading slash"),
        pytest.param("https://h/v1", "/", "https://h/v1", id="nothing but the root"),
        pytest.param("https://h:8443/v1", "/a", "https://h:8443/v1/a", id="port"),
        pytest.param("https://h/api.php", "?action=x", "https://h/api.php?action=x", id="query only"),
    ],
)
def test_a_join_drops_no_segment_and_makes_no_double_slash(base: str, path: str, expected: str) -> None:
    assert url(base, path) == expected


@pytest.mark.parametrize(
    ("base", "environ", "expected"),
    [
        pytest.param("{{env.BASE}}", {"BASE": "https://h/v1"}, "https://h/v1/things", id="whole"),
        pytest.param("{{BASE}}", {"BASE": "https://h/v1/"}, "https://h/v1/things", id="value with a trailing slash"),
        pytest.param("{BASE}/x", {"BASE": "https://h/"}, "https://h/x/things", id="slash on both sides"),
        pytest.param("https://{{REGION}}.h/v1", {"REGION": "eu"}, "https://eu.h/v1/things", id="in the host"),
        pytest.param("https://{region}.h", {"region": "eu"}, "https://eu.h/things", id="single braces, undeclared"),
        pytest.param("https://${REGION}:${PORT}/v1", {"REGION": "h", "PORT": "1"}, "https://h:1/v1/things", id="shell"),
        pytest.param("https://h/bot{{REGION}}/v1", {"REGION": "t"}, "https://h/bott/v1/things", id="in the path"),
    ],
)
def test_variables_in_a_base_uri_are_filled_at_start(base: str, environ: dict[str, str], expected: str) -> None:
    assert url(base, environ=environ) == expected


@pytest.mark.parametrize(
    "value", ["", "h/v1", "ftp://h", "https://", "https://h?x=1", "https://u:p@h", "https://h/a b", "https://h\n"]
)
def test_a_variable_that_makes_no_base_uri_is_refused_at_start(value: str) -> None:
    data = capability(consumes="baseUri: '{{BASE}}'", binds=BINDS)
    assert refusals_of(data, {"BASE": value}) == ["bad-base-uri"]


@pytest.mark.parametrize(
    "base", ["'ftp://h'", "h/v1", "'https://'", "'https://h?x=1'", "'https://u:p@h'", "'https://h/a b'"]
)
def test_a_base_uri_that_is_none_is_refused(base: str) -> None:
    assert refusals_of(capability(consumes=f"baseUri: {base}")) == ["bad-base-uri"]


def test_an_override_replaces_the_base_uri() -> None:
    plan, _ = plan_of(capability(consumes="baseUri: '{{BASE}}'", binds=BINDS), {}, {"api": "http://127.0.0.1:9/x/"})
    assert sent(plan.units[0]).url == "http://127.0.0.1:9/x/things"


def test_an_override_of_another_namespace_changes_nothing() -> None:
    plan, _ = plan_of(capability(), {}, {"other": "http://127.0.0.1:9"})
    assert sent(plan.units[0]).url == "https://api.example.com/things"


CHOICE = "inputParameters: [{name: region, schema: {type: string, enum: [eu, us]}, required: false}]"


def test_a_caller_chooses_among_the_hosts_an_author_lists() -> None:
    unit = tool_of(tool=CHOICE, consumes="baseUri: 'https://{{region}}.h'")
    assert sent(unit, {"region": "us"}).url == "https://us.h/things"
    with pytest.raises(BindError):
        sent(unit, {"region": "evil.com/"})


def test_a_host_that_is_not_chosen_is_the_callers_mistake() -> None:
    unit = tool_of(tool=CHOICE, consumes="baseUri: 'https://{{region}}.h'")
    with pytest.raises(BindError) as caught:
        sent(unit)
    assert (caught.value.code, caught.value.argument) == ("missing-argument", "region")


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param("inputParameters: [{name: region}]", id="input without options"),
        pytest.param("{inputParameters: [{name: x}], with: {region: tools.x}}", id="through with"),
        pytest.param("{inputParameters: [{name: x, enum: [a]}], with: {region: 'a{{x}}'}}", id="joined"),
        pytest.param("inputParameters: [{name: region, enum: [eu, 'x@evil.com']}]", id="option with credentials"),
        pytest.param("inputParameters: [{name: region, enum: [eu, 'x?']}]", id="option with a query"),
    ],
)
def test_a_host_that_a_caller_could_make_up_is_refused(tool: str) -> None:
    assert refusals_of(capability(tool=tool, consumes="baseUri: 'https://{{region}}.h'")) == ["open-host"]


HOSTS = "inputParameters: [{name: host, in: path, enum: [a.example, b.example]}]"
PORTED = "baseUri: 'http://{host}:18999'"


@pytest.mark.parametrize(
    "tool", ["{}", "with: {host: tools.host}", "inputParameters: [{name: host, enum: [a.example, b.example]}]"]
)
@pytest.mark.parametrize("where", ["path", "query"])
def test_a_parameter_of_the_base_uri_is_asked_for_and_stands_there_alone(where: str, tool: str) -> None:
    unit = tool_of(HOSTS.replace("path", where), tool, consumes=PORTED)
    assert unit.input_schema["required"] == ["host"]
    assert unit.input_schema["properties"]["host"]["enum"] == ["a.example", "b.example"]
    assert sent(unit, {"host": "b.example"}).url == "http://b.example:18999/things"
    for arguments in ({}, {"host": "evil.example"}):
        with pytest.raises(BindError):
            sent(unit, arguments)


@pytest.mark.parametrize("rest", ["{}", "with: {host: rest.host}"])
def test_a_variable_of_the_route_may_choose_among_the_hosts_of_the_parameter_it_fills(rest: str) -> None:
    unit = rest_of(HOSTS, rest, consumes=PORTED, path="/v1/{host}/things")
    assert unit.input_schema["properties"]["host"]["enum"] == ["a.example", "b.example"]
    assert sent(unit, {"host": "a.example"}).url == "http://a.example:18999/things"


def test_a_parameter_of_a_host_that_is_bound_is_asked_of_nobody() -> None:
    operation = "inputParameters: [{name: REGION, in: path}]"
    unit = tool_of(operation, consumes="baseUri: 'https://{{REGION}}.h'", binds=BINDS, environ={"REGION": "eu"})
    assert unit.inputs == ()
    assert sent(unit).url == "https://eu.h/things"


@pytest.mark.parametrize("base", ["http://:18999", "http://{{BASE}}:18999"])
def test_a_port_is_no_host(base: str) -> None:
    assert refusals_of(capability(consumes=f"baseUri: '{base}'", binds=BINDS), {"BASE": ""}) == ["bad-base-uri"]


def test_a_missing_variable_of_a_base_uri_is_told_once() -> None:
    found = problems_of(capability(consumes="baseUri: 'https://{{REGION}}.h'", binds=BINDS), {})
    assert [problem.code for problem in found] == ["missing-variable"]


# --- one declaration for all operations of an API

CHOOSER = "{name: host, in: path, type: string, enum: [a.h, b.h], default: b.h}"
PLACED = f"{{baseUri: 'https://{{{{host}}}}', inputParameters: [{CHOOSER}]}}"
UNPLACED = PLACED.replace(" in: path,", "")
OPERATION = "{inputParameters: [{name: q, in: query, type: string}, {name: w, in: query, type: string}]}"


@pytest.mark.parametrize("consumes", [pytest.param(PLACED, id="in path"), pytest.param(UNPLACED, id="in nothing")])
@pytest.mark.parametrize(
    "tool",
    [
        pytest.param("{}", id="all inputs derived"),
        pytest.param("{with: {q: tools.q}}", id="with"),
        pytest.param("{inputParameters: [{name: q, type: string}]}", id="inputs of its own"),
    ],
)
def test_a_choice_of_hosts_that_the_api_declares_is_an_input_of_every_unit(consumes: str, tool: str) -> None:
    for unit in (tool_of(OPERATION, tool, consumes=consumes),
                 rest_of(OPERATION, tool.replace("tools.", "rest."), consumes=consumes)):  # fmt: skip
        told = unit.input_schema["properties"]["host"]
        assert told == {"type": "string", "enum": ["a.h", "b.h"], "default": "b.h"}
        assert "host" not in unit.input_schema.get("required", [])
        request = sent(unit, {"host": "a.h", "q": "1"})
        assert (request.url, [name for name, _ in request.headers]) == ("https://a.h/things?q=1", ["Accept"])
        assert sent(unit, {"q": "1"}).url == "https://b.h/things?q=1"
        with pytest.raises(BindError):
            sent(unit, {"host": "evil.h", "q": "1"})


def test_an_operation_may_narrow_the_choice_of_its_api() -> None:
    unit = tool_of("inputParameters: [{name: host, in: path, enum: [a.h], default: a.h}]", consumes=PLACED)
    assert unit.input_schema["properties"]["host"]["enum"] == ["a.h"]


def test_a_unit_may_choose_for_its_callers() -> None:
    unit = tool_of(OPERATION, "with: {host: a.h, q: tools.q}", consumes=PLACED)
    assert list(unit.input_schema["properties"]) == ["q"]
    assert sent(unit, {"q": "1"}).url == "https://a.h/things?q=1"


def test_callers_see_the_same_inputs_where_an_operator_gives_another_base_uri() -> None:
    plan, warnings = plan_of(capability(consumes=PLACED), {}, {"api": "http://127.0.0.1:9"})
    assert plan.units[0].input_schema["properties"]["host"]["enum"] == ["a.h", "b.h"]
    assert (sent(plan.units[0], {"host": "a.h"}).url, warnings) == ("http://127.0.0.1:9/things", ())


@pytest.mark.parametrize("host", ["https://api.example", "HTTP://api.example", "api.example:x", "[::1", "a]b"])
def test_a_bound_host_that_is_none_is_told(host: str) -> None:
    (problem,) = problems_of(capability(consumes="baseUri: 'https://{{BASE}}'", binds=BINDS, tool="{}"), {"BASE": host})
    assert problem.code == "bad-base-uri"
    assert ("without 'https://'" in problem.hint) == host.lower().startswith("http")


@pytest.mark.parametrize("host", ["api.example", "api.example:8443", "[::1]:80", "api.example/v1"])
def test_a_bound_host_may_have_a_port_and_a_path(host: str) -> None:
    assert url("https://{{BASE}}", environ={"BASE": host}) == f"https://{host}/things"
