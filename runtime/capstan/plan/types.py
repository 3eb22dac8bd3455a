"""What will happen on a request: frozen objects whose every choice was made at load.

Nothing here reads a keyword, a schema or a template text. `bind` turns arguments into one HTTP request.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from capstan.errors import BindError
from capstan.load.condition import Condition
from capstan.load.document import Place
from capstan.load.model import Effect, Hints, Where
from capstan.load.schema import Checker
from capstan.load.uri import UriTemplate
from capstan.plan.auth import AuthPlan
from capstan.plan.body import BodyPlan
from capstan.plan.decode import Decoder, Passing
from capstan.plan.flow import AssertPlan, Declared, FlowAnswer, ForeachPlan, LookupPlan, ScriptRun
from capstan.plan.responses import Replies
from capstan.plan.shape import Shape, Whole
from capstan.plan.values import ABSENT, Arguments, Constant, FromInput, Pair, Secret, Source, fill_pairs, to_text

FORBIDDEN_IN_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 3986: unreserved characters, which need no encoding anywhere.
_UNRESERVED: Final = "-._~"
_GRAVITY: Final[tuple[Effect, ...]] = ("read", "write", "money", "irreversible")
_COOKIE_SAFE: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, ready to send. `url` is encoded already and must not be touched again."""

    method: str
    url: str = field(repr=False)  # here, too, credentials may stand
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | AsyncIterable[bytes] | None = field(repr=False)  # what streams goes once and never again


@dataclass(frozen=True, slots=True)
class PathSegment:
    """One segment of a path that holds at least one value."""

    parts: tuple[str | Source, ...]

    def fill(self, arguments: Arguments) -> str:
        text = "".join(part if isinstance(part, str) else _encode_segment(part, arguments) for part in self.parts)
        if text in ("", ".", ".."):
            raise BindError("bad-argument", f"'{text}' cannot stand for a segment of a path", argument=self._name())
        return text

    def _name(self) -> str:
        return next((name for part in self.parts if (name := getattr(part, "name", ""))), "")


def _host(source: Source, arguments: Arguments) -> str:
    """A part of the origin: one of the texts its author listed."""
    value = source.get(arguments)
    name = getattr(source, "name", "")
    if value is ABSENT or value is None:
        raise BindError("missing-argument", f"'{name}' is missing: it says which host to call", argument=name)
    return to_text(value)


def _encode_segment(source: Source, arguments: Arguments) -> str:
    value = source.get(arguments)
    name = getattr(source, "name", "")
    if value is ABSENT or value is None or value == "":
        raise BindError("missing-argument", f"'{name}' is missing: the path needs it", argument=name)
    return _encode_value(value, source)


def _encode_value(value: Any, source: Source) -> str:
    name = getattr(source, "name", "")
    return _percent(",".join(_items(value, name)) if isinstance(value, list) else to_text(value), name)


def _items(value: list[Any], name: str) -> list[str]:
    texts = [to_text(item) for item in value]
    if any("," in text for text in texts):
        raise BindError("bad-argument", f"an item of '{name}' holds a comma, which would make two of it", argument=name)
    return texts


def _percent(text: str, name: str, safe: str = _UNRESERVED) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        raise BindError("bad-argument", f"'{name}' holds text that is not Unicode", argument=name) from error


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A query parameter, header or cookie that is filled per call."""

    name: str
    source: Source

    def texts(self, arguments: Arguments, *, one_line: bool = False) -> list[str]:
        """The value's texts, several for an array; with `one_line`, for a place that puts commas between them."""
        value = self.source.get(arguments)
        if value is ABSENT or value is None:
            return []
        if isinstance(value, list):
            return _items(value, self.argument) if one_line else [to_text(item) for item in value]
        return [to_text(value)]

    @property
    def cookie_safe(self) -> str:
        """What a cookie holds as it is. A value of the file's own may be encoded already, as browsers show it."""
        return _COOKIE_SAFE + "%" if isinstance(self.source, Constant) else _COOKIE_SAFE

    @property
    def argument(self) -> str:
        return getattr(self.source, "name", "") or self.name


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """Arguments -> HttpRequest."""

    method: str
    origin: tuple[str | Source, ...]  # https://host/base, without a trailing slash
    path: tuple[str | PathSegment, ...]
    query_text: tuple[Pair, ...]  # a query written in the path, encoded but for its values
    query: tuple[NamedValue, ...]
    fixed_headers: tuple[tuple[str, str | Secret], ...]
    headers: tuple[NamedValue, ...]
    cookies: tuple[NamedValue, ...]
    body: BodyPlan | None

    def bind(self, arguments: Arguments) -> HttpRequest:
        """Put every value into its place, encoded for it.

        Raises:
            BindError: a value cannot stand where it belongs.
        """
        url = "".join(part if isinstance(part, str) else _host(part, arguments) for part in self.origin)
        for segment in self.path:
            url += segment if isinstance(segment, str) else "/" + segment.fill(arguments)
        query = fill_pairs(self.query_text, arguments, _encode_value)
        for parameter in self.query:
            for text in parameter.texts(arguments):
                query += f"&{quote(parameter.name, safe=_UNRESERVED)}={_percent(text, parameter.argument)}"
        if query:
            url += "?" + query.removeprefix("&")
        headers = [(name, value if isinstance(value, str) else value.reveal()) for name, value in self.fixed_headers]
        for parameter in self.headers:
            if texts := parameter.texts(arguments, one_line=True):
                headers.append((parameter.name, _header_value(", ".join(texts), parameter.argument)))
        if self.cookies:
            pairs = [
                f"{parameter.name}={_percent(text, parameter.argument, parameter.cookie_safe)}"
                for parameter in self.cookies
                for text in parameter.texts(arguments)
            ]
            if pairs:
                headers.append(("Cookie", "; ".join(pairs)))
        body = None
        if self.body is not None and (encoded := self.body.encode(arguments)) is not None:
            body, media_type = encoded
            if not any(name.lower() == "content-type" for name, _ in headers):
                headers.append(("Content-Type", media_type))
        return HttpRequest(self.method, url, tuple(headers), body)


def _header_value(text: str, name: str) -> str:
    if FORBIDDEN_IN_HEADER.search(text):
        message = f"'{name}' holds a line break or another control character, which a header cannot"
        raise BindError("bad-argument", message, argument=name)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BindError("bad-argument", f"'{name}' holds text that is not Unicode", argument=name) from error
    return text.strip(" \t")


@dataclass(frozen=True, slots=True)
class Input:
    """One argument of a unit, as its callers see it."""

    name: str
    where: Where  # its place in a REST request; MCP has one place for all
    schema: Mapping[str, Any]
    required: bool
    default: Any = ABSENT
    whole_body: bool = False
    body_path: tuple[str, ...] = ()  # where in a REST body it stands, if not under its own name


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """A consumed API: what its connections need."""

    namespace: str
    auth: AuthPlan | None
    tls: TlsPlan | None


@dataclass(frozen=True, slots=True)
class TlsPlan:
    client_certificate: str | None
    client_key: str | None
    client_key_password: Secret | None
    ca_bundle: str | None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One request to one API."""

    operation: str
    api: ApiPlan
    request: RequestPlan
    effect: Effect
    idempotency_header: str | None
    decoder: Decoder | None = None  # None: JSON
    passing: Passing | None = None  # where something is said of what is passed on


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step of a flow."""

    name: str
    does: CallPlan | LookupPlan | AssertPlan | ScriptRun
    after: tuple[str, ...]  # the steps that must have ended before
    when: Condition | None
    foreach: ForeachPlan | None
    declared: Declared | None  # outputs of the operation's own
    early: bool  # its request hangs on the caller's arguments alone

    @property
    def effect(self) -> Effect:
        return self.does.effect if isinstance(self.does, CallPlan) else "read"


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """Several steps that make one call."""

    steps: tuple[StepPlan, ...]
    answer: FlowAnswer
    asked: tuple[str, ...]  # inputs of which at least one must be given, where every call has a condition

    @property
    def calls(self) -> tuple[CallPlan, ...]:
        return tuple(step.does for step in self.steps if isinstance(step.does, CallPlan))


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """An operation or tool, ready to call from any door."""

    name: str
    title: str | None
    description: str
    inputs: tuple[Input, ...]
    input_schema: Mapping[str, Any]
    checker: Checker = field(repr=False, compare=False)
    call: CallPlan | None  # None: the answer is static
    shape: Shape
    output_schema: Mapping[str, Any] | None
    flow: FlowPlan | None = None  # instead of the one call

    @property
    def is_mapped(self) -> bool:
        """Whether its answer is made here, as JSON; else it is the consumed API's own, passed on."""
        return self.call is None or self.call.decoder is not None or not isinstance(self.shape, Whole)

    @property
    def media_type(self) -> str | None:
        """What the file says that its answer is, where the answer does not say."""
        return self.call.passing.media_type if self.call is not None and self.call.passing is not None else None

    @property
    def calls(self) -> tuple[CallPlan, ...]:
        if self.call is not None:
            return (self.call,)
        return self.flow.calls if self.flow is not None else ()

    @property
    def effect(self) -> Effect:
        """What its calls do; the gravest counts."""
        return max((call.effect for call in self.calls), key=_GRAVITY.index, default="read")


@dataclass(frozen=True, slots=True)
class RouteSegment:
    """One segment of a route: literal text, or variables with text around them (`""` when there is none)."""

    literal: str | None
    inputs: tuple[str, ...] = ()  # the inputs that its variables fill, in order
    pattern: str = ""

    @property
    def key(self) -> str:
        """What two segments that match the same requests have in common."""
        return f"={self.literal}" if self.literal is not None else f"~{self.pattern}"


@dataclass(frozen=True, slots=True)
class RestOperationPlan:
    method: str
    path: str
    segments: tuple[RouteSegment, ...]
    tags: tuple[str, ...]
    unit: UnitPlan
    replies: Replies | None  # None: answers are sent as they come
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """A path whose requests are passed through to a consumed API."""

    path: str
    prefix: tuple[str, ...]  # the literal segments of the path
    takes_rest: bool  # `{path}` stands after them, for all segments that are left
    taken: frozenset[str]  # methods of this path that operations serve
    trusted: tuple[str, ...]  # request headers that go along
    call: CallPlan  # what every request has: origin, credentials and fixed values
    guarded: bool  # a 401 is about our credentials, and none that callers give
    header_defaults: tuple[tuple[str, str], ...]  # where a caller gives none
    query_defaults: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    description: str
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RestPlan:
    namespace: str
    address: str | None
    port: int
    title: str
    version: str | None
    description: str
    operations: tuple[RestOperationPlan, ...]
    at: Place = field(repr=False, compare=False)
    forwards: tuple[ForwardPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolPlan:
    name: str
    claim: str  # namespace of the API behind it, for names that are taken twice
    hints: Hints | None
    unit: UnitPlan
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The files of a folder, each a resource."""

    path: Path
    max_binary_bytes: int | None = None  # of a file that is no text


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    name: str
    title: str | None
    description: str
    uri: UriTemplate
    mime_type: str | None
    binary: bool
    source: UnitPlan | FolderPlan
    slots: tuple[tuple[str, str], ...]  # variable of the URI, and the input it fills
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PromptArgumentPlan:
    name: str
    title: str | None
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class MessageCallPlan:
    """A message that is what a unit answers."""

    unit: UnitPlan
    slots: tuple[tuple[str, str], ...]  # argument of the prompt, and the input it fills


@dataclass(frozen=True, slots=True)
class MessagePlan:
    role: Literal["user", "assistant"]
    content: tuple[str | FromInput, ...] | MessageCallPlan


@dataclass(frozen=True, slots=True)
class PromptPlan:
    name: str
    claim: str  # namespace of the adapter, for names that are taken twice
    title: str | None
    description: str
    arguments: tuple[PromptArgumentPlan, ...]
    messages: tuple[MessagePlan, ...]
    file: str | None  # where its text was read
    at: Place = field(repr=False, compare=False)

    @property
    def units(self) -> tuple[UnitPlan, ...]:
        return tuple(m.content.unit for m in self.messages if isinstance(m.content, MessageCallPlan))


@dataclass(frozen=True, slots=True)
class McpPlan:
    namespace: str
    address: str | None
    port: int | None
    title: str
    description: str
    tools: tuple[ToolPlan, ...]
    resources: tuple[ResourcePlan, ...]
    prompts: tuple[PromptPlan, ...]
    at: Place = field(repr=False, compare=False)

    @property
    def units(self) -> tuple[UnitPlan, ...]:
        resources = tuple(r.source for r in self.resources if isinstance(r.source, UnitPlan))
        prompts = tuple(unit for prompt in self.prompts for unit in prompt.units)
        return tuple(tool.unit for tool in self.tools) + resources + prompts


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """A port for operators, and the adapters it tells of: type, namespace, port."""

    port: int
    address: str | None
    adapters: tuple[tuple[str, str, int | None], ...]
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CapabilityPlan:
    """One file, ready to serve."""

    file: str
    sources: tuple[str, ...]  # the further files it was put together from
    title: str
    description: str
    apis: tuple[ApiPlan, ...]
    rest: tuple[RestPlan, ...]
    mcp: tuple[McpPlan, ...]
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    control: ControlPlan | None = None

    @property
    def units(self) -> tuple[UnitPlan, ...]:
        rest = tuple(operation.unit for adapter in self.rest for operation in adapter.operations)
        return rest + tuple(unit for adapter in self.mcp for unit in adapter.units)
