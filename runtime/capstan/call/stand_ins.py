"""Other origins in place of hosts: a sandbox answers for them, and nothing reaches the network.

A session is wrapped where stand-ins are given, once, as it is opened; without any nothing here takes part in a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL


class StandIns:
    """A session whose requests to some hosts go to other origins; they keep the host they were meant for."""

    def __init__(self, session: aiohttp.ClientSession, origins: Mapping[str, str]) -> None:
        self._session = session
        self._origins = {host.lower(): origin.rstrip("/") for host, origin in origins.items()}

    def request(self, method: str, url: URL | str, **options: Any) -> Any:
        """What `aiohttp.ClientSession.request` gives, which is awaited or entered."""
        asked = url if isinstance(url, URL) else URL(url, encoded=True)
        origin = self._origins.get((asked.host or "").lower().rstrip("."))
        if origin is None:
            return self._session.request(method, asked, **options)
        there = URL(origin + asked.raw_path_qs, encoded=True)
        options["headers"] = {**options.get("headers", {}), "Host": (asked.host_port_subcomponent or "").lower()}
        options["proxy"] = None  # a proxy would be asked for the stand-in
        return self._session.request(method, there, **options)

    def post(self, url: URL | str, **options: Any) -> Any:
        return self.request("POST", url, **options)

    async def close(self) -> None:
        await self._session.close()


Session = aiohttp.ClientSession | StandIns
