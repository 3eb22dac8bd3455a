"""One exposed operation or tool -> its plan: which inputs it has and where each of them goes.

Names are resolved here and nowhere else. An input comes from the unit's own declaration, from its route, or is derived
from the consumed parameter it fills. Whatever a name cannot be resolved to is a problem, never text sent upstream.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Final

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import Hole, PathTemplate, Template, fold, map_strings, parse_template
from capstan.load.model import ConsumedApi, ConsumedOperation, Effect, Parameter, RestOperation, Unit, Where, WithEntry
from capstan.load.schema import Checker, suggest
from capstan.plan import types
from capstan.plan.auth import Credential
from capstan.plan.body import BodyPlan, plan_body, plan_whole_body
from capstan.plan.output import is_static, output_schema, plan_outputs
from capstan.plan.values import ABSENT, Constant, FromInput, Joined, Secret, Source, Tree, source_tree, to_text
from capstan.plan.variables import Variables

_SCOPES: Final = frozenset({"rest", "tools", "mcp"})
_PLACES: Final[dict[str, Where]] = {"path": "path", "query": "query", "header": "header", "body": "body",
                                    "cookie": "cookie"}  # fmt: skip
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# Headers that HTTP itself sets: framing, the connection, and the encodings we can decode.
_NOT_OURS: Final = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade",
    "proxy-authorization", "proxy-connection", "accept-encoding", "expect",
})  # fmt: skip
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST_TEXT: Final = re.compile(r"[A-Za-z0-9._:/-]*")
_EFFECTS: Final[dict[str, Effect]] = {"GET": "read", "HEAD": "read", "OPTIONS": "read", "DELETE": "irreversible"}


@dataclass(frozen=True, slots=True)
class Target:
    """A consumed operation with all that surrounds it."""

    api: ConsumedApi
    operation: ConsumedOperation
    path: PathTemplate
    parameters: tuple[Parameter, ...]  # of the API, the resource and the operation; the innermost wins
    plan: types.ApiPlan
    credential: Credential | None
    origin: Template
    undeclared: frozenset[str]  # variables of the path that no parameter declares

    def free_names(self) -> Iterator[str]:
        """Every name in a template of the consumed side."""
        yield from self.path.holes
        yield from self.origin.holes
        yield from _template_names(self.operation.body)
        yield from _template_names([parameter.value for parameter in self.parameters])


def _template_names(value: Any) -> Iterator[str]:
    """The names in the templates of a body or a value, however deep."""
    match value:
        case Template():
            yield from value.holes
        case dict():
            yield from _template_names(list(value.values()))
        case list() | tuple():
            for item in value:
                yield from _template_names(item)
        case _ if is_dataclass(value) and not isinstance(value, Place):
            yield from _template_names([getattr(value, f.name) for f in fields(value)])


@dataclass(slots=True)
class _Input:
    """An input while it is being found."""

    name: str
    where: Where | None
    schema: dict[str, Any]
    required: bool
    default: Any
    at: Place
    declared: bool
    whole_body: bool = False
    used: bool = False


@dataclass(slots=True)
class UnitBuilder:
    unit: Unit
    namespace: str  # of the adapter that exposes the unit
    rest: RestOperation | None
    target: Target | None
    variables: Variables
    problems: list[Problem]
    inputs: dict[str, _Input] = field(default_factory=dict)
    fixed: dict[str, Source] = field(default_factory=dict)  # exposed inputs with a `value`
    slots: dict[str, str] = field(default_factory=dict)  # variable of the route -> input
    bound: dict[str, Source] = field(default_factory=dict)  # `with` keys that only templates use
    sources: dict[tuple[Where | None, str], Source | None] = field(default_factory=dict)  # of consumed parameters

    # --- telling

    def problem(self, code: str, message: str, at: Place, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(Problem(code, message, at.location(key=key), hint))

    def warn(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self.problems.append(Problem(code, message, at.location(), hint, "warning"))

    # --- the whole

    def build(self, title: str | None = None) -> types.UnitPlan:
        unit, target = self.unit, self.target
        self._declared_inputs()
        call = self._call(target) if target is not None else None
        shape = plan_outputs(unit.outputs, self._output_value)
        if unit.call is None and not is_static(shape):
            self.problem("nothing-to-call", "there is neither a call nor a constant for every output", unit.at,
                         "add 'call: namespace.operation', or a 'value' to each output")  # fmt: skip
        for draft in self.inputs.values():
            if not draft.used and draft.declared:
                self.warn("unused-input", f"the input '{draft.name}' is used by nothing", draft.at)
        inputs = tuple(self._finished(draft) for draft in self.inputs.values())
        schema = _input_schema(inputs)
        operation = target.operation if target is not None else None
        return types.UnitPlan(
            name=unit.name,
            title=unit.title or title,
            description=unit.description or (operation.description if operation else "") or unit.name,
            inputs=inputs,
            input_schema=schema,
            checker=self._checker(schema),
            call=call,
            shape=shape,
            output_schema=output_schema(unit.outputs, shape),
        )

    def _checker(self, schema: dict[str, Any]) -> Checker:
        try:
            return Checker(schema)
        except ValueError:  # find the input at fault, for the whole schema does not say
            for draft in self.inputs.values():
                try:
                    Checker(draft.schema)
                except ValueError as error:
                    self.problem("bad-schema", f"the schema of '{draft.name}' is wrong: {_first_line(error)}", draft.at)
            return Checker({})

    # --- inputs

    def _declared_inputs(self) -> None:
        route = self.rest.path_parameters if self.rest is not None else ()
        for parameter in self.unit.parameters:
            if parameter.value is not None:
                self.fixed[parameter.name] = self._value_of(parameter)
                continue
            slot = _match(parameter.name, route) if parameter.where in (None, "path") else None
            where: Where | None = "path" if slot is not None else parameter.where
            if parameter.where == "path" and self.rest is not None and slot is None:
                self.problem("unknown-name", f"the route has no variable '{parameter.name}'", parameter.at,
                             suggest(parameter.name, route))  # fmt: skip
            if where is None and self.rest is not None:
                where = "query" if self.rest.method in _WITHOUT_BODY else "body"
            # A tool's input is required unless it says otherwise; a REST one outside its path is not.
            required = parameter.required if parameter.required is not None else self.rest is None
            if parameter.default is not None:
                required = False
            self.inputs[parameter.name] = _Input(
                parameter.name, where, dict(parameter.schema), slot is not None or required,
                parameter.default if parameter.default is not None else ABSENT, parameter.at, declared=True,
                whole_body=where == "body" and parameter.name == "body",
            )  # fmt: skip
            if slot is not None:
                self.slots[slot] = parameter.name
        for name in route:
            if name not in self.slots:
                at = self.rest.path_at if self.rest is not None else self.unit.at
                self._add(_Input(name, "path", {"type": "string"}, True, ABSENT, at, declared=False))
                self.slots[name] = name

    def _value_of(self, parameter: Parameter) -> Source:
        return source_tree(parameter.value, lambda leaf: self._leaf(leaf, parameter.at))

    def _leaf(self, leaf: Any, at: Place) -> Source:
        return self._resolve(leaf, at) if isinstance(leaf, Template) else Constant(leaf)

    def _add(self, draft: _Input) -> _Input:
        self.inputs[draft.name] = draft
        return draft

    def _finished(self, draft: _Input) -> types.Input:
        where = draft.where or "query"
        return types.Input(draft.name, where, draft.schema, draft.required, draft.default, draft.whole_body)

    def _find_input(self, name: str) -> _Input | None:
        match = _match(name, self.inputs)
        return self.inputs[match] if match is not None else None

    def _derive(self, name: str, parameter: Parameter, where: Where | None = None) -> _Input:
        """A new input with the type of the consumed parameter it fills."""
        assert self.target is not None
        whole = parameter.where == "body" and where is None and self._takes_whole_body(parameter)
        if whole and self.rest is not None:
            name_in_use = next((draft.name for draft in self.inputs.values() if draft.whole_body), None)
            if name_in_use is not None:
                return self.inputs[name_in_use]
        if where is None:
            where = "query" if parameter.where in ("path", "environment", None) else parameter.where
            if where == "body" and not whole and self.rest is not None and self.rest.method in _WITHOUT_BODY:
                where = "query"
        schema = dict(parameter.schema)
        schema.setdefault("type", "string") if not whole else None
        required = (parameter.required is True or parameter.where == "path") and parameter.default is None
        default = parameter.default if parameter.default is not None else ABSENT
        return self._add(_Input(name, where, schema, required, default, parameter.at, declared=False, whole_body=whole))

    def _takes_whole_body(self, parameter: Parameter) -> bool:
        assert self.target is not None
        if self.target.operation.body is not None:
            return False
        bodies = [p for p in self.target.parameters if p.where == "body"]
        if len(bodies) != 1 or bodies[0] is not parameter:
            return False
        return fold(parameter.name) == "body" or parameter.schema.get("type") in (None, "object", "array")

    # --- references and templates

    def _reference(self, name: str, parameter: Parameter | None, at: Place) -> Source:
        """`rest.NAME` -> the input NAME, derived from the parameter it fills when nothing declares it."""
        if name in self.fixed:
            return self.fixed[name]
        draft = self.inputs.get(name)
        place, _, rest = name.partition(".")
        where = _PLACES.get(place) if rest else None
        if draft is None and where is None:
            draft = self._find_input(name)
        if draft is None and where is not None:
            draft = self._find_input(rest)
            name = rest
        if draft is None:
            idle = [d.name for d in self.inputs.values() if d.declared and not d.used]
            if parameter is None or difflib.get_close_matches(fold(name), map(fold, idle), n=1, cutoff=0.8):
                self.problem("unknown-name", f"'{name}' is no input here", at, suggest(name, self.inputs))
                return Constant(ABSENT)
            draft = self._derive(name, parameter, where if where != "path" else None)
        return self._use(draft, parameter)

    def _use(self, draft: _Input, parameter: Parameter | None = None) -> Source:
        draft.used = True
        if not draft.declared and parameter is not None and draft.where == "path":
            # All a route says of its variable is a name; the parameter it fills knows more.
            draft.schema = {"type": "string", **parameter.schema}
        return FromInput(draft.name)

    def _scoped(self, text: str) -> str | None:
        """The NAME of `rest.NAME`, `tools.NAME`, `mcp.NAME` or `<own namespace>.NAME`."""
        scope, dot, name = text.removeprefix("$this.").partition(".")
        return name if dot and name and (scope in _SCOPES or scope == self.namespace) else None

    def _resolve(self, template: Template, at: Place) -> Source:
        """A template of the consumed side or of `with` -> where its values come from."""
        literal = template.literal
        if literal is not None:
            return Constant(literal)
        parts = [Constant(p) if isinstance(p, str) else self._hole(p.name, at) for p in template.parts]
        if len(parts) == 1:
            return parts[0]
        if all(isinstance(part, Constant) for part in parts):
            shown = "".join(p.shown if isinstance(p, Constant) and p.shown else str(p.get({})) for p in parts)
            return Constant("".join(str(part.get({})) for part in parts), shown if shown != "" else None)
        return Joined(tuple(parts))

    def _hole(self, name: str, at: Place) -> Source:
        if name.startswith("$"):
            self.problem("not-supported-yet", f"'{name}' refers to a step, which is not supported yet", at)
            return Constant(ABSENT)
        scoped = self._scoped(name)
        if scoped is not None:
            if scoped in self.bound:
                return self.bound[scoped]
            return self._reference(scoped, _free_parameter(scoped, at), at)
        if name in self.bound:
            return self.bound[name]
        if name in self.fixed:
            return self.fixed[name]
        if not self.variables.declares(name):
            draft = self._find_input(name)
            if draft is not None:
                return self._use(draft)
            parameter = self._consumed(name)
            if parameter is not None:
                return self._source(parameter) or Constant(ABSENT)
        secret = self.variables.lookup(name, at, implicit=name.isupper())
        if secret is not None:
            return Constant(secret.reveal(), "{{" + secret.name + "}}")
        if self._declares_nothing():
            return self._reference(name, _free_parameter(name, at), at)
        self.problem("unknown-name", f"'{{{{{name}}}}}' names no input and no bound variable", at,
                     suggest(name, [*self.inputs, *self.bound]))  # fmt: skip
        return Constant(ABSENT)

    def _declares_nothing(self) -> bool:
        """Neither `with` nor inputs: the consumed operation's own inputs are then the unit's."""
        return self.target is not None and not self.unit.with_ and not self.unit.parameters

    def _output_value(self, template: Template) -> Source:
        return self._resolve(template, self.unit.at)

    # --- the call

    def _consumed(self, name: str) -> Parameter | None:
        names = {p.name: p for p in self.target.parameters} if self.target is not None else {}
        match = _match(name, names)
        return names[match] if match is not None else None

    def _matching(self, entry: WithEntry) -> list[Parameter]:
        """The consumed parameters a `with` key fills; `path.x` names the place too."""
        assert self.target is not None
        parameters = self.target.parameters
        exact = [p for p in parameters if p.name == entry.name]
        if exact:
            return exact
        place, _, rest = entry.name.partition(".")
        if rest and place in _PLACES:
            located = [p for p in parameters if p.where == place]
            match = _match(rest, [p.name for p in located])
            return [p for p in located if p.name == match]
        match = _match(entry.name, [p.name for p in parameters])
        return [p for p in parameters if p.name == match]

    def _entry_source(self, entry: WithEntry, parameter: Parameter | None) -> Source:
        value = entry.value
        if not isinstance(value, str):
            if isinstance(value, (dict, list)):
                return source_tree(map_strings(value, parse_template), lambda leaf: self._leaf(leaf, entry.at))
            return Constant(value)
        scoped = self._scoped(value)
        if scoped is not None and "{{" not in value:
            return self._reference(scoped, parameter, entry.at)
        if value.startswith("$."):
            self.problem("not-supported-yet", f"'{value}' refers to a step, which is not supported yet", entry.at)
            return Constant(ABSENT)
        bare = value[1:-1] if re.fullmatch(r"\{[^{}]+\}", value) else value
        if bare in self.inputs or bare in self.fixed:
            return self._reference(bare, parameter, entry.at)
        return self._resolve(parse_template(value), entry.at)

    def _call(self, target: Target) -> types.CallPlan:
        free = set(target.free_names())
        for entry in self.unit.with_:
            self._entry(entry, free)
        assert self.target is not None  # an entry for an undeclared body may have added to it
        return self._call_plan(self.target)

    def _entry(self, entry: WithEntry, free: set[str]) -> None:
        target = self.target
        assert target is not None
        parameters = self._matching(entry)
        if not parameters and any(name == entry.name or self._scoped(name) == entry.name for name in free):
            self.bound[entry.name] = self._entry_source(entry, _free_parameter(entry.name, entry.at))
        elif not parameters and fold(entry.name) == "body" and target.operation.body is None:
            parameters = [Parameter("body", "body", {}, False, at=entry.at)]
            self.target = replace(target, parameters=(*target.parameters, *parameters))
        elif not parameters:
            names = [p.name for p in target.parameters if not self._is_credential(p)]
            call = f"'{target.api.namespace}.{target.operation.name}'"
            self.problem("unknown-parameter", f"{call} takes no '{entry.name}'", entry.at,
                         suggest(entry.name, names), key=True)  # fmt: skip
        for parameter in parameters:
            if self._is_credential(parameter):
                message = f"'{parameter.name}' is filled by the authentication; this entry has no effect"
                self.warn("unused-entry", message, entry.at)
            elif self._is_unplaced(parameter):
                message = f"the path {target.path} has no place for '{parameter.name}'; nothing is sent for it"
                self.warn("unplaced-parameter", message, parameter.at)
            elif parameter.where == "header" and parameter.name.lower() in _NOT_OURS:
                message = f"the header '{parameter.name}' is set by HTTP itself; this entry has no effect"
                self.warn("unused-entry", message, entry.at)
            else:
                self.sources[parameter.where, parameter.name] = self._entry_source(entry, parameter)

    def _is_credential(self, parameter: Parameter) -> bool:
        credential = self.target.credential if self.target is not None else None
        if credential is None or parameter.where != credential.place:
            return False
        if credential.place == "header":
            return parameter.name.lower() == credential.name.lower()
        return parameter.name == credential.name

    def _is_unplaced(self, parameter: Parameter) -> bool:
        assert self.target is not None
        return parameter.where == "path" and _match(parameter.name, self.target.path.holes) is None

    def _source(self, parameter: Parameter) -> Source | None:
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
        if self._is_credential(parameter) or self._is_unplaced(parameter):
            return None
        if parameter.where == "header" and parameter.name.lower() in _NOT_OURS:
            return None
        if parameter.value is not None:
            return self._value_of(parameter)
        if parameter.where == "environment":
            secret = self.variables.lookup(parameter.name, parameter.at, implicit=True)
            return Constant(secret.reveal(), "{{" + secret.name + "}}") if secret is not None else None
        if parameter.name in self.fixed:
            return self.fixed[parameter.name]
        draft = self._find_input(parameter.name) if in_path else self.inputs.get(parameter.name)
        if draft is None and not in_path and not self.unit.with_:
            draft = self._find_input(parameter.name)
        if draft is not None:
            return self._use(draft, parameter)
        if self._declares_nothing() or (in_path and parameter.name in self.target.undeclared):
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
        draft = self.inputs[name] if name in self.inputs else self._derive(name, parameter)
        return self._use(draft)

    # --- the request

    def _call_plan(self, target: Target) -> types.CallPlan:
        operation = target.operation
        segments = tuple(self._segment(segment, operation.at) for segment in target.path.segments)
        query_parts = [p if isinstance(p, str) else self._path_hole(p.name, operation.at) for p in target.path.query]
        query: list[types.NamedValue] = []
        headers: list[types.NamedValue] = []
        fixed_headers: list[tuple[str, str | Secret]] = []
        cookies: list[types.NamedValue] = []
        for parameter in target.parameters:
            source = self._source(parameter)
            if source is None or parameter.where in ("path", "body", "environment"):
                continue
            value = types.NamedValue(parameter.name, source)
            if parameter.where == "header":
                self._header(value, parameter, headers, fixed_headers)
            else:
                (cookies if parameter.where == "cookie" else query).append(value)
        credential = target.credential
        if credential is not None:
            shown = Constant(credential.value.reveal(), credential.value.name)
            match credential.place:
                case "header":
                    fixed_headers.append((credential.name, credential.value))
                case "query":
                    query.append(types.NamedValue(credential.name, shown))
                case "cookie":
                    cookies.append(types.NamedValue(credential.name, shown))
        names = {p.name.lower() for p in target.parameters if p.where == "header"}
        if "accept" not in names:
            fixed_headers.append(("Accept", "application/json, */*;q=0.8"))
        request = types.RequestPlan(
            method=operation.method,
            origin=self._origin(target),
            path=segments,
            query_text=tuple(query_parts),
            query=tuple(query),
            fixed_headers=tuple(fixed_headers),
            headers=tuple(headers),
            cookies=tuple(cookies),
            body=self._body(target),
        )
        key = next((p.name for p in target.parameters if p.where == "header" and "idempotency" in fold(p.name)), None)
        return types.CallPlan(
            operation=f"{target.api.namespace}.{operation.name}",
            api=target.plan,
            request=request,
            effect=operation.effect or _EFFECTS.get(operation.method, "write"),
            idempotency_header=key,
        )

    def _header(
        self,
        value: types.NamedValue,
        parameter: Parameter,
        headers: list[types.NamedValue],
        fixed: list[tuple[str, str | Secret]],
    ) -> None:
        if not _HEADER_NAME.fullmatch(parameter.name):
            self.problem("bad-name", f"'{parameter.name}' cannot be the name of a header", parameter.at)
        if not isinstance(value.source, Constant):
            headers.append(value)
            return
        for text in value.texts({}):
            if types.FORBIDDEN_IN_HEADER.search(text):
                self.problem("bad-value", f"the value of '{parameter.name}' holds a line break", parameter.at)
            fixed.append((parameter.name, Secret(text, value.source.shown) if value.source.shown else text))

    def _path_hole(self, name: str, at: Place) -> Source:
        """A variable of the consumed path: a path parameter first, whatever else bears the name after."""
        assert self.target is not None
        places = [p for p in self.target.parameters if p.where == "path"]
        match = _match(name, [p.name for p in places])
        for parameter in places:
            if parameter.name == match:
                return self._source(parameter) or Constant(ABSENT)
        return self._hole(name, at)

    def _segment(self, parts: tuple[str | Hole, ...], at: Place) -> str | types.PathSegment:
        if all(isinstance(part, str) for part in parts):
            return "/" + "".join(map(str, parts))
        return types.PathSegment(tuple(p if isinstance(p, str) else self._path_hole(p.name, at) for p in parts))

    def _origin(self, target: Target) -> tuple[str | Source, ...]:
        """The baseUri. A caller may only choose among values its author listed."""
        parts: list[str | Source] = []
        for part in target.origin.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            source = self._host(part.name, target)
            parts.append(to_text(source.value) if isinstance(source, Constant) else source)
        return tuple(parts)

    def _host(self, name: str, target: Target) -> Source:
        at = target.api.base_uri_at
        parameter = self._consumed(name)
        draft = self._find_input(name)
        if name in self.bound:
            source = self.bound[name]
        elif self.variables.declares(name) or (draft is None and parameter is None):
            secret = self.variables.lookup(name, at, implicit=True)
            if secret is None:
                self.problem("unknown-name", f"'{name}' is no bound variable and no input", at)
            return Constant(secret.reveal() if secret is not None else "")
        elif draft is not None:
            source = self._use(draft)
        else:
            assert parameter is not None
            source = self._source(parameter) or Constant("")
        if isinstance(source, Constant):
            return source
        chooser = self.inputs.get(getattr(source, "name", ""))
        options = chooser.schema.get("enum") if chooser is not None else None
        if not options:
            self.problem("open-host", f"'{name}' lets a caller choose the host", at,
                         "bind it, or give the input an 'enum' of hosts")  # fmt: skip
        elif chooser is not None and not all(isinstance(o, str) and _HOST_TEXT.fullmatch(o) for o in options):
            self.problem("open-host", f"an option of '{name}' cannot stand in a host", chooser.at)
        return source

    def _body(self, target: Target) -> BodyPlan | None:
        declared = target.operation.body
        if declared is not None:
            return plan_body(declared, lambda template: self._resolve(template, declared.at))
        parameters = [p for p in target.parameters if p.where == "body"]
        media_type = "application/json"
        for parameter in target.parameters:
            fixed = self._source(parameter) if fold(parameter.name) == "content_type" else None
            if isinstance(fixed, Constant) and isinstance(fixed.value, str):
                media_type = fixed.value
        if len(parameters) == 1 and self._takes_whole_body(parameters[0]):
            source = self._source(parameters[0])
            return plan_whole_body(source, media_type) if source is not None else None
        members = tuple((p.name, source) for p in parameters if (source := self._source(p)) is not None)
        if not members:
            return None
        return plan_whole_body(Tree(None, members, empty_is_absent=True), media_type)


def _match(name: str, names: Iterable[str]) -> str | None:
    """`name` among `names`: exactly, else the only one that folds to the same."""
    options = list(names)
    if name in options:
        return name
    folded = [option for option in options if fold(option) == fold(name)]
    return folded[0] if len(folded) == 1 else None


def _free_parameter(name: str, at: Place) -> Parameter:
    """What is known of an input that only a template mentions: nothing but its name."""
    return Parameter(name, "body", {}, None, at=at)


def _input_schema(inputs: tuple[types.Input, ...]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for item in inputs:
        default = {} if item.default is ABSENT else {"default": item.default}
        properties[item.name] = {**item.schema, **default}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required := [item.name for item in inputs if item.required]:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def _first_line(error: ValueError) -> str:
    return str(error).partition("\n")[0]
