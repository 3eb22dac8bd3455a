"""The package as others install and import it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import capstan
from capstan.load.files import find_files
from capstan.resources import VERSION

REPOSITORY = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environ},
    )  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert sorted(capstan.__all__) == [
        "BindError", "CallError", "Capability", "CapabilityError", "LoadError", "Plan", "Problem", "ShapeError",
        "UpstreamError", "build_plan", "load",
    ]  # fmt: skip
    for name in capstan.__all__:
        assert getattr(capstan, name) is not None


def test_every_error_is_a_capability_error() -> None:
    for name in ("BindError", "CallError", "LoadError", "ShapeError", "UpstreamError"):
        assert issubclass(getattr(capstan, name), capstan.CapabilityError)


def test_the_contracts_between_the_sandbox_and_the_rest_name_every_module() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    here = {path.stem for path in (REPOSITORY / "runtime" / "capstan").iterdir() if path.suffix in ("", ".py")}
    modules = {f"capstan.{name}" for name in here if not name.startswith("__")} - {"capstan.sandbox"}
    of_sandbox, of_rest = (contract for contract in contracts if contract["type"] == "forbidden")
    assert {*of_sandbox["forbidden_modules"]} == modules
    assert {*of_rest["source_modules"]} == modules - {"capstan.cli"}


def test_only_the_sandbox_names_whom_it_stands_in_for() -> None:
    runtime = REPOSITORY / "runtime" / "capstan"
    files = [path for path in runtime.rglob("*.py") if not path.is_relative_to(runtime / "sandbox")]
    assert [path.name for path in files if "klarna" in path.read_text("utf-8").lower()] == []


def test_a_file_can_be_loaded_and_planned_from_python() -> None:
    plan, warnings = capstan.build_plan(capstan.load(REPOSITORY / "capabilities" / "hello.yaml"))
    assert [unit.name for unit in plan.units] == ["hello", "say-hello"]
    assert warnings == ()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree; a build tool may not write into it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--wheel-dir", folder)
    built = run(*pip, "wheel", *options, REPOSITORY, cwd=folder)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    done = run(*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_the_package_its_schemas_and_capabilities_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "capstan/__init__.py", "capstan/expose/docs.html", "capstan/schemas/capability.schema.json",
        "capstan/capabilities/hello.yaml", "capstan/capabilities/klarna/order-management-captures.yaml",
    } <= names  # fmt: skip
    assert {name.partition("/")[0] for name in names} == {"capstan", f"capstan_runtime-{VERSION}.dist-info"}
    assert not [name for name in names if re.search(r"__pycache__|\.pyc$|(^|/)test_|/\.", name)]


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    source = REPOSITORY / "runtime"
    files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(source)) for path in files} <= names
    assert {name for name in names if name.endswith(".py")} <= {str(path.relative_to(source)) for path in files}


_WHERE = """
import json, pathlib, sys
import capstan
from capstan.cli import main
from capstan.resources import bundled
places = [capstan.__file__, *(str(bundled(name)) for name in ("schemas", "capabilities"))]
code = main(["validate", str(bundled("capabilities"))])
print(json.dumps({"places": places, "code": code}))
"""


def test_an_installed_copy_works_on_its_own_files(installed: Path, tmp_path: Path) -> None:
    done = run(sys.executable, "-c", _WHERE, cwd=tmp_path, PYTHONPATH=str(installed))
    told = json.loads(done.stdout)
    assert [Path(place).is_relative_to(installed) for place in told["places"]] == [True, True, True]
    assert told["code"] == 0
    files = len(find_files([str(REPOSITORY / "capabilities")])[0])
    assert f"{files} files: {files} right, 0 wrong" in done.stderr


def test_an_installed_copy_runs_as_a_module(installed: Path, tmp_path: Path) -> None:
    arguments = ("-m", "capstan", "call", installed / "capstan" / "capabilities" / "hello.yaml", "hello", "name=Ada")
    done = run(sys.executable, *arguments, cwd=tmp_path, PYTHONPATH=str(installed))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"message": "Hello, Ada!"})


def test_the_metadata_names_the_command_and_the_version(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    info = f"capstan_runtime-{VERSION}.dist-info"
    assert "capstan = capstan.cli:run" in archive.read(f"{info}/entry_points.txt").decode()
    assert f"Version: {VERSION}\n" in archive.read(f"{info}/METADATA").decode()
