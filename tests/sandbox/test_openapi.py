"""A life that calls every classic operation, each exchange held against Klarna's OpenAPI documents."""

from __future__ import annotations

from typing import Any

import pytest

from journeys.lives import classic_life
from sandbox import openapi
from sandbox.baskets import purchase
from sandbox.client import Client, Reply

needs_documents = pytest.mark.skipif(not openapi.FOLDER.is_dir(), reason=openapi.REASON)


@needs_documents
def test_every_classic_operation_is_described_and_answers_as_described(klarna: Client, control: Client) -> None:
    def ask(method: str, path: str, body: Any) -> Any:
        return control.send(method, path, body).json

    openapi.checked.clear()
    classic_life(klarna, ask)
    assert len(openapi.checked) == 50


@needs_documents
@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        pytest.param(purchase(), 201, b"{}", id="a status that is not described"),
        pytest.param({"order_amount": 1}, 200, b"{}", id="a request that lacks something was accepted"),
        pytest.param({**purchase(), "order_amount": "1"}, 200, b"{}", id="a request with a wrong type was accepted"),
        pytest.param(purchase(), 200, b'{"session_id": 1}', id="an answer of a wrong type"),
    ],
)
def test_what_is_not_as_described_is_noticed(body: Any, status: int, answer: bytes) -> None:
    reply = Reply(status, {"content-type": "application/json"}, answer)
    with pytest.raises(AssertionError):
        openapi.check("POST", "/payments/v1/sessions", body, reply)


@needs_documents
def test_an_error_of_a_wrong_shape_is_noticed() -> None:
    reply = Reply(400, {"content-type": "application/json"}, b'{"error_messages": "text"}')
    with pytest.raises(AssertionError):
        openapi.check("POST", "/payments/v1/authorizations/a/customer-token", {}, reply)
