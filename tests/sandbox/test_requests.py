"""Requests as they come over a real socket: too large, half, on one connection, to no path."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Iterator

import pytest

from capstan.sandbox.accounts import DEMO_MERCHANT
from sandbox.process import Process, sandbox_process

KIB = 1024
_PAIR = base64.b64encode(f"{DEMO_MERCHANT.username}:{DEMO_MERCHANT.password}".encode()).decode()
CREDENTIALS = {"Authorization": f"Basic {_PAIR}"}


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with sandbox_process() as running:
        yield running


def exchange(process: Process, text: bytes) -> bytes:
    """Whatever is answered to bytes, until the other side closes."""
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        connection.sendall(text)
        got = b""
        while part := connection.recv(65536):
            got += part
        return got


@pytest.mark.parametrize(("size", "status"), [(KIB * KIB, 400), (KIB * KIB + 1, 413), (8 * KIB * KIB, 413)])
def test_a_body_has_a_limit(process: Process, size: int, status: int) -> None:
    connection = process.connect()
    connection.request("POST", "/payments/v1/sessions", b" " * size, CREDENTIALS)
    response = connection.getresponse()
    text = response.read()
    assert response.status == status
    assert (b"REQUEST_TOO_LARGE" in text) == (status == 413)
    assert response.headers["Klarna-Correlation-Id"]
    connection.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"X-A": "a" * (6 * KIB - 3)}, 401, id="one of 6 KB"),
        pytest.param({"X-A": "a" * (6 * KIB)}, 413, id="one above 6 KB"),
        pytest.param({f"X-{n}": "a" * (5 * KIB) for n in range(3)}, 401, id="15 KB together"),
        pytest.param({f"X-{n}": "a" * (5 * KIB) for n in range(4)}, 413, id="above 20 KB together"),
        pytest.param({"Klarna-Interoperability-Token": "a" * 8192}, 401, id="a token that may be longer"),
        pytest.param({"Klarna-Interoperability-Token": "a" * 8193}, 413, id="a token that may not be that long"),
    ],
)
def test_headers_have_a_limit(process: Process, headers: dict[str, str], status: int) -> None:
    connection = process.connect()
    connection.request("GET", "/settlements/v1/payouts", headers=headers)
    assert connection.getresponse().status == status
    connection.close()


def test_a_connection_is_kept(process: Process) -> None:
    connection = process.connect()
    for path, status in (("/settlements/v1/payouts", 200), ("/nothing", 404), ("/settlements/v1/payouts", 200)):
        assert process.send("GET", path, connection=connection).status == status
    connection.close()


def test_head_has_no_body_and_no_route(process: Process) -> None:
    connection = process.connect()
    connection.request("HEAD", "/settlements/v1/payouts")
    response = connection.getresponse()
    assert (response.status, response.read()) == (405, b"")
    connection.request("GET", "/settlements/v1/payouts")
    assert connection.getresponse().status == 401
    connection.close()


def test_half_a_request_has_no_effect_and_leaves_the_rest_alone(process: Process) -> None:
    order = process.place()
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        connection.sendall(
            f"POST {order}/captures HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            f"Authorization: {CREDENTIALS['Authorization']}\r\n\r\n"
            '{"captured_amount": 1}'.encode()
        )
    assert process.send("GET", order).json["captured_amount"] == 0


def test_what_is_no_http_is_refused(process: Process) -> None:
    assert exchange(process, b"\x16\x03\x01\x02\x00\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_expect_continue_is_answered(process: Process) -> None:
    body = b'{"hours": 0}'
    text = exchange(
        process,
        b"POST /sandbox/time HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
    )
    assert text.startswith((b"HTTP/1.1 100 ", b"HTTP/1.1 200 "))
    assert b'"now":' in text


@pytest.mark.parametrize(
    "path", ["/%00", "/%2e%2e/etc/passwd", "//settlements//v1", "/settlements/v1/payouts/%E2%82%AC", "/?a=%FF"]
)
def test_strange_paths_are_answered(process: Process, path: str) -> None:
    assert process.send("GET", path).status in (200, 404)


def test_a_stop_lets_what_is_under_way_finish() -> None:
    with sandbox_process() as process:
        order = process.place()
        process.fault("delay", path=order, delay_seconds=1)
        connection = process.connect()
        connection.request("GET", order, headers=CREDENTIALS)
        while not process.send("GET", "/sandbox/faults").json["faults"][0]["hits"]:
            pass
        process.popen.terminate()
        try:
            assert connection.getresponse().status == 200
        except http.client.RemoteDisconnected:
            pytest.fail("the request under way was dropped")
        assert process.popen.wait(10) == 0
        connection.close()
