"""Conditions of steps: `$.order.status == 'AUTHORIZED' and amount <= $.order.remaining`, parsed once.

A small language of its own: comparisons, `and`, `or`, `not`, `in`, `+`, `-`, `length(x)`, texts, numbers, lists, and
names, whose meaning the plan finds. There are no calls, no loops and no text that is put together.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol

from capstan.load.expression import ExpressionError


class Undecided(ValueError):
    """Two values that cannot be compared, such as a text and a number."""


class Valued(Protocol):
    """A part of a condition; what is not there is None."""

    def get(self, arguments: Mapping[str, Any], /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Name:
    """An input or a path into a step's answer, as it is written. The plan puts what it means in its place."""

    text: str

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        raise AssertionError(f"{self.text} is not resolved")


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any

    def get(self, _: Mapping[str, Any], /) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Valued, ...]

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        return [item.get(arguments) for item in self.items]


@dataclass(frozen=True, slots=True)
class Length:
    of: Valued

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        value = self.of.get(arguments)
        if not isinstance(value, (str, list, dict)):
            raise Undecided(f"{kind_of(value)} has no length")
        return len(value)


@dataclass(frozen=True, slots=True)
class Sum:
    left: Valued
    sign: str
    right: Valued

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        left, right = self.left.get(arguments), self.right.get(arguments)
        if not (_is_number(left) and _is_number(right)):
            raise Undecided(f"{kind_of(left)} {self.sign} {kind_of(right)} is no sum")
        try:
            total = left + right if self.sign == "+" else left - right
        except OverflowError:  # an integer of hundreds of digits, and a fraction
            total = math.inf
        if total in (math.inf, -math.inf):
            raise Undecided(f"{kind_of(left)} {self.sign} {kind_of(right)} is too large a number")
        return total


_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compared:
    left: Valued
    by: str
    right: Valued

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        left, right = self.left.get(arguments), self.right.get(arguments)
        match self.by:
            case "==":
                return same(left, right)
            case "!=":
                return not same(left, right)
            case "in":
                return _is_in(left, right)
        if not ((_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))):
            raise Undecided(f"{kind_of(left)} cannot be compared with {kind_of(right)}")
        return _ORDERS[self.by](left, right)


@dataclass(frozen=True, slots=True)
class Not:
    part: Valued

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        return not holds(self.part, arguments)


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Valued, ...]

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        return all(holds(part, arguments) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Valued, ...]

    def get(self, arguments: Mapping[str, Any], /) -> Any:
        return any(holds(part, arguments) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold, and how its author wrote it."""

    text: str
    root: Valued

    def holds(self, arguments: Mapping[str, Any]) -> bool:
        """Whether it holds.

        Raises:
            Undecided: two of its values cannot be compared.
        """
        return holds(self.root, arguments)

    def asked_for(self) -> Iterator[str]:
        """Names that are asked for being given: those that stand alone."""
        match self.root:
            case Name():
                yield self.root.text
            case All() | AnyOf():
                yield from (part.text for part in self.root.parts if isinstance(part, Name))

    def resolved(self, meaning: Callable[[str], Valued]) -> Condition:
        """The same with what each name means in its place."""
        return replace(self, root=_resolved(self.root, meaning))


def holds(node: Valued, arguments: Mapping[str, Any]) -> bool:
    """Whether a value counts as yes: it is there, and is not false."""
    value = node.get(arguments)
    return value is not None and value is not False


def same(left: Any, right: Any) -> bool:
    """Equality as JSON has it, at any depth: `1` is `1.0` and is not `true`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


_KINDS: Final[Mapping[type, str]] = {dict: "an object", list: "a list", str: "a text"}


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    return _KINDS.get(type(value), "a number")


def _is_in(value: Any, holder: Any) -> bool:
    if isinstance(holder, list):
        return any(same(value, item) for item in holder)
    if isinstance(holder, str) and isinstance(value, str):
        return value in holder
    raise Undecided(f"{kind_of(holder)} cannot hold {kind_of(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _resolved(node: Any, meaning: Callable[[str], Valued]) -> Any:
    if isinstance(node, Name):
        return meaning(node.text)
    if isinstance(node, tuple):
        return tuple(_resolved(item, meaning) for item in node)
    if not hasattr(node, "__dataclass_fields__"):
        return node
    changed = {item.name: _resolved(getattr(node, item.name), meaning) for item in fields(node)}
    return replace(node, **changed)


# --- the text

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<hole>\{\{[^{}]*\}\})
    | (?P<path>\$(?:\.[\w$@*-]+|\.\.|\[(?:[^\[\]'"]|'[^']*'|"[^"]*"|\[[^\]]*\])*\])*)
    | (?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)
    | (?P<sign>==|!=|<=|>=|&&|\|\||[<>!()\[\],+-])
    )""",
    re.VERBOSE,
)
_WORDS: Final = {"&&": "and", "||": "or", "!": "not"}
_LITERALS: Final = {"true": True, "false": False, "null": None}
_DEEPEST: Final = 50


def parse_condition(text: str) -> Condition:
    """A condition's text -> Condition.

    Raises:
        ExpressionError: it is not a condition.
    """
    parser = _Parser(text)
    root = parser.any_of()
    parser.end()
    return Condition(text.strip(), root)


class _Parser:
    """Each method reads one level of precedence, from `or` down to a single value."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._tokens = list(self._read())
        self._at = 0
        self._depth = 0
        self._signs = 0  # of sums, each a level deeper than the one before

    def _read(self) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise ExpressionError(f"'{self._text[position : position + 20]}' is no part of a condition")
            kind = str(match.lastgroup)
            token = match[kind]
            if kind == "name" and token in ("and", "or", "not", "in"):
                kind = "sign"
            yield kind, _WORDS.get(token, token) if kind == "sign" else token
            position = match.end()

    def _take(self, *signs: str) -> str | None:
        if self._at < len(self._tokens):
            kind, token = self._tokens[self._at]
            if kind == "sign" and token in signs:
                self._at += 1
                return token
        return None

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            raise ExpressionError(f"'{sign}' is missing in the condition '{self._text}'")

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionError(f"'{self._tokens[self._at][1]}' is not expected in the condition '{self._text}'")

    def any_of(self) -> Valued:
        parts = [self._all_of()]
        while self._take("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Valued:
        parts = [self._negated()]
        while self._take("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _negated(self) -> Valued:
        count = 0
        while self._take("not"):
            count += 1
        part = self._compared()
        return part if count == 0 else Not(part) if count % 2 else Not(Not(part))

    def _compared(self) -> Valued:
        left = self._sum()
        if by := self._take("==", "!=", "<=", ">=", "<", ">", "in"):
            return Compared(left, by, self._sum())
        if self._take("not"):
            self._expect("in")
            return Not(Compared(left, "in", self._sum()))
        return left

    def _sum(self) -> Valued:
        left = self._value()
        while sign := self._take("+", "-"):
            left = Sum(left, sign, self._value())
            self._signs += 1
            if self._signs > _DEEPEST:
                raise ExpressionError(f"the condition has more than {_DEEPEST} signs of sums")
        return left

    def _value(self) -> Valued:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError("the condition is nested too deeply")
        value = self._single()
        self._depth -= 1
        return value

    def _single(self) -> Valued:
        if self._take("("):
            inner = self.any_of()
            self._expect(")")
            return inner
        if self._take("["):
            return self._list()
        if self._take("-"):
            return Sum(Literal(0), "-", self._value())
        if self._at >= len(self._tokens):
            raise ExpressionError(f"the condition '{self._text}' breaks off")
        kind, word = self._tokens[self._at]
        self._at += 1
        match kind:
            case "text":
                return Literal(_unquoted(word))
            case "number":
                return Literal(_number(word))
            case "hole":
                return Name(word[2:-2].strip())
            case "name" if word == "length" and self._take("("):
                inner = self.any_of()
                self._expect(")")
                return Length(inner)
            case "name" if word in _LITERALS:
                return Literal(_LITERALS[word])
            case "name" | "path":
                return Name(word)
        raise ExpressionError(f"'{word}' is not expected in the condition '{self._text}'")

    def _list(self) -> Valued:
        items: list[Valued] = []
        while not self._take("]"):
            items.append(self._sum())
            if not self._take(","):
                self._expect("]")
                break
        return ListOf(tuple(items))


def _number(token: str) -> int | float:
    try:
        number: int | float = json.loads(token)
    except ValueError as error:  # 007, or more digits than anybody means
        raise ExpressionError(f"'{token[:20]}' is no number") from error
    if number == float("inf"):
        raise ExpressionError(f"the number {token[:20]} is too large")
    return number


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
