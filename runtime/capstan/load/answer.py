"""What a consumed operation says of its answer: `outputRawFormat` and what goes with it."""

from __future__ import annotations

import re
from typing import Final

from capstan.load import model
from capstan.load.node import Node
from capstan.load.responses import parse_media_type

_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(B|KiB|MiB|GiB)?")
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_KEYWORDS: Final = ("outputRawFormat", "outputSchema", "outputMediaType", "maxBinarySize")


def parse_answer_format(node: Node) -> model.AnswerFormat | None:
    """What an operation says of its answer; None where it says nothing."""
    if not any(key in node for key in _KEYWORDS):
        return None
    return model.AnswerFormat(
        format=node.text("outputRawFormat") or "json",
        schema=node.text("outputSchema"),
        media_type=parse_media_type(node, "outputMediaType"),
        max_binary_bytes=parse_size(node, "maxBinarySize"),
        at=node.at(),
    )


def parse_size(node: Node, key: str) -> int | None:
    """A number of bytes: `512KiB`, `1.5MiB`, `4096`."""
    text = node.text(key)
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * _BYTES[found[2] or "B"]) if found is not None else 0
    if size < 1:
        node.reader.problem("wrong-form", f"'{text}' is no size", node.at(key), "for example 512KiB, 10MiB or 1GiB")
        return None
    return size
