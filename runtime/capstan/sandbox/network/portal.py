"""The partner portal: links into it, and who may use it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.network.family import invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.resources import Resource, serve
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call

_ACCOUNT: Final = "/v2/accounts/{partner_account_id}"
_ACCESS: Final = "network-portal-access"

operations = Operations()


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


ROUTES: Final = operations.routes
