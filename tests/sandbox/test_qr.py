"""QR codes, held against those that another implementation made of the same text."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capstan.sandbox.app import App
from capstan.sandbox.qr import _frame, _way, qr_modules, qr_svg
from sandbox import baskets
from sandbox.client import Client

# By segno 1.6, for texts that fill their version: it pads shorter ones with a zero the standard does not have.
FULL = {
    17: "9e2bc3c85d89cfcce93e2c9fe66ff9bc660fdcc323feb7d834b1134ef8cfaa0c",
    32: "82163949fa7b902ef7b9c2909f32fb9acfec69a7657ef72ffe6ac962c69d5a5c",
    53: "e781285d2c5b19e4bc2b9aba4758bf63484bfe3ad1dd73c0980798e7e0808e9f",
    78: "efe64c35fb28425fc5605b9bb56e658895084cb572ba40ca88be5d17ed273a1b",
    106: "217e0379401aa7a1a5b7383e23488fb9ac80f0f4c5d7daab5552c2c7848deff1",
}


@pytest.mark.parametrize(("length", "digest"), FULL.items())
def test_a_code_is_as_the_standard_has_it(length: int, digest: str) -> None:
    text = ("http://shop/hosted/" + "0123456789" * 10)[:length]
    rows = "\n".join("".join("#" if dark else "." for dark in row) for row in qr_modules(text))
    assert hashlib.sha256(rows.encode()).hexdigest() == digest


@given(st.text(max_size=30).filter(lambda text: len(text.encode()) <= 106))
def test_a_code_holds_its_text_and_pads_the_rest(text: str) -> None:
    grid = qr_modules(text)
    _, reserved = _frame((len(grid) - 17) // 4)
    bits = "".join("01"[grid[y][x] ^ ((x + y) % 2 == 0)] for x, y in _way(reserved))
    content = text.encode()
    assert (bits[:4], int(bits[4:12], 2)) == ("0100", len(content))
    end = 12 + 8 * len(content)
    assert bytes(int(bits[at : at + 8], 2) for at in range(12, end, 8)) == content
    capacity = {1: 19, 2: 34, 3: 55, 4: 80, 5: 108}[(len(grid) - 17) // 4]
    rest = [int(bits[at : at + 8], 2) for at in range(end + 4, capacity * 8, 8)]
    assert bits[end : end + 4] == "0000"
    assert rest == [(0xEC, 0x11)[number % 2] for number in range(len(rest))]


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        qr_modules("x" * 107)


def test_a_page_has_its_code(app: App, klarna: Client, control: Client) -> None:
    app.public_url = "http://localhost:8090"
    session_id = klarna.post("/payments/v1/sessions", baskets.purchase()).json["session_id"]
    url = f"http://localhost:8090/payments/v1/sessions/{session_id}"
    made = klarna.post("/hpp/v1/sessions", {"payment_session_url": url}).json
    reply = control.get(made["qr_code_url"].removeprefix("http://localhost:8090"))
    assert (reply.headers["content-type"], reply.content) == ("image/svg+xml", qr_svg(made["redirect_url"]))
    app.public_url = f"http://{'long.' * 20}example"
    assert control.get(f"/hosted/{made['session_id']}/qr").status == 404
