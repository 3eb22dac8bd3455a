"""Tree -> model. The last module to see a raw mapping: every spelling of a family is folded here, once.

The document has passed the schema, so shapes are as expected; what is checked here is what a schema cannot say of a
single place. What this version does not run yet is refused here by name, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.aggregates import parse_aggregate, parse_ref
from capstan.load.answer import parse_answer_format, parse_size
from capstan.load.auth import parse_auth, parse_tls
from capstan.load.body import parse_body
from capstan.load.content import parse_tool_content
from capstan.load.control import parse_control
from capstan.load.document import Document
from capstan.load.expression import PathTemplate, Template, parse_braces, parse_path, parse_route
from capstan.load.forward import parse_forward
from capstan.load.input_schema import parse_input_schema
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.mcp import parse_prompts, parse_resources
from capstan.load.mcp_live import parse_keeping
from capstan.load.node import Node, Reader
from capstan.load.output import parse_outputs
from capstan.load.parameters import parse_parameters, parse_types, refuse_headers
from capstan.load.responses import parse_responses
from capstan.load.schema import suggest
from capstan.load.select import parse_select
from capstan.load.steps import parse_mappings, parse_steps, parse_with

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_PARTS: Final = frozenset({"consumes", "binds", "types", "aggregates", "exposes"})  # what a file has for others
_NO_HOST: Final = re.compile(r"https?://($|[:/])", re.IGNORECASE)


def parse_capability(document: Document) -> tuple[model.Capability, list[Problem]]:
    """A document that passed the schema -> the model, and what is wrong with it.

    With problems the model is not to be run; it serves to find further ones.
    """
    parser = _Parser(document)
    capability = parser.capability()
    others = [reader for reader in parser.family.readers.values() if reader is not None and reader is not parser]
    further = [problem for reader in others for problem in reader.problems]
    return capability, [*parser.problems, *parser.family.problems, *further]


@dataclass(slots=True)
class _Sections:
    """The sections of a file while they are being read."""

    binds: list[model.Bind] = field(default_factory=list)
    consumes: list[model.ConsumedApi] = field(default_factory=list)
    aggregates: list[model.Aggregate] = field(default_factory=list)
    exposes: list[model.Adapter] = field(default_factory=list)
    controls: list[model.ControlAdapter] = field(default_factory=list)
    imports: list[model.Import] = field(default_factory=list)


class _Parser(Reader):
    # --- the file

    def capability(self) -> model.Capability:
        root = Node(self, self.document.data, ())
        if "naftiko" in root and "ikanos" in root:
            message = "a file is of one family: 'naftiko' or 'ikanos'"
            self.problem("missing-version", message, root.at("ikanos"), key=True)
        elif "naftiko" not in root and "ikanos" not in root:
            message = "the file must begin with its version: one of 'naftiko' or 'ikanos'"
            self.problem("missing-version", message, root.at(), "for example: naftiko: 1.0.0-alpha2")
        parse_types(root)
        body = root.node("capability")
        if body is None:
            if not self.problems and not _PARTS & root.data.keys():
                self.problem("missing-keyword", "'capability' is missing: nothing is consumed or exposed", root.at())
            body = Node(self, {}, ("capability",))
        info = root.node("info") or Node(self, {}, ("info",))
        found = _Sections()
        for owner in (root, body):
            self.sections(owner, found)
        found.binds += [self.external_reference(node) for node in root.nodes("externalRefs")]
        for further in found.controls[1:]:
            self.problem("second-control", "a file has one control adapter at most", further.at / "type",
                         f"the first is in line {found.controls[0].at.location().line}")  # fmt: skip
        return model.Capability(
            file=self.document.file,
            title=info.text("label", "display", "title", "name") or self.document.file,
            description=info.text("description") or "",
            version=info.text("version"),
            tags=info.texts("tags"),
            binds=tuple(found.binds),
            consumes=tuple(found.consumes),
            exposes=tuple(found.exposes),
            aggregates=tuple(found.aggregates),
            control=found.controls[0] if found.controls else None,
            imports=tuple(found.imports),
            is_parts="capability" not in root,
            sources=tuple(file for file, reader in self.family.readers.items() if reader is not self),
            at=body.at() if "capability" in root else root.at(),
        )

    def sections(self, owner: Node, found: _Sections) -> None:
        """What stands in the sections of the file's root, or of its `capability`."""
        for _, node in self.own("binds", owner, found.imports):
            found.binds.append(self.bind(node))
        for _, node in self.own("consumes", owner, found.imports):
            found.consumes.append(self.consumed_api(node))
        for key, node in self.own("aggregates", owner, found.imports):
            found.aggregates.append(parse_aggregate(key, node, self.plain_unit))
        for _, node in self.own("exposes", owner, found.imports):
            if node.text("type") == "control":
                found.controls.append(parse_control(node))
            elif (adapter := self.adapter(node)) is not None:
                found.exposes.append(adapter)

    def own(self, section: model.Section, owner: Node, imports: list[model.Import]) -> Iterator[tuple[str, Node]]:
        """The items of a section that stand here; those that stand in other files go to `imports`."""
        named = section == "aggregates"  # a map may have them under their namespaces
        for key, node in owner.named(section) if named else (("", node) for node in owner.nodes(section)):
            if (found := self.import_of(section, node, key)) is not None:
                imports.append(found)
            else:
                yield key, node

    def bind(self, node: Node) -> model.Bind:
        self.unsupported(node, "type", "resolution", "uri")
        return self._bind(node, "namespace", node.text("location"))

    def external_reference(self, node: Node) -> model.Bind:
        """The 0.5 spelling of a bind."""
        self.unsupported(node, "location", "namespace")
        resolution = node.text("resolution") or ("file" if "uri" in node else "runtime")
        if resolution not in ("file", "runtime"):
            self.problem("not-supported-yet", f"values from '{resolution}' are not supported yet",
                         node.at("resolution"), "file and runtime are")  # fmt: skip
        return self._bind(node, "name", node.text("uri") if resolution == "file" else None)

    def _bind(self, node: Node, name: str, location: str | None) -> model.Bind:
        namespace = node.text(name)
        if namespace is None:
            self.problem("missing-keyword", f"'{name}' is missing", node.at())
        if location is not None and ":" in location and not location.startswith("file:"):
            scheme = location.partition(":")[0]
            self.problem("not-supported-yet", f"values from '{scheme}:' are not supported yet", node.at("location"),
                         "file:///./name is read, and without a location the environment")  # fmt: skip
        keys: dict[str, str] = {}
        raw = node.data.get("keys")
        if isinstance(raw, dict):
            holder = node.node("keys")
            assert holder is not None
            keys = {key: holder.text(key) or key for key in raw}
        elif isinstance(raw, list):
            keys = {key: key for key in node.texts("keys")}
        return model.Bind(namespace or "", keys, location, self.defaults(node, keys), at=node.at())

    def defaults(self, node: Node, keys: Mapping[str, str]) -> dict[str, str]:
        """The values of variables that are not set."""
        holder = node.node("defaults")
        if holder is None:
            return {}
        for key in holder.data:
            if key not in keys:
                self.problem("unknown-name", f"'{key}' is none of the bind's keys", holder.at(key),
                             suggest(key, keys), key=True)  # fmt: skip
        return {key: holder.text(key) or "" for key in holder.data}

    def import_of(self, section: model.Section, node: Node, key: str = "") -> model.Import | None:
        """What the node takes from another file, if that is what it does."""
        source = node.text("from") or (node.text("location") if "import" in node else None)
        if "import" not in node and "from" not in node:
            return None
        self.unsupported(node, "defaults")  # of what is imported: they stand beside its keys
        name = node.text("import")
        if name is None or source is None:
            missing = "import" if name is None else "from"
            self.problem("missing-keyword", f"'{missing}' is missing", node.at())
        place = node.at("from" if "from" in node else "location" if "location" in node else None)
        return model.Import(section, source or "", name or "", node.text("as") or key or name or "", at=place)

    # --- consumes

    def consumed_api(self, node: Node) -> model.ConsumedApi:
        before = len(self.problems)
        self.unsupported(node, "tunnel", "endpoint", "discovery", "tools")
        if node.text("type") == "mcp":
            self.problem("not-supported-yet", "consuming an MCP server is not supported yet", node.at("type"))
        refused = len(self.problems) > before
        for key in ("namespace", "baseUri"):
            if key not in node:
                self.problem("missing-keyword", f"'{key}' is missing", node.at())
        parameters = parse_parameters(node)
        return model.ConsumedApi(
            namespace=node.text("namespace") or "",
            refused=refused,
            base_uri=self.base_uri(node),
            base_uri_at=node.at("baseUri"),
            parameters=parameters,
            auth=parse_auth(node),
            tls=parse_tls(node),
            resources=tuple(self.consumed_resource(n, item, parameters) for n, item in node.named("resources")),
            at=node.at(),
        )

    def base_uri(self, node: Node) -> Template:
        text = (node.text("baseUri") or "").strip()
        if "baseUri" in node and not text:
            self.problem("empty-base-uri", "baseUri is empty: there is no API to call", node.at("baseUri"),
                         "for example: baseUri: https://api.example.com/v1")  # fmt: skip
        template = parse_braces(text)
        start = template.parts[0] if template.parts else ""
        if isinstance(start, str) and text and not start.lower().startswith(("http://", "https://")):
            self.problem("bad-base-uri", f"baseUri must begin with https:// or http://, not '{text[:40]}'",
                         node.at("baseUri"))  # fmt: skip
        elif _NO_HOST.match(str(template)):
            self.problem("bad-base-uri", "baseUri names no host", node.at("baseUri"))
        literal = "".join(part for part in template.parts if isinstance(part, str))
        if "?" in literal or "#" in literal or "@" in literal.partition("://")[2].partition("/")[0]:
            self.problem("bad-base-uri", "baseUri cannot hold credentials, a query or a fragment", node.at("baseUri"),
                         "use 'authentication' and 'inputParameters'")  # fmt: skip
        if any(c.isspace() or ord(c) < 32 for c in literal):
            self.problem("bad-base-uri", "baseUri cannot hold white space", node.at("baseUri"))
        return template

    def consumed_resource(
        self, name: str, node: Node, inherited: tuple[model.Parameter, ...]
    ) -> model.ConsumedResource:
        parameters = parse_parameters(node)
        operations = (
            self.consumed_operation(n, item, (*inherited, *parameters)) for n, item in node.named("operations")
        )
        return model.ConsumedResource(
            name=name,
            path=node.parse("path", parse_path, PathTemplate(())),
            parameters=parameters,
            operations=tuple(operations),
            at=node.at(),
        )

    def consumed_operation(
        self, name: str, node: Node, inherited: tuple[model.Parameter, ...]
    ) -> model.ConsumedOperation:
        parameters = parse_parameters(node)
        for _, output in node.named("outputParameters"):
            output.parse("value", parse_jsonpath, None)  # of an answer: here it is a path, and no constant
        return model.ConsumedOperation(
            name=name,
            method=self.method(node),
            description=node.text("description") or "",
            parameters=parameters,
            body=parse_body(node, (*inherited, *parameters)),
            auth=parse_auth(node),
            effect=node.data.get("effect"),
            path=node.parse("path", parse_path, PathTemplate(())),
            outputs=parse_outputs(node, "outputParameters"),
            answer=parse_answer_format(node),
            at=node.at(),
        )

    def method(self, node: Node) -> str:
        method = (node.text("method") or "").upper()
        if not method:
            self.problem("missing-keyword", "'method' is missing", node.at())
        elif method not in METHODS:
            self.problem("unknown-value", f"'{method}' is not a method that can be used", node.at("method"),
                         f"known here: {', '.join(METHODS)}")  # fmt: skip
        return method

    # --- exposes

    def adapter(self, node: Node) -> model.Adapter | None:
        kind = node.text("type")
        if kind not in ("rest", "api", "mcp"):
            self.problem("not-supported-yet", f"an adapter of type '{kind}' is not supported yet", node.at("type"),
                         "rest, mcp and control are")  # fmt: skip
            return None
        self.unsupported(node, "authentication")
        if kind == "mcp":
            return self.mcp_adapter(node)
        operations = [
            self.rest_operation(name, item, resource, parse_parameters(resource, exposed=True))
            for _, resource in node.named("resources")
            if self.has_path(resource)
            for name, item in resource.named("operations")
        ]
        return model.RestAdapter(
            namespace=node.text("namespace") or "",
            port=node.data["port"],
            address=node.text("address"),
            description=node.text("description") or "",
            operations=tuple(operations),
            forwards=tuple(f for _, resource in node.named("resources") if (f := parse_forward(resource)) is not None),
            max_binary_bytes=parse_size(node, "maxBinarySize"),
            at=node.at(),
        )

    def has_path(self, node: Node) -> bool:
        if "path" not in node:
            self.problem("missing-keyword", "'path' is missing", node.at())
        return "path" in node

    def rest_operation(
        self, name: str, node: Node, resource: Node, inherited: tuple[model.Parameter, ...]
    ) -> model.RestOperation:
        before = len(self.problems)
        path = resource.parse("path", parse_route, PathTemplate(()))
        refuse_headers(node)
        return model.RestOperation(
            method=self.method(node),
            path=path,
            path_parameters=path.holes,
            tags=node.texts("tags") or resource.texts("tags"),
            responses=parse_responses(node),
            unit=self.unit(name, node, inherited, before),
            path_at=resource.at("path"),
        )

    def mcp_adapter(self, node: Node) -> model.McpAdapter:
        stdio = node.text("transport") == "stdio"
        if not stdio and "port" not in node:
            self.problem("missing-keyword", "'port' is missing", node.at(), "or: transport: stdio")
        for key in ("port", "address") if stdio else ():
            if key in node:
                self.problem("unknown-keyword", f"'{key}' has no meaning over stdio", node.at(key), key=True)
        return model.McpAdapter(
            namespace=node.text("namespace") or "",
            port=None if stdio else node.data.get("port"),
            address=node.text("address"),
            description=node.text("description") or "",
            tools=tuple(self.tool(name, item) for name, item in node.named("tools")),
            resources=parse_resources(node, self.plain_unit),
            prompts=parse_prompts(node, self.plain_unit),
            max_binary_bytes=parse_size(node, "maxBinarySize"),
            keeping=parse_keeping(node),
            select=parse_select(node),
            is_searched=node.text("toolList") == "search",
            fields=node.data.get("fields") is True,
            at=node.at(),
        )

    def tool(self, name: str, node: Node) -> model.McpTool:
        hints = node.node("hints")
        if not name and "ref" not in node:
            self.problem("missing-keyword", "'name' is missing", node.at())
        return model.McpTool(
            hints=model.Hints(
                hints.text("title"),
                *(hints.data.get(key) for key in ("readOnly", "destructive", "idempotent", "openWorld")),
            ) if hints else None,
            unit=parse_tool_content(node, parse_input_schema(node, self.unit(name, node, (), len(self.problems)))),
            tags=node.texts("tags"),
            fields=node.data.get("fields"),
        )  # fmt: skip

    def plain_unit(self, name: str, node: Node) -> model.Unit:
        """The unit behind a resource, a message of a prompt or a function of an aggregate."""
        before = len(self.problems)
        refuse_headers(node)
        return self.unit(name, node, (), before)

    def unit(self, name: str, node: Node, inherited: tuple[model.Parameter, ...], before: int) -> model.Unit:
        """The unit of an operation or tool; `before` counts the problems met before its reading began."""
        ref = parse_ref(node)
        own = parse_parameters(node, exposed=True)
        names = {(p.name, p.where) for p in own}
        with_, outputs = parse_with(node), parse_outputs(node, "outputParameters")
        steps, mappings = parse_steps(node), parse_mappings(node)
        calls = "call" in node and not steps  # else the call is one of the steps
        return model.Unit(
            name=name,
            title=node.text("title", "label", "display"),
            description=node.text("description") or "",
            parameters=(*(p for p in inherited if (p.name, p.where) not in names), *own),
            call=node.text("call") if calls else None,
            with_=with_ if calls or not steps else (),
            outputs=outputs,
            steps=steps,
            mappings=mappings,
            ref=ref,
            refused=len(self.problems) > before,
            at=node.at(),
            call_at=node.at("call") if calls else None,
        )
