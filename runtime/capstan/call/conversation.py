"""Whom a flow talks to while it runs: what it asks, tells and reports. How that is carried is not known here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from capstan.errors import Outcome
from capstan.plan.flow import AskPlan


@dataclass(frozen=True, slots=True)
class Question:
    """A question as its reader sees it."""

    name: str  # of the step
    message: str
    plan: AskPlan

    @property
    def digest(self) -> str:
        """What tells this question from another one of the same step: an answer is one to these words."""
        asked = json.dumps([self.name, self.message, self.plan.schema], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()[:32]

    def fault(self, content: Any) -> str:
        """Why what the user gave is no answer; empty where it is one."""
        violations = self.plan.checker.violations(content)
        if not violations:
            return ""
        first = violations[0]
        field = ".".join(map(str, first.pointer))
        return f"'{field}': {first.message}" if field else first.message


class Unanswered(Exception):
    """The call ends here, with questions; it is made again with the answers."""

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(", ".join(question.name for question in questions))
        self.questions = tuple(questions)


class Conversation(Protocol):
    """The client of one call."""

    follows: bool  # whether it wants to know how far the call is
    outcome: Outcome  # what is known of the call where the client broke it off

    def change(self) -> AbstractContextManager[None]:
        """In it a client that goes away breaks nothing off."""
        ...

    async def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """The answers, in the order of the questions.

        Raises:
            FlowError: the user declined, or nobody can be asked.
            Unanswered: the answers come with another call.
        """
        ...

    async def log(self, level: str, text: str) -> None:
        """Tell the client something, where it listens."""
        ...

    async def progress(self, done: int, total: int, step: str) -> None:
        """Report a step that is done."""
        ...
