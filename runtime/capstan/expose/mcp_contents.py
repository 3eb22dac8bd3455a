"""What a call or a file gave, as the contents of a resource or of a message: text where it is text, else bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from capstan.call.problem import internal_problem, problem_of
from capstan.call.unit import Answer
from capstan.errors import BindError, CallError, UpstreamRefused
from capstan.load.media_type import essence_of, is_json
from capstan.plan.decode import is_binary
from capstan.plan.formats.charset import charset_of, decode
from capstan.plan.mcp_text import Text

NOT_FOUND_IN_SESSIONS: Final = -32002  # until 2025-11-25; retired since
_GONE: Final = (404, 410)
_BLOCKS: Final[Mapping[str, type[types.ContentBlock]]] = {
    "text": types.TextContent, "image": types.ImageContent, "audio": types.AudioContent,
    "resource": types.EmbeddedResource, "resource_link": types.ResourceLink,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """What was read. Text is `str`; `media_type` is what it came with, when it came with one."""

    content: str | bytes
    media_type: str | None


async def read_answer(answer: Answer, limit: int, wanted: str | None = None, *, binary: bool = False) -> Read:
    """The whole of an answer. A text that the file maps is that text, but where JSON is `wanted`."""
    if answer.response is None:
        if answer.empty:
            return Read("", wanted)
        if isinstance(answer.value, str) and not is_json(essence_of(wanted or "")):
            return Read(_unicode(answer.value), "text/plain")
        return Read(_unicode(json.dumps(answer.value, ensure_ascii=False)), "application/json")
    try:
        data = await answer.response.read(answer.limit or limit)
        media_type = answer.response.media_type or None
    finally:
        answer.response.close()
    if binary:
        return Read(data, media_type)
    read = as_text(data, media_type)  # in which a secret may stand that was in UTF-16
    return read if isinstance(read.content, bytes) else Read(answer.response.masked(read.content), read.media_type)


def _unicode(text: str) -> str:
    """Text that can be sent: JSON may spell half a character, UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def as_text(data: bytes, media_type: str | None) -> Read:
    """Bytes as text where they say that they are, or say nothing and can be."""
    if media_type is None or not is_binary(media_type):
        with suppress(ValueError):
            text = decode(data, charset_of(media_type or ""))
            if media_type is not None or "\0" not in text:
                return Read(text, media_type)
    return Read(data, media_type)


def contents_of(uri: str, read: Read, declared: str | None, *, binary: bool) -> types.ReadResourceResult:
    """The contents of a resource. What is declared holds, but a text is not declared of what is none."""
    content, media_type = read.content, declared or read.media_type
    one: types.TextResourceContents | types.BlobResourceContents
    if isinstance(content, str):
        one = types.TextResourceContents(uri=uri, text=content, mime_type=media_type or "text/plain")
    else:
        if not binary and declared is not None and not is_binary(declared):
            media_type = read.media_type
        if media_type is None or (not binary and not is_binary(media_type)):
            media_type = "application/octet-stream"
        blob = base64.b64encode(content).decode()
        one = types.BlobResourceContents(uri=uri, blob=blob, mime_type=media_type)
    return types.ReadResourceResult(contents=[one])


def fill_text(parts: Text, arguments: Mapping[str, str], limit: int) -> str:
    """The text with its arguments; an absent one leaves nothing, and what a value holds is never read as a template."""
    texts = [part if isinstance(part, str) else arguments.get(part.name, "") for part in parts]
    if sum(map(len, texts)) > limit:
        raise BindError("bad-argument", f"with these arguments the text is longer than {limit:,} characters")
    return "".join(texts)


def block_of(fields: Mapping[str, Any]) -> types.ContentBlock:
    """A block that the file says."""
    return _BLOCKS[fields["type"]].model_validate(fields)


def content_block(read: Read, name: str) -> types.ContentBlock:
    """The content of a message."""
    if isinstance(read.content, str):
        return types.TextContent(text=read.content)
    return block_of_bytes(read.content, essence_of(read.media_type or "application/octet-stream"), name)


def block_of_bytes(content: bytes, media_type: str, name: str) -> types.ContentBlock:
    """What is no text comes as what it is: an image, a sound, or an embedded resource."""
    data = base64.b64encode(content).decode()
    if media_type.startswith("image/"):
        return types.ImageContent(data=data, mime_type=media_type)
    if media_type.startswith("audio/"):
        return types.AudioContent(data=data, mime_type=media_type)
    contents = types.BlobResourceContents(uri=f"capstan://answer/{name}", blob=data, mime_type=media_type)
    return types.EmbeddedResource(resource=contents)


def no_resource(uri: str, protocol_version: str, error: CallError | None = None) -> MCPError:
    """That there is nothing at a URI, as the revision spoken says it; `error` is how an upstream put it."""
    modern = protocol_version in MODERN_PROTOCOL_VERSIONS
    code = types.INVALID_PARAMS if modern else NOT_FOUND_IN_SESSIONS
    data = {"uri": uri[:2000], **(problem_of(error) if error is not None else {})}
    return MCPError(code, f"there is no resource '{uri[:200]}'", data=data)


def error_of(error: CallError) -> MCPError:
    """What went wrong, with the problem that every door tells as its data."""
    code = types.INVALID_PARAMS if isinstance(error, BindError) else types.INTERNAL_ERROR
    return MCPError(code, error.message, data=problem_of(error))


def our_fault() -> MCPError:
    """An error of ours; the log says more."""
    problem = internal_problem()
    return MCPError(types.INTERNAL_ERROR, problem["detail"], data=problem)


def is_gone(error: CallError) -> bool:
    """Whether the upstream says that there is no such thing."""
    return isinstance(error, UpstreamRefused) and error.status in _GONE
