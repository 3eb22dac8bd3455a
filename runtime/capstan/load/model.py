"""What the author wrote, as frozen classes: the spellings of every family folded into one.

Nothing here is resolved: a `call` is still two names, a `{{KEY}}` still a hole. Everything an error message may need
to point at keeps its Place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from capstan.load.condition import Condition
from capstan.load.document import Place
from capstan.load.expression import PathTemplate, Template
from capstan.load.jsonpath import JsonPath
from capstan.load.uri import UriTemplate

Where = Literal["path", "query", "header", "cookie", "body", "environment"]
Effect = Literal["read", "write", "money", "irreversible"]
Encoding = Literal["none", "xml", "sparql"]
Section = Literal["consumes", "binds", "aggregates", "exposes"]  # what can stand in another file


def _at() -> Any:
    return field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Bind:
    """Variables of one namespace. `keys` maps the name used in the file to the name at the location.

    `defaults` has values for keys that are not there. One with text in it makes its key a setting, not a secret.
    """

    namespace: str
    keys: Mapping[str, str]
    location: str | None  # None: the process environment
    defaults: Mapping[str, str] = field(default_factory=dict)
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Import:
    """What stands in another file: a consumed API, a bind, an aggregate or an adapter."""

    section: Section
    source: str
    name: str
    alias: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input: of a consumed operation, an exposed one or a tool."""

    name: str
    where: Where | None  # None: the file does not say
    schema: Mapping[str, Any]  # JSON Schema of the value, without `default`
    required: bool | None  # None: the file does not say
    value: Any = None  # a constant, or data whose strings are Templates
    default: Any = None
    at: Place = _at()


# --- Bodies: what a consumed operation sends. JSON data holds Templates where strings were.


@dataclass(frozen=True, slots=True)
class JsonBody:
    data: Any
    media_type: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class TextBody:
    """text, xml, sparql and raw: text with holes, and how a value is encoded into a hole."""

    text: Template
    media_type: str
    encoding: Encoding
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class FormBody:
    fields: tuple[tuple[str, Template], ...]
    media_type: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class FormTextBody:
    """A form written as one text; every hole is encoded as a form value."""

    text: Template
    media_type: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    value: Template
    filename: Template | None
    media_type: str | None
    is_base64: bool = False  # the value stands for bytes, and those are sent


@dataclass(frozen=True, slots=True)
class MultipartBody:
    parts: tuple[Part, ...]
    at: Place = _at()


Body = JsonBody | TextBody | FormBody | FormTextBody | MultipartBody


# --- Authentication to the consumed API.


@dataclass(frozen=True, slots=True)
class NoAuth:
    """`type: none`: what an operation says to go without the API's credentials."""

    at: Place = _at()


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: Template
    password: Template
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class DigestAuth:
    username: Template
    password: Template
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class BearerAuth:
    token: Template
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ApiKeyAuth:
    key: str
    value: Template
    placement: Literal["header", "query", "cookie"]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ClientCredentialsAuth:
    """OAuth 2 client credentials."""

    token_uri: Template
    client_id: Template
    client_secret: Template
    scopes: tuple[str, ...]
    audience: str | None
    client_authentication: Literal["basic", "post"]
    at: Place = _at()


Auth = NoAuth | BasicAuth | DigestAuth | BearerAuth | ApiKeyAuth | ClientCredentialsAuth


# --- What is consumed.


@dataclass(frozen=True, slots=True)
class Tls:
    client_certificate: Template | None
    client_key: Template | None
    client_key_password: Template | None
    ca_bundle: Template | None
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What an operation says of its answer."""

    format: str  # json, text, raw and binary: passed on as it is, or read as JSON where something is taken from it
    schema: str | None = None
    media_type: str | None = None
    max_binary_bytes: int | None = None
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ConsumedOperation:
    name: str
    method: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    auth: Auth | None  # overrides the API's when present
    effect: Effect | None
    path: PathTemplate
    outputs: tuple[Output, ...] = ()  # what a step of a flow gives of the answer
    answer: AnswerFormat | None = None  # None: it says nothing
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ConsumedResource:
    name: str
    path: PathTemplate
    parameters: tuple[Parameter, ...]
    operations: tuple[ConsumedOperation, ...]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ConsumedApi:
    namespace: str
    base_uri: Template
    base_uri_at: Place = _at()
    parameters: tuple[Parameter, ...] = ()
    auth: Auth | None = None
    tls: Tls | None = None
    resources: tuple[ConsumedResource, ...] = ()
    refused: bool = False  # as of a Unit: calls of it are not its units' fault
    at: Place = _at()


# --- What is exposed.


@dataclass(frozen=True, slots=True)
class Output:
    """One output parameter, with its nested ones."""

    name: str | None
    type: str | None
    path: JsonPath | None
    constant: Any = None
    has_constant: bool = False
    properties: tuple[Output, ...] | None = None
    items: Output | None = None
    values: Output | None = None  # of an object that is a map: what each value of it is
    enum: tuple[Any, ...] | None = None
    max_length: int | None = None
    required: bool = False
    description: str = ""
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class WithEntry:
    name: str
    value: Any  # a string as written, a constant, or data
    at: Place = _at()


# --- What a unit of several steps does.


@dataclass(frozen=True, slots=True)
class CallStep:
    call: str
    with_: tuple[WithEntry, ...]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class LookupStep:
    """Entries of an earlier answer, found by the value of a field."""

    index: str
    match: str
    value: Any  # as an entry of `with`
    fields: tuple[str, ...]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class AssertStep:
    """What must hold before anything further is called."""

    condition: Condition
    message: Template
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """A script of a file beside the capability, after those it depends on."""

    name: str
    file: str
    language: str | None  # None: as the control adapter says
    location: str | None  # the same
    dependencies: tuple[str, ...]
    with_: tuple[WithEntry, ...]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Foreach:
    """A step that runs once for every item of a list."""

    items: Any  # as an entry of `with`
    name: str  # what an item is called
    concurrency: int | None
    max_items: int
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a unit. Steps of one `group` stand in one `parallel` and do not wait for each other."""

    name: str
    does: CallStep | LookupStep | AssertStep | ScriptStep
    when: Condition | None = None
    foreach: Foreach | None = None
    group: int | None = None
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Mapped:
    """A value of the answer, and where in it: `a.b` stands inside an object."""

    target: tuple[str, ...]
    value: Any  # as an entry of `with`
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Semantics:
    """What calling a function does, as its author says it."""

    safe: bool | None
    idempotent: bool | None
    cacheable: bool | None
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Ref:
    """`namespace.function` of an aggregate."""

    name: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Unit:
    """An exposed operation or tool: inputs, the call or the steps behind it, outputs."""

    name: str
    title: str | None
    description: str
    parameters: tuple[Parameter, ...]
    call: str | None
    with_: tuple[WithEntry, ...]
    outputs: tuple[Output, ...]
    steps: tuple[Step, ...] = ()
    given: tuple[Parameter, ...] = ()  # what comes as text: variables of a resource's URI, arguments of a prompt
    mappings: tuple[Mapped, ...] = ()
    ref: Ref | None = None
    scopes: tuple[str, ...] = ()  # further namespaces that mean the inputs: of the aggregate, and before an alias
    semantics: Semantics | None = None
    tags: tuple[str, ...] = ()
    media_type: str | None = None  # of the answer, where the answer does not say
    refused: bool = False  # a problem is told already; what follows from it is noise
    at: Place = _at()
    call_at: Place | None = _at()


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Functions of one domain: units that nothing exposes by itself."""

    namespace: str
    functions: tuple[Unit, ...]
    refused: bool = False  # as of a Unit: references to it are not their authors' fault
    at: Place = _at()

    @property
    def function_names(self) -> tuple[str, ...]:
        """What a `ref` says for each of them."""
        return tuple(f"{self.namespace}.{function.name}" for function in self.functions)


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of an answer."""

    media_type: str
    binary: bool
    schema: Mapping[str, Any] | None
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Response:
    """One answer that an operation declares."""

    status: str  # `200`, or `2XX`
    description: str
    content: tuple[Content, ...]
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class RestOperation:
    method: str
    path: PathTemplate
    path_parameters: tuple[str, ...]
    tags: tuple[str, ...]
    unit: Unit
    responses: tuple[Response, ...] = ()
    path_at: Place = _at()


@dataclass(frozen=True, slots=True)
class Forward:
    """A path whose requests are passed through to a consumed API."""

    path: PathTemplate
    target: str  # the namespace of the API
    trusted: tuple[str, ...]  # the request headers that go along
    tags: tuple[str, ...]
    description: str
    parameters: tuple[Parameter, ...] = ()  # of a resource that has no operations to use them
    at: Place = _at()
    path_at: Place = _at()


@dataclass(frozen=True, slots=True)
class RestAdapter:
    namespace: str
    port: int
    address: str | None
    description: str
    operations: tuple[RestOperation, ...]
    forwards: tuple[Forward, ...] = ()
    max_binary_bytes: int | None = None
    at: Place = _at()


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


@dataclass(frozen=True, slots=True)
class Written:
    """A path or `file:` URI in the file, and where it stands."""

    text: str
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class McpResource:
    """Data to read: what a unit answers, or the files of a folder."""

    name: str
    title: str | None
    description: str
    uri: UriTemplate
    mime_type: str | None
    binary: bool
    source: Unit | Written
    at: Place = _at()
    uri_at: Place = _at()


@dataclass(frozen=True, slots=True)
class PromptArgument:
    name: str
    title: str | None
    description: str
    required: bool
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message: text with arguments in it, or what a unit answers."""

    role: Literal["user", "assistant"]
    content: str | Unit
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class McpPrompt:
    name: str
    title: str | None
    description: str
    arguments: tuple[PromptArgument, ...]
    messages: tuple[PromptMessage, ...] | Written  # a file is the one message of a user
    at: Place = _at()


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
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Scripting:
    """What a control adapter says of the scripts of its file."""

    enabled: bool
    default_location: str | None
    default_language: str | None
    timeout_ms: int
    statement_limit: int
    allowed_languages: tuple[str, ...]  # none named: all
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class ControlAdapter:
    """The door of operators."""

    port: int
    address: str | None
    health: bool
    scripting: Scripting | None
    at: Place = _at()


Adapter = RestAdapter | McpAdapter


@dataclass(frozen=True, slots=True)
class Capability:
    """One file."""

    file: str
    title: str
    description: str
    version: str | None
    binds: tuple[Bind, ...]
    consumes: tuple[ConsumedApi, ...]
    exposes: tuple[Adapter, ...]
    control: ControlAdapter | None = None
    aggregates: tuple[Aggregate, ...] = ()
    imports: tuple[Import, ...] = ()
    sources: tuple[str, ...] = ()  # the further files it was put together from
    is_parts: bool = False  # the file has no `capability`; it is there for others to take from
    at: Place = _at()
