"""The states of an order: every operation in every state, and every step from one state to another, as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest

from sandbox.client import Client, Reply

ORDERS: Final = "/ordermanagement/v1/orders"
UNKNOWN: Final = "00000000-0000-4000-8000-000000000000"

# --- orders in a state. An amount of 10000; 4000 of it is captured where a part is.


def _placed(klarna: Client, control: Client, *steps: tuple[str, Any]) -> str:
    order = control.post("/sandbox/orders", {"amount": 10_000}).json
    path = f"{ORDERS}/{order['order_id']}"
    for step, body in steps:
        if step == "time":
            assert control.post("/sandbox/time", body).status == 200
        elif step == "close":
            assert control.post(f"/sandbox/orders/{order['order_id']}/close").status == 200
        else:
            assert klarna.post(path + step, body).status in (201, 204)
    return path


_MONTH: Final = ("time", {"days": 30})
_PART: Final = ("/captures", {"captured_amount": 4000})
_ALL: Final = ("/captures", {"captured_amount": 10_000})
STATES: Final[dict[str, tuple[tuple[str, Any], ...]]] = {
    "AUTHORIZED": (),
    "PART_CAPTURED": (_PART,),
    "CAPTURED": (_ALL,),
    "CANCELLED": (("/cancel", None),),
    "EXPIRED": (_MONTH,),
    "EXPIRED after a capture": (_PART, _MONTH),
    "CLOSED": (_PART, ("close", None)),
}

# --- operations. `{capture}` is the order's first capture, or an unknown one where it has none.

_LINE: Final = {"name": "Goods", "quantity": 1, "unit_price": 9000, "total_amount": 9000}
_SHIPPING: Final = {"shipping_info": [{"shipping_company": "DHL", "tracking_number": "1"}]}
OPERATIONS: Final[dict[str, tuple[str, str, Any]]] = {
    "getOrder": ("GET", "", None),
    "getCaptures": ("GET", "/captures", None),
    "acknowledgeOrder": ("POST", "/acknowledge", None),
    "updateAuthorization": ("PATCH", "/authorization", {"order_amount": 9000, "order_lines": [_LINE]}),
    "updateAuthorization below": ("PATCH", "/authorization", {"order_amount": 3999}),
    "captureOrder": ("POST", "/captures", {"captured_amount": 1000}),
    "cancelOrder": ("POST", "/cancel", None),
    "releaseRemainingAuthorization": ("POST", "/release-remaining-authorization", None),
    "extendAuthorizationTime": ("POST", "/extend-authorization-time", None),
    "refundOrder": ("POST", "/refunds", {"refunded_amount": 1000}),
    "updateMerchantReferences": ("PATCH", "/merchant-references", {"merchant_reference1": "new"}),
    "updateConsumerDetails": ("PATCH", "/customer-details", {"shipping_address": {"city": "Lund"}}),
    "appendOrderShippingInfo": ("POST", "/shipping-info", _SHIPPING),
    "getCapture": ("GET", "/captures/{capture}", None),
    "appendShippingInfo": ("POST", "/captures/{capture}/shipping-info", _SHIPPING),
    "triggerSendOut": ("POST", "/captures/{capture}/trigger-send-out", None),
    "getOptionsForExtendDueDate": ("GET", "/captures/{capture}/extend-due-date-options", None),
    "extendDueDate": ("PATCH", "/captures/{capture}/extend-due-date", {"number_of_days": 14}),
    "extendDueDate odd": ("PATCH", "/captures/{capture}/extend-due-date", {"number_of_days": 13}),
}  # fmt: skip

# --- outcomes: a success, or a refusal by its letters

N, A, B, L, M = "NOT_ALLOWED", "CAPTURE_NOT_ALLOWED", "CANCEL_NOT_ALLOWED", "REFUND_NOT_ALLOWED", "NO_SUCH_CAPTURE"
REFUSALS: Final[dict[str, tuple[int, str, str]]] = {
    "N:update": (403, N, "Update not allowed."),
    "N:below": (403, N, ("Resulting authorization amount 3999 cannot be less than the captured amount 4000 for order. "
                "Order authorization cannot be updated")),
    "N:full": (403, N, "Order is fully captured. Remaining authorization cannot be released."),
    "N:none": (403, N, "Order has no captures. Remaining authorization cannot be released."),
    "N:capt": (403, N, "Order has no captures."),
    "N:days": (403, N, "The due date cannot be extended by this number of days."),
    "A:no": (403, A, "Capture not allowed"),
    "B:capt": (403, B, "Order has previous captures. Cancel not possible."),
    "B:canc": (403, B, "Order is cancelled. Cancel not possible."),
    "B:exp": (403, B, "Order is expired. Cancel not possible."),
    "L:none": (403, L, "Order has no captures. Refund not possible"),
    "L:clos": (403, L, "Order is closed. Refund not possible."),
    "M": (404, M, f"Capture {UNKNOWN} cannot be found"),
}  # fmt: skip

TABLE: Final = """
                              AUTHORIZED PART_CAPTURED CAPTURED  CANCELLED EXPIRED   EXPIRED*  CLOSED
getOrder                      200        200           200       200       200       200       200
getCaptures                   200        200           200       200       200       200       200
acknowledgeOrder              204        204           204       N:update  N:update  N:update  N:update
updateAuthorization           204        204           N:update  N:update  N:update  N:update  N:update
updateAuthorization_below     204        N:below       N:update  N:update  N:update  N:update  N:update
captureOrder                  201        201           A:no      A:no      A:no      A:no      A:no
cancelOrder                   204        B:capt        B:capt    B:canc    B:exp     B:capt    B:capt
releaseRemainingAuthorization N:none     204           N:full    N:update  N:update  N:update  N:update
extendAuthorizationTime       204        204           N:update  N:update  N:update  N:update  N:update
refundOrder                   L:none     201           201       L:none    L:none    201       L:clos
updateMerchantReferences      204        204           204       N:update  204       204       N:update
updateConsumerDetails         204        204           204       N:update  N:update  N:update  N:update
appendOrderShippingInfo       204        204           204       204       204       204       204
getCapture                    M          200           200       M         M         200       200
appendShippingInfo            N:capt     204           204       N:capt    N:capt    204       204
triggerSendOut                N:capt     204           204       N:capt    N:capt    204       204
getOptionsForExtendDueDate    M          200           200       M         M         200       200
extendDueDate                 M          204           204       M         M         204       N:days
extendDueDate_odd             M          N:days        N:days    M         M         N:days    N:days
"""


def _cells() -> list[Any]:
    heads, *rows = TABLE.strip().splitlines()
    columns = [head.replace("EXPIRED*", "EXPIRED after a capture") for head in heads.split()]
    assert columns == list(STATES)
    cells = []
    for row in rows:
        name, *outcomes = row.split()
        for state, outcome in zip(columns, outcomes, strict=True):
            cells.append(pytest.param(name.replace("_", " "), state, outcome, id=f"{name}-{state}"))
    return cells


def test_the_table_has_a_row_for_every_operation() -> None:
    assert [row.split()[0].replace("_", " ") for row in TABLE.strip().splitlines()[1:]] == list(OPERATIONS)


@pytest.mark.parametrize(("operation", "state", "outcome"), _cells())
def test_every_operation_in_every_state(
    klarna: Client, control: Client, operation: str, state: str, outcome: str
) -> None:
    path = _placed(klarna, control, *STATES[state])
    before = klarna.get(path).json
    assert before["status"] == state.partition(" ")[0]
    capture = before["captures"][0]["capture_id"] if before["captures"] else UNKNOWN
    method, below, body = OPERATIONS[operation]

    reply = klarna.send(method, path + below.format(capture=capture), body)

    if outcome.isdigit():
        assert reply.status == int(outcome)
        assert (reply.content == b"") == (outcome != "200")
    else:
        _check_refusal(reply, *REFUSALS[outcome])
        assert klarna.get(path).json == before, "a refusal changes nothing"


def _check_refusal(reply: Reply, status: int, code: str, *messages: str) -> None:
    assert (reply.status, reply.json["error_code"], reply.json["error_messages"]) == (status, code, list(messages))
    assert reply.json["correlation_id"] == reply.headers["klarna-correlation-id"]
    assert set(reply.json) == {"error_code", "error_messages", "correlation_id"}


def test_a_refund_is_read_in_every_state(klarna: Client, control: Client) -> None:
    for state, steps in STATES.items():
        refundable = _PART in steps or _ALL in steps
        more = (*steps[:1], ("/refunds", {"refunded_amount": 500}), *steps[1:]) if refundable else steps
        path = _placed(klarna, control, *more)
        if refundable:
            refund = klarna.get(path).json["refunds"][0]
            assert klarna.get(f"{path}/refunds/{refund['refund_id']}").json == refund, state
        _check_refusal(
            klarna.get(f"{path}/refunds/{UNKNOWN}"),
            404, "NOT_FOUND", f"Refund {UNKNOWN} cannot be found for order {path.rsplit('/', 1)[1]}",
        )  # fmt: skip


# --- steps from one state to another


@dataclass(frozen=True)
class Step:
    """From a state, by an operation, to a state; and the amounts afterwards."""

    of: str
    do: Callable[[Client, Client, str], Any]
    to: str
    order: int
    captured: int
    refunded: int
    remaining: int


def _post(below: str, **body: int) -> Callable[[Client, Client, str], Any]:
    return lambda klarna, _, path: klarna.post(path + below, body or None)


def _capture(amount: int) -> Callable[[Client, Client, str], Any]:
    return _post("/captures", captured_amount=amount)


def _refund(amount: int) -> Callable[[Client, Client, str], Any]:
    return _post("/refunds", refunded_amount=amount)


def _authorize(amount: int) -> Callable[[Client, Client, str], Any]:
    return lambda klarna, _, path: klarna.patch(path + "/authorization", {"order_amount": amount})


def _wait(**time: int) -> Callable[[Client, Client, str], Any]:
    return lambda _, control, path: control.post("/sandbox/time", time)


_RELEASE: Final = _post("/release-remaining-authorization")
STEPS: Final = [
    #    from             step               to               order   captured refunded remaining
    Step("AUTHORIZED", _capture(1), "PART_CAPTURED", 10_000, 1, 0, 9_999),
    Step("AUTHORIZED", _capture(9_999), "PART_CAPTURED", 10_000, 9_999, 0, 1),
    Step("AUTHORIZED", _capture(10_000), "CAPTURED", 10_000, 10_000, 0, 0),
    Step("AUTHORIZED", _capture(10_001), "AUTHORIZED", 10_000, 0, 0, 10_000),
    Step("AUTHORIZED", _capture(0), "AUTHORIZED", 10_000, 0, 0, 10_000),
    Step("AUTHORIZED", _post("/cancel"), "CANCELLED", 10_000, 0, 0, 0),
    Step("AUTHORIZED", _wait(days=28), "EXPIRED", 10_000, 0, 0, 0),
    Step("AUTHORIZED", _wait(days=26), "AUTHORIZED", 10_000, 0, 0, 10_000),
    Step("AUTHORIZED", _authorize(12_000), "AUTHORIZED", 12_000, 0, 0, 12_000),
    Step("AUTHORIZED", _authorize(8_000), "AUTHORIZED", 8_000, 0, 0, 8_000),
    Step("AUTHORIZED", _authorize(0), "AUTHORIZED", 0, 0, 0, 0),
    Step("PART_CAPTURED", _capture(5_999), "PART_CAPTURED", 10_000, 9_999, 0, 1),
    Step("PART_CAPTURED", _capture(6_000), "CAPTURED", 10_000, 10_000, 0, 0),
    Step("PART_CAPTURED", _capture(6_001), "PART_CAPTURED", 10_000, 4_000, 0, 6_000),
    Step("PART_CAPTURED", _wait(days=28), "EXPIRED", 10_000, 4_000, 0, 0),
    Step("PART_CAPTURED", _RELEASE, "CAPTURED", 10_000, 4_000, 0, 0),
    Step("PART_CAPTURED", _authorize(4_000), "CAPTURED", 4_000, 4_000, 0, 0),
    Step("PART_CAPTURED", _authorize(4_001), "PART_CAPTURED", 4_001, 4_000, 0, 1),
    Step("PART_CAPTURED", _authorize(3_999), "PART_CAPTURED", 10_000, 4_000, 0, 6_000),
    Step("PART_CAPTURED", _refund(1), "PART_CAPTURED", 10_000, 4_000, 1, 6_000),
    Step("PART_CAPTURED", _refund(4_000), "PART_CAPTURED", 10_000, 4_000, 4_000, 6_000),
    Step("PART_CAPTURED", _refund(4_001), "PART_CAPTURED", 10_000, 4_000, 0, 6_000),
    Step("CAPTURED", _refund(10_000), "CAPTURED", 10_000, 10_000, 10_000, 0),
    Step("CAPTURED", _wait(days=200), "CAPTURED", 10_000, 10_000, 0, 0),
    Step("CANCELLED", _wait(days=200), "CANCELLED", 10_000, 0, 0, 0),
    Step("EXPIRED after a capture", _refund(4_000), "EXPIRED", 10_000, 4_000, 4_000, 0),
]


@pytest.mark.parametrize("step", STEPS, ids=[f"{number}-{step.of}-{step.to}" for number, step in enumerate(STEPS)])
def test_every_step_from_one_state_to_another(klarna: Client, control: Client, step: Step) -> None:
    path = _placed(klarna, control, *STATES[step.of])
    step.do(klarna, control, path)
    order = klarna.get(path).json
    assert order["status"] == step.to
    names = ("order_amount", "captured_amount", "refunded_amount", "remaining_authorized_amount")
    assert tuple(order[name] for name in names) == (step.order, step.captured, step.refunded, step.remaining)
    assert order["original_order_amount"] == 10_000


def test_an_order_with_auto_capture_is_captured_in_full_at_once(klarna: Client, control: Client) -> None:
    order = control.post("/sandbox/orders", {"amount": 10_000, "auto_capture": True}).json
    found = klarna.get(f"{ORDERS}/{order['order_id']}").json
    assert (found["status"], found["captured_amount"], found["remaining_authorized_amount"]) == ("CAPTURED", 10_000, 0)
    assert [capture["captured_amount"] for capture in found["captures"]] == [10_000]


# --- what is not there

MISSING: Final = [
    ("getOrder", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("getCaptures", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("acknowledgeOrder", "NO_SUCH_ORDER", "Order {order} cannot be found. Acknowledgement not possible."),
    ("updateAuthorization", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("captureOrder", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("cancelOrder", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("releaseRemainingAuthorization", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("extendAuthorizationTime", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("refundOrder", "NOT_FOUND", "Order {order} cannot be found"),
    ("updateMerchantReferences", "NO_SUCH_ORDER", "Order cannot be found. Merchant references cannot be updated."),
    ("updateConsumerDetails", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("appendOrderShippingInfo", "NO_SUCH_ORDER",
     "Order cannot be found. Shipping info cannot be added to order {order}."),
    ("getCapture", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("appendShippingInfo", "NO_SUCH_ORDER",
     "Order cannot be found. Shipping info cannot be added to capture {capture}."),
    ("triggerSendOut", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("getOptionsForExtendDueDate", "NO_SUCH_ORDER", "Order {order} cannot be found"),
    ("extendDueDate", "NO_SUCH_ORDER", "Order {order} cannot be found"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "code", "message"), MISSING)
def test_an_unknown_order_is_told_of(klarna: Client, operation: str, code: str, message: str) -> None:
    method, below, _ = OPERATIONS[operation]
    reply = klarna.send(method, f"{ORDERS}/{UNKNOWN}{below.format(capture='c-1')}", {"anything": "comes later"})
    _check_refusal(reply, 404, code, message.format(order=UNKNOWN, capture="c-1"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_malformed_order_id_is_told_of(klarna: Client, operation: str) -> None:
    method, below, body = OPERATIONS[operation]
    reply = klarna.send(method, f"{ORDERS}/o-1{below.format(capture=UNKNOWN)}", body)
    _check_refusal(reply, 400, "INVALID_ORDER_ID", "Order ID must be a valid UUID.")


def test_an_unknown_capture_is_told_of(klarna: Client, control: Client) -> None:
    path = _placed(klarna, control, _PART) + f"/captures/{UNKNOWN}"
    missing = f"Capture {UNKNOWN} cannot be found"
    _check_refusal(klarna.get(path), 404, M, missing)
    _check_refusal(klarna.get(path + "/extend-due-date-options"), 404, M, missing)
    _check_refusal(klarna.post(path + "/trigger-send-out"), 404, M, missing)
    _check_refusal(klarna.patch(path + "/extend-due-date", {"number_of_days": 14}), 404, M, missing)
    added = f"Capture could not be found. Shipping info cannot be added to capture {UNKNOWN}"
    _check_refusal(klarna.post(path + "/shipping-info", _SHIPPING), 404, M, added)


def test_a_body_is_looked_at_after_the_order_and_before_its_state(klarna: Client, control: Client) -> None:
    cancelled = _placed(klarna, control, ("/cancel", None))
    _check_refusal(klarna.post(cancelled + "/captures", {}), 400, "BAD_VALUE", "Bad value: captured_amount")
    assert klarna.post(f"{ORDERS}/{UNKNOWN}/captures", {}).status == 404


def test_the_state_is_looked_at_before_the_capture(klarna: Client, control: Client) -> None:
    path = _placed(klarna, control) + f"/captures/{UNKNOWN}/trigger-send-out"
    _check_refusal(klarna.post(path), 403, N, "Order has no captures.")
