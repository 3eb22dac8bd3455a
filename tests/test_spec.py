"""The page of the format: its examples are right, it lacks no keyword, and what it names exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from capstan.cli import main
from capstan.errors import LoadError, Outcome
from capstan.plan.build import plan_file
from capstan.plan.site import SEARCHING
from spec_page import ENVIRON, PAGE, Example, calls_of, examples, play

REPOSITORY: Final = PAGE.parents[1]
TEXT: Final = PAGE.read_text("utf-8")
FILES: Final = examples(TEXT)
EXAMPLES: Final = [example for example in FILES if example.line]
RUNS: Final = [
    pytest.param(example, run, id=f"{example}-{number}")
    for example in EXAMPLES
    for number, run in enumerate(example.runs, 1)
]
SCHEMA: Final = json.loads((REPOSITORY / "schemas" / "capability.schema.json").read_text("utf-8"))
ERRORS: Final = (REPOSITORY / "docs" / "errors.md").read_text("utf-8")
FENCED: Final = re.DOTALL | re.MULTILINE
CODES: Final = frozenset(re.findall(r"^\| `([\w-]+)` \|", ERRORS, re.MULTILINE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that examples refer to."""
    for example in FILES:
        if example.name:
            file = tmp_path / example.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(example.text, "utf-8")
    return tmp_path


def written(folder: Path, example: Example) -> Path:
    file = folder / "example.yaml"
    file.write_text(example.text, "utf-8")
    return file


# --- examples


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_planned_without_a_warning_or_refused_as_the_page_says(folder: Path, example: Example) -> None:
    file = written(folder, example)
    if example.refused:
        with pytest.raises(LoadError) as caught:
            plan_file(file, ENVIRON)
        assert {problem.code for problem in caught.value.problems} == {example.refused}
        return
    plan, warnings = plan_file(file, ENVIRON)
    expected = {example.warns} - {""} or ({"nothing-exposed"} if "capability:" not in example.text else set())
    assert {warning.code for warning in warnings} == expected, "\n".join(map(str, warnings))
    assert plan.rest or plan.mcp or "nothing-exposed" in expected


@pytest.mark.parametrize("example", [example for example in EXAMPLES if not example.refused], ids=str)
def test_an_example_is_explained_to_people_and_programs(
    folder: Path, example: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(written(folder, example))
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert main(["explain", file]) == 0
    assert capsys.readouterr().out
    assert main(["explain", file, "--json"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)
    assert not any(value in text for name, value in ENVIRON.items() if name in SECRETS)


SECRETS: Final = ("TOKEN", "PASS", "KEY", "SECRET")


@pytest.mark.parametrize(("example", "run"), RUNS)
async def test_a_run_of_an_example_comes_to_what_the_page_says(folder: Path, example: Example, run: str) -> None:
    await play(written(folder, example), run)


def test_there_are_runs_to_play_and_each_makes_a_call_and_expects_something() -> None:
    calls = [call for example in EXAMPLES for run in example.runs for call in calls_of(run)]
    assert len(calls) >= 12
    assert all(call.requests or call.result is not None or call.error for call in calls)


async def test_a_run_that_comes_to_something_else_is_told(tmp_path: Path) -> None:
    example = next(example for example in EXAMPLES if "Hello, {{name}}!" in example.text)
    with pytest.raises(AssertionError, match="gives"):
        await play(written(tmp_path, example), '$ hello name=Ada\n= {"message": "Bye"}\n')


# --- keywords


def test_every_keyword_of_the_schema_is_in_a_table_of_its_section() -> None:
    documented = keywords_of_page(TEXT)
    assert [f"{place}: {keyword}" for place, keyword in lacking(documented)] == []


def test_every_keyword_of_the_schema_stands_in_an_example() -> None:
    shown = set(re.findall(r"([$\w-]+):", "\n".join(re.findall(r"^```yaml[^\n]*\n(.*?)^```", TEXT, FENCED))))
    known = {keyword for keywords in keywords_of_schema().values() for keyword in keywords}
    assert sorted(known - shown) == []


def test_a_keyword_that_no_table_has_is_told() -> None:
    rows = [line for line in TEXT.splitlines() if not line.startswith("| `trustedHeaders`, ")]
    rows = [line.replace("`trustedHeaders`", "") for line in rows]
    assert lacking(keywords_of_page("\n".join(rows))) == [("forward", "trustedHeaders")]


def test_every_keyword_in_a_table_is_one_of_the_schema() -> None:
    known = keywords_of_schema()
    strange = [
        f"{places}: {keyword}"
        for places, keywords in tables_of(TEXT)
        for keyword in keywords
        if places != ("*",)
        and not any(keyword in known.get(one, ()) for p in places for one in (p, *WITHIN.get(p, ())))
    ]
    assert strange == []


def test_every_value_a_keyword_takes_is_on_the_page() -> None:
    ticked = set(re.findall(r"`([^`\n]+)`", TEXT))
    shown = re.compile(r"1\.0\.0-(alpha|beta)\d")  # given as ranges
    assert sorted(v for v in _values() if v not in ticked and not shown.match(v)) == []


# Places that say the same, and places whose keywords stand in tables of others.
SAME: Final = {"exposedAuthentication": "authentication"}
WITHIN: Final = {"root": ("schema",), "parameter": ("schema",), "control": ("adapter",)}


def lacking(documented: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The keywords of the schema that no table of their place has."""
    return [
        (place, keyword)
        for place, keywords in keywords_of_schema().items()
        for keyword in keywords
        if not any(keyword in documented.get(one, ()) for one in (place, "*", *WITHIN.get(place, ())))
    ]


def keywords_of_schema() -> dict[str, list[str]]:
    """The keywords of each definition of the schema, wherever in it they stand."""
    found: dict[str, dict[str, None]] = {}
    for place, schema in {"root": {k: v for k, v in SCHEMA.items() if k != "$defs"}, **SCHEMA["$defs"]}.items():
        for part in _schemas(schema):
            found.setdefault(SAME.get(place, place), {}).update(dict.fromkeys(part.get("properties", {})))
    return {place: list(keywords) for place, keywords in found.items()}


def keywords_of_page(page: str) -> dict[str, set[str]]:
    """The keywords that tables have for each place."""
    found: dict[str, set[str]] = {}
    for places, keywords in tables_of(page):
        for place in places:
            found.setdefault(place, set()).update(keywords)
    return found


def tables_of(page: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """The places and keywords of the tables after `<!-- keywords: PLACE, ... -->`, those whose first column says so."""
    parts = re.compile(r"<!-- keywords: (.+?) -->\n(.*?)(?=<!-- keywords|^##+ |\Z)", re.DOTALL | re.MULTILINE)
    for places, text in parts.findall(page):
        for table in re.findall(r"^\| keyword.*\n\|---.*\n((?:\|.*\n)*)", text, re.MULTILINE):
            first_cells = " ".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))
            yield tuple(places.split(", ")), re.findall(r"`([$\w-]+)`", first_cells)


def _values() -> set[str]:
    return {str(v) for schema in _schemas(SCHEMA) for v in schema.get("enum", []) if not isinstance(v, bool)}


def _schemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A schema and all within it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        inner = value.values() if key in ("properties", "$defs") else value if isinstance(value, list) else (value,)
        for item in inner:
            yield from _schemas(item)


# --- what else the page names


# What is known of a call or a step, as errors tell it.
STATES: Final = frozenset({*get_args(Outcome), "not-reached"})


def test_every_code_the_page_names_is_one() -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", prose))
    keywords = {keyword for keywords in keywords_of_schema().values() for keyword in keywords}
    assert sorted(named - CODES - _values() - keywords - STATES - {*SEARCHING}) == []
    used = {code for example in EXAMPLES for code in (example.refused, example.warns) if code}
    assert sorted(used - CODES) == []


def test_every_link_within_the_page_leads_to_a_heading() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) - headings == set()
