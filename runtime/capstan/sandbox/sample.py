"""Sample data: what a new sandbox already holds, so that there is something to look at."""

from __future__ import annotations

from capstan.sandbox.app import App


def put_sample(app: App) -> None:
    """Fill a sandbox that holds nothing."""
