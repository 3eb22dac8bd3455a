"""What an exposed operation or tool does: one call, or steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from capstan.load.condition import Condition
from capstan.load.document import Place
from capstan.load.expression import Template
from capstan.load.model.common import Output, Parameter, WithEntry, place
from capstan.load.model.content import Block


@dataclass(frozen=True, slots=True)
class CallStep:
    call: str
    with_: tuple[WithEntry, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class LookupStep:
    """Entries of an earlier answer, found by the value of a field."""

    index: str
    match: str
    value: Any  # as an entry of `with`
    fields: tuple[str, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class AssertStep:
    """What must hold before anything further is called."""

    condition: Condition
    message: Template
    at: Place = place()


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """A script of a file beside the capability, after those it depends on."""

    name: str
    file: str
    language: str | None  # None: as the control adapter says
    location: str | None  # the same
    dependencies: tuple[str, ...]
    with_: tuple[WithEntry, ...]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class AskStep:
    """A question to the user of the client; what it asks for is a flat object."""

    message: Template
    schema: Mapping[str, Any]
    at: Place = place()


@dataclass(frozen=True, slots=True)
class LogStep:
    """What the client is told while the call is under way."""

    message: Template
    level: str
    at: Place = place()


Action = CallStep | LookupStep | AssertStep | ScriptStep | AskStep | LogStep


@dataclass(frozen=True, slots=True)
class Foreach:
    """A step that runs once for every item of a list."""

    items: Any  # as an entry of `with`
    name: str  # what an item is called
    concurrency: int | None
    max_items: int
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a unit. Steps of one `group` stand in one `parallel` and do not wait for each other."""

    name: str
    does: Action
    when: Condition | None = None
    foreach: Foreach | None = None
    group: int | None = None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Mapped:
    """A value of the answer, and where in it: `a.b` stands inside an object."""

    target: tuple[str, ...]
    value: Any  # as an entry of `with`
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Semantics:
    """What calling a function does, as its author says it."""

    safe: bool | None
    idempotent: bool | None
    cacheable: bool | None
    at: Place = place()


@dataclass(frozen=True, slots=True)
class Ref:
    """`namespace.function` of an aggregate."""

    name: str
    at: Place = place()


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
    scopes: tuple[str, ...] = ()  # further namespaces of the inputs: the aggregate's, the one before an alias
    semantics: Semantics | None = None
    tags: tuple[str, ...] = ()
    media_type: str | None = None  # of the answer, where the answer does not say
    input_schema: Mapping[str, Any] | None = None  # of a tool: the whole of it, as it is written
    content: tuple[Block, ...] = ()  # of a tool: what it answers, in the blocks of the protocol
    is_error: bool = False  # of a tool with content: it is told as an error
    refused: bool = False  # a problem is told already; what follows from it is noise
    at: Place = place()
    call_at: Place | None = place()


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Functions of one domain: units that nothing exposes by itself."""

    namespace: str
    functions: tuple[Unit, ...]
    refused: bool = False  # as of a Unit: references to it are not their authors' fault
    at: Place = place()

    @property
    def function_names(self) -> tuple[str, ...]:
        """What a `ref` says for each of them."""
        return tuple(f"{self.namespace}.{function.name}" for function in self.functions)
