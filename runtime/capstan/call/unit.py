"""Plan + arguments -> answer. Runs one call: guard, bind, send, decode, shape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from capstan.call.conversation import Conversation
from capstan.call.guard import Guard
from capstan.call.refusal import refusal_of
from capstan.call.upstream import Upstream, UpstreamResponse, may_repeat
from capstan.errors import BindError, Outcome, ShapeError
from capstan.load.media_type import essence_of, is_json
from capstan.plan.coerce import Misfit
from capstan.plan.content import ContentPlan, fill
from capstan.plan.decode import UNNAMED, Decoder, is_binary
from capstan.plan.jsontext import parse_answer
from capstan.plan.request import HttpRequest
from capstan.plan.shape import Whole
from capstan.plan.types import CallPlan, UnitPlan
from capstan.plan.values import ABSENT
from capstan.settings import Settings

T = TypeVar("T")

# What takes a few milliseconds is decoded at once; more would keep every other call waiting. 16 KiB of Markdown can
# take a second, so this is for formats in which bytes alone say how long it takes.
_DECODED_HERE_BYTES: Final = 16 * 1024


@dataclass(slots=True)
class Answer:
    """What a call gave. Either `value` was shaped by the file, or `response` is the upstream's own, still unread."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    value: Any = None
    response: UpstreamResponse | None = None
    empty: bool = False
    limit: int | None = None  # of the bytes of `response`; None: as the settings say
    content: list[dict[str, Any]] | None = None  # the blocks of MCP, where the file says them


class LiveUnit:
    """One unit with everything its call needs, so that a request looks nothing up."""

    __slots__ = ("_upstream", "_whole", "guard", "settings", "unit")

    def __init__(self, unit: UnitPlan, upstream: Upstream | None, settings: Settings) -> None:
        self.unit = unit
        self.guard = Guard(unit)
        self._upstream = upstream
        self.settings = settings
        self._whole = isinstance(unit.shape, Whole)

    async def call(self, arguments: Mapping[str, Any], conversation: Conversation | None = None) -> Answer:
        """Run the call. One call has nothing to say in between; of a flow, `conversation` is whom it talks to.

        Raises:
            CallError: whatever went wrong, with what is known of its effect.
        """
        arguments = self.guard.check(arguments)
        plan, upstream = self.unit.call, self._upstream
        if plan is None or upstream is None:
            value = self._without_call(arguments)
            return said(self.unit.content, value, arguments, self.settings.max_parsed_bytes)
        request = plan.request.bind(arguments)
        response = await upstream.send(plan, request)
        if 200 <= response.status < 300 and _comes_as_it_is(plan, response, whole=self._whole):
            # A PDF where JSON was declared is passed on as it is.
            limit = self._limit(plan, response) if plan.passing is not None else None
            return Answer(response.status, response.passed_headers, response=response, limit=limit)
        try:
            decoded = await parsed(plan, request, response, self.settings)
            if decoded is ABSENT:
                return Answer(response.status, response.passed_headers, empty=True)
            value = taken(self.unit.shape.take, decoded, decoded, arguments)
        except ShapeError as error:
            error.retry_safe = may_repeat(plan, request)
            raise
        finally:
            response.close()  # a caller may leave while the body is on its way
        return Answer(response.status, response.passed_headers, value=value)

    def _without_call(self, arguments: Mapping[str, Any]) -> Any:
        """The answer of a unit that calls nothing.

        Raises:
            BindError: an argument is not what is declared of the value it becomes. Nobody else can mend that.
            ShapeError: another value is not.
        """
        try:
            return self.unit.shape.take(None, None, arguments)
        except Misfit as error:
            if not error.argument:
                raise
            code = "bad-argument" if arguments.get(error.argument) is not None else "missing-argument"
            message = f"'{error.argument}' does not fit: {error.message}"
            raise BindError(code, message, argument=error.argument) from error

    def _limit(self, plan: CallPlan, response: UpstreamResponse) -> int | None:
        """What the file says of an answer that is passed on: what it is where it does not say, and how large it may be.

        Raises:
            UpstreamError: it says itself that it is larger.
        """
        assert plan.passing is not None
        passing = plan.passing
        if passing.media_type is not None and essence_of(response.media_type) in UNNAMED:
            response.media_type = passing.media_type
        if passing.limit is None or not (passing.binary or is_binary(response.media_type)):
            return None
        limit = min(passing.limit, self.settings.max_streamed_bytes)
        response.refuse_longer(limit)
        return limit


def _comes_as_it_is(plan: CallPlan, response: UpstreamResponse, *, whole: bool) -> bool:
    """Whether a success is passed on: it is all that is asked for, or says that it is not what was declared."""
    if plan.decoder is not None:
        kind = plan.decoder.says(response.media_type)
        return kind == "other" or (whole and kind == "json")
    if whole:
        return True
    if plan.passing is not None and plan.passing.binary:
        return not is_json(essence_of(response.media_type))
    return not _may_be_json(response)


def _may_be_json(response: UpstreamResponse) -> bool:
    """Whether an answer says that it is JSON, or nothing to the contrary."""
    essence = essence_of(response.media_type)
    return essence in ("", "text/plain") or is_json(essence)


async def parsed(plan: CallPlan, request: HttpRequest, response: UpstreamResponse, settings: Settings) -> Any:
    """The JSON value of an answer, with what is secret in it masked; ABSENT where there is no body."""
    if not 200 <= response.status < 300:
        raise await refusal_of(plan, request, response)
    if plan.decoder is not None:
        return await _decoded(plan.decoder, plan, response, settings)
    body = await response.read(settings.max_parsed_bytes)
    return taken(lambda: response.masked(_parse(body, response, plan))) if body else ABSENT


def said(content: ContentPlan | None, value: Any, scope: Mapping[str, Any], limit: int) -> Answer:
    """What is put together here, with the blocks that the file says; they are all where it says no more."""
    if content is None:
        return Answer(200, value=value)
    blocks = fill(content.blocks, scope, limit)
    return Answer(200, value=value if content.has_data else blocks, content=blocks)


def taken(take: Callable[..., T], *arguments: Any, outcome: Outcome = "done") -> T:
    """What is taken from an answer. One can be read that is too deep for anything else.

    Raises:
        ShapeError: it is nested too deeply.
    """
    try:
        return take(*arguments)
    except RecursionError as error:
        raise ShapeError("unexpected-answer", "an answer is nested too deeply to be used", outcome=outcome) from error


async def _decoded(decoder: Decoder, plan: CallPlan, response: UpstreamResponse, settings: Settings) -> Any:
    """The value of an answer in another format than JSON."""
    name = f"'{plan.api.namespace}' answered {response.status}"
    if decoder.says(response.media_type) == "other":
        message = f"{name}, but not with {decoder.format} ({essence_of(response.media_type)})"
        raise ShapeError("unexpected-answer", message, outcome="done")
    body = await response.read(settings.max_parsed_bytes)
    if not body:
        return ABSENT
    try:
        if decoder.in_place and len(body) <= _DECODED_HERE_BYTES:
            value = decoder.decode(body, response.media_type)
        else:
            value = await asyncio.to_thread(decoder.decode, body, response.media_type)
    except ValueError as error:
        reason = response.masked(str(error))
        message = f"{name} with {decoder.format} that cannot be read: {reason}"
        raise ShapeError("unexpected-answer", message, outcome="done") from error
    return response.masked(value)


def _parse(body: bytes, response: UpstreamResponse, plan: CallPlan) -> Any:
    try:
        return parse_answer(body)
    except ValueError as error:
        kind = response.media_type.partition(";")[0] or "no media type"
        message = f"'{plan.api.namespace}' answered {response.status}, but not with JSON ({kind})"
        raise ShapeError("unexpected-answer", message, outcome="done") from error
