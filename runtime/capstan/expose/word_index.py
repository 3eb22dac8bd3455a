"""Tools by the words that are said of them, made once for a list of tools."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_EMPTY: Final = frozenset(  # they tell nothing apart
    {"a", "an", "and", "at", "by", "for", "from", "in", "is", "it", "of", "on", "or", "the", "to", "with"}
)
_MOST_WORDS: Final = 20  # of a query
_SHORTEST_START: Final = 3  # fewer letters begin too many words


class WordIndex:
    """Which of some texts fit a query, best first."""

    def __init__(self, entries: Sequence[Iterable[tuple[str, float]]]) -> None:
        """Each entry is told by texts of different weight: what is in a name says more than in a description."""
        self._weights: dict[str, dict[int, float]] = {}
        for number, texts in enumerate(entries):
            for text, weight in texts:
                for word in words_of(text):
                    at = self._weights.setdefault(word, {})
                    at[number] = max(at.get(number, 0.0), weight)
        self._words = sorted(self._weights)
        self._count = len(entries)

    def find(self, query: str) -> list[int]:
        """The numbers of the entries that have a word of the query; those that have more of its words go first."""
        wanted = list(dict.fromkeys(words_of(query)))[:_MOST_WORDS]
        scores: dict[int, float] = {}
        hits: Counter[int] = Counter()
        for word in wanted:
            for number, score in self._scores(word).items():
                scores[number] = scores.get(number, 0.0) + score
                hits[number] += 1
        return sorted(scores, key=lambda number: (-hits[number] * scores[number], number))

    def _scores(self, word: str) -> Mapping[int, float]:
        """What each entry gets for a word: more where few have it, and less for one that only begins so."""
        found: dict[int, float] = {}
        for known in self._beginning_with(word):
            at = self._weights[known]
            rare = math.log(1 + self._count / len(at)) * (1.0 if known == word else 0.5)
            for number, weight in at.items():
                found[number] = max(found.get(number, 0.0), weight * rare)
        return found

    def _beginning_with(self, word: str) -> list[str]:
        start = bisect_left(self._words, word)
        if len(word) < _SHORTEST_START:
            return [word] if self._words[start : start + 1] == [word] else []
        end = bisect_left(self._words, word + "\U0010ffff", start)
        return self._words[start:end]


def words_of(text: str) -> list[str]:
    """The words of a text, of a name in any spelling: small, and in the singular where that is plain."""
    words = (word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text)))
    return [_singular(word) for word in words if word not in _EMPTY]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
