"""What a distribution partner can offer: payment profiles, payment programs and their plans, price plans, enablements.

The data is made up, and the same for every partner; it is there so that lists have items and items can be read.
"""

from __future__ import annotations

from typing import Any, Final

from capstan.sandbox.network.family import invalid, mode_of, not_found
from capstan.sandbox.network.operations import Operations
from capstan.sandbox.network.paging import page
from capstan.sandbox.network.resources import Resource, serve
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call

_DISTRIBUTION: Final = "/v2/distribution/products/payment"
_PROGRAMS: Final = "/v2/accounts/{partner_account_id}/products/payment/payment-programs"
_VERSIONS: Final = ("1", "2")
_ENABLEMENTS: Final = ("OPTIONAL", "PRESET", "RESTRICTED")
# name, enablement type, and where
_OFFERED: Final = (
    ("pay-now", "PRESET", ("DE", "GB", "SE", "US")), ("pay-later", "PRESET", ("DE", "GB", "SE", "US")),
    ("pay-in-parts", "OPTIONAL", ("DE", "GB", "US")), ("financing", "OPTIONAL", ("DE", "SE", "US")),
    ("pay-in-full", "RESTRICTED", ("SE",)), ("subscription", "OPTIONAL", ("DE", "GB", "SE", "US")),
)  # fmt: skip
_CURRENCIES: Final = {"DE": "EUR", "GB": "GBP", "SE": "SEK", "US": "USD"}

operations = Operations()


def _id(call: Call, kind: str, name: str) -> str:
    return f"krn:payment:global:{kind}:{mode_of(call.account)}:{name}"


def _programs(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "payment_program_id": _id(call, "payment-program", name), "name": name, "enablement_type": enablement,
            "customer_countries": list(countries), "currencies": [_CURRENCIES[c] for c in countries],
        }
        for name, enablement, countries in _OFFERED
    ]  # fmt: skip


def _matching(call: Call) -> list[dict[str, Any]]:
    """The programs that the query leaves over."""
    country, kind = call.first("customer_country"), call.first("enablement_type")
    currency = call.first("transaction_currency")
    if kind is not None and kind not in _ENABLEMENTS:
        raise invalid("enablement_type", f"must be one of: {', '.join(_ENABLEMENTS)}")
    return [
        program for program in _programs(call)
        if (country is None or country in program["customer_countries"])
        and (kind is None or kind == program["enablement_type"])
        and (currency is None or currency in program["currencies"])
    ]  # fmt: skip


def _plan(call: Call, kind: str) -> dict[str, Any]:
    name = f"{kind}_id"
    return {
        name: _id(call, kind.replace("_", "-"), "standard"), "name": "Standard",
        "versions": [{"version": version} for version in _VERSIONS],
    }  # fmt: skip


def _asked_plan(call: Call, kind: str) -> dict[str, Any]:
    """The plan that the path names, in the version that the query does."""
    plan, name = _plan(call, kind), f"{kind}_id"
    if call.params[name] != plan[name]:
        raise not_found(f"The plan {call.params[name]}")
    version = call.first("version") or _VERSIONS[-1]
    if version not in _VERSIONS:
        raise invalid("version", f"must be one of: {', '.join(_VERSIONS)}")
    return {name: plan[name], "name": plan["name"], "version": version}


@operations("GET", f"{_DISTRIBUTION}/profiles")
def list_profiles(call: Call) -> Answer:
    profiles = [
        {"payment_profile_id": _id(call, "payment-profile", name), "name": name.capitalize()}
        for name in ("standard", "marketplace")
    ]
    return page(call, "payment_profiles", profiles, "payment_profile_id", size=None)


@operations("GET", f"{_DISTRIBUTION}/payment-program-plans")
def list_plans(call: Call) -> Answer:
    return page(
        call, "payment_program_plans", [_plan(call, "payment_program_plan")], "payment_program_plan_id", size=None
    )


@operations("GET", f"{_DISTRIBUTION}/payment-program-plans/{{payment_program_plan_id}}")
def read_plan(call: Call) -> Answer:
    plan = _asked_plan(call, "payment_program_plan")
    found = page(call, "payment_programs", _matching(call), "payment_program_id")
    return Answer(200, {**plan, **found.body})


@operations("GET", f"{_DISTRIBUTION}/payment-programs/{{payment_program_id}}")
def read_program(call: Call) -> Answer:
    wanted = call.params["payment_program_id"]
    for program in _programs(call):
        if program["payment_program_id"] == wanted:
            return Answer(200, program)
    raise not_found(f"The payment program {wanted}")


@operations("GET", _PROGRAMS)
def list_programs(call: Call) -> Answer:
    return page(call, "payment_programs", _matching(call), "payment_program_id", size=None)


def _check_program(call: Call, document: Document) -> None:
    if document.get("payment_program_id") not in [p["payment_program_id"] for p in _programs(call)]:
        raise invalid("payment_program_id", "there is no such payment program")


serve(operations, Resource(
    "payment-program-enablement", "payment_program_enablements", f"{_PROGRAMS}/payment-program-enablements",
    ("partner", "product", "payment-program-enablement"), ("create", "list", "read", "delete"),
    "payment_program_enablement_id", on_create=_check_program,
))  # fmt: skip


@operations("GET", f"{_DISTRIBUTION}/price-plans")
def list_price_plans(call: Call) -> Answer:
    return page(call, "price_plans", [_plan(call, "price_plan")], "price_plan_id", size=None)


@operations("GET", f"{_DISTRIBUTION}/price-plans/{{price_plan_id}}")
def read_price_plan(call: Call) -> Answer:
    plan = _asked_plan(call, "price_plan")
    country, currency, program = (call.first(n) for n in ("customer_country", "currency", "payment_program_id"))
    prices = [
        {
            "price_id": _id(call, "price", f"{p['name']}-{where.lower()}"), "customer_country": where,
            "currency": _CURRENCIES[where], "payment_program_id": p["payment_program_id"],
            "percentage_fee": 299 if p["enablement_type"] == "PRESET" else 349, "fixed_fee": 30,
        }
        for p in _programs(call) for where in p["customer_countries"]
        if where == (country or where) and _CURRENCIES[where] == (currency or _CURRENCIES[where])
        and p["payment_program_id"] == (program or p["payment_program_id"])
    ]  # fmt: skip
    return Answer(200, {**plan, **page(call, "prices", prices, "price_id").body})


ROUTES: Final = operations.routes
