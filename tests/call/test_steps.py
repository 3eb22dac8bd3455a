"""Steps that use each other's answers: what they may refer to, in which order they run, and what is answered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from call.flows import flow, problems, run
from capstan.call.problem import status_of
from capstan.errors import CallError, FlowError, LoadError, ShapeError, UpstreamRefused
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.settings import Settings
from support import HANG, RESET, Received, RecordingUpstream, live, reply, write_capability

ORDER = reply(
    data={"order_id": "o-1", "status": "AUTHORIZED", "remaining": 900, "customer": {"id": 7, "tags": ["a", "b"]}}
)

CHAIN = """
inputParameters: [{name: id, type: string}]
steps:
- {name: order, type: call, call: api.read, with: {id: tools.id}}
- {name: customer, call: api.all, with: {list: 'customers/{{order.customer.id}}', of: $.order.customer.tags}}
"""


async def test_a_step_takes_values_of_an_earlier_answer_with_their_types(tmp_path: Path) -> None:
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: captured, call: api.capture, with: {id: $.order.order_id, amount: $.order.remaining}}
"""
    result, requests = await run(tmp_path, unit, {"id": "x"}, ORDER, reply(201, headers={"Capture-Id": "c-1"}))
    assert [f"{r.method} {r.target}" for r in requests] == ["GET /orders/x", "POST /orders/o-1"]
    assert requests[1].json == {"amount": 900}
    assert result == {"status": 201, "capture-id": "c-1"}


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("$.order.customer.id", "/orders/7"),
        ("'{{order.customer.id}}'", "/orders/7"),
        ("'{{$.order.customer.id}}'", "/orders/7"),
        ("'c-{{order.customer.id}}/{{id}}'", "/orders/c-7%2Fx"),
        ("'$.order.customer.tags[1]'", "/orders/b"),
        ("'$.order.customer.tags[?@ == \"b\"]'", "/orders/b"),
        ("\"$['order']['customer'].id\"", "/orders/7"),
        ("constant", "/orders/constant"),
    ],
)
async def test_a_reference_to_a_step_has_several_spellings(tmp_path: Path, written: str, sent: str) -> None:
    unit = f"""
inputParameters: [{{name: id, type: string}}]
steps:
- {{name: order, call: api.read, with: {{id: tools.id}}}}
- {{name: again, call: api.read, with: {{id: {written}}}}}
"""
    _, requests = await run(tmp_path, unit, {"id": "x"}, ORDER)
    assert requests[1].target == sent


async def test_a_value_that_an_answer_lacks_is_not_sent(tmp_path: Path) -> None:
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: captured, call: api.capture, with: {id: tools.id, amount: $.order.nowhere}}
"""
    _, requests = await run(tmp_path, unit, {"id": "x"}, ORDER)
    assert requests[1].body == b""


async def test_a_path_that_an_answer_cannot_fill_is_the_upstreams_fault_not_the_callers(tmp_path: Path) -> None:
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: again, call: api.read, with: {id: $.order.nowhere}}
"""
    error, requests = await run(tmp_path, unit, {"id": "x"}, ORDER)
    assert isinstance(error, ShapeError)
    assert error.message == "step 'again': '$.order.nowhere' is missing: the path needs it"
    assert (error.outcome, error.retry_safe, len(requests)) == ("not-sent", True, 1)


@pytest.mark.parametrize("entry", ["foreach: '$.order..[*]..[*]'", "when: '$.order..[*]..[*]'"])
async def test_what_an_answer_is_too_large_for_was_not_done(tmp_path: Path, entry: str) -> None:
    unit = f"""
steps:
- {{name: order, call: api.read, with: {{id: tools.id}}}}
- {{name: captured, call: api.capture, {entry}, with: {{id: tools.id, amount: 5}}}}
"""
    wide = [[[0] * 1000] * 100] * 20
    error, requests = await run(tmp_path, unit, {"id": "x"}, reply(data=wide))
    assert (error.code, error.outcome, error.retry_safe, len(requests)) == ("answer-too-large", "not-sent", True, 1)
    assert error.extra["steps"] == {"order": "done", "captured": "not-sent"}
    assert error.message.startswith("step 'captured': ")


@pytest.mark.parametrize("with_", ["id: 'o-{{order.nowhere}}'", "id: tools.id, Idempotency-Key: 'k-{{order.note}}'"])
async def test_a_text_around_an_answer_that_cannot_be_sent_is_not_the_callers_fault(tmp_path: Path, with_: str) -> None:
    unit = f"""
steps:
- {{name: order, call: api.read, with: {{id: tools.id}}}}
- {{name: captured, call: api.capture, with: {{amount: 5, {with_}}}}}
"""
    error, requests = await run(tmp_path, unit, {"id": "x"}, reply(data={"note": "two\nlines"}))
    assert isinstance(error, ShapeError)
    assert "'$.order.no" in error.message
    assert (error.outcome, len(requests)) == ("not-sent", 1)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("$.again.id", "unknown-name: '$.again.id' asks a step that comes later or is the step itself"),
        ("$.last.id", "unknown-name: '$.last.id' asks a step that comes later or is the step itself"),
        ("'{{last.id}}'", "unknown-name: 'last.id' asks a step that comes later or is the step itself"),
        ("$.ordre.id", "unknown-name: '$.ordre.id' begins with the name of no step"),
        ("\"$['ordre'].id\"", "unknown-name: '$['ordre'].id' begins with the name of no step"),
        ("null", "bad-value: the value of 'id' is empty, and no path can be made of it"),
        ("''", "bad-value: the value of 'id' is empty, and no path can be made of it"),
        ("$.held.id", "unknown-name: '$.held.id' asks a step that comes later or is the step itself"),
        (
            "order.order_id",
            "text-like-reference: 'order.order_id' is sent as text, though it begins with the name of a step",
        ),
    ],
)
def test_a_reference_to_what_is_not_there_yet_is_refused(tmp_path: Path, written: str, message: str) -> None:
    unit = f"""
steps:
- {{name: order, call: api.read, with: {{id: tools.id}}}}
- {{name: held, assert: "$.order.status == 'AUTHORIZED'"}}
- {{name: again, call: api.read, with: {{id: {written}}}}}
- {{name: last, call: api.read, with: {{id: tools.id}}}}
"""
    assert message in problems(tmp_path, unit)


def test_a_plain_call_has_no_steps_to_refer_to(tmp_path: Path) -> None:
    assert "unknown-name: '$.order.id' refers to a step, and there is none before" in problems(
        tmp_path, "call: api.read\nwith: {id: $.order.id}"
    )


# --- order


class _Meeting:
    """Answers each request once as many are under way as are expected together."""

    def __init__(self, together: int) -> None:
        self.together, self.waiting, self.most = together, 0, 0
        self.met = asyncio.Event()

    async def __call__(self, request: Received) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        if self.waiting == self.together:
            self.met.set()
        try:
            async with asyncio.timeout(0.3):
                await self.met.wait()
        except TimeoutError:
            pass
        self.waiting -= 1
        return reply(data={"from": request.target})


async def test_calls_that_nothing_orders_are_under_way_together(tmp_path: Path) -> None:
    steps = "\n".join(f"- {{name: s{n}, call: api.all, with: {{list: l{n}}}}}" for n in range(5))
    meeting = _Meeting(5)
    await run(tmp_path, f"steps:\n{steps}\n", {}, by=meeting)
    assert meeting.met.is_set()


async def test_what_changes_something_waits_for_what_stands_above_it_and_is_waited_for(tmp_path: Path) -> None:
    unit = """
steps:
- {name: before, call: api.read, with: {id: tools.id}}
- {name: captured, call: api.capture, with: {id: tools.id}}
- {name: after, call: api.read, with: {id: tools.id}}
mappings: [{target: before, value: $.before.n}, {target: after, value: $.after.n}]
"""
    meeting = _Meeting(2)
    _, requests = await run(tmp_path, unit, {"id": "x"}, by=meeting)
    assert meeting.most == 1
    assert [r.method for r in requests] == ["GET", "POST", "GET"]


async def test_steps_of_a_parallel_run_side_by_side_whatever_they_do(tmp_path: Path) -> None:
    unit = """
steps:
- name: both
  parallel: true
  steps: []
"""
    assert any(text.startswith("unknown-keyword") for text in problems(tmp_path, unit))
    unit = """
steps:
- name: both
  type: parallel
  steps:
  - {name: one, call: api.capture, with: {id: a}}
  - {name: two, call: api.capture, with: {id: b}}
- {name: after, call: api.read, with: {id: $.one.from}}
"""
    meeting = _Meeting(2)
    _, requests = await run(tmp_path, unit, {}, by=meeting)
    assert meeting.met.is_set()
    assert [r.target for r in requests][2:] == ["/orders/%2Forders%2Fa"]


def test_steps_of_a_parallel_cannot_use_each_other(tmp_path: Path) -> None:
    unit = """
steps:
- name: both
  type: parallel
  steps:
  - {name: one, call: api.read, with: {id: a}}
  - {name: two, call: api.read, with: {id: $.one.id}}
"""
    assert "unknown-name: '$.one.id' asks a step that comes later or is the step itself" in problems(tmp_path, unit)


async def test_a_failing_read_does_not_break_off_a_change_under_way(tmp_path: Path) -> None:
    unit = """
steps:
- name: both
  type: parallel
  steps:
  - {name: change, call: api.capture, with: {id: a}}
  - {name: look, call: api.read, with: {id: b}}
"""

    async def by(request: Received) -> Any:
        if request.method == "GET":
            return reply(404, data={"no": 1})
        await asyncio.sleep(0.1)
        return reply(data={"done": True})

    error, _ = await run(tmp_path, unit, {}, by=by)
    assert isinstance(error, CallError)
    assert error.extra["steps"] == {"change": "done", "look": "refused"}
    assert (error.outcome, error.retry_safe) == ("partly", False)


async def test_a_failed_step_is_named_with_what_happened_and_nothing_more_is_sent(tmp_path: Path) -> None:
    unit = """
steps:
- {name: one, call: api.capture, with: {id: a, Idempotency-Key: k}}
- {name: two, call: api.capture, with: {id: b, Idempotency-Key: k}}
- {name: three, call: api.capture, with: {id: c, Idempotency-Key: k}}
"""
    error, requests = await run(tmp_path, unit, {}, reply(201), RESET)
    assert isinstance(error, CallError)
    assert error.message.startswith("step 'two': 'api' ")
    assert error.extra["steps"] == {"one": "done", "two": "unknown", "three": "not-reached"}
    assert (error.outcome, error.retry_safe, len(requests)) == ("partly", True, 2)  # every change has its key


async def test_a_timeout_in_the_middle_leaves_it_unknown(tmp_path: Path) -> None:
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: captured, call: api.capture, with: {id: $.order.order_id}}
"""
    error, _ = await run(tmp_path, unit, {"id": "x"}, ORDER, HANG)
    assert isinstance(error, CallError)
    assert (error.outcome, error.retry_safe) == ("unknown", False)
    assert error.extra["steps"] == {"order": "done", "captured": "unknown"}


# --- what is answered

DECLARED = CHAIN.replace("steps:", "steps:")


async def test_without_mappings_the_last_answer_is_given_with_its_status(tmp_path: Path) -> None:
    async with RecordingUpstream() as upstream:
        upstream.then(ORDER, reply(202, data=[1, 2], headers={"Location": "/x"}))
        async with live(write_capability(tmp_path, flow(CHAIN)), None, {"api": upstream.url}) as units:
            answer = await units["act"].call({"id": "x"})
    assert (answer.status, answer.value, answer.headers) == (202, [1, 2], (("Location", "/x"),))


async def test_outputs_count_from_a_step_by_its_name_else_from_the_last_answer(tmp_path: Path) -> None:
    unit = (
        CHAIN
        + """
outputParameters:
- {name: status, type: string, mapping: $.order.status}
- {name: city, type: string, mapping: $.city}
- {name: who, type: integer, mapping: $.order.customer.id}
"""
    )
    result, _ = await run(tmp_path, unit, {"id": "x"}, ORDER, reply(data={"city": "Oslo"}))
    assert result == {"status": "AUTHORIZED", "city": "Oslo", "who": 7}


@pytest.mark.parametrize("whole", ["$", "$.", "'{{$}}'"])
async def test_a_dollar_alone_maps_the_whole_of_the_last_answer(tmp_path: Path, whole: str) -> None:
    unit = f"steps: [{{name: one, call: api.read, with: {{id: $}}}}]\nmappings: [{{target: all, value: {whole}}}]"
    result, requests = await run(tmp_path, unit, {}, reply(data={"id": 1}))
    assert result == {"all": {"id": 1}}
    assert requests[0].target == "/orders/%24"  # what is sent is a text


async def test_mappings_are_named_nested_and_typed(tmp_path: Path) -> None:
    unit = (
        CHAIN
        + """
mappings:
- {targetName: order.status, value: $.order.status}
- {targetName: order.left, value: $.order.remaining}
- {target: city, value: $.city}
- {target: note, value: 'order {{order.order_id}} of {{id}}'}
- {target: fixed, value: 5}
- {target: nowhere, value: $.order.nowhere}
- {target: asked, value: tools.id}
outputParameters:
- name: order
  type: object
  properties: [{name: status, type: string}, {name: left, type: string}]
- {name: city, type: string}
- {name: nowhere, type: string}
"""
    )
    result, _ = await run(tmp_path, unit, {"id": "x"}, ORDER, reply(data={"city": "Oslo"}))
    assert result == {
        "order": {"status": "AUTHORIZED", "left": "900"}, "city": "Oslo", "note": "order o-1 of x", "fixed": 5,
        "asked": "x", "nowhere": None,
    }  # fmt: skip


async def test_an_operation_that_declares_outputs_gives_those_to_later_steps(tmp_path: Path) -> None:
    declared = "{name: read, method: GET, outputParameters: [{name: client, type: string, value: $.customer.id}]}"
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: again, call: api.read, with: {id: $.order.client}}
mappings: [{target: all, value: $.order}, {target: raw, value: $.order.status}]
"""
    from call import flows

    head = flows.HEAD
    flows.HEAD = head.replace("{name: read, method: GET}", declared)
    try:
        result, requests = await run(tmp_path, unit, {"id": "x"}, ORDER, ORDER)
    finally:
        flows.HEAD = head
    assert requests[1].target == "/orders/7"
    assert result == {"all": {"client": 7}, "raw": "AUTHORIZED"}  # as it came: callers have types, steps have values


def test_a_target_is_taken_once(tmp_path: Path) -> None:
    unit = CHAIN + "mappings: [{target: a, value: $.order.id}, {target: a.b, value: 1}]"
    assert "duplicate-name: the target 'a.b' is taken twice" in problems(tmp_path, unit)
    unit = CHAIN + "mappings: [{target: a.b, value: $.order.id}, {target: a, value: 1}]"
    assert "duplicate-name: the target 'a' is taken twice" in problems(tmp_path, unit)


BOUND = "binds: [{namespace: env, keys: {TOKEN: TOKEN, SHOP: SHOP}, defaults: {SHOP: known}}]\ncapability:"


def bound_problems(folder: Path, unit: str) -> list[str]:
    """What is wrong with a unit of a file that binds a secret, TOKEN, and a setting, SHOP."""
    text = flow(unit).replace("capability:", BOUND, 1)
    try:
        plan = build_plan(load(write_capability(folder, text)), {"TOKEN": "of-nobody's-business", "HOME": "/of-ours"})
        return [f"{problem.code}: {problem.message}" for problem in plan[1]]
    except LoadError as error:
        return [f"{problem.code}: {problem.message}" for problem in error.problems]


@pytest.mark.parametrize(
    "rest",
    [
        "mappings: [{target: a, value: '{{env.TOKEN}}'}]",
        "mappings: [{target: a, value: {b: 'by {{TOKEN}}'}}]",
        "mappings: [{target: a, value: ['{{env.TOKEN}}']}]",
        "mappings: [{target: a, value: '{{HOME}}'}]",
        "outputParameters: [{name: a, type: string, value: '{{HOME}}'}]",
        "- {name: told, assert: $.order.x, message: 'not for {{TOKEN}}'}",
        "- {name: told, assert: $.order.x, message: 'not for {{HOME}}'}",
        "- {name: many, call: api.read, foreach: [a, '{{env.TOKEN}}'], with: {id: item}}",
        "- {name: many, call: api.read, foreach: '{{env.TOKEN}}', with: {id: item}}",
    ],
)
def test_a_variable_does_not_get_into_an_answer(tmp_path: Path, rest: str) -> None:
    found = bound_problems(tmp_path, CHAIN + rest)
    assert any(text.startswith("secret-in-answer") for text in found), found
    assert "nobody's" not in str(found)


def test_a_setting_gets_into_an_answer(tmp_path: Path) -> None:
    assert bound_problems(tmp_path, CHAIN + "mappings: [{target: a, value: {b: 'by {{SHOP}}'}}]") == []


@pytest.mark.parametrize("name", ["env", "TOKEN"])
def test_neither_a_step_nor_an_item_is_called_as_what_is_bound(tmp_path: Path, name: str) -> None:
    step = f"- {{name: {name}, call: api.read, with: {{id: a}}}}"
    loop = f"- {{name: many, call: api.read, foreach: $.order.x, as: {name}, with: {{id: a}}}}"
    for text in (step, loop):
        assert any(found.startswith("duplicate-name") for found in bound_problems(tmp_path, CHAIN + text)), text


# --- conditions and asserts

GUARDED = """
inputParameters: [{name: id, type: string}, {name: amount, type: integer}]
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- name: allowed
  assert: $.order.status == 'AUTHORIZED' and amount <= $.order.remaining
  message: 'order {{order.order_id}} is {{order.status}}, {{order.remaining}} left, {{amount}} asked'
- {name: captured, call: api.capture, with: {id: tools.id, amount: tools.amount}}
"""


async def test_an_assert_that_holds_lets_the_flow_go_on(tmp_path: Path) -> None:
    _, requests = await run(tmp_path, GUARDED, {"id": "x", "amount": 900}, ORDER, reply(201))
    assert [r.method for r in requests] == ["GET", "POST"]


async def test_an_assert_that_does_not_hold_stops_the_flow_before_the_next_call(tmp_path: Path) -> None:
    error, requests = await run(tmp_path, GUARDED, {"id": "x", "amount": 901}, ORDER)
    assert isinstance(error, FlowError)
    assert error.message == "order o-1 is AUTHORIZED, 900 left, 901 asked"
    assert (error.code, error.status, error.outcome, error.retry_safe) == ("assertion-failed", 409, "not-sent", True)
    assert error.extra["steps"] == {"order": "done", "allowed": "failed", "captured": "not-reached"}
    assert [r.method for r in requests] == ["GET"]


async def test_what_cannot_be_compared_is_neither_true_nor_false(tmp_path: Path) -> None:
    error, requests = await run(tmp_path, GUARDED, {"id": "x", "amount": 1}, reply(data={"status": "AUTHORIZED"}))
    assert isinstance(error, FlowError)
    assert (error.code, error.status) == ("undecided", 502)
    assert error.message.endswith("a number cannot be compared with nothing")
    assert len(requests) == 1


@pytest.mark.parametrize(("status", "made"), [("OPEN", ["GET", "POST"]), ("CLOSED", ["GET"])])
async def test_a_step_runs_only_where_its_condition_holds(tmp_path: Path, status: str, made: list[str]) -> None:
    unit = """
steps:
- {name: order, call: api.read, with: {id: tools.id}}
- {name: captured, when: $.order.status == 'OPEN', call: api.capture, with: {id: tools.id}}
mappings: [{target: captured, value: $.captured.n}, {target: status, value: $.order.status}]
"""
    result, requests = await run(tmp_path, unit, {"id": "x"}, reply(data={"status": status}), reply(data={"n": 1}))
    assert [r.method for r in requests] == made
    assert result == {"status": status, **({"captured": 1} if "POST" in made else {})}


async def test_where_no_condition_holds_nothing_is_said_to_be_done(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: n, type: integer}]
steps: [{name: order, when: n > 5, call: api.read, with: {id: a}}]
"""
    error, requests = await run(tmp_path, unit, {"n": 1})
    assert isinstance(error, FlowError)
    assert (error.code, error.status, requests) == ("nothing-to-do", 409, [])


@pytest.mark.parametrize("value", [False, None])
async def test_a_flag_that_is_not_raised_leaves_its_step_out(tmp_path: Path, value: object) -> None:
    unit = """
inputParameters: [{name: close, type: boolean}]
steps:
- {name: order, call: api.read, with: {id: a}}
- {name: gone, when: close, call: api.cancel, with: {id: a}}
"""
    _, requests = await run(tmp_path, unit, {} if value is None else {"close": value})
    assert [r.method for r in requests] == ["GET"]


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("steps: [{name: a, when: 'n ==', call: api.read}]", "bad-expression: the condition 'n ==' breaks off"),
        ("steps: [{name: a, when: nix > 1, call: api.read}]", "unknown-name"),
        ("steps: [{name: a, type: guess, call: api.read}]", "guess"),
        (
            "steps: [{name: a, call: api.read, index: b}]",
            "unknown-keyword: 'index' has no meaning in a step of type call",
        ),
        ("steps: [{name: a, call: api.read, as: b}]", "unknown-keyword: 'as' has no meaning here"),
        ("steps: [{name: a, type: lookup, index: b}]", "missing-keyword: 'match' is missing"),
        ("steps: [{name: a, type: assert}]", "missing-keyword: 'assert' is missing"),
        (
            "call: api.read\nmappings: [{target: a, value: 1}]",
            "unknown-keyword: 'mappings' has no meaning without 'steps'",
        ),
        ("steps: [{name: a, call: api.read}]\nmappings: [{value: 1}]", "missing-keyword: 'target' is missing"),
        ("steps: [{name: a, call: ''}]", "missing-keyword: 'call' is missing"),
        (
            "steps: [" + ", ".join(f"{{name: a{n}, call: api.read}}" for n in range(501)) + "]",
            "out-of-range: a unit has at most 500 steps, and these are 501",
        ),
        ("steps: [{name: a, type: parallel}]", "missing-keyword: 'steps' is missing"),
        ("steps: [{name: a, type: parallel, steps: []}]", "missing-keyword: 'steps' is missing"),
        ('steps: [{name: "a\\0", call: api.read}]', "wrong-form: 'a\\x00' cannot be the name of a step"),
        (
            "steps: [{name: a, call: api.read}]\nmappings: [{target: a, targetName: b, value: 1}]",
            "ambiguous-keyword: 'target' and 'targetName' say the same thing",
        ),
        ("steps: [{name: a, call: api.read}]\nmappings: [{target: $.a, value: 1}]", "wrong-form: '$.a' is neither"),
    ],
)
def test_what_is_wrong_with_steps_is_told_at_load(tmp_path: Path, unit: str, message: str) -> None:
    assert any(message in text for text in problems(tmp_path, unit)), problems(tmp_path, unit)


# --- loops

AUDIT = """
inputParameters: [{name: ids, type: array, items: {type: string}}]
steps:
- {name: orders, foreach: tools.ids, as: id, concurrency: 3, call: api.read, with: {id: id}}
"""


async def test_a_loop_gives_results_in_order_and_failures_beside_them(tmp_path: Path) -> None:
    async def by(request: Received) -> Any:
        number = int(request.target.rpartition("/")[2])
        await asyncio.sleep(0.02 * (5 - number))  # the first takes longest
        return reply(404, data={"no": number}) if number == 2 else reply(data={"n": number})

    result, requests = await run(tmp_path, AUDIT, {"ids": ["1", "2", "3", "4"]}, by=by)
    assert [entry["item"] for entry in result] == ["1", "2", "3", "4"]
    assert [entry.get("result") for entry in result] == [{"n": 1}, None, {"n": 3}, {"n": 4}]
    failed = result[1]["error"]
    assert (failed["code"], failed["status"], failed["outcome"], failed["upstream"]["body"]) == (
        "upstream-refused", 404, "refused", {"no": 2},
    )  # fmt: skip
    assert len(requests) == 4


async def test_no_more_items_are_under_way_than_the_file_says(tmp_path: Path) -> None:
    meeting = _Meeting(3)
    result, _ = await run(tmp_path, AUDIT, {"ids": [str(n) for n in range(9)]}, by=meeting)
    assert (meeting.most, len(result)) == (3, 9)


async def test_a_loop_over_what_changes_something_runs_one_at_a_time_unless_said_otherwise(tmp_path: Path) -> None:
    unit = "steps:\n- {name: all, foreach: tools.ids, call: api.cancel, with: {id: item}}\n"
    unit = "inputParameters: [{name: ids, type: array}]\n" + unit
    meeting = _Meeting(2)
    await run(tmp_path, unit, {"ids": ["a", "b", "c"]}, by=meeting)
    assert meeting.most == 1


async def test_more_items_than_allowed_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    unit = AUDIT.replace("as: id,", "as: id, maxItems: 2,")
    error, requests = await run(tmp_path, unit, {"ids": ["1", "2", "3"]})
    assert isinstance(error, CallError)
    assert (error.code, requests) == ("bad-argument", [])


async def test_too_many_items_of_an_answer_are_refused(tmp_path: Path) -> None:
    unit = """
steps:
- {name: list, call: api.all, with: {list: all}}
- {name: each, foreach: $.list.ids, call: api.read, with: {id: '{{item}}'}}
"""
    error, requests = await run(tmp_path, unit, {}, reply(data={"ids": list(range(1001))}))
    assert isinstance(error, FlowError)
    assert (error.code, len(requests)) == ("too-many-items", 1)
    assert error.message == "step 'each' runs for 1,000 items at most, and these are 1,001"


@pytest.mark.parametrize(
    ("found", "expected"),
    [(reply(data={"ids": []}), []), (reply(data={}), []), (reply(data={"ids": "a"}), "not-a-list")],
)
async def test_a_loop_over_nothing_gives_nothing(tmp_path: Path, found: Any, expected: Any) -> None:
    unit = """
steps:
- {name: list, call: api.all, with: {list: all}}
- {name: each, foreach: $.list.ids, call: api.read, with: {id: item}}
"""
    result, requests = await run(tmp_path, unit, {}, found)
    assert (result.code if isinstance(result, FlowError) else result) == expected
    assert len(requests) == 1


async def test_members_of_an_item_are_reached(tmp_path: Path) -> None:
    unit = """
steps:
- {name: list, call: api.all, with: {list: all}}
- {name: each, foreach: $.list, as: order, call: api.read, with: {id: 'o-{{order.id}}'}}
outputParameters:
- name: each
  type: array
  mapping: $.each
  items: {type: object, properties: {id: {type: string, mapping: $.item.id}, n: {type: integer, mapping: $.result.n}}}
"""
    result, requests = await run(tmp_path, unit, {}, reply(data=[{"id": 1}]), reply(data={"n": 5}))
    assert requests[1].target == "/orders/o-1"
    assert result == {"each": [{"id": "1", "n": 5}]}


async def test_what_a_loop_changed_is_told_when_a_later_step_fails(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: ids, type: array}]
steps:
- {name: all, foreach: tools.ids, call: api.cancel, with: {id: item}}
- {name: after, call: api.read, with: {id: a}}
"""
    error, _ = await run(tmp_path, unit, {"ids": ["a", "b"]}, reply(204), reply(403), reply(500))
    assert isinstance(error, CallError)
    assert (error.outcome, error.retry_safe) == ("partly", False)
    assert error.extra["steps"] == {"all": "partly", "after": "unknown"}


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("foreach: nothing", "'nothing' names no input and no step"),
        ("foreach: tools.id", "'id' is no array, and the step runs for each item of it"),
        ("foreach: tools.ids, as: id", "the item is called 'id', as an input or a step is"),
        ("foreach: tools.ids, as: tools", "the item is called 'tools', as a namespace or a variable is"),
    ],
)
def test_what_is_wrong_with_a_loop_is_told_at_load(tmp_path: Path, loop: str, message: str) -> None:
    unit = f"""
inputParameters: [{{name: ids, type: array}}, {{name: id, type: string}}]
steps: [{{name: all, {loop}, call: api.read, with: {{id: tools.id}}}}]
"""
    assert any(message in text for text in problems(tmp_path, unit)), problems(tmp_path, unit)


def test_how_many_items_are_taken_is_a_part_of_the_tool(tmp_path: Path) -> None:
    from call.flows import flow
    from capstan.plan.build import plan_file
    from support import write_capability

    (unit,) = plan_file(write_capability(tmp_path, flow(AUDIT)))[0].units
    assert json.loads(json.dumps(unit.input_schema["properties"]["ids"])) == {
        "type": "array", "items": {"type": "string"}, "maxItems": 1000,
    }  # fmt: skip


async def test_a_flow_that_is_broken_off_begins_nothing_further(tmp_path: Path) -> None:
    unit = """
steps:
- {name: one, call: api.cancel, with: {id: a}}
- {name: two, call: api.cancel, with: {id: b}}
"""
    from call.flows import flow
    from support import RecordingUpstream, live, write_capability

    async with RecordingUpstream(HANG) as upstream:
        async with live(write_capability(tmp_path, flow(unit)), None, {"api": upstream.url}) as units:
            task = asyncio.create_task(units["act"].call({}))
            await upstream.wait_for(lambda u: len(u.requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await upstream.wait_for(lambda u: u.open_connections == 0)
        assert len(upstream.requests) == 1


CHANGED_FIRST = """
steps:
- {name: nil, call: api.capture, with: {id: x}}
- {name: one, call: api.read, with: {id: x}}
"""


@pytest.mark.parametrize(
    ("leaf", "read", "used"),  # half of a pair is looked for in all of an answer
    [("1", "done", "not-sent"), ('"\\ud800"', "done", "not-reached")],
)
async def test_an_answer_too_deep_to_be_used_is_told_with_what_was_changed(
    tmp_path: Path, leaf: str, read: str, used: str
) -> None:
    unit = CHANGED_FIRST + "- {name: two, call: api.all, with: {list: x, of: $.one}}"
    deep = reply(body="[" * 900 + leaf + "]" * 900)
    error, requests = await run(tmp_path, unit, {}, reply(data={"id": "c-1"}), deep)
    assert isinstance(error, ShapeError), error
    assert (error.code, error.retry_safe, error.extra["changed"]) == (
        "unexpected-answer",
        False,
        {"nil": {"id": "c-1"}},
    )
    assert error.extra["steps"] == {"nil": "done", "one": read, "two": used}
    assert len(requests) == 2


async def test_what_was_changed_is_told_when_the_answer_cannot_be_shaped(tmp_path: Path) -> None:
    unit = CHANGED_FIRST + "outputParameters: [{name: n, type: integer, mapping: $.one.n}]"
    error, _ = await run(tmp_path, unit, {}, reply(data={"id": "c-1"}), reply(data={"n": "many"}))
    assert isinstance(error, ShapeError), error
    assert (error.outcome, error.retry_safe, error.extra["changed"]) == ("done", False, {"nil": {"id": "c-1"}})


@pytest.mark.parametrize(
    ("statuses", "state", "told"),
    [((204, 403), "partly", ["all"]), ((403, 404), "refused", []), ((204, 204), "done", ["all"])],
)
async def test_a_loop_is_told_as_what_became_of_its_items(
    tmp_path: Path, statuses: tuple[int, ...], state: str, told: list[str]
) -> None:
    unit = """
steps:
- {name: all, foreach: [a, b], call: api.cancel, with: {id: item}}
- {name: after, call: api.read, with: {id: a}}
"""
    error, _ = await run(tmp_path, unit, {}, *map(reply, statuses), reply(500))
    assert isinstance(error, CallError)
    assert error.extra["steps"]["all"] == state
    assert list(error.extra.get("changed", {})) == told
    assert error.outcome == ("partly" if told else "refused")


@pytest.mark.parametrize(("key", "status"), [("", 502), (", Idempotency-Key: k", 429)])
async def test_nobody_is_invited_to_repeat_what_is_partly_done(tmp_path: Path, key: str, status: int) -> None:
    unit = f"""
steps:
- {{name: one, call: api.capture, with: {{id: a{key}}}}}
- {{name: two, call: api.capture, with: {{id: b{key}}}}}
"""
    error, _ = await run(tmp_path, unit, {}, reply(data={}), reply(429, headers={"Retry-After": "1"}))
    assert isinstance(error, UpstreamRefused)
    assert (error.outcome, error.retry_safe, status_of(error)) == ("partly", status == 429, status)
    assert [name for name, _ in error.headers] == (["Retry-After"] if status == 429 else [])


async def test_of_a_long_loop_of_changes_the_ids_are_told(tmp_path: Path) -> None:
    unit = """
steps:
- {name: all, foreach: [a, b], call: api.capture, with: {id: item}}
- {name: two, call: api.read, with: {id: b}}
"""
    long = reply(data={"capture_id": "c-1", "lines": ["x" * 1000] * 100})
    error, _ = await run(tmp_path, unit, {}, long, long, reply(500))
    assert isinstance(error, CallError)
    assert error.extra["changed"]["all"] == [{"item": item, "result": {"capture_id": "c-1"}} for item in "ab"]


async def test_the_answers_of_a_flow_are_bounded_together(tmp_path: Path) -> None:
    unit = """
steps:
- {name: all, foreach: [a, b, c, d, e], concurrency: 1, call: api.read, with: {id: item}}
- {name: one, call: api.capture, with: {id: a}}
mappings: [{target: codes, value: '$.all[*].error.code'}]
"""
    settings = Settings(max_parsed_bytes=1000)
    async with RecordingUpstream(reply(data=["x" * 850])) as upstream:
        path = write_capability(tmp_path, flow(unit))
        async with live(path, None, {"api": upstream.url}, settings) as units:
            with pytest.raises(CallError) as caught:
                await units["act"].call({})
    error = caught.value
    assert (error.code, error.outcome, error.retry_safe) == ("answer-too-large", "done", False)
    assert error.extra["steps"] == {"all": "done", "one": "done"}


async def test_of_a_long_answer_of_a_change_its_ids_are_told(tmp_path: Path) -> None:
    unit = """
steps:
- {name: one, call: api.capture, with: {id: a}}
- {name: two, call: api.read, with: {id: b}}
"""
    long = {"capture_id": "c-1", "lines": ["x" * 1000] * 100}
    error, _ = await run(tmp_path, unit, {}, reply(data=long), reply(500))
    assert isinstance(error, CallError)
    assert error.extra["changed"] == {"one": {"capture_id": "c-1"}}


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (
            "- {name: all, foreach: [x], as: one, call: api.read, with: {id: on}}",
            "'on' is sent as text, though it looks",
        ),
        ("- {name: book, call: api.read, with: {id: a}}\noutputParameters: [{name: a, mapping: $.bok.title}]",
         "'$.bok' is looked for in the last answer: 'bok' is no step"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_that_could_be_meant_is_told(tmp_path: Path, unit: str, message: str) -> None:
    assert any(message in text for text in problems(tmp_path, "steps:\n" + unit)), problems(tmp_path, "steps:\n" + unit)


async def test_a_loop_names_its_step_as_a_lookup_does(tmp_path: Path) -> None:
    unit = """
steps:
- {name: list, call: api.all, with: {list: all}}
- {name: each, foreach: list, call: api.read, with: {id: item}}
"""
    result, _ = await run(tmp_path, unit, {}, reply(data=["a"]), reply(data={"n": 1}))
    assert result == [{"item": "a", "result": {"n": 1}}]


async def test_what_was_not_reached_and_what_was_left_out_are_told_apart(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: go, type: boolean}]
steps:
- {name: first, call: api.read, with: {id: a}}
- {name: maybe, when: go, call: api.cancel, with: {id: a}}
- {name: second, call: api.read, with: {id: $.first.id}}
- {name: last, call: api.cancel, with: {id: a}}
"""
    error, _ = await run(tmp_path, unit, {"go": False}, reply(data={"id": "b"}), reply(503))
    assert isinstance(error, CallError)
    assert error.extra["steps"] == {
        "first": "done", "maybe": "skipped", "second": "unknown", "last": "not-reached",
    }  # fmt: skip
    assert (error.outcome, error.retry_safe) == ("not-sent", True)  # nothing was asked to change


def test_no_condition_asks_a_bound_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may ask whether a guess is below it has it after a few questions."""
    from call import flows

    head = flows.HEAD.replace("capability:", "binds: [{namespace: env, keys: {TOKEN: TOKEN}}]\ncapability:")
    monkeypatch.setattr(flows, "HEAD", head)
    step = "{name: a, when: guess > env.TOKEN, call: api.read, with: {id: a}}"
    unit = "inputParameters: [{name: guess}]\nsteps: [" + step + "]"
    assert any(text.startswith("secret-in-answer") for text in problems(tmp_path, unit)), problems(tmp_path, unit)
