"""Everything behind one port: who may knock, and whether REST or MCP answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware

from capstan.call.problem import refusal
from capstan.expose.asgi import Receive, Scope, Send, respond_problem
from capstan.expose.calllog import log_refusal
from capstan.expose.control import ControlApp
from capstan.expose.rest import RestApp
from capstan.settings import is_loopback

# Every header that is passed on: which identifiers an upstream gives (`Capture-Id`) no list can foresee.
_EXPOSED_HEADERS: Final = ("*",)


@dataclass(frozen=True, slots=True)
class Access:
    """Which Host and Origin headers are let in.

    A page of another site can make a browser call a local port. Its Origin gives it away, or, when its name was made
    to point here, its Host does.
    """

    loopback: bool  # listening for this machine only
    hosts: frozenset[str]  # further names we go by
    origins: frozenset[str]  # further origins that may call; "*" is any

    def refusal(self, headers: list[tuple[bytes, bytes]]) -> tuple[int, str, str] | None:
        """Status, code and reason when a request may not come in."""
        host = origin = ""
        for key, value in headers:
            if key == b"host":
                host = value.decode("latin-1").lower()
            elif key == b"origin":
                origin = value.decode("latin-1").lower()
        name = _without_port(host)
        if (self.loopback or self.hosts) and name not in self.hosts and not (self.loopback and is_loopback(name)):
            return (
                421,
                "foreign-host",
                "this server does not go by the name in the Host header (--allow-host adds names)",
            )
        if origin and not self._may_call(origin, host):
            return 403, "foreign-origin", "pages of this origin may not call (--cors-origin lets them)"
        return None

    def _may_call(self, origin: str, host: str) -> bool:
        if "*" in self.origins or origin in self.origins:
            return True
        scheme, _, authority = origin.partition("://")
        if scheme not in ("http", "https"):
            return False
        return authority == host or (self.loopback and is_loopback(_without_port(authority)))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


class Door:
    """The ASGI application of one port."""

    def __init__(self, access: Access, rest: RestApp | ControlApp, endpoints: Mapping[str, Callable[..., Any]]) -> None:
        self._access = access
        self._rest = rest
        self._endpoints = endpoints
        self._app: Callable[..., Any] = self._dispatch
        if access.origins:
            self._app = CORSMiddleware(
                self._dispatch, allow_origins=sorted(access.origins), allow_methods=["*"], allow_headers=["*"],
                expose_headers=list(_EXPOSED_HEADERS),
            )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._access.refusal(scope["headers"])
        if refused is not None:
            log_refusal("door", scope["method"], refused[0], refused[1])
            await _refuse(send, *refused)
            return
        await self._app(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if self._endpoints else None
        if endpoint is not None:
            await endpoint(scope, receive, send)
        else:
            await self._rest(scope, receive, send)


async def _refuse(send: Send, status: int, code: str, reason: str) -> None:
    await respond_problem(send, status, refusal(status, code, reason, title="Refused"))
