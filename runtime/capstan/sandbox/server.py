"""The sandbox's socket, signals and tasks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import uvicorn

from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from capstan.sandbox.near import is_here
from capstan.sandbox.state import StateError

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 30.0
_GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """uvicorn, but signals are ours: it would kill the process with the signal it got."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that listens."""

    url: str
    app: App
    stop: Callable[[], None]


@contextlib.asynccontextmanager
async def running(app: App, listening: socket.socket) -> AsyncIterator[Running]:
    """Serve an application on a socket, with its deliveries, until the block ends."""
    host, port = listening.getsockname()[:2]
    name = "localhost" if host in ("0.0.0.0", "127.0.0.1", "::", "::1") else f"[{host}]" if ":" in host else host
    app.public_url = f"http://{name}:{port}"
    app.is_local = is_here(host)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        date_header=True, timeout_graceful_shutdown=_GRACE_SECONDS, timeout_keep_alive=75, backlog=2048,
    )  # fmt: skip
    server = _Server(config)
    started = asyncio.Event()
    begin = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await begin(sockets)
        started.set()

    server.startup = startup  # type: ignore[method-assign]  # the one way to hear that it listens
    tasks = [asyncio.create_task(server.serve([listening])), asyncio.create_task(app.deliveries.run()),
             asyncio.create_task(_sweep(app))]  # fmt: skip
    try:
        await started.wait()
        yield Running(app.public_url, app, lambda: setattr(server, "should_exit", True))
    finally:
        server.should_exit = True
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)


async def _sweep(app: App) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        try:
            app.look_after_all()
        except Exception:  # the next round may do better
            logger.exception("looking after what time changed failed")


def serve(
    *,
    host: str,
    port: int,
    database: str | None,
    rate_limits: bool,
    capstan_url: str | None,
    ready: Callable[[str], None],
) -> int:
    """Serve until a signal; the exit code."""
    try:
        listening = _listen(host, port)
    except OSError as error:
        print(f"capstan sandbox: cannot listen on {host}:{port}: {error.strerror}", file=sys.stderr)
        return 1
    try:
        app = create_app(database, rate_limits=rate_limits)
    except StateError as error:
        print(f"capstan sandbox: {error}", file=sys.stderr)
        return 1
    app.capstan_url = capstan_url

    async def main() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with running(app, listening) as sandbox:
            ready(sandbox.url)
            await stopped.wait()

    try:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(main())
    finally:
        app.state.close()
    return 0


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - where it exists
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except BaseException:
        listening.close()
        raise
    return listening
