"""RFC 9535, case by case: what its selectors find, and what is no JSONPath. The cases stand in golden/jsonpath."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.jsonquery import Run, select
from capstan.load.jsonquery_text import parse_query

CASES = json.loads((Path(__file__).parents[1] / "golden" / "jsonpath" / "rfc9535.json").read_text("utf-8"))

# What the standard refuses and files have: these mean the whole answer.
LENIENT = {"", "$."}
# What the standard allows and is refused at load: text -> why.
REFUSED = {
    "$[?match(@, '(')]": "a pattern in the file that is none would never match anything",
    "$[?match(@, '(?i)a')]": "flags, names and look-around are not I-Regexp",
    "$[?match(@, '" + "a" * 1001 + "')]": "a pattern of more than 1000 characters",
    "$" + "[?@" * 31 + "]" * 31: "more than 30 filters in one another",
    "$" + "['a']" * 1000 + "[?@]": "a path of more than 4000 characters",
}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, where `true` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


@pytest.mark.parametrize("group", CASES["groups"], ids=lambda group: group["about"])
def test_a_selector_finds_what_the_standard_says(group: dict[str, Any]) -> None:
    document = group["document"]
    for text, expected in group["cases"]:
        query = parse_query(text)
        found = select(query.segments, document, Run(document))
        assert same(found, expected), text
        path = parse_jsonpath(text)
        wanted = expected if query.chain is None else next(iter(expected), None)
        assert same(path.find(document), wanted), text


@pytest.mark.parametrize("text", CASES["refused"])
def test_what_is_no_path_by_the_standard_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse_query(text)
    if text in LENIENT:
        assert parse_jsonpath(text).whole
    else:
        with pytest.raises(ExpressionError):
            parse_jsonpath(text)


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=REFUSED.values())
def test_what_is_not_evaluated_is_refused_at_load(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError):
        parse_jsonpath(text)
