"""Sockets, signals, lifespans: the only module that starts anything.

Watching replaces the generation behind the ports; connections and MCP sessions stay where they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import uvicorn

from capstan.companion import Companion
from capstan.errors import CapabilityError, LoadError, Problem, in_file_order
from capstan.expose.asgi import Receive, Scope, Send
from capstan.expose.door import Access
from capstan.expose.generation import Generation
from capstan.expose.mcp import McpApp
from capstan.expose.mcp_live import stays_open
from capstan.expose.mcp_offer import LiveOffer
from capstan.listener import LINGER_SECONDS, Listener, Protocol
from capstan.load.files import find_files
from capstan.load.model import Selecting
from capstan.plan.build import plan_file
from capstan.plan.select import select_tools, with_list
from capstan.plan.site import PortPlan, Site, join_plans
from capstan.plan.types import CapabilityPlan
from capstan.settings import Settings, is_loopback
from capstan.workers import ServeError, run_workers

logger = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 0.5
_KEEP_ALIVE_SECONDS: Final = 75  # longer than the proxies in front keep theirs
_BACKLOG: Final = 2048
_GC_THRESHOLD: Final = 50_000

Stamps = dict[Path, tuple[int, int]]  # time of change and size of each file


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator says on the command line."""

    paths: tuple[str, ...]
    host: str | None = None
    port_offset: int = 0
    base_uris: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    watch: bool = False
    stdio: bool = False  # the MCP adapters alone, on standard input and output, whatever their ports
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    stand_ins: Mapping[str, str] = field(default_factory=dict)  # host -> origin, as in Settings
    selectors: tuple[Selecting, ...] = ()  # of the tools that are published; none: all
    is_searched: bool | None = None  # whether three tools are listed in place of all; None: as files say


def load_site(options: Options) -> tuple[Site, tuple[Problem, ...]]:
    """Every file of the command line, planned and joined, and the warnings met on the way.

    Raises:
        LoadError: with every problem of every file.
        SelectionError: what is selected is not there.
    """
    files, passed = find_files(options.paths)
    warnings: list[Problem] = []
    problems: list[Problem] = []
    plans = []
    for path in passed:
        logger.info("%s is no capability file and is passed over", path)
    used: set[str] = set()
    for path in files:
        try:
            plan, told = plan_file(path, options.environ, options.base_uris)
        except LoadError as error:
            problems += error.problems
            continue
        if not plan.rest and not plan.mcp:
            logger.info("%s exposes nothing and is passed over", path)
            continue
        used |= {api.namespace for api in plan.apis}
        plans.append(plan)
        warnings += told
    if problems:
        raise LoadError(problems)
    if not plans:
        raise ServeError("there is nothing to serve: what is here are parts for other files")
    unknown = set(options.base_uris) - used
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ServeError(f"--base-uri names a namespace that no file consumes: {names}")
    if options.stdio:
        plans = [_on_stdio(plan) for plan in plans if plan.mcp]
        if not plans:
            raise ServeError("--stdio speaks MCP, and no file here has an MCP adapter")
    site, told = join_plans(
        with_list(select_tools(plans, options.selectors), is_searched=options.is_searched), options.host
    )
    return site, tuple(in_file_order([*warnings, *told], files))


def _on_stdio(plan: CapabilityPlan) -> CapabilityPlan:
    return replace(plan, rest=(), control=None, mcp=tuple(replace(adapter, port=None) for adapter in plan.mcp))


# --- the server


class _PortApp:
    """What a listening port runs: the door of whatever generation is current."""

    def __init__(self, server: _Server, number: int) -> None:
        self._server, self._number = server, number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        generation = self._server.generation
        # An open MCP stream is no call: it would never end by itself.
        if self._server.is_mcp(self._number, scope["path"]) and stays_open(scope["method"], scope["headers"]):
            await generation.doors[self._number](scope, receive, send)
            return
        generation.enter()
        try:
            await generation.doors[self._number](scope, receive, send)
        finally:
            generation.leave()


class _Server:
    """All ports of one process."""

    def __init__(self, site: Site, options: Options, settings: Settings) -> None:
        self._options, self._settings = options, settings
        self._listeners: dict[int, tuple[Listener, asyncio.Task[None]]] = {}
        self._endpoints: dict[tuple[int, str], McpApp] = {}
        self.stdio: McpApp | None = None
        self._background: set[asyncio.Task[None]] = set()
        self.generation = self._generation(site)

    def _generation(self, site: Site) -> Generation:
        """A new generation; MCP endpoints that exist already get what it offers and keep their sessions."""
        access = {port.port: self._access(port) for port in site.ports}
        generation = Generation(site, self._settings, access, self._options.port_offset)
        wanted = {}
        page = self._settings.tools_per_page
        for port in site.ports:
            for path, plan in port.endpoints:
                offer = LiveOffer(plan, generation.live, page)
                app = self._endpoints.get((port.port, path))
                if app is None:
                    app = McpApp(
                        offer, self._settings, stateless=self._options.workers > 1, watches=self._options.watch
                    )
                wanted[port.port, path] = (app, offer)
        for app, offer in wanted.values():
            app.offer = offer
        gone = [app for key, app in self._endpoints.items() if key not in wanted]
        self._endpoints = {key: app for key, (app, _) in wanted.items()}
        for app in gone:
            self.in_background(app.close())
        if site.stdio is not None:
            offer = LiveOffer(site.stdio, generation.live, page)
            self.stdio = self.stdio or McpApp(offer, self._settings, stateless=False, watches=self._options.watch)
            self.stdio.offer = offer
        generation.open_doors(self._endpoints)
        return generation

    def _access(self, port: PortPlan) -> Access:
        loopback = is_loopback(host_of(port, self._options))
        return Access(loopback, self._options.hosts, self._options.origins)

    def is_mcp(self, number: int, path: str) -> bool:
        return (number, path) in self._endpoints

    async def listen(self, sockets: Mapping[int, socket.socket]) -> None:
        """Accept connections on every port."""
        protocol = Protocol.with_patience(self._settings.request_timeout_seconds)
        for number, bound in sockets.items():
            config = uvicorn.Config(
                _PortApp(self, number), http=protocol, ws="none", lifespan="off", interface="asgi3",
                log_config=None, access_log=False, server_header=False, proxy_headers=False,
                backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(self._settings.stop_timeout_seconds)),
            )  # fmt: skip
            listener = Listener(config)
            task = asyncio.create_task(listener.serve([bound]), name=f"port {number}")
            self._listeners[number] = (listener, task)
        for listener, task in self._listeners.values():
            await asyncio.wait([asyncio.ensure_future(listener.listening.wait()), task],
                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            if task.done():
                task.result()
                raise ServeError("a port stopped listening at once")

    def replace(self, site: Site) -> None:
        """Put a new state behind the ports."""
        old = self.generation
        self.generation = self._generation(site)
        self.in_background(old.retire(self._settings.total_timeout_seconds))

    def in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def has_moved(self, port: PortPlan) -> bool:
        """Whether a port that is open would have to be opened elsewhere."""
        held = {p.port: host_of(p, self._options) for p in self.generation.site.ports if p.port in self._listeners}
        return port.port in held and held[port.port] != host_of(port, self._options)

    @property
    def ports(self) -> set[int]:
        return set(self._listeners)

    async def drop(self, number: int) -> None:
        """Stop listening on one port."""
        listener, task = self._listeners.pop(number)
        listener.should_exit = True
        await task

    async def stop(self) -> None:
        """Take no more connections, let calls finish, close everything."""
        listeners = [listener for listener, _ in self._listeners.values()]
        for listener in listeners:
            listener.should_exit = True
        await asyncio.gather(*(listener.deaf.wait() for listener in listeners))
        if any(listener.is_connected for listener in listeners):
            await asyncio.sleep(LINGER_SECONDS)
        await self.generation.finish(self._settings.stop_timeout_seconds)
        # Only now may streams and sessions end: the last calls may have been answering on them.
        await asyncio.gather(*(app.close() for app in self._endpoints.values()))
        await asyncio.gather(*(task for _, task in self._listeners.values()), return_exceptions=True)
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.generation.engine.close()


def host_of(port: PortPlan, options: Options) -> str:
    """Where to listen: as the operator says, else as the files say, else on this machine only."""
    return options.host or port.address or "127.0.0.1"


def check_ports(site: Site, options: Options) -> None:
    """Raises ServeError when a port cannot be had just now."""
    _close(bind(site, options))


def bind(site: Site, options: Options, already: Collection[int] = ()) -> dict[int, socket.socket]:
    """A listening socket for every port.

    Raises:
        ServeError: a port cannot be had.
    """
    sockets: dict[int, socket.socket] = {}
    try:
        for port in site.ports:
            if port.port in already:
                continue
            number = port.port + options.port_offset
            if not 0 < number < 65536:
                raise ServeError(f"port {port.port} with the offset {options.port_offset} is no port")
            sockets[port.port] = _bind(host_of(port, options), number, shared=options.workers > 1)
    except ServeError:
        _close(sockets)
        raise
    return sockets


def _bind(host: str, number: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, number), family=family, backlog=_BACKLOG, reuse_port=shared)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = (
            "is taken by another program; another --port-offset moves all ports"
            if taken
            else f"cannot be had: {error.strerror}"
        )
        raise ServeError(f"port {number} on {host} {reason}") from error


def urls(site: Site, options: Options) -> list[str]:
    """Where a person finds each door."""
    found = []
    for port in site.ports:
        host = host_of(port, options)
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)
        base = f"http://{shown}:{port.port + options.port_offset}"
        if port.has_rest:
            found.append(f"REST {base}")
        if port.endpoints:
            found.append(f"MCP {base}/mcp")
        if port.controls:
            found.append(f"health {base}/health/ready")
    if site.stdio is not None:
        found.append("MCP stdio")
    return found


async def run(
    site: Site,
    options: Options,
    settings: Settings,
    known: Stamps,
    sockets: Mapping[int, socket.socket],
    ready: Callable[[], None],
    tie: int | None = None,
) -> None:
    """Serve until a signal, the end of the input of a stdio server, or of `tie`, a pipe from another process."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    if tie is not None:
        loop.add_reader(tie, stop.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = _Server(site, options, settings)
    await server.listen(sockets)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    gc.enable()
    ready()
    work: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
    if server.stdio is not None:
        work.append(asyncio.create_task(server.stdio.run_stdio()))
    if options.watch:
        server.in_background(_watch(server, options, stop, known))
    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    if server.stdio is not None:
        server.stdio.end_stdio()
        await asyncio.wait(work, timeout=settings.stop_timeout_seconds)
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    if tie is not None:
        loop.remove_reader(tie)
    await server.stop()


# --- watching


def _stamps(options: Options, site: Site) -> Stamps:
    """What changes when a file does, or one that it imports from."""
    stamps = {}
    with contextlib.suppress(LoadError, OSError):
        imported = [Path(source) for capability in site.capabilities for source in capability.sources]
        for path in (*find_files(options.paths)[0], *imported):
            with contextlib.suppress(OSError):
                found = path.stat()
                stamps[path] = (found.st_mtime_ns, found.st_size)
    return stamps


async def _watch(server: _Server, options: Options, stop: asyncio.Event, known: Stamps) -> None:
    """Load changed files; what is wrong is told, and the last good state goes on."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WATCH_SECONDS)
        found = await loop.run_in_executor(None, _stamps, options, server.generation.site)
        if found == known or stop.is_set():
            continue
        known = found
        try:
            site, warnings = await loop.run_in_executor(None, load_site, options)
            wanted = {port.port for port in site.ports}
            moved = [port.port for port in site.ports if server.has_moved(port)]
            if moved:
                raise ServeError(f"port {moved[0]} cannot change its address without a new start")
            sockets = bind(site, options, server.ports)
        except (CapabilityError, OSError) as error:
            logger.error(  # noqa: TRY400 - the problems say it all
                "the change is not taken over, the last good state goes on:\n%s", error
            )
            continue
        except Exception as fault:  # noqa: BLE001 - one file must not end the watching of all
            # Its kind only, for its text may quote a value.
            logger.error("Capstan failed over the change; the last good state goes on: %s", type(fault).__name__)  # noqa: TRY400
            continue
        for warning in warnings:
            logger.warning("%s: %s [%s]", warning.at, warning.message, warning.code)
        server.replace(site)
        await server.listen(sockets)
        for number in server.ports - wanted:
            await server.drop(number)
        logger.info("reloaded: %s", ", ".join(urls(site, options)))


# --- processes


def serve(
    site: Site, options: Options, settings: Settings, ready: Callable[[], None], companion: Companion | None = None
) -> None:
    """Serve a site in this process, or in `options.workers` processes that share the ports.

    Raises:
        ServeError: a port cannot be had, or `companion` has ended.
    """
    if options.workers > 1 and site.stdio is not None:
        raise ServeError("an MCP server on stdio cannot have several workers")
    settings = replace(settings, stand_ins=options.stand_ins)
    sockets = bind(site, replace(options, workers=1))  # alone: a port that may be shared would seem free
    # A worker that takes a dead one's place starts from this same site, and must see what has changed since.
    known = _stamps(options, site) if options.watch else {}
    if options.workers == 1:
        _run_loop(site, options, settings, known, sockets, ready, companion.pipe if companion is not None else None)
        if companion is not None:
            companion.check()
    else:
        _close(sockets)
        _Share(site, options, settings, known, companion).run(ready)


class _Share:
    """What workers are started from: the site, and a set of sockets for each. Keeps up with changes of the files."""

    def __init__(
        self, site: Site, options: Options, settings: Settings, known: Stamps, companion: Companion | None
    ) -> None:
        self._site, self._options, self._settings, self._known = site, options, settings, known
        self._companion = companion
        self._bound = [bind(site, options) for _ in range(options.workers)]
        self._shares = [list(bound.values()) for bound in self._bound]
        self._looked = time.monotonic()

    def run(self, ready: Callable[[], None]) -> None:
        run_workers(self._shares, self._run_one, ready, self._keep_up)

    def _run_one(self, number: int, tell: Callable[[], None], parent: int) -> None:
        # Ports that came later are bound here: a socket of the parent's, which nobody reads, would swallow connections.
        sockets = {**self._bound[number], **bind(self._site, self._options, self._bound[number])}
        _run_loop(self._site, self._options, self._settings, self._known, sockets, tell, parent)

    def _keep_up(self) -> None:
        """Take over what the workers have taken over; what is wrong they have told already."""
        if self._companion is not None:
            self._companion.check()
        if not self._options.watch or time.monotonic() - self._looked < _WATCH_SECONDS:
            return
        self._looked = time.monotonic()
        found = _stamps(self._options, self._site)
        if found == self._known:
            return
        self._known = found
        try:
            self._site, _ = load_site(self._options)
        except (CapabilityError, OSError):
            return
        wanted = {port.port for port in self._site.ports}
        for bound in self._bound:
            for port in bound.keys() - wanted:
                bound.pop(port).close()


def _close(sockets: Mapping[int, socket.socket]) -> None:
    for item in sockets.values():
        item.close()


def _run_loop(
    site: Site,
    options: Options,
    settings: Settings,
    known: Stamps,
    sockets: Mapping[int, socket.socket],
    ready: Callable[[], None],
    tie: int | None = None,
) -> None:
    import uvloop  # noqa: PLC0415 - a platform without it can still validate and explain

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(site, options, settings, known, sockets, ready, tie))
