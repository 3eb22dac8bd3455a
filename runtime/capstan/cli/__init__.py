"""Arguments -> one call into the public API -> text and an exit code: 0 done, 1 failed, 2 bad usage.

Data goes to standard output, talk to standard error. A verb imports what serves inside its command, for `validate` must
answer without loading a server stack.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from capstan.cli import call, check, connect, sandbox, serve, tokens
from capstan.cli.options import SANDBOX_PORT, UsageError, connection_options, selection_options
from capstan.errors import CapabilityError, LoadError
from capstan.resources import VERSION
from capstan.terminal import print_problems

_EXAMPLES: Final = """\
examples:
  capstan validate capabilities/              is every file right? (works offline)
  capstan explain capabilities/hello.yaml     what will each call do?
  capstan serve capabilities/                 REST on 8080, MCP on 9090
  capstan call FILE get-order order_id=o-1    one call from the shell
  capstan serve capabilities/ --sandbox       all of it against a sandbox of its own: no account, no network
  capstan connect claude-code FILE            what an agent's client has to be told
  capstan tokens FILE --budget 4000           what does its list of tools cost an agent?
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The `capstan` command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except UsageError as error:
        print(f"capstan: {error}", file=sys.stderr)
        return 2
    except LoadError as error:
        print_problems(error.problems)
        return 1
    except CapabilityError as error:
        print(f"capstan: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `capstan explain ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="capstan", description="Run capability files: REST and MCP in front of an HTTP API, from YAML.",
        epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"capstan {VERSION}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    validate = _verb(verbs, "validate", check.validate, "check files without running anything")
    validate.add_argument("paths", nargs="+", metavar="PATH", help="capability files and folders of them")
    validate.add_argument("--json", action="store_true", help="print the problems as JSON")
    validate.add_argument("--together", action="store_true", help="check too that the files can be served together")

    told = _verb(verbs, "explain", check.explain_file, "show what each operation and tool of a file will do")
    told.add_argument("file", metavar="FILE")
    told.add_argument("--json", action="store_true", help="print the whole plan as JSON")

    calling = _verb(verbs, "call", call.call, "call one operation or tool of a file")
    calling.add_argument("file", metavar="FILE")
    calling.add_argument("unit", metavar="NAME", help="the name of an operation or tool")
    calling.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="KEY=text, KEY:=json or KEY=@file of JSON")
    calling.add_argument("--json", action="store_true", help="print the answer as one line of JSON, an error too")
    connection_options(calling, "call a sandbox that runs, in place of the hosts it stands in for")

    serving = _verb(verbs, "serve", serve.serve_files, "serve files over REST and MCP")
    serving.add_argument("paths", nargs="+", metavar="PATH", help="capability files and folders of them")
    connection_options(serving, "start a sandbox and call it in place of the hosts it stands in for")
    serving.add_argument("--host", help="address to listen on, in place of the files' own (default 127.0.0.1)")
    serving.add_argument("--port-offset", type=int, default=0, metavar="N", help="added to every port")
    serving.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the ports")
    serving.add_argument("--watch", action="store_true", help="reload changed files; keep the last good state")
    serving.add_argument("--cors-origin", action="append", default=[], metavar="ORIGIN",
                       help="let pages of this origin call (repeatable; * for any)")  # fmt: skip
    serving.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                       help="a further name this server goes by, as a proxy in front sends it")  # fmt: skip
    serving.add_argument("--log-format", choices=("text", "json"), default="text")
    serving.add_argument(
        "--stdio", action="store_true", help="speak MCP on standard input and output, and serve no port"
    )
    selection_options(serving)
    serving.add_argument("--quiet", action="store_true", help="log only what goes wrong")
    serving.add_argument("--sandbox-db", metavar="FILE", help="where that sandbox keeps its state; else in memory")

    _add_agents(verbs)

    standing_in = _verb(
        verbs, "sandbox", sandbox.sandbox, "serve the stateful stand-in for the bundled capabilities' APIs"
    )
    standing_in.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    standing_in.add_argument("--port", type=int, default=SANDBOX_PORT, metavar="N", help=f"default {SANDBOX_PORT}")
    standing_in.add_argument("--db", metavar="FILE", help="where its state is kept; else in memory")
    standing_in.add_argument("--capstan", metavar="URL", help="where REST is served, for its pages to call and lead to")
    standing_in.add_argument("--rate-limits", action="store_true", help="refuse too many calls, as the real APIs do")
    standing_in.add_argument("--end-with-input", action="store_true", help=argparse.SUPPRESS)
    return parser


def _add_agents(verbs: Any) -> None:
    """What is of use to those who serve agents."""
    counting = _verb(verbs, "tokens", tokens.tokens, "show what the lists of MCP tools cost their readers")
    rule = f"a token is taken for {tokens.BYTES_PER_TOKEN} bytes of it"
    counting.epilog = f"Bytes are those of the JSON that tools/list sends, in UTF-8; {rule}."
    counting.add_argument("paths", nargs="+", metavar="PATH", help="capability files and folders of them")
    counting.add_argument("--budget", type=int, metavar="N", help="end with 1 where a list has more than N tokens")
    counting.add_argument("--json", action="store_true", help="print the sizes as JSON")
    selection_options(counting)

    connecting = _verb(verbs, "connect", connect.connect, "print the configuration of an agent's client")
    connecting.add_argument("client", choices=tuple(connect.CLIENTS), metavar="CLIENT", help=", ".join(connect.CLIENTS))
    connecting.add_argument("paths", nargs="*", metavar="PATH", help="the capability files and folders it is to use")
    connecting.add_argument("--stdio", action="store_true", help="the client starts Capstan itself")
    connecting.add_argument("--url", help="where MCP is served, in place of this machine's ports")
    connecting.add_argument("--port-offset", type=int, default=0, metavar="N", help="as of serve")
    connecting.add_argument("--name", help="what the client calls it")
    connecting.add_argument("--env-file", action="append", default=[], metavar="FILE",
                            help="with --stdio: where the credentials stand")  # fmt: skip
    connecting.add_argument("--sandbox", action="store_true", help="with --stdio: the client starts a sandbox too")
    connecting.add_argument("--write", action="store_true", help="put it into the client's file; what is there stays")
    connecting.add_argument("--into", metavar="FILE", help="put it into this file")


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def run() -> NoReturn:
    """The console script."""
    # Loading makes hundreds of thousands of objects and hardly any cyclic garbage: looking for it is half the time of
    # `validate`. A server turns it on again once it has loaded.
    gc.disable()
    sys.exit(main())
