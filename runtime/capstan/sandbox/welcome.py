"""What is printed when everything is up: where it is, and what to try first."""

from __future__ import annotations


def welcome(rest_url: str | None, mcp_url: str | None, sandbox_url: str) -> str:
    return f"Sandbox: {sandbox_url}"
