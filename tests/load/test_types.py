"""Shared types: what a reference means, how often a type is read, and what is told of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capstan.errors import LoadError, Problem
from capstan.load import load
from capstan.load import other as other_module
from capstan.load.document import read_document
from capstan.load.files import find_files
from capstan.load.model import Capability, Parameter
from capstan.plan.build import plan_file

TYPES = """
naftiko: 1.0.0-alpha2
types:
  currency: {type: string, pattern: '^[A-Z]{3}$', description: ISO code.}
  line:
    type: object
    properties:
      reference: {type: string}
      quantity: {type: integer, required: true}
      currency: {$ref: '#/types/currency'}
  lines: {type: array, maxItems: 1000, items: {$ref: '#/types/line'}}
  plain_line: {$ref: '#/types/line'}
  noted_line: {$ref: '#/types/line', description: With a note.}
  level: {type: string, enum: [1.10, no], default: 1.10}
  maybe: {type: integer, nullable: true}
"""
LINE = {
    "type": "object",
    "properties": {
        "reference": {"type": "string"},
        "quantity": {"type": "integer"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO code."},
    },
    "required": ["quantity"],
}


def write(folder: Path, parameter: str, types: str = "{}", shared: str = TYPES) -> Path:
    """A capability of one operation that takes one parameter, beside a folder with a file of types."""
    (folder / "shared").mkdir(exist_ok=True)
    (folder / "shared" / "types.yaml").write_text(shared)
    path = folder / "shop.yaml"
    path.write_text(f"""
naftiko: 1.0.0-alpha2
types: {types}
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    resources:
    - name: orders
      path: /orders
      operations:
      - {{name: put, method: POST, inputParameters: [{{name: body, in: body, {parameter}}}]}}
  exposes:
  - {{type: mcp, namespace: m, port: 9090, tools: [{{name: put, description: d, call: shop.put}}]}}
""")
    return path


def parameter_of(capability: Capability) -> Parameter:
    return capability.consumes[0].resources[0].operations[0].parameters[0]


def schema_of(folder: Path, parameter: str, types: str = "{}", shared: str = TYPES) -> dict[str, Any]:
    return dict(parameter_of(load(write(folder, parameter, types, shared))).schema)


def problems_of(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    return caught.value.problems


SHARED = "./shared/types.yaml#/types"
FORM_HINT = "for example: '#/types/order' or './types.yaml#/types/order'"


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        pytest.param(f"$ref: {SHARED}/line", LINE, id="a parameter"),
        pytest.param(f"schema: {{$ref: {SHARED}/line}}", LINE, id="schema"),
        pytest.param(f"type: array, items: {{$ref: {SHARED}/line}}", {"type": "array", "items": LINE}, id="items"),
        pytest.param(f"type: object, properties: {{a: {{$ref: {SHARED}/line}}}}",
                     {"type": "object", "properties": {"a": LINE}}, id="a member"),
        pytest.param(f"type: object, properties: [{{name: a, $ref: {SHARED}/line}}]",
                     {"type": "object", "properties": {"a": LINE}}, id="a member in a list"),
        pytest.param(f"type: object, additionalProperties: {{$ref: {SHARED}/line}}",
                     {"type": "object", "additionalProperties": LINE}, id="further members"),
        *(pytest.param(f"schema: {{{key}: [{{$ref: {SHARED}/line}}]}}", {key: [LINE]}, id=key)
          for key in ("allOf", "anyOf", "oneOf")),
        pytest.param(f"$ref: {SHARED}/lines", {"type": "array", "maxItems": 1000, "items": LINE}, id="of types"),
        pytest.param(f"$ref: {SHARED}/plain_line", LINE, id="a type that is another"),
        pytest.param("$ref: 'shared/types.yaml#/types/line'", LINE, id="without ./"),
    ],
)  # fmt: skip
def test_a_reference_stands_for_its_type_wherever_a_value_is_described(
    tmp_path: Path, parameter: str, expected: dict[str, Any]
) -> None:
    assert schema_of(tmp_path, parameter) == expected


def test_a_reference_stands_at_every_level_that_has_parameters(tmp_path: Path) -> None:
    def of(name: str) -> str:
        return f"inputParameters: [{{name: {name}, in: query, $ref: '#/types/id'}}]"

    path = tmp_path / "shop.yaml"
    path.write_text(f"""
naftiko: 1.0.0-alpha2
types: {{id: {{type: string, maxLength: 9}}}}
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    {of("of-api")}
    resources:
    - name: orders
      path: /orders
      {of("of-resource")}
      operations:
      - {{name: list, method: GET, {of("of-operation")}}}
  exposes:
  - type: rest
    namespace: r
    port: 8080
    resources:
    - path: /orders
      {of("of-api")}
      operations: [{{method: GET, call: shop.list, {of("of-resource")}}}]
  - {{type: mcp, namespace: m, port: 9090, tools: [{{name: list, description: d, call: shop.list}}]}}
""")
    route, tool = plan_file(path)[0].units
    expected = {"type": "string", "maxLength": 9}
    assert tool.input_schema["properties"] == dict.fromkeys(("of-api", "of-resource", "of-operation"), expected)
    assert route.input_schema["properties"] == dict.fromkeys(("of-api", "of-resource"), expected)


def test_a_type_of_the_same_file_needs_no_file_name(tmp_path: Path) -> None:
    types = "{id: {type: string, maxLength: 9}, 'a/b': {type: object, properties: {id: {$ref: '#/types/id'}}}}"
    expected = {"type": "object", "properties": {"id": {"type": "string", "maxLength": 9}}}
    assert schema_of(tmp_path, "$ref: '#/types/a~1b'", types) == expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        pytest.param("description: Ours", {**LINE, "description": "Ours"}, id="one that the type has not"),
        pytest.param("required: [reference]", {**LINE, "required": ["reference"]}, id="which members are required"),
        pytest.param("required: []", {k: LINE[k] for k in ("type", "properties")}, id="no member is required"),
        pytest.param("properties: {a: {type: string}}", {"type": "object", "properties": {"a": {"type": "string"}}},
                     id="members, with what they say of themselves"),
        pytest.param("nullable: true", {**LINE, "type": ["object", "null"]}, id="nullable"),
        pytest.param("required: true", LINE, id="required of the value itself says nothing of its members"),
    ],
)  # fmt: skip
def test_a_keyword_beside_a_reference_replaces_that_of_the_type(
    tmp_path: Path, beside: str, expected: dict[str, Any]
) -> None:
    assert schema_of(tmp_path, f"$ref: {SHARED}/line, {beside}") == expected


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        pytest.param(f"$ref: {SHARED}/level", ["string", ["1.10", "no"]], id="as the type's file writes it"),
        pytest.param(
            f"$ref: {SHARED}/level, description: Ours", ["string", ["1.10", "no"]], id="with something beside"
        ),
        pytest.param(f"$ref: {SHARED}/level, enum: [2.50]", ["string", ["2.50"]], id="beside the reference"),
    ],
)
def test_options_keep_the_spelling_of_the_file_they_stand_in(
    tmp_path: Path, parameter: str, expected: list[Any]
) -> None:
    schema = schema_of(tmp_path, parameter)
    assert [schema["type"], schema["enum"]] == expected


def test_the_default_of_a_type_is_the_default_of_what_refers_to_it(tmp_path: Path) -> None:
    shared = "naftiko: 1.0.0-alpha2\ntypes: {level: {type: string, default: 1.10}}"
    found = parameter_of(load(write(tmp_path, f"$ref: {SHARED}/level", shared=shared)))
    assert (found.default, found.required) == ("1.10", None)
    own = parameter_of(load(write(tmp_path, f"$ref: {SHARED}/level, default: 2.50", shared=shared)))
    assert own.default == "2.50"
    member = f"type: object, properties: {{level: {{$ref: {SHARED}/level}}}}"
    assert schema_of(tmp_path, member, shared=shared)["properties"]["level"]["default"] == "1.10"


def test_a_member_that_refers_to_a_type_is_required_by_its_own_word(tmp_path: Path) -> None:
    schema = schema_of(tmp_path, f"type: object, properties: {{a: {{$ref: {SHARED}/currency, required: true}}}}")
    assert schema["required"] == ["a"]
    assert "required" not in schema["properties"]["a"]


def test_a_type_of_a_type_may_say_more_of_it(tmp_path: Path) -> None:
    assert schema_of(tmp_path, f"$ref: {SHARED}/noted_line") == {
        **LINE, "description": "With a note."}  # fmt: skip
    assert schema_of(tmp_path, f"$ref: {SHARED}/maybe, minimum: 1") == {"type": ["integer", "null"], "minimum": 1}


def test_a_type_is_built_once_and_shared(tmp_path: Path) -> None:
    line = f"$ref: {SHARED}/line"
    members = f"a: {{{line}}}, b: {{{line}, required: true}}, c: {{{line}, description: x}}"
    found = schema_of(tmp_path, f"type: object, properties: {{{members}}}")["properties"]
    assert found["a"] is found["b"]
    assert found["c"]["properties"] is found["a"]["properties"]
    assert "description" not in found["a"]


def test_data_of_a_body_is_no_schema(tmp_path: Path) -> None:
    path = write(tmp_path, "type: string")
    text = path.read_text().replace("method: POST,", "method: POST, body: {type: json, data: {$ref: '#/x'}},")
    path.write_text(text)
    body = load(path).consumes[0].resources[0].operations[0].body
    assert str(getattr(body, "data", {}).get("$ref")) == "#/x"


def test_the_inputs_of_a_tool_show_the_type_itself(tmp_path: Path) -> None:
    plan, _ = plan_file(write(tmp_path, f"$ref: {SHARED}/line, required: true"))
    tool = plan.mcp[0].tools[0].unit
    assert tool.input_schema["properties"]["body"] == LINE
    assert tool.input_schema["required"] == ["body"]


def test_a_file_of_types_is_among_the_sources(tmp_path: Path) -> None:
    path = write(tmp_path, f"$ref: {SHARED}/line")
    assert load(path).sources == (str(tmp_path / "shared" / "types.yaml"),)
    assert plan_file(path)[0].sources == (str(tmp_path / "shared" / "types.yaml"),)
    assert load(write(tmp_path, "type: string")).sources == ()


def test_files_are_found_beside_the_file_whatever_messages_call_it(tmp_path: Path) -> None:
    found = load(write(tmp_path, f"$ref: {SHARED}/line"), "elsewhere/shown.yaml")
    assert (found.file, parameter_of(found).schema) == ("elsewhere/shown.yaml", LINE)


def test_a_file_of_types_is_passed_over_in_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path, f"$ref: {SHARED}/line")
    assert find_files([str(tmp_path)]) == ([path], [])  # nor is it told to be of no use


def test_a_file_of_types_is_parsed_once_for_many_capabilities_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counting(path: Path, file: str | None = None) -> Any:
        read.append(path.name)
        return read_document(path, file)

    monkeypatch.setattr(other_module, "read_document", counting)
    path = write(tmp_path, f"$ref: {SHARED}/line")
    for _ in range(3):
        load(path)
    assert read == ["types.yaml"]
    (tmp_path / "shared" / "types.yaml").write_text(TYPES.replace("type: integer, required", "type: number, required"))
    assert parameter_of(load(path)).schema["properties"]["quantity"] == {"type": "number"}
    assert read == ["types.yaml"] * 2


# --- what is wrong


@pytest.mark.parametrize(
    ("reference", "code", "hint"),
    [
        pytest.param(f"{SHARED}/lin", "unknown-type", "did you mean 'line'?", id="unknown type"),
        pytest.param("'#/types/line'", "unknown-type", "", id="no types here"),
        pytest.param("./shared/tipes.yaml#/types/line", "bad-reference", "", id="no such file"),
        pytest.param("./shared#/types/line", "bad-reference", "", id="a folder"),
        pytest.param("line", "bad-reference", FORM_HINT, id="a name"),
        pytest.param("'#/types/line/properties/a'", "bad-reference",
                     FORM_HINT, id="into a type"),
        pytest.param("https://shop.example/t.yaml#/types/line", "bad-reference",
                     FORM_HINT, id="an address"),
        pytest.param("#/types/line", "wrong-type",
                     "after a space, '#' begins a comment: put the reference into quotes", id="without quotes"),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_told_where_it_stands(tmp_path: Path, reference: str, code: str, hint: str) -> None:
    path = write(tmp_path, "schema: {}")
    path.write_text(path.read_text().replace("schema: {}", f"\n $ref: {reference}\n "))
    (found,) = problems_of(path)
    assert (found.code, found.hint, found.at.file) == (code, hint, str(path))
    assert found.at.pointer.endswith("inputParameters/0/$ref")


def test_a_reference_beside_a_whole_schema_is_refused(tmp_path: Path) -> None:
    (found,) = problems_of(write(tmp_path, f"schema: {{type: string}}, $ref: {SHARED}/line"))
    assert found.code == "bad-reference"


def test_a_type_that_nothing_uses_is_looked_at_too(tmp_path: Path) -> None:
    (found,) = problems_of(write(tmp_path, "type: string", "{a: {$ref: '#/types/c'}, b: {type: string}}"))
    assert (found.code, found.at.pointer) == ("unknown-type", "/types/a/$ref")


def test_a_required_type_is_refused_for_its_owner_says_that(tmp_path: Path) -> None:
    (found,) = problems_of(write(tmp_path, "type: string", "{a: {type: string, required: true}}"))
    assert (found.code, found.at.pointer) == ("wrong-type", "/types/a/required")


def test_a_type_that_holds_itself_is_told_with_the_way_round(tmp_path: Path) -> None:
    types = "{a: {properties: {b: {$ref: '#/types/b'}}}, b: {items: {$ref: '#/types/c'}}, c: {$ref: '#/types/a'}}"
    (found,) = problems_of(write(tmp_path, "$ref: '#/types/b'", types))
    assert (found.code, found.message) == ("circular-reference", "the type holds itself: a -> b -> c -> a")
    (found,) = problems_of(write(tmp_path, "$ref: '#/types/a'", "{a: {$ref: '#/types/a', description: x}}"))
    assert found.message == "the type holds itself: a -> a"


def test_a_circle_through_another_file_names_the_files(tmp_path: Path) -> None:
    shared = "naftiko: 1.0.0-alpha2\ntypes: {b: {items: {$ref: ../shop.yaml#/types/a}}}"
    path = write(tmp_path, "type: string", f"{{a: {{$ref: {SHARED}/b}}}}", shared)
    (found,) = problems_of(path)
    other = tmp_path / "shared" / "types.yaml"
    assert found.message == f"the type holds itself: {path}#a -> {other}#b -> {path}#a"
    assert found.at.file == str(other)


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        pytest.param("naftiko: 1.0.0-alpha2\ntypes:\n  line: {typ: string}", [("unknown-keyword", 3)], id="a keyword"),
        pytest.param("naftiko: 1.0.0-alpha2\ntypes:\n  line: {$ref: '#/types/x'}", [("unknown-type", 3)], id="a type"),
        pytest.param("types: {line: {type: string}}", [("missing-version", 1)], id="no version"),
        pytest.param("naftiko: 1.0.0-alpha2\ntypes: [", [("not-yaml", 3)], id="no YAML"),
        pytest.param("- a", [], id="a list"),
    ],
)
def test_what_is_wrong_with_a_file_of_types_is_told_once_at_its_own_lines(
    tmp_path: Path, shared: str, expected: list[tuple[str, int]]
) -> None:
    members = f"a: {{$ref: {SHARED}/line}}, b: {{$ref: {SHARED}/line}}"
    found = problems_of(write(tmp_path, f"type: object, properties: {{{members}}}", shared=shared))
    there = str(tmp_path / "shared" / "types.yaml")
    assert [(p.code, p.at.line) for p in found if p.at.file == there] == expected
    assert [p.code for p in found if p.at.file != there] == ([] if expected else ["bad-reference"])


def test_types_of_types_are_bounded(tmp_path: Path) -> None:
    grown = []
    for n in range(1, 8):
        members = ", ".join(f"m{i}: {{$ref: '#/types/t{n - 1}'}}" for i in range(10))
        grown.append(f"t{n}: {{properties: {{{members}}}}}")
    found = problems_of(write(tmp_path, "$ref: '#/types/t7'", "{t0: {type: string}, " + ", ".join(grown) + "}"))
    assert {p.code for p in found} == {"too-large"}
    assert found[0].at.pointer == "/types/t5"


@pytest.mark.parametrize("order", [pytest.param(1, id="leaves first"), pytest.param(-1, id="root first")])
def test_chains_of_types_are_bounded(tmp_path: Path, order: int) -> None:
    chain = ["t0: {type: string}", *(f"t{n}: {{items: {{$ref: '#/types/t{n - 1}'}}}}" for n in range(1, 400))]
    found = problems_of(write(tmp_path, "$ref: '#/types/t399'", "{" + ", ".join(chain[::order]) + "}"))
    assert {p.code for p in found} == {"too-deep"}


def test_a_name_that_no_file_can_have_is_told(tmp_path: Path) -> None:
    [problem] = problems_of(write(tmp_path, f"$ref: './{'a' * 5000}.yaml#/types/line'"))
    assert problem.code == "bad-reference"
