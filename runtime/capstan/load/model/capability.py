"""One file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from capstan.load.document import Place
from capstan.load.model.common import place
from capstan.load.model.consumed import ConsumedApi
from capstan.load.model.exposed import Adapter, ControlAdapter
from capstan.load.model.unit import Aggregate

Section = Literal["consumes", "binds", "aggregates", "exposes"]  # what can stand in another file


@dataclass(frozen=True, slots=True)
class Bind:
    """Variables of one namespace. `keys` maps the name used in the file to the name at the location.

    `defaults` has values for keys that are not there. One with text in it makes its key a setting, not a secret.
    """

    namespace: str
    keys: Mapping[str, str]
    location: str | None  # None: the process environment
    defaults: Mapping[str, str] = field(default_factory=dict)
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Import:
    """What stands in another file: a consumed API, a bind, an aggregate or an adapter."""

    section: Section
    source: str
    name: str
    alias: str
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Capability:
    """One file."""

    file: str
    title: str
    description: str
    version: str | None
    binds: tuple[Bind, ...]
    consumes: tuple[ConsumedApi, ...]
    exposes: tuple[Adapter, ...]
    control: ControlAdapter | None = None
    aggregates: tuple[Aggregate, ...] = ()
    imports: tuple[Import, ...] = ()
    sources: tuple[str, ...] = ()  # the further files it was put together from
    tags: tuple[str, ...] = ()
    is_parts: bool = False  # the file has no `capability`; it is there for others to take from
    at: Place = place()
