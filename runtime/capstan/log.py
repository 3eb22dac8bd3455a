"""How log records are written: as text for people or as JSON lines for machines. Only the command line sets it up.

The line that each call leaves does not pass through `logging` then, for making and routing a record costs a fifth of a
call. Lines are put together as calls end and written once for each turn of the event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Form = Literal["text", "json"]

_calls: Final = logging.getLogger("capstan.call")


@dataclass(frozen=True, slots=True)
class CallLine:
    """What is told of one call. No argument, header or body is ever part of it."""

    door: str
    unit: str
    effect: str
    status: int
    milliseconds: float
    code: str = ""
    outcome: str = ""

    def __str__(self) -> str:
        """`rest get-order 200 in 3.1 ms`, and for a failure its code and what is known of the outcome."""
        code = f" [{self.code}, {self.outcome}]" if self.code else ""
        return f"{self.door} {self.unit} {self.status} in {self.milliseconds:.1f} ms{code}"


def _to_logging(line: CallLine) -> None:
    if _calls.isEnabledFor(logging.INFO):
        _calls.info("%s", line)


_write: Callable[[CallLine], None] = _to_logging


def write_call(line: CallLine) -> None:
    """Tell of one call, the way the command line asked for; a program that embeds Capstan gets log records."""
    _write(line)


class _Lines:
    """Writes call lines to standard error, those of one turn of the event loop together."""

    def __init__(self, form: Form) -> None:
        self._json = form == "json"
        self._waiting: list[str] = []
        atexit.register(self.flush)

    def write(self, line: CallLine) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        now = time.time()
        if not self._json:
            self._waiting.append(f"{_clock(int(now))} {line}\n")
            return
        told: dict[str, object] = {
            "time": f"{_seconds(int(now))}.{int(now % 1 * 1000):03d}Z", "level": "info", "logger": _calls.name,
            "message": str(line), "door": line.door, "unit": line.unit, "effect": line.effect,
            "status": line.status, "ms": round(line.milliseconds, 1),
        }  # fmt: skip
        if line.code:
            told |= {"code": line.code, "outcome": line.outcome}
        self._waiting.append(json.dumps(told, ensure_ascii=False) + "\n")

    def flush(self) -> None:
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            sys.stderr.write(text)
            sys.stderr.flush()


@functools.lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


@functools.lru_cache(maxsize=2)
def _seconds(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": f"{_seconds(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(told, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return f"{_clock(int(record.created))} {mark}{record.getMessage()}"


def configure(form: Form, *, quiet: bool) -> None:
    """Send our records to standard error, and other libraries' warnings with them."""
    global _write  # noqa: PLW0603 - one process, one log
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("capstan").setLevel(logging.WARNING if quiet else logging.INFO)
    _write = _to_logging if quiet else _Lines(form).write
    # uvicorn says here that a response was left incomplete, which is how a broken answer is passed on; the call's own
    # line says why.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # The SDK logs a warning for every refused or unknown request, with parts of it.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
