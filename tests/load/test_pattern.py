"""Patterns that an author declares, and texts that a caller sends to make them slow."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from capstan.load.schema import Checker

SECONDS = 2.0  # for what takes some ms, on a busy machine
MEBIBYTE = 1024**2


def slow_for(rule: str, text: str) -> list[str]:
    """The codes of what is wrong with a text, which must be known in no time."""
    checker = Checker({"type": "object", "properties": {"a": {"type": "string", "pattern": rule}}})
    began = time.perf_counter()
    codes = [violation.code for violation in checker.violations({"a": text})]
    assert time.perf_counter() - began < SECONDS
    return codes


@pytest.mark.parametrize("rule", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x"])
def test_an_ordinary_pattern_is_linear_in_the_text(rule: str) -> None:
    assert slow_for(rule, "a" * MEBIBYTE + "!") == ["wrong-form"]


@pytest.mark.parametrize("rule", ["(?=(a+)+b)a", "(?=a)(.*a){25}b", r"^((a+)+)\1$", "^(a+)+(?!b)$"])
@pytest.mark.parametrize("length", [4_000, MEBIBYTE])
def test_a_pattern_that_looks_around_never_hangs(rule: str, length: int) -> None:
    assert slow_for(rule, "a" * (length - 1) + "!") in (["wrong-form"], ["out-of-range"])


def test_a_large_pattern_never_hangs() -> None:
    text = "".join(random.Random(1).choices("ab", k=MEBIBYTE))
    assert slow_for("[ab]*a[ab]{900}c", text) == ["out-of-range"]
    assert slow_for("[ab]*a[ab]{900}c", text[:20_000]) == ["wrong-form"]


@pytest.mark.parametrize(
    ("rule", "longest"), [("^(?!.*secret)[a-z]*$", 4_000), (r"^\p{L}*$", 100_000), ("^[a-z]*$", MEBIBYTE)]
)
def test_how_long_a_text_can_be_hangs_on_its_pattern(rule: str, longest: int) -> None:
    checker = Checker({"pattern": rule})
    assert checker.accepts("a" * longest)
    assert checker.accepts("a" * (longest + 1)) == (longest == MEBIBYTE)
    assert not checker.accepts("secret 1")


def test_only_the_text_of_such_a_pattern_is_limited() -> None:
    checker = Checker({"properties": {"a": {"pattern": "(?=x)", "maxLength": 9}, "b": {"type": "string"},
                                      "c": {"pattern": "^y+$"}}})  # fmt: skip
    assert checker.accepts({"a": "x", "b": "b" * 5_000, "c": "y" * 5_000})
    assert [violation.message for violation in checker.violations({"a": "x" * 10})] == ["'xxxxxxxxxx' is longer than 9"]


@pytest.mark.parametrize("name", ["default", "const", "pattern", "properties"])
def test_a_pattern_is_found_whatever_its_property_is_called(name: str) -> None:
    checker = Checker({"type": "object", "properties": {name: {"type": "string", "pattern": "(?=x)"}}})
    assert checker.accepts({name: "x"})
    assert not checker.accepts({name: "x" * 4_001})


def test_what_only_looks_like_a_pattern_is_left_alone() -> None:
    value = {"pattern": "(?=x)"}
    assert Checker({"const": value, "default": value}).accepts(value)


def test_what_cannot_be_decided_is_refused_and_said() -> None:
    (violation,) = Checker({"pattern": "([a-z]+)+(?<!b)$"}).violations("a" * 3_999 + "b")
    assert violation.code == "wrong-form"
    assert "takes too long to be compared with the pattern" in violation.message


@pytest.mark.parametrize("rule", ["(", "[", "a{2,1}", r"\p{Nope}", "(?=x"])
def test_a_pattern_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="regex"):
        Checker({"pattern": rule})


@pytest.mark.parametrize(
    "value",
    [[1] * 200_000, ["A"] * 200_000, {f"k{number}": 1 for number in range(100_000)}],
    ids=["types", "patterns", "names"],
)
def test_of_many_faults_the_first_are_told(value: Any) -> None:
    item = {"type": "string", "pattern": "^[a-z]+$"}
    checker = Checker({"items": item, "additionalProperties": False})
    began = time.perf_counter()
    assert len(checker.violations(value)) == 100
    assert time.perf_counter() - began < SECONDS


def test_for_a_name_that_is_missing_few_others_are_looked_at() -> None:
    names = [f"customer_field_{number}" for number in range(20)]
    properties = {name: {"type": "string"} for name in names}
    checker = Checker({"properties": properties, "required": names, "additionalProperties": False})
    began = time.perf_counter()
    assert len(checker.violations({f"customer_fiel_{number:06}x": 1 for number in range(40_000)})) == 100
    assert time.perf_counter() - began < SECONDS
    assert (
        "was 'customer_feld_1' meant" in checker.violations(dict.fromkeys([*names[:1], "customer_feld_1"], "x"))[0].hint
    )


def test_many_objects_are_looked_through_once_for_one_that_is_there_twice() -> None:
    checker = Checker({"uniqueItems": True, "type": "array"})
    items = [{"a": number} for number in range(50_000)]
    began = time.perf_counter()
    assert checker.violations(items) == []
    (violation,) = checker.violations([*items, {"a": 0}])
    assert time.perf_counter() - began < SECONDS
    assert (violation.code, violation.message) == ("invalid", "an item is there twice")
