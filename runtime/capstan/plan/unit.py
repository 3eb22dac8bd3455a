"""One exposed operation or tool -> its plan: inputs, the request that is sent, the shape of the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import Hole, Template, fold, match_name
from capstan.load.model import Effect, Parameter, RestOperation, Scripting, Step, Unit
from capstan.load.schema import Checker
from capstan.plan import types
from capstan.plan.body import BodyPlan, plan_body, plan_whole_body
from capstan.plan.declared import through_declared
from capstan.plan.decode import Decoder, Passing, accepted, limit_passing, names_in_paths, plan_passing
from capstan.plan.inputs import Inputs
from capstan.plan.names import Names
from capstan.plan.output import Resolve, mock_outputs, plan_outputs
from capstan.plan.output_schema import output_schema
from capstan.plan.scope import secrets_in
from capstan.plan.shape import is_static
from capstan.plan.steps import FlowPlanner, asked_inputs
from capstan.plan.target import Target
from capstan.plan.values import ABSENT, Constant, FromInput, Secret, Source, Tree, split_pairs, to_text
from capstan.plan.variables import Variables

_HOST_TEXT: Final = re.compile(r"[A-Za-z0-9._:/-]*")
_WEB_ORIGIN: Final = re.compile(r"https?://([^/?#@\s:\[\]]+|\[[0-9a-f:.]+\])(:[0-9]+)?(/[^?#@\s]*)?", re.IGNORECASE)
_TWICE: Final = re.compile(r"https?://https?:", re.IGNORECASE)
_EFFECTS: Final[dict[str, Effect]] = {"GET": "read", "HEAD": "read", "OPTIONS": "read", "DELETE": "irreversible"}
_ACCEPT: Final = "application/json, */*;q=0.8"


def plan_unit(
    unit: Unit,
    namespace: str,
    namespaces: frozenset[str],
    rest: RestOperation | None,
    target: Target | None,
    variables: Variables,
    problems: list[Problem],
    steps: Sequence[tuple[Step, Target | None]] = (),
    scripting: Scripting | None = None,
) -> tuple[types.UnitPlan, dict[str, str]]:
    """The plan of a unit, and which input each variable of its route fills."""
    if target is not None:
        unit = replace(unit, outputs=through_declared(unit.outputs, target.operation.outputs))
    names = Names(unit, namespace, namespaces - {namespace}, target, variables, problems, Inputs(unit, rest, problems))
    names.declare()
    call = _call(names) if target is not None else None
    flow = _flow(names, steps, scripting) if steps else None
    is_mock = unit.call is None and not unit.steps
    outputs = mock_outputs(unit.outputs) if is_mock else unit.outputs
    shape = flow.answer.shape if flow is not None else plan_outputs(outputs, _resolver(names))
    if is_mock and not is_static(shape):
        names.problem("nothing-to-call", "there is neither a call nor a constant for every output",
                      unit.call_at or unit.at, "add 'call: namespace.operation', or a 'value' to each output")  # fmt: skip
    names.inputs.drop_idle()
    for draft in names.inputs.values():
        calls = unit.call is not None or unit.steps
        if not draft.used and (draft.declared or (calls and draft.where == "path")):
            names.warn("unused-input", f"the input '{draft.name}' is used by nothing", draft.at)
    inputs = tuple(
        types.Input(d.name, d.where or "query", d.schema, d.required, d.default, d.whole_body, d.body_path)
        for d in names.inputs.values()
    )
    schema = _input_schema(inputs)
    _check_defaults(names)
    operation = target.operation if target is not None else None
    plan = types.UnitPlan(
        name=unit.name or (f"{rest.method} {rest.path}" if rest is not None else ""),
        title=unit.title,
        description=unit.description or (operation.description if operation else "") or unit.name,
        inputs=inputs,
        input_schema=schema,
        checker=_checker(names, schema),
        call=_named(call, unit.media_type),
        shape=shape,
        output_schema=output_schema(outputs, shape),
        flow=flow,
    )
    return plan, names.inputs.slots


def limited(plan: types.UnitPlan, of_adapter: int | None) -> types.UnitPlan:
    """The plan behind an adapter that says how large a binary answer may be where the operation does not."""
    if plan.call is None:
        return plan
    passing = limit_passing(plan.call.passing, of_adapter)
    return plan if passing is plan.call.passing else replace(plan, call=replace(plan.call, passing=passing))


def _named(call: types.CallPlan | None, media_type: str | None) -> types.CallPlan | None:
    """The call with what a function says its answer is, which counts before what the operation says."""
    if call is None or media_type is None:
        return call
    return replace(call, passing=replace(call.passing or Passing(), media_type=media_type))


def _flow(names: Names, steps: Sequence[tuple[Step, Target | None]], scripting: Scripting | None) -> types.FlowPlan:
    planner = FlowPlanner(names, steps, scripting)
    planned = planner.steps(_call)
    return types.FlowPlan(planned, planner.answer(names.unit.outputs, _resolver(names)), asked_inputs(names, steps))


def _resolver(names: Names) -> Resolve:
    return lambda template, at: _output_value(names, template, at)


def _output_value(names: Names, template: Template, at: Place) -> Source:
    """The value of an output. What is bound is a secret, and an answer would give it away."""
    for name in template.holes:
        if names.variables.declares(name) and not names.variables.is_setting(name):
            names.problem("secret-in-answer", f"'{{{{{name}}}}}' would give a bound variable to callers", at / "value")
            return Constant(ABSENT)
    source = names.resolve(template, at)
    for shown in secrets_in(source):  # one that is not declared, or fills what the output names
        names.problem("secret-in-answer", f"'{shown}' would give a bound variable to callers", at / "value")
    return source


def host_names(origin: Template) -> frozenset[str]:
    """The names that stand in the host of a baseUri, or for the whole of it: known to all, and no secrets."""
    names: list[str] = []
    text = ""
    for part in origin.parts:
        if isinstance(part, str):
            text += part
        elif "/" not in text.rpartition("://")[2]:
            names.append(part.name)
    return frozenset(names)


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


def _checker(names: Names, schema: dict[str, Any]) -> Checker:
    try:
        return Checker(schema)
    except ValueError:  # find the input at fault, for the whole schema does not say
        for draft in names.inputs.values():
            try:
                Checker(draft.schema)
            except ValueError as error:
                reason = str(error).partition("\n")[0]
                names.problem("bad-schema", f"the schema of '{draft.name}' is wrong: {reason}", draft.at)
        return Checker({})


def _check_defaults(names: Names) -> None:
    """A default that does not fit would be every caller's mistake."""
    for draft in names.inputs.values():
        if draft.default is ABSENT:
            continue
        try:
            violations = Checker(draft.schema).violations(draft.default)
        except ValueError:  # the schema itself is wrong, which is told
            continue
        if violations:
            message = f"the default of '{draft.name}' does not fit: {violations[0].message}"
            names.problem("bad-schema", message, draft.at)


def _call(names: Names) -> types.CallPlan:
    assert names.target is not None
    free = set(names.target.free_names())
    for entry in names.unit.with_:
        names.fill(entry, free)
    return _call_plan(names, names.target)  # an entry for an undeclared body may have added to the target


def _call_plan(names: Names, target: Target) -> types.CallPlan:
    operation = target.operation
    segments = tuple(_segment(names, segment, operation.at) for segment in target.path.segments)
    query_parts = [
        p if isinstance(p, str) else _path_hole(names, p.name, operation.at, needed=False) for p in target.path.query
    ]
    written = {parameter.name for name in (*target.path.query_holes, *target.origin.holes)
               if (parameter := target.find(name)) is not None and parameter.where == "query"}  # fmt: skip
    query: list[types.NamedValue] = []
    headers: list[types.NamedValue] = []
    fixed_headers: list[tuple[str, str | Secret]] = []
    cookies: list[types.NamedValue] = []
    for parameter in target.parameters:
        source = names.source(parameter)
        if source is None or parameter.where in ("path", "body", "environment"):
            continue
        if parameter.where == "query" and parameter.name in written:  # a template has its value already
            continue
        value = types.NamedValue(parameter.name, source)
        if parameter.where == "header":
            _header(names, value, parameter, headers, fixed_headers)
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
    if not any(p.name.lower() == "accept" for p in target.parameters if p.where == "header"):
        fixed_headers.append(("Accept", accepted(operation.answer) or _ACCEPT))
    request = types.RequestPlan(
        method=operation.method,
        origin=_origin(names, target),
        path=segments,
        query_text=split_pairs(query_parts),
        query=tuple(query),
        fixed_headers=tuple(fixed_headers),
        headers=tuple(headers),
        cookies=tuple(cookies),
        body=_body(names, target),
    )
    key = next((p.name for p in target.parameters if p.where == "header" and "idempotency" in fold(p.name)), None)
    return types.CallPlan(
        operation=f"{target.api.namespace}.{operation.name}",
        api=target.plan,
        request=request,
        effect=operation.effect or _EFFECTS.get(operation.method, "write"),
        idempotency_header=key,
        decoder=_decoder(names, target),
        passing=plan_passing(operation.answer),
    )


def _decoder(names: Names, target: Target) -> Decoder | None:
    """The decoder for the paths into the answer: of a step, they begin with its name."""
    if target.decoder is None:
        return None
    unit = names.unit
    if not unit.steps:
        return target.decoder.for_roots(names_in_paths(unit.outputs, 1))
    return target.decoder.for_roots(names_in_paths((unit, target.operation.outputs), 2))


def _header(
    names: Names,
    value: types.NamedValue,
    parameter: Parameter,
    headers: list[types.NamedValue],
    fixed: list[tuple[str, str | Secret]],
) -> None:
    if not types.HEADER_NAME.fullmatch(parameter.name):
        names.problem("bad-name", f"'{parameter.name}' cannot be the name of a header", parameter.at / "name")
    if not isinstance(value.source, Constant):
        headers.append(value)
        return
    for text in value.texts({}):
        if types.FORBIDDEN_IN_HEADER.search(text):
            names.problem("bad-value", f"the value of '{parameter.name}' holds a line break", parameter.at / "value")
        fixed.append((parameter.name, Secret(text, value.source.shown) if value.source.shown else text))


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


def _segment(names: Names, parts: tuple[str | Hole, ...], at: Place) -> str | types.PathSegment:
    if all(isinstance(part, str) for part in parts):
        return "/" + "".join(map(str, parts))
    return types.PathSegment(tuple(p if isinstance(p, str) else _path_hole(names, p.name, at) for p in parts))


def _origin(names: Names, target: Target) -> tuple[str | Source, ...]:
    """The baseUri. A caller may only choose among values its author listed."""
    parts: list[str | Source] = []
    in_host = host_names(target.origin)
    for part in target.origin.parts:
        source = Constant(part) if isinstance(part, str) else _host(names, part.name, target)
        if not isinstance(source, Constant):
            parts.append(source)
            continue
        text = to_text(source.value)
        if isinstance(part, Hole) and part.name not in in_host and not names.variables.is_setting(part.name):
            parts.append(Constant(text, str(part)))  # a token in the path, say: not to be shown
        elif parts and isinstance(parts[-1], str):
            # A bound value may end in a slash where the text after it begins with one.
            parts[-1] = (parts[-1].rstrip("/") if text.startswith("/") else parts[-1]) + text
        else:
            parts.append(text)
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip("/")
    known = names.variables.filled and names.variables.holds(target.origin.holes)
    texts = [p if isinstance(p, str) else to_text(p.value) if isinstance(p, Constant) else "x" for p in parts]
    if known and not _WEB_ORIGIN.fullmatch("".join(texts)):
        # Says which variable, not which value: what is bound is not shown.
        message = f"with its variables filled in, baseUri {target.origin} is no http:// or https:// address"
        hint = "a host goes without 'https://' where the baseUri begins with it" if _TWICE.match("".join(texts)) else ""
        names.problem("bad-base-uri", message, target.api.base_uri_at, hint)
    return tuple(parts)


def _host(names: Names, name: str, target: Target) -> Source:
    at = target.api.base_uri_at
    parameter = target.find(name)
    draft = names.inputs.find(name)
    if name in names.bound:
        source = names.bound[name]
    elif parameter is not None and not names.variables.declares(name):
        source = names.source(parameter) or Constant("")
    elif draft is None or names.variables.declares(name):
        secret = names.variables.lookup(name, at, implicit=True)
        if secret is None:
            names.problem("unknown-name", f"'{name}' is no bound variable and no input", at)
        return Constant(secret.reveal() if secret is not None else "")
    else:
        source = names.inputs.use(draft)
    if isinstance(source, Constant):
        return source
    if isinstance(source, FromInput):
        names.inputs.require(source.name)
    chooser = names.inputs.get(getattr(source, "name", ""))
    options = chooser.schema.get("enum") if chooser is not None else None
    if not options:
        names.problem("open-host", f"'{name}' lets callers of '{names.unit.name}' choose the host", at,
                     "bind it, or give the input an 'enum' of hosts")  # fmt: skip
    elif chooser is not None and not all(isinstance(o, str) and _HOST_TEXT.fullmatch(o) for o in options):
        names.problem("open-host", f"an option of '{name}' cannot stand in a host", chooser.at)
    return source


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
