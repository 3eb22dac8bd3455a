"""Arguments -> one call into the public API -> text and an exit code: 0 done, 1 failed, 2 bad usage.

Data goes to standard output, talk to standard error. `serve` is imported inside its command, for `validate` must answer
without loading a server stack.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO
from urllib.parse import urlsplit

from capstan.errors import CallError, CapabilityError, LoadError, Problem, in_file_order
from capstan.explained.page import print_explained
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.explain import explain
from capstan.plan.types import CapabilityPlan, UnitPlan
from capstan.plan.variables import read_values
from capstan.resources import VERSION
from capstan.settings import is_loopback
from capstan.terminal import print_problems

if TYPE_CHECKING:
    from capstan.companion import Companion
    from capstan.plan.site import Site
    from capstan.serve import Options as ServeOptions

_EXAMPLES: Final = """\
examples:
  capstan validate capabilities/              is every file right? (works offline)
  capstan explain capabilities/hello.yaml     what will each call do?
  capstan serve capabilities/                 REST on 8080, MCP on 9090
  capstan call FILE get-order order_id=o-1    one call from the shell
  capstan serve capabilities/ --sandbox       all of it against a sandbox of its own: no account, no network
"""
_SANDBOX_PORT: Final = 8181
_MOST_SHOWN: Final = 10


class UsageError(CapabilityError):
    """The command line makes no sense."""


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

    validate = _verb(verbs, "validate", _validate, "check files without running anything")
    validate.add_argument("paths", nargs="+", metavar="PATH", help="capability files and folders of them")
    validate.add_argument("--json", action="store_true", help="print the problems as JSON")
    validate.add_argument("--together", action="store_true", help="check too that the files can be served together")

    told = _verb(verbs, "explain", _explain, "show what each operation and tool of a file will do")
    told.add_argument("file", metavar="FILE")
    told.add_argument("--json", action="store_true", help="print the whole plan as JSON")

    call = _verb(verbs, "call", _call, "call one operation or tool of a file")
    call.add_argument("file", metavar="FILE")
    call.add_argument("unit", metavar="NAME", help="the name of an operation or tool")
    call.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="KEY=text, KEY:=json or KEY=@file of JSON")
    call.add_argument("--json", action="store_true", help="print the answer as one line of JSON, an error too")
    _connection_options(call, "call a sandbox that runs, in place of the hosts it stands in for")

    serve = _verb(verbs, "serve", _serve, "serve files over REST and MCP")
    serve.add_argument("paths", nargs="+", metavar="PATH", help="capability files and folders of them")
    _connection_options(serve, "start a sandbox and call it in place of the hosts it stands in for")
    serve.add_argument("--host", help="address to listen on, in place of the files' own (default 127.0.0.1)")
    serve.add_argument("--port-offset", type=int, default=0, metavar="N", help="added to every port")
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes that share the ports")
    serve.add_argument("--watch", action="store_true", help="reload changed files; keep the last good state")
    serve.add_argument("--cors-origin", action="append", default=[], metavar="ORIGIN",
                       help="let pages of this origin call (repeatable; * for any)")  # fmt: skip
    serve.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                       help="a further name this server goes by, as a proxy in front sends it")  # fmt: skip
    serve.add_argument("--log-format", choices=("text", "json"), default="text")
    serve.add_argument("--quiet", action="store_true", help="log only what goes wrong")
    serve.add_argument("--sandbox-db", metavar="FILE", help="where that sandbox keeps its state; else in memory")

    sandbox = _verb(verbs, "sandbox", _sandbox, "serve the stateful stand-in for the bundled capabilities' APIs")
    sandbox.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    sandbox.add_argument("--port", type=int, default=_SANDBOX_PORT, metavar="N", help=f"default {_SANDBOX_PORT}")
    sandbox.add_argument("--db", metavar="FILE", help="where its state is kept; else in memory")
    sandbox.add_argument("--capstan", metavar="URL", help="where REST is served, for its pages to call and lead to")
    sandbox.add_argument("--rate-limits", action="store_true", help="refuse too many calls, as the real APIs do")
    sandbox.add_argument("--end-with-input", action="store_true", help=argparse.SUPPRESS)
    return parser


def _verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _connection_options(parser: argparse.ArgumentParser, sandbox: str) -> None:
    parser.add_argument("--env-file", action="append", default=[], metavar="FILE",
                        help="lines of KEY=value; the process environment goes first")  # fmt: skip
    parser.add_argument("--base-uri", action="append", default=[], metavar="NAMESPACE=URL",
                        help="call this URL in place of a consumed namespace's baseUri")  # fmt: skip
    parser.add_argument("--sandbox", action="store_true", help=sandbox)
    parser.add_argument("--sandbox-port", type=int, default=_SANDBOX_PORT, metavar="N", help=f"default {_SANDBOX_PORT}")


# --- validate and explain


def _validate(options: argparse.Namespace) -> int:
    found, passed = find_files(options.paths)
    problems: list[Problem] = []
    plans = []
    wrong: set[str] = set()
    for path in found:
        try:
            plan, warnings = plan_file(path)
        except LoadError as error:
            problems += error.problems
            wrong.add(str(path))  # whatever file the problems are of
        else:
            plans.append(plan)
            problems += warnings
    if options.together:
        from capstan.plan.site import join_plans

        try:
            problems += join_plans(plans)[1]
        except LoadError as error:
            problems += error.problems
    problems = in_file_order(problems, found)
    failed = any(problem.severity == "error" for problem in problems)
    if options.json:
        print(json.dumps([problem.as_json() for problem in problems], ensure_ascii=False, indent=2))
        return int(failed)
    print_problems(problems)
    wrong |= {problem.at.file for problem in problems if problem.severity == "error"} & set(map(str, found))
    for path in passed:
        print(f"{path} is no capability file and is passed over", file=sys.stderr)
    print(f"{_files(len(found))}: {len(found) - len(wrong)} right, {len(wrong)} wrong", file=sys.stderr)
    return int(failed)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _explain(options: argparse.Namespace) -> int:
    if Path(options.file).is_dir():
        inside = find_files([options.file])[0]
        shown = "".join(f"\n  capstan explain {file}" for file in inside[:_MOST_SHOWN])
        more = f"\n  and {len(inside) - _MOST_SHOWN} more" if len(inside) > _MOST_SHOWN else ""
        raise UsageError(f"{options.file} is a folder; give one file:{shown}{more}")
    plan, warnings = plan_file(options.file, settings=os.environ)
    told = explain(plan)
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=2, default=str))
        return 0
    print_problems(warnings)
    print_explained(told)
    return 0


# --- call and serve


def _environ(options: argparse.Namespace) -> dict[str, str]:
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
    return {**environ, **os.environ}


def _stand_ins(port: int) -> dict[str, str]:
    """The hosts that the sandbox is called for."""
    from capstan.sandbox import HOSTS

    return dict.fromkeys(HOSTS, f"http://127.0.0.1:{port}")


def _base_uris(options: argparse.Namespace) -> dict[str, str]:
    found = {}
    for text in options.base_uri:
        namespace, equals, url = text.partition("=")
        parts = urlsplit(url)
        if not equals or parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise UsageError(f"--base-uri takes NAMESPACE=URL, not '{text}'")
        found[namespace] = url
    return found


def _call(options: argparse.Namespace) -> int:
    from capstan.call.engine import open_engine
    from capstan.settings import read_settings

    plan, _ = plan_file(options.file, _environ(options), _base_uris(options))
    unit = _called(plan, options)
    arguments = _arguments(options.arguments, {item.name: item.schema for item in unit.inputs})
    settings = replace(read_settings(os.environ), stand_ins=_stand_ins(options.sandbox_port) if options.sandbox else {})

    async def run() -> tuple[int, Any]:
        async with open_engine(settings) as engine:
            answer = await engine.units(plan)[id(unit)].call(arguments)
            if answer.response is None:
                return answer.status, answer.value if not answer.empty else dict(answer.headers)
            body = await answer.response.read(settings.max_parsed_bytes)
            answer.response.close()
            return answer.status, body or {"status": answer.status, **dict(answer.headers)}

    try:
        status, value = asyncio.run(run())
    except CallError as error:
        from capstan.call.problem import problem_of

        print(json.dumps(problem_of(error), ensure_ascii=False, indent=None if options.json else 2),
              file=sys.stdout if options.json else sys.stderr)  # fmt: skip
        return 1
    if isinstance(value, bytes):
        try:
            value = json.loads(value)
        except ValueError:
            sys.stdout.buffer.write(value)
            return 0
    print(json.dumps(value, ensure_ascii=False, indent=None if options.json else 2))
    if not options.json:
        print(f"status {status}", file=sys.stderr)
    return 0


def _called(plan: CapabilityPlan, options: argparse.Namespace) -> UnitPlan:
    """The operation, else the tool, else the resource of a name. What a prompt calls has no name of its own."""
    kinds: dict[str, list[UnitPlan]] = {
        "an operation": [operation.unit for adapter in plan.rest for operation in adapter.operations],
        "a tool": [tool.unit for adapter in plan.mcp for tool in adapter.tools],
        "a resource": [r.source for adapter in plan.mcp for r in adapter.resources if isinstance(r.source, UnitPlan)],
    }
    found = [(kind, unit) for kind, units in kinds.items() for unit in units if unit.name == options.unit]
    if not found:
        from capstan.load.schema import suggest

        names = dict.fromkeys(unit.name for units in kinds.values() for unit in units)
        raise UsageError(f"{options.file} has no '{options.unit}'; {suggest(options.unit, names)}")
    kind, unit = found[0]
    others = [
        other for other, one in found[1:] if (one.call, one.flow, one.shape) != (unit.call, unit.flow, unit.shape)
    ]
    if others:
        also = " and ".join(dict.fromkeys("another" if other == kind else other for other in others))
        print(f"capstan: '{unit.name}' is called as {kind}; {also} of that name does something else", file=sys.stderr)
    return unit


def _arguments(texts: Sequence[str], schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`KEY=text`, read as the input's type; `KEY:=json`; `KEY=@file`."""
    from capstan.errors import BindError
    from capstan.expose.arguments import read_json, reader_of
    from capstan.load.expression import match_name

    found: dict[str, Any] = {}
    for text in texts:
        written, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"'{text}' is not KEY=VALUE")
        is_json = written.endswith(":")
        key = written.removesuffix(":")
        key = match_name(key, schemas) or key  # `order_id` for a route's `order-id`
        try:
            if is_json:
                taken = read_json(value.encode())
            elif value.startswith("@"):
                taken = read_json(Path(value[1:]).read_bytes())
            else:
                taken = reader_of(schemas.get(key, {}))(value)
        except OSError as error:
            raise UsageError(f"{value[1:]} cannot be read: {error.strerror}") from error
        except BindError as error:
            raise UsageError(f"'{key}': {str(error).replace('the body', 'the value')}") from error
        except ValueError as error:
            raise UsageError(f"'{key}': '{value}' is not {error}") from error
        if key in found and isinstance(found[key], list) and isinstance(taken, list):
            found[key] += taken  # an array is given by repeating it
        elif key in found:
            raise UsageError(f"'{key}' is given twice")
        else:
            found[key] = taken
    return found


def _serve(options: argparse.Namespace) -> int:
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
        base_uris=_base_uris(options),
        environ=_environ(options),
        workers=options.workers,
        watch=options.watch,
        origins=frozenset(origins),
        hosts=frozenset(host.lower() for host in options.allow_host),
        stand_ins=_stand_ins(_companion_port(options)) if options.sandbox else {},
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
    print(f"capstan {VERSION} ready: {', '.join((*doors, *also))} ({_files(count)})", file=stream, flush=True)
    if companion is None:
        return
    from capstan.sandbox import welcome

    found = _first_urls(doors)
    mcp_url = found.get("MCP") if found.get("MCP") != "stdio" else None
    print(welcome(found.get("REST"), mcp_url, companion.url), file=stream, flush=True)


def _first_urls(doors: Sequence[str]) -> dict[str, str]:
    """The first URL of each kind: `REST`, `MCP`."""
    return {kind: url for kind, _, url in (door.partition(" ") for door in reversed(doors))}


# --- sandbox


def _sandbox(options: argparse.Namespace) -> int:
    from capstan import log, sandbox
    from capstan.companion import READY, end_with_input

    if not 0 <= options.port < 65536:
        raise UsageError(f"{options.port} is no port")
    if options.capstan is not None and not _is_origin(options.capstan):
        raise UsageError(f"--capstan takes http://host:port, not '{options.capstan}'")
    log.configure("text", quiet=True)
    if options.end_with_input:
        end_with_input()
    gc.enable()

    def ready(url: str) -> None:
        print(f"{READY}{url}", flush=True)

    return sandbox.run(
        host=options.host, port=options.port, database=options.db, rate_limits=options.rate_limits,
        capstan_url=options.capstan and options.capstan.rstrip("/"), ready=ready,
    )  # fmt: skip


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.netloc)
        and url.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    )


def run() -> NoReturn:
    """The console script."""
    # Loading makes hundreds of thousands of objects and hardly any cyclic garbage: looking for it is half the time of
    # `validate`. A server turns it on again once it has loaded.
    gc.disable()
    sys.exit(main())
