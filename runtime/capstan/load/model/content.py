"""Content blocks of MCP, as their author wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from capstan.load.document import Place
from capstan.load.model.common import place


@dataclass(frozen=True, slots=True)
class Inline:
    """What is in a resource, where the file says it itself: a text, or bytes."""

    content: str | bytes
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Block:
    """One content block. `fields` are those of the protocol, whose texts may be templates, without `file`."""

    fields: Mapping[str, Any]
    file: str | None  # whose content stands in it: the data of an image, what is in a resource
    at: Place = place()
