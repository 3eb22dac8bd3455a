"""A merchant's client of a sandbox without sockets. Every exchange is held against the OpenAPI documents, if there."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from capstan.sandbox.accounts import DEMO_MERCHANT, DEMO_PARTNER, Account
from capstan.sandbox.app import App
from sandbox import openapi


@dataclass(frozen=True)
class Reply:
    """What came back. A tool's answer, where a test asks by MCP, tells no status: None."""

    status: int | None
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """Speaks ASGI to the application, as the account it is given; `account=None` sends no credentials."""

    def __init__(self, app: App, account: Account | None = DEMO_MERCHANT, host: str = "localhost") -> None:
        self.app, self.host = app, host
        self.headers: dict[str, str] = {}
        if account is not None:
            pair = f"{account.username}:{account.password}".encode()
            self.headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"

    def get(self, path: str, **more: Any) -> Reply:
        return self.send("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        return self.send("POST", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> Reply:
        return self.send("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> Reply:
        return self.send("DELETE", path, **more)

    def send(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Reply:
        """Send JSON (or bytes as they are). `key` is an idempotency key; `KeyId='x'` becomes a header."""
        return asyncio.run(self.send_async(method, path, body, key=key, **headers))

    async def send_async(self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str) -> Reply:
        """The same, for a test that is asynchronous itself."""
        sent = {"host": self.host, **self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if data or path.startswith("/sandbox"):
            sent.setdefault("content-type", "application/json")
        if key:
            sent["klarna-idempotency-key"] = key
        reply = await self._exchange(method, path, sent, data)
        openapi.check(method, path, body, reply)
        return reply

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], data: bytes) -> Reply:
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": method, "path": raw_path, "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
        }  # fmt: skip
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": data, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        got = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        return Reply(messages[0]["status"], got, b"".join(m.get("body", b"") for m in messages[1:]))


def partner(app: App) -> Client:
    """A client of the network's APIs."""
    return Client(app, DEMO_PARTNER)
