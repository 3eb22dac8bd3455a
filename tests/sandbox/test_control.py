"""The sandbox's own paths: who may use them, and what they make of bad options."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.clock import read_time
from capstan.sandbox.control import CONTROL
from sandbox.client import Client
from sandbox.receiver import wired

ACCOUNT = {"id": "M9", "environment": "playground", "region": "eu", "username": "nine", "password": "p"}


def paths(app: App, *methods: str) -> list[tuple[str, str]]:
    """All control paths, with something for their variables."""
    routes = [r for r in app.table.routes if r.family is CONTROL and r.template.startswith("/sandbox")]
    return [
        (r.method, "/".join("x" if part.startswith("{") else part for part in r.template.split("/")))
        for r in routes
        if r.method in methods
    ]


# --- who may use them


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_page_from_elsewhere_changes_nothing(app: App, control: Client, content_type: str) -> None:
    """A browser sends these types, and none, without asking first."""
    found = paths(app, "POST")
    assert len(found) > 5
    for method, path in found:
        reply = control.send(method, path, b'{"kind": "cut"}', **{"content-type": content_type})
        assert (reply.status, reply.json["error"]) == (415, "JSON_EXPECTED"), path
    assert app.faults.rules == []


def test_no_answer_lets_a_page_from_elsewhere_read_it(app: App, control: Client) -> None:
    for method, path in paths(app, "GET"):
        reply = control.send(method, path, Origin="https://elsewhere.example")
        assert not any(name.startswith("access-control-") for name in reply.headers), path


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8181", 200), ("shop.localhost", 200), ("127.0.0.1:1", 200), ("[::1]:1", 200), ("", 200),
        ("api.klarna.com", 200), ("elsewhere.example", 421), ("localhost.elsewhere.example:1", 421), ("10.0.0.1", 421),
    ],
)  # fmt: skip
async def test_a_page_whose_name_leads_here_is_told_nothing(app: App, host: str, status: int) -> None:
    async with wired(app):
        for path in ("/sandbox", "/shop"):
            assert (await Client(app, None, host).send_async("GET", path)).status == status
    app.is_local = False  # listening for others too, it may have any name
    assert (await Client(app, None, host).send_async("GET", "/sandbox")).status == 200


def test_a_preflight_is_refused(control: Client) -> None:
    reply = control.send("OPTIONS", "/sandbox/faults", Origin="https://elsewhere.example")
    assert reply.status == 405


def test_a_type_with_a_parameter_is_json_too(control: Client) -> None:
    reply = control.send("POST", "/sandbox/time", b"{}", **{"content-type": "Application/JSON; charset=utf-8"})
    assert reply.status == 200


# --- options


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null", b"{", b"\xff", b'{"a": NaN}'])
def test_a_body_that_is_no_object_is_refused(app: App, control: Client, body: bytes) -> None:
    for path in ("/sandbox/time", "/sandbox/faults", "/sandbox/reset", "/sandbox/accounts", "/sandbox/payouts/close"):
        reply = control.post(path, body)
        assert (reply.status, reply.json["error"] in ("BAD_OPTION", "BAD_REQUEST")) == (400, True), path


def test_an_unknown_option_is_refused_and_the_known_ones_are_named(control: Client) -> None:
    reply = control.post("/sandbox/time", {"weeks": 1})
    assert (reply.status, reply.json["message"]) == (
        400, "'weeks' is unknown; known are: days, hours, minutes, seconds"
    )  # fmt: skip
    assert "none" in control.post("/sandbox/reset", {"hard": True}).json["message"]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/sandbox/time", {"days": "1"}),
        ("/sandbox/time", {"days": True}),
        ("/sandbox/time", {"days": None}),
        ("/sandbox/time", {"days": -1}),
        ("/sandbox/time", {"days": 1, "hours": -25}),
        ("/sandbox/time", {"days": 10**12}),
        ("/sandbox/time", {"seconds": 10**400}),
        ("/sandbox/time", {"days": 3_000_000}),
        ("/sandbox/faults", {}),
        ("/sandbox/faults", {"kind": "explosion"}),
        ("/sandbox/faults", {"kind": ["cut"]}),
        ("/sandbox/faults", {"kind": "cut", "probability": 1.1}),
        ("/sandbox/faults", {"kind": "cut", "probability": -0.1}),
        ("/sandbox/faults", {"kind": "cut", "count": 0}),
        ("/sandbox/faults", {"kind": "cut", "count": 1.5}),
        ("/sandbox/faults", {"kind": "cut", "count": True}),
        ("/sandbox/faults", {"kind": "cut", "method": 1}),
        ("/sandbox/faults", {"kind": "cut", "path": None}),
        ("/sandbox/faults", {"kind": "cut", "seed": "x"}),
        ("/sandbox/faults", {"kind": "delay"}),
        ("/sandbox/faults", {"kind": "delay", "delay_seconds": 301}),
        ("/sandbox/faults", {"kind": "delay", "delay_seconds": -1}),
        ("/sandbox/payouts/close", {"merchant": 1}),
        ("/sandbox/orders", {"currency": ""}),
        ("/sandbox/orders", {"currency": "SEK\n"}),
        ("/sandbox/orders", {"country": ""}),
        ("/sandbox/accounts", {}),
        ("/sandbox/accounts", {**ACCOUNT, "id": ""}),
        ("/sandbox/accounts", {**ACCOUNT, "password": ""}),
        ("/sandbox/accounts", {**ACCOUNT, "region": "moon"}),
        ("/sandbox/accounts", {**ACCOUNT, "environment": "test"}),
        ("/sandbox/accounts", {**ACCOUNT, "username": ""}),
        ("/sandbox/accounts", {**ACCOUNT, "username": "a:b"}),
        ("/sandbox/accounts", {**ACCOUNT, "region": "global"}),
        ("/sandbox/accounts", {**ACCOUNT, "username": 1}),
    ],
)
def test_bad_options_are_refused(app: App, control: Client, path: str, options: dict[str, Any]) -> None:
    before = app.clock.ahead
    reply = control.post(path, options)
    assert (reply.status, reply.json["error"]) == (400, "BAD_OPTION")
    assert reply.json["message"]
    assert (app.clock.ahead, app.faults.rules) == (before, [])


def test_every_path_with_a_body_names_what_it_does_not_know(app: App, control: Client) -> None:
    for method, path in paths(app, "POST", "PUT", "PATCH"):
        reply = control.send(method, path, {"no-such-option": 1})
        assert 400 <= reply.status < 500, path
        assert reply.json["error"], path


def test_a_path_that_does_not_exist_is_told_in_the_same_words(control: Client) -> None:
    assert control.get("/sandbox/none").json["error"] == "NOT_FOUND"
    assert control.delete("/sandbox/time").json["error"] == "METHOD_NOT_ALLOWED"


# --- what they do


def test_time_passes(control: Client) -> None:
    before = read_time(control.get("/sandbox/time").json["now"])
    after = control.post("/sandbox/time", {"days": 1, "hours": 1, "minutes": 1, "seconds": 0.5}).json["now"]
    passed = (read_time(after) - before).total_seconds()
    assert 0 <= passed - (86_400 + 3_600 + 60 + 0.5) < 60


def test_time_that_cannot_be_stored_does_not_pass(app: App, control: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(app.state, "write", full)
        assert control.post("/sandbox/time", {"days": 100}).status == 500
    assert app.clock.ahead.total_seconds() == 0


def test_an_account_is_added_once(app: App, control: Client) -> None:
    assert control.post("/sandbox/accounts", ACCOUNT).status == 201
    account = app.accounts.get("M9")
    assert Client(app, account).get("/settlements/v1/payouts").status == 200
    assert Client(app, account, host="api-na.playground.klarna.com").get("/settlements/v1/payouts").status == 401
    for taken in (ACCOUNT, {**ACCOUNT, "id": "M10"}, {**ACCOUNT, "username": "ten"}):
        assert control.post("/sandbox/accounts", taken).status == 409


def test_a_reset_forgets_everything(app: App, klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    control.post("/sandbox/accounts", ACCOUNT)
    control.post("/sandbox/faults", {"kind": "unavailable"})
    control.post("/sandbox/time", {"days": 100})
    account = app.accounts.get("M9")
    assert control.post("/sandbox/reset").status == 200
    assert klarna.get(f"/ordermanagement/v1/orders/{order}").status == 404
    assert Client(app, account).get("/settlements/v1/payouts").status == 401
    assert app.clock.ahead.total_seconds() == 0


def test_a_reset_brings_the_sample_data_back() -> None:
    app = create_app()
    control = Client(app, None)
    before = {place: list(folder) for place, folder in app.state._folders.items() if place[1] == "orders"}
    control.post("/sandbox/orders", {"amount": 1_000})
    control.post("/sandbox/reset")
    after = {place: list(folder) for place, folder in app.state._folders.items() if place[1] == "orders"}
    assert {place: len(ids) for place, ids in after.items()} == {place: len(ids) for place, ids in before.items()}


def test_the_description_names_every_control_path(app: App, control: Client) -> None:
    told = control.get("/sandbox").json
    assert {f"{r.method} {r.template}" for r in app.table.routes if r.family is CONTROL} == {*told["control_paths"]}
    assert {account["id"] for account in told["accounts"]} == {account.id for account in app.accounts.all()}


def test_a_key_holds_for_a_day_whether_or_not_it_is_forgotten(app: App, klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    path = f"/ordermanagement/v1/orders/{order}/captures"
    made = klarna.post(path, {"captured_amount": 1}, key="key").headers["capture-id"]
    app.clock.ahead += timedelta(hours=23)  # nobody has looked after it yet
    assert klarna.post(path, {"captured_amount": 1}, key="key").headers["capture-id"] == made
    app.clock.ahead += timedelta(hours=1)
    assert klarna.post(path, {"captured_amount": 1}, key="key").headers["capture-id"] != made


def test_an_empty_key_is_none(klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    path = f"/ordermanagement/v1/orders/{order}"
    for _ in range(2):
        klarna.send("POST", f"{path}/captures", {"captured_amount": 1}, Klarna_Idempotency_Key="")
    assert klarna.get(path).json["captured_amount"] == 2


def test_a_key_is_of_a_path_however_that_is_spelled(klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    path = f"/ordermanagement/v1/orders/{order}"
    for spelled in ("captures", "captures/", "%63aptures"):
        assert klarna.post(f"{path}/{spelled}", {"captured_amount": 1}, key="key").status == 201
    assert klarna.get(path).json["captured_amount"] == 1


def test_keys_of_the_day_before_are_forgotten(app: App, klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 1_000}).json["order_id"]
    path = f"/ordermanagement/v1/orders/{order}/captures"
    made = [klarna.post(path, {"captured_amount": 1}, key=f"key-{n}").headers["capture-id"] for n in range(3)]
    control.post("/sandbox/time", {"hours": 23})
    late = klarna.post(path, {"captured_amount": 1}, key="key-late").headers["capture-id"]
    assert klarna.post(path, {"captured_amount": 1}, key="key-0").headers["capture-id"] == made[0]
    control.post("/sandbox/time", {"hours": 1})
    call = app.internal_call(app.accounts.all()[0])
    assert len(call.ids("idempotency")) == 1
    assert klarna.post(path, {"captured_amount": 1}, key="key-late").headers["capture-id"] == late
    assert klarna.post(path, {"captured_amount": 1}, key="key-0").headers["capture-id"] not in made
