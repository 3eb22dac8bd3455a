"""Authentication that needs no negotiation is a fixed part of every request."""

from __future__ import annotations

import base64
import json

import pytest

from capstan.plan.explain import explain
from capstan.plan.types import UnitPlan
from plan.helpers import capability, header, plan_of, refusals_of, sent, target, tool_of, warnings_of

BINDS = "[{namespace: env, keys: {USER: USER, KEY: KEY}}]"
ENVIRON = {"USER": "jürgen", "KEY": "s3cret:ü"}


def signed(authentication: str, operation: str = "{}") -> UnitPlan:
    return tool_of(operation, consumes=f"authentication: {authentication}", binds=BINDS, environ=ENVIRON)


def test_basic_is_encoded_in_utf8() -> None:
    value = header(sent(signed("{type: basic, username: '{{env.USER}}', password: '{{KEY}}'}")), "Authorization")
    assert value is not None
    scheme, _, pair = value.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(pair).decode() == "jürgen:s3cret:ü"


@pytest.mark.parametrize("keyword", ["token", "value"])
def test_bearer(keyword: str) -> None:
    assert header(sent(signed(f"{{type: bearer, {keyword}: '{{{{env.KEY}}}}'}}")), "Authorization") == "Bearer s3cret:ü"


@pytest.mark.parametrize(
    "authentication",
    [
        pytest.param("{type: apikey, key: X-Key, value: '{{KEY}}', placement: header}", id="placement"),
        pytest.param("{type: apikey, name: X-Key, value: '{{KEY}}', in: header}", id="in"),
        pytest.param("{type: apikey, key: X-Key, value: '{{KEY}}'}", id="header by default"),
    ],
)
def test_an_api_key_in_a_header(authentication: str) -> None:
    assert header(sent(signed(authentication)), "X-Key") == "s3cret:ü"


def test_an_api_key_in_the_query_follows_the_arguments() -> None:
    unit = signed(
        "{type: apikey, key: api_key, value: '{{KEY}}', placement: query}", "inputParameters: [{name: a, in: query}]"
    )
    assert target(sent(unit, {"a": "1"})) == "/things?a=1&api_key=s3cret%3A%C3%BC"


def test_an_api_key_in_a_cookie_joins_the_others() -> None:
    unit = signed(
        "{type: apikey, key: sid, value: '{{KEY}}', placement: cookie}", "inputParameters: [{name: a, in: cookie}]"
    )
    assert header(sent(unit, {"a": "1"}), "Cookie") == "a=1; sid=s3cret:%C3%BC"


def test_an_api_key_in_a_cookie_that_is_encoded_already_is_not_encoded_again() -> None:
    unit = tool_of(consumes="authentication: {type: apikey, key: sid, value: '{{KEY}}', placement: cookie}",
                   binds=BINDS, environ={"KEY": "s%3Aabc; x=1"})  # fmt: skip
    assert header(sent(unit), "Cookie") == "sid=s%3Aabc%3B%20x=1"


@pytest.mark.parametrize("prefix", ["Basic ", "Api-Token ", "Bearer "])
def test_an_api_key_can_be_a_whole_authorization_header(prefix: str) -> None:
    unit = signed(f"{{type: apikey, key: Authorization, value: '{prefix}{{{{KEY}}}}', placement: header}}")
    assert header(sent(unit), "Authorization") == prefix + "s3cret:ü"


@pytest.mark.parametrize(
    ("authentication", "parameter"),
    [
        pytest.param("{type: apikey, key: api_key, value: '{{KEY}}', placement: query}",
                     "{name: api_key, in: query, required: true}", id="query"),
        pytest.param("{type: bearer, token: '{{KEY}}'}",
                     "{name: authorization, in: header, required: true}", id="header"),
        pytest.param("{type: apikey, key: sid, value: '{{KEY}}', placement: cookie}",
                     "{name: sid, in: cookie}", id="cookie"),
    ],
)  # fmt: skip
def test_a_credential_that_is_also_a_parameter_is_not_asked_of_callers(authentication: str, parameter: str) -> None:
    unit = signed(authentication, f"inputParameters: [{parameter}]")
    assert unit.inputs == ()
    request = sent(unit)
    assert f"{request.url} {request.headers}".count("s3cret") == 1


def test_an_entry_for_a_credential_has_no_effect_and_is_told() -> None:
    data = capability(
        "inputParameters: [{name: api_key, in: query}]", "with: {api_key: tools.api_key}",
        consumes="authentication: {type: apikey, key: api_key, value: '{{KEY}}', placement: query}", binds=BINDS,
    )  # fmt: skip
    plan, warnings = plan_of(data, ENVIRON)
    assert [problem.code for problem in warnings] == ["unused-entry"]
    assert plan.mcp[0].tools[0].unit.inputs == ()


def test_the_authentication_of_an_operation_replaces_that_of_its_api() -> None:
    unit = signed("{type: bearer, token: '{{KEY}}'}", "authentication: {type: apikey, key: X-Own, value: own}")
    request = sent(unit)
    assert (header(request, "X-Own"), header(request, "Authorization")) == ("own", None)


@pytest.mark.parametrize(
    "authentication",
    [
        "{type: digest, username: '{{USER}}', password: '{{KEY}}'}",
        "{type: oauth2, tokenUri: 'https://id.example.com/token', clientId: '{{USER}}', clientSecret: '{{KEY}}'}",
    ],
    ids=["digest", "client credentials"],
)
def test_what_is_negotiated_is_no_part_of_the_request(authentication: str) -> None:
    unit = signed(authentication)
    assert header(sent(unit), "Authorization") is None
    assert unit.call is not None
    assert unit.call.api.auth is not None
    assert "s3cret" not in repr(unit)


@pytest.mark.parametrize(
    "authentication",
    [
        "{type: basic, username: '{{USER}}', password: '{{KEY}}'}",
        "{type: bearer, token: '{{KEY}}'}",
        "{type: apikey, key: X-Key, value: 'p {{KEY}}', placement: header}",
        "{type: apikey, key: k, value: '{{KEY}}', placement: query}",
        "{type: apikey, key: k, value: '{{KEY}}', placement: cookie}",
        "{type: digest, username: '{{USER}}', password: '{{KEY}}'}",
    ],
)
def test_no_credential_is_in_a_repr_or_an_explanation(authentication: str) -> None:
    plan, _ = plan_of(capability(consumes=f"authentication: {authentication}", binds=BINDS), ENVIRON)
    encoded = base64.b64encode("jürgen:s3cret:ü".encode()).decode()
    for shown in (repr(plan), str(explain(plan))):
        assert "s3cret" not in shown
        assert encoded not in shown
        assert "KEY" in shown
    assert any("s3cret" in secret.reveal() or encoded in secret.reveal() for secret in plan.secrets)


@pytest.mark.parametrize(
    "authentication",
    [
        pytest.param("{type: bearer, token: '{{KEY}}'}", id="bearer"),
        pytest.param("{type: apikey, key: X-Key, value: '{{KEY}}'}", id="api key"),
    ],
)
def test_a_credential_with_a_line_break_is_refused_at_start_without_showing_it(authentication: str) -> None:
    data = capability(consumes=f"authentication: {authentication}", binds=BINDS)
    with pytest.raises(Exception, match="line break") as caught:
        plan_of(data, {"USER": "u", "KEY": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


def test_the_name_of_an_api_key_header_must_be_one() -> None:
    assert refusals_of(capability(consumes="authentication: {type: apikey, key: 'X Key', value: v}")) == ["bad-name"]


def test_a_credential_that_names_nothing_known_is_refused() -> None:
    data = capability(consumes="authentication: {type: bearer, token: '{{no such}}'}")
    assert refusals_of(data) == ["unknown-name"]


def test_a_credential_that_no_bind_declares_is_read_from_the_environment_with_a_warning() -> None:
    data = capability(consumes="authentication: {type: bearer, token: '{{OTHER}}'}", binds=BINDS)
    assert warnings_of(data, {"OTHER": "x"}) == ["undeclared-variable"]


def test_a_credential_that_stands_in_the_file_is_not_explained() -> None:
    plan, _ = plan_of(capability(consumes="authentication: {type: bearer, token: literal-token}"))
    assert "literal-token" not in json.dumps(explain(plan))


def test_an_operation_can_go_without_the_credentials_of_its_api() -> None:
    operation = "authentication: {type: none}"
    unit = tool_of(operation, consumes="authentication: {type: bearer, token: literal-token}")
    assert header(sent(unit), "Authorization") is None


def test_a_parameter_of_the_environment_may_be_the_credential() -> None:
    api = (
        "{inputParameters: [{name: shop_key, in: environment}], authentication: {type: bearer, token: '{{shop_key}}'}}"
    )
    data = capability(consumes=api)
    assert warnings_of(data, {"shop_key": "k-1"}) == []
    assert header(sent(tool_of(consumes=api, environ={"shop_key": "k-1"})), "Authorization") == "Bearer k-1"


def test_an_api_key_without_a_place_goes_into_a_header_and_a_name_needs_no_password() -> None:
    unit = tool_of(consumes="authentication: {type: apikey, key: X-Key, value: v}")
    assert header(sent(unit), "X-Key") == "v"
    unit = tool_of(consumes="authentication: {type: basic, username: u}")
    assert header(sent(unit), "Authorization") == "Basic dTo="
