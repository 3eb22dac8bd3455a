"""Tools found by words."""

from __future__ import annotations

import time

import pytest

from capstan.expose.word_index import WordIndex, words_of


def index(*names: str) -> WordIndex:
    return WordIndex([[(name, 1.0)] for name in names])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("get-order_lines", ["get", "order", "line"]),
        ("createHPPSession", ["create", "hppsession"]),
        ("Refunds of the deliveries & addresses", ["refund", "delivery", "addresse"]),
        ("process bus ties", ["process", "bus", "tie"]),
        ("Bestellung prüfen 42", ["bestellung", "prüfen", "42"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("refund order", [0, 1, 2]),  # more words go first
        ("REFUNDS", [0]),
        ("addresses", [3]),
        ("address", [3]),
        ("ref", [0]),  # it begins so
        ("re", []),
        ("get", [2, 3]),
        ("nothing of it", []),
        ("!?", []),
    ],
)
def test_entries_are_found_best_first(query: str, found: list[int]) -> None:
    assert index("refund-order", "close-order", "get-order", "get-addresses").find(query) == found


def test_a_name_says_more_than_a_description() -> None:
    found = WordIndex([[("close", 6.0), ("Ends a refund.", 1.0)], [("refund", 6.0), ("Closes nothing.", 1.0)]])
    assert found.find("refund") == [1, 0]
    assert found.find("close") == [0, 1]


def test_a_rare_word_says_more_than_one_that_all_have() -> None:
    found = index("order-list", "order-list-all", "order-dispute")
    assert found.find("order dispute")[0] == 2
    assert found.find("dispute list") == [2, 0, 1]


def test_a_long_query_takes_no_time_to_speak_of() -> None:
    found = index(*(f"tool-{number}-order" for number in range(500)))
    started = time.perf_counter()
    found.find("order " + " ".join(f"tool{number}" for number in range(200)))
    assert time.perf_counter() - started < 0.5
