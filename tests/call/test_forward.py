"""What of a request is passed on, without a socket: mostly that no path leads out of the baseUri."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.call.forward import LiveForward
from capstan.call.masking import Mask
from capstan.call.upstream import Upstream
from capstan.errors import BindError
from capstan.load.document import Document, Place
from capstan.plan.request import HttpRequest, RequestPlan
from capstan.plan.types import ApiPlan, CallPlan, ForwardPlan
from capstan.settings import Settings

BASE = "https://api.example/v1/tenant"


def live(base: str = BASE) -> LiveForward:
    request = RequestPlan("", (base,), (), (), (), (), (), (), None)
    call = CallPlan("api", ApiPlan("api", None, None), request, "read", None)
    plan = ForwardPlan(
        "/x/{path}", ("x",), takes_rest=True, taken=frozenset(), trusted=(), call=call, guarded=True,
        header_defaults=(), query_defaults=(), tags=(), description="", at=Place(Document("x", "x: 1"), ()),
    )  # fmt: skip
    return LiveForward(plan, Upstream(call.api, Settings(), Mask(())))


LIVE = live()


def bound(path: bytes, query: bytes = b"") -> HttpRequest:
    return LIVE.bind("GET", path.split(b"/"), query, (), None)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (b"a", "/a"), (b"a/b/", "/a/b/"), (b"a%20b", "/a%20b"), (b"a+b;c=1/d:e@f", "/a+b;c=1/d:e@f"),
        (b"%C3%BC", "/%C3%BC"), (b"\xc3\xbc", "/%C3%BC"), (b"...", "/..."), (b".well-known", "/.well-known"),
        (b"a..b", "/a..b"), (b'a"<>^`{|}', "/a%22%3C%3E%5E%60%7B%7C%7D"), (b"%25", "/%25"), (b"50%2525", "/50%2525"),
        (b"~a-_.", "/~a-_."), (b"a%3Fb%23c", "/a%3Fb%23c"),
    ],
)  # fmt: skip
def test_segments_go_on_as_they_came(path: bytes, sent: str) -> None:
    assert bound(path).url == BASE + sent


@pytest.mark.parametrize(
    "path",
    [
        b"..", b".", b"a/../b", b"../../etc/passwd", b"%2e%2e", b"%2E%2e/a", b".%2e", b"%2e", b"a/./b", b"a//b", b"/a",
        b"//", b"/evil.example/a", b"http://evil.example/a", b"https:/evil.example//", b"a%2fb", b"a%2Fb", b"..%2f..",
        b"a%5cb", b"a\\b", b"..\\..", b"..%5c", b"a%00b", b"%00", b"a%0d%0aX: 1", b"%7f", b"%252e%252e",
        b"%25252e%25252e%25252f", b"..%252f..", b"..%255c", b"..;/a", b"..;x=1", b"%2e%2e;a", b".;", b"%zz", b"%",
        b"a%2", b"%c0%ae%c0%ae", b"%ff", b"\xff", b"a%2500", b"..%20", b"%25252525252525252e", b"a\x00", b"a\tb",
    ],
)  # fmt: skip
def test_what_some_server_might_read_as_a_way_out_is_refused(path: bytes) -> None:
    with pytest.raises(BindError) as caught:
        bound(path)
    assert (caught.value.status, caught.value.argument, caught.value.outcome) == (400, "path", "not-sent")


DANGEROUS = st.lists(
    st.sampled_from([
        b".", b"..", b"/", b"\\", b"%", b"%2e", b"%2f", b"%5c", b"%25", b"2e", b"2f", b";", b"%00", b"a",
        b"\xc3", b"%c0%af", b"?", b"#", b"@", b":", b"http:", b" ", b"%20", b"\t", b"\r\n",
    ])
    | st.binary(max_size=3),
    max_size=9,
).map(b"".join)  # fmt: skip


@given(DANGEROUS, DANGEROUS)
def test_no_path_and_no_query_leads_out_of_the_base_uri(path: bytes, query: bytes) -> None:
    try:
        url = bound(path, query).url
    except BindError:
        return
    assert re.fullmatch(r"[\x21-\x7e]+", url)
    assert "#" not in url
    target = url.partition("?")[0]
    assert target.startswith(BASE + "/")
    for _ in range(12):  # as read by servers that decode once, twice, ...
        below = target.encode("utf-8", "surrogateescape").removeprefix(BASE.encode())
        pieces = [piece.partition(b";")[0].strip() for piece in re.split(rb"[/\\]", below)]
        assert not {b".", b".."} & set(pieces)
        target = unquote_to_bytes(target.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    first = url.partition("?")[0].removeprefix(BASE)
    decoded = unquote_to_bytes(first)
    assert decoded.count(b"/") == first.count("/")
    assert b"\\" not in decoded
    assert not re.search(rb"[\x00-\x1f\x7f]", decoded)


def test_a_host_alone_is_asked_for_its_root() -> None:
    request = live("https://api.example").bind("OPTIONS", (), b"", (), None)
    assert request.url == "https://api.example/"


def test_a_query_goes_as_it_came_but_for_what_no_url_can_hold() -> None:
    assert bound(b"a", b"x=1&&=;+%zz[]{}|\"<>'`^\\").url.partition("?")[2] == "x=1&&=;+%zz[]{}|\"<>'`^\\"
    assert bound(b"a", b"\xc3\xbc #\x00").url.partition("?")[2] == "%C3%BC%20%23%00"


@pytest.mark.parametrize("value", [b"a\r\nX-Evil: 1", b"a\x00", b"\xff"])
def test_a_header_value_that_no_header_can_hold_is_refused(value: bytes) -> None:
    with pytest.raises(BindError):
        LIVE.bind("POST", [b"a"], b"", [(b"content-type", value)], b"body")
