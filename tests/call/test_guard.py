from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from capstan.call.guard import Guard
from capstan.errors import BindError
from capstan.load import load
from capstan.plan.build import build_plan
from support import capability_text, wired, write_capability

ID = {"name": "id", "in": "path", "type": "string", "required": True}
LIMIT = {"name": "limit", "in": "query", "type": "integer", "minimum": 1, "maximum": 100, "default": 10}
STATE = {"name": "state", "in": "query", "type": "string", "enum": ["open", "closed"]}
LINES = {
    "name": "body", "in": "body", "type": "object", "required": True,
    "properties": {
        "amount": {"type": "integer", "required": True},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
}  # fmt: skip


def guard(tmp_path: Path, inputs: Sequence[Mapping[str, Any]], method: str = "GET") -> Guard:
    path = write_capability(tmp_path, capability_text(method, "/things/{id}", inputs=inputs))
    plan, _ = build_plan(load(path), {})
    return Guard(plan.units[0])


@pytest.mark.parametrize(
    ("arguments", "code", "argument", "words"),
    [
        pytest.param({}, "missing-argument", "id", "'id' is missing", id="missing"),
        pytest.param({"id": "1", "limt": 3}, "unknown-argument", "limt", "there is no argument 'limt'", id="unknown"),
        pytest.param({"id": 1}, "bad-argument", "id", "1 is not of type string", id="wrong type"),
        pytest.param({"id": "1", "limit": "ten"}, "bad-argument", "limit", "'ten' is not of type integer", id="text"),
        pytest.param({"id": "1", "limit": True}, "bad-argument", "limit", "is not of type integer", id="a boolean"),
        pytest.param({"id": "1", "limit": 101}, "bad-argument", "limit", "101 is more than 100", id="too large"),
        pytest.param({"id": "1", "state": "opne"}, "bad-argument", "state", "is not one of open, closed", id="enum"),
        pytest.param({"id": None}, "bad-argument", "id", "not of type string", id="null where required"),
    ],
)
def test_a_refusal_names_the_argument(
    tmp_path: Path, arguments: dict[str, Any], code: str, argument: str, words: str
) -> None:
    with pytest.raises(BindError) as caught:
        guard(tmp_path, [ID, LIMIT, STATE]).check(arguments)
    error = caught.value
    assert (error.code, error.argument, error.outcome, error.status) == (code, argument, "not-sent", 400)
    assert words in error.message


def test_a_name_that_is_nearly_right_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(BindError) as caught:
        guard(tmp_path, [ID, LIMIT]).check({"id": "1", "limt": 3})
    assert caught.value.hint == "did you mean 'limit'?"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({}, "body/amount", id="missing"),
        pytest.param({"amount": 1.5}, "body/amount", id="fraction"),
        pytest.param({"amount": 1, "lines": [{"sku": "a"}, {"sku": 2}]}, "body/lines/1/sku", id="deep"),
    ],
)
def test_a_fault_inside_an_argument_is_told_with_its_path(tmp_path: Path, body: dict[str, Any], path: str) -> None:
    with pytest.raises(BindError) as caught:
        guard(tmp_path, [ID, LINES], "POST").check({"id": "1", "body": body})
    assert caught.value.argument == "body"
    assert f"'{path}'" in caught.value.message


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BindError) as caught:
        guard(tmp_path, [ID, LIMIT, STATE]).check({"limit": 0, "state": "x", "y": 1})
    assert {e["argument"] for e in caught.value.extra["errors"]} == {"id", "limit", "state", "y"}


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    assert guard(tmp_path, [ID, LIMIT]).check({"id": "1"}) == {"id": "1", "limit": 10}
    assert guard(tmp_path, [ID, LIMIT]).check({"id": "1", "limit": 5}) == {"id": "1", "limit": 5}


def test_null_means_left_out_where_an_argument_is_optional(tmp_path: Path) -> None:
    assert guard(tmp_path, [ID, STATE]).check({"id": "1", "state": None}) == {"id": "1"}
    assert guard(tmp_path, [ID, LIMIT]).check({"id": "1", "limit": None}) == {"id": "1", "limit": 10}


def test_the_arguments_of_a_caller_are_not_changed(tmp_path: Path) -> None:
    given: dict[str, Any] = {"id": "1", "state": None}
    guard(tmp_path, [ID, LIMIT, STATE]).check(given)
    assert given == {"id": "1", "state": None}


async def test_what_does_not_fit_is_never_sent(tmp_path: Path) -> None:
    text = capability_text("POST", "/things/{id}", inputs=[ID, LINES])
    async with wired(tmp_path, text) as (upstream, unit):
        for arguments in (
            {},
            {"id": "1"},
            {"id": "..", "body": {"amount": 1}},
            {"id": "\ud800", "body": {"amount": 1}},
        ):
            with pytest.raises(BindError):
                await unit.call(arguments)
        assert upstream.requests == []


async def test_what_is_left_out_is_not_sent_at_all(tmp_path: Path) -> None:
    header = {"name": "X-A", "in": "header", "type": "string"}
    async with wired(tmp_path, capability_text(inputs=[ID, STATE, header])) as (upstream, unit):
        await unit.call({"id": "1", "state": None, "X-A": None})
        assert upstream.last.target == "/things/1"
        assert upstream.last.header("X-A") is None
