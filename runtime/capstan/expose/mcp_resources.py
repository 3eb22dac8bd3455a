"""The resources of one MCP endpoint: which there are, and reading one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import mcp_types as types
from mcp.shared.exceptions import MCPError

from capstan.call.folder import MOST_LISTED, list_folder, read_file, too_large
from capstan.call.problem import status_of
from capstan.call.unit import LiveUnit
from capstan.errors import CallError
from capstan.expose.arguments import TextReader
from capstan.expose.calllog import log_fault, log_read
from capstan.expose.mcp_contents import (
    Read,
    as_text,
    contents_of,
    error_of,
    fill_text,
    is_gone,
    no_resource,
    our_fault,
    read_answer,
)
from capstan.load.uri import canonical
from capstan.plan.mcp_text import Text
from capstan.plan.types import FolderPlan, InlinePlan, ResourcePlan, UnitPlan

logger = logging.getLogger(__name__)

_LONGEST_URI: Final = 8192
NOT_LISTED: Final = "capstan/not-listed"  # in _meta: the folders that have more files than are listed


@dataclass(frozen=True, slots=True)
class _Called:
    """A resource that is what a unit answers."""

    plan: ResourcePlan
    live: LiveUnit
    arguments: TextReader


@dataclass(frozen=True, slots=True)
class _Inline:
    """A resource that the file says itself."""

    plan: ResourcePlan
    content: Text | bytes


_Reading = Callable[[int], Coroutine[Any, Any, tuple[Read | None, int]]]


class LiveResources:
    def __init__(self, plans: Sequence[ResourcePlan], live: Mapping[int, LiveUnit]) -> None:
        self._fixed: dict[str, _Called | _Inline] = {}
        self._templates: list[_Called | _Inline] = []
        self._folders: list[tuple[str, ResourcePlan, FolderPlan]] = []
        self._listed: list[types.Resource] = []
        self._told: set[str] = set()  # folders that were said to be cut short
        self.templates: list[types.ResourceTemplate] = []
        self.has_polls = any(plan.poll_seconds is not None for plan in plans)
        for plan in plans:
            if isinstance(plan.source, FolderPlan):
                self._folders.append((str(plan.uri).rstrip("/") + "/", plan, plan.source))
                continue
            called: _Called | _Inline
            if isinstance(plan.source, InlinePlan):
                called = _Inline(plan, plan.source.content)
            else:
                called = _Called(plan, live[id(plan.source)], TextReader(plan.source, plan.slots))
            if plan.uri.holes:
                self._templates.append(called)
                self.templates.append(_template(plan))
            else:
                self._fixed[str(plan.uri)] = called
                self._listed.append(_resource(plan))

    @property
    def published(self) -> list[Any]:
        """What is listed, but for the files of folders: those are looked up whenever somebody asks."""
        folders = [(base, p.name, p.title, p.description, p.mime_type, folder) for base, p, folder in self._folders]
        return [self._listed, self.templates, folders]

    async def listed(self) -> tuple[list[types.Resource], list[str]]:
        """What can be listed now, and the folders that hold more than that."""
        found, cut = list(self._listed), []
        for base, plan, folder in self._folders:
            listing = await asyncio.to_thread(list_folder, folder.path)
            found += [
                types.Resource(
                    uri=base + file.path, name=f"{plan.name}/{file.path}",
                    title=f"{plan.title}: {unquote(file.path)}" if plan.title else None,
                    description=plan.description or None, mime_type=plan.mime_type or file.media_type, size=file.size,
                )
                for file in listing.files
            ]  # fmt: skip
            if not listing.is_whole:
                cut.append(base)
                if base not in self._told:
                    self._told.add(base)
                    logger.warning(
                        "%s has more than %d files: the first are listed, all can be read", base, MOST_LISTED
                    )
        return found, cut

    async def read(self, asked: str, limit: int, protocol_version: str) -> types.ReadResourceResult:
        """The contents at a URI.

        Raises:
            MCPError: there is nothing there, or reading it failed.
        """
        found = self._find(asked)
        if found is None:
            raise no_resource(asked, protocol_version)
        plan, reading = found
        return await _read(plan, asked, protocol_version, reading(limit))

    def poll_of(self, asked: str, protocol_version: str) -> float:
        """How often, in seconds, what is at a URI is read for those who are subscribed to it.

        Raises:
            MCPError: there is nothing there, or it is never read for anybody.
        """
        found = self._find(asked)
        if found is None:
            raise no_resource(asked, protocol_version)
        if (seconds := found[0].poll_seconds) is None:
            message = (
                f"nobody can be subscribed to '{asked[:200]}': its file does not say how often it is read ('poll')"
            )
            raise MCPError(types.INVALID_PARAMS, message)
        return seconds

    def _find(self, asked: str) -> tuple[ResourcePlan, _Reading] | None:
        """The resource at a URI, and what reads it, given how much may be read."""
        try:
            uri = canonical(asked) if len(asked) <= _LONGEST_URI else ""
        except UnicodeEncodeError:
            uri = ""
        if (fixed := self._fixed.get(uri)) is not None:
            return fixed.plan, partial(_answer, fixed, {})
        for one in self._templates:
            if (values := one.plan.uri.match(uri)) is not None:
                return one.plan, partial(_answer, one, values)
        for base, plan, folder in self._folders:
            if uri.startswith(base):
                return plan, partial(_file, plan, folder, uri[len(base) :])
        return None


async def _read(
    plan: ResourcePlan, asked: str, protocol_version: str, work: Coroutine[Any, Any, tuple[Read | None, int]]
) -> types.ReadResourceResult:
    """Run what reads a resource, and tell of it."""
    effect = plan.source.effect if isinstance(plan.source, UnitPlan) else "read"
    started = time.perf_counter()
    error: CallError | None = None
    status = 500
    try:
        read, status = await work
    except CallError as caught:
        error, status = caught, status_of(caught)
        raise no_resource(asked, protocol_version, caught) if is_gone(caught) else error_of(caught) from caught
    except Exception as fault:
        log_fault("mcp", plan, fault)
        raise our_fault() from fault
    finally:
        log_read("mcp", plan.name, effect, status, started, error)
    if read is None:
        raise no_resource(asked, protocol_version)
    found = contents_of(asked, read, plan.mime_type, binary=plan.binary)
    found.ttl_ms, found.cache_scope = plan.keeping.ttl_ms, plan.keeping.scope
    return found


async def _answer(called: _Called | _Inline, values: Mapping[str, str], limit: int) -> tuple[Read, int]:
    if isinstance(called, _Inline):
        content = called.content
        return Read(content if isinstance(content, bytes) else fill_text(content, values, limit), None), 200
    answer = await called.live.call(called.arguments.read(values))
    return await read_answer(answer, limit, called.plan.mime_type, binary=called.plan.binary), answer.status


async def _file(plan: ResourcePlan, folder: FolderPlan, path: str, limit: int) -> tuple[Read | None, int]:
    of_bytes = folder.max_binary_bytes or limit
    content = await asyncio.to_thread(read_file, folder.path, path, max(limit, of_bytes))
    if content is None:
        return None, 404
    read = Read(content.data, content.media_type)
    if not plan.binary:
        read = as_text(content.data, plan.mime_type or content.media_type)
        if isinstance(read.content, bytes) and content.media_type is not None:
            # The declared type is that of the folder's texts; a picture among them is still one.
            read = as_text(content.data, content.media_type)
    most = of_bytes if isinstance(read.content, bytes) else limit
    if len(content.data) > most:
        raise too_large(most)
    return read, 200


def _resource(plan: ResourcePlan) -> types.Resource:
    return types.Resource(
        uri=str(plan.uri), name=plan.name, title=plan.title, description=plan.description or None,
        mime_type=_mime_type(plan),
    )  # fmt: skip


def _template(plan: ResourcePlan) -> types.ResourceTemplate:
    return types.ResourceTemplate(
        uri_template=str(plan.uri), name=plan.name, title=plan.title, description=plan.description or None,
        mime_type=_mime_type(plan),
    )  # fmt: skip


def _mime_type(plan: ResourcePlan) -> str | None:
    """What is declared, else what is known of the answer before it is there."""
    if plan.mime_type is not None or not isinstance(plan.source, UnitPlan):
        return plan.mime_type
    schema = plan.source.output_schema
    if schema is None:
        return plan.source.media_type
    return None if "string" in schema.get("type", "string") else "application/json"
