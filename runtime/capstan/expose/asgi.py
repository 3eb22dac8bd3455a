"""The words of ASGI, and a whole answer said in them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from capstan.call.problem import PROBLEM_TYPE

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

WITHOUT_CONTENT: Final = frozenset({204, 205, 304})
ABSOLUTE_TARGET: Final = "capstan.absolute_target"  # extension: the first line names a host, as if to a proxy
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # what an upstream's header may hold and ours must not
# An upstream's page must not run as ours: a browser shows it without scripts, forms or our origin.
_SANDBOX: Final = (b"content-security-policy", b"sandbox")


def raw_headers(headers: Iterable[tuple[str, str]]) -> RawHeaders:
    """An upstream's headers, as they may be given on."""
    return [
        (name.lower().encode("latin-1", "replace"), _CONTROL.sub(b"?", value.encode("utf-8", "surrogateescape")))
        for name, value in headers
    ]


def sandboxing(media_type: str) -> RawHeaders:
    """What else goes with an upstream's page."""
    lower = media_type.lower()
    return [_SANDBOX] if "html" in lower or "xml" in lower or "svg" in lower else []


async def respond(send: Send, status: int, headers: RawHeaders, body: bytes, *, head: bool = False) -> None:
    """Send a whole answer; to HEAD, and with a status that has no content, its headers only."""
    if status not in WITHOUT_CONTENT:
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    empty = head or status in WITHOUT_CONTENT
    await send({"type": "http.response.body", "body": b"" if empty else body})


async def start(send: Send, status: int, headers: RawHeaders, length: int | None) -> None:
    """Send the head of an answer whose body comes piece by piece; None: nobody knows how long it will be."""
    told = headers if length is None else [*headers, (b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": told})


async def respond_problem(
    send: Send, status: int, problem: dict[str, Any], headers: RawHeaders | None = None, *, head: bool = False
) -> None:
    body = json.dumps(problem, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
    kept = [*(headers or []), (b"content-type", PROBLEM_TYPE.encode()), NOSNIFF]
    await respond(send, status, kept, body, head=head)
