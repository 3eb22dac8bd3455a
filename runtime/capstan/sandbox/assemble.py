"""Surfaces -> one application. A new surface is a line here."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.app import App
from capstan.sandbox.classic import (
    captures,
    cardcancels,
    cardkeys,
    cards,
    checkout,
    hosted,
    management,
    order_controls,
    payments,
    payouts,
    refunds,
    reports,
    tokens,
)
from capstan.sandbox.classic.family import CLASSIC
from capstan.sandbox.control import CONTROL, OPERATOR, look_after
from capstan.sandbox.network import surfaces as network
from capstan.sandbox.network.family import NETWORK
from capstan.sandbox.operating import base_routes
from capstan.sandbox.sample import put_sample
from capstan.sandbox.shop import pages
from capstan.sandbox.state import State
from capstan.sandbox.web import Family, Request

_SURFACES: Final = (
    management, captures, refunds, order_controls, payments, tokens, hosted, checkout, cards, cardkeys, cardcancels,
    payouts, reports, network, pages,
)  # fmt: skip


class Sandbox(App):
    """The application with its surfaces and its sample data."""

    def fill(self) -> None:
        put_sample(self)


def create_app(database: str | None = None, *, rate_limits: bool = False, sample: bool = True) -> App:
    """A sandbox that listens nowhere yet.

    Raises:
        StateError: the database cannot be used.
    """
    state = State(database)
    app = (
        Sandbox(state, _fallback, rate_limits=rate_limits) if sample else App(state, _fallback, rate_limits=rate_limits)
    )
    app.serve_routes([*base_routes(app), *(route for surface in _SURFACES for route in surface.ROUTES)])
    app.fill()
    return app


def look_after_all(app: App) -> None:
    """What time changes by itself: expiries and their messages."""
    call = app.internal_call(OPERATOR)
    look_after(call)
    app.settle(call)


def _fallback(request: Request) -> Family:
    """Whose errors are spoken where there is no route."""
    first = request.segments[0]
    if first in ("v1", "v2", "v4"):
        return NETWORK
    return CONTROL if first in ("", "sandbox", "shop") else CLASSIC
