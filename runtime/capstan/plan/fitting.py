"""What a parameter of a consumed API asks of a value that an earlier step answered, or that the file writes out.

An argument is checked before anything is sent; a value of another answer has passed nobody. It becomes the type that
is declared where the meaning is beyond doubt, and keeps the declared limits. What is inside an object or array is
passed on as that API gave it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from capstan.errors import BindError, ShapeError
from capstan.load.model import Parameter
from capstan.load.schema import Checker
from capstan.plan.coerce import coerce
from capstan.plan.values import FromStep, Source

_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_LIMITS: Final = ("type", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum",
                  "exclusiveMinimum", "exclusiveMaximum", "multipleOf")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fitting:
    """Holds values against a declared type and its limits."""

    parameter: str
    kind: str
    limits: Checker | None = field(compare=False, repr=False)
    is_spread: bool  # where a list stands as several values

    def fit(self, value: Any, name: str) -> Any:
        """The value as it is declared.

        Raises:
            BindError: it is something else. Its argument is the reference, for no caller gave it.
        """
        if self.is_spread and isinstance(value, list):
            return [self.fit(item, name) for item in value]
        fit, fault = self.judge(value)
        if fault:
            raise BindError("bad-argument", f"'{name}' does not fit '{self.parameter}': {fault}", argument=name)
        return fit

    def judge(self, value: Any) -> tuple[Any, str]:
        """The value as it is declared, and what is wrong with it."""
        try:
            fit = coerce(value, self.kind) if self.kind != "string" or not isinstance(value, (dict, list)) else None
        except ShapeError:
            fit = None
        if fit is None:
            return None, f"it is no {self.kind}"
        found = self.limits.violations(fit) if self.limits is not None else ()
        return fit, found[0].message if found else ""


def fitted(source: Source, parameter: Parameter) -> Source:
    """A reference to a step that gives what the parameter declares; any other source as it is."""
    if not isinstance(source, FromStep):
        return source
    fitting = _fitting(parameter)
    return source if fitting is None else replace(source, fitting=fitting)


def constant_fault(value: Any, parameter: Parameter) -> str:
    """What is wrong with a constant that an author writes for a parameter; nothing, mostly."""
    fitting = _fitting(parameter) if value is not None else None
    if fitting is None or fitting.kind not in _SCALARS:
        return ""
    if isinstance(value, list) and fitting.is_spread:
        return next((fault for item in value if (fault := fitting.judge(item)[1])), "")
    return "" if isinstance(value, dict) and fitting.is_spread else fitting.judge(value)[1]


def _fitting(parameter: Parameter) -> Fitting | None:
    kind = parameter.schema.get("type")
    if not isinstance(kind, str):
        return None
    limits = {key: parameter.schema[key] for key in _LIMITS if key in parameter.schema}
    try:
        checker = Checker(limits) if kind in _SCALARS and len(limits) > 1 else None
    except ValueError:  # the schema itself is wrong, which is told where inputs are checked
        checker = None
    return Fitting(parameter.name, kind, checker, is_spread=kind in _SCALARS and parameter.where != "body")
