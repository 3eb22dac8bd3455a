"""What is exposed: adapters, and what each of them offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from capstan.load.document import Place
from capstan.load.expression import PathTemplate
from capstan.load.model.common import Parameter, Written, place
from capstan.load.model.content import Block, Inline
from capstan.load.model.unit import Unit
from capstan.load.uri import UriTemplate

# --- REST.


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of an answer."""

    media_type: str
    binary: bool
    schema: Mapping[str, Any] | None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Response:
    """One answer that an operation declares."""

    status: str  # `200`, or `2XX`
    description: str
    content: tuple[Content, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class RestOperation:
    method: str
    path: PathTemplate
    path_parameters: tuple[str, ...]
    tags: tuple[str, ...]
    unit: Unit
    responses: tuple[Response, ...] = ()
    path_at: Place = place()


@dataclass(frozen=True, slots=True)
class Forward:
    """A path whose requests are passed through to a consumed API."""

    path: PathTemplate
    target: str  # the namespace of the API
    trusted: tuple[str, ...]  # the request headers that go along
    tags: tuple[str, ...]
    description: str
    parameters: tuple[Parameter, ...] = ()  # of a resource that has no operations to use them
    at: Place = place()
    path_at: Place = place()


@dataclass(frozen=True, slots=True)
class RestAdapter:
    namespace: str
    port: int
    address: str | None
    description: str
    operations: tuple[RestOperation, ...]
    forwards: tuple[Forward, ...] = ()
    max_binary_bytes: int | None = None
    at: Place = place()


# --- MCP.


@dataclass(frozen=True, slots=True)
class Hints:
    title: str | None = None
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


@dataclass(frozen=True, slots=True)
class McpTool:
    hints: Hints | None
    unit: Unit
    tags: tuple[str, ...] = ()
    fields: bool | None = None  # whether callers may ask for parts of the answer; None: as the adapter says


Selector = Literal["name", "tag", "effect"]


@dataclass(frozen=True, slots=True)
class Selecting:
    """One way in which a tool may be selected."""

    kind: Selector
    text: str
    at: Place | None = field(default=None, repr=False, compare=False)  # None: on the command line


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tools an adapter publishes."""

    selectors: tuple[Selecting, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long, and for whom, clients may keep what they were given; these are the protocol's own defaults."""

    ttl_ms: int = 0
    scope: Literal["public", "private"] = "private"


@dataclass(frozen=True, slots=True)
class Completion:
    """What there is to offer while an argument is typed: values written here, or what a unit answers."""

    source: tuple[str, ...] | Unit
    at: Place = place()


@dataclass(frozen=True, slots=True)
class McpResource:
    """Data to read: what a unit answers, the files of a folder, or what is written here."""

    name: str
    title: str | None
    description: str
    uri: UriTemplate
    mime_type: str | None
    binary: bool
    source: Unit | Written | Inline
    keeping: Keeping = Keeping()
    poll_seconds: float | None = None  # how often it is read for those who are subscribed to it
    completions: tuple[tuple[str, Completion], ...] = ()  # of variables of the URI
    at: Place = place()
    uri_at: Place = place()


@dataclass(frozen=True, slots=True)
class PromptArgument:
    name: str
    title: str | None
    description: str
    required: bool
    enum: tuple[str, ...] = ()  # of which one must be given; none: any text
    completion: Completion | None = None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message: text with arguments in it, blocks of the protocol, or what a unit answers."""

    role: Literal["user", "assistant"]
    content: str | tuple[Block, ...] | Unit
    at: Place = place()


@dataclass(frozen=True, slots=True)
class McpPrompt:
    name: str
    title: str | None
    description: str
    arguments: tuple[PromptArgument, ...]
    messages: tuple[PromptMessage, ...] | Written  # a file is the one message of a user
    asks: Unit | None = None  # what is asked before, of steps that ask
    at: Place = place()


@dataclass(frozen=True, slots=True)
class McpAdapter:
    namespace: str
    port: int | None  # None: transport stdio
    address: str | None
    description: str
    tools: tuple[McpTool, ...]
    resources: tuple[McpResource, ...] = ()
    prompts: tuple[McpPrompt, ...] = ()
    max_binary_bytes: int | None = None
    keeping: Keeping = Keeping()  # of the lists
    select: Selection | None = None  # None: all tools
    is_searched: bool = False  # three tools are listed in place of all
    fields: bool = False  # callers may ask for parts of the answers of its tools
    at: Place = place()


Adapter = RestAdapter | McpAdapter


# --- For operators.


@dataclass(frozen=True, slots=True)
class Scripting:
    """What a control adapter says of the scripts of its file."""

    enabled: bool
    default_location: str | None
    default_language: str | None
    timeout_ms: int
    statement_limit: int
    allowed_languages: tuple[str, ...]  # none named: all
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ControlAdapter:
    """The door of operators."""

    port: int
    address: str | None
    health: bool
    scripting: Scripting | None
    at: Place = place()
