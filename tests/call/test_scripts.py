"""Scripts while they run: what they see and give, and what stops them. Every process of theirs is a real one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from capstan.call.scripts import Scripts
from capstan.errors import ScriptError
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.flow import ScriptRun
from capstan.plan.script import ScriptPlan
from capstan.scripting import Language
from capstan.settings import Settings
from support import live

NO_END = 10**15  # statements nobody reaches in the time of a test
LOOPS: dict[Language, str] = {"javascript": "while (true) {}", "python": "while True:\n    pass"}
BOTH = pytest.mark.parametrize("language", ["javascript", "python"])


def capability(folder: Path, steps: list[dict[str, Any]], **scripting: Any) -> Path:
    """A file with one tool, `act`, of these steps."""
    tool = {"name": "act", "description": "Act.", "steps": steps,
            "inputParameters": [{"name": "value", "description": "Any value.", "required": False}]}  # fmt: skip
    control = {"type": "control", "port": 9092, "management": {"scripting": scripting}}
    mcp = {"type": "mcp", "namespace": "m", "port": 9090, "tools": [tool]}
    path = folder / "capability.yaml"
    path.write_text(json.dumps({"naftiko": "1.0.0-alpha2", "capability": {"exposes": [control, mcp]}}))
    return path


def planned(folder: Path, language: Language, *codes: str, **limits: Any) -> ScriptPlan:
    """The plan of a script, which comes after those it depends on, as a file with it gives it."""
    suffix = {"javascript": "js", "python": "py"}[language]
    names = [f"script{number}.{suffix}" for number in range(len(codes))]
    for name, code in zip(names, codes, strict=True):
        (folder / name).write_text(code, "utf-8")
    step = {"name": "step", "type": "script", "language": language, "location": "file:///./", "file": names[-1],
            **({"dependencies": names[:-1]} if names[:-1] else {})}  # fmt: skip
    plan, _ = build_plan(load(capability(folder, [step], **limits)))
    (unit,) = plan.units
    assert unit.flow is not None
    run = unit.flow.steps[0].does
    assert isinstance(run, ScriptRun)
    return run.script


def all_planned(folder: Path, language: Language, codes: list[str], **limits: Any) -> list[ScriptPlan]:
    """Plans of scripts that have nothing to do with each other, made at one go."""
    plan = planned(folder, language, *codes, **limits)
    return [replace(plan, sources=(source,)) for source in plan.sources]


@pytest.fixture
async def scripts() -> AsyncIterator[Scripts]:
    running = Scripts(Settings(max_parsed_bytes=1024**2))
    yield running
    await running.close()


async def failure(scripts: Scripts, plan: ScriptPlan, **context: Any) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        await scripts.run(plan, context)
    assert (caught.value.outcome, caught.value.retry_safe) == ("not-sent", True)
    return caught.value


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def alive(group: int) -> list[Path]:
    """The processes of a group, as /proc has them."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                state, _, of = (process / "stat").read_text().rpartition(")")[2].split()[:3]
                found += [process] if int(of) == group and state != "Z" else []
    return found


def children() -> list[str]:
    """The programs that this process started and that are not done."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
                found += [process.name] if int(parent) == os.getpid() and state != "Z" else []
    return found


# --- what a script sees and gives


@pytest.mark.parametrize(
    ("language", "code", "result"),
    [
        pytest.param("javascript", "result = {sum: context.a + 1, kept: context['some-step'].length}",
                     {"sum": 3, "kept": 2}, id="javascript sees context"),
        pytest.param("python", "result = {'sum': context['a'] + 1, 'kept': len(context['some-step'])}",
                     {"sum": 3, "kept": 2}, id="python sees context"),
        pytest.param("javascript", "result = [a + 1, someStep.length]", [3, 2], id="javascript has variables"),
        pytest.param("python", "result = [a + 1, len(someStep)]", [3, 2], id="python has variables"),
        pytest.param("javascript", "const a = 7; function someStep() { return a } result = someStep()", 7,
                     id="a script's own names go before them"),
        pytest.param("javascript", "'use strict'; var a; someStep = 1; var result = [a ?? null, someStep, typeof b]",
                     [None, 1, "undefined"], id="even those without a value"),
        pytest.param("javascript", "const result = [1, 'é', null, true, 1.5]", [1, "é", None, True, 1.5], id="const"),
        pytest.param("javascript", "let result = new Map([['a', new Set([1, 1])]])", {"a": [1]}, id="maps and sets"),
        pytest.param("javascript", "var result = new Date(0)", "1970-01-01T00:00:00.000Z", id="a date is its text"),
        pytest.param("javascript", "const unused = 1", None, id="javascript without a result"),
        pytest.param("python", "unused = 1", None, id="python without a result"),
        pytest.param("python", "result = (1, {'a': 10**30})", [1, {"a": 10**30}], id="tuples and long numbers"),
        pytest.param("javascript", "console.log(context); print('x'); result = 1", 1, id="javascript may print"),
        pytest.param("python", "print(context)\nresult = 1", 1, id="python may print"),
        pytest.param("javascript", "Promise.resolve(7).then(x => { result = x })", 7, id="settled promises"),
        pytest.param("javascript", "JSON.stringify = () => '1'; Number.isFinite = null; result = {a: [2]}", {"a": [2]},
                     id="what it does to built-in functions is its own affair"),
        pytest.param("javascript", "result = '\\ud800!' // half of a pair", "?!", id="a text that UTF-8 cannot hold"),
        pytest.param("python", "import json, math\nresult = json.loads('[1]') + [math.floor(2.5)]", [1, 2],
                     id="python has some modules"),
    ],
)  # fmt: skip
async def test_a_script_gives_its_result(
    scripts: Scripts, tmp_path: Path, language: Language, code: str, result: Any
) -> None:
    plan = planned(tmp_path, language, code)
    assert await scripts.run(plan, {"a": 2, "some-step": ["x", "y"]}) == result


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javascript", "result = [Math.max(1, 2), context.Math, typeof aB, typeof result, context['x y']]"),
        ("python", "result = [max(1, 2), context['max'], type(aB).__name__, type(id).__name__, context['x y']]"),
    ],
)
async def test_no_input_takes_the_name_of_what_its_language_has(
    scripts: Scripts, tmp_path: Path, language: Language, code: str
) -> None:
    plan = planned(tmp_path, language, code)
    inputs = {"Math": 5, "max": 5, "aB": "exact", "a-b": 0, "id": 9, "result": "given", "class": 1, "x y": 3, "__x": 4}
    kinds = ["string", "undefined"] if language == "javascript" else ["str", "builtin_function_or_method"]
    assert await scripts.run(plan, inputs) == [2, 5, *kinds, 3]


@pytest.mark.parametrize(
    ("language", "codes"),
    [
        ("javascript", ["'use strict';\nfunction twice(x) { return 2 * x; }", "result = twice(context.a)"]),
        ("python", ["def twice(x):\n    return 2 * x\n", "result = twice(context['a'])"]),
    ],
)
async def test_what_it_depends_on_is_run_before_it(
    scripts: Scripts, tmp_path: Path, language: Language, codes: list[str]
) -> None:
    assert await scripts.run(planned(tmp_path, language, *codes), {"a": 21}) == 42


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javascript", "result = typeof left === 'undefined'; globalThis.left = 1; Array.prototype.left = 1"),
        ("python", "try:\n    left\n    result = False\nexcept NameError:\n    result = True\nleft = 1"),
    ],
)
async def test_nothing_of_a_run_is_left_to_the_next(
    scripts: Scripts, tmp_path: Path, language: Language, code: str
) -> None:
    plan = planned(tmp_path, language, code)
    assert [await scripts.run(plan, {}) for _ in range(3)] == [True, True, True]


async def test_a_flow_hands_a_script_its_inputs_and_earlier_answers_by_name(tmp_path: Path) -> None:
    (tmp_path / "first.js").write_text("result = {twice: context.value * 2, extra: context.extra}")
    (tmp_path / "second.py").write_text("result = [context['value'], context['one-step']['twice'], context['value2']]")
    common = {"type": "script", "location": "file:///./"}
    steps: list[dict[str, Any]] = [
        {"name": "one-step", "file": "first.js", "language": "javascript", "with": {"extra": "{{value}}"}, **common},
        {"name": "two", "file": "second.py", "language": "python", "with": {"value2": "$.one-step.extra"}, **common},
    ]
    path = capability(tmp_path, steps)
    path.write_text(path.read_text().replace('"steps"', '"mappings": [{"target": "all", "value": "$.two"}], "steps"'))
    async with live(path) as units:
        answer = await units["act"].call({"value": 21})
        assert len(children()) == 2
    assert answer.value == {"all": [21, 42, 21]}
    assert not children()


async def test_a_script_that_is_run_for_each_item_sees_it_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "twice.js").write_text("result = context.each * 2")
    step = {"name": "step", "type": "script", "language": "javascript", "location": "file:///./", "file": "twice.js",
            "foreach": [1, 2], "as": "each"}  # fmt: skip
    path = capability(tmp_path, [step])
    path.write_text(path.read_text().replace('"steps"', '"mappings": [{"target": "all", "value": "$.step"}], "steps"'))
    async with live(path) as units:
        answer = await units["act"].call({})
    assert [found["result"] for found in answer.value["all"]] == [2, 4]


async def test_where_nothing_is_called_the_last_script_gives_the_answer(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text("result = {n: context.value + 1}")
    (tmp_path / "two.js").write_text("result = {m: context.first.n * 2}")
    common = {"type": "script", "language": "javascript", "location": "file:///./"}
    steps = [{"name": "first", "file": "one.js", **common}, {"name": "second", "file": "two.js", **common}]
    async with live(capability(tmp_path, steps)) as units:
        assert (await units["act"].call({"value": 20})).value == {"m": 42}


ORDER = 9007199254740993


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("result = context.order", {"id": ORDER, "less": -ORDER, "n": ORDER - 2, "text": str(ORDER)}),
        ("result = [context.order.id + 1n, context.order.n]", [ORDER + 1, ORDER - 2]),
        ("result = `order ${order.id}`", f"order {ORDER}"),
        ("result = typeof order.n + ' ' + typeof order.id", "number bigint"),
        ("result = [1n, 5n ** 40n, 1e300]", [1, 5**40, 1e300]),
    ],
)
async def test_javascript_keeps_the_digits_of_large_integers(
    scripts: Scripts, tmp_path: Path, code: str, expected: Any
) -> None:
    order = {"id": ORDER, "less": -ORDER, "n": ORDER - 2, "text": str(ORDER)}
    assert await scripts.run(planned(tmp_path, "javascript", code), {"order": order}) == expected


async def test_python_keeps_the_digits_of_large_integers(scripts: Scripts, tmp_path: Path) -> None:
    plan = planned(tmp_path, "python", "result = [order['id'], order['id'] + 1, 5 ** 40]")
    assert await scripts.run(plan, {"order": {"id": ORDER}}) == [ORDER, ORDER + 1, 5**40]


# --- what it cannot do


@pytest.mark.parametrize(
    ("language", "code", "message"),
    [
        pytest.param("javascript", "result = () => 1", "'result' is a function, which is no JSON value", id="function"),
        pytest.param("javascript", "result = {a: {b: 0 / 0}}", "'b' is NaN, which is no JSON value", id="NaN"),
        pytest.param("javascript", "result = {n: 2 ** 53}", "'n' is 9007199254740992, a number that may", id="rounded"),
        pytest.param("javascript", "result = 1n + 1", "cannot convert BigInt to number", id="BigInt and a number"),
        pytest.param("javascript", "result = Promise.resolve(1)", "'result' is a promise", id="promise"),
        pytest.param("javascript", "result = []; result.push(result)", "circular reference", id="circular javascript"),
        pytest.param("python", "result = float('nan')", "not JSON compliant: nan", id="nan"),
        pytest.param("python", "result = {1}", "not JSON serializable", id="set"),
        pytest.param("python", "result = []\nresult.append(result)", "Circular reference", id="circular python"),
    ],
)
async def test_a_result_that_is_no_json_is_told(
    scripts: Scripts, tmp_path: Path, language: Language, code: str, message: str
) -> None:
    error = await failure(scripts, planned(tmp_path, language, code))
    assert error.code == "script-failed"
    assert message in error.message


@pytest.mark.parametrize(
    ("language", "codes", "where"),
    [
        ("javascript", ["function f(x) {\n  return x.y.z;\n}", "\n\nresult = f(context)"], "line 2 of 'script0.js'"),
        ("javascript", ["const unused = 1\n", "\nif (true)\n  throw new Error('own')\n"], "line 3 of 'script1.js'"),
        ("python", ["def f(x):\n    return 1 / x\n", "\n\nresult = f(0)"], "line 2 of 'script0.py'"),
        ("python", ["x = 1", "for i in [1]:\n    if i:\n        raise ValueError('own')"], "line 3 of 'script1.py'"),
    ],
)
async def test_an_error_says_its_line_as_its_author_counts(
    scripts: Scripts, tmp_path: Path, language: Language, codes: list[str], where: str
) -> None:
    error = await failure(scripts, planned(tmp_path, language, *codes))
    assert error.code == "script-failed"
    assert where in error.message


ATTEMPTS: dict[Language, list[str]] = {
    "javascript": [
        "result = require('fs').readFileSync('/etc/passwd', 'utf8')",
        "result = process.env",
        "fetch('http://127.0.0.1/')",
        "new XMLHttpRequest()",
        "std.open('/etc/passwd')",
        "os.exec(['id'])",
        "java.lang.Runtime.getRuntime()",
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
    ],
    "python": [
        "result = open('/etc/passwd').read()",
        "import os\nresult = os.environ",
        "import os\nos.system('id')",
        "from pathlib import Path\nresult = Path('/etc/passwd').read_text()",
        "result = __import__('socket')",
        "result = ().__class__.__base__.__subclasses__()",
        "try:\n    import subprocess\nexcept ImportError:\n    import os\n    os.fork()",
        "eval('undefined_name')",
    ],
}


@BOTH
async def test_a_script_reaches_nothing(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    for plan in all_planned(tmp_path, language, ATTEMPTS[language]):
        assert (await failure(scripts, plan)).code == "script-failed", plan.sources


async def test_its_process_knows_no_variable_and_no_open_file_of_ours(
    scripts: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "told-to-nobody")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        for language in LOOPS:
            await scripts.run(planned(tmp_path, language, "result = 1"), {})
        found = [process for worker in scripts._all for process in alive(worker.process.pid)]
        assert len(found) == 3  # one for JavaScript, two for Python
        for process in found:
            assert "told-to-nobody" not in (process / "environ").read_text()
            assert not any(str(tmp_path) in str(entry.readlink()) for entry in (process / "fd").iterdir())


# --- what stops it


@BOTH
async def test_a_loop_without_end_stops_at_its_statements(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    error = await failure(scripts, planned(tmp_path, language, LOOPS[language]))
    assert error.code == "script-limit"
    assert "beyond 100000 statements" in error.message
    assert f"(line {2 if language == 'python' else 1} of" in error.message


@BOTH
async def test_an_engine_that_does_not_stop_itself_is_stopped(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=500, statementLimit=NO_END)
    running = asyncio.create_task(failure(scripts, plan))
    await until(lambda: bool(scripts._all))
    (worker,) = scripts._all
    os.kill(worker.process.pid, signal.SIGSTOP)
    async with asyncio.timeout(5):
        assert (await running).code == "script-timeout"
    assert worker.process.returncode == -signal.SIGKILL


ENDLESS: dict[Language, list[str]] = {
    "javascript": [
        "for (;;) { try { x() } catch (e) {} }",
        "try { while (true); } catch (e) { result = 1 }",
        "const f = () => f2(); const f2 = x => 1; do f(); while (true)",
        "for (const x of (function* () { while (true) yield 1 })()) ;",
        "(function f() { Promise.resolve().then(f) })()",
        "outer: while (true) { if (true) continue outer; else break }",
    ],
    "python": [
        "while True:\n    try:\n        x()\n    except Exception:\n        pass",
        "try:\n    while True: pass\nexcept Exception:\n    result = 1",
        "try:\n    while True: pass\nexcept Exception:\n    'nothing that is counted'",
        "import itertools\nfor i in itertools.count():\n    if i: pass\n    else:\n        pass",
        "while True:\n    match 1:\n        case 1:\n            continue",
    ],
}


@BOTH
async def test_no_form_of_a_loop_escapes_the_count(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    for plan in all_planned(tmp_path, language, ENDLESS[language], statementLimit=1000):
        assert (await failure(scripts, plan)).code == "script-limit", plan.sources


@pytest.mark.parametrize(
    ("language", "code", "statements"),
    [
        ("javascript", "let n = 0\nfor (let i = 0; i < 5; i++) n += i\nif (n) n++; else n--\nresult = n", 10),
        ("python", "n = 0\nfor i in range(5):\n    n += i\nif n: n += 1\nelif n: n = 0\nelse: n -= 1\nresult = n", 10),
    ],
)
async def test_the_count_is_that_of_the_statements(
    scripts: Scripts, tmp_path: Path, language: Language, code: str, statements: int
) -> None:
    assert await scripts.run(planned(tmp_path, language, code, statementLimit=statements), {}) == 11
    plan = planned(tmp_path, language, code, statementLimit=statements - 1)
    assert (await failure(scripts, plan)).code == "script-limit"


@BOTH
async def test_a_script_that_takes_too_long_is_stopped(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=200, statementLimit=NO_END)
    await scripts.run(planned(tmp_path, language, "result = 1"), {})
    began = time.monotonic()
    error = await failure(scripts, plan)
    assert (error.code, time.monotonic() - began < 2) == ("script-timeout", True)
    assert "after 0.2 seconds" in error.message


LARGE: dict[Language, list[str]] = {
    "javascript": [
        "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)",
        "result = new Array(2 ** 31).fill('x'.repeat(100))",
        "result = 'x'.repeat(2 ** 29)",
        "const a = new Uint8Array(200 * 1024 ** 2)\nresult = a.length",  # which the process itself could have
        "function f(n) { return [f(n + 1)] }\nf(0)",
        "result = 'x'.repeat(2 * 1024 ** 2)",
    ],
    "python": [
        "a = []\nwhile True:\n    a.append('x' * 1000000)",
        "result = 'x' * 10**10",
        "a = 'x' * (200 * 1024**2)\nresult = len(a)",
        "result = [0] * 10**10",
        "def f(n):\n    return f(n + 1)\nf(0)",
        "result = 'x' * (2 * 1024 ** 2)",
    ],
}


@BOTH
async def test_memory_nesting_and_size_have_limits(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    *large, small = all_planned(tmp_path, language, [*LARGE[language], "result = 1"])
    for plan in large:
        assert (await failure(scripts, plan)).code == "script-limit", plan.sources
        assert await scripts.run(small, {}) == 1


@BOTH
async def test_the_loop_of_the_server_goes_on_while_scripts_run(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=500, statementLimit=NO_END)
    running = asyncio.create_task(failure(scripts, plan))
    pauses = []
    while not running.done():
        began = time.monotonic()
        await asyncio.sleep(0.01)
        pauses.append(time.monotonic() - began)
    assert (await running).code == "script-timeout"
    assert len(pauses) > 10


@BOTH
async def test_many_scripts_at_once_each_give_their_own_result(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, "result = context['n']")
    assert await asyncio.gather(*(scripts.run(plan, {"n": n}) for n in range(40))) == list(range(40))


@BOTH
async def test_a_process_that_is_killed_is_the_error_of_one_call(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=20000, statementLimit=NO_END)
    running = asyncio.create_task(failure(scripts, plan))
    await until(lambda: bool(scripts._all))
    await asyncio.sleep(0.3)
    (worker,) = scripts._all
    os.kill(worker.process.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        error = await running
    assert (error.code, "its process ended" in error.message) == ("script-failed", True)
    await until(lambda: not alive(worker.process.pid), 2)
    assert await scripts.run(planned(tmp_path, language, "result = 1"), {}) == 1


@BOTH
async def test_a_process_that_died_between_two_scripts_is_replaced(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, "result = 1")
    assert await scripts.run(plan, {}) == 1
    (worker,) = scripts._all
    os.kill(worker.process.pid, signal.SIGKILL)
    assert await scripts.run(plan, {}) == 1
    assert worker not in scripts._all


def test_so_is_one_whose_end_only_its_pipe_has_told_yet(tmp_path: Path) -> None:
    plan = planned(tmp_path, "javascript", "result = 1")

    async def twice() -> None:
        scripts = Scripts(Settings())
        assert await scripts.run(plan, {}) == 1
        (worker,) = scripts._all
        assert worker.process.stdin is not None
        worker.process.stdin.transport.abort()
        await asyncio.sleep(0)  # closed is what it is only now
        assert worker.process.returncode is None
        assert await scripts.run(plan, {}) == 1
        await scripts.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the loop of servers has an error of its own
        runner.run(twice())


@pytest.mark.parametrize(
    ("head", "text", "code"),
    [
        ("no json", "1", "script-failed"),
        ("[" * 100_000, "1", "script-failed"),
        ("[]", "1", "script-failed"),
        ('{"kind": "another"}', "1", "script-failed"),
        ('{"kind": "result"}', "no json", "script-failed"),
        ('{"kind": "result"}', "[" * 100_000, "script-failed"),
        ('{"kind": "result"}', "NaN", "script-failed"),
        ('{"kind": "result"}', "1" * 2 * 1024**2, "script-failed"),
        ('{"kind": "limit", "source": 99, "line": "x", "message": {}}', "", "script-limit"),
        ('{"kind": "failed", "source": -1, "line": 1}', "", "script-failed"),
    ],
    ids=range(10),
)
async def test_a_process_that_a_script_took_over_can_say_what_it_likes(
    scripts: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, text: str, code: str
) -> None:
    plan = planned(tmp_path, "javascript", "result = 1")
    (tmp_path / "frames").write_bytes(b"".join(len(part).to_bytes(4, "big") + part.encode() for part in (head, text)))
    with monkeypatch.context() as patched:
        program = ["/bin/sh", "-c", f"cat {tmp_path / 'frames'}; sleep 5"]
        patched.setattr("capstan.call.scripts.command", lambda *_: program)
        assert (await failure(scripts, plan)).code == code
        for worker in list(scripts._all):
            await scripts._end(worker)
    assert await scripts.run(plan, {}) == 1


@BOTH
async def test_who_goes_away_takes_the_script_along(scripts: Scripts, tmp_path: Path, language: Language) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=20000, statementLimit=NO_END)
    running = asyncio.create_task(scripts.run(plan, {}))
    await until(lambda: bool(scripts._all))
    await asyncio.sleep(0.2)
    (worker,) = scripts._all
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert worker.process.returncode == -signal.SIGKILL
    assert not scripts._all


@BOTH
async def test_closing_stops_what_runs_and_leaves_no_process(
    scripts: Scripts, tmp_path: Path, language: Language
) -> None:
    plan = planned(tmp_path, language, LOOPS[language], timeout=20000, statementLimit=NO_END)
    running = asyncio.create_task(failure(scripts, plan))
    await until(lambda: bool(scripts._all))
    await asyncio.sleep(0.3)
    group = next(iter(scripts._all)).process.pid
    await scripts.close()
    assert (await running).code == "script-failed"
    await until(lambda: not alive(group))  # the kernel takes a moment to bury them
    assert "the server stops" in (await failure(scripts, plan)).message


async def test_a_wait_for_a_free_process_has_an_end(
    scripts: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("capstan.call.scripts._MOST_PROCESSES", 1)
    plan = planned(tmp_path, "javascript", LOOPS["javascript"], timeout=600, statementLimit=NO_END)
    quick = replace(plan, timeout_seconds=0.2)
    running = asyncio.create_task(failure(scripts, plan))
    await asyncio.sleep(0.1)
    error = await failure(scripts, quick)
    assert (error.code, "other scripts" in error.message) == ("script-timeout", True)
    await running
