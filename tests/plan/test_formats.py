"""Bad answers of each format: every one is a ValueError that says why, and none asks for more than it should."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capstan.plan.formats.avro_records import plan_avro
from capstan.plan.formats.charset import charset_of, decode
from capstan.plan.formats.html_tables import plan_html
from capstan.plan.formats.limits import MAX_VALUES
from capstan.plan.formats.markdown_parts import plan_markdown
from capstan.plan.formats.protobuf_message import plan_protobuf
from capstan.plan.formats.separated import read_separated
from capstan.plan.formats.xml_tree import read_xml
from capstan.plan.formats.yaml_tree import read_yaml
from capstan.plan.jsontext import is_deeper_than

GOLDEN = Path(__file__).parents[1] / "golden" / "decode"
Read = Callable[[bytes, str], Any]


def read_csv(body: bytes, charset: str) -> Any:
    return read_separated(body, charset, ",")


def xml(body: bytes, charset: str = "") -> Any:
    return read_xml(body, charset).tree


READERS: dict[str, Read] = {
    "xml": xml,
    "csv": read_csv,
    "yaml": read_yaml,
    "html": plan_html(""),
    "selected": plan_html("div table.x"),
    "markdown": plan_markdown(""),
    "avro": plan_avro(GOLDEN / "avro" / "orders.avsc"),
    "protobuf": plan_protobuf(GOLDEN / "protobuf" / "orders.proto", "", []),
}


def refused(read: Read, body: bytes, charset: str = "") -> str:
    with pytest.raises(ValueError) as caught:
        read(body, charset)
    return str(caught.value)


# --- charsets


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("Åsa €".encode(), ""),
        ("Åsa €".encode("utf-8-sig"), "iso-8859-1"),
        ("Åsa €".encode("utf-16"), ""),
        ("Åsa €".encode("utf-16-be"), "UTF-16BE"),
        ("Åsa €".encode("cp1252"), "windows-1252"),
        ("Åsa €".encode("iso-8859-15"), "ISO-8859-15"),
        ("Åsa €".encode("utf-32"), ""),
    ],
)
def test_text_is_read_by_its_mark_then_by_the_named_charset_then_as_utf_8(body: bytes, charset: str) -> None:
    assert decode(body, charset) == "Åsa €"


@pytest.mark.parametrize("charset", ["nope", "zlib", "rot13", "idna", "unicode_escape", "utf-7", "hex", "a\0b", "mbcs"])
def test_no_upstream_chooses_what_is_no_charset(charset: str) -> None:
    with pytest.raises(ValueError, match="is not known"):
        decode(b"abc", charset)


def test_bytes_that_are_no_text_are_refused_with_their_place() -> None:
    assert refused(read_csv, b"a,b\n1,\xe5\n") == "byte 7 is not utf-8; its media type names no charset"
    assert refused(read_csv, b"a\xff", "ascii") == "byte 2 is not ascii"


@pytest.mark.parametrize(
    ("media_type", "charset"),
    [
        ("text/csv; charset=UTF-16LE", "UTF-16LE"),
        ('text/csv;header=present;Charset = "latin1"', "latin1"),
        ("text/csv", ""),
    ],
)
def test_the_charset_of_a_media_type(media_type: str, charset: str) -> None:
    assert charset_of(media_type) == charset


# --- XML


def test_the_declaration_of_a_document_says_its_encoding_and_the_media_type_overrules_it() -> None:
    assert xml('<?xml version="1.0" encoding="windows-1252"?><a>€</a>'.encode("cp1252")) == "€"
    assert xml('<?xml version="1.0" encoding="ISO-8859-1"?><a>Å</a>'.encode(), "utf-8") == "Å"


def test_a_page_in_html_says_its_encoding_in_a_meta_element() -> None:
    page = "<meta charset='windows-1252'><table><tr><th>a<tr><td>€</table>".encode("cp1252")
    assert READERS["html"](page, "") == {"tables": [[{"a": "€"}]]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"<a><b></a>", "line 1, column 9: mismatched tag", id="mismatched"),
        pytest.param(b"<a>\n<b>", "line 2, column 4: no element found", id="cut off"),
        pytest.param(b"not XML", "line 1, column 1", id="no XML"),
        pytest.param(b"<a/><b/>", "junk after document element", id="two roots"),
        pytest.param(b"<x:a/>", "unbound prefix", id="unbound prefix"),
        pytest.param(b"<a>&nope;</a>", "undefined entity", id="an unknown entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "of its own", id="an entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "of its own", id="a file"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1:1/"> %b;]><a/>', "of its own", id="a parameter"
        ),
        pytest.param(b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><a/>', "of its own", id="a default attribute"),
        pytest.param(
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a>&b;</a>', "declared nowhere", id="another's entity"
        ),
        pytest.param(
            b"""<!DOCTYPE a PUBLIC "a" "a.dtd"><a b='"&amp;>' c="d&e;f"/>""", "'e' is declared", id="in an attribute"
        ),
        pytest.param(b"<a>" * 101 + b"</a>" * 101, "more than 100 levels", id="deep"),
        pytest.param(b"<a>" * 1_000_000, "more than 100 levels", id="very deep"),
    ],
)
def test_xml_that_is_none_or_too_much_is_refused(body: bytes, reason: str) -> None:
    assert reason in refused(xml, body)


def test_a_document_type_that_declares_nothing_here_is_only_a_name() -> None:
    assert xml(b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a>b</a>') == "b"


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip(" "))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), TEXTS, min_size=1))
def test_what_is_written_as_elements_is_what_is_read(members: dict[str, str]) -> None:
    from xml.sax.saxutils import escape

    body = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    assert xml(f"<r>{body}</r>".encode()) == members


# --- separated values


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"a,b\n1,2\n3,4,5\n", "line 3 has 3 values, the first line names 2", id="ragged"),
        pytest.param(b'a,b\n1,"x\ny"\n3,4,5\n', "line 4 has 3", id="ragged after a line of several"),
        pytest.param(b'a,b\n1,"2\n', "line 2: unexpected end of data", id="an open quote"),
        pytest.param(b'a,b\n1,"2"3\n', "line 2: ',' expected after '\"'", id="text after a quote"),
        pytest.param(b"a\n" + b"1\n" * 600_000, "more than 2,000,000 values", id="many lines"),
        pytest.param(b"a\n" + b"x" * 200_000, "field larger than field limit", id="a huge value"),
    ],
)
def test_separated_values_that_are_damaged_are_refused_with_their_line(body: bytes, reason: str) -> None:
    assert reason in refused(read_csv, body)


def test_a_short_line_lacks_its_last_members_and_an_empty_one_is_nothing() -> None:
    assert read_csv(b"a,b\n1\n\n2,3\n,\n", "") == [{"a": "1"}, {"a": "2", "b": "3"}, {"a": "", "b": ""}]


def test_columns_of_one_name_are_numbered_and_none_is_lost() -> None:
    assert read_csv(b"a,a,a_2,a\n1,2,3,4\n", "") == [{"a": "1", "a_2": "2", "a_2_2": "3", "a_3": "4"}]


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2)))
def test_what_is_written_as_separated_values_is_what_is_read(rows: list[list[str]]) -> None:
    import csv

    target = io.StringIO(newline="")
    csv.writer(target, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    assert read_csv(target.getvalue().encode(), "utf-8") == [dict(zip("ab", row, strict=True)) for row in rows]


# --- YAML


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"a: [1", "line 2, column 1: not YAML", id="cut off"),
        pytest.param(b"a: 1\na: 2", "line 2, column 1: the key 'a' stands twice", id="a key twice"),
        pytest.param(b"a: !!python/object/apply:os.system [ls]", "the tag", id="a tag"),
        pytest.param(b"--- a\n--- b\n", "a second document", id="two documents"),
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"a: \0", "U+0000", id="a NUL"),
        pytest.param(b"[" * 500, "100 levels", id="deep"),
        pytest.param(b"a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
            b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)
        ), "once aliases are followed", id="aliases of aliases"),
    ],
)  # fmt: skip
def test_yaml_that_is_none_or_too_much_is_refused(body: bytes, reason: str) -> None:
    assert reason in refused(read_yaml, body)


# --- HTML and Markdown


@pytest.mark.parametrize(
    ("read", "body", "reason"),
    [
        pytest.param(READERS["html"], b"<p>Please log in</p>", "it has no table", id="no table"),
        pytest.param(READERS["html"], b"", "it has no table", id="nothing"),
        pytest.param(
            READERS["selected"], b"<table class=x></table>", "no table is at 'div table.x'", id="not selected"
        ),
        pytest.param(READERS["html"], b"<div>" * 1_000_000, "nested too deeply", id="deep"),
        pytest.param(
            READERS["html"], b"<table><tr>" + b"<th>a" * 3000 + b"<tr><td>" * 3000, "values", id="a wide table"
        ),
        pytest.param(
            READERS["html"],
            (b"<table><tr>" + b"<th>a" * 500 + b"<tr><td>" * 500 + b"</table>") * 10,
            "values",
            id="wide tables",
        ),
    ],
)
def test_a_page_without_what_is_asked_for_is_refused(read: Read, body: bytes, reason: str) -> None:
    assert reason in refused(read, body)


def test_a_table_without_headers_is_left_out() -> None:
    assert READERS["html"](b"<table><tr><td>a</table>", "") == {"tables": []}


@pytest.mark.parametrize(
    ("rows", "values"),
    [
        pytest.param("<tr><td colspan=2>1<td>2", ["112"], id="columns"),
        pytest.param(
            "<tr><td rowspan=2>1<td>2<td>3<tr><td>4<td>5<tr><td>6<td>7<td>8", ["123", "145", "678"], id="rows"
        ),
        pytest.param("<tr><td>1<td rowspan=2 colspan=2>2<tr><td>3", ["122", "322"], id="both"),
        pytest.param("<tr><td rowspan=0>1<td>2<td>3<tr><td>4<td>5<tbody><tr><td>6", ["123", "145", "6"], id="a group"),
        pytest.param(
            "<tr><td>1<td rowspan=2>2<td>3<tr><td colspan=3>4<tr><td>5", ["123", "444", "5"], id="overlapping"
        ),
        pytest.param("<tr><td colspan=0>1<td colspan=x rowspan=-1>2<td rowspan=''>3", ["123"], id="no numbers"),
    ],
)
def test_a_cell_stands_in_each_place_that_it_spans(rows: str, values: list[str]) -> None:
    page = "<table><thead><tr><th>a<th>b<th>c<tbody>" + rows + "</table>"
    (table,) = READERS["html"](page.encode(), "")["tables"]
    assert ["".join(row.values()) for row in table] == values


def test_a_header_of_several_columns_is_the_name_of_each() -> None:
    page = b"<table><tr><th rowspan=2>sku<th colspan=2>price<tr><th>net<th>gross<tr><td>a<td>1<td>2</table>"
    assert READERS["html"](page, "") == {"tables": [[{"sku": "a", "price": "1", "price_2": "2"}]]}


@pytest.mark.parametrize(
    "table",
    [
        pytest.param("<tr>" + "<th colspan=1000>a" * 5000, id="columns"),
        pytest.param("<tr><th colspan=1000>" + "a" * 1_000_000, id="a long name"),
        pytest.param("<tr>" + "<td rowspan=0>a" * 1000 + "<tr><td>a" * 3000, id="rows"),
    ],
)
def test_a_few_cells_do_not_span_a_large_table(table: str) -> None:
    assert "values" in refused(READERS["html"], f"<table>{table}".encode())


def test_a_line_that_is_broken_in_a_cell_of_markdown_is_two() -> None:
    table = READERS["markdown"](b"|a|b|\n|-|-|\n|1<br>2|3<BR/>4<b>5</b>|\n", "")["tables"][0]
    assert table == [{"a": "1\n2", "b": "3\n45"}]


def test_markdown_that_would_take_long_to_read_is_refused() -> None:
    assert "larger than 2,097,152 bytes" in refused(READERS["markdown"], b"*a_ " * 600_000)


def test_markdown_whose_front_matter_is_damaged_is_refused() -> None:
    assert refused(READERS["markdown"], b"---\na: [\n---\n# T\n").startswith("its front matter, line")


def test_a_line_at_the_beginning_is_no_front_matter_without_its_end() -> None:
    found = READERS["markdown"](b"---\n# T\nx\n", "")
    assert (found["frontMatter"], found["sections"]) == ({}, [{"heading": "T", "level": 1, "content": "x"}])


# --- Avro


def avro(schema: Any, tmp_path: Path) -> Read:
    path = tmp_path / "a.avsc"
    path.write_text(json.dumps(schema))
    return plan_avro(path)


def record(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": name, "type": kind} for name, kind in fields]}


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        pytest.param("string", b"\x0aab", "it ends early: byte 2 begins a value of 5 bytes", id="a cut text"),
        pytest.param("string", b"\x09", "it ends early", id="a length below nothing"),
        pytest.param("string", b"\x04\xff\xfe", "is not UTF-8", id="no UTF-8"),
        pytest.param("long", b"\x80", "it ends early, in a number", id="a cut number"),
        pytest.param("long", b"\xff" * 11, "longer than 64 bits", id="a long number"),
        pytest.param("boolean", b"\x02", "is no boolean", id="no boolean"),
        pytest.param("double", b"\0\0", "it ends early", id="a cut double"),
        pytest.param("int", b"\x02\x02", "it goes on after its record, which ends at byte 1 of 2", id="more"),
        pytest.param(["null", "int"], b"\x04", "names a branch", id="no branch"),
        pytest.param({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", "names a symbol", id="no symbol"),
        pytest.param({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\x0f\x00", "values", id="values of no size"),
        pytest.param({"type": "array", "items": "int"}, b"\x04\x02", "it ends early", id="a cut array"),
        pytest.param(
            {"type": "array", "items": {"type": "bytes", "logicalType": "decimal", "precision": 10**6, "scale": 10**6}},
            b"\x90\x03" + b"\x02\x01" * 200 + b"\0",
            "values",
            id="decimals of many zeros",
        ),
        pytest.param({"type": "map", "values": "int"}, b"\x02\x02a", "it ends early", id="a cut map"),
        pytest.param(record(("next", ["null", "R"])), b"\x02" * 1_000_000, "100 levels deep", id="a chain of itself"),
        pytest.param(
            record(("all", {"type": "array", "items": "R"})), b"\x02" * 1_000_000, "100 levels", id="in arrays"
        ),
    ],
)
def test_avro_that_is_damaged_or_too_much_is_refused(schema: Any, body: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in refused(avro(schema, tmp_path), body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda raw: raw[:-1], "it ends early", id="cut off"),
        pytest.param(lambda raw: raw[:-1] + b"x", "is damaged", id="another mark"),
        pytest.param(lambda raw: raw.replace(b"deflate", b"deflatf"), "compressed as 'deflatf'", id="another codec"),
        pytest.param(
            lambda raw: raw.replace(b'"type": "record"', b'"type": "recorD"'), "of the schema it brings", id="schema"
        ),
    ],
)
def test_a_container_that_is_damaged_is_refused(change: Callable[[bytes], bytes], reason: str) -> None:
    raw = (GOLDEN / "avro" / "deflated.avro").read_bytes()
    assert reason in refused(READERS["avro"], change(raw))


@pytest.mark.parametrize(
    "kind",
    [
        {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": 10**9},
        {"type": "fixed", "name": "F", "size": 10**12},
        {"type": "fixed", "name": "F", "size": "3"},
        {"type": "enum", "name": "E", "symbols": 1},
        "R",
        "nope",
    ],
)
def test_the_schema_that_a_container_brings_asks_for_nothing_large(kind: Any) -> None:
    schema = json.dumps(record(("a", kind))).encode()
    head = b"Obj\x01\x02" + _zigzag(11) + b"avro.schema" + _zigzag(len(schema)) + schema + b"\0" + b"s" * 16
    assert refused(READERS["avro"], head + b"\x02\x04\x02\x01" + b"s" * 16)


def test_a_block_that_grows_without_end_is_refused() -> None:
    packed = zlib.compressobj(wbits=-15)
    block = packed.compress(b"\0" * (65 * 1024**2)) + packed.flush()
    target = io.BytesIO()
    fastavro.writer(target, {"type": "record", "name": "R", "fields": []}, [], codec="deflate", sync_marker=b"s" * 16)
    length = _zigzag(len(block))
    assert "larger than allowed" in refused(READERS["avro"], target.getvalue() + b"\x02" + length + block + b"s" * 16)


def _zigzag(number: int) -> bytes:
    number <<= 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


ORDERS = fastavro.parse_schema(json.loads((GOLDEN / "avro" / "orders.avsc").read_text()))
_TREES = record(
    ("name", "string"), ("size", "long"), ("tags", {"type": "map", "values": "double"}),
    ("kind", {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}), ("twigs", {"type": "array", "items": "R"}),
    ("note", ["null", "string", "boolean"]),
)  # fmt: skip
_LEAVES = st.fixed_dictionaries({
    "name": st.text(st.characters(exclude_categories=["Cs"])), "size": st.integers(-(2**63), 2**63 - 1),
    "tags": st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.floats(allow_nan=False,
                                                                                      allow_infinity=False)),
    "kind": st.sampled_from("AB"), "twigs": st.just([]),
    "note": st.none() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])),
})  # fmt: skip


@given(st.recursive(_LEAVES, lambda below: st.builds(lambda leaf, twigs: {**leaf, "twigs": twigs}, _LEAVES,
                                                     st.lists(below, max_size=3)), max_leaves=8))  # fmt: skip
def test_what_another_writes_as_avro_is_what_is_read(value: dict[str, Any]) -> None:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(_TREES), value)
    assert _TREE_READER(target.getvalue(), "") == value


def _tree_reader() -> Read:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return avro(_TREES, Path(folder))


_TREE_READER = _tree_reader()


# --- Protocol Buffers


def test_a_message_that_is_damaged_is_refused() -> None:
    raw = (GOLDEN / "protobuf" / "orders.binpb").read_bytes()
    assert "no message of the type shop.Orders" in refused(READERS["protobuf"], raw[:-1])


def test_a_message_that_lacks_what_it_must_have_is_refused() -> None:
    read = plan_protobuf(GOLDEN / "protobuf" / "records.proto", "Records", [])
    assert "lacks line[0].sku" in refused(read, b"\x0b\x10\x01\x0c")


def test_a_schema_that_changes_or_whose_import_does_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "part.proto").write_text('syntax = "proto3"; message Part { string a = 1; }')
    whole = tmp_path / "whole.proto"
    whole.write_text('syntax = "proto3"; import "part.proto"; message Whole { Part part = 1; }')
    files: list[str] = []
    assert plan_protobuf(whole, "", files)(b"\x0a\x03\x0a\x01x", "") == {"part": {"a": "x"}}
    assert sorted(files) == [str(tmp_path / "part.proto"), str(whole)]
    (tmp_path / "part.proto").write_text('syntax = "proto3"; message Part { string other = 1; }')
    assert plan_protobuf(whole, "", [])(b"\x0a\x03\x0a\x01x", "") == {"part": {"other": "x"}}


def test_few_bytes_that_stand_for_many_values_are_refused() -> None:
    assert f"more than {MAX_VALUES:,} values" in refused(READERS["protobuf"], b"\x0a\x00" * 500_000)


# --- whatever comes


def _json(value: Any) -> None:
    json.dumps(value, allow_nan=False).encode()
    assert not is_deeper_than(value, 200)


_SEEDS = [path.read_bytes() for folder in GOLDEN.iterdir() for path in folder.iterdir()
          if path.suffix not in (".json", ".schema")]  # fmt: skip


@st.composite
def _spoilt(draw: st.DrawFn) -> bytes:
    """A good answer with a few bytes cut, changed, doubled or put in."""
    body = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["cut", "change", "put", "double"])):
            case "cut":
                del body[at : at + draw(st.integers(1, 20))]
            case "change":
                body[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "put":
                body[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                body[at:at] = body[at : at + 30]
    return bytes(body)


@pytest.mark.parametrize("name", list(READERS))
@settings(max_examples=300)
@given(
    body=_spoilt() | st.binary(max_size=200), charset=st.sampled_from(["", "", "utf-16", "latin-1", "gb18030", "utf-8"])
)
@example(body=b"Obj\x01", charset="")
@example(body=b"---\n", charset="")
@example(body=struct.pack("<d", float("nan")), charset="")
def test_whatever_comes_is_json_or_a_value_error(name: str, body: bytes, charset: str) -> None:
    try:
        value = READERS[name](body, charset)
    except ValueError:
        return
    _json(value)
