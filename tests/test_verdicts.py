from __future__ import annotations

from typing import Any

import pytest

from support import write_capability
from verdicts import Unasked, judge, read_exceptions

EXCEPTIONS = {
    "sampling": Unasked("sampling", ("no tool 'x'",)),
    "stateless/names-sampling": Unasked("sampling", ("naming 'sampling'",)),
}


def check(status: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": name, "status": status, **more}


WIRE = check("SUCCESS", "wire-schema-valid")


@pytest.mark.parametrize(
    ("checks", "passed"),
    [
        pytest.param([check("SUCCESS"), WIRE], True, id="one that ran"),
        pytest.param([check("SUCCESS"), check("INFO", "b")], True, id="beside a remark"),
        pytest.param([check("SUCCESS"), check("SKIPPED", "b")], False, id="beside one that was left out"),
        pytest.param([check("SUCCESS"), check("WARNING", "b")], False, id="a warning"),
        pytest.param([check("SUCCESS"), check("FAILURE", "b")], False, id="a failure"),
        pytest.param([check("SUCCESS"), check("FAILURE", "wire-schema-valid")], False, id="a broken message"),
        pytest.param([check("INFO"), check("SKIPPED"), WIRE], False, id="none of its own ran"),
        pytest.param([WIRE], False, id="nothing was asked"),
        pytest.param([], False, id="it was not run"),
    ],
)
def test_a_scenario_passes_when_a_check_ran_and_none_is_bad(checks: list[dict[str, Any]], *, passed: bool) -> None:
    assert judge("other", checks, EXCEPTIONS).passed is passed


@pytest.mark.parametrize(
    ("checks", "passed"),
    [
        pytest.param([check("FAILURE", errorMessage="there is no tool 'x'"), WIRE], True, id="as expected"),
        pytest.param([check("INFO", details={"message": "no tool 'x'"})], True, id="left out as expected"),
        pytest.param([check("FAILURE", errorMessage="the server went away")], False, id="for another reason"),
        pytest.param([check("INFO", details={"message": "no session"})], False, id="left out for another reason"),
        pytest.param([check("FAILURE", errorMessage="no tool 'x'"), check("FAILURE", "b")], False, id="and another"),
        pytest.param([check("SUCCESS"), WIRE], False, id="it passes"),
        pytest.param([WIRE], False, id="nothing of it"),
    ],
)
def test_an_excepted_scenario_fails_for_its_reason_only(checks: list[dict[str, Any]], *, passed: bool) -> None:
    verdict = judge("sampling", checks, EXCEPTIONS)
    assert verdict.passed is passed
    assert verdict.is_excepted


@pytest.mark.parametrize(
    ("status", "text", "passed"),
    [
        ("FAILURE", "is no object naming 'sampling'", True),
        ("FAILURE", "HTTP 500", False),
        ("SUCCESS", None, False),
    ],
)
def test_an_excepted_check_does_not_excuse_its_scenario(status: str, text: str | None, *, passed: bool) -> None:
    one = check(status, "names-sampling", errorMessage=text)
    assert judge("stateless", [check("SUCCESS"), one], EXCEPTIONS).passed is passed
    assert not judge("stateless", [check("SUCCESS"), check("FAILURE", "b"), one], EXCEPTIONS).passed
    assert not judge("stateless", [one], EXCEPTIONS).passed


def test_an_exception_needs_a_reason(tmp_path: Any) -> None:
    text = "sampling: {because: ' ', scenarios: {a: {says: [no]}}}"
    with pytest.raises(ValueError, match="without a reason"):
        read_exceptions(write_capability(tmp_path, text))
