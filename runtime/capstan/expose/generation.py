"""One loaded state of the files: its engine, its doors, and the calls in flight through them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import Mapping
from importlib import resources

from capstan.call.engine import Engine
from capstan.call.forward import LiveForward
from capstan.call.unit import LiveUnit
from capstan.expose.control import ControlApp
from capstan.expose.door import Access, Door
from capstan.expose.forward import Forwards
from capstan.expose.mcp import McpApp
from capstan.expose.openapi import openapi_document
from capstan.expose.rest import Page, RestApp, RestUnit
from capstan.plan.site import PortPlan, Site
from capstan.settings import Settings


class Generation:
    """Everything made from one state of the files."""

    def __init__(self, site: Site, settings: Settings, access: Mapping[int, Access], port_offset: int = 0) -> None:
        self.site = site
        self.engine = Engine(settings)
        self.settings = settings
        self.in_flight = 0
        self._idle = asyncio.Event()
        self.live: dict[int, LiveUnit] = {}
        self.forwards: dict[int, LiveForward] = {}
        for capability in site.capabilities:
            self.live |= self.engine.units(capability)
            self.forwards |= self.engine.forwards(capability)
        self.doors: dict[int, Door] = {}
        self._access, self._port_offset = access, port_offset

    def open_doors(self, endpoints: Mapping[tuple[int, str], McpApp]) -> None:
        for port in self.site.ports:
            if port.controls:
                self.doors[port.port] = Door(self._access[port.port], ControlApp(port.controls, self._port_offset), {})
                continue
            units = [RestUnit(operation, self.live[id(operation.unit)]) for operation in port.operations]
            pages = _pages(port) if port.has_rest else {}
            mcp = {path: app for (number, path), app in endpoints.items() if number == port.port}
            forwards = Forwards(self.forwards[id(forward)] for forward in port.forwards)
            rest = RestApp(units, self.settings, pages, tuple(mcp), forwards)
            self.doors[port.port] = Door(self._access[port.port], rest, mcp)

    def enter(self) -> None:
        """A call comes in. A pair of plain methods: a context manager of ours would cost 2 µs of every call."""
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()

    async def finish(self, patience_seconds: float) -> None:
        """Wait until no call is in flight, or patience ends."""
        self._idle.clear()
        if self.in_flight:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), patience_seconds)

    async def retire(self, patience_seconds: float) -> None:
        """Close the engine once its last call is done."""
        await self.finish(patience_seconds)
        await self.engine.close()


def _pages(port: PortPlan) -> dict[str, Page]:
    @functools.cache
    def document() -> tuple[bytes, bytes]:
        found = openapi_document(port.title, port.version, port.description, port.operations, port.forwards)
        return b"application/json", json.dumps(found, ensure_ascii=False).encode()

    @functools.cache
    def docs() -> tuple[bytes, bytes]:
        page = resources.files("capstan.expose").joinpath("docs.html").read_bytes()
        return b"text/html; charset=utf-8", page

    return {"/openapi.json": document, "/docs": docs}
