"""Whatever outputs declare and whatever an answer holds: what is given on fits the schema that is told of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capstan.errors import ShapeError
from capstan.load.jsonpath import parse_jsonpath
from capstan.load.model import Output
from capstan.load.schema import Checker
from capstan.plan.coerce import coerce
from capstan.plan.output import mock_outputs, plan_outputs
from capstan.plan.output_schema import output_schema
from capstan.plan.shape import Whole
from capstan.plan.values import Constant

TYPES = ("string", "number", "integer", "boolean", "object", "array")
NAMES = ("a", "b", "c")
SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 1.5, 2.0, 1e300, 10**30, "", "x", "5", "1.5", "true", "1_000"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=12,
)
PATHS = st.sampled_from([None, "$", "$.", "$.a", "$.b", "$.a.b", "$.a[0]", "$.a[*]", "$.a[-1].c", "$..c", "$[?@.a]"])


NOWHERE: Any = None  # outputs of no file


@st.composite
def outputs(draw: st.DrawFn, names: tuple[str | None, ...], depth: int = 2) -> Output:
    nested: dict[str, Any] = {}
    match draw(st.sampled_from(["scalar", "properties", "items", "values"])) if depth else "scalar":
        case "properties":
            nested = {"properties": draw(members(depth - 1))}
        case "scalar":
            nested = {"max_length": draw(st.sampled_from([None, 2]))}
        case keyword:
            nested = {keyword: draw(outputs((None,), depth - 1))}
    kind = {"properties": "object", "items": "array", "values": "object"}.get(next(iter(nested)))
    path = draw(PATHS)
    return Output(
        name=draw(st.sampled_from(names)),
        type=kind or draw(st.sampled_from([None, *TYPES])),
        path=None if path is None else parse_jsonpath(path),
        required=draw(st.booleans()),
        at=NOWHERE,
        **nested,
    )


def members(depth: int = 2) -> st.SearchStrategy[tuple[Output, ...]]:
    return st.lists(outputs(NAMES, depth), min_size=1, max_size=3, unique_by=lambda output: output.name).map(tuple)


UNITS = st.one_of(outputs((None,)).map(lambda output: (output,)), members())


@given(UNITS, JSON)
def test_what_is_given_on_fits_its_schema_or_is_a_clear_error(unit: tuple[Output, ...], answer: Any) -> None:
    shape = plan_outputs(unit, lambda template, _: Constant(str(template)))
    schema = output_schema(unit, shape)
    if schema is None or isinstance(shape, Whole):
        return
    try:
        value = shape.take(answer, answer, {})
    except ShapeError as error:
        assert error.message.startswith("the answer")  # noqa: PT017 - either is right
        return
    if value is not None:  # what a whole answer of null becomes is for the doors to say
        assert Checker(schema).violations(value) == []


@given(JSON, st.sampled_from(TYPES))
def test_a_value_of_a_type_is_of_it_for_good(value: Any, kind: str) -> None:
    try:
        found = coerce(value, kind)
    except ShapeError:
        return
    assert Checker({"type": [kind, "null"]}).accepts(found)
    assert coerce(found, kind) == found
    assert json.loads(json.dumps(found)) == found


@given(JSON)
def test_a_constant_is_answered_as_it_is(value: Any) -> None:
    (output,) = mock_outputs((Output(name=None, type=None, path=None, constant=value, has_constant=True, at=NOWHERE),))
    shape = plan_outputs((output,), lambda template, _: Constant(str(template)))
    assert shape.take(None, None, {}) == {"value": value}
