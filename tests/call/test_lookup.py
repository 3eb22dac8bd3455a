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


SHIPS = [{"id": "a", "price": 2, "of": {"port": "Brest"}, "tags": ["x"]},
         {"id": "b", "price": 3, "of": {"port": "Kiel"}, "tags": ["y"]}]  # fmt: skip
COLUMNS = """
inputParameters: [{name: ids, type: array, items: {type: string}}, {name: one, type: string, required: false}]
steps:
- {name: all, call: api.all, with: {list: ships}}
- {name: found, index: all, match: id, lookupValue: VALUE, outputParameters: [id, price, of, tags]}
"""


@pytest.mark.parametrize("where", ["mappings", "outputs"])
@pytest.mark.parametrize(
    ("path", "type_", "expected"),
    [
        ("$.found.price", "array", [3, 2]),
        ("$['found'].price", "", [3, 2]),
        ("$.found.of", "", [{"port": "Kiel"}, {"port": "Brest"}]),
        ("$.found.of.port", "array", ["Kiel", "Brest"]),
        ("$.found.price[0]", "integer", 3),
        ("$.found.price[-1:]", "integer", 2),
        ("$.found.price[*]", "array", [3, 2]),
        ("$.found.price.sum()", "number", 5),
        ("$.found.price.length()", "integer", 2),
        ("$.found.length()", "integer", 2),
        ("$.found[0].price", "integer", 3),
        ("$.found[*].price", "array", [3, 2]),
        ("$.found[?@.price > 2].id", "string", "b"),
        ("$.found.tags", "array", [["y"], ["x"]]),
        ("$.found", "array", list(reversed(SHIPS))),
    ],
)
async def test_a_field_of_several_that_were_found_is_the_list_of_it(
    tmp_path: Path, where: str, path: str, type_: str, expected: Any
) -> None:
    type_ = f", type: {type_}" if type_ else ""
    end = f'outputParameters: [{{name: it, mapping: "{path}"{type_}}}]'
    if where == "mappings":
        end = f'mappings: [{{target: it, value: "{path}"}}]\noutputParameters: [{{name: it{type_}}}]'
    unit = COLUMNS.replace("VALUE", "tools.ids") + end
    result, _ = await run(tmp_path, unit, {"ids": ["b", "none", "a"]}, reply(data=SHIPS))
    assert result == {"it": expected}


@pytest.mark.parametrize(("ids", "expected"), [(["a"], 2), (["none"], None), ([], None)])
@pytest.mark.parametrize(
    "end",
    [
        "mappings: [{target: it, value: $.found.price}]\noutputParameters: [{name: it, type: integer}]",
        "outputParameters: [{name: it, type: integer, mapping: $.found.price}]",
    ],
)
async def test_a_list_of_one_field_is_that_field_where_one_is_declared(
    tmp_path: Path, ids: list[str], expected: Any, end: str
) -> None:
    unit = COLUMNS.replace("VALUE", "tools.ids") + end
    result, _ = await run(tmp_path, unit, {"ids": ids}, reply(data=SHIPS))
    assert result == {"it": expected}


@pytest.mark.parametrize("value", ["a", "tools.one", "$.all[0].id", "['a', tools.one]", "$.all[*].id"])
async def test_one_value_or_several_decide_when_the_look_up_is_made(tmp_path: Path, value: str) -> None:
    unit = COLUMNS.replace("VALUE", f'"{value}"' if value.startswith("$") else value)
    unit += "mappings: [{target: it, value: $.found.price}, {target: tags, value: '$.found.tags[0]'}]"
    result, _ = await run(tmp_path, unit, {"ids": [], "one": "a"}, reply(data=SHIPS))
    several = {"['a', tools.one]": [2, 2], "$.all[*].id": [2, 3]}
    assert result == {"it": several.get(value, 2), "tags": ["x"] if value in several else "x"}


async def test_a_field_of_several_goes_on_to_templates_calls_conditions_and_loops(tmp_path: Path) -> None:
    unit = (
        COLUMNS.replace("VALUE", "tools.ids")
        + """
- {name: sent, call: api.all, with: {list: prices, of: $.found.price}}
- {name: told, call: api.all, with: {list: told, of: '{{found.price}}'}}
- {name: each, call: api.all, foreach: $.found.id, when: "$.found.price == [3, 2]", with: {list: item}}
mappings: [{target: text, value: 'for {{found.price}}'}]
"""
    )
    result, requests = await run(tmp_path, unit, {"ids": ["b", "a"]}, by=lambda _: reply(data=SHIPS))
    assert result == {"text": "for [3,2]"}
    targets = ["/a", "/b", "/prices?of=3&of=2", "/ships", "/told?of=3&of=2"]
    assert sorted(request.target for request in requests) == targets


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
