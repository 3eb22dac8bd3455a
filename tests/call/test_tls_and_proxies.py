from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from capstan.errors import LoadError, UpstreamError
from capstan.plan.build import plan_file
from capstan.settings import read_settings
from support import (
    QUICK,
    Received,
    RecordingUpstream,
    body_of,
    capability_text,
    live,
    read_request,
    refusing,
    wired,
    write_capability,
)

OK = b'{"ok": true}'


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, its files, and a server that it vouches for."""

    ca: trustme.CA
    folder: Path
    server: ssl.SSLContext = field(default_factory=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def write(self) -> Authority:
        self.ca.cert_pem.write_to_path(self.folder / "ca.pem")
        self.ca.issue_cert("127.0.0.1", "localhost").configure_cert(self.server)
        client = self.ca.issue_cert("client@example.org")
        client.cert_chain_pems[0].write_to_path(self.folder / "client.pem")
        client.private_key_pem.write_to_path(self.folder / "client.key")
        return self


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(trustme.CA(), tmp_path).write()


# --- TLS


async def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(
    tmp_path: Path, authority: Authority
) -> None:
    async with wired(tmp_path, capability_text("POST", "/things"), tls=authority.server) as (upstream, unit):
        with pytest.raises(UpstreamError) as caught:
            await unit.call({})
        assert (caught.value.code, caught.value.outcome, caught.value.retry_safe) == ("upstream-tls", "not-sent", True)
        assert upstream.requests == []


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("elsewhere.example").configure_cert(context)
    text = capability_text("POST", "/things", tls={"caBundle": "ca.pem"})
    async with wired(tmp_path, text, tls=context) as (upstream, unit):
        with pytest.raises(UpstreamError) as caught:
            await unit.call({})
        assert caught.value.code == "upstream-tls"
        assert upstream.requests == []


async def test_a_server_that_speaks_no_tls_is_told_as_such(tmp_path: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
            await writer.drain()
            await reader.read()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    path = write_capability(tmp_path, capability_text("POST", "/things"))
    async with server, live(path, base_uris={"api": url}) as units:
        with pytest.raises(UpstreamError) as caught:
            await units["act"].call({})
        await asyncio.sleep(0.01)
    assert (caught.value.code, caught.value.outcome) == ("upstream-tls", "not-sent")


async def test_a_bundle_of_the_file_is_trusted(tmp_path: Path, authority: Authority) -> None:
    text = capability_text("GET", "/things", tls={"caBundle": "ca.pem"})
    async with wired(tmp_path, text, tls=authority.server) as (upstream, unit):
        for _ in range(2):
            assert await body_of(await unit.call({})) == OK
        assert upstream.connections == 1


async def test_a_client_certificate_is_presented(tmp_path: Path, authority: Authority) -> None:
    authority.server.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(authority.server)
    tls = {"caBundle": "ca.pem", "clientCertificate": "client.pem", "clientKey": "client.key"}
    async with wired(tmp_path, capability_text("GET", "/things", tls=tls), tls=authority.server) as (upstream, unit):
        assert await body_of(await unit.call({})) == OK
        assert ("email", "client@example.org") in {
            tuple(name) for name in upstream.peer_certificates[0]["subjectAltName"]
        }


async def test_a_key_is_opened_by_its_password(tmp_path: Path, authority: Authority) -> None:
    key = load_pem_private_key((tmp_path / "client.key").read_bytes(), None)
    secret = BestAvailableEncryption(b"open sesame")
    (tmp_path / "client.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    tls = {**BOUND_TLS, "clientKeyPassword": "{{env.PASSWORD}}"}
    text = capability_text("GET", "/things", tls=tls, variables=["CERT", "KEY", "PASSWORD"])
    environ = {"CERT": "client.pem", "KEY": "client.key", "PASSWORD": "open sesame"}
    authority.server.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(authority.server)
    async with wired(tmp_path, text, environ, tls=authority.server) as (_, unit):
        assert await body_of(await unit.call({})) == OK
    with pytest.raises(LoadError) as caught:
        plan_file(write_capability(tmp_path, text), {**environ, "PASSWORD": "wrong"})
    assert [problem.code for problem in caught.value.problems] == ["bad-certificate"]


BOUND_TLS = {"caBundle": "ca.pem", "clientCertificate": "{{env.CERT}}", "clientKey": "{{env.KEY}}"}


def bound_tls() -> str:
    """A capability whose client certificate is that of two variables which may be left out."""
    text = capability_text("GET", "/things", tls=BOUND_TLS, variables=["CERT", "KEY"])
    return text.replace("- namespace: env\n", "- namespace: env\n  defaults: {CERT: '', KEY: ''}\n")


@pytest.mark.parametrize(
    ("environ", "presented"),
    [
        pytest.param({"CERT": "client.pem", "KEY": "client.key"}, 1, id="set"),
        pytest.param({}, 0, id="not set"),
        pytest.param({"CERT": "", "KEY": ""}, 0, id="set to nothing"),
    ],
)
async def test_a_client_certificate_may_depend_on_a_binding(
    tmp_path: Path, authority: Authority, environ: dict[str, str], presented: int
) -> None:
    authority.server.verify_mode = ssl.CERT_OPTIONAL
    authority.ca.configure_trust(authority.server)
    async with wired(tmp_path, bound_tls(), environ, tls=authority.server) as (upstream, unit):
        assert await body_of(await unit.call({})) == OK
        assert sum(bool(certificate) for certificate in upstream.peer_certificates) == presented


def test_a_key_whose_certificate_is_empty_is_refused_at_start(tmp_path: Path, authority: Authority) -> None:
    path = write_capability(tmp_path, bound_tls())
    with pytest.raises(LoadError) as caught:
        plan_file(path, {"KEY": "client.key"})
    assert [problem.code for problem in caught.value.problems] == ["bad-certificate"]


async def test_a_missing_client_certificate_is_an_error_and_not_a_hang(tmp_path: Path, authority: Authority) -> None:
    authority.server.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(authority.server)
    text = capability_text("POST", "/things", tls={"caBundle": "ca.pem"})
    async with wired(tmp_path, text, tls=authority.server) as (upstream, unit):
        with pytest.raises(UpstreamError) as caught:
            await unit.call({})
        assert caught.value.code in ("upstream-tls", "upstream-broken")
        assert upstream.requests == []


# --- proxies


@dataclass
class Proxy:
    """A proxy that forwards plain requests and opens tunnels."""

    requests: list[Received] = field(default_factory=list)
    status: int = 200
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            request = await read_request(reader)
            self.requests.append(request)
            if self.status != 200:
                writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % self.status)
            elif request.method == "CONNECT":
                host, _, port = request.target.rpartition(":")
                there, back = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    found = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await found.serve(reader, writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=2)
        assert not late
    await server.wait_closed()


async def through(tmp_path: Path, base: str, proxies: dict[str, str], **keywords: Any) -> bytes:
    """What a call to a host brings with these proxies."""
    path = write_capability(tmp_path, capability_text("GET", "/things", **keywords))
    settings = replace(QUICK, proxies=proxies)
    async with live(path, base_uris={"api": base}, settings=settings) as units:
        return await body_of(await units["act"].call({}))


async def test_a_plain_request_goes_to_the_proxy_with_its_whole_address(tmp_path: Path, proxy: Proxy) -> None:
    assert await through(tmp_path, "http://api.invalid/v1", {"http": proxy.url}) == b"proxy"
    assert proxy.requests[0].target == "http://api.invalid/v1/things"


async def test_all_proxy_serves_every_scheme(tmp_path: Path, proxy: Proxy) -> None:
    assert await through(tmp_path, "http://api.invalid", {"all": proxy.url}) == b"proxy"


async def test_credentials_of_the_proxy_go_to_the_proxy(tmp_path: Path, proxy: Proxy) -> None:
    await through(tmp_path, "http://api.invalid", {"http": proxy.url.replace("//", "//me:secret@")})
    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    assert proxy.requests[0].header("Proxy-Authorization") == expected
    assert proxy.requests[0].header("Authorization") is None


@pytest.mark.parametrize("no", ["api.invalid", ".invalid", "x,api.invalid:80", "*"])
async def test_no_proxy_is_obeyed(tmp_path: Path, proxy: Proxy, no: str) -> None:
    with pytest.raises(UpstreamError, match="no address"):
        await through(tmp_path, "http://api.invalid:80", {"http": proxy.url, "no": no})
    assert proxy.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_loopback_is_never_proxied(tmp_path: Path, proxy: Proxy, host: str) -> None:
    async with RecordingUpstream() as upstream:
        base = upstream.url.replace("127.0.0.1", host)
        assert await through(tmp_path, base, {"http": proxy.url, "all": proxy.url}) == OK
    assert proxy.requests == []


def test_proxies_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("no_proxy", "internal")
    assert read_settings({}).proxies == {"https": "http://proxy:1", "no": "internal"}


async def test_https_goes_through_a_tunnel_that_the_proxy_cannot_look_into(
    tmp_path: Path, authority: Authority, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from capstan.call import upstream as module

    monkeypatch.setattr(module, "is_loopback", lambda _: False)
    async with RecordingUpstream(tls=authority.server) as upstream:
        tls = {"caBundle": "ca.pem"}
        assert await through(tmp_path, upstream.url, {"https": proxy.url}, tls=tls) == OK
        assert [(r.method, r.target) for r in proxy.requests] == [("CONNECT", f"127.0.0.1:{upstream.port}")]
        with pytest.raises(UpstreamError) as caught:
            await through(tmp_path, upstream.url, {"https": proxy.url})
        assert caught.value.code == "upstream-tls"


async def test_a_proxy_that_is_away_or_says_no_means_nothing_was_sent(tmp_path: Path, proxy: Proxy) -> None:
    proxy.status = 407
    with refusing() as url:
        for proxies in ({"https": proxy.url}, {"https": url}, {"https": "no url"}, {"https": "socks5://127.0.0.1:1"}):
            with pytest.raises(UpstreamError) as caught:
                await through(tmp_path, "https://api.invalid", proxies)
            assert (caught.value.code, caught.value.outcome) == ("upstream-unreachable", "not-sent")
            assert caught.value.retry_safe


async def test_the_token_endpoint_is_reached_through_the_proxy_too(tmp_path: Path, proxy: Proxy) -> None:
    oauth = {"type": "oauth2", "tokenUri": "http://login.invalid/token", "clientId": "me", "clientSecret": "s"}
    with pytest.raises(UpstreamError) as caught:
        await through(tmp_path, "http://api.invalid", {"http": proxy.url}, authentication=oauth)
    assert caught.value.code == "upstream-auth"
    assert [r.target for r in proxy.requests] == ["http://login.invalid/token"]
