"""JSON Schema, in both its uses: is this file a capability, do these arguments fit.

`jsonschema-rs` answers yes or no in microseconds; only for a no does `jsonschema`, about a hundred times slower, say
why. A checker is compiled once, where its schema is known.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from capstan.errors import Problem
from capstan.load.document import Document, Json, Pointer
from capstan.load.pattern import compiled, misses, repeats
from capstan.resources import bundled

_REPAIRS: Final = 3  # a repaired place can show what was hidden behind it
_MOST_TOLD: Final = 100  # reasons; nobody reads on, and a caller can send a million faults
_MOST_NAMES: Final = 50  # that are looked at for a slip: comparing two takes some 50 µs


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a value does not fit its schema. `at_key` when the fault is the last key itself."""

    pointer: Pointer
    code: str
    message: str
    hint: str = ""
    at_key: bool = False
    subject: str = ""  # the key that is missing
    meant: str = ""  # the free keyword that an unknown one was probably meant to be


class Checker:
    """A compiled schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises ValueError when the schema itself is wrong, a bad `pattern` for one."""
        self.schema, self._fast = compiled(schema)

    def accepts(self, value: Json) -> bool:
        return self._fast.is_valid(value)

    def violations(self, value: Json) -> list[Violation]:
        """The reasons why `value` does not fit; empty when it fits."""
        if self._fast.is_valid(value):
            return []
        reasons = (violation for error in self._slow.iter_errors(value) for violation in _explain(error))
        found = list(dict.fromkeys(islice(reasons, _MOST_TOLD)))
        if not found:  # the two libraries disagree; the strict one wins, in its own words
            found = [
                Violation(tuple(e.instance_path), "invalid", e.message[:300])
                for e in islice(self._fast.iter_errors(value), _MOST_TOLD)
            ]
        return found

    @functools.cached_property
    def _slow(self) -> Any:
        # Wanted only when something is wrong.
        from jsonschema import Draft202012Validator, ValidationError, validators  # noqa: PLC0415

        def pattern(_: Any, rule: str, value: Json, __: Any) -> Iterator[Any]:
            # Python's own engine can need ages for what this one decides at once.
            if isinstance(value, str) and (reason := misses(value, rule)):
                yield ValidationError(reason)

        def unique(_: Any, rule: bool, value: Json, __: Any) -> Iterator[Any]:  # noqa: FBT001
            # Of objects, the library compares each with each.
            if rule and repeats(value):
                yield ValidationError("an item is there twice")

        def required(_: Any, rule: list[str], value: Json, __: Any) -> Iterator[Any]:
            # One error for all that is missing; the library has one for each, and each would be told as all.
            if isinstance(value, dict) and any(key not in value for key in rule):
                yield ValidationError("something is missing")

        rules = {"pattern": pattern, "uniqueItems": unique, "required": required}
        return validators.extend(Draft202012Validator, rules)(self.schema)  # type: ignore[no-untyped-call]


def _explain(error: Any) -> Iterator[Violation]:
    path: Pointer = tuple(error.absolute_path)
    value, rule, keyword = error.instance, error.validator_value, error.validator
    match keyword:
        case "additionalProperties" | "unevaluatedProperties":
            known = list(error.schema.get("properties", {}))
            for key in value:
                if key not in known:
                    meant = closest(key, [name for name in known if name not in value]) or ""
                    yield Violation((*path, key), "unknown-keyword", f"'{key}' is not known here",
                                    suggest(key, known), at_key=True, meant=meant)  # fmt: skip
        case "required":
            free = [name for name in value if name not in error.schema.get("properties", {})][:_MOST_NAMES]
            for key in rule:
                if key not in value:
                    near = closest(key, free)
                    hint = f"was '{near}' meant to be it?" if near else ""
                    yield Violation(path, "missing-keyword", f"'{key}' is missing", hint, subject=key)
        case "enum":
            known = list(dict.fromkeys(map(str, rule)))
            close = closest(str(value), known)
            yield Violation(path, "unknown-value", f"{_show(value)} is not one of {_list(known)}",
                            f"did you mean '{close}'?" if close else "")  # fmt: skip
        case "const":
            yield Violation(path, "unknown-value", f"{_show(value)} is not {_show(rule)}")
        case "type":
            yield _wrong_type(path, value, [rule] if isinstance(rule, str) else rule)
        case "anyOf" | "oneOf" if error.context:
            yield from _explain_choice(path, value, error.context)
        case "pattern":
            yield Violation(path, "wrong-form", f"{_show(value)} {error.message} the pattern {rule}")
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" | "multipleOf":
            words = {"minimum": "less than", "exclusiveMinimum": "not more than", "maximum": "more than",
                     "exclusiveMaximum": "not less than", "multipleOf": "not a multiple of"}  # fmt: skip
            yield Violation(path, "out-of-range", f"{_show(value)} is {words[keyword]} {rule}")
        case "minLength" | "minItems" | "minProperties":
            yield Violation(path, "out-of-range", f"{_show(value)} is shorter than {rule}")
        case "maxLength" | "maxItems" | "maxProperties":
            yield Violation(path, "out-of-range", f"{_show(value)} is longer than {rule}")
        case _:
            yield Violation(path, "invalid", str(error.message)[:300])


def _explain_choice(path: Pointer, value: Json, errors: Iterable[Any]) -> Iterator[Violation]:
    """Why a value fits no schema of a choice: what keeps it from the one whose type it has, else all their types."""
    branches: dict[int, list[Any]] = {}
    for error in errors:
        branches.setdefault(error.relative_schema_path[0], []).append(error)
    wrong = [e for branch in branches.values() for e in branch if e.validator == "type" and not e.relative_path]
    near = [branch for branch in branches.values() if not any(error in wrong for error in branch)]
    if near:
        yield from (violation for error in min(near, key=len) for violation in _explain(error))
    else:
        rules = [rule for e in wrong for rule in ([e.validator_value] if isinstance(e.validator_value, str)
                                                  else e.validator_value)]  # fmt: skip
        yield _wrong_type(path, value, list(dict.fromkeys(rules)))


def _wrong_type(path: Pointer, value: Json, wanted: list[str]) -> Violation:
    hint = ""
    if isinstance(value, str) and "boolean" in wanted and value.lower() in ("yes", "no", "on", "off", "y", "n"):
        hint = f"write true or false; '{value}' is text in YAML 1.2"
    elif isinstance(value, str) and {"integer", "number"} & {*wanted} and value.lstrip("+-").isdecimal():
        hint = "a number is written without quotes"
    elif value is None and path[-1:] == ("$ref",):
        hint = "after a space, '#' begins a comment: put the reference into quotes"
    return Violation(path, "wrong-type", f"{_show(value)} is not of type {' or '.join(wanted)}", hint)


def _show(value: Json) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else f"'{value}'"
    return text if len(text) <= 80 else text[:76] + " ...'"


def _list(options: Iterable[str]) -> str:
    return ", ".join(options)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    folded = {option.replace("-", "_").lower(): option for option in known}
    close = difflib.get_close_matches(name.replace("-", "_").lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint: the known name that was probably meant, or the known names."""
    options = list(dict.fromkeys(known))
    if (meant := closest(name, options)) is not None:
        return f"did you mean '{meant}'?"
    if 0 < len(options) <= 12:
        return f"known here: {', '.join(options)}"
    return ""


@functools.cache
def capability_checker() -> Checker:
    """The checker of `schemas/capability.schema.json`."""
    return Checker(json.loads(bundled("schemas/capability.schema.json").read_text("utf-8")))


def schema_problems(document: Document) -> tuple[list[Problem], bool]:
    """What in the document is not as the schema of capability files says, and whether it can be read on all the same.

    What is wrong is then taken out of the document, or put under the name it was meant to have, so that one look finds
    the faults that only a reader of the rest can see.
    """
    problems: list[Problem] = []
    readable = True
    ours: set[Pointer] = set()  # places where a repair can be the fault
    for _ in range(_REPAIRS):
        violations = _without_echoes(capability_checker().violations(document.data))
        if not violations:
            return problems, readable
        told = [violation for violation in violations if violation.pointer not in ours]
        problems += [p for violation in told if (p := _problem(document, violation)) not in problems]
        ours |= {_touched(violation) for violation in told}
        for violation in told:
            readable &= _repair(document, violation)
        if len(told) < len(violations):
            return problems, False
    return problems, readable and capability_checker().accepts(document.data)


def _without_echoes(violations: list[Violation]) -> list[Violation]:
    """A keyword that is only mistyped is not missing too."""
    mistyped = {(v.pointer[:-1], f"'{v.meant}' is missing") for v in violations if v.meant}
    return [violation for violation in violations if (violation.pointer, violation.message) not in mistyped]


def _touched(violation: Violation) -> Pointer:
    """Where the repair of a violation shows when it was none: a keyword is missing, or a guessed name does not fit."""
    return (*violation.pointer[:-1], violation.meant) if violation.meant else violation.pointer[:-1]


def _problem(document: Document, violation: Violation) -> Problem:
    code, message, hint = violation.code, violation.message, violation.hint
    if violation.pointer in (("naftiko",), ("ikanos",)):
        code, message, hint = "unknown-version", f"the version {message}", ""
    return Problem(code, message, document.locate(violation.pointer, key=violation.at_key), hint)


def _repair(document: Document, violation: Violation) -> bool:
    """Whether what is left still means what its author meant: what was said of a known keyword is missed."""
    if not violation.pointer or violation.code == "missing-keyword":
        return False
    if violation.meant:
        return document.rename(violation.pointer, violation.meant)
    return document.remove(violation.pointer) and violation.code == "unknown-keyword"
