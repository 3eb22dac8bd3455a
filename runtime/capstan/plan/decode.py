"""What an operation answers, where that is not JSON: planned at load, so that a request only runs it.

DECODERS is the table of formats. A new one is a function in `formats/` and a row here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from capstan.errors import Problem
from capstan.load.files import find_written, is_file
from capstan.load.media_type import essence_of, is_json
from capstan.load.model import AnswerFormat
from capstan.load.walk import walk
from capstan.plan.formats.avro_records import plan_avro
from capstan.plan.formats.charset import charset_of
from capstan.plan.formats.html_tables import plan_html
from capstan.plan.formats.library import MissingLibrary
from capstan.plan.formats.limits import check_text
from capstan.plan.formats.markdown_parts import plan_markdown
from capstan.plan.formats.protobuf_message import plan_protobuf
from capstan.plan.formats.separated import read_separated
from capstan.plan.formats.xml_tree import Root, read_xml
from capstan.plan.formats.yaml_tree import read_yaml
from capstan.plan.jsontext import parse_answer
from capstan.resources import install_command

Read = Callable[[bytes, str], Any]  # a body and the charset of its media type -> data, or a ValueError

UNNAMED: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})  # media types of anything
_SAYS_NOTHING: Final = UNNAMED | {"text/plain"}
_TEXT: Final = re.compile(r"text/.*|[^;]*\+(xml|yaml)|application/(xml|yaml|x-ndjson|javascript)")  # beside JSON
_NAME: Final = re.compile(r"""\.([\w-]+)|\[\s*(?:'([^']*)'|"([^"]*)")\s*\]""")
_PATH: Final = re.compile(rf"\$(?:{_NAME.pattern})+")


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads the answers of one operation."""

    format: str
    read: Read = field(repr=False, compare=False)
    media_type: re.Pattern[str] = field(repr=False)
    schema: str = ""
    in_place: bool = field(default=False, repr=False)  # whether a small body costs no more than its bytes
    roots: frozenset[str] = field(default=frozenset(), repr=False)  # what mappings call the root of a document

    def says(self, media_type: str) -> Literal["this", "json", "other"]:
        """What an answer with this media type is. One that says nothing plain is what was declared."""
        essence = essence_of(media_type)
        if essence in _SAYS_NOTHING or self.media_type.fullmatch(essence):
            return "this"
        return "json" if is_json(essence) else "other"

    def for_roots(self, names: Iterator[str]) -> Decoder:
        """For paths that begin with these names: one that is the root's name means the root."""
        return replace(self, roots=self.roots.union(names)) if self.format == "xml" else self

    def decode(self, body: bytes, media_type: str) -> Any:
        """The JSON value of a body.

        Raises:
            ValueError: it is not what it says, or what was declared.
        """
        if self.says(media_type) == "json":
            return parse_answer(body)
        value = self.read(body, charset_of(media_type))
        if not isinstance(value, Root):
            check_text(value, len(body))
            return value
        name, tree = value
        if name not in self.roots:
            return tree
        if not isinstance(tree, dict):
            return {name: tree}
        return tree if name in tree else {**tree, name: tree}


@dataclass(frozen=True, slots=True)
class Passing:
    """What is known beforehand of an answer that is given on as it is."""

    binary: bool = False  # declared so
    media_type: str | None = None  # of one that names none
    limit: int | None = None  # of what is no text


@dataclass(frozen=True, slots=True)
class _Format:
    plan: Callable[[AnswerFormat, list[str]], Read]  # adds the files that it reads to the list
    media_type: re.Pattern[str]
    accept: tuple[str, ...]  # what is asked for, the best first
    schema: Literal["none", "text", "file"] = "none"
    # Whether it is read in time linear to its bytes: no aliases, spans, defaults or compressed blocks make more of
    # them, and no reader looks at one of them again and again.
    is_linear: bool = False


def is_binary(media_type: str) -> bool:
    """Whether an answer is of bytes that are no text; one that does not say may be JSON."""
    essence = essence_of(media_type)
    return essence != "" and not is_json(essence) and _TEXT.fullmatch(essence) is None


def _separated(separator: str) -> Callable[[AnswerFormat, list[str]], Read]:
    return lambda _, __: lambda body, charset: read_separated(body, charset, separator)


def _avro(answer: AnswerFormat, files: list[str]) -> Read:
    path = _file(answer, answer.schema or "")
    files.append(str(path))
    return plan_avro(path)


def _protobuf(answer: AnswerFormat, files: list[str]) -> Read:
    name, _, message = (answer.schema or "").partition("#")
    return plan_protobuf(_file(answer, name), message, files)


_SEPARATED: Final = re.compile(r"(text|application)/(x-)?(csv|tsv|psv|comma-separated-values|tab-separated-values|"
                               r"pipe-separated-values)|application/vnd\.ms-excel")  # fmt: skip
DECODERS: Final[dict[str, _Format]] = {
    "xml": _Format(
        lambda _, __: read_xml, re.compile(r"(application|text)/xml|[^;]+\+xml"), ("application/xml", "text/xml"),
        is_linear=True,
    ),
    "csv": _Format(_separated(","), _SEPARATED, ("text/csv",), is_linear=True),
    "tsv": _Format(_separated("\t"), _SEPARATED, ("text/tab-separated-values", "text/csv"), is_linear=True),
    "psv": _Format(_separated("|"), _SEPARATED, ("text/csv",), is_linear=True),
    "yaml": _Format(
        lambda _, __: read_yaml, re.compile(r"(application|text)/(x-|vnd\.)?yaml|[^;]+\+yaml"),
        ("application/yaml", "application/x-yaml", "text/yaml"),
    ),
    "html": _Format(
        lambda answer, _: plan_html(answer.schema or ""), re.compile(r"text/html|application/xhtml\+xml"),
        ("text/html", "application/xhtml+xml"), "text",
    ),
    "markdown": _Format(
        lambda answer, _: plan_markdown(answer.schema or ""), re.compile(r"text/(x-|vnd\.daringfireball\.)?markdown"),
        ("text/markdown",), "text",
    ),
    "avro": _Format(
        _avro, re.compile(r"(application|avro)/(x-|vnd\.apache\.)?(avro|binary)([+-]binary)?|[^;]+\+avro"),
        ("application/avro", "application/vnd.apache.avro+binary", "avro/binary"), "file",
    ),
    "protobuf": _Format(
        _protobuf, re.compile(r"application/(x-|vnd\.google\.|x-google-)?proto(buf(fer)?)?|[^;]+\+proto(buf)?"),
        ("application/protobuf", "application/x-protobuf"), "file",
    ),
}  # fmt: skip


class _Told(Exception):
    """A problem with what an operation says of its answer."""

    def __init__(self, code: str, message: str, hint: str = "", keyword: str = "outputSchema") -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.keyword = code, message, hint, keyword


def plan_decoder(answer: AnswerFormat | None, problems: list[Problem], files: list[str]) -> Decoder | None:
    """The decoder of what an operation says of its answer; None where that is JSON, or passed on as it is.

    Adds what is wrong with it to `problems`, and the files that it was made from to `files`.
    """
    if answer is None:
        return None
    known = DECODERS.get(answer.format)
    try:
        needs = known.schema if known is not None else "none"
        if needs == "none" and answer.schema is not None:
            hint = "avro and protobuf take a file, html a CSS selector, markdown the beginning of a heading"
            raise _Told("bad-output-schema", f"'{answer.format}' takes no outputSchema", hint)
        if needs == "file" and not answer.schema:
            raise _Told("bad-output-schema", f"'{answer.format}' cannot be read without an outputSchema",
                        "name the schema's file, beside this one", "outputRawFormat")  # fmt: skip
        if known is None:
            return None
        read = _prepare(known, answer, files)
    except _Told as told:
        problems.append(Problem(told.code, told.message, (answer.at / told.keyword).location(), told.hint))
        return None
    return Decoder(answer.format, read, known.media_type, answer.schema or "", known.is_linear)


def _prepare(known: _Format, answer: AnswerFormat, files: list[str]) -> Read:
    try:
        return known.plan(answer, files)
    except MissingLibrary as error:
        message = f"'{answer.format}' is read by {error.name}, which is not installed"
        raise _Told("missing-library", message, install_command(error.extra), "outputRawFormat") from None
    except OSError as error:
        raise _Told("unreadable-file", f"{answer.schema} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _Told("bad-output-schema", f"outputSchema cannot be used: {error}") from None


def _file(answer: AnswerFormat, written: str) -> Path:
    candidates = find_written(written, answer.at.document.path, or_here=True)
    path = next((candidate for candidate in candidates if is_file(candidate)), None)
    if path is None:
        raise _Told("missing-file", f"there is no file {', nor '.join(map(str, candidates))}")
    return path


def accepted(answer: AnswerFormat | None) -> str | None:
    """The `Accept` of a request whose answer is not to be JSON: an API may have it in several formats."""
    if answer is None:
        return None
    known = DECODERS.get(answer.format)
    if known is not None:
        wanted = known.accept
    elif answer.format == "text":
        wanted = ("text/plain", "text/*")
    elif answer.format in ("binary", "raw"):
        wanted = (answer.media_type,) if answer.media_type is not None else ()
    else:
        return None
    weighed = [f"{media_type};q={1 - rank / 100:.2f}" for rank, media_type in enumerate(wanted)]
    return ", ".join([weighed[0].removesuffix(";q=1.00"), *weighed[1:], "*/*;q=0.8"]) if weighed else "*/*"


def plan_passing(answer: AnswerFormat | None) -> Passing | None:
    """What an operation says of an answer that is passed on; None where that is nothing."""
    if answer is None:
        return None
    passing = Passing(answer.format == "binary", answer.media_type, answer.max_binary_bytes)
    return passing if passing != Passing() else None


def limit_passing(passing: Passing | None, of_adapter: int | None) -> Passing | None:
    """With the limit of the adapter where the operation has none."""
    if of_adapter is None or (passing is not None and passing.limit is not None):
        return passing
    return replace(passing or Passing(), limit=of_adapter)


def names_in_paths(value: Any, depth: int) -> Iterator[str]:
    """The names that paths in a part of a file begin with: the first ones, or as many as `depth`."""
    for text in walk(value):
        for path in _PATH.finditer(text) if isinstance(text, str) else ():
            yield from (plain or single or double for plain, single, double in _NAME.findall(path[0])[:depth])
