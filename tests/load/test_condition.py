"""Conditions: what they say, and what they refuse to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.load.condition import Name, Undecided, Valued, parse_condition
from capstan.load.expression import ExpressionError

VALUES: Mapping[str, Any] = {
    "n": 5, "zero": 0, "half": 2.5, "text": "abc", "empty": "", "yes": True, "no": False, "list": [1, "a", None],
    "object": {"a": 1}, "flags": {"a": True}, "day": "2026-11-20", "order-id": "o-1", "$.order.status": "OPEN",
    "$.a[0].b": 3,
}  # fmt: skip


@dataclass(frozen=True)
class _Known:
    name: str

    def get(self, _: Mapping[str, Any], /) -> Any:
        return VALUES.get(self.name)


def _meaning(name: str) -> Valued:
    return _Known(name)


def holds(text: str) -> bool:
    return parse_condition(text).resolved(_meaning).holds({})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n == 5", True),
        ("n == 5.0", True),
        ("n != '5'", True),
        ("yes == 1", False),
        ("no == 0", False),
        ("[yes, [no]] == [1, [0]]", False),
        ("object == flags", False),
        ("[[yes]] == [[true]] and object == {{object}}", True),
        ("[yes] in [[1]]", False),
        ("nothing == null", True),
        ("n > 4 and n <= 5", True),
        ("n > 5 or half < 3", True),
        ("not n > 5", True),
        ("not n > 5 and no", False),
        ("!no && yes", True),
        ("no || yes", True),
        ("no or yes and no", False),
        ("(no or yes) and yes", True),
        ("not not n", True),
        ("day >= '2026-01-01'", True),
        ("n in [1, 5]", True),
        ("n not in [1, 5]", False),
        ("'b' in text", True),
        ("'a' in list", True),
        ("null in list", True),
        ("$.order.status in ['OPEN', \"NEW\"]", True),
        ("$.a[0].b + 2 == n", True),
        ("n - 2 - 2 == 1", True),
        ("n - -2 == 7", True),
        ("order-id == 'o-1'", True),
        ("{{ order-id }} == 'o-1'", True),
        ("length(list) == 3 and length(text) > length(empty)", True),
        ("'it\\'s' == 'it\\'s'", True),
        # given or not
        ("n", True),
        ("zero", True),
        ("empty", True),
        ("no", False),
        ("nothing", False),
        ("object", True),
    ],
)
def test_a_condition_says_yes_or_no(text: str, expected: object) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "n < nothing",
        "text > n",
        "yes < no",
        "list < n",
        "n + text == 1",
        "length(n) == 1",
        "n in nothing",
        "n in text",
        f"1{'0' * 400} + 0.5 > n",
        "1e308 + 1e308 > n",
    ],
)
def test_what_cannot_be_compared_is_neither(text: str) -> None:
    with pytest.raises(Undecided):
        holds(text)


def test_what_is_decided_already_is_not_asked_further() -> None:
    assert holds("nothing == null or nothing > 5")
    assert not holds("nothing and nothing > 5")


@pytest.mark.parametrize(
    "text",
    ["", "n ==", "== n", "n n", "(n", "n)", "n = 5", "n == 5 5", "'open", "[1, 2", "n in [1 2]", "f(n)", "n; n",
     "and n", "n not 5", "length n", "a.b.", "{{n", "(" * 60 + "n" + ")" * 60, "n in " + "[" * 5000 + "]" * 5000,
     "-" * 5000 + "n", "+".join(["n"] * 5000), "(" * 40 + "n" + (" + n" * 40 + ")") * 40, "n == 007",
     "n == 1e999", "n == " + "9" * 5000, "n == \u0663"],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_condition(text)


def test_its_names_are_found_wherever_they_stand() -> None:
    text = "a and not b == c or length($.d.e) in [f, rest.g] and h + i > 0"
    found: list[str] = []

    def meaning(name: str) -> Name:
        found.append(name)
        return Name(name)

    assert parse_condition(text).resolved(meaning) == parse_condition(text)
    assert found == ["a", "b", "c", "$.d.e", "f", "rest.g", "h", "i"]


@pytest.mark.parametrize(
    ("text", "asked"), [("a", ["a"]), ("a and b", ["a", "b"]), ("a or b == 1", ["a"]), ("not a", []), ("a == 1", [])]
)
def test_names_that_stand_alone_ask_whether_they_are_given(text: str, asked: list[str]) -> None:
    assert list(parse_condition(text).asked_for()) == asked


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_numbers_compare_as_numbers(left: int, right: int) -> None:
    assert holds(f"{left} < {right}") is (left < right)
    assert holds(f"{left} == {right}") is (left == right)


@given(st.text(st.characters(exclude_characters="\\'", exclude_categories=["Cs"])))
def test_any_text_can_be_written(text: str) -> None:
    written = json.dumps(text, ensure_ascii=False)
    assert "\\" in written or holds(f"'{text}' == {written}")


@given(st.text(max_size=40))
def test_nothing_else_than_a_refusal_comes_of_nonsense(text: str) -> None:
    with suppress(ExpressionError):
        parse_condition(text)
