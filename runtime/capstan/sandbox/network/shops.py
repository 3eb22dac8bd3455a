"""What a partner account consists of: business entities, brands, store groups and stores."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.network.family import conflict, invalid
from capstan.sandbox.network.operations import Operations
from capstan.sandbox.network.resources import Resource, add, by_reference, change, find, given, serve
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Call

_ACCOUNT: Final = "/v2/accounts/{partner_account_id}"
_ALL: Final = ("create", "list", "read", "update")

operations = Operations()


def _check_store(call: Call, store: Document) -> None:
    """A store of a group is in one that exists."""
    group = store.get("store_group_id")
    if group is not None:
        held = call.get(GROUP.kind, group)
        if held is None or held["_account"] != store["_account"]:
            raise invalid("store_group_id", "there is no such store group")


def _open_stores(call: Call, group: Document) -> None:
    """A new group brings its stores along."""
    stores = group.pop("stores", [])
    call.put(GROUP.kind, group["store_group_id"], group)  # its stores look for it
    group["stores"] = [_named(add(call, STORE, {**s, "store_group_id": group["store_group_id"]})) for s in stores]


def _named(store: Document) -> dict[str, Any]:
    return pick(store, "store_id", "store_reference", "type", "url")


ENTITY: Final = Resource(
    "business-entity", "partner_business_entities", f"{_ACCOUNT}/partner-business-entities",
    ("partner", "global", "business-entity"), _ALL, "partner_business_entity_id", "partner_business_entity_reference",
)  # fmt: skip
BRAND: Final = Resource(
    "brand", "brands", f"{_ACCOUNT}/brands", ("partner", "global", "brand"), _ALL, "brand_id", "brand_reference"
)
STORE: Final = Resource(
    "store", "stores", f"{_ACCOUNT}/stores", ("partner", "global", "store"), _ALL, "store_id", "store_reference",
    on_create=_check_store, on_update=_check_store, paged=True,
)  # fmt: skip
GROUP: Final = Resource(
    "store-group", "store_groups", f"{_ACCOUNT}/store-groups", ("partner", "global", "store-group"), _ALL,
    "store_group_id", "store_group_reference", on_create=_open_stores, paged=True,
)  # fmt: skip
PARTS: Final = (ENTITY, BRAND, GROUP)  # what onboarding brings along

for _resource in (*PARTS, STORE):
    serve(operations, _resource)


def bring(call: Call, resource: Resource, fields: dict[str, Any]) -> None:
    """Onboarding: add what is new; what is there under the same reference must say the same.

    Raises:
        Refusal: 409, the reference stands for something else.
    """
    reference = fields.get(resource.reference)
    held = by_reference(call, resource, reference) if reference is not None else None
    if held is None:
        add(call, resource, fields)
        return
    stores = fields.get("stores", []) if resource is GROUP else []
    for name, value in given(fields, resource.id_name).items():
        if name in held and held[name] != value and name != "stores":
            raise conflict(f"The {resource.reference} {reference} is known with another {name}")
    for store in stores:
        bring(call, STORE, {**store, "store_group_id": held["store_group_id"]})
    missing = {name: value for name, value in fields.items() if name not in held}
    if missing:
        change(call, resource, find(call, resource.kind, held[resource.id_name], "It"), missing)


ROUTES: Final = operations.routes
