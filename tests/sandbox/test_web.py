"""What a request body may be, before any operation looks at it."""

from __future__ import annotations

import pytest

from sandbox.client import Client

ORDERS = "/ordermanagement/v1/orders"


@pytest.fixture
def captures(control: Client) -> str:
    return f"{ORDERS}/{control.post('/sandbox/orders', {}).json['order_id']}/captures"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"captured_amount": NaN}', id="NaN"),
        pytest.param(b'{"captured_amount": 1e999}', id="past every number"),
        pytest.param(b'{"captured_amount": 1' + b"0" * 5000 + b"}", id="an integer of 5000 digits"),
        pytest.param(b'{"captured_amount": 1, "description": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"captured_amount": 1, "x": ' + b"[" * 500 + b"]" * 500 + b"}", id="nested 500 deep"),
        pytest.param(b'{"captured_amount": 1, "x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}", id="nested 90000 deep"),
    ],
)
def test_what_is_no_usable_json_object_is_refused(klarna: Client, captures: str, body: bytes) -> None:
    reply = klarna.post(captures, body)
    assert (reply.status, reply.json["error_code"]) == (400, "BAD_REQUEST")
    assert klarna.get(captures).json == []


@pytest.mark.parametrize("amount", ["1.5", "true", '"1"', "null", "-1", "200000001", "1e300"])
def test_what_is_no_amount_is_a_bad_value(klarna: Client, captures: str, amount: str) -> None:
    reply = klarna.post(captures, f'{{"captured_amount": {amount}}}'.encode())
    assert (reply.status, reply.json["error_messages"]) == (400, ["Bad value: captured_amount"])


@pytest.mark.parametrize("amount", ["100", "100.0", "1e2"])
def test_an_amount_that_is_written_as_a_decimal_number_is_kept_as_an_integer(
    klarna: Client, captures: str, amount: str
) -> None:
    assert klarna.post(captures, f'{{"captured_amount": {amount}}}'.encode()).status == 201
    assert b'"captured_amount":100,' in klarna.get(captures).content


def test_a_body_may_be_wide_without_being_deep(klarna: Client, captures: str) -> None:
    lines = [{"name": "x", "quantity": 1, "unit_price": 1, "total_amount": 1}] * 1000
    assert klarna.post(captures, {"captured_amount": 1000, "order_lines": lines}).status == 201
