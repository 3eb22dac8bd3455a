"""The routes of the library, as OpenAPI tells them: named like the tools beside them, and grouped by their file."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from capstan.load import load
from capstan.load.files import find_files
from capstan.plan.build import build_plan
from capstan.plan.types import CapabilityPlan, UnitPlan
from capstan.sandbox import DEMO_VARIABLES
from library.classic import FOLDER


def _plan_of(file: Path) -> CapabilityPlan:
    return build_plan(load(file), DEMO_VARIABLES)[0]


_PLANS: Final = [plan for plan in map(_plan_of, find_files([str(FOLDER)])[0]) if plan.rest]


@pytest.mark.parametrize("plan", _PLANS, ids=lambda plan: plan.title)
def test_a_route_is_called_what_its_tool_is(plan: CapabilityPlan) -> None:
    (rest,), (mcp,) = plan.rest, plan.mcp
    titles = {_called(tool.unit): tool.unit.title for tool in mcp.tools}
    for operation in rest.operations:
        assert operation.unit.title == titles[_called(operation.unit)]
        assert operation.unit.title


def _called(unit: UnitPlan) -> tuple[str, ...]:
    assert unit.calls
    return tuple(call.operation for call in unit.calls)


def test_routes_are_grouped_by_their_file() -> None:
    files = defaultdict(set)
    for plan in _PLANS:
        for operation in plan.rest[0].operations:
            (tag,) = operation.tags
            files[tag].add(plan.title)
    assert len(files) == len(_PLANS) == 37
    assert all(len(titles) == 1 for titles in files.values())
