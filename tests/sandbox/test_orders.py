"""Details of order management: times, texts, addresses, shipping, due dates, fraud review, keys, and who sees what."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest

from capstan.sandbox.accounts import MERCHANTS
from capstan.sandbox.app import App
from capstan.sandbox.deliveries import Delivery
from sandbox.client import Client, Reply
from sandbox.receiver import wired

ORDERS: Final = "/ordermanagement/v1/orders"
KEY: Final = "2b3d1f3e-4f4e-4f43-9d3c-0d9a6f1f7a11"


def place(control: Client, **options: Any) -> str:
    """An order of 10000; its path."""
    order = control.post("/sandbox/orders", {"amount": 10_000, **options})
    assert order.status == 201
    return f"{ORDERS}/{order.json['order_id']}"


def capture(klarna: Client, path: str, amount: int = 10_000, **more: Any) -> str:
    """The path of a new capture."""
    reply = klarna.post(f"{path}/captures", {"captured_amount": amount, **more})
    assert reply.status == 201
    return f"{path}/captures/{reply.headers['capture-id']}"


def behind(control: Client, path: str) -> Any:
    return control.get(f"/sandbox/orders/{path.rsplit('/', 1)[1]}").json


def refusal(reply: Reply) -> tuple[int, str, list[str]]:
    return reply.status, reply.json["error_code"], reply.json["error_messages"]


UPDATE_REFUSED: Final = (403, "NOT_ALLOWED", ["Update not allowed."])


# --- captures and refunds


def test_a_capture_says_where_it_is(klarna: Client, control: Client) -> None:
    path = place(control)
    line = {"name": "Goods", "quantity": 1, "unit_price": 4000, "total_amount": 4000}
    details = {
        "description": "first",
        "reference": "c-1",
        "order_lines": [line],
        "shipping_info": [],
        "shipping_delay": 3,
    }
    reply = klarna.post(f"{path}/captures", {"captured_amount": 4000, **details})
    assert reply.headers["location"] == f"http://localhost{path}/captures/{reply.headers['capture-id']}"
    found = klarna.get(reply.headers["location"].removeprefix("http://localhost")).json
    order = klarna.get(path).json
    assert found["klarna_reference"] == f"{order['klarna_reference']}-1"
    assert (found["captured_amount"], found["refunded_amount"], found["description"]) == (4000, 0, "first")
    assert found["order_lines"] == [line]
    assert "shipping_delay" not in found
    assert klarna.get(f"{path}/captures").json == order["captures"] == [found]


def test_a_refund_says_where_it_is(klarna: Client, control: Client) -> None:
    path = place(control, auto_capture=True)
    body = {"refunded_amount": 2500, "description": "returned", "reference": "r-1"}
    reply = klarna.post(f"{path}/refunds", body)
    found = klarna.get(reply.headers["location"].removeprefix("http://localhost")).json
    assert found.items() >= {"refund_id": reply.headers["refund-id"], **body}.items()
    assert klarna.get(path).json["refunds"] == [found]


def test_a_refund_counts_against_the_oldest_captures_with_room(klarna: Client, control: Client) -> None:
    path = place(control)
    for amount in (3000, 3000, 4000):
        capture(klarna, path, amount)
    for amount in (2000, 2000, 3500):
        assert klarna.post(f"{path}/refunds", {"refunded_amount": amount}).status == 201
    assert [each["refunded_amount"] for each in klarna.get(f"{path}/captures").json] == [3000, 3000, 1500]


def test_more_than_was_captured_is_not_refunded(klarna: Client, control: Client) -> None:
    path = place(control)
    capture(klarna, path, 3000)
    assert klarna.post(f"{path}/refunds", {"refunded_amount": 2000}).status == 201
    over = (403, "REFUND_NOT_ALLOWED", ["Over refund is not allowed. Refund not possible."])
    assert refusal(klarna.post(f"{path}/refunds", {"refunded_amount": 1001})) == over
    assert klarna.post(f"{path}/refunds", {"refunded_amount": 1000}).status == 201
    assert refusal(klarna.post(f"{path}/refunds", {"refunded_amount": 1})) == over


def test_refunds_do_not_lower_what_an_authorization_may_become(klarna: Client, control: Client) -> None:
    path = place(control)
    capture(klarna, path, 8000)
    assert klarna.post(f"{path}/refunds", {"refunded_amount": 8000}).status == 201
    message = (
        "Resulting authorization amount 7000 cannot be less than the captured amount 8000 for order. "
        "Order authorization cannot be updated"
    )
    reply = klarna.patch(f"{path}/authorization", {"order_amount": 7000})
    assert refusal(reply) == (403, "NOT_ALLOWED", [message])


def test_lines_that_are_not_sent_with_a_new_amount_are_gone(klarna: Client, control: Client) -> None:
    path = place(control)
    assert klarna.get(path).json["order_lines"]
    assert klarna.patch(f"{path}/authorization", {"order_amount": 9000}).status == 204
    assert klarna.get(path).json["order_lines"] == []


def test_an_increase_can_be_refused_by_the_risk_check(klarna: Client, control: Client) -> None:
    path = place(control, refuse_increase=True)
    assert refusal(klarna.patch(f"{path}/authorization", {"order_amount": 10_001})) == UPDATE_REFUSED
    assert klarna.patch(f"{path}/authorization", {"order_amount": 9_999}).status == 204


# --- texts and addresses


@pytest.mark.parametrize(
    ("method", "below", "body", "size"),
    [
        ("POST", "/shipping-info", {"shipping_info": [{"shipping_company": "x" * 101}]},
         "shipping_info/shipping_company value must be between 0 and 100"),
        ("POST", "/shipping-info", {"shipping_info": [{}, {"tracking_uri": "x" * 1025}]},
         "shipping_info/tracking_uri value must be between 0 and 1024"),
        ("POST", "/captures", {"captured_amount": 1, "reference": "x" * 256},
         "reference value must be between 0 and 255"),
        ("POST", "/captures", {"captured_amount": 1, "description": "x" * 256},
         "description value must be between 0 and 255"),
        ("POST", "/refunds", {"refunded_amount": 1, "reference": "x" * 256},
         "reference value must be between 0 and 255"),
        ("PATCH", "/merchant-references", {"merchant_reference2": "x" * 256},
         "merchant_reference2 value must be between 0 and 255"),
        ("PATCH", "/customer-details", {"shipping_address": {"postal_code": "x" * 11}},
         "shipping_address/postal_code value must be between 0 and 10"),
    ],
)  # fmt: skip
def test_a_text_that_is_too_long_is_unprocessable(
    klarna: Client, control: Client, method: str, below: str, body: Any, size: str
) -> None:
    path = place(control)
    before = klarna.get(path).json
    reply = klarna.send(method, path + below, body)
    assert refusal(reply) == (422, "UNPROCESSABLE_ENTITY", [f"The size of the {size}"])
    assert klarna.get(path).json == before


def test_a_text_of_the_greatest_length_is_taken(klarna: Client, control: Client) -> None:
    path = place(control)
    assert klarna.patch(f"{path}/merchant-references", {"merchant_reference1": "å" * 255}).status == 204
    assert klarna.get(path).json["merchant_reference1"] == "å" * 255


@pytest.mark.parametrize(
    ("below", "body", "bad"),
    [
        ("/shipping-info", {}, "shipping_info"),
        ("/shipping-info", {"shipping_info": []}, "shipping_info"),
        ("/shipping-info", {"shipping_info": [{"shipping_method": "Pigeon"}]}, "shipping_info[0].shipping_method"),
        ("/captures", {}, "captured_amount"),
        ("/captures", {"captured_amount": 1, "order_lines": [{"name": "x"}]}, "order_lines[0].quantity"),
        ("/refunds", {"amount": 1}, "refunded_amount"),
    ],
)
def test_what_is_missing_or_malformed_is_a_bad_value(
    klarna: Client, control: Client, below: str, body: Any, bad: str
) -> None:
    assert refusal(klarna.post(place(control) + below, body)) == (400, "BAD_VALUE", [f"Bad value: {bad}"])


def test_references_are_overwritten_cleared_or_kept(klarna: Client, control: Client) -> None:
    path = place(control, merchant_reference1="one", merchant_reference2="two")
    assert klarna.patch(f"{path}/merchant-references", {"merchant_reference1": ""}).status == 204
    order = klarna.get(path).json
    assert (order.get("merchant_reference1"), order["merchant_reference2"]) == (None, "two")
    assert klarna.patch(f"{path}/merchant-references", {"merchant_reference2": "three"}).status == 204
    assert klarna.get(path).json["merchant_reference2"] == "three"


def test_a_shipping_address_is_changed_field_by_field_and_the_billing_address_is_not(
    klarna: Client, control: Client
) -> None:
    path = place(control)
    before = klarna.get(path).json
    change = {"shipping_address": {"street_address": "Stora gatan 2", "email": ""}}
    assert klarna.patch(f"{path}/customer-details", change).status == 204
    after = klarna.get(path).json
    expected = {**before["shipping_address"], "street_address": "Stora gatan 2"}
    del expected["email"]
    assert after == {**before, "shipping_address": expected}
    message = "Billing address cannot be updated for user account order. Customer details cannot be updated."
    reply = klarna.patch(f"{path}/customer-details", {"billing_address": {"city": "Lund"}})
    assert refusal(reply) == (403, "NOT_ALLOWED", [message])


@pytest.mark.parametrize("change", [{"country": ""}, {"country": "Sweden"}, {"city": ""}, {"street_address": ""}])
def test_an_address_nobody_could_send_to_is_invalid(klarna: Client, control: Client, change: dict[str, str]) -> None:
    reply = klarna.patch(f"{place(control)}/customer-details", {"shipping_address": change})
    assert refusal(reply) == (422, "INVALID_ADDRESS", ["The shipping and/or billing address is invalid"])


def test_shipping_info_is_appended_to_an_order_and_to_a_capture(klarna: Client, control: Client) -> None:
    path = place(control)
    captured = capture(klarna, path, 4000, shipping_info=[{"tracking_number": "0"}])
    for target in (path, captured):
        for number in ("1", "2"):
            body = {"shipping_info": [{"tracking_number": number, "shipping_method": "Home"}]}
            assert klarna.post(f"{target}/shipping-info", body).status == 204
    assert [info["tracking_number"] for info in klarna.get(path).json["shipping_info"]] == ["1", "2"]
    assert [info["tracking_number"] for info in klarna.get(captured).json["shipping_info"]] == ["0", "1", "2"]


# --- times


@pytest.fixture
def today(control: Client) -> date:
    """The sandbox's day, about noon: whatever the hour of the test, no midnight comes in between."""
    now = datetime.fromisoformat(control.get("/sandbox/time").json["now"])
    moved = control.post("/sandbox/time", {"hours": (12 - now.hour) % 24})
    return datetime.fromisoformat(moved.json["now"]).date()


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00.000Z"


def test_an_authorization_lives_for_28_days_and_ends_at_midnight(klarna: Client, control: Client, today: date) -> None:
    path = place(control)
    order = klarna.get(path).json
    assert order["expires_at"] == _midnight(today + timedelta(days=28))
    now = datetime.fromisoformat(control.get("/sandbox/time").json["now"])
    left = (datetime.fromisoformat(order["expires_at"]) - now).total_seconds()
    control.post("/sandbox/time", {"seconds": left - 30})
    assert klarna.get(path).json["status"] == "AUTHORIZED"
    control.post("/sandbox/time", {"seconds": 30})
    expired = klarna.get(path).json
    assert (expired["status"], expired["remaining_authorized_amount"]) == ("EXPIRED", 0)
    assert refusal(klarna.post(f"{path}/captures", {"captured_amount": 1}))[1] == "CAPTURE_NOT_ALLOWED"


def test_an_extension_counts_from_the_day_it_is_asked_for(klarna: Client, control: Client, today: date) -> None:
    path = place(control)
    control.post("/sandbox/time", {"days": 10})
    for _ in range(2):
        assert klarna.post(f"{path}/extend-authorization-time").status == 204
        assert klarna.get(path).json["expires_at"] == _midnight(today + timedelta(days=38))
    control.post("/sandbox/time", {"days": 27})
    assert klarna.get(path).json["status"] == "AUTHORIZED"
    control.post("/sandbox/time", {"days": 1})
    assert refusal(klarna.post(f"{path}/extend-authorization-time")) == UPDATE_REFUSED


def test_no_extension_reaches_past_180_days(klarna: Client, control: Client, today: date) -> None:
    path = place(control)
    for _ in range(7):
        control.post("/sandbox/time", {"days": 25})
        assert klarna.post(f"{path}/extend-authorization-time").status == 204
    assert klarna.get(path).json["expires_at"] == _midnight(today + timedelta(days=180))
    control.post("/sandbox/time", {"days": 5})
    assert klarna.get(path).json["status"] == "EXPIRED"


def test_a_fixed_sum_credit_in_the_us_cannot_be_extended(klarna: Client, control: Client) -> None:
    american = place(control, country="US", currency="USD", payment_method="FIXED_SUM_CREDIT")
    assert refusal(klarna.post(f"{american}/extend-authorization-time")) == UPDATE_REFUSED
    swedish = place(control, payment_method="FIXED_SUM_CREDIT")
    assert klarna.post(f"{swedish}/extend-authorization-time").status == 204


def test_the_due_date_of_each_capture_can_be_put_off_by_what_is_offered(
    klarna: Client, control: Client, today: date
) -> None:
    path = place(control)
    first, second = capture(klarna, path, 4000), capture(klarna, path, 6000)
    offered = klarna.get(f"{first}/extend-due-date-options").json
    assert offered["currency"] == "SEK"
    days = [option["number_of_days"] for option in offered["options"]]
    assert days
    assert all(option["amount"] > 0 for option in offered["options"])
    assert klarna.patch(f"{first}/extend-due-date", {"number_of_days": days[0]}).status == 204
    assert klarna.patch(f"{first}/extend-due-date", {"number_of_days": days[0]}).status == 204
    refused = klarna.patch(f"{second}/extend-due-date", {"number_of_days": max(days) + 1})
    assert refusal(refused)[:2] == (403, "NOT_ALLOWED")
    notes = behind(control, path)["_captures"]
    due = date.fromisoformat(notes[first.rsplit("/", 1)[1]]["due_at"][:10])
    assert due == today + timedelta(days=30 + 2 * days[0])
    assert second.rsplit("/", 1)[1] not in notes


def test_putting_off_a_due_date_costs_the_merchant_what_was_offered(klarna: Client, control: Client) -> None:
    path = place(control, currency="EUR")
    captured = capture(klarna, path, 4000)
    days, fee = klarna.get(f"{captured}/extend-due-date-options").json["options"][1].values()
    for _ in range(2):  # the same key, the same call
        klarna.patch(f"{captured}/extend-due-date", {"number_of_days": days}, key="once")
    found = klarna.get(f"/settlements/v1/transactions?order_id={path.rsplit('/', 1)[1]}").json["transactions"]
    asked = [(t["amount"], t["vat_amount"]) for t in found if t.get("detailed_type") == "EXTEND_DUE_DATE_FEE"]
    assert asked == [(fee, fee // 5)]
    assert (found[-1]["type"], found[-1]["amount"]) == ("TAX", fee // 5)
    assert {t["capture_id"] for t in found} == {captured.rsplit("/", 1)[1]}


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("slice_it_by_card", "PAY_LATER_IN_PARTS"),
        ("base_account", "ACCOUNT"),
        ("INVOICE", "INVOICE"),
        ("swish", "SWISH"),
    ],
)
def test_an_order_has_a_payment_method_that_order_management_knows(
    klarna: Client, control: Client, asked: str, kind: str
) -> None:
    assert klarna.get(place(control, payment_method=asked)).json["initial_payment_method"]["type"] == kind
    assert control.post("/sandbox/orders", {"payment_method": "gold"}).status == 400


@pytest.mark.parametrize("method", ["DIRECT_DEBIT", "CARD", "FIXED_AMOUNT"])
def test_what_is_not_paid_later_has_no_due_date(klarna: Client, control: Client, method: str) -> None:
    captured = capture(klarna, place(control, payment_method=method))
    assert klarna.get(f"{captured}/extend-due-date-options").json["options"] == []
    assert refusal(klarna.patch(f"{captured}/extend-due-date", {"number_of_days": 14}))[:2] == (403, "NOT_ALLOWED")


def test_every_send_out_is_noted(klarna: Client, control: Client) -> None:
    path = place(control)
    captured = capture(klarna, path)
    for _ in range(2):
        assert klarna.post(f"{captured}/trigger-send-out").status == 204
    assert len(behind(control, path)["_captures"][captured.rsplit("/", 1)[1]]["send_outs"]) == 2


# --- acknowledgement


def test_an_order_is_acknowledged_by_hand_or_by_a_capture_once(klarna: Client, control: Client) -> None:
    by_hand, by_capture = place(control), place(control)
    assert "_acknowledged_at" not in behind(control, by_hand)
    assert klarna.post(f"{by_hand}/acknowledge").status == 204
    capture(klarna, by_capture, 1000)
    first = [behind(control, path)["_acknowledged_at"] for path in (by_hand, by_capture)]
    control.post("/sandbox/time", {"hours": 1})
    for path in (by_hand, by_capture):
        assert klarna.post(f"{path}/acknowledge").status == 204
    assert [behind(control, path)["_acknowledged_at"] for path in (by_hand, by_capture)] == first


@pytest.mark.parametrize("below", ["/acknowledge", "/captures"])
def test_an_acknowledged_order_is_pushed_no_more(app: App, klarna: Client, control: Client, below: str) -> None:
    acknowledged, other = place(control), place(control)
    call = app.internal_call(MERCHANTS[0])
    for path in (acknowledged, other):
        call.deliver(Delivery("http://127.0.0.1:1/", b"{}", "push", subject=f"push {path.rsplit('/', 1)[1]}"))
    app.settle(call)
    klarna.post(acknowledged + below, {"captured_amount": 1} if below == "/captures" else None)
    states = {one["subject"]: one["state"] for one in control.get("/sandbox/deliveries").json["deliveries"]}
    assert states[f"push {acknowledged.rsplit('/', 1)[1]}"] == "withdrawn"
    assert states[f"push {other.rsplit('/', 1)[1]}"] == "waiting"


# --- fraud review


async def test_the_outcome_of_a_fraud_review_is_sent_until_it_is_taken(app: App) -> None:
    async with wired(app) as world:
        world.merchant.statuses = [500, 200]
        options = {"fraud_status": "PENDING", "notification_url": f"{world.merchant.url}/fraud"}
        order = (await world.control.post("/sandbox/orders", options)).json
        decided = await world.control.post(
            f"/sandbox/orders/{order['order_id']}/fraud-decision", {"decision": "ACCEPTED"}
        )
        assert decided.json["fraud_status"] == "ACCEPTED"
        await world.attempted(f"fraud {order['order_id']}", 1)
        await world.let_pass(minutes=10)
        delivery = await world.attempted(f"fraud {order['order_id']}", 2)
        assert delivery["state"] == "delivered"
        told = {"order_id": order["order_id"], "event_type": "FRAUD_RISK_ACCEPTED"}
        assert [(one.path, one.json) for one in await world.received(2)] == [("/fraud", told)] * 2


def _decide(control: Client, path: str, decision: str) -> Reply:
    return control.post(f"/sandbox/orders/{path.rsplit('/', 1)[1]}/fraud-decision", {"decision": decision})


def test_a_rejected_order_is_cancelled_after_four_hours(klarna: Client, control: Client) -> None:
    path = place(control, fraud_status="PENDING")
    assert _decide(control, path, "REJECTED").status == 200
    control.post("/sandbox/time", {"hours": 3, "minutes": 59})
    order = klarna.get(path).json
    assert (order["status"], order["fraud_status"]) == ("AUTHORIZED", "REJECTED")
    control.post("/sandbox/time", {"minutes": 1})
    order = klarna.get(path).json
    assert (order["status"], order["remaining_authorized_amount"]) == ("CANCELLED", 0)
    assert refusal(klarna.post(f"{path}/captures", {"captured_amount": 1}))[1] == "CAPTURE_NOT_ALLOWED"


def test_a_capture_within_four_hours_overrides_the_rejection(klarna: Client, control: Client) -> None:
    path = place(control, fraud_status="PENDING")
    _decide(control, path, "REJECTED")
    capture(klarna, path, 4000)
    control.post("/sandbox/time", {"hours": 5})
    assert klarna.get(path).json["status"] == "PART_CAPTURED"
    capture(klarna, path, 6000)


def test_a_fraud_review_ends_once(control: Client) -> None:
    path = place(control, fraud_status="PENDING")
    assert _decide(control, path, "MAYBE").status == 400
    assert _decide(control, path, "ACCEPTED").status == 200
    assert _decide(control, path, "REJECTED").status == 409
    assert _decide(control, f"{ORDERS}/unknown", "ACCEPTED").status == 404


# --- idempotency keys


def test_a_key_is_good_for_one_effect_whatever_the_body(klarna: Client, control: Client) -> None:
    path = place(control)
    first = klarna.post(f"{path}/captures", {"captured_amount": 1000}, key=KEY)
    again = klarna.post(f"{path}/captures", {"captured_amount": 2000}, key=KEY)
    assert (again.status, again.headers["capture-id"]) == (201, first.headers["capture-id"])
    assert klarna.get(path).json["captured_amount"] == 1000


def test_a_refusal_is_replayed_too(klarna: Client, control: Client) -> None:
    path = place(control)
    first = klarna.post(f"{path}/captures", {"captured_amount": 10_001}, key=KEY)
    again = klarna.post(f"{path}/captures", {"captured_amount": 1}, key=KEY)
    assert (first.status, again.status) == (403, 403)
    assert again.content == first.content
    assert klarna.get(path).json["captured_amount"] == 0


def test_without_a_key_or_with_two_keys_it_happens_twice(klarna: Client, control: Client) -> None:
    path = place(control)
    for key in ("", "", KEY, KEY[::-1]):
        assert klarna.post(f"{path}/captures", {"captured_amount": 1000}, key=key).status == 201
    assert klarna.get(path).json["captured_amount"] == 4000


def test_a_key_is_forgotten_after_a_day(klarna: Client, control: Client) -> None:
    path = place(control)
    for hours, captured in ((0, 1000), (23, 1000), (1, 2000)):
        control.post("/sandbox/time", {"hours": hours})
        assert klarna.post(f"{path}/captures", {"captured_amount": 1000}, key=KEY).status == 201
        assert klarna.get(path).json["captured_amount"] == captured


def test_a_key_belongs_to_its_path_and_merchant(app: App, klarna: Client, control: Client) -> None:
    first, second = place(control), place(control)
    third = place(control, merchant=MERCHANTS[1].id)
    for client, path in ((klarna, first), (klarna, second), (Client(app, MERCHANTS[1]), third)):
        assert client.post(f"{path}/captures", {"captured_amount": 1000}, key=KEY).status == 201
        assert client.get(path).json["captured_amount"] == 1000


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("POST", "/acknowledge", None),
        ("PATCH", "/authorization", {"order_amount": 9000}),
        ("POST", "/cancel", None),
        ("POST", "/extend-authorization-time", None),
        ("PATCH", "/merchant-references", {"merchant_reference1": "x"}),
        ("PATCH", "/customer-details", {"shipping_address": {"city": "Lund"}}),
        ("POST", "/shipping-info", {"shipping_info": [{"tracking_number": "1"}]}),
        ("POST", "/captures", {"captured_amount": 1000}),
        ("POST", "/refunds", {"refunded_amount": 1000}),
        ("POST", "/release-remaining-authorization", None),
        ("POST", "{capture}/shipping-info", {"shipping_info": [{"tracking_number": "1"}]}),
        ("POST", "{capture}/trigger-send-out", None),
        ("PATCH", "{capture}/extend-due-date", {"number_of_days": 14}),
    ],
)
def test_every_change_takes_a_key(klarna: Client, control: Client, method: str, below: str, body: Any) -> None:
    """Once it was done with a key, the same request answers the same and leaves the order as it is."""
    path = place(control)
    if below in ("/refunds", "/release-remaining-authorization") or "{" in below:
        below = below.format(capture=capture(klarna, path, 4000).removeprefix(path))
    first = klarna.send(method, path + below, body, key=KEY)
    assert first.status in (201, 204)
    before = behind(control, path)
    again = klarna.send(method, path + below, body, key=KEY)
    assert (again.status, again.content) == (first.status, first.content)
    assert behind(control, path) == before


# --- merchants


def test_an_order_of_another_merchant_is_not_there(app: App, klarna: Client, control: Client) -> None:
    other = Client(app, MERCHANTS[1])
    path = place(control)
    captured = capture(klarna, path, 4000)
    number = path.rsplit("/", 1)[1]
    assert refusal(other.get(path)) == (404, "NO_SUCH_ORDER", [f"Order {number} cannot be found"])
    before = klarna.get(path).json
    for method, below, body in (
        ("POST", f"{path}/captures", {"captured_amount": 1}),
        ("POST", f"{path}/refunds", {"refunded_amount": 1}),
        ("POST", f"{path}/cancel", None),
        ("GET", captured, None),
    ):
        assert other.send(method, below, body).status == 404
    assert klarna.get(path).json == before
