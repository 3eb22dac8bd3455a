"""The hosted payment page."""

from __future__ import annotations

from typing import Final

from capstan.sandbox.web import Route

ROUTES: Final[tuple[Route, ...]] = ()
