"""Routes -> a tree that finds the operations of a path. Literals win over variables, whatever order they came in.

Starlette's own router takes only identifiers between braces and the first route that fits; files say `{order-id}`, and
`/payouts/summary` may stand after `/payouts/{payment-reference}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from capstan.plan.types import RouteSegment

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], _Node[T]]] = field(default_factory=list)
    variable: _Node[T] | None = None
    found: dict[str, T] = field(default_factory=dict)  # by method


class Router(Generic[T]):
    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, segments: tuple[RouteSegment, ...], value: T) -> T | None:
        """Put `value` on a route; what stood there already, if anything, is given back and stays."""
        node = self._root
        for segment in segments:
            node = self._step(node, segment)
        if method in node.found:
            return node.found[method]
        node.found[method] = value
        return None

    def _step(self, node: _Node[T], segment: RouteSegment) -> _Node[T]:
        if segment.literal is not None:
            return node.literals.setdefault(segment.literal, _Node())
        if segment.pattern:
            for pattern, child in node.patterns:
                if pattern.pattern == segment.pattern:
                    return child
            child = _Node[T]()
            node.patterns.append((re.compile(segment.pattern, re.DOTALL), child))
            return child
        if node.variable is None:
            node.variable = _Node()
        return node.variable

    def find(self, segments: list[str]) -> tuple[dict[str, T], list[str]]:
        """What stands on a path, by method, and the values of its variables; nothing when the path is unknown."""
        values: list[str] = []
        node = self._find(self._root, segments, 0, values)
        return (node.found, values) if node is not None else ({}, [])

    def _find(self, node: _Node[T], segments: list[str], index: int, values: list[str]) -> _Node[T] | None:
        if index == len(segments):
            return node if node.found else None
        text = segments[index]
        child = node.literals.get(text)
        if child is not None and (found := self._find(child, segments, index + 1, values)) is not None:
            return found
        for pattern, child in node.patterns:
            if match := pattern.fullmatch(text):
                values.extend(match.groups())
                if (found := self._find(child, segments, index + 1, values)) is not None:
                    return found
                del values[-len(match.groups()) :]
        if node.variable is not None and text:
            values.append(text)
            if (found := self._find(node.variable, segments, index + 1, values)) is not None:
                return found
            values.pop()
        return None
