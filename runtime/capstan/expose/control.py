"""What operators ask of a port of its own: is the server alive, and is it ready for calls?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from capstan.call.problem import refusal
from capstan.expose.asgi import NOSNIFF, RawHeaders, Receive, Scope, Send, respond, respond_problem
from capstan.plan.types import ControlPlan

_JSON: Final[RawHeaders] = [(b"content-type", b"application/json"), NOSNIFF, (b"cache-control", b"no-store")]
_METHODS: Final = ("GET", "HEAD")


class ControlApp:
    """The ASGI application of a control port.

    All ports are opened before any is served, and a server that loses one stops: whoever gets an answer here may rely
    on the others.
    """

    def __init__(self, controls: Iterable[ControlPlan], port_offset: int = 0) -> None:
        adapters = [_told(adapter, port_offset) for control in controls for adapter in control.adapters]
        self._pages = {
            "/health/live": json.dumps({"status": "UP"}).encode(),
            "/health/ready": json.dumps({"status": "UP", "adapters": adapters}).encode(),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page, method = self._pages.get(scope["path"]), scope["method"]
        if page is None:
            await respond_problem(send, 404, refusal(404, "no-route", "there is no such route"))
        elif method not in _METHODS:
            problem = refusal(405, "wrong-method", f"{method} is not taken here")
            await respond_problem(send, 405, problem, [(b"allow", ", ".join(_METHODS).encode())])
        else:
            await respond(send, 200, _JSON, page, head=method == "HEAD")


def _told(adapter: tuple[str, str, int | None], port_offset: int) -> dict[str, Any]:
    kind, namespace, port = adapter
    where = port + port_offset if port is not None else None
    told = {"type": kind, "namespace": namespace or None, "port": where, "state": "started"}
    return {key: value for key, value in told.items() if value is not None}
