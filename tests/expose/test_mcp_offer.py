from __future__ import annotations

import pytest
from opentelemetry import trace

from capstan.expose.mcp_offer import OfferServer


@pytest.mark.parametrize(
    ("provider", "traced"),
    [
        pytest.param(trace.ProxyTracerProvider(), False, id="nobody"),
        pytest.param(trace.NoOpTracerProvider(), True, id="whoever was named"),
    ],
)
def test_calls_are_traced_where_somebody_records_spans(
    provider: trace.TracerProvider, *, traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    assert ("OpenTelemetryMiddleware" in {type(one).__name__ for one in OfferServer("test").middleware}) is traced
