"""Shopping sessions: what a customer does in a shop before paying."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.network.family import not_found, read_body
from capstan.sandbox.network.operations import Operations
from capstan.sandbox.network.resources import Resource, change, serve
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call

_SESSIONS: Final = "/v1/accounts/{account_id}/shopping/sessions"

operations = Operations()


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


ROUTES: Final = operations.routes
