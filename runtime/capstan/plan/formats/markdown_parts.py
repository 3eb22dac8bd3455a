"""Markdown -> `{frontMatter, tables, sections}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from capstan.plan.formats.charset import decode
from capstan.plan.formats.html_tables import named_rows
from capstan.plan.formats.library import library
from capstan.plan.formats.limits import Budget
from capstan.plan.formats.yaml_tree import parse_yaml

_BREAK: Final = re.compile(r"<br\b", re.IGNORECASE)
_MAX_BYTES: Final = 2 * 1024**2  # some seconds of reading, where other formats take one for four times as much


def plan_markdown(prefix: str) -> Callable[[bytes, str], Any]:
    """A reader whose sections are those whose heading begins with `prefix`; tables and front matter come whole.

    Raises:
        MissingLibrary: there is no markdown-it.
    """
    markdown = library("markdown_it", "markdown").MarkdownIt("commonmark").enable("table")

    def read(body: bytes, charset: str) -> Any:
        if len(body) > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES:,} bytes")
        front, text = _split(decode(body, charset).replace("\r\n", "\n"))
        blocks = list(_blocks(markdown.parse(text)))
        budget = Budget()
        return {
            "frontMatter": front,
            "tables": [table for block in blocks if (table := _table(block, budget)) is not None],
            "sections": [section for section in _sections(blocks) if section["heading"].startswith(prefix)],
        }

    return read


def _split(text: str) -> tuple[dict[str, Any], str]:
    """The YAML between two lines of `---` at the beginning, and what comes after it."""
    if not text.startswith("---\n"):
        return {}, text
    front, end, rest = (text[3:] + "\n").partition("\n---\n")
    if not end:
        return {}, text
    try:
        data = parse_yaml(front) if front.strip() else None
    except ValueError as error:
        raise ValueError(f"its front matter, {error}") from None
    return data if isinstance(data, dict) else {}, rest


def _blocks(tokens: list[Any]) -> Iterator[list[Any]]:
    """The tokens of each block at the top."""
    block: list[Any] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block
            block = []


def _table(block: list[Any], budget: Budget) -> list[dict[str, str]] | None:
    if block[0].type != "table_open":
        return None
    rows: list[list[str]] = []
    for token in block:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token).strip())
    return named_rows(rows[0], rows[1:], budget)


def _sections(blocks: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """What stands between two headings, of whatever level; tables have a place of their own."""
    heading: dict[str, Any] | None = None
    texts: list[str] = []
    for block in blocks:
        if block[0].type == "heading_open":
            if heading is not None:
                yield {**heading, "content": "\n".join(texts)}
            heading, texts = {"heading": _text(block), "level": int(block[0].tag[1:])}, []
        elif block[0].type != "table_open" and (text := _text(block)):
            texts.append(text)
    if heading is not None:
        yield {**heading, "content": "\n".join(texts)}


def _text(block: list[Any]) -> str:
    pieces = [_inline(token) if token.type == "inline" else token.content for token in block
              if token.type in ("inline", "fence", "code_block")]  # fmt: skip
    return "\n".join(piece for piece in map(str.strip, pieces) if piece)


def _inline(token: Any) -> str:
    """The words of a line, without the marks around them."""
    pieces = []
    for child in token.children or ():
        match child.type:
            case "text" | "code_inline":
                pieces.append(child.content)
            case "softbreak":
                pieces.append(" ")
            case "hardbreak":
                pieces.append("\n")
            case "html_inline" if _BREAK.match(child.content):  # the only way to break a line in a table
                pieces.append("\n")
            case "image":
                pieces.append(_inline(child))
    return "".join(pieces)
