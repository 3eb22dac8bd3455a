"""What a REST caller sends arrives unchanged as an argument, or is refused by name."""

from __future__ import annotations

import json
import math
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.errors import BindError
from capstan.expose.arguments import ArgumentReader, media_types, read_json
from capstan.expose.rest import _segments
from plan.helpers import route_of

FORM = "application/x-www-form-urlencoded"


def reader_of(inputs: str, *, method: str = "POST", path: str = "/r", operation: str = "") -> ArgumentReader:
    """The reader of a REST operation that declares these inputs."""
    names = "with: {a: rest.a}" if "name: a" in inputs else ""
    parameters = f"inputParameters: [{{name: a, in: query}}]{operation}"
    route = route_of(f"{{method: {method}, {parameters}}}", f"{{inputParameters: {inputs}, {names}}}", path=path)
    return ArgumentReader(route.unit, tuple(name for segment in route.segments for name in segment.inputs))


def body_reader(operation: str) -> ArgumentReader:
    """The reader of a REST operation that derives everything."""
    return ArgumentReader(route_of(f"{{method: POST, {operation}}}").unit, ())


def read(
    reader: ArgumentReader,
    query: str | bytes = b"",
    headers: dict[str, str | bytes] | None = None,
    body: bytes | None = None,
    path: tuple[str, ...] = (),
) -> dict[str, Any]:
    raw = [(k.lower().encode(), v if isinstance(v, bytes) else v.encode()) for k, v in (headers or {}).items()]
    return reader.read(list(path), query if isinstance(query, bytes) else query.encode(), raw, body)


def refusal(*args: Any, **more: Any) -> BindError:
    with pytest.raises(BindError) as caught:
        read(*args, **more)
    assert caught.value.outcome == "not-sent"
    return caught.value


TEXT = reader_of("[{name: a, in: query, type: string}]")
PATH = reader_of("[{name: a, in: path, type: string}]", path="/r/{a}")
MANY = reader_of("[{name: a, in: query, type: array, items: {type: string}}]")
WHOLE = body_reader("inputParameters: [{name: body, in: body}]")
FIELDS = body_reader("inputParameters: [{name: to, in: body, type: string}, {name: n, in: body, type: integer}]")

UNICODE = st.text()
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(UNICODE)
def test_a_text_in_the_query_arrives_unchanged(text: str) -> None:
    assert read(TEXT, urlencode({"a": text})) == {"a": text}
    assert read(TEXT, "a=" + quote(text, safe="")) == {"a": text}


@given(st.lists(UNICODE, min_size=1, max_size=5))
def test_texts_in_the_query_arrive_as_an_array(texts: list[str]) -> None:
    assert read(MANY, urlencode([("a", text) for text in texts])) == {"a": texts}


@given(UNICODE.filter(bool))
def test_a_text_in_the_path_arrives_unchanged(text: str) -> None:
    segments = _segments({"raw_path": b"/r/" + quote(text, safe="").encode() + b"?x", "path": "/"})
    assert segments == ["r", text]
    assert read(PATH, path=(segments[1],)) == {"a": text}


@given(JSON_VALUES)
def test_a_json_body_arrives_unchanged(value: Any) -> None:
    body = json.dumps(value).encode()
    assert repr(read(WHOLE, body=body)) == repr({"body": value})
    assert repr(
        read(WHOLE, body=json.dumps(value, ensure_ascii=False).encode(), headers={"Content-Type": "application/json"})
    ) == repr({"body": value})


@given(UNICODE, st.integers())
def test_members_of_a_json_body_arrive_unchanged(text: str, number: int) -> None:
    assert read(FIELDS, body=json.dumps({"to": text, "n": number}).encode()) == {"to": text, "n": number}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_a_header_in_utf8_arrives_unchanged(text: str) -> None:
    reader = reader_of("[{name: a, in: header, type: string}]")
    assert read(reader, headers={"A": text.encode()}) == {"a": text}


# --- types


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "5", "5"), ("integer", "5", 5), ("integer", "-5", -5),
        ("integer", "+5", 5), ("integer", "9" * 400, int("9" * 400)), ("number", "1.5", 1.5), ("number", "10", 10),
        ("number", "1e3", 1000.0), ("boolean", "true", True), ("boolean", "False", False),
        ("object", '{"b": [1]}', {"b": [1]}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["query", "header", "path", "cookie"])
def test_text_is_read_as_its_declared_type(where: str, kind: str, text: str, value: Any) -> None:
    reader = reader_of(f"[{{name: a, in: {where}, type: {kind}}}]", path="/r/{a}" if where == "path" else "/r")
    match where:
        case "query":
            found = read(reader, urlencode({"a": text}))
        case "header":
            found = read(reader, headers={"A": text})
        case "path":
            found = read(reader, path=(text,))
        case _:
            found = read(reader, headers={"Cookie": f"z=1; a={text}; y=2"})
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", ""), ("integer", "x"), ("integer", "1.5"), ("integer", "1_000"),
        ("integer", "--5"), ("integer", "٣"),
        ("integer", " 5"), ("integer", "9" * 5000), ("number", "nan"), ("number", "inf"),
        ("number", "1e999"), ("number", "1_0"),
        ("number", "0x10"), ("boolean", "1"), ("boolean", "yes"), ("boolean", ""),
        ("object", "[1]"), ("object", "{"), ("object", "x"),
    ],
)  # fmt: skip
def test_text_that_is_not_of_its_type_is_refused_by_name(kind: str, text: str) -> None:
    error = refusal(reader_of(f"[{{name: a, in: query, type: {kind}}}]"), urlencode({"a": text}))
    assert (error.code, error.argument, error.status) == ("bad-argument", "a", 400)
    assert "is not a" in error.message or "is not true or false" in error.message
    assert len(error.message) < 120


def test_an_array_of_numbers_is_read_item_by_item() -> None:
    reader = reader_of("[{name: a, in: query, type: array, items: {type: integer}}]")
    assert read(reader, "a=1&a=2") == {"a": [1, 2]}
    assert refusal(reader, "a=1&a=x").argument == "a"


def test_a_type_that_may_be_null_is_read_as_the_other() -> None:
    assert read(reader_of("[{name: a, in: query, type: integer, nullable: true}]"), "a=5") == {"a": 5}


# --- the query


def test_an_argument_given_twice_is_refused() -> None:
    assert refusal(TEXT, "a=1&a=2").argument == "a"


def test_an_argument_nobody_knows_is_refused_with_a_hint() -> None:
    error = refusal(TEXT, "A=1")
    assert (error.code, error.argument, error.hint) == ("unknown-argument", "A", "did you mean 'a'?")


@pytest.mark.parametrize(
    "query", [b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * 1001)], ids=["not UTF-8", "not ASCII", "too many"]
)
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    assert refusal(MANY, query).code == "bad-query"


def test_a_name_without_a_value_is_an_empty_text() -> None:
    assert read(TEXT, "a") == {"a": ""}


# --- headers and cookies


def test_a_header_is_found_in_any_case() -> None:
    reader = reader_of("[{name: a, in: header}, {name: X-Id, in: header}]")
    assert read(reader, headers={"x-ID": "1"}) == {"X-Id": "1"}


def test_a_header_given_twice_is_refused() -> None:
    reader = reader_of("[{name: a, in: header}]")
    with pytest.raises(BindError) as caught:
        reader.read([], b"", [(b"a", b"1"), (b"a", b"2")], None)
    assert caught.value.argument == "a"


def test_a_header_that_is_an_array_is_split_and_may_be_given_twice() -> None:
    reader = reader_of("[{name: a, in: header, type: array, items: {type: integer}}]")
    assert reader.read([], b"", [(b"a", b"1, 2"), (b"a", b"3")], None) == {"a": [1, 2, 3]}


def test_a_header_that_is_not_utf8_is_refused() -> None:
    assert refusal(reader_of("[{name: a, in: header}]"), headers={"a": b"\xff"}).argument == "a"


@pytest.mark.parametrize(
    "cookie", ["a=1", "z=2; a=1", "a=1; z=2", 'a="1"', "z[0]=2; a=1", 'z={"k":1}; a=1', "z; a=1", "a=1; expires=2"]
)
def test_a_cookie_is_found_among_those_of_others(cookie: str) -> None:
    assert read(reader_of("[{name: a, in: cookie}]"), headers={"Cookie": cookie}) == {"a": "1"}


def test_other_headers_and_cookies_are_no_arguments() -> None:
    assert read(TEXT, headers={"a": "1", "Cookie": "a=1"}) == {}


# --- bodies


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(b'{"a":1,"a":2}', "stands twice", id="duplicate member"),
        pytest.param(b'{"a":NaN}', "NaN", id="NaN"),
        pytest.param(b"[1e999]", "too large", id="infinite"),
        pytest.param(b"{", "line 1, column 2", id="not closed"),
        pytest.param(b"\xff", "not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "nested", id="too deep"),
        pytest.param(b"1" * 5000, "not JSON", id="too many digits"),
        pytest.param(b"", "not JSON", id="empty"),
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BindError, match=why) as caught:
        read_json(body)
    assert caught.value.code == "bad-json"


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    assert read_json(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize("media_type", ["text/xml", FORM, "text/plain"])
def test_a_body_of_another_media_type_is_refused(media_type: str) -> None:
    error = refusal(WHOLE, headers={"Content-Type": media_type}, body=b"{}")
    assert (error.code, error.status) == ("unsupported-media-type", 415)


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json", ""]
)
def test_json_is_known_by_its_media_type_or_taken_for_granted(media_type: str) -> None:
    assert read(WHOLE, headers={"Content-Type": media_type}, body=b'{"x":1}') == {"body": {"x": 1}}


@pytest.mark.parametrize("body", [b"[]", b"1", b"null"])
def test_members_come_in_an_object(body: bytes) -> None:
    assert refusal(FIELDS, body=body).code == "bad-argument"


def test_a_member_nobody_knows_is_refused_with_a_hint() -> None:
    error = refusal(FIELDS, body=b'{"too":"x"}')
    assert (error.code, error.argument, error.hint) == ("unknown-argument", "too", "did you mean 'to'?")


def test_no_body_is_no_argument() -> None:
    assert read(WHOLE) == read(WHOLE, body=b"") == read(FIELDS, body=b"") == {}


@pytest.mark.parametrize("body", [None, b"", b"{}", b" {} ", b"null"])
def test_an_operation_without_a_body_takes_an_empty_one(body: bytes | None) -> None:
    assert read(TEXT, body=body) == {}


@pytest.mark.parametrize("body", [b'{"a":1}', b"x", b"[]"])
def test_an_operation_without_a_body_refuses_one(body: bytes) -> None:
    assert refusal(TEXT, body=body).code == "unexpected-body"


TEXT_BODY = body_reader("inputParameters: [{name: Content-Type, in: header, value: text/xml}, {name: body, in: body}]")
FORM_BODY = body_reader(
    f"inputParameters: [{{name: Content-Type, in: header, value: {FORM}}}, {{name: body, in: body}}]"
)


@pytest.mark.parametrize("media_type", ["text/xml", "text/plain; charset=utf-8", ""])
def test_a_text_body_is_taken_as_it_is(media_type: str) -> None:
    assert read(TEXT_BODY, headers={"Content-Type": media_type}, body=b"<a/>") == {"body": "<a/>"}


def test_a_text_body_can_come_as_a_json_string() -> None:
    assert read(TEXT_BODY, headers={"Content-Type": "application/json"}, body=b'"<a/>"') == {"body": "<a/>"}


def test_a_form_body_can_come_as_a_form_or_as_json() -> None:
    assert read(FORM_BODY, headers={"Content-Type": FORM}, body=b"a=1&b=2") == {"body": "a=1&b=2"}
    assert read(FORM_BODY, headers={"Content-Type": "application/json"}, body=b'{"a":1}') == {"body": {"a": 1}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("inputParameters: [{name: body, in: body}]", ("application/json",)),
        ("inputParameters: [{name: Content-Type, in: header, value: text/xml}, {name: body, in: body}]", ("text/xml",)),
        (
            f"inputParameters: [{{name: Content-Type, in: header, value: {FORM}}}, {{name: body, in: body}}]",
            (FORM, "application/json"),
        ),
        ("inputParameters: [{name: a, in: body, type: string}]", ("application/json",)),
    ],
)
def test_the_documentation_tells_what_a_body_may_be(operation: str, expected: tuple[str, ...]) -> None:
    assert media_types(route_of(f"{{method: POST, {operation}}}").unit) == expected


def test_infinite_numbers_never_pass() -> None:
    reader = reader_of("[{name: a, in: query, type: number}]")
    for text in ("Infinity", "-inf", "NaN", "1" + "0" * 4999):
        error = refusal(reader, urlencode({"a": text}))
        assert error.argument == "a"
    assert math.isfinite(read(reader, "a=1e300")["a"])


def inside_reader() -> ArgumentReader:
    inputs = "[{name: id, in: body, type: string, value: $.user.id}, {name: plan, in: body, type: string}]"
    body = "{type: json, data: {id: '{{id}}', plan: '{{plan}}'}}"
    return ArgumentReader(route_of(f"{{method: POST, body: {body}}}", f"{{inputParameters: {inputs}}}").unit, ())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"user": {"id": "u-1", "name": "Ada"}, "plan": "p"}, {"id": "u-1", "plan": "p"}),
        ({"user": {"name": "Ada"}}, {}),
        ({"user": "u-1"}, {}),
        ({}, {}),
    ],
)
def test_an_input_can_stand_inside_the_body(body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read(inside_reader(), body=json.dumps(body).encode()) == expected


def test_an_input_inside_the_body_is_not_found_under_its_own_name() -> None:
    assert refusal(inside_reader(), body=b'{"id": "u-1"}').argument == "id"


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("object", {"order": {"n": 1}}, {"order": {"n": 1}}),
        ("object", {"n": 1}, {"order": {"n": 1}}),
        ("object", {}, {}),
        ("array", [1, 2], {"order": [1, 2]}),
        ("array", {"order": [1]}, {"order": [1]}),
    ],
)
def test_the_only_structure_of_a_body_can_be_sent_without_its_name(kind: str, body: Any, expected: Any) -> None:
    inputs = f"[{{name: order, in: body, type: {kind}}}]"
    route = route_of("{method: POST, body: {type: json, data: {o: '{{order}}'}}}", f"{{inputParameters: {inputs}}}")
    assert read(ArgumentReader(route.unit, ()), body=json.dumps(body).encode()) == expected


def test_a_slip_in_the_name_of_the_only_structure_is_refused() -> None:
    route = route_of(
        "{method: POST, body: {type: json, data: {o: '{{order}}'}}}",
        "{inputParameters: [{name: order, in: body, type: object}]}",
    )
    assert refusal(ArgumentReader(route.unit, ()), body=b'{"ordr": {"n": 1}}').argument == "ordr"


def test_a_text_of_a_body_has_its_name() -> None:
    route = route_of(
        "{method: POST, body: {type: json, data: {o: '{{order}}'}}}",
        "{inputParameters: [{name: order, in: body, type: string}]}",
    )
    assert refusal(ArgumentReader(route.unit, ()), body=b'{"n": 1}').argument == "n"
