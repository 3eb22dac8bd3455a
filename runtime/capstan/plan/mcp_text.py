"""Texts of prompts and resources: `{{x}}` and `{x}` are filled with what a caller gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import match_name
from capstan.load.schema import suggest
from capstan.plan.values import FromInput
from capstan.plan.variables import Variables

_NAME: Final = r"\s*([A-Za-z0-9_.-]+)\s*"
_PLACEHOLDER: Final = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{{_NAME}\}}\}}|\{{([A-Za-z0-9_.-]+)\}}")

Text = tuple[str | FromInput, ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """What the texts of one prompt or resource can name."""

    names: Sequence[str]
    kind: str  # of these names: `prompt has no argument`
    asked: str  # who gets the text: `asks for the prompt`
    variables: Variables
    problems: list[Problem]

    def parts(self, text: str, at: Place) -> Text:
        """A text in its parts. `{{x}}` must be a known name or a setting; `{x}` is text where it is none."""
        parts: list[str | FromInput] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            name = match[1] or match[2]
            if name is None and match[3] not in self.names:
                continue
            parts.append(text[end : match.start()])
            parts.append(FromInput(match[3]) if name is None else self._value(name, at))
            end = match.end()
        parts.append(text[end:])
        return tuple(part for part in parts if part != "")

    def _value(self, name: str, at: Place) -> str | FromInput:
        found = match_name(name, self.names)
        if found is not None:
            return FromInput(found)
        if self.variables.is_setting(name):
            secret = self.variables.lookup(name, at, implicit=False)
            return secret.reveal() if secret is not None else ""
        if self.variables.declares(name):
            message = f"'{{{{{name}}}}}' would give a bound variable to whoever {self.asked}"
            self.problems.append(Problem("secret-in-answer", message, at.location()))
        else:
            message = f"the {self.kind} '{name}'"
            self.problems.append(Problem("unknown-name", message, at.location(), suggest(name, self.names)))
        return ""
