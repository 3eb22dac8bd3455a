"""What the documents show works: their files load, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capstan.call.guard import Guard
from capstan.errors import BindError
from capstan.plan.build import plan_file
from capstan.settings import read_settings
from spec_page import ENVIRON, PAGE, examples

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


def test_the_capability_of_the_readme_can_be_served_without_a_warning(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "orders.yaml"
    file.write_text(text)
    plan, warnings = plan_file(file, {"SHOP_TOKEN": "t"})
    assert [unit.name for unit in plan.units] == ["get-order", "get-order"]
    assert warnings == ()


def test_the_choice_of_hosts_in_the_description_of_the_format_works_as_it_says(tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(
        next(
            example.text
            for example in examples(PAGE.read_text("utf-8"))
            if "apiHost, type: string, enum" in example.text
        )
    )
    (unit,) = plan_file(file, ENVIRON)[0].units
    assert unit.call is not None
    checked = Guard(unit).check({"id": "o-1"})
    assert unit.call.request.bind(checked).url == "https://eu.shop.example/v1/orders/o-1"
    chosen = Guard(unit).check({"id": "o-1", "apiHost": "us.shop.example"})
    assert unit.call.request.bind(chosen).url == "https://us.shop.example/v1/orders/o-1"
    with pytest.raises(BindError):
        Guard(unit).check({"id": "o-1", "apiHost": "evil.example"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_every_file_named_in_a_document_is_there(document: Path) -> None:
    text = document.read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text)]
    assert [link for link in links if link and not (document.parent / link).exists()] == []
    named = re.findall(r"`((?:scripts|benchmarks|schemas|capabilities|tests)/[\w./-]+)`", text)
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def test_the_settings_named_in_the_guide_are_those_that_are_read() -> None:
    named = re.findall(r"`CAPSTAN_(\w+)`", (REPOSITORY / "docs" / "operating.md").read_text())
    key = "k" * 32
    settings = read_settings({f"CAPSTAN_{name}": key if name == "STATE_KEY" else "7" for name in named})
    assert all(getattr(settings, name.lower()) == (key.encode() if name == "STATE_KEY" else 7) for name in named)
    assert {name.lower() for name in named} == {*settings.__dataclass_fields__} - {"proxies", "stand_ins"}
