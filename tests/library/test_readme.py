"""What the page beside the files says of them is so."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from capstan.load.files import find_files
from library.classic import FOLDER, PLAYGROUND, plan_of

_PAGE: Final = (FOLDER / "README.md").read_text("utf-8")


def test_every_file_is_told_of() -> None:
    told = set(re.findall(r"`([\w-]+)\.yaml`", _PAGE))
    classic = {file.stem for file in FOLDER.glob("*.yaml")}
    assert told == classic


def test_hosts_and_variables_are_those_of_the_files() -> None:
    keys, defaults = set[str](), dict[str, Any]()
    for file in find_files([str(FOLDER)])[0]:
        for bind in yaml.safe_load(file.read_text("utf-8")).get("binds", ()):
            keys |= bind["keys"].keys()
            defaults |= bind.get("defaults", {})
    assert keys == set(re.findall(r"`(KLARNA_[A-Z_]+)`", _PAGE))
    rows = {
        row[1]: row for row in (line.split("`") for line in _PAGE.splitlines()) if len(row) > 3 and "_HOST" in row[1]
    }
    assert {name: row[3] for name, row in rows.items()} == {n: h for n, h in defaults.items() if n.endswith("_HOST")}
    (unit, *_) = plan_of("klarna-orders").units
    six = unit.input_schema["properties"]["apiHost"]["enum"]
    assert set(rows["KLARNA_API_HOST"][3::2]) == set(six)
    live = set(rows["KLARNA_API_HOST"][-6::2])
    assert live == {host for host in six if "playground" not in host}
    assert f"https://{rows['KLARNA_API_HOST'][3]}" == PLAYGROUND
