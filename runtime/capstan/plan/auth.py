"""Authentication -> what a request carries.

Credentials that never change become a fixed header, query parameter or cookie of every request and are done with here.
What has to be negotiated is left as an AuthPlan for call/auth.py.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from capstan.load.expression import Template
from capstan.load.model import ApiKeyAuth, Auth, BasicAuth, BearerAuth, ClientCredentialsAuth, DigestAuth, NoAuth
from capstan.plan.values import Secret

# A template of variables and the keyword it stands under -> its value, which must never be shown.
Fill = Callable[[Template, str], Secret]


@dataclass(frozen=True, slots=True)
class Credential:
    """A fixed header, query parameter or cookie."""

    place: Literal["header", "query", "cookie"]
    name: str
    value: Secret


@dataclass(frozen=True, slots=True)
class DigestPlan:
    username: Secret
    password: Secret


@dataclass(frozen=True, slots=True)
class ClientCredentialsPlan:
    token_uri: Secret
    client_id: Secret
    client_secret: Secret
    scopes: tuple[str, ...]
    audience: str | None
    client_authentication: Literal["basic", "post"]


AuthPlan = DigestPlan | ClientCredentialsPlan


def plan_auth(auth: Auth, fill: Fill) -> Credential | AuthPlan | None:
    match auth:
        case NoAuth():
            return None
        case BasicAuth():
            username, password = fill(auth.username, "username"), fill(auth.password, "password")
            return Credential("header", "Authorization", basic(username, password))
        case BearerAuth():
            token = fill(auth.token, "token")
            return Credential("header", "Authorization", Secret(f"Bearer {token.reveal()}", f"Bearer {token.name}"))
        case ApiKeyAuth():
            return Credential(auth.placement, auth.key, fill(auth.value, "value"))
        case DigestAuth():
            return DigestPlan(fill(auth.username, "username"), fill(auth.password, "password"))
        case ClientCredentialsAuth():
            return ClientCredentialsPlan(
                fill(auth.token_uri, "tokenUri"), fill(auth.client_id, "clientId"),
                fill(auth.client_secret, "clientSecret"),
                auth.scopes, auth.audience, auth.client_authentication,
            )  # fmt: skip
        case _:
            assert_never(auth)


def basic(username: Secret, password: Secret) -> Secret:
    """RFC 7617, in UTF-8."""
    pair = f"{username.reveal()}:{password.reveal()}".encode()
    return Secret("Basic " + base64.b64encode(pair).decode(), f"Basic {username.name}:{password.name}")
