"""Forwards, as the OpenAPI document says them: what is known of them is where they lead."""

from __future__ import annotations

from typing import Any, Final

from capstan.plan.request import effect_of
from capstan.plan.types import ForwardPlan

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_BODIES: Final = frozenset({"post", "put", "patch"})
# Headers that OpenAPI describes elsewhere: a parameter of such a name is to be ignored.
_DESCRIBED_ELSEWHERE: Final = frozenset({"accept", "content-type", "authorization"})


def forwarded(forward: ForwardPlan, variable: str) -> dict[str, dict[str, Any]]:
    """The operations of a path, by method; those that operations of the file serve are not among them."""
    open_ = [method for method in _METHODS if method.upper() not in forward.taken]
    return {method: _operation(forward, method, variable) for method in open_}


def _operation(forward: ForwardPlan, method: str, variable: str) -> dict[str, Any]:
    namespace = forward.call.api.namespace
    described: dict[str, Any] = {
        "operationId": f"{method} {forward.path}",
        "summary": f"Forwarded to {namespace}",
        "description": forward.description or f"Passed on to '{namespace}' as it is, its query included.",
    }
    if forward.tags:
        described["tags"] = list(forward.tags)
    if parameters := _parameters(forward, variable):
        described["parameters"] = parameters
    if method in _BODIES:
        described["requestBody"] = {"content": {"*/*": {"schema": {}}}, "required": False}
    anything: dict[str, Any] = {"content": {"*/*": {"schema": {}}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described["responses"] = {
        "200": {"description": "The consumed API's own answer, whatever its status.", **anything},
        "default": {"description": "The consumed API's own answer, or why there is none.",
                    "content": {**anything["content"], **problem}},
    }  # fmt: skip
    described["x-effect"] = effect_of(method.upper())
    described["x-forward"] = namespace
    return described


def _parameters(forward: ForwardPlan, variable: str) -> list[dict[str, Any]]:
    text = {"type": "string"}
    rest = {"name": variable, "in": "path", "required": True, "schema": text,
            "description": "All segments that are left; slashes between them stay slashes."}  # fmt: skip
    headers = [name for name in forward.trusted if name.lower() not in _DESCRIBED_ELSEWHERE]
    named = [{"name": name, "in": "header", "schema": text} for name in headers]
    return [rest, *named] if forward.takes_rest else named
