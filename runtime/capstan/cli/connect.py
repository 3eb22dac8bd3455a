"""`connect`: the configuration of a client, printed or merged into its file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from capstan.cli.options import UsageError, environ_of
from capstan.connect import CLIENTS, Client, ConnectError, Server, configuration, merged, server_of, write

__all__ = ["CLIENTS", "connect"]


def connect(options: argparse.Namespace) -> int:
    client: Client = CLIENTS[options.client]
    if client.remote is None and options.url is None:
        options.stdio = True
    if options.stdio and options.url is not None:
        raise UsageError("--url is where a server runs, with --stdio the client starts one: give one of them")
    if options.stdio and options.port_offset:
        raise UsageError("--port-offset moves the ports of a server that runs; with --stdio there are none")
    if (options.env_file or options.sandbox) and not options.stdio:
        raise UsageError("--env-file and --sandbox are for a server that the client starts: add --stdio")
    server = _server(options)
    writes = options.write or options.into is not None
    if options.client == "chatgpt":
        return _tell_chatgpt(server, writes=writes)
    if server.variables and not client.asks:
        names = ", ".join(server.variables)
        raise ConnectError(
            f"{client.title} gives a server only what stands in its own file, where no credential belongs: "
            f"put {names} into a file of KEY=value lines and name it with --env-file"
        )
    found = configuration(client, server)
    path = Path(options.into) if options.into is not None else client.file() if client.file is not None else None
    if not writes:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        if path is not None:
            _tell(f"that goes into {path} (--write puts it there); then {client.after}")
        return 0
    if path is None:
        raise UsageError("no file is known of a client of no name: say --into FILE")
    text, replaced = merged(path, found)
    write(path, text)
    then = f"; now {client.after}" if client.after else ""
    _tell(f"'{server.name}' is {'replaced' if replaced else 'added'} in {path}{then}")
    return 0


def _tell(text: str) -> None:
    print(f"capstan: {text}", file=sys.stderr)


def _server(options: argparse.Namespace) -> Server:
    if not options.paths:
        if options.url is None:
            raise UsageError("name the capability files, or with --url where they are served")
        return Server(options.name or "capstan", options.url, (), ())
    passed = []
    for file in options.env_file:
        passed += ["--env-file", str(Path(file).resolve())]
    if options.sandbox:
        passed.append("--sandbox")
    given = environ_of(options, process=False) if options.stdio else {}
    return server_of(options.paths, stdio=options.stdio, name=options.name, url=options.url,
                     port_offset=options.port_offset, options=passed, given=given)  # fmt: skip


def _tell_chatgpt(server: Server, *, writes: bool) -> int:
    """ChatGPT has no file: what is typed into its form."""
    if writes:
        raise UsageError("ChatGPT has no file to write: what is printed is typed into its settings")
    if server.url is None:
        raise ConnectError("ChatGPT starts no servers: it needs the address of one that runs, --url https://...")
    if not server.url.startswith("https://"):
        raise ConnectError(
            f"ChatGPT calls from the internet and does not reach {server.url}: put what speaks TLS and knows its "
            "callers in front of Capstan, and give its address, --url https://..."
        )
    print(f"Name: {server.name}")
    print(f"MCP Server URL: {server.url}")
    print("Authentication: that of what stands in front of Capstan")
    _tell("in ChatGPT: Settings > Apps > Advanced settings > Developer mode, then Settings > Apps > Create app")
    return 0
