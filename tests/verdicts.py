"""What the checks of the MCP conformance suite come to, judged strictly: see tests/mcp/conformance.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_OF_THE_SUITE: Final = frozenset({"wire-schema-valid"})  # passes where nothing was sent at all
_BAD: Final = frozenset({"FAILURE", "WARNING"})
_LEFT_OUT: Final = "SKIPPED"  # of a suite that does not change: something is no longer there to be tested

Checks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Unasked:
    """Why a scenario, or one check of it, is not asked of us, and what its failures have to say."""

    topic: str
    says: tuple[str, ...]

    def explains(self, check: Mapping[str, Any]) -> bool:
        return any(part in text_of(check) for part in self.says)


@dataclass(frozen=True)
class Verdict:
    scenario: str
    counts: Mapping[str, int]  # of its own checks, by status
    faults: tuple[str, ...]  # what is wrong with it
    topics: tuple[str, ...] = ()  # of the exceptions it makes use of
    is_excepted: bool = False  # wholly

    @property
    def passed(self) -> bool:
        return not self.faults


def read_exceptions(path: Path) -> dict[str, Unasked]:
    """By scenario, or by `scenario/check`."""
    found = {}
    for topic, group in yaml.safe_load(path.read_text()).items():
        if not group["because"].strip():
            raise ValueError(f"{topic}: without a reason")
        for name, entry in group["scenarios"].items():
            found[name] = Unasked(topic, tuple(entry["says"]))
    return found


def judge(scenario: str, checks: Checks, exceptions: Mapping[str, Unasked]) -> Verdict:
    """A scenario passes when a check of its own succeeded, and none failed, warned or was left out.

    One that is excepted has to fail, or to be left out, for the reason given and for no other.
    """
    own = [check for check in checks if check["id"] not in _OF_THE_SUITE]
    counts = Counter(check["status"] for check in own)
    whole = exceptions.get(scenario)
    if whole is not None:
        faults = _faults_of_excepted(checks, own, whole)
        return Verdict(scenario, counts, tuple(faults), (whole.topic,), is_excepted=True)
    faults, topics = [], []
    if not counts["SUCCESS"]:
        faults.append("no check of its own really ran")
    for check in checks:
        one = exceptions.get(f"{scenario}/{check['id']}")
        if check["status"] == _LEFT_OUT:
            faults.append(f"{check['id']}: left out")
        elif check["status"] not in _BAD:
            if one is not None:
                faults.append(f"{check['id']} is an exception and does not fail: take it off the list")
        elif one is not None and one.explains(check):
            topics.append(one.topic)
        else:
            faults.append(f"{check['id']}: {text_of(check)}")
    return Verdict(scenario, counts, tuple(faults), tuple(topics))


def _faults_of_excepted(checks: Checks, own: Checks, exception: Unasked) -> list[str]:
    bad = [check for check in checks if check["status"] in _BAD]
    if bad:
        return [f"{check['id']}: {text_of(check)}" for check in bad if not exception.explains(check)]
    if any(check["status"] == "SUCCESS" for check in own):
        return ["is an exception and passes: take it off the list"]
    return [] if any(map(exception.explains, own)) else ["nothing says why it was left out"]


def text_of(check: Mapping[str, Any]) -> str:
    """What a check tells of itself."""
    return str(check.get("errorMessage") or check.get("details", {}).get("message") or check["status"].lower())
