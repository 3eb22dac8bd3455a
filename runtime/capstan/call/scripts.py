"""Runs scripts, each in a process that knows nothing of ours and can be stopped at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capstan.plan.script import ScriptPlan
from capstan.settings import Settings


class Scripts:
    """The processes that run scripts. They start with the first script and end with `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self, plan: ScriptPlan, inputs: Mapping[str, Any]) -> Any:
        """What a script sets as `result`; `inputs` is what it finds in `context`.

        Raises:
            ScriptError: it failed, took too long, or went beyond a limit.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Stop what runs and end the processes."""
