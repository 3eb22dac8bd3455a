"""What both doors log: one line a call, and where Capstan itself failed."""

from __future__ import annotations

import logging
import time
import traceback

from capstan.errors import CallError
from capstan.log import CallLine, write_call
from capstan.plan.types import PromptPlan, ResourcePlan, UnitPlan

logger = logging.getLogger(__name__)


def log_call(door: str, unit: UnitPlan, status: int, started: float, error: CallError | None = None) -> None:
    """Say what was called, how it ended, and how long it took."""
    log_read(door, unit.name, unit.effect, status, started, error)


def log_read(door: str, name: str, effect: str, status: int, started: float, error: CallError | None = None) -> None:
    """The same of what need not be a unit: a resource, a prompt."""
    milliseconds = (time.perf_counter() - started) * 1000
    if error is None:
        write_call(CallLine(door, name, effect, status, milliseconds))
    else:
        write_call(CallLine(door, name, effect, status, milliseconds, error.code, error.outcome))


def log_refusal(door: str, what: str, status: int, code: str) -> None:
    """A request that reached no unit: no such route, a method it does not take, a foreign host or origin."""
    write_call(CallLine(door, what, "-", status, 0.0, code, "not-sent"))


def log_fault(door: str, unit: UnitPlan | ResourcePlan | PromptPlan, error: BaseException) -> None:
    """An error of ours: its kind and where, but not its text, which may quote a value."""
    log_fault_of(door, unit.name, error)


def log_fault_of(door: str, name: str, error: BaseException) -> None:
    """The same of what need not be a unit."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s %s failed inside Capstan: %s\n%s", door, name, type(error).__name__, frames)
