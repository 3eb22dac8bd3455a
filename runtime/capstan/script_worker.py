"""A process that runs scripts: one after the other, each in an interpreter of its own.

Started by call/scripts.py, by path and without any package of ours. It reads two frames for every script (a header,
and the JSON text of `context`) from its standard input and writes two (a header, and the JSON text of `result`). What a
script can do is bounded three times: by its interpreter, by the limits this process sets for itself, and by its parent,
which kills it when time is up.
"""

from __future__ import annotations

import builtins
import json
import keyword
import os
import re
import resource
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Final

_HEAP_BYTES: Final = 128 * 1024**2  # of one script
_ADDRESS_BYTES: Final = 768 * 1024**2  # of this process, and of one that it starts
_FILE_BYTES: Final = 0
_OPEN_FILES: Final = 64
_STACK_BYTES: Final = 1024**2  # of JavaScript; the thread has 8 MiB
_LARGEST: Final = 2**53 - 1  # integer that a number of JavaScript holds with all digits
_MAY_BE_LARGER: Final = re.compile(r"[0-9]{16}")
_JAVASCRIPT_PLACE: Final = re.compile(r"<input>:(\d+)")

# What the peer's engine has and QuickJS has not; what is printed goes nowhere. `end` is called once, when all is done.
_PROLOGUE: Final = """
(function () {
  'use strict';
  const own = (name, value) => Object.defineProperty(globalThis, name, {value});
  const quiet = () => undefined;
  globalThis.console = {log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet, trace: quiet};
  globalThis.print = quiet;
  const text = JSON.stringify, finite = Number.isFinite, entries = Object.fromEntries, list = Array.from;
  const whole = Number.isInteger, exact = Number.isSafeInteger, size = Math.abs, large = BigInt;
  const Maps = Map, Sets = Set, Promises = Promise, Fault = TypeError, Limit = RangeError;
  let left = %d;
  own('__capstan_step', () => { if (--left < 0) throw new Limit('statement limit'); });
  own('__capstan_parse', (value, mark) => JSON.parse(value, (key, item) =>
    typeof item === 'string' && item.startsWith(mark) ? large(item.slice(mark.length)) : item));
  own('__capstan_end', (value, mark) => {
    if (left < 0) throw new Limit('statement limit');
    const told = text(value === undefined ? null : value, function (key, item) {
      if (item instanceof Promises) throw new Fault(`'${key || 'result'}' is a promise; scripts do not wait`);
      if (item instanceof Maps) return entries(item);
      if (item instanceof Sets) return list(item);
      const bad = {function: 'a function', symbol: 'a symbol'}[typeof item] ||
        (typeof item === 'number' && !finite(item) ? `${item}` : undefined);
      if (bad !== undefined) throw new Fault(`'${key || 'result'}' is ${bad}, which is no JSON value`);
      if (typeof item === 'bigint') return `${mark}${item}`;
      if (whole(item) && !exact(item) && size(item) < 1e21)  // beyond that it is spelled with an exponent
        throw new Fault(`'${key || 'result'}' is ${item}, a number that may have lost digits; a BigInt keeps them`);
      return item;
    });
    return told === undefined ? 'null' : told;
  });
})();
"""
_COUNTER: Final = """
__capstan_left = %d
def __capstan_step():
    global __capstan_left
    __capstan_left -= 1
    if __capstan_left < 0:
        raise RuntimeError('statement limit')
"""
_CONTEXT: Final = "import json as __capstan_json\ncontext = __capstan_json.loads(__capstan_text)\n__capstan_text = None"
# What the language has, and what a script declares itself, goes before these: they are found where nothing else is.
_VARIABLES: Final = """
Object.setPrototypeOf(globalThis, Object.fromEntries(Object.entries(%s)
  .filter(([name]) => !(name in globalThis) && name !== 'result').map(([name, key]) => [name, context[key]])));
"""
_NO_VALUE: Final = "\n;void 0"  # else the value of its last line is given to Python, which cannot hold every text
_RESULT: Final = """
try:
    __capstan_result = result
except NameError:
    __capstan_result = None
__capstan_json.dumps(__capstan_result, allow_nan=False) if __capstan_left >= 0 else ''
"""


class _Stopped(Exception):
    """A script did not come to its end. `kind` is `failed`, `timeout` or `limit`."""

    def __init__(self, kind: str, message: str, source: int | None = None, line: int | None = None) -> None:
        self.told = {"kind": kind, "message": message[:1000], "source": source, "line": line}
        super().__init__(message)


def _javascript(job: dict[str, Any], context: str) -> str:
    import quickjs  # noqa: PLC0415 - only one of the engines is loaded

    sandbox = quickjs.Context()
    sandbox.set_memory_limit(_HEAP_BYTES)
    sandbox.set_max_stack_size(_STACK_BYTES)
    sandbox.set_time_limit(job["seconds"])

    def run(code: str, starts: Sequence[int] = ()) -> Any:
        try:
            return sandbox.eval(code)
        except quickjs.JSException as error:  # StackOverflow is one
            raise _javascript_stop(str(error), starts, job) from None

    run(_PROLOGUE % job["statements"])
    mark = secrets.token_hex(8)  # of a text that stands for a BigInt, which JSON has no other form for
    large = _MAY_BE_LARGER.search(context) is not None
    sandbox.set("__capstan_text", _marked(context, mark) if large else context)
    parse = f"__capstan_parse(__capstan_text, '{mark}')" if large else "JSON.parse(__capstan_text)"
    run(f"var context = {parse}; delete globalThis.__capstan_text;")
    run(_VARIABLES % json.dumps(job["variables"]))
    starts: list[int] = []
    line = _PROLOGUE.count("\n") + 1
    for code in job["sources"]:  # every line of all of them has a number of its own
        starts.append(line)
        run("\n" * line + code + _NO_VALUE, starts)
        line += code.count("\n") + 1
    _finish_promises(sandbox, job["seconds"])
    text = str(run(f"__capstan_end(typeof result === 'undefined' ? null : result, '{mark}')"))
    return re.sub(f'"{mark}(-?[0-9]+)"', r"\1", text) if mark in text else text


def _marked(context: str, mark: str) -> str:
    """The context, in which an integer that a number of JavaScript would round is a text with a mark."""

    def read(digits: str) -> int | str:
        number = int(digits)
        return number if abs(number) <= _LARGEST else f"{mark}{number}"

    try:
        return json.dumps(json.loads(context, parse_int=read))
    except RecursionError:
        raise _Stopped("failed", "its context is nested too deeply") from None


def _finish_promises(sandbox: Any, seconds: float) -> None:
    """Run what waits for promises that are settled. One that fails rejects another promise and nothing else."""
    end = time.monotonic() + seconds
    while sandbox.execute_pending_job():
        if time.monotonic() > end:
            raise _Stopped("timeout", "")


def _javascript_stop(text: str, starts: Sequence[int], job: dict[str, Any]) -> _Stopped:
    message = text.partition("\n")[0]
    source = line = None
    numbers = [int(place[1]) for place in _JAVASCRIPT_PLACE.finditer(text)]
    number = next((number for number in numbers if starts and number > starts[0]), None)
    if number is not None:
        source = max((i for i, start in enumerate(starts) if start < number), default=0)
        line = number - starts[source]
    if message == "InternalError: interrupted":
        return _Stopped("timeout", "", source, line)
    if message == "RangeError: statement limit":
        return _Stopped("limit", f"it went beyond {job['statements']} statements", source, line)
    if message == "InternalError: out of memory":
        return _Stopped("limit", f"it went beyond {_HEAP_BYTES // 1024**2} MiB of memory", source, line)
    if message == "RangeError: Maximum call stack size exceeded":
        return _Stopped("limit", "its calls are nested too deeply", source, line)
    return _Stopped("failed", message, source, line)


class _Monty:
    """Python. Its interpreter is a program of its own, which this process starts once."""

    def __init__(self, binary: str) -> None:
        import pydantic_monty  # noqa: PLC0415 - as above

        self._monty = pydantic_monty
        self._pool = pydantic_monty.Monty(binary_path=binary, min_processes=1, max_processes=1)
        self._pool.__enter__()

    def __call__(self, job: dict[str, Any], context: str) -> str:
        limits: Any = {"max_feed_duration_secs": job["seconds"], "max_memory": _HEAP_BYTES, "max_total_sleep_secs": 0.0}
        fed = 0
        with self._pool.checkout(limits=limits, os_policy={"sleep": "zero"}) as session:

            def feed(code: str, **inputs: str) -> Any:
                nonlocal fed
                fed += 1
                try:
                    return session.feed_run(code, inputs=inputs, print_callback=_unheard)
                except self._monty.MontyError as error:
                    raise self._stop(error, fed, job) from None

            feed(_COUNTER % job["statements"])
            feed(_CONTEXT + _assignments(job["variables"]), __capstan_text=context)
            for code in job["sources"]:
                feed(code)
            text = feed(_RESULT)
        if not text:
            raise _Stopped("limit", f"it went beyond {job['statements']} statements")
        return str(text)

    def _stop(self, error: Any, fed: int, job: dict[str, Any]) -> _Stopped:
        first = 3  # a script's sources are fed after the counter and the context
        source = line = None
        with suppress(AttributeError, ValueError):
            for frame in reversed(error.traceback()):
                number = int(frame.filename.strip("<>").rpartition("-")[2]) + 1 - first
                if 0 <= number < len(job["sources"]):
                    source, line = number, _original(job["lines"][number], frame.line)
                    break
        text = str(error)
        if isinstance(error, self._monty.MontyCrashedError):
            return _Stopped("limit", "its interpreter broke down")
        if "time limit exceeded" in text and text.startswith("TimeoutError"):
            return _Stopped("timeout", "", source, line)
        if text == "RuntimeError: statement limit":
            return _Stopped("limit", f"it went beyond {job['statements']} statements", source, line)
        if text.startswith("MemoryError"):
            return _Stopped("limit", f"it went beyond {_HEAP_BYTES // 1024**2} MiB of memory", source, line)
        if text.startswith("RecursionError"):
            return _Stopped("limit", "its calls are nested too deeply", source, line)
        return _Stopped("failed", text, source, line)


def _assignments(variables: dict[str, str]) -> str:
    taken = {"context", "result", *dir(builtins), *keyword.kwlist}
    free = [name for name in variables if name.isidentifier() and name not in taken and not name.startswith("__")]
    return "".join(f"\n{name} = context[{variables[name]!r}]" for name in free)


def _original(lines: list[int], line: int) -> int:
    """The line its author knows, of one in a source to which lines were added."""
    return lines[line - 1] if 0 < line <= len(lines) else line


def _unheard(stream: str, text: str) -> None:
    """What a script prints."""


def _limit_self() -> None:
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))


def _end_with_parent(language: str, requests: BinaryIO) -> None:
    """However that ends. QuickJS lets no other thread run, and Monty's program would go on without its starter."""
    if language == "javascript":
        with suppress(ImportError, OSError, AttributeError):  # of Linux alone
            import ctypes  # noqa: PLC0415

            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    else:
        threading.Thread(target=_kill_group_at_the_end_of, args=(requests.fileno(),), daemon=True).start()


def _kill_group_at_the_end_of(pipe: int) -> None:
    ended = select.poll()
    ended.register(pipe, 0)
    ended.poll()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _limit_cpu(seconds: float) -> None:
    """As the last resort, for this process and those it starts from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime + seconds) + 3
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (whole, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _read(stream: BinaryIO) -> bytes | None:
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _write(stream: BinaryIO, *frames: bytes) -> None:
    stream.writelines(len(frame).to_bytes(4, "big") + frame for frame in frames)
    stream.flush()


def main() -> None:
    """Run scripts until the parent closes the pipe."""
    language, binary, *folders = sys.argv[1:]
    sys.path += folders
    os.closerange(3, 1024)  # a copy of a pipe in what an engine starts would outlive this process
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)  # what an engine may print or read is none of the conversation
    os.dup2(nothing, 1)
    _limit_self()
    _end_with_parent(language, requests)
    engine: Callable[[dict[str, Any], str], str] = _javascript if language == "javascript" else _Monty(binary)
    while (head := _read(requests)) is not None and (context := _read(requests)) is not None:
        job = json.loads(head)
        _limit_cpu(job["seconds"])
        told: dict[str, Any] = {"kind": "result"}
        text = b""
        try:
            text = engine(job, context.decode()).encode("utf-8", "surrogatepass")
            if len(text) > job["most"]:
                told = {"kind": "limit", "message": f"its result is larger than {job['most']} bytes"}
                text = b""
        except _Stopped as stopped:
            told = stopped.told
        except MemoryError:
            told = {"kind": "limit", "message": "it took more memory than its process may have"}
        _write(answers, json.dumps(told).encode(), text)


if __name__ == "__main__":
    main()
