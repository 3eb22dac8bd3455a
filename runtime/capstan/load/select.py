"""`select` of an MCP adapter: which of its tools are published."""

from __future__ import annotations

from typing import Final

from capstan.load import model
from capstan.load.node import Node

_KINDS: Final[tuple[tuple[str, model.Selector], ...]] = (("names", "name"), ("tags", "tag"), ("effects", "effect"))


def parse_select(node: Node) -> model.Selection | None:
    """What is selected; None where nothing is, and all tools are published."""
    said = node.node("select")
    if said is None:
        return None
    return model.Selection(
        tuple(
            model.Selecting(kind, text, said.at(key) / index)
            for key, kind in _KINDS
            for index, text in enumerate(said.texts(key))
        ),
        at=node.at("select"),
    )
