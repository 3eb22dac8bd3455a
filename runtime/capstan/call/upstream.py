"""Pooled connections to consumed APIs. The HTTP library's errors become ours here, and here only.

Limits and waits come from Settings. Redirects are not followed, and nothing is sent twice but a read whose kept-alive
connection closed before an answer came.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Final
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # public, but for the stubs

import aiohttp
from yarl import URL

from capstan.call.auth import AuthError, Authorizer, Digest, open_authorizer
from capstan.call.connection import QuietConnector
from capstan.call.decompress import ACCEPTED, DecodeError, Decoder, open_decoder
from capstan.call.masking import Mask
from capstan.call.stand_ins import Session, StandIns
from capstan.errors import UpstreamError, UpstreamTimeout
from capstan.plan.auth import DigestPlan
from capstan.plan.request import HttpRequest
from capstan.plan.tls import open_context
from capstan.plan.types import ApiPlan, CallPlan
from capstan.plan.values import Secret
from capstan.resources import VERSION
from capstan.settings import Settings, is_loopback

USER_AGENT: Final = f"capstan/{VERSION}"
_KEEP_ALIVE_SECONDS: Final = 4.0  # below the 5 s after which common servers close an idle connection
# Of an upstream's headers, those that tell a caller how to go on. Identifiers (`Capture-Id`) and limits pass by name.
_PASSED: Final = frozenset({
    "location", "content-disposition", "content-language", "etag", "last-modified", "retry-after", "link",
    "x-total-count", "allow",
})  # fmt: skip


class UpstreamResponse:
    """A status, headers, and a body that has not been read yet."""

    def __init__(self, response: aiohttp.ClientResponse, plan: CallPlan, request: HttpRequest, mask: Mask) -> None:
        self._response, self._plan, self._request, self._mask = response, plan, request, mask
        self.status = response.status
        self.media_type = mask.text(response.headers.get("Content-Type", ""))
        self.taken = 0  # bytes of the body that `read` gave

    @property
    def passed_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that are given on."""
        found = []
        for name, value in self._response.headers.items():
            key = name.lower()
            if key in _PASSED or key.endswith("-id") or "ratelimit" in key or "rate-limit" in key:
                text = self._mask.text(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
                found.append((name, text))
        return tuple(found)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """All of them, masked; bytes that are not UTF-8 stay as surrogates."""
        return tuple((name, self._mask.text(value)) for name, value in self._response.headers.items())

    @property
    def is_encoded(self) -> bool:
        """Whether the body has to be decoded on its way."""
        return self._response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity")

    @property
    def content_length(self) -> int | None:
        """How long the decoded body will be, when that is known beforehand."""
        if self._response.headers.get("Content-Encoding"):
            return None
        return self._response.content_length

    async def read(self, limit: int) -> bytes:
        """The whole body, decoded.

        Raises:
            UpstreamError: it is larger than `limit`, breaks off, or is not encoded as it says.
        """
        length = self.content_length
        if length is None or length > limit:
            pieces = [piece async for piece in self._pieces(limit)]
            body = self._mask.data(b"".join(pieces))
            self.taken = len(body)
            return body
        self.taken = length
        try:
            return self._mask.data(await self._response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._response.close()
            raise _translate(error, self._plan, self._request, answered=self.status) from error

    def refuse_in_all(self, taken: int, limit: int) -> None:
        """Raise an UpstreamError where several answers are larger together than they may be."""
        if taken > limit:
            raise self._broken("answer-too-large", f"gave answers of more than {limit:,} bytes in one flow")

    def refuse_longer(self, limit: int) -> None:
        """Raise an UpstreamError where the body is announced as longer."""
        length = self.content_length
        if length is not None and length > limit:
            raise self._broken("answer-too-large", f"answers with {length:,} bytes, more than the {limit:,} allowed")

    async def pieces(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it arrives, decoded and masked across the borders of its pieces.

        Raises:
            UpstreamError: as `read`, when that shows.
        """
        mask, overlap = self._mask, self._mask.overlap
        window, given = b"", 0  # what came last, unmasked, and how much at its beginning has been given on
        async for piece in self._pieces(limit):
            window += piece
            cut = len(window) - mask.open_end(window)
            if cut > given:
                yield mask.data(window)[given:cut]
                start = max(0, cut - overlap)  # a secret that ends beyond the cut must be seen whole once more
                window, given = window[start:], cut - start
        if len(window) > given:
            yield mask.data(window)[given:]

    async def read_some(self, limit: int) -> bytes:
        """The beginning of an error body; what is wrong with the rest does not matter."""
        taken, overlap = bytearray(), self._mask.overlap
        try:
            async with contextlib.aclosing(self._pieces(sys.maxsize)) as pieces:
                async for piece in pieces:
                    taken += piece
                    if len(taken) >= limit + overlap:
                        break
        except UpstreamError:  # what is last may be the beginning of a secret
            limit = min(limit, max(0, len(taken) - overlap))
        return self._mask.data(bytes(taken))[:limit]

    async def _pieces(self, limit: int) -> AsyncGenerator[bytes]:
        total = 0
        try:
            decoder = open_decoder(", ".join(self._response.headers.getall("Content-Encoding", ())))
            async for raw in self._response.content.iter_any():
                for piece in (raw,) if decoder is None else decoder.feed(raw):
                    total += len(piece)
                    if total > limit:
                        raise self._broken("answer-too-large", f"answers with more than {limit:,} bytes")
                    yield piece
            _finish(decoder)
        except DecodeError as error:
            raise self._broken("upstream-broken", f"sent a body that cannot be decoded: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._response.close()
            raise _translate(error, self._plan, self._request, answered=self.status) from error

    def _broken(self, code: str, what: str) -> UpstreamError:
        self._response.close()
        happened = 200 <= self.status < 300
        return UpstreamError(
            code, f"'{self._plan.api.namespace}' {what}",
            outcome="done" if happened else "unknown", retry_safe=may_repeat(self._plan, self._request),
        )  # fmt: skip

    def masked(self, value: Any) -> Any:
        """Decoded data without secrets: a spelling that bytes did not show may have been decoded into one."""
        return self._mask.value(value)

    def close(self) -> None:
        """Give the connection up; a body that was read whole has given it back already."""
        self._response.close()


def _finish(decoder: Decoder | None) -> None:
    if decoder is not None:
        decoder.finish()


class Upstream:
    """The connections to one consumed API."""

    def __init__(self, api: ApiPlan, settings: Settings, mask: Mask) -> None:
        self._api, self._settings, self._mask = api, settings, mask
        self._known = mask
        self._tokens: tuple[str, ...] = ("",)  # a fetched token is as secret as what the file binds
        self._session: Session | None = None
        self._authorizer: Authorizer | None = open_authorizer(api.auth)
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def send(self, plan: CallPlan, request: HttpRequest) -> UpstreamResponse:
        """Send one request and wait for the head of its answer.

        Raises:
            UpstreamError: no answer could be had; `.outcome` says what is known.
        """
        session = self._session or self._open()
        headers = dict_of(request.headers)
        if self._authorizer is not None:
            headers = dict_of((*request.headers, ("Authorization", await self._token(self._authorizer, session))))
        response = await self._exchange(session, plan, request, headers)
        if response.status == 401 and self._authorizer is not None:
            # A token can expire between two calls. What changes something is not sent again even so.
            self._authorizer.forget(headers["Authorization"])
        if response.status == 401 and self._authorizer is not None and may_repeat(plan, request):
            response.close()
            try:
                headers["Authorization"] = await self._token(self._authorizer, session)
            except UpstreamError as error:
                error.outcome = "refused"  # the first try was sent
                raise
            response = await self._exchange(session, plan, request, headers)
        return UpstreamResponse(response, plan, request, self._mask)

    async def _exchange(
        self, session: Session, plan: CallPlan, request: HttpRequest, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        try:
            url = URL(request.url, encoded=True)
        except ValueError as error:
            raise _translate(aiohttp.InvalidURL(plan.api.namespace), plan, request) from error
        proxy = self._proxy(url)
        for last in (False, True) if plan.effect == "read" else (True,):
            try:
                return await session.request(
                    request.method, url, headers=headers, data=request.body, allow_redirects=False, proxy=proxy
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if last or isinstance(error, aiohttp.ClientConnectorError):
                    raise _translate(error, plan, request) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise _translate(error, plan, request) from error
            except ValueError as error:  # a host that no name can be, a credential with a line break: nothing was sent
                message = f"no request to '{plan.api.namespace}' can be made: its host or a header is malformed"
                raise UpstreamError("upstream-unreachable", message) from error
        raise AssertionError("the last try returns or raises")

    async def _token(self, authorizer: Authorizer, session: Session) -> str:
        try:
            token = await authorizer.header(session, self._proxy(URL(authorizer.token_uri)))
        except (AuthError, ValueError) as error:
            reason = str(error) if isinstance(error, AuthError) else "the address of the token endpoint is not a URL"
            message = f"no token for '{self._api.namespace}': {self._mask.text(reason)}"
            raise UpstreamError("upstream-auth", message, outcome="not-sent", retry_safe=True) from error
        if token != self._tokens[-1]:
            self._tokens = (*self._tokens[-1:], token)  # the last one may still be under way
            self._mask = self._known.also(Secret(t.partition(" ")[2], "token") for t in self._tokens)
        return token

    def _open(self) -> Session:
        settings = self._settings
        timeout = aiohttp.ClientTimeout(
            total=settings.total_timeout_seconds,
            connect=settings.connect_timeout_seconds,
            sock_read=settings.read_timeout_seconds,
        )
        connector = QuietConnector(
            limit=settings.max_connections,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            ssl=open_context(self._api.tls),
        )
        auth = self._api.auth
        digest = (
            (Digest(auth.username.reveal(), auth.password.reveal(), preemptive=True),)
            if isinstance(auth, DigestPlan)
            else ()
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type",),  # of a body that is not there
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": ACCEPTED},
            middlewares=digest,
        )
        # The library repeats a PUT or DELETE whose connection closes under it, by the letter of HTTP. These move money.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        self._session = StandIns(session, settings.stand_ins) if settings.stand_ins else session
        return self._session

    def _proxy(self, url: URL) -> str | None:
        """The proxy of the environment for a host; loopback is never proxied."""
        if not self._settings.proxies:
            return None
        key = (url.scheme, url.authority)
        if key not in self._proxies:
            proxies = dict(self._settings.proxies)
            bypassed = is_loopback(url.host or "") or proxy_bypass_environment(url.authority, proxies)
            self._proxies[key] = None if bypassed else proxies.get(url.scheme) or proxies.get("all")
        return self._proxies[key]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def dict_of(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Headers for sending: of two that differ only in case, the later one."""
    seen: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        seen[name.lower()] = (name, value)
    return dict(seen.values())


def may_repeat(plan: CallPlan, request: HttpRequest) -> bool:
    """Whether sending the request again cannot make its effect happen twice."""
    if plan.effect == "read":
        return True
    key = plan.idempotency_header
    return key is not None and any(name == key and value for name, value in request.headers)


def _translate(
    error: BaseException, plan: CallPlan, request: HttpRequest, answered: int | None = None
) -> UpstreamError:
    """The library's exception -> ours, with what is known of the effect."""
    name = f"'{plan.api.namespace}'"
    repeat = may_repeat(plan, request)
    happened: Any = "done" if answered is not None and 200 <= answered < 300 else "unknown"
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return UpstreamError(
                "upstream-tls", f"{name} cannot be trusted: its TLS certificate, or what it speaks", retry_safe=True
            )
        case aiohttp.ClientProxyConnectionError():
            return UpstreamError("upstream-unreachable", f"the proxy towards {name} cannot be reached")
        case aiohttp.ClientHttpProxyError():
            return UpstreamError("upstream-unreachable", f"the proxy towards {name} refused the connection")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamError("upstream-unreachable", f"the host of {name} has no address")
        case aiohttp.ConnectionTimeoutError():
            return UpstreamTimeout("upstream-timeout", f"{name} did not take a connection in time")
        case aiohttp.ClientConnectorError():
            reason = os.strerror(error.errno) if error.errno else "no connection"
            return UpstreamError("upstream-unreachable", f"{name} cannot be reached: {reason}")
        case TimeoutError():
            what = "did not finish its answer in time" if answered is not None else "did not answer in time"
            return UpstreamTimeout("upstream-timeout", f"{name} {what}", happened, repeat)
        case aiohttp.ClientResponseError():
            return UpstreamError("upstream-broken", f"{name} did not keep to HTTP", "unknown", repeat)
        case aiohttp.ClientPayloadError():
            return UpstreamError("upstream-broken", f"{name} broke its answer off", happened, repeat)
        case aiohttp.InvalidURL():
            return UpstreamError("upstream-unreachable", f"the address of {name} is not a URL")
        case asyncio.CancelledError():
            raise error
    return UpstreamError("upstream-broken", f"{name} closed the connection without an answer", happened, repeat)
