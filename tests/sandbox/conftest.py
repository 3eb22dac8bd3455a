"""A sandbox that holds nothing, and its clients."""

from __future__ import annotations

import pytest

from capstan.sandbox.app import App
from capstan.sandbox.assemble import create_app
from sandbox.client import Client


@pytest.fixture
def app() -> App:
    return create_app(sample=False)


@pytest.fixture
def klarna(app: App) -> Client:
    """The demonstration merchant."""
    return Client(app)


@pytest.fixture
def control(app: App) -> Client:
    """Whoever controls the sandbox."""
    return Client(app, None)
