"""Sample data: what a new sandbox already holds, so that there is something to look at.

It is made as requests make it. The ids of orders follow from their references, so that commands can name them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from capstan.sandbox.app import App


@dataclass(frozen=True, slots=True)
class Sample:
    """An order of the demo merchant."""

    reference: str
    about: str


SAMPLES: Final = (Sample("A", "b"),)


def order_id(reference: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:capstan:sandbox:{reference}"))


def put_sample(app: App) -> None:
    """Fill a sandbox that holds nothing."""
