"""Small surfaces: the partner portal, compliance decisions, shopping sessions and shop plugins."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.network.controls import in_place, option_among
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import invalid, krn, not_found, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.partners import KIND as ACCOUNTS
from capstan.sandbox.network.resources import Resource, add, change, find, serve
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call

_ACCOUNT: Final = "/v2/accounts/{partner_account_id}"

operations = Operations()


# --- portal


def _check_link(call: Call, link: Document) -> None:
    """Either a signed text, or who it is for."""
    if ("jwt" in link) == ("subject" in link):
        raise invalid("jwt", "give either jwt, or subject with roles and on_behalf_of")
    link |= {
        "deep_link_url": f"{call.public_url}/sandbox", "expires_at": write_time(call.now + timedelta(minutes=10))
    }  # fmt: skip


serve(operations, Resource(
    "deep-link", "deep_links", f"{_ACCOUNT}/portal/deep-links", ("partner", "global", "deep-link"),
    ("create", "delete"), "deep_link_id", on_create=_check_link, created=200,
))  # fmt: skip

_ACCESS: Final = "network-portal-access"


@operations("POST", "/v2/portal/user-access")
def grant_access(call: Call) -> Answer:
    body = read_body(call, "grant-portal-user-access")
    if not body.get("jwt"):
        raise invalid("jwt", "is required")
    granted = {"granted_at": write_time(call.now), "_account": call.params[ACCOUNT], "_jwt": body["jwt"]}
    call.put(_ACCESS, krn(call.account, "partner", "global", "access"), granted)
    return Answer(201, view(granted))


@operations("DELETE", "/v2/portal/user-access")
def revoke_access(call: Call) -> Answer:
    """The text that granted it is not looked into, so whoever is named has no access afterwards, as asked."""
    for name in ("account_id", "principal"):
        if not call.first(name):
            raise invalid(name, "is required")
    return Answer(204)


# --- compliance


_DECISIONS: Final = Resource(
    "compliance-decision", "decisions", f"{_ACCOUNT}/compliance/decisions", ("partner", "compliance", "decision"),
    ("list", "read"), "decision_id", paged=True,
)  # fmt: skip
serve(operations, _DECISIONS)

control = control_routes()


@control("POST", "/sandbox/network/accounts/{id}/compliance-decisions")
def decide(call: Call) -> Answer:
    """Klarna takes a decision about an onboarded account: `{"decision": "APPROVED", "reason": "..."}`."""
    options = read_options(call, decision=str, reason=str)
    decision = option_among(options, "decision", ("APPROVED", "REJECTED"), "APPROVED")
    call = in_place(call, ACCOUNTS, call.params["id"], "onboarded account")
    document = add(call, _DECISIONS, {**options, "decision": decision, "partner_account_id": call.params[ACCOUNT]})
    fire(call, "partner.compliance.decision.created", view(document), call.params[ACCOUNT])
    return Answer(201, view(document))


# --- shopping sessions


_SESSIONS: Final = "/v1/accounts/{account_id}/shopping/sessions"


def _open_session(call: Call, session: Document) -> None:
    session["expires_at"] = write_time(call.now + timedelta(hours=24))


_SESSION: Final = Resource(
    "shopping-session", "shopping_sessions", _SESSIONS, ("shopping", "eu1", "session"), ("create", "read"),
    "shopping_session_id", on_create=_open_session,
)  # fmt: skip
serve(operations, _SESSION)


@operations("PATCH", "/v1/shopping/sessions/{shopping_session_id}")
def update_session(call: Call) -> Answer:
    """The path is without the account, and so is the check: whoever made the session may change it."""
    held = call.get(_SESSION.kind, call.params["shopping_session_id"])
    if held is None:
        raise not_found("The shopping session")
    change(call, _SESSION, held, read_body(call, "update-shopping-session"))
    return Answer(200, view(held))


# --- shop plugins


_PLUGINS: Final = "network-plugins"


@operations("POST", "/v2/plugins")
def register_plugin(call: Call) -> Answer:
    body = read_body(call, "register-plugin")
    id_ = krn(call.account, "plugin", "installation")
    plugin = {
        "plugin_id": id_,
        **{n: v for n, v in body.items() if n != "codeChallenge"},
        "_account": call.params[ACCOUNT],
    }
    call.put(_PLUGINS, id_, plugin)
    return Answer(200, {**view(plugin), "registrationUrl": f"{call.public_url}/sandbox"})


@operations("POST", "/v2/plugins/{plugin_id}/features")
def read_features(call: Call) -> Answer:
    read_body(call, "read-plugin-features")
    plugin = find(call, _PLUGINS, call.params["plugin_id"], "The plugin")
    features = [{"feature": name, "available": True} for name in ("PAYMENTS", "ON_SITE_MESSAGING", "EXPRESS_CHECKOUT")]
    return Answer(200, {"plugin_id": plugin["plugin_id"], "features": features})


ROUTES: Final = (*operations.routes, *control.routes)
