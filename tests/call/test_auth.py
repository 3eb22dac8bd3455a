from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import parse_qs

import pytest

from capstan.errors import UpstreamError, UpstreamRefused
from support import (
    CLOSE,
    HANG,
    Raw,
    Received,
    RecordingUpstream,
    body_of,
    capability_text,
    chunked,
    live,
    refusing,
    reply,
    write_capability,
)

OK = b'{"ok": true}'
ENVIRON = {"ID": "client&id", "SECRET": "s3cret/ value", "TOKEN_URI": ""}


def oauth(method: str = "POST", **more: Any) -> str:
    return capability_text(
        method, "/things",
        authentication={"type": "oauth2", "tokenUri": "{{env.TOKEN_URI}}", "clientId": "{{env.ID}}",
                        "clientSecret": "{{env.SECRET}}", **more},
        variables=["ID", "SECRET", "TOKEN_URI"],
    )  # fmt: skip


def token(value: str = "tok-1-abcdef", **more: Any) -> Raw:
    return reply(data={"access_token": value, "token_type": "bearer", "expires_in": 3600, **more})


class Both:
    """An API and the server that gives the tokens for it."""

    def __init__(self, tmp_path: Path, text: str) -> None:
        self._path = write_capability(tmp_path, text)
        self.api, self.login = RecordingUpstream(), RecordingUpstream(token())

    async def __aenter__(self) -> Self:
        await self.api.__aenter__()
        await self.login.__aenter__()
        environ = {**ENVIRON, "TOKEN_URI": self.login.url + "/token"}
        self._live = live(self._path, environ, {"api": self.api.url})
        self.unit = (await self._live.__aenter__())["act"]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._live.__aexit__(*error)
        await self.login.__aexit__(*error)
        await self.api.__aexit__(*error)

    async def call(self) -> bytes:
        return await body_of(await self.unit.call({}))


# --- client credentials


async def test_one_token_serves_many_calls_even_at_once(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.login.then(chunked(b'{"access_token": "tok-1-', b'abcdef", "expires_in": 3600}', pause=0.05))
        assert await asyncio.gather(*(both.call() for _ in range(20))) == [OK] * 20
        assert len(both.login.requests) == 1
        assert {r.header("Authorization") for r in both.api.requests} == {"Bearer tok-1-abcdef"}


async def test_the_client_authenticates_by_basic_unless_told_otherwise(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth(scopes=["read", "write"], audience="https://api")) as both:
        await both.call()
        request = both.login.last
    pair = base64.b64encode(b"client%26id:s3cret%2F%20value").decode()
    assert (request.method, request.target) == ("POST", "/token")
    assert request.header("Authorization") == f"Basic {pair}"
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["read write"], "audience": ["https://api"],
    }  # fmt: skip


async def test_the_client_can_authenticate_in_the_form(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth(clientAuthentication="post")) as both:
        await both.call()
        request = both.login.last
    assert request.header("Authorization") is None
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"], "client_id": ["client&id"], "client_secret": ["s3cret/ value"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lifetime", "later", "fetched"),
    [
        pytest.param(3600, 3500, 1, id="long before its end"),
        pytest.param(3600, 3575, 2, id="shortly before its end"),
        pytest.param(60, 50, 1, id="a short one is used"),
        pytest.param(60, 55, 2, id="a short one is renewed"),
        pytest.param("3600", 3575, 2, id="a lifetime as text"),
        pytest.param(None, 100, 1, id="no lifetime"),
        pytest.param(None, 290, 2, id="no lifetime, later"),
        pytest.param(float("nan"), 290, 2, id="no number"),
        pytest.param(float("inf"), 290, 2, id="for ever"),
    ],
)
async def test_a_token_is_renewed_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lifetime: Any, later: float, fetched: int
) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.login.always = token(expires_in=lifetime)
        await both.call()
        now = time.monotonic
        clock = SimpleNamespace(monotonic=lambda: now() + later)
        monkeypatch.setattr("capstan.call.auth.time", clock)
        await both.call()
        assert len(both.login.requests) == fetched


async def test_a_write_whose_token_the_api_refuses_is_not_sent_again_but_the_next_has_a_new_one(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.api.then(reply(401, "expired"))
        with pytest.raises(UpstreamRefused) as caught:
            await both.call()
        assert (caught.value.code, caught.value.outcome) == ("upstream-credentials", "refused")
        assert len(both.api.requests) == 1
        both.login.always = token("tok-2-abcdef")
        assert await both.call() == OK
        assert both.api.last.header("Authorization") == "Bearer tok-2-abcdef"


async def test_a_token_the_api_refuses_is_renewed_once_for_a_read(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth("GET")) as both:
        await both.call()
        both.login.always = token("tok-2-abcdef")
        both.api.then(reply(401, "expired"))
        assert await both.call() == OK
        assert [r.header("Authorization") for r in both.api.requests[1:]] == [
            "Bearer tok-1-abcdef", "Bearer tok-2-abcdef",
        ]  # fmt: skip
        both.api.always = reply(401, "never")
        with pytest.raises(UpstreamRefused) as caught:
            await both.call()
        assert (caught.value.code, caught.value.outcome) == ("upstream-credentials", "refused")
        assert (len(both.api.requests), len(both.login.requests)) == (5, 3)


async def test_a_refused_token_that_cannot_be_renewed_leaves_the_call_refused(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth("GET")) as both:
        both.api.then(reply(401, "expired"))
        both.login.then(token(), reply(503, "down"))
        with pytest.raises(UpstreamError) as caught:
            await both.call()
        assert (caught.value.code, caught.value.outcome) == ("upstream-auth", "refused")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(401, data={"error": "invalid_client", "error_description": "s3cret/ value"}), id="refusal"),
        pytest.param(reply(400, data={"error": "s3cret/ value"}), id="refusal that quotes the secret"),
        pytest.param(reply(500, "<h1>s3cret/ value</h1>", content_type="text/html"), id="failure"),
        pytest.param(reply(200, "<h1>Log in</h1>", content_type="text/html"), id="a page"),
        pytest.param(reply(200, "[1]"), id="a list"),
        pytest.param(reply(200, "[" * 50_000), id="deep nesting"),
        pytest.param(reply(200, data={"access_token": 7}), id="a number"),
        pytest.param(reply(200, data={"access_token": ""}), id="an empty token"),
        pytest.param(reply(200, data={"access_token": "a\r\nX-Evil: 1"}), id="a token with a line break"),
        pytest.param(reply(200, data={"access_token": "a", "token_type": "x\r\nX-Evil: 1"}), id="a type with one"),
        pytest.param(reply(200, data={"access_token": "a", "expires_in": "soon"}), id="a lifetime in words"),
        pytest.param(reply(200, b" " * 200_000), id="too long"),
        pytest.param(reply(302, headers={"Location": "http://127.0.0.1:1/"}), id="a redirect"),
        pytest.param(reply(200, b"{", headers={"Content-Length": "9"}, then="close"), id="half an answer"),
        pytest.param(HANG, id="no answer"),
        pytest.param(CLOSE, id="the end"),
        pytest.param(b"\0nonsense\r\n\r\n", id="no HTTP"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_nothing_told(tmp_path: Path, answer: Any) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.login.always = answer
        with pytest.raises(UpstreamError) as caught:
            await both.call()
        error = caught.value
        assert (error.code, error.outcome, error.retry_safe) == ("upstream-auth", "not-sent", True)
        assert both.api.requests == []
        for secret in ("s3cret", "client&id", "c2VjcmV0", "client%26id", both.login.url):
            assert secret not in repr(error)
        both.login.always = token()
        assert await both.call() == OK


@pytest.mark.parametrize("uri", ["", "no url", "http://[", "http://127.0.0.1:99999/"])
async def test_a_token_endpoint_that_is_no_address_is_told_as_such(tmp_path: Path, uri: str) -> None:
    with refusing() as url:
        async with live(write_capability(tmp_path, oauth()), {**ENVIRON, "TOKEN_URI": uri}, {"api": url}) as units:
            with pytest.raises(UpstreamError) as caught:
                await units["act"].call({})
    assert (caught.value.code, caught.value.outcome) == ("upstream-auth", "not-sent")


async def test_calls_that_wait_for_one_renewal_share_its_failure(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.login.always = HANG  # the read time-out is 0.4 s; one after the other would take 4
        started = time.monotonic()
        found = await asyncio.gather(*(both.call() for _ in range(10)), return_exceptions=True)
        assert time.monotonic() - started < 2
        assert {type(error) for error in found} == {UpstreamError}
        assert len(both.login.requests) == 1


async def test_a_caller_who_leaves_during_a_renewal_does_not_spoil_it_for_others(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.login.then(HANG)
        first = asyncio.create_task(both.call())
        await both.login.wait_for(lambda u: len(u.requests) == 1)
        second = asyncio.create_task(both.call())
        await asyncio.sleep(0.05)
        first.cancel()
        assert await second == OK


async def test_a_fetched_token_is_masked_when_it_comes_back(tmp_path: Path) -> None:
    async with Both(tmp_path, oauth()) as both:
        both.api.always = lambda request: reply(403, f"bad: {request.header('Authorization')}")
        with pytest.raises(UpstreamRefused) as caught:
            await both.call()
    assert caught.value.body == b"bad: Bearer ************"


async def test_a_token_replaces_an_authorization_header_the_file_declares(tmp_path: Path) -> None:
    header = [{"name": "authorization", "in": "header", "type": "string", "value": "Bearer other"}]
    text = capability_text(
        "POST", "/things", inputs=header, variables=["ID", "SECRET", "TOKEN_URI"],
        authentication={"type": "oauth2", "tokenUri": "{{env.TOKEN_URI}}", "clientId": "{{env.ID}}",
                        "clientSecret": "{{env.SECRET}}"},
    )  # fmt: skip
    async with Both(tmp_path, text) as both:
        await both.call()
        assert both.api.last.all("Authorization") == ["Bearer tok-1-abcdef"]


# --- credentials that never change


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        pytest.param({"type": "basic", "username": "mé", "password": "{{env.SECRET}}"},
                     "Basic " + base64.b64encode("mé:s3cret/ value".encode()).decode(), id="basic"),
        pytest.param({"type": "bearer", "token": "{{env.SECRET}}"}, "Bearer s3cret/ value", id="bearer"),
        pytest.param({"type": "apikey", "key": "Authorization", "value": "{{env.SECRET}}", "placement": "header"},
                     "s3cret/ value", id="key"),
    ],
)  # fmt: skip
async def test_a_fixed_credential_goes_with_every_request(
    tmp_path: Path, authentication: dict[str, str], expected: str
) -> None:
    path = write_capability(tmp_path, capability_text(authentication=authentication, variables=["SECRET"]))
    async with RecordingUpstream() as upstream, live(path, ENVIRON, {"api": upstream.url}) as units:
        await body_of(await units["act"].call({"id": "1"}))
    assert upstream.last.all("Authorization") == [expected.encode().decode("utf-8", "surrogateescape")]


# --- digest


class DigestServer:
    """Checks RFC 7616 responses with qop=auth, and counts the nonces it gave."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.nonces = 0
        self.counts: list[str] = []

    def __call__(self, request: Received) -> Raw:
        header = request.header("Authorization") or ""
        given = {k: a or b for k, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)}
        if given.get("nonce") != f"nonce-{self.nonces}" or given.get("response") != self._response(request, given):
            self.nonces += 1
            return reply(401, "who?", headers={
                "WWW-Authenticate": f'Digest realm="r", qop="auth", algorithm={self.algorithm}, '
                                    f'nonce="nonce-{self.nonces}", opaque="o"',
            })  # fmt: skip
        self.counts.append(given["nc"])
        return reply(200, OK)

    def _response(self, request: Received, given: dict[str, str]) -> str:
        def digest(text: str) -> str:
            return hashlib.new(self.algorithm.replace("-", ""), text.encode()).hexdigest()

        if given.get("uri") != request.target or "cnonce" not in given:
            return "never"
        a1, a2 = digest("me:r:s3cretpass"), digest(f"{request.method}:{request.target}")
        return digest(f"{a1}:{given['nonce']}:{given['nc']}:{given['cnonce']}:auth:{a2}")


def digest_text(method: str = "POST") -> str:
    authentication = {"type": "digest", "username": "me", "password": "{{env.PASS}}"}
    return capability_text(method, "/things/{id}", authentication=authentication, variables=["PASS"])


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_digest_challenge_is_met_and_its_nonce_used_again(tmp_path: Path, algorithm: str, method: str) -> None:
    server = DigestServer(algorithm)
    path = write_capability(tmp_path, digest_text(method))
    async with (
        RecordingUpstream(server) as upstream,
        live(path, {"PASS": "s3cretpass"}, {"api": upstream.url}) as units,
    ):
        for name in ("1", "a b", "3"):
            assert await body_of(await units["act"].call({"id": name})) == OK
    assert (server.nonces, server.counts) == (1, ["00000001", "00000002", "00000003"])
    assert len(upstream.requests) == 4


async def test_a_wrong_digest_password_is_a_refusal_that_does_not_name_it(tmp_path: Path) -> None:
    path = write_capability(tmp_path, digest_text())
    async with (
        RecordingUpstream(DigestServer("SHA-256")) as upstream,
        live(path, {"PASS": "wr0ngpass"}, {"api": upstream.url}) as units,
    ):
        with pytest.raises(UpstreamRefused) as caught:
            await units["act"].call({"id": "1"})
    assert (caught.value.code, caught.value.outcome) == ("upstream-credentials", "refused")
    assert "wr0ngpass" not in repr(caught.value)
    assert len(upstream.requests) <= 3


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param("Digest", id="empty"),
        pytest.param('Digest realm="r"', id="no nonce"),
        pytest.param('Digest realm="r", nonce="n", algorithm=ROT13', id="unknown algorithm"),
        pytest.param('Digest realm="r", nonce="n", qop="auth-conf"', id="unknown quality"),
        pytest.param('Basic realm="r"', id="another scheme"),
    ],
)
async def test_a_challenge_that_cannot_be_met_is_a_refusal_or_no_http(tmp_path: Path, challenge: str) -> None:
    path = write_capability(tmp_path, digest_text())
    answer = reply(401, "who?", headers={"WWW-Authenticate": challenge})
    async with (
        RecordingUpstream(answer) as upstream,
        live(path, {"PASS": "s3cretpass"}, {"api": upstream.url}) as units,
    ):
        with pytest.raises(UpstreamError) as caught:
            await units["act"].call({"id": "1"})
    assert caught.value.code in ("upstream-credentials", "upstream-broken")
    assert "s3cretpass" not in repr(caught.value)
