"""The engines of scripts: which are installed, and how a process that has one is started.

A process is given a program of this folder, the folders of the engine's packages and nothing else: no variables of the
environment, no working directory of ours, no open files. It sets limits for itself before it reads a script.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final, Literal

Language = Literal["javascript", "python"]
LANGUAGES: Final[tuple[Language, ...]] = ("javascript", "python")

_HERE: Final = Path(__file__).parent
_PACKAGES: Final[dict[Language, tuple[str, ...]]] = {
    "javascript": ("quickjs", "tree_sitter", "tree_sitter_javascript"),
    "python": ("pydantic_monty", "typing_extensions"),
}
# Where a shared library or the time zone is looked for; everything else in the environment is nobody's business.
_PASSED: Final = ("LD_LIBRARY_PATH", "TZ")


def missing(language: Language) -> str | None:
    """The package of an engine that is not installed, if one is not."""
    lost = next((name for name in _PACKAGES[language] if importlib.util.find_spec(name) is None), None)
    if lost is None and language == "python" and _monty() is None:
        return "pydantic_monty_runtime"
    return lost


def command(program: Literal["script_worker.py", "script_check.py"], language: Language) -> list[str]:
    """The command that starts a program with an engine. Without `site` it starts in half the time."""
    folders: list[str] = []
    for name in _PACKAGES[language]:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent
            folders.append(str(folder.parent if spec.submodule_search_locations else folder))
    found = _monty() or ""
    return [sys.executable, "-I", "-S", str(_HERE / program), language, found, *dict.fromkeys(folders)]


def environment() -> dict[str, str]:
    """The variables a process with an engine starts with."""
    return {"LC_ALL": "C.UTF-8", **{name: os.environ[name] for name in _PASSED if name in os.environ}}


def _monty() -> str | None:
    """The interpreter's program, which its package puts beside Python's own."""
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    beside = next((folder / "monty" for folder in folders if (folder / "monty").is_file()), None)
    return str(beside) if beside is not None else shutil.which("monty")
