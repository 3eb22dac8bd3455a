"""What is consumed: APIs, their operations, the bodies that are sent and the credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from capstan.load.document import Place
from capstan.load.expression import PathTemplate, Template
from capstan.load.model.common import Output, Parameter, place

Effect = Literal["read", "write", "money", "irreversible"]
Encoding = Literal["none", "xml", "sparql"]


# --- Bodies. JSON data holds Templates where strings were.


@dataclass(frozen=True, slots=True)
class JsonBody:
    data: Any
    media_type: str
    at: Place = place()


@dataclass(frozen=True, slots=True)
class TextBody:
    """text, xml, sparql and raw: text with holes, and how a value is encoded into a hole."""

    text: Template
    media_type: str
    encoding: Encoding
    at: Place = place()


@dataclass(frozen=True, slots=True)
class FormBody:
    fields: tuple[tuple[str, Template], ...]
    media_type: str
    at: Place = place()


@dataclass(frozen=True, slots=True)
class FormTextBody:
    """A form written as one text; every hole is encoded as a form value."""

    text: Template
    media_type: str
    at: Place = place()


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
    at: Place = place()


Body = JsonBody | TextBody | FormBody | FormTextBody | MultipartBody


# --- Authentication.


@dataclass(frozen=True, slots=True)
class NoAuth:
    """`type: none`: what an operation says to go without the API's credentials."""

    at: Place = place()


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: Template
    password: Template
    at: Place = place()


@dataclass(frozen=True, slots=True)
class DigestAuth:
    username: Template
    password: Template
    at: Place = place()


@dataclass(frozen=True, slots=True)
class BearerAuth:
    token: Template
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ApiKeyAuth:
    key: str
    value: Template
    placement: Literal["header", "query", "cookie"]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ClientCredentialsAuth:
    """OAuth 2 client credentials."""

    token_uri: Template
    client_id: Template
    client_secret: Template
    scopes: tuple[str, ...]
    audience: str | None
    client_authentication: Literal["basic", "post"]
    at: Place = place()


Auth = NoAuth | BasicAuth | DigestAuth | BearerAuth | ApiKeyAuth | ClientCredentialsAuth


# --- APIs.


@dataclass(frozen=True, slots=True)
class Tls:
    client_certificate: Template | None
    client_key: Template | None
    client_key_password: Template | None
    ca_bundle: Template | None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What an operation says of its answer."""

    format: str  # json, text, raw and binary: passed on as it is, or read as JSON where something is taken from it
    schema: str | None = None
    media_type: str | None = None
    max_binary_bytes: int | None = None
    at: Place = place()


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
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ConsumedResource:
    name: str
    path: PathTemplate
    parameters: tuple[Parameter, ...]
    operations: tuple[ConsumedOperation, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ConsumedApi:
    namespace: str
    base_uri: Template
    base_uri_at: Place = place()
    parameters: tuple[Parameter, ...] = ()
    auth: Auth | None = None
    tls: Tls | None = None
    resources: tuple[ConsumedResource, ...] = ()
    refused: bool = False  # as of a Unit: calls of it are not its units' fault
    at: Place = place()
