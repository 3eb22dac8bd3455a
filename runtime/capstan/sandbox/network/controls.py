"""What the control paths of the network have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from capstan.sandbox.control import as_owner
from capstan.sandbox.network.operations import ACCOUNT
from capstan.sandbox.network.partners import own_id
from capstan.sandbox.web import Call, Refusal


def in_place(call: Call, kind: str, id_: str, what: str) -> Call:
    """The call as if it came from the account that a document belongs to.

    Raises:
        Refusal: 404, nobody has that document.
    """
    owned = as_owner(call, kind, id_, f"There is no such {what}")
    document = owned.get(kind, id_)
    assert document is not None
    return replace(owned, params={**call.params, ACCOUNT: document["_account"]})


def as_account(call: Call, options: dict[str, Any], name: str) -> Call:
    """The call as if it came from the account that an option names by its plain id."""
    account = call.accounts.get(options.get(name, ""))
    if account is None:
        raise Refusal(400, "BAD_OPTION", f"'{name}' is the id of an account, such as P300001")
    return replace(call, account=account, params={**call.params, ACCOUNT: own_id(account)})


def option_among(options: dict[str, Any], name: str, known: tuple[str, ...], default: str) -> str:
    value: str = options.get(name, default)
    if value not in known:
        raise Refusal(400, "BAD_OPTION", f"'{name}' is one of: {', '.join(known)}")
    return value
