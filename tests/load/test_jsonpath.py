from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.errors import ShapeError
from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import JsonPath, parse_jsonpath, split_root
from capstan.load.jsonquery import Run, select
from capstan.load.jsonquery_text import parse_query

ANSWER = {
    "a": {"b": [{"c": 1}, {"c": 2}, {"d": 3}], "x-y": "dash", "e f": "space", "0": "zero", "*": "star"},
    "list": [[1, 2], [3]],
    "$ref": "ref",
    "Participation Status": {"select": {"name": "yes"}},
    "list-crew": [{"id": "x", "name": "Ada", "tags": ["t"]}, {"id": "y", "name": "Bo", "tags": []}],
    "unit price": 3,
    "unit": "kg",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("$", ANSWER, id="everything"),
        pytest.param("$.", ANSWER, id="everything, in the published spelling"),
        pytest.param("{{$.a.b[0].c}}", 1, id="in braces"),
        pytest.param("$.{{unit}}", "kg", id="the last name in braces"),
        pytest.param("$.a.b[1].c", 2, id="a chain"),
        pytest.param("$.a.b[2].c", None, id="a missing member"),
        pytest.param("$.a.b[9]", None, id="beyond the end"),
        pytest.param("$.a.b[-1].d", 3, id="from the end"),
        pytest.param("$.a.b[-4]", None, id="beyond the beginning"),
        pytest.param("$.a[0]", None, id="an index into an object"),
        pytest.param("$.list.a", None, id="a name into a list"),
        pytest.param("$.a.b[*].c", [1, 2], id="every item that has it"),
        pytest.param("$.list[*][*]", [1, 2, 3], id="every item of every item"),
        pytest.param("$.gone[*]", [], id="every item of nothing"),
        pytest.param("$.a.x-y", "dash", id="a dash in a name"),
        pytest.param("$['a']['e f']", "space", id="quoted names"),
        pytest.param("$[ 'a' ][ \"e f\" ]", "space", id="quoted names with blanks about them"),
        pytest.param("$.a.e f", "space", id="a blank in a name after a dot"),
        pytest.param("$.Participation Status.select.name", "yes", id="a blank in a name on the way"),
        pytest.param('$["a"]["0"]', "zero", id="a quoted digit is a name"),
        pytest.param("$['a']['*']", "star", id="a quoted star is a name"),
        pytest.param("$.$ref", "ref", id="a dollar in a name"),
        pytest.param("$..c", [1, 2], id="at any depth"),
        pytest.param("$.a.b[?(@.c > 1)].c", [2], id="a filter"),
        pytest.param("$.a.b[?@.c].c", [1, 2], id="a filter of what is there"),
        pytest.param("$.list-crew[?(@.id=='x')].name", ["Ada"], id="a filter after a dash"),
        pytest.param("$.list-crew[?@.tags.length() > 0].name", ["Ada"], id="a length in a filter"),
        pytest.param("$.list-crew[?match(@.name, 'A.a')].id", ["x"], id="a pattern"),
        pytest.param("$.list-crew[?search(@.name, '[bB]')].id", ["y"], id="a pattern somewhere"),
        pytest.param("$.list-crew[?count(@.tags[*]) == 0].id", ["y"], id="how many there are"),
        pytest.param("$.list-crew[?value(@..id) == 'y'].name", ["Bo"], id="the only value"),
        pytest.param("$.a.b[0:2].c", [1, 2], id="a slice"),
        pytest.param("$.list[0]['a', 0, -1]", [1, 2], id="a union"),
        pytest.param("$.a.b[(@.length-1)].d", 3, id="the last, as Jayway spells it"),
        pytest.param("$.a.b.length()", 3, id="a length at the end"),
        pytest.param("$.a.b[*].c.sum()", 3, id="a sum at the end"),
        pytest.param("$.gone.length()", None, id="the length of nothing"),
    ],
)
def test_a_path_finds_what_it_names(text: str, value: Any) -> None:
    assert parse_jsonpath(text).find(ANSWER) == value


@pytest.mark.parametrize("tail", ["sum", "avg"])
@pytest.mark.parametrize("numbers", [[10**400, 0.5], [1e308, 1e308], [10**400, 10**400, 0.0]])
def test_numbers_that_add_up_to_none_of_json_are_told(tail: str, numbers: list[float]) -> None:
    with pytest.raises(ShapeError):
        parse_jsonpath(f"$.{tail}()").find(numbers)


@pytest.mark.parametrize(("tail", "value"), [("sum", 15.5), ("avg", 5.166666666666667), ("min", 1), ("max", 12.5)])
def test_a_text_that_spells_a_number_is_counted_as_one(tail: str, value: float) -> None:
    assert parse_jsonpath(f"$.{tail}()").find(["12.5", 1, " 2 "]) == value


@pytest.mark.parametrize("tail", ["sum", "avg", "min", "max"])
@pytest.mark.parametrize(
    ("item", "kind"),
    [("five", "a text"), ("1_000", "a text"), ("1,5", "a text"), ("", "a text"), (None, "nothing"),
     (True, "a boolean"), ([1], "a list"), ({"n": 1}, "an object")],
)  # fmt: skip
def test_what_is_no_number_is_told_and_never_left_out_of_a_total(tail: str, item: object, kind: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_jsonpath(f"$.lines[*].price.{tail}()").find({"lines": [{"price": 1}, {"price": item}]})
    message = f"item [1] of what '$.lines[*].price.{tail}()' is made of is {kind}, and no number"
    assert (caught.value.code, caught.value.message) == ("unexpected-answer", message)


@pytest.mark.parametrize("tail", ["sum", "avg", "min", "max"])
@pytest.mark.parametrize("value", [[], None, 5])
def test_where_there_is_no_list_of_numbers_nothing_comes_of_it(tail: str, value: object) -> None:
    assert parse_jsonpath(f"$.n.{tail}()").find({"n": value}) is None


@pytest.mark.parametrize("text", ["a", "a.b", "$.a[", "$.a[?(@.x ==]", "$a", "$.a b.", "$[", "$..", "{{a}}"])
def test_text_that_is_no_path_is_refused_at_load(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_jsonpath(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$.list.`len`", "a name is missing"),
        ("$[?@.a =~ /x/i]", "match(@.a, 'pattern')"),
        ("$[?@.a in ['x']]", "== with ||"),
        ("$[?match(@.a, '(?=x)')]", "no pattern"),
        ("$[?match(@.a, '[')]", "no pattern"),
        ("$.a.concat('x')", "'.' or '[' is missing"),
        ("$.a.stddev()", "there is no function 'stddev'"),
        ("$.a.length().b", "nothing may follow"),
        ("$[a]", "a name in quotes"),
        ("$[?@.*.a == 1]", "one value"),
        ("$[?first(@.a)]", "there is no function 'first'"),
        ("$[?" + "(" * 60 + "@.a" + ")" * 60 + "]", "nested too deep"),
        ("$" + "[?@" * 60 + "]" * 60, "nested too deep"),
        ("$" + ".a" * 3000 + "[?@]", "4000 characters"),
    ],
)
def test_a_path_that_cannot_be_evaluated_says_why(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        parse_jsonpath(text)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("$.ship.name", "ship", "$.name"),
        ("$.ship", "ship", "$"),
        ("$['list-crew'][0].id", "list-crew", "$[0].id"),
        ("$.list-crew[?(@.id=='x')].name", "list-crew", "$[?(@.id=='x')].name"),
        ("$.list-crew.length()", "list-crew", "$.length()"),
        ("$.list-crew..name", "list-crew", "$..name"),
        ("$", None, "$"),
        ("$[0].a", None, "$[0].a"),
        ("$[*].a", None, "$[*].a"),
        ("$..name", None, "$..name"),
        ("$[?@.id=='x'].name", None, "$[?@.id=='x'].name"),
        ("$.*.name", None, "$.*.name"),
        ("$['a','b']", None, "$['a','b']"),
    ],
)
def test_a_path_is_split_behind_the_name_it_begins_with(text: str, name: str | None, rest: str) -> None:
    found, path = split_root(parse_jsonpath(text))
    assert (found, path) == (name, parse_jsonpath(rest))
    assert path.find(ANSWER) == parse_jsonpath(rest).find(ANSWER)


def test_a_path_tells_that_it_looks_back_to_the_root() -> None:
    _, rest = split_root(parse_jsonpath("$.crew[?@.id == $.captain.id]"))
    assert rest.looks_back
    assert not parse_jsonpath("$.crew[?@.id == 'x']").looks_back


# --- Bounds


@pytest.mark.parametrize("text", ["$..*..*", "$..[?count($..*) > 1]", "$..[?count(@..*) > 1]", "$..[?$..*..* && @]"])
def test_a_path_that_asks_for_the_square_of_an_answer_is_stopped(text: str) -> None:
    answer: Any = []
    for _ in range(4000):
        answer = [answer]
    with pytest.raises(ShapeError, match="more than 5,000,000 values"):
        parse_jsonpath(text).find(answer)


def test_a_descent_through_a_large_answer_is_no_reason_to_stop() -> None:
    answer = {"items": [{"id": n, "at": {"zip": str(n)}} for n in range(100_000)]}
    assert len(parse_jsonpath("$..zip").find(answer)) == 100_000


def test_an_answer_nested_deeper_than_calls_can_be_is_searched() -> None:
    answer: Any = {"x": 1}
    for _ in range(20_000):
        answer = [answer]
    assert parse_jsonpath("$..x").find(answer) == [1]
    assert parse_jsonpath("$[?@ == $[0]]").find(answer) == [answer[0]]


def test_a_pattern_cannot_make_a_search_take_ages() -> None:
    answer = ["a" * 50_000 + "b"]
    assert parse_jsonpath("$[?match(@, '(a+)+')]").find(answer) == []
    assert parse_jsonpath("$[?search(@, '(a|a)*c')]").find(answer) == []


def test_a_pattern_of_the_answer_that_is_none_matches_nothing() -> None:
    answer = [{"t": "a", "p": "("}, {"t": "a", "p": "a"}, {"t": "a", "p": "(?i)A"}, {"t": "a", "p": "a" * 2000}]
    assert parse_jsonpath("$[?match(@.t, @.p)].p").find(answer) == ["a"]


# --- Properties

KEYS = st.sampled_from(["a", "b", "c-d", "_e", "f0"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=15,
)  # fmt: skip
STEPS = st.one_of(
    KEYS.map(".{}".format),
    KEYS.map("['{}']".format),
    st.integers(-3, 3).map("[{}]".format),
    st.just("[*]"),
    st.just(".*"),
)


@given(DOCUMENTS, st.lists(STEPS, min_size=1, max_size=4).map(lambda steps: "$" + "".join(steps)))
def test_a_plain_chain_finds_what_the_query_of_its_text_finds(document: Any, text: str) -> None:
    path = parse_jsonpath(text)
    assert path.chain is not None
    found = select(parse_query(text).segments, document, Run(document))
    assert path.find(document) == (found if "*" in text else next(iter(found), None))


@given(DOCUMENTS)
def test_everything_below_is_found_once(document: Any) -> None:
    def below(value: Any) -> int:
        items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        return len(items) + sum(map(below, items))

    assert len(JsonPath("$..*", None, parse_query("$..*")).find(document)) == below(document)


@given(st.text(max_size=12) | st.lists(st.sampled_from("$@.[]*?()'\",:!=<>&|ab10- \\"), max_size=15).map("".join))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse_jsonpath("$" + text).find(ANSWER)
