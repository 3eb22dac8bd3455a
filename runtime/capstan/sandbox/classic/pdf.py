"""Text and tables -> a PDF of A4 pages, in one typeface that every reader has. It knows nothing of what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEFT: Final = 56.0
RIGHT: Final = 539.0
_WIDTH, _HEIGHT = 595, 842  # A4 in points
_TOP: Final = 64.0
_BOTTOM: Final = 780.0
_FOOT: Final = 812.0
_ROW: Final = 18.0
_SIZE: Final = 10.0
_UNKNOWN_WIDTH: Final = 556
# Widths of Helvetica's characters from space to tilde in thousandths of its size, as Adobe's metrics have them.
_WIDTHS: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column's text begins, or ends when it is to the right."""

    title: str
    x: float
    right: bool = False


class Pdf:
    """Written from the top down; a table that does not fit goes on on the next page."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._pages: list[list[str]] = []
        self._y = 0.0
        self._break()

    def heading(self, text: str) -> None:
        """The title of the document."""
        self._y += 8
        self._text(LEFT, self._y, text, size=20, bold=True)
        self._y += 30

    def section(self, text: str) -> None:
        if self._y + 5 * _ROW > _BOTTOM:  # not alone at the foot of a page
            self._break()
        self._y += 14
        self._text(LEFT, self._y, text, size=12, bold=True)
        self._y += 20

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair to a line."""
        for name, value in pairs:
            self._text(LEFT, self._y, name, gray=0.4)
            self._text(LEFT + 120, self._y, value)
            self._y += 16

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, bold_last: bool = False) -> None:
        self._table_head(columns)
        for number, row in enumerate(rows):
            if self._y > _BOTTOM:
                self._break()
                self._table_head(columns)
            last = bold_last and number == len(rows) - 1
            if last:
                self._rule(self._y - 13)
            for column, text in zip(columns, row, strict=True):
                self._text(column.x, self._y, text, bold=last, right=column.right)
            self._y += _ROW

    def _table_head(self, columns: Sequence[Column]) -> None:
        for column in columns:
            self._text(column.x, self._y, column.title, gray=0.4, right=column.right)
        self._rule(self._y + 5)
        self._y += _ROW + 3

    def _break(self) -> None:
        self._pages.append([])
        self._y = _TOP

    def _text(
        self, x: float, y: float, text: str, *, size: float = _SIZE, bold: bool = False, right: bool = False,
        gray: float = 0.0,
    ) -> None:  # fmt: skip
        if right:
            x -= _width(text) * size / 1000
        font = "F2" if bold else "F1"
        place = f"{x:.2f} {_HEIGHT - y:.2f}"
        self._pages[-1].append(f"BT {gray:g} g /{font} {size:g} Tf {place} Td ({_escape(text)}) Tj ET")

    def _rule(self, y: float) -> None:
        self._pages[-1].append(f"0.75 G 0.5 w {LEFT:g} {_HEIGHT - y:.2f} m {RIGHT:g} {_HEIGHT - y:.2f} l S")

    # --- the file

    def render(self) -> bytes:
        """The document as it is; nothing is written to it afterwards."""
        for number, _ in enumerate(self._pages, 1):
            self._foot(number)
        kids = " ".join(f"{6 + 2 * i} 0 R" for i in range(len(self._pages)))
        objects = [
            "<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {len(self._pages)} >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
            f"<< /Title ({_escape(self._title)}) /Producer (Capstan sandbox) >>",
        ]
        for index, lines in enumerate(self._pages):
            objects.append(
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents {7 + 2 * index} 0 R "
                "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>"
            )
            content = "\n".join(lines)
            objects.append(f"<< /Length {len(_encode(content))} >>\nstream\n{content}\nendstream")
        return _file(objects)

    def _foot(self, number: int) -> None:
        page = self._pages[number - 1]
        text = f"Page {number} of {len(self._pages)}"
        x = RIGHT - _width(text) * 8 / 1000
        page.append(f"BT 0.4 g /F1 8 Tf {LEFT:g} {_HEIGHT - _FOOT:g} Td ({_escape(self._title)}) Tj ET")
        page.append(f"BT 0.4 g /F1 8 Tf {x:.2f} {_HEIGHT - _FOOT:g} Td ({text}) Tj ET")


def _width(text: str) -> int:
    """In thousandths of the size."""
    return sum(_WIDTHS[ord(c) - 32] if " " <= c <= "~" else _UNKNOWN_WIDTH for c in text)


def _encode(text: str) -> bytes:
    return text.encode("cp1252", "replace")


def _escape(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _file(objects: Sequence[str]) -> bytes:
    """Objects numbered from 1, with the table that says where each begins. The first is the catalogue."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")  # bytes above 127 tell that it is no text file
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += _encode(f"{number} 0 obj\n{body}\nendobj\n")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)
