"""What the author wrote, as frozen classes: the spellings of every family folded into one.

Nothing here is resolved: a `call` is still two names, a `{{KEY}}` still a hole. Everything an error message may need
to point at keeps its Place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from capstan.load.document import Place
from capstan.load.expression import PathTemplate, Template
from capstan.load.jsonpath import JsonPath

Where = Literal["path", "query", "header", "cookie", "body", "environment"]
Effect = Literal["read", "write", "money", "irreversible"]
Encoding = Literal["none", "xml", "sparql"]


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
    """A consumed API or a bind that stands in another file."""

    section: Literal["consumes", "binds"]
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
class ConsumedOperation:
    name: str
    method: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    auth: Auth | None  # overrides the API's when present
    effect: Effect | None
    path: PathTemplate
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
    max_length: int | None = None
    required: bool = False
    description: str = ""
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class WithEntry:
    name: str
    value: Any  # a string as written, a constant, or data
    at: Place = _at()


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a unit that makes several; with `when`, only where that input is given."""

    name: str
    call: str
    with_: tuple[WithEntry, ...]
    when: str | None
    at: Place = _at()
    call_at: Place = _at()


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
    refused: bool = False  # a problem is told already; what follows from it is noise
    at: Place = _at()
    call_at: Place | None = _at()


@dataclass(frozen=True, slots=True)
class RestOperation:
    method: str
    path: PathTemplate
    path_parameters: tuple[str, ...]
    tags: tuple[str, ...]
    unit: Unit
    path_at: Place = _at()


@dataclass(frozen=True, slots=True)
class RestAdapter:
    namespace: str
    port: int
    address: str | None
    description: str
    operations: tuple[RestOperation, ...]
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
class McpAdapter:
    namespace: str
    port: int | None  # None: transport stdio
    address: str | None
    description: str
    tools: tuple[McpTool, ...]
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
    imports: tuple[Import, ...] = ()
    sources: tuple[str, ...] = ()  # the further files it was put together from
    is_parts: bool = False  # the file has no `capability`; it is there for others to take from
    at: Place = _at()
