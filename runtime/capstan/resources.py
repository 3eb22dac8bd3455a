"""What ships with Capstan: its version, and files that are beside the package in a wheel, above it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

VERSION: Final = "0.1.0"

_PACKAGE = Path(__file__).resolve().parent


def bundled(name: str) -> Path:
    """The path of `schemas/...` or `capabilities/...`."""
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parents[1] / name
