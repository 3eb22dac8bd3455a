"""The units of a set of capabilities, ready to call, and the connections behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from capstan.call.flow import LiveFlow
from capstan.call.forward import LiveForward
from capstan.call.masking import Mask
from capstan.call.narrow import NarrowedUnit
from capstan.call.scripts import Scripts
from capstan.call.unit import LiveUnit
from capstan.call.upstream import Upstream
from capstan.plan.types import ApiPlan, CallPlan, CapabilityPlan, UnitPlan
from capstan.settings import Settings


class Engine:
    """The upstreams of a set of capabilities. Made by `open_engine`, which also closes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._upstreams: dict[tuple[str, ApiPlan], Upstream] = {}
        self._scripts = Scripts(settings)

    def units(self, plan: CapabilityPlan) -> dict[int, LiveUnit]:
        """Every unit of a capability, ready to call, by the unit's id."""
        mask = Mask(plan.secrets)
        return {id(unit): self._live(plan, unit, mask) for unit in plan.units}

    def forwards(self, plan: CapabilityPlan) -> dict[int, LiveForward]:
        """Every forward of a capability, by the plan's id."""
        mask = Mask(plan.secrets)
        plans = [forward for adapter in plan.rest for forward in adapter.forwards]
        return {id(item): LiveForward(item, self._upstream(plan.file, item.call, mask)) for item in plans}

    def _live(self, plan: CapabilityPlan, unit: UnitPlan, mask: Mask) -> LiveUnit:
        upstreams = [self._upstream(plan.file, call, mask) for call in unit.calls]
        live: LiveUnit
        if unit.flow is not None:
            live = LiveFlow(unit, unit.flow, upstreams, self._scripts, self._settings)
        else:
            live = LiveUnit(unit, upstreams[0] if upstreams else None, self._settings)
        return live if unit.narrowing is None else NarrowedUnit(live, unit.narrowing)

    def _upstream(self, file: str, call: CallPlan, mask: Mask) -> Upstream:
        key = (file, call.api)
        if key not in self._upstreams:
            self._upstreams[key] = Upstream(call.api, self._settings, mask)
        return self._upstreams[key]

    async def close(self) -> None:
        for upstream in self._upstreams.values():
            await upstream.close()
        await self._scripts.close()


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[Engine]:
    """An engine that closes its connections when left."""
    engine = Engine(settings)
    try:
        yield engine
    finally:
        await engine.close()
