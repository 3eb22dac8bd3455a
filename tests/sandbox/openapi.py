"""Requests and answers held against Klarna's OpenAPI documents, where those are at hand.

A request that is accepted (2xx) must be valid by them, and so must every answer. Without the documents nothing is
checked, and `REASON` says so; test_openapi.py sees to it that something is checked when they are.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

FOLDER = Path(__file__).parents[2].parent / "shared" / "klarna" / "openapi"
REASON = "the OpenAPI documents are not at hand"
_METHODS = ("get", "post", "put", "patch", "delete")
checked: set[str] = set()  # the operations that were seen


@functools.cache
def _operations() -> list[tuple[str, re.Pattern[str], dict[str, Any], dict[str, Any]]]:
    """Method, path, operation and document of everything that is described; literal paths before variable ones."""
    found = []
    for file in sorted(FOLDER.glob("*.yml")):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "openapi" not in document or "callbacks" in file.name:
            continue
        prefix = re.sub(r"^https://[^/]+", "", document["servers"][0]["url"])
        for path, item in document["paths"].items():
            pattern = re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(prefix + path)))
            for method in _METHODS:
                if method in item:
                    found.append((method.upper(), pattern, item[method], document))
    return sorted(found, key=lambda entry: entry[1].pattern.count("[^/]+"))


def check(method: str, path: str, body: Any, reply: Any) -> None:
    """Raise AssertionError where the exchange is not as described."""
    if not FOLDER.is_dir() or path.startswith(("/sandbox", "/shop")):
        return
    bare = path.partition("?")[0]
    for known, pattern, operation, document in _operations():
        if known == method and pattern.fullmatch(bare):
            checked.add(f"{method} {pattern.pattern}")
            _check(operation, document, body, reply, f"{method} {bare}")
            return


def _check(operation: dict[str, Any], document: dict[str, Any], body: Any, reply: Any, what: str) -> None:
    if 200 <= reply.status < 300:
        described = operation["responses"].get(str(reply.status))
        assert described is not None, f"{what} answers {reply.status}, which is not described"
        if "requestBody" in operation and not isinstance(body, bytes):  # bytes are sent for what JSON cannot say
            request = _resolve(operation["requestBody"], document)
            if body is not None or request.get("required"):
                _validate(request, document, body, f"{what}: the accepted request")
    else:
        described = operation["responses"].get(str(reply.status), {})
    described = _resolve(described, document)
    media = reply.headers.get("content-type", "")
    if media.startswith("application/json") and described.get("content"):
        _validate(described, document, json.loads(reply.content), f"{what}: the answer {reply.status}")
    elif described.get("content") and reply.content:
        assert media.partition(";")[0] in described["content"], f"{what} answers {media}"


def _resolve(part: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def _validate(part: dict[str, Any], document: dict[str, Any], value: Any, what: str) -> None:
    schema = next((m["schema"] for kind, m in part["content"].items() if "json" in kind and "schema" in m), None)
    if schema is None:
        return
    whole = {**schema, "components": {"schemas": _components(id(document), document)}}
    validator = jsonschema.Draft4Validator(whole, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(value)]
    assert not errors, f"{what} is not valid: {errors}"


_kept: dict[int, Any] = {}


def _components(key: int, document: dict[str, Any]) -> Any:
    """The schemas with OpenAPI's `nullable` said as JSON Schema says it."""
    if key not in _kept:
        _kept[key] = _nullable(document["components"]["schemas"])
    return _kept[key]


def _nullable(part: Any) -> Any:
    if isinstance(part, list):
        return [_nullable(item) for item in part]
    if not isinstance(part, dict):
        return part
    plain = {key: _nullable(value) for key, value in part.items() if key not in ("example", "description")}
    if part.get("type") == "file":
        plain["type"] = "string"
    if part.get("nullable") is True and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain
