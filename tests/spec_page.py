"""The examples of docs/spec.md: what is on the page, the small file around a fragment, and how a `run` block is played.

An example is a fenced block of YAML. What stands behind the word `yaml` says what it is:

    ```yaml                       a whole file, when it begins with its version
    ```yaml in=operation          goes into a small file at that place (PLACES), and that file is planned
    ```yaml each in=operation     each line that starts at the margin is a fragment of its own
    ```yaml refused=CODE in=...   is refused with that code, warns=CODE is planned with that warning
    ```yaml file=shared/x.yaml    stands beside every other example under that name

A `run` block after an example calls what it exposes:

    $ get-order id=o-1            a unit by its name, KEY=text or KEY:=json; or: $ GET /v1/orders/o-1 [body],
                                  $ read URI of a resource, $ prompt NAME KEY=text
    > GET /orders/o-1             what reaches the consumed API, and no more; a body behind it, `> Header: value` below
    < 200 {"id": "o-1"}           what that answers; status and media type (`text/csv`) may be left out
    = {"id": "o-1"}               what the caller gets; `! code` where it is an error. A line that is indented goes on
    ? {"ok": true}                what the user gives when asked
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from mcp.shared.exceptions import MCPError

from capstan.call.conversation import Question
from capstan.call.unit import Answer
from capstan.errors import CallError, Outcome
from capstan.expose.arguments import reader_of
from capstan.expose.door import Access
from capstan.expose.generation import Generation
from capstan.expose.mcp_offer import LiveOffer
from capstan.load import load
from capstan.plan.build import plan_file
from capstan.plan.site import join_plans
from capstan.plan.types import CapabilityPlan
from support import QUICK, Raw, Received, RecordingUpstream, reply

PAGE: Final = Path(__file__).parents[1] / "docs" / "spec.md"
ENVIRON: Final = {name: f"{name.lower()}-value" for name in ("TOKEN", "USER", "PASS", "KEY", "ID", "SECRET")} | {
    "SHOP_TOKEN": "t", "SHOP_HOST": "api.shop.example", "PIN": "1234",
}  # fmt: skip
_FENCE: Final = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VERSION: Final = re.compile(r"^(naftiko|ikanos):", re.MULTILINE)
_DOOR: Final = Access(loopback=True, hosts=frozenset(), origins=frozenset())


@dataclass(frozen=True)
class Example:
    """One file of the page, and what is played with it."""

    line: int
    text: str
    runs: tuple[str, ...] = ()
    refused: str = ""
    warns: str = ""
    name: str = ""  # of a file that others refer to

    def __str__(self) -> str:
        return f"line-{self.line}"


# --- the page


def examples(page: str) -> list[Example]:
    """Every example of the page, fragments as whole files."""
    found: list[Example] = []
    blocks = list(_FENCE.finditer(page))
    for index, block in enumerate(blocks):
        kind, info, text = block.groups()
        options = dict(part.partition("=")[::2] for part in info.split())
        if kind != "yaml":
            if "file" in options:
                found.append(Example(0, text, name=options["file"]))
            continue
        runs = []
        for later in blocks[index + 1 :]:
            if later[1] != "run":
                break
            runs.append(later[3])
        line = page.count("\n", 0, block.start()) + 1
        pieces = list(_pieces(text)) if "each" in options else [text]
        for number, piece in enumerate(pieces):
            whole = _VERSION.search(piece) is not None
            if not whole and "in" not in options:
                raise ValueError(f"{PAGE.name}:{line}: a fragment without a place: write ```yaml in=PLACE")
            found.append(Example(
                line + number, piece if whole else within(options["in"], piece), tuple(runs),
                options.get("refused", ""), options.get("warns", ""), options.get("file", ""),
            ))  # fmt: skip
    return found


def _pieces(text: str) -> Iterator[str]:
    """The lines at the margin, each with those below it that are indented."""
    piece = ""
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith((" ", "#", "-", "]", "}")) and piece.strip():
            yield piece
            piece = ""
        piece += line
    yield piece


# --- the file around a fragment. A line of it gives way to one of the fragment that says the same keyword.

_UNIT: Final = "call: shop.act\n"
_ROOT: Final = """\
naftiko: 1.0.0-alpha2
binds:
- namespace: env
  keys: {TOKEN: TOKEN, USER: USER, PASS: PASS, KEY: KEY, ID: ID, SECRET: SECRET, CERT: CERT, CERT_KEY: CERT_KEY, CA: CA}
  defaults: {CERT: '', CERT_KEY: '', CA: ''}
"""
_API: Final = "namespace: shop\nbaseUri: https://api.shop.example\n"
_RESOURCE: Final = "name: orders\npath: /orders/{id}\n"
_OPERATION: Final = "name: act\nmethod: POST\ninputParameters: [{name: X-Lang, in: header, type: string}]\n"
_TOOL: Final = "name: act\ndescription: Do it.\n" + _UNIT
_MCP: Final = "type: mcp\nnamespace: shop-mcp\nport: 9090\n"
_REST: Final = "type: rest\nnamespace: shop-rest\nport: 8080\n"
_ROUTE: Final = "path: /v1/orders/{id}\n"
_REST_UNIT: Final = "method: POST\nname: act\n" + _UNIT
_AGENTS: Final = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
  - {from: ./shared/shop.yaml, import: shop}
  - {from: ./shared/reports.yaml, import: reports}
  exposes:
  - type: mcp
    namespace: shop-mcp
    port: 9090
"""
_FLOW: Final = "    tools:\n    - name: act\n      description: Do it.\n"
PLACES: Final = (
    "file",
    "capability",
    "api",
    "resource",
    "operation",
    "rest",
    "route",
    "rest-operation",
    "mcp",
    "tool",
    "agents",
    "flow",
)


def within(place: str, fragment: str) -> str:
    """A whole file with the fragment at a place of it."""
    if place not in PLACES:
        raise ValueError(f"'{place}' is no place for an example; they are {', '.join(PLACES)}")

    def at(here: str, lines: str, *below: tuple[str, str]) -> str:
        """The mapping at a place: its lines, the fragment if it goes there, and what is below it."""
        told = fragment if place == here else ""
        keys = {line.partition(":")[0] for line in told.splitlines() if line[:1].isalpha()}
        kept = "".join(line for line in _groups(lines) if line.partition(":")[0] not in keys)
        if keys & {"steps", "ref", "content"}:
            kept = kept.replace(_UNIT, "")
        return kept + told + "".join(f"{key}:\n{text}" for key, text in below if key not in keys)

    def item(text: str) -> str:
        return "- " + text.replace("\n", "\n  ").rstrip(" ")

    if place == "agents":
        return _AGENTS + "    " + fragment.replace("\n", "\n    ").rstrip(" ")
    if place == "flow":
        return _AGENTS + _FLOW + "      " + fragment.replace("\n", "\n      ").rstrip(" ")
    operation = at("operation", _OPERATION)
    resource = at("resource", _RESOURCE, ("operations", item(operation)))
    consumes = item(at("api", _API, ("resources", item(resource))))
    mcp = at("mcp", _MCP, ("tools", item(at("tool", _TOOL))))
    exposes = item(mcp)
    if place in ("rest", "route", "rest-operation"):
        route = at("route", _ROUTE, ("operations", item(at("rest-operation", _REST_UNIT))))
        exposes = item(at("rest", _REST, ("resources", item(route))))
    below = at("capability", "", ("consumes", consumes), ("exposes", exposes))
    return at("file", _ROOT, ("capability", "  " + below.replace("\n", "\n  ").rstrip(" ")))


def _groups(text: str) -> Iterator[str]:
    """Lines at the margin, each with what belongs to it."""
    group = ""
    for line in text.splitlines(keepends=True):
        if group and line[0].isalpha():
            yield group
            group = ""
        group += line
    if group:
        yield group


# --- a run


@dataclass
class Call:
    """One `$` of a run block and what is said to come of it."""

    command: str
    requests: list[tuple[str, list[str], str]] = field(default_factory=list)  # target, headers, body
    answers: dict[str, str] = field(default_factory=dict)  # by target
    result: str | None = None
    error: str | None = None
    given: list[str] = field(default_factory=list)  # to questions


class _Giving:
    """A conversation whose user gives what the page says."""

    follows = False
    outcome: Outcome = "unknown"

    def __init__(self, given: list[str]) -> None:
        self._given = list(given)

    def change(self) -> AbstractContextManager[None]:
        return nullcontext()

    async def ask(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        answers = [json.loads(self._given.pop(0)) for _ in questions]
        assert [q.fault(answer) for q, answer in zip(questions, answers, strict=True)] == [""] * len(answers)
        return answers

    async def log(self, level: str, text: str) -> None:
        """Nobody listens."""

    async def progress(self, done: int, total: int, step: str) -> None:
        """Nobody follows."""


_HEADER: Final = re.compile(r"[A-Za-z-]+: ")


def calls_of(run: str) -> list[Call]:
    """The calls of a run block."""
    lines = re.sub(r"\n {2}", "\0", run).splitlines()
    found: list[Call] = []
    for line in (text.replace("\0", "\n").strip() for text in lines if text.strip()):
        mark, _, rest = line.partition(" ")
        if mark == "$":
            found.append(Call(rest))
            continue
        call = found[-1]
        match mark:
            case ">" if _HEADER.match(rest):
                call.requests[-1][1].append(rest)
            case ">":
                method, target, *body = rest.split(" ", 2)
                call.requests.append((f"{method} {target}", [], "".join(body)))
            case "<":
                call.answers[call.requests[-1][0]] = rest
            case "=":
                call.result = rest
            case "!":
                call.error = rest
            case "?":
                call.given.append(rest)
            case _:
                raise ValueError(f"'{line}' is nothing that a run block holds")
    return found


def _answer(text: str) -> Raw:
    """`201 text/csv BODY`, where status and media type may be left out."""
    parts = re.fullmatch(r"(?:(\d{3})(?:\s|$))?(?:([a-z]+/[\w.+-]+)\s)?(.*)", text, re.DOTALL)
    assert parts is not None
    status, media_type, body = parts.groups()
    return reply(int(status or 200), body, content_type=media_type or "application/json")


def _by_target(call: Call) -> Callable[[Received], Raw]:
    """Answers each request as the block says of its like; two that run side by side may come in any order."""
    return lambda request: _answer(call.answers.get(f"{request.method} {request.target}", '{"ok": true}'))


def _same(found: bytes | str, said: str) -> bool:
    text = found.decode() if isinstance(found, bytes) else found
    try:
        return bool(json.loads(text) == json.loads(said))
    except ValueError:
        return text.strip() == said.strip()


async def play(file: Path, run: str) -> None:
    """Make the calls of a run block against an upstream that answers as it says, and compare."""
    async with RecordingUpstream() as upstream:
        base_uris = {api: upstream.url + path for api, path in _bases(file).items()}
        capability, _ = plan_file(file, ENVIRON, base_uris)
        async with _served(capability) as generation:
            for call in calls_of(run):
                del upstream.requests[:]
                upstream.always = _by_target(call)
                result, error = await _made(capability, generation, call.command, call.given)
                assert error == call.error, f"{call.command}: {error} {result}"
                _compare_requests(call, upstream.requests)
                if call.result is not None:
                    assert _same(result, call.result), f"{call.command} gives {result}"


def _bases(file: Path) -> dict[str, str]:
    """The paths of the consumed APIs' baseUris."""
    return {api.namespace: urlsplit(api.base_uri.literal or "").path for api in load(file).consumes}


def _compare_requests(call: Call, found: list[Received]) -> None:
    targets = [f"{r.method} {r.target}" for r in found]
    assert sorted(targets) == sorted(target for target, _, _ in call.requests), call.command
    for target, headers, body in call.requests:
        request = found[targets.index(target)]
        for header in headers:
            name, _, value = header.partition(": ")
            assert request.header(name) == value, f"{target}: {name}: {request.header(name)}"
        assert not body or _same(request.body, body), f"{target}: {request.body!r}"


@asynccontextmanager
async def _served(capability: CapabilityPlan) -> Any:
    site, _ = join_plans([capability])
    generation = Generation(site, QUICK, {port.port: _DOOR for port in site.ports})
    generation.open_doors({})
    try:
        yield generation
    finally:
        await generation.retire(1.0)


async def _made(
    capability: CapabilityPlan, generation: Generation, command: str, given: list[str]
) -> tuple[str, str | None]:
    """What a call gives, and the code of its error."""
    words = shlex.split(command)
    if words[0].isupper():
        method, target, *body = command.split(" ", 2)
        return await _through_rest(generation, method, target, "".join(body))
    if words[0] in ("read", "prompt"):
        return await _offered(generation, *words)
    unit = next(unit for unit in capability.units if unit.name == words[0])
    schemas = {item.name: item.schema for item in unit.inputs}
    try:
        arguments = dict(_argument(word, schemas) for word in words[1:])
        answer = await generation.live[id(unit)].call(arguments, _Giving(given) if given else None)
    except CallError as error:
        return error.message, error.code
    return await _shown(answer), None


async def _through_rest(generation: Generation, method: str, target: str, body: str) -> tuple[str, str | None]:
    (door,) = [generation.doors[port.port] for port in generation.site.ports if port.has_rest]
    headers = {"content-type": "application/json"} if body else {}
    transport = httpx2.ASGITransport(app=door)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.request(method, target, content=body, headers=headers)
    return answer.text, answer.json()["code"] if answer.status_code >= 400 else None


async def _offered(generation: Generation, verb: str, name: str, *words: str) -> tuple[str, str | None]:
    """What an MCP client reads, or is given as a prompt."""
    (offer,) = [offer for port in generation.site.ports for path, offer in port.endpoints if path == "/mcp"]
    live = LiveOffer(offer, generation.live, 100)
    try:
        if verb == "read":
            read = await live.read_resource(name, 1024**2, "2025-11-25")
            return "".join(getattr(content, "text", "") for content in read.contents), None
        given = await live.get_prompt(
            name, {key: value for key, _, value in (w.partition("=") for w in words)}, 1024**2
        )
    except MCPError as error:
        return error.message, error.error.data["code"]
    return "\n".join(f"{m.role}: {getattr(m.content, 'text', '')}".strip() for m in given.messages), None


def _argument(word: str, schemas: Mapping[str, Mapping[str, Any]]) -> tuple[str, Any]:
    name, _, value = word.partition("=")
    if name.endswith(":"):
        return name[:-1], json.loads(value)
    return name, reader_of(schemas.get(name, {}))(value)


async def _shown(answer: Answer) -> str:
    """An answer as `capstan call` prints it."""
    if answer.response is not None:
        body = await answer.response.read(1024**2)
        answer.response.close()
        if body:
            return body.decode()
    elif not answer.empty:
        return json.dumps(answer.value, ensure_ascii=False)
    return json.dumps({"status": answer.status, **dict(answer.headers)})
