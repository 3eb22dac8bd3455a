"""How a call talks to its MCP client while it runs: questions, log lines, progress.

From 2026-07-28 on a question ends the call: the answer comes with the same call again, together with a state that only
this server can read. In the sessions before, it is asked on the stream of the call.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import mcp_types as types
from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from pydantic import ValidationError

from capstan.call.conversation import Question, Unanswered
from capstan.errors import FlowError, Outcome
from capstan.expose.finishing import Finishing
from capstan.load.asking import LEVELS

Context = ServerRequestContext[Any, Any]

ANSWER_SECONDS: Final = 600.0  # that a user has to answer
_MOST_USED: Final = 100_000  # states that are remembered to have been used
_MOST_SESSIONS: Final = 10_000  # as many as the SDK keeps open


@dataclass(slots=True)
class State:
    """What is known from earlier rounds of a call."""

    asked: dict[str, str] = field(default_factory=dict)  # step -> digest of what it asked last
    answers: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)  # step -> digest, and the answer


class States:
    """Seals the states of calls that wait for answers, and takes each of them once."""

    def __init__(self, key: bytes) -> None:
        self.boundary = RequestStateBoundary(
            RequestStateSecurity(keys=[key], ttl=ANSWER_SECONDS), default_audience="capstan"
        )
        self._used: dict[str, float] = {}  # until when a state that was used would be good

    def opened(self, context: Context) -> State:
        """What a call brings with it, once the seal is off.

        Raises:
            MCPError: it was brought before.
        """
        state = (context.params or {}).get("requestState")
        if not isinstance(state, str):
            return State()
        told = json.loads(state)
        self._use(told["number"])
        return State(told["asked"], {name: (digest, content) for name, (digest, content) in told["answers"].items()})

    def _use(self, number: str) -> None:
        """Take a state, once. Where too many were taken for all to be remembered, none is."""
        now = time.monotonic()
        while self._used and (first := next(iter(self._used))) and self._used[first] < now:
            del self._used[first]
        if number in self._used or len(self._used) >= _MOST_USED:
            message = "Invalid or expired requestState"  # as of one that cannot be read
            raise MCPError(types.INVALID_PARAMS, message, data={"reason": "invalid_request_state"})
        self._used[number] = now + ANSWER_SECONDS


class _Told:
    """What both eras have in common: the client is told how far the call is, and of what it listens to."""

    def __init__(self, context: Context, finishing: Finishing, levels: Collection[str]) -> None:
        self._context = context
        self.change = finishing.change
        self.outcome: Outcome = "unknown"
        self._levels = levels
        self.follows = context.meta is not None and context.meta.get("progress_token") is not None

    async def log(self, level: Any, text: str) -> None:
        if level in self._levels:
            told = types.LoggingMessageNotificationParams(level=level, data=text, logger="capstan")
            await self._context.session.send_notification(
                types.LoggingMessageNotification(params=told), self._context.request_id
            )

    async def progress(self, done: int, total: int, step: str) -> None:
        await self._context.session.report_progress(done, total, step)


class InRounds(_Told):
    """A conversation from 2026-07-28 on: a question ends the call."""

    def __init__(
        self,
        context: Context,
        finishing: Finishing,
        state: State | None = None,
        responses: types.InputResponses | None = None,
    ) -> None:
        super().__init__(context, finishing, allowed_log_levels(context.protocol_version, context.meta))
        self._state, self._responses = state or State(), responses or {}

    async def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """The answers that came with this call; else the call ends with what is still to be asked."""
        if not _can_be_asked(self._context):
            _refuse_client()
        open_ = [question for question in questions if not self._is_answered(question)]
        if open_:
            raise Unanswered(open_)
        return [self._state.answers[question.name][1] for question in questions]

    def _is_answered(self, question: Question) -> bool:
        name, digest = question.name, question.digest
        known = self._state.answers.get(name)
        if known is not None and known[0] == digest:
            return True
        response = self._responses.get(name)
        asked = self._state.asked.get(name, digest if question.plan.is_open else None)
        if not isinstance(response, types.ElicitResult) or asked != digest:
            return False  # not asked yet, or with other words
        content = _content(response, question)
        if question.fault(content):
            return False  # asked again
        self._state.answers[name] = digest, content
        return True

    def to_be_asked(self, questions: Sequence[Question]) -> types.InputRequiredResult:
        """The result that asks, with a state that is sealed on its way out."""
        state = {
            "number": secrets.token_urlsafe(12),
            "asked": {question.name: question.digest for question in questions},
            "answers": self._state.answers,
        }
        requests: dict[str, types.InputRequest] = {question.name: _elicit(question) for question in questions}
        return types.InputRequiredResult(input_requests=requests, request_state=json.dumps(state))


class InSession(_Told):
    """A conversation before 2026-07-28: a question goes out on the stream of the call, which waits."""

    async def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """The answers, asked for one after the other."""
        return [await self._ask(question) for question in questions]

    async def _ask(self, question: Question) -> dict[str, Any]:
        session = self._context.session
        if not _can_be_asked(self._context) or not session.can_send_request:
            raise _cannot_ask("the client does not take questions (elicitation), or not by this connection")
        try:
            response = await session.send_request(
                _elicit(question), types.ElicitResult, ANSWER_SECONDS,
                ServerMessageMetadata(related_request_id=self._context.request_id),
            )  # fmt: skip
        except NoBackChannelError as error:
            raise _cannot_ask("the client does not take questions by this connection") from error
        except MCPError as error:
            if error.error.code == types.REQUEST_TIMEOUT:
                message = f"step '{question.name}': nobody answered within {ANSWER_SECONDS:.0f} seconds"
                raise FlowError("declined", message) from error
            raise _cannot_ask(f"the client could not ask: {error.error.message[:200]}") from error
        except ValidationError as error:
            raise FlowError("bad-answer", f"step '{question.name}': the client's answer is none") from error
        content = _content(response, question)
        if fault := question.fault(content):
            raise FlowError("bad-answer", f"step '{question.name}': {fault}", hint="call again to be asked again")
        return content


class Levels:
    """What each session listens to: what it said, else from `info` on."""

    def __init__(self) -> None:
        self._set: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def set(self, context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self._set[session_of(context)] = _from(params.level)
        if len(self._set) > _MOST_SESSIONS:
            self._set.popitem(last=False)
        return types.EmptyResult()

    def of(self, context: Context) -> Collection[str]:
        return self._set.get(session_of(context), _USUAL)


def session_of(context: Context) -> str:
    """What tells sessions apart; standard input is one."""
    return context.request.headers.get("mcp-session-id", "") if context.request is not None else ""


def _from(level: str) -> frozenset[str]:
    return frozenset(LEVELS[LEVELS.index(level) :])


_USUAL: Final = _from("info")


def _content(response: types.ElicitResult, question: Question) -> dict[str, Any]:
    """What the user gave.

    Raises:
        FlowError: they gave nothing, and want it to end.
    """
    if response.action != "accept":
        what = "the user declined" if response.action == "decline" else "the question was closed without an answer"
        raise FlowError("declined", f"step '{question.name}': {what}; nothing was sent")
    return dict(response.content or {})


def _elicit(question: Question) -> types.ElicitRequest:
    params = types.ElicitRequestFormParams(message=question.message, requested_schema=dict(question.plan.schema))
    return types.ElicitRequest(params=params)


def _can_be_asked(context: Context) -> bool:
    """Whether the client shows forms: `elicitation: {}` says so too, one that only opens URLs does not."""
    capabilities = context.session.client_capabilities
    known = capabilities.elicitation if capabilities is not None else None
    return known is not None and (known.form is not None or known.url is None)


def _cannot_ask(why: str) -> FlowError:
    return FlowError("cannot-ask", f"this call has to ask its user something: {why}")


def _refuse_client() -> None:
    required = types.ClientCapabilities(elicitation=types.ElicitationCapability())
    data = {"requiredCapabilities": required.model_dump(by_alias=True, exclude_none=True)}
    message = "this call has to ask its user something, and the client does not take questions (elicitation)"
    raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, message, data=data)
