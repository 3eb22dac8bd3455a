"""Files and a client's name -> that client's configuration, as its makers publish the form of it.

A client either starts Capstan itself, over stdio, or is told where it runs. No credential is ever written: a file that
needs some names the file they stand in, or the client's own way to ask for them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from capstan.errors import CapabilityError, LoadError
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from capstan.plan.types import McpPlan

Entry = dict[str, Any]


class ConnectError(CapabilityError):
    """A client cannot be connected in the way that is asked for."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a client is to be connected to."""

    name: str
    url: str | None  # where it runs; None: the client starts it
    command: tuple[str, ...]
    variables: tuple[str, ...]  # that it needs and nothing of the command gives


@dataclass(frozen=True, slots=True)
class Client:
    """How one client is configured."""

    title: str
    key: str  # of the mapping of servers in its file
    remote: Callable[[str], Entry] | None  # None: it reaches no URL of its file
    stdio: Callable[[Server], Entry] | None  # None: it starts nothing
    file: Callable[[], Path] | None  # None: it has no file that Capstan knows
    after: str = ""
    asks: bool = True  # its file names variables that it fills in or asks for


def server_of(
    paths: Sequence[str], *, stdio: bool, name: str | None, url: str | None, port_offset: int, options: Sequence[str],
    given: Mapping[str, str],
) -> Server:  # fmt: skip
    """The server of some files. `options` go to `serve`, `given` are the variables that they bring.

    Raises:
        LoadError: a file is wrong.
        ConnectError: no file has an MCP adapter.
    """
    files, _ = find_files(paths)
    found = [(path, adapter) for path in files for adapter in plan_file(path)[0].mcp]
    if not found:
        raise ConnectError("there is no MCP adapter in what is named here")
    adapters = [adapter for _, adapter in found]
    told = name or (_name(adapters[0]) if len(adapters) == 1 else "capstan")
    if not stdio:
        return Server(told, url or _url(adapters, port_offset), (), ())
    command = [*_executable(), "serve", *(str(Path(path).resolve()) for path in paths), "--stdio", *options]
    needed = {variable for path in dict.fromkeys(path for path, _ in found) for variable in _needed(path)}
    return Server(told, None, tuple(command), tuple(sorted(needed - given.keys())))


def _name(adapter: McpPlan) -> str:
    return adapter.namespace.removesuffix("-mcp") or adapter.namespace


def _url(adapters: Sequence[McpPlan], port_offset: int) -> str:
    ports = sorted({adapter.port for adapter in adapters if adapter.port is not None})
    if len(ports) != 1 or any(adapter.port is None for adapter in adapters):
        at = ", ".join(map(str, ports)) or "stdio alone"
        raise ConnectError(f"these files serve MCP at {at}: name files of one port, or give --url or --stdio")
    path = f"/{adapters[0].namespace}/mcp" if len(adapters) == 1 else "/mcp"
    return f"http://127.0.0.1:{ports[0] + port_offset}{path}"


def _executable() -> tuple[str, ...]:
    """What starts this Capstan from any folder, whichever environment is active there."""
    script = Path(sys.executable).with_name("capstan")
    return (str(script),) if os.access(script, os.X_OK) else (sys.executable, "-m", "capstan")


def _needed(path: Path) -> set[str]:
    """The environment variables without which a file is not served."""
    try:
        plan_file(path, {})
    except LoadError as error:
        return {problem.subject for problem in error.problems if problem.code == "missing-variable"} - {""}
    return set()


def configuration(client: Client, server: Server) -> dict[str, Any]:
    """What stands in the client's file for this server.

    Raises:
        ConnectError: the client takes no such server.
    """
    if server.url is not None:
        if client.remote is None:
            raise ConnectError(f"{client.title} starts the servers of its file itself: leave out --url")
        return {client.key: {server.name: client.remote(server.url)}}
    if client.stdio is None:
        raise ConnectError(f"{client.title} starts no servers: it needs the address of one that runs")
    entry = client.stdio(server)
    found: dict[str, Any] = {client.key: {server.name: entry}}
    if client is CLIENTS["vscode"] and server.variables:
        found["inputs"] = [
            {"type": "promptString", "id": name, "description": name, "password": True} for name in server.variables
        ]
    return found


def merged(path: Path, found: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of the client's file with this server in it, and whether it replaces one of its name. The rest stays.

    Raises:
        ConnectError: the file is no JSON object that a server can be put into.
    """
    try:
        text = path.read_text("utf-8")
        present = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        present = {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON (comments are not read)"
        raise ConnectError(f"{path} is left as it is: {reason}; put the printed lines in by hand") from error
    if not isinstance(present, dict):
        raise ConnectError(f"{path} is left as it is: it holds no JSON object")
    replaced = False
    for key, value in found.items():
        if isinstance(value, list):
            wanted = {one["id"] for one in value}
            there = present.get(key, [])
            if not isinstance(there, list):
                raise ConnectError(f"{path} is left as it is: '{key}' is no list there")
            kept = [one for one in there if not (isinstance(one, dict) and one.get("id") in wanted)]
            present[key] = [*kept, *value]
            continue
        servers = present.setdefault(key, {})
        if not isinstance(servers, dict):
            raise ConnectError(f"{path} is left as it is: '{key}' is no object there")
        replaced = any(name in servers for name in value)
        servers.update(value)
    return json.dumps(present, ensure_ascii=False, indent=2) + "\n", replaced


def write(path: Path, text: str) -> None:
    """Replace the client's file as a whole, so that no half of one is ever read, and whoever may read it stays.

    Raises:
        ConnectError: it cannot be written.
    """
    target = path.resolve()  # a link stays a link
    beside = target.with_name(f".{target.name}.capstan")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        beside.unlink(missing_ok=True)
        beside.touch(mode, exist_ok=False)
        beside.write_text(text, "utf-8")
        beside.replace(target)
    except OSError as error:
        raise ConnectError(f"{path} cannot be written: {error.strerror}") from error


# --- the clients


def _started(variable: Callable[[str], str] | None, *, kind: bool = True) -> Callable[[Server], Entry]:
    """An entry of a server that the client starts; `variable` is how its file names a variable."""

    def entry(server: Server) -> Entry:
        found: Entry = {"type": "stdio"} if kind else {}
        found |= {"command": server.command[0], "args": list(server.command[1:])}
        if server.variables:
            assert variable is not None
            found["env"] = {name: variable(name) for name in server.variables}
        return found

    return entry


def _typed(url: str) -> Entry:
    return {"type": "http", "url": url}


def _untyped(url: str) -> Entry:
    return {"url": url}


def _desktop_file() -> Path:
    home = Path.home()
    if sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return folder / "Claude" / "claude_desktop_config.json"


def _claude_variable(name: str) -> str:
    return f"${{{name}}}"


def _cursor_variable(name: str) -> str:
    return f"${{env:{name}}}"


def _vscode_variable(name: str) -> str:
    return f"${{input:{name}}}"


CLIENTS: Final[Mapping[str, Client]] = {
    "claude-desktop": Client(
        "Claude Desktop", "mcpServers", None, _started(None, kind=False), _desktop_file,
        "quit Claude Desktop and start it again", asks=False,
    ),
    "claude-code": Client(
        "Claude Code", "mcpServers", _typed, _started(_claude_variable), lambda: Path(".mcp.json"),
        "start `claude` in this folder and allow the server; /mcp shows it",
    ),
    "cursor": Client(
        "Cursor", "mcpServers", _untyped, _started(_cursor_variable), lambda: Path(".cursor", "mcp.json"),
        "open this folder in Cursor; its MCP settings show the server",
    ),
    "vscode": Client(
        "VS Code", "servers", _typed, _started(_vscode_variable), lambda: Path(".vscode", "mcp.json"),
        "open this folder in VS Code; 'MCP: List Servers' shows it",
    ),
    "chatgpt": Client("ChatGPT", "", _untyped, None, None),
    "generic": Client("a client", "mcpServers", _untyped, _started(None, kind=False), None, asks=False),
}  # fmt: skip
