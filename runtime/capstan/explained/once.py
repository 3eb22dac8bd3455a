"""What would be told several times over, told once: headers of every call, and where an answer has its values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from capstan.explained.limits import inline

_PATH: Final = re.compile(r"\$((?:\.[\w-]+)+)( \([^)]*\))?")


def common_headers(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What all calls of a namespace have in their headers, whatever is asked, where it would be told more than once."""
    calls: dict[str, list[dict[str, Any]]] = {}
    for call in _calls(told):
        calls.setdefault(namespace_of(call), []).append(call.get("headers", {}))
    found = {}
    for namespace, headers in calls.items():
        first, *others = headers
        found[namespace] = {
            key: value
            for key, value in first.items()
            if "<" not in str(value) and all(other.get(key) == value for other in others)
        }
    shared = list(found.values())
    return {
        namespace: headers
        for namespace, headers in found.items()
        if headers and (len(calls[namespace]) > 1 or shared.count(headers) > 1)
    }


def _calls(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    units = [operation for adapter in told["rest"] for operation in adapter["operations"]]
    for adapter in told["mcp"]:
        units += [*adapter["tools"], *adapter.get("resources", ())]
        units += [message for prompt in adapter.get("prompts", ()) for message in prompt["messages"]]
    for unit in units:
        found = [unit.get("call"), *unit.get("steps", ())]  # a message may be text, a resource a folder
        yield from (call for call in found if call is not None and "operation" in call)


def through(answer: Any, mapped: Any) -> Any:
    """The answer of a flow with what `mappings` puts in the places that its outputs read."""
    if answer == "as it comes":
        return mapped
    if isinstance(answer, str):
        found = _PATH.fullmatch(answer)
        value = _at(mapped, found[1]) if found is not None else None
        return answer if value is None or found is None else f"{inline(value)}{found[2] or ''}"
    if isinstance(answer, dict):
        (key,) = answer if len(answer) == 1 else ("",)
        below = _at(mapped, key[4:]) if key.startswith("at $.") else None
        if isinstance(below, dict):
            return through(answer[key], below)
        return {key: value if key.startswith("each ") else through(value, mapped) for key, value in answer.items()}
    return answer


def _at(mapped: Any, path: str) -> Any:
    for name in path.removeprefix("$").lstrip(".").split("."):
        if not isinstance(mapped, dict) or name not in mapped:
            return None
        mapped = mapped[name]
    return mapped


def namespace_of(call: Mapping[str, Any]) -> str:
    return str(call["operation"]).partition(".")[0]
