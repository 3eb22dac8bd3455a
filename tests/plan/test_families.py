"""One capability in the spelling of every family means one thing: the plans are the same, to the last word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.explain import explain

FAMILIES = Path(__file__).parents[1] / "golden" / "families"
TOPICS = sorted(folder for folder in FAMILIES.iterdir() if folder.is_dir())
ENVIRON = dict.fromkeys(("CUSTOMS_TOKEN", "CUSTOMS_USER", "DOCK_TOKEN"), "x")


def meaning(file: Path) -> dict[str, Any]:
    """What a file will do and what is said of it, without its name."""
    plan, warnings = build_plan(load(file), ENVIRON)
    told = explain(plan)
    del told["file"]
    for tool in (tool for adapter in told["mcp"] for tool in adapter["tools"]):
        for argument in tool["inputs"].values():
            del argument["in"]  # a tool's argument has no place; what stands here is where it was derived from
    return {**told, "warnings": [warning.code for warning in warnings]}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda folder: folder.name)
def test_every_family_says_the_same(topic: Path) -> None:
    meanings = {file.stem: meaning(file) for file in sorted(topic.glob("*.yaml"))}
    expected = meanings["naftiko-1.0.0-alpha2"]
    assert len(meanings) > 1
    for family, found in meanings.items():
        assert json.dumps(found, indent=1) == json.dumps(expected, indent=1), f"{family} means something else"
