"""The one place that decides about a call, for every door: do the arguments fit, and what does the call do.

Idempotency, policy and audit belong here too; they will be asked between `check` and the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capstan.errors import BindError
from capstan.load.document import format_pointer
from capstan.load.schema import Violation, suggest
from capstan.plan.example import example_of
from capstan.plan.types import UnitPlan
from capstan.plan.values import ABSENT


class Guard:
    """The guard of one unit."""

    def __init__(self, unit: UnitPlan) -> None:
        self.unit = unit
        self.effect = unit.effect
        self._defaults = [(item.name, item.default) for item in unit.inputs if item.default is not ABSENT]
        self._examples: dict[str, Any] = {}
        self._optional = frozenset(item.name for item in unit.inputs if not item.required)

    def check(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments as the call will see them: checked, with defaults, without nulls that mean nothing.

        Raises:
            BindError: naming the argument that does not fit.
        """
        given = self._with_defaults(arguments)
        if self.unit.checker.accepts(given):
            return given
        # Agents often spell an argument they leave out as null.
        meant = {k: v for k, v in arguments.items() if v is not None or k not in self._optional}
        kept = self._with_defaults(meant)
        if len(meant) < len(arguments) and self.unit.checker.accepts(kept):
            return kept
        raise self._refusal(self.unit.checker.violations(kept))

    def _with_defaults(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        for name, default in self._defaults:
            if name not in arguments:
                arguments = {**arguments, name: default}
        return arguments

    def _refusal(self, violations: list[Violation]) -> BindError:
        errors = [self._error(violation) for violation in violations]
        first = errors[0]
        hint = first.get("hint", "")
        extra = {key: first[key] for key in ("example",) if key in first} | {"errors": errors}
        return BindError(first["code"], first["message"], hint=hint, argument=first.get("argument", ""), extra=extra)

    def _error(self, violation: Violation) -> dict[str, Any]:
        inputs = [item.name for item in self.unit.inputs]
        if violation.code == "missing-keyword":
            path = format_pointer((*violation.pointer, violation.subject)).lstrip("/")
            name = _first(violation.pointer, violation.subject)
            return self._shown({"code": "missing-argument", "argument": name, "message": f"'{path}' is missing"})
        name = str(violation.pointer[0]) if violation.pointer else ""
        path = format_pointer(violation.pointer).lstrip("/")
        if violation.code == "unknown-keyword" and len(violation.pointer) == 1:
            error = {"code": "unknown-argument", "argument": name, "message": f"there is no argument '{name}'",
                     "hint": suggest(name, inputs)}  # fmt: skip
        else:
            message = f"'{path}': {violation.message}" if path else violation.message
            error = {"code": "bad-argument", "argument": name, "message": message, "hint": violation.hint}
        return self._shown({key: value for key, value in error.items() if value})

    def _shown(self, error: dict[str, Any]) -> dict[str, Any]:
        """The error with a right value of the argument, where one is known."""
        name = error.get("argument", "")
        example = ABSENT if error["code"] == "unknown-argument" else self._example(name)
        return error if example is ABSENT else {**error, "example": example}

    def _example(self, name: str) -> Any:
        """A right value of an argument, looked for when it is first asked for."""
        if name not in self.unit.input_schema.get("properties", ()):
            return ABSENT
        if name not in self._examples:
            self._examples[name] = example_of(name, self.unit.input_schema)
        return self._examples[name]


def _first(pointer: tuple[str | int, ...], name: str) -> str:
    return str(pointer[0]) if pointer else name
