"""Every case of the public JSONPath Compliance Test Suite, which stands in golden/jsonpath/cts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.jsonquery import Run, select
from capstan.load.jsonquery_text import parse_query

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "golden" / "jsonpath" / "cts" / "cts.json").read_text("utf-8")
)["tests"]

# What the suite refuses and files have: a path in YAML or between braces, with blanks around it. Nothing that the suite
# allows is refused here.
LENIENT = {" $", "$ "}

PATHS = [case for case in CASES if not case.get("invalid_selector")]
NO_PATHS = [case["selector"] for case in CASES if case.get("invalid_selector")]


def spelled(value: Any) -> str:
    """A value as text in which `true` is not 1, and the order of names says nothing."""
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case["name"])
def test_a_path_finds_what_the_suite_says(case: dict[str, Any]) -> None:
    query = parse_query(case["selector"])
    expected = [case["result"]] if "result" in case else case["results"]
    found = select(query.segments, case["document"], Run(case["document"]))
    assert spelled(found) in map(spelled, expected)
    value = parse_jsonpath(case["selector"]).find(case["document"])
    wanted = expected if query.chain is None else [next(iter(nodes), None) for nodes in expected]
    assert spelled(value) in map(spelled, wanted)


@pytest.mark.parametrize("text", NO_PATHS)
def test_what_the_suite_calls_no_path_is_refused_at_load(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_query(text)
    if text in LENIENT:
        assert parse_jsonpath(text).whole
    else:
        with pytest.raises(ExpressionError):
            parse_jsonpath(text)


def test_the_suite_is_whole() -> None:
    assert (len(PATHS), len(NO_PATHS)) == (442, 245)
