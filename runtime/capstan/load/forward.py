"""`forward` of a REST resource: which requests are passed through to which consumed API, and with which headers."""

from __future__ import annotations

from typing import Final

from capstan.load import model
from capstan.load.expression import Hole, PathTemplate, parse_route
from capstan.load.node import Node
from capstan.load.parameters import parse_parameters

REST_OF_PATH: Final = "path"  # the variable that takes all segments that are left


def parse_forward(resource: Node) -> model.Forward | None:
    """The forward of a resource; None when it has none, or none that could be followed."""
    node = resource.node("forward")
    if node is None or "path" not in resource:
        return None
    if not (target := node.text("targetNamespace")):
        node.reader.problem("missing-keyword", "'targetNamespace' is missing", node.at(),
                            "name the 'namespace' of what is consumed")  # fmt: skip
        return None
    path = resource.parse("path", parse_route, PathTemplate(()))
    trusted = node.texts("trustedHeaders")
    for index, name in enumerate(trusted):
        if "*" in name:  # which HTTP would take as a part of a name
            node.reader.problem("bad-name", f"'{name}' is a pattern, and trusted headers are named one by one",
                                node.at("trustedHeaders") / index)  # fmt: skip
    _check_path(resource, path)
    return model.Forward(
        path=path,
        target=target,
        trusted=trusted,
        tags=resource.texts("tags"),
        description=resource.text("description") or "",
        parameters=() if "operations" in resource else parse_parameters(resource, exposed=True),
        at=node.at(),
        path_at=resource.at("path"),
    )


def _check_path(resource: Node, path: PathTemplate) -> None:
    """A forward knows one variable, which stands last and for itself."""
    for index, segment in enumerate(path.segments):
        for part in segment:
            if not isinstance(part, Hole):
                continue
            if part.name != REST_OF_PATH:
                resource.reader.problem(
                    "unknown-name", f"nothing takes the variable '{part.name}' of a path that is forwarded",
                    resource.at("path"), "{path} stands for all segments that are left",
                )  # fmt: skip
            elif len(segment) > 1 or index < len(path.segments) - 1:
                message = "{path} takes all segments that are left: it must be the last one, with no text beside it"
                resource.reader.problem("bad-expression", message, resource.at("path"))
