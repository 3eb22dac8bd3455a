"""The steps of a unit -> a flow: what each does, what it waits for, and what is answered in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final, assert_never

from capstan.load import model
from capstan.load.condition import Condition, Valued
from capstan.load.document import Place
from capstan.load.expression import Template, bare_reference
from capstan.load.jsonpath import JsonPath, split_root
from capstan.load.schema import Checker, closest, suggest
from capstan.plan import types
from capstan.plan.column import ColumnPath, columns
from capstan.plan.flow import (
    LAST_WITH_DECLARED,
    AskPlan,
    AssertPlan,
    Declared,
    FlowAnswer,
    ForeachPlan,
    Given,
    LogPlan,
    LookupPlan,
    ScriptRun,
    declared_key,
    step_key,
)
from capstan.plan.names import Names
from capstan.plan.output import Resolve, plan_outputs
from capstan.plan.request import RequestPlan
from capstan.plan.scope import Scope, first_name, steps_in
from capstan.plan.script import plan_script
from capstan.plan.shape import Object
from capstan.plan.single import for_list, for_one, kind_at, lists_of_one
from capstan.plan.target import Target
from capstan.plan.values import Constant, FromInput, FromStep, Source, Tree

PlanCall = Callable[[Names], types.CallPlan]

_SILENT: Final = (model.AssertStep, model.LogStep)  # what answers nothing
_READS_AT_ONCE: Final = 5  # of a loop, where the file does not say
_MOST_AT_ONCE: Final = 50


class FlowPlanner:
    """Plans the steps of one unit."""

    def __init__(
        self, names: Names, targets: Sequence[tuple[model.Step, Target | None]], scripting: model.Scripting | None
    ) -> None:
        self._names, self._targets, self._scripting = names, targets, scripting
        declared = {step.name: _declared_names(target) for step, target in targets if target is not None}
        self._declared = {step.name: declared.get(step.name, frozenset()) for step, _ in targets}
        self._xml = frozenset(step.name for step, target in targets if target is not None and target.reads_xml)
        looks_up = [
            step.name for step, _ in targets if isinstance(step.does, model.LookupStep) and step.foreach is None
        ]
        self._lookups = frozenset(looks_up)  # of a loop the answer is a list of results
        self.whole_scope = Scope(
            {s.name: self._declared[s.name] for s, _ in targets if not isinstance(s.does, _SILENT)},
            with_last=True,
            xml=self._xml,
            lookups=self._lookups,
        )

    def steps(self, plan_call: PlanCall) -> tuple[types.StepPlan, ...]:
        """The steps. Calls come first, for they say which inputs there are."""
        calls = {
            step.name: plan_call(self._inside(step, target)) for step, target in self._targets if target is not None
        }
        planned: list[types.StepPlan] = []
        for step, target in self._targets:
            if self._names.variables.takes(step.name):
                message = f"the step is called '{step.name}', as a bound variable or a namespace is"
                self._names.problem("duplicate-name", message, step.at,
                                    "choose another name: {{name.x}} would be either")  # fmt: skip
            does = calls.get(step.name) if target is not None else self._does(step)
            if does is None:
                continue
            effect = does.effect if isinstance(does, types.CallPlan) else "read"
            when = None if step.when is None else self._condition(step, step.when, step.at / "when")
            foreach = None if step.foreach is None else self._foreach(step, step.foreach, effect)
            if foreach is not None and isinstance(does, types.CallPlan):
                self._tell_of_near_items(step)
                self._tell_of_one_key(step, does.request, does.idempotency_header, foreach.key)
            if isinstance(does, AskPlan):
                self._tell_of_changes(step, planned)
            asks = frozenset(steps_in((does, when, foreach)))
            planned.append(
                types.StepPlan(
                    step.name, does, self._after(step, asks, effect, planned), when, foreach,
                    _declared(target), early=isinstance(does, types.CallPlan) and not asks and foreach is None,
                )
            )  # fmt: skip
        if all(step.effect == "read" for step in planned):
            planned = [_opened(step) for step in planned]
        return tuple(planned)

    # --- names

    def _scope(self, step: model.Step) -> Scope:
        """What a step can ask: those above it, but for the others of its `parallel` and those that answer nothing."""
        position = next(i for i, (other, _) in enumerate(self._targets) if other is step)
        above = [s for s, _ in self._targets[:position] if s.group is None or s.group != step.group]
        asked = {s.name: self._declared[s.name] for s in above if not isinstance(s.does, _SILENT)}
        later = frozenset(s.name for s, _ in self._targets if s.name not in asked)
        scope = Scope(asked, later, xml=self._xml, lookups=self._lookups)
        return scope if step.foreach is None else scope.inside(step.foreach.name)

    def _inside(self, step: model.Step, target: Target | None) -> Names:
        """The names as one step sees them: the inputs are the unit's, the places it fills its own."""
        with_ = step.does.with_ if isinstance(step.does, (model.CallStep, model.ScriptStep)) else ()
        call = step.does.call if isinstance(step.does, model.CallStep) else None
        unit = replace(self._names.unit, with_=with_, call=call, call_at=step.does.at)
        return replace(self._names, unit=unit, target=target, sources={}, bound={}, scope=self._scope(step))

    def _condition(self, step: model.Step, condition: Condition, at: Place) -> Condition:
        names = self._inside(step, None)
        if step.foreach is not None:  # it is asked once, before the first item
            names = replace(names, scope=replace(names.scope, item=None))

        def meaning(text: str) -> Valued:
            # What is compared with a secret finds it out, question by question.
            source = names.step_source(text, at) if text.startswith("$") else names.shared(names.hole(text, at), at)
            return Given(source)

        resolved = condition.resolved(meaning)
        for name in condition.asked_for():
            draft = self._names.inputs.find(self._names.scoped(name) or name)
            if draft is not None and at.pointer[-1] == "when":
                draft.required = False
        return resolved

    # --- kinds

    def _does(self, step: model.Step) -> LookupPlan | AssertPlan | ScriptRun | AskPlan | LogPlan | None:
        names = self._inside(step, None)
        match step.does:
            case model.LookupStep() as lookup:
                index = lookup.index if lookup.index.startswith(("$", "{{")) else f"$.{lookup.index}"
                at = lookup.at / "index"
                return LookupPlan(
                    names.reference(index, at),
                    lookup.match,
                    names.reference(lookup.value, lookup.at / "lookupValue"),
                    lookup.fields,
                )
            case model.AssertStep() as asserted:
                parts = self._text(names, asserted.message, asserted.at / "message")
                return AssertPlan(self._condition(step, asserted.condition, asserted.at / "assert"), parts)
            case model.AskStep() as asked:
                return AskPlan(self._text(names, asked.message, asked.at), asked.schema, Checker(asked.schema))
            case model.LogStep() as told:
                return LogPlan(told.level, self._text(names, told.message, told.at / "log"))
            case model.ScriptStep() as script:
                plan = plan_script(script, self._scripting, names.problem)
                # What a script makes of a secret no mask would know.
                members = tuple((e.name, names.shared(names.reference(e.value, e.at), e.at)) for e in script.with_)
                for draft in names.inputs.values():
                    draft.used = True  # it sees all of them
                if plan is None:
                    return None
                items = () if step.foreach is None else (step.foreach.name,)  # an item is kept where answers are
                seen = (*self._scope(step).earlier, *items)
                return ScriptRun(plan, tuple(names.inputs), seen, Tree(None, members))
            case model.CallStep():  # of nothing, which is told
                return None
        assert_never(step.does)

    def _text(self, names: Names, template: Template, at: Place) -> tuple[str | Source, ...]:
        """A text that callers see."""
        return tuple(
            part if isinstance(part, str) else names.shared(names.hole(part.name, at), at) for part in template.parts
        )

    def _tell_of_changes(self, step: model.Step, before: Sequence[types.StepPlan]) -> None:
        """What stands above a question may be done again when the answer comes, so it only reads."""
        for earlier in before:
            if earlier.effect != "read":
                message = f"'{step.name}' asks after the step '{earlier.name}', which changes something"
                hint = "ask before it; or set 'effect: read' on its operation, if all it does is to read"
                self._names.problem("change-before-ask", message, step.at, hint)
                return

    def _foreach(self, step: model.Step, foreach: model.Foreach, effect: model.Effect) -> ForeachPlan:
        names = self._inside(step, None)
        names = replace(names, scope=replace(names.scope, item=None))
        taken = ""
        if names.inputs.find(foreach.name) is not None or names.scope.knows(foreach.name):
            taken = "an input or a step"
        elif names.scoped(f"{foreach.name}.x") is not None or names.variables.takes(foreach.name):
            taken = "a namespace or a variable"
        if taken:
            names.problem("duplicate-name", f"the item is called '{foreach.name}', as {taken} is",
                          foreach.at, "choose another name with 'as'")  # fmt: skip
        written = foreach.items
        if isinstance(written, str) and written in names.scope.earlier and names.inputs.find(written) is None:
            written = f"$.{written}"  # as of an index
        items = names.shared(names.reference(written, foreach.at), foreach.at)  # told beside each result
        argument = ""
        if isinstance(items, Constant) and isinstance(items.value, str):
            names.problem("unknown-name", f"'{foreach.items}' names no input and no step", foreach.at,
                          "for example: foreach: tools.order_ids, or $.step.items")  # fmt: skip
        elif isinstance(items, FromInput):
            argument = items.name
            _bound_items(names, argument, foreach)
        elif isinstance(items, FromStep) and items.key in self._keys_of_xml():
            items = replace(items, path=for_list(items.path))
        concurrency = foreach.concurrency or (_READS_AT_ONCE if effect == "read" else 1)
        return ForeachPlan(items, step_key(foreach.name), min(concurrency, _MOST_AT_ONCE), foreach.max_items, argument)

    def _keys_of_xml(self) -> set[str]:
        return {key for name in self._xml for key in (step_key(name), declared_key(name))}

    def _tell_of_near_items(self, step: model.Step) -> None:
        """A text that is nearly the name of the item is a slip of the pen more often than a text."""
        assert step.foreach is not None
        for entry in step.does.with_ if isinstance(step.does, model.CallStep) else ():
            if not isinstance(entry.value, str) or "{{" in entry.value:
                continue
            first, item = first_name(entry.value), step.foreach.name
            if first and first != item and closest(first, [item]) and self._names.inputs.find(first) is None:
                message = f"'{entry.value}' is sent as text, though it looks like the item '{item}'"
                self._names.warn("text-like-reference", message, entry.at, f"did you mean '{item}'?")

    def _tell_of_one_key(self, step: model.Step, request: RequestPlan, header: str | None, item: str) -> None:
        """Every item with one key, at one path: an API that goes by it does the first and answers so to all."""
        keys = [value for value in request.headers if value.name == header]
        sent = bool(keys) or any(name == header for name, _ in request.fixed_headers)
        if sent and item not in steps_in((request.path, keys)):
            message = f"every item is sent with one '{header}': what goes by it does only the first"
            self._names.warn("shared-key", message, step.at, "let the key depend on the item, or leave it out")

    # --- order

    def _after(
        self, step: model.Step, asks: frozenset[str], effect: model.Effect, before: list[types.StepPlan]
    ) -> tuple[str, ...]:
        """What a step waits for: whose answers it uses; what changes something, as the file has them in order; and
        what asserts or asks. Steps of one `parallel` wait for nothing of each other, nor do questions that stand next
        to each other; nothing but talk waits for what is only told.
        """
        talks = isinstance(step.does, (model.AskStep, model.LogStep))
        sees_all = talks or isinstance(step.does, model.ScriptStep)
        beside = _asked_beside(before) if isinstance(step.does, model.AskStep) else ()
        groups = {s.name: s.group for s, _ in self._targets}
        waits = []
        for earlier in before:
            apart = (step.group is not None and groups[earlier.name] == step.group) or earlier.name in beside
            used = step_key(earlier.name) in asks or declared_key(earlier.name) in asks
            if isinstance(earlier.does, LogPlan):
                barrier = talks
            else:
                stops = isinstance(earlier.does, (AssertPlan, AskPlan))
                barrier = effect != "read" or sees_all or earlier.effect != "read" or stops
            if used or (barrier and not apart):
                waits.append(earlier.name)
        return tuple(waits)

    # --- the answer

    def answer(self, outputs: tuple[model.Output, ...], resolve: Resolve) -> FlowAnswer:
        """What the flow answers: its mappings, shaped by its outputs, or what its outputs take from its steps."""
        unit = self._names.unit
        self._names.scope = self.whole_scope
        kinds = [kind_at(outputs, m.target) for m in unit.mappings]
        values = [(m.target, _for_one(self._mapped(m), kind)) for m, kind in zip(unit.mappings, kinds, strict=True)]
        mapped = _tree(values) if values else None
        targets = {m.target[0] for m in unit.mappings}
        shaped = tuple(_by_name(output) if output.name in targets else output for output in outputs)
        shape = plan_outputs(shaped, resolve, members=True)
        if self._xml:
            others = self._not_of_xml(values)
            shape = lists_of_one(shape, lambda path: split_root(path)[0] not in others)
        shape = columns(shape, self._lookups)
        first = set(_first_names(outputs))
        for name in first - targets - set(self.whole_scope.earlier):
            if near := closest(name, self.whole_scope.earlier):
                message = f"'$.{name}' is looked for in the last answer: '{name}' is no step"
                self._names.warn("text-like-reference", message, unit.at, f"did you mean '$.{near}'?")
        used = tuple(name for name in self.whole_scope.earlier if name in first)
        return FlowAnswer(mapped, shape, used)

    def _not_of_xml(self, mapped: list[tuple[tuple[str, ...], Source]]) -> set[str]:
        """The names in the root of the answer whose values come from no XML."""
        keys = {*self._keys_of_xml(), LAST_WITH_DECLARED}
        others = set(self.whole_scope.earlier) - self._xml
        for (name, *_), source in mapped:
            of_xml = isinstance(source, FromStep) and source.key in keys
            others = others - {name} if of_xml else others | {name}
        return others

    def _mapped(self, mapped: model.Mapped) -> Source:
        names = replace(self._names, target=None)
        value = mapped.value
        if value == "$":  # elsewhere that is a text
            value = "$."
        if isinstance(value, str):
            root = bare_reference(value).strip().removeprefix("{{").removesuffix("}}").strip()
            if root.startswith("$."):
                first = first_name(root)
                near = "" if not first or self.whole_scope.knows(first) else suggest(first, self.whole_scope.earlier)
                if near:
                    message = f"'{value}' is looked for in the last answer: '{first}' is no step"
                    names.warn("text-like-reference", message, mapped.at, near)
        return names.shared(names.reference(value, mapped.at), mapped.at)


def asked_inputs(names: Names, targets: Sequence[tuple[model.Step, Target | None]]) -> tuple[str, ...]:
    """The inputs that decide whether anything is called at all; none where something is called anyway."""
    found: list[str] = []
    for step, target in targets:
        if target is None:
            continue
        if step.when is None:
            return ()
        drafts = [names.inputs.find(names.scoped(name) or name) for name in step.when.asked_for()]
        found += [draft.name for draft in drafts if draft is not None]
    return tuple(dict.fromkeys(found))


def _asked_beside(before: Sequence[types.StepPlan]) -> set[str]:
    """The questions that stand right above one."""
    return {earlier.name for earlier in takewhile(lambda step: isinstance(step.does, AskPlan), reversed(before))}


def _for_one(value: Source, kind: str | None) -> Source:
    """A mapping's value, for an output of that type."""
    if not isinstance(value, FromStep):
        return value
    path = value.path
    return replace(value, path=path.for_one(kind) if isinstance(path, ColumnPath) else for_one(path, kind))


def _declared_names(target: Target) -> frozenset[str]:
    return frozenset(output.name for output in target.operation.outputs if output.name)


def _opened(step: types.StepPlan) -> types.StepPlan:
    """A step of a flow that changes nothing: what it asks in words of its own may be answered at once."""
    does = step.does
    if isinstance(does, AskPlan) and all(isinstance(part, str) for part in does.message):
        return replace(step, does=replace(does, is_open=True))
    return step


def _declared(target: Target | None) -> Declared | None:
    """The outputs of the consumed operation, taken from its answer; those without a name have no place in it."""
    named = () if target is None else tuple(_untyped(output) for output in target.operation.outputs if output.name)
    if not named:
        return None
    assert target is not None
    return Declared(_as_object(named, target), _as_object(tuple(map(_of_item, named)), target))


def _as_object(outputs: tuple[model.Output, ...], target: Target) -> Object:
    shape = plan_outputs(outputs, lambda template, _: Constant(str(template)))
    shape = lists_of_one(shape) if target.reads_xml else shape
    return shape if isinstance(shape, Object) else Object(None, ((outputs[0].name or "", shape),))


def _untyped(output: model.Output) -> model.Output:
    """What steps give each other is as it came: `$.items[*].name`, declared a string, is the names of all."""
    return replace(
        output,
        type=None,
        properties=None if output.properties is None else tuple(map(_untyped, output.properties)),
        items=None if output.items is None else _untyped(output.items),
    )


def _of_item(output: model.Output) -> model.Output:
    """An output of a list, as one of each of its items."""
    path = output.path
    if path is None or path.chain is None or path.chain[:1] != ("*",):
        return output
    return replace(output, path=JsonPath("$", path.chain[1:]))


def _bound_items(names: Names, argument: str, foreach: model.Foreach) -> None:
    """The list of a loop comes from callers: how long it may be is a part of what they are told."""
    draft = names.inputs[argument]
    if draft.schema.get("type", "array") != "array":
        names.problem("bad-schema", f"'{argument}' is no array, and the step runs for each item of it", foreach.at)
        return
    most = min(draft.schema.get("maxItems", foreach.max_items), foreach.max_items)
    draft.schema = {**draft.schema, "type": "array", "maxItems": most}


def _tree(entries: list[tuple[tuple[str, ...], Source]]) -> Tree:
    """Values under dotted names -> nested objects; one without a single value is left out."""
    groups: dict[str, list[tuple[tuple[str, ...], Source]]] = {}
    for target, source in entries:
        groups.setdefault(target[0], []).append((target[1:], source))
    members: list[tuple[str, Source]] = []
    for name, inner in groups.items():
        rest, source = inner[0]
        members.append((name, source if not rest else replace(_tree(inner), empty_is_absent=True)))
    return Tree(None, tuple(members))


def _by_name(output: model.Output) -> model.Output:
    """An output of what is mapped already: an object in it that names no path is the member of its name."""
    properties = output.properties and tuple(map(_by_name, output.properties))
    path = output.path
    if properties is not None and path is None and output.name:
        path = JsonPath(f"$.{output.name}", (output.name,))
    items = None if output.items is None else _by_name(output.items)
    return replace(output, properties=properties, items=items, path=path)


def _first_names(outputs: tuple[model.Output, ...]) -> Iterator[str]:
    """The names that the paths of outputs begin with, as far as they count from the root of the answer."""
    for output in outputs:
        if isinstance(output.path, JsonPath) and not output.path.whole:
            name, _ = split_root(output.path)
            if name is not None:
                yield name
        elif output.properties is not None:
            yield from _first_names(output.properties)
        elif output.name is not None and not output.has_constant:
            yield output.name
