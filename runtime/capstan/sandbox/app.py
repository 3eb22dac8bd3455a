"""The ASGI application: one request through credentials, limits, faults, idempotency and its handler."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.clock import Clock
from capstan.sandbox.control import OPERATOR
from capstan.sandbox.deliveries import Deliveries, enqueue
from capstan.sandbox.faults import Fault, Faults
from capstan.sandbox.hosts import HOSTS
from capstan.sandbox.idempotency import remember, remembered
from capstan.sandbox.limits import Limits, quota_headers
from capstan.sandbox.near import is_here
from capstan.sandbox.state import EVERYBODY, State
from capstan.sandbox.web import MAX_BODY, Answer, Call, Family, Refusal, Request, Route, RouteTable

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Sweep = Callable[[Call], None]  # what time changes by itself: what is then over, and who must be told

_MAX_HEADER: Final = 6 * 1024
_MAX_HEADERS: Final = 20 * 1024
_LONG_HEADERS: Final = {b"klarna-interoperability-token": len("klarna-interoperability-token") + 8192}


class Cut(Exception):
    """The connection is to break off."""


class App:
    """A sandbox that listens nowhere yet."""

    def __init__(
        self,
        state: State,
        fallback: Callable[[Request], Family],
        *,
        sweeps: Sequence[Sweep] = (),
        fill: Callable[[App], None] | None = None,
        rate_limits: bool = False,
    ) -> None:
        self.state, self.clock, self.faults = state, Clock(), Faults()
        self.accounts = Accounts(state)
        self.limits = Limits(enforced=rate_limits)
        self.deliveries = Deliveries(state, self.clock)
        self.table = RouteTable([])
        self.public_url = "http://localhost"  # where a browser finds the sandbox
        self.capstan_url: str | None = None  # where its pages find Capstan's REST routes, if it was told
        self.is_local = False  # whether it listens for this machine only
        self._fallback = fallback  # whose errors are spoken where there is no route
        self._sweeps, self._fill = sweeps, fill
        self._under_way: set[tuple[str, str]] = set()  # idempotency keys of requests being worked on
        self.restore()

    def reset(self) -> None:
        """Begin anew."""
        self.state.clear()
        self.faults.rules.clear()
        self.restore()
        self.fill()

    def fill(self) -> None:
        """Put sample data in, where there is nothing yet; whoever assembled the application said what."""
        if self._fill is not None:
            self._fill(self)

    def restore(self) -> None:
        """Take up the accounts and the time that the state knows."""
        self.accounts.read()
        ahead = self.state.transaction().get(EVERYBODY, "clock", "ahead") or {"seconds": 0.0}
        self.clock.ahead = timedelta(seconds=ahead["seconds"])

    def serve_routes(self, routes: list[Route]) -> None:
        self.table = RouteTable(routes)

    def internal_call(self, account: Account) -> Call:
        """A call that no request made, for what the sandbox does by itself."""
        request = Request("", "", (), {}, {}, b"", "")
        return Call(
            request, {}, account, self.accounts, self.state.transaction(), self.clock, self.clock.now(),
            str(uuid.uuid4()), self.public_url,
        )  # fmt: skip

    def settle(self, call: Call) -> None:
        """Store what a call did, and send what it wants sent."""
        queued = [enqueue(call.state, delivery, self.clock.now()) for delivery in call.outbox]
        call.state.commit()
        if queued:
            self.deliveries.expect(queued)

    # --- time

    def look_after(self, call: Call) -> None:
        """Run every sweep as every account."""
        for account in self.accounts.all():
            for sweep in self._sweeps:
                sweep(replace(call, account=account))

    def look_after_all(self) -> None:
        """What time changes without a request: expiries and their messages."""
        call = self.internal_call(OPERATOR)
        self.look_after(call)
        self.settle(call)

    # --- HTTP

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            request = await _read(scope, receive, self._max_body)
            answer = await self.respond(request)
        except Refusal as refusal:  # it could not even be read
            request = _head(scope, b"")
            correlation_id, family = str(uuid.uuid4()), self._fallback(request)
            answer = _with(family.refuse(refusal, correlation_id), family.headers(correlation_id))
        except Cut:
            # The server offers no way to break off: its `send` belongs to the object that holds the socket.
            send.__self__.transport.abort()  # type: ignore[attr-defined]
            while (await receive())["type"] != "http.disconnect":
                pass  # or it would say that there was no answer
            return
        payload = answer.payload()
        headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
        if answer.body is not None:
            headers.append((b"content-type", answer.media_type.encode()))
        if answer.status != 204:
            headers.append((b"content-length", str(len(payload)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else payload})

    def _max_body(self, scope: Scope) -> int:
        """How large the body of a request may be; only asked where it is larger than usual."""
        found = self.table.find(_head(scope, b"").segments)
        route = found[0].get(scope["method"]) if found is not None else None
        return route.max_body if route is not None else MAX_BODY

    # --- one request

    async def respond(self, request: Request) -> Answer:
        """The answer to a request, after its effect is stored.

        Raises:
            Cut: the connection is to break off instead.
        """
        correlation_id = str(uuid.uuid4())
        found = self.table.find(request.segments)
        route = found[0].get(request.method) if found is not None else None
        family = route.family if route is not None else self._fallback(request)
        try:
            if found is None or route is None:
                raise _no_route(request, known=found is not None)
            call = self._call(request, route, found[1], correlation_id)
            answer = await self._limited(call, route)
        except Refusal as refusal:
            answer = family.refuse(refusal, correlation_id)
        except Cut:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the others go on
            logger.error(  # noqa: TRY400 - the log shows no traces
                "%s %s failed; nothing of it is kept: %r", request.method, request.path, fault
            )
            self.restore()  # nor in memory, where the time may have moved on
            answer = family.refuse(Refusal(500, "INTERNAL_SERVER_ERROR", "Unexpected server error"), correlation_id)
        return _with(answer, family.headers(correlation_id))

    def _call(self, request: Request, route: Route, values: tuple[str, ...], correlation_id: str) -> Call:
        if self.is_local and route.family.is_ours and not (is_here(request.host) or request.host in HOSTS):
            # A page of another site can have its own name lead here, and would then be let do everything.
            raise Refusal(421, "FOREIGN_HOST", "Ask for it as localhost, or let it listen for others with --host")
        account = route.family.account(request, self.accounts)
        return Call(
            request, dict(zip(route.names, values, strict=True)), account, self.accounts,
            self.state.transaction(), self.clock, self.clock.now(), correlation_id, self.public_url,
        )  # fmt: skip

    async def _limited(self, call: Call, route: Route) -> Answer:
        """Within what the account may ask, with the faults on demand; neither is for the sandbox's own paths."""
        if route.family.is_ours:
            return self.perform(call, route)
        account = call.account
        limit, left = self.limits.take(account.id, account.environment, route.category)
        quota = quota_headers(route.category, limit, left)
        try:
            if left < 0:
                raise Refusal(429, "TOO_MANY_REQUESTS", "Too many requests")
            answer = await self._keyed(call, route, self.faults.strike(call.request.method, call.request.path))
        except Refusal as refusal:
            answer = route.family.refuse(refusal, call.correlation_id)
        return _with(answer, quota)

    async def _keyed(self, call: Call, route: Route, struck: tuple[Fault, ...]) -> Answer:
        """At most once per idempotency key; without one, as often as asked."""
        key = call.request.headers.get(route.family.key_header) if route.keyed else None
        if not key:
            return await self._faulty(call, route, struck, None)
        name = f"{call.request.method} /{'/'.join(call.request.segments)} {key}"  # however the path is spelled
        busy = (call.account.id, name)
        if busy in self._under_way:
            raise Refusal(409, "CONFLICT")
        self._under_way.add(busy)
        try:
            return await self._faulty(call, route, struck, name)
        finally:
            self._under_way.discard(busy)

    async def _faulty(self, call: Call, route: Route, struck: tuple[Fault, ...], key: str | None) -> Answer:
        """The effect, with what was asked to go wrong before and after it."""
        if not struck:
            return self.perform(call, route, key)
        kinds = {fault.kind: fault for fault in struck}
        if "delay" in kinds:
            await asyncio.sleep(kinds["delay"].delay_seconds)
            call.now = self.clock.now()
        if "too-many-requests" in kinds:
            raise Refusal(429, "TOO_MANY_REQUESTS", "Too many requests")
        if "unavailable" in kinds:
            raise Refusal(503, "TEMPORARILY_UNAVAILABLE", "Temporarily unavailable")
        if "cut" in kinds:
            raise Cut
        answer = self.perform(call, route, key)
        if "timeout-after" in kinds:
            await asyncio.sleep(kinds["timeout-after"].delay_seconds)
            raise Refusal(500, "TIMEOUT", "Unexpected server error")
        if "cut-after" in kinds:
            raise Cut
        return answer

    def perform(self, call: Call, route: Route, key: str | None = None) -> Answer:
        """Run the handler; store what it did and, under the key, what it answered, in one go."""
        if key is not None and (record := remembered(call, key)) is not None:
            return record
        try:
            answer = route.handler(call)
        except Refusal as refusal:
            answer = route.family.refuse(refusal, call.correlation_id)
            call.state.discard()
            call.outbox.clear()
        if key is not None:
            remember(call, key, answer)
        self.settle(call)
        return answer


def _with(answer: Answer, headers: tuple[tuple[str, str], ...]) -> Answer:
    """The answer with more headers."""
    return Answer(answer.status, answer.body, (*answer.headers, *headers), answer.media_type)


def _no_route(request: Request, *, known: bool) -> Refusal:
    if known:
        return Refusal(405, "METHOD_NOT_ALLOWED", f"{request.method} is not allowed here")
    return Refusal(404, "NOT_FOUND", f"There is nothing at {request.path}")


# --- reading


def _head(scope: Scope, body: bytes) -> Request:
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.decode("ascii", "replace")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get("host", "").lower()
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].rstrip(".")
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True) if scope["query_string"] else {}
    segments = tuple(unquote(part) for part in path.strip("/").split("/"))
    return Request(scope["method"], path, segments, query, headers, body, host)


async def _read(scope: Scope, receive: Receive, max_body: Callable[[Scope], int]) -> Request:
    sizes = [(name, len(name) + len(value)) for name, value in scope["headers"]]
    too_long = any(size > _LONG_HEADERS.get(name, _MAX_HEADER) for name, size in sizes)
    if too_long or sum(size for _, size in sizes) > _MAX_HEADERS:
        raise Refusal(413, "REQUEST_TOO_LARGE", "Request is too large")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Cut
        body += message.get("body", b"")
        if len(body) > MAX_BODY and len(body) > max_body(scope):
            raise Refusal(413, "REQUEST_TOO_LARGE", "Request is too large")
        if not message.get("more_body"):
            return _head(scope, body)
