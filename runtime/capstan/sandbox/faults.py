"""Faults on demand: what should go wrong, where, how often. Seeded, so that a run can be had again."""

from __future__ import annotations

import fnmatch
import random
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Kind = Literal["delay", "too-many-requests", "timeout-after", "unavailable", "cut", "cut-after"]
KINDS: Final = get_args(Kind)
MAX_DELAY_SECONDS: Final = 300.0


@dataclass(slots=True)
class Fault:
    """One rule. Without a count it holds until it is taken back."""

    kind: Kind
    method: str = "*"
    path: str = "*"  # `*` is any text: `/ordermanagement/v1/orders/*/captures`
    probability: float = 1.0
    count: int | None = None  # how many requests it still hits
    delay_seconds: float = 0.0  # before the effect with `delay`, after it with `timeout-after`
    seed: int = 0
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    hits: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - faults need to be repeatable, not secret

    def hit(self, method: str, path: str) -> bool:
        """Whether it strikes this request; a count goes down when it does."""
        if self.count == 0 or self.method not in ("*", method) or not fnmatch.fnmatchcase(path, self.path):
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        if self.count is not None:
            self.count -= 1
        return True

    def as_json(self) -> dict[str, Any]:
        names = ("id", "kind", "method", "path", "probability", "count", "delay_seconds", "seed", "hits")
        return {name: getattr(self, name) for name in names}


class Faults:
    """The rules that hold. They are not kept over a restart."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def strike(self, method: str, path: str) -> tuple[Fault, ...]:
        """The rules that hit a request, at most one of each kind."""
        if not self.rules:
            return ()
        found: dict[str, Fault] = {}
        for rule in self.rules:
            if rule.kind not in found and rule.hit(method, path):
                found[rule.kind] = rule
        return tuple(found.values())
