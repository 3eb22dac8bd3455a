"""What a forward may say, and what is made of it at load."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capstan.errors import LoadError, Problem
from capstan.expose.openapi import openapi_document
from capstan.plan.explain import explain
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan, ForwardPlan
from plan.helpers import plan_of

API = "{type: http, namespace: shop, baseUri: 'https://shop.example/v1/'}"


def text(*resources: str, api: str = API) -> str:
    return (
        f"naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n  - {api}\n  exposes:\n"
        "  - type: rest\n    namespace: shop-rest\n    port: 8080\n    resources:\n"
        + "".join(f"    - {resource}\n" for resource in resources)
    )  # fmt: skip


def forward(*resources: str, api: str = API) -> tuple[ForwardPlan, list[Problem]]:
    plan, warnings = plan_of(text(*resources, api=api), {})
    return plan.rest[0].forwards[0], list(warnings)


def problems(*resources: str, api: str = API) -> list[Problem]:
    with pytest.raises(LoadError) as caught:
        join_plans([plan_of(text(*resources, api=api), {})[0]])
    return list(caught.value.problems)


def pointed(problem: Problem) -> str:
    return problem.at.source[problem.at.column - 1 :]


@pytest.mark.parametrize(
    ("path", "prefix", "takes_rest"),
    [
        ("/shop/{path}", ("shop",), True), ("shop/{{path}}", ("shop",), True), ("/{path}", (), True), ("/", (), False),
        ("/a/b", ("a", "b"), False), ("/a b/{ path }", ("a b",), True), ("/a/", ("a", ""), False),
    ],
)  # fmt: skip
def test_a_path_is_literal_but_for_what_is_left(path: str, prefix: tuple[str, ...], *, takes_rest: bool) -> None:
    plan, _ = forward(f"{{path: '{path}', forward: {{targetNamespace: shop}}}}")
    assert (plan.prefix, plan.takes_rest) == (prefix, takes_rest)


@pytest.mark.parametrize(
    ("resource", "code", "source", "words"),
    [
        ("{path: /a, forward: {}}", "missing-keyword", "{}", "targetNamespace"),
        ("{path: /a, forward: {targetNamespace: shpo}}", "unknown-namespace", "shpo", "did you mean 'shop'"),
        ("{forward: {targetNamespace: shop}}", "missing-keyword", "{forward", "'path'"),
        ("{path: '/a/{id}', forward: {targetNamespace: shop}}", "unknown-name", "'/a/{id}'", "'id'"),
        ("{path: '/a/{path*}', forward: {targetNamespace: shop}}", "unknown-name", "'/a/{path*}'", "all segments"),
        ("{path: '/a/{path}/b', forward: {targetNamespace: shop}}", "bad-expression", "'/a/{path}/b'", "the last one"),
        ("{path: '/a/x{path}', forward: {targetNamespace: shop}}", "bad-expression", "'/a/x{path}'", "no text"),
        ("{path: /a, forward: {targetNamespace: shop, trustedHeaders: ['X A']}}", "bad-name", "'X A'", "of a header"),
        ("{path: /a, forward: {targetNamespace: shop, trustedHeaders: [B, 'X-*']}}", "bad-name", "'X-*'", "one by one"),
        ("{path: /a, forward: {targetNamespace: shop, trustedHeaders: [hOst]}}", "bad-name", "hOst", "connection"),
        ("{path: /a, forward: {targetNamespace: shop, trusted: [A]}}", "unknown-keyword", "trusted", "trustedHeaders"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told_where_it_stands(resource: str, code: str, source: str, words: str) -> None:
    (found,) = problems(resource)
    assert found.code == code
    assert pointed(found).startswith(source)
    assert words in found.message + found.hint


@pytest.mark.parametrize(
    "name", ["Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Authorization",
             "Content-Length", "Expect", "Proxy-Connection"],
)  # fmt: skip
def test_no_header_of_a_connection_can_be_trusted(name: str) -> None:
    (found,) = problems(f"{{path: /a, forward: {{targetNamespace: shop, trustedHeaders: [{name}]}}}}")
    assert found.code == "bad-name"


def test_nobody_is_asked_for_a_host() -> None:
    host = "{name: host, type: string, enum: [a.example, b.example]%s}"
    api = "{type: http, namespace: shop, baseUri: 'https://{{host}}/v1', inputParameters: [%s]}"
    resource = "{path: '/a/{path}', forward: {targetNamespace: shop}}"
    (found,) = problems(resource, api=api % (host % ""))
    assert (found.code, pointed(found)[:4]) == ("open-host", "shop")
    plan, _ = forward(resource, api=api % (host % ", default: b.example"))
    assert plan.call.request.bind({}).url == "https://b.example/v1"


def test_what_has_no_effect_is_warned_of() -> None:
    api = ("{type: http, namespace: shop, baseUri: 'https://shop.example', inputParameters: [{name: X-V, in: header, "
           "value: 1}, {name: b, in: body, value: 1}, {name: p, in: path, value: 1}], "
           "authentication: {type: basic, username: u, password: p}}")  # fmt: skip
    trusted = "[x-v, authorization, Accept-Encoding, X-A, x-a]"
    plan, warnings = forward(f"{{path: /a, forward: {{targetNamespace: shop, trustedHeaders: {trusted}}}}}", api=api)
    assert plan.trusted == ("X-A",)
    assert [(w.code, pointed(w).partition(",")[0]) for w in warnings] == [
        ("unplaced-parameter", "{name: b"), ("unplaced-parameter", "{name: p"),
        ("unused-entry", "x-v"), ("unused-entry", "authorization"), ("unused-entry", "Accept-Encoding"),
    ]  # fmt: skip


def test_inputs_of_what_is_forwarded_are_limits_that_nobody_keeps() -> None:
    resource = "{path: '/a/{path}', forward: {targetNamespace: shop}, inputParameters: [%s]%s}"
    plain = "{name: path, in: path, type: string, description: What is left.}, {name: q, in: query}"
    _, warnings = forward(resource % (plain, ""))
    assert [(w.code, pointed(w)[:8]) for w in warnings] == [("unused-input", "{name: q")]
    operations = ", operations: [{method: GET, name: a, outputParameters: [{name: b, value: '{{q}}'}]}]"
    assert [w.message for w in forward(resource % (plain, operations))[1] if "'q'" in w.message] == []
    (found,) = problems(resource % ("{name: path, in: path, type: string, pattern: '^orders/'}", ""))
    assert (found.code, pointed(found)[:11]) == ("not-supported-yet", "{name: path")


@pytest.mark.parametrize("auth", ["{type: digest, username: u, password: p}",
                                  "{type: oauth2, tokenUri: 'https://x', clientId: a, clientSecret: b}"])  # fmt: skip
def test_credentials_that_are_negotiated_have_no_rival_either(auth: str) -> None:
    api = f"{{type: http, namespace: shop, baseUri: 'https://shop.example', authentication: {auth}}}"
    plan, warnings = forward("{path: /a, forward: {targetNamespace: shop, trustedHeaders: [Authorization]}}", api=api)
    assert (plan.trusted, plan.guarded, [w.code for w in warnings]) == ((), True, ["unused-entry"])


def test_a_path_is_forwarded_once() -> None:
    resource = "{path: '%s', forward: {targetNamespace: shop}}"
    (found,) = problems(resource % "/a/{path}", resource % "/a/{{path}}", resource % "/a")
    assert (found.code, found.at.line) == ("duplicate-route", 11)


def test_a_forward_does_not_take_the_place_of_an_mcp_server() -> None:
    mcp = ("  - {type: mcp, namespace: m, port: 8080, tools: [{name: t, description: d, "
           "outputParameters: [{name: a, value: b}]}]}\n")  # fmt: skip
    with pytest.raises(LoadError) as caught:
        join_plans([plan_of(text("{path: /mcp, forward: {targetNamespace: shop}}") + mcp, {})[0]])
    assert [problem.code for problem in caught.value.problems] == ["duplicate-route"]


BOTH = (
    "{path: '/files/{path}', tags: [t], description: Files., forward: {targetNamespace: shop, trustedHeaders: "
    "[X-A, Authorization]}, operations: [{method: GET, name: file, outputParameters: [{name: a, value: b}]}]}"
)


def told(plan: CapabilityPlan) -> dict[str, Any]:
    site, _ = join_plans([plan])
    port = site.ports[0]
    found: dict[str, Any] = json.loads(
        json.dumps(openapi_document(port.title, port.version, port.description, port.operations, port.forwards))
    )
    return found


def test_the_document_tells_of_forwards_beside_operations() -> None:
    plan, _ = plan_of(text(BOTH, "{path: /root, forward: {targetNamespace: shop}}"), {})
    paths = told(plan)["paths"]
    assert {path: sorted(item) for path, item in paths.items()} == {
        "/files/{path}": ["delete", "get", "patch", "post", "put"], "/root": ["delete", "get", "patch", "post", "put"],
    }  # fmt: skip
    own, forwarded = paths["/files/{path}"]["get"], paths["/files/{path}"]["post"]
    assert "x-forward" not in own
    assert (forwarded["x-forward"], forwarded["x-effect"], forwarded["description"]) == ("shop", "write", "Files.")
    assert [(p["name"], p["in"]) for p in forwarded["parameters"]] == [("path", "path"), ("X-A", "header")]
    assert "parameters" not in paths["/root"]["get"]


def test_explain_tells_of_forwards() -> None:
    plan, _ = plan_of(text(BOTH), {})
    assert explain(plan)["rest"][0]["forwards"] == [
        {"route": "* /files/{path}", "to": "shop", "url": "https://shop.example/v1/<path>",
         "trusted": ["X-A", "Authorization"], "not": ["GET"]},
    ]  # fmt: skip
