"""What a name can mean inside a flow: an earlier step's answer, or the item a step is run for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from capstan.load.expression import ExpressionError
from capstan.load.jsonpath import JsonPath, parse_jsonpath, split_root
from capstan.load.schema import suggest
from capstan.load.walk import walk
from capstan.plan.column import column
from capstan.plan.flow import LAST_WITH_DECLARED, declared_key, step_key
from capstan.plan.single import through_ones
from capstan.plan.values import Constant, FromStep


class ReferenceFault(Exception):
    """A reference that means nothing."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def first_name(reference: str) -> str:
    """`order` of `$.order.id`, `order.id` or `order[0]`."""
    return reference.removeprefix("$.").partition(".")[0].partition("[")[0]


@dataclass(frozen=True, slots=True)
class Scope:
    """The steps whose answers can be used, with the names of the outputs that each one's operation declares."""

    earlier: Mapping[str, frozenset[str]]
    later: frozenset[str] = frozenset()
    item: str | None = None  # what the item of a loop is called
    with_last: bool = False  # whether a path that begins with no step is one into the last answer
    xml: frozenset[str] = frozenset()  # steps in whose answers what stands once is no list
    lookups: frozenset[str] = frozenset()  # steps that may find several entries

    def inside(self, item: str) -> Scope:
        """The scope of a step that is run for each item."""
        return replace(self, item=item)

    def knows(self, name: str) -> bool:
        return name == self.item or name in self.earlier or name in self.later

    def begins(self, text: str) -> bool:
        """Whether `a.b` or `a[0]` begins with the name of a step or an item."""
        return self.knows(first_name(text))

    def path(self, text: str) -> FromStep:
        """`$.step.path`, or `step.path` of a template -> where its value is.

        Raises:
            ReferenceFault: there is no such step, or it comes later.
        """
        try:
            whole = parse_jsonpath(text if text.startswith("$") else f"$.{text}")
        except ExpressionError as error:
            raise ReferenceFault(str(error)) from error
        name, rest = split_root(whole)
        if rest.looks_back and name is not None and (name == self.item or name in self.earlier):
            raise ReferenceFault(f"a filter of '{text}' names '$', and a reference sees one step's answer alone")
        if name is not None and name == self.item:
            return FromStep(step_key(name), rest, whole.text)
        if name is not None and name in self.earlier:
            return self._into(name, rest, whole.text)
        if name is not None and name in self.later:
            hint = "steps run in the order of the file as far as they need each other: move that one up"
            raise ReferenceFault(f"'{text}' asks a step that comes later or is the step itself", hint)
        if self.with_last:
            return FromStep(LAST_WITH_DECLARED, through_ones(whole) if self.xml else whole, whole.text)
        if not self.earlier and self.item is None:
            raise ReferenceFault(f"'{text}' refers to a step, and there is none before", "inputs are tools.x or rest.x")
        known = [*self.earlier, *([self.item] if self.item else [])]
        hint = suggest(name or "", known) or f"steps before: {', '.join(self.earlier)}"
        raise ReferenceFault(f"'{text}' begins with the name of no step", hint)

    def _into(self, name: str, rest: JsonPath, text: str) -> FromStep:
        """A path into an answer: into the declared outputs where it begins with one of them, or is all."""
        declared = self.earlier[name]
        first, _ = split_root(rest)
        inside = first in declared if first is not None else bool(declared)
        rest = through_ones(rest) if name in self.xml else column(rest) if name in self.lookups else rest
        return FromStep(declared_key(name) if inside else step_key(name), rest, text)


def secrets_in(value: Any) -> Iterator[str]:
    """How every bound variable in a part of a plan is shown, but for settings."""
    for part in walk(value, Constant, JsonPath):
        if isinstance(part, Constant) and part.shown is not None and "{{" in part.shown:
            yield part.shown  # by its name; settings are shown by their values


def steps_in(value: Any) -> Iterator[str]:
    """The keys of everything that a part of a plan takes from steps."""
    return (part.key for part in walk(value, FromStep, JsonPath) if isinstance(part, FromStep))
