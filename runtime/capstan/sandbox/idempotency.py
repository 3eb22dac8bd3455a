"""At most once per idempotency key: what was answered under a key is answered again, for a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.web import Answer, Call

_KEYS: Final = "idempotency"
_KEY_LIFE: Final = timedelta(hours=24)


def remembered(call: Call, name: str) -> Answer | None:
    """What was answered under that key."""
    record = call.get(_KEYS, name)
    if record is None or call.now - read_time(record["at"]) >= _KEY_LIFE:
        return None
    headers = tuple((header, value) for header, value in record["headers"])
    return Answer(record["status"], record["body"], headers)


def remember(call: Call, name: str, answer: Answer) -> None:
    record = {"at": write_time(call.now), "status": answer.status, "body": answer.body, "headers": answer.headers}
    call.put(_KEYS, name, record)


def forget_expired(call: Call) -> None:
    """Let go of keys that hold no more: from the oldest on, as far as they are expired."""
    for name in call.ids(_KEYS):
        record = call.get(_KEYS, name)
        if record is not None and call.now - read_time(record["at"]) < _KEY_LIFE:
            return
        call.state.delete(call.account.id, _KEYS, name)
