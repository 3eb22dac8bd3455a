"""Requests that are passed through: a plan and the caller's part of a request -> the consumed API's own answer.

Of the caller come the method, the segments that are left of the path, the query, the body and the headers that the file
trusts. None of them can lead out of the baseUri: whatever some server might read as a way up is refused before anything
is sent.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, unquote_plus

from capstan.call.refusal import refusal_of
from capstan.call.subpath import path_below
from capstan.call.upstream import Upstream, UpstreamResponse, may_repeat
from capstan.errors import BindError, CallError, UpstreamError
from capstan.load.model import Effect
from capstan.plan.request import FORBIDDEN_IN_HEADER, OF_CONNECTION, HttpRequest, effect_of
from capstan.plan.types import CallPlan, ForwardPlan

# What is said of a body belongs to it: without its encoding it could not be read, and without its range a part of a
# thing would take the place of the whole.
_OF_BODY: Final = {
    "content-type": "Content-Type", "content-encoding": "Content-Encoding", "content-language": "Content-Language",
    "content-disposition": "Content-Disposition", "content-range": "Content-Range",
}  # fmt: skip
# A change on a condition must not become one without it.
_CONDITIONS: Final = frozenset({"if-match", "if-none-match", "if-unmodified-since", "if-modified-since", "if"})
# Of the answer: what belongs to one connection, or to another server's place in the world. Our own server gives its
# date, the door its rules for other origins, and neither cookies nor challenges of our session with the API are a
# caller's.
_KEPT_BACK: Final = OF_CONNECTION | {
    "proxy-authenticate", "proxy-authentication-info", "date",
    "alt-svc", "strict-transport-security", "clear-site-data", "public-key-pins",
    "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-headers",
    "access-control-allow-methods", "access-control-expose-headers", "access-control-max-age",
}  # fmt: skip
_CHALLENGES: Final = frozenset({"www-authenticate", "authentication-info"})
_COOKIES: Final = frozenset({"set-cookie", "set-cookie2"})
_OF_ENCODED: Final = frozenset({"content-encoding", "content-digest", "repr-digest", "digest", "content-md5"})

_QUERY: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "#")
_NAMES: Final = re.compile("[&;]")


class Upload:
    """A body on its way from a caller, taken piece by piece as the consumed API takes it."""

    def __init__(
        self, receive: Callable[[], Awaitable[tuple[bytes, bool] | None]], length: int | None, limit: int
    ) -> None:
        """`receive` gives a piece and whether more will come, and None when the caller has left."""
        self.length, self.complete = length, False
        self.fault: BindError | None = None
        self._receive, self._limit = receive, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        while not self.complete:
            received = await self._receive()
            if received is None:
                raise self._fail("client-gone", "the caller closed the connection before its request was complete", 400)
            piece, more = received
            total += len(piece)
            if total > self._limit:
                raise self._fail("request-too-large", f"the request body is larger than {self._limit:,} bytes", 413)
            self.complete = not more
            if piece:
                yield piece

    async def read(self) -> bytes:
        """All of it, for a request that is not under way yet.

        Raises:
            BindError: it breaks off.
        """
        try:
            return b"".join([piece async for piece in self])
        except BindError as error:
            error.outcome, error.retry_safe = "not-sent", True
            raise

    def _fail(self, code: str, message: str, status: int) -> BindError:
        # The API has the head of the request and a part of its body: most will do nothing, but nobody knows.
        self.fault = BindError(code, message, outcome="unknown", retry_safe=False, status=status)
        return self.fault


class LiveForward:
    """One forward with everything its requests need."""

    def __init__(self, plan: ForwardPlan, upstream: Upstream) -> None:
        self.plan = plan
        self._upstream = upstream
        base = plan.call.request.bind({})
        self._base, _, self._query = base.url.partition("?")
        self._fixed = base.headers
        self._cookies = {parameter.name for parameter in plan.call.request.cookies}
        self._trusted = {name.lower(): name for name in plan.trusted}
        self._ours = {_folded(parameter.name): parameter.name for parameter in plan.call.request.query}
        dropped = _KEPT_BACK if "cookie" in self._trusted else _KEPT_BACK | _COOKIES
        self._dropped = dropped if not plan.guarded else dropped | _CHALLENGES
        effects: tuple[Effect, ...] = ("read", "write", "irreversible")
        self._whole = {effect: replace(plan.call, effect=effect) for effect in effects}
        # What streams is gone once it is sent: it cannot be sent again, even where that would be safe.
        self._streaming = {
            effect: replace(plan.call, effect="write" if effect == "read" else effect, idempotency_header=None)
            for effect in effects
        }

    def bind(
        self,
        method: str,
        rest: Sequence[bytes],
        query: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes | Upload | None,
    ) -> HttpRequest:
        """One request, from the caller's part of it; `rest` are the segments that are left, as they came.

        Raises:
            BindError: it would lead elsewhere, or would not be what the caller meant.
        """
        url = self._base + path_below(rest)
        if texts := [text for text in (self._own_query(query), self._query) if text]:
            url += "?" + "&".join(texts)
        elif url == self._base and url.count("/") == 2:  # a host alone; `*` would be asked for with OPTIONS
            url += "/"
        return HttpRequest(method, url, tuple(self._headers(method, headers, body)), body)

    def _own_query(self, query: bytes) -> str:
        text = quote(query, safe=_QUERY)
        names = {_folded(unquote_plus(pair.partition("=")[0])) for pair in _NAMES.split(text)} if self._ours else ()
        for name in names:
            if name in self._ours:
                given = self._ours[name]
                raise BindError("bad-argument", f"'{given}' is not the caller's to give", argument=given)
        missing = [f"{quote(n, safe='-._~')}={quote(v, safe='-._~')}" for n, v in self._query_defaults(text)]
        return "&".join([text, *missing] if text else missing)

    def _query_defaults(self, text: str) -> list[tuple[str, str]]:
        if not self.plan.query_defaults:
            return []
        given = {unquote_plus(pair.partition("=")[0]) for pair in text.split("&")}
        return [(name, value) for name, value in self.plan.query_defaults if name not in given]

    def _headers(
        self, method: str, headers: Iterable[tuple[bytes, bytes]], body: bytes | Upload | None
    ) -> list[tuple[str, str]]:
        taken: dict[str, list[str]] = {}
        of_connection: set[str] = set()
        for key, value in headers:
            name = key.decode("latin-1").lower()
            if name == "connection":
                of_connection |= {token.strip().lower() for token in value.decode("latin-1").split(",")}
            elif name in self._trusted or (body is not None and name in _OF_BODY):
                taken.setdefault(name, []).append(_header_text(value, name))
            elif (name in _CONDITIONS or "idempotency" in name) and effect_of(method) != "read":
                raise BindError(
                    "untrusted-header", f"the header '{name}' is not passed on here, and the request means less "
                    "without it", hint="leave it out, or name it in 'trustedHeaders'", argument=name,
                )  # fmt: skip
        for name in of_connection - _OF_BODY.keys():
            taken.pop(name, None)
        found = [(name, value) for name, value in self.plan.header_defaults if name.lower() not in taken]
        for name, values in taken.items():
            spelled = self._trusted.get(name) or _OF_BODY[name]
            found.append((spelled, ("; " if name == "cookie" else ", ").join(values)))
        found.append(("Accept-Encoding", "identity"))  # bytes, lengths, ranges and tags stay those of the API
        if isinstance(body, Upload) and body.length is not None:
            found.append(("Content-Length", str(body.length)))
        return [*found, *(self._with_cookies(pair, taken.get("cookie", ())) for pair in self._fixed)]

    def _with_cookies(self, pair: tuple[str, str], given: Iterable[str]) -> tuple[str, str]:
        """Our cookies after the caller's, of whom none bears the name of one of ours."""
        name, value = pair
        if name != "Cookie" or not given:
            return pair
        kept = [
            c.strip() for text in given for c in text.split(";") if c.partition("=")[0].strip() not in self._cookies
        ]
        return name, "; ".join([*filter(None, kept), value])

    async def send(self, request: HttpRequest) -> UpstreamResponse:
        """Send it and wait for the head of the answer, whatever its status but 401.

        Raises:
            CallError: no answer could be had, or it refuses our credentials.
        """
        plan = self._call(request)
        try:
            response = await self._upstream.send(plan, request)
        except UpstreamError as error:
            if (fault := fault_of(request)) is not None:
                raise fault from error
            raise
        if response.status in (401, 407) and self.plan.guarded:
            try:
                raise await refusal_of(plan, request, response)
            finally:
                response.close()
        if not 200 <= response.status < 600:
            response.close()
            message = f"'{plan.api.namespace}' answered with the status {response.status}"
            raise UpstreamError("upstream-broken", message, "unknown", may_repeat(plan, request))
        return response

    def _call(self, request: HttpRequest) -> CallPlan:
        plans = self._streaming if isinstance(request.body, Upload) else self._whole
        return plans[effect_of(request.method)]

    def headers_of(self, response: UpstreamResponse) -> tuple[tuple[str, str], ...]:
        """The headers of an answer that are the caller's too."""
        found = response.headers
        dropped = set(self._dropped)
        for name, value in found:
            if name.lower() == "connection":
                dropped |= {token.strip().lower() for token in value.split(",")}
        if not response.is_encoded:
            return tuple((name, value) for name, value in found if name.lower() not in dropped)
        dropped |= _OF_ENCODED  # the body is decoded here: no secret is found in a compressed one
        return tuple(
            (name, f"W/{value}" if name.lower() == "etag" and value.startswith('"') else value)
            for name, value in found
            if name.lower() not in dropped
        )


def fault_of(request: HttpRequest) -> CallError | None:
    """What went wrong with the caller's body, if that is what ended the call."""
    return request.body.fault if isinstance(request.body, Upload) else None


def _folded(name: str) -> str:
    """A name as any server might read it: it may mind no case, take `a[]` or `a.b` for `a` and `a_b`, end at U+0000."""
    name = name.partition("\0")[0].strip().partition("[")[0]
    return name.replace(".", "_").replace(" ", "_").replace("-", "_").lower()


def _header_text(value: bytes, name: str) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BindError("bad-argument", f"the header '{name}' is not UTF-8", argument=name) from error
    if FORBIDDEN_IN_HEADER.search(text):
        raise BindError("bad-argument", f"the header '{name}' holds a control character", argument=name)
    return text
