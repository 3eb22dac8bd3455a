"""`serve`: options checked, the server started, and what to try first told."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from capstan.cli.options import UsageError, base_uris, count_of_files, environ_of, is_searched, selectors, stand_ins
from capstan.errors import LoadError, Problem
from capstan.resources import VERSION
from capstan.settings import is_loopback
from capstan.terminal import print_problems

if TYPE_CHECKING:
    from capstan.companion import Companion
    from capstan.plan.site import Site
    from capstan.serve import Options as ServeOptions


def serve_files(options: argparse.Namespace) -> int:
    from capstan import log, serve
    from capstan.companion import Companion
    from capstan.settings import read_settings

    asked = _serve_options(options)
    log.configure(options.log_format, quiet=options.quiet)
    settings = read_settings(os.environ)
    try:
        site, warnings = serve.load_site(asked)
    except LoadError as error:
        _print_refusal(error.problems)
        return 1
    print_problems(warnings, brief=True)
    if options.sandbox:
        _warn_of_own_credentials(asked.environ)
        _warn_of_real_hosts(site, asked.stand_ins)
        serve.check_ports(site, asked)  # whoever has started it twice is told of the doors, not of the sandbox
    with contextlib.ExitStack() as stack:
        companion = None
        if options.sandbox:
            rest_url = _first_urls(serve.urls(site, asked)).get("REST")
            companion = stack.enter_context(Companion(_companion_port(options), options.sandbox_db, rest_url))

        def ready() -> None:
            stream = sys.stderr if site.stdio is not None else sys.stdout
            _print_ready(serve.urls(site, asked), len(site.capabilities), companion, stream)

        serve.serve(site, asked, settings, ready, companion)
    return 0


def _print_refusal(problems: Sequence[Problem]) -> None:
    """Why nothing is served. A variable that many files ask for is told of once."""
    asked: dict[str, Problem] = {}
    told = []
    for problem in problems:
        if problem.code != "missing-variable" or not problem.subject:
            told.append(problem)
        elif problem.subject not in asked:
            asked[problem.subject] = problem
            told.append(problem)
    print_problems(told)
    if len(told) < len(problems):
        print(f"capstan: the same variables are missing in {len(problems) - len(told)} more places", file=sys.stderr)
    if asked:
        from capstan.sandbox import DEMO_VARIABLES

        instead = ", or try it with --sandbox, which brings its own" if asked.keys() <= DEMO_VARIABLES.keys() else ""
        print(f"capstan: set {', '.join(sorted(asked))} and start again{instead}", file=sys.stderr)


def _warn_of_own_credentials(environ: Mapping[str, str]) -> None:
    """Say which variables are not the sandbox's own: the real ones are often set, and it does not know them."""
    from capstan.sandbox import DEMO_VARIABLES

    own = [name for name, value in DEMO_VARIABLES.items() if environ[name] != value]
    if own:
        told = f"{', '.join(own)} {'is' if len(own) == 1 else 'are'} set here"
        print(f"capstan: {told}; the sandbox refuses what it was not told of", file=sys.stderr)


def _warn_of_real_hosts(site: Site, stand_ins: Mapping[str, str]) -> None:
    """Say which hosts are called in spite of the sandbox."""
    calls = (call for capability in site.capabilities for unit in capability.units for call in unit.calls)
    starts = {start for call in calls if isinstance(start := call.request.origin[0], str)}  # the rest may be a choice
    for host in sorted({host for start in starts if (host := urlsplit(start).hostname)}):
        if host not in stand_ins and not is_loopback(host):
            print(f"capstan: {host} is called for real: the sandbox does not stand in for it", file=sys.stderr)


def _serve_options(options: argparse.Namespace) -> ServeOptions:
    """What is asked of the server, checked."""
    from capstan.serve import Options

    if options.workers < 1:
        raise UsageError("--workers takes a number from 1 on")
    if options.sandbox_db is not None and not options.sandbox:
        raise UsageError("--sandbox-db says where the sandbox of --sandbox keeps its state")
    if options.stdio and (options.host or options.cors_origin or options.allow_host):
        raise UsageError("--stdio listens nowhere: --host, --cors-origin and --allow-host have no meaning beside it")
    for origin in options.cors_origin:
        if origin != "*" and (urlsplit(origin).scheme not in ("http", "https") or not urlsplit(origin).netloc):
            raise UsageError(f"--cors-origin takes https://host or *, not '{origin}'")
    origins = {origin.lower().rstrip("/") for origin in options.cors_origin}
    if options.sandbox:  # its shop is a page that calls us
        origins |= {f"http://{name}:{_companion_port(options)}" for name in ("localhost", "127.0.0.1")}
    return Options(
        paths=tuple(options.paths),
        host=options.host,
        port_offset=options.port_offset,
        base_uris=base_uris(options),
        environ=environ_of(options),
        workers=options.workers,
        watch=options.watch,
        stdio=options.stdio,
        origins=frozenset(origins),
        hosts=frozenset(host.lower() for host in options.allow_host),
        stand_ins=stand_ins(_companion_port(options)) if options.sandbox else {},
        selectors=selectors(options),
        is_searched=is_searched(options),
    )


def _companion_port(options: argparse.Namespace) -> int:
    """Where the sandbox of `serve --sandbox` listens."""
    port: int = options.sandbox_port + options.port_offset
    if not 0 < port < 65536:
        raise UsageError(f"{port} is no port for the sandbox")
    return port


def _print_ready(doors: Sequence[str], count: int, companion: Companion | None, stream: TextIO) -> None:
    """That all is up, and where; beside a sandbox, what to try first too."""
    also = [f"sandbox {companion.url}"] if companion is not None else []
    print(f"capstan {VERSION} ready: {', '.join((*doors, *also))} ({count_of_files(count)})", file=stream, flush=True)
    if companion is None:
        return
    from capstan.sandbox import welcome

    found = _first_urls(doors)
    mcp_url = found.get("MCP") if found.get("MCP") != "stdio" else None
    print(welcome(found.get("REST"), mcp_url, companion.url), file=stream, flush=True)


def _first_urls(doors: Sequence[str]) -> dict[str, str]:
    """The first URL of each kind: `REST`, `MCP`."""
    return {kind: url for kind, _, url in (door.partition(" ") for door in reversed(doors))}
