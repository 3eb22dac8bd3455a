"""One table from our errors to what a caller sees: the same object on every door, and a status where there is one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from capstan.errors import (
    BindError,
    CallError,
    FlowError,
    ShapeError,
    StoppedError,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from capstan.plan.jsontext import is_deeper_than, parse_answer

_DEEPEST: Final = 100
PROBLEM_TYPE: Final = "application/problem+json"
# An upstream's refusal of our own credentials is not the caller's fault, nor can the caller mend it.
_OUR_FAULT: Final = frozenset({401, 407})


def status_of(error: CallError) -> int:
    """The HTTP status of an error."""
    match error:
        case BindError() | FlowError():
            return error.status
        case UpstreamTimeout():
            return 504
        case StoppedError():
            return 503
        case UpstreamRefused(status=429) if not error.retry_safe:
            return 502  # of several steps some are done: a client that repeats what is 429 must not repeat those
        case UpstreamRefused() if 400 <= error.status < 500 and error.status not in _OUR_FAULT:
            return error.status
        case UpstreamError() | ShapeError():
            return 502
    return 500


def problem_of(error: CallError) -> dict[str, Any]:
    """RFC 9457 problem details, with what an agent needs to decide what to do next."""
    status = status_of(error)
    problem: dict[str, Any] = {
        "type": f"urn:capstan:error:{error.code}",
        "title": _title(status),
        "status": status,
        "code": error.code,
        "detail": error.message,
        "outcome": error.outcome,
        "retry_safe": error.retry_safe,
    }
    if error.hint:
        problem["hint"] = error.hint
    if isinstance(error, BindError) and error.argument:
        problem["argument"] = error.argument
    if isinstance(error, UpstreamRefused):
        problem["upstream"] = {"status": error.status, "body": _body(error)}
    return {**problem, **error.extra}


def refusal(status: int, code: str, detail: str, hint: str = "", title: str = "") -> dict[str, Any]:
    """The problem of a request that reached no unit."""
    told = {
        "type": f"urn:capstan:error:{code}",
        "title": title or _title(status),
        "status": status,
        "code": code,
        "detail": detail,
        "outcome": "not-sent",
        "retry_safe": True,
    }
    return {**told, "hint": hint} if hint else told


def broken_off(*, reads: bool) -> StoppedError:
    """For a call that the end of the server breaks off."""
    message = "the server stopped before the call was done"
    return StoppedError("server-stopped", message, "unknown", retry_safe=reads)


def internal_problem() -> dict[str, Any]:
    """For an error of ours: the log says more, the caller learns nothing of our insides."""
    return {
        "type": "urn:capstan:error:internal-error",
        "title": _title(500),
        "status": 500,
        "code": "internal-error",
        "detail": "Capstan failed; its log says where",
        "outcome": "unknown",
        "retry_safe": False,
    }


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _body(error: UpstreamRefused) -> Any:
    """The upstream's own error: as data where every reader could take it, else as text."""
    if not error.body:
        return None
    try:
        value = parse_answer(error.body)
        return error.body.decode("utf-8", "replace") if is_deeper_than(value, _DEEPEST) else value
    except ValueError:
        return error.body.decode("utf-8", "replace")
