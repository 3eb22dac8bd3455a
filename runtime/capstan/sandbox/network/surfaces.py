"""The routes of all network surfaces."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.network import (
    after_payment,
    authorization,
    credentials,
    customer,
    dispute_hooks,
    disputes,
    disputes_v4,
    identity,
    offices,
    onboarding,
    presentation,
    products,
    programs,
    requests,
    settlements,
    shops,
    webhooks,
)
from capstan.sandbox.web import Route

_SURFACES: Final = (
    onboarding, shops, products, programs, credentials, offices, settlements, webhooks, identity, presentation,
    requests, customer, authorization, after_payment, disputes, disputes_v4, dispute_hooks,
)  # fmt: skip
ROUTES: Final[tuple[Route, ...]] = tuple(route for surface in _SURFACES for route in surface.ROUTES)
