"""URIs of resources: what is a variable, what matches, and one spelling for all of one meaning."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.load.expression import ExpressionError
from capstan.load.uri import canonical, parse_uri

VALUES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


def match(template: str, uri: str) -> dict[str, str] | None:
    return parse_uri(template).match(canonical(uri))


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        pytest.param("data://orders", "data://orders", {}, id="no variable"),
        pytest.param("data://users/{id}/profile", "data://users/7/profile", {"id": "7"}, id="between slashes"),
        pytest.param("data://users/{{id}}", "data://users/7", {"id": "7"}, id="two braces"),
        pytest.param("data://{a}-{b}.json", "data://1-2-3.json", {"a": "1", "b": "2-3"}, id="two in a segment"),
        pytest.param("data://x-{a}-x", "data://x-x-x", {"a": "x"}, id="text that is like a value"),
        pytest.param("data://{a}-x", "data://1-x-x", {"a": "1-x"}, id="text that is at the end twice"),
        pytest.param("find://s?q={q}&n={n}", "find://s?q=a%26b&n=1", {"q": "a&b", "n": "1"}, id="in a query"),
        pytest.param("urn:order:{id}", "urn:order:7", {"id": "7"}, id="without slashes"),
        pytest.param("data://größe/{id}", "data://gr%c3%b6%C3%9Fe/7", {"id": "7"}, id="text that is encoded"),
        pytest.param("data://gr%C3%B6ße/{id}", "data://größe/ü", {"id": "ü"}, id="text that is not encoded"),
        pytest.param("data://%7Eme/{id}", "DATA://~me/%41", {"id": "A"}, id="text that need not be encoded"),
        pytest.param("data://{user-id}", "data://a%2Fb", {"user-id": "a/b"}, id="an encoded slash"),
        pytest.param("data://{a}", "data://%252F", {"a": "%2F"}, id="decoded once"),
    ],
)
def test_a_uri_gives_its_variables_values(template: str, uri: str, values: dict[str, str]) -> None:
    assert match(template, uri) == values


@pytest.mark.parametrize(
    ("template", "uri"),
    [
        pytest.param("data://users/{id}", "data://users/", id="an empty value"),
        pytest.param("data://users/{id}", "data://users/a/b", id="a value over a slash"),
        pytest.param("data://users/{id}", "data://users/a?b", id="a query behind it"),
        pytest.param("data://users/{id}", "data://users/a#b", id="a fragment behind it"),
        pytest.param("data://users/{id}", "data://users/%ff", id="no UTF-8"),
        pytest.param("data://users/{id}", "data://Users/1", id="another case"),
        pytest.param("data://users/{id}", "info://users/1", id="another scheme"),
        pytest.param("data://{a}-{b}", "data://12", id="no text between"),
        pytest.param("data://{a}-{b}", "data://-2", id="nothing before the text"),
        pytest.param("data://{a}-{b}", "data://1-", id="nothing after the text"),
        pytest.param("data://x{a}x", "data://x", id="one text for two"),
        pytest.param("data://x{a}x", "data://xx", id="nothing between two texts"),
    ],
)
def test_a_uri_of_another_form_does_not_match(template: str, uri: str) -> None:
    assert match(template, uri) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("orders/{id}", "begins with its scheme"), ("{scheme}://x", "begins with its scheme"), ("data:", "scheme"),
        ("data://{+path}", "no variable"), ("data://x{?q}", "no variable"), ("data://{a*}", "no variable"),
        ("data://{a,b}", "no variable"), ("data://{}", "no variable"), ("data://{a}{b}", "touch"),
        ("data://{a}/{A}", "twice"), ("data://{a", "pair up"), ("data://a}", "pair up"), ("data://a b", "white space"),
    ],
)  # fmt: skip
def test_what_is_no_uri_of_level_1_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match=reason):
        parse_uri(text)


def test_a_template_is_published_as_its_standard_has_it() -> None:
    assert str(parse_uri("data://{{ user-id }}/ü/{b}")) == "data://{user_id}/%C3%BC/{b}"


@given(VALUES, VALUES)
def test_a_client_that_fills_a_template_in_is_understood(one: str, other: str) -> None:
    uri = f"data://users/{quote(one, safe='')}/of-{quote(other, safe='')}"
    assert match("data://users/{a}/of-{b}", uri) == {"a": one, "b": other}


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_a_canonical_uri_stays_as_it_is(text: str) -> None:
    assert canonical(canonical(f"x:{text}")) == canonical(f"x:{text}")


def test_a_long_uri_is_matched_in_time() -> None:
    template = parse_uri("data://{a}-{b}-{c}-{d}-{e}-x")
    assert template.match("data://" + "-" * 200_000) is None
