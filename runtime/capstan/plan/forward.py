"""A forward -> its plan: what every request that is passed through has, whoever sends it.

The caller's part of a request is its method, the segments that are left, its query, its body and the headers that the
file trusts. Everything else stands in the file, and is filled in here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import Hole, PathTemplate
from capstan.load.forward import REST_OF_PATH
from capstan.plan import types
from capstan.plan.request import HEADER_NAME, OF_CONNECTION
from capstan.plan.target import Target
from capstan.plan.unit import plan_unit
from capstan.plan.values import Secret, to_text
from capstan.plan.variables import Variables

_TOLD: Final = frozenset({"type", "title", "description", "examples", "deprecated"})  # which limit nothing
# Of one connection, and of HTTP itself: these can never be passed on.
_NEVER_TRUSTED: Final = OF_CONNECTION | {
    "http2-settings", "proxy-authorization", "proxy-authenticate", "proxy-authentication-info", "host", "expect",
}  # fmt: skip


def forwarded_parameters(
    api: model.ConsumedApi, forward: model.Forward, problems: list[Problem]
) -> tuple[model.Parameter, ...]:
    """Of an API's parameters those that have a value of the file's own, which every request then carries."""
    lent = {name.lower() for name in forward.trusted}
    found = []
    for parameter in api.parameters:
        value = _value(parameter)
        if parameter.where == "environment":
            found.append(parameter)
        elif value is None:
            continue
        elif parameter.where in ("body", "path", None) and parameter.name not in api.base_uri.holes:
            message = f"what is forwarded to '{api.namespace}' has no place for '{parameter.name}'"
            problems.append(Problem("unplaced-parameter", f"{message}; nothing is sent for it",
                                    parameter.at.location(), severity="warning"))  # fmt: skip
        elif not _is_default(parameter) or not _is_replaceable(parameter, lent):
            found.append(replace(parameter, value=value))
    return tuple(found)


def _value(parameter: model.Parameter) -> Any:
    if parameter.value is not None:
        return parameter.value
    const = parameter.schema.get("const")
    return const if const is not None else parameter.default


def _is_default(parameter: model.Parameter) -> bool:
    return parameter.value is None and "const" not in parameter.schema


def _is_replaceable(parameter: model.Parameter, lent: Container[str]) -> bool:
    """Whether a caller may give another value than the default."""
    return parameter.where == "query" or (parameter.where == "header" and parameter.name.lower() in lent)


def plan_forward(
    forward: model.Forward,
    namespace: str,
    target: Target,
    operations: Iterable[types.RestOperationPlan],
    variables: Variables,
    problems: list[Problem],
) -> types.ForwardPlan | None:
    """The plan of a forward; None when it has none, which is told."""
    told = len(problems)
    _check_inputs(forward, problems)
    _check_host(forward, target, variables, problems)
    if any(problem.severity == "error" for problem in problems[told:]):
        return None
    call = _call(forward, namespace, target, variables, problems)
    trusted = _trusted(forward, target, call, problems)
    segments = forward.path.segments
    takes_rest = any(isinstance(part, Hole) for part in segments[-1]) if segments else False
    prefix = segments[:-1] if takes_rest else segments
    lent = {name.lower() for name in trusted}
    credentials = target.credential is not None or target.plan.auth is not None
    key = next((name for name in trusted if "idempotency" in name.lower()), None)
    headers = _without_accept(target, call)
    plan = types.ForwardPlan(
        path=str(forward.path),
        prefix=tuple(map(_literal, prefix)),
        takes_rest=takes_rest,
        taken=frozenset(),
        trusted=trusted,
        call=replace(
            call, operation=target.api.namespace, idempotency_header=key,
            request=replace(call.request, method="", fixed_headers=headers),
        ),
        guarded=credentials or "authorization" not in lent,
        header_defaults=_defaults(target, "header", lent),
        query_defaults=_defaults(target, "query", lent),
        tags=forward.tags,
        description=forward.description,
        at=forward.at,
    )  # fmt: skip
    return replace(plan, taken=frozenset(o.method for o in operations if o.key == plan.key))


def _call(
    forward: model.Forward, namespace: str, target: Target, variables: Variables, problems: list[Problem]
) -> types.CallPlan:
    """What every request has, as if a unit called the baseUri itself."""
    unit = model.Unit(
        name=str(forward.path), title=None, description="", parameters=(), call=target.api.namespace, with_=(),
        outputs=(), at=forward.at, call_at=forward.at / "targetNamespace",
    )  # fmt: skip
    call = plan_unit(unit, namespace, frozenset(), None, target, variables, problems)[0].call
    assert call is not None
    return call


def _without_accept(target: Target, call: types.CallPlan) -> tuple[tuple[str, str | Secret], ...]:
    """The headers that the file gives, without what a call asks for of its own accord: a caller may want anything."""
    given = any(p.where == "header" and p.name.lower() == "accept" for p in target.parameters)
    return tuple(header for header in call.request.fixed_headers if given or header[0].lower() != "accept")


def _literal(parts: tuple[str | Hole, ...]) -> str:
    return unquote("".join(map(str, parts)))


def _defaults(target: Target, where: model.Where, lent: Container[str]) -> tuple[tuple[str, str], ...]:
    """The values that go where a caller gives none of its own."""
    return tuple(
        (parameter.name, to_text(parameter.default))
        for parameter in target.api.parameters
        if parameter.where == where and parameter.default is not None
        if _is_default(parameter) and _is_replaceable(parameter, lent)
    )


def _check_inputs(forward: model.Forward, problems: list[Problem]) -> None:
    """A request is passed on as it is: nothing looks at its arguments."""
    for parameter in forward.parameters:
        if parameter.name != REST_OF_PATH or parameter.where not in (None, "path"):
            message = f"the input '{parameter.name}' is used by nothing: what is forwarded has no inputs"
            problems.append(Problem("unused-input", message, parameter.at.location(), severity="warning"))
        elif parameter.value is not None or parameter.schema.keys() - _TOLD or parameter.schema.get("type") == "array":
            message = "limits of a path that is forwarded are not supported yet"
            problems.append(Problem("not-supported-yet", message, parameter.at.location()))


def _check_host(forward: model.Forward, target: Target, variables: Variables, problems: list[Problem]) -> None:
    """Nobody is asked for arguments here, so nobody can choose among hosts either."""
    given = {p.name for p in target.parameters if p.value is not None}
    for name in target.origin.holes:
        if name in given or variables.declares(name) or not any(p.name == name for p in target.api.parameters):
            continue
        message = f"the baseUri of '{target.api.namespace}' asks for '{name}', which a forward cannot give"
        hint = "bind it, or give the input a 'default'"
        problems.append(Problem("open-host", message, (forward.at / "targetNamespace").location(), hint))


def _trusted(forward: model.Forward, target: Target, call: types.CallPlan, problems: list[Problem]) -> tuple[str, ...]:
    """The headers that go along, each once and without those that would change what the file says."""
    fixed = {name.lower() for name, _ in _without_accept(target, call)}
    if target.plan.auth is not None:
        fixed.add("authorization")
    kept: dict[str, str] = {}
    for index, name in enumerate(forward.trusted):
        at = forward.at / "trustedHeaders" / index
        if not HEADER_NAME.fullmatch(name):
            problems.append(Problem("bad-name", f"'{name}' cannot be the name of a header", at.location()))
        elif name.lower() in _NEVER_TRUSTED:
            message = f"the header '{name}' belongs to one connection and is never passed on"
            problems.append(Problem("bad-name", message, at.location()))
        elif name.lower() == "accept-encoding":
            _warn(problems, f"the header '{name}' is set by Capstan itself; a caller's is not passed on", at)
        elif name.lower() in fixed:
            _warn(problems, f"'{name}' has a value of the file's own, which a caller's does not replace", at)
        else:
            kept.setdefault(name.lower(), name)
    return tuple(kept.values())


def _warn(problems: list[Problem], message: str, at: Place) -> None:
    problems.append(Problem("unused-entry", message, at.location(), severity="warning"))


def forward_operation(at: Place) -> tuple[model.ConsumedResource, model.ConsumedOperation]:
    """The operation that a forward calls: any method, at the baseUri itself."""
    nothing = PathTemplate(())
    operation = model.ConsumedOperation(
        name="", method="GET", description="", parameters=(), body=None, auth=None, effect=None, path=nothing, at=at
    )
    return model.ConsumedResource("", nothing, (), (), at=at), operation
