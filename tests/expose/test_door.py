"""Which Host and Origin headers a port lets in."""

from __future__ import annotations

import pytest

from capstan.expose.door import Access


def refusal(access: Access, host: str | None, origin: str | None = None) -> int | None:
    headers = [(b"accept", b"*/*")]
    headers += [] if host is None else [(b"host", host.encode())]
    headers += [] if origin is None else [(b"origin", origin.encode())]
    found = access.refusal(headers)
    return None if found is None else found[0]


LOCAL = Access(loopback=True, hosts=frozenset(), origins=frozenset())
NAMED = Access(loopback=False, hosts=frozenset({"api.example.com"}), origins=frozenset())
OPEN = Access(loopback=False, hosts=frozenset(), origins=frozenset())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
def test_this_machine_goes_by_its_names(host: str) -> None:
    assert refusal(LOCAL, host) is None


@pytest.mark.parametrize(
    "host",
    ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com:8080", "", None, "[::2]", "localhost@evil.com"],
)
def test_a_name_made_to_point_here_is_refused(host: str | None) -> None:
    assert refusal(LOCAL, host) == 421


def test_a_server_of_a_name_goes_by_that() -> None:
    assert refusal(NAMED, "api.example.com:443") is None
    assert refusal(NAMED, "API.EXAMPLE.COM") is None
    assert refusal(NAMED, "localhost") == 421
    assert refusal(NAMED, "other.example.com") == 421


def test_a_local_server_can_have_further_names() -> None:
    access = Access(loopback=True, hosts=frozenset({"dev.test"}), origins=frozenset())
    assert refusal(access, "dev.test:1") is None
    assert refusal(access, "localhost") is None


def test_a_server_for_all_goes_by_any_name() -> None:
    assert refusal(OPEN, "anything.example.com") is None


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "http://localhost:8080"]
)
def test_pages_of_this_machine_may_call_it(origin: str) -> None:
    assert refusal(LOCAL, "localhost:8080", origin) is None


@pytest.mark.parametrize(
    "origin",
    ["http://evil.com", "https://localhost.evil.com", "null", "file://", "chrome-extension://localhost", "http://"],
)
def test_pages_of_elsewhere_may_not(origin: str) -> None:
    assert refusal(LOCAL, "localhost:8080", origin) == 403


def test_a_page_of_the_same_origin_may_call() -> None:
    assert refusal(NAMED, "api.example.com", "https://api.example.com") is None
    assert refusal(NAMED, "api.example.com", "http://localhost") == 403
    assert refusal(OPEN, "a.example.com", "https://b.example.com") == 403


def test_an_operator_lets_further_origins_in() -> None:
    access = Access(loopback=True, hosts=frozenset(), origins=frozenset({"https://app.example.com"}))
    assert refusal(access, "localhost", "https://APP.example.com") is None
    assert refusal(access, "localhost", "https://app.example.com.evil.com") == 403
    anyone = Access(loopback=True, hosts=frozenset(), origins=frozenset({"*"}))
    assert refusal(anyone, "localhost", "https://evil.com") is None
    assert refusal(anyone, "evil.com", "https://evil.com") == 421


def test_a_caller_that_is_no_page_has_no_origin() -> None:
    assert refusal(LOCAL, "localhost") is None
