"""What cannot be shaped: an answer, which ends in an error that says the call was made, and an argument of a mock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capstan.errors import BindError, ShapeError
from support import capability_text, live, reply, wired, write_capability


@pytest.mark.parametrize(
    ("mapping", "answer", "code", "told"),
    [
        ({"mapping": "$..[?count($..*) > 1]"}, list(range(3000)), "answer-too-large", "more than 5,000,000 values"),
        ({"mapping": "$.a", "type": "array", "items": {"n": {"type": "integer"}}}, {"a": [{"n": 1}, {"n": []}]},
         "unexpected-answer", "'found[1].n' is an array, declared as an integer"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_answer_that_cannot_be_shaped_is_of_a_call_that_was_made(
    tmp_path: Path, method: str, mapping: dict[str, Any], answer: Any, code: str, told: str
) -> None:
    text = capability_text(method, "/things", outputs=[{"name": "found", **mapping}, {"name": "other"}])
    async with wired(tmp_path, text) as (upstream, unit):
        upstream.then(reply(200, data=answer))
        with pytest.raises(ShapeError, match=told.replace("[", r"\[")) as caught:
            await unit.call({})
        assert len(upstream.requests) == 1
    assert (caught.value.code, caught.value.outcome) == (code, "done")
    assert caught.value.retry_safe == (method == "GET")


MOCK = """
naftiko: 1.0.0-alpha2
capability:
  exposes:
  - type: rest
    namespace: mocks
    port: 8080
    resources:
    - path: /mock/{n}
      operations:
      - method: GET
        name: mock
        inputParameters: [{name: n, in: path, type: string}, {name: also, in: query, type: string}]
        outputParameters: [OUTPUT]
"""


@pytest.mark.parametrize(
    ("output", "argument", "code", "told"),
    [
        ("{name: v, type: integer, value: '{{n}}'}", "n", "bad-argument",
         "'n' does not fit: the answer's 'v' is text, declared as an integer"),
        ("{type: integer, value: '{{n}}'}", "n", "bad-argument", "'value' is text, declared as an integer"),
        ("{name: v, type: object, properties: {w: {type: boolean, value: '{{n}}'}}}", "n", "bad-argument",
         "the answer's 'v.w' is text, declared as a boolean"),
        ("{name: v, type: array, items: {type: number, value: '{{n}}'}}", "n", "bad-argument", "declared as a number"),
        ("{name: v, type: string, enum: [a, b], value: '{{n}}'}", "n", "bad-argument", "'v' is none of a, b"),
        ("{name: v, type: string, required: true, value: '{{also}}'}", "also", "missing-argument", "'v' is not there"),
    ],
)  # fmt: skip
async def test_an_argument_that_does_not_fit_the_answer_of_a_mock_is_its_callers_mistake(
    tmp_path: Path, output: str, argument: str, code: str, told: str
) -> None:
    async with live(write_capability(tmp_path, MOCK.replace("OUTPUT", output))) as units:
        with pytest.raises(BindError) as caught:
            await units["mock"].call({"n": "abc"})
    error = caught.value
    assert (error.code, error.status, error.argument, error.outcome) == (code, 400, argument, "not-sent")
    assert told in error.message


async def test_a_text_of_the_file_that_does_not_fit_is_no_callers_mistake(tmp_path: Path) -> None:
    text = MOCK.replace("OUTPUT", "{name: v, type: integer, value: 'n {{n}}'}")
    async with live(write_capability(tmp_path, text)) as units:
        with pytest.raises(ShapeError) as caught:
            await units["mock"].call({"n": "7"})
    assert caught.value.code == "unexpected-answer"
