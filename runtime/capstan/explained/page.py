"""What `explain` says of a plan, as lines for a person: each thing once, none wider than the terminal."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from capstan.explained.limits import inline, input_text
from capstan.explained.once import common_headers, namespace_of, through
from capstan.terminal import bold, dim

_WIDTH: Final = 100  # where nobody says how wide it is
_NARROWEST: Final = 40
_UNIT: Final = "      "
_USUAL: Final = {"Json": "application/json", "Form": "application/x-www-form-urlencoded"}

Told = Mapping[str, Any]


def print_explained(told: Told) -> None:
    """All that `explain` has to say of one file."""
    for line in _Page(told).lines():
        print(line)


class _Page:
    def __init__(self, told: Told) -> None:
        self._told = told
        self._width = max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 24)).columns)
        self._common = common_headers(told)
        self._printed: list[tuple[Any, Any, str]] = []  # what a unit takes, what it does, and what it is called

    def lines(self) -> Iterator[str]:
        yield bold(self._told["title"])
        alike: dict[str, list[str]] = {}
        for namespace, headers in self._common.items():
            alike.setdefault(json.dumps(headers, default=str), []).append(namespace)
        for namespaces in alike.values():
            yield ""
            yield from self._wrapped("", f"Every call to {', '.join(namespaces)} has")
            for key, value in self._common[namespaces[0]].items():
                yield from self._wrapped("  ", f"header {key}: {value}")
        for adapter in self._told["rest"]:
            yield f"\nREST on port {adapter['port']}"
            for operation in adapter["operations"]:
                yield from self._unit(operation["route"], operation, places=True)
            for forward in adapter.get("forwards", ()):
                yield from self._forward(forward)
        for adapter in self._told["mcp"]:
            yield f"\nMCP on {_where(adapter)}{', its tools behind a search' if 'toolList' in adapter else ''}"
            if "ttlMs" in adapter:
                yield f"  lists: {_kept(adapter)}"
            for tool in adapter["tools"]:
                yield from self._unit(tool["tool"], tool)
            for resource in adapter.get("resources", ()):
                yield from self._resource(resource)
            for prompt in adapter.get("prompts", ()):
                yield from self._prompt(prompt)
        for control in self._told.get("control", ()):
            yield f"\nHealth on port {control['port']}: /health/live, /health/ready"

    # --- what is exposed

    def _unit(self, name: str, unit: Told, *, places: bool = False) -> Iterator[str]:
        yield ""
        yield f"  {bold(name)}  {dim(unit['effect'])}"
        yield from self._inside(name, unit, _UNIT, places=places)

    def _inside(self, name: str, unit: Told, indent: str, *, places: bool = False) -> Iterator[str]:
        takes = {key: {**item, "in": None} for key, item in unit["inputs"].items()}
        said = [unit.get("content"), unit.get("isError")]
        does = [unit["call"], unit.get("steps"), unit.get("mappings"), unit["answer"], *said]
        first = next(((seen, known) for seen, did, known in self._printed if did == does), None)
        if first is not None and takes == first[0]:
            yield from self._wrapped(indent, f"the same as {first[1]}")
            return
        for key, item in unit["inputs"].items():
            yield from self._wrapped(indent, f"{key}: {input_text(item, places=places)}")
        if first is not None:
            yield from self._wrapped(indent, f"-> does what {first[1]} does")
            return
        self._printed.append((takes, does, name))
        yield from self._does(unit, indent)
        answer = through(unit["answer"], unit["mappings"]) if "mappings" in unit else unit["answer"]
        if answer != "as it comes":
            yield from self._data(indent, "<- ", answer, long="<- answers with:")

    def _does(self, unit: Told, indent: str) -> Iterator[str]:
        for step in unit.get("steps", ()):
            yield from self._step(step, indent)
        if unit["call"] is not None:
            yield from self._call(unit["call"], indent)
        elif "steps" not in unit:
            yield f"{indent}-> no call: the answer is all in the file"
        for block in unit.get("content", ()):
            yield from self._wrapped(indent, f"<- {'error, ' if unit.get('isError') else ''}{_block(block)}")

    def _forward(self, forward: Told) -> Iterator[str]:
        but = f" but {', '.join(forward['not'])}" if "not" in forward else ""
        yield ""
        yield f"  {bold(forward['route'])}  {dim('forward')}"
        yield from self._wrapped(_UNIT, f"-> any method{but} to {forward['url']}")
        yield from self._wrapped(_UNIT, f"with the caller's headers: {', '.join(forward['trusted']) or 'none'}")

    def _resource(self, resource: Told) -> Iterator[str]:
        yield from self._read(resource)
        if "ttlMs" in resource:
            yield f"{_UNIT}{_kept(resource)}"
        for name, offered in resource.get("complete", {}).items():
            yield from self._offered(name, offered)
        if "poll" in resource:
            yield f"{_UNIT}read every {resource['poll']:g} seconds while somebody is subscribed to it"

    def _offered(self, name: str, offered: Any) -> Iterator[str]:
        if isinstance(offered, list):
            yield from self._wrapped(_UNIT, f"for {name} are offered: {_short(', '.join(offered))}")
        elif offered:
            yield f"{_UNIT}for {name} is offered the answer of this call"
            yield from self._inside(f"what is offered for {name}", offered, _UNIT + "    ")

    def _read(self, resource: Told) -> Iterator[str]:
        if "text" in resource:
            yield ""
            yield f"  {bold(resource['resource'])}  {dim('read')}"
            yield from self._wrapped(_UNIT, f"-> {_short(resource['text'])}")
            return
        if "files" not in resource:
            yield from self._unit(resource["resource"], resource)
            return
        yield ""
        yield f"  {bold(resource['resource'] + '/...')}  {dim('read')}"
        yield from self._wrapped(_UNIT, f"-> the files in {resource['files']}")

    def _prompt(self, prompt: Told) -> Iterator[str]:
        yield ""
        yield f"  {bold(prompt['prompt'])}  {dim('prompt')}"
        for name, argument in prompt["arguments"].items():
            yield f"{_UNIT}{name}: string, {'required' if argument['required'] else 'optional'}"
            yield from self._offered(name, argument.get("complete"))
        for message in prompt["messages"]:
            if "text" in message:
                yield from self._wrapped(_UNIT, f"{message['role']}: {_short(message['text'])}")
            elif "content" in message:
                yield from self._wrapped(_UNIT, f"{message['role']}: {_block(message['content'])}")
            else:
                yield f"{_UNIT}{message['role']}: the answer of this call  {dim(message['effect'])}"
                yield from self._inside(f"the prompt {prompt['prompt']}", message, _UNIT + "    ")

    # --- what is done

    def _step(self, step: Told, indent: str) -> Iterator[str]:
        told = [f"when {step['when']}"] if "when" in step else []
        if (loop := step.get("foreach")) is not None:
            told.append(f"for each of {inline(loop['items'])}, {loop['concurrency']} at a time")
        yield from self._wrapped(indent, f"{', '.join([step['step'], *told])}:")
        indent += "  "
        if "lookup" in step:
            text = f"-> looks up {', '.join(step['lookup'])} in {inline(step['in'])}, where {step['where']}"
            yield from self._wrapped(indent, text)
        elif "assert" in step:
            yield from self._wrapped(indent, f"-> goes on only if {step['assert']}")
            if "message" in step:
                yield from self._wrapped(indent + "   ", f"else: {step['message']}")
        elif "ask" in step:
            yield from self._wrapped(indent, f"-> asks: {step['ask']}")
            if "schema" in step:
                yield from self._wrapped(indent + "   ", f"for {', '.join(step['schema']['properties'])}")
        elif "log" in step:
            yield from self._wrapped(indent, f"-> tells the client ({step['level']}): {step['log']}")
        elif "script" in step:
            yield from self._wrapped(indent, f"-> runs {', '.join(step['script'])} ({step['language']})")
        else:
            yield from self._call(step, indent)

    def _call(self, call: Told, indent: str) -> Iterator[str]:
        yield f"{indent}-> {call['method']} {call['url']}"  # on one line, to be copied
        indent += "   "
        common = self._common.get(namespace_of(call), {})
        for part in ("query", "headers", "cookies"):
            for key, value in call.get(part, {}).items():
                if part != "headers" or common.get(key) != value:
                    yield from self._wrapped(indent, f"{part.rstrip('s')} {key}: {inline(value)}")
        if "body" in call:
            yield from self._body(call["body"], indent)

    def _body(self, body: Told, indent: str) -> Iterator[str]:
        kind = body["kind"]
        media_type = body.get("media_type", _USUAL.get(kind))
        shown = f" ({media_type})" if media_type != _USUAL.get(kind) else ""
        match body:
            case {"source": source}:
                content = source
            case {"parts": [*parts]} if kind == "Text":
                content = "".join(map(inline, parts))
            case {"fields": [*fields]}:
                content = dict(fields)
            case _:
                content = {key: value for key, value in body.items() if key not in ("kind", "media_type")}
        form = "" if kind in ("Json", "Text") else f"{kind.removeprefix('Whole').removesuffix('Text').lower()} "
        yield from self._data(indent, f"body {form}", content, shown)

    # --- lines

    def _wrapped(self, indent: str, text: str) -> list[str]:
        return textwrap.wrap(
            text, self._width, initial_indent=indent, subsequent_indent=indent + "     ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def _data(self, indent: str, lead: str, data: Any, trail: str = "", long: str = "") -> Iterator[str]:
        """Data on one line as JSON; what does not fit there with a line for each member, below `long`."""
        line = f"{indent}{lead}{inline(data)}{trail}"
        if not isinstance(data, (Mapping, list)) or not data or len(line) <= self._width:
            yield from self._wrapped(indent, line.strip())
            return
        if lead:
            yield f"{indent}{long or (lead.rstrip().removesuffix(':') + trail + ':')}"
            indent += "   "
        members = data.items() if isinstance(data, Mapping) else (("-", item) for item in data)
        for key, value in members:
            yield from self._data(indent, "- " if key == "-" else f"{key}: ", value)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else text[:96] + " ..."


def _block(block: Told) -> str:
    """A content block on one line: what it is, and what tells it from others of its kind."""
    fields = {**block, **block.get("resource", {})}
    told = next((str(fields[key]) for key in ("text", "uri", "file", "data") if key in fields), "")
    return f"{block['type']}: {_short(told)}"


def _kept(told: Told) -> str:
    return f"kept by clients for {told['ttlMs']:,} ms, {told['cacheScope']}"


def _where(adapter: Told) -> str:
    if adapter["port"] is None:
        return "stdio"
    return f"port {adapter['port']}, at {' and '.join(adapter['paths'])}"
