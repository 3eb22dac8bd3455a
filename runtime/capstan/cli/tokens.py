"""`tokens`: what the lists of tools cost whoever reads them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from capstan.cli.options import UsageError, is_searched, selectors
from capstan.errors import CapabilityError, LoadError, Problem, in_file_order
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.select import select_tools, with_list
from capstan.plan.site import Offer, Site, join_plans

BYTES_PER_TOKEN: Final = 4
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of tools of one endpoint, or of several with the same one."""

    port: int | None  # None: standard input and output
    paths: tuple[str, ...]
    size: int
    tools: tuple[tuple[str, int], ...]  # the name and the bytes of each, the largest first

    @property
    def name(self) -> str:
        return "stdio" if self.port is None else f"{' and '.join(self.paths)} on port {self.port}"

    def as_json(self) -> dict[str, Any]:
        where = {"transport": "stdio"} if self.port is None else {"port": self.port, "paths": list(self.paths)}
        tools = [{"name": name, "bytes": size, "tokens": tokens_of(size)} for name, size in self.tools]
        return {**where, "bytes": self.size, "tokens": tokens_of(self.size), "tools": tools}


def tokens(options: argparse.Namespace) -> int:
    if options.budget is not None and options.budget < 1:
        raise UsageError("--budget takes a number of tokens from 1 on")
    listings = list(_listings(_site(options)))
    if not listings:
        raise CapabilityError("there is no MCP adapter here, and so no list of tools")
    if options.json:
        print(json.dumps([listing.as_json() for listing in listings], ensure_ascii=False, indent=2))
    else:
        _print(listings)
    over = [one for one in listings if options.budget is not None and tokens_of(one.size) > options.budget]
    for listing in over:
        count = tokens_of(listing.size)
        largest = ", ".join(f"{name} ({tokens_of(size):,})" for name, size in listing.tools[:_MOST_NAMED])
        told = f"about {count:,} tokens, {count - options.budget:,} more than the budget of {options.budget:,}"
        print(f"capstan: the list of {listing.name} has {told}; the largest tools: {largest}", file=sys.stderr)
    return int(bool(over))


def tokens_of(size: int) -> int:
    """An estimate: it is a model's own affair how it cuts text into tokens."""
    return -(-size // BYTES_PER_TOKEN)


def _site(options: argparse.Namespace) -> Site:
    """What would be served of the files. No variable is needed: none stands in a list."""
    files, _ = find_files(options.paths)
    problems: list[Problem] = []
    plans = []
    for path in files:
        try:
            plans.append(plan_file(path, settings=os.environ)[0])
        except LoadError as error:
            problems += error.problems
    if problems:
        raise LoadError(in_file_order(problems, files))
    return join_plans(with_list(select_tools(plans, selectors(options)), is_searched=is_searched(options)))[0]


def _listings(site: Site) -> Iterator[Listing]:
    for port in site.ports:
        alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for path, offer in port.endpoints:
            alike.setdefault(_texts(offer), []).append(path)
        for texts, paths in alike.items():
            yield _listing(port.port, tuple(paths), texts)
    if site.stdio is not None:
        yield _listing(None, (), _texts(site.stdio))


def _texts(offer: Offer) -> tuple[tuple[str, str], ...]:
    """Each tool as `tools/list` sends it."""
    from capstan.expose.mcp_tools import listed_tools

    return tuple((tool.name, tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in listed_tools(offer))


def _listing(port: int | None, paths: tuple[str, ...], texts: Sequence[tuple[str, str]]) -> Listing:
    tools = [(name, len(text.encode())) for name, text in texts]
    whole = len("[]") + sum(size for _, size in tools) + max(len(tools) - 1, 0)  # commas
    return Listing(port, paths, whole, tuple(sorted(tools, key=lambda one: (-one[1], one[0]))))


def _print(listings: Sequence[Listing]) -> None:
    for number, listing in enumerate(listings):
        count = f"{len(listing.tools)} tool{'' if len(listing.tools) == 1 else 's'}"
        if number:
            print()
        print(f"{listing.name}: {count}")
        print("    bytes   tokens")
        for name, size in listing.tools:
            print(f"{size:9,}{tokens_of(size):9,}  {name}")
        print(f"{listing.size:9,}{tokens_of(listing.size):9,}  the whole list")
