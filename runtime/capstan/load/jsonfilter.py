"""What the filters of a JSONPath are made of: comparisons and functions, with the types RFC 9535 gives them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import jsonschema_rs

from capstan.load.jsonquery import Run, Segment, Test, select

NOTHING: Final = object()  # the value of a query that finds none; equal to itself alone
PATTERN_LENGTH: Final = 1000

Value = Callable[[Any, Run], Any]
Nodes = Callable[[Any, Run], list[Any]]


@dataclass(frozen=True, slots=True)
class Operand:
    """Part of a filter, with what it may serve as: a value, a list of nodes, a test. None: not that."""

    value: Value | None = None
    nodes: Nodes | None = None
    test: Test | None = None
    constant: Any = NOTHING


def literal(value: Any) -> Operand:
    return Operand(value=lambda _node, _run: value, constant=value)


def query(segments: Sequence[Segment], *, absolute: bool) -> Operand:
    """`@.a` or `$.a`. One that can meet a single value at most is a value too."""
    steps = [segment.step for segment in segments]

    def nodes(node: Any, run: Run) -> list[Any]:
        return select(segments, run.root if absolute else node, run)

    def value(node: Any, run: Run) -> Any:
        found = run.root if absolute else node
        for step in steps:
            if isinstance(step, str):
                if not isinstance(found, dict) or step not in found:
                    return NOTHING
            elif not isinstance(found, list) or not -len(found) <= step < len(found):  # type: ignore[operator]
                return NOTHING
            found = found[step]
        return found

    if None in steps:
        return Operand(nodes=nodes, test=lambda node, run: bool(nodes(node, run)))
    return Operand(value, nodes, lambda node, run: value(node, run) is not NOTHING)


def compare(operator: str, left: Value, right: Value) -> Test:
    match operator:
        case "==":
            return lambda node, run: _equal(left(node, run), right(node, run), run)
        case "!=":
            return lambda node, run: not _equal(left(node, run), right(node, run), run)
        case "<":
            return lambda node, run: _less(left(node, run), right(node, run))
        case ">":
            return lambda node, run: _less(right(node, run), left(node, run))
        case "<=":
            return lambda node, run: _at_most(left(node, run), right(node, run), run)
    return lambda node, run: _at_most(right(node, run), left(node, run), run)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(left: Any, right: Any, run: Run) -> bool:
    """Equal as JSON: unlike Python's, `true` is not 1."""
    pairs = [(left, right)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            run.spend(len(left))
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list) and isinstance(right, list):
            run.spend(len(left))
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif isinstance(left, bool) or isinstance(right, bool):
            if left is not right:
                return False
        elif left != right:
            return False
    return True


def _less(left: Any, right: Any) -> bool:
    if (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return bool(left < right)
    return False


def _at_most(left: Any, right: Any, run: Run) -> bool:
    return _less(left, right) or _equal(left, right, run)


# --- Functions. A pattern is an I-Regexp (RFC 9485); the engine behind it decides in time linear to the text.

_UNESCAPED: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.|\(\?", re.DOTALL)


@functools.lru_cache(maxsize=256)
def pattern(text: str, *, whole: bool) -> Any:
    """A pattern made ready, or None when it is none that can be used."""

    def replace(match: re.Match[str]) -> str:
        found = match[0]
        if found == "(?":  # flags, names and look-around: none of them is I-Regexp
            raise ValueError(found)
        return "[^\\n\\r]" if found == "." else re.sub(r"(?<!\\)[&~]", r"\\\g<0>", found) if found[0] == "[" else found

    if len(text) > PATTERN_LENGTH:
        return None
    try:
        expression = _UNESCAPED.sub(replace, text)
        options = jsonschema_rs.RegexOptions(size_limit=1 << 20)
        rule = f"^(?:{expression})$" if whole else expression
        return jsonschema_rs.Draft202012Validator({"pattern": rule}, pattern_options=options)
    except ValueError:
        return None


def _matches(text: Any, rule: Any, run: Run, *, whole: bool) -> bool:
    if not isinstance(text, str) or not isinstance(rule, str):
        return False
    run.spend(len(text) // 16 + 1)
    compiled = pattern(rule, whole=whole)
    return compiled is not None and bool(compiled.is_valid(text))


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, (str, list, dict)) else NOTHING


Kind = Literal["value", "nodes"]
SIGNATURES: Final[dict[str, tuple[Kind, ...]]] = {
    "length": ("value",),
    "count": ("nodes",),
    "value": ("nodes",),
    "match": ("value", "value"),
    "search": ("value", "value"),
}


def call(name: str, arguments: Sequence[Callable[[Any, Run], Any]]) -> Operand:
    """A function of the standard with arguments of the types its signature asks for."""
    first, *rest = arguments
    match name:
        case "length":
            return Operand(value=lambda node, run: _length(first(node, run)))
        case "count":
            return Operand(value=lambda node, run: len(first(node, run)))
        case "value":
            return Operand(value=lambda node, run: found[0] if len(found := first(node, run)) == 1 else NOTHING)
    rule, whole = rest[0], name == "match"
    return Operand(test=lambda node, run: _matches(first(node, run), rule(node, run), run, whole=whole))
