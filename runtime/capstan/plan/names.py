"""Which inputs a unit has, and where each value of a call comes from.

Names are resolved here and nowhere else. An input comes from the unit's own declaration, from its route, or is derived
from the consumed parameter it fills. Whatever a name cannot be resolved to is a problem, never text sent upstream.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import Template, bare_reference, fold, match_name, parse_template
from capstan.load.model import Parameter, Unit, Where, WithEntry
from capstan.load.schema import Checker, closest, suggest
from capstan.plan.fitting import constant_fault, fitted
from capstan.plan.inputs import Inputs
from capstan.plan.request import OF_CONNECTION
from capstan.plan.scope import ReferenceFault, Scope, first_name, secrets_in
from capstan.plan.target import PLACES, Target, template_names
from capstan.plan.values import ABSENT, Constant, Joined, Source, source_tree, to_text, tree
from capstan.plan.variables import Variables

_SCOPES: Final = frozenset({"rest", "tools", "mcp"})
# `$.step`, `$['step']`, and `$step.`: what a step or a body holds.
_STEP: Final = re.compile(r"\$(?:\[|(?!this\.)([A-Za-z_][\w-]*)?\.)")
# Headers that HTTP itself sets: framing, the connection, and the encodings we can decode.
_NOT_OURS: Final = OF_CONNECTION | {"host", "proxy-authorization", "accept-encoding", "expect"}


@dataclass(slots=True)
class Names:
    """The names of one unit: its inputs, and where every consumed parameter and template gets its value."""

    unit: Unit
    namespace: str  # of the adapter that exposes the unit
    namespaces: frozenset[str]  # of the other adapters of the file
    target: Target | None
    variables: Variables
    problems: list[Problem]
    inputs: Inputs
    fixed: dict[str, Source] = field(default_factory=dict)  # exposed inputs with a `value`
    bound: dict[str, Source] = field(default_factory=dict)  # `with` keys that only templates use
    sources: dict[tuple[Where | None, str], Source | None] = field(default_factory=dict)  # of consumed parameters
    scope: Scope = field(default_factory=lambda: Scope({}))  # the steps of the unit that came before

    # --- telling

    def problem(self, code: str, message: str, at: Place, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(Problem(code, message, at.location(key=key), hint))

    def warn(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self.problems.append(Problem(code, message, at.location(), hint, "warning"))

    # --- inputs

    def declare(self) -> None:
        """Take the unit's own inputs and the variables of its route."""
        for parameter in self.unit.parameters:
            body_path = self.inputs.body_path(parameter)
            if parameter.value is not None and not body_path:
                self.fixed[parameter.name] = self._exposed_value(parameter)
            else:
                self.inputs.declare(parameter, body_path)
        self.inputs.declare_given()

    def _value_of(self, parameter: Parameter) -> Source:
        at = parameter.at / "value"
        return source_tree(
            parameter.value,
            lambda leaf: self.resolve(leaf, at) if isinstance(leaf, Template) else _constant(leaf, parameter),
        )

    def _exposed_value(self, parameter: Parameter) -> Source:
        """The `value` of an input. A JSONPath into the caller's body is not read, nor is it a text to send."""
        value = parameter.value
        if isinstance(value, WithEntry):  # of a unit that refers to a function, whose input this is
            told = len(self.problems)
            source = self._entry_source(value.value, parameter, value.at)
            if len(self.problems) == told:
                self._check_given(source, parameter, value.at)
            return source
        if isinstance(value, Template) and _STEP.match(value.literal or ""):
            message = f"the path '{value}' as a value is not supported yet"
            self.problem("not-supported-yet", message, parameter.at / "value")
            return Constant(ABSENT)
        return self._value_of(parameter)

    def _check_given(self, source: Source, parameter: Parameter, at: Place) -> None:
        """A constant that does not fit the input it is given to would be every caller's mistake."""
        if not isinstance(source, Constant) or source.shown is not None or source.value is ABSENT:
            return
        try:
            violations = Checker(parameter.schema).violations(source.value)
        except ValueError:  # the schema itself is wrong, which is told where it is written
            return
        if violations:
            self.problem("bad-value", f"the value of '{parameter.name}' does not fit: {violations[0].message}", at)

    # --- references and templates

    def _reference(self, name: str, parameter: Parameter | None, at: Place) -> Source:
        """`rest.NAME` -> the input NAME, derived from the parameter it fills when nothing declares it."""
        if name in self.fixed:
            return self.fixed[name]
        draft = self.inputs.get(name)
        place, _, rest = name.partition(".")
        own = parameter is not None and parameter.name == name  # a parameter may be called `query.x`
        where = PLACES.get(place) if rest and not own else None
        if draft is None and where is None:
            draft = self.inputs.bearing(parameter) if own and parameter is not None else self.inputs.find(name)
        if draft is None and where is not None:
            draft = self.inputs.find(rest)
            name = rest
        if draft is None:
            idle = [d.name for d in self.inputs.values() if not d.used and (d.declared or d.where == "path")]
            near = difflib.get_close_matches(fold(name), map(fold, idle), n=1, cutoff=0.75)
            if parameter is None or self.target is None or near:
                self.problem("unknown-name", f"'{name}' is no input here", at, suggest(name, self.inputs))
                return Constant(ABSENT)
            draft = self.inputs.derive(name, parameter, self.target, where if where != "path" else None)
        return self.inputs.use(draft, parameter)

    def scoped(self, text: str) -> str | None:
        """The NAME of `rest.NAME`, `tools.NAME`, `mcp.NAME` or `<own namespace>.NAME`."""
        scope, dot, name = text.removeprefix("$this.").partition(".")
        return name if dot and name and (self._is_own(scope)) else None

    def _is_own(self, scope: str) -> bool:
        """Whether a namespace means the inputs of this unit."""
        return scope in _SCOPES or scope == self.namespace or scope in self.unit.scopes

    def resolve(self, template: Template, at: Place) -> Source:
        """A template of the consumed side or of `with` -> where its values come from."""
        literal = template.literal
        if literal is not None:
            return Constant(literal)
        parts = [Constant(p) if isinstance(p, str) else self.hole(p.name, at) for p in template.parts]
        if len(parts) == 1:
            return parts[0]
        if all(isinstance(part, Constant) for part in parts):
            shown = "".join(p.shown if isinstance(p, Constant) and p.shown else str(p.get({})) for p in parts)
            return Constant("".join(str(part.get({})) for part in parts), shown if shown != "" else None)
        return Joined(tuple(parts))

    def hole(self, name: str, at: Place) -> Source:
        if name.startswith("$") and not name.startswith("$this."):
            return self.step_source(name, at)
        if self._is_elsewhere(name, at):
            return Constant(ABSENT)
        scoped = self.scoped(name)
        if scoped is not None:
            if scoped in self.bound:
                return self.bound[scoped]
            return self._reference(scoped, _free_parameter(scoped, at), at)
        if name in self.bound:
            return self.bound[name]
        if name in self.fixed:
            return self.fixed[name]
        if self.scope.begins(name) and name not in self.inputs:
            return self.step_source(name, at)
        if not self.variables.declares(name):
            filled = next((s for (_, taken), s in self.sources.items() if taken == name and s is not None), None)
            if filled is not None:  # `with` gave the consumed parameter of that name a value
                return filled
            draft = self.inputs.find(name)
            if draft is not None:
                return self.inputs.use(draft)
            parameter = self.target.find(name) if self.target is not None else None
            if parameter is not None:
                return self.source(parameter) or Constant(ABSENT)
        secret = self.variables.lookup(name, at, implicit=name.isupper())
        if secret is not None:
            return Constant(secret.reveal(), secret.shown)
        near = map(fold, self._consumed_names())
        if self._declares_nothing() and not difflib.get_close_matches(fold(name), near, n=1, cutoff=0.8):
            return self._reference(name, _free_parameter(name, at), at)
        self.problem("unknown-name", f"'{{{{{name}}}}}' names no input and no bound variable", at,
                     suggest(name, [*self.inputs, *self.bound, *self._consumed_names()]))  # fmt: skip
        return Constant(ABSENT)

    def _consumed_names(self) -> list[str]:
        return [p.name for p in self.target.parameters] if self.target is not None else []

    def _declares_nothing(self) -> bool:
        """Neither `with` nor inputs: the consumed operation's own inputs are then the unit's."""
        return self.target is not None and not self.unit.with_ and not self.unit.parameters

    # --- the call

    def _entry_source(self, value: Any, parameter: Parameter, at: Place) -> Source:
        """The value of a `with` entry, or a part of one, for the consumed parameter or member it fills."""
        if not isinstance(value, str):
            self._check_constant(value, parameter, at)
        if isinstance(value, dict):
            members = tuple((key, self._entry_source(value[key], _member(parameter, key, at), at)) for key in value)
            return tree(members=members)
        if isinstance(value, list):
            inner = replace(parameter, schema=parameter.schema.get("items", {}), required=None, default=None)
            return tree(items=tuple(self._entry_source(item, inner, at) for item in value))
        if not isinstance(value, str):
            return _constant(value, parameter)
        value = bare_reference(value)
        scoped = self.scoped(value)
        if scoped is not None and "{{" not in value:
            return self._reference(scoped, parameter, at)
        if _STEP.match(value) or (self.scope.item is not None and first_name(value) == self.scope.item):
            return fitted(self.step_source(value, at), parameter)
        if self._is_elsewhere(value, at):
            return Constant(ABSENT)
        scope, dot, rest = value.partition(".")
        if dot and (meant := closest(scope, [*_SCOPES, self.namespace])) and self._could_be_input(rest, parameter):
            self.problem("unknown-name", f"'{value}' refers to nothing", at, f"did you mean '{meant}.{rest}'?")
            return Constant(ABSENT)
        bare = value[1:-1] if re.fullmatch(r"\{[^{}]+\}", value) else value
        if bare in self.inputs or bare in self.fixed:
            return self._reference(bare, parameter, at)
        if value.isidentifier() and (near := closest(value, [given.name for given in self.unit.given])):
            message = f"'{value}' is sent as text, though it looks like '{near}'"
            self.warn("text-like-reference", message, at, f"did you mean '{near}'?")
        if self.scope.begins(value) and "{{" not in value and "." in value:
            message = f"'{value}' is sent as text, though it begins with the name of a step"
            self.warn("text-like-reference", message, at, f"write '$.{value}' for what that step answered")
        template = parse_template(value)
        if template.lone is not None and (name := self.scoped(template.lone.name)) is not None:
            return self._reference(name, parameter, at)
        if template.lone is not None and template.lone.name in self.inputs.slots and self.unit.given:
            return self._reference(self.inputs.slots[template.lone.name], parameter, at)  # text, read as what it fills
        if template.literal is not None:
            self._check_constant(value, parameter, at)
        return fitted(self.resolve(template, at), parameter)

    def _check_constant(self, value: Any, parameter: Parameter, at: Place) -> None:
        """A value that is written out and does not fit is its author's mistake, and no caller's."""
        if fault := constant_fault(value, parameter):
            self.problem("bad-value", f"the value of '{parameter.name}' does not fit: {fault}", at)

    def step_source(self, text: str, at: Place) -> Source:
        """Where `$.step.path` or `{{step.path}}` has its value."""
        try:
            return self.scope.path(text)
        except ReferenceFault as fault:
            self.problem("unknown-name", str(fault), at, fault.hint)
            return Constant(ABSENT)

    def shared(self, source: Source, at: Place) -> Source:
        """What goes to callers, or to a script that could give it to them: no bound variable may be in it."""
        for shown in secrets_in(source):
            self.problem("secret-in-answer", f"'{shown}' would give a bound variable to callers", at)
        return source

    def _is_elsewhere(self, name: str, at: Place) -> bool:
        """Whether a name is an input of another adapter of the file, which is told."""
        scope, dot, rest = name.removeprefix("$this.").partition(".")
        if not dot or scope not in self.namespaces or self._is_own(scope) or re.search(r"[\s{}]", rest):
            return False
        own = next(iter(self.unit.scopes), self.namespace)  # means the inputs in every adapter
        hint = f"did you mean '{own}.{rest}'?"
        self.problem("unknown-name", f"'{name}' is an input of another adapter", at, hint)
        return True

    def _could_be_input(self, name: str, parameter: Parameter | None) -> bool:
        return self.inputs.find(name) is not None or (parameter is not None and fold(parameter.name) == fold(name))

    def reference(self, value: Any, at: Place) -> Source:
        """A value outside a call, which may refer to an input or a step, from where it has its value."""
        return self._entry_source(value, _free_parameter("", at), at)

    def fill(self, entry: WithEntry, free: set[str]) -> None:
        """Take one entry of `with`."""
        target = self.target
        assert target is not None
        parameters = target.matching(entry.name)
        if not parameters and any(name == entry.name or self.scoped(name) == entry.name for name in free):
            self.bound[entry.name] = self._entry_source(entry.value, _free_parameter(entry.name, entry.at), entry.at)
        elif not parameters and fold(entry.name) == "body" and target.operation.body is None:
            parameters = [Parameter("body", "body", {}, False, at=entry.at)]
            self.target = replace(target, parameters=(*target.parameters, *parameters))
        elif not parameters:
            names = [p.name for p in target.parameters if not target.is_credential(p)]
            call = f"'{target.api.namespace}.{target.operation.name}'"
            if names or free or target.operation.body is not None:
                self.problem("unknown-parameter", f"{call} takes no '{entry.name}'", entry.at,
                             suggest(entry.name, names), key=True)  # fmt: skip
            else:  # the file does not say what the operation takes; the entry is checked all the same
                self._entry_source(entry.value, _free_parameter(entry.name, entry.at), entry.at)
                message = f"{call} takes nothing; no value is sent for '{entry.name}'"
                self.warn("unused-entry", message, entry.at)
        for parameter in parameters:
            if target.is_credential(parameter):
                message = f"'{parameter.name}' is filled by the authentication; this entry has no effect"
                self.warn("unused-entry", message, entry.at)
            elif self._is_unplaced(parameter):
                self._tell_unplaced(parameter)
            elif parameter.where == "header" and parameter.name.lower() in _NOT_OURS:
                message = f"the header '{parameter.name}' is set by HTTP itself; this entry has no effect"
                self.warn("unused-entry", message, entry.at)
            elif isinstance(parameter.value, Template) and parameter.value.literal is not None:
                message = f"'{parameter.name}' has a fixed value; this entry has no effect"
                self.warn("unused-entry", message, entry.at)
            else:
                source = self._entry_source(entry.value, parameter, entry.at)
                if parameter.where == "path" and source in (Constant(None), Constant("")):
                    message = f"the value of '{parameter.name}' is empty, and no path can be made of it"
                    self.problem("bad-value", message, entry.at)
                self.sources[parameter.where, parameter.name] = source

    def _is_unplaced(self, parameter: Parameter) -> bool:
        """Whether the request has no room for a parameter: its path, or the body that the file writes out."""
        assert self.target is not None
        body = self.target.operation.body
        if parameter.where == "body" and body is not None:
            return match_name(parameter.name, [self.scoped(n) or n for n in template_names(body)]) is None
        in_path = match_name(parameter.name, self.target.path.holes) is not None
        return parameter.where == "path" and not in_path and not self._chooses_host(parameter)

    def _chooses_host(self, parameter: Parameter) -> bool:
        """Whether a parameter stands in the file's baseUri; it is an input even where an operator gives another."""
        assert self.target is not None
        hosts = [name for name in self.target.api.base_uri.holes if not self.variables.declares(name)]
        return parameter.where == "path" and match_name(parameter.name, hosts) is not None

    def _tell_unplaced(self, parameter: Parameter) -> None:
        assert self.target is not None
        room = f"path {self.target.path}" if parameter.where == "path" else "body of the operation"
        message = f"the {room} has no place for '{parameter.name}'; nothing is sent for it"
        self.warn("unplaced-parameter", message, parameter.at)

    def source(self, parameter: Parameter) -> Source | None:
        """Where a consumed parameter's value comes from; None: it is never sent."""
        key = (parameter.where, parameter.name)
        if key not in self.sources:
            self.sources[key] = None  # a value that refers to itself finds nothing
            self.sources[key] = self._unnamed_source(parameter)
        return self.sources[key]

    def _unnamed_source(self, parameter: Parameter) -> Source | None:
        """The source of a parameter that no `with` entry names."""
        assert self.target is not None
        in_path = parameter.where == "path"
        if self.target.is_credential(parameter):
            return None
        if self._is_unplaced(parameter):
            self._tell_unplaced(parameter)
            return None
        if parameter.where == "header" and parameter.name.lower() in _NOT_OURS:
            if parameter.value is not None:
                message = f"the header '{parameter.name}' is set by HTTP itself; its value here has no effect"
                self.warn("unused-entry", message, parameter.at)
            return None
        if parameter.value is not None:
            return self._value_of(parameter)
        if parameter.where == "environment":
            secret = self.variables.lookup(parameter.name, parameter.at, implicit=True)
            return Constant(secret.reveal(), secret.shown) if secret is not None else None
        if parameter.name in self.fixed:
            return self.fixed[parameter.name]
        # Where `with` lists what goes where, only a path still takes what no entry names.
        folded = in_path or not self.unit.with_
        draft = self.inputs.bearing(parameter) if folded else self.inputs.get(parameter.name)
        if draft is not None:
            return self.inputs.use(draft, parameter)
        undeclared = in_path and parameter.name in self.target.undeclared
        if self._declares_nothing() or undeclared or self._chooses_host(parameter):
            return self._derived_source(parameter)
        call = f"{self.target.api.namespace}.{self.target.operation.name}"
        if in_path:
            self.problem("unfilled-path", f"nothing fills '{parameter.name}' in the path of '{call}'",
                         self.unit.call_at or self.unit.at, f"add {parameter.name}: ... to 'with'")  # fmt: skip
            return Constant(ABSENT)
        if parameter.default is not None:
            return Constant(parameter.default)
        if parameter.required:
            message = f"'{call}' requires '{parameter.name}', which 'with' leaves out; callers are asked for it"
            self.warn("derived-input", message, self.unit.call_at or self.unit.at)
            return self._derived_source(parameter)
        return None

    def _derived_source(self, parameter: Parameter) -> Source:
        name = parameter.name
        # One name in two places is one input.
        assert self.target is not None
        draft = self.inputs[name] if name in self.inputs else self.inputs.derive(name, parameter, self.target)
        return self.inputs.use(draft, parameter if parameter.where == "path" else None)


def _member(parameter: Parameter, key: str, at: Place) -> Parameter:
    """A member of a parameter's value as a parameter: what its schema says of it."""
    declared = parameter.schema.get("properties", {}).get(key, {})
    return Parameter(key, parameter.where, declared, key in parameter.schema.get("required", ()) or None, at=at)


def _constant(value: Any, parameter: Parameter) -> Constant:
    """A constant as its parameter's type: a number is text, as it is written, where a text is declared."""
    if parameter.schema.get("type") == "string" and isinstance(value, (int, float)):
        return Constant(to_text(value))
    return Constant(value)


def _free_parameter(name: str, at: Place) -> Parameter:
    """What is known of an input that only a template mentions: nothing but its name."""
    return Parameter(name, "body", {}, None, at=at)
