"""Rows -> a CSV file that a spreadsheet opens, and does not work out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula

MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The names of the columns, then a line for each row; what a row does not have is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column, "")) for column in columns])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would work out is marked as text; a merchant's references may come from customers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
