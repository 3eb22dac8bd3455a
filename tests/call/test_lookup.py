"""Lookups: entries of an earlier answer by the value of a field."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from call.flows import problems, run
from capstan.errors import ShapeError
from support import reply

CREW = [{"crewId": 7, "fullName": "Ada", "role": "captain", "x": 1}, {"crewId": "8", "fullName": "Bob"}, "no entry"]

UNIT = """
inputParameters: [{name: who, required: false, type: string}]
steps:
- {name: ship, call: api.all, with: {list: ship}}
- {name: crew, call: api.all, with: {list: crew}}
- {name: found, type: lookup, index: INDEX, match: crewId, lookupValue: VALUE, outputParameters: [fullName, role]}
mappings: [{target: found, value: $.found}]
outputParameters: [{name: found}]
"""


async def found(folder: Path, value: str, crew: Any, ship: Any = None, index: str = "crew") -> Any:
    unit = UNIT.replace("VALUE", value).replace("INDEX", index)

    def by(request: Any) -> Any:
        return reply(data=ship or {}) if request.target == "/ship" else reply(data=crew)

    result, _ = await run(folder, unit, {"who": "8"}, by=by)
    return result["found"] if isinstance(result, dict) else result


ADA = {"fullName": "Ada", "role": "captain"}
BOB = {"fullName": "Bob", "role": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'7'", ADA),
        ("7", ADA),
        ("tools.who", BOB),
        ("'{{who}}'", BOB),
        ("$.ship.captain", ADA),
        ("'{{ship.captain}}'", ADA),
        ("'9'", None),
        ("$.ship.nobody", None),
        ("$.ship.crew", [BOB, ADA]),  # in the order of the values; what is not found is left out
        ("$.ship.none", []),
        ("['7', $.ship.captain]", [ADA, ADA]),
    ],
)
async def test_one_value_gives_one_entry_and_a_list_of_values_a_list(tmp_path: Path, value: str, expected: Any) -> None:
    ship = {"captain": 7, "crew": ["8", "99", 7], "none": []}
    assert await found(tmp_path, value, CREW, ship) == expected


@pytest.mark.parametrize(
    ("crew", "expected"),
    [
        ([], None),
        (None, None),
        ({"crewId": 7, "fullName": "Ada", "role": "captain"}, ADA),
        ({"crewId": [8, 7], "fullName": ["Bob", "Ada"], "role": [None, "captain"]}, ADA),
        ([{"crewId": 7, "fullName": "Ada", "role": "captain"}, {"crewId": 7, "fullName": "second"}], ADA),
    ],
)
async def test_the_index_is_a_list_an_object_or_lists_side_by_side(tmp_path: Path, crew: Any, expected: Any) -> None:
    assert await found(tmp_path, "'7'", crew) == expected


async def test_the_index_may_stand_inside_an_answer(tmp_path: Path) -> None:
    assert await found(tmp_path, "'7'", {"items": CREW}, index="$.crew.items") == ADA


@pytest.mark.parametrize("crew", ["text", 5, {"crewId": [1, 2], "fullName": ["a"]}])
async def test_an_index_that_cannot_be_searched_is_told(tmp_path: Path, crew: Any) -> None:
    assert isinstance(await found(tmp_path, "'7'", crew), ShapeError)


def test_an_index_that_is_no_earlier_step_is_refused(tmp_path: Path) -> None:
    unit = UNIT.replace("VALUE", "'7'").replace("INDEX", "crow")
    assert "unknown-name: '$.crow' begins with the name of no step" in problems(tmp_path, unit)


async def test_many_values_are_looked_up_in_a_long_list_at_once(tmp_path: Path) -> None:
    crew = [{"crewId": number, "fullName": str(number), "role": None} for number in range(20000)]
    ship = {"crew": list(range(20000))}
    assert len(await found(tmp_path, "$.ship.crew", crew, ship)) == 20000


async def test_each_item_of_a_loop_is_looked_up_without_a_search_of_the_whole_list(tmp_path: Path) -> None:
    unit = """
inputParameters: [{name: ids, type: array, items: {type: string}}]
steps:
- {name: crew, call: api.all, with: {list: crew}}
- {name: found, index: crew, match: id, foreach: tools.ids, lookupValue: item, outputParameters: [n]}
mappings: [{target: n, value: '$.found[*].result.n'}]
"""
    crew = reply(data=[{"id": f"p-{n}", "n": n} for n in range(20_000)])
    started = time.perf_counter()
    result, _ = await run(tmp_path, unit, {"ids": [f"p-{n}" for n in range(1000)]}, crew)
    assert result == {"n": list(range(1000))}
    assert time.perf_counter() - started < 2.0  # 20,000,000 comparisons take longer


async def test_a_list_of_its_own_is_searched_for_each_item(tmp_path: Path) -> None:
    unit = """
steps:
- {name: crews, call: api.all, with: {list: crews}}
- {name: found, index: $.crew.of, match: id, foreach: $.crews, as: crew, lookupValue: a, outputParameters: [n]}
mappings: [{target: n, value: '$.found[*].result.n'}]
"""
    crews = reply(data=[{"of": [{"id": "a", "n": 1}, {"id": "a", "n": 2}]}, {"of": [{"id": "b"}, {"id": "a", "n": 3}]}])
    assert (await run(tmp_path, unit, {}, crews))[0] == {"n": [1, 3]}
