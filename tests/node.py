"""Where there is a Node: the system's, or one that npm installed for the conformance suite."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

MCP: Final = Path(__file__).resolve().parent / "mcp"  # the folders with what npm installs


def find_node(oldest: int) -> str | None:
    """A Node of this major version or a later one."""
    installed = map(str, MCP.glob("*/node_modules/node-linux-*/bin/node"))
    for candidate in filter(None, [shutil.which("node"), *installed]):
        with suppress(OSError):  # one for another processor
            told = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
            if (found := re.match(r"v(\d+)\.", told)) and int(found[1]) >= oldest:
                return candidate
    return None
