"""Right values that are shown beside an error: what the author says first, and never one that would be refused."""

from __future__ import annotations

from typing import Any

import pytest

from capstan.load.schema import Checker
from capstan.plan.example import example_of
from capstan.plan.values import ABSENT


@pytest.mark.parametrize(("schema", "value"), [
    pytest.param({"type": "string", "examples": ["o-1"], "default": "x"}, "o-1", id="what the author shows"),
    pytest.param({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["no", "SEK"]}, "SEK", id="if it fits"),
    pytest.param({"type": "integer", "default": 7}, 7, id="the default"),
    pytest.param({"const": "a"}, "a", id="the only value"),
    pytest.param({"enum": ["sv", "en"]}, "sv", id="the first of those there are"),
    pytest.param({"type": "string"}, "text", id="a text"),
    pytest.param({"type": "string", "minLength": 6}, "textte", id="a longer text"),
    pytest.param({"type": "string", "maxLength": 2}, "t", id="a shorter text"),
    pytest.param({"type": "string", "format": "date"}, "2026-01-31", id="a date"),
    pytest.param({"type": "string", "pattern": "^[A-Z]{3}$"}, ABSENT, id="nothing is known of a pattern"),
    pytest.param({"type": "integer"}, 1, id="an integer"),
    pytest.param({"type": "integer", "minimum": 100}, 100, id="the least"),
    pytest.param({"type": "integer", "exclusiveMinimum": 100, "multipleOf": 50}, 150, id="more than that"),
    pytest.param({"type": "number", "maximum": -0.5}, -0.5, id="the most"),
    pytest.param({"type": ["null", "boolean"]}, True, id="of several types the first that has values"),
    pytest.param({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1], id="a list"),
    pytest.param({"type": "array", "items": {"pattern": "^b$"}}, [], id="a list of nothing known"),
    pytest.param({"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}, {"a": 1},
                 id="an object with what it must have"),
    pytest.param({"properties": {"a": {"enum": ["x"]}}}, {"a": "x"}, id="an object of what it may have"),
    pytest.param({"type": "object", "properties": {"a": {"pattern": "^b$"}}, "required": ["a"]}, ABSENT,
                 id="an object that cannot be made"),
    pytest.param({"anyOf": [{"pattern": "^b$", "type": "string"}, {"type": "boolean"}]}, True, id="of a choice"),
    pytest.param({"$ref": "#/$defs/money"}, {"amount": 5}, id="a definition"),
    pytest.param({"$ref": "#/$defs/loop"}, {"loop": {}}, id="a definition of itself"),
    pytest.param({"$ref": "#/properties/of"}, ABSENT, id="what stands elsewhere"),
    pytest.param(True, ABSENT, id="anything"),
])  # fmt: skip
def test_an_example_is_what_fits(schema: Any, value: Any) -> None:
    root = {
        "type": "object",
        "properties": {"of": schema},
        "$defs": {
            "money": {"properties": {"amount": {"minimum": 5, "type": "integer"}}, "required": ["amount"]},
            "loop": {"type": "object", "properties": {"loop": {"$ref": "#/$defs/loop"}}},
        },
    }  # fmt: skip
    found = example_of("of", root)
    if value == {"loop": {}}:
        assert found is not ABSENT
    else:
        assert found == value
    assert found is ABSENT or Checker(root).accepts({"of": found})


def test_a_schema_that_refers_to_itself_many_times_ends() -> None:
    many = {f"m{number}": {"$ref": "#/$defs/loop"} for number in range(20)}
    root = {"properties": {"a": {"$ref": "#/$defs/loop"}},
            "$defs": {"loop": {"type": "object", "properties": many, "required": list(many)}}}  # fmt: skip
    assert example_of("a", root) is ABSENT


def test_there_is_no_example_of_what_is_no_input() -> None:
    assert example_of("b", {"properties": {"a": {"type": "string"}}}) is ABSENT
    assert example_of("b", {}) is ABSENT
