"""Separated values -> a list of objects, one per line, by the names in the first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from capstan.plan.formats.charset import decode
from capstan.plan.formats.limits import Budget


def read_separated(body: bytes, charset: str, separator: str) -> list[dict[str, Any]]:
    """Read lines of values. A short line lacks its last members; empty lines are passed over.

    Raises:
        ValueError: a line has more values than there are names, or a quote is never closed.
    """
    text = decode(body, charset)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = unique_names(_trimmed(next((row for row in reader if any(row)), [])))
        rows = []
        budget = Budget()
        for row in reader:
            if not row:
                continue
            if len(row) > len(names) and any(row[len(names) :]):
                raise ValueError(f"line {reader.line_num:,} has {len(row)} values, the first line names {len(names)}")
            budget.spend(len(row) + 3)
            rows.append(dict(zip(names, row, strict=False)))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num:,}: {error}") from None
    return rows


def unique_names(names: Iterable[str]) -> list[str]:
    """Names of columns; of several that are alike, the later ones are numbered, so that no value is lost."""
    found: dict[str, int] = {}
    for name in names:
        own = name
        while own in found:
            found[name] += 1
            own = f"{name}_{found[name]}"
        found[own] = 1
    return list(found)


def _trimmed(names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    while names and not names[-1]:  # what a spreadsheet leaves behind the last column
        names.pop()
    return names
