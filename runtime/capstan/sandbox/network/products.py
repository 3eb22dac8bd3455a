"""Payment products of an account and the payment accounts in them."""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.network.events import fire
from capstan.sandbox.network.family import conflict, krn, not_found, read_body
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.network.paging import page
from capstan.sandbox.network.partners import load_account, store_account
from capstan.sandbox.network.resources import given, merge
from capstan.sandbox.state import Document, pick
from capstan.sandbox.web import Answer, Call

_PRODUCTS: Final = "/v2/accounts/{partner_account_id}/products/payment"
_ONE: Final = f"{_PRODUCTS}/{{product_id}}"
_ACCOUNTS: Final = f"{_ONE}/payment-accounts"

operations = Operations()


def new_product(call: Call, fields: dict[str, Any]) -> Document:
    return {
        "product_id": krn(call.account, "partner", "product", "payment"), "type": "PAYMENT", **fields,
        "state": "ENABLED", "payment_accounts": [],
    }  # fmt: skip


def add_payment_account(call: Call, product: Document, fields: dict[str, Any]) -> Document:
    """A new one, the last of its product; whoever calls stores the account.

    Raises:
        Refusal: 409, the product has one with this reference.
    """
    reference = fields.get("payment_account_reference")
    taken = (held.get("payment_account_reference") for held in product["payment_accounts"])
    if reference is not None and reference in taken:
        raise conflict(f"There is a payment account with the payment_account_reference {reference}")
    now = write_time(call.now)
    made = {
        "payment_account_id": krn(call.account, "partner", "product", "payment-account"),
        **given(fields, "payment_account_id"), "created_at": now, "updated_at": now,
    }  # fmt: skip
    product["payment_accounts"].append(made)
    return made


def _asked(call: Call) -> tuple[Document, Document]:
    """The account and the product that the path names."""
    account = load_account(call, call.params[ACCOUNT])
    wanted = call.params["product_id"]
    for product in account["products"] if account is not None else ():
        if product["product_id"] == wanted and account is not None:
            return account, product
    raise not_found(f"The product {wanted}")


def _asked_account(call: Call, product: Document) -> Document:
    wanted = call.params["payment_account_id"]
    for held in product["payment_accounts"]:
        if held["payment_account_id"] == wanted:
            found: Document = held
            return found
    raise not_found(f"The payment account {wanted}")


@operations("GET", _PRODUCTS)
def list_products(call: Call) -> Answer:
    account = load_account(call, call.params[ACCOUNT])
    assert account is not None
    return page(call, "products", account["products"], "product_id", size=None)


@operations("POST", f"{_ONE}/disable")
def disable(call: Call) -> Answer:
    body = read_body(call, "disable-payment-product")
    return _switch(call, "DISABLED", pick(body, "reason", "reason_details"))


@operations("POST", f"{_ONE}/enable")
def enable(call: Call) -> Answer:
    return _switch(call, "ENABLED", {})


def _switch(call: Call, state: str, why: dict[str, Any]) -> Answer:
    account, product = _asked(call)
    if product["state"] != state:
        for name in ("reason", "reason_details"):
            product.pop(name, None)
        product |= {"state": state, **why}
        store_account(call, account)
        payload = {"partner_account_id": account["partner_account_id"], "product_id": product["product_id"], **why}
        event = f"partner.account.product.payment.state-change.{state.lower()}"
        fire(call, event, payload, account["partner_account_id"], version="v1")
    return Answer(200, product)


@operations("POST", _ACCOUNTS)
def create_payment_account(call: Call) -> Answer:
    account, product = _asked(call)
    made = add_payment_account(call, product, read_body(call, "create-payment-account"))
    store_account(call, account)
    return Answer(201, made)


@operations("GET", f"{_ACCOUNTS}/{{payment_account_id}}")
def read_payment_account(call: Call) -> Answer:
    return Answer(200, _asked_account(call, _asked(call)[1]))


@operations("PATCH", f"{_ACCOUNTS}/{{payment_account_id}}")
def update_payment_account(call: Call) -> Answer:
    account, product = _asked(call)
    held = _asked_account(call, product)
    merge(held, given(read_body(call, "update-payment-account"), "payment_account_id"))
    held["updated_at"] = write_time(call.now)
    store_account(call, account)
    return Answer(200, held)


ROUTES: Final = operations.routes
