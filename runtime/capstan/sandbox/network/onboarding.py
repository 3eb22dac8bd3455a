"""Onboarding of partner accounts, and reading and changing them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.control import as_owner, control_routes, read_options
from capstan.sandbox.network.family import conflict, invalid, krn, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.partners import (
    KIND,
    STATES,
    load_account,
    own_account,
    set_state,
    store_account,
    tell_change,
)
from capstan.sandbox.network.products import add_payment_account, new_product
from capstan.sandbox.network.resources import given, merge, views
from capstan.sandbox.network.shops import PARTS, bring
from capstan.sandbox.network.timers import set_timer
from capstan.sandbox.state import Document, pick, view
from capstan.sandbox.web import Answer, Call, Refusal

_GROWS_UP: Final = timedelta(minutes=5)  # until a new account is fully operational: this sandbox's choice
_OWN_FIELDS: Final = ("partner_account_reference", "partner_account_name", "partner_account_contact",
                      "supplementary_account_data")  # fmt: skip
_EXPANDABLE: Final = ("products", *(part.plural for part in PARTS))

operations = Operations()


@operations("POST", "/v2/distribution/onboard")
def onboard(call: Call) -> Answer:
    body = read_body(call, "onboard")
    account = _known(call, body["partner_account_reference"])
    if account is None:
        account = _new_account(call, body)
        call.put(KIND, account["partner_account_id"], account)
        set_timer(call, KIND, account["partner_account_id"], call.now + _GROWS_UP)
    else:
        _add_to(account, body)
    inside = replace(call, params={**call.params, ACCOUNT: account["partner_account_id"]})
    for part in PARTS:
        for fields in body.get(part.plural, []):
            bring(inside, part, fields)
    for fields in body["products"]:
        _bring_product(inside, account, fields)
    store_account(call, account)
    tell_change(call, account)
    return Answer(201, _expanded(inside, account, list(_EXPANDABLE)))


def _known(call: Call, reference: str) -> Document | None:
    return next((a for _, a in call.items(KIND) if a["partner_account_reference"] == reference), None)


def _new_account(call: Call, body: dict[str, Any]) -> Document:
    now, id_ = write_time(call.now), krn(call.account, "partner", "global", "account")
    return {
        "partner_account_id": id_, "_account": id_,
        **pick(body, *_OWN_FIELDS),
        "state": "PARTIALLY_OPERATIONAL", "products": [], "created_at": now, "updated_at": now,
        "_operational_at": write_time(call.now + _GROWS_UP),
    }  # fmt: skip


def _add_to(account: Document, body: dict[str, Any]) -> None:
    for name in _OWN_FIELDS:
        if name in body and account.setdefault(name, body[name]) != body[name]:
            raise conflict(f"This partner_account_reference is known with another {name}")


def _bring_product(call: Call, account: Document, fields: dict[str, Any]) -> None:
    kind = fields.get("type", "PAYMENT")
    product = next((p for p in account["products"] if p["type"] == kind), None)
    if product is None:
        product = new_product(call, given(fields, "product_id"))
        account["products"].append(product)
    for payment_account in fields.get("payment_accounts", []):
        reference = payment_account.get("payment_account_reference")
        held = next((a for a in product["payment_accounts"] if a.get("payment_account_reference") == reference), None)
        if held is None or reference is None:
            add_payment_account(call, product, payment_account)
        elif any(held.get(name) != value for name, value in payment_account.items()):
            raise conflict(f"The payment_account_reference {reference} is known with other data")


@operations("GET", "/v2/accounts/{partner_account_id}")
def read_account(call: Call) -> Answer:
    account = _account(call)
    wanted = [name for text in call.request.query.get("expand", []) for name in text.split(",")]
    for name in wanted:
        if name not in _EXPANDABLE:
            raise invalid("expand", f"must be one of: {', '.join(_EXPANDABLE)}")
    return Answer(200, _expanded(call, account, wanted))


def _account(call: Call) -> Document:
    return load_account(call, call.params[ACCOUNT]) or own_account(call.account)


def _expanded(call: Call, account: Document, wanted: list[str]) -> dict[str, Any]:
    """An account; its products are told in short unless they are wanted."""
    answer = view(account)
    if "products" not in wanted:
        answer["products"] = [{n: p[n] for n in ("product_id", "type", "state")} for p in account["products"]]
    for part in PARTS:
        if part.plural in wanted:
            answer[part.plural] = views(call, part.kind)
    return answer


@operations("PATCH", "/v2/accounts/{partner_account_id}")
def update_account(call: Call) -> Answer:
    account = _account(call)
    body = read_body(call, "update-account")
    reference: str = {**account, **body}["partner_account_reference"]
    other = _known(call, reference)
    if other is not None and other["partner_account_id"] != account["partner_account_id"]:
        raise conflict(f"There is an account with the partner_account_reference {reference}")
    merge(account, pick(body, *_OWN_FIELDS))
    account["updated_at"] = write_time(call.now)
    store_account(call, account)
    tell_change(call, account)
    return Answer(200, _expanded(call, account, []))


control = control_routes()


@control("POST", "/sandbox/network/accounts/{id}/state")
def decide_state(call: Call) -> Answer:
    """What Klarna decides about an account: `{"state": "DISABLED"}`."""
    options = read_options(call, state=str)
    if options.get("state") not in STATES:
        raise Refusal(400, "BAD_OPTION", f"'state' is one of: {', '.join(STATES)}")
    call = as_owner(call, KIND, call.params["id"], "There is no such account")
    account = call.get(KIND, call.params["id"])
    assert account is not None
    set_state(call, account, options["state"])
    return Answer(200, view(account))


ROUTES: Final = (*operations.routes, *control.routes)
