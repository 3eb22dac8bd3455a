"""A baseUri -> the origin of requests. A caller may only choose among hosts that its author listed."""

from __future__ import annotations

import re
from typing import Final

from capstan.load.expression import Hole, Template
from capstan.plan.names import Names
from capstan.plan.target import Target
from capstan.plan.values import Constant, FromInput, Source, to_text

_HOST_TEXT: Final = re.compile(r"[A-Za-z0-9._:/-]*")
_WEB_ORIGIN: Final = re.compile(r"https?://([^/?#@\s:\[\]]+|\[[0-9a-f:.]+\])(:[0-9]+)?(/[^?#@\s]*)?", re.IGNORECASE)
_TWICE: Final = re.compile(r"https?://https?:", re.IGNORECASE)


def host_names(origin: Template) -> frozenset[str]:
    """The names that stand in the host of a baseUri, or for the whole of it: known to all, and no secrets."""
    names: list[str] = []
    text = ""
    for part in origin.parts:
        if isinstance(part, str):
            text += part
        elif "/" not in text.rpartition("://")[2]:
            names.append(part.name)
    return frozenset(names)


def plan_origin(names: Names, target: Target) -> tuple[str | Source, ...]:
    """The baseUri, with what is bound filled in."""
    parts: list[str | Source] = []
    in_host = host_names(target.origin)
    for part in target.origin.parts:
        source = Constant(part) if isinstance(part, str) else _host(names, part.name, target)
        if not isinstance(source, Constant):
            parts.append(source)
            continue
        text = to_text(source.value)
        if isinstance(part, Hole) and part.name not in in_host and not names.variables.is_setting(part.name):
            parts.append(Constant(text, str(part)))  # a token in the path, say: not to be shown
        elif parts and isinstance(parts[-1], str):
            # A bound value may end in a slash where the text after it begins with one.
            parts[-1] = (parts[-1].rstrip("/") if text.startswith("/") else parts[-1]) + text
        else:
            parts.append(text)
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip("/")
    known = names.variables.filled and names.variables.holds(target.origin.holes)
    texts = [p if isinstance(p, str) else to_text(p.value) if isinstance(p, Constant) else "x" for p in parts]
    if known and not _WEB_ORIGIN.fullmatch("".join(texts)):
        # Says which variable, not which value: what is bound is not shown.
        message = f"with its variables filled in, baseUri {target.origin} is no http:// or https:// address"
        hint = "a host goes without 'https://' where the baseUri begins with it" if _TWICE.match("".join(texts)) else ""
        names.problem("bad-base-uri", message, target.api.base_uri_at, hint)
    return tuple(parts)


def _host(names: Names, name: str, target: Target) -> Source:
    at = target.api.base_uri_at
    parameter = target.find(name)
    draft = names.inputs.find(name)
    if name in names.bound:
        source = names.bound[name]
    elif parameter is not None and not names.variables.declares(name):
        source = names.source(parameter) or Constant("")
    elif draft is None or names.variables.declares(name):
        secret = names.variables.lookup(name, at, implicit=True)
        if secret is None:
            names.problem("unknown-name", f"'{name}' is no bound variable and no input", at)
        return Constant(secret.reveal() if secret is not None else "")
    else:
        source = names.inputs.use(draft)
    if isinstance(source, Constant):
        return source
    chooser = None
    if isinstance(source, FromInput):
        names.inputs.require(source.name)
        chooser = names.inputs.get(source.name)
    options = chooser.schema.get("enum") if chooser is not None else None
    if not options:
        names.problem("open-host", f"'{name}' lets callers of '{names.unit.name}' choose the host", at,
                     "bind it, or give the input an 'enum' of hosts")  # fmt: skip
    elif chooser is not None and not all(isinstance(o, str) and _HOST_TEXT.fullmatch(o) for o in options):
        names.problem("open-host", f"an option of '{name}' cannot stand in a host", chooser.at)
    return source
