"""What a client can offer while an argument of a prompt, or a variable of a URI, is typed: tree -> model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from capstan.load import model
from capstan.load.expression import match_name
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.node import Node
from capstan.load.schema import suggest

ReadUnit = Callable[[str, Node], model.Unit]


def parse_of_argument(name: str, node: Node, names: Iterable[str], read_unit: ReadUnit) -> model.Completion | None:
    """`complete` of an argument; `names` are all arguments of the prompt."""
    return _completion(name, node, "complete", names, read_unit) if "complete" in node else None


def parse_of_variables(
    name: str, node: Node, names: tuple[str, ...], read_unit: ReadUnit
) -> tuple[tuple[str, model.Completion], ...]:
    """`complete` of a resource: variable of its URI -> what there is to offer."""
    holder = node.node("complete")
    found: list[tuple[str, model.Completion]] = []
    for key in holder.data if holder is not None else ():
        assert holder is not None
        variable = match_name(key, names)
        if variable is None:
            message = f"the uri has no variable '{key}'"
            node.reader.problem("unknown-name", message, holder.at(key), suggest(key, names), key=True)
        else:
            found.append((variable, _completion(f"{name} {key}", holder, key, names, read_unit)))
    return tuple(found)


def _completion(name: str, holder: Node, key: str, names: Iterable[str], read_unit: ReadUnit) -> model.Completion:
    node = holder.node(key)
    if node is None:
        return model.Completion(holder.texts(key), at=holder.at(key))
    unit = read_unit(name, node)
    path = node.parse("values", parse_jsonpath, None)
    # All that is typed so far goes along, and nothing has to.
    given = tuple(model.Parameter(n, None, {"type": "string"}, required=False, at=holder.at(key)) for n in names)
    at = node.at("values")
    # Of the whole answer the items, so that it is read here in every case, and not passed on.
    items = model.Output(None, None, None, at=at) if path is None or path.whole else None
    values = model.Output(None, None, path, items=items, at=at)
    return model.Completion(replace(unit, given=given, outputs=(values,)), at=holder.at(key))
