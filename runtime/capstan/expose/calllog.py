"""One log line a call, the same from every door. No argument, header or body is ever part of it."""

from __future__ import annotations

import logging
import time
import traceback

from capstan.errors import CallError
from capstan.plan.types import UnitPlan

calls = logging.getLogger("capstan.call")
faults = logging.getLogger("capstan.fault")


def log_call(door: str, unit: UnitPlan, status: int, started: float, error: CallError | None = None) -> None:
    """Say what was called, how it ended, and how long it took."""
    if not calls.isEnabledFor(logging.INFO):
        return
    milliseconds = (time.perf_counter() - started) * 1000
    fields: dict[str, object] = {"door": door, "unit": unit.name, "effect": unit.effect, "status": status}
    if error is not None:
        fields |= {"code": error.code, "outcome": error.outcome}
    calls.info("%s %s %d in %.1f ms", door, unit.name, status, milliseconds,
               extra={"fields": {**fields, "ms": round(milliseconds, 1)}})  # fmt: skip


def log_fault(door: str, unit: UnitPlan, error: BaseException) -> None:
    """An error of ours: its kind and where, but not its text, which may quote a value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    faults.error("%s %s failed inside Capstan: %s\n%s", door, unit.name, type(error).__name__, frames)
