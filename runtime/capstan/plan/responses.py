"""The answers that an operation declares -> what is sent of them, and what the OpenAPI document says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from capstan.errors import Problem
from capstan.load import model
from capstan.load.document import Place
from capstan.load.media_type import essence_of, is_json
from capstan.plan.decode import UNNAMED

_PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class DeclaredAnswer:
    """One answer, for the OpenAPI document."""

    status: str
    description: str
    content: tuple[tuple[str, Mapping[str, Any] | None], ...]  # media type, and the schema where one is declared


@dataclass(frozen=True, slots=True)
class Replies:
    """The declared answers of an operation, and what they say of a success."""

    declared: tuple[DeclaredAnswer, ...]
    statuses: tuple[int, ...]  # of successes; none: the upstream's own is sent
    is_open: bool  # any status of a success is as good as another: `2XX`
    media_type: str | None  # where an answer does not say, and of the JSON that is made here

    def status(self, upstream: int) -> int:
        """The status that is sent of a success."""
        return upstream if self.is_open or not self.statuses or upstream in self.statuses else self.statuses[0]

    def media_type_of(self, upstream: str) -> str:
        """The media type that is sent: an answer knows better than a file what it is, where it says so."""
        return self.media_type if self.media_type is not None and essence_of(upstream) in UNNAMED else upstream


def plan_replies(
    responses: tuple[model.Response, ...], media_type: str | None, problems: list[Problem], *, is_mapped: bool
) -> Replies | None:
    """None where the file declares nothing: answers are then sent as they come. What is mapped is JSON made here.

    `media_type` is what the function says, or the operation that it calls.
    """
    if not responses and media_type is None:
        return None
    successes = [response for response in responses if response.status.startswith("2")]
    for response in responses:
        _check(response, problems, is_mapped=is_mapped)
    types = [content.media_type for response in successes for content in response.content]
    return Replies(
        tuple(
            DeclaredAnswer(r.status, r.description, tuple((c.media_type, _schema(c)) for c in r.content))
            for r in responses
        ),
        tuple(int(response.status) for response in successes if response.status.isdigit()),
        any(not response.status.isdigit() for response in successes),
        next((t for t in (*types, media_type) if t is not None and (is_json(essence_of(t)) or not is_mapped)), None),
    )


def _check(response: model.Response, problems: list[Problem], *, is_mapped: bool) -> None:
    for content in response.content:
        if not response.status.startswith("2"):
            if essence_of(content.media_type) != _PROBLEM:
                message = f"errors are sent as {_PROBLEM}, whatever is declared of {response.status}"
                _tell(problems, "undeclared-content", message, content.at, warning=True)
        elif is_mapped and (content.binary or not is_json(essence_of(content.media_type))):
            what = "bytes" if content.binary else content.media_type
            message = f"the answer is put together from 'outputParameters' or steps: it is JSON, not {what}"
            _tell(problems, "bad-response", message, content.at)


def _schema(content: model.Content) -> Mapping[str, Any] | None:
    return {} if content.binary and content.schema is None else content.schema


def _tell(problems: list[Problem], code: str, message: str, at: Place, *, warning: bool = False) -> None:
    problems.append(Problem(code, message, at.location(key=True), severity="warning" if warning else "error"))
