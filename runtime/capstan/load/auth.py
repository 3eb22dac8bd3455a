"""Authentication and TLS of a consumed API: tree -> model."""

from __future__ import annotations

from typing import Any

from capstan.load import model
from capstan.load.expression import Template
from capstan.load.node import Node


def parse_auth(node: Node) -> model.Auth | None:
    reader = node.reader
    auth = node.node("authentication")
    if auth is None:
        return None

    def get(key: str) -> Template:
        found = reader.template(auth, key)
        if found is None:
            reader.problem("missing-keyword", f"'{key}' is missing", at=auth.at())
        return found or Template(())

    match auth.text("type"):
        case "none":
            return model.NoAuth(at=auth.at())
        case "basic":
            return model.BasicAuth(get("username"), reader.template(auth, "password") or Template(()), at=auth.at())
        case "digest":
            return model.DigestAuth(get("username"), get("password"), at=auth.at())
        case "bearer":
            token = reader.template(auth, "token", "value")
            return model.BearerAuth(token if token is not None else get("token"), at=auth.at())
        case "apikey":
            key = auth.text("key", "name")
            if key is None:
                reader.problem("missing-keyword", "'key' is missing", at=auth.at())
            placement: Any = auth.text("placement", "in") or "header"
            if placement == "body":
                reader.problem("not-supported-yet", "an API key in the body is not supported yet",
                             auth.at("placement" if "placement" in auth else "in"))  # fmt: skip
            return model.ApiKeyAuth(key or "", get("value"), placement, at=auth.at())
        case "oauth2":
            reader.unsupported(auth, "authorizationServerUri", "resource", "tokenValidation", "tokenEndpoint")
            client: Any = auth.text("clientAuthentication") or "basic"
            token_uri = auth.text("tokenUri") or ""
            if token_uri and not token_uri.lower().startswith(("http://", "https://", "{{")):
                reader.problem("bad-base-uri", "tokenUri must begin with https:// or http://", auth.at("tokenUri"))
            return model.ClientCredentialsAuth(
                get("tokenUri"), get("clientId"), get("clientSecret"),
                auth.texts("scopes"), auth.text("audience"), client, at=auth.at(),
            )  # fmt: skip
        case kind:
            reader.problem("not-supported-yet", f"authentication of type '{kind}' is not supported yet",
                         auth.at("type"))  # fmt: skip
            return None


def parse_tls(node: Node) -> model.Tls | None:
    reader = node.reader
    tls = node.node("tls")
    if tls is None:
        return None
    if "clientKey" in tls and "clientCertificate" not in tls:
        reader.problem("missing-keyword", "'clientCertificate' is missing beside 'clientKey'", tls.at())
    return model.Tls(
        reader.template(tls, "clientCertificate"), reader.template(tls, "clientKey"),
        reader.template(tls, "clientKeyPassword"), reader.template(tls, "caBundle"), at=tls.at(),
    )  # fmt: skip
