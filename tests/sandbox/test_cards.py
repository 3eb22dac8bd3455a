"""Cards are promised, issued once, readable for the holder of the key alone, and an order with cards is cancelled."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.classic.cardkeys import DEMO_KEY_ID
from sandbox.client import Client, Reply

PATH = "/merchantcard/v3"
OTHER = MERCHANTS[1]
DEMO_KEY = serialization.load_pem_private_key((Path(__file__).parent / "card_key.pem").read_bytes(), None)


def place(control: Client, amount: int = 10_000, **options: Any) -> str:
    reply = control.post("/sandbox/orders", {"amount": amount, **options})
    assert reply.status == 201
    return str(reply.json["order_id"])


def card(amount: int = 4_000, **more: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR", "reference": "shop", **more}


def promise(klarna: Client, order_id: str, *cards: dict[str, Any]) -> Reply:
    return klarna.post(f"{PATH}/promises", {"order_id": order_id, "cards": list(cards or (card(),))})


def settle(klarna: Client, order_id: str, **more: str) -> Reply:
    return klarna.post(f"{PATH}/settlements", {"order_id": order_id, "key_id": DEMO_KEY_ID, **more})


def decrypt(issued: dict[str, Any], key: Any = DEMO_KEY) -> dict[str, str]:
    """As a merchant does it."""
    secret = key.decrypt(base64.b64decode(issued["aes_key"]), PKCS1v15())
    assert len(secret) == 16
    decryptor = Cipher(algorithms.AES(secret), modes.CTR(base64.b64decode(issued["iv"]))).decryptor()
    return dict(json.loads(decryptor.update(base64.b64decode(issued["pci_data"])) + decryptor.finalize()))


def luhn(number: str) -> int:
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(number))]
    return sum(n // 10 + n % 10 for n in doubled) % 10


@pytest.fixture
def order_id(control: Client) -> str:
    return place(control, currency="EUR", country="DE")


# --- promises


def test_a_promise_is_read_as_it_was_made(klarna: Client, order_id: str) -> None:
    made = promise(klarna, order_id, card(4_000), card(6_000, fund_amount=5_000))
    read = klarna.get(f"{PATH}/promises/{made.json['promise_id']}")
    assert (made.status, read.status) == (201, 200)
    assert read.json["cards"] == [card(4_000), card(6_000, fund_amount=5_000)]
    assert (read.json["order_id"], read.json["expire_at"]) == (order_id, made.json["expires_at"])


def test_a_new_promise_takes_the_place_of_the_old_one(klarna: Client, order_id: str) -> None:
    old, new = (promise(klarna, order_id).json["promise_id"] for _ in range(2))
    assert klarna.get(f"{PATH}/promises/{old}").status == 404
    assert klarna.get(f"{PATH}/promises/{new}").status == 200
    refused = settle(klarna, order_id, promise_id=old)
    assert (refused.status, refused.json["error_messages"]) == (400, ["Bad value: promise_id"])
    assert settle(klarna, order_id, promise_id=new).status == 201


@pytest.mark.parametrize(
    ("cards", "path"),
    [
        pytest.param([], "cards", id="none"),
        pytest.param([card(0)], "cards[0].amount", id="of nothing"),
        pytest.param([card(1.5)], "cards[0].amount", id="of a fraction"),
        pytest.param([card(True)], "cards[0].amount", id="of a truth value"),
        pytest.param([card(), card(currency="SEK")], "cards[1].currency", id="in another currency"),
        pytest.param([card(reference="")], "cards[0].reference", id="without a name"),
        pytest.param([card(reference="x" * 256)], "cards[0].reference", id="with too long a name"),
        pytest.param([card(fund_amount=0)], "cards[0].fund_amount", id="funded with nothing"),
        pytest.param([card(6_000), card(4_001)], "cards", id="above the order"),
        pytest.param([card(1)] * 1001, "cards", id="more than a thousand"),
        pytest.param([{"amount": 1, "currency": "EUR"}], "cards[0].reference", id="reference left out"),
    ],
)
def test_cards_that_cannot_be_promised(klarna: Client, order_id: str, cards: list[Any], path: str) -> None:
    reply = klarna.post(f"{PATH}/promises", {"order_id": order_id, "cards": cards})
    assert (reply.status, reply.json["error_messages"]) == (400, [f"Bad value: {path}"])


def test_a_promise_needs_an_order_of_this_merchant(app: App, klarna: Client, order_id: str) -> None:
    assert promise(klarna, str(uuid.uuid4())).json["error_messages"] == ["Bad value: order_id"]
    assert promise(Client(app, OTHER), order_id).status == 400
    made = promise(klarna, order_id).json["promise_id"]
    assert Client(app, OTHER).get(f"{PATH}/promises/{made}").status == 404


# --- settlements


def test_only_the_private_key_reads_a_card(klarna: Client, order_id: str) -> None:
    promise(klarna, order_id, card(4_000), card(6_000, fund_amount=5_000, reference="travel"))
    reply = settle(klarna, order_id)
    assert reply.status == 201
    first, second = reply.json["cards"]
    assert [(c["amount"], c["reference"]) for c in (first, second)] == [(4_000, "shop"), (5_000, "travel")]
    plain = decrypt(first)
    assert set(plain) == {"pan", "cvv", "expiry_date"}
    assert (len(plain["pan"]), luhn(plain["pan"])) == (16, 0)
    assert plain["pan"] != decrypt(second)["pan"]
    assert first["aes_key"] != second["aes_key"]
    assert plain["pan"].encode() not in reply.content
    assert luhn("4111111111111112") != 0  # the check above can fail


def test_a_thousand_cards_are_issued(klarna: Client, order_id: str) -> None:
    promise(klarna, order_id, *[card(10)] * 1000)
    assert len(settle(klarna, order_id).json["cards"]) == 1000


def test_without_a_promise_one_card_pays_the_order(klarna: Client, order_id: str) -> None:
    reply = settle(klarna, order_id)
    assert [(c["amount"], c["currency"]) for c in reply.json["cards"]] == [(10_000, "EUR")]
    assert "promise_id" not in reply.json


def test_a_settlement_is_read_by_its_id_and_by_its_order(app: App, klarna: Client, order_id: str) -> None:
    made = settle(klarna, order_id).json
    paths = [f"{PATH}/settlements/{made['settlement_id']}", f"{PATH}/settlements/order/{order_id}"]
    for path in paths:
        assert klarna.get(path, KeyId=DEMO_KEY_ID).json == made
        assert klarna.get(path).status == 403
        assert klarna.get(path, KeyId="another").status == 403
        assert Client(app, OTHER).get(path, KeyId=DEMO_KEY_ID).status == 404
    for path in (f"{PATH}/settlements/{uuid.uuid4()}", f"{PATH}/settlements/order/{uuid.uuid4()}"):
        assert klarna.get(path, KeyId=DEMO_KEY_ID).status == 404


def test_cards_are_issued_once(klarna: Client, order_id: str) -> None:
    assert settle(klarna, order_id).status == 201
    assert settle(klarna, order_id).status == 403


def test_an_expired_promise_is_not_settled(klarna: Client, control: Client, order_id: str) -> None:
    made = promise(klarna, order_id).json["promise_id"]
    control.post("/sandbox/time", {"hours": 23})
    assert klarna.get(f"{PATH}/promises/{made}").status == 200
    control.post("/sandbox/time", {"hours": 2})
    assert settle(klarna, order_id, promise_id=made).json["error_messages"] == ["Bad value: promise_id"]


def test_an_order_that_is_not_open_gets_no_cards(klarna: Client, control: Client, order_id: str) -> None:
    klarna.post(f"/ordermanagement/v1/orders/{order_id}/cancel")
    assert settle(klarna, order_id).status == 403
    captured = place(control, auto_capture=True)
    assert settle(klarna, captured).status == 403


def test_a_promise_above_what_is_left_of_the_order_is_not_settled(klarna: Client, order_id: str) -> None:
    promise(klarna, order_id, card(8_000))
    path = f"/ordermanagement/v1/orders/{order_id}/authorization"
    assert klarna.patch(path, {"order_amount": 5_000, "order_lines": []}).status == 204
    assert settle(klarna, order_id).status == 403


def test_unknown_keys_and_orders_are_refused_by_name(klarna: Client, order_id: str) -> None:
    assert settle(klarna, order_id, key_id="mine").json["error_messages"] == ["Bad value: key_id"]
    assert settle(klarna, str(uuid.uuid4())).json["error_messages"] == ["Bad value: order_id"]
    reply = klarna.post(f"{PATH}/settlements", {"order_id": order_id})
    assert (reply.status, reply.json["error_messages"]) == (400, ["Bad value: key_id"])


# --- keys


def pem_of(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


def base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def own_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_merchant_enrols_a_key(app: App, control: Client, own_key: rsa.RSAPrivateKey, form: str) -> None:
    numbers = own_key.public_key().public_numbers()
    jwk = {"kty": "RSA", "e": base64url(numbers.e), "n": base64url(numbers.n)}
    given = pem_of(own_key) if form == "pem" else jwk
    enrolled = control.post("/sandbox/card-keys", {"merchant": OTHER.id, "key_id": "mine", "public_key": given})
    assert (enrolled.status, enrolled.json["key_id"]) == (201, "mine")
    other = Client(app, OTHER)
    order_id = place(control, merchant=OTHER.id)
    assert settle(other, order_id).status == 400  # the demonstration merchant's key is not theirs
    [issued] = settle(other, order_id, key_id="mine").json["cards"]
    assert luhn(decrypt(issued, own_key)["pan"]) == 0


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="nothing"),
        pytest.param("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", id="nonsense"),
        pytest.param({"kty": "RSA"}, id="half a JWK"),
        pytest.param({"kty": "RSA", "e": "AQAB", "n": "é"}, id="a JWK that is no base64"),
        pytest.param(pem_of(ec.generate_private_key(ec.SECP256R1())), id="another kind"),
        pytest.param(pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024)), id="too short"),
    ],
)
def test_keys_that_cannot_be_used(control: Client, key: Any) -> None:
    reply = control.post("/sandbox/card-keys", {"public_key": key})
    assert (reply.status, reply.json["error"]) == (400, "BAD_OPTION")


def test_a_key_is_enrolled_for_a_merchant_who_exists(control: Client) -> None:
    assert control.post("/sandbox/card-keys", {"merchant": "M0", "public_key": "x"}).status == 404
    assert control.post("/sandbox/card-keys", {"key_id": "a\nb", "public_key": "x"}).status == 400


# --- cancel requests


def ask(klarna: Client, order_id: str) -> Reply:
    return klarna.post(f"{PATH}/orders/{order_id}/cancel-request")


def status(klarna: Client, order_id: str) -> dict[str, Any]:
    return dict(klarna.get(f"{PATH}/orders/{order_id}/cancel-request").json)


def order_status(klarna: Client, order_id: str) -> str:
    return str(klarna.get(f"/ordermanagement/v1/orders/{order_id}").json["status"])


@pytest.fixture
def paid(klarna: Client, order_id: str) -> str:
    """An order with cards."""
    assert settle(klarna, order_id).status == 201
    return order_id


def test_a_request_waits_and_then_cancels_the_order(klarna: Client, control: Client, paid: str) -> None:
    asked = ask(klarna, paid)
    assert (asked.status, asked.json["status"]) == (202, "PENDING")
    assert ask(klarna, paid).json == asked.json == status(klarna, paid)
    assert order_status(klarna, paid) == "AUTHORIZED"
    control.post("/sandbox/time", {"hours": 1})
    assert order_status(klarna, paid) == "CANCELLED"
    assert status(klarna, paid) == {"status": "CANCELLED"}
    again = ask(klarna, paid)
    assert (again.status, again.json) == (200, {"status": "CANCELLED"})


def test_a_request_is_rejected_when_a_card_is_in_use(klarna: Client, control: Client, paid: str) -> None:
    assert control.post(f"/sandbox/orders/{paid}/card-use").status == 204
    ask(klarna, paid)
    control.post("/sandbox/time", {"hours": 1})
    decided = status(klarna, paid)
    assert (decided["status"], decided["reason_code"]) == ("REJECTED", "CARD_IN_USE")
    assert order_status(klarna, paid) == "AUTHORIZED"
    assert ask(klarna, paid).status == 202  # it may be asked again


def test_the_operator_decides_at_once(klarna: Client, control: Client, paid: str) -> None:
    ask(klarna, paid)
    path = f"/sandbox/orders/{paid}/cancel-request"
    for bad in ({}, {"status": "PENDING"}, {"status": "REJECTED", "reason_code": "WHIM"}):
        assert control.post(path, bad).status == 400
    assert control.post(path, {"status": "REJECTED", "reason_code": "OTHER"}).json["reason_code"] == "OTHER"
    assert status(klarna, paid)["status"] == "REJECTED"
    assert control.post(path, {"status": "CANCELLED"}).status == 404  # nothing waits any more
    ask(klarna, paid)
    assert control.post(path, {"status": "CANCELLED"}).json == {"status": "CANCELLED"}
    assert order_status(klarna, paid) == "CANCELLED"


def test_an_order_captured_meanwhile_is_not_cancelled(klarna: Client, control: Client, paid: str) -> None:
    ask(klarna, paid)
    klarna.post(f"/ordermanagement/v1/orders/{paid}/captures", {"captured_amount": 100})
    control.post("/sandbox/time", {"hours": 1})
    assert status(klarna, paid)["reason_code"] == "OTHER"


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_request_for_an_order_that_is_cancelled_already_is_found(
    klarna: Client, control: Client, paid: str, *, asked_before: bool
) -> None:
    if asked_before:
        ask(klarna, paid)
    klarna.post(f"/ordermanagement/v1/orders/{paid}/cancel")
    asked = ask(klarna, paid)
    assert (asked.status, asked.json) == (200, {"status": "CANCELLED"})
    assert status(klarna, paid) == {"status": "CANCELLED"}
    assert control.post(f"/sandbox/orders/{paid}/cancel-request", {"status": "REJECTED"}).status == 404


def test_without_a_request_there_is_none_found(klarna: Client, paid: str) -> None:
    reply = klarna.get(f"{PATH}/orders/{paid}/cancel-request")
    assert (reply.status, reply.json["status"], reply.json["reason_code"]) == (400, *["NO_REQUEST_FOUND"] * 2)


def test_an_order_without_cards_has_no_request(app: App, klarna: Client, control: Client, order_id: str) -> None:
    for known in (order_id, str(uuid.uuid4())):
        assert klarna.get(f"{PATH}/orders/{known}/cancel-request").status == 404
        assert ask(klarna, known).status == 404
    assert control.post(f"/sandbox/orders/{order_id}/card-use").status == 409
    assert control.post(f"/sandbox/orders/{uuid.uuid4()}/card-use").status == 404
    assert settle(klarna, order_id).status == 201
    assert ask(Client(app, OTHER), order_id).status == 404
