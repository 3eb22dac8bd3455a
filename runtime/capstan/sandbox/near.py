"""Which addresses are this machine or a private network: the only ones that anything is ever sent to."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

# Not all that is called private: link-local addresses are where a cloud keeps its secrets.
_NEAR: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


class NotNearError(OSError):
    """It is elsewhere."""


def is_near(address: str) -> bool:
    """Whether an IP address is near. What is no address is not."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in _NEAR)


def is_here(host: str) -> bool:
    """Whether a name or an address means this machine and nothing beyond it; a request need not name it at all."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Refuse what is no HTTP address, or one that names a distant IP address; names are for the resolver.

    Raises:
        NotNearError: it is elsewhere.
        ValueError: it is no address.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is no HTTP address")
    try:
        ipaddress.ip_address(parts.hostname.partition("%")[0])
    except ValueError:
        return
    if not is_near(parts.hostname):
        raise NotNearError


class NearResolver(AbstractResolver):
    """Finds near addresses only, so that a name cannot point elsewhere between a check and the connection."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = [result for result in await self._inner.resolve(host, port, family) if is_near(result["host"])]
        if not found:
            raise NotNearError
        return found

    async def close(self) -> None:
        await self._inner.close()
