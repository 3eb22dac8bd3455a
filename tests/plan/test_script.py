"""Which scripts a file may have, where they are found, and what is said of those that cannot be run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import capstan.scripting
from capstan.load import model
from capstan.load.document import Document, Place
from capstan.plan.script import ScriptPlan, plan_script

Told = list[tuple[str, str]]


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return Place(Document("file.yaml", "a: 1", tmp_path / "file.yaml"), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scripts"
    made.mkdir()
    (made / "sum.js").write_text("result = context.a + context.b\n")
    return made


Planned = Callable[..., tuple[ScriptPlan | None, Told]]


@pytest.fixture
def planned(at: Place, folder: Path) -> Planned:
    def plan(
        file: str = "sum.js", language: str | None = "javascript", location: str | None = "file:///./scripts",
        dependencies: tuple[str, ...] = (), allowed: tuple[str, ...] = (), default_language: str | None = None,
        default_location: str | None = None,
    ) -> tuple[ScriptPlan | None, Told]:  # fmt: skip
        told: Told = []
        step = model.ScriptStep("step", file, language, location, dependencies, (), at=at)
        scripting = model.Scripting(True, default_location, default_language, 1500, 77, allowed, at=at)
        found = plan_script(step, scripting, lambda code, message, *_: told.append((code, message)))
        return found, told

    return plan


def test_a_script_is_read_with_its_limits_and_its_files(planned: Planned, folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "twice.js").write_text("function twice(x) { return 2 * x }")
    plan, told = planned(dependencies=("lib/twice.js",))
    assert plan is not None
    assert told == []
    assert (plan.language, plan.timeout_seconds, plan.statement_limit) == ("javascript", 1.5, 77)
    assert [source.name for source in plan.sources] == ["lib/twice.js", "sum.js"]
    assert plan.files == (str(folder / "lib" / "twice.js"), str(folder / "sum.js"))


def test_a_step_takes_over_the_defaults_it_does_not_replace(planned: Planned) -> None:
    plan, told = planned(
        language=None, location=None, default_language="javascript", default_location="file:///./scripts"
    )
    assert (plan is not None, told) == (True, [])
    plan, told = planned(default_language="groovy", default_location="file:///./nowhere")
    assert (plan is not None, told) == (True, [])


def test_the_peers_short_name_of_javascript_is_known(planned: Planned) -> None:
    plan, _ = planned(language="js")
    assert plan is not None
    assert plan.language == "javascript"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbfresult = 1\r\n", "// \u2028\nresult = 'é'".encode()])
def test_a_script_may_be_empty_have_a_mark_or_other_line_ends(planned: Planned, folder: Path, content: bytes) -> None:
    (folder / "odd.js").write_bytes(content)
    plan, told = planned(file="odd.js")
    assert (plan is not None, told) == (True, [])


def test_a_link_that_stays_inside_is_followed_and_one_that_leads_out_is_not(planned: Planned, folder: Path) -> None:
    (folder / "inside.js").symlink_to(folder / "sum.js")
    (folder.parent / "secret.js").write_text("result = 1")
    (folder / "outside.js").symlink_to(folder.parent / "secret.js")
    (folder / "away").symlink_to(folder.parent)
    (folder / "round.js").symlink_to(folder / "round.js")
    assert planned(file="inside.js")[0] is not None
    codes = {name: planned(file=name)[1][0][0] for name in ("outside.js", "away/secret.js", "round.js")}
    assert codes == {"outside.js": "script-outside", "away/secret.js": "script-outside", "round.js": "missing-file"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../file.yaml", "script-outside"),
        ("lib/../../x.js", "script-outside"),
        ("/etc/passwd", "script-outside"),
        ("none.js", "missing-file"),
        ("a\0b.js", "missing-file"),
        ("x" * 5000, "missing-file"),
        (".", "missing-file"),
        ("folder", "missing-file"),
        ("pipe", "missing-file"),
    ],
)
def test_what_is_no_script_inside_the_location_is_told(planned: Planned, folder: Path, name: str, code: str) -> None:
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    plan, told = planned(file=name)
    assert (plan, [found for found, _ in told]) == (None, [code])
    plan, told = planned(dependencies=(name,))
    assert (plan, [found for found, _ in told]) == (None, [code])


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"result = '\xff'", "wrong-encoding"),
        (b"result = 1 // \0", "bad-script"),
        (b"//" + b"x" * 1024**2, "too-large"),
        (b"result = (1", "bad-script"),
        (b"import x from 'y'", "bad-script"),
        (b"return 1", "bad-script"),
        (b"result = " + b"[" * 100_000, "bad-script"),
    ],
)
def test_a_text_that_cannot_be_run_is_told(planned: Planned, folder: Path, content: bytes, code: str) -> None:
    (folder / "bad.js").write_bytes(content)
    plan, told = planned(file="bad.js")
    assert (plan, [found for found, _ in told]) == (None, [code])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\ny = (1,", "line 2 of 'bad.py'"),
        ("def f():\n    yield 1", "line 2 of 'bad.py' cannot be run: its engine does not support yield"),
        ("def f():\n    import socket\n", "line 2 of 'bad.py' cannot be run: ModuleNotFoundError"),
        ("from json import loads, no_such\n", "line 1 of 'bad.py' cannot be run: ImportError"),
        ("if True:\n\tx = 1\n        y = 2", "line 3 of 'bad.py'"),
    ],
)
def test_a_python_that_cannot_be_run_says_where(planned: Planned, folder: Path, code: str, message: str) -> None:
    (folder / "bad.py").write_text(code)
    plan, ((found, text),) = planned(file="bad.py", language="python")
    assert (plan, found) == (None, "bad-script")
    assert message in text


def test_nothing_is_run_while_a_file_is_loaded(planned: Planned, folder: Path) -> None:
    (folder / "loop.js").write_text("while (true) {}")
    (folder / "loop.py").write_text("while True: pass")
    assert planned(file="loop.js")[0] is not None
    assert planned(file="loop.py", language="python")[0] is not None


def test_a_language_without_its_engine_is_refused_with_what_to_install(
    planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(capstan.scripting._PACKAGES, "javascript", ("quickjs_that_is_not_there",))
    plan, told = planned()
    assert (plan, told[0][0]) == (None, "missing-library")


def test_a_language_that_is_not_allowed_is_refused_before_it_is_unknown(planned: Planned) -> None:
    assert planned(language="groovy", allowed=("python",))[1][0][0] == "script-language"
    assert planned(language="groovy")[1][0][0] == "not-supported-yet"
    assert planned(allowed=("python", "javascript"))[1] == []
