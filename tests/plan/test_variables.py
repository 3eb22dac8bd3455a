"""Bound variables: where their values are read, what is told when they are missing, and that they are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from capstan.errors import LoadError
from capstan.plan.explain import explain
from capstan.plan.variables import read_values
from plan.helpers import capability, header, plan_of, problems_of, sent

KEY_IN_HEADER = "inputParameters: [{name: X-Key, in: header, value: '{{KEY}}'}]"


def value_from(folder: Path, location: str, key: str = "KEY") -> str | None:
    """What KEY is in a capability that binds it to a file."""
    data = capability(KEY_IN_HEADER, binds=f"[{{namespace: s, location: '{location}', keys: {{KEY: {key}}}}}]")
    plan, _ = plan_of(data, {"KEY": "of the environment"}, folder=folder)
    return header(sent(plan.units[0]), "X-Key")


@pytest.mark.parametrize("name", ["KEY", "env.KEY"])
@pytest.mark.parametrize("keys", ["{KEY: KEY}", "[KEY]", "{KEY: OTHER}"])
def test_a_variable_is_read_from_the_environment_under_its_name_there(name: str, keys: str) -> None:
    operation = f"inputParameters: [{{name: X-Key, in: header, value: '{{{{{name}}}}}'}}]"
    plan, warnings = plan_of(
        capability(operation, binds=f"[{{namespace: env, keys: {keys}}}]"), {"KEY": "v", "OTHER": "v"}
    )
    assert (header(sent(plan.units[0]), "X-Key"), warnings) == ("v", ())


def test_an_undeclared_key_of_an_environment_namespace_is_read_with_a_warning() -> None:
    data = capability(
        consumes="authentication: {type: bearer, token: '{{env.OTHER}}'}", binds="[{namespace: env, keys: {KEY: KEY}}]"
    )
    plan, (warning,) = plan_of(data, {"OTHER": "t"})
    assert header(sent(plan.units[0]), "Authorization") == "Bearer t"
    assert (warning.code, warning.severity) == ("undeclared-variable", "warning")
    assert "OTHER" in warning.message


def test_an_undeclared_key_is_told_once() -> None:
    data = capability(consumes="authentication: {type: basic, username: '{{env.A}}', password: '{{env.A}}'}",
                      binds="[{namespace: env, keys: {KEY: KEY}}]")  # fmt: skip
    assert len(plan_of(data, {"A": "x"})[1]) == 1


def test_all_missing_variables_are_named_at_once() -> None:
    data = capability(consumes="authentication: {type: basic, username: '{{env.A}}', password: '{{B}}'}",
                      operation="inputParameters: [{name: X-C, in: header, value: '{{C}}'},"
                                " {name: D, in: environment}]",
                      binds="[{namespace: env, keys: {A: A, B: B, C: C}}]")  # fmt: skip
    found = problems_of(data, {})
    assert [problem.code for problem in found if problem.severity == "error"] == ["missing-variable"] * 4
    assert {word for problem in found for word in "ABCD" if f" {word} " in problem.message} == set("ABCD")


def test_a_missing_variable_comes_with_what_to_do() -> None:
    (problem,) = problems_of(capability(KEY_IN_HEADER, binds="[{namespace: env, keys: {KEY: MY_KEY}}]"), {})
    assert "MY_KEY" in problem.message
    assert "export MY_KEY=" in problem.hint


def test_an_empty_value_is_a_value() -> None:
    data = capability(
        consumes="authentication: {type: basic, username: '{{A}}', password: '{{B}}'}",
        binds="[{namespace: env, keys: [A, B]}]",
    )
    plan, _ = plan_of(data, {"A": "u", "B": ""})
    assert header(sent(plan.units[0]), "Authorization") == "Basic dTo="


def test_without_an_environment_a_variable_stands_for_itself() -> None:
    plan, _ = plan_of(capability(KEY_IN_HEADER, binds="[{namespace: env, keys: [KEY]}]"), None)
    assert header(sent(plan.units[0]), "X-Key") == "{{KEY}}"


# --- files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.env", "OTHER=x\nKEY=v\n"), ("s.env", "export KEY='v'\r\n"), ("s.env", '# KEY=w\n KEY = "v" \n'),
        ("s.json", '{"KEY": "v"}'), ("s.yaml", "KEY: v\n"), ("s.yml", "{KEY: 'v'}"),
        ("s.env", "\ufeffKEY=v"), ("s.json", '\ufeff{"KEY": "v"}'), ("s.yaml", "\ufeffKEY: v"), ("a b", "KEY=v"),
    ],
)  # fmt: skip
def test_a_file_of_values_is_read_by_its_ending(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    assert value_from(tmp_path, f"file:///./{name.replace(' ', '%20')}") == "v"


@pytest.mark.parametrize("text", ["0042", "1.10", "1e3", "true", "no", "2024-01-01", "-5", "12345678901234567890"])
def test_a_plain_word_in_yaml_is_taken_as_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(f"KEY: {text}\n", "utf-8")
    assert value_from(tmp_path, "file:///./s.yaml") == text


@pytest.mark.parametrize("text", ["42", "1.10", "true", "12345678901234567890.5"])
def test_a_number_in_json_is_taken_as_it_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(f'{{"KEY": {text}}}', "utf-8")
    assert value_from(tmp_path, "file:///./s.json") == text


@pytest.mark.parametrize("content", ["KEY: null", "KEY: {a: 1}", "KEY: [1]", "OTHER: 1"])
def test_what_is_no_text_in_a_file_is_missing(tmp_path: Path, content: str) -> None:
    (tmp_path / "s.yaml").write_text(content, "utf-8")
    with pytest.raises(LoadError) as caught:
        value_from(tmp_path, "file:///./s.yaml")
    assert [problem.code for problem in caught.value.problems] == ["missing-variable"]


def test_a_file_is_looked_for_beside_the_capability_then_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(there)
    (there / "s.env").write_text("KEY=working directory")
    assert value_from(here, "file:///./s.env") == "working directory"
    (here / "s.env").write_text("KEY=beside")
    assert value_from(here, "file:///./s.env") == "beside"


@pytest.mark.parametrize("location", ["file:///./secrets/s.env", "file://secrets/s.env", "./secrets/s.env"])
def test_a_file_beside_the_capability_is_spelled_in_several_ways(tmp_path: Path, location: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "s.env").write_text("KEY=v")
    assert value_from(tmp_path, location) == "v"


def test_a_file_can_be_named_absolutely(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "s.env").write_text("THEIRS=v")
    assert value_from(tmp_path, f"file://{tmp_path}/x/s.env", "THEIRS") == "v"


@pytest.mark.parametrize("name", ["none", "a" * 5000])
def test_a_file_that_is_not_there_is_told_once(tmp_path: Path, name: str) -> None:
    operation = "inputParameters: [{name: X-A, in: header, value: '{{A}}'}, {name: X-B, in: header, value: '{{B}}'}]"
    data = capability(operation, binds=f"[{{namespace: s, location: 'file:///./{name}.env', keys: [A, B]}}]")
    with pytest.raises(LoadError) as caught:
        plan_of(data, {}, folder=tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["missing-file"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.yaml", "KEY: hunter2: x"),
        ("s.json", '{"KEY": "hunter2"'),
        ("s.yaml", "- hunter2"),
        ("s.env", "\udcffKEY=hunter2"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_without_showing_a_line_of_it(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(LoadError) as caught:
        value_from(tmp_path, f"file:///./{name}")
    assert [problem.code for problem in caught.value.problems] == ["unreadable-file"]
    assert "hunter2" not in str(caught.value)


def test_a_file_of_values_for_the_command_line_is_never_quoted(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("KEY: hunter2: x")
    with pytest.raises(ValueError, match="not YAML") as caught:
        read_values(tmp_path / "s.yaml")
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__suppress_context__


# --- never shown

EVERYWHERE = """
method: POST
path: /{realm}/{{env.KEY}}
inputParameters:
- {name: realm, in: path, value: '{{env.KEY}}'}
- {name: q, in: query, value: 'a{{env.KEY}}'}
- {name: X-K, in: header, value: '{{env.KEY}}'}
- {name: X-L, in: header, value: '{{env.KEY}}{{x}}'}
- {name: c, in: cookie, value: '{{env.KEY}}'}
body: {type: json, data: {a: '{{env.KEY}}', b: ['x{{env.KEY}}'], c: '{{x}}{{env.KEY}}'}}
"""


@pytest.mark.parametrize("base", ["https://h", "https://h/bot{{env.KEY}}/v1", "https://h/{{env.KEY}}"])
def test_a_bound_value_is_in_the_request_but_in_no_repr_and_no_explanation(base: str) -> None:
    data = capability(EVERYWHERE, "inputParameters: [{name: x}]", consumes=f"baseUri: '{base}'",
                      binds="[{namespace: env, keys: [KEY]}]")  # fmt: skip
    plan, warnings = plan_of(data, {"KEY": "hunter2"})
    request = sent(plan.units[0], {"x": "1"})
    assert f"{request.url}{request.headers}{request.body!r}".count("hunter2") == 9 + ("{{" in base)
    for shown in (repr(plan), str(explain(plan)), repr(warnings)):
        assert "hunter2" not in shown
    assert [secret.reveal() for secret in plan.secrets] == ["hunter2"]


@pytest.mark.parametrize(
    "body",
    ["{type: form, data: {a: 'x{{env.KEY}}'}}", "{type: form, data: 'a={{env.KEY}}'}",
     "{type: text, data: '{{env.KEY}}'}",
     "{type: xml, data: '<a>{{env.KEY}}</a>'}", "{type: multipart, data: {a: {value: '{{env.KEY}}'}}}",
     """'{"a": "{{env.KEY}}"}'"""],
)  # fmt: skip
def test_a_bound_value_in_a_body_is_not_shown(body: str) -> None:
    plan, _ = plan_of(
        capability(f"{{method: POST, body: {body}}}", binds="[{namespace: env, keys: [KEY]}]"), {"KEY": "hunter2"}
    )
    assert b"hunter2" in (sent(plan.units[0]).body or b"")
    assert "hunter2" not in repr(plan)
    assert "hunter2" not in str(explain(plan))


def test_a_bound_value_cannot_be_an_answer() -> None:
    data = capability(
        tool="outputParameters: [{name: k, type: string, value: '{{env.KEY}}'}]",
        binds="[{namespace: env, keys: [KEY]}]",
    )
    assert "secret-in-answer" in [problem.code for problem in problems_of(data, {"KEY": "hunter2"})]


def test_a_host_is_no_secret() -> None:
    data = capability(consumes="baseUri: 'https://{{env.H}}'", binds="[{namespace: env, keys: [H]}]")
    plan, _ = plan_of(data, {"H": "example.com"})
    assert plan.secrets == ()


# --- defaults

HOST = "{baseUri: 'https://{{env.API_HOST}}'}"


def with_default(default: str, operation: str = "{}", consumes: str = HOST, tool: str | None = None) -> dict[str, Any]:
    binds = f"[{{namespace: env, keys: {{API_HOST: SHOP_HOST}}, defaults: {{API_HOST: {default}}}}}]"
    return capability(operation, tool=tool, consumes=consumes, binds=binds)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, "https://play.shop.example/things", id="not set"),
        pytest.param({"SHOP_HOST": "live.shop.example"}, "https://live.shop.example/things", id="set"),
    ],
)
def test_a_default_stands_in_for_a_variable_that_is_not_set(environ: dict[str, str], expected: str) -> None:
    plan, warnings = plan_of(with_default("play.shop.example"), environ)
    assert (sent(plan.units[0]).url, warnings) == (expected, ())


def test_a_default_stands_in_for_a_name_that_a_file_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "values.env").write_text("OTHER=1")
    binds = "[{namespace: s, location: 'file:///./values.env', keys: {KEY: KEY}, defaults: {KEY: 0042}}]"
    data = yaml.safe_dump(capability(KEY_IN_HEADER, binds="[]")).replace("binds: []", f"binds: {binds}")
    plan, _ = plan_of(data, {}, folder=tmp_path)
    assert header(sent(plan.units[0]), "X-Key") == "0042"


def test_a_variable_that_is_set_to_nothing_is_set() -> None:
    operation = "inputParameters: [{name: X-Host, in: header, value: 'a{{env.API_HOST}}'}]"
    plan, _ = plan_of(with_default("play", operation, consumes="{}"), {"SHOP_HOST": ""})
    assert header(sent(plan.units[0]), "X-Host") == "a"


def test_explain_shows_a_default_in_place_of_its_variable() -> None:
    operation = "inputParameters: [{name: X-Host, in: header, value: 'to {{env.API_HOST}}'}]"
    tool = explain(plan_of(with_default("play.shop.example", operation))[0])["mcp"][0]["tools"][0]
    assert tool["call"]["url"] == "https://play.shop.example/things"
    assert tool["call"]["headers"]["X-Host"] == "to play.shop.example"


@pytest.mark.parametrize(
    ("default", "secrets"),
    [pytest.param("anything", [], id="a setting"), pytest.param("''", ["confidential"], id="may be left out")],
)
def test_what_has_a_default_is_no_secret(default: str, secrets: list[str]) -> None:
    operation = "inputParameters: [{name: X-Key, in: header, value: '{{env.API_HOST}}'}]"
    plan, _ = plan_of(with_default(default, operation, consumes="{}"), {"SHOP_HOST": "confidential"})
    assert [secret.reveal() for secret in plan.secrets] == secrets
    shown = explain(plan)["mcp"][0]["tools"][0]["call"]["headers"]["X-Key"]
    assert shown == ("{{env.API_HOST}}" if secrets else "confidential")


def test_a_setting_in_a_credential_is_as_secret_as_the_credential() -> None:
    consumes = "authentication: {type: bearer, token: '{{env.API_HOST}}'}"
    plan, _ = plan_of(with_default("demo-token", consumes=consumes), {"SHOP_HOST": "live-token"})
    assert "live-token" in {secret.reveal() for secret in plan.secrets}


def test_an_output_may_hold_a_setting_and_no_secret() -> None:
    tool = "{outputParameters: [{type: string, value: 'at {{env.API_HOST}}'}]}"
    assert plan_of(with_default("play", tool=tool, consumes="{}"), {})[0].units
    assert problems_of(with_default("''", tool=tool, consumes="{}"), {})[0].code == "secret-in-answer"


def test_a_default_of_no_key_is_refused() -> None:
    binds = "[{namespace: env, keys: {API_HOST: SHOP_HOST}, defaults: {API_HOSTS: x}}]"
    (found,) = problems_of(capability(binds=binds))
    assert (found.code, found.hint, found.at.pointer) == (
        "unknown-name", "did you mean 'API_HOST'?", "/binds/0/defaults/API_HOSTS")  # fmt: skip


def test_an_imported_bind_has_its_defaults_where_it_is_written() -> None:
    binds = "[{from: ./x.yaml, import: env, defaults: {KEY: x}}]"
    assert {problem.code for problem in problems_of(capability(binds=binds))} == {"not-supported-yet", "bad-import"}


def test_an_environment_parameter_has_its_own_default() -> None:
    operation = "inputParameters: [{name: REGION, in: environment, default: eu}]"
    plan, _ = plan_of(capability(operation, resource="path: '/{{REGION}}'"), {})
    assert sent(plan.units[0]).url == "https://api.example.com/eu"


LOWER = "{authentication: {type: bearer, token: '{{api_token}}'}}"
BOUND = "[{namespace: env, keys: {API_TOKEN: API_TOKEN}}]"


def test_a_credential_in_another_case_is_the_variable_that_is_bound() -> None:
    plan, warnings = plan_of(capability(consumes=LOWER, binds=BOUND), {"API_TOKEN": "t-1"})
    assert header(sent(plan.units[0]), "Authorization") == "Bearer t-1"
    assert [warning.code for warning in warnings] == ["undeclared-variable"]


def test_a_variable_of_the_very_name_comes_before_one_in_another_case() -> None:
    plan, _ = plan_of(capability(consumes=LOWER, binds=BOUND), {"API_TOKEN": "t-1", "api_token": "t-2"})
    assert header(sent(plan.units[0]), "Authorization") == "Bearer t-2"
