"""Libraries that only some capabilities need: asked for when a file is loaded, and not installed unless wanted."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingLibrary(ImportError):
    """A library is not installed; `.extra` is what to install it by."""

    def __init__(self, name: str, extra: str) -> None:
        super().__init__(f"{name} is not installed", name=name)
        self.extra = extra


def library(name: str, extra: str) -> Any:
    """An optional library.

    Raises:
        MissingLibrary: it is not there.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibrary(name.partition(".")[0], extra) from error
