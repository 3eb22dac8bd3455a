"""What goes wrong on demand goes wrong on the wire, and where the effect happened it has happened."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.app import App
from capstan.sandbox.faults import Fault, Faults
from capstan.sandbox.server import running
from sandbox.client import Client
from sandbox.process import Process, sandbox_process

LATE_SECONDS = 0.3
PAYOUTS = "/settlements/v1/payouts"
CAPTURE = {"captured_amount": 1_000}


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with sandbox_process() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_are_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "process" in request.fixturenames:
        request.getfixturevalue("process").send("DELETE", "/sandbox/faults")


def captured(process: Process, order: str) -> int:
    return int(process.send("GET", order).json["captured_amount"])


# --- over a socket


def test_a_delay_comes_before_the_effect(process: Process) -> None:
    order = process.place()
    process.fault("delay", path=f"{order}/captures", delay_seconds=LATE_SECONDS)
    begin = time.monotonic()
    assert process.send("POST", f"{order}/captures", CAPTURE).status == 201
    assert time.monotonic() - begin >= LATE_SECONDS
    assert captured(process, order) == 1_000


def test_others_are_answered_while_one_is_delayed(process: Process) -> None:
    slow, quick = process.place(), process.place()
    process.fault("delay", path=slow, delay_seconds=2)
    waiting = threading.Thread(target=process.send, args=("GET", slow))
    waiting.start()
    begin = time.monotonic()
    assert process.send("GET", quick).status == 200
    assert time.monotonic() - begin < 1.5
    waiting.join(10)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("too-many-requests", 429, "TOO_MANY_REQUESTS"), ("unavailable", 503, "TEMPORARILY_UNAVAILABLE")],
)
def test_a_refusal_has_no_effect_and_is_not_remembered(process: Process, kind: str, status: int, code: str) -> None:
    order, key = process.place(), str(uuid.uuid4())
    process.fault(kind, path=f"{order}/captures", count=1)
    refused = process.send("POST", f"{order}/captures", CAPTURE, key=key)
    assert (refused.status, refused.json["error_code"]) == (status, code)
    assert refused.json["correlation_id"] == refused.headers["klarna-correlation-id"]
    assert captured(process, order) == 0
    assert process.send("POST", f"{order}/captures", CAPTURE, key=key).status == 201
    assert captured(process, order) == 1_000


def test_what_timed_out_after_its_effect_is_replayed_with_its_key(process: Process) -> None:
    order, key = process.place(), str(uuid.uuid4())
    process.fault("timeout-after", path=f"{order}/captures", count=1)
    assert process.send("POST", f"{order}/captures", CAPTURE, key=key).status == 500
    assert captured(process, order) == 1_000
    replayed = process.send("POST", f"{order}/captures", CAPTURE, key=key)
    made = process.send("GET", order).json["captures"]
    assert replayed.status == 201
    assert [replayed.headers["capture-id"]] == [capture["capture_id"] for capture in made]


def test_without_a_key_a_retry_captures_again(process: Process) -> None:
    order = process.place()
    process.fault("timeout-after", path=f"{order}/captures", count=1)
    for status in (500, 201):
        assert process.send("POST", f"{order}/captures", CAPTURE).status == status
    assert captured(process, order) == 2_000


def test_a_client_that_gave_up_meets_its_effect(process: Process) -> None:
    order, key = process.place(), str(uuid.uuid4())
    process.fault("timeout-after", path=f"{order}/captures", count=1, delay_seconds=5)
    with pytest.raises(TimeoutError):
        process.send("POST", f"{order}/captures", CAPTURE, key=key, timeout_seconds=LATE_SECONDS)
    assert captured(process, order) == 1_000


@pytest.mark.parametrize(("kind", "effect"), [("cut", 0), ("cut-after", 1_000)])
def test_a_cut_breaks_the_connection_off(process: Process, kind: str, effect: int) -> None:
    order, key = process.place(), str(uuid.uuid4())
    process.fault(kind, path=f"{order}/captures", count=1)
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        process.send("POST", f"{order}/captures", CAPTURE, key=key)
    assert captured(process, order) == effect
    assert process.send("POST", f"{order}/captures", CAPTURE, key=key).status == 201
    assert captured(process, order) == 1_000  # once, whether it was cut before or after


async def test_a_cut_is_no_failure_of_the_sandbox(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.faults.rules.append(Fault("cut"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        async with running(app, listening):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            pair = base64.b64encode(f"{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}".encode()).decode()
            writer.write(f"GET {PAYOUTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n\r\n".encode())
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
    assert app.faults.rules[0].hits == 1
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_two_with_one_key_at_the_same_time_conflict(process: Process) -> None:
    order, key = process.place(), str(uuid.uuid4())
    process.fault("delay", path=f"{order}/captures", delay_seconds=1, count=1)
    statuses: list[int] = []

    def capture() -> None:
        statuses.append(process.send("POST", f"{order}/captures", CAPTURE, key=key).status)

    first = threading.Thread(target=capture)
    first.start()
    while not process.send("GET", "/sandbox/faults").json["faults"][0]["hits"]:
        time.sleep(0.01)
    conflict = process.send("POST", f"{order}/captures", CAPTURE, key=key)
    first.join(10)
    assert (conflict.status, conflict.json["error_code"], statuses) == (409, "CONFLICT", [201])
    assert captured(process, order) == 1_000


def test_the_sandboxs_own_paths_never_fail_on_demand(process: Process) -> None:
    process.fault("cut")
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        process.send("GET", "/ordermanagement/v1/orders/x")
    assert process.send("GET", "/sandbox/time").status == 200
    assert process.send("DELETE", "/sandbox/faults").status == 204


# --- which requests are hit


def statuses(client: Client, path: str, times: int) -> list[int]:
    return [client.get(path).status for _ in range(times)]


def test_a_fault_hits_its_method_and_path_only(app: App, klarna: Client, control: Client) -> None:
    one, other = ("/ordermanagement/v1/orders/" + str(uuid.uuid4()) for _ in range(2))
    control.post("/sandbox/faults", {"kind": "unavailable", "method": "get", "path": "/ordermanagement/*/orders/*"})
    assert klarna.get(one).status == klarna.get(other).status == 503
    assert klarna.post(f"{one}/cancel").status == 404
    assert klarna.get(PAYOUTS).status == 200


def test_a_count_says_how_many_requests_are_hit(klarna: Client, control: Client) -> None:
    made = control.post("/sandbox/faults", {"kind": "unavailable", "path": "/settlements/*", "count": 2})
    assert statuses(klarna, PAYOUTS, 4) == [503, 503, 200, 200]
    [rule] = control.get("/sandbox/faults").json["faults"]
    assert (rule["id"], rule["hits"], rule["count"]) == (made.json["id"], 2, 0)


def test_a_probability_with_a_seed_can_be_had_again(klarna: Client, control: Client) -> None:
    runs = []
    for seed in (7, 7, 8):
        control.delete("/sandbox/faults")
        control.post("/sandbox/faults", {"kind": "unavailable", "probability": 0.5, "seed": seed})
        runs.append(statuses(klarna, PAYOUTS, 40))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(503) < 35


def test_a_fault_is_taken_back(klarna: Client, control: Client) -> None:
    kinds = ("too-many-requests", "unavailable")
    first, _ = (control.post("/sandbox/faults", {"kind": kind}).json["id"] for kind in kinds)
    assert statuses(klarna, PAYOUTS, 1) == [429]
    assert control.delete(f"/sandbox/faults/{first}").status == 204
    assert control.delete(f"/sandbox/faults/{first}").status == 404
    assert statuses(klarna, PAYOUTS, 1) == [503]
    assert control.delete("/sandbox/faults").status == 204
    assert statuses(klarna, PAYOUTS, 1) == [200]


def test_at_most_one_of_a_kind_strikes() -> None:
    faults = Faults()
    faults.rules += [Fault("cut", count=1), Fault("cut", count=1), Fault("delay")]
    assert [len(faults.strike("GET", "/x")) for _ in range(3)] == [2, 2, 1]


def test_a_request_without_faults_is_not_matched_against_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capstan.sandbox.faults.fnmatch.fnmatchcase", lambda *_: 1 / 0)
    assert Faults().strike("GET", "/x") == ()


def test_a_handler_that_fails_is_told_as_the_api_would(
    app: App, klarna: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    app.limits.take = fail  # type: ignore[method-assign, assignment]
    reply = klarna.get(PAYOUTS)
    assert (reply.status, json.loads(reply.content)["error_code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "RuntimeError('broken')" in caplog.text
