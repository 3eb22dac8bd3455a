"""The script of a step -> a plan: its text read, its language and limits chosen, its syntax checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from capstan.load import model
from capstan.load.document import Place

Language = Literal["javascript", "python"]
Tell = Callable[[str, str, Place, str], None]  # code, message, at, hint


@dataclass(frozen=True, slots=True)
class ScriptSource:
    name: str  # as the file calls it, for messages
    code: str


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """A script, ready to run."""

    step: str
    language: Language
    sources: tuple[ScriptSource, ...]  # dependencies first, the script itself last
    files: tuple[str, ...]  # where they were read from
    timeout_seconds: float
    statement_limit: int


def plan_script(step: model.ScriptStep, scripting: model.Scripting | None, tell: Tell) -> ScriptPlan | None:
    """The plan of a script step; None where it cannot be run, which was told."""
    raise NotImplementedError
