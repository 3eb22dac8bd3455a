"""The files of the pages, and what the widget script asks for, without a browser."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.choice import choice
from sandbox.client import Client

FOLDER = Path(str(files("capstan.sandbox.shop")))
FILES = sorted(path for path in FOLDER.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"})
LINE = {"name": "Lantern", "quantity": 1, "unit_price": 4200, "total_amount": 4200}
OTHER_MERCHANT = MERCHANTS[1]
PURCHASE = {"purchase_country": "GB", "purchase_currency": "GBP", "order_amount": 4200, "order_lines": [LINE]}


@pytest.mark.parametrize("path", ["/", "/shop", "/shop/", "/hosted/whatever"])
def test_pages_are_html_that_lets_nothing_foreign_in(control: Client, path: str) -> None:
    answer = control.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert b"ndependent of Klarna" in answer.content
    assert b"no money moves" in answer.content


@pytest.mark.parametrize("file", [pytest.param(path, id=path.name) for path in FILES])
def test_no_file_names_another_host(file: Path) -> None:
    hosts = re.findall(r"https?://([\w.-]+)", file.read_text())
    assert set(hosts) <= {"www.w3.org"}  # the name of a format, fetched by nobody


def test_everything_a_page_refers_to_is_there(control: Client) -> None:
    text = "\n".join(path.read_text() for path in FILES)
    named = set(re.findall(r"""["'](/shop/[\w/]+\.\w+)["']""", text))
    named |= {f"/shop/{name}" for name in re.findall(r"""from '\./([\w.]+)'""", text)}
    named |= {f"/shop/art/{name}.svg" for name in re.findall(r"art: '(\w+)'", text)}
    assert len(named) > 15
    assert {path: control.get(path).status for path in named} == dict.fromkeys(named, 200)


@pytest.mark.parametrize("path", ["/shop/pages.py", "/shop/shop.html", "/shop/..%2Fapp.py", "/shop/art/..%2Fshop.js"])
def test_nothing_else_of_the_package_is_served(control: Client, path: str) -> None:
    assert control.get(path).status == 404


def test_the_pages_are_told_where_capstan_is(app: App, control: Client) -> None:
    assert control.get("/sandbox/capstan").json == {"rest": None}
    app.capstan_url = "http://127.0.0.1:11080"
    assert control.get("/sandbox/capstan").json == {"rest": "http://127.0.0.1:11080"}


def test_orders_that_are_there_are_told_whosever_they_are(app: App, control: Client) -> None:
    other = Client(app, OTHER_MERCHANT)
    token = _authorized(app, other)
    placed = other.post(f"/payments/v1/authorizations/{token}/order", PURCHASE).json["order_id"]
    asked = control.get(f"/shop/orders?id=nobody&id={placed}").json["asked"]
    assert [order["order_id"] for order in asked] == [placed]
    assert "shipping_address" not in asked[0]


def _authorized(app: App, merchant: Client) -> str:
    session = merchant.post("/payments/v1/sessions", PURCHASE).json
    body = {"client_token": session["client_token"]}
    given = Client(app, None).post("/shop/widget/authorize", body, Content_Type="application/json")
    token: str = given.json["result"]["authorization_token"]
    return token


# --- pages on which a customer decides


def test_what_a_merchant_says_stays_text_on_a_customers_page() -> None:
    evil = '"><script>alert(1)</script>'
    page = choice(evil, evil, {evil: evil}, amount=1, currency=evil, goes_to=evil)
    text = page.payload().decode()
    assert text.count("<script") == 1  # its own
    assert "alert(1)</script>" not in text
    assert text.count("&lt;script&gt;") == 8


@pytest.mark.parametrize(("framed", "elsewhere"), [(False, "; frame-ancestors 'none'"), (True, "")])
def test_only_the_page_of_a_snippet_stands_in_others(*, framed: bool, elsewhere: str) -> None:
    policy = dict(choice("To pay", "new", {}, framed=framed).headers)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert policy.endswith(f"form-action 'none'{elsewhere}")


# --- the widget


@pytest.fixture
def client_token(klarna: Client) -> str:
    token: str = klarna.post("/payments/v1/sessions", PURCHASE).json["client_token"]
    return token


def test_a_page_of_any_origin_may_ask_for_an_authorization(app: App, klarna: Client, client_token: str) -> None:
    browser = Client(app, None)
    asked = browser.send("OPTIONS", "/shop/widget/authorize", Origin="https://shop.example")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "*")
    assert asked.headers["access-control-allow-headers"] == "content-type"
    answer = browser.post("/shop/widget/authorize", {"client_token": client_token}, Content_Type="application/json")
    assert answer.headers["access-control-allow-origin"] == "*"
    token = answer.json["result"]["authorization_token"]
    assert klarna.post(f"/payments/v1/authorizations/{token}/order", PURCHASE).status == 200


@pytest.mark.parametrize(
    ("decision", "status", "told"),
    [
        pytest.param("approve", 200, "ACCEPTED", id="approved"),
        pytest.param("review", 200, "PENDING", id="to be reviewed"),
        pytest.param("reject", 403, "REJECTED", id="refused when the order is placed"),
    ],
)
def test_a_decision_becomes_what_the_order_says(
    control: Client, klarna: Client, client_token: str, decision: str, status: int, told: str
) -> None:
    body = {"client_token": client_token, "decision": decision}
    given = control.post("/shop/widget/authorize", body, Content_Type="application/json").json["result"]
    answer = klarna.post(f"/payments/v1/authorizations/{given['authorization_token']}/order", PURCHASE)
    assert (answer.status, answer.json.get("fraud_status") or answer.json["error_code"]) == (status, told)


def test_who_declines_gets_no_token(control: Client, client_token: str) -> None:
    body = {"client_token": client_token, "decision": "decline"}
    answer = control.post("/shop/widget/authorize", body, Content_Type="application/json")
    assert answer.json == {"result": {"approved": False, "show_form": False}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="no token"),
        pytest.param({"client_token": "made.up.token"}, 404, id="a token of nobody"),
        pytest.param({"client_token": "x", "decision": "steal"}, 400, id="an unknown decision"),
        pytest.param({"client_token": "x", "method": "cash"}, 400, id="an unknown method"),
    ],
)
def test_what_makes_no_sense_is_refused(control: Client, body: dict[str, str], status: int) -> None:
    assert control.post("/shop/widget/authorize", body, Content_Type="application/json").status == status


def test_details_that_do_not_fit_are_named(control: Client, client_token: str) -> None:
    body = {"client_token": client_token, "data": {"billing_address": {"postal_code": "12345678901"}}}
    answer = control.post("/shop/widget/authorize", body, Content_Type="application/json")
    assert (answer.status, answer.json["message"]) == (400, "Bad value: billing_address.postal_code")


def test_a_session_is_told_without_what_is_personal(control: Client, client_token: str) -> None:
    answer = control.post("/shop/widget/session", {"client_token": client_token}, Content_Type="application/json")
    assert set(answer.json["session"]) == {
        "order_amount", "purchase_currency", "purchase_country", "payment_method_categories", "merchant_name",
    }  # fmt: skip
