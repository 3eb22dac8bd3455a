"""SPARQL text with values in it: each is encoded for what stands around it, so that none can change the query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import quote

from capstan.errors import BindError
from capstan.plan.values import to_text

Around = Literal["string", "iri", "whole iri", "nothing"]

# Literals, IRIs and comments hold their value; anywhere else a `\0` stands for one by itself.
_TOKEN: Final = re.compile(
    r"""'''(?:[^\\]|\\.)*?'''|\"""(?:[^\\]|\\.)*?\"""|'(?:[^'\\\n\r]|\\.)*'|"(?:[^"\\\n\r]|\\.)*"
    |<(?:[^<>"{}|^`\\\x00-\x20]|\0)*>|\#[^\n\r]*|\0""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t",
                                 "\b": "\\b", "\f": "\\f"})  # fmt: skip
_NOT_IN_IRI: Final = re.compile(r'[\x00-\x20<>"{}|^`\\]')
_RESERVED_IN_IRI: Final = re.compile(r"""[\x00-\x20<>"{}|^`\\%:/?#\[\]@!$&'()*+,;=]""")
_TOKEN_ALONE: Final = re.compile(r"[A-Za-z0-9_:+-]+(\.[A-Za-z0-9_:+-]+)*")


def surroundings(texts: Sequence[str | None]) -> tuple[Around, ...]:
    """What stands around each value of a query; None marks a value."""
    whole = "".join("\0" if text is None else text.replace("\0", " ") for text in texts)
    found: list[Around] = []
    for match in _TOKEN.finditer(whole):
        piece = match[0]
        around: Around = "nothing"
        if piece[0] in "'\"":
            around = "string"
        elif piece[0] == "<":
            around = "whole iri" if len(piece) == 3 else "iri"
        found += [around] * piece.count("\0")
    return tuple(found)


def encode(value: Any, around: Around, name: str) -> str:
    """A value as it may stand there.

    Raises:
        BindError: nothing but a number, a boolean or a name can stand there.
    """
    text = to_text(value)
    if around == "string":
        return text.translate(_ESCAPES)
    if around == "nothing":
        if not _TOKEN_ALONE.fullmatch(text):
            message = f"'{name}' must be a number, a boolean or a name: it stands outside quotes in a query"
            raise BindError("bad-argument", message, argument=name)
        return text
    outside = _NOT_IN_IRI if around == "whole iri" else _RESERVED_IN_IRI
    return outside.sub(lambda match: quote(match[0], safe=""), text)
