"""What `explain` says of each bundled capability, beside golden files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capstan.load import load
from capstan.load.files import find_files
from capstan.plan.build import build_plan
from capstan.plan.explain import explain

ROOT = Path(__file__).parents[2]
# The largest plans would be 1.7 MB of the same shapes again; tests/library holds these files against their catalogues.
LARGE = ("payments", "checkout")
CAPABILITIES = [
    file
    for file in find_files([str(ROOT / "capabilities")])[0]
    if file.parent.name != "network" and file.stem not in LARGE
]
GOLDEN = ROOT / "tests" / "golden" / "plans"


def golden(file: Path) -> Path:
    return GOLDEN / ("-".join(file.relative_to(ROOT / "capabilities").with_suffix("").parts) + ".json")


@pytest.mark.parametrize("file", CAPABILITIES, ids=lambda file: file.stem)
def test_the_plan_of_a_bundled_capability_is_as_reviewed(file: Path, request: pytest.FixtureRequest) -> None:
    plan, warnings = build_plan(load(file, file.relative_to(ROOT).as_posix()))
    told = json.dumps(explain(plan), ensure_ascii=False, indent=2) + "\n"
    expected = golden(file)
    if request.config.getoption("--update-golden", default=False):
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_text(told, "utf-8")
    assert warnings == ()
    assert told == expected.read_text("utf-8")


def test_every_golden_plan_has_its_capability() -> None:
    assert sorted(GOLDEN.glob("*.json")) == sorted(map(golden, CAPABILITIES))
