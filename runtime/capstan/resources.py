"""What ships with Capstan, beside the package in a wheel and above it in a checkout: its version, files, extras."""

from __future__ import annotations

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

VERSION: Final = "0.1.0"

_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """The path of `schemas/...` or `capabilities/...`."""
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parents[1] / name


def install_command(extra: str) -> str:
    """How to install what an extra brings, for the Python that runs this: its environment need not be active."""
    return f"{_pip()} install 'capstan-runtime[{extra}]'"


def _pip() -> str:
    beside = Path(sysconfig.get_path("scripts"), "pip")
    if sys.prefix == sys.base_prefix or shutil.which("pip") == str(beside):
        return "pip"
    return shlex.quote(str(beside)) if beside.is_file() else f"{shlex.quote(sys.executable)} -m pip"
