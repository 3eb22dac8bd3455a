"""What a unit or a step calls -> the request that is sent, and how its answer is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from capstan.load.document import Place
from capstan.load.expression import Hole, fold, match_name
from capstan.load.model import Parameter
from capstan.plan import types
from capstan.plan.auth import Credential
from capstan.plan.body import BodyPlan, plan_body, plan_whole_body
from capstan.plan.decode import Decoder, accepted, names_in_paths, plan_passing
from capstan.plan.names import Names
from capstan.plan.origin import plan_origin
from capstan.plan.request import FORBIDDEN_IN_HEADER, HEADER_NAME, NamedValue, PathSegment, RequestPlan, effect_of
from capstan.plan.target import Target
from capstan.plan.values import ABSENT, Constant, FromInput, Secret, Source, Tree, split_pairs

_ACCEPT: Final = "application/json, */*;q=0.8"


def plan_call(names: Names) -> types.CallPlan:
    """The call of the target, with each value from where the names say."""
    assert names.target is not None
    free = set(names.target.free_names())
    for entry in names.unit.with_:
        names.fill(entry, free)
    target = names.target  # an entry for an undeclared body may have added to it
    operation = target.operation
    key = next((p.name for p in target.parameters if p.where == "header" and "idempotency" in fold(p.name)), None)
    return types.CallPlan(
        operation=f"{target.api.namespace}.{operation.name}",
        api=target.plan,
        request=_request(names, target),
        effect=operation.effect or effect_of(operation.method),
        idempotency_header=key,
        decoder=_decoder(names, target),
        passing=plan_passing(operation.answer),
    )


def _request(names: Names, target: Target) -> RequestPlan:
    at = target.operation.at
    segments = tuple(_segment(names, segment, at) for segment in target.path.segments)
    query_parts = [p if isinstance(p, str) else _path_hole(names, p.name, at, needed=False) for p in target.path.query]
    values = _values(names, target)
    return RequestPlan(
        method=target.operation.method,
        origin=plan_origin(names, target),
        path=segments,
        query_text=split_pairs(query_parts),
        query=tuple(values.query),
        fixed_headers=tuple(values.fixed_headers),
        headers=tuple(values.headers),
        cookies=tuple(values.cookies),
        body=_body(names, target),
    )


@dataclass(slots=True)
class _Values:
    """What a request has beside its path and its body, while it is being found."""

    query: list[NamedValue] = field(default_factory=list)
    fixed_headers: list[tuple[str, str | Secret]] = field(default_factory=list)
    headers: list[NamedValue] = field(default_factory=list)
    cookies: list[NamedValue] = field(default_factory=list)

    def add_header(self, value: NamedValue) -> None:
        """A header; one whose value is known is as good as written."""
        if isinstance(value.source, Constant):
            shown = value.source.shown
            self.fixed_headers += [(value.name, Secret(text, shown) if shown else text) for text in value.texts({})]
        else:
            self.headers.append(value)

    def add_credential(self, credential: Credential) -> None:
        shown = Constant(credential.value.reveal(), credential.value.name)
        match credential.place:
            case "header":
                self.fixed_headers.append((credential.name, credential.value))
            case "query":
                self.query.append(NamedValue(credential.name, shown))
            case "cookie":
                self.cookies.append(NamedValue(credential.name, shown))


def _values(names: Names, target: Target) -> _Values:
    values = _Values()
    in_templates = [target.find(name) for name in (*target.path.query_holes, *target.origin.holes)]
    written = {parameter.name for parameter in in_templates if parameter is not None and parameter.where == "query"}
    for parameter in target.parameters:
        source = names.source(parameter)
        if source is None or parameter.where in ("path", "body", "environment"):
            continue
        if parameter.where == "query" and parameter.name in written:  # a template has its value already
            continue
        value = NamedValue(parameter.name, source)
        if parameter.where == "header":
            _check_header(names, value, parameter)
            values.add_header(value)
        else:
            (values.cookies if parameter.where == "cookie" else values.query).append(value)
    if target.credential is not None:
        values.add_credential(target.credential)
    if not any(p.name.lower() == "accept" for p in target.parameters if p.where == "header"):
        values.fixed_headers.append(("Accept", accepted(target.operation.answer) or _ACCEPT))
    return values


def _check_header(names: Names, value: NamedValue, parameter: Parameter) -> None:
    if not HEADER_NAME.fullmatch(parameter.name):
        names.problem("bad-name", f"'{parameter.name}' cannot be the name of a header", parameter.at / "name")
    if isinstance(value.source, Constant) and any(map(FORBIDDEN_IN_HEADER.search, value.texts({}))):
        names.problem("bad-value", f"the value of '{parameter.name}' holds a line break", parameter.at / "value")


def _decoder(names: Names, target: Target) -> Decoder | None:
    """The decoder for the paths into the answer: of a step, they begin with its name."""
    if target.decoder is None:
        return None
    unit = names.unit
    if not unit.steps:
        return target.decoder.for_roots(names_in_paths(unit.outputs, 1))
    return target.decoder.for_roots(names_in_paths((unit, target.operation.outputs), 2))


def _path_hole(names: Names, name: str, at: Place, *, needed: bool = True) -> Source:
    """A variable of the consumed path: a path parameter first, whatever else bears the name after."""
    assert names.target is not None
    places = [p for p in names.target.parameters if p.where == "path"]
    match = match_name(name, [p.name for p in places])
    for parameter in places:
        if parameter.name == match:
            return names.source(parameter) or Constant(ABSENT)
    source = names.hole(name, at)
    if needed and isinstance(source, FromInput):
        names.inputs.require(source.name)
    return source


def _segment(names: Names, parts: tuple[str | Hole, ...], at: Place) -> str | PathSegment:
    if all(isinstance(part, str) for part in parts):
        return "/" + "".join(map(str, parts))
    return PathSegment(tuple(p if isinstance(p, str) else _path_hole(names, p.name, at) for p in parts))


def _body(names: Names, target: Target) -> BodyPlan | None:
    declared = target.operation.body
    if declared is not None:
        return plan_body(declared, lambda template: names.resolve(template, declared.at))
    parameters = [p for p in target.parameters if p.where == "body"]
    media_type = "application/json"
    for parameter in target.parameters:
        fixed = names.source(parameter) if fold(parameter.name) == "content_type" else None
        if isinstance(fixed, Constant) and isinstance(fixed.value, str):
            media_type = fixed.value
    if len(parameters) == 1 and target.takes_whole_body(parameters[0]):
        source = names.source(parameters[0])
        return plan_whole_body(source, media_type) if source is not None else None
    members = tuple((p.name, source) for p in parameters if (source := names.source(p)) is not None)
    if not members:
        return None
    return plan_whole_body(Tree(None, members, empty_is_absent=True), media_type)
