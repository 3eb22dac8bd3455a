"""Secrets out of everything that leaves: an upstream may echo a credential in an error, a header or an answer."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from capstan.plan.values import Secret

# A shorter value is no secret worth the name, and masking `user` would mangle honest answers.
MIN_LENGTH: Final = 8
_PLAIN: Final = re.compile("[A-Za-z0-9]+")
_ESCAPE: Final = re.compile("%[0-9A-F]{2}")


class Mask:
    """Replaces every spelling of every secret by asterisks of the same length, so that lengths stay true."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = tuple(secrets)
        texts = dict.fromkeys(s.reveal() for s in self._secrets if len(s.reveal()) >= MIN_LENGTH)
        # What no spelling changes, to look for first: nearly always it is not there, and one look is enough.
        self._spellings = tuple((_core(text), tuple(_spellings(text))) for text in texts)
        self.overlap = max((len(one) for _, all_ in self._spellings for one in all_), default=1) - 1
        self._first = frozenset(one[0] for _, all_ in self._spellings for one in all_)

    def data(self, data: bytes) -> bytes:
        masked: bytearray | None = None
        for core, spellings in self._spellings:
            if core not in data:
                continue
            for spelling in spellings:
                start = data.find(spelling)
                while start >= 0:  # looked for in what came, not in what is masked: one secret may hold another
                    if masked is None:
                        masked = bytearray(data)
                    masked[start : start + len(spelling)] = b"*" * len(spelling)
                    start = data.find(spelling, start + 1)
        return data if masked is None else bytes(masked)

    def open_end(self, data: bytes) -> int:
        """How much at the end of data may be the beginning of a secret, and has to wait for what comes after it."""
        for start in range(max(0, len(data) - self.overlap), len(data)):
            if data[start] in self._first:
                tail = data[start:]
                if any(len(one) > len(tail) and one.startswith(tail) for _, all_ in self._spellings for one in all_):
                    return len(tail)
        return 0

    def also(self, secrets: Iterable[Secret]) -> Mask:
        """A mask that knows more secrets."""
        return Mask((*self._secrets, *secrets))

    def text(self, text: str) -> str:
        if not self._spellings:
            return text
        return self.data(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """Data of JSON: every text in it, the names of members too."""
        if not self._spellings:
            return value
        names: dict[str, str] = {}  # a list of objects has few, each often

        def name(key: str) -> str:
            if (found := names.get(key)) is None:
                found = names[key] = self.text(key)
            return found

        def masked(value: Any) -> Any:
            if isinstance(value, str):
                return self.text(value)
            if isinstance(value, dict):
                return {name(key): masked(item) for key, item in value.items()}
            if isinstance(value, list):
                return [masked(item) for item in value]
            return value

        return masked(value)


def _core(text: str) -> bytes:
    """The longest run of letters and digits: what every spelling of a text has in it."""
    return max(_PLAIN.findall(text), key=len, default="").encode()


def _spellings(text: str) -> set[bytes]:
    escaped = json.dumps(text)[1:-1]
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    entities = (html.escape(text), html.escape(text, quote=False), *_unicode_escapes(plain))
    spelled = (text, quote(text, safe=""), quote_plus(text), escaped, plain, *entities)
    found: set[bytes] = set()
    for spelling in (*spelled, escaped.replace("/", "\\/"), plain.replace("/", "\\/")):
        found.add(spelling.encode("utf-8", "replace"))
        found.add(_ESCAPE.sub(_lower, spelling).encode("utf-8", "replace"))
    return found


def _unicode_escapes(text: str) -> Iterator[str]:
    """JSON text as writers spell it that mind HTML: `\\u002B` of one library, `\\u003d` of another."""
    for minded in ("&<>+'`", "&<>='", "&<>+='`/"):
        for form in ("\\u{:04X}", "\\u{:04x}"):
            yield "".join(form.format(ord(c)) if c in minded else c for c in text)


def _lower(escape: re.Match[str]) -> str:
    return escape[0].lower()
