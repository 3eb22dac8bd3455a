"""The sandbox's time: the real one, moved on by whoever controls it. It never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_FORMAT: Final = "%Y-%m-%dT%H:%M:%S"


class Clock:
    """Real time plus what was let pass."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, by: timedelta) -> None:
        """Let time pass.

        Raises:
            ValueError: time cannot run backwards, or past the calendar.
        """
        if by < timedelta(0):
            raise ValueError("time does not run backwards")
        try:
            _ = datetime.now(UTC) + self.ahead + by + timedelta(days=366 * 4)  # whatever lies ahead must be a date
        except OverflowError as error:
            raise ValueError("that is past the end of the calendar") from error
        self.ahead += by


def write_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z, as the APIs write it."""
    return f"{moment.astimezone(UTC).strftime(_FORMAT)}.{moment.microsecond // 1000:03d}Z"


def read_time(text: str) -> datetime:
    """What `write_time` wrote, or a date or time of a request; one without time is midnight UTC.

    Raises:
        ValueError: it is no date.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
