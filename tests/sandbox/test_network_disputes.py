"""Disputes of both versions: their lines of states, deadlines, attachments, and what a lost one costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from sandbox.network_life import FORM, Partner, form


@pytest.fixture
def partner(app: App) -> Partner:
    """With a transaction of 1000, captured."""
    p = Partner(app)
    p.ids["payment_transaction_id"] = p.transaction(1000, capture="NOW")["payment_transaction_id"]
    return p


def _open(p: Partner, version: str = "v2", **more: Any) -> str:
    about = {"payment_transaction_id": p.ids["payment_transaction_id"], "version": version, "amount": 300, **more}
    p.ids["payment_dispute_id"] = p.act("disputes", about)["payment_dispute_id"]
    return p.ids["payment_dispute_id"]


def _read(p: Partner, name: str = "read-dispute") -> Any:
    return p.ok(name)


def _hook(p: Partner, what: str, body: Any = None) -> int:
    return p.control.post(f"/sandbox/network/disputes/{p.ids['payment_dispute_id']}/{what}", body or {}).status


RESPONSE = {"additional_information": "sent with proof"}


# --- version 2


def test_a_dispute_goes_its_line_by_itself(partner: Partner) -> None:
    _open(partner)
    states = [_read(partner)["state"]]
    while states[-1] != "CLOSED":
        partner.control.post("/sandbox/time", {"days": 31})
        states.append(_read(partner)["state"])
    assert states[0] == "PRE_ARBITRATION"
    assert _read(partner)["state_context"] == {"dispute_outcome": "LOST"}


def test_a_dispute_is_advanced_answered_and_won(partner: Partner) -> None:
    _open(partner)
    assert _hook(partner, "decide", {"outcome": "WON"}) == 409
    assert _hook(partner, "advance") == 200
    assert _read(partner)["state"] == "MERCHANT_EVIDENCE_PENDING"
    assert partner.ok("respond-to-dispute", RESPONSE)["state"] == "ARBITRATION_PENDING"
    assert partner.do("respond-to-dispute", RESPONSE).status == 409
    _hook(partner, "decide", {"outcome": "LOST"})
    assert _read(partner)["state"] == "ARBITRATION_APPEAL_OPEN"
    assert partner.ok("respond-to-dispute", RESPONSE)["state"] == "ARBITRATION_PENDING"
    _hook(partner, "decide", {"outcome": "WON", "final": True})
    assert (_read(partner)["state"], _read(partner)["state_context"]) == ("CLOSED", {"dispute_outcome": "WON"})
    assert partner.ok("read-payment-transaction")["charged_back_amount"] == 0
    for what in ("advance", "decide", "extend"):
        assert _hook(partner, what) == 409
    assert partner.do("accept-dispute-loss").status == 409
    assert partner.do("upload-dispute-attachment", form(b"late"), Content_Type=FORM).status == 409


def test_a_lost_dispute_charges_its_amount_back(partner: Partner) -> None:
    _open(partner)
    closed = partner.ok("accept-dispute-loss")
    assert (closed["state"], closed["state_context"]) == ("CLOSED", {"dispute_outcome": "LOST"})
    made = partner.ok("read-payment-chargeback", payment_chargeback_id=closed["payment_chargeback_id"])
    assert made["chargeback_amount"] == 300
    assert partner.do("refund-payment-transaction", {"refund_amount": 701}).status == 409


def test_a_lost_dispute_takes_no_more_than_is_left(partner: Partner) -> None:
    _open(partner)
    partner.ok("refund-payment-transaction", {"refund_amount": 900})
    closed = partner.ok("accept-dispute-loss")
    made = partner.ok("read-payment-chargeback", payment_chargeback_id=closed["payment_chargeback_id"])
    assert made["chargeback_amount"] == 100


def test_a_deadline_can_be_moved(partner: Partner) -> None:
    _open(partner)
    assert _hook(partner, "extend", {"days": 60}) == 200
    partner.control.post("/sandbox/time", {"days": 59})
    assert _read(partner)["state"] == "PRE_ARBITRATION"
    partner.control.post("/sandbox/time", {"days": 1})
    assert _read(partner)["state"] == "MERCHANT_EVIDENCE_PENDING"


@pytest.mark.parametrize("amount", [0, -1, 1001, True])
def test_more_than_was_captured_cannot_be_disputed(partner: Partner, amount: int) -> None:
    about = {"payment_transaction_id": partner.ids["payment_transaction_id"], "amount": amount}
    assert partner.control.post("/sandbox/network/disputes", about).status in (400, 409)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("state=CLOSED", 1),
        ("state=CLOSED&state=PRE_ARBITRATION", 3),
        ("state[]=CLOSED", 1),
        ("state=CLOSED,ARBITRATION_PENDING", 1),
        ("reason=PRODUCTS_FAULTY", 1),
        ("opened_at_end=2000-01-01", 0),
        ("opened_at_start=2000-01-01", 3),
        ("closed_at_start=2000-01-01", 1),
        ("payment_transaction_id=other", 0),
        ("size=2", 2),
    ],
)
def test_disputes_are_filtered(partner: Partner, query: str, found: int) -> None:
    _open(partner)
    _open(partner, reason="PRODUCTS_FAULTY")
    _open(partner)
    partner.ok("accept-dispute-loss")
    assert len(partner.ok("list-disputes", query=query)["disputes"]) == found


@pytest.mark.parametrize("query", ["sort_by=amount", "opened_at_start=yesterday"])
def test_a_filter_that_cannot_be_is_refused(partner: Partner, query: str) -> None:
    assert partner.do("list-disputes", query=query).status == 400


def test_disputes_are_sorted(partner: Partner) -> None:
    first = _open(partner)
    partner.control.post("/sandbox/time", {"days": 1})
    second = _open(partner)
    for text, expected in (("opened_at", [first, second]), ("-opened_at", [second, first])):
        answer = partner.ok("list-disputes", query=f"sort_by={text}")
        assert [d["payment_dispute_id"] for d in answer["disputes"]] == expected


# --- attachments


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300).filter(lambda content: b"--frontier" not in content))
def test_a_file_comes_back_byte_by_byte(content: bytes) -> None:
    p = Partner(create_app(sample=False))
    p.ids["payment_transaction_id"] = p.transaction(1000, capture="NOW")["payment_transaction_id"]
    _open(p)
    made = p.ok("upload-dispute-attachment", form(content, media="image/png"), Content_Type=FORM)
    assert (made["filename"], made["size"], made["content_type"]) == ("proof.pdf", len(content), "image/png")
    reply = p.do("download-dispute-attachment", **_named(made))
    assert (reply.content, reply.headers["content-type"]) == (content, "image/png")


@pytest.mark.parametrize("media", ["text/html\r\n X-Evil: 1", "a/b c", "nonsense/"])
def test_a_media_type_that_no_header_can_hold_is_not_kept(partner: Partner, media: str) -> None:
    _open(partner)
    made = partner.ok("upload-dispute-attachment", form(b"x", media=media), Content_Type=FORM)
    reply = partner.do("download-dispute-attachment", **_named(made))
    assert reply.headers["content-type"] == "application/octet-stream"


def _named(made: dict[str, Any]) -> dict[str, str]:
    return {"payment_dispute_attachment_id": made["payment_dispute_attachment_id"]}


def test_a_file_of_another_dispute_is_not_found_and_not_taken(partner: Partner) -> None:
    first = _open(partner)
    made = partner.ok("upload-dispute-attachment", form(b"x"), Content_Type=FORM)
    _open(partner)
    assert partner.do("download-dispute-attachment", **_named(made)).status == 404
    reply = partner.do("respond-to-dispute", {"attachments": [_named(made)]})
    assert reply.json["validation_errors"][0]["parameter"] == "attachments[0].payment_dispute_attachment_id"
    partner.ok("respond-to-dispute", {"attachments": [_named(made)]}, payment_dispute_id=first)


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"{}", "application/json"),
        (b"", FORM),
        (b"--frontier--\r\n", FORM),
        (form(b"x")[:-8], FORM),
        (form(b"x").replace(b'name="file"', b'name="other"'), FORM),
        (form(b"x"), "multipart/form-data"),
        (form(b"x"), "multipart/form-data; boundary=another"),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(partner: Partner, body: bytes, media: str) -> None:
    _open(partner)
    assert partner.do("upload-dispute-attachment", body, Content_Type=media).status == 400


# --- version 4


REPRESENT = {"attachments": [], "additional_information": "sent"}


def _represent(p: Partner) -> Any:
    made = p.ok("upload-dispute-attachment-v4", form(b"proof"), Content_Type=FORM)
    return p.do("represent-dispute-v4", {**REPRESENT, "attachments": [_named(made)]})


def test_a_dispute_of_2026_is_represented_appealed_and_decided(partner: Partner) -> None:
    _open(partner, "v4")
    opened = _read(partner, "read-dispute-v4")
    assert (opened["state"], opened["previous_state"]) == ("INITIATED", None)
    assert opened["configuration"] == {"base_framework": "FRAMEWORK_2026"}
    assert opened["payment_transaction_id"] == partner.ids["payment_transaction_id"]
    assert partner.do("appeal-dispute-v4", RESPONSE).status == 409
    assert _represent(partner).json["state"] == "REPRESENTMENT"
    assert _represent(partner).status == 409
    assert partner.do("accept-dispute-loss-v4").status == 409
    _hook(partner, "decide", {"outcome": "LOST"})
    assert _read(partner, "read-dispute-v4")["state"] == "PRE_ARBITRATION"
    assert partner.ok("appeal-dispute-v4", RESPONSE)["state"] == "ARBITRATION"
    _hook(partner, "decide", {"outcome": "LOST"})
    closed = _read(partner, "read-dispute-v4")
    assert (closed["state"], closed["previous_state"]) == ("CLOSED", "ARBITRATION")
    assert closed["representment"]["additional_information"] == "sent"
    assert closed["arbitration"]["additional_information"] == RESPONSE["additional_information"]
    assert partner.ok("read-payment-transaction")["charged_back_amount"] == 300


@pytest.mark.parametrize("after_representment", [False, True])
def test_a_loss_is_accepted_where_the_partner_is_asked(partner: Partner, *, after_representment: bool) -> None:
    _open(partner, "v4")
    if after_representment:
        _represent(partner)
        _hook(partner, "decide", {"outcome": "LOST"})
    assert partner.ok("accept-dispute-loss-v4")["state_context"] == {"dispute_outcome": "LOST"}
    assert partner.do("accept-dispute-loss-v4").status == 409


def test_who_does_not_answer_in_time_has_lost(partner: Partner) -> None:
    _open(partner, "v4")
    assert _hook(partner, "extend", {"days": 20}) == 200
    partner.control.post("/sandbox/time", {"days": 19})
    assert _read(partner, "read-dispute-v4")["state"] == "INITIATED"
    partner.control.post("/sandbox/time", {"days": 1})
    closed = _read(partner, "read-dispute-v4")
    assert (closed["state"], closed["state_context"]) == ("CLOSED", {"dispute_outcome": "LOST"})


@pytest.mark.parametrize(
    ("size", "status"), [(2 << 20, 201), (7 << 20, 201), ((7 << 20) + 1, 400), (8 << 20, 413)], ids=str
)
def test_a_file_has_at_most_seven_megabytes(partner: Partner, size: int, status: int) -> None:
    _open(partner, "v4")
    body = form(b"x" * size)
    assert partner.do("upload-dispute-attachment-v4", body, Content_Type=FORM).status == status


@pytest.mark.parametrize(
    ("said", "own", "refused"),
    [
        ("proof.pdf", "x", None), ("Proof.JPEG", "x.jpeg", None), ("proof", "x.docx", None), ("x.png", "", None),
        ("proof.exe", "x", "filename"), ("proof", "x.txt", "file"), ("proof.pdf", "x.png", "filename"),
    ],
)  # fmt: skip
def test_a_file_is_of_a_kind_that_can_be_looked_at(partner: Partner, said: str, own: str, refused: str | None) -> None:
    _open(partner, "v4")
    body = form(b"x", filename=said).replace(b'filename="x"', f'filename="{own}"'.encode())
    reply = partner.do("upload-dispute-attachment-v4", body, Content_Type=FORM)
    if refused is None:
        assert (reply.status, reply.json["filename"]) == (201, said)
    else:
        assert (reply.status, reply.json["validation_errors"][0]["parameter"]) == (400, refused)


@pytest.mark.parametrize(("amount", "status"), [(299, 201), (300, 400)])
def test_less_than_what_is_disputed_can_be_offered(partner: Partner, amount: int, status: int) -> None:
    _open(partner, "v4")
    made = partner.ok("upload-dispute-attachment-v4", form(b"proof"), Content_Type=FORM)
    offer = {**REPRESENT, "attachments": [_named(made)], "partner_proposed_refund_amount": amount}
    assert partner.do("represent-dispute-v4", offer).status == status


@pytest.mark.parametrize(
    "body",
    [{}, {"attachments": []}, {"attachments": [{"payment_dispute_attachment_id": "x"}]}, {"attachments": [{}]}],
)
def test_a_representment_needs_an_attachment_that_exists(partner: Partner, body: Any) -> None:
    _open(partner, "v4")
    assert partner.do("represent-dispute-v4", body).status == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("order_ids=o-1", 1),
        ("order_ids=o-1,o-2", 2),
        ("reason=INCORRECT_AMOUNT", 1),
        ("state=CLOSED", 0),
        ("state=CLOSED,LOST", 400),
        ("reason=PRODUCTS_FAULTY", 400),
        ("created_at_start=2000-01-01T00:00:00Z&created_at_end=2001-01-01T00:00:00Z", 0),
        ("sort_by=-created_at", 2),
        ("order_ids=" + ",".join(map(str, range(101))), 400),
        ("purchase_references=" + ",".join(map(str, range(11))), 400),
    ],
)
def test_disputes_of_2026_are_filtered(app: App, query: str, found: int) -> None:
    merchant = Partner(app, DEMO_MERCHANT)
    about = {"version": "v4", "account": DEMO_MERCHANT.id, "amount": 1, "currency": "EUR"}
    merchant.act("disputes", {**about, "order_id": "o-1"})
    merchant.act("disputes", {**about, "order_id": "o-2", "reason": "INCORRECT_AMOUNT"})
    reply = merchant.do("list-disputes-v4", query=query)
    assert (reply.status if reply.status != 200 else len(reply.json["disputes"])) == found


def test_the_start_of_an_interval_is_in_it_and_the_end_is_not(app: App) -> None:
    merchant = Partner(app, DEMO_MERCHANT)
    about = {"version": "v4", "account": DEMO_MERCHANT.id, "order_id": "o", "amount": 1, "currency": "EUR"}
    at = merchant.act("disputes", about)["created_at"]
    for query, found in ((f"created_at_start={at}", 1), (f"created_at_end={at}", 0)):
        assert len(merchant.ok("list-disputes-v4", query=query)["disputes"]) == found
