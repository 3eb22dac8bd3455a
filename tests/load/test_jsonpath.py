from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse as library_parse

from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import parse_jsonpath

# --- JSONPath

ANSWER = {
    "a": {"b": [{"c": 1}, {"c": 2}, {"d": 3}], "*": "star", "x-y": "dash", "e f": "space", "0": "zero"},
    "list": [[1, 2], [3]],
    "none": None,
    "$ref": "ref",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("$", ANSWER, id="the whole"),
        pytest.param("$.", ANSWER, id="the whole with a dot"),
        pytest.param("", ANSWER, id="nothing"),
        pytest.param("$.a.b[0].c", 1, id="a chain"),
        pytest.param("{{$.a.b[1].c}}", 2, id="in braces"),
        pytest.param(" $.none ", None, id="null"),
        pytest.param("$.a.gone.c", None, id="missing"),
        pytest.param("$.a.b[9]", None, id="beyond the end"),
        pytest.param("$.a[0]", None, id="an index into an object"),
        pytest.param("$.list.a", None, id="a name into a list"),
        pytest.param("$.a.b[*].c", [1, 2], id="every item that has it"),
        pytest.param("$.list[*][*]", [1, 2, 3], id="every item of every item"),
        pytest.param("$.gone[*]", [], id="every item of nothing"),
        pytest.param("$.a.x-y", "dash", id="a dash in a name"),
        pytest.param("$['a']['e f']", "space", id="quoted names"),
        pytest.param('$["a"]["0"]', "zero", id="a quoted digit is a name"),
        pytest.param("$.$ref", "ref", id="a dollar in a name"),
        pytest.param("$..c", [1, 2], id="at any depth"),
        pytest.param("$.a.b[?(@.c > 1)].c", [2], id="a filter"),
        pytest.param("$.a.b[0:2].c", [1, 2], id="a slice"),
        pytest.param("$.list.`len`", 2, id="an extension of the library"),
    ],
)
def test_a_path_finds_what_it_names(text: str, value: Any) -> None:
    assert parse_jsonpath(text).find(ANSWER) == value


@pytest.mark.parametrize("text", ["a", "a.b", "order_id", "$.a[", "$.a[?(@.x ==]", "$a", "$.a b", "$[", "$..", "{{a}}"])
def test_text_that_is_no_path_is_refused_at_load(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_jsonpath(text)


KEYS = st.sampled_from(["a", "b", "c-d", "_e", "f0"])
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=15,
)  # fmt: skip
STEPS = st.one_of(
    KEYS.map(".{}".format),
    KEYS.map("['{}']".format),
    st.integers(0, 3).map("[{}]".format),
    st.just("[*]"),
    st.just(".*"),
)


@given(DOCUMENTS, st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: "$" + "".join(steps)))
def test_a_plain_chain_finds_what_the_library_finds(document: Any, text: str) -> None:
    path = parse_jsonpath(text)
    assert path.chain is not None
    try:
        found = [match.value for match in library_parse(text).find(document)]
    except (TypeError, KeyError):  # the library does not take every document
        return
    assert path.find(document) == (found if "*" in text else next(iter(found), None))
