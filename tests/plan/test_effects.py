"""The effect class of a call: by its method, unless the file says more."""

from __future__ import annotations

import pytest

from plan.helpers import tool_of


@pytest.mark.parametrize(
    ("method", "effect"),
    [("GET", "read"), ("HEAD", "read"), ("OPTIONS", "read"), ("POST", "write"), ("PUT", "write"), ("PATCH", "write"),
     ("DELETE", "irreversible")],
)  # fmt: skip
def test_the_method_says_what_a_call_does(method: str, effect: str) -> None:
    assert tool_of(f"method: {method}").effect == effect


@pytest.mark.parametrize("effect", ["read", "write", "money", "irreversible"])
def test_the_file_knows_better_than_the_method(effect: str) -> None:
    assert tool_of(f"{{method: POST, effect: {effect}}}").effect == effect


def test_hints_of_a_tool_change_no_effect() -> None:
    assert tool_of("method: POST", "hints: {readOnly: true}").effect == "write"


@pytest.mark.parametrize("name", ["Idempotency-Key", "Klarna-Idempotency-Key", "x_idempotency_key"])
def test_the_header_that_makes_a_call_repeatable_is_found_by_its_name(name: str) -> None:
    call = tool_of(f"{{method: POST, inputParameters: [{{name: {name}, in: header}}]}}").call
    assert call is not None
    assert call.idempotency_header == name


def test_most_calls_have_no_such_header() -> None:
    call = tool_of("{method: POST, inputParameters: [{name: Idempotency-Key, in: query}]}").call
    assert call is not None
    assert call.idempotency_header is None
