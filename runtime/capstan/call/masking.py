"""Secrets out of everything that leaves: an upstream may echo a credential in an error, a header or an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

from capstan.plan.values import Secret

# A shorter value is no secret worth the name, and masking `user` would mangle honest answers.
MIN_LENGTH: Final = 8


class Mask:
    """Replaces every spelling of every secret by asterisks of the same length, so that lengths stay true."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        spellings: set[bytes] = set()
        for secret in secrets:
            text = secret.reveal()
            if len(text) < MIN_LENGTH:
                continue
            escaped = json.dumps(text)[1:-1]
            for spelling in (text, quote(text, safe=""), quote_plus(text), escaped, escaped.replace("/", "\\/")):
                spellings.add(spelling.encode("utf-8", "replace"))
        self._spellings = sorted(spellings, key=len, reverse=True)
        self.overlap = max(map(len, self._spellings), default=1) - 1

    def data(self, data: bytes) -> bytes:
        for spelling in self._spellings:
            if spelling in data:
                data = data.replace(spelling, b"*" * len(spelling))
        return data

    def text(self, text: str) -> str:
        if not self._spellings:
            return text
        return self.data(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
