"""One capability in the spelling of every family means one thing: the plans are the same, to the last word."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.explain import explain
from capstan.plan.types import CapabilityPlan, ToolPlan

FAMILIES = Path(__file__).parents[1] / "golden" / "families"
TOPICS = sorted(folder for folder in FAMILIES.iterdir() if folder.is_dir())
ENVIRON = dict.fromkeys(("CUSTOMS_TOKEN", "CUSTOMS_USER", "DOCK_TOKEN"), "x")
# What says where something stands in its file, and what a tool's argument has no use for: a place in a request.
ELSEWHERE = frozenset({"file", "at", "where", "folder", "files", "sources"})


def explained(plan: CapabilityPlan) -> Any:
    """What `explain` says, without the file's name."""
    told = explain(plan)
    del told["file"]
    for tool in (tool for adapter in told["mcp"] for tool in adapter["tools"]):
        for argument in tool["inputs"].values():
            del argument["in"]
    return told


def everything(value: Any, left_out: frozenset[str] = ELSEWHERE) -> Any:
    """All fields of a plan as plain data: titles and descriptions with the rest."""
    if isinstance(value, ToolPlan):
        left_out |= {"whole_body"}
    if dataclasses.is_dataclass(value):
        named = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return {name: everything(item, left_out) for name, item in named.items() if name not in left_out}
    if isinstance(value, Mapping):
        return {str(key): everything(item, left_out) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [everything(item, left_out) for item in value]
    plain = value is None or isinstance(value, (str, int, float, bytes))
    return repr(value) if plain else type(value).__name__


@pytest.mark.parametrize("view", [explained, everything])
@pytest.mark.parametrize("topic", TOPICS, ids=lambda folder: folder.name)
def test_every_family_says_the_same(topic: Path, view: Callable[[CapabilityPlan], Any]) -> None:
    meanings: dict[str, str] = {}
    for file in sorted(topic.glob("*.yaml")):
        plan, warnings = build_plan(load(file), ENVIRON)
        told = [view(plan), [warning.code for warning in warnings]]
        meanings[file.stem] = json.dumps(told, indent=1).replace(str(topic), "")
    (first, expected), *others = meanings.items()
    assert others
    for family, found in others:
        assert found == expected, f"{family} does not mean what {first} means"


def test_every_family_takes_part() -> None:
    found = {file.stem for file in FAMILIES.glob("*/*.yaml")}
    assert found >= {
        "naftiko-0.5", "naftiko-1.0.0-alpha1", "naftiko-1.0.0-alpha2", "ikanos-1.0.0-alpha3", "ikanos-1.0.0-beta5",
        "catalogue",
    }  # fmt: skip
