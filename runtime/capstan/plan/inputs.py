"""The inputs of a unit: declared by it, by its route, or derived from the consumed parameters they fill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import ExpressionError, Template, match_name
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.model import Parameter, RestOperation, Unit, Where
from capstan.load.schema import suggest
from capstan.plan.target import Target
from capstan.plan.values import ABSENT, FromInput, Source

_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# What a consumed parameter asks of a value, whatever the exposed input says of it.
_LIMITS: Final = (
    "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "items", "properties", "required", "additionalProperties",
)  # fmt: skip
_AT_LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_AT_MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})
_REMARKS: Final = frozenset({"description", "title", "default", "examples", "deprecated", "$comment"})
_KINDS: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(slots=True)
class Draft:
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
    body_path: tuple[str, ...] = ()  # where in the caller's body it stands, if not under its own name


class Inputs(dict[str, Draft]):
    """The inputs by their names. The steps of a unit share them."""

    def __init__(self, unit: Unit, rest: RestOperation | None, problems: list[Problem]) -> None:
        super().__init__()
        self._unit, self._rest, self._problems = unit, rest, problems
        self._route = rest.path_parameters if rest is not None else ()
        self.slots: dict[str, str] = {}  # variable of the route -> input

    def problem(self, code: str, message: str, at: Place, hint: str = "") -> None:
        self._problems.append(Problem(code, message, at.location(), hint))

    def declare(self, parameter: Parameter, body_path: tuple[str, ...]) -> None:
        """Take an input of the unit's own."""
        route = self._route
        slot = match_name(parameter.name, route) if parameter.where in (None, "path") else None
        where: Where | None = "path" if slot is not None else parameter.where
        if parameter.where == "path" and self._rest is not None and slot is None:
            self.problem("unknown-name", f"the route has no variable '{parameter.name}'", parameter.at,
                         suggest(parameter.name, route))  # fmt: skip
        if where is None and self._rest is not None:
            where = "query" if self._rest.method in _WITHOUT_BODY else "body"
        # A tool's input is required unless it says otherwise; a REST one outside its path is not.
        required = parameter.required if parameter.required is not None else self._rest is None
        if parameter.default is not None:
            required = False
        self._check_name(parameter, where)
        self[parameter.name] = Draft(
            parameter.name, where, dict(parameter.schema), slot is not None or required,
            parameter.default if parameter.default is not None else ABSENT, parameter.at, declared=True,
            whole_body=where == "body" and parameter.name == "body" and not body_path,
            body_path=body_path,
        )  # fmt: skip
        if slot is not None:
            self.slots[slot] = parameter.name

    def declare_given(self) -> None:
        """Take what comes as text: the variables of the route, of a URI or of a prompt."""
        for name in self._route:
            if name not in self.slots:
                if (taken := self.get(name)) is not None:
                    self.problem("duplicate-name", f"'{name}' is a variable of the route and another input", taken.at)
                at = self._rest.path_at if self._rest is not None else self._unit.at
                self._add(Draft(name, "path", {"type": "string"}, True, ABSENT, at, declared=False))
                self.slots[name] = name
        for parameter in self._unit.given:
            # As a variable of a route: all that is known of it is a name, until it is known what it fills.
            if (draft := self.find(parameter.name)) is None:
                required = parameter.required is not False
                draft = self._add(Draft(parameter.name, "path", dict(parameter.schema), required, ABSENT, parameter.at,
                                        declared=False))  # fmt: skip
            self.slots[parameter.name] = draft.name

    def drop_idle(self) -> None:
        """Forget what is given and used by nothing; whoever gives it tells of it."""
        for parameter in self._unit.given:
            draft = self.get(self.slots[parameter.name])
            if draft is not None and not draft.used and not draft.declared:
                del self[draft.name], self.slots[parameter.name]

    def body_path(self, parameter: Parameter) -> tuple[str, ...]:
        """`value: $.a.b` of an input of the body: it stands inside, and not under its own name."""
        value = parameter.value
        text = value.literal if isinstance(value, Template) else None
        if self._rest is None or text is None or not text.startswith("$."):
            return ()
        if parameter.where != "body" and (parameter.where is not None or self._rest.method in _WITHOUT_BODY):
            return ()
        try:
            chain = parse_jsonpath(text).chain or ()
        except ExpressionError:
            return ()
        names = tuple(name for name in chain if isinstance(name, str) and name != "*")
        return names if len(names) == len(chain) else ()

    def _check_name(self, parameter: Parameter, where: Where | None) -> None:
        """An operation may say more of an input its resource declares; else a name is taken once."""
        first = self.get(parameter.name)
        if first is not None and (first.at.pointer[:-1] == parameter.at.pointer[:-1] or first.where != where):
            line = first.at.location().line
            self.problem("duplicate-name", f"the input '{parameter.name}' is declared twice", parameter.at,
                         f"first in line {line}")  # fmt: skip

    def _add(self, draft: Draft) -> Draft:
        self[draft.name] = draft
        return draft

    def find(self, name: str) -> Draft | None:
        match = match_name(name, self)
        return self[match] if match is not None else None

    def bearing(self, parameter: Parameter) -> Draft | None:
        """The input that bears a consumed parameter's name.

        Folding finds what the file declares, never what was derived for another parameter: `maxResults` and
        `MaxResults` of one operation are two.
        """
        draft = self.find(parameter.name)
        if draft is None or draft.name == parameter.name or draft.declared or draft.where == "path":
            return draft
        return None

    def derive(self, name: str, parameter: Parameter, target: Target, where: Where | None = None) -> Draft:
        """A new input with the type of the consumed parameter it fills."""
        whole = parameter.where == "body" and where is None and target.takes_whole_body(parameter)
        if whole and self._rest is not None:
            name_in_use = next((draft.name for draft in self.values() if draft.whole_body), None)
            if name_in_use is not None:
                return self[name_in_use]
        if where is None:
            where = "query" if parameter.where in ("path", "environment", None) else parameter.where
            if where == "body" and not whole and self._rest is not None and self._rest.method in _WITHOUT_BODY:
                where = "query"
        schema = dict(parameter.schema) if whole else _text_unless_said(parameter.schema)
        required = (parameter.required is True or parameter.where == "path") and parameter.default is None
        default = parameter.default if parameter.default is not None else ABSENT
        return self._add(Draft(name, where, schema, required, default, parameter.at, declared=False, whole_body=whole))

    def use(self, draft: Draft, parameter: Parameter | None = None) -> Source:
        """An input as a source, which may fill a consumed parameter."""
        draft.used = True
        if not draft.declared and parameter is not None and draft.where == "path":
            # All a route says of its variable is a name; the parameter it fills knows more.
            draft.schema = _text_unless_said(parameter.schema)
        elif draft.declared and parameter is not None:
            draft.schema = _with_limits(draft.schema, parameter.schema)
        if parameter is not None and parameter.where == "path":
            self.require(draft.name)
        return FromInput(draft.name)

    def require(self, name: str) -> None:
        """Ask for a derived input: it was derived for a place that can do without it, and a path cannot."""
        draft = self[name]
        if not draft.declared and draft.default is ABSENT:
            draft.required = True


def _text_unless_said(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one value: text, where neither a type nor the values there can be say otherwise."""
    if any(key in schema for key in ("type", "allOf", "anyOf", "oneOf")):
        return dict(schema)
    known = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    kinds = {_KINDS.get(type(one)) for one in known} or {"string"}
    kind = kinds.pop() if len(kinds) == 1 else None  # of several kinds each value says its own
    return {"type": kind, **schema} if kind is not None else dict(schema)


def _with_limits(schema: dict[str, Any], consumed: Mapping[str, Any]) -> dict[str, Any]:
    """An exposed input's schema that also keeps the limits of the parameter it fills, where its own do not already."""
    limits = {key: consumed[key] for key in _LIMITS if key in consumed and not _implies(schema, key, consumed[key])}
    if not limits or limits in schema.get("allOf", []):
        return schema
    if not any(key in schema for key in limits):
        return {**schema, **limits}
    return {**schema, "allOf": [*schema.get("allOf", []), limits]}


def _implies(schema: Mapping[str, Any], key: str, limit: Any) -> bool:
    """Whether what fits a schema keeps a limit anyway."""
    if key not in schema:
        return False
    own = schema[key]
    if own == limit and key not in ("enum", "const"):
        return True
    if key in _AT_LEAST or key in _AT_MOST:
        if not (_is_number(own) and _is_number(limit)):
            return False
        return bool(own >= limit if key in _AT_LEAST else own <= limit)
    if key in ("enum", "const"):  # 1 is no true, though it is equal
        known = {json.dumps(value, sort_keys=True) for value in (limit if key == "enum" else [limit])}
        return {json.dumps(value, sort_keys=True) for value in (own if key == "enum" else [own])} <= known
    if key == "items":
        held = isinstance(own, dict) and isinstance(limit, dict)
        return held and all(_implies(own, name, limit[name]) for name in limit if name not in _REMARKS)
    return key == "type" and (own, limit) == ("integer", "number")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
