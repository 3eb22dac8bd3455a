"""What a person sees of problems in a terminal, and what stands out there; plain in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from capstan.errors import Problem

_RED, _YELLOW, _BOLD, _DIM, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


def print_problems(problems: Sequence[Problem], *, brief: bool = False) -> None:
    for problem in problems:
        text = str(problem).partition("\n")[0] if brief else str(problem)
        if _coloured():
            first, _, rest = text.partition("\n")
            colour = _RED if problem.severity == "error" else _YELLOW
            text = f"{colour}{first}{_PLAIN}" + (f"\n{rest}" if rest else "")
        print(text, file=sys.stderr)


def _coloured() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


def bold(text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def dim(text: str) -> str:
    return f"{_DIM}{text}{_PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
