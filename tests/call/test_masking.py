from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.call.masking import Mask
from capstan.errors import UpstreamRefused
from capstan.plan.values import Secret
from support import body_of, capability_text, chunked, reply, wired

SECRET = 'k/9"ä+secret value'
KEYED = capability_text(
    "POST",
    "/things",
    inputs=[{"name": "X-Api-Key", "in": "header", "type": "string", "value": "{{env.API_KEY}}"}],
    variables=["API_KEY"],
)


KEY = {"API_KEY": "tops3cretkey"}


def mask(*values: str) -> Mask:
    return Mask(Secret(value, "NAME") for value in values)


def test_in_data_names_are_masked_as_texts_are() -> None:
    data = {"a": ["tops3cretkey", 1, None], "my tops3cretkey": {"b": "x tops3cretkey"}}
    hidden = "*" * len("tops3cretkey")
    assert mask("tops3cretkey").value(data) == {"a": [hidden, 1, None], f"my {hidden}": {"b": f"x {hidden}"}}
    assert mask("short").value(data) is data


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(SECRET, id="as it is"),
        pytest.param(json.dumps(SECRET)[1:-1], id="in JSON"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False)[1:-1], id="in JSON with its umlaut"),
        pytest.param(json.dumps(SECRET)[1:-1].replace("/", "\\/"), id="in JSON with an escaped slash"),
        pytest.param(quote(SECRET, safe=""), id="percent-encoded"),
        pytest.param(quote(SECRET, safe="").replace("%2F", "%2f").replace("%C3%A4", "%c3%a4").replace("%2B", "%2b"),
                     id="percent-encoded in small letters"),
        pytest.param(quote(SECRET, safe="").replace("%20", "+"), id="as a form value"),
    ],
)  # fmt: skip
def test_a_secret_is_masked_in_every_spelling(spelling: str) -> None:
    masked = mask(SECRET).text(f"<{spelling}>")
    assert masked == "<" + "*" * len(spelling.encode()) + ">"


def test_short_values_are_left_alone_for_they_are_words() -> None:
    assert mask("user", "1234567").text("user 1234567") == "user 1234567"


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    assert mask("password1", "me-password1-xyz").text("me-password1-xyz password1") == "*" * 16 + " " + "*" * 9


def test_bytes_that_are_no_text_survive_masking() -> None:
    assert mask("password1").data(b"\xff\x00password1\xfe") == b"\xff\x00*********\xfe"


async def test_an_echoed_secret_is_masked_in_errors_headers_and_answers(tmp_path: Path) -> None:
    echo = {"Location": "/x?key=tops3cretkey", "Request-Id": "tops3cretkey"}
    async with wired(tmp_path, KEYED, KEY) as (upstream, unit):
        upstream.then(reply(422, "no: tops3cretkey", content_type="text/tops3cretkey", headers=echo))
        with pytest.raises(UpstreamRefused) as caught:
            await unit.call({})
        assert upstream.last.header("X-Api-Key") == "tops3cretkey"
        assert caught.value.body == b"no: ************"
        assert "tops3cretkey" not in repr(caught.value)
        upstream.then(reply(201, '{"key": "tops3cretkey"}', headers=echo))
        answer = await unit.call({})
        assert await body_of(answer) == b'{"key": "************"}'
        assert dict(answer.headers) == {"Location": "/x?key=************", "Request-Id": "************"}


async def test_a_secret_that_only_reading_shows_is_masked_in_values_and_errors(tmp_path: Path) -> None:
    outputs = [{"name": "key", "type": "string", "mapping": "$.key"}]
    inputs = [{"name": "X-Api-Key", "in": "header", "type": "string", "value": "{{env.API_KEY}}"}]
    text = capability_text("POST", "/things", inputs=inputs, outputs=outputs, variables=["API_KEY"])
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY["API_KEY"])
    async with wired(tmp_path, text, KEY) as (upstream, unit):
        upstream.then(reply(body=f'{{"key": "{escaped}"}}'), reply(422, f'{{"{escaped}": "{escaped}"}}'))
        assert (await unit.call({})).value == {"key": "*" * 12}
        with pytest.raises(UpstreamRefused) as caught:
            await unit.call({})
    assert json.loads(caught.value.body) == {"*" * 12: "*" * 12}


async def test_the_basic_pair_is_masked_as_what_it_is_and_encoded(tmp_path: Path) -> None:
    basic = {"type": "basic", "username": "{{env.USER}}", "password": "{{env.PASS}}"}
    text = capability_text(authentication=basic, variables=["USER", "PASS"])
    async with wired(tmp_path, text, {"USER": "me", "PASS": "s3cretpass"}) as (upstream, unit):
        upstream.then(lambda request: reply(403, f"{request.header('Authorization')} s3cretpass"))
        with pytest.raises(UpstreamRefused) as caught:
            await unit.call({"id": "1"})
    pair = base64.b64encode(b"me:s3cretpass").decode()
    assert upstream.last.header("Authorization") == f"Basic {pair}"
    assert caught.value.body == b"Basic " + b"*" * len(pair) + b" **********"


@pytest.mark.parametrize("cut", range(1, 12))
async def test_a_secret_across_two_chunks_is_masked_when_streamed(tmp_path: Path, cut: int) -> None:
    whole = b"[tops3cretkey]" + b"." * 40 + b"[tops3cretkey]"
    pieces = (b"[" + b"tops3cretkey"[:cut], b"tops3cretkey"[cut:] + whole[13:-13 + cut], whole[-13 + cut:])  # fmt: skip
    async with wired(tmp_path, KEYED, KEY) as (upstream, unit):
        upstream.then(chunked(*pieces, pause=0.01))
        answer = await unit.call({})
        assert answer.response is not None
        seen = [piece async for piece in answer.response.pieces(1000)]
    assert b"".join(seen) == whole.replace(b"tops3cretkey", b"*" * 12)


async def test_one_secret_inside_another_is_masked_across_chunks_too(tmp_path: Path) -> None:
    text = capability_text(
        "POST",
        "/things",
        inputs=[{"name": "X-A", "in": "header", "type": "string", "value": "{{env.A}}"},
                {"name": "X-B", "in": "header", "type": "string", "value": "{{env.B}}"}],
        variables=["A", "B"],
    )  # fmt: skip
    environ = {"A": "password1", "B": "me-password1-xyz"}
    async with wired(tmp_path, text, environ) as (upstream, unit):
        upstream.then(chunked(b"<me-password1", b"-xyz>", pause=0.02))
        answer = await unit.call({})
        assert answer.response is not None
        assert b"".join([p async for p in answer.response.pieces(1000)]) == b"<****************>"


@pytest.mark.parametrize("then", ["keep", "close"])
async def test_the_beginning_of_a_secret_is_not_shown_where_an_error_body_is_cut(tmp_path: Path, then: str) -> None:
    edge = 64 * 1024
    body = b"." * (edge - 5) + b"tops3cretkey"
    cut = reply(500, body) if then == "keep" else reply(
        500, body[:-4], headers={"Content-Length": str(edge + 7)}, then="close")  # fmt: skip
    async with wired(tmp_path, KEYED, KEY) as (upstream, unit):
        upstream.then(cut)
        with pytest.raises(UpstreamRefused) as caught:
            await unit.call({})
    assert b"t" not in caught.value.body
    assert len(caught.value.body) > edge - 100


async def test_a_credential_that_stands_in_the_file_itself_is_masked_too(tmp_path: Path) -> None:
    auth = {"type": "bearer", "token": "literal-token-1"}
    async with wired(tmp_path, capability_text(authentication=auth)) as (upstream, unit):
        upstream.then(reply(200, '{"told": "literal-token-1"}'))
        assert await body_of(await unit.call({"id": "1"})) == b'{"told": "' + b"*" * 15 + b'"}'


SLASHED = "s3cr3t/value"


@given(st.lists(st.sampled_from([SLASHED, "s3cr3t", "s3", "value", "x", "s", "%2F", "\\/"]), max_size=8), st.data())
def test_what_may_be_given_on_is_what_no_later_byte_can_make_a_secret(texts: list[str], data: st.DataObject) -> None:
    mask = Mask([Secret(SLASHED, "S")])
    whole = "".join(texts).encode()
    cut = data.draw(st.integers(0, len(whole)))
    settled = cut - mask.open_end(whole[:cut])
    assert mask.data(whole[:cut])[:settled] == mask.data(whole)[:settled]


def test_only_what_begins_a_secret_waits_for_the_rest() -> None:
    mask = Mask([Secret(SLASHED, "S")])
    assert [mask.open_end(text) for text in (b"", b"abc", b"abcs3cr", b"s3cr3t/value", b"s3cr3t%2", b"s3cr3t!")] == [
        0, 0, 4, 0, 8, 0,
    ]  # fmt: skip
