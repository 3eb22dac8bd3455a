"""What there is to offer for an argument: values of the file, of an enumeration, or what a look-up finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capstan.errors import Problem
from capstan.load import model
from capstan.plan import types
from capstan.plan.values import ABSENT, to_text

PlanUnit = Callable[[model.Unit], tuple[types.UnitPlan, dict[str, str]]]


def plan_completion(said: model.Completion, plan_unit: PlanUnit, problems: list[Problem]) -> types.Completion:
    if not isinstance(said.source, model.Unit):
        return said.source
    unit, slots = plan_unit(said.source)
    if not said.source.refused:
        _check(said, unit, set(slots.values()), problems)
    return types.CompletionCall(unit, tuple(slots.items()))


def _check(said: model.Completion, unit: types.UnitPlan, given: set[str], problems: list[Problem]) -> None:
    for item in unit.inputs:
        if item.required and item.default is ABSENT and item.name not in given:
            message = f"'{item.name}' is needed, and nothing that is typed before gives it"
            hint = f"add '{item.name}: ...' to 'with'"
            problems.append(Problem("unfilled-input", message, said.at.location(), hint))
    if unit.effect != "read":
        message = "what is asked while somebody types must change nothing, and this call does"
        hint = "if it changes nothing, say 'effect: read' at the consumed operation"
        problems.append(Problem("unsafe-read", message, (said.at / "call").location(), hint))


def enumerated(units: Iterable[tuple[types.UnitPlan, str | None]]) -> tuple[str, ...]:
    """The values of the first of these inputs that has its values numbered."""
    for unit, name in units:
        for item in unit.inputs:
            if item.name == name and isinstance(item.schema.get("enum"), list):
                return tuple(to_text(value) for value in item.schema["enum"] if isinstance(value, (str, int, float)))
    return ()
