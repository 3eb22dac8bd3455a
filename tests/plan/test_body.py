"""Bodies: each kind encodes a value for the place it lands in."""

from __future__ import annotations

import email
import email.policy
import json
from email.message import EmailMessage
from typing import Any

import pytest

from capstan.errors import BindError
from plan.helpers import capability, header, refusals_of, rest_of, sent, tool_of

HOSTILE = '"}, "b": {"x": 1 \\ </a> & \n % + = \' ü'


def posted(body: str, inputs: str = "[{name: v}]") -> Any:
    """The tool of a POST with this body."""
    return tool_of(f"{{method: POST, body: {body}}}", f"inputParameters: {inputs}")


def parts_of(body: bytes | None, media_type: str | None) -> list[EmailMessage]:
    assert body is not None
    head = f"Content-Type: {media_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert message.is_multipart()
    assert not message.defects
    return list(message.iter_parts())  # type: ignore[attr-defined]


# --- JSON


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("{a: '{{v}}', b: 1}", {"a": HOSTILE, "b": 1}, id="object"),
        pytest.param("['{{v}}', 1]", [HOSTILE, 1], id="array"),
        pytest.param("{a: [{b: 'x {{v}}'}]}", {"a": [{"b": "x " + HOSTILE}]}, id="deep inside"),
        pytest.param("""'{"a": "{{v}}", "b": 1}'""", {"a": HOSTILE, "b": 1}, id="text"),
        pytest.param("""'{"a": {{v}}, "b": 1}'""", {"a": HOSTILE, "b": 1}, id="text, no quotes"),
        pytest.param("""'{"a": "x \\" {{v}}!", "b": 1}'""", {"a": 'x " ' + HOSTILE + "!", "b": 1}, id="text, escapes"),
        pytest.param("""'{"a": {{{v}}}, "b": 1}'""", {"a": HOSTILE, "b": 1}, id="text, triple braces"),
        pytest.param("'{{v}}'", HOSTILE, id="nothing but the value"),
    ],
)
def test_a_value_in_json_changes_nothing_around_it(data: str, expected: Any) -> None:
    request = sent(posted(f"{{type: json, data: {data}}}"), {"v": HOSTILE})
    assert request.body is not None
    assert json.loads(request.body) == expected
    assert header(request, "Content-Type") == "application/json"


@pytest.mark.parametrize("value", [1, 1.5, True, None, [1, {"a": None}], {"a": [1]}, "text", 10**30])
def test_a_whole_json_value_keeps_its_type(value: Any) -> None:
    for data in ("{a: '{{v}}'}", """'{"a": {{v}}}'""", """'{"a": "{{v}}"}'"""):
        unit = posted(f"{{type: json, data: {data}}}", "[{name: v, required: true, schema: {}}]")
        assert unit.call is not None
        body = unit.call.request.bind({"v": value}).body
        assert body is not None
        assert json.loads(body) == {"a": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "v1"), (True, "vtrue"), (1.5, "v1.5"), ([1], "v[1]"), ({"a": 1}, 'v{"a":1}')],
)
def test_a_value_inside_a_longer_string_is_text(value: Any, text: str) -> None:
    unit = posted("{type: json, data: {a: 'v{{v}}'}}")
    assert unit.call is not None
    assert json.loads(unit.call.request.bind({"v": value}).body or b"") == {"a": text}


def test_a_body_without_a_kind_is_json_when_it_looks_like_it() -> None:
    unit = posted("""'{"a": "{{v}}"}'""")
    request = sent(unit, {"v": HOSTILE})
    assert json.loads(request.body or b"") == {"a": HOSTILE}
    assert header(request, "Content-Type") == "application/json"


def test_a_body_that_is_a_list_is_json() -> None:
    assert sent(posted("['{{v}}']"), {"v": "x"}).body == b'["x"]'


def test_a_media_type_of_the_file_replaces_the_kinds_own() -> None:
    request = sent(posted("{type: json, contentType: application/merge-patch+json, data: {a: '{{v}}'}}"), {"v": "x"})
    assert header(request, "Content-Type") == "application/merge-patch+json"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("""'{"a": {{v}}'""", id="not closed"),
        pytest.param("""'{"a": {{v}} {{v}}}'""", id="two values"),
        pytest.param("""'{"{{v}}": 1}'""", id="template for the name of a member"),
    ],
)
def test_a_json_text_that_could_not_become_json_is_refused(data: str) -> None:
    assert refusals_of(capability(f"{{method: POST, body: {{type: json, data: {data}}}}}")) == ["bad-expression"]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), [float("-inf")]])
def test_a_number_that_json_cannot_hold_is_the_callers_mistake(value: Any) -> None:
    unit = posted("{type: json, data: {a: '{{v}}'}}")
    assert unit.call is not None
    with pytest.raises(BindError):
        unit.call.request.bind({"v": value})


# --- text and XML


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("text", "text/plain; charset=utf-8"),
        ("raw", "application/octet-stream"),
    ],
)
def test_text_is_sent_as_it_is(kind: str, media_type: str) -> None:
    request = sent(posted(f"{{type: {kind}, data: 'a {{{{v}}}} b'}}"), {"v": HOSTILE})
    assert request.body == f"a {HOSTILE} b".encode()
    assert header(request, "Content-Type") == media_type


def test_a_bare_text_is_plain_text() -> None:
    request = sent(posted("'hello {{v}}'"), {"v": "ü"})
    assert request.body == "hello ü".encode()
    assert header(request, "Content-Type") == "text/plain; charset=utf-8"


def test_a_bare_text_follows_the_content_type_header() -> None:
    operation = (
        "{method: POST, body: '<a>{{v}}</a>', inputParameters: [{name: Content-Type, in: header, value: text/xml}]}"
    )
    request = sent(tool_of(operation, "inputParameters: [{name: v}]"), {"v": "<&"})
    assert request.body == b"<a>&lt;&amp;</a>"
    assert header(request, "Content-Type") == "text/xml"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("<a>{{v}}</a>", "<a>&lt;b&gt; &amp; &quot;c&quot; &apos;</a>", id="text"),
        pytest.param('<a x="{{v}}"/>', '<a x="&lt;b&gt; &amp; &quot;c&quot; &apos;"/>', id="attribute"),
        pytest.param("{{v}}", '<b> & "c" \'', id="nothing but the value is a document of the caller's"),
    ],
)
def test_xml_text_is_escaped(data: str, expected: str) -> None:
    request = sent(posted(json.dumps({"type": "xml", "data": data})), {"v": '<b> & "c" \''})
    assert request.body == expected.encode()
    assert header(request, "Content-Type") == "application/xml"


@pytest.mark.parametrize(
    ("query", "value", "expected"),
    [
        pytest.param("{ ?a ?b 'x{{v}}' }", "'} # \n\\", "{ ?a ?b 'x\\'} # \\n\\\\' }", id="single quotes"),
        pytest.param('{ ?a ?b "{{v}}"@en }', 'a"b', '{ ?a ?b "a\\"b"@en }', id="double quotes"),
        pytest.param('{ ?a ?b """{{v}}""" }', '"""', '{ ?a ?b """\\"\\"\\"""" }', id="long quotes"),
        pytest.param("{ <http://x/{{v}}> ?b ?c }", "a/b> <ü", "{ <http://x/a%2Fb%3E%20%3Cü> ?b ?c }", id="in an IRI"),
        pytest.param("{ <{{v}}> ?b ?c }", "http://x/a>b", "{ <http://x/a%3Eb> ?b ?c }", id="a whole IRI"),
        pytest.param("{ wd:{{v}} ?b 'it' }", "Q42", "{ wd:Q42 ?b 'it' }", id="name"),
        pytest.param("{ {{v}} ?b ?c }", "wd:Q42.1", "{ wd:Q42.1 ?b ?c }", id="prefixed name"),
        pytest.param("LIMIT {{v}}", 10, "LIMIT 10", id="number"),
        pytest.param("FILTER(?a < 5 && ?b > {{v}})", -1.5, "FILTER(?a < 5 && ?b > -1.5)", id="comparison"),
        pytest.param("{ # it's\n ?a ?b '{{v}}' }", "'", "{ # it's\n ?a ?b '\\'' }", id="comment before"),
        pytest.param("{{v}}", "SELECT * {}", "SELECT * {}", id="nothing but the value is a query of the caller's"),
    ],
)
def test_a_value_in_sparql_changes_nothing_around_it(query: str, value: Any, expected: str) -> None:
    unit = posted(json.dumps({"type": "sparql", "data": query}), "[{name: v, schema: {}}]")
    request = sent(unit, {"v": value})
    assert (request.body or b"").decode() == expected
    assert header(request, "Content-Type") == "application/sparql-query"


@pytest.mark.parametrize("value", ["1 } DELETE { ?a", "a b", "'x'", "<x>", "a.", "", "#", "a\n", [1]])
@pytest.mark.parametrize("query", ["LIMIT {{v}}", "{ ?a ?b 1 } # {{v}}"])
def test_a_value_outside_quotes_of_sparql_is_one_word(query: str, value: Any) -> None:
    unit = posted(json.dumps({"type": "sparql", "data": query}), "[{name: v, schema: {}}]")
    with pytest.raises(BindError) as caught:
        sent(unit, {"v": value})
    assert caught.value.argument == "v"


def test_an_absent_value_leaves_its_place_in_xml_empty() -> None:
    unit = posted("{type: xml, data: '<a>{{v}}</a>'}", "[{name: v, required: false}]")
    assert sent(unit).body == b"<a></a>"


def test_text_of_one_absent_value_is_no_body() -> None:
    request = sent(posted("{type: text, data: '{{v}}'}", "[{name: v, required: false}]"))
    assert request.body is None
    assert header(request, "Content-Type") is None


# --- forms

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("kind", ["formUrlEncoded", "form"])
def test_a_form_encodes_its_fields(kind: str) -> None:
    request = sent(posted(f"{{type: {kind}, data: {{a: '{{{{v}}}}', 'b c': 'x{{{{v}}}}', n: 1}}}}"), {"v": "ü &="})
    assert request.body == b"a=%C3%BC+%26%3D&b+c=x%C3%BC+%26%3D&n=1"
    assert header(request, "Content-Type") == FORM


def test_a_form_repeats_arrays_and_leaves_out_what_is_absent() -> None:
    unit = posted("{type: form, data: {a: '{{a}}', b: '{{b}}', c: '{{c}}'}}",
                  "[{name: a, type: array}, {name: b, required: false}, {name: c, type: boolean}]")  # fmt: skip
    assert sent(unit, {"a": [1, 2], "c": True}).body == b"a=1&a=2&c=true"


def test_a_form_written_as_text_encodes_only_values() -> None:
    request = sent(posted("{type: form, data: 'a={{v}}&b=c%20d'}"), {"v": "x&b=y"})
    assert request.body == b"a=x%26b%3Dy&b=c%20d"
    assert header(request, "Content-Type") == FORM


def test_a_form_written_as_text_leaves_out_a_pair_whose_value_is_absent() -> None:
    unit = posted("{type: form, data: 'a={{a}}&b={{b}}&c=x{{b}}&d=1'}", "[{name: a}, {name: b, required: false}]")
    assert sent(unit, {"a": "1"}).body == b"a=1&d=1"


@pytest.mark.parametrize("data", ["{a: '{{v}}'}", "'a={{v}}'"])
def test_a_form_is_sent_with_the_media_type_its_file_gives(data: str) -> None:
    unit = posted(
        f"{{type: formUrlEncoded, contentType: application/x-www-form-urlencoded; charset=utf-8, data: {data}}}"
    )
    assert header(sent(unit, {"v": "1"}), "Content-Type") == "application/x-www-form-urlencoded; charset=utf-8"


def test_the_media_type_of_a_multipart_form_is_not_the_files_to_give() -> None:
    body = "{type: multipartForm, contentType: multipart/mixed, data: {a: {value: '1'}}}"
    assert refusals_of(capability(f"{{method: POST, body: {body}}}")) == ["not-supported-yet"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "{type: json, data: {a: '{{v}}', b: 'x{{v}}', c: ['{{v}}']}}", b'{"a":null,"c":[null]}', id="json"
        ),
        pytest.param("{type: form, data: {a: '{{v}}', b: 'x{{v}}', c: 1}}", b"c=1", id="form"),
        pytest.param("{type: form, data: 'a={{v}}&c=1'}", b"c=1", id="form as text"),
        pytest.param("{type: text, data: 'x{{v}}'}", b"x", id="text"),
        pytest.param("{type: text, data: '{{v}}'}", None, id="nothing but the value"),
        pytest.param("{type: xml, data: '<a>{{v}}</a>'}", b"<a></a>", id="xml"),
    ],
)
def test_null_is_sent_in_json_and_is_absent_elsewhere(body: str, expected: bytes | None) -> None:
    assert sent(posted(body, "[{name: v, schema: {}}]"), {"v": None}).body == expected


def test_a_null_part_of_a_multipart_form_is_left_out() -> None:
    request = sent(posted("{type: multipart, data: {a: {value: '{{v}}'}, b: {value: '1'}}}", "[{name: v, schema: {}}]"),
                   {"v": None})  # fmt: skip
    parts = parts_of(request.body, header(request, "Content-Type"))
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["b"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"a": "x y", "b": [1, 2], "c": None, "d": True}, b"a=x+y&b=1&b=2&d=true", id="object"),
        pytest.param({}, b"", id="empty object"),
        pytest.param({"a": {"b": 1}}, b"a=%7B%22b%22%3A1%7D", id="nested object as JSON"),
    ],
)
def test_a_whole_body_is_a_form_when_content_type_says_so(body: Any, expected: bytes) -> None:
    names = f"[{{name: Content-Type, in: header, value: {FORM}}}, {{name: body, in: body}}]"
    operation = f"{{method: POST, inputParameters: {names}}}"
    request = sent(tool_of(operation), {"body": body})
    assert request.body == expected
    assert header(request, "Content-Type") == FORM


def test_body_parameters_are_a_form_when_content_type_says_so() -> None:
    operation = (
        f"{{method: POST, inputParameters: [{{name: Content-Type, in: header, value: {FORM}}},"
        " {name: To, in: body, type: string}, {name: From, in: body, type: string}]}"
    )
    assert sent(tool_of(operation), {"To": "+1 2"}).body == b"To=%2B1+2"


@pytest.mark.parametrize("body", [1, [1], True])
def test_what_cannot_be_a_form_is_the_callers_mistake(body: Any) -> None:
    names = f"[{{name: content_type, in: header, value: {FORM}}}, {{name: body, in: body}}]"
    operation = f"{{method: POST, inputParameters: {names}}}"
    with pytest.raises(BindError):
        sent(tool_of(operation), {"body": body})


# --- multipart


def test_a_multipart_form_keeps_each_part_apart() -> None:
    parts = "[{name: a, value: '{{v}}'}, {name: file, value: 'x{{v}}', filename: '{{name}}', contentType: text/csv}]"
    unit = posted(f"{{type: multipartForm, data: {parts}}}", "[{name: v}, {name: name}]")
    request = sent(unit, {"v": "1\r\n--x\r\n", "name": 'r"\r\nX: 1.csv'})
    first, second = parts_of(request.body, header(request, "Content-Type"))
    assert first.get_payload(decode=True) == b"1\r\n--x\r\n"
    assert first.get_param("name", header="content-disposition") == "a"
    assert second.get_payload(decode=True) == b"x1\r\n--x\r\n"
    assert second.get_filename() == "r%22%0D%0AX: 1.csv"
    assert second.get_content_type() == "text/csv"
    assert "X" not in second


def test_a_multipart_form_in_map_spelling_leaves_out_what_is_absent() -> None:
    unit = posted("{type: multipart, data: {a: {value: '{{a}}'}, b: {value: '{{b}}'}}}",
                  "[{name: a}, {name: b, required: false}]")  # fmt: skip
    request = sent(unit, {"a": "1"})
    parts = parts_of(request.body, header(request, "Content-Type"))
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["a"]


def test_a_part_in_base64_is_sent_as_the_bytes_it_stands_for() -> None:
    unit = posted("{type: multipart, data: {a: {value: '{{v}}', encoding: base64}}}")
    request = sent(unit, {"v": "JVBERi0A/w=="})
    (part,) = parts_of(request.body, header(request, "Content-Type"))
    assert part.get_payload(decode=True) == b"%PDF-\x00\xff"


@pytest.mark.parametrize("text", ["JVBE*", "JVBER", "é", "JVBE RA=="])
def test_a_part_that_should_be_base64_and_is_not_is_the_callers_mistake(text: str) -> None:
    unit = posted("{type: multipart, data: {a: {value: '{{v}}', encoding: base64}}}")
    with pytest.raises(BindError, match="'v' is not base64") as caught:
        sent(unit, {"v": text})
    assert caught.value.argument == "v"


def test_every_multipart_body_has_a_boundary_of_its_own() -> None:
    unit = posted("{type: multipart, data: {a: {value: '{{v}}'}}}")
    assert len({header(sent(unit, {"v": "1"}), "Content-Type") for _ in range(5)}) == 5


# --- the caller's own media type, over REST


def test_a_body_that_holds_text_that_is_not_unicode_is_refused() -> None:
    for body in ("{type: text, data: '{{v}}'}", "{type: form, data: {a: '{{v}}'}}", "{type: json, data: ['{{v}}']}"):
        with pytest.raises(BindError):
            sent(posted(body), {"v": "\ud800"})


def test_a_required_whole_body_is_required_of_the_caller() -> None:
    unit = rest_of("{method: POST, inputParameters: [{name: body, in: body, type: object, required: true}]}")
    with pytest.raises(BindError) as caught:
        sent(unit)
    assert caught.value.argument == "body"


def test_a_template_cannot_be_the_name_of_a_member() -> None:
    data = capability("{method: POST, body: {type: json, data: {'{{k}}': 1}}}", "inputParameters: [{name: k}]")
    assert refusals_of(data) == ["bad-expression"]
