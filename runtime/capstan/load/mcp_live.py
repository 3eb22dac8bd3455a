"""What an MCP adapter says of its lists and resources over time: how long they keep, how often they are looked at."""

from __future__ import annotations

from typing import Any

from capstan.load import model
from capstan.load.node import Node


def parse_keeping(node: Node) -> model.Keeping:
    """For how long, and for whom, clients may keep what they were given."""
    usual = model.Keeping()
    return model.Keeping(node.data.get("ttlMs", usual.ttl_ms), node.data.get("cacheScope", usual.scope))


def parse_poll(node: Node) -> float | None:
    """How often a resource is read for those who are subscribed to it."""
    seconds: Any = node.data.get("poll")
    if seconds is None:
        return None
    for key in ("text", "blob"):
        if key in node:
            message = f"'poll' has no meaning beside '{key}': what is written here does not change"
            node.reader.problem("unknown-keyword", message, node.at("poll"), key=True)
    return float(seconds)
