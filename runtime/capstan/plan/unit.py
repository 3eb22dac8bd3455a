"""One exposed operation or tool -> its plan: inputs, the request that is sent, the shape of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from capstan.errors import Problem
from capstan.load.document import Place
from capstan.load.expression import Template, parse_template
from capstan.load.model import Output, RestOperation, Scripting, Step, Unit
from capstan.load.parameters import HEADER
from capstan.load.schema import Checker
from capstan.plan import types
from capstan.plan.call import plan_call
from capstan.plan.content import ContentPlan, Parts, plan_blocks
from capstan.plan.declared import through_declared
from capstan.plan.decode import Passing, limit_passing
from capstan.plan.headers import header_fault
from capstan.plan.inputs import Inputs
from capstan.plan.names import Names
from capstan.plan.output import Resolve, mock_outputs, plan_outputs
from capstan.plan.output_schema import mapped_schema, output_schema
from capstan.plan.shape import Shape, Whole, is_static
from capstan.plan.single import lists_of_one
from capstan.plan.steps import FlowPlanner, asked_inputs
from capstan.plan.target import Target
from capstan.plan.values import ABSENT, Constant, Source
from capstan.plan.variables import Variables


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
    call = plan_call(names) if target is not None else None
    flow = _flow(names, steps, scripting) if steps else None
    is_mock = unit.call is None and not unit.steps
    outputs = mock_outputs(unit.outputs) if is_mock else unit.outputs
    shape = flow.answer.shape if flow is not None else plan_outputs(outputs, _resolver(names))
    if target is not None and target.reads_xml:
        shape = lists_of_one(shape)
    content = _content(names) if unit.content else None
    if is_mock and content is None and not is_static(shape):
        message = "there is neither a call nor a constant for every output"
        hint = "add 'call: namespace.operation', or a 'value' to each output"
        names.problem("nothing-to-call", message, unit.call_at or unit.at, hint)
    inputs = _inputs(names)
    schema = _input_schema(inputs) if unit.input_schema is None else dict(unit.input_schema)
    if fault := _header_fault(unit, schema):
        names.problem("bad-header", fault, unit.at)
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
        output_schema=_answer_schema(outputs, shape, flow),
        flow=flow,
        content=content,
    )
    return plan, names.inputs.slots


def _inputs(names: Names) -> tuple[types.Input, ...]:
    """The inputs, once everything that uses them is planned."""
    names.inputs.drop_idle()
    is_mock = names.unit.call is None and not names.unit.steps
    if names.unit.input_schema is not None:
        _refuse_derived(names)
    for draft in names.inputs.values():
        if not draft.used and (draft.declared or (draft.where == "path" and not is_mock)):
            names.warn("unused-input", f"the input '{draft.name}' is used by nothing", draft.at)
    _check_defaults(names)
    return tuple(
        types.Input(d.name, d.where or "query", d.schema, d.required, d.default, d.whole_body, d.body_path)
        for d in names.inputs.values()
    )


def _header_fault(unit: Unit, schema: Mapping[str, Any]) -> str:
    asks = unit.input_schema is not None or any(HEADER in parameter.schema for parameter in unit.parameters)
    return header_fault(schema) if asks else ""


def _refuse_derived(names: Names) -> None:
    """Callers see the schema that the file writes, and nothing that is not in it."""
    for draft in names.inputs.values():
        if not draft.declared:
            message = f"'{draft.name}' is taken from the caller, and 'inputSchema' has no property of that name"
            hint = f"add it to 'properties', or a value to 'with': {draft.name}: ..."
            names.problem("unfilled-input", message, names.unit.at / "inputSchema", hint)


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
    planned = planner.steps(plan_call)
    return types.FlowPlan(planned, planner.answer(names.unit.outputs, _resolver(names)), asked_inputs(names, steps))


def _content(names: Names) -> ContentPlan:
    """What a tool answers in blocks of the protocol, with names of inputs and of steps."""
    unit = names.unit

    def resolve(text: str, at: Place) -> Parts:
        return tuple(
            part if isinstance(part, str) else names.shared(names.hole(part.name, at), at)
            for part in parse_template(text).parts
        )

    blocks = plan_blocks(unit.content, resolve, names.problems)
    return ContentPlan(blocks, unit.is_error, has_data=bool(unit.outputs or unit.mappings))


def _answer_schema(outputs: tuple[Output, ...], shape: Shape, flow: types.FlowPlan | None) -> Mapping[str, Any] | None:
    if flow is not None and flow.answer.mapped is not None and isinstance(shape, Whole):
        return mapped_schema(flow.answer.mapped)
    return output_schema(outputs, shape)


def _resolver(names: Names) -> Resolve:
    return lambda template, at: _output_value(names, template, at)


def _output_value(names: Names, template: Template, at: Place) -> Source:
    """The value of an output. What is bound is a secret, and an answer would give it away."""
    for name in template.holes:
        if names.variables.declares(name) and not names.variables.is_setting(name):
            names.problem("secret-in-answer", f"'{{{{{name}}}}}' would give a bound variable to callers", at / "value")
            return Constant(ABSENT)
    return names.shared(names.resolve(template, at), at / "value")  # declared or not


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
    except ValueError as fault:  # find the input at fault, for the whole schema does not say
        if names.unit.input_schema is not None:
            reason = str(fault).partition("\n")[0]
            names.problem("bad-schema", f"the schema is wrong: {reason}", names.unit.at / "inputSchema")
            return Checker({})
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
