"""The control adapter: what operators ask for, and what scripts may do."""

from __future__ import annotations

from typing import Final

from capstan.load import model
from capstan.load.node import Node

_TIMEOUT_MS: Final = 60_000
_STATEMENTS: Final = 100_000


def parse_control(node: Node) -> model.ControlAdapter:
    """What is switched on and does not exist yet is refused by its name; what is switched off need not exist."""
    reader = node.reader
    reader.unsupported(node, "authentication")
    management = node.node("management") or Node(reader, {}, (*node.pointer, "management"))
    for key in ("info", "reload", "validate", "logs"):
        if management.data.get(key) not in (None, False):
            reader.problem("not-supported-yet", f"'{key}' is not supported yet", management.at(key), key=True)
    observability = node.node("observability")
    if observability is not None and observability.data.get("enabled") is not False:
        reader.problem("not-supported-yet", "'observability' is not supported yet", node.at("observability"),
                       "'enabled: false' in it switches it off", key=True)  # fmt: skip
    scripting = management.node("scripting")
    return model.ControlAdapter(
        port=node.data.get("port", 0),
        address=node.text("address"),
        health=management.data.get("health", True),
        scripting=None if scripting is None else _scripting(scripting),
        at=node.at(),
    )


def _scripting(node: Node) -> model.Scripting:
    return model.Scripting(
        enabled=node.data.get("enabled", True),
        default_location=node.text("defaultLocation"),
        default_language=node.text("defaultLanguage"),
        timeout_ms=node.data.get("timeout", _TIMEOUT_MS),
        statement_limit=node.data.get("statementLimit", _STATEMENTS),
        allowed_languages=node.texts("allowedLanguages"),
        at=node.at(),
    )
