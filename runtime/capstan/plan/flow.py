"""What a flow does besides calling, and where it keeps what its steps gave: frozen objects that a request asks.

The answers of steps stand beside the arguments of the call, under keys that no argument can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from capstan.errors import FlowError, ShapeError
from capstan.load.condition import Condition, Undecided, kind_of
from capstan.load.schema import Checker
from capstan.plan.script import ScriptPlan
from capstan.plan.shape import Object, Shape, Whole
from capstan.plan.values import ABSENT, Arguments, Source, Tree, to_text


def step_key(name: str) -> str:
    """Where the answer of a step is kept. No argument's name holds a NUL."""
    return f"\0{name}"


def declared_key(name: str) -> str:
    """Where the outputs are kept that a step's operation declares."""
    return f"\0{name}\0"


LAST: Final = step_key("")  # the answer of the last call that was made
LAST_WITH_DECLARED: Final = declared_key("")  # the same, together with the outputs that its operation declares


@dataclass(frozen=True, slots=True)
class Given:
    """A source as a part of a condition: what is absent is None."""

    source: Source

    def get(self, arguments: Arguments, /) -> Any:
        value = self.source.get(arguments)
        return None if value is ABSENT else value


def decide(condition: Condition, arguments: Arguments, step: str) -> bool:
    """Whether a condition holds.

    Raises:
        FlowError: it compares what cannot be compared; neither yes nor no would be honest.
    """
    try:
        return condition.holds(arguments)
    except Undecided as error:
        message = f"step '{step}': '{condition.text}' is neither true nor false: {error}"
        raise FlowError("undecided", message, status=502) from error


def filled(parts: tuple[str | Source, ...], arguments: Arguments) -> str:
    """A text for people, with its values in it."""
    values = (part if isinstance(part, str) else part.get(arguments) for part in parts)
    return "".join("nothing" if value is ABSENT or value is None else to_text(value) for value in values)


@dataclass(frozen=True, slots=True)
class AskPlan:
    """A question to the client's user."""

    message: tuple[str | Source, ...]
    schema: Mapping[str, Any]
    checker: Checker = field(repr=False, compare=False)
    is_open: bool = False  # answered before it is asked as well: its words are always these, and nothing is changed


@dataclass(frozen=True, slots=True)
class LogPlan:
    """What the client is told."""

    level: str
    message: tuple[str | Source, ...]


@dataclass(frozen=True, slots=True)
class AssertPlan:
    """What must hold before the flow goes on."""

    condition: Condition
    message: tuple[str | Source, ...]

    def check(self, arguments: Arguments, step: str) -> None:
        """Raises FlowError where it does not hold."""
        if not decide(self.condition, arguments, step):
            raise FlowError("assertion-failed", self._text(arguments, step))

    def _text(self, arguments: Arguments, step: str) -> str:
        if not self.message:
            return f"step '{step}': '{self.condition.text}' does not hold"
        return filled(self.message, arguments)


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """Entries of an earlier answer whose field has a value, as text; of each the fields that are asked for."""

    index: Source
    match: str
    value: Source
    fields: tuple[str, ...]

    def find(self, arguments: Arguments, known: Mapping[str, Any] | None = None) -> Any:
        """What is found: an object or nothing for one value, a list for a list of values. `known` spares the search."""
        if known is None:
            known = self.known(arguments)
        wanted = self.value.get(arguments)
        if wanted is ABSENT or wanted is None:
            return None
        if not isinstance(wanted, list):
            entry = known.get(to_text(wanted))
            return None if entry is None else self._fields(entry)
        found = (known.get(to_text(item)) for item in wanted)
        return [self._fields(entry) for entry in found if entry is not None]

    def known(self, arguments: Arguments) -> Mapping[str, Any]:
        """The entries by what their field has, as text; of several with the same, the first."""
        known: dict[str, Any] = {}
        for entry in reversed(self._entries(self.index.get(arguments))):
            if (value := entry.get(self.match)) is not None:
                known[to_text(value)] = entry
        return known

    def _fields(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return {name: entry.get(name) for name in self.fields}

    def _entries(self, found: Any) -> list[dict[str, Any]]:
        """The entries of an answer: a list of objects, one object, or an object of lists that run side by side."""
        if found is ABSENT or found is None:
            return []
        if isinstance(found, list):
            return [entry for entry in found if isinstance(entry, dict)]
        if not isinstance(found, dict):
            message = f"there is nothing to look up in: the index is {kind_of(found)}"
            raise ShapeError("unexpected-answer", message, outcome="done")
        column = found.get(self.match)
        if not isinstance(column, list):
            return [found]
        columns = {name: found[name] for name in (self.match, *self.fields) if isinstance(found.get(name), list)}
        if any(len(values) != len(column) for values in columns.values()):
            message = f"the lists beside '{self.match}' are not of one length"
            raise ShapeError("unexpected-answer", message, outcome="done")
        return [{name: values[row] for name, values in columns.items()} for row in range(len(column))]


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """A script and what it sees: the inputs, the answers of the steps before it, and what its `with` says."""

    script: ScriptPlan
    inputs: tuple[str, ...]
    steps: tuple[str, ...]
    given: Tree

    def context(self, arguments: Arguments) -> dict[str, Any]:
        seen = {name: arguments[name] for name in self.inputs if name in arguments}
        seen |= {name: arguments[key] for name in self.steps if (key := step_key(name)) in arguments}
        given: dict[str, Any] = self.given.get(arguments)
        return seen | given


@dataclass(frozen=True, slots=True)
class ForeachPlan:
    """The items a step is run for."""

    items: Source
    key: str
    concurrency: int
    max_items: int
    argument: str = ""  # the input the items come from, where they come from one

    def list(self, arguments: Arguments, step: str) -> list[Any]:
        """The items; none where there is no list.

        Raises:
            FlowError: there are too many, or it is no list.
        """
        found = self.items.get(arguments)
        if found is ABSENT or found is None:
            return []
        if not isinstance(found, list):
            message = f"step '{step}' runs for each item of a list, and this is {kind_of(found)}"
            raise FlowError("not-a-list", message, status=502)
        if len(found) > self.max_items:
            message = f"step '{step}' runs for {self.max_items:,} items at most, and these are {len(found):,}"
            raise FlowError("too-many-items", message, hint="ask for fewer, or raise 'maxItems' of the step")
        return found


@dataclass(frozen=True, slots=True)
class Declared:
    """The outputs that a consumed operation declares, of its answer: of every item where that is a list."""

    shape: Object
    of_item: Object  # where `$[*].x` is `$.x`

    def of(self, answer: Any) -> Any:
        if isinstance(answer, list):
            return [
                {**item, **self.of_item.take(item, item, {})} if isinstance(item, dict) else item for item in answer
            ]
        return self.shape.take(answer, answer, {})


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """What a flow answers, once its steps are done."""

    mapped: Tree | None
    shape: Shape
    steps: tuple[str, ...]  # those that paths of the shape begin with; none: they count from the last answer

    def take(self, scope: dict[str, Any]) -> Any:
        """The answer, from the arguments and what the steps gave."""
        mapped = {} if self.mapped is None else self.mapped.get(scope)
        last = scope.get(LAST if isinstance(self.shape, Whole) and self.mapped is None else LAST_WITH_DECLARED)
        root = last
        if self.steps or self.mapped is not None:
            given = {name: with_declared(name, scope) for name in self.steps if step_key(name) in scope}
            root = {**(last if isinstance(last, dict) else {}), **given, **mapped}
        if self.mapped is not None and isinstance(self.shape, Whole):
            return mapped
        value = self.shape.take(root, root, scope)
        return {**mapped, **value} if self.mapped is not None and isinstance(value, dict) else value


def with_declared(step: str, scope: Mapping[str, Any]) -> Any:
    """An answer together with the outputs that are declared of it."""
    answer, declared = scope[step_key(step)], scope.get(declared_key(step))
    return {**answer, **declared} if isinstance(answer, dict) and isinstance(declared, dict) else answer
