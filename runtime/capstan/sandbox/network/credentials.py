"""Credentials of the account that calls. A new API key works at once, and no longer once it is disabled.

Certificates: no authority stands behind them, and mTLS is not asked for on connections; its enforcement is a flag that
is kept and told.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime
from typing import Any, Final

from capstan.sandbox.accounts import KEYS, key_id
from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.network.family import conflict, invalid, krn, mode_of, read_body, time_of
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import page
from capstan.sandbox.network.resources import find, views
from capstan.sandbox.state import EVERYBODY, Document, view
from capstan.sandbox.web import Answer, Call

CLIENTS: Final = "network-client-identifiers"  # of everybody: identifier -> account
_BASE: Final = "/v2/account/integration/credentials"
_ENFORCEMENT: Final = "network-mtls"
_CSR: Final = ("-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----")
# The kinds, and how the operations' names say them.
_KINDS: Final = {"api-key": "api-key", "client-identifier": "client-identifier",
                 "client-certificate": "client-certificate", "sftp": "sftp-credential"}  # fmt: skip

operations = Operations()


def _folder(kind: str) -> str:
    return f"network-credentials-{kind}"


def make(call: Call, kind: str, body: dict[str, Any]) -> tuple[Document, dict[str, Any]]:
    """Store a new credential; and what is told of it this once."""
    document = {
        "credential_id": krn(call.account, "partner", "global", "credential"), "type": kind.upper().replace("-", "_"),
        "description": body.get("description", ""), "state": "ENABLED", "created_at": write_time(call.now),
        "_account": call.params[ACCOUNT],
    }  # fmt: skip
    secret = _MAKERS[kind](call, document, body)
    call.put(_folder(kind), document["credential_id"], document)
    return document, {**view(document), **secret}


def _api_key(call: Call, document: Document, body: dict[str, Any]) -> dict[str, Any]:
    key = f"klarna_{mode_of(call.account)}_api_{secrets.token_urlsafe(24)}"
    document |= {"api_key": f"{key[:20]}{'*' * 8}{key[-4:]}", "_key_id": key_id(key)}
    call.state.put(EVERYBODY, KEYS, key_id(key), {"account": call.account.id})
    return {"api_key": key}


def _client_identifier(call: Call, document: Document, body: dict[str, Any]) -> dict[str, Any]:
    document["client_identifier"] = f"klarna_{mode_of(call.account)}_client_{secrets.token_urlsafe(24)}"
    call.state.put(EVERYBODY, CLIENTS, document["client_identifier"], {"account": call.account.id})
    return {}


def _client_certificate(call: Call, document: Document, body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("config", {})
    request = config.get("certificate_signing_request", "").strip()
    if not (request.startswith(_CSR[0]) and request.endswith(_CSR[1])):
        raise invalid("config.certificate_signing_request", "must be a certificate signing request in PEM")
    usage = config.get("usage", "MTLS")
    if usage not in ("MTLS", "JWT_SIGNING"):
        raise invalid("config.usage", "must be one of: MTLS, JWT_SIGNING")
    expires = call.now.replace(year=call.now.year + 2, day=min(call.now.day, 28))
    document |= {
        "config": {**config, "usage": usage}, "certificate": _certificate(request), "expires_at": write_time(expires),
        "state": "ACTIVE",
    }  # fmt: skip
    return {}


def _certificate(request: str) -> str:
    """Text of the form of a certificate. It is none: nothing is signed, and no program will take it for one."""
    told = f"Capstan sandbox: not a certificate. SHA-256 of the request: {hashlib.sha256(request.encode()).hexdigest()}"
    text = base64.b64encode(told.encode()).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def _sftp(call: Call, document: Document, body: dict[str, Any]) -> dict[str, Any]:
    document |= {"username": f"sftp-{call.account.id.lower()}-{secrets.token_hex(3)}", "host": "localhost"}
    return {"password": secrets.token_urlsafe(18)}


_MAKERS: Final = {
    "api-key": _api_key, "client-identifier": _client_identifier, "client-certificate": _client_certificate,
    "sftp": _sftp,
}  # fmt: skip


def disable(call: Call, kind: str, document: Document) -> None:
    """It can still be read; what it opened, it opens no longer."""
    if kind == "api-key":
        call.state.delete(EVERYBODY, KEYS, document["_key_id"])
    if kind == "client-identifier":
        call.state.delete(EVERYBODY, CLIENTS, document["client_identifier"])
    document |= {"state": "DISABLED", "disabled_at": write_time(call.now)}
    call.put(_folder(kind), document["credential_id"], document)


def _serve(kind: str, name: str) -> None:
    base = f"{_BASE}/{kind}"

    def asked(call: Call) -> Document:
        return find(call, _folder(kind), call.params["credential_id"], "The credential")

    @operations("POST", base)
    def create(call: Call) -> Answer:
        return Answer(201, make(call, kind, read_body(call, f"create-{name}"))[1])

    @operations("GET", base)
    def list_(call: Call) -> Answer:
        return page(call, "credentials", views(call, _folder(kind)), "credential_id", size=None)

    @operations("GET", f"{base}/{{credential_id}}")
    def read(call: Call) -> Answer:
        return Answer(200, view(asked(call)))

    if kind != "sftp":

        @operations("PATCH", f"{base}/{{credential_id}}")
        def update(call: Call) -> Answer:
            document = asked(call)
            document["description"] = read_body(call, f"update-{name}").get("description", document["description"])
            call.put(_folder(kind), document["credential_id"], document)
            return Answer(200, view(document))

    if kind != "client-certificate":

        @operations("DELETE", f"{base}/{{credential_id}}")
        def delete(call: Call) -> Answer:
            disable(call, kind, asked(call))
            return Answer(204)


for _kind, _name in _KINDS.items():
    _serve(_kind, _name)


@operations("POST", f"{_BASE}/client-certificate/{{credential_id}}/revoke")
def revoke(call: Call) -> Answer:
    kind = "client-certificate"
    document = find(call, _folder(kind), call.params["credential_id"], "The credential")
    if document["state"] == "REVOKED":
        raise conflict("The certificate is revoked already")
    since = _moment(call, read_body(call, "revoke-client-certificate"), "revoked_from")
    document |= {"state": "REVOKED", "revoked_from": write_time(since)}
    call.put(_folder(kind), document["credential_id"], document)
    return Answer(200, view(document))


_MTLS: Final = "/v2/account/integration/client-certificates/enforcement"


@operations("GET", _MTLS)
def read_enforcement(call: Call) -> Answer:
    held = call.get(_ENFORCEMENT, call.params[ACCOUNT])
    if held is None:
        return Answer(200, {"enforced": False})
    return Answer(200, {"enforced": call.now >= read_time(held["enforced_from"]), **held})


@operations("PUT", _MTLS)
def enforce(call: Call) -> Answer:
    since = _moment(call, read_body(call, "enforce-mtls"), "enforced_from")
    call.put(_ENFORCEMENT, call.params[ACCOUNT], {"enforced_from": write_time(since)})
    return Answer(204)


@operations("DELETE", _MTLS)
def remove_enforcement(call: Call) -> Answer:
    call.state.delete(call.account.id, _ENFORCEMENT, call.params[ACCOUNT])
    return Answer(204)


def _moment(call: Call, body: dict[str, Any], name: str) -> datetime:
    """NOW, or a time."""
    text = body.get(name, "NOW")
    return call.now if text == "NOW" else time_of(text, name)


@operations("GET", "/v2/account/integration/ip-restrictions/allowed-ips")
def list_allowed_ips(call: Call) -> Answer:
    """None are set: the sandbox takes requests from everywhere it listens."""
    return Answer(200, {"allowed_ips": []})


# --- the first version


_V1: Final = "/v1/account/credentials"
_V1_KINDS: Final = {"API": "api-key", "CLIENT": "client-identifier"}


@operations("POST", _V1)
def create_v1(call: Call) -> Answer:
    body = read_body(call, "create-credential-v1")
    kind = body.get("type", "API")
    if kind not in _V1_KINDS:
        raise invalid("type", f"must be one of: {', '.join(_V1_KINDS)}")
    return Answer(200, make(call, _V1_KINDS[kind], body)[1])


@operations("GET", _V1)
def list_v1(call: Call) -> Answer:
    found = [shown for kind in _V1_KINDS.values() for shown in views(call, _folder(kind))]
    return page(call, "credentials", found, "credential_id", size=None)


@operations("DELETE", f"{_V1}/{{credential_id}}")
def disable_v1(call: Call) -> Answer:
    id_ = call.params["credential_id"]
    kind = next((k for k in _V1_KINDS.values() if call.get(_folder(k), id_) is not None), "api-key")
    disable(call, kind, find(call, _folder(kind), id_, "The credential"))
    return Answer(204)


ROUTES: Final = operations.routes
