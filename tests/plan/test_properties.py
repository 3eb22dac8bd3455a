"""For any text at all: a value stays in the place it was put into."""

from __future__ import annotations

import email
import email.policy
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from capstan.errors import BindError
from capstan.plan.request import HttpRequest
from capstan.plan.types import UnitPlan
from plan.helpers import header, tool_of

NASTY = [
    "../", "..", ".", "%2e%2e", "%2E%2E%2F", "a/../../b", "\r\nX-Evil: 1", "\n", "\0", "a\0b",
    '"', '","admin":true,"x":"', "\\",
    '\\"', "{{env.KEY}}", "{x}", "}}", "😀", "\ud800", "a\udfffb", "&a=b", "#", "?", ";", "=", "+",
    " ", "</v><v>", "]]>", "<!--",
    "&amp;", "--", "\r\n--boundary--\r\n", "\u2028", "\ufeff", "\x85", "ß", "null", "1", "x" * 100_000,
]  # fmt: skip
ANY_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from(NASTY[:-1]), min_size=1, max_size=4).map("".join),
    st.sampled_from(NASTY),
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def unit_with(operation: str) -> UnitPlan:
    return tool_of(operation, "inputParameters: [{name: v, schema: {}}]")


def sent_or_refused(unit: UnitPlan, value: Any) -> HttpRequest | None:
    """The request, or None when the value is refused; anything else a value causes is a fault."""
    assert unit.call is not None
    try:
        return unit.call.request.bind({"v": value})
    except BindError:
        return None


def is_unicode(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


PATH = unit_with("path: '/a/{v}/b'")
MIXED_PATH = unit_with("path: '/a/x{v}.json'")
QUERY = unit_with("inputParameters: [{name: z, in: query, value: '1'}, {name: v, in: query}]")
PATH_QUERY = unit_with("path: '/search?z=1&v={v}&y=2'")
HEADER = unit_with("inputParameters: [{name: v, in: header}]")
COOKIE = unit_with("inputParameters: [{name: z, in: cookie, value: '1'}, {name: v, in: cookie}]")
JSON_DATA = unit_with("{method: POST, body: {type: json, data: {a: 1, v: '{{v}}', s: ['x{{v}}y'], z: {b: null}}}}")
JSON_TEXT = unit_with("""{method: POST, body: '{"a": 1, "v": {{v}}, "s": ["x{{v}}y"], "z": {"b": null}}'}""")
WHOLE = unit_with("{method: POST, inputParameters: [{name: v, in: body}]}")
FORM = unit_with("{method: POST, body: {type: formUrlEncoded, data: {a: '1', v: '{{v}}', z: '2'}}}")
FORM_TEXT = unit_with("{method: POST, body: {type: formUrlEncoded, data: 'a=1&v={{v}}&z=2'}}")
XML = unit_with("{method: POST, body: {type: xml, data: '<r a=\"{{v}}\"><v>{{v}}</v><z/></r>'}}")
MULTIPART = unit_with(
    "{method: POST, body: {type: multipartForm, data: {a: {value: '1'},"
    " v: {value: '{{v}}', filename: '{{v}}'}, z: {value: '2'}}}}"
)


@given(ANY_TEXT)
def test_a_path_value_never_leaves_its_segment(text: str) -> None:
    request = sent_or_refused(PATH, text)
    if request is None:
        assert text in ("", ".", "..") or not is_unicode(text)
        return
    parts = urlsplit(request.url)
    assert (parts.netloc, parts.query, parts.fragment) == ("api.example.com", "", "")
    segments = request.url.removeprefix("https://api.example.com/").split("/")
    assert [unquote(segment, errors="strict") for segment in segments] == ["things", "a", text, "b"]
    assert segments[2] not in ("", ".", "..")
    assert request.url.isascii()
    assert request.url.isprintable()


@given(ANY_TEXT)
def test_a_path_value_beside_text_stays_there(text: str) -> None:
    request = sent_or_refused(MIXED_PATH, text)
    if request is None:
        assert not text or not is_unicode(text)
        return
    assert [unquote(s) for s in request.url.split("/")[3:]] == ["things", "a", f"x{text}.json"]


@given(ANY_TEXT)
def test_a_query_value_is_one_value_of_its_name(text: str) -> None:
    request = sent_or_refused(QUERY, text)
    if request is None:
        assert not is_unicode(text)
        return
    path, _, query = request.url.partition("?")
    assert path == "https://api.example.com/things"
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [("z", "1"), ("v", text)]
    assert request.url.isascii()
    assert "#" not in request.url


@given(st.lists(ANY_TEXT.filter(is_unicode), max_size=5))
def test_an_array_in_a_query_is_as_many_values(texts: list[str]) -> None:
    request = sent_or_refused(QUERY, texts)
    assert request is not None
    pairs = parse_qsl(request.url.partition("?")[2], keep_blank_values=True)
    assert pairs == [("z", "1"), *(("v", text) for text in texts)]


@given(ANY_TEXT)
def test_a_value_in_a_query_written_in_the_path_stays_there(text: str) -> None:
    request = sent_or_refused(PATH_QUERY, text)
    if request is not None:
        pairs = parse_qsl(request.url.partition("?")[2], keep_blank_values=True)
        assert pairs == [("z", "1"), ("v", text), ("y", "2")]


@given(ANY_TEXT)
def test_a_header_value_holds_no_control_character_and_comes_back(text: str) -> None:
    request = sent_or_refused(HEADER, text)
    if request is None:
        assert not is_unicode(text) or any(ord(c) < 32 or ord(c) == 127 for c in text)
        return
    value = header(request, "v")
    assert value == text.strip(" \t")
    assert not any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in value)
    value.encode()


@given(ANY_TEXT)
def test_a_cookie_value_is_one_cookie(text: str) -> None:
    request = sent_or_refused(COOKIE, text)
    if request is None:
        assert not is_unicode(text)
        return
    value = header(request, "Cookie")
    assert value is not None
    first, second = value.split("; ")
    assert first == "z=1"
    assert unquote(second.removeprefix("v="), errors="strict") == text
    assert value.isascii()
    assert not set(second.removeprefix("v=")) & set(' ",;\\\r\n\t\0')


@given(ANY_TEXT)
def test_a_json_string_is_the_value_and_its_neighbours_are_unchanged(text: str) -> None:
    for unit in (JSON_DATA, JSON_TEXT):
        request = sent_or_refused(unit, text)
        if request is None:
            assert not is_unicode(text)
            continue
        assert json.loads(request.body or b"") == {"a": 1, "v": text, "s": [f"x{text}y"], "z": {"b": None}}


@given(JSON_VALUES)
def test_a_json_value_comes_back_as_it_was(value: Any) -> None:
    for unit in (JSON_DATA, JSON_TEXT):
        request = sent_or_refused(unit, value)
        assert request is not None
        assert repr(json.loads(request.body or b"")["v"]) == repr(value)
    request = sent_or_refused(WHOLE, value)
    assert request is not None
    assert repr(json.loads(request.body or b"")) == repr(value)


@given(ANY_TEXT)
def test_a_form_value_is_one_field(text: str) -> None:
    for unit in (FORM, FORM_TEXT):
        request = sent_or_refused(unit, text)
        if request is None:
            assert not is_unicode(text)
            continue
        assert request.body is not None
        assert request.body.isascii()
        assert parse_qsl(request.body.decode(), keep_blank_values=True) == [("a", "1"), ("v", text), ("z", "2")]


PARAMETERS = st.lists(
    st.sampled_from(["; charset=utf-8", ";charset=UTF-8", " ; a=b", "; profile=json", "; a=xml", ";"]), max_size=3
).map("".join)
CASES = st.sampled_from([str.lower, str.upper, str.title])


def bare(media_type: str, body: str) -> UnitPlan:
    header_parameter = f"{{name: Content-Type, in: header, value: '{media_type}'}}"
    return unit_with(f"{{method: POST, body: {json.dumps(body)}, inputParameters: [{header_parameter}]}}")


@settings(max_examples=30)
@given(PARAMETERS, CASES, st.sampled_from(["a&b=1", '"<&', "x"]))
def test_parameters_of_a_media_type_change_nothing_about_its_encoding(
    parameters: str, case: Callable[[str], str], text: str
) -> None:
    form = sent_or_refused(bare(case("application/x-www-form-urlencoded") + parameters, "v={{v}}&z=1"), text)
    assert form is not None
    assert parse_qsl((form.body or b"").decode()) == [("v", text), ("z", "1")]
    document = sent_or_refused(bare(case("application/soap+xml") + parameters, "<v>{{v}}</v>"), text)
    assert document is not None
    assert ET.fromstring(document.body or b"").text == text
    data = sent_or_refused(bare(case("application/vnd.a+json") + parameters, '{"v": "{{v}}"}'), text)
    assert data is not None
    assert json.loads(data.body or b"") == {"v": text}


def as_xml_holds(text: str) -> str:
    """What XML cannot hold at all is replaced."""
    held = ("\t\n\r", " \ud7ff", "\ue000\ufffd", "\U00010000\U0010ffff")
    return "".join(c if c in held[0] or any(low <= c <= high for low, high in held[1:]) else "\ufffd" for c in text)


@given(ANY_TEXT)
@example("a\rb\r\n\t")
def test_an_xml_text_is_one_text(text: str) -> None:
    request = sent_or_refused(XML, text)
    assert request is not None
    root = ET.fromstring(request.body or b"")
    assert [child.tag for child in root] == ["v", "z"]
    assert (root[0].text or "") == as_xml_holds(text)
    assert root.attrib == {"a": as_xml_holds(text)}


@given(ANY_TEXT)
def test_a_multipart_value_is_one_part(text: str) -> None:
    request = sent_or_refused(MULTIPART, text)
    if request is None:
        assert not is_unicode(text)
        return
    assume(len(text) < 10_000)  # the parser of the standard library reads line by line
    content_type = header(request, "Content-Type") or ""
    body = request.body or b""
    boundary = content_type.partition("boundary=")[2].encode()
    assert body.count(b"--" + boundary) == 4
    message = email.message_from_bytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=email.policy.HTTP
    )
    parts: list[Any] = list(message.iter_parts())  # type: ignore[attr-defined]
    assert not message.defects
    assert [part.get_payload(decode=True) for part in parts] == [b"1", text.encode(), b"2"]
    assert all(list(part) == ["Content-Disposition"] for part in parts)


@given(ANY_TEXT, ANY_TEXT)
def test_no_value_is_read_as_a_template(one: str, other: str) -> None:
    unit = UNIT_OF_TWO
    assert unit.call is not None
    try:
        request = unit.call.request.bind({"one": one, "other": other})
    except BindError:
        return
    assert json.loads(request.body or b"") == {"a": f"{one}-{other}"}


UNIT_OF_TWO = tool_of("{method: POST, body: {type: json, data: {a: '{{one}}-{{other}}'}}}",
                      "inputParameters: [{name: one}, {name: other}]")  # fmt: skip
