"""HTML -> `{tables: [[{header: cell}]]}`: the tables of a page, or those that a CSS selector finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from capstan.plan.formats.charset import decode
from capstan.plan.formats.library import library
from capstan.plan.formats.limits import Budget
from capstan.plan.formats.separated import unique_names

_META: Final = re.compile(rb"<meta\s[^>]*charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]+)", re.IGNORECASE)
_META_BYTES: Final = 1024
# What begins on a line of its own, so that its text does not run into the text before it.
_BLOCKS: Final = frozenset({
    "address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre", "section", "table",
    "td", "th", "tr", "ul",
})  # fmt: skip
_NUMBER: Final = re.compile(r"\s*\+?([0-9]{1,9})")
_MOST_COLUMNS, _MOST_ROWS = 1000, 65534  # of one cell, as browsers have it
_UNSEEN: Final = frozenset({"script", "style", "template", "noscript"})

_Cell = tuple[bool, str]  # whether it is a header, and its text


def plan_html(selector: str) -> Callable[[bytes, str], Any]:
    """A reader of the tables that `selector` finds, or of all.

    Raises:
        MissingLibrary: there is no lxml.
        ValueError: the selector is none.
    """
    etree = library("lxml.etree", "html")
    cssselect = library("cssselect", "html")
    try:
        path = cssselect.HTMLTranslator().css_to_xpath(selector or "table")
        find = etree.XPath(path)
    except (cssselect.SelectorError, etree.XPathError) as error:
        raise ValueError(f"'{selector}' is no CSS selector: {error}") from None

    def read(body: bytes, charset: str) -> Any:
        # A page is shown whatever is wrong with it; the library bounds how deep it may be.
        text = decode(body, charset or _meta(body), "replace")
        parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
        try:
            root = etree.fromstring(text.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError:
            root = None
        if any("XML_PARSE_HUGE" in entry.message for entry in parser.error_log):
            raise ValueError("nested too deeply, or holds too long a text")
        found = list(_tables(find(root))) if root is not None else []
        if not found:
            raise ValueError(f"no table is at '{selector}'" if selector else "it has no table")
        budget = Budget()
        return {"tables": [table for one in found if (table := _table(one, budget)) is not None]}

    return read


def _meta(body: bytes) -> str:
    found = _META.search(body[:_META_BYTES])
    if found is None:
        return ""
    charset = found[1].decode()
    return "utf-8" if charset.lower().startswith("utf-16") else charset  # or nobody could have read this far


def _tables(found: list[Any]) -> Iterator[Any]:
    """The tables that were found, and those inside of what else was; each once."""
    seen = set()
    for element in found:
        for table in element.iter("table"):
            if element.tag == "table" and table is not element:
                continue
            if table not in seen:
                seen.add(table)
                yield table


def _table(table: Any, budget: Budget) -> list[dict[str, str]] | None:
    """The rows of a table by the names in its first row of headers; None where it has none, as one for layout."""
    names: list[str] = []
    data: list[list[str]] = []
    for in_head, cells in _rows(table, budget):
        headers = [is_header for is_header, _ in cells]
        is_header = in_head or all(headers)
        if not names and (is_header or (not data and any(headers))):
            names = [text for _, text in cells]
        elif not is_header:
            data.append([text for _, text in cells])
    return named_rows(names, data, budget)


def named_rows(names: list[str], rows: list[list[str]], budget: Budget) -> list[dict[str, str]] | None:
    """Rows as objects; a row that is short has empty texts, and what has no header is left out."""
    if not any(names):
        return None
    budget.spend((len(names) + 3) * len(rows))
    names = unique_names(names)
    return [dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False)) for row in rows]


def _rows(table: Any, budget: Budget) -> Iterator[tuple[bool, list[_Cell]]]:
    """The table's own rows with cells, not those of tables inside it."""
    above: dict[int, tuple[int, _Cell]] = {}
    for part in table:
        grouped = part.tag in ("thead", "tbody", "tfoot")
        if grouped:
            above.clear()  # no cell reaches from one group into the next
        for row in part if grouped else (part,):
            if row.tag == "tr" and (cells := [cell for cell in row if cell.tag in ("td", "th")]):
                yield part.tag == "thead", _spread(cells, above, budget)


def _spread(cells: list[Any], above: dict[int, tuple[int, _Cell]], budget: Budget) -> list[_Cell]:
    """The cells of a row by columns, one in each that it spans; `above` says which reach into the next row."""
    spread: list[_Cell] = []
    for cell in (*cells, None):
        while (reaching := above.pop(len(spread), None)) is not None:
            rows, found = reaching
            if rows > 1:
                above[len(spread)] = rows - 1, found
            spread.append(found)
        if cell is None:
            break
        found = cell.tag == "th", _text(cell)
        rows, columns = _span(cell, "rowspan") or _MOST_ROWS, _span(cell, "colspan") or 1
        budget.spend((columns - 1) * (1 + len(found[1]) // 32))  # each may become a name of its own
        for _ in range(columns):
            above.pop(len(spread), None)
            if rows > 1:
                above[len(spread)] = rows - 1, found
            spread.append(found)
    budget.spend(len(spread) - len(cells))
    return spread


def _span(cell: Any, attribute: str) -> int:
    """How many columns or rows a cell takes; rows may be 0, which is all that follow."""
    written = _NUMBER.match(cell.get(attribute, ""))
    return min(int(written[1]), _MOST_ROWS if attribute == "rowspan" else _MOST_COLUMNS) if written is not None else 1


def _text(cell: Any) -> str:
    """The text that a reader sees, in one line."""
    pieces: list[str] = []
    stack = [(cell, iter(cell))]
    pieces.append(cell.text or "")
    while stack:
        element, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            if stack:
                pieces.append((" " if element.tag in _BLOCKS else "") + (element.tail or ""))
        elif child.tag in _UNSEEN:
            pieces.append(child.tail or "")
        else:
            pieces.append((" " if child.tag in _BLOCKS else "") + (child.text or ""))
            stack.append((child, iter(child)))
    return " ".join("".join(pieces).split())
