"""Files that belong to a dispute: taken out of a form, kept byte by byte, and given back."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import PurePosixPath
from typing import Any, Final

from capstan.sandbox.clock import write_time
from capstan.sandbox.network.family import conflict, invalid, krn, not_found
from capstan.sandbox.network.operations import ACCOUNT, Operations
from capstan.sandbox.state import Document
from capstan.sandbox.web import Answer, Call, Refusal

_KIND: Final = "network-attachments"
_ID: Final = "payment_dispute_attachment_id"
_MAX_FILE: Final = 7 * 1024 * 1024
_AROUND: Final = 64 * 1024  # what a form needs beside its file
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")


def serve(
    operations: Operations, path: str, asked: Callable[[Call], Document], kinds: tuple[str, ...] = ()
) -> None:  # fmt: skip
    """Add the routes for the files of a dispute at `path`, which is the one that `asked` gives.

    With `kinds`, a file whose name says another is refused.
    """

    @operations("POST", f"{path}/attachments", max_body=_MAX_FILE + _AROUND)
    def upload(call: Call) -> Answer:
        return _upload(call, asked(call), kinds)

    @operations("GET", f"{path}/attachments/{{{_ID}}}/download")
    def download(call: Call) -> Answer:
        return _download(call, asked(call))


def _upload(call: Call, dispute: Document, kinds: tuple[str, ...]) -> Answer:
    """Keep the file of a multipart form.

    Raises:
        Refusal: 400, it is no such form or no such file; 409, the dispute is closed.
    """
    parts = {str(head.get_param("name", header="content-disposition")): (head, body) for head, body in _parts(call)}
    if "file" not in parts:
        raise invalid("file", "is required")
    if dispute["state"] == "CLOSED":
        raise conflict("The dispute is CLOSED")
    head, content = parts["file"]
    own_name = head.get_filename() or "file"
    name = parts["filename"][1].decode("utf-8", "replace") if "filename" in parts else own_name
    if len(content) > _MAX_FILE:
        raise invalid("file", "must be at most 7 MB")
    if kinds:
        _check_kind(name, own_name, kinds)
    attachment = {
        _ID: krn(call.account, "payment", "eu1", "dispute-attachment"), "filename": name, "size": len(content),
        "content_type": _media_type(head),
        "created_at": write_time(call.now),
    }  # fmt: skip
    kept = {"_dispute": dispute["payment_dispute_id"], "_bytes": base64.b64encode(content).decode()}
    call.put(_KIND, str(attachment[_ID]), {**attachment, **kept, "_account": call.params[ACCOUNT]})
    return Answer(201, attachment)


def _download(call: Call, dispute: Document) -> Answer:
    """The bytes as they came; a file of another dispute is not found."""
    kept = call.get(_KIND, call.params[_ID])
    if kept is None or kept["_dispute"] != dispute["payment_dispute_id"]:
        raise not_found("The attachment")
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in kept["filename"])
    headers = (("Content-Disposition", f'attachment; filename="{name}"'),)
    return Answer(200, base64.b64decode(kept["_bytes"]), headers, kept["content_type"])


def check_listed(call: Call, dispute: Document, listed: list[dict[str, Any]]) -> None:
    """What a response refers to was uploaded to this dispute.

    Raises:
        Refusal: 400.
    """
    for number, entry in enumerate(listed):
        id_ = entry.get(_ID)
        kept = call.get(_KIND, id_) if isinstance(id_, str) else None
        if kept is None or kept["_dispute"] != dispute["payment_dispute_id"]:
            raise invalid(f"attachments[{number}].{_ID}", "is no attachment of this dispute")


def _check_kind(name: str, own_name: str, kinds: tuple[str, ...]) -> None:
    """A name without an extension says nothing of its file."""
    said, own = (PurePosixPath(text).suffix.lower().removeprefix(".") for text in (name, own_name))
    for parameter, kind in (("file", own), ("filename", said)):
        if kind and kind not in kinds:
            raise invalid(parameter, f"must be one of: {', '.join(kinds)}")
    if said and own and said != own:
        raise invalid("filename", "must have the extension of the file")


def _media_type(head: Message) -> str:
    """What a part says it is, where an answer can say so too."""
    said = head.get_content_type() if "content-type" in head else ""
    return said if _MEDIA_TYPE.fullmatch(said) else "application/octet-stream"


def _parts(call: Call) -> Iterator[tuple[Message, bytes]]:
    """The parts of a multipart form. The standard library's parser is for mail, and not exact about binary data."""
    head = Message()
    head["Content-Type"] = call.request.headers.get("content-type", "")
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or not boundary:
        raise Refusal(400, "INVALID_CONTENT_TYPE", "Send Content-Type: multipart/form-data with a boundary")
    try:
        mark = b"\r\n--" + boundary.encode("ascii")
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Refusal(400, "INVALID_CONTENT_TYPE", "The boundary is not ASCII") from error
    _, *pieces = (b"\r\n" + call.request.body).split(mark)
    if not pieces or not pieces[-1].startswith(b"--"):
        raise invalid("body", "is no multipart form that ends")
    for piece in pieces[:-1]:
        fields, _, content = piece.partition(b"\r\n\r\n")
        yield BytesHeaderParser().parsebytes(fields.lstrip(b"\r\n")), content
