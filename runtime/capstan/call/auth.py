"""Credentials that have to be fetched: OAuth 2 client credentials, and the challenge of Digest."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from capstan.call.stand_ins import Session
from capstan.plan.auth import AuthPlan, ClientCredentialsPlan, basic
from capstan.plan.body import form
from capstan.plan.values import Secret

_EARLY_SECONDS: Final = 30.0  # a token is renewed this long before it expires, or at 9/10 of a short life
_NO_EXPIRY_SECONDS: Final = 300.0  # for a server that does not say
_MAX_TOKEN_BYTES: Final = 64 * 1024
_SCHEME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class AuthError(Exception):
    """The token endpoint gave no token. Says why, without any credential."""


class Authorizer:
    """Keeps one token per API and renews it in time. Calls that need it meanwhile wait for the same renewal."""

    def __init__(self, plan: ClientCredentialsPlan) -> None:
        self._plan = plan
        self._header: str | None = None
        self._renew_at = 0.0
        self._lock = asyncio.Lock()
        self._failures = 0
        self._failure = ""
        self.token_uri = plan.token_uri.reveal()

    async def header(self, session: Session, proxy: str | None = None) -> str:
        """The value of `Authorization`.

        Raises:
            AuthError: there is none to be had.
        """
        if self._header is None or time.monotonic() >= self._renew_at:
            failures = self._failures
            async with self._lock:
                if self._failures != failures:  # the renewal this call waited for; trying in turn would add up waits
                    raise AuthError(self._failure)
                if self._header is None or time.monotonic() >= self._renew_at:
                    try:
                        await self._renew(session, proxy)
                    except AuthError as error:
                        self._failures, self._failure = self._failures + 1, str(error)
                        raise
        assert self._header is not None
        return self._header

    def forget(self, header: str) -> None:
        """The upstream refused this header: do not use it again."""
        if self._header == header:
            self._header = None

    async def _renew(self, session: Session, proxy: str | None) -> None:
        plan = self._plan
        fields: list[tuple[str, Any]] = [("grant_type", "client_credentials")]
        if plan.scopes:
            fields.append(("scope", " ".join(plan.scopes)))
        if plan.audience is not None:
            fields.append(("audience", plan.audience))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
                   "Accept-Encoding": "identity"}  # fmt: skip
        if plan.client_authentication == "post":
            fields += [("client_id", plan.client_id.reveal()), ("client_secret", plan.client_secret.reveal())]
        else:  # RFC 6749, 2.3.1: both are form-encoded before they become a Basic pair
            pair = [Secret(quote(s.reveal(), safe=""), s.name) for s in (plan.client_id, plan.client_secret)]
            headers["Authorization"] = basic(*pair).reveal()
        started = time.monotonic()
        try:
            async with session.post(
                self.token_uri, data=form(fields), headers=headers, allow_redirects=False, proxy=proxy
            ) as response:
                status, body = response.status, await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise AuthError("the token endpoint cannot be reached") from error
        if status != 200:
            raise AuthError(f"the token endpoint answered {status}{_reason(body)}")
        self._keep(body, started)

    def _keep(self, body: bytes, started: float) -> None:
        try:
            answer = json.loads(body)
            token, kind = answer["access_token"], answer.get("token_type", "Bearer")
            lifetime = float(answer.get("expires_in") or _NO_EXPIRY_SECONDS)
            if not math.isfinite(lifetime):
                lifetime = _NO_EXPIRY_SECONDS
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise AuthError("the token endpoint's answer holds no token") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            raise AuthError("the token endpoint's answer holds no usable token")
        scheme = "Bearer" if str(kind).lower() == "bearer" else str(kind)
        if " " in token or not _SCHEME.fullmatch(scheme):
            raise AuthError("the token endpoint's answer holds no usable token")
        self._header = f"{scheme} {token}"
        self._renew_at = started + max(lifetime - _EARLY_SECONDS, lifetime * 0.9 if lifetime < 300 else 0.0)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole answer, if it is as short as answers with tokens are."""
    body = b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MAX_TOKEN_BYTES:
            raise AuthError("the token endpoint's answer is too long")
    return body


def _reason(body: bytes) -> str:
    """The error code of RFC 6749, 5.2; free text stays behind, for it may quote what we sent."""
    try:
        code = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return f" ({code})" if isinstance(code, str) and code.isascii() and len(code) < 60 else ""


class Digest(aiohttp.DigestAuthMiddleware):
    """The library's Digest, which sends a request again once it has been challenged: here not one whose body streams.

    For such a request a challenge is asked for beforehand, where none is known. If the API wants another one then, its
    401 is the answer, and the next request knows better.
    """

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if not isinstance(request.body, aiohttp.payload.AsyncIterablePayload):
            return await super().__call__(request, handler)
        if not self._challenge:
            asked = request.session.request(
                "HEAD", request.url, headers={"Host": request.headers["Host"]}, allow_redirects=False,
                proxy=request.proxy, middlewares=(),
            )  # fmt: skip
            async with asked as response:
                self._authenticate(response)
        first: aiohttp.ClientResponse | None = None

        async def once(sent: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
            nonlocal first
            if first is None:
                first = await handler(sent)
            return first

        return await super().__call__(request, once)


def open_authorizer(plan: AuthPlan | None) -> Authorizer | None:
    return Authorizer(plan) if isinstance(plan, ClientCredentialsPlan) else None
