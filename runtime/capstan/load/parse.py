"""Tree -> model. The last module to see a raw mapping: every spelling of a family is folded here, once.

The document has passed the schema, so shapes are as expected; what is checked here is what a schema cannot say of a
single place. What this version does not run yet is refused here by name, never skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal, TypeVar

from capstan.errors import LoadError, Problem
from capstan.load import model
from capstan.load.document import Document, Json, Place, Pointer
from capstan.load.expression import (
    ExpressionError,
    JsonPath,
    PathTemplate,
    Template,
    fold,
    map_strings,
    parse_braces,
    parse_json_template,
    parse_jsonpath,
    parse_path,
    parse_route,
    parse_template,
)

T = TypeVar("T")

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_SCHEMA_KEYWORDS: Final = (
    "title", "format", "pattern", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "deprecated",
)  # fmt: skip
_AS_IT_COMES: Final = frozenset({"json", "text", "binary", "raw"})  # formats that ask for no conversion
_MEDIA_TYPES: Final = {"json": "application/json", "text": "text/plain; charset=utf-8", "xml": "application/xml",
                       "sparql": "application/sparql-query", "raw": "application/octet-stream",
                       "formUrlEncoded": "application/x-www-form-urlencoded"}  # fmt: skip


class _Node:
    """A mapping of the document together with where it stands."""

    __slots__ = ("_parser", "data", "pointer")

    def __init__(self, parser: _Parser, data: Mapping[str, Json], pointer: Pointer) -> None:
        self._parser, self.data, self.pointer = parser, data, pointer

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, *keys: str) -> str | None:
        """The first of `keys` that is there, as its author wrote it."""
        for key in keys:
            value = self.data.get(key)
            if isinstance(value, str):
                return value
            if value is not None:
                return self._parser.document.scalar_text((*self.pointer, key))
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.data.get(key) or ()
        scalar_text = self._parser.document.scalar_text
        return tuple(v if isinstance(v, str) else scalar_text((*self.pointer, key, i)) for i, v in enumerate(value))

    def node(self, key: str) -> _Node | None:
        value = self.data.get(key)
        return _Node(self._parser, value, (*self.pointer, key)) if isinstance(value, dict) else None

    def nodes(self, key: str) -> Iterator[_Node]:
        for index, value in enumerate(self.data.get(key) or ()):
            yield _Node(self._parser, value, (*self.pointer, key, index))

    def named(self, key: str) -> Iterator[tuple[str, _Node]]:
        """A collection in either spelling: a list of `{name: ...}` or a map keyed by name."""
        value = self.data.get(key)
        if isinstance(value, dict):
            for name, item in value.items():
                yield name, _Node(self._parser, item, (*self.pointer, key, name))
        elif value:
            for index, item in enumerate(value):
                node = _Node(self._parser, item, (*self.pointer, key, index))
                yield node.text("name") or "", node

    def at(self, key: str | None = None) -> Place:
        return Place(self._parser.document, self.pointer if key is None else (*self.pointer, key))

    def parse(self, key: str, parser: Callable[[str], T], otherwise: T) -> T:
        """Run an expression parser over a text; its complaint becomes a problem at the text's place."""
        text = self.text(key)
        return otherwise if text is None else self._parser.expression(text, parser, (*self.pointer, key), otherwise)


def parse_capability(document: Document) -> model.Capability:
    """A document that passed the schema -> the model.

    Raises:
        LoadError: with every problem found.
    """
    parser = _Parser(document)
    capability = parser.capability()
    if parser.problems:
        raise LoadError(parser.problems)
    return capability


class _Parser:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    # --- telling

    def problem(self, code: str, message: str, at: Place, hint: str = "", *, key: bool = False) -> None:
        self.problems.append(Problem(code, message, at.location(key=key), hint))

    def unsupported(self, node: _Node, *keys: str) -> None:
        for key in keys:
            if node.data.get(key) is not None:
                self.problem("not-supported-yet", f"'{key}' is not supported yet", node.at(key), key=True)

    def expression(self, text: str, parser: Callable[[str], T], pointer: Pointer, otherwise: T) -> T:
        try:
            return parser(text)
        except ExpressionError as error:
            self.problem("bad-expression", str(error), Place(self.document, pointer))
            return otherwise

    def template(self, node: _Node, *keys: str) -> Template | None:
        for key in keys:
            if key in node:
                return node.parse(key, parse_template, Template(()))
        return None

    # --- the file

    def capability(self) -> model.Capability:
        root = _Node(self, self.document.data, ())
        if ("naftiko" in root) == ("ikanos" in root):
            message = "the file must begin with its version: one of 'naftiko' or 'ikanos'"
            self.problem("missing-version", message, root.at(), "for example: naftiko: 1.0.0-alpha2")
        self.unsupported(root, "consumes", "exposes", "aggregates")
        body = root.node("capability")
        if body is None:
            if not self.problems:
                self.problem("missing-keyword", "'capability' is missing: nothing is consumed or exposed", root.at())
            body = _Node(self, {}, ("capability",))
        self.unsupported(body, "aggregates")
        info = root.node("info") or _Node(self, {}, ("info",))
        binds = [self.bind(node) for owner in (root, body) for node in owner.nodes("binds")]
        binds += [self.external_reference(node) for node in root.nodes("externalRefs")]
        return model.Capability(
            file=self.document.file,
            title=info.text("label", "display", "title", "name") or self.document.file,
            description=info.text("description") or "",
            version=info.text("version"),
            binds=tuple(binds),
            consumes=tuple(self.consumed_api(node) for node in body.nodes("consumes")),
            exposes=tuple(a for node in body.nodes("exposes") if (a := self.adapter(node)) is not None),
            warnings=tuple(self.warnings),
            at=body.at(),
        )

    def bind(self, node: _Node) -> model.Bind:
        self.unsupported(node, "from", "import", "as", "type", "resolution", "uri")
        return self._bind(node, "namespace", node.text("location"))

    def external_reference(self, node: _Node) -> model.Bind:
        """The 0.5 spelling of a bind."""
        self.unsupported(node, "from", "import", "as", "location", "namespace")
        return self._bind(node, "name", node.text("uri") if node.text("resolution") == "file" else None)

    def _bind(self, node: _Node, name: str, location: str | None) -> model.Bind:
        namespace = node.text(name)
        if namespace is None:
            self.problem("missing-keyword", f"'{name}' is missing", node.at())
        if location is not None and not location.startswith("file:"):
            scheme = location.partition(":")[0]
            self.problem("not-supported-yet", f"values from '{scheme}:' are not supported yet", node.at("location"),
                         "a file:///./name or the environment (no location)")  # fmt: skip
        keys: dict[str, str] = {}
        raw = node.data.get("keys")
        if isinstance(raw, dict):
            holder = node.node("keys")
            assert holder is not None
            keys = {key: holder.text(key) or key for key in raw}
        elif isinstance(raw, list):
            keys = {key: key for key in node.texts("keys")}
        return model.Bind(namespace or "", keys, location, at=node.at())

    # --- consumes

    def consumed_api(self, node: _Node) -> model.ConsumedApi:
        self.unsupported(node, "import", "from", "as", "location", "tunnel", "endpoint", "discovery", "tools")
        if node.text("type") == "mcp":
            self.problem("not-supported-yet", "consuming an MCP server is not supported yet", node.at("type"))
        if "import" not in node and "from" not in node:
            for key in ("namespace", "baseUri"):
                if key not in node:
                    self.problem("missing-keyword", f"'{key}' is missing", node.at())
        parameters = self.parameters(node)
        return model.ConsumedApi(
            namespace=node.text("namespace") or "",
            base_uri=self.base_uri(node),
            base_uri_at=node.at("baseUri"),
            parameters=parameters,
            auth=self.auth(node),
            tls=self.tls(node),
            resources=tuple(self.consumed_resource(n, item, parameters) for n, item in node.named("resources")),
            at=node.at(),
        )

    def base_uri(self, node: _Node) -> Template:
        text = (node.text("baseUri") or "").strip()
        if "baseUri" in node and not text:
            self.problem("empty-base-uri", "baseUri is empty: there is no API to call", node.at("baseUri"),
                         "for example: baseUri: https://api.example.com/v1")  # fmt: skip
        template = parse_braces(text)
        start = template.parts[0] if template.parts else ""
        if isinstance(start, str) and text and not start.lower().startswith(("http://", "https://")):
            self.problem("bad-base-uri", f"baseUri must begin with https:// or http://, not '{text[:40]}'",
                         node.at("baseUri"))  # fmt: skip
        elif isinstance(start, str) and start.lower() in ("http://", "https://") and len(template.parts) == 1:
            self.problem("bad-base-uri", "baseUri names no host", node.at("baseUri"))
        literal = "".join(part for part in template.parts if isinstance(part, str))
        if "?" in literal or "#" in literal or "@" in literal.partition("://")[2].partition("/")[0]:
            self.problem("bad-base-uri", "baseUri cannot hold credentials, a query or a fragment", node.at("baseUri"),
                         "use 'authentication' and 'inputParameters'")  # fmt: skip
        if any(c.isspace() or ord(c) < 32 for c in literal):
            self.problem("bad-base-uri", "baseUri cannot hold white space", node.at("baseUri"))
        return template

    def consumed_resource(
        self, name: str, node: _Node, inherited: tuple[model.Parameter, ...]
    ) -> model.ConsumedResource:
        parameters = self.parameters(node)
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
        self, name: str, node: _Node, inherited: tuple[model.Parameter, ...]
    ) -> model.ConsumedOperation:
        self.unsupported(node, "outputSchema", "outputMediaType", "maxBinarySize")
        form = node.text("outputRawFormat") or "json"
        if form not in _AS_IT_COMES:
            self.problem("not-supported-yet", f"outputRawFormat '{form}' is not supported yet",
                         node.at("outputRawFormat"), "json, text, binary and raw are")  # fmt: skip
        for _, output in self.output_nodes(node):
            output.parse("value", parse_jsonpath, JsonPath("$", ()))
            output.parse("mapping", parse_jsonpath, JsonPath("$", ())) if not output.node("mapping") else None
        parameters = self.parameters(node)
        return model.ConsumedOperation(
            name=name,
            method=self.method(node),
            description=node.text("description") or "",
            parameters=parameters,
            body=self.body(node, (*inherited, *parameters)),
            auth=self.auth(node),
            effect=node.data.get("effect"),
            path=node.parse("path", parse_path, PathTemplate(())),
            at=node.at(),
        )

    def output_nodes(self, node: _Node) -> list[tuple[str, _Node]]:
        return list(node.named("outputParameters"))

    def method(self, node: _Node) -> str:
        method = (node.text("method") or "GET").upper()
        if method not in METHODS:
            self.problem("unknown-value", f"'{method}' is not a method that can be used", node.at("method"),
                         f"known here: {', '.join(METHODS)}")  # fmt: skip
        return method

    def auth(self, node: _Node) -> model.Auth | None:
        auth = node.node("authentication")
        if auth is None:
            return None

        def get(key: str) -> Template:
            found = self.template(auth, key)
            if found is None:
                self.problem("missing-keyword", f"'{key}' is missing", at=auth.at())
            return found or Template(())

        match auth.text("type"):
            case "none":
                return None
            case "basic":
                return model.BasicAuth(get("username"), self.template(auth, "password") or Template(()), at=auth.at())
            case "digest":
                return model.DigestAuth(get("username"), get("password"), at=auth.at())
            case "bearer":
                token = self.template(auth, "token", "value")
                return model.BearerAuth(token if token is not None else get("token"), at=auth.at())
            case "apikey":
                key = auth.text("key", "name")
                if key is None:
                    self.problem("missing-keyword", "'key' is missing", at=auth.at())
                placement: Any = auth.text("placement", "in") or "header"
                if placement == "body":
                    self.problem("not-supported-yet", "an API key in the body is not supported yet", auth.at())
                return model.ApiKeyAuth(key or "", get("value"), placement, at=auth.at())
            case "oauth2":
                self.unsupported(auth, "authorizationServerUri", "resource", "tokenValidation", "tokenEndpoint")
                client: Any = auth.text("clientAuthentication") or "basic"
                return model.ClientCredentialsAuth(
                    get("tokenUri"), get("clientId"), get("clientSecret"),
                    auth.texts("scopes"), auth.text("audience"), client, at=auth.at(),
                )  # fmt: skip
            case kind:
                self.problem("not-supported-yet", f"authentication of type '{kind}' is not supported yet", auth.at())
                return None

    def tls(self, node: _Node) -> model.Tls | None:
        tls = node.node("tls")
        if tls is None:
            return None
        if "clientKey" in tls and "clientCertificate" not in tls:
            self.problem("missing-keyword", "'clientCertificate' is missing beside 'clientKey'", tls.at())
        return model.Tls(
            self.template(tls, "clientCertificate"), self.template(tls, "clientKey"),
            self.template(tls, "clientKeyPassword"), self.template(tls, "caBundle"), at=tls.at(),
        )  # fmt: skip

    # --- parameters and their schemas

    def parameters(self, node: _Node) -> tuple[model.Parameter, ...]:
        return tuple(self.parameter(name, item) for name, item in node.named("inputParameters"))

    def parameter(self, name: str, node: _Node) -> model.Parameter:
        if not name:
            self.problem("missing-keyword", "'name' is missing", node.at())
        if node.data.get("explode") is False or node.text("style") not in (None, "form", "simple"):
            self.problem("not-supported-yet", "this 'style' is not supported yet", node.at())
        value = node.data.get("value")
        if isinstance(value, str):
            value = node.parse("value", parse_template, Template(()))
        elif isinstance(value, (dict, list)):
            value = map_strings(value, parse_template)
        elif value is not None:
            value = Template((node.text("value") or "",)) if isinstance(value, float) else value
        schema = self.schema(node)
        required = node.data.get("required")
        inner = node.node("schema")
        default = node.data.get("default", inner.data.get("default") if inner else None)
        if isinstance(default, (int, float)) and schema.get("type") == "string":
            default = (node if "default" in node else inner or node).text("default")
        return model.Parameter(
            name=name,
            where=node.data.get("in"),
            schema=schema,
            required=required if isinstance(required, bool) else None,
            value=value,
            default=default,
            at=node.at(),
        )

    def schema(self, node: _Node) -> dict[str, Any]:
        """A parameter's keywords -> the JSON Schema of its value."""
        inner = node.node("schema")
        if inner is not None:
            whole = self.schema(inner)
            if description := node.text("description"):
                whole["description"] = description
            return whole
        data = node.data
        schema: dict[str, Any] = {}
        kind = data.get("type")
        if kind in ("file", "binary"):
            kind = "string"
        if data.get("nullable") is True and isinstance(kind, str):
            kind = [kind, "null"]
        if kind is not None:
            schema["type"] = kind
        if description := node.text("description"):
            schema["description"] = description
        for key in _SCHEMA_KEYWORDS:
            if key in data:
                schema[key] = data[key]
        if kind == "string" and "enum" in data:
            schema["enum"] = list(node.texts("enum"))
        if "pattern" in data:
            schema["pattern"] = node.text("pattern")
        examples = data.get("examples", [data["example"]] if "example" in data else None)
        if examples is not None:
            schema["examples"] = examples if isinstance(examples, list) else list(dict(examples).values())
        if (items := node.node("items")) is not None:
            schema["items"] = self.schema(items)
        for key in ("allOf", "anyOf", "oneOf"):
            if key in data:
                schema[key] = [self.schema(item) for item in node.nodes(key)]
        extra = data.get("additionalProperties")
        if extra is not None:
            holder = node.node("additionalProperties")
            schema["additionalProperties"] = self.schema(holder) if holder is not None else extra
        required = list(data["required"]) if isinstance(data.get("required"), list) else []
        if "properties" in data:
            schema["properties"] = {}
            for name, item in node.named("properties"):
                schema["properties"][name] = nested = self.schema(item)
                if "default" in item:
                    nested["default"] = item.data["default"]
                if item.data.get("required") is True and name not in required:
                    required.append(name)
        if required:
            schema["required"] = required
        if "properties" in schema and "type" not in schema:
            schema["type"] = "object"
        return schema

    # --- bodies

    def body(self, node: _Node, parameters: tuple[model.Parameter, ...]) -> model.Body | None:
        raw = node.data.get("body")
        if raw is None:
            return None
        at = node.at("body")
        if isinstance(raw, list):
            return model.JsonBody(map_strings(raw, parse_template), _MEDIA_TYPES["json"], at=at)
        holder = node.node("body")
        if holder is None:
            return self.bare_body(node, parameters, at)
        kind: Any = holder.text("type")
        media_type = holder.text("contentType") or _MEDIA_TYPES.get(kind, "")
        data = holder.data["data"]
        match kind:
            case "json":
                if isinstance(data, str):
                    return model.JsonBody(holder.parse("data", parse_json_template, None), media_type, at=at)
                return model.JsonBody(
                    self.expression("", lambda _: map_strings(data, parse_template), (*holder.pointer, "data"), None),
                    media_type, at=at,
                )  # fmt: skip
            case "formUrlEncoded" | "form":
                fields = holder.node("data")
                if fields is None:
                    return model.FormTextBody(holder.parse("data", parse_template, Template(())), media_type, at=at)
                pairs = tuple((key, self.template(fields, key) or Template(())) for key in fields.data)
                return model.FormBody(pairs, media_type, at=at)
            case "multipartForm" | "multipart":
                return model.MultipartBody(tuple(self.part(n, item) for n, item in holder.named("data")), at=at)
        encoding: Literal["none", "xml"] = "xml" if kind == "xml" else "none"
        return model.TextBody(holder.parse("data", parse_template, Template(())), media_type, encoding, at=at)

    def part(self, name: str, node: _Node) -> model.Part:
        value = self.template(node, "value") or Template(())
        return model.Part(name, value, self.template(node, "filename"), node.text("contentType"))

    def bare_body(self, node: _Node, parameters: tuple[model.Parameter, ...], at: Place) -> model.Body:
        """A body that is only text is JSON, unless a Content-Type header or the text itself says otherwise."""
        declared = [p.value for p in parameters if p.where == "header" and fold(p.name) == "content_type"]
        media_type = (declared[-1].literal or "") if declared and isinstance(declared[-1], Template) else ""
        text = (node.text("body") or "").strip()
        if "json" in media_type or (not media_type and text[:1] in ("{", "[", '"')):
            return model.JsonBody(
                node.parse("body", parse_json_template, None), media_type or _MEDIA_TYPES["json"], at=at
            )
        template = node.parse("body", parse_template, Template(()))
        if media_type == _MEDIA_TYPES["formUrlEncoded"]:
            return model.FormTextBody(template, media_type, at=at)
        return model.TextBody(
            template, media_type or _MEDIA_TYPES["text"], "xml" if "xml" in media_type else "none", at=at
        )

    # --- exposes

    def adapter(self, node: _Node) -> model.Adapter | None:
        kind = node.text("type")
        if kind not in ("rest", "api", "mcp"):
            self.problem("not-supported-yet", f"an adapter of type '{kind}' is not supported yet", node.at("type"),
                         "rest and mcp are")  # fmt: skip
            return None
        self.unsupported(node, "authentication", "maxBinarySize")
        if kind == "mcp":
            return self.mcp_adapter(node)
        operations = [
            self.rest_operation(name, item, resource, self.parameters(resource))
            for _, resource in node.named("resources")
            if self.rest_resource_is_plain(resource)
            for name, item in resource.named("operations")
        ]
        return model.RestAdapter(
            namespace=node.text("namespace") or "",
            port=node.data["port"],
            address=node.text("address"),
            description=node.text("description") or "",
            operations=tuple(operations),
            at=node.at(),
        )

    def rest_resource_is_plain(self, node: _Node) -> bool:
        self.unsupported(node, "forward")
        if "path" not in node:
            self.problem("missing-keyword", "'path' is missing", node.at())
        return "path" in node

    def rest_operation(
        self, name: str, node: _Node, resource: _Node, inherited: tuple[model.Parameter, ...]
    ) -> model.RestOperation:
        self.unsupported(node, "responses", "responseBinary")
        path = resource.parse("path", parse_route, PathTemplate(()))
        return model.RestOperation(
            method=self.method(node),
            path=path,
            path_parameters=path.holes,
            tags=node.texts("tags") or resource.texts("tags"),
            unit=self.unit(name, node, inherited),
            path_at=resource.at("path"),
        )

    def mcp_adapter(self, node: _Node) -> model.McpAdapter:
        self.unsupported(node, "resources", "prompts", "ttlMs", "cacheScope")
        stdio = node.text("transport") == "stdio"
        if not stdio and "port" not in node:
            self.problem("missing-keyword", "'port' is missing", node.at(), "or: transport: stdio")
        return model.McpAdapter(
            namespace=node.text("namespace") or "",
            port=None if stdio else node.data.get("port"),
            address=node.text("address"),
            description=node.text("description") or "",
            tools=tuple(self.tool(name, item) for name, item in node.named("tools")),
            at=node.at(),
        )

    def tool(self, name: str, node: _Node) -> model.McpTool:
        hints = node.node("hints")
        if not name:
            self.problem("missing-keyword", "'name' is missing", node.at())
        return model.McpTool(
            hints=model.Hints(
                hints.text("title"),
                *(hints.data.get(key) for key in ("readOnly", "destructive", "idempotent", "openWorld")),
            ) if hints else None,
            unit=self.unit(name, node, ()),
        )  # fmt: skip

    def unit(self, name: str, node: _Node, inherited: tuple[model.Parameter, ...]) -> model.Unit:
        self.unsupported(node, "steps", "mappings", "ref")
        own = self.parameters(node)
        names = {(p.name, p.where) for p in own}
        return model.Unit(
            name=name,
            title=node.text("title", "label", "display"),
            description=node.text("description") or "",
            parameters=(*(p for p in inherited if (p.name, p.where) not in names), *own),
            call=node.text("call"),
            with_=self.with_entries(node),
            outputs=self.outputs(node, "outputParameters"),
            at=node.at(),
            call_at=node.at("call") if "call" in node else None,
        )

    def with_entries(self, node: _Node) -> tuple[model.WithEntry, ...]:
        holder = node.node("with")
        if holder is None:
            return ()
        entries = []
        for key, value in holder.data.items():
            kept = holder.text(key) if isinstance(value, float) else value
            entries.append(model.WithEntry(key, kept, at=holder.at(key)))
        return tuple(entries)

    # --- outputs

    def outputs(self, node: _Node, key: str) -> tuple[model.Output, ...]:
        return tuple(self.output(name, item) for name, item in node.named(key))

    def output(self, name: str, node: _Node) -> model.Output:
        mapping = node.node("mapping")  # `mapping: {properties}` beside `properties`: both spellings
        shape = mapping if mapping is not None else node
        path = node.parse("mapping", parse_jsonpath, None) if mapping is None else None
        constant, has_constant = None, False
        for key in ("const", "value"):
            if key in node:
                value = node.data[key]
                text = value.strip() if isinstance(value, str) else ""
                if key == "value" and text.startswith(("$", "{{$")):
                    path = node.parse("value", parse_jsonpath, None)
                else:
                    has_constant = True
                    constant = node.parse("value", parse_template, None) if key == "value" and text else value
        items_holder = shape.data.get("items")
        items: model.Output | None = None
        if isinstance(items_holder, list):
            listed = [self.output(item.text("name") or "", item) for item in shape.nodes("items")]
            if len(listed) > 1:
                self.problem("not-supported-yet", "several shapes of items are not supported", shape.at("items"))
            items = listed[0] if listed else None
        elif (items_node := shape.node("items")) is not None:
            items = self.output("", items_node)
        return model.Output(
            name=name or None,
            type=node.text("type"),
            path=path,
            constant=constant,
            has_constant=has_constant,
            properties=self.outputs(shape, "properties") if "properties" in shape else None,
            items=items,
            max_length=node.data.get("maxLength"),
            description=node.text("description") or "",
            at=node.at(),
        )
