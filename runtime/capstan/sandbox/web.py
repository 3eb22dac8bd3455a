"""What a handler gets and gives back, and the table of routes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from capstan.sandbox.accounts import Account, Accounts
from capstan.sandbox.clock import Clock
from capstan.sandbox.deliveries import Delivery
from capstan.sandbox.hosts import HOSTS
from capstan.sandbox.state import ENCODE, Document, Transaction

Handler = Callable[["Call"], "Answer"]
VARIABLE: Final = "{}"  # how a variable segment stands in the table
MAX_BODY: Final = 1024 * 1024  # of a request, where nothing else is said
_DEEPEST: Final = 100  # levels of a body


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, read whole."""

    method: str
    path: str  # as it was sent, without the query
    segments: tuple[str, ...]  # decoded
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    host: str  # without the port, in lower case


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a JSON value, bytes, or nothing."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    media_type: str = "application/json"

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return ENCODE(self.body).encode()


class Refusal(Exception):
    """The API says no. What is put is forgotten; how it looks on the wire is the family's business."""

    def __init__(self, status: int, code: str, *messages: str, **extra: Any) -> None:
        super().__init__(status, code, *messages)
        self.status, self.code, self.messages, self.extra = status, code, messages, extra


class Family(Protocol):
    """A set of APIs with the same credentials, errors and headers."""

    key_header: str  # of idempotency; "" where there is none
    is_ours: bool  # paths that are not Klarna's: never limited, and no fault strikes them

    def account(self, request: Request, accounts: Accounts) -> Account:
        """Whose request it is; raises Refusal when nobody's."""
        ...

    def refuse(self, refusal: Refusal, correlation_id: str) -> Answer: ...

    def headers(self, correlation_id: str) -> tuple[tuple[str, str], ...]:
        """What every answer carries."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str  # `/orders/{order_id}`
    names: tuple[str, ...]  # of its variables
    handler: Handler
    family: Family
    category: str = "other"  # what it counts against, where requests are limited
    keyed: bool = False  # whether it takes an idempotency key
    max_body: int = MAX_BODY


@dataclass(slots=True)
class Call:
    """A request on its way through a handler."""

    request: Request
    params: Mapping[str, str]
    account: Account
    accounts: Accounts
    state: Transaction
    clock: Clock
    now: datetime
    correlation_id: str
    public_url: str  # where a browser finds the sandbox
    outbox: list[Delivery] = field(default_factory=list)

    # Documents of the merchant who asks.

    def get(self, kind: str, id_: str) -> Document | None:
        return self.state.get(self.account.id, kind, id_)

    def put(self, kind: str, id_: str, document: Document) -> None:
        self.state.put(self.account.id, kind, id_, document)

    def items(self, kind: str) -> Iterator[tuple[str, Document]]:
        return self.state.items(self.account.id, kind)

    def ids(self, kind: str) -> list[str]:
        return self.state.ids(self.account.id, kind)

    def url(self, path: str) -> str:
        """An absolute URL of the host that was asked."""
        host = self.request.headers.get("host", "")
        return f"https://{host}{path}" if self.request.host in HOSTS else f"{self.public_url}{path}"

    def json(self) -> Any:
        """The body as JSON; a Refusal where it is none."""
        try:
            text = self.request.body.decode()
            value = json.loads(text, parse_constant=_refuse_constant, parse_float=_number)
            if "\\u" in text:
                json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair could never be answered
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "BAD_REQUEST", "The request body is not valid JSON") from error
        if text.count("[") + text.count("{") > _DEEPEST and _is_too_deep(value):
            raise Refusal(400, "BAD_REQUEST", "The request body is nested too deeply")
        return value

    def first(self, name: str) -> str | None:
        """A query parameter that is given once."""
        values = self.request.query.get(name)
        return values[0] if values else None

    def deliver(self, delivery: Delivery) -> None:
        """Send something to the merchant, once this request is through."""
        self.outbox.append(delivery)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_too_deep(value: Any) -> bool:
    """Whether it is nested so deeply that it could be read once, here, and not again from deeper in the program."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        ]
        if not level:
            return False
    return True


def _number(text: str) -> float | int:
    """JSON Schema takes 1.0 for an integer; so that amounts are integers in Python too, it becomes one here."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return int(number) if number.is_integer() else number


class Routes:
    """Routes of one family, and the decorator that adds them."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.routes: list[Route] = []

    def __call__(
        self, method: str, template: str, *, category: str = "other", keyed: bool = False, max_body: int = MAX_BODY
    ) -> Callable[[Handler], Handler]:
        names = tuple(part[1:-1] for part in template.split("/") if part.startswith("{"))

        def add(handler: Handler) -> Handler:
            self.routes.append(Route(method, template, names, handler, self.family, category, keyed, max_body))
            return handler

        return add


class RouteTable:
    """Finds a route by method and segments; a literal segment goes before a variable one."""

    def __init__(self, routes: list[Route]) -> None:
        self._root: dict[str, Any] = {}
        self.routes = tuple(routes)
        for route in routes:
            node = self._root
            for part in filter(None, route.template.split("/")):
                node = node.setdefault(VARIABLE if part.startswith("{") else part, {})
            methods = node.setdefault("", {})
            if route.method in methods:
                raise ValueError(f"two handlers for {route.method} {route.template}")
            methods[route.method] = route

    def find(self, segments: tuple[str, ...]) -> tuple[Mapping[str, Route], tuple[str, ...]] | None:
        """The routes of a path by method, and the values of its variables."""
        return _walk(self._root, () if segments == ("",) else segments, ())


def _walk(
    node: dict[str, Any], rest: tuple[str, ...], values: tuple[str, ...]
) -> tuple[Mapping[str, Route], tuple[str, ...]] | None:
    if not rest:
        methods = node.get("")
        return (methods, values) if methods else None
    part = rest[0]
    if part and part != VARIABLE and part in node and (found := _walk(node[part], rest[1:], values)) is not None:
        return found
    if part and VARIABLE in node:
        return _walk(node[VARIABLE], rest[1:], (*values, part))
    return None
