from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from capstan import load
from capstan.errors import LoadError, Problem
from capstan.load.document import Document
from capstan.load.schema import Checker, capability_checker, schema_problems, suggest
from capstan.plan.build import plan_file
from capstan.resources import bundled

SCHEMA: dict[str, Any] = json.loads(bundled("schemas/capability.schema.json").read_text("utf-8"))
DEFINITIONS: dict[str, Any] = SCHEMA["$defs"]

CHECKED = Path(__file__).parents[1] / "golden" / "problems"

# One file in which every object of the format stands once.
WHOLE = """
naftiko: 1.0.0-alpha2
info: {label: Everything, stakeholders: [{role: owner, fullName: Somebody}]}
binds: [{namespace: env, keys: {TOKEN: TOKEN}}]
externalRefs: [{name: old, keys: {OLD: OLD}}]
capability:
  binds: [{namespace: inner, keys: {INNER: INNER}}]
  consumes:
  - type: http
    namespace: shop
    baseUri: https://shop.example/v1
    authentication: {type: basic, username: a, password: b}
    tls: {caBundle: ca.pem}
    inputParameters: [{name: lang, in: query, schema: {type: string}}]
    resources:
    - name: orders
      path: /orders
      inputParameters: [{name: a, in: query}]
      operations:
      - name: list-orders
        method: GET
        authentication: {type: bearer, token: x}
        inputParameters:
        - name: b
          in: body
          type: object
          properties: {c: {type: array, items: {type: string}}}
          additionalProperties: {type: string}
        body: {type: multipartForm, data: [{name: part, value: text}]}
        outputParameters: [{name: id, type: string, value: $.id}]
  - {type: http, namespace: b, baseUri: 'https://b.example', authentication: {type: digest, username: a, password: b}}
  - {type: http, namespace: c, baseUri: 'https://c.example', authentication: {type: apikey, key: a, value: b}}
  - {type: http, namespace: d, baseUri: 'https://d.example', authentication: {type: oauth2, tokenUri: 'https://d.example'}}
  - {type: http, namespace: e, baseUri: 'https://e.example', authentication: {type: none, description: Open.}}
  exposes:
  - type: rest
    namespace: shop-rest
    port: 8080
    authentication: {type: bearer, token: x}
    resources:
    - path: /orders
      forward: {targetNamespace: shop}
      operations:
      - method: GET
        inputParameters: [{name: b, in: body}]
        outputParameters:
        - type: array
          items: {type: object, properties: {id: {type: string, mapping: {items: {type: string}}}}}
  - type: mcp
    namespace: shop-mcp
    port: 9090
    tools:
    - {name: list-orders, hints: {readOnly: true}, inputParameters: [{name: b}], outputParameters: [{type: string}]}
"""
# Mappings whose keys are names the author gives, or that are passed on as they are.
NAMES_OR_DATA = {"keys", "properties"}
COLLECTIONS = {
    "inputParameters", "outputParameters", "resources", "operations", "tools", "properties", "data",
}  # fmt: skip


def problems(data: Any) -> list[Problem]:
    return schema_problems(Document("x.yaml", json.dumps(data)))[0]


def objects(node: Any, pointer: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Pointers to all mappings that have keywords."""
    if isinstance(node, dict):
        if not (pointer and pointer[-1] in NAMES_OR_DATA):
            yield pointer
        for key, item in node.items():
            yield from objects(item, (*pointer, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from objects(item, (*pointer, index))


def at(data: Any, pointer: tuple[str | int, ...]) -> Any:
    for part in pointer:
        data = data[part]
    return data


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    jsonschema_rs.meta.validate(SCHEMA)


def test_every_definition_is_used_and_every_reference_defined() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                yield reference.removeprefix("#/$defs/")
            for item in node.values():
                yield from references(item)
        elif isinstance(node, list):
            for item in node:
                yield from references(item)

    assert set(references(SCHEMA)) <= set(DEFINITIONS)


def test_a_file_with_every_object_is_accepted() -> None:
    assert problems(yaml.safe_load(WHOLE)) == []


@pytest.mark.parametrize("pointer", list(objects(yaml.safe_load(WHOLE))), ids=lambda p: "/".join(map(str, p)) or "root")
def test_an_unknown_keyword_is_told_in_every_kind_of_object(pointer: tuple[str | int, ...]) -> None:
    data = yaml.safe_load(WHOLE)
    at(data, pointer)["qqqqqq"] = 1
    (found,) = problems(data)
    assert (found.code, found.message) == ("unknown-keyword", "'qqqqqq' is not known here")
    assert found.at.pointer == "".join(f"/{part}" for part in (*pointer, "qqqqqq"))
    assert found.at.source[found.at.column - 1 :].startswith('"qqqqqq"')


@pytest.mark.parametrize("pointer", list(objects(yaml.safe_load(WHOLE))), ids=lambda p: "/".join(map(str, p)) or "root")
def test_a_mistyped_keyword_is_told_with_the_one_that_was_meant(pointer: tuple[str | int, ...]) -> None:
    data = yaml.safe_load(WHOLE)
    holder = at(data, pointer)
    key = next(reversed(holder))
    holder[key + key[-1]] = holder.pop(key)
    told = {(found.code, found.hint) for found in problems(data)}
    assert ("unknown-keyword", f"did you mean '{key}'?") in told


def test_a_collection_may_be_a_list_or_a_map() -> None:
    def as_maps(node: Any) -> Any:
        if isinstance(node, list):
            return [as_maps(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {key: as_maps(item) for key, item in node.items()}
        for key in COLLECTIONS & set(found):
            if isinstance(found[key], list):
                found[key] = {item.pop("name", f"n{index}"): item for index, item in enumerate(found[key])}
        return found

    data = as_maps(yaml.safe_load(WHOLE))
    assert isinstance(data["capability"]["consumes"][0]["resources"]["orders"]["operations"], dict)
    assert problems(data) == []


@pytest.mark.parametrize("version", SCHEMA["properties"]["naftiko"]["enum"])
def test_every_naftiko_version_is_known(version: str | float) -> None:
    assert problems({"naftiko": version}) == []


@pytest.mark.parametrize("version", SCHEMA["properties"]["ikanos"]["enum"])
def test_every_ikanos_version_is_known(version: str) -> None:
    assert problems({"ikanos": version}) == []


@pytest.mark.parametrize(
    ("data", "code", "pointer", "message"),
    [
        pytest.param({"naftiko": "2.0"}, "unknown-version", "/naftiko", "1.0.0-alpha2", id="a version"),
        pytest.param({"naftiko": "0.5", "info": []}, "wrong-type", "/info", "a list is not of type object", id="type"),
        pytest.param({"naftiko": "0.5", "info": {"label": None}}, "wrong-type", "/info/label", "null", id="null"),
        pytest.param({"naftiko": "0.5", "capability": {"exposes": [{}]}}, "missing-keyword", "/capability/exposes/0",
                     "'type' is missing", id="a missing keyword"),
        pytest.param({"naftiko": "0.5", "capability": {"exposes": [{"type": "rset", "port": 1, "namespace": "a"}]}},
                     "unknown-value", "/capability/exposes/0/type", "'rset' is not one of rest", id="a value"),
        pytest.param({"naftiko": "0.5", "capability": {"exposes": [{"type": "rest", "port": 0, "namespace": "a"}]}},
                     "out-of-range", "/capability/exposes/0/port", "0 is less than 1", id="a port"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(data: Any, code: str, pointer: str, message: str) -> None:
    (found,) = problems(data)
    assert (found.code, found.at.pointer) == (code, pointer)
    assert message in found.message


@pytest.mark.parametrize(
    ("parameter", "message", "hint"),
    [
        pytest.param({"type": "intteger"}, "is not one of string", "did you mean 'integer'?", id="a mistyped type"),
        pytest.param({"type": 1}, "1 is not one of string", "", id="a type of another kind"),
        pytest.param({"required": "yes"}, "'yes' is not of type boolean or array", "write true or false", id="yes"),
        pytest.param({"minimum": "1"}, "'1' is not of type number", "without quotes", id="a number in quotes"),
        pytest.param(
            {"additionalProperties": {"typ": 1}}, "'typ' is not known here", "did you mean 'type'?", id="deeper"
        ),
    ],
)
def test_of_a_choice_the_alternative_is_told_that_was_nearly_met(
    parameter: dict[str, Any], message: str, hint: str
) -> None:
    data = yaml.safe_load(WHOLE)
    data["capability"]["consumes"][0]["inputParameters"] = {"a": {"in": "query", **parameter}}
    (found,) = problems(data)
    assert message in found.message
    assert hint in found.hint


def test_what_is_wrong_behind_a_mistyped_keyword_is_told_too() -> None:
    data = {"naftiko": "0.5", "capabilty": {"exposes": [{"type": "rest", "prot": 80, "namespace": "b"}]}}
    assert [found.at.pointer for found in problems(data)] == [
        "/capabilty", "/capability/exposes/0/prot",
    ]  # fmt: skip


def test_a_missing_keyword_names_the_one_that_was_meant_to_be_it() -> None:
    data = {"naftiko": "0.5", "capability": {"exposes": [{"tpye": "rest", "port": 80, "namespace": "b"}]}}
    assert [(found.message, found.hint) for found in problems(data)] == [
        ("'type' is missing", "was 'tpye' meant to be it?")
    ]


def test_taking_a_wrong_value_away_makes_no_further_problems() -> None:
    (found,) = problems(
        {"naftiko": "0.5", "capability": {"exposes": [{"type": "rest", "port": "a", "namespace": "b"}]}}
    )
    assert found.code == "wrong-type"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        pytest.param("baseURI", ["baseUri", "namespace"], "did you mean 'baseUri'?", id="case"),
        pytest.param("base-uri", ["base_uri"], "did you mean 'base_uri'?", id="dash"),
        pytest.param("zzz", ["a", "b"], "known here: a, b", id="nothing near"),
        pytest.param("zzz", [], "", id="nothing known"),
        pytest.param("zzz", map(str, range(50)), "", id="too many to list"),
    ],
)
def test_a_hint_names_what_was_meant_or_what_is_known(name: str, known: list[str], hint: str) -> None:
    assert suggest(name, known) == hint


# --- both validators


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70000) | st.text(max_size=3)
    | st.sampled_from(["rest", "mcp", "http", "GET", "basic", "string", "query", "json", "0.5"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "name", "port", "namespace", "resources", "tools", "in", "required", "data", "path",
                         "operations", "inputParameters", "properties", "items", "authentication", "zzz"]),
        inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.sampled_from(["consumes", "exposes", "binds", "capability", "info"]), VALUES)
def test_the_fast_and_the_explaining_validator_agree(key: str, value: Any) -> None:
    data = {"naftiko": "0.5", "capability": {key: [value]}, "info": value}
    checker = capability_checker()
    assert checker.accepts(data) is Draft202012Validator(SCHEMA).is_valid(data)
    assert checker.accepts(data) is (checker.violations(data) == [])


@pytest.mark.parametrize("path", sorted(CHECKED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_validators_agree_about_every_golden_file(path: Path) -> None:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return
    if isinstance(data, dict) and "too-large" not in path.stem:
        assert capability_checker().accepts(data) is Draft202012Validator(SCHEMA).is_valid(data)


def test_a_checker_of_a_wrong_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="regex"):
        Checker({"type": "string", "pattern": "["})


def test_an_explanation_takes_no_longer_for_a_pattern_that_backtracks() -> None:
    checker = Checker({"type": "string", "pattern": "^([a-z]+)*$"})
    (found,) = checker.violations("a" * 60 + "1")
    assert found.code == "wrong-form"


def test_a_fault_that_an_alias_lends_to_two_places_is_told_at_both(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("naftiko: 1.0.0-alpha2\ninfo: {tags: [a]}\nbinds: [&b {namespace: e, kees: {A: A}}, *b]\n")
    with pytest.raises(LoadError) as caught:
        load(file)
    assert [problem.code for problem in caught.value.problems].count("unknown-keyword") == 2


def test_nesting_through_aliases_is_bounded_too(tmp_path: Path) -> None:
    lines = ["a0: &a0 " + "[" * 50 + "1" + "]" * 50]
    lines += [f"a{n}: &a{n} " + "[" * 50 + f"*a{n - 1}" + "]" * 50 for n in range(1, 9)]
    file = tmp_path / "a.yaml"
    file.write_text("\n".join(lines))
    with pytest.raises(LoadError) as caught:
        load(file)
    assert [problem.code for problem in caught.value.problems] == ["too-deep"]


@pytest.mark.parametrize(
    ("form", "codes"),
    [
        pytest.param("", ["unknown-operation"], id="the form is right"),
        pytest.param("hintz: {}, ", ["unknown-keyword", "unknown-operation"], id="a keyword is not known"),
        pytest.param("hints: 1, ", ["wrong-type"], id="a value is wrong"),
        pytest.param("hints: {, ", ["not-yaml"], id="no YAML"),
    ],
)
def test_form_and_meaning_are_told_together_where_only_a_keyword_is_not_known(
    form: str, codes: list[str], tmp_path: Path
) -> None:
    api = "{namespace: a, baseUri: 'http://a', resources: [{name: r, path: /, operations: [{name: x, method: GET}]}]}"
    tool = f"{{name: t, description: T., {form}call: a.y}}"
    file = tmp_path / "a.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha2\ninfo: {label: L}\ncapability:\n"
        f"  consumes: [{api}]\n  exposes: [{{type: mcp, namespace: m, port: 1, tools: [{tool}]}}]\n"
    )
    with pytest.raises(LoadError) as caught:
        plan_file(file)
    assert sorted(problem.code for problem in caught.value.problems) == sorted(codes)
