"""A unit whose caller may say which parts of the answer are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from capstan.call.conversation import Conversation
from capstan.call.unit import Answer, LiveUnit, taken
from capstan.call.upstream import UpstreamResponse
from capstan.errors import ShapeError
from capstan.load.media_type import essence_of, is_json
from capstan.plan.jsontext import parse_answer
from capstan.plan.narrow import FIELDS, Narrowing, Parts, narrowed
from capstan.plan.values import ABSENT


class NarrowedUnit(LiveUnit):
    """The unit behind it, and what is left of its answers."""

    __slots__ = ("_narrowing", "_whole_unit")

    def __init__(self, whole: LiveUnit, narrowing: Narrowing) -> None:
        super().__init__(whole.unit, None, whole.settings)
        self._whole_unit, self._narrowing = whole, narrowing

    async def call(self, arguments: Mapping[str, Any], conversation: Conversation | None = None) -> Answer:
        """Run the call. Fields that the answer never has are told before it.

        Raises:
            CallError: as of the unit itself, and where the fields do not fit.
        """
        if arguments.get(FIELDS) is None:
            return await self._whole_unit.call(arguments, conversation)
        parts = self._narrowing.parts(self.guard.check(arguments)[FIELDS])
        answer = await self._whole_unit.call(arguments, conversation)
        if answer.empty:
            return answer
        if answer.response is None:
            return replace(answer, value=taken(narrowed, answer.value, parts))
        return await self._of_response(answer, answer.response, parts)

    async def _of_response(self, answer: Answer, response: UpstreamResponse, parts: Parts) -> Answer:
        """What is left of JSON that is passed on. A picture or a text has no parts, and comes as it is."""
        essence = essence_of(response.media_type)
        if essence and not is_json(essence):
            return answer
        try:
            body = await response.read(answer.limit or self.settings.max_parsed_bytes)
        finally:
            response.close()
        value = taken(lambda: response.masked(_parse(body))) if body else ABSENT
        if value is ABSENT:
            return Answer(answer.status, answer.headers, empty=True)
        return Answer(answer.status, answer.headers, value=taken(narrowed, value, parts))


def _parse(body: bytes) -> Any:
    try:
        return parse_answer(body)
    except ValueError as error:
        message = "the answer is no JSON, so that 'fields' finds nothing in it"
        raise ShapeError("unexpected-answer", message, outcome="done", retry_safe=False) from error
