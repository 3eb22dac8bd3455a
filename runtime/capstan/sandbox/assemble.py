"""Surfaces -> one application. A new surface is a line here, and so is what time does to it."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.app import App
from capstan.sandbox.classic import (
    browser,
    captures,
    cardcancels,
    cardkeys,
    cards,
    checkout,
    hosted,
    management,
    merchants,
    order_controls,
    payments,
    payouts,
    refunds,
    reports,
    settlements,
    tokens,
)
from capstan.sandbox.classic.family import CLASSIC
from capstan.sandbox.control import CONTROL
from capstan.sandbox.idempotency import forget_expired
from capstan.sandbox.network import surfaces as network
from capstan.sandbox.network import timers
from capstan.sandbox.network.family import NETWORK
from capstan.sandbox.operating import base_routes
from capstan.sandbox.sample import put_sample
from capstan.sandbox.shop import pages
from capstan.sandbox.state import State
from capstan.sandbox.web import Family, Request

_SURFACES: Final = (
    management, captures, refunds, order_controls, payments, tokens, hosted, checkout, cards, cardkeys, cardcancels,
    payouts, reports, merchants, browser, network, pages,
)  # fmt: skip
_SWEEPS: Final = (forget_expired, cardcancels.decide_all_due, settlements.close_due, timers.run_timers)


def create_app(database: str | None = None, *, rate_limits: bool = False, sample: bool = True) -> App:
    """A sandbox that listens nowhere yet.

    Raises:
        StateError: the database cannot be used.
    """
    state = State(database)
    app = App(state, _fallback, sweeps=_SWEEPS, fill=put_sample if sample else None, rate_limits=rate_limits)
    app.serve_routes([*base_routes(app), *(route for surface in _SURFACES for route in surface.ROUTES)])
    app.fill()
    return app


def _fallback(request: Request) -> Family:
    """Whose errors are spoken where there is no route."""
    first = request.segments[0]
    if first in ("v1", "v2", "v4"):
        return NETWORK
    return CONTROL if first in ("", "sandbox", "shop") else CLASSIC
