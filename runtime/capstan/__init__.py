"""Capstan runs capability files: YAML that says which HTTP API is consumed and which adapters are exposed."""

from __future__ import annotations

from capstan.errors import BindError, CallError, CapabilityError, LoadError, Problem, ShapeError, UpstreamError
from capstan.load import load
from capstan.load.model import Capability
from capstan.plan.build import build_plan
from capstan.plan.types import CapabilityPlan as Plan

__all__ = [
    "BindError", "CallError", "Capability", "CapabilityError", "LoadError", "Plan", "Problem", "ShapeError",
    "UpstreamError", "build_plan", "load",
]  # fmt: skip
