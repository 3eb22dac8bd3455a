"""Random flows against an upstream that holds every answer back: what is under way at each moment is what may be.

The rules are written here a second time, from docs/decisions/0016-the-order-of-steps.md, in the plainest way.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from call.flows import flow
from capstan.call.unit import LiveUnit
from capstan.errors import CallError
from capstan.load import load
from capstan.plan.build import build_plan
from support import Raw, Received, RecordingUpstream, live, reply, write_capability


@dataclass
class Step:
    """A step as the test knows it: `items` of a loop, at most `at_once` of them at a time; one item else."""

    name: str
    kind: str  # read, capture, cancel, assert, lookup
    uses: list[str]
    group: int | None
    items: int = 1
    at_once: int = 1
    key: bool = False
    waits_for: set[str] = field(default_factory=set)

    @property
    def is_loop(self) -> bool:
        return self.at_once > 1 or self.items > 1

    @property
    def calls(self) -> bool:
        return self.kind not in ("assert", "lookup")

    @property
    def changes(self) -> bool:
        return self.kind in ("capture", "cancel")

    def written(self) -> dict[str, Any]:
        used = f"$.{self.uses[0]}.id" if self.uses else "'u-1'"
        match self.kind:
            case "assert":
                return {"name": self.name, "assert": f"{used} != 'nothing'"}
            case "lookup":
                searched = {"index": self.uses[0], "match": "id", "lookupValue": used, "outputParameters": ["id"]}
                return {"name": self.name, **searched}
        with_: dict[str, Any] = {"id": "-".join([self.name, *(f"{{{{{name}.id}}}}" for name in self.uses)])}
        if self.key:
            with_["Idempotency-Key"] = f"k-{self.name}"
        loop = {"foreach": list(range(self.items)), "concurrency": self.at_once} if self.is_loop else {}
        return {"name": self.name, "call": f"api.{self.kind}", "with": with_, **loop}


def make_flow(chance: random.Random) -> list[Step]:
    """Steps with everything that has a say in their order."""
    steps: list[Step] = []
    group, left = None, 0
    for number in range(chance.randint(2, 9)):
        if left == 0:
            group, left = None, 1
            if chance.random() < 0.3:
                group, left = number, chance.randint(1, 4)
        left -= 1
        above = [s for s in steps if s.kind != "assert" and not s.is_loop and (s.group is None or s.group != group)]
        kind = chance.choice(["read"] * 5 + ["capture"] * 2 + ["cancel"] + (["assert", "lookup"] if above else []))
        uses = [chance.choice(above).name] if above and (kind == "lookup" or chance.random() < 0.4) else []
        step = Step(f"s{number}", kind, uses, group, key=kind == "capture" and chance.random() < 0.5)
        if step.calls and chance.random() < 0.2:
            step.items, step.at_once = chance.randint(2, 4), chance.randint(1, 3)
        steps.append(step)
    if not any(step.calls for step in steps):
        steps.append(Step("last", "read", [], None))
    for number, step in enumerate(steps):
        step.waits_for = {above.name for above in steps[:number] if must_wait(step, above)}
    return steps


def must_wait(step: Step, above: Step) -> bool:
    if above.name in step.uses:
        return True
    apart = step.group is not None and step.group == above.group
    return not apart and (step.changes or above.changes or above.kind == "assert")


def text_of(steps: list[Step]) -> str:
    lines, group = ["steps:"], None
    for step in steps:
        if step.group is not None and step.group != group:
            lines += [f"- name: side{step.group}", "  type: parallel", "  steps:"]
        group = step.group
        lines.append(("  - " if step.group is not None else "- ") + json.dumps(step.written()))
    return "\n".join(lines)


class Held:
    """An upstream whose requests wait until the test lets them go."""

    def __init__(self) -> None:
        self.open: dict[str, deque[asyncio.Future[Raw]]] = {}
        self.seen: dict[str, int] = {}

    async def __call__(self, request: Received) -> Raw:
        name = request.target.removeprefix("/orders/").partition("-")[0].partition("/")[0]
        self.seen[name] = self.seen.get(name, 0) + 1
        answer: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self.open.setdefault(name, deque()).append(answer)
        return await answer

    def under_way(self) -> dict[str, int]:
        return {name: len(waiting) for name, waiting in self.open.items() if waiting}

    def let_go(self, name: str, answer: Raw) -> None:
        self.open[name].popleft().set_result(answer)


async def settled(held: Held, expected: dict[str, int], running: asyncio.Task[Any], text: str) -> None:
    """Until this and nothing else is under way."""
    for _ in range(400):
        if held.under_way() == expected or running.done():
            break
        await asyncio.sleep(0.001 if _ < 50 else 0.005)
    await asyncio.sleep(0.002)  # what should not come may be on its way
    assert held.under_way() == expected, text


class Run:
    """One flow, step by step: what the rules say is done, and what is under way."""

    def __init__(self, steps: list[Step], text: str) -> None:
        self.steps, self.text = steps, text
        self.ended: set[str] = set()
        self.done: dict[str, int] = {step.name: 0 for step in steps}  # items

    def ready(self) -> list[Step]:
        """Steps that are under way; what calls nothing ends as soon as it may begin."""
        while True:
            may = [s for s in self.steps if s.name not in self.ended and s.waits_for <= self.ended]
            silent = {s.name for s in may if not s.calls}
            if not silent:
                return may
            self.ended |= silent

    def expected(self) -> dict[str, int]:
        return {s.name: min(s.at_once, s.items - self.done[s.name]) for s in self.ready()}

    def end_one(self, step: Step) -> None:
        self.done[step.name] += 1
        if self.done[step.name] == step.items:
            self.ended.add(step.name)


def told_by(step: Step) -> dict[str, Any]:
    return {"id": f"id{step.name}"}


def good(step: Step) -> Raw:
    return reply(data=told_by(step))


@pytest.mark.parametrize("seeds", [range(18), range(18, 36)])
async def test_what_is_under_way_is_what_the_rules_allow(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(seed)
        steps = make_flow(chance)
        text = flow(text_of(steps))
        path = write_capability(tmp_path, text)
        planned = {s.name: set(s.after) for s in build_plan(load(path), {})[0].units[0].flow.steps}  # type: ignore[union-attr]
        assert planned == {s.name: s.waits_for for s in steps}, text
        async with RecordingUpstream(held := Held()) as upstream, live(path, None, {"api": upstream.url}) as units:
            run = Run(steps, text)
            task = asyncio.create_task(units["act"].call({}))
            while under_way := run.ready():
                await settled(held, run.expected(), task, text)
                step = chance.choice(under_way)
                run.end_one(step)
                held.let_go(step.name, good(step))
            await asyncio.wait_for(task, 5)
        assert held.seen == {s.name: s.items for s in steps if s.calls}, text


@pytest.mark.parametrize("seeds", [range(100, 125), range(125, 150)])
async def test_after_a_failure_nothing_begins_and_what_is_told_is_true(tmp_path: Path, seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(seed)
        steps = make_flow(chance)
        text = flow(text_of(steps))
        path = write_capability(tmp_path, text)
        async with RecordingUpstream(held := Held()) as upstream, live(path, None, {"api": upstream.url}) as units:
            await fail_somewhere(steps, Run(steps, text), held, units["act"], chance)


async def fail_somewhere(steps: list[Step], run: Run, held: Held, unit: LiveUnit, chance: random.Random) -> None:
    """Let steps end until one of them fails, and hold what is told against what the upstream saw."""
    candidates = [step for step in steps if step.calls and not step.is_loop]
    if not candidates:
        return
    failing = chance.choice(candidates)
    task = asyncio.create_task(unit.call({}))
    while True:
        under_way = run.ready()
        await settled(held, run.expected(), task, run.text)
        step = chance.choice(under_way)
        if step is failing:
            break
        run.end_one(step)
        held.let_go(step.name, good(step))
    status = chance.choice([404, 500])
    left = {name: count for name, count in held.under_way().items() if name != failing.name}
    seen = dict(held.seen)
    held.let_go(failing.name, reply(status, data={"no": 1}))
    by_name = {step.name: step for step in steps}
    for _ in range(20):  # the failure is seen before anything else ends
        await asyncio.sleep(0.001)
    for name, count in left.items():
        for _ in range(count if by_name[name].changes else 0):
            held.let_go(name, good(by_name[name]))
            run.done[name] += 1
    with pytest.raises(CallError) as caught:
        await asyncio.wait_for(task, 5)
    error = caught.value
    assert held.seen == seen, f"something was sent after {failing.name} failed\n{run.text}"
    told = error.extra["steps"]
    assert told[failing.name] == ("refused" if status == 404 else "unknown")
    changed = {s.name: s for s in steps if s.changes and s is not failing and run.done[s.name]}
    assert {name: told.get(name) for name in changed} == {
        name: "done" if run.done[name] == s.items else "partly" for name, s in changed.items()
    }, run.text
    assert set(error.extra.get("changed", {})) == set(changed), run.text
    for name, step in changed.items():
        answer = error.extra["changed"][name]
        assert len(answer) == run.done[name] if step.is_loop else answer == told_by(step), run.text
    if changed:
        assert error.outcome == "partly", run.text
    else:  # of a flow that could change something, what was only read is nothing that happened
        only_read = not failing.changes and any(step.changes for step in steps)
        assert error.outcome == ("not-sent" if only_read else told[failing.name]), run.text
    in_doubt = [*changed.values(), *([failing] if failing.changes and status == 500 else [])]
    assert error.retry_safe == all(step.key for step in in_doubt), run.text
