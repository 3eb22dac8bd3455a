"""Plan -> MCP, through the SDK's low-level server: tools from units, results from answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from capstan.call.conversation import Conversation, Unanswered
from capstan.call.problem import internal_problem, problem_of, status_of
from capstan.call.unit import Answer, LiveUnit
from capstan.errors import CallError
from capstan.expose.calllog import log_call, log_fault
from capstan.expose.finishing import Finishing
from capstan.expose.mcp_conversation import Context, InRounds, InSession, Levels, States
from capstan.expose.mcp_live import Live
from capstan.expose.mcp_offer import LiveOffer, OfferServer
from capstan.expose.mcp_results import failure, result_of
from capstan.expose.mcp_stdio import Lines
from capstan.expose.mcp_transport import (
    Peeked,
    SessionManager,
    peek,
    refuse,
    streamed,
    takes_streams,
    tell_broken_off,
    until_gone,
)
from capstan.plan.types import FlowPlan
from capstan.resources import VERSION
from capstan.settings import Settings

Result = TypeVar("Result")

_SETTLE_SECONDS: Final = 0.1  # for the last line read to become a running call


class McpApp:
    """One MCP endpoint as an ASGI application, started when it is first asked."""

    def __init__(self, offer: LiveOffer, settings: Settings, *, stateless: bool, watches: bool) -> None:
        self._settings = settings
        self._stateless = stateless
        self.server = OfferServer(
            "capstan",
            version=VERSION,
            title=offer.title,
            instructions=offer.instructions or None,
            get_tool_input_schema=self._input_schema,
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_completion=self._complete,
        )
        self.server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, self._set_level)
        self.server.offer, self.server.watches, self.server.has_sessions = offer, watches, not stateless
        self._live = Live(self.server, settings)
        self._states = States(settings.state_key)
        self._levels = Levels()
        self._finishing = Finishing()
        self._manager: SessionManager | None = None
        self._runner: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._asked: set[tuple[bytes, str | None]] = set()  # session and request id of what is being answered
        self._lines = Lines()
        self._stop = asyncio.Event()
        self._started = asyncio.Event()

    @property
    def offer(self) -> LiveOffer:
        return self.server.offer

    @offer.setter
    def offer(self, offer: LiveOffer) -> None:
        old, self.server.offer = self.server.offer, offer
        if old is not offer:
            self._live.replaced(old)

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        return self.offer.input_schema(name)

    async def _list(self, _: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return self.offer.list_tools(_cursor(params))

    async def _list_resources(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return await self.offer.list_resources(_cursor(params))

    async def _list_templates(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return self.offer.list_templates(_cursor(params))

    async def _read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        self._track()
        limit = self._settings.max_parsed_bytes
        return await self.offer.read_resource(params.uri, limit, context.protocol_version)

    async def _list_prompts(self, _: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return self.offer.list_prompts(_cursor(params))

    async def _get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult | types.InputRequiredResult:
        self._track()

        def answer(talk: Conversation | None) -> Awaitable[types.GetPromptResult]:
            limit = self._settings.max_parsed_bytes
            return self.offer.get_prompt(params.name, params.arguments or {}, limit, talk)

        flow = self.offer.flow_of(f"prompts/get {params.name}")
        return await (answer(None) if flow is None else self._talked(context, params, flow, answer))

    async def _complete(self, _: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
        self._track()
        return await self.offer.complete(params)

    async def _set_level(self, context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        self.offer.ask("logging/setLevel", there=self.offer.has_logs)
        return await self._levels.set(context, params)

    async def _call(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        self._track()
        live = self.offer.units.get(params.name)
        if live is None:
            taken = self.offer.take(params)
            if isinstance(taken, types.CallToolResult):
                return taken
            live, params = taken
        flow = live.unit.flow
        if flow is None:
            return await self._answer(live, params)
        return await self._talked(context, params, flow, lambda talk: self._answer(live, params, talk))

    async def _talked(
        self,
        context: Context,
        params: types.InputResponseRequestParams,
        flow: FlowPlan,
        answer: Callable[[Conversation], Awaitable[Result]],
    ) -> Result | types.InputRequiredResult:
        """What a flow answers, with the client to talk to; or what it asks, from 2026-07-28 on."""
        if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return await answer(InSession(context, self._finishing, self._levels.of(context)))
        if not flow.asks:
            return await answer(InRounds(context, self._finishing))

        async def unsealed(known: Context) -> Any:
            rounds = InRounds(context, self._finishing, self._states.opened(known), params.input_responses)
            try:
                return await answer(rounds)
            except Unanswered as asked:
                return rounds.to_be_asked(asked.questions)

        sealed: Any = await self._states.boundary(context, unsealed)
        result: Result | types.InputRequiredResult = sealed
        return result

    def _track(self) -> None:
        """Keep the task of this request, one of its own; it ends when the answer is written."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(
        self, live: LiveUnit, params: types.CallToolRequestParams, conversation: Conversation | None = None
    ) -> types.CallToolResult:
        started = time.perf_counter()
        error: CallError | None = None
        status = 500
        try:
            if live.unit.flow is not None or live.unit.effect == "read":
                answer, result = await self._called(live, params, conversation)
            else:
                with self._finishing.change():
                    answer, result = await self._called(live, params, conversation)
            status = answer.status
        except CallError as caught:
            error, status = caught, status_of(caught)
            result = failure(problem_of(caught), live.unit)
        except asyncio.CancelledError:  # the client went away, or the server stops
            status = 499
            error = CallError("client-gone", "", conversation.outcome if conversation is not None else "unknown")
            raise
        except Unanswered:
            status = 202
            raise
        except MCPError:
            status = 400
            raise
        except Exception as fault:  # noqa: BLE001 - the outermost edge
            log_fault("mcp", live.unit, fault)
            result = failure(internal_problem(), live.unit)
        finally:
            log_call("mcp", live.unit, status, started, error)
        return result

    async def _called(
        self, live: LiveUnit, params: types.CallToolRequestParams, conversation: Conversation | None
    ) -> tuple[Answer, types.CallToolResult]:
        answer = await live.call(params.arguments or {}, conversation)
        return answer, await result_of(answer, live.unit, self._settings.max_parsed_bytes)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        await self._started.wait()
        assert self._manager is not None
        headers = dict(scope["headers"])
        length, most = headers.get(b"content-length", b"0"), self._settings.max_request_bytes
        if length.isdigit() and int(length) > most:  # told here: the SDK's own words reach no client
            await refuse(send, 413, f"the request is larger than {most:,} bytes")
            return
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._handle(headers, scope, receive, watched)
        except asyncio.CancelledError:  # the server stops, and has waited for as long as it may
            if not begun and scope["method"] == "POST":
                await tell_broken_off(send)
            raise

    async def _handle(self, headers: dict[bytes, bytes], scope: Any, receive: Any, send: Any) -> None:
        assert self._manager is not None
        session, tool = headers.get(b"mcp-session-id"), headers.get(b"mcp-name")
        talking = self.offer.may_talk
        known = tool is not None and (headers.get(b"mcp-method", b"") + b" " + tool).decode("latin-1") not in talking
        if scope["method"] == "GET" and session is not None:
            with self._live.stream(session.decode("latin-1")):
                await self._manager.handle_request(scope, receive, send)
        elif scope["method"] != "POST" or (session is None and tool is None and not talking):
            await self._manager.handle_request(scope, receive, send)
        elif session is None and (not talking or known):
            await until_gone(self._manager.handle_request, scope, receive, send)
        else:
            await self._peeked(session, headers, scope, receive, send)

    async def _peeked(
        self, session: bytes | None, headers: dict[bytes, bytes], scope: Any, receive: Any, send: Any
    ) -> None:
        """A request whose body says how it is answered, or which of its session's it is.

        The SDK tells the answers of a session apart by request id alone: a second request with an id that is still
        being answered would get the first one's answer.
        """
        assert self._manager is not None
        message = await receive()
        body = message.get("body", b"")
        while message.get("more_body") and len(body) <= self._settings.max_request_bytes:
            message = await receive()
            body += message.get("body", b"")
        peeked = peek(body)
        asked = (session, peeked.request_id) if session is not None and peeked.request_id is not None else None
        if asked is not None and asked in self._asked:
            await refuse(send, 400, "a request of this id is still being answered")
            return
        replay = [{"type": "http.request", "body": body, "more_body": message.get("more_body", False)}]

        async def again() -> Any:
            return replay.pop() if replay else await receive()

        if asked is not None:
            self._asked.add(asked)
        answered = streamed.set(self._is_streamed(peeked, headers))
        try:
            if b"mcp-name" in headers and not streamed.get():
                await until_gone(self._manager.handle_request, scope, again, send)
            else:
                await self._manager.handle_request(scope, again, send)
        finally:
            streamed.reset(answered)
            if asked is not None:
                self._asked.discard(asked)

    def _is_streamed(self, peeked: Peeked, headers: dict[bytes, bytes]) -> bool:
        """Whether something is said before the answer: a question in a session, a log line, the end of a step."""
        flow = self.offer.flow_of(peeked.what, peeked.behind)
        if flow is None or not takes_streams(headers):
            return False
        return flow.logs or peeked.follows or (flow.asks and b"mcp-name" not in headers)

    async def _run(self) -> None:
        self._manager = SessionManager(
            self.server,
            stateless=self._stateless,
            max_request_body_size=max(self._settings.max_request_bytes, 1),
            max_sessions=self._settings.max_sessions,
            session_idle_timeout=self._settings.session_idle_seconds,
        )
        self._manager.ended = self._live.ended
        async with self._manager.run():
            self._started.set()
            await self._stop.wait()

    async def close(self) -> None:
        """End every session."""
        self._live.close()
        self._finishing.end()
        self._stop.set()
        if self._runner is not None:
            with suppress(asyncio.CancelledError):
                await self._runner

    async def run_stdio(self) -> None:
        """Speak MCP on standard input and output until the input ends and what was asked is answered."""
        lines: Any = self._lines_of_stdin()  # all that the SDK does with the file it asks for is to iterate
        async with stdio_server(stdin=lines) as (read, write):
            try:
                await self.server.run(read, write, self.server.create_initialization_options())
            finally:
                self._live.close()

    def end_stdio(self) -> None:
        """Take no more from standard input, as if it had ended."""
        self._lines.end()

    async def _lines_of_stdin(self) -> AsyncIterator[str]:
        async for line in self._lines:
            yield line
        await asyncio.sleep(_SETTLE_SECONDS)
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.stop_timeout_seconds)


def _cursor(params: types.PaginatedRequestParams | None) -> str | None:
    return params.cursor if params is not None else None
