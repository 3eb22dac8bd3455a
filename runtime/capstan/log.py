"""How log records are written: as text for people or as JSON lines for machines. Only the command line sets it up."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Literal


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        return json.dumps(line, ensure_ascii=False, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        fields = getattr(record, "fields", {})
        code = f" [{fields['code']}, {fields['outcome']}]" if "code" in fields else ""
        return f"{clock} {mark}{record.getMessage()}{code}"


def configure(form: Literal["text", "json"], *, level: int = logging.INFO) -> None:
    """Send our records to standard error, and other libraries' warnings with them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("capstan").setLevel(level)
    # uvicorn says here that a response was left incomplete, which is how a broken answer is passed on; the call's own
    # line says why.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # The SDK logs a warning for every refused or unknown request, with parts of it.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)


def level(*, quiet: bool) -> int:
    return logging.WARNING if quiet else logging.INFO
