"""Request limits per merchant and category: so many in each second. Counted by the real clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

_PLAYGROUND: Final[Mapping[str, int]] = {"create-session": 5, "create-token-session": 5, "create-hpp-session": 5}
_LIVE: Final[Mapping[str, int]] = {"create-session": 40, "create-token-session": 40, "create-hpp-session": 40}
# Of the network only the categories are documented, and 40 as an example.
NETWORK: Final[Mapping[str, int]] = dict.fromkeys(
    (
        "Payment Transaction Authorization", "Payment Transaction Capture", "Payment Transaction Management",
        "Payment Request Management", "Payment Presentation", "Dispute", "Partner Management", "Account Onboarding",
    ),
    40,
)  # fmt: skip


class Limits:
    """What is left for whom in this second."""

    def __init__(self, *, enforced: bool) -> None:
        self.enforced = enforced
        self._second = 0
        self._used: dict[tuple[str, str], int] = {}

    def take(self, account: str, environment: str, category: str) -> tuple[int, int]:
        """Count a request: the limit, and what is left after it; below zero is too many."""
        limit = NETWORK.get(category) or (
            _PLAYGROUND.get(category, 50) if environment == "playground" else _LIVE.get(category, 200)
        )
        if not self.enforced:
            return limit, limit
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._used = second, {}
        used = self._used[account, category] = self._used.get((account, category), 0) + 1
        return limit, limit - used


def quota_headers(category: str, limit: int, left: int) -> tuple[tuple[str, str], ...]:
    """How an answer tells of the limit: the network says of which category and for how many seconds, too."""
    told = f'{limit};w=1;name="{category}"' if category in NETWORK else str(limit)
    return ("X-RateLimit-Limit", told), ("X-RateLimit-Remaining", str(max(left, 0)))
