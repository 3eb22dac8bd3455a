from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from capstan.errors import LoadError, Location, Problem
from capstan.load.document import MAX_BYTES, MAX_DEPTH, Document, format_pointer, read_document


def data(text: str) -> Any:
    return Document("x.yaml", text).data


def problem(text: str | bytes, folder: Path) -> Problem:
    """The one problem of a file that holds `text`."""
    path = folder / "x.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LoadError) as caught:
        read_document(path, "x.yaml")
    (found,) = caught.value.problems
    return found


# --- what a value is


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("no", "no", id="no is text"),
        pytest.param("Yes", "Yes", id="yes is text"),
        pytest.param("on", "on", id="on is text"),
        pytest.param("y", "y", id="y is text"),
        pytest.param("true", True, id="true"),
        pytest.param("FALSE", False, id="FALSE"),
        pytest.param("tRUE", "tRUE", id="mixed case is text"),
        pytest.param("null", None, id="null"),
        pytest.param("~", None, id="tilde is null"),
        pytest.param("", None, id="nothing is null"),
        pytest.param("2026-11-20", "2026-11-20", id="a date is text"),
        pytest.param("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z", id="a time is text"),
        pytest.param("12:30:45", "12:30:45", id="no base sixty"),
        pytest.param("1_000", "1_000", id="no underscores in numbers"),
        pytest.param("0b101", "0b101", id="no binary"),
        pytest.param("010", 10, id="a leading zero is decimal"),
        pytest.param("0o10", 8, id="octal"),
        pytest.param("0xFf", 255, id="hexadecimal"),
        pytest.param("0x", "0x", id="hexadecimal without digits is text"),
        pytest.param("+12", 12, id="plus"),
        pytest.param("-7", -7, id="minus"),
        pytest.param("+", "+", id="a lone sign is text"),
        pytest.param("+49 30", "+49 30", id="a telephone number is text"),
        pytest.param("1.10", 1.1, id="a fraction is a number"),
        pytest.param(".5", 0.5, id="a fraction without whole part"),
        pytest.param("1.", 1.0, id="a fraction without digits"),
        pytest.param("1e3", 1000.0, id="exponent without fraction"),
        pytest.param("1.0.0", "1.0.0", id="a version is text"),
        pytest.param("1e999", "1e999", id="too large for a number stays text"),
        pytest.param(".inf", ".inf", id="infinity stays text"),
        pytest.param(".nan", ".nan", id="no number stays text"),
        pytest.param("=", "=", id="the value key of YAML 1.1 is text"),
        pytest.param("<<", "<<", id="the merge key of YAML 1.1 is text"),
        pytest.param("'12'", "12", id="single quotes are text"),
        pytest.param('"null"', "null", id="double quotes are text"),
        pytest.param("!!str 12", "12", id="the text tag is text"),
    ],
)
def test_a_plain_value_is_read_as_yaml_1_2_core(text: str, value: Any) -> None:
    found = data(f"k: {text}\n")["k"]
    assert found == value
    assert type(found) is type(value)


def test_a_number_of_any_length_is_read_without_loss() -> None:
    assert data("k: 12345678901234567890123456789")["k"] == 12345678901234567890123456789


def test_a_number_too_long_to_convert_stays_text() -> None:
    assert data(f"k: {'9' * 5000}")["k"] == "9" * 5000


@pytest.mark.parametrize("key", ["1", "null", "true", "1.10", "2026-01-01", ""])
def test_keys_are_text_always(key: str) -> None:
    assert list(data(f"? {key}\n: 1\n")) == [key]


@pytest.mark.parametrize("text", ["1.10", "0x1F", "010", "true", "2026-11-20", "1e3"])
def test_the_text_of_a_scalar_is_what_its_author_wrote(text: str) -> None:
    document = Document("x.yaml", f"a: [0, {text}]\n")
    assert document.scalar_text(("a", 1)) == text


def test_a_block_text_keeps_its_lines() -> None:
    assert data("a: |\n  one\n  two\nb: >-\n  three\n  four\n") == {"a": "one\ntwo\n", "b": "three four"}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_document(path).data == {"a": 1}


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\r\nb:\r\n  c: 2\r\n")
    document = read_document(path)
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.locate(("b", "c")).line == 3


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other) or one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


# The other library writes the text `0E0` without quotes: in its YAML 1.1 that is no number, in 1.2 it is.
PRINTABLE = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff")
).filter(lambda text: not re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_what_another_library_writes_is_read_back_as_it_was(value: Any, flow: bool) -> None:  # noqa: FBT001
    text = yaml.safe_dump({"k": value}, allow_unicode=True, sort_keys=False, default_flow_style=flow, width=10_000)
    assert _same(data(text), yaml.safe_load(text))
    assert _same(data(text), {"k": value})


# --- anchors


def test_an_alias_stands_for_what_its_anchor_holds() -> None:
    assert data("a: &x {b: [1]}\nc: *x\nd: &y text\ne: *y\n") == {
        "a": {"b": [1]}, "c": {"b": [1]}, "d": "text", "e": "text",
    }  # fmt: skip


def test_an_anchor_may_be_set_again() -> None:
    assert data("[&x 1, *x, &x 2, *x]") == [1, 1, 2, 2]


def test_the_inside_of_an_alias_is_found_where_it_is_written() -> None:
    document = Document("x.yaml", "a: &x\n  b: 1\nc: *x\n")
    assert (document.locate(("c",)).line, document.locate(("c", "b")).line) == (3, 2)


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert data("a: &x {b: 1}\nc: {<<: *x, d: 2}\n")["c"] == {"<<": {"b": 1}, "d": 2}


# --- what is refused, and where


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        pytest.param("", "empty-file", 1, 1, id="nothing"),
        pytest.param("# only\n# comments\n", "empty-file", 1, 1, id="comments only"),
        pytest.param("a: 1\n---\nb: 2\n", "many-documents", 2, 1, id="two documents"),
        pytest.param("a: 1\nb: {c: 1, d: 2, c: 3}\n", "duplicate-key", 2, 17, id="a key twice in one line"),
        pytest.param("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1, id="a key twice"),
        pytest.param("'a': 1\n\"a\": 2\n", "duplicate-key", 2, 1, id="a key twice in other quotes"),
        pytest.param("a:\n\tb: 1\n", "not-yaml", 2, 1, id="a tab as indentation"),
        pytest.param("a: 'b\n", "not-yaml", 2, 1, id="a quote that never ends"),
        pytest.param("a: [1, 2\nb: 3\n", "not-yaml", 2, 2, id="a bracket that never ends"),
        pytest.param("a: b: c\n", "not-yaml", 1, 5, id="a colon in a plain text"),
        pytest.param("a: @b\n", "not-yaml", 1, 4, id="a character that begins nothing"),
        pytest.param("ä: {{x}}\n", "not-yaml", 1, 5, id="an unquoted template"),
        pytest.param("? [a]\n: 1\n", "not-yaml", 1, 3, id="a list as a key"),
        pytest.param("a: &x 1\n*x : 2\n", "not-yaml", 2, 1, id="an alias as a key"),
        pytest.param("a: *x\n", "unknown-alias", 1, 4, id="an alias of nothing"),
        pytest.param("a: &x [*x]\n", "unknown-alias", 1, 8, id="an alias inside its own anchor"),
        pytest.param("a: &x 1\nb: &x [*x]\n", "unknown-alias", 2, 8, id="an alias inside an anchor set again"),
        pytest.param("a: &x {b: &y [*x]}\n", "unknown-alias", 1, 15, id="an alias deep inside its own anchor"),
        pytest.param("a: !!int 1\n", "yaml-tag", 1, 4, id="a tag on a value"),
        pytest.param("a: !Ref b\n", "yaml-tag", 1, 4, id="a tag of somebody's own"),
        pytest.param("a: !!set {b}\n", "yaml-tag", 1, 4, id="a tag on a mapping"),
        pytest.param("a: !!python/object/apply:os.system ['true']\n", "yaml-tag", 1, 4, id="a tag that would run"),
        pytest.param(BOMB, "too-large", 6, 45, id="aliases of aliases"),
        pytest.param("a: " + "[" * 200 + "]" * 200, "too-deep", 1, 3 + MAX_DEPTH, id="nested too deep"),
        pytest.param("a: b\0c\n", "not-yaml", 1, 5, id="a zero"),
        pytest.param("a: 1\nb: \x01\n", "not-yaml", 2, 4, id="a control character"),
        pytest.param(b"a: 1\nb: \xe4\n", "wrong-encoding", 2, 4, id="latin-1"),
        pytest.param("a: 1\n".encode("utf-16"), "wrong-encoding", 1, 1, id="UTF-16"),
        pytest.param(b"a: " + b"x" * MAX_BYTES, "too-large", 1, 1, id="too many bytes"),
    ],
)
def test_a_file_is_refused_at_the_place_of_its_fault(
    text: str | bytes, code: str, line: int, column: int, tmp_path: Path
) -> None:
    found = problem(text, tmp_path)
    assert (found.code, found.at.file, found.at.line, found.at.column) == (code, "x.yaml", line, column)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("a:\n\tb: 1\n", "holds a tab", id="a tab"),
        pytest.param("a: {{x}}\n", "a template needs quotes", id="an unquoted template"),
        pytest.param("a: b: c\n", "needs quotes around it", id="a colon in a plain text"),
        pytest.param("a: 'it's'\n", "write ''", id="a single quote inside single quotes"),
        pytest.param('a: "so "called""\n', 'write \\"', id="a double quote inside double quotes"),
        pytest.param("a: 1\n---\nb: 1\n", "split the file", id="two documents"),
        pytest.param("a: 1\nb: 2\na: 3\n", "first in line 1", id="a key twice"),
        pytest.param(b"\xff", "as UTF-8", id="no UTF-8"),
    ],
)
def test_a_refusal_says_what_to_try(text: str | bytes, hint: str, tmp_path: Path) -> None:
    assert hint in problem(text, tmp_path).hint


def test_nesting_up_to_the_limit_is_read() -> None:
    inner = data("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (inner,) = inner
    assert inner == []


@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        read_document(tmp_path / name)
    (found,) = caught.value.problems
    assert (found.code, found.at.file) == ("unreadable-file", str(tmp_path / name))


# --- places


SOURCE = """\
ä: {b: [1, {c: two}]}
"x/y~z":
  -   one
"""


@pytest.mark.parametrize(
    ("pointer", "line", "column", "text"),
    [
        pytest.param((), 1, 1, "", id="the whole"),
        pytest.param(("ä",), 1, 4, "/ä", id="columns count characters"),
        pytest.param(("ä", "b", 1, "c"), 1, 16, "/ä/b/1/c", id="inside a line"),
        pytest.param(("x/y~z", 0), 3, 7, "/x~1y~0z/0", id="an item of a list"),
        pytest.param(("ä", "gone", 3), 1, 4, "/ä", id="what is missing is left off"),
    ],
)
def test_a_pointer_leads_to_a_line_and_a_column(
    pointer: tuple[str | int, ...], line: int, column: int, text: str
) -> None:
    at = Document("x.yaml", SOURCE).locate(pointer)
    assert at == Location("x.yaml", line, column, text, SOURCE.splitlines()[line - 1])


def test_a_place_may_be_that_of_the_key() -> None:
    document = Document("x.yaml", "a:\n  bcd: 1\n")
    assert document.locate(("a", "bcd"), key=True).column == 3
    assert document.locate(("a", "bcd")).column == 8


def test_a_renamed_or_removed_key_keeps_its_place() -> None:
    document = Document("x.yaml", "a: 1\nbb: {c: 1}\n")
    document.rename(("bb",), "b")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert document.locate(("b", "c")).column == 9
    assert document.remove(("a",))
    assert document.data == {"b": {"c": 1}}
    assert document.locate(("a",)).line == 1


def test_an_item_of_a_list_is_not_removed() -> None:
    document = Document("x.yaml", "[1, 2]")
    assert not document.remove((0,))
    assert document.data == [1, 2]


def test_a_problem_shows_a_window_of_a_long_line() -> None:
    document = Document("x.yaml", "a: [" + "x, " * 5000 + "{b: here}]")
    shown = str(Problem("code", "message", document.locate(("a", 5000, "b"))))
    _, _, line, caret = shown.splitlines()
    assert len(line) < 140
    assert line[caret.index("^") :].startswith("here")


@given(VALUES)
def test_every_pointer_leads_to_its_own_value(value: Any) -> None:
    text = yaml.safe_dump({"k": value}, allow_unicode=True, default_flow_style=True, width=10_000_000)
    document = Document("x.yaml", text)

    def walk(node: Any, pointer: tuple[str | int, ...]) -> None:
        at = document.locate(pointer)
        assert at.pointer == format_pointer(pointer)
        rest = at.source[at.column - 1 :]
        if isinstance(node, dict):
            assert rest[0] == "{"
            for key in node:
                walk(node[key], (*pointer, key))
        elif isinstance(node, list):
            assert rest[0] == "["
            for index, item in enumerate(node):
                walk(item, (*pointer, index))

    walk(document.data, ())
