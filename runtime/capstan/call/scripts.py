"""Runs scripts, each in a process that knows nothing of ours and can be stopped at any moment."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from capstan.errors import ScriptError
from capstan.plan.body import to_json
from capstan.plan.jsontext import parse_answer
from capstan.plan.script import ScriptPlan
from capstan.scripting import Language, command, environment
from capstan.settings import Settings

_MOST_PROCESSES: Final = max(4, 2 * (os.cpu_count() or 1))  # of one language
_KINDS: Final = frozenset({"result", "failed", "timeout", "limit"})
_RUNS: Final = 1000  # of one process: what an engine may lose of memory ends with it
_PIECE: Final = 64 * 1024
_LONGEST_MESSAGE: Final = 1000
_DEAD_SECONDS: Final = 0.05
_GRACE_SECONDS: Final = 0.25  # in which an engine may say itself where it was stopped

logger = logging.getLogger(__name__)


class Scripts:
    """The processes that run scripts. They start with the first script and end with `close`."""

    def __init__(self, settings: Settings) -> None:
        self._most_bytes = settings.max_parsed_bytes
        self._free: dict[Language, asyncio.Semaphore] = {}
        self._idle: dict[Language, list[_Worker]] = {}
        self._all: set[_Worker] = set()
        self._closed = False

    async def run(self, plan: ScriptPlan, inputs: Mapping[str, Any]) -> Any:
        """What a script sets as `result`; `inputs` is what it finds in `context`.

        Raises:
            ScriptError: it failed, took too long, or went beyond a limit.
        """
        free = self._free.setdefault(plan.language, asyncio.Semaphore(_MOST_PROCESSES))
        try:
            async with asyncio.timeout(plan.timeout_seconds):
                await free.acquire()
        except TimeoutError:
            raise _failure(plan, "script-timeout", "other scripts took all processes for too long") from None
        variables = {_variable(name): name for name in inputs} | {name: name for name in inputs if "-" not in name}
        try:
            told, text = await self._ask(plan, to_json(dict(inputs)), variables)
        finally:
            free.release()
        return _answer(plan, told, text)

    async def close(self) -> None:
        """Stop what runs and end the processes."""
        self._closed = True
        for worker in [*self._all]:
            await self._end(worker)

    async def _ask(
        self, plan: ScriptPlan, context: bytes, variables: Mapping[str, str]
    ) -> tuple[dict[str, Any], bytes]:
        worker = await self._worker(plan)
        is_new, began = worker.runs == 0, asyncio.get_running_loop().time()
        try:
            job = {
                "sources": [source.code for source in plan.sources], "lines": [source.lines for source in plan.sources],
                "seconds": plan.timeout_seconds, "statements": plan.statement_limit, "most": self._most_bytes,
                "variables": variables,
            }  # fmt: skip
            limit = plan.timeout_seconds + _GRACE_SECONDS
            async with asyncio.timeout(limit):
                found = await worker.ask(json.dumps(job).encode(), context, self._most_bytes)
        except TimeoutError:
            await self._end(worker)
            return {"kind": "timeout"}, b""
        except (OSError, EOFError, ValueError, RuntimeError) as error:  # the last: uvloop, of a closed pipe
            await self._end(worker)
            if not is_new and asyncio.get_running_loop().time() - began < _DEAD_SECONDS:
                return await self._ask(plan, context, variables)  # it was dead before, so nothing is run twice
            status, kind = worker.process.returncode, type(error).__name__
            logger.warning("the process of a script ended with %s (%s)", status, kind)
            return {"kind": "failed", "message": "its process ended"}, b""
        except BaseException:  # whoever asked went away, and the script still runs
            worker.kill()
            await asyncio.shield(self._end(worker))
            raise
        if worker.runs < _RUNS and not self._closed:
            self._idle.setdefault(plan.language, []).append(worker)
        else:
            await self._end(worker)
        return found

    async def _worker(self, plan: ScriptPlan) -> _Worker:
        idle = self._idle.setdefault(plan.language, [])
        while idle:
            worker = idle.pop()
            if worker.process.returncode is None:
                return worker
            await self._end(worker)
        if self._closed:
            raise _failure(plan, "script-failed", "the server stops")
        try:
            process = await asyncio.create_subprocess_exec(
                *command("script_worker.py", plan.language), stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
                env=environment(), cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _failure(plan, "script-failed", "no process could be started for it") from error
        worker = _Worker(process)
        self._all.add(worker)
        return worker

    async def _end(self, worker: _Worker) -> None:
        worker.kill()
        self._all.discard(worker)
        await worker.ended()


class _Worker:
    """A process that runs one script after the other, and what it has started itself."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.runs = 0

    async def ask(self, job: bytes, context: bytes, most: int) -> tuple[dict[str, Any], bytes]:
        """Run one script: the header of the answer, and the JSON text of its result."""
        self.runs += 1
        into, out = self.process.stdin, self.process.stdout
        assert into is not None
        assert out is not None
        for frame in (job, context):
            into.write(len(frame).to_bytes(4, "big") + frame)
        await into.drain()
        head, text = json.loads(await _frame(out, most)), await _frame(out, most)
        if not isinstance(head, dict) or head.get("kind") not in _KINDS:  # whatever has got hold of the process
            raise ValueError("no answer of ours")
        return head, text

    async def ended(self) -> None:
        """Wait for the end of a killed process; what it has said unasked is thrown away, or there would be no end."""
        if self.process.stdout is not None:
            with suppress(RuntimeError, OSError):  # whoever asked it is still reading, and comes to the end as well
                while await self.process.stdout.read(_PIECE):
                    pass
        await self.process.wait()

    def kill(self) -> None:
        """It leads a group of its own, so that nothing it started stays behind."""
        if self.process.returncode is not None and _is_taken(self.process.pid):
            return  # a number is given anew only when nobody of its group is left
        if self.process.stdin is not None:
            self.process.stdin.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _variable(name: str) -> str:
    """The variable of an input or of the answer of a step: `list-members` is `listMembers`."""
    first, *others = name.split("-")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def _is_taken(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


async def _frame(stream: asyncio.StreamReader, most: int) -> bytes:
    length = int.from_bytes(await stream.readexactly(4), "big")
    if length > most:
        raise ValueError("a frame is too long")
    return await stream.readexactly(length)


def _answer(plan: ScriptPlan, told: Mapping[str, Any], text: bytes) -> Any:
    kind, message = told["kind"], str(told.get("message", ""))[:_LONGEST_MESSAGE]
    where = _where(plan, told.get("source"), told.get("line"))
    if kind == "result":
        try:
            return parse_answer(text)
        except ValueError as error:
            raise _failure(plan, "script-failed", f"its result is no JSON: {error}") from None
    if kind == "timeout":
        raise _failure(plan, "script-timeout", f"it was stopped after {plan.timeout_seconds:g} seconds{where}")
    raise _failure(plan, "script-limit" if kind == "limit" else "script-failed", f"{message}{where}")


def _where(plan: ScriptPlan, source: object, line: object) -> str:
    if not isinstance(source, int) or not isinstance(line, int) or not 0 <= source < len(plan.sources):
        return ""
    return f" (line {line} of '{plan.sources[source].name}')"


def _failure(plan: ScriptPlan, code: str, message: str) -> ScriptError:
    return ScriptError(code, f"the script '{plan.sources[-1].name}': {message}")
