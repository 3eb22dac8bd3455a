"""An answer that is no success -> an error that says whose fault it is and whether a retry is safe."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from capstan.call.upstream import UpstreamResponse, may_repeat
from capstan.errors import UpstreamRefused
from capstan.plan.body import to_json
from capstan.plan.jsontext import parse_answer
from capstan.plan.request import HttpRequest
from capstan.plan.types import CallPlan

_ERROR_BODY_BYTES: Final = 64 * 1024


async def refusal_of(plan: CallPlan, request: HttpRequest, response: UpstreamResponse) -> UpstreamRefused:
    """The error, with the beginning of what the API said of it."""
    body = await response.read_some(_ERROR_BODY_BYTES)
    if b"\\u" in body:  # an escape may spell a part of a secret
        with suppress(ValueError):
            body = to_json(response.masked(parse_answer(body)))
    status, name = response.status, f"'{plan.api.namespace}'"
    repeat = may_repeat(plan, request)
    outcome: Any = "refused"
    if status < 200:
        code, message, outcome = "upstream-broken", f"{name} changed the protocol unasked", "unknown"
    elif status < 400:
        code, message = "upstream-redirect", f"{name} answered {status}, a redirect, which is not followed"
        outcome = "refused" if status in (304, 307, 308) else "unknown"
    elif status in (401, 407):
        code, message = "upstream-credentials", f"{name} refused the credentials it was given"
    elif status == 408:
        code, message, outcome = "upstream-refused", f"{name} gave up waiting for the call", "unknown"
    elif status == 429:
        code, message = "upstream-busy", f"{name} asks for fewer calls"
    elif status < 500:
        code, message = "upstream-refused", f"{name} refused the call with {status}"
    elif status == 503 and "retry-after" in {key.lower() for key, _ in response.passed_headers}:
        code, message, outcome = "upstream-busy", f"{name} is not available for now", "unknown"
    else:
        code, message, outcome = "upstream-failed", f"{name} failed with {status}", "unknown"
    return UpstreamRefused(
        code, message, outcome, retry_safe=outcome == "refused" or repeat,
        status=status, body=body, media_type=response.media_type, headers=response.passed_headers,
    )  # fmt: skip
