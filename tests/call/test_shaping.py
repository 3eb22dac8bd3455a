"""A call whose answer cannot be shaped ends in an error that says it was made, and where the fault is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capstan.errors import ShapeError
from support import capability_text, reply, wired


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
