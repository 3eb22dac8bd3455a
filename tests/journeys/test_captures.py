"""The captures capability, and the eight published files with it: what every operation sends, through both doors.

What is expected is worked out here from the YAML itself, by other means than the runtime's.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
import pytest_asyncio
import yaml
from mcp.client.client import Client

from journeys.running import REPOSITORY, Capstan, client, serving
from support import Received, RecordingUpstream, reply

CAPTURES = REPOSITORY / "capabilities" / "klarna" / "order-management-captures.yaml"
PUBLISHED = REPOSITORY.parent / "shared" / "specs" / "published"
USER, PASSWORD = "the-merchant-of-the-test", "pässword:with colon"
CREDENTIALS = {
    "KLARNA_API_USERNAME": USER, "KLARNA_API_PASSWORD": PASSWORD, "KLARNA_USER": USER, "KLARNA_PASS": PASSWORD,
}  # fmt: skip
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
BODIES: dict[str, Any] = {
    "captureorder": {"captured_amount": 1000, "description": 'A "quoted" {{brace}} ☃'},
    "extendduedate": {"number_of_days": 14},
    "appendshippinginfo": {"shipping_info": [{"tracking_number": "ABC/1 2"}]},
}


@dataclass(frozen=True)
class Case:
    """One consumed operation, what to call it with, and what must reach the consumed API."""

    name: str
    namespace: str
    method: str
    route: str  # of REST, filled
    tool: str
    arguments: dict[str, Any]
    places: dict[str, str]
    path: str
    has_auth: bool

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"

    def of(self, place: str) -> dict[str, Any]:
        return {name: self.arguments[name] for name, where in self.places.items() if where == place}

    @property
    def body(self) -> Any:
        return self.arguments.get("body")


def cases(path: Path) -> Iterator[Case]:
    """Read a file as data: every consumed operation and the route and tool that call it."""
    capability = yaml.safe_load(path.read_text())["capability"]
    rest, mcp = capability["exposes"]
    for api in capability["consumes"]:
        base = urlsplit(api["baseUri"]).path.rstrip("/")
        for resource in api["resources"]:
            for operation in resource["operations"]:
                call = f"{api['namespace']}.{operation['name']}"
                declared = [*resource.get("inputParameters", []), *operation.get("inputParameters", [])]
                places = {item["name"]: item["in"] for item in declared}
                arguments = {item["name"]: _value(item, operation["name"]) for item in declared}
                tool = next(item["name"] for item in mcp["tools"] if item["call"] == call)
                route = next(
                    item["path"]
                    for item in rest["resources"]
                    for candidate in item["operations"]
                    if candidate["call"] == call
                )
                yield Case(
                    name=operation["name"],
                    namespace=api["namespace"],
                    method=operation["method"],
                    route=_filled(route, arguments),
                    tool=tool,
                    arguments=arguments,
                    places=places,
                    path=base + _filled(resource["path"], arguments),
                    has_auth="authentication" in api,
                )


def _value(item: dict[str, Any], operation: str) -> Any:
    if item["in"] == "body":
        return BODIES.get(operation, {"reference": 'r-"1"', "amount": 12, "lines": [{"name": "☃"}]})
    if item.get("type") in ("integer", "number"):
        return 7
    if item.get("type") == "boolean":
        return True
    return f"{item['name']}-1 2/ä" if item["in"] in ("path", "query") else f"{item['name']}-1"


def _filled(template: str, arguments: dict[str, Any]) -> str:
    """A path with its variables replaced; every argument holds a space, a slash and a letter outside ASCII."""
    return re.sub(r"\{([^}]+)\}", lambda m: f"{m[1].replace('-', '_')}-1%202%2F%C3%A4", template)


def check(case: Case, received: Received) -> None:
    path, _, query = received.target.partition("?")
    assert (received.method, path) == (case.method, case.path)
    sent = {name: str(value).lower() if isinstance(value, bool) else value for name, value in case.of("query").items()}
    assert sorted(httpx2.QueryParams(query).multi_items()) == sorted(httpx2.QueryParams(urlencode(sent)).multi_items())
    for name, value in case.of("header").items():
        assert received.all(name) == [value]
    assert received.all("Authorization") == ([BASIC] if case.has_auth else [])
    if case.body is None:
        assert received.body == b""
    else:
        assert received.json == case.body
        assert received.all("Content-Type") == ["application/json"]
    assert len(received.all("Host")) == 1
    assert not received.all("Cookie")


OWN = list(cases(CAPTURES))
ALL = [case for path in sorted(PUBLISHED.glob("*.yaml")) for case in cases(path)] if PUBLISHED.is_dir() else []


@dataclass
class Running:
    server: Capstan
    upstream: RecordingUpstream


def base_uris(path: Path, url: str) -> list[str]:
    return [
        f"{api['namespace']}={url}{urlsplit(api['baseUri']).path}"
        for api in yaml.safe_load(path.read_text())["capability"]["consumes"]
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def captures() -> AsyncIterator[Running]:
    async with RecordingUpstream() as upstream:
        (uri,) = base_uris(CAPTURES, upstream.url)
        async with serving(CAPTURES, "--base-uri", uri, env=CREDENTIALS) as server:
            yield Running(server, upstream)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def published() -> AsyncIterator[Running]:
    if not ALL:
        pytest.skip("the published files are not beside this repository")
    async with RecordingUpstream() as upstream:
        uris = [f"--base-uri={uri}" for path in PUBLISHED.glob("*.yaml") for uri in base_uris(path, upstream.url)]
        async with serving(PUBLISHED, *uris, env=CREDENTIALS) as server:
            yield Running(server, upstream)


async def call_rest(case: Case, running: Running) -> None:
    running.upstream.then(reply(data={"answer": str(case)}))
    async with client(running.server.rest) as http:
        headers = case.of("header")
        if case.body is not None:
            headers["Content-Type"] = "application/json"
        content = json.dumps(case.body).encode() if case.body is not None else None
        answer = await http.request(
            case.method, case.route, params=case.of("query") or None, headers=headers, content=content
        )
    assert (answer.status_code, answer.json()) == (200, {"answer": str(case)})
    check(case, running.upstream.last)


@pytest.mark.parametrize("case", OWN, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_each_capture_route_sends_what_the_file_says(case: Case, captures: Running) -> None:
    await call_rest(case, captures)


@pytest.mark.parametrize("case", ALL, ids=str)
@pytest.mark.asyncio(loop_scope="module")
async def test_each_published_route_sends_what_the_file_says(case: Case, published: Running) -> None:
    await call_rest(case, published)


async def call_tools(found: list[Case], running: Running, mode: Any) -> None:
    claims = Counter(case.tool for case in found)
    names = {str(case): case.tool if claims[case.tool] == 1 else f"{case.namespace}__{case.tool}" for case in found}
    async with Client(running.server.mcp, mode=mode) as session:
        listed = await session.list_tools()
        assert sorted(tool.name for tool in listed.tools) == sorted(names.values())
        for case in found:
            running.upstream.then(reply(data={"answer": str(case)}))
            result = await session.call_tool(names[str(case)], case.arguments)
            assert not result.is_error, result
            assert result.structured_content == {"answer": str(case)}
            check(case, running.upstream.last)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.asyncio(loop_scope="module")
async def test_each_capture_tool_sends_what_the_file_says(mode: str, captures: Running) -> None:
    assert len(OWN) == 7
    await call_tools(OWN, captures, mode)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.asyncio(loop_scope="module")
async def test_each_published_tool_sends_what_the_file_says(mode: str, published: Running) -> None:
    assert len(ALL) == 37
    await call_tools(ALL, published, mode)


@pytest.mark.asyncio(loop_scope="module")
async def test_optional_headers_that_are_absent_are_not_sent(captures: Running) -> None:
    async with client(captures.server.rest) as http:
        answer = await http.post("/v1/ordermanagement/v1/orders/o-1/captures", json={"captured_amount": 1})
    assert answer.status_code == 200
    assert captures.upstream.last.all("Klarna-Idempotency-Key") == []


@pytest.mark.asyncio(loop_scope="module")
async def test_a_new_capture_keeps_its_status_location_and_id(captures: Running) -> None:
    made = {"Location": "/ordermanagement/v1/orders/o-1/captures/c-9", "Capture-Id": "c-9", "Content-Length": "0"}
    captures.upstream.then(reply(201, headers=made))
    async with client(captures.server.rest) as http:
        answer = await http.post("/v1/ordermanagement/v1/orders/o-1/captures", json={"captured_amount": 1})
    assert (answer.status_code, answer.content) == (201, b"")
    assert (answer.headers["Location"], answer.headers["Capture-Id"]) == (made["Location"], "c-9")
    captures.upstream.then(reply(201, headers=made))
    async with Client(captures.server.mcp) as session:
        result = await session.call_tool("klarna-capture-order", {"order_id": "o-1", "body": {"captured_amount": 1}})
    assert result.structured_content == {"status": 201, "location": made["Location"], "capture-id": "c-9"}
