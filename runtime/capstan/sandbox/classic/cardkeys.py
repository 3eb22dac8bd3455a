"""The keys that card data is encrypted for: a merchant enrols one, and one is there from the beginning."""

from __future__ import annotations

import uuid
from typing import Final

from capstan.sandbox.accounts import DEMO_MERCHANT
from capstan.sandbox.classic.cardcrypto import read_key
from capstan.sandbox.control import control_routes, read_options
from capstan.sandbox.state import EVERYBODY
from capstan.sandbox.web import Answer, Call, Refusal

DEMO_KEY_ID: Final = "16e4b85e-899b-4427-a39f-07a496e9515b"
# Its private half stands among the tests: nothing that it protects is worth protecting.
_DEMO_KEY: Final = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvdrztb55rNvyxwsv87qF
Hx1r/1PNyFYpOtS/dO1t2j765CqwT1K5xA2MxlxQILrwu6ZTD2OeejZMZzbvmlkB
9rgzzl3bD1uJ/O/yqsFpD8qaWnIPYxG2M4dC6jf6UO0dcIiVtRs6gW68elHzboLu
uxmmU4K1uI+9ljOiaXB2B/aRtLuIDDiSKWrVFDBggd4r5MuJylNJcboT/4dbwppW
y1v5FZDoIAHnp8hnnnfAMzSL3cPKU1Qf7DHBIUy7tb5tu7Jkaxu2GqF0b6ErYk8j
HTyJFYmsNqqHiXpC8lreu1k5SBsI1ncf0C3up6wj0yC53LHssInm/IGAkdD7NW1J
iQIDAQAB
-----END PUBLIC KEY-----
"""
_KEYS: Final = "card-keys"
_LONGEST_ID: Final = 255

control = control_routes()


def find_key(call: Call, key_id: str) -> str | None:
    """The public key of this merchant with that id, as PEM."""
    found = call.get(_KEYS, key_id)
    if found is not None:
        return str(found["public_key"])
    return _DEMO_KEY if (call.account.id, key_id) == (DEMO_MERCHANT.id, DEMO_KEY_ID) else None


@control("POST", "/sandbox/card-keys")
def enrol(call: Call) -> Answer:
    """Enrol a merchant's RSA key, as PEM or JWK: `{"public_key": "...", "key_id": "...", "merchant": "M100001"}`."""
    options = read_options(call, public_key=(str, dict), key_id=str, merchant=str)
    account = call.accounts.get(options.get("merchant", DEMO_MERCHANT.id))
    if account is None or account.id == EVERYBODY:
        raise Refusal(404, "NOT_FOUND", "There is no such merchant")
    key_id = options.get("key_id", str(uuid.uuid4()))
    if not 0 < len(key_id) <= _LONGEST_ID or not key_id.isascii() or not key_id.isprintable():
        raise Refusal(400, "BAD_OPTION", "'key_id' cannot be sent in a header")
    try:
        key = read_key(options.get("public_key", ""))
    except ValueError as error:
        raise Refusal(400, "BAD_OPTION", f"'public_key' cannot be used: {error}") from error
    call.state.put(account.id, _KEYS, key_id, {"public_key": key})
    return Answer(201, {"key_id": key_id, "merchant": account.id})


ROUTES: Final = tuple(control.routes)
