"""What the process environment says about Capstan itself, read once into a frozen Settings."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any
from urllib.request import getproxies_environment

from capstan.errors import CapabilityError

_PREFIX = "CAPSTAN_"
_KEY_BYTES = 32
_NO_NUMBERS = ("state_key", "proxies", "stand_ins")


class SettingsError(CapabilityError):
    """A CAPSTAN_ variable cannot be used."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits and waits. Each can be set as CAPSTAN_<NAME> in the environment."""

    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0  # between two reads
    total_timeout_seconds: float = 60.0  # of one upstream call, its body included
    request_timeout_seconds: float = 30.0  # for the head of a request, and between two pieces of its body
    stop_timeout_seconds: float = 10.0  # for calls in flight when asked to stop
    max_connections: int = 100  # to one consumed API, per process
    max_request_bytes: int = 1024**2
    max_parsed_bytes: int = 8 * 1024**2
    max_streamed_bytes: int = 64 * 1024**2
    tools_per_page: int = 250
    max_sessions: int = 1000  # of one MCP endpoint, per process; and streams that listen for changes
    session_idle_seconds: float = 1800.0  # without a request or an open stream
    max_subscriptions: int = 1000  # to resources of one MCP endpoint, per process
    # Seals what a client keeps between two rounds of a call. Processes with one key take each other's.
    state_key: bytes = field(default_factory=lambda: os.urandom(_KEY_BYTES), repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)  # host -> the origin that is asked in its place


@functools.lru_cache(maxsize=256)  # every request asks, of the same few names
def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine and nothing beyond it."""
    try:
        return host.lower() == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Environment -> Settings.

    Raises:
        SettingsError: a value is not a positive number, or a key is too short.
    """
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text = environ.get(_PREFIX + item.name.upper())
        if text is None or item.name in _NO_NUMBERS:
            continue
        kind = int if isinstance(item.default, int) else float
        try:
            values[item.name] = kind(text)
        except ValueError:
            values[item.name] = -1
        if not 0 < values[item.name] < float("inf"):
            raise SettingsError(f"{_PREFIX}{item.name.upper()} must be a positive number, not '{text}'")
    if key := environ.get(f"{_PREFIX}STATE_KEY"):
        values["state_key"] = key.encode("utf-8", "surrogateescape")
        if len(values["state_key"]) < _KEY_BYTES:
            raise SettingsError(f"{_PREFIX}STATE_KEY must have at least {_KEY_BYTES} bytes")
    return Settings(**values, proxies=getproxies_environment())
