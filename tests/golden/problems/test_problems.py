"""Every capability file here has one kind of fault or a few; the text beside it is what its author is told.

Files stand for `capstan validate FILE`, folders in `together/` for `capstan validate --together FOLDER`, files in
`at-start/` for a start without any variable set. `--update-golden` rewrites the texts; review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from capstan.cli import main
from capstan.errors import LoadError
from capstan.plan.build import plan_file

Golden = Callable[[Path, str], None]

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.yaml"))
FOLDERS = sorted(path for path in (HERE / "together").iterdir() if path.is_dir())
AT_START = sorted((HERE / "at-start").glob("*.yaml"))
# How each place is printed: where, how bad, what, which code.
PLACE = re.compile(
    r"^(?P<file>\S+?):(?P<line>\d+):(?P<column>\d+): (?:warning: )?.+ \[(?P<code>[a-z-]+)\]$", re.MULTILINE
)


@pytest.fixture(autouse=True)
def _relative_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_validate_says_of_a_file_what_its_golden_text_says(
    path: Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["validate", path.name])
    out, found = capsys.readouterr()
    assert (code, out) == (int(": 0 right, 1 wrong" in found), "")
    golden(path.with_suffix(".txt"), found)


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_validate_says_of_files_served_together_what_their_golden_text_says(
    path: Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["validate", "--together", str(path.relative_to(HERE))])
    golden(path.with_suffix(".txt"), capsys.readouterr().err)


@pytest.mark.parametrize("path", AT_START, ids=lambda path: path.stem)
def test_a_start_without_variables_says_what_the_golden_text_says(path: Path, golden: Golden) -> None:
    with pytest.raises(LoadError) as caught:
        plan_file(path.relative_to(HERE), environ={})
    golden(path.with_suffix(".txt"), f"{caught.value}\n")


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.txt")), ids=lambda path: path.stem)
def test_problems_are_told_in_file_order(path: Path) -> None:
    told = [(match["file"], int(match["line"]), int(match["column"])) for match in PLACE.finditer(path.read_text())]
    assert told
    assert told == sorted(told)
