"""What is sent to a merchant arrives, is tried again, gives up, is withdrawn, and goes nowhere far away."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.deliveries import DONE, POLICIES, WAITING, Delivery, withdraw
from capstan.sandbox.near import NearResolver, NotNearError, check_url, is_near
from capstan.sandbox.state import EVERYBODY
from sandbox.client import Client
from sandbox.receiver import Wired, wired


def send(app: App, url: str, *, policy: str = "callback", subject: str = "it", **headers: str) -> None:
    call = app.internal_call(DEMO_MERCHANT)
    call.deliver(Delivery(url, b'{"a":1}', policy, headers=headers, subject=subject, owner=DEMO_MERCHANT.id))
    app.settle(call)


def words(delivery: dict[str, Any]) -> list[str]:
    return [outcome["outcome"] for outcome in delivery["outcomes"]]


@pytest.fixture
async def wire(app: App) -> AsyncIterator[Wired]:
    async with wired(app) as found:
        yield found


# --- arriving and trying again


async def test_it_arrives_as_it_was_sent(app: App, wire: Wired) -> None:
    send(app, f"{wire.merchant.url}/hook?x=1", X_Signature="s")
    [got] = await wire.received(1)
    assert (got.path, got.json, got.headers["X_Signature"]) == ("/hook?x=1", {"a": 1}, "s")
    assert got.headers["Content-Type"] == "application/json"
    delivery = await wire.attempted("it", 1)
    assert (delivery["state"], words(delivery)) == ("delivered", ["status 200"])


async def test_it_is_tried_again_until_it_is_accepted(app: App, wire: Wired) -> None:
    wire.merchant.statuses = [500, 503, 204]
    send(app, wire.merchant.url)
    for attempt in (1, 2):
        delivery = await wire.attempted("it", attempt)
        assert delivery["state"] == "waiting"
        await wire.let_pass(seconds=10)
    delivery = await wire.attempted("it", 3)
    assert (delivery["state"], words(delivery)) == ("delivered", ["status 500", "status 503", "status 204"])


async def test_it_waits_before_it_is_tried_again(app: App, wire: Wired) -> None:
    wire.merchant.statuses = [500]
    send(app, wire.merchant.url, policy="notification")  # ten minutes
    await wire.attempted("it", 1)
    await wire.let_pass(minutes=9)
    send(app, wire.merchant.url, subject="other")
    await wire.attempted("other", 1)
    assert (await wire.attempted("it", 1))["attempts"] == 1
    await wire.let_pass(minutes=1)
    assert (await wire.attempted("it", 2))["attempts"] == 2


async def test_a_retry_comes_by_itself_when_its_time_comes(app: App, wire: Wired) -> None:
    wire.merchant.statuses = [500, 200]
    send(app, wire.merchant.url)  # a callback is tried again after a second
    assert (await wire.attempted("it", 2))["state"] == "delivered"


@pytest.mark.parametrize(("policy", "attempts"), [("callback", 3), ("status", 5)])
async def test_it_is_given_up_after_so_many_attempts(app: App, wire: Wired, policy: str, attempts: int) -> None:
    wire.merchant.statuses = [500]
    send(app, wire.merchant.url, policy=policy)
    for attempt in range(1, attempts + 1):
        delivery = await wire.attempted("it", attempt)
        await wire.let_pass(hours=1)
    assert (delivery["state"], delivery["attempts"]) == ("given-up", attempts)
    assert len(wire.merchant.received) == attempts


@pytest.mark.parametrize(("policy", "hours"), [("notification", 24), ("push", 48), ("webhook", 12)])
async def test_it_is_given_up_after_so_long(app: App, wire: Wired, policy: str, hours: int) -> None:
    wire.merchant.statuses = [500]
    send(app, wire.merchant.url, policy=policy)
    await wire.attempted("it", 1)
    await wire.let_pass(hours=hours - 1)
    assert (await wire.attempted("it", 2))["state"] == "waiting"
    await wire.let_pass(hours=2)
    assert (await wire.attempted("it", 3))["state"] == "given-up"


async def test_a_push_comes_again_whatever_is_answered_until_it_is_withdrawn(app: App, wire: Wired) -> None:
    send(app, wire.merchant.url, policy="push", subject="order 1")
    send(app, wire.merchant.url, policy="push", subject="order 2")
    assert (await wire.attempted("order 1", 1))["state"] == "waiting"
    await wire.attempted("order 2", 1)
    call = app.internal_call(DEMO_MERCHANT)
    withdraw(call.state, "order 1")
    app.settle(call)
    await wire.let_pass(hours=2)
    assert (await wire.attempted("order 2", 2))["state"] == "waiting"
    withdrawn = await wire.attempted("order 1", 1)
    assert (withdrawn["state"], withdrawn["attempts"]) == ("withdrawn", 1)
    assert len(wire.merchant.received) == 3


async def test_what_is_withdrawn_while_it_is_under_way_stays_withdrawn(app: App, wire: Wired) -> None:
    arrived, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await go_on.wait()
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        done.set()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    send(app, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with asyncio.timeout(10):
        await arrived.wait()
        call = app.internal_call(DEMO_MERCHANT)
        withdraw(call.state, "it")
        app.settle(call)
        go_on.set()
        await done.wait()
    await wire.let_pass(hours=3)
    send(app, wire.merchant.url, subject="other")
    await wire.attempted("other", 1)
    assert [(d["subject"], d["state"]) for d in await wire.deliveries()] == [
        ("it", "withdrawn"),
        ("other", "delivered"),
    ]
    server.close()


async def test_an_order_that_is_captured_is_pushed_no_more(app: App, wire: Wired) -> None:
    from capstan.sandbox.classic.orders import capture_order, place_order

    call = app.internal_call(DEMO_MERCHANT)
    purchase = {"order_amount": 100, "purchase_currency": "SEK", "merchant_urls": {"push": wire.merchant.url}}
    order = place_order(call, purchase)
    subject = f"push {order['order_id']}"
    call.deliver(Delivery(wire.merchant.url, b"{}", "push", subject=subject))
    app.settle(call)
    await wire.attempted(subject, 1)
    call = app.internal_call(DEMO_MERCHANT)
    capture_order(call, order, 100, {})
    app.settle(call)
    await wire.let_pass(hours=3)
    assert (await wire.attempted(subject, 1))["state"] == "withdrawn"


# --- when the merchant's server is bad


async def test_nobody_listening_is_no_answer(app: App, wire: Wired) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    send(app, url)
    assert words(await wire.attempted("it", 1)) == ["no answer: ClientConnectorError"]


async def test_a_server_that_never_answers_is_not_waited_for(
    app: App, wire: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = POLICIES["callback"]
    quick = type(policy)(0.2, 0.2, policy.accepted, policy.next_delay)
    monkeypatch.setitem(POLICIES, "callback", quick)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)

    for name, handler in (("silent", silent), ("dripping", dripping)):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        send(app, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", subject=name)
        [outcome] = words(await wire.attempted(name, 1))
        assert "Timeout" in outcome
        server.close()


async def test_a_redirect_is_not_followed(app: App, wire: Wired) -> None:
    wire.merchant.statuses = [307]
    send(app, wire.merchant.url)
    assert words(await wire.attempted("it", 1)) == ["status 307"]


async def test_one_that_cannot_be_sent_stops_no_other(app: App, wire: Wired) -> None:
    for number, url in enumerate(
        ("no address", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:99999/")
    ):
        send(app, url, subject=f"bad {number}")
    send(app, wire.merchant.url, subject="bad header", X="a\r\nb")
    send(app, wire.merchant.url, subject="good")
    assert (await wire.attempted("good", 1))["state"] == "delivered"
    for subject in ("bad 0", "bad 1", "bad 2", "bad 3", "bad 4", "bad header"):
        delivery = await wire.attempted(subject, 1)
        assert delivery["state"] == "given-up", delivery
    assert len(wire.merchant.received) == 1


async def test_an_outcome_that_cannot_be_stored_ends_no_delivery(
    app: App, wire: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("the disk is full")

    send(app, wire.merchant.url)
    with monkeypatch.context() as patched:
        patched.setattr(app.state, "write", full)
        await wire.received(1)
        await asyncio.sleep(0.1)
    send(app, wire.merchant.url, subject="other")
    assert (await wire.attempted("other", 1))["state"] == "delivered"
    await wire.let_pass(minutes=1)
    assert (await wire.attempted("it", 1))["state"] == "delivered"


async def test_many_at_once_all_arrive(app: App, wire: Wired) -> None:
    call = app.internal_call(DEMO_MERCHANT)
    for number in range(300):
        call.deliver(Delivery(wire.merchant.url, json.dumps(number).encode(), "callback", subject=f"n{number}"))
    app.settle(call)
    got = await wire.received(300)
    assert sorted(received.json for received in got) == list(range(300))


# --- a restart


async def test_what_waits_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    app = create_app(path, sample=False)
    async with wired(app) as wire:
        wire.merchant.statuses = [500]
        send(app, wire.merchant.url, policy="notification")
        await wire.attempted("it", 1)
    app.state.close()
    again = create_app(path, sample=False)
    async with wired(again) as wire:
        call = again.internal_call(DEMO_MERCHANT)
        [(id_, document)] = call.state.items(EVERYBODY, WAITING)
        call.state.put(EVERYBODY, WAITING, id_, {**document, "url": wire.merchant.url})  # it listens elsewhere now
        again.settle(call)
        await wire.let_pass(minutes=10)
        delivery = await wire.attempted("it", 2)
        assert (delivery["state"], words(delivery)) == ("delivered", ["status 500", "status 200"])
    again.state.close()


async def test_a_reset_withdraws_everything(app: App, wire: Wired) -> None:
    wire.merchant.statuses = [500]
    send(app, wire.merchant.url)
    await wire.attempted("it", 1)
    await wire.control.post("/sandbox/reset", {})
    await wire.let_pass(hours=1)
    send(app, wire.merchant.url, subject="new")
    await wire.attempted("new", 1)
    assert [d["subject"] for d in await wire.deliveries()] == ["new"]


def test_a_refused_request_sends_nothing(app: App) -> None:
    route = next(r for r in app.table.routes if r.template == "/settlements/v1/payouts/{payment_reference}")
    assert Client(app).get("/settlements/v1/payouts/none").status == 404
    call = app.internal_call(DEMO_MERCHANT)
    call.params = {"payment_reference": "none"}  # type: ignore[misc]
    call.deliver(Delivery("http://127.0.0.1/", b"{}", "callback"))
    assert app.perform(call, route).status == 404
    assert list(app.internal_call(DEMO_MERCHANT).state.items(EVERYBODY, WAITING)) == []


def test_the_oldest_that_are_done_are_forgotten(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capstan.sandbox.deliveries._KEPT", 3)
    for number in range(5):
        send(app, "http://127.0.0.1/", subject=f"n{number}")
        call = app.internal_call(DEMO_MERCHANT)
        withdraw(call.state, f"n{number}")
        app.settle(call)
    state = app.internal_call(DEMO_MERCHANT).state
    assert [d["subject"] for _, d in state.items(EVERYBODY, DONE)] == ["n2", "n3", "n4"]
    assert list(state.items(EVERYBODY, "deliveries-about/n0")) == []


# --- near and far


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("10.0.0.1", True), ("172.16.0.1", True), ("172.31.255.255", True),
        ("192.168.1.1", True), ("::1", True), ("fd00::1", True), ("::ffff:127.0.0.1", True),
        ("8.8.8.8", False), ("172.32.0.1", False), ("::ffff:8.8.8.8", False), ("2001:4860:4860::8888", False),
        ("169.254.169.254", False), ("fe80::1%eth0", False), ("64:ff9b::808:808", False), ("0.0.0.0", False),
        ("192.0.2.1", False), ("224.0.0.1", False), ("name", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_near(address: str, near: bool) -> None:  # noqa: FBT001 - the expectation
    assert is_near(address) is near


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "https://[2001:4860:4860::8888]/", "http://[::ffff:8.8.8.8]:80/"])
def test_a_distant_address_is_refused(url: str) -> None:
    with pytest.raises(NotNearError):
        check_url(url)


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://134744072/", "http://shop.example/", "http://0.0.0.0/"])
async def test_nothing_is_sent_elsewhere(app: App, wire: Wired, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Not by address, nor by one in disguise, nor by a name."""

    async def far(*_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"hostname": "h", "host": "8.8.8.8", "port": 80, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    monkeypatch.setattr("capstan.sandbox.near.ThreadedResolver.resolve", far)
    send(app, url)
    delivery = await wire.attempted("it", 1)
    assert delivery["state"] == "given-up"
    [outcome] = words(delivery)
    assert outcome.startswith("not sent: ")


async def test_of_a_name_only_the_near_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_: Any, **__: Any) -> list[dict[str, str]]:
        return [{"host": "8.8.8.8"}, {"host": "127.0.0.1"}]

    monkeypatch.setattr("capstan.sandbox.near.ThreadedResolver.resolve", both)
    resolver = NearResolver()
    assert [found["host"] for found in await resolver.resolve("mixed.example")] == ["127.0.0.1"]
    await resolver.close()


async def test_a_name_of_this_machine_is_reached(app: App, wire: Wired) -> None:
    send(app, wire.merchant.url.replace("127.0.0.1", "localhost"))
    assert (await wire.attempted("it", 1))["state"] == "delivered"
