"""What can go wrong, said once. Imports nothing of ours.

    CapabilityError          catch this to catch everything raised on purpose
    ├── LoadError            .problems: every Problem(code, message, at, hint), in file order
    └── CallError            one call failed; .code, .outcome and .retry_safe say what that means
        ├── BindError        the arguments do not fit                REST 4xx      MCP is_error
        ├── UpstreamError    the consumed API let us down            REST 502      MCP is_error
        │   ├── UpstreamTimeout                                      REST 504
        │   └── UpstreamRefused  keeps .status and .body
        ├── ShapeError       the answer is not what was declared     REST 502      MCP is_error
        ├── ScriptError      a script of the file failed             REST 500      MCP is_error
        ├── FlowError        a flow of several steps stopped itself  REST .status  MCP is_error
        └── StoppedError     the server stopped in the middle        REST 503      MCP error

Codes are stable and listed in docs/errors.md; wording may improve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["not-sent", "refused", "done", "unknown", "partly"]


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a capability file. Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1
    pointer: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one file, at one place."""

    code: str
    message: str
    at: Location
    hint: str = ""
    severity: Literal["error", "warning"] = "error"
    subject: str = ""  # what the code is about, where a program may want it: the name of a missing variable

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else "warning: "
        lines = [f"{self.at}: {mark}{self.message} [{self.code}]"]
        if self.at.pointer:
            lines.append(f"  at {self.at.pointer}")
        if self.at.source:
            number = str(self.at.line)
            source, column = _window(self.at.source, self.at.column)
            lines.append(f"  {number} | {source}")
            lines.append(f"  {' ' * len(number)} | {' ' * (column - 1)}^")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The stable form that `validate --json` prints."""
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "file": self.at.file,
            "line": self.at.line,
            "column": self.at.column,
            "pointer": self.at.pointer,
            "hint": self.hint or None,
        }


def in_file_order(problems: Iterable[Problem], order: Iterable[object] = ()) -> list[Problem]:
    """Problems as a reader of their files meets them, each once: files in `order`, then as they came."""
    unique = list(dict.fromkeys(problems))
    files = list(dict.fromkeys([*map(str, order), *(problem.at.file for problem in unique)]))
    return sorted(unique, key=lambda p: (files.index(p.at.file), p.at.line, p.at.column))


_WINDOW = 120


def _window(source: str, column: int) -> tuple[str, int]:
    """A stretch of a line that holds the column, printable: a 10 MB line must not fill the terminal."""
    start = max(0, column - _WINDOW // 2) if len(source) > _WINDOW else 0
    piece = source[start : start + _WINDOW]
    return "".join(c if c.isprintable() else " " for c in piece), column - start


class CapabilityError(Exception):
    """Base of everything raised on purpose."""


class LoadError(CapabilityError):
    """One or more files cannot be served. `.problems` holds every reason, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(eq=False)
class CallError(CapabilityError):
    """A call did not work.

    `outcome` is what is known of the upstream: `not-sent` (nothing reached it), `refused` (it said no),
    `done` (it happened; only the answer is unusable), `unknown` (it may have happened) or `partly` (of several calls
    some happened, and `extra["steps"]` says which).
    """

    code: str
    message: str
    outcome: Outcome = "not-sent"
    retry_safe: bool = True
    hint: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.message)


@dataclass(eq=False)
class BindError(CallError):
    """The caller's arguments do not fit. `.argument` names the one at fault, when one is."""

    argument: str = ""
    status: int = 400


@dataclass(eq=False)
class UpstreamError(CallError):
    """The consumed API could not be reached or did not keep to HTTP."""


@dataclass(eq=False)
class UpstreamTimeout(UpstreamError):
    """The consumed API took too long."""


@dataclass(eq=False)
class UpstreamRefused(UpstreamError):
    """The consumed API answered with an error of its own."""

    status: int = 502
    body: bytes = b""
    media_type: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False)
class ShapeError(CallError):
    """The consumed API answered, but not with what the file declares."""


@dataclass(eq=False)
class ScriptError(CallError):
    """A script of the file failed, or was stopped at a limit. It reaches nothing, so nothing has happened by it."""


@dataclass(eq=False)
class FlowError(CallError):
    """A flow of several steps stopped itself: what it asks for does not hold, or cannot be told."""

    status: int = 409


@dataclass(eq=False)
class StoppedError(CallError):
    """Capstan was stopped while the call was under way, and a stop waits no longer."""
