"""The steps of a unit, and its mappings: what is called, looked up, computed and asked for, in the author's order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from capstan.load import model
from capstan.load.asking import parse_ask, parse_inputs, parse_log
from capstan.load.condition import Condition, Literal, parse_condition
from capstan.load.expression import Template, parse_template
from capstan.load.node import Node
from capstan.load.schema import suggest

_KINDS: Final = ("call", "lookup", "script", "assert", "parallel", "ask", "log")
_WORDS: Final = {
    "call": {"call", "with"},
    "lookup": {"index", "match", "lookupValue", "outputParameters"},
    "script": {"file", "language", "location", "dependencies", "with"},
    "assert": {"assert", "message"},
    "parallel": {"steps"},
    "ask": {"ask", "schema"},
    "log": {"log", "level"},
}
_ANYWHERE: Final = {"name", "type", "description", "label", "display", "when"}
_LOOP: Final = {"foreach", "as", "concurrency", "maxItems"}
_MOST_ITEMS: Final = 1000
_MOST_STEPS: Final = 500
_ALWAYS: Final = Condition("true", Literal(True))


def parse_steps(node: Node) -> tuple[model.Step, ...]:
    """The steps of a unit; those of a `parallel` stand among the others, under its group.

    What is asked by `inputs` are steps before them; a single call after such questions is a step too.
    """
    if "steps" not in node and "inputs" not in node:
        return ()
    for key in ("call", "with") if "steps" in node else ():
        if key in node:
            message = f"a unit has '{key}' or 'steps', not both"
            node.reader.problem("ambiguous-call", message, node.at(key), key=True)
    asked = parse_asked(node)
    if asked and "ref" in node:
        message = "'inputs' cannot stand beside 'ref'"
        node.reader.problem("ambiguous-call", message, node.at("inputs"), "write 'ask' steps in the function", key=True)
    called = [_only_call(node)] if "call" in node and "steps" not in node else []
    found = (*asked, *called, *_steps(node))
    if len(found) > _MOST_STEPS:
        message = f"a unit has at most {_MOST_STEPS} steps, and these are {len(found):,}"
        node.reader.problem("out-of-range", message, node.at("steps"), "a 'foreach' runs one step for many items")
        return ()
    first: dict[str, model.Step] = {}
    for step in found:
        if first.setdefault(step.name, step) is not step:
            node.reader.problem("duplicate-name", f"two steps are called '{step.name}'", step.at)
    return found


def parse_asked(node: Node) -> tuple[model.Step, ...]:
    """What `inputs` of a tool or a prompt asks."""
    return tuple(_named_step(name, item, does) for name, item, does in parse_inputs(node))


def _steps(node: Node) -> Iterator[model.Step]:
    for number, (name, item) in enumerate(node.named("steps")):
        kind = _kind(item)
        _check_words(item, kind)
        if kind != "parallel":
            yield _step(name, item, kind)
            continue
        _refuse(item, "when", "a condition is written at each of its steps")
        if not item.data.get("steps"):
            _missing(item, "steps")
        for inner_name, inner in item.named("steps"):
            inner_kind = _kind(inner)
            _check_words(inner, inner_kind)
            if inner_kind == "parallel":
                node.reader.problem("bad-step", "a 'parallel' cannot stand in another", inner.at())
            elif inner_kind == "ask":
                message = "an 'ask' cannot stand in a 'parallel': all below waits for its answer"
                node.reader.problem("bad-step", message, inner.at(), "asks next to each other are asked together")
            else:
                yield _step(inner_name, inner, inner_kind, number)


def _kind(node: Node) -> str:
    """What a step does: what it says, else what it has."""
    kind = node.text("type")
    if kind is not None and kind not in _KINDS:
        node.reader.problem("unknown-value", f"'{kind}' is no kind of step", node.at("type"),
                            suggest(kind, _KINDS) or f"known: {', '.join(_KINDS)}")  # fmt: skip
    if kind in _KINDS:
        return kind
    if "call" in node:
        return "call"
    signs = {"assert": "assert", "index": "lookup", "file": "script", "steps": "parallel", "ask": "ask", "log": "log"}
    return next((kind for sign, kind in signs.items() if sign in node), "call")


def _check_words(node: Node, kind: str) -> None:
    """A keyword of another kind of step has no meaning here."""
    known = _ANYWHERE | _WORDS[kind] | (_LOOP if kind in ("call", "script", "lookup") else set())
    for key in node.data:
        if key not in known:
            owners = [other for other, words in _WORDS.items() if key in words]
            hint = f"it belongs to a step of type {' or '.join(owners)}" if owners else suggest(key, known)
            node.reader.problem("unknown-keyword", f"'{key}' has no meaning in a step of type {kind}",
                                node.at(key), hint, key=True)  # fmt: skip


def _refuse(node: Node, key: str, hint: str) -> None:
    if key in node:
        node.reader.problem("unknown-keyword", f"'{key}' has no meaning here", node.at(key), hint, key=True)


def _only_call(node: Node) -> model.Step:
    """The one call of a unit as a step, called as its operation is."""
    call = node.text("call") or ""
    return model.Step(call.rpartition(".")[2], model.CallStep(call, parse_with(node), at=node.at("call")), at=node.at())


def _step(name: str, node: Node, kind: str, group: int | None = None) -> model.Step:
    return _named_step(name, node, _action(name, node, kind), group)


def _named_step(name: str, node: Node, does: Any, group: int | None = None) -> model.Step:
    if not name:
        node.reader.problem("missing-keyword", "'name' is missing", node.at())
    elif not name.isprintable():
        node.reader.problem("wrong-form", f"{name!r} cannot be the name of a step", node.at("name"))
    return model.Step(
        name=name,
        does=does,
        when=_condition(node, "when") if node.data.get("when") is not None else None,
        foreach=_foreach(node),
        group=group,
        at=node.at(),
    )


def _action(name: str, node: Node, kind: str) -> model.Action:
    match kind:
        case "lookup":
            return model.LookupStep(
                index=_needed(node, "index"),
                match=_needed(node, "match"),
                value=_written(node, "lookupValue"),
                fields=node.texts("outputParameters") or _missing(node, "outputParameters"),
                at=node.at(),
            )
        case "script":
            return model.ScriptStep(
                name=name,
                file=_needed(node, "file"),
                language=node.text("language"),
                location=node.text("location"),
                dependencies=node.texts("dependencies"),
                with_=parse_with(node),
                at=node.at(),
            )
        case "assert":
            if "assert" not in node:
                _missing(node, "assert")
            message = node.parse("message", parse_template, Template(()))
            return model.AssertStep(_condition(node, "assert"), message, at=node.at())
        case "ask":
            return parse_ask(node)
        case "log":
            return parse_log(node)
    return model.CallStep(_needed(node, "call"), parse_with(node), at=node.at("call" if "call" in node else None))


def _needed(node: Node, key: str) -> str:
    text = node.text(key)
    if not text:
        _missing(node, key)
    return text or ""


def _missing(node: Node, key: str) -> tuple[str, ...]:
    node.reader.problem("missing-keyword", f"'{key}' is missing", node.at())
    return ()


def _condition(node: Node, key: str) -> Condition:
    return node.parse(key, parse_condition, _ALWAYS)


def _foreach(node: Node) -> model.Foreach | None:
    if "foreach" not in node:
        for key in _LOOP:
            _refuse(node, key, "it belongs to 'foreach'")
        return None
    name = node.text("as") or "item"
    return model.Foreach(
        items=_written(node, "foreach"),
        name=name,
        concurrency=node.data.get("concurrency"),
        max_items=node.data.get("maxItems", _MOST_ITEMS),
        at=node.at("foreach"),
    )


def parse_mappings(node: Node) -> tuple[model.Mapped, ...]:
    """Where the values of a flow's answer come from."""
    found: list[model.Mapped] = []
    if "mappings" in node and "steps" not in node and "inputs" not in node:
        message = "'mappings' has no meaning without 'steps'"
        node.reader.problem("unknown-keyword", message, node.at("mappings"), "outputs of a call take a 'mapping'",
                            key=True)  # fmt: skip
    for item in node.nodes("mappings"):
        target = _target(item)
        parts = tuple(target.split("."))
        taken = next((m for m in found if m.target[: len(parts)] == parts[: len(m.target)]), None)
        if taken is not None and target:
            message = f"the target '{target}' is taken twice"
            at = item.at("target" if "target" in item else "targetName")
            node.reader.problem("duplicate-name", message, at, f"first in line {taken.at.location().line}")
            continue
        found.append(model.Mapped(parts, _written(item, "value"), at=item.at("value" if "value" in item else None)))
    return tuple(found)


def _target(item: Node) -> str:
    """What a value is called in the answer."""
    key = "target" if "target" in item else "targetName"
    if key == "target" and "targetName" in item:
        message = "'target' and 'targetName' say the same thing"
        item.reader.problem("ambiguous-keyword", message, item.at("targetName"), "leave one of them out", key=True)
    target = item.text(key)
    if not target:
        _missing(item, "target")
        return ""
    if target.startswith("$.") or "{{" in target:
        message = f"'{target}' is neither a path nor a template here, but the name of the value in the answer"
        item.reader.problem("wrong-form", message, item.at(key), "for example: target: shipment.id")
    elif not all(target.split(".")):
        item.reader.problem("bad-expression", f"'{target}' has an empty part", item.at(key))
    return target


def parse_with(node: Node) -> tuple[model.WithEntry, ...]:
    """What goes where in a call: text as it is written, constants and data."""
    holder = node.node("with")
    if holder is None:
        return ()
    return tuple(model.WithEntry(key, _written(holder, key), at=holder.at(key)) for key in holder.data)


def _written(node: Node, key: str) -> Any:
    """A value that may refer to something, as its author wrote it; empty where a template in it is wrong."""
    if key not in node:
        _missing(node, key)
        return ""
    reader, pointer = node.reader, (*node.pointer, key)
    kept = reader.document.written(node.data[key], pointer)
    told = len(reader.problems)
    reader.templates(node.data[key], pointer)
    return "" if len(reader.problems) > told else kept
