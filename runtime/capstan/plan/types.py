"""What will happen on a request: frozen objects whose every choice was made at load.

Nothing here reads a keyword, a schema or a template text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from capstan.load.condition import Condition
from capstan.load.document import Place
from capstan.load.model import Effect, Hints, Keeping, Where
from capstan.load.schema import Checker
from capstan.load.uri import UriTemplate
from capstan.plan.auth import AuthPlan
from capstan.plan.content import BlockPlan, ContentPlan
from capstan.plan.decode import Decoder, Passing
from capstan.plan.flow import AskPlan, AssertPlan, Declared, FlowAnswer, ForeachPlan, LogPlan, LookupPlan, ScriptRun
from capstan.plan.narrow import Narrowing
from capstan.plan.request import RequestPlan
from capstan.plan.responses import Replies
from capstan.plan.shape import Shape, Whole
from capstan.plan.values import ABSENT, FromInput, Secret

_GRAVITY: Final[tuple[Effect, ...]] = ("read", "write", "money", "irreversible")


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
    does: CallPlan | LookupPlan | AssertPlan | ScriptRun | AskPlan | LogPlan
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

    @property
    def asks(self) -> bool:
        """Whether it may ask the client's user something."""
        return any(isinstance(step.does, AskPlan) for step in self.steps)

    @property
    def logs(self) -> bool:
        """Whether it tells the client something while it runs."""
        return any(isinstance(step.does, LogPlan) for step in self.steps)


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
    content: ContentPlan | None = None  # of a tool that says in which blocks it answers
    narrowing: Narrowing | None = None  # where callers may ask for parts of the answer

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

    @property
    def key(self) -> tuple[str, ...]:
        """What paths that match the same requests have in common."""
        return tuple(segment.key for segment in self.segments)


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

    @property
    def key(self) -> tuple[str, ...]:
        """As of an operation."""
        segments = [*map(RouteSegment, self.prefix), *([RouteSegment(None)] if self.takes_rest else [])]
        return tuple(segment.key for segment in segments)


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
    tags: tuple[str, ...] = ()  # its own, and those of its file


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The files of a folder, each a resource."""

    path: Path
    max_binary_bytes: int | None = None  # of a file that is no text


@dataclass(frozen=True, slots=True)
class InlinePlan:
    """What the file says itself: a text, in which variables of the URI may stand, or bytes."""

    content: tuple[str | FromInput, ...] | bytes


@dataclass(frozen=True, slots=True)
class CompletionCall:
    """What a unit answers is offered while an argument is typed."""

    unit: UnitPlan
    slots: tuple[tuple[str, str], ...]  # what is typed so far, by its name, and the input it fills


Completion = tuple[str, ...] | CompletionCall


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    name: str
    title: str | None
    description: str
    uri: UriTemplate
    mime_type: str | None
    binary: bool
    source: UnitPlan | FolderPlan | InlinePlan
    slots: tuple[tuple[str, str], ...]  # variable of the URI, and the input it fills
    keeping: Keeping
    poll_seconds: float | None  # how often it is read for those who are subscribed to it
    completions: tuple[tuple[str, Completion], ...]  # variable of the URI, and what there is to offer for it
    at: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PromptArgumentPlan:
    name: str
    title: str | None
    description: str
    required: bool
    enum: tuple[str, ...] = ()  # of which one must be given; none: any text
    completion: Completion = ()


@dataclass(frozen=True, slots=True)
class MessageCallPlan:
    """A message that is what a unit answers."""

    unit: UnitPlan
    slots: tuple[tuple[str, str], ...]  # argument of the prompt, and the input it fills


@dataclass(frozen=True, slots=True)
class MessagePlan:
    role: Literal["user", "assistant"]
    content: tuple[str | FromInput, ...] | BlockPlan | MessageCallPlan


@dataclass(frozen=True, slots=True)
class PromptPlan:
    name: str
    claim: str  # namespace of the adapter, for names that are taken twice
    title: str | None
    description: str
    arguments: tuple[PromptArgumentPlan, ...]
    messages: tuple[MessagePlan, ...]
    file: str | None  # where its text was read
    asks: MessageCallPlan | None = None  # what is asked before; its answers are arguments too: `confirm.reason`
    at: Place = field(kw_only=True, repr=False, compare=False)

    @property
    def units(self) -> tuple[UnitPlan, ...]:
        asks = () if self.asks is None else (self.asks.unit,)
        return asks + tuple(m.content.unit for m in self.messages if isinstance(m.content, MessageCallPlan))


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
    keeping: Keeping  # of the lists
    at: Place = field(repr=False, compare=False)
    is_searched: bool = False  # three tools are listed in place of all

    @property
    def units(self) -> tuple[UnitPlan, ...]:
        resources = tuple(r.source for r in self.resources if isinstance(r.source, UnitPlan))
        prompts = tuple(unit for prompt in self.prompts for unit in prompt.units)
        return tuple(tool.unit for tool in self.tools) + resources + prompts + self._look_ups()

    def _look_ups(self) -> tuple[UnitPlan, ...]:
        found = [completion for resource in self.resources for _, completion in resource.completions]
        found += [argument.completion for prompt in self.prompts for argument in prompt.arguments]
        return tuple(completion.unit for completion in found if isinstance(completion, CompletionCall))


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
