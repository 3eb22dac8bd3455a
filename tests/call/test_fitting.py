"""What an earlier step answered is held against what is declared of the parameter it fills, before it is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capstan.errors import CallError
from capstan.plan.build import plan_file
from support import RecordingUpstream, live, reply, write_capability

FILE = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    resources:
    - {name: quotes, path: /quote, operations: [{name: quote, method: GET}]}
    - name: payments
      path: /payments/{order}
      operations:
      - name: pay
        method: POST
        effect: money
        inputParameters:
        - {name: order, in: path, type: string, pattern: '^[0-9]+$'}
        - {name: amount, in: body, type: integer, minimum: 1, maximum: 100}
        - {name: lines, in: body, type: array, items: {type: object, properties: {n: {type: integer}}}}
        - {name: meta, in: body, type: object, properties: {note: {type: string, maxLength: 3}}}
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools:
    - name: act
      description: Pay what is quoted.
      steps:
      - {name: quote, call: shop.quote}
      - {name: paid, call: shop.pay, with: WITH}
"""


async def paid(tmp_path: Path, with_: str, quote: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """What the tool answers or raises, and what was sent to be paid."""
    async with RecordingUpstream() as upstream:
        upstream.then(reply(data=quote))
        path = write_capability(tmp_path, FILE.replace("WITH", with_))
        async with live(path, None, {"shop": upstream.url}) as units:
            try:
                result: Any = (await units["act"].call({})).value
            except CallError as error:
                result = error
        return result, [(r.target, json.loads(r.body)) for r in upstream.requests if r.method == "POST"]


@pytest.mark.parametrize(
    ("amount", "sent"),
    [
        pytest.param(5, 5, id="a number"),
        pytest.param("5", 5, id="its text"),
        pytest.param(5.0, 5, id="without fraction"),
    ],
)
@pytest.mark.parametrize("reference", ["$.quote.amount", "{{quote.amount}}"])
async def test_a_value_becomes_the_type_of_what_it_fills(
    tmp_path: Path, reference: str, amount: Any, sent: int
) -> None:
    _, requests = await paid(tmp_path, f"{{order: '7', amount: '{reference}'}}", {"amount": amount})
    assert requests == [("/payments/7", {"amount": sent})]


@pytest.mark.parametrize(
    ("with_", "quote"),
    [
        pytest.param("{order: '7', amount: $.quote.x}", {"x": 5000}, id="more than there may be"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": 0}, id="less than there must be"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": "much"}, id="no number"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": {"n": 1}}, id="an object for a number"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": [1]}, id="a list for a number"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": True}, id="a boolean for a number"),
        pytest.param("{order: '7', amount: $.quote.x}", {"x": 1.5}, id="a fraction"),
        pytest.param("{order: $.quote.x, amount: 1}", {"x": "a/b"}, id="against the pattern of a path"),
        pytest.param("{order: $.quote.x, amount: 1}", {"x": {"id": 7}}, id="an object in a path"),
        pytest.param("{order: $.quote.x, amount: 1}", {"x": ["7", "b"]}, id="one of several against the pattern"),
        pytest.param("{order: '7', meta: {note: $.quote.x}}", {"x": ["a"]}, id="a list for a text"),
        pytest.param("{order: '7', lines: $.quote.x}", {"x": {"n": 1}}, id="an object for a list"),
        pytest.param(
            "{order: '7', meta: {note: $.quote.x}}", {"x": "long"}, id="inside an object that the file writes"
        ),
    ],
)
async def test_what_does_not_fit_is_not_sent(tmp_path: Path, with_: str, quote: Any) -> None:
    error, requests = await paid(tmp_path, with_, quote)
    assert requests == []
    assert isinstance(error, CallError)
    assert (error.code, error.outcome, error.retry_safe) == ("unexpected-answer", "not-sent", True)
    assert "step 'paid'" in error.message
    assert "$.quote.x" in error.message


async def test_a_number_of_an_answer_stands_where_a_text_is_declared(tmp_path: Path) -> None:
    _, requests = await paid(tmp_path, "{order: $.quote.x, amount: 1}", {"x": 77})
    assert requests == [("/payments/77", {"amount": 1})]


async def test_what_is_inside_an_object_or_array_is_passed_on_as_it_came(tmp_path: Path) -> None:
    lines = [{"n": None, "more": "x"}]
    _, requests = await paid(tmp_path, "{order: '7', lines: $.quote.lines}", {"lines": lines})
    assert requests == [("/payments/7", {"lines": lines})]


async def test_what_an_answer_lacks_is_left_out(tmp_path: Path) -> None:
    _, requests = await paid(tmp_path, "{order: '7', amount: 1, meta: $.quote.meta}", {"meta": None})
    assert requests == [("/payments/7", {"amount": 1})]


async def test_a_list_stands_where_several_values_may(tmp_path: Path) -> None:
    _, requests = await paid(tmp_path, "{order: '$.quote.x[?@ == 7]', amount: 1}", {"x": [7, 8]})
    assert requests == [("/payments/7", {"amount": 1})]


LOOP = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - namespace: shop
    baseUri: https://shop.example
    resources:
    - name: payments
      path: PATH
      operations:
      - name: pay
        method: POST
        inputParameters: [{name: Idempotency-Key, in: header}, {name: n, in: body, type: integer}]
  exposes:
  - type: mcp
    namespace: tools
    port: 9090
    tools:
    - name: act
      description: Pay all.
      inputParameters: [{name: key, type: string, required: false}, {name: all, type: array}]
      steps: [{name: paid, call: shop.pay, foreach: tools.all, with: WITH}]
"""


@pytest.mark.parametrize(
    ("path", "with_", "told"),
    [
        pytest.param("/payments", "{n: item, Idempotency-Key: tools.key}", True, id="one key of the caller"),
        pytest.param("/payments", "{n: item, Idempotency-Key: k-1}", True, id="one key of the file"),
        pytest.param("/payments", "{n: $.item.n, Idempotency-Key: $.item.key}", False, id="a key of the item"),
        pytest.param(
            "/payments", "{n: item, Idempotency-Key: '{{key}}-{{item}}'}", False, id="a key with the item in it"
        ),
        pytest.param(
            "/{id}/payments", "{id: item, Idempotency-Key: tools.key}", False, id="one key, each at its own path"
        ),
        pytest.param("/payments", "{n: item}", False, id="no key"),
    ],
)
def test_one_idempotency_key_for_every_item_is_told(tmp_path: Path, path: str, with_: str, *, told: bool) -> None:
    file = write_capability(tmp_path, LOOP.replace("PATH", f"'{path}'").replace("WITH", with_))
    assert ("shared-key" in [warning.code for warning in plan_file(file, {})[1]]) == told


async def test_an_item_that_its_caller_gave_is_the_callers_mistake(tmp_path: Path) -> None:
    text = LOOP.replace("PATH", "'/{id}/payments'").replace("WITH", "{id: item, n: 1}")
    path = write_capability(tmp_path, text)
    async with RecordingUpstream() as upstream, live(path, None, {"shop": upstream.url}) as units:
        first, second = (await units["act"].call({"all": ["..", "7"]})).value
    assert (first["error"]["code"], first["error"]["outcome"]) == ("bad-argument", "not-sent")
    assert second == {"item": "7", "result": {"ok": True}}
