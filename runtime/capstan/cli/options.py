"""What several verbs are told on the command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final, get_args
from urllib.parse import urlsplit

from capstan.errors import CapabilityError
from capstan.load.model import Effect, Selecting, Selector
from capstan.plan.variables import read_values

SANDBOX_PORT: Final = 8181
_EFFECTS: Final = get_args(Effect)


class UsageError(CapabilityError):
    """The command line makes no sense."""


def count_of_files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def connection_options(parser: argparse.ArgumentParser, sandbox: str) -> None:
    parser.add_argument("--env-file", action="append", default=[], metavar="FILE",
                        help="lines of KEY=value; the process environment goes first")  # fmt: skip
    parser.add_argument("--base-uri", action="append", default=[], metavar="NAMESPACE=URL",
                        help="call this URL in place of a consumed namespace's baseUri")  # fmt: skip
    parser.add_argument("--sandbox", action="store_true", help=sandbox)
    parser.add_argument("--sandbox-port", type=int, default=SANDBOX_PORT, metavar="N", help=f"default {SANDBOX_PORT}")


def selection_options(parser: argparse.ArgumentParser) -> None:
    """Which tools, of those that the files publish."""
    parser.add_argument("--tool", action="append", default=[], metavar="NAME",
                        help="publish this tool alone, or those of a pattern as 'list-*' (repeatable)")  # fmt: skip
    parser.add_argument("--tag", action="append", default=[], metavar="TAG",
                        help="publish the tools of this tag alone (repeatable)")  # fmt: skip
    parser.add_argument("--effect", action="append", default=[], choices=_EFFECTS,
                        help="publish the tools of this effect alone (repeatable)")  # fmt: skip
    parser.add_argument("--tools", choices=("all", "search"),
                        help="list all tools, or three in their place that find, describe and call them")  # fmt: skip


def is_searched(options: argparse.Namespace) -> bool | None:
    return None if options.tools is None else bool(options.tools == "search")


def selectors(options: argparse.Namespace) -> tuple[Selecting, ...]:
    kinds: tuple[Selector, ...] = ("name", "tag", "effect")
    given = (options.tool, options.tag, options.effect)
    return tuple(Selecting(kind, text) for kind, texts in zip(kinds, given, strict=True) for text in texts)


def environ_of(options: argparse.Namespace, *, process: bool = True) -> dict[str, str]:
    """The variables that files find; without `process`, those that do not come from the process environment."""
    environ: dict[str, str] = {}
    if options.sandbox:
        from capstan.sandbox import DEMO_VARIABLES

        environ |= DEMO_VARIABLES
    for name in options.env_file:
        try:
            environ |= {key: str(value) for key, value in read_values(Path(name)).items()}
        except OSError as error:
            raise UsageError(f"--env-file {name} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"--env-file {name} does not hold lines of KEY=value") from error
    return {**environ, **os.environ} if process else environ


def stand_ins(port: int) -> dict[str, str]:
    """The hosts that the sandbox is called for."""
    from capstan.sandbox import HOSTS

    return dict.fromkeys(HOSTS, f"http://127.0.0.1:{port}")


def base_uris(options: argparse.Namespace) -> dict[str, str]:
    found = {}
    for text in options.base_uri:
        namespace, equals, url = text.partition("=")
        parts = urlsplit(url)
        if not equals or parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise UsageError(f"--base-uri takes NAMESPACE=URL, not '{text}'")
        found[namespace] = url
    return found
