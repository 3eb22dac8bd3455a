"""What an MCP adapter says beyond its lists: how long they keep."""

from __future__ import annotations

from capstan.load import model
from capstan.load.node import Node


def parse_keeping(node: Node) -> model.Keeping:
    """For how long, and for whom, clients may keep what they were given."""
    usual = model.Keeping()
    return model.Keeping(node.data.get("ttlMs", usual.ttl_ms), node.data.get("cacheScope", usual.scope))
