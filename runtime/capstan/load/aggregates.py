"""Aggregates: functions that several units have in common, and the units that refer to them with `ref`.

A reference is followed while a file is loaded: what comes out is a unit like any other, so that nothing after it knows
of functions. A field that the unit writes wins, the rest is the function's; inputs are taken over by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.expression import fold, match_name, parse_template
from capstan.load.media_type import essence_of, is_json
from capstan.load.node import Node
from capstan.load.responses import parse_media_type
from capstan.load.schema import suggest
from capstan.load.units import units_of, with_units

ReadUnit = Callable[[str, Node], model.Unit]


# --- tree -> model


def parse_aggregate(namespace: str, node: Node, read_unit: ReadUnit) -> model.Aggregate:
    """One aggregate; of a map of them its namespace is the key."""
    reader = node.reader
    if "functions" in node and "flows" in node:
        message = "an aggregate has 'functions' or 'flows': they are one thing under two names"
        reader.problem("ambiguous-keyword", message, node.at("flows"), key=True)
    key = "flows" if "flows" in node else "functions"
    if not node.data.get(key):
        reader.problem("missing-keyword", "an aggregate has no functions", node.at(key if key in node else None),
                       "for example: functions: [{name: get-order, call: orders.get}]")  # fmt: skip
    said = node.text("namespace")
    if not (said or namespace):
        reader.problem("missing-keyword", "'namespace' is missing", node.at())
    elif said and namespace and said != namespace:
        message = f"the namespace '{said}' stands under the name '{namespace}'"
        reader.problem("ambiguous-keyword", message, node.at("namespace"), "leave one of them out")
    functions = tuple(_function(name, item, read_unit) for name, item in node.named(key))
    first: dict[str, model.Unit] = {}
    for function in functions:
        if first.setdefault(function.name, function) is not function:
            reader.problem("duplicate-name", f"two functions are called '{function.name}'", function.at,
                           f"first in line {first[function.name].at.location().line}")  # fmt: skip
    return model.Aggregate(said or namespace, functions, at=node.at())


def _function(name: str, node: Node, read_unit: ReadUnit) -> model.Unit:
    if not name:
        node.reader.problem("missing-keyword", "'name' is missing", node.at())
    unit = read_unit(name, node)
    if unit.ref is not None:
        node.reader.problem("chained-ref", f"a function cannot refer to another, '{unit.ref.name}'", unit.ref.at,
                            "say 'call' or 'steps' here; tools and operations refer to functions")  # fmt: skip
        unit = replace(unit, ref=None, refused=True)
    media_type = parse_media_type(node, "outputMediaType")
    if media_type is not None and not is_json(essence_of(media_type)) and (unit.call is None or unit.outputs):
        message = f"the answer is put together from 'outputParameters' or steps: it is JSON, not {media_type}"
        node.reader.problem("bad-response", message, node.at("outputMediaType"))
    return replace(unit, semantics=_semantics(node), tags=node.texts("tags"), media_type=media_type)


def _semantics(node: Node) -> model.Semantics | None:
    said = node.node("semantics")
    if said is None:
        return None
    data = said.data
    return model.Semantics(data.get("safe"), data.get("idempotent"), data.get("cacheable"), at=said.at())


def parse_ref(node: Node) -> model.Ref | None:
    """What a unit refers to. Two ways to say what is called contradict each other."""
    text = node.text("ref")
    if text is None:
        return None
    for key in ("call", "steps"):
        if node.data.get(key):
            message = f"a unit has '{key}' or 'ref', not both: what is called stands in the function"
            node.reader.problem("ambiguous-call", message, node.at(key), key=True)
    return model.Ref(text, at=node.at("ref"))


# --- references


def resolve_refs(capability: model.Capability) -> tuple[model.Capability, list[Problem]]:
    """The capability with every `ref` replaced by what it refers to, and what is wrong with that."""
    if not any(unit.ref is not None for adapter in capability.exposes for unit in units_of(adapter)):
        return capability, []
    resolver = _Resolver(capability)
    exposes = tuple(resolver.adapter(adapter) for adapter in capability.exposes)
    return replace(capability, exposes=exposes), resolver.problems


class _Resolver:
    def __init__(self, capability: model.Capability) -> None:
        self.problems: list[Problem] = []
        self._functions: dict[str, tuple[model.Aggregate, model.Unit]] = {}
        self._refused = {aggregate.namespace for aggregate in capability.aggregates if aggregate.refused}
        self._operations = {
            f"{api.namespace}.{operation.name}"
            for api in capability.consumes
            for resource in api.resources
            for operation in resource.operations
        }
        for aggregate in capability.aggregates:
            for name, function in zip(aggregate.function_names, aggregate.functions, strict=True):
                self._functions.setdefault(name, (aggregate, function))

    def adapter(self, adapter: model.Adapter) -> model.Adapter:
        """The adapter without references. What it does not say of itself, functions say of it."""
        found = with_units(adapter, self._unit)
        if isinstance(found, model.RestAdapter):
            return replace(found, operations=tuple(replace(o, tags=o.tags or o.unit.tags) for o in found.operations))
        return replace(
            found,
            tools=tuple(map(_tool, found.tools)),
            resources=tuple(map(_described, found.resources)),
        )

    def _unit(self, unit: model.Unit) -> model.Unit:
        if unit.ref is None:
            return unit
        found = self._functions.get(unit.ref.name)
        if found is not None:
            return self._merged(unit, *found)
        if unit.ref.name.partition(".")[0] not in self._refused:
            self._unknown(unit.ref)
        return replace(unit, refused=True)

    def _unknown(self, ref: model.Ref) -> None:
        hint = suggest(ref.name, self._functions)
        if ref.name in self._operations:
            hint = f"it is an operation of an API: call: {ref.name}"
        elif not self._functions:
            hint = "the file has no 'aggregates'"
        self.tell("unknown-function", f"no function '{ref.name}'", ref.at, hint)

    def _merged(self, unit: model.Unit, aggregate: model.Aggregate, function: model.Unit) -> model.Unit:
        """The function as the unit has it. What is wrong with its call is the function's, and told there."""
        return replace(
            function,
            name=unit.name or function.name,
            title=unit.title or function.title,
            description=unit.description or function.description,
            parameters=self._parameters(unit, function),
            given=unit.given,
            outputs=unit.outputs or function.outputs,
            ref=unit.ref,
            scopes=tuple(dict.fromkeys((aggregate.namespace, *function.scopes, *unit.scopes))),
            refused=unit.refused or function.refused or aggregate.refused,
            at=unit.at,
            call_at=function.call_at or function.at,
        )

    def _parameters(self, unit: model.Unit, function: model.Unit) -> tuple[model.Parameter, ...]:
        """The inputs of both. Those that `with` gives a value are no longer the callers'."""
        own = {parameter.name: parameter for parameter in unit.parameters}
        given = {entry.name: entry for entry in unit.with_}
        merged: list[model.Parameter] = []
        fixed: list[model.Parameter] = []
        for parameter in function.parameters:
            said = own.pop(match_name(parameter.name, own) or "", None)
            entry = given.pop(match_name(parameter.name, given) or "", None)
            if entry is not None:
                fixed.append(replace(parameter, value=entry, at=entry.at))
            if said is None and (entry is None or _mentions(entry.value, parameter.name)):
                merged.append(replace(parameter, required=_is_required(parameter)))
            elif said is not None:
                merged.append(_overridden(parameter, said))
        for entry in given.values():
            hint = suggest(entry.name, [parameter.name for parameter in function.parameters])
            self.tell("unknown-parameter", f"'{function.name}' has no input '{entry.name}'", entry.at, hint, key=True)
        return (*merged, *own.values(), *fixed)

    def tell(self, code: str, message: str, at: Place, hint: str, *, key: bool = False) -> None:
        self.problems.append(Problem(code, message, at.location(key=key), hint))


def _tool(tool: model.McpTool) -> model.McpTool:
    return replace(tool, hints=_hints(tool.unit.semantics, tool.hints), tags=tool.tags or tool.unit.tags)


def _described(resource: model.McpResource) -> model.McpResource:
    unit = resource.source
    if not isinstance(unit, model.Unit):
        return resource
    return replace(
        resource, title=resource.title or unit.title, description=resource.description or unit.description,
        mime_type=resource.mime_type or unit.media_type,
    )  # fmt: skip


def _mentions(value: Any, name: str) -> bool:
    """Whether a value is made from an input of that name, which callers then still give."""
    if isinstance(value, (dict, list)):
        return any(_mentions(item, name) for item in (value.values() if isinstance(value, dict) else value))
    if not isinstance(value, str):
        return False
    texts = parse_template(value).holes or (value.strip("{}"),)
    return any(fold(text.rpartition(".")[2]) == fold(name) for text in texts)


def _is_required(parameter: model.Parameter) -> bool:
    """An input of a function is required unless it says otherwise, as that of a tool, whoever exposes it."""
    return parameter.default is None if parameter.required is None else parameter.required


def _overridden(inherited: model.Parameter, said: model.Parameter) -> model.Parameter:
    """An input of a function of which the unit says more, such as its place in a REST request."""
    return replace(
        said,
        where=said.where or inherited.where,
        schema=_schema(inherited.schema, said.schema),
        required=said.required if said.required is not None else _is_required(inherited),
        value=said.value if said.value is not None else inherited.value,
        default=said.default if said.default is not None else inherited.default,
    )


def _schema(inherited: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of a value replaces what the function says; of a value of another type only the text is kept."""
    same = said.get("type", inherited.get("type")) == inherited.get("type")
    return {**{key: value for key, value in inherited.items() if same or key == "description"}, **said}


def _hints(semantics: model.Semantics | None, said: model.Hints | None) -> model.Hints | None:
    """What a tool announces: its own hints, and for the rest what its function says of itself."""
    if semantics is None:
        return said
    own = said or model.Hints()
    safe = semantics.safe is True
    return model.Hints(
        title=own.title,
        read_only=own.read_only if own.read_only is not None else safe,
        destructive=own.destructive if own.destructive is not None or not safe else False,
        idempotent=own.idempotent if own.idempotent is not None else semantics.idempotent,
        open_world=own.open_world,
    )
