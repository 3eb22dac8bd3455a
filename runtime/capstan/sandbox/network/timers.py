"""What will be over at some time: a short list beside the documents, so that looking after them stays cheap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from capstan.sandbox.clock import read_time, write_time
from capstan.sandbox.web import Call

_FOLDER: Final = "network-timers"

Load = Callable[[Call, str], object]
_LOADERS: Final[dict[str, Load]] = {}


def on_timer(kind: str) -> Callable[[Load], Load]:
    """Have documents of a kind loaded when their time has come; loading them lets time have its effect."""

    def add(load: Load) -> Load:
        _LOADERS[kind] = load
        return load

    return add


def set_timer(call: Call, kind: str, id_: str, due: datetime) -> None:
    """Look after a document at that time; it replaces what was set before."""
    call.put(_FOLDER, f"{kind} {id_}", {"kind": kind, "id": id_, "due": write_time(due)})


def clear_timer(call: Call, kind: str, id_: str) -> None:
    call.state.delete(call.account.id, _FOLDER, f"{kind} {id_}")


def run_timers(call: Call) -> None:
    """Load what is due, as a sweep."""
    for name, timer in list(call.items(_FOLDER)):
        if call.now >= read_time(timer["due"]):
            call.state.delete(call.account.id, _FOLDER, name)  # whoever needs another one sets it when loading
            _LOADERS[timer["kind"]](call, timer["id"])
