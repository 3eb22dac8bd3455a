"""The routes of all network surfaces."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.network import (
    authorization,
    compliance,
    credentials,
    customer,
    dispute_controls,
    disputes,
    disputes_v4,
    identity,
    onboarding,
    plugins,
    portal,
    presentation,
    products,
    programs,
    requests,
    settlements,
    shopping_sessions,
    shops,
    transaction_operations,
    webhooks,
)
from capstan.sandbox.web import Route

_SURFACES: Final = (
    onboarding, shops, products, programs, credentials, portal, compliance, shopping_sessions, plugins, settlements,
    webhooks, identity, presentation, requests, customer, authorization, transaction_operations, disputes, disputes_v4,
    dispute_controls,
)  # fmt: skip
ROUTES: Final[tuple[Route, ...]] = tuple(route for surface in _SURFACES for route in surface.ROUTES)
