"""What Klarna sends by itself: callbacks and webhooks, really delivered and tried again.

Only addresses of this machine or a private network are reached: a sandbox must never tell a shop on the internet that
it was paid. What cannot be delivered stays in the list with its reason.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import aiohttp

from capstan.sandbox.clock import Clock, read_time, write_time
from capstan.sandbox.near import NearResolver, NotNearError, check_url
from capstan.sandbox.state import EVERYBODY, Document, State, Transaction

logger = logging.getLogger(__name__)

WAITING: Final = "deliveries"
DONE: Final = "deliveries-done"
_KEPT: Final = 1000  # of those that are done
_AT_ONCE: Final = 64
_DAY: Final = 24 * 3600.0
_UNTIL_STORED: Final = timedelta(seconds=10)


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
        self._expected: list[tuple[str, str]] = []  # a heap of when and which; what was withdrawn is still in it
        self._room = asyncio.Semaphore(_AT_ONCE)

    def wake(self) -> None:
        """Time passed."""
        self._wake.set()

    def expect(self, queued: Iterable[tuple[str, str]]) -> None:
        """There is something new: when it is due, and its id."""
        for item in queued:
            heapq.heappush(self._expected, item)
        self.wake()

    async def run(self) -> None:
        """Deliver what is due until cancelled."""
        waiting = self._state.transaction().items(EVERYBODY, WAITING)
        self._expected = sorted((document["due"], id_) for id_, document in waiting)
        # A developer's certificate is self-made, and no cookie of one answer belongs into the next request.
        connector = aiohttp.TCPConnector(ssl=False, force_close=True, limit=0, resolver=NearResolver())
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session, asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                wait = self._start_due(session, group)
                try:
                    await asyncio.wait_for(self._wake.wait(), wait)
                except TimeoutError:
                    continue

    def _start_due(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> float | None:
        """Begin what is due; how long nothing else will be."""
        now = write_time(self._clock.now())
        while self._expected and self._expected[0][0] <= now:
            _, id_ = heapq.heappop(self._expected)
            group.create_task(self._attempt(session, id_))
        if not self._expected:
            return None
        return max(0.001, (read_time(self._expected[0][0]) - self._clock.now()).total_seconds())

    async def _attempt(self, session: aiohttp.ClientSession, id_: str) -> None:
        """Try once, and be there when it is to be tried again."""
        try:
            due = await self._deliver(session, id_)
        except Exception as fault:  # noqa: BLE001 - the disk is full, perhaps: the others go on, this one comes again
            logger.error("what came of a delivery could not be stored: %r", fault)  # noqa: TRY400 - no traces
            due = write_time(self._clock.now() + _UNTIL_STORED)
        if due is not None:
            self.expect([(due, id_)])

    async def _deliver(self, session: aiohttp.ClientSession, id_: str) -> str | None:
        """Send it, and store what came of it; when it is due again, if it is."""
        async with self._room:
            document = self._state.transaction().get(EVERYBODY, WAITING, id_)
            if document is None:
                return None  # withdrawn
            policy = POLICIES[document["policy"]]
            outcome = await _post(session, document, policy)
        transaction = self._state.transaction()
        current = transaction.get(EVERYBODY, WAITING, id_)
        if current is None:
            return None  # withdrawn meanwhile
        now = self._clock.now()
        current["attempts"] += 1
        current["outcomes"] = [*current["outcomes"], {"at": write_time(now), "outcome": outcome.words}][-20:]
        since = (now - read_time(current["created"])).total_seconds()
        delay = policy.next_delay(current["attempts"], since) if outcome.may_change else None
        if delay is None:
            finish(transaction, id_, {**current, "state": "delivered" if outcome.accepted else "given-up"})
        else:
            current["due"] = write_time(now + timedelta(seconds=delay))
            transaction.put(EVERYBODY, WAITING, id_, current)
        transaction.commit()
        return None if delay is None else str(current["due"])


# --- the queue as it is stored


def enqueue(transaction: Transaction, delivery: Delivery, moment: datetime) -> tuple[str, str]:
    """Put a delivery into the queue; when it is due, and its id."""
    id_, now = str(uuid.uuid4()), write_time(moment)
    document = {
        "url": delivery.url, "body": delivery.body.decode(), "headers": delivery.headers, "policy": delivery.policy,
        "subject": delivery.subject, "owner": delivery.owner, "state": "waiting", "created": now, "due": now,
        "attempts": 0, "outcomes": [],
    }  # fmt: skip
    transaction.put(EVERYBODY, WAITING, id_, document)
    if delivery.subject:
        transaction.put(EVERYBODY, _about(delivery.subject), id_, {})
    return now, id_


def finish(transaction: Transaction, id_: str, document: Document) -> None:
    """Move a delivery to those that are done; the oldest of them are forgotten."""
    transaction.delete(EVERYBODY, WAITING, id_)
    transaction.delete(EVERYBODY, _about(document["subject"]), id_)
    done = transaction.ids(EVERYBODY, DONE)
    for old in done[: max(0, len(done) + 1 - _KEPT)]:
        transaction.delete(EVERYBODY, DONE, old)
    transaction.put(EVERYBODY, DONE, id_, document)


def withdraw(transaction: Transaction, subject: str) -> None:
    """Try no more to deliver what is about that."""
    for id_ in transaction.ids(EVERYBODY, _about(subject)):
        document = transaction.get(EVERYBODY, WAITING, id_)
        if document is not None:
            finish(transaction, id_, {**document, "state": "withdrawn"})


def _about(subject: str) -> str:
    """The folder that says which waiting deliveries are about something."""
    return f"deliveries-about/{subject}"


# --- one attempt


@dataclass(frozen=True, slots=True)
class _Outcome:
    words: str
    accepted: bool = False
    may_change: bool = True  # whether another attempt could end otherwise


_ELSEWHERE: Final = _Outcome("not sent: only this machine and private networks are reached", may_change=False)


async def _post(session: aiohttp.ClientSession, document: Document, policy: Policy) -> _Outcome:
    """Send it, and say what came of it."""
    try:
        check_url(document["url"])
        headers = {"Content-Type": "application/json", **document["headers"]}
        timeout = aiohttp.ClientTimeout(
            total=policy.connect_seconds + policy.read_seconds, connect=policy.connect_seconds,
            sock_read=policy.read_seconds,
        )  # fmt: skip
        async with session.post(
            document["url"], data=document["body"].encode(), headers=headers, timeout=timeout, allow_redirects=False
        ) as response:
            accepted = policy.accepted(response.status)
            return _Outcome(f"status {response.status}", accepted, may_change=not accepted)
    except NotNearError:
        return _ELSEWHERE
    except ValueError as error:  # aiohttp's InvalidURL is one
        return _Outcome(f"not sent: {error}", may_change=False)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        elsewhere = isinstance(getattr(error, "os_error", None), NotNearError)
        return _ELSEWHERE if elsewhere else _Outcome(f"no answer: {type(error).__name__}")
    except Exception:  # whatever a merchant's address or headers bring about, the others go on
        logger.exception("a delivery to %s failed", document["url"])
        return _Outcome("the sandbox failed; whether it was sent is not known", may_change=False)
