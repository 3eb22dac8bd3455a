"""Every spelling of a family means the same, and what is not run yet is refused by name."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capstan import load
from capstan.errors import LoadError, Problem
from capstan.load.model import (
    ApiKeyAuth,
    BasicAuth,
    BearerAuth,
    Capability,
    ClientCredentialsAuth,
    ConsumedOperation,
    DigestAuth,
    FormBody,
    FormTextBody,
    JsonBody,
    McpAdapter,
    MultipartBody,
    NoAuth,
    RestAdapter,
    TextBody,
)
from capstan.plan.build import build_plan, plan_file
from capstan.plan.explain import explain

LISTS = """
naftiko: 1.0.0-alpha2
info: {label: Shop, description: Orders.}
binds:
- {namespace: env, keys: {TOKEN: SHOP_TOKEN}}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: https://shop.example/v1/
    authentication: {type: bearer, token: '{{env.TOKEN}}'}
    inputParameters:
    - {name: Accept-Language, in: header, value: sv-SE}
    resources:
    - name: orders
      path: /orders/{order_id}
      inputParameters:
      - {name: order_id, in: path, type: string, required: true}
      operations:
      - name: get-order
        method: GET
        inputParameters:
        - {name: expand, in: query, type: string, enum: [lines, customer]}
      - name: put-order
        method: PUT
        inputParameters:
        - name: body
          in: body
          type: object
          properties: {amount: {type: integer, required: true, minimum: 1}, note: {type: string}}
        outputParameters:
        - {name: id, type: string, value: $.id}
      - name: post-form
        method: POST
        body: {type: multipartForm, data: [{name: note, value: '{{note}}', filename: note.txt}]}
  exposes:
  - type: rest
    namespace: shop-rest
    port: 8080
    resources:
    - name: orders
      path: /orders/{order-id}
      operations:
      - name: get-order
        method: GET
        call: shop.get-order
        inputParameters:
        - {name: order-id, in: path, type: string}
        - {name: expand, in: query, type: string}
        with: {order_id: rest.order-id, expand: rest.expand}
        outputParameters:
        - {name: id, type: string, mapping: $.id}
        - {name: lines, type: array, mapping: $.lines, items: {type: object, properties: {sku: {type: string, mapping: $.sku}}}}
      - name: put-order
        method: PUT
        call: shop.put-order
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
    - name: put-order
      description: Change an order.
      hints: {destructive: true}
      call: shop.put-order
"""  # noqa: E501

MAPS = """
ikanos: 1.0.0-beta7
info: {display: Shop, description: Orders.}
binds:
- {namespace: env, keys: {TOKEN: SHOP_TOKEN}}
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: https://shop.example/v1
    authentication: {type: bearer, token: '{{env.TOKEN}}'}
    inputParameters:
      Accept-Language: {in: header, value: sv-SE}
    resources:
      orders:
        path: /orders/{{order_id}}
        inputParameters:
          order_id: {in: path, type: string, required: true}
        operations:
          get-order:
            method: GET
            inputParameters:
              expand: {in: query, type: string, enum: [lines, customer]}
          put-order:
            method: PUT
            inputParameters:
              body:
                in: body
                type: object
                properties: {amount: {type: integer, required: true, minimum: 1}, note: {type: string}}
            outputParameters:
              id: {type: string, value: $.id}
          post-form:
            method: POST
            body: {type: multipartForm, data: {note: {value: '{{note}}', filename: note.txt}}}
  exposes:
  - type: rest
    namespace: shop-rest
    port: 8080
    resources:
      orders:
        path: /orders/{{order-id}}
        operations:
          get-order:
            method: GET
            call: shop.get-order
            inputParameters:
              order-id: {in: path, type: string}
              expand: {in: query, type: string}
            with: {order_id: rest.order-id, expand: rest.expand}
            outputParameters:
              id: {type: string, mapping: $.id}
              lines:
                type: array
                mapping: '{{$.lines}}'
                items: {type: object, properties: [{name: sku, type: string, mapping: $.sku}]}
          put-order:
            method: PUT
            call: shop.orders.put-order
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
      put-order:
        description: Change an order.
        hints: {destructive: true}
        call: shop.put-order
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def loaded(text: str, folder: Path) -> Capability:
    path = folder / "x.yaml"
    path.write_text(text, "utf-8")
    return load(path, "x.yaml")


def refused(text: str, folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(LoadError) as caught:
        loaded(text, folder)
    return caught.value.problems


def explained(text: str, folder: Path) -> Any:
    return json.loads(json.dumps(explain(build_plan(loaded(text, folder))[0])))


# --- families


def test_lists_and_maps_that_say_the_same_mean_the_same(folder: Path) -> None:
    assert explained(LISTS, folder) == explained(MAPS, folder)


@pytest.mark.parametrize("version", ["'0.5'", "0.5", "1.0.0-alpha1", "1.0.0-alpha2", "1.0.0-alpha3", "1.0.0-alpha5"])
def test_every_naftiko_version_means_the_same(version: str, folder: Path) -> None:
    text = LISTS.replace("naftiko: 1.0.0-alpha2", f"naftiko: {version}")
    assert explained(text, folder) == explained(LISTS, folder)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("binds:\n- {namespace: env,", "externalRefs:\n- {name: env, type: variables, resolution: runtime,",
                     id="externalRefs for binds"),
        pytest.param("- type: rest", "- type: api", id="api for rest"),
        pytest.param("mapping: $.id", "mapping: '{{$.id}}'", id="braces around a path"),
        pytest.param("method: PUT", "method: put", id="a method in small letters"),
        pytest.param("{type: bearer, token:", "{type: bearer, value:", id="value for token"),
        pytest.param("path: /orders/{order_id}", "path: orders/{{order_id}}", id="a path without a slash"),
        pytest.param("/v1/\n", "/v1\n", id="a base without a slash"),
        pytest.param("{label: Shop,", "{display: Shop,", id="display for label"),
        pytest.param("{label: Shop,", "{name: Shop,", id="name for label"),
        pytest.param("- {name: id, type: string, mapping: $.id}", "- {name: id, type: string, value: $.id}",
                     id="a path as value"),
        pytest.param("properties: {amount: {type: integer, required: true, minimum: 1}, note: {type: string}}",
                     "properties: [{name: amount, type: integer, required: true, minimum: 1},"
                     " {name: note, type: string}]",
                     id="properties as a list"),
        pytest.param("properties: {amount: {type: integer, required: true, minimum: 1}, note: {type: string}}",
                     "required: [amount]\n"
                     "          properties: {amount: {type: integer, minimum: 1}, note: {type: string}}",
                     id="required as a list"),
        pytest.param("items: {type: object, properties: {sku: {type: string, mapping: $.sku}}}",
                     "items: [{type: object, properties: {sku: {type: string, mapping: $.sku}}}]",
                     id="items as a list"),
        pytest.param("call: shop.put-order", "call: shop.orders.put-order", id="a call with three segments"),
        pytest.param("{name: order_id, in: path, type: string, required: true}",
                     "{name: order_id, in: path, schema: {type: string}, required: true}", id="schema for keywords"),
    ],
)  # fmt: skip
def test_two_spellings_mean_the_same(one: str, other: str, folder: Path) -> None:
    assert one in LISTS
    assert explained(LISTS.replace(one, other), folder) == explained(LISTS, folder)


def test_binds_stand_at_the_root_or_under_the_capability(folder: Path) -> None:
    binds = "binds:\n- {namespace: env, keys: {TOKEN: SHOP_TOKEN}}\n"
    inner = "\n  binds:\n  - {namespace: env, keys: [TOKEN]}"
    text = LISTS.replace(binds, "").replace("capability:", "capability:" + inner)
    (bind,) = loaded(text, folder).binds
    assert (bind.namespace, dict(bind.keys), bind.location) == ("env", {"TOKEN": "TOKEN"}, None)
    assert explained(text, folder) == explained(LISTS, folder)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        pytest.param("binds: [{namespace: a, location: 'file:///./a.env', keys: {A: b}}]", "file:///./a.env",
                     id="bind"),
        pytest.param("externalRefs: [{name: a, type: environment, resolution: file, uri: 'file:///a.json',"
                     " keys: {A: b}}]",
                     "file:///a.json", id="external reference"),
        pytest.param("externalRefs: [{name: a, uri: 'file:///a.json', keys: {A: b}}]", "file:///a.json",
                     id="external reference that only says where"),
    ],
)  # fmt: skip
def test_values_of_a_bind_may_come_from_a_file(text: str, location: str, folder: Path) -> None:
    (bind,) = loaded(f"naftiko: '0.5'\n{text}\ncapability: {{}}\n", folder).binds
    assert (bind.namespace, dict(bind.keys), bind.location) == ("a", {"A": "b"}, location)


# --- text stays what its author wrote


def test_text_that_looks_like_something_else_stays_text(folder: Path) -> None:
    text = """
naftiko: 1.0.0-alpha2
info: {label: 1.10, version: 0x1F, description: true}
capability:
  consumes:
  - type: http
    namespace: 42
    baseUri: https://shop.example
    inputParameters:
    - {name: 1.0, in: header, value: 2.50}
    - {name: no, in: query, type: string, default: 1.10, enum: [1.10, 007, no]}
    - {name: on, in: query, type: integer, default: 7}
"""
    found = loaded(text, folder)
    (api,) = found.consumes
    one, two, three = api.parameters
    assert (found.title, found.version, found.description, api.namespace) == ("1.10", "0x1F", "true", "42")
    assert (one.name, str(one.value), one.value) == ("1.0", "2.50", 2.5)
    assert (two.name, two.default, two.schema["enum"]) == ("no", "1.10", ["1.10", "007", "no"])
    assert (three.name, three.default) == ("on", 7)


# --- kinds


def operation(body: str, folder: Path) -> ConsumedOperation:
    text = f"""
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: https://shop.example
    resources:
    - name: orders
      path: /orders
      operations:
      - name: post-order
        method: POST
        {body}
"""
    return loaded(text, folder).consumes[0].resources[0].operations[0]


@pytest.mark.parametrize(
    ("body", "kind", "media_type"),
    [
        pytest.param("body: {type: json, data: {a: '{{b}}'}}", JsonBody, "application/json", id="json data"),
        pytest.param("body: {type: json, data: '{\"a\": {{b}}}'}", JsonBody, "application/json", id="json text"),
        pytest.param("body: ['{{b}}']", JsonBody, "application/json", id="a list"),
        pytest.param("body: '{\"a\": {{b}}}'", JsonBody, "application/json", id="bare json"),
        pytest.param("body: 'hello {{b}}'", TextBody, "text/plain; charset=utf-8", id="bare text"),
        pytest.param("body: {type: text, data: 'a {{b}}'}", TextBody, "text/plain; charset=utf-8", id="text"),
        pytest.param("body: {type: xml, data: '<a>{{b}}</a>'}", TextBody, "application/xml", id="xml"),
        pytest.param("body: {type: sparql, data: 'ASK {}'}", TextBody, "application/sparql-query", id="sparql"),
        pytest.param("body: {type: raw, data: abc}", TextBody, "application/octet-stream", id="raw"),
        pytest.param("body: {type: json, data: {}, contentType: application/x+json}", JsonBody, "application/x+json",
                     id="a media type of its own"),
        pytest.param("body: {type: formUrlEncoded, data: {a: '{{b}}', c: 1.10}}", FormBody,
                     "application/x-www-form-urlencoded", id="a form"),
        pytest.param("body: {type: formUrlEncoded, data: 'a={{b}}'}", FormTextBody,
                     "application/x-www-form-urlencoded", id="a form as text"),
        pytest.param("inputParameters: [{name: content-type, in: header, value: text/xml}]\n        body: <a/>",
                     TextBody, "text/xml", id="a header that says so"),
    ],
)  # fmt: skip
def test_a_body_is_of_the_kind_it_says(body: str, kind: type, media_type: str, folder: Path) -> None:
    found = operation(body, folder).body
    assert type(found) is kind
    assert getattr(found, "media_type", None) == media_type


def test_a_multipart_body_is_parts(folder: Path) -> None:
    body = "body: {type: multipartForm, data: [{name: a, value: '{{b}}', filename: c.txt, contentType: text/csv}]}"
    found = operation(body, folder).body
    assert isinstance(found, MultipartBody)
    (part,) = found.parts
    assert (part.name, str(part.value), str(part.filename), part.media_type) == ("a", "{{b}}", "c.txt", "text/csv")


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        pytest.param("{type: none}", NoAuth, id="none"),
        pytest.param("{type: basic, username: a}", BasicAuth, id="basic without a password"),
        pytest.param("{type: digest, username: a, password: b}", DigestAuth, id="digest"),
        pytest.param("{type: bearer, token: a}", BearerAuth, id="bearer"),
        pytest.param("{type: apikey, name: a, value: b, in: cookie}", ApiKeyAuth, id="apikey"),
        pytest.param("{type: oauth2, tokenUri: 'https://a.example', clientId: b, clientSecret: c, scopes: [d]}",
                     ClientCredentialsAuth, id="oauth2"),
    ],
)  # fmt: skip
def test_authentication_is_of_the_kind_it_says(auth: str, kind: type, folder: Path) -> None:
    assert type(operation(f"authentication: {auth}", folder).auth) is kind


def test_adapters_are_read_with_their_units(folder: Path) -> None:
    rest, mcp = loaded(LISTS, folder).exposes
    assert isinstance(rest, RestAdapter)
    assert isinstance(mcp, McpAdapter)
    assert [(o.method, str(o.path), o.unit.name, o.unit.call) for o in rest.operations] == [
        ("GET", "/orders/{order-id}", "get-order", "shop.get-order"),
        ("PUT", "/orders/{order-id}", "put-order", "shop.put-order"),
    ]
    (tool,) = mcp.tools
    assert tool.hints is not None
    assert (tool.unit.name, tool.hints.destructive, tool.hints.read_only) == ("put-order", True, None)


def test_an_mcp_server_may_speak_over_standard_input(folder: Path) -> None:
    text = "naftiko: '0.5'\ncapability: {exposes: [{type: mcp, namespace: a, transport: stdio}]}\n"
    (mcp,) = loaded(text, folder).exposes
    assert mcp.port is None
    (found,) = refused(text.replace("stdio", "stdio, port: 9090"), folder)
    assert (found.code, found.message) == ("unknown-keyword", "'port' has no meaning over stdio")


# --- what is not run yet is refused by name

REST = """
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: rest
    namespace: a-rest
    port: 8080
    {adapter}
    resources:
    - path: /a
      {resource}
      operations:
      - method: GET
        {unit}
"""
MCP = """
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: mcp
    namespace: a-mcp
    port: 9090
    {adapter}
    tools:
    - name: a
      {unit}
"""
CONSUMES = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: shop
    baseUri: https://shop.example
    {api}
    resources:
    - name: orders
      path: /orders
      operations:
      - name: list-orders
        method: GET
        {operation}
"""


def rest(**parts: str) -> str:
    return _filled(REST, parts)


def mcp(**parts: str) -> str:
    return _filled(MCP, parts)


def consumes(**parts: str) -> str:
    return _filled(CONSUMES, parts)


def _filled(text: str, parts: dict[str, str]) -> str:
    for key in ("adapter", "resource", "unit", "api", "operation"):
        text = text.replace(f"{{{key}}}", parts.get(key, ""))
    return text


ROOT = "naftiko: 1.0.0-alpha2\n"


@pytest.mark.parametrize(
    ("text", "named", "source"),
    [
        pytest.param(rest(adapter="authentication: {type: bearer, token: a}"), "'authentication'", "authentication",
                     id="authentication of callers over REST"),
        pytest.param(mcp(adapter="authentication: {type: oauth2, resource: a}"), "'authentication'", "authentication",
                     id="authentication of callers over MCP"),
        pytest.param(ROOT + "capability: {exposes: [{type: skill, port: 1, namespace: a}]}", "'skill'", "skill",
                     id="a skill adapter"),
        pytest.param(ROOT + "capability: {exposes: [{type: control, port: 1, management: {reload: true}}]}", "'reload'",
                     "reload", id="reloading through a control adapter"),
        pytest.param(ROOT + "binds: [{namespace: a, location: 'vault://b', keys: {C: d}}]\ncapability: {}", "'vault:'",
                     "'vault://b'", id="binds at a vault"),
        pytest.param(consumes(api="authentication: {type: hmac}"), "'hmac'", "hmac", id="hmac"),
        pytest.param(consumes(api="authentication: {type: oauth1}"), "'oauth1'", "oauth1", id="oauth1"),
        pytest.param(consumes(api="authentication: {type: aws-sig-v4}"), "'aws-sig-v4'", "aws-sig-v4", id="aws"),
        pytest.param(consumes(api="authentication: {type: apikey, key: a, value: b, placement: body}"),
                     "API key in the body", "body", id="an API key in the body"),
        pytest.param(consumes(api="tunnel: {type: ziti}"), "'tunnel'", "tunnel", id="a tunnel"),
        pytest.param(consumes().replace("type: http", "type: mcp"), "MCP server", "mcp", id="a consumed MCP server"),
        pytest.param(consumes(operation="inputParameters: [{name: a, in: query, style: pipeDelimited}]"),
                     "'pipeDelimited'", "pipeDelimited", id="a style"),
        pytest.param(consumes(operation="inputParameters: [{name: a, in: query, style: simple}]"), "'simple'", "simple",
                     id="lists in one value of a query"),
        pytest.param(consumes(operation="body: {type: multipart, contentType: a/b, data: {c: {value: d}}}"),
                     "'contentType'", "contentType", id="the media type of a multipart form"),
        pytest.param(ROOT + "externalRefs: [{name: a, resolution: vault, uri: 'b', keys: {C: d}}]\ncapability: {}",
                     "'vault'", "vault", id="external references to a vault"),
        pytest.param(consumes(operation="inputParameters: [{name: a, in: query, explode: false}]"), "'explode: false'",
                     "explode", id="lists in one value"),
    ],
)  # fmt: skip
def test_what_is_not_run_yet_is_refused_by_name_where_it_stands(
    text: str, named: str, source: str, folder: Path
) -> None:
    (found,) = refused(text, folder)
    assert found.code == "not-supported-yet"
    assert named in found.message
    assert found.at.source[found.at.column - 1 :].startswith(source)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(rest(unit="inputParameters: [{name: a, in: environment}]"), id="operation"),
        pytest.param(rest(resource="inputParameters: [{name: a, in: environment}]"), id="resource"),
        pytest.param(mcp(unit="inputParameters: [{name: a, in: environment}]"), id="tool"),
    ],
)
def test_no_caller_is_asked_for_a_variable_of_the_environment(text: str, folder: Path) -> None:
    (found,) = refused(text, folder)
    assert (found.code, found.at.source[found.at.column - 1 :][:11]) == ("unknown-value", "environment")


@pytest.mark.parametrize("form", ["json", "text", "binary", "raw"])
def test_formats_that_need_no_conversion_are_taken(form: str, folder: Path) -> None:
    loaded(consumes(operation=f"outputRawFormat: {form}"), folder)


def test_all_problems_of_a_file_are_told_in_its_order(folder: Path) -> None:
    unit = "mappings: [{targetName: a, value: $.b}]"
    text = rest(adapter="authentication: {type: none}", resource="forward: {}", unit=unit) + (
        "  consumes:\n  - {type: http, namespace: a, baseUri: ''}\n"
    )
    lines = [found.at.line for found in refused(text, folder)]
    assert len(lines) == 4
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        pytest.param(mcp(unit="with: {a: {b: [1, 'x{{}}']}}"), "/exposes/0/tools/0/with/a/b/1", id="a value of with"),
        pytest.param(mcp(unit="with: {a: '{{#b}}'}"), "/exposes/0/tools/0/with/a", id="a text of with"),
        pytest.param(consumes(operation="body: [1, {a: '{{}}'}]"), "/consumes/0/resources/0/operations/0/body/1/a",
                     id="a body that is a list"),
        pytest.param(consumes(operation="body: {type: json, data: {a: ['{{}}']}}"),
                     "/consumes/0/resources/0/operations/0/body/data/a/0", id="a body that is data"),
        pytest.param(consumes(api="inputParameters: [{name: a, in: query, value: {b: '{{}}'}}]"),
                     "/consumes/0/inputParameters/0/value/b", id="a value of a parameter"),
    ],
)  # fmt: skip
def test_a_bad_template_inside_data_is_told_at_its_own_place(text: str, pointer: str, folder: Path) -> None:
    (found,) = refused(text, folder)
    assert (found.code, found.at.pointer) == ("bad-expression", "/capability" + pointer)


# --- whatever a file says, the answer is a plan or problems


SPOILT = st.sampled_from([
    None, True, 0, -1, 1.5, "", "x", "{{x}}", "{{}}", "{x", "$.a", "$.a[", "rest.x", "tools.x", "/..", "http://",
    [], {}, [[]], ["a"], [{}], {"a": {}}, {"name": "a"}, {"type": "json", "data": 1}, {"from": "a", "import": "b"},
])  # fmt: skip


def _pointers(node: Any, pointer: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, item in items for found in ((*pointer, key), *_pointers(item, (*pointer, key)))]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_spoilt_file_gives_a_plan_or_problems_with_places(folder: Path, data: st.DataObject) -> None:
    tree = yaml.safe_load(data.draw(st.sampled_from([LISTS, MAPS])))
    for _ in range(data.draw(st.integers(1, 3))):
        pointer = data.draw(st.sampled_from(_pointers(tree)))
        holder = tree
        for part in pointer[:-1]:
            holder = holder[part]
        match data.draw(st.sampled_from(["replace", "remove", "rename"])):
            case "remove":
                del holder[pointer[-1]]
            case "rename" if isinstance(holder, dict):
                holder[f"{pointer[-1]}x"] = holder.pop(pointer[-1])
            case _:
                holder[pointer[-1]] = copy.deepcopy(data.draw(SPOILT))
    path = folder / "x.yaml"
    path.write_text(json.dumps(tree, indent=1), "utf-8")
    lines = path.read_text("utf-8").splitlines()
    try:
        plan, told = plan_file(path)
        json.dumps(explain(plan))
    except LoadError as error:
        told = error.problems
        assert told
    assert all(found.at.source == lines[found.at.line - 1] for found in told)
