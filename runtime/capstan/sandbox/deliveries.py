"""What Klarna sends by itself: callbacks and webhooks, really delivered and tried again.

Only addresses of this machine or a private network are reached: a sandbox must never tell a shop on the internet that
it was paid. What cannot be delivered stays in the list with its reason.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from capstan.sandbox.clock import Clock, read_time, write_time
from capstan.sandbox.state import EVERYBODY, Document, State, Transaction

logger = logging.getLogger(__name__)

WAITING: Final = "deliveries"
DONE: Final = "deliveries-done"
_KEPT: Final = 1000  # of those that are done
_DAY: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait for an answer, which answers will do, and when to try again."""

    connect_seconds: float
    read_seconds: float
    accepted: Callable[[int], bool]
    next_delay: Callable[[int, float], float | None]  # attempts made and seconds since the first -> wait, or give up


def _any_2xx(status: int) -> bool:
    return 200 <= status < 300


# Names of policies stand in stored deliveries.
POLICIES: Final[dict[str, Policy]] = {
    "callback": Policy(2, 2, _any_2xx, lambda made, _: None if made >= 3 else 2.0 ** (made - 1)),
    "notification": Policy(5, 10, lambda status: status == 200, lambda _, since: 600.0 if since < _DAY else None),
    # Whatever a merchant answers, a push comes again until the order is acknowledged, which withdraws it.
    "push": Policy(5, 10, lambda _: False, lambda _, since: 7200.0 if since < 2 * _DAY else None),
    "status": Policy(5, 10, _any_2xx, lambda made, _: None if made >= 5 else 2.0**made),
    "webhook": Policy(
        5, 10, lambda status: status in (200, 201, 202, 204),
        lambda made, since: min(5.0 * 3.0 ** (made - 1), 3600.0) if since < _DAY / 2 else None,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
    """A POST to a merchant."""

    url: str
    body: bytes
    policy: str
    headers: dict[str, str] = field(default_factory=dict)
    subject: str = ""  # what it is about, for whoever reads the list
    owner: str = EVERYBODY


class Deliveries:
    """The queue, and the task that works it off. It is part of the state: a restart goes on with it."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock
        self._wake = asyncio.Event()
        self._under_way: set[str] = set()

    def wake(self) -> None:
        """Time passed, or there is something new."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver what is due until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=False, force_close=True)  # a developer's certificate is self-made
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                wait = self._start_due(session, group)
                try:
                    await asyncio.wait_for(self._wake.wait(), wait)
                except TimeoutError:
                    continue

    def _start_due(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> float | None:
        """Begin what is due; how long nothing else will be."""
        now = self._clock.now()
        nearest: float | None = None
        for id_, document in list(self._state.transaction().items(EVERYBODY, WAITING)):
            if id_ in self._under_way:
                continue
            ahead = (read_time(document["due"]) - now).total_seconds()
            if ahead <= 0:
                self._under_way.add(id_)
                group.create_task(self._attempt(session, id_, document))
            else:
                nearest = ahead if nearest is None else min(nearest, ahead)
        return nearest

    async def _attempt(self, session: aiohttp.ClientSession, id_: str, document: Document) -> None:
        policy = POLICIES[document["policy"]]
        try:
            outcome, accepted = await _post(session, document, policy)
        finally:
            self._under_way.discard(id_)
        transaction = self._state.transaction()
        current = transaction.get(EVERYBODY, WAITING, id_)
        if current is None:
            return  # withdrawn meanwhile
        now = self._clock.now()
        current["attempts"] += 1
        current["outcomes"] = [*current["outcomes"], {"at": write_time(now), "outcome": outcome}][-20:]
        since = (now - read_time(current["created"])).total_seconds()
        delay = None if accepted or outcome == _ELSEWHERE else policy.next_delay(current["attempts"], since)
        if delay is None:
            current["state"] = "delivered" if accepted else "given-up"
            finish(transaction, id_, current)
        else:
            current["due"] = write_time(now + timedelta(seconds=delay))
            transaction.put(EVERYBODY, WAITING, id_, current)
        transaction.commit()
        self.wake()


def finish(transaction: Transaction, id_: str, document: Document) -> None:
    """Move a delivery to those that are done; the oldest of them are forgotten."""
    transaction.delete(EVERYBODY, WAITING, id_)
    done = [old for old, _ in transaction.items(EVERYBODY, DONE)]
    for old in done[: max(0, len(done) + 1 - _KEPT)]:
        transaction.delete(EVERYBODY, DONE, old)
    transaction.put(EVERYBODY, DONE, id_, document)


def withdraw(transaction: Transaction, subject: str) -> None:
    """Try no more to deliver what is about that."""
    for id_, document in list(transaction.items(EVERYBODY, WAITING)):
        if document["subject"] == subject:
            finish(transaction, id_, {**document, "state": "withdrawn"})


def queued(delivery: Delivery, clock: Clock) -> tuple[str, Document]:
    """A delivery as it waits in the state."""
    now = write_time(clock.now())
    return str(uuid.uuid4()), {
        "url": delivery.url, "body": delivery.body.decode(), "headers": delivery.headers, "policy": delivery.policy,
        "subject": delivery.subject, "owner": delivery.owner, "state": "waiting", "created": now, "due": now,
        "attempts": 0, "outcomes": [],
    }  # fmt: skip


_ELSEWHERE: Final = "not sent: only this machine and private networks are reached"


async def _post(session: aiohttp.ClientSession, document: Document, policy: Policy) -> tuple[str, bool]:
    """What came of an attempt, in words, and whether it will do."""
    try:
        if not await _is_near(document["url"]):
            return _ELSEWHERE, False
        headers = {"Content-Type": "application/json", **document["headers"]}
        timeout = aiohttp.ClientTimeout(connect=policy.connect_seconds, sock_read=policy.read_seconds)
        async with session.post(
            document["url"], data=document["body"].encode(), headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            return f"status {response.status}", policy.accepted(response.status)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return f"no answer: {type(error).__name__}", False


async def _is_near(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    found: list[Any] = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(item[4][0].partition("%")[0]) for item in found]
    return bool(addresses) and all(address.is_private for address in addresses)
