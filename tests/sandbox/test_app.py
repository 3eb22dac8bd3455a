"""Credentials, hosts, paths: what holds for every operation."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.server import running
from sandbox.client import Client

ORDER = "/ordermanagement/v1/orders/00000000-0000-4000-8000-000000000000"


def test_without_credentials_nothing_is_answered(app: App) -> None:
    reply = Client(app, None).get(ORDER)
    assert reply.status == 401
    assert (reply.json["error_code"], reply.json["error_messages"]) == ("UNAUTHORIZED", [])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 404),
        ("api.playground.klarna.com", 404),
        ("api-na.playground.klarna.com", 401),
        ("api.klarna.com", 401),
        ("API.klarna.com.:443", 401),
    ],
)
def test_credentials_are_good_in_their_environment_and_region_only(app: App, host: str, status: int) -> None:
    assert Client(app, DEMO_MERCHANT, host=host).get(ORDER).status == status


def test_every_built_in_merchant_is_known(app: App) -> None:
    assert {Client(app, account).get(ORDER).status for account in MERCHANTS} == {404}


async def test_a_browser_finds_it_by_an_address_of_the_sixth_version_too() -> None:
    with socket.socket(socket.AF_INET6) as listening:
        try:
            listening.bind(("::ffff:127.0.0.1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        async with running(create_app(sample=False), listening) as sandbox:
            assert urlsplit(sandbox.url).port == listening.getsockname()[1]


def test_the_log_says_why_a_request_failed(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(app.state, "write", full)
    assert Client(app, None).post("/sandbox/orders", {}).status == 500
    assert "POST /sandbox/orders" in caplog.text
    assert "the disk is full" in caplog.messages[0]
