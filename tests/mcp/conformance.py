"""Runs the official MCP conformance suite against a server that is a capability file: see scripts/conformance.

For each revision every scenario is run that the suite has for it, whether it requires it or not, but for those of
extensions. What a pass is stands in verdicts.py, what is not asked of Capstan in conformance/exceptions.yaml.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from journeys.running import serving
from node import find_node
from support import Raw, Received, RecordingUpstream, reply
from verdicts import Unasked, Verdict, judge, read_exceptions

HERE: Final = Path(__file__).resolve().parent
FILE: Final = HERE / "conformance.yaml"
SUITE: Final = HERE / "conformance" / "node_modules" / "@modelcontextprotocol" / "conformance"
REVISIONS: Final = ("2025-06-18", "2025-11-25", "2026-07-28")
_OLDEST_NODE: Final = 22
_SUITE_SECONDS: Final = 600
_WORK_SECONDS: Final = 0.05
_NEW: Final = {
    "tools": "{name: added-%d, description: New., content: [{type: text, text: New.}]}",
    "prompts": "{name: added-%d, description: New., messages: [{role: user, content: New.}]}",
}


class Suite:
    def __init__(self) -> None:
        node = find_node(_OLDEST_NODE)
        if node is None:
            raise SystemExit(f"there is no Node {_OLDEST_NODE} or later: put one into the PATH")
        self._command = (node, str(SUITE / "dist" / "index.js"))

    def scenarios(self, revision: str) -> set[str]:
        """The scenarios that the suite has for servers of a revision."""
        command = [*self._command, "list", "--server", "--spec-version", revision]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"^  - (\S+)", told, re.MULTILINE))

    def required(self, revision: str) -> set[str]:
        """Those it requires; it has no such list for 2025-06-18, of which all are."""
        file = SUITE / "requirements" / f"{revision}.yaml"
        return set(yaml.safe_load(file.read_text())["server"]) if file.exists() else self.scenarios(revision)

    async def run(self, url: str, revision: str, folder: Path) -> None:
        """Run all of them; the checks of each are in a folder of its own then."""
        options = ("--url", url, "--suite", "all", "--spec-version", revision, "--output-dir", str(folder))
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._command, "server", *options, stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            async with asyncio.timeout(_SUITE_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def checks_in(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the suite wrote, by scenario."""
    found = {}
    for file in folder.glob("server-*/checks.json"):
        name = re.sub(r"-\d{4}-\d\d-\d\dT[0-9-]+Z$", "", file.parent.name)
        found[name.removeprefix("server-")] = json.loads(file.read_text())
    return found


class Office:
    """The API that the file consumes: it does some work, and changes the lists of the served file on demand."""

    def __init__(self, text: str, served: Path) -> None:
        self._text, self._served = text, served
        self._changes = 0

    def __call__(self, request: Received) -> Raw:
        kind = request.target.removeprefix("/lists/")
        if request.target == "/work":
            return Raw((_WORK_SECONDS, *reply(data={"done": True}).pieces), "keep")
        if request.target == "/watched":
            return reply(body="Watched resource content.", content_type="text/plain")
        if kind not in _NEW:
            return reply(404)
        self._changes += 1
        heading = f"    {kind}:\n"
        self._put(self._text.replace(heading, f"{heading}    - {_NEW[kind] % self._changes}\n"))
        return reply(data={"changed": kind})

    def _put(self, text: str) -> None:
        """Replace the file at once: half of it is never read."""
        beside = self._served.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self._served)


async def run_revision(suite: Suite, revision: str, text: str, folder: Path) -> None:
    """Run what the suite has for a revision against a server of its own."""
    served = folder / FILE.name
    served.write_text(text)
    async with RecordingUpstream(always=Office(text, served)) as office:
        options = ("--watch", "--quiet", "--base-uri", f"office={office.url}")
        async with serving(served, *options, ports=(9090,)) as server:
            await suite.run(server.mcp, revision, folder)


def report(revision: str, verdicts: Sequence[Verdict], required: set[str]) -> None:
    print(f"\n{revision}: {len(verdicts)} scenarios, of which {len(required)} are required")
    for verdict in verdicts:
        word = "FAILED" if not verdict.passed else "unasked" if verdict.is_excepted else "passed"
        counts = ", ".join(f"{number} {status.lower()}" for status, number in sorted(verdict.counts.items()))
        notes = [f"unasked: {topic}" for topic in verdict.topics]
        notes += [] if verdict.scenario in required else ["not required"]
        print(f"  {word:7} {verdict.scenario:44} {'; '.join([counts, *notes])}")
        for fault in verdict.faults:
            print(f"          {fault}")


def run(revisions: Sequence[str], text: str, exceptions: Mapping[str, Unasked]) -> int:
    """How many scenarios are not as they should be."""
    suite, failed, used = Suite(), 0, set()
    for revision in revisions:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            asyncio.run(run_revision(suite, revision, text, folder))
            checks = checks_in(folder)
        required = suite.required(revision)
        wanted = suite.scenarios(revision) | required
        verdicts = [judge(scenario, checks.get(scenario, ()), exceptions) for scenario in sorted(wanted)]
        report(revision, verdicts, required)
        failed += sum(not verdict.passed for verdict in verdicts)
        used |= wanted
    if len(revisions) == len(REVISIONS) and (stale := {name.partition("/")[0] for name in exceptions} - used):
        raise SystemExit(f"exceptions for what the suite does not have: {', '.join(sorted(stale))}")
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help=f"of {', '.join(REVISIONS)}; absent: all")
    parser.add_argument("--file", type=Path, default=FILE, help="the capability file that is served")
    options = parser.parse_args()
    if unknown := set(options.revisions) - set(REVISIONS):
        parser.error(f"there is no revision {', '.join(unknown)}")
    exceptions = read_exceptions(HERE / "conformance" / "exceptions.yaml")
    failed = run(options.revisions or REVISIONS, options.file.read_text(), exceptions)
    print(f"\n{failed} failed" if failed else "\nall as they should be")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
