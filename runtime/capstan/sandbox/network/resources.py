"""Plain things of an account: created with the fields that were given, listed, read, changed and deleted.

What a kind of thing is called, and which of these it allows, is a `Resource`; nothing else is written per operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.network.family import conflict, krn, not_found, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import page
from capstan.sandbox.state import Document, view
from capstan.sandbox.web import Answer, Call

Check = Callable[[Call, Document], None]
_OURS: Final = frozenset({"created_at", "updated_at", "state"})  # no request sets them


def _nothing(call: Call, document: Document) -> None:
    """There is nothing to check or to add."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of thing."""

    name: str  # `brand`: part of the operations' names, and of what a refusal says
    plural: str  # the member of a list's answer
    path: str
    krn: tuple[str, ...]
    verbs: tuple[str, ...]  # of create, list, read, update, delete
    id_name: str
    reference: str = ""  # a field that tells the things of an account apart
    on_create: Check = _nothing  # before it is stored; may refuse, may add
    on_update: Check = _nothing
    on_delete: Check = _nothing
    created: int = 201
    paged: bool = False  # whether its lists are known to come in pages

    @property
    def kind(self) -> str:
        return f"network-{self.plural}"


def serve(operations: Operations, resource: Resource) -> None:
    """Add the routes of a resource."""
    one = f"{resource.path}/{{{resource.id_name}}}"

    def create(call: Call) -> Answer:
        document = add(call, resource, read_body(call, f"create-{resource.name}"))
        return Answer(resource.created, view(document))

    def list_(call: Call) -> Answer:
        size = 20 if resource.paged else None
        return page(call, resource.plural, views(call, resource.kind), resource.id_name, size=size)

    def read(call: Call) -> Answer:
        return Answer(200, view(asked(call, resource)))

    def update(call: Call) -> Answer:
        document = asked(call, resource)
        change(call, resource, document, read_body(call, f"update-{resource.name}"))
        return Answer(200, view(document))

    def delete(call: Call) -> Answer:
        document = asked(call, resource)
        resource.on_delete(call, document)
        call.state.delete(call.account.id, resource.kind, document[resource.id_name])
        return Answer(204)

    table = {
        "create": ("POST", resource.path, create), "list": ("GET", resource.path, list_), "read": ("GET", one, read),
        "update": ("PATCH", one, update), "delete": ("DELETE", one, delete),
    }  # fmt: skip
    for verb in resource.verbs:
        method, path, handler = table[verb]
        operations(method, path)(handler)


def add(call: Call, resource: Resource, fields: dict[str, Any]) -> Document:
    """Store a new one.

    Raises:
        Refusal: 409, there is one with this reference; or what the resource's own check says.
    """
    now = write_time(call.now)
    document = {
        resource.id_name: krn(call.account, *resource.krn), **given(fields, resource.id_name),
        "created_at": now, "updated_at": now, "_account": call.params[ACCOUNT],
    }  # fmt: skip
    _check_reference(call, resource, document)
    resource.on_create(call, document)
    call.put(resource.kind, document[resource.id_name], document)
    return document


def change(call: Call, resource: Resource, document: Document, fields: dict[str, Any]) -> None:
    """Merge what is given into one, and store it."""
    merge(document, given(fields, resource.id_name))
    document["updated_at"] = write_time(call.now)
    _check_reference(call, resource, document)
    resource.on_update(call, document)
    call.put(resource.kind, document[resource.id_name], document)


def given(fields: dict[str, Any], id_name: str) -> dict[str, Any]:
    """What a request may set: neither the identifier nor the sandbox's own members."""
    return {n: value for n, value in view(fields).items() if n not in _OURS and n != id_name}


def merge(document: dict[str, Any], fields: dict[str, Any]) -> None:
    """Objects are merged, everything else is replaced."""
    for name, value in fields.items():
        held = document.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            merge(held, value)
        else:
            document[name] = value


def asked(call: Call, resource: Resource) -> Document:
    """The one that the path names.

    Raises:
        Refusal: 404.
    """
    return find(call, resource.kind, call.params[resource.id_name], f"The {resource.name.replace('-', ' ')}")


def find(call: Call, kind: str, id_: str, what: str) -> Document:
    """A document of the account that is acted for.

    Raises:
        Refusal: 404, also where it belongs to another account.
    """
    found = call.get(kind, id_)
    if found is None or found["_account"] != call.params[ACCOUNT]:
        raise not_found(f"{what} {id_}")
    return found


def find_now(call: Call, kind: str, id_: str, what: str, load: Callable[[Call, str], Document | None]) -> Document:
    """The same as of now: `load` lets time have its effect.

    Raises:
        Refusal: 404.
    """
    find(call, kind, id_, what)
    document = load(call, id_)
    assert document is not None
    return document


def of_account(call: Call, kind: str) -> list[Document]:
    """All of a kind that belong to the account that is acted for."""
    return [document for _, document in call.items(kind) if document["_account"] == call.params[ACCOUNT]]


def views(call: Call, kind: str) -> list[dict[str, Any]]:
    """All of a kind that belong to the account that is acted for, as they are answered."""
    return [view(document) for document in of_account(call, kind)]


def by_reference(call: Call, resource: Resource, reference: str) -> Document | None:
    """The one of this account with a reference."""
    return next((d for d in of_account(call, resource.kind) if d.get(resource.reference) == reference), None)


def _check_reference(call: Call, resource: Resource, document: Document) -> None:
    reference = document.get(resource.reference) if resource.reference else None
    if reference is None:
        return
    other = by_reference(call, resource, reference)
    if other is not None and other[resource.id_name] != document[resource.id_name]:
        raise conflict(f"There is a {resource.name.replace('-', ' ')} with the {resource.reference} {reference}")
