from __future__ import annotations

import json
from typing import Any

import pytest

from capstan.call.problem import internal_problem, problem_of, status_of
from capstan.errors import BindError, CallError, ShapeError, UpstreamError, UpstreamRefused, UpstreamTimeout


def refused(status: int, body: bytes = b"") -> UpstreamRefused:
    return UpstreamRefused("upstream-refused", "no", "refused", status=status, body=body)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BindError("bad-argument", "m"), 400),
        (BindError("request-too-large", "m", status=413), 413),
        (UpstreamTimeout("upstream-timeout", "m"), 504),
        (UpstreamError("upstream-unreachable", "m"), 502),
        (ShapeError("unexpected-answer", "m"), 502),
        (refused(400), 400), (refused(404), 404), (refused(409), 409), (refused(429), 429), (refused(499), 499),
        (refused(401), 502), (refused(407), 502), (refused(500), 502), (refused(503), 502), (refused(302), 502),
        (CallError("x", "m"), 500),
    ],
)  # fmt: skip
def test_every_error_has_a_status(error: CallError, status: int) -> None:
    assert status_of(error) == status
    assert problem_of(error)["status"] == status


def test_a_problem_says_what_to_do_next() -> None:
    error = BindError(
        "unknown-argument", "there is no 'a'", argument="a", hint="did you mean 'b'?", extra={"errors": [1]}
    )
    assert problem_of(error) == {
        "type": "urn:capstan:error:unknown-argument", "title": "Bad Request", "status": 400, "code": "unknown-argument",
        "detail": "there is no 'a'", "outcome": "not-sent", "retry_safe": True,
        "hint": "did you mean 'b'?", "argument": "a",
        "errors": [1],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "shown"),
    [(b'{"error":"x"}', {"error": "x"}), (b"[1]", [1]), (b"plain", "plain"), (b"", None), (b"\xff", "\ufffd")],
)
def test_the_upstreams_own_error_goes_along(body: bytes, shown: Any) -> None:
    assert problem_of(refused(422, body))["upstream"] == {"status": 422, "body": shown}


def test_a_status_without_a_name_has_a_title() -> None:
    assert problem_of(refused(499))["title"] == "Error"


def test_an_error_of_ours_tells_nothing_of_our_insides() -> None:
    problem = internal_problem()
    assert (problem["code"], problem["outcome"], problem["retry_safe"]) == ("internal-error", "unknown", False)
    assert set(problem) == {"type", "title", "status", "code", "detail", "outcome", "retry_safe"}


def test_a_problem_is_json() -> None:
    json.dumps(problem_of(refused(400, b"\xed\xa0\x80")))
