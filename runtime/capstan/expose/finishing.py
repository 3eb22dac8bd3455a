"""What is not broken off when a client goes away: a call that changes something ends, and its outcome is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CancelScope

from capstan.call.problem import broken_off


class Finishing:
    """The changes that are under way. A server that stops waits for them no longer than for other calls."""

    def __init__(self) -> None:
        self._scopes: set[CancelScope] = set()
        self._ended = False

    @contextmanager
    def change(self) -> Iterator[None]:
        """What is in it is done, though its client is gone.

        Raises:
            StoppedError: the server stopped meanwhile.
        """
        if self._ended:
            yield
            return
        with CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise broken_off(reads=False)

    def end(self) -> None:
        """Break off what is under way."""
        self._ended = True
        for scope in self._scopes:
            scope.cancel()
