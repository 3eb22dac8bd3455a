"""Flows that ask and tell, without a protocol: the order of things, and what becomes of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from call.flows import flow
from capstan.call.conversation import Question
from capstan.errors import CallError, FlowError, Outcome
from support import Received, RecordingUpstream, live, reply, write_capability


class Talk:
    """A conversation: what was said, in order, and the answers that are left."""

    follows = True
    outcome: Outcome = "unknown"

    def __init__(self, *answers: Any, upstream: RecordingUpstream) -> None:
        self.said: list[Any] = []
        self.done: list[tuple[int, int, str]] = []
        self._answers = list(answers)
        self._upstream = upstream

    def change(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        self.said.append(([question.message for question in questions], len(self._upstream.requests)))
        answers = [self._answers.pop(0) for _ in questions]
        if "declined" in answers:
            raise FlowError("declined", "no")
        return answers

    async def log(self, level: str, text: str) -> None:
        self.said.append((level, text, len(self._upstream.requests)))

    async def progress(self, done: int, total: int, step: str) -> None:
        self.done.append((done, total, step))


async def talk(
    folder: Path, unit: str, arguments: Mapping[str, Any], *answers: Any, silent: bool = False
) -> tuple[Any, Talk, list[Received]]:
    """What `act` answers or raises, what was said, and the requests; reads answer `{"id": "A", "total": 5}`."""
    async with RecordingUpstream(reply(data={"id": "A", "total": 5})) as upstream:
        said = Talk(*answers, upstream=upstream)
        async with live(write_capability(folder, flow(unit)), None, {"api": upstream.url}) as units:
            try:
                result: Any = (await units["act"].call(arguments, None if silent else said)).value
            except CallError as error:
                result = error
        return result, said, list(upstream.requests)


ONE = """
inputParameters: [{name: id, type: string}]
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: sure, ask: 'Capture {{order.total}} of {{id}}?', schema: {properties: {amount: {type: integer}}}}
- {name: sent, call: api.capture, when: sure.amount, with: {id: tools.id, amount: $.sure.amount}}
"""


async def test_the_answer_of_a_question_is_that_of_its_step(tmp_path: Path) -> None:
    result, said, requests = await talk(tmp_path, ONE, {"id": "7"}, {"amount": 3})
    assert said.said == [(["Capture 5 of 7?"], 1)]
    assert result == {"id": "A", "total": 5}
    assert [(r.method, r.target) for r in requests] == [("GET", "/orders/7"), ("POST", "/orders/7")]
    assert requests[1].json == {"amount": 3}
    assert said.done == [(1, 3, "order"), (2, 3, "sure"), (3, 3, "sent")]


async def test_a_step_whose_condition_asks_an_answer_is_left_out_without_it(tmp_path: Path) -> None:
    result, _, requests = await talk(tmp_path, ONE, {"id": "7"}, {})
    assert result == {"id": "A", "total": 5}
    assert [r.method for r in requests] == ["GET"]


async def test_after_a_no_nothing_is_sent(tmp_path: Path) -> None:
    result, _, requests = await talk(tmp_path, ONE, {"id": "7"}, "declined")
    assert result.code == "declined"
    assert result.outcome == "not-sent"
    assert result.retry_safe
    assert result.extra["steps"] == {"order": "done", "sure": "failed", "sent": "not-reached"}
    assert [r.method for r in requests] == ["GET"]


async def test_where_nobody_can_be_asked_nothing_is_sent(tmp_path: Path) -> None:
    result, _, requests = await talk(tmp_path, ONE, {"id": "7"}, silent=True)
    assert result.code == "cannot-ask"
    assert [r.method for r in requests] == ["GET"]


async def test_questions_next_to_each_other_are_asked_together(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: id, type: string}]
steps:
- {name: one, ask: 'One?'}
- {name: two, ask: 'Two?', when: id == 'no'}
- {name: three, ask: 'Three?'}
- {name: order, call: api.read, with: {id: tools.id}}
- {name: four, ask: 'Four?'}
"""
    result, said, _ = await talk(tmp_path, unit, {"id": "7"}, {}, {}, {})
    assert said.said == [(["One?", "Three?"], 0), (["Four?"], 1)]
    assert result == {"id": "A", "total": 5}


@pytest.mark.parametrize("use", ["ask: 'Two {{one.x}}?'", "ask: 'Two 1?', when: one.x"])
async def test_a_question_that_uses_an_answer_is_asked_after_it(tmp_path: Path, use: str) -> None:
    unit = f"""
steps:
- {{name: one, ask: 'One?', schema: {{properties: {{x: {{type: integer}}}}}}}}
- {{name: two, {use}}}
- {{name: beside, ask: 'Beside?'}}
"""
    result, said, _ = await talk(tmp_path, unit, {}, {"x": 1}, {}, {"last": True})
    assert said.said == [(["One?", "Beside?"], 0), (["Two 1?"], 0)]
    assert result == {}  # of what calls nothing, what its last step gave


async def test_what_is_told_comes_after_what_stands_above_it(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: id, type: string}]
steps:
- {name: first, log: 'Reading {{id}}'}
- {name: order, call: api.read, with: {id: tools.id}}
- {name: then, log: 'It has {{order.total}} and {{order.none}}', level: debug}
- {name: sent, call: api.capture, with: {id: tools.id, amount: $.order.total}}
- {name: last, log: 'Done with {{sent.id}}', level: warning, when: sent.id}
"""
    result, said, _ = await talk(tmp_path, unit, {"id": "7"})
    assert said.said == [
        ("info", "Reading 7", 0),
        ("debug", "It has 5 and nothing", 1),
        ("warning", "Done with A", 2),
    ]
    assert result == {"id": "A", "total": 5}
    assert [step for _, _, step in said.done] == ["first", "order", "then", "sent", "last"] or len(said.done) == 5


async def test_nobody_has_to_listen(tmp_path: Path) -> None:
    unit = "steps:\n- {name: first, log: Hello}\n- {name: all, call: api.all, with: {list: x}}\n"
    result, _, _ = await talk(tmp_path, unit, {}, silent=True)
    assert result == {"id": "A", "total": 5}


async def test_inputs_are_asked_before_the_call(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: id, type: string}]
inputs:
- {name: sure, message: 'Capture {{id}}?'}
- {name: how, message: How much?, schema: {properties: {amount: {type: integer}}, required: [amount]}}
call: api.capture
with: {id: tools.id, amount: $.how.amount}
outputParameters: [{name: total, type: integer, mapping: $.total}]
"""
    result, said, requests = await talk(tmp_path, unit, {"id": "7"}, {}, {"amount": 2})
    assert said.said == [(["Capture 7?", "How much?"], 0)]
    assert requests[-1].json == {"amount": 2}
    assert result == {"total": 5}
