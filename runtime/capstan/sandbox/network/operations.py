"""The decorator for network operations: whose account is acted for, and the idempotency key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from capstan.sandbox.network.family import NETWORK, Network, forbidden, invalid
from capstan.sandbox.network.partners import acting_for, own_account
from capstan.sandbox.web import MAX_BODY, Answer, Call, Handler, Route, Routes

ACCOUNT: Final = "account"  # the parameter that handlers find the account under which they act
_IN_PATH: Final = ("partner_account_id", "account_id")
_MAX_KEY: Final = 255
# What counts against which limit, by a part of the path; everything else is the management of partners.
_CATEGORIES: Final = {
    "/payment/transactions/": "Payment Transaction Management", "/payment/captures/": "Payment Transaction Management",
    "/payment/refunds/": "Payment Transaction Management", "/payment/chargebacks/": "Payment Transaction Management",
    "/payment/requests": "Payment Request Management", "/payment/tokens/": "Payment Request Management",
    "/payment/presentation": "Payment Presentation", "/messaging/": "Payment Presentation",
    "/payment/disputes": "Dispute", "/distribution/onboard": "Account Onboarding",
}  # fmt: skip


class Operations:
    """Routes of a network surface."""

    def __init__(self, family: Network = NETWORK) -> None:
        self._routes = Routes(family)

    def __call__(
        self, method: str, path: str, *, alone: str = "", even_disabled: bool = False, max_body: int = MAX_BODY
    ) -> Callable[[Handler], Handler]:
        """Serve a path; `alone` is how a merchant calls it that acts for itself."""

        def add(handler: Handler) -> Handler:
            for template in (path, alone):
                if template:
                    guarded = _guard(handler, even_disabled=even_disabled)
                    keyed, category = method in ("POST", "PATCH"), category_of(template)
                    self._routes(method, template, category=category, keyed=keyed, max_body=max_body)(guarded)
            return handler

        return add

    @property
    def routes(self) -> tuple[Route, ...]:
        return tuple(self._routes.routes)


def category_of(path: str) -> str:
    """The category whose limit a path counts against."""
    if path.endswith(("/authorize", "/confirm")):
        return "Payment Transaction Authorization"
    if path.endswith("/capture"):
        return "Payment Transaction Capture"
    return next((name for part, name in _CATEGORIES.items() if part in path), "Partner Management")


def _guard(handler: Handler, *, even_disabled: bool) -> Handler:
    def guarded(call: Call) -> Answer:
        key = call.request.headers.get(NETWORK.key_header)
        if key is not None and not 1 <= len(key) <= _MAX_KEY:
            raise invalid("Klarna-Idempotency-Key", f"must have 1 to {_MAX_KEY} characters")
        if len(call.request.headers.get("partner-correlation-id", "")) > _MAX_KEY:
            raise invalid("Partner-Correlation-Id", f"must have at most {_MAX_KEY} characters")
        asked = next((call.params[name] for name in _IN_PATH if name in call.params), None)
        if asked is None and call.request.segments[0] == "v1":  # the first version says it in a header
            asked = call.request.headers.get("klarna-partner-account")
        account = acting_for(call, asked) if asked else own_account(call.account)
        if account.get("state") == "DISABLED" and not even_disabled and call.request.method != "GET":
            raise forbidden("The partner account is disabled")
        return handler(replace(call, params={**call.params, ACCOUNT: account["partner_account_id"]}))

    return guarded
