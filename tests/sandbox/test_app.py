"""Credentials, hosts, paths: what holds for every operation."""

from __future__ import annotations

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT, MERCHANTS
from capstan.sandbox.app import App
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
