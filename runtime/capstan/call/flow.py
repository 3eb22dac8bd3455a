"""Runs a unit of several steps: what nothing orders side by side, what changes something in the author's order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar, assert_never

from capstan.call.conversation import Conversation, Question
from capstan.call.problem import problem_of
from capstan.call.scripts import Scripts
from capstan.call.unit import Answer, LiveUnit, parsed, said, taken
from capstan.call.upstream import Upstream, UpstreamResponse, may_repeat
from capstan.errors import BindError, CallError, FlowError, ShapeError, UpstreamRefused
from capstan.load.jsonpath import JsonPath
from capstan.load.walk import walk
from capstan.plan.body import to_json
from capstan.plan.flow import (
    LAST,
    LAST_WITH_DECLARED,
    AskPlan,
    AssertPlan,
    ForeachPlan,
    LogPlan,
    LookupPlan,
    ScriptRun,
    decide,
    declared_key,
    filled,
    step_key,
    with_declared,
)
from capstan.plan.request import HttpRequest
from capstan.plan.scope import steps_in
from capstan.plan.shape import Whole
from capstan.plan.types import CallPlan, FlowPlan, StepPlan, UnitPlan
from capstan.plan.values import ABSENT, FromStep
from capstan.settings import Settings

T = TypeVar("T")

_TOLD_BYTES: Final = 16 * 1024
_TOLD_TEXT: Final = 200
_ANSWERS: Final = 4  # that a flow keeps may be as large as one may be


class LiveFlow(LiveUnit):
    """A unit of several steps, ready to call."""

    __slots__ = ("answering", "asks", "flow", "one_index", "scripts", "upstreams")

    def __init__(
        self, unit: UnitPlan, flow: FlowPlan, upstreams: Sequence[Upstream], scripts: Scripts, settings: Settings
    ) -> None:
        super().__init__(unit, None, settings)
        calls = [step.name for step in flow.steps if isinstance(step.does, CallPlan)]
        self.flow, self.scripts, self.asks = flow, scripts, flow.asks
        self.upstreams = dict(zip(calls, upstreams, strict=True))
        # The last of these answers. Where nothing is ever called, what is looked up or computed last stands for it.
        self.answering = calls or [s.name for s in flow.steps if not isinstance(s.does, (AssertPlan, LogPlan))]
        self.one_index = {step.name for step in flow.steps if _has_one_index(step)}

    async def call(self, arguments: Mapping[str, Any], conversation: Conversation | None = None) -> Answer:
        """Run the steps.

        Raises:
            CallError: naming the step that failed, and saying what the others did.
            Unanswered: there is a question, and the client is asked by an answer of its own.
        """
        return await _Run(self, dict(self.guard.check(arguments)), conversation).answer()


class _Run:
    """One run of a flow: what its steps gave and did so far."""

    def __init__(self, live: LiveFlow, scope: dict[str, Any], conversation: Conversation | None) -> None:
        self._live, self._steps = live, live.flow.steps
        self._conversation = conversation
        self._scope = scope  # the arguments, and what steps gave
        self._bound: dict[str, HttpRequest] = {}
        self._skipped: set[str] = set()
        self._states: dict[str, str] = {}  # of the steps that ran, as callers are told
        self._changed: list[tuple[str, CallPlan, HttpRequest]] = []  # what did, or may have done, something upstream
        self._failed = ""
        self._taken = 0  # bytes of all answers
        self._stopping = False  # after a failure: what is under way may end, and nothing begins
        self._heads: dict[str, tuple[int, tuple[tuple[str, str], ...], bool]] = {}  # status, headers, without a body

    async def answer(self) -> Answer:
        self._bind_early()
        try:
            await self._run_all()
        except CallError as error:
            self._complete(error)
            raise
        last = self._last_call()
        unit = self._live.unit
        try:
            value = taken(self._live.flow.answer.take, self._scope)
            answer = said(unit.content, value, self._scope, self._live.settings.max_parsed_bytes)
        except ShapeError as error:
            self._spoilt(error)
            raise
        except BindError as error:  # of a content; whatever was asked for is done by now
            raise self._spoilt(ShapeError("unexpected-answer", error.message, outcome="done")) from error
        passes = isinstance(unit.shape, Whole) and self._live.flow.answer.mapped is None and unit.content is None
        if last in self._heads and passes:
            status, headers, empty = self._heads[last]
            return Answer(status, headers, value=value, empty=empty)
        return answer

    def _spoilt(self, error: ShapeError) -> ShapeError:
        """What is wrong with the answer, of a flow whose steps are all done."""
        error.retry_safe = self._repeatable()
        self._tell_changes(error)
        return error

    def _bind_early(self) -> None:
        """Put together what hangs on arguments alone: a bad one must not stop the flow half way."""
        if (content := self._live.unit.content) is not None:
            content.check(self._scope)
        for step in self._steps:
            if step.early and isinstance(step.does, CallPlan):
                if step.when is not None and not _unsent(decide, step.when, self._scope, step.name):
                    self._skipped.add(step.name)
                else:
                    self._bound[step.name] = step.does.request.bind(self._scope)

    def _last_call(self) -> str:
        """The last call that was made, whose answer is the flow's where nothing else is said."""
        made = [name for name in self._live.answering if name in self._states]
        if made:
            self._scope[LAST] = self._scope[step_key(made[-1])]
            self._scope[LAST_WITH_DECLARED] = with_declared(made[-1], self._scope)
            return made[-1]
        if self._live.upstreams:
            raise self._nothing_done()
        return ""

    def _nothing_done(self) -> CallError:
        asked = self._live.flow.asked
        if asked:
            message = f"nothing to do: give at least one of {', '.join(asked)}"
            return BindError("missing-argument", message, argument=asked[0])
        return FlowError("nothing-to-do", "nothing to do: no step's condition holds")

    # --- order

    async def _run_all(self) -> None:
        pending = list(self._steps)
        ended: set[str] = set()
        running: dict[asyncio.Task[None], StepPlan] = {}
        try:
            while pending or running:
                ready = [step for step in pending if ended.issuperset(step.after)]
                pending = [step for step in pending if not ended.issuperset(step.after)] if ready else pending
                if self._live.asks and ready and isinstance(ready[0].does, AskPlan):
                    await self._ask(ready)  # all above is done, and all below waits: these are questions
                    await self._end_steps(ready, ended)
                    continue
                if len(ready) == 1 and not running:  # the usual case needs no task
                    await self._step(ready[0])
                    await self._end_steps(ready, ended)
                    continue
                running |= {asyncio.create_task(self._step(step)): step for step in ready}
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda one: self._steps.index(running[one])):
                    step = running.pop(task)
                    task.result()
                    await self._end_steps([step], ended)
        except CallError:
            self._stopping = True
            await _end(running, spare=lambda task: running[task].effect != "read")
            raise
        except asyncio.CancelledError:
            self._stopping = True
            with self._change():
                await _end(running, spare=lambda task: self._is_kept(running[task]))
            self._tell_broken_off()
            raise
        except BaseException:
            await _end(running, spare=lambda _: False)
            raise

    def _change(self) -> AbstractContextManager[None]:
        """What the client cannot break off."""
        return self._conversation.change() if self._conversation is not None else nullcontext()

    def _is_kept(self, step: StepPlan) -> bool:
        return self._conversation is not None and step.effect != "read"

    def _tell_broken_off(self) -> None:
        if self._conversation is not None:
            unknown = "unknown" in self._states.values()
            self._conversation.outcome = "unknown" if unknown else "partly" if self._changed else "not-sent"

    async def _step(self, step: StepPlan) -> None:
        name = step.name
        if name in self._skipped:
            return
        try:
            if step.when is not None and name not in self._bound and not _unsent(decide, step.when, self._scope, name):
                self._skipped.add(name)
                return
            value = await (self._one(step, self._scope) if step.foreach is None else self._each(step, step.foreach))
        except CallError as error:
            self._states[name] = error.outcome if isinstance(step.does, CallPlan) else "failed"
            self._failed = self._failed or name
            if not isinstance(error, FlowError):
                error.message = f"step '{name}': {error.message}"
            raise
        except asyncio.CancelledError:
            self._states[name] = "stopped" if step.effect == "read" else "unknown"
            raise
        self._states.setdefault(name, "done")
        self._scope[step_key(name)] = value
        if step.declared is not None:
            self._scope[declared_key(name)] = step.declared.of(value)

    async def _end_steps(self, steps: Sequence[StepPlan], ended: set[str]) -> None:
        ended.update(step.name for step in steps)
        if self._conversation is not None and self._conversation.follows:
            await self._conversation.progress(len(ended), len(self._steps), steps[-1].name)

    # --- kinds

    async def _ask(self, steps: Sequence[StepPlan]) -> None:
        """Ask what these steps ask, together."""
        questions = []
        for step in steps:
            assert isinstance(step.does, AskPlan)
            if step.when is not None and not decide(step.when, self._scope, step.name):
                self._skipped.add(step.name)
            else:
                questions.append(Question(step.name, filled(step.does.message, self._scope), step.does))
        if not questions:
            return
        try:
            if self._conversation is None:
                raise FlowError("cannot-ask", "there is nobody to ask: the call was not made by MCP")
            answers = await self._conversation.ask(questions)
        except CallError:
            self._failed = questions[0].name
            self._states[self._failed] = "failed"
            raise
        for question, answer in zip(questions, answers, strict=True):
            self._states[question.name] = "done"
            self._scope[step_key(question.name)] = answer

    async def _one(self, step: StepPlan, scope: Mapping[str, Any]) -> Any:
        match step.does:
            case CallPlan() as call:
                return await self._call(step, call, scope)
            case LookupPlan() as lookup:
                return lookup.find(scope)
            case AssertPlan() as asserted:
                return asserted.check(scope, step.name)
            case ScriptRun() as script:
                return await self._live.scripts.run(script.script, script.context(scope))
            case LogPlan() as log:
                if self._conversation is not None:
                    await self._conversation.log(log.level, filled(log.message, scope))
                return None
            case AskPlan():
                raise AssertionError  # asked with those beside it, in _ask
            case _:
                assert_never(step.does)

    async def _call(self, step: StepPlan, call: CallPlan, scope: Mapping[str, Any]) -> Any:
        request = self._bound.get(step.name) or _bind(call, scope, step)
        if not self._is_kept(step):
            return await self._sent(step, call, request)
        with self._change():
            return await self._sent(step, call, request)

    async def _sent(self, step: StepPlan, call: CallPlan, request: HttpRequest) -> Any:
        try:
            response = await self._live.upstreams[step.name].send(call, request)
        except CallError as error:
            self._note(step, request, error.outcome)
            raise
        try:
            decoded = await parsed(call, request, response, self._live.settings)
            self._taken += response.taken
            response.refuse_in_all(self._taken, _ANSWERS * self._live.settings.max_parsed_bytes)
        except CallError as error:
            self._note(step, request, error.outcome)
            if isinstance(error, ShapeError):
                error.retry_safe = may_repeat(call, request)
            raise
        finally:
            response.close()
        self._note(step, request, "done")
        if step.foreach is None:
            self._heads[step.name] = response.status, response.passed_headers, decoded is ABSENT
        return _of_nothing(response) if decoded is ABSENT else decoded

    def _note(self, step: StepPlan, request: HttpRequest, outcome: str) -> None:
        if isinstance(step.does, CallPlan) and step.effect != "read" and outcome not in ("not-sent", "refused"):
            self._changed.append((step.name, step.does, request))

    async def _each(self, step: StepPlan, foreach: ForeachPlan) -> Any:
        """The step once for every item; what fails is told beside what does not."""
        items = _unsent(foreach.list, self._scope, step.name)
        results: list[Any] = [None] * len(items)
        numbers = iter(range(len(items)))
        does, known = step.does, None
        if isinstance(does, LookupPlan) and step.name in self._live.one_index:
            known = does.known(self._scope)  # once, not for each item

        async def work() -> None:
            for number in numbers:
                if self._stopping:
                    return
                item = items[number]
                try:
                    scope = {**self._scope, foreach.key: item}
                    result = does.find(scope, known) if isinstance(does, LookupPlan) else await self._one(step, scope)
                    results[number] = {"item": item, "result": result}
                except CallError as error:
                    results[number] = {"item": item, "error": problem_of(error)}

        workers = [asyncio.create_task(work()) for _ in range(min(foreach.concurrency, len(items)))]
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION) if workers else ((), ())
            for worker in done:
                worker.result()
        except asyncio.CancelledError:
            self._stopping = True
            with self._change():
                await _end(workers, spare=lambda _: self._is_kept(step))
            raise
        except BaseException:
            await _end(workers, spare=lambda _: False)
            raise
        begun = [result for result in results if result is not None]
        self._states[step.name] = _state_of(begun, broken_off=len(begun) < len(items))  # where another step failed
        return begun

    # --- telling

    def _repeatable(self) -> bool:
        return all(may_repeat(call, request) for _, call, request in self._changed)

    def _complete(self, error: CallError) -> None:
        """Add what the whole flow did to what one step met."""
        error.extra = {**error.extra, "steps": {step.name: self._state(step.name) for step in self._steps}}
        self._tell_changes(error)
        if any(name != self._failed for name, _, _ in self._changed):
            error.outcome = "partly"
        elif not self._changed and self._live.unit.effect != "read" and self._failed_reading():
            # What was only read is nothing that happened.
            error.outcome = "refused" if self._asked_for_change() else "not-sent"
        error.retry_safe = error.retry_safe and self._repeatable()
        if isinstance(error, UpstreamRefused) and not error.retry_safe:  # nobody shall be told when to call again
            error.headers = tuple(header for header in error.headers if header[0].lower() != "retry-after")

    def _tell_changes(self, error: CallError) -> None:
        effects = dict.fromkeys(name for name, _, _ in self._changed)
        if changed := {name: _short(self._scope[step_key(name)]) for name in effects if step_key(name) in self._scope}:
            error.extra = {**error.extra, "changed": changed}  # an id among it may be all there is to go on by

    def _asked_for_change(self) -> bool:
        return any(step.effect != "read" and step.name in self._states for step in self._steps)

    def _failed_reading(self) -> bool:
        return any(step.name == self._failed and step.effect == "read" for step in self._steps)

    def _state(self, step: str) -> str:
        return self._states.get(step) or ("skipped" if step in self._skipped else "not-reached")


def _has_one_index(step: StepPlan) -> bool:
    """Whether a loop looks up in the same entries for each of its items."""
    if step.foreach is None or not isinstance(step.does, LookupPlan):
        return False
    return step.foreach.key not in steps_in(step.does.index)


def _bind(call: CallPlan, scope: Mapping[str, Any], step: StepPlan) -> HttpRequest:
    """The request of a step that uses other answers: what is wrong in those is not its caller's mistake."""
    try:
        return _unsent(call.request.bind, scope)
    except BindError as error:
        if not error.argument.startswith("$") or _is_callers_item(step, call, error.argument):
            raise
        raise ShapeError("unexpected-answer", error.message, outcome="not-sent", retry_safe=True) from error


def _unsent(take: Callable[..., T], *arguments: Any) -> T:
    """What is taken from answers before a step sends anything: where that fails, nothing was done by the step."""
    try:
        return taken(take, *arguments)
    except ShapeError as error:
        error.outcome, error.retry_safe = "not-sent", True
        raise


def _is_callers_item(step: StepPlan, call: CallPlan, reference: str) -> bool:
    """Whether a reference is to an item of a list that callers gave."""
    loop = step.foreach
    if loop is None or not loop.argument:
        return False
    sources = walk(call.request, FromStep, JsonPath)
    return any(isinstance(one, FromStep) and (one.name, one.key) == (reference, loop.key) for one in sources)


def _state_of(results: list[Any], *, broken_off: bool) -> str:
    """What is known of a loop, from what is known of its items."""
    outcomes = {result["error"]["outcome"] if "error" in result else "done" for result in results}
    if broken_off:
        outcomes.add("not-sent")
    if len(outcomes) == 1:
        return str(outcomes.pop())
    return "done" if not outcomes else "refused" if outcomes == {"refused", "not-sent"} else "partly"


def _short(answer: Any) -> Any:
    """An answer as it is told beside an error: of a long one what is no list and no object, in a loop for each item."""
    if len(to_json(answer)) <= _TOLD_BYTES:
        return answer
    if isinstance(answer, list):
        return [{name: _scalars(value) for name, value in one.items()} for one in answer if isinstance(one, dict)]
    return _scalars(answer) if isinstance(answer, dict) else {}


def _scalars(value: Any) -> Any:
    if not isinstance(value, dict):
        return value if len(str(value)) <= _TOLD_TEXT else None
    kept = ((name, inner) for name, inner in value.items() if not isinstance(inner, (dict, list)))
    return {name: inner for name, inner in kept if len(str(inner)) <= _TOLD_TEXT}


def _of_nothing(response: UpstreamResponse) -> dict[str, Any]:
    """An answer without a body still tells how to go on."""
    return {"status": response.status, **{name.lower(): text for name, text in response.passed_headers}}


async def _end(tasks: Iterable[asyncio.Task[None]], spare: Callable[[asyncio.Task[None]], bool]) -> None:
    """Stop tasks, but wait for those that are spared: what may change something is not broken off."""
    left = list(tasks)
    for task in left:
        if not spare(task):
            task.cancel()
    waiting: Awaitable[Any] = asyncio.gather(*left, return_exceptions=True)
    await waiting
