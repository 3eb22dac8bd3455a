"""`requirements.toml` tells what the format promises: each entry is proven by tests that exist, or says why it is open.

python tests/test_requirements.py     counts them, and lists the open ones
"""

from __future__ import annotations

import ast
import functools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

REPOSITORY: Final = Path(__file__).parents[1]
FILE: Final = tomllib.loads((REPOSITORY / "tests" / "requirements.toml").read_text("utf-8"))
REQUIREMENTS: Final[list[dict[str, Any]]] = FILE["requirement"]
DESIGN: Final = REPOSITORY.parent / "shared" / "DESIGN.md"

# The rows of the table of decisions: where the specifications, their schemas and their engine disagree.
DECISIONS: Final = (
    "version",
    "`{{$.a}}` in a mapping or value",
    "mapping root in a flow",
    "several unnamed outputs",
    "object with `mapping` path and `properties`",
    "`mapping: {properties}` beside `properties`; `items` as list or object",
    "`with: {x: x}`, `{x}`, `$this.ns.x`",
    "exposed parameter with `value`",
    "a template value that is absent",
    "mock outputs",
    "text, xml, form, multipart bodies",
    "`baseUri` with a trailing slash",
    "`file:///./x`",
    "XML root element",
    "forward",
    "prompts",
    "skills",
    "an upstream error with `outputParameters`",
    "`call` with three segments",
    "same parameter name in path and query",
    "path variables a file does not declare",
    "exposed path variable in other case or with `-`, `_`",
    "literal and variable segments on one route",
    "a literal space or reserved character in a consumed path",
    "`in: environment`",
    "arrays in a query",
    "GET with `in: body`",
)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement["id"])
def test_a_requirement_is_proven_or_says_why_not(requirement: dict[str, Any]) -> None:
    assert requirement["text"].strip().endswith(".")
    assert requirement["source"].strip()
    assert set(requirement) <= {"id", "text", "source", "design", "proven_by", "status", "why"}
    if "status" in requirement:
        assert (requirement["status"], "proven_by" in requirement) == ("open", False)
        assert len(requirement["why"]) > 5
        return
    assert requirement["proven_by"], "neither a test nor a reason"
    for name in requirement["proven_by"]:
        assert fault(name) == ""


def test_every_id_is_one_requirement_and_every_requirement_says_something_else() -> None:
    for key in ("id", "text"):
        counted = Counter(requirement[key] for requirement in REQUIREMENTS)
        assert [value for value, times in counted.items() if times > 1] == []


def test_every_decision_has_its_requirement() -> None:
    answered = {requirement["design"] for requirement in REQUIREMENTS if "design" in requirement}
    assert set(DECISIONS) ^ answered == set()


@pytest.mark.skipif(not DESIGN.exists(), reason="the design page is not part of a checkout")
def test_the_decisions_are_those_of_the_design() -> None:
    _, _, text = DESIGN.read_text("utf-8").partition("disagree, Capstan does this")
    table = text.partition("\n## ")[0]
    assert re.findall(r"^\| (.+?) \| ", table, re.MULTILINE)[1:] == list(DECISIONS)


def test_every_keyword_of_the_schema_is_named_by_a_requirement() -> None:
    told = " ".join(re.findall(r"`([^`]+)`", " ".join(requirement["text"] for requirement in REQUIREMENTS)))
    schema = json.loads((REPOSITORY / "schemas" / "capability.schema.json").read_text("utf-8"))
    assert sorted(set(keywords_of(schema)) - set(re.findall(r"[\w$-]+", told))) == []


def keywords_of(schema: Any) -> Iterator[str]:
    """The keywords that a schema knows, wherever in it they stand."""
    if isinstance(schema, list):
        for item in schema:
            yield from keywords_of(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("properties", "$defs"):
                yield from value if key == "properties" else ()
                yield from keywords_of(list(value.values()))
            else:
                yield from keywords_of(value)


def test_most_promises_are_proven() -> None:
    assert len(REQUIREMENTS) >= 150
    proven = sum("proven_by" in requirement for requirement in REQUIREMENTS)
    assert proven > len(REQUIREMENTS) / 2


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        pytest.param("tests/test_nowhere.py::test_x", "no file", id="no file"),
        pytest.param("tests/test_requirements.py::test_nothing", "no test", id="no test"),
        pytest.param("tests/test_requirements.py::fault", "no test", id="no test, but a function"),
        pytest.param("tests/golden/problems/test_codes.py::test_every_code_about_a_file_is_shown_by_a_golden_text[gone]",
                     "no case", id="no case"),
    ],
)  # fmt: skip
def test_a_test_that_is_not_there_is_told(name: str, complaint: str) -> None:
    assert complaint in fault(name)


def test_a_test_that_never_runs_is_told() -> None:
    tree = ast.parse(
        "import pytest\n@pytest.mark.skip(reason='x')\ndef test_a(): ...\ndef test_b():\n  pytest.skip()\n"
    )
    assert skipped(tree) == {"test_a", "test_b"}
    assert skipped(ast.parse("pytestmark = pytest.mark.skip\ndef test_a(): ...\n")) == {"test_a"}
    assert skipped(ast.parse("pytestmark = pytest.mark.asyncio\ndef test_a():\n  if x:\n    pytest.skip()\n")) == set()


def fault(name: str) -> str:
    """What is wrong with the name of a test; nothing, mostly. In brackets stands a case of it, or its golden file."""
    file, _, case = name.partition("::")
    test, _, parameter = case.removesuffix("]").partition("[")
    if not (REPOSITORY / file).is_file():
        return f"there is no file {file}"
    tree = tree_of(file)
    if test not in functions_of(tree) or not test.startswith("test_"):
        return f"there is no test {name}"
    if parameter and f'id="{parameter}"' not in text_of(file) and not has_golden(file, parameter):
        return f"{test} has no case '{parameter}'"
    return f"{name} is skipped always" if test in skipped(tree) else ""


def has_golden(file: str, stem: str) -> bool:
    return any(path.stem == stem for path in (REPOSITORY / file).parent.rglob("*.txt"))


@functools.cache
def text_of(file: str) -> str:
    return (REPOSITORY / file).read_text("utf-8")


@functools.cache
def tree_of(file: str) -> ast.Module:
    return ast.parse(text_of(file))


def functions_of(tree: ast.Module) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def skipped(tree: ast.Module) -> set[str]:
    """The tests of a module that are skipped whatever comes."""
    marks = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    if any(re.search(r"mark\.skip\b", ast.unparse(mark)) for mark in marks):
        return set(functions_of(tree))
    return {name for name, test in functions_of(tree).items() if _is_skipped(test)}


def _is_skipped(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if any(re.search(r"mark\.skip\b", ast.unparse(mark)) for mark in test.decorator_list):
        return True
    return any(isinstance(line, ast.Expr) and ast.unparse(line).startswith("pytest.skip(") for line in test.body)


def main() -> None:
    """Print how many promises are proven, and which are not."""
    unproven = [requirement for requirement in REQUIREMENTS if "status" in requirement]
    for requirement in unproven:
        print(f"open    {requirement['id']}: {requirement['why']}")
    print(f"{len(REQUIREMENTS) - len(unproven)} proven, {len(unproven)} open")


if __name__ == "__main__":
    main()
