"""Klarna's hosts: which environment and region each one is. The sandbox answers for all of them on one port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Environment = Literal["playground", "live"]
Region = Literal["eu", "na", "oc", "global"]


@dataclass(frozen=True, slots=True)
class Site:
    """Where credentials are valid. The network's hosts are one region of their own."""

    environment: Environment
    region: Region


SITES: Final[dict[str, Site]] = {
    "api.klarna.com": Site("live", "eu"),
    "api-na.klarna.com": Site("live", "na"),
    "api-oc.klarna.com": Site("live", "oc"),
    "api.playground.klarna.com": Site("playground", "eu"),
    "api-na.playground.klarna.com": Site("playground", "na"),
    "api-oc.playground.klarna.com": Site("playground", "oc"),
    "api-global.klarna.com": Site("live", "global"),
    "api-global.test.klarna.com": Site("playground", "global"),
}
HOSTS: Final = frozenset(SITES)
