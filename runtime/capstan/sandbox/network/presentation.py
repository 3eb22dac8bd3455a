"""What is shown to a customer before paying: payment options, promotions, and the tokens that carry context along.

The texts are this sandbox's own. Klarna's answers depend on the customer; these depend on what was asked.
"""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.network.credentials import CLIENTS
from capstan.sandbox.network.family import PUBLIC, forbidden, invalid, mode_of, read_body
from capstan.sandbox.network.identity import short_lived
from capstan.sandbox.network.operations import Operations
from capstan.sandbox.network.tokens import CUSTOMER_HEADER, customer_token_of
from capstan.sandbox.state import EVERYBODY
from capstan.sandbox.web import Answer, Call, Handler

_ACCOUNT: Final = "/v2/accounts/{partner_account_id}"
_INTENTS: Final = ("PAY", "SUBSCRIBE", "ADD_TO_WALLET")

operations = Operations()
public = Operations(PUBLIC)


# --- tokens of context


@operations("POST", f"{_ACCOUNT}/interoperability/tokens", alone="/v2/interoperability/tokens")
def create_token(call: Call) -> Answer:
    _recognise(call)
    return short_lived(call, "interoperability_token", "interoperability-token")


@operations("POST", f"{_ACCOUNT}/interoperability/sdk-tokens", alone="/v2/interoperability/sdk-tokens")
def create_sdk_token(call: Call) -> Answer:
    return short_lived(call, "interoperability_sdk_token", "interoperability-sdk-token")


@operations("POST", f"{_ACCOUNT}/interoperability/test-tokens")
def create_test_token(call: Call) -> Answer:
    if call.account.environment == "live":
        raise forbidden("Test tokens are for the test environment")
    read_body(call, "create-test-interoperability-token")
    _recognise(call)
    return short_lived(call, "interoperability_token", "interoperability-token")


def _recognise(call: Call) -> None:
    """A stored token, where one is sent, must be one."""
    if CUSTOMER_HEADER.lower() in call.request.headers:
        customer_token_of(call)


# --- presentation and messaging


@operations("GET", f"{_ACCOUNT}/payment/presentation", alone="/v2/payment/presentation")
def presentation(call: Call) -> Answer:
    intents = [*call.request.query.get("intents[]", []), *call.request.query.get("intents", [])]
    for intent in intents:
        if intent not in _INTENTS:
            raise invalid("intents[]", f"must be one of: {', '.join(_INTENTS)}")
    amount, locale = _amount(call, "amount"), call.first("locale") or "en-US"
    options = [_option(call, name, amount) for name in ("PAY_NOW", "PAY_LATER", "PAY_OVER_TIME")]
    klarna = {"payment_options": options if amount != 0 else options[:1], "locale": locale}
    return Answer(200, {"instruction": "SHOW_KLARNA", "intents": intents or ["PAY"], "klarna": klarna})


def _option(call: Call, name: str, amount: int | None) -> dict[str, Any]:
    text = name.replace("_", " ").capitalize()
    option: dict[str, Any] = {
        "payment_option_id": f"krn:payment:eu1:option:{mode_of(call.account)}:{name.lower().replace('_', '-')}",
        "payment_option_type": name, "header": text, "subheader": f"{text} with Klarna",
    }  # fmt: skip
    if name == "PAY_OVER_TIME" and amount is not None:
        option["instalments"] = {"number": 4, "amount": -(-amount // 4)}
    return option


def _promotion(placement: str, *, sized: bool) -> Handler:
    def promotion(call: Call) -> Answer:
        _recognise(call)
        return Answer(200, {"content": _content(call, placement, "amount"), "auto_size": sized})

    return promotion


for _placement in ("credit-promotion", "top-strip-promotion"):
    for _size in ("auto-size", "badge"):
        operations("GET", f"{_ACCOUNT}/payment/messaging/{_placement}-{_size}")(
            _promotion(f"{_placement}-{_size}", sized=_size == "auto-size")
        )


def _content(call: Call, placement: str, name: str) -> dict[str, Any]:
    amount = _amount(call, name)
    text = "Pay at your own pace" if amount is None else f"4 payments of {-(-amount // 4)} (minor units)"
    nodes = [
        {"name": "TEXT_MAIN", "type": "TEXT", "value": text},
        {"name": "ACTION_LEARN_MORE", "type": "ACTION", "label": "Learn more", "url": f"{call.public_url}/sandbox"},
    ]
    return {"placement": placement, "locale": call.first("locale") or "en-US", "nodes": nodes}


def _amount(call: Call, name: str) -> int | None:
    text = call.first(name)
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 12):
        raise invalid(name, "must be an amount in minor units")
    return None if text is None else int(text)


# --- on the merchants' hosts


_PLACEMENTS: Final = ("credit-promotion-badge", "top-strip-promotion-badge")


@public("GET", "/messaging/v3")
def message(call: Call) -> Answer:
    """Nobody signs in: the client id says whose shop asks."""
    client = call.first("client_id") or call.request.headers.get("client-id")
    for name, value in (("client_id", client), ("placement_key", call.first("placement_key")),
                        ("locale", call.first("locale"))):  # fmt: skip
        if not value:
            raise invalid(name, "is required")
    placement = call.first("placement_key") or ""
    if placement not in _PLACEMENTS:
        raise invalid("placement_key", f"must be one of: {', '.join(_PLACEMENTS)}")
    assert client is not None
    known = call.accounts.get(client) is not None or call.state.get(EVERYBODY, CLIENTS, client) is not None
    if not known:
        raise forbidden("The account is not enabled for on-site messaging")
    if placement.startswith("credit") and call.first("purchase_amount") is None:
        raise invalid("purchase_amount", "is required for this placement")
    content = _content(call, placement, "purchase_amount")
    return Answer(200, {"content": content, "impression_url": f"{call.public_url}/sandbox"})


ROUTES: Final = (*operations.routes, *public.routes)
