"""The 50 operations of Klarna's classic APIs as the library is to have them, and its files as plans."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from capstan.call.guard import Guard
from capstan.load import load
from capstan.plan.build import build_plan
from capstan.plan.request import HttpRequest
from capstan.plan.types import CapabilityPlan, RestOperationPlan, ToolPlan, UnitPlan

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "capabilities" / "klarna"
FACTS: Final = ROOT.parent / "shared" / "klarna"
PUBLISHED: Final = sorted((ROOT.parent / "shared" / "specs" / "published").glob("*.yaml"))
CREDENTIALS: Final = {"KLARNA_API_USERNAME": "the-user", "KLARNA_API_PASSWORD": "the-password"}
PLAYGROUND: Final = "https://api.playground.klarna.com"

# file, method, path at Klarna, operation, tool
_TABLE: Final = """
payments POST /payments/v1/sessions createCreditSession klarna-create-payment-session
payments POST /payments/v1/sessions/{session_id} updateCreditSession klarna-update-payment-session
payments GET /payments/v1/sessions/{session_id} readCreditSession klarna-get-payment-session
payments DELETE /payments/v1/authorizations/{authorizationToken} cancelAuthorization klarna-cancel-authorization
payments POST /payments/v1/authorizations/{authorizationToken}/order createOrder klarna-place-order
payments POST /payments/v1/authorizations/{authorizationToken}/customer-token purchaseToken klarna-create-customer-token
order-management-orders GET /ordermanagement/v1/orders/{order_id} getOrder klarna-get-order-details
order-management-orders POST /ordermanagement/v1/orders/{order_id}/acknowledge acknowledgeOrder acknowledge-klarna-checkout-order
order-management-orders PATCH /ordermanagement/v1/orders/{order_id}/authorization updateAuthorization klarna-update-order-amount-and
order-management-orders POST /ordermanagement/v1/orders/{order_id}/cancel cancelOrder klarna-cancel-order
order-management-orders PATCH /ordermanagement/v1/orders/{order_id}/customer-details updateConsumerDetails klarna-update-customer-addresses
order-management-orders POST /ordermanagement/v1/orders/{order_id}/extend-authorization-time extendAuthorizationTime klarna-extend-authorization-time
order-management-orders PATCH /ordermanagement/v1/orders/{order_id}/merchant-references updateMerchantReferences klarna-update-merchant-references
order-management-orders POST /ordermanagement/v1/orders/{order_id}/release-remaining-authorization releaseRemainingAuthorization klarna-release-authorization
order-management-orders POST /ordermanagement/v1/orders/{order_id}/shipping-info appendOrderShippingInfo klarna-add-shipping-information
order-management-captures POST /ordermanagement/v1/orders/{order_id}/captures captureOrder klarna-capture-order
order-management-captures GET /ordermanagement/v1/orders/{order_id}/captures getCaptures klarna-list-all-order-captures
order-management-captures GET /ordermanagement/v1/orders/{order_id}/captures/{capture_id} getCapture klarna-get-capture-details
order-management-captures PATCH /ordermanagement/v1/orders/{order_id}/captures/{capture_id}/extend-due-date extendDueDate klarna-extend-payment-due-date
order-management-captures GET /ordermanagement/v1/orders/{order_id}/captures/{capture_id}/extend-due-date-options getOptionsForExtendDueDate klarna-list-options-extension-payment
order-management-captures POST /ordermanagement/v1/orders/{order_id}/captures/{capture_id}/shipping-info appendShippingInfo klarna-add-shipping-information
order-management-captures POST /ordermanagement/v1/orders/{order_id}/captures/{capture_id}/trigger-send-out triggerSendOut klarna-send-customer-communication
order-management-refunds POST /ordermanagement/v1/orders/{order_id}/refunds refundOrder klarna-refund-order
order-management-refunds GET /ordermanagement/v1/orders/{order_id}/refunds/{refund_id} get klarna-get-refund-details
checkout POST /checkout/v3/orders createOrderMerchant klarna-create-checkout-order
checkout POST /checkout/v3/orders/{order_id} updateOrderMerchant klarna-update-checkout-order
checkout GET /checkout/v3/orders/{order_id} readOrderMerchant klarna-get-checkout-order
checkout POST /checkout/v3/orders/{order_id}/abort abortOrder klarna-abort-checkout-order
customer-token GET /customer-token/v1/tokens/{customerToken} readCustomerToken klarna-get-customer-token
customer-token POST /customer-token/v1/tokens/{customerToken}/order createOrder klarna-charge-customer-token
customer-token PATCH /customer-token/v1/tokens/{customerToken}/status patchCustomerToken klarna-cancel-customer-token
hosted-payment-page-hpp POST /hpp/v1/sessions createHppSession klarna-create-hpp-session
hosted-payment-page-hpp GET /hpp/v1/sessions/{session_id} getSessionById klarna-get-details-hpp-session
hosted-payment-page-hpp DELETE /hpp/v1/sessions/{session_id} disableHppSession klarna-disable-hpp-session
hosted-payment-page-hpp POST /hpp/v1/sessions/{session_id}/distribution distributeHppSession klarna-distribute-hpp-session
merchant-card-service-merchantcard POST /merchantcard/v3/promises createPromise klarna-create-card-promise
merchant-card-service-merchantcard GET /merchantcard/v3/promises/{promise_id} readPromise klarna-get-details-card-promise
merchant-card-service-merchantcard POST /merchantcard/v3/settlements settlePromise klarna-create-card-settlement
merchant-card-service-merchantcard GET /merchantcard/v3/settlements/{settlement_id} readSettlement klarna-get-details-card-settlement
merchant-card-service-merchantcard GET /merchantcard/v3/settlements/order/{order_id} readSettlementByOrderId klarna-get-card-settlement-details
merchant-card-service-merchantcard POST /merchantcard/v3/orders/{order_id}/cancel-request postcancelorder klarna-request-order-cancellation
merchant-card-service-merchantcard GET /merchantcard/v3/orders/{order_id}/cancel-request getcancelorder klarna-get-order-cancellation-status
settlements-payouts GET /settlements/v1/payouts/summary getPayoutSummary klarna-payout-summary
settlements-payouts GET /settlements/v1/payouts/{payment_reference} getPayout klarna-payout-details
settlements-payouts GET /settlements/v1/payouts getPayouts klarna-list-all-payouts
settlements-transactions GET /settlements/v1/transactions getTransactions klarna-list-transactions-payout
settlements-reports GET /settlements/v1/reports/payout-with-transactions getPayoutReportWithTransactions klarna-get-payouts-summary-csv
settlements-reports GET /settlements/v1/reports/payout payout klarna-get-payouts-summary-pdf
settlements-reports GET /settlements/v1/reports/payouts-summary-with-transactions getPayoutsSummaryReportWithTransactions klarna-get-payouts-summary-transactions-2
settlements-reports GET /settlements/v1/reports/payouts-summary payoutsSummary klarna-get-payouts-summary-transactions
"""  # noqa: E501 - a table
_MEMBERS: Final = {  # a value that fits each pattern the files use
    "^[A-Za-z]{2,2}$": "SE",
    "^[A-Za-z]{3,3}$": "SEK",
    "^[A-Za-z]{2,2}(?:-[A-Za-z]{2,2})*$": "sv-SE",
    "^#[A-Fa-f0-9]{6}$": "#FF9900",
    "^([0-9]{4}|[0-9]{9})$": "1234",
}


@dataclass(frozen=True)
class Operation:
    """One operation of a classic API and what the library makes of it."""

    file: str
    method: str
    path: str
    identifier: str
    tool: str

    def __str__(self) -> str:
        return f"{self.file}.{self.identifier}"

    @property
    def name(self) -> str:
        return self.identifier.lower()

    @property
    def route(self) -> str:
        """Where REST has it: Klarna's path with variables in kebab case; settlements are served without their base."""
        kebab = re.sub(r"(?<=[a-z])([A-Z])", r"-\1", self.path).replace("_", "-").lower()
        return "/v1" + kebab.removeprefix("/settlements/v1")

    @property
    def rest_plan(self) -> RestOperationPlan:
        (found,) = (o for o in plan_of(self.file).rest[0].operations if (o.method, o.path) == (self.method, self.route))
        return found

    @property
    def tool_plan(self) -> ToolPlan:
        (found,) = (tool for tool in plan_of(self.file).mcp[0].tools if tool.name == self.tool)
        return found


OPERATIONS: Final = [Operation(*line.split()) for line in _TABLE.strip().splitlines()]
FILES: Final = sorted({operation.file for operation in OPERATIONS})


@cache
def plan_of(file: str) -> CapabilityPlan:
    """The plan of a file of the library; one that warns is not right."""
    plan, warnings = build_plan(load(FOLDER / f"{file}.yaml"), CREDENTIALS)
    assert warnings == ()
    return plan


@cache
def facts() -> dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]:
    """Method and path -> operation and surface of the catalogue that the library was written from."""
    surfaces = yaml.safe_load((FACTS / "classic-operations.yaml").read_text("utf-8"))["surfaces"]
    return {(o["method"], o["path"]): (o, surface) for surface in surfaces for o in surface["operations"]}


@cache
def openapi(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FACTS / name).read_text("utf-8"))
    return found


def sample(schema: dict[str, Any], *, whole: bool) -> Any:
    """A value that fits: the least there can be, or with every member."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            kept = schema.get("properties", {}) if whole else schema.get("required", ())
            return {name: sample(schema["properties"][name], whole=whole) for name in kept}
        case "array":
            return [sample(schema["items"], whole=whole)]
        case "integer":
            return min(max(schema.get("minimum", 0), 7), schema.get("maximum", 7))
        case "boolean":
            return True
        case _ if "pattern" in schema:
            return _MEMBERS[schema["pattern"]]
    return "x" * max(schema.get("minLength", 1), 5)


def sent(unit: UnitPlan, *, whole: bool = False, **given: Any) -> HttpRequest:
    """What goes to Klarna, checked by the guard as every door does."""
    assert unit.call is not None
    arguments = {**sample(dict(unit.input_schema), whole=whole), **given}
    return unit.call.request.bind(Guard(unit).check(arguments))
