"""Units of several calls: what runs, what is answered, and what is said when one of them fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from capstan.errors import BindError, CallError, LoadError
from capstan.plan.build import plan_file
from support import RecordingUpstream, live, reply, write_capability

TEXT = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - type: http
    namespace: api
    baseUri: http://localhost
    resources:
    - name: things
      path: /things/{id}
      operations:
      - {name: read, method: GET}
      - {name: move, method: PATCH, inputParameters: [{name: address, in: body, type: string, required: true}]}
      - name: send
        method: POST
        inputParameters:
        - {name: Idempotency-Key, in: header, type: string}
        - {name: parcel, in: body, type: string, required: true}
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools:
    - name: act
      description: Move or send.
      steps:
      - {name: moved, call: api.move, when: address, with: {id: tools.id, address: tools.address}}
      - {name: sent, call: api.send, when: parcel, with: {id: tools.id, parcel: tools.parcel, Idempotency-Key: key}}
      inputParameters:
      - {name: key, type: string, required: false}
      mappings: [{target: moved, value: $.moved}, {target: sent, value: $.sent}]
"""
READ_FIRST = TEXT.replace(
    "call: api.move, when: address, with: {id: tools.id, address: tools.address}", "call: api.read, with: {id: id}"
)


async def outcome(tmp_path: Path, text: str, arguments: dict[str, str], *answers: object) -> tuple[object, list[str]]:
    """What `act` gives or raises, and the requests that were made."""
    async with RecordingUpstream() as upstream:
        upstream.then(*answers)
        async with live(write_capability(tmp_path, text), None, {"api": upstream.url}) as units:
            try:
                result: object = (await units["act"].call(arguments)).value
            except CallError as error:
                result = error
        return result, [f"{r.method} {r.target}" for r in upstream.requests]


async def test_each_step_runs_whose_input_is_given(tmp_path: Path) -> None:
    result, requests = await outcome(tmp_path, TEXT, {"id": "7", "parcel": "p"}, reply(201, headers={"Parcel-Id": "x"}))
    assert result == {"sent": {"status": 201, "parcel-id": "x"}}
    assert requests == ["POST /things/7"]


async def test_steps_run_in_their_order_and_answer_under_their_names(tmp_path: Path) -> None:
    arguments = {"id": "7", "address": "a", "parcel": "p"}
    result, requests = await outcome(tmp_path, TEXT, arguments, reply(204), reply(200, data={"n": 1}))
    assert result == {"moved": {"status": 204}, "sent": {"n": 1}}
    assert requests == ["PATCH /things/7", "POST /things/7"]


async def test_what_is_empty_is_given(tmp_path: Path) -> None:
    result, requests = await outcome(tmp_path, TEXT, {"id": "7", "address": ""}, reply(204))
    assert (result, requests) == ({"moved": {"status": 204}}, ["PATCH /things/7"])


async def test_with_nothing_to_do_the_arguments_that_are_wanted_are_named(tmp_path: Path) -> None:
    result, requests = await outcome(tmp_path, TEXT, {"id": "7"})
    assert isinstance(result, BindError)
    assert (result.code, result.argument) == ("missing-argument", "address")
    assert result.message == "nothing to do: give at least one of address, parcel"
    assert requests == []


async def test_a_bad_argument_of_a_later_step_stops_the_flow_before_the_first(tmp_path: Path) -> None:
    arguments = {"id": "7", "address": "a", "parcel": "p", "key": "two\nlines"}
    result, requests = await outcome(tmp_path, TEXT, arguments)
    assert isinstance(result, BindError)
    assert result.argument == "key"
    assert requests == []


async def test_a_failed_step_says_what_happened_before_it(tmp_path: Path) -> None:
    arguments = {"id": "7", "address": "a", "parcel": "p", "key": "k"}
    error, requests = await outcome(tmp_path, TEXT, arguments, reply(204), reply(403, data={"no": 1}))
    assert isinstance(error, CallError)
    assert error.message == "step 'sent': 'api' refused the call with 403"
    assert (error.outcome, error.retry_safe) == ("partly", False)  # the first call has no key to repeat it by
    assert error.extra["steps"] == {"moved": "done", "sent": "refused"}
    assert len(requests) == 2


async def test_after_a_failed_step_nothing_more_is_sent(tmp_path: Path) -> None:
    arguments = {"id": "7", "address": "a", "parcel": "p"}
    error, requests = await outcome(tmp_path, TEXT, arguments, reply(500))
    assert isinstance(error, CallError)
    assert (error.outcome, error.extra["steps"]) == ("unknown", {"moved": "unknown", "sent": "not-reached"})
    assert requests == ["PATCH /things/7"]


async def test_what_was_only_read_before_a_failure_did_not_happen(tmp_path: Path) -> None:
    error, _ = await outcome(tmp_path, READ_FIRST, {"id": "7", "parcel": "p"}, reply(200, data={}), reply(403))
    assert isinstance(error, CallError)
    assert (error.outcome, error.retry_safe) == ("refused", True)


def test_inputs_come_from_all_steps_and_those_of_conditions_are_optional(tmp_path: Path) -> None:
    (unit,) = plan_file(write_capability(tmp_path, TEXT))[0].units
    assert {item.name: item.required for item in unit.inputs} == {
        "key": False, "id": True, "address": False, "parcel": False,
    }  # fmt: skip
    assert unit.effect == "write"


def test_the_gravest_effect_of_the_steps_is_the_units(tmp_path: Path) -> None:
    text = TEXT.replace("{name: move, method: PATCH,", "{name: move, method: PATCH, effect: money,")
    (unit,) = plan_file(write_capability(tmp_path, text))[0].units
    assert unit.effect == "money"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("when: address,", "when: adress,", "unknown-name"),
        ("call: api.move,", "call: api.mvoe,", "unknown-operation"),
        ("name: sent,", "name: moved,", "duplicate-name"),
        ("name: sent, call: api.send,", "name: sent,", "missing-keyword"),
        ("      steps:", "      call: api.read\n      steps:", "ambiguous-call"),
    ],
)
def test_what_is_wrong_with_steps_is_told(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in TEXT
    with pytest.raises(LoadError) as caught:
        plan_file(write_capability(tmp_path, TEXT.replace(old, new)))
    assert code in [problem.code for problem in caught.value.problems]
