"""Capability files of invented vendors, in the shape a catalogue generator gives them.

Such a generator reads an OpenAPI document and loses things on the way: path variables stay undeclared, a variable
beside text becomes a literal in the exposed path, `with` lists what was declared and nothing else. Names keep whatever
characters the vendor chose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

WORDS = (
    "orders",
    "Accounts",
    "payment_methods",
    "chat.unfurl",
    "Values",
    "delta()",
    "$metadata",
    "v2",
    "audit-logs",
    "x y",
)
VARIABLES = ("id", "order_id", "AccountSid", "fileId", "objectid", "app-id", "spreadsheetId", "Sid2")
AROUND = ("{%s}", "{%s}", "{%s}", "{%s}.json", "{%s}:append", "applications(appId='{%s}')", "email-{%s}", "{%s},all")
QUERIES = (
    "limit", "PageSize", "filter[status]", "page[limit]", "names[]", "$select", "$top", "sort-by", "a.b", "from:date",
    "(x)", "@type",
    "starting_after", "maxResults", "MaxResults", "X", "query", "body.x", "id", "env", "rest",
)  # fmt: skip
HEADERS = (
    "If-Match",
    "X-Amz-Target",
    "Content-Type",
    "User-Agent",
    "token",
    "X.Y_z",
    "Idempotency-Key",
    "accept-language",
)
TYPES = ("string", "string", "string", "integer", "number", "boolean", "array", "object")
METHODS = ("GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE")
AUTHENTICATIONS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"type": "bearer", "token": "{{env.VENDOR_API_KEY}}"},
    {"type": "basic", "username": "{{env.VENDOR_USER}}", "password": "{{env.VENDOR_PASS}}"},
    {"type": "apikey", "key": "X-API-Key", "value": "{{env.VENDOR_API_KEY}}", "placement": "header"},
    {"type": "apikey", "key": "limit", "value": "{{env.VENDOR_API_KEY}}", "placement": "query"},
    {"type": "apikey", "key": "Authorization", "value": "Api-Token {{env.VENDOR_API_KEY}}", "placement": "header"},
)
BASES = (
    "https://api.vendor.test",
    "https://vendor.test/api/v2/",
    "https://{region}.vendor.test/v1",
    "https://h.test:8443/x.php",
)
ENVIRON = {"VENDOR_API_KEY": "k-1", "VENDOR_USER": "u-1", "VENDOR_PASS": "p-1", "region": "eu"}


@dataclass(frozen=True)
class Operation:
    """What was consumed, to compare a request with."""

    method: str
    base: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    credential: str | None  # the parameter that is one


@dataclass
class File:
    data: dict[str, Any]
    operations: list[Operation] = field(default_factory=list)


def exposed_path(path: str) -> str:
    """How the generator turns a consumed path into a route."""
    segments = []
    for segment in path.strip("/").split("/"):
        if whole := re.fullmatch(r"\{([^{}]+)\}", segment):
            segments.append("{" + whole[1].lower().replace("_", "-") + "}")
        else:
            segments.append(re.sub(r"[^a-z0-9]+", "-", segment.lower()).strip("-"))
    return "/v1/" + "/".join(segments)


def _path(random: Random) -> tuple[str, list[str]]:
    names = random.sample(VARIABLES, random.randint(0, 3))
    segments = [random.choice(WORDS)]
    for name in names:
        segments.append(random.choice(AROUND) % name)
        if random.random() < 0.5:
            segments.append(random.choice(WORDS))
    slash = "/" if random.random() < 0.1 else ""
    return "/" + "/".join(segments) + slash, names


def _parameters(random: Random, variables: list[str]) -> list[dict[str, Any]]:
    found = [{"name": n, "in": "path", "type": "string", "required": True} for n in variables if random.random() < 0.6]
    for name in random.sample(QUERIES, random.randint(0, 4)):
        found.append({"name": name, "in": "query", "type": random.choice(TYPES), "required": random.random() < 0.3})
    for name in random.sample(HEADERS, random.choice((0, 0, 1, 2))):
        found.append(
            {
                "name": name,
                "in": "header",
                "type": "string",
                "description": "Cut at `sixty",
                "required": random.random() < 0.3,
            }
        )
    if random.random() < 0.4:
        name = random.choice(("body", "body", "execConfig"))
        found.append(
            {
                "name": name,
                "in": "body",
                "type": "object",
                "description": "Request body (JSON).",
                "required": random.random() < 0.5,
            }
        )
    return found


def vendor_file(number: int) -> File:
    """The file of one vendor; the same for the same number."""
    random = Random(number)
    stem = random.choice(("files-files", "binlookup-estimates", f"{number}-widgets", "chat-unfurl"))
    authentication, base = random.choice(AUTHENTICATIONS), random.choice(BASES)
    file = File({})
    consumed: list[dict[str, Any]] = []
    routes: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    taken: set[tuple[str, str]] = set()
    for _ in range(random.randint(1, 6)):
        path, variables = _path(random)
        route = exposed_path(path)
        resource: dict[str, Any] = {
            "name": re.sub(r"/\{?|\}?/", "-", path).strip("/{}-"),
            "path": path,
            "operations": [],
        }
        exposed: dict[str, Any] = {"path": route, "name": route.strip("/").replace("/", "-"), "operations": []}
        for method in dict.fromkeys(random.choices(METHODS, k=random.randint(1, 3))):
            shape = (method, re.sub(r"\{[^}]*\}", "{}", route))
            if shape in taken:
                continue
            taken.add(shape)
            name = re.sub(r"[^a-z0-9]", "", (method + path).lower()) + str(len(file.operations))
            parameters = _parameters(random, variables)
            description = f"Vendor {number} {method.title()} {name}"
            operation: dict[str, Any] = {
                "name": name, "method": method, "description": description, "outputRawFormat": "json",
                "outputParameters": [{"name": "result", "type": "object", "value": "$."}],
            }  # fmt: skip
            unit: dict[str, Any] = {"name": name, "description": description, "call": f"{stem}.{name}"}
            tool = {**unit, "name": f"vendor-{name}"[:60], "hints": {"readOnly": method == "GET"}}
            if parameters:
                operation["inputParameters"] = parameters
                unit["with"] = {p["name"]: f"rest.{p['name']}" for p in parameters}
                tool["with"] = {p["name"]: f"tools.{p['name']}" for p in parameters}
            unit["outputParameters"] = tool["outputParameters"] = [{"type": "object", "mapping": "$."}]
            resource["operations"].append(operation)
            exposed["operations"].append({"method": method, **unit})
            tools.append(tool)
            credential = authentication.get("key") if authentication is not None else None
            file.operations.append(Operation(method, base, path, tuple(parameters), credential))
        if resource["operations"]:
            consumed.append(resource)
            routes.append(exposed)
    api: dict[str, Any] = {
        "type": "http",
        "namespace": stem,
        "baseUri": base,
        "description": "One API.",
        "resources": consumed,
    }
    if authentication is not None:
        api["authentication"] = authentication
    file.data = {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": f"Vendor {number} — {stem}", "description": "Self-contained.", "tags": ["#Tag", "a(b='{c}')"],
                 "created": "2026-05-19", "modified": "2026-05-19"},
        "binds": [{"namespace": "env", "keys": {"VENDOR_API_KEY": "VENDOR_API_KEY"}}],
        "capability": {"consumes": [api], "exposes": [
            {"type": "rest", "namespace": f"{stem}-rest", "port": 8080, "description": "REST.", "resources": routes},
            {"type": "mcp", "namespace": f"{stem}-mcp", "port": 9090, "transport": "http", "description": "MCP.",
            "tools": tools},
        ]},
    }  # fmt: skip
    return file
