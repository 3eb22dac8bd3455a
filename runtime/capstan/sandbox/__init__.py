"""A stateful stand-in for Klarna's APIs, with a small shop: for demonstrations and tests, without an account.

It shares no code with the rest of Capstan, knows no more of it than an address for its pages, and is the only part that
knows Klarna. It is independent of Klarna; no money moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from capstan.sandbox.hosts import HOSTS

__all__ = ["DEMO_VARIABLES", "HOSTS", "run", "welcome"]

# Good for the first merchant and the first partner of the sandbox, nowhere else.
DEMO_VARIABLES: Final[Mapping[str, str]] = {
    "KLARNA_API_USERNAME": "sandbox-playground-eu",
    "KLARNA_API_PASSWORD": "sandbox-password",
    "KLARNA_NETWORK_API_KEY": "klarna_test_api_sandbox",
}


def run(
    *,
    host: str,
    port: int,
    database: str | None,
    rate_limits: bool,
    capstan_url: str | None,
    ready: Callable[[str], None],
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code. `ready` gets the address once it listens.

    `capstan_url` is where its pages find Capstan's REST routes.
    """
    from capstan.sandbox.server import serve  # noqa: PLC0415 - the names above are had without a server stack

    return serve(host=host, port=port, database=database, rate_limits=rate_limits, capstan_url=capstan_url, ready=ready)


def welcome(rest_url: str | None, mcp_url: str | None, sandbox_url: str) -> str:
    """What to try first, when all three are served together."""
    from capstan.sandbox.welcome import welcome as text  # noqa: PLC0415 - as above

    return text(rest_url, mcp_url, sandbox_url)
