from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.load.expression import (
    ExpressionError,
    Hole,
    Template,
    encode_literal,
    fold,
    map_strings,
    parse_braces,
    parse_document,
    parse_json_template,
    parse_path,
    parse_route,
    parse_template,
)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)


# --- templates


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("plain", ("plain",), id="no hole"),
        pytest.param("{{a}}", (Hole("a"),), id="one hole"),
        pytest.param("{{ a.b-c }}", (Hole("a.b-c"),), id="white space inside"),
        pytest.param("{{{a}}}", (Hole("a"),), id="three braces are two"),
        pytest.param("x {{a}}{{b}} y", ("x ", Hole("a"), Hole("b"), " y"), id="text and holes"),
        pytest.param("{a}", ("{a}",), id="one brace is text"),
        pytest.param('{"a": {"b": 1}}', ('{"a": {"b": 1}}',), id="braces that pair up are text"),
        pytest.param('{"n": {{n}}}', ('{"n": ', Hole("n"), "}"), id="braces around a hole"),
        pytest.param("{{$.step.a}}", (Hole("$.step.a"),), id="a path"),
    ],
)
def test_a_template_is_text_and_holes(text: str, parts: tuple[str | Hole, ...]) -> None:
    assert parse_template(text) == Template(parts)


@pytest.mark.parametrize(
    "text", ["{{}}", "a {{  }} b", "{{#list}}", "{{/list}}", "{{^a}}", "{{> part}}", "{{&a}}", "{{!note}}"]
)
def test_a_template_only_fills_in(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_template(text)


@pytest.mark.parametrize("text", ["{{a", "{{a}", "{{a}} {{b", "{{ a {{b}}", "{{a{b}}", "a}}", "}}"])
def test_a_template_that_is_left_open_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="never"):
        parse_template(text)


@pytest.mark.parametrize("text", ["{{a", "{{ {?a ?b} }}", "}}", "{{}"])
def test_braces_of_another_language_are_text(text: str) -> None:
    assert parse_document(text) == Template((text,))
    assert parse_document(f"{text}{{{{a}}}}").holes == ("a",)


def test_a_template_knows_its_holes_and_whether_it_is_one() -> None:
    assert parse_template("a{{b}}c{{b}}").holes == ("b", "b")
    assert parse_template("{{b}}").lone == Hole("b")
    assert parse_template("{{b}} ").lone is None
    assert parse_template("{{b}}").literal is None
    assert parse_template("text").literal == "text"
    assert parse_template("").literal == ""


@given(st.lists(st.text(st.characters(exclude_characters="{}"), min_size=1) | NAMES.map(Hole), max_size=6))
def test_a_template_prints_as_it_was_written(parts: list[str | Hole]) -> None:
    text = "".join(map(str, parts))
    template = parse_template(text)
    assert str(template) == text
    assert template.holes == tuple(part.name for part in parts if isinstance(part, Hole))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param(
            "https://{region}.example/{{base}}", ("https://", Hole("region"), ".example/", Hole("base")), id="both"
        ),
        pytest.param("https://${HOST}/v1", ("https://", Hole("HOST"), "/v1"), id="as a shell would write it"),
        pytest.param("${HOST}", (Hole("HOST"),), id="at the start"),
        pytest.param("{HOST}$", (Hole("HOST"), "$"), id="a dollar at the end stays"),
    ],
)
def test_a_base_uri_takes_one_brace_or_two(text: str, parts: tuple[str | Hole, ...]) -> None:
    assert parse_braces(text) == Template(parts)


@pytest.mark.parametrize(
    ("one", "other"), [("order-id", "order_id"), ("Order_ID", "order-id"), ("X-Request-Id", "x_request_id")]
)
def test_names_fold_case_and_dashes(one: str, other: str) -> None:
    assert fold(one) == fold(other)


# --- paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/orders/{id}", "/orders/{id}", id="one brace"),
        pytest.param("/orders/{{id}}/x", "/orders/{id}/x", id="two braces"),
        pytest.param("orders", "/orders", id="without a leading slash"),
        pytest.param("/orders/", "/orders/", id="a trailing slash is kept"),
        pytest.param("/", "/", id="the root"),
        pytest.param("", "/", id="nothing"),
        pytest.param("/a b/ü", "/a%20b/%C3%BC", id="literal text is encoded"),
        pytest.param("/a%20b", "/a%20b", id="encoded text is not encoded again"),
        pytest.param("/v1/x:batch", "/v1/x:batch", id="what a segment may hold stays"),
        pytest.param("/{a}-{b}.json", "/{a}-{b}.json", id="holes within a segment"),
        pytest.param("/a?x=1&y={y}", "/a?x=1&y={y}", id="a fixed query"),
    ],
)
def test_a_path_is_segments_of_text_and_holes(text: str, shown: str) -> None:
    assert str(parse_path(text)) == shown


@pytest.mark.parametrize("text", ["/a//b", "/a/../b", "/.", "/..", "/{a", "/a}", "/{}", "/{{}}", "/{{a}/b", "/a?x={"])
def test_a_path_that_leads_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_path(text)


@pytest.mark.parametrize("text", ["/a/%2e%2e/b", "/%2E"])
def test_dots_do_not_hide_behind_percent_signs(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_path(text)


def test_a_question_mark_belongs_to_the_path_of_a_route() -> None:
    assert parse_path("/a?b={c}").query == ("b=", Hole("c"))
    assert parse_route("/a?b").segments == (("a%3Fb",),)


def test_holes_are_named_in_order_those_of_the_query_too() -> None:
    assert parse_path("/{a}/{b}-{c}?d={d}").holes == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("resource", "operation", "joined"),
    [
        pytest.param("/orders/{id}", "/captures", "/orders/{id}/captures", id="below"),
        pytest.param("/orders/", "captures", "/orders/captures", id="never two slashes"),
        pytest.param("/orders", "", "/orders", id="nothing to add"),
        pytest.param("", "/orders", "/orders", id="nothing before"),
        pytest.param("/orders/", "", "/orders/", id="the trailing slash is kept"),
        pytest.param("/orders", "/orders/{id}", "/orders/{id}", id="one that repeats the resource's"),
        pytest.param("/orders?a=1", "/x?b=2", "/orders/x?a=1b=2", id="queries"),
    ],
)
def test_an_operation_s_path_joins_that_of_its_resource(resource: str, operation: str, joined: str) -> None:
    assert str(parse_path(resource).join(parse_path(operation))) == joined


@given(st.text(st.characters(exclude_characters="%", exclude_categories=("Cs",))))
def test_literal_text_is_encoded_once(text: str) -> None:
    once = encode_literal(text)
    assert encode_literal(once) == once
    assert unquote(once) == text
    assert "/" not in once
    assert "?" not in once


# --- JSON templates


@pytest.mark.parametrize(
    ("text", "holes"),
    [
        pytest.param('{"a": {{x}}, "b": "{{y}}"}', {"a": ["x"], "b": ["y"]}, id="for a value and inside a string"),
        pytest.param('["{{x}} and {{y}}", {{{z}}}]', [["x", "y"], ["z"]], id="in a list"),
        pytest.param("{{body}}", ["body"], id="for the whole"),
        pytest.param('{"a": "x\\"{{b}}\\n"}', {"a": ["b"]}, id="beside an escape"),
        pytest.param('{"a": "}}", "b": 1}', {"a": [], "b": 1}, id="braces inside a string"),
        pytest.param('{"a": null, "b": [true, 1.5]}', {"a": None, "b": [True, 1.5]}, id="no hole at all"),
    ],
)
def test_json_text_with_holes_becomes_data_with_templates(text: str, holes: Any) -> None:
    def shown(value: Any) -> Any:
        if isinstance(value, Template):
            return list(value.holes)
        if isinstance(value, dict):
            return {key: shown(item) for key, item in value.items()}
        return [shown(item) for item in value] if isinstance(value, list) else value

    assert shown(parse_json_template(text)) == holes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": }',
        '{"a": 1,}',
        "{'a': 1}",
        '{"a": {{}}}',
        '{"a": "{{#b}}"}',
        '{"{{k}}": 1}',
        "[1 {{x}}]",
        '"\\u00001"',
    ],
)
def test_text_that_is_no_json_with_its_holes_filled_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_json_template(text)


PLAIN = st.text(st.characters(exclude_characters="{}\0", exclude_categories=("Cs",)), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
def test_json_text_without_holes_means_what_json_means(value: Any) -> None:
    found = parse_json_template(json.dumps(value))
    assert map_strings(_texts(found), str) == value


def _texts(value: Any) -> Any:
    if isinstance(value, Template):
        return value.literal
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else value
