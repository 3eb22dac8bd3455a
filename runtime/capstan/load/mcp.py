"""Resources and prompts of an MCP adapter: tree -> model, with every spelling folded into one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from capstan.load import model
from capstan.load.content import check_media_type, encoded, is_base64, parse_blocks
from capstan.load.mcp_completion import ReadUnit, parse_of_argument, parse_of_variables
from capstan.load.mcp_live import parse_keeping, parse_poll
from capstan.load.node import Node
from capstan.load.steps import parse_asked
from capstan.load.uri import UriTemplate, parse_uri

_DYNAMIC: Final = ("call", "with", "steps", "mappings", "outputParameters", "ref")


def parse_resources(adapter: Node, read_unit: ReadUnit) -> tuple[model.McpResource, ...]:
    return tuple(_resource(name, node, read_unit) for name, node in _named(adapter, "resources"))


def parse_prompts(adapter: Node, read_unit: ReadUnit) -> tuple[model.McpPrompt, ...]:
    return tuple(_prompt(name, node, read_unit) for name, node in _named(adapter, "prompts"))


def _named(adapter: Node, key: str) -> Iterator[tuple[str, Node]]:
    """The items of a collection; a name that is missing or taken is told."""
    taken: set[str] = set()
    for name, node in adapter.named(key):
        if not name:
            node.reader.problem("missing-keyword", "'name' is missing", node.at())
        elif name in taken:
            node.reader.problem("duplicate-name", f"the name '{name}' is taken twice in '{key}'", node.at())
        taken.add(name)
        yield name, node


# --- resources


def _resource(name: str, node: Node, read_unit: ReadUnit) -> model.McpResource:
    reader = node.reader
    if "uri" not in node:
        reader.problem("missing-keyword", "'uri' is missing", node.at(), "for example: uri: data://orders/{id}")
    before = len(reader.problems)
    uri = node.parse("uri", parse_uri, UriTemplate(()))
    bad_uri = len(reader.problems) > before
    mime_type = node.text("mimeType")
    check_media_type(node)
    return model.McpResource(
        name=name,
        title=node.text("title", "label", "display"),
        description=node.text("description") or "",
        uri=uri,
        mime_type=mime_type,
        binary=node.data.get("binary") is True,
        source=_source(name, node, uri, read_unit, lost=bad_uri),
        keeping=parse_keeping(node),
        poll_seconds=parse_poll(node),
        completions=parse_of_variables(name, node, uri.holes, read_unit),
        at=node.at(),
        uri_at=node.at("uri"),
    )


def _source(
    name: str, node: Node, uri: UriTemplate, read_unit: ReadUnit, *, lost: bool
) -> model.Unit | model.Written | model.Inline:
    for key in ("text", "blob"):
        if key in node:
            return _inline(node, key)
    return _folder(node, uri) if "location" in node else _of_uri(read_unit(name, node), node, uri, lost=lost)


def _inline(node: Node, key: str) -> model.Inline:
    """What is in a resource, written here."""
    for other in ("blob", "location", "binary", *_DYNAMIC):
        if other in node and other != key:
            message = f"a resource has '{other}' or '{key}', not both"
            node.reader.problem("ambiguous-call", message, node.at(other), key=True)
    if key == "text":
        return model.Inline(node.text(key) or "", at=node.at(key))
    text = encoded(node, key)
    return model.Inline(base64.b64decode(text) if is_base64(text) else b"", at=node.at(key))


def _folder(node: Node, uri: UriTemplate) -> model.Written:
    for key in _DYNAMIC:
        if key in node:
            message = f"a resource has '{key}' or 'location', not both"
            node.reader.problem("ambiguous-call", message, node.at(key), key=True)
    if uri.holes:
        node.reader.problem("bad-expression", "the uri of a folder has no variables", node.at("uri"),
                            "each file below it is a resource of its own")  # fmt: skip
    return _written(node)


def _of_uri(unit: model.Unit, node: Node, uri: UriTemplate, *, lost: bool) -> model.Unit:
    given = [model.Parameter(n, None, {"type": "string"}, True, at=node.at("uri")) for n in uri.holes]
    return replace(unit, given=tuple(given), refused=unit.refused or lost)


def _written(node: Node) -> model.Written:
    text = node.text("location") or ""
    if not text.lower().startswith("file:"):
        node.reader.problem("wrong-form", f"a location begins with file:///, not '{text[:40]}'", node.at("location"),
                            "file:///./docs is relative to this file")  # fmt: skip
    return model.Written(text, at=node.at("location"))


# --- prompts


def _prompt(name: str, node: Node, read_unit: ReadUnit) -> model.McpPrompt:
    reader = node.reader
    forms = [key for key in ("template", "messages", "location") if key in node]
    if not forms:
        message = "a prompt needs a 'template', 'messages' or a 'location'"
        reader.problem("missing-keyword", message, node.at())
    for key in forms[1:]:
        reader.problem("ambiguous-call", f"a prompt has '{forms[0]}' or '{key}', not both", node.at(key), key=True)
    # The text of the specification has `messages` and asks for nothing; its schema has `template` and asks for all.
    arguments = tuple(_arguments(name, node, read_unit, required="messages" not in node))
    messages: tuple[model.PromptMessage, ...] | model.Written = ()
    given = tuple(model.Parameter(a.name, None, {"type": "string"}, a.required, at=a.at) for a in arguments)
    asks = _asks(name, node, given)
    if forms[:1] == ["location"]:
        messages = _written(node)
    elif forms:
        given = (*given, *(asked_parameters(asks) if asks is not None else ()))
        messages = tuple(_message(name, n, given, read_unit) for n in node.nodes(forms[0]))
    return model.McpPrompt(
        name, node.text("title", "label", "display"), node.text("description") or "", arguments, messages, asks,
        at=node.at(),
    )  # fmt: skip


def _asks(name: str, node: Node, given: tuple[model.Parameter, ...]) -> model.Unit | None:
    """What is asked before the messages, as a unit that answers with all answers by the names of the questions."""
    before = len(node.reader.problems)
    steps = parse_asked(node)
    if not steps:
        return None
    mappings = tuple(model.Mapped((step.name,), f"$.{step.name}", at=step.at) for step in steps)
    return model.Unit(
        name, None, name, (), None, (), (), steps, given, mappings,
        refused=len(node.reader.problems) > before, at=node.at("inputs"), call_at=None,
    )  # fmt: skip


def asked_parameters(asks: model.Unit) -> list[model.Parameter]:
    """Each field of the answers as an argument of the messages: `confirm.reason`."""
    found: list[model.Parameter] = []
    for step in asks.steps:
        if isinstance(step.does, model.AskStep):
            required = step.does.schema.get("required", ()) if step.when is None else ()
            for field in step.does.schema["properties"]:
                name = f"{step.name}.{field}"
                found.append(model.Parameter(name, None, {"type": "string"}, field in required, at=step.at))
    return found


def _arguments(name_of: str, prompt: Node, read_unit: ReadUnit, *, required: bool) -> Iterator[model.PromptArgument]:
    names = [name for name, _ in prompt.named("arguments")]
    for name, node in _named(prompt, "arguments"):
        said = node.data.get("required")
        yield model.PromptArgument(
            name, node.text("title", "label", "display"), node.text("description") or "",
            said if isinstance(said, bool) else required, node.texts("enum"),
            parse_of_argument(f"{name_of} {name}", node, names, read_unit), at=node.at(),
        )  # fmt: skip


def _message(prompt: str, node: Node, given: tuple[model.Parameter, ...], read_unit: ReadUnit) -> model.PromptMessage:
    role: Any = node.text("role") or "user"
    dynamic = [key for key in _DYNAMIC if key in node]
    if "content" in node:
        for key in dynamic:
            message = f"a message has '{key}' or 'content', not both"
            node.reader.problem("ambiguous-call", message, node.at(key), key=True)
        content = node.data["content"]
        if isinstance(content, (dict, list)):
            return model.PromptMessage(role, parse_blocks(node, "content", templates=False), at=node.at("content"))
        return model.PromptMessage(role, node.text("content") or "", at=node.at("content"))
    if not dynamic:
        node.reader.problem("missing-keyword", "a message needs 'content', a 'call' or 'steps'", node.at())
        return model.PromptMessage(role, "", at=node.at())
    return model.PromptMessage(role, replace(read_unit(prompt, node), given=given), at=node.at())
