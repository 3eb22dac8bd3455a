"""Requests to hosts that another origin answers for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from capstan.call.stand_ins import StandIns
from capstan.call.upstream import Upstream
from capstan.errors import UpstreamError
from capstan.settings import read_settings
from support import QUICK, Received, RecordingUpstream, body_of, capability_text, live, reply, write_capability

OK = b'{"ok": true}'
ID = {"name": "id", "in": "path", "type": "string", "required": True}
TOKEN = reply(data={"access_token": "tok-1-abcdef", "token_type": "bearer", "expires_in": 3600})


async def sent(folder: Path, base: str, host: str = "api.invalid", **keywords: object) -> Received:
    """The request that a stand-in for `host` gets, for a call to `base`."""
    async with RecordingUpstream() as upstream:
        path = write_capability(folder, capability_text(inputs=[ID], base_uri=base))
        settings = replace(QUICK, stand_ins={host: upstream.url}, **keywords)  # type: ignore[arg-type]
        async with live(path, settings=settings) as units:
            assert await body_of(await units["act"].call({"id": "a/b c"})) == OK
        (request,) = upstream.requests
        return request


@pytest.mark.parametrize(
    ("base", "host"),
    [
        pytest.param("https://api.invalid/v1", "api.invalid", id="https"),
        pytest.param("http://api.invalid/v1", "api.invalid", id="http"),
        pytest.param("https://API.invalid/v1", "api.invalid", id="in capitals"),
        pytest.param("https://api.invalid:443/v1", "api.invalid", id="the usual port"),
        pytest.param("https://api.invalid:8443/v1", "api.invalid:8443", id="another port"),
    ],
)
async def test_a_stand_in_gets_the_request_as_the_host_would(tmp_path: Path, base: str, host: str) -> None:
    request = await sent(tmp_path, base)
    assert (request.target, request.all("Host")) == ("/v1/things/a%2Fb%20c", [host])


async def test_the_name_of_a_host_may_end_in_a_dot(tmp_path: Path) -> None:
    assert (await sent(tmp_path, "https://api.invalid./v1")).target.startswith("/v1/")


async def test_a_stand_in_is_named_in_any_case_and_with_a_slash(tmp_path: Path) -> None:
    assert (await sent(tmp_path, "https://api.invalid/v1", "API.Invalid")).header("Host") == "api.invalid"


async def test_a_proxy_takes_no_part(tmp_path: Path) -> None:
    async with RecordingUpstream() as proxy:
        await sent(tmp_path, "https://api.invalid/v1", proxies={"http": proxy.url, "https": proxy.url})
        assert proxy.requests == []


async def test_another_host_is_called_itself(tmp_path: Path) -> None:
    async with RecordingUpstream() as stand_in, RecordingUpstream() as api:
        path = write_capability(tmp_path, capability_text("GET", "/things", base_uri=api.url))
        async with live(path, settings=replace(QUICK, stand_ins={"api.invalid": stand_in.url})) as units:
            assert await body_of(await units["act"].call({})) == OK
        assert (len(api.requests), stand_in.requests) == (1, [])
        assert api.requests[0].header("Host") == api.url.removeprefix("http://")


async def test_a_stand_in_that_does_not_listen_is_no_reason_to_call_the_host(tmp_path: Path) -> None:
    path = write_capability(tmp_path, capability_text("GET", "/things", base_uri="https://api.invalid"))
    async with live(path, settings=replace(QUICK, stand_ins={"api.invalid": "http://127.0.0.1:1"})) as units:
        with pytest.raises(UpstreamError, match="cannot be reached: Connection refused"):
            await units["act"].call({})


async def test_a_token_is_fetched_from_the_stand_in_of_its_endpoint(tmp_path: Path) -> None:
    auth = {"type": "oauth2", "tokenUri": "https://login.invalid/token?tenant=a", "clientId": "id", "clientSecret": "s"}
    async with RecordingUpstream() as api, RecordingUpstream(TOKEN) as login:
        path = write_capability(
            tmp_path, capability_text("GET", "/things", base_uri="https://api.invalid", authentication=auth)
        )
        settings = replace(QUICK, stand_ins={"api.invalid": api.url, "login.invalid": login.url})
        async with live(path, settings=settings) as units:
            assert await body_of(await units["act"].call({})) == OK
        assert (login.requests[0].target, login.requests[0].header("Host")) == ("/token?tenant=a", "login.invalid")
        assert api.requests[0].header("Authorization") == "Bearer tok-1-abcdef"


async def test_without_stand_ins_nothing_stands_between_a_call_and_its_session(tmp_path: Path) -> None:
    for stand_ins, kind in (({}, aiohttp.ClientSession), ({"a": "http://127.0.0.1:1"}, StandIns)):
        async with live(
            write_capability(tmp_path, capability_text("GET", "/things")), settings=replace(QUICK, stand_ins=stand_ins)
        ) as units:
            upstream = units["act"]._upstream
            assert isinstance(upstream, Upstream)
            assert type(upstream._open()) is kind


def test_stand_ins_are_no_variable_of_the_environment() -> None:
    assert read_settings({"CAPSTAN_STAND_INS": "1"}).stand_ins == {}
