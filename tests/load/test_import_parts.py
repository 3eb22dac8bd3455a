"""Aggregates and adapters that stand in other files."""

from __future__ import annotations

from pathlib import Path

import pytest

from capstan.errors import LoadError, Problem
from capstan.load.files import find_files
from capstan.plan.build import plan_file
from plan.helpers import sent

API = """
  - type: http
    namespace: registry
    baseUri: https://api.example.com
    resources:
      ships: {path: '/ships/{imo}', operations: {get-ship: {method: GET}}}
"""
FLEET = """
ikanos: 1.0.0-beta4
aggregates:
- display: Fleet
  namespace: fleet
  flows:
    get-ship:
      description: One ship.
      inputParameters: {imo: {type: string, description: Its number.}}
      call: registry.get-ship
      with: {imo: fleet.imo}
"""
SHIPS = "{from: ./shared/doors.yml, import: ships}"
DOORS = """
ikanos: 1.0.0-beta4
exposes:
- type: rest
  namespace: ships
  port: 8080
  resources:
    ship:
      path: /ships/{number}
      operations:
        get: {method: GET, call: registry.get-ship, with: {imo: ships.number}}
- type: mcp
  namespace: agents
  port: 9090
  tools:
    ship: {ref: fleet.get-ship}
"""


def write(
    folder: Path,
    aggregates: str = "{from: ./shared/fleet.yml, import: fleet}",
    exposes: str = "{from: ./shared/doors.yml, import: ships}, {from: ./shared/doors.yml, import: agents}",
    *,
    api: str = API,
    fleet: str = FLEET,
    doors: str = DOORS,
    at_root: bool = False,
) -> Path:
    (folder / "shared").mkdir()
    (folder / "shared" / "fleet.yml").write_text(fleet)
    (folder / "shared" / "doors.yml").write_text(doors)
    parts = f"aggregates: [{aggregates}]\nexposes: [{exposes}]"
    inside = "" if at_root else "\n".join(f"  {line}" for line in parts.splitlines())
    path = folder / "capability.yml"
    path.write_text(f"ikanos: 1.0.0-beta5\n{parts if at_root else ''}\ncapability:\n{inside}\n  consumes:{api}")
    return path


def problems(path: Path) -> list[Problem]:
    with pytest.raises(LoadError) as caught:
        plan_file(path)
    return list(caught.value.problems)


@pytest.mark.parametrize("place", ["under capability", "at the root"])
def test_what_is_imported_calls_the_apis_of_the_file_that_imports_it(tmp_path: Path, place: str) -> None:
    plan, warnings = plan_file(write(tmp_path, at_root=place == "at the root"))
    rest, tool = plan.units
    assert sent(rest, {"number": "7"}).url == sent(tool, {"imo": "7"}).url == "https://api.example.com/ships/7"
    assert (plan.rest[0].namespace, plan.mcp[0].namespace) == ("ships", "agents")
    assert set(plan.sources) == {str(tmp_path / "shared" / "fleet.yml"), str(tmp_path / "shared" / "doors.yml")}
    assert warnings == ()


def test_under_another_name_the_own_namespace_still_means_the_inputs(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/fleet.yml, import: fleet, as: navy}",
                 "{from: ./shared/doors.yml, import: ships, as: boats}, {from: ./shared/doors.yml, import: agents}",
                 doors=DOORS.replace("fleet.get-ship", "navy.get-ship"))  # fmt: skip
    plan, _ = plan_file(path)
    rest, tool = plan.units
    assert plan.rest[0].namespace == "boats"
    assert sent(rest, {"number": "7"}).url == sent(tool, {"imo": "7"}).url


def test_in_a_map_the_key_is_the_name_of_what_is_imported(tmp_path: Path) -> None:
    path = write(tmp_path, doors=DOORS.replace("fleet.get-ship", "navy.get-ship"))
    text = path.read_text()
    path.write_text(text.replace("[{from: ./shared/fleet.yml, import: fleet}]",
                                 "{navy: {from: ./shared/fleet.yml, import: fleet}}"))  # fmt: skip
    assert sent(plan_file(path)[0].units[1], {"imo": "7"}).url == "https://api.example.com/ships/7"


def test_one_adapter_serves_two_apis_of_one_shape(tmp_path: Path) -> None:
    """What the peer's guide promises: who imports an adapter wires it."""
    path = write(tmp_path, api=API.replace("api.example.com", "other.example.com/v2"))
    assert sent(plan_file(path)[0].units[0], {"number": "7"}).url == "https://other.example.com/v2/ships/7"


@pytest.mark.parametrize(
    ("aggregates", "exposes", "code", "message", "hint"),
    [
        pytest.param("{from: ./shared/fleet.yml, import: fleat}", "", "bad-import",
                     "./shared/fleet.yml has no namespace 'fleat' in 'aggregates'", "did you mean 'fleet'?",
                     id="no such namespace"),
        pytest.param("{from: ./shared/doors.yml, import: ships}", "", "bad-import",
                     "./shared/doors.yml has nothing in 'aggregates'", "", id="empty section"),
        pytest.param("{from: ./shared/fleet.yml, import: fleet}, {from: ./shared/fleet.yml, import: fleet}", "",
                     "duplicate-namespace", "the namespace 'fleet' is taken twice in 'aggregates'",
                     "give it another name with 'as'", id="an alias twice"),
        pytest.param("", f"{SHIPS}, {{from: ./shared/doors.yml, import: agents, as: ships}}",
                     "duplicate-namespace", "the namespace 'ships' is taken twice in 'exposes'",
                     "give it another name with 'as'", id="an adapter's name twice"),
        pytest.param("{from: ./shared/flet.yml, import: fleet}", "", "bad-import", "there is no file", "",
                     id="no file"),
        pytest.param("{import: fleet}", "", "missing-keyword", "'from' is missing", "", id="no from"),
        pytest.param("{from: ./shared/fleet.yml}", "", "missing-keyword", "'import' is missing", "", id="no import"),
        pytest.param("", "{from: ./shared/doors.yml}", "missing-keyword", "'import' is missing", "",
                     id="no import of an adapter"),
        pytest.param("", "{import: ships}", "missing-keyword", "'from' is missing", "", id="no from of an adapter"),
        pytest.param("{from: ./capability.yml, import: fleet}", "", "bad-import", "a file cannot import from itself",
                     "", id="itself"),
    ],
)  # fmt: skip
def test_an_import_that_leads_nowhere_is_told(
    tmp_path: Path, aggregates: str, exposes: str, code: str, message: str, hint: str
) -> None:
    found = [p for p in problems(write(tmp_path, aggregates, exposes)) if p.code != "nothing-exposed"]
    assert [(p.code, p.hint) for p in found] == [(code, hint)]
    assert found[0].message.startswith(message)
    assert found[0].at.file.endswith("capability.yml")


def test_what_refers_to_an_aggregate_that_is_not_found_is_not_told_as_well(tmp_path: Path) -> None:
    path = write(tmp_path, "{from: ./shared/none.yml, import: fleet}")
    assert [p.code for p in problems(path)] == ["bad-import"]


def test_a_fault_of_an_imported_function_is_told_in_its_own_file(tmp_path: Path) -> None:
    path = write(tmp_path, fleet=FLEET.replace("registry.get-ship", "registry.get-boat"))
    (problem,) = problems(path)
    assert (problem.code, Path(problem.at.file).name) == ("unknown-operation", "fleet.yml")
    assert problem.hint == "did you mean 'registry.get-ship'?"


def test_an_imported_file_that_imports_in_turn_is_refused(tmp_path: Path) -> None:
    more = "- {from: ./other.yml, import: more}\n- display: Fleet"
    path = write(tmp_path, fleet=FLEET.replace("- display: Fleet", more))
    assert [p.code for p in problems(path)] == ["bad-import"]


@pytest.mark.parametrize("text", [FLEET, DOORS])
def test_a_file_of_parts_is_no_capability_of_its_own(tmp_path: Path, text: str) -> None:
    path = tmp_path / "parts.yml"
    path.write_text(text)
    plan, warnings = plan_file(path)
    assert plan.units == ()
    assert [(w.code, w.severity) for w in warnings] == [("nothing-exposed", "warning")]
    (tmp_path / "capability.yml").write_text("naftiko: 1.0.0-alpha2\ncapability: {}\n")
    assert find_files([str(tmp_path)]) == ([tmp_path / "capability.yml"], [])


def test_what_is_wrong_within_a_file_of_parts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "parts.yml"
    path.write_text(FLEET.replace("call: registry.get-ship", "ref: fleet.get-ship"))
    assert [p.code for p in problems(path)] == ["chained-ref"]


def test_what_an_imported_function_binds_comes_along(tmp_path: Path) -> None:
    fleet = FLEET.replace("aggregates:", "binds: [{namespace: ports, keys: {HARBOUR: HARBOUR}}]\naggregates:")
    api = API.replace("{method: GET}", "{method: GET, inputParameters: {harbour: {in: query}}}")
    with_ = "with: {imo: fleet.imo, harbour: '{{ports.HARBOUR}}'}"
    path = write(tmp_path, fleet=fleet.replace("with: {imo: fleet.imo}", with_), api=api)
    tool = plan_file(path, {"HARBOUR": "Kiel"})[0].mcp[0].tools[0].unit
    assert sent(tool, {"imo": "7"}).url == "https://api.example.com/ships/7?harbour=Kiel"


def test_what_an_imported_adapter_binds_comes_along(tmp_path: Path) -> None:
    doors = DOORS.replace("exposes:", "binds: [{namespace: ports, keys: {HARBOUR: HARBOUR}}]\nexposes:")
    api = API.replace("{method: GET}", "{method: GET, inputParameters: {harbour: {in: query}}}")
    doors = doors.replace("with: {imo: ships.number}", "with: {imo: ships.number, harbour: '{{ports.HARBOUR}}'}")
    (rest,) = plan_file(write(tmp_path, "", SHIPS, doors=doors, api=api), {"HARBOUR": "Kiel"})[0].units
    assert sent(rest, {"number": "7"}).url == "https://api.example.com/ships/7?harbour=Kiel"
