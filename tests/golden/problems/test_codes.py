"""Every code that Capstan can print is documented, and every code about a file is shown by a golden text."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import capstan

HERE = Path(__file__).parent
RUNTIME = Path(capstan.__file__).parent
ERRORS_PAGE = HERE.parents[2] / "docs" / "errors.md"
CODE = re.compile(r"[a-z]+(-[a-z]+)*")
# What makes, raises or tells a problem -> which of its arguments is the code.
TELLERS = {
    **dict.fromkeys(("Problem", "problem", "warn", "fail", "_fail", "tell"), 0),
    **dict.fromkeys(("CallError", "BindError", "UpstreamError", "UpstreamTimeout", "UpstreamRefused"), 0),
    **dict.fromkeys(("ShapeError", "FlowError", "StoppedError", "_broken", "_Told"), 0),
    **dict.fromkeys(("Violation", "_tell", "_failure", "refusal"), 1),
}
# Codes that no file alone brings about: a path that leads nowhere, a library that is not there.
WITHOUT_FILE = {"no-such-file", "missing-library"}


def _texts(node: ast.expr) -> Iterator[str]:
    """The code a call, an assignment or a mapping gives."""
    match node:
        case ast.Constant(value=str(text)) if CODE.fullmatch(text):
            yield text
        case ast.IfExp():
            yield from _texts(node.body)
            yield from _texts(node.orelse)


@functools.cache
def _codes(*folders: str) -> frozenset[str]:
    found: set[str] = set()
    for path in (p for folder in folders for p in (RUNTIME / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in TELLERS:
                    found |= {text for argument in node.args[TELLERS[name] :][:1] for text in _texts(argument)}
                case ast.Dict():
                    pairs = zip(node.keys, node.values, strict=True)
                    found |= {
                        t for k, v in pairs if isinstance(k, ast.Constant) and k.value == "code" for t in _texts(v)
                    }
                case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id="code"), *_])], value=ast.Tuple(elts=[value, *_])):
                    found |= set(_texts(value))
                case ast.Return(value=ast.Tuple(elts=[ast.Constant(value=int()), ast.Constant() as code, _])):
                    found |= set(_texts(code))
    return frozenset(found)


@pytest.mark.parametrize(
    "code",
    ["unknown-keyword", "duplicate-key", "unknown-version", "unused-input", "duplicate-route", "bad-argument",
     "upstream-busy", "upstream-timeout", "no-route", "foreign-host", "internal-error"],
)  # fmt: skip
def test_the_search_finds_a_code_of_each_way_to_give_one(code: str) -> None:
    assert code in _codes("")


def test_every_code_about_a_file_is_shown_by_a_golden_text() -> None:
    texts = [path.read_text("utf-8") for path in HERE.rglob("*.txt")]
    shown = {code for text in texts for code in re.findall(r" \[([a-z-]+)\]$", text, re.MULTILINE)}
    told_of_calls = {
        "bad-argument", "missing-argument", "unexpected-answer", "answer-too-large", "assertion-failed", "undecided",
        "not-a-list", "too-many-items", "unknown-field",
    }  # fmt: skip
    # The fast checker's own words stand in where the explaining one finds nothing wrong.
    assert _codes("load", "plan") - told_of_calls - WITHOUT_FILE - {"invalid"} == shown


def test_every_code_is_a_row_of_the_errors_page_and_every_row_a_code() -> None:
    if not ERRORS_PAGE.exists():
        pytest.skip("docs/errors.md is not there")
    rows = re.findall(r"^\| `([a-z-]+)` \|", ERRORS_PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(set(rows))
    assert set(rows) == _codes("")
