"""The package as others install and import it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import capstan
from capstan.load.files import find_files
from capstan.resources import VERSION
from journeys.running import free_offset

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


def needed(lines: Sequence[str]) -> set[str]:
    """The distributions that requirements come to, with what those require in turn."""
    found: dict[str, set[str]] = {}
    waiting = [(line, {""}) for line in lines]
    while waiting:
        line, of_extras = waiting.pop()
        requirement = Requirement(line)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in of_extras):
            continue
        extras = {"", *requirement.extras}
        if not extras <= found.get(requirement.name, set()):
            found[requirement.name] = extras | found.get(requirement.name, set())
            waiting += [(line, extras) for line in distribution(requirement.name).requires or ()]
    return set(found)


@pytest.fixture(scope="module")
def bare(wheel: Path, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a Python that has the wheel and what it asks for, without its extras and without our tools."""
    folder = tmp_path_factory.mktemp("bare")
    metadata = zipfile.ZipFile(wheel).read(f"capstan_runtime-{VERSION}.dist-info/METADATA").decode()
    for name in needed(re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)):
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (folder / top).exists():  # some share a folder
                (folder / top).symlink_to(str(distribution(name).locate_file(top)))
    assert not {"lxml", "pytest", "quickjs"} & {path.name for path in folder.iterdir()}
    return {"PYTHONPATH": f"{installed}{os.pathsep}{folder}"}


def test_without_extras_every_capability_is_right_and_one_is_served(
    installed: Path, bare: dict[str, str], tmp_path: Path
) -> None:
    files = installed / "capstan" / "capabilities"
    done = run(sys.executable, "-S", "-m", "capstan", "validate", files, cwd=tmp_path, **bare)
    assert (done.returncode, " 0 wrong" in done.stderr) == (0, True), done.stderr
    command = ("-S", "-m", "capstan", "serve", files / "hello.yaml", "--port-offset", free_offset((8080, 9090)))
    with subprocess.Popen(
        [sys.executable, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": os.environ["PATH"], **bare}, cwd=tmp_path,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        told = next((line for line in server.stdout if "ready" in line), "")
        server.terminate()
        rest = server.stdout.read()
    assert (bool(told), server.returncode) == (True, 0), rest


EXTRAS = """
naftiko: 1.0.0-alpha2
info: {label: Extras, description: What only extras can do.}
capability:
  consumes:
  - type: http
    namespace: pages
    baseUri: https://pages.example
    resources:
    - {name: page, path: /page, operations: [{name: page, method: GET, outputRawFormat: html}]}
  exposes:
  - type: rest
    namespace: r
    port: 8080
    resources:
    - path: /page
      operations: [{method: GET, call: pages.page}]
    - path: /sum
      operations: [{method: GET, name: sum, steps: [{name: sum, type: script, file: sum.py}]}]
  - type: control
    port: 9091
    management: {scripting: {enabled: true, defaultLocation: 'file:///./', defaultLanguage: python}}
"""


def test_without_extras_a_file_that_needs_one_is_refused_with_how_to_install_it(
    bare: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "extras.yaml").write_text(EXTRAS)
    (tmp_path / "sum.py").write_text("result = 1 + 1\n")
    done = run(sys.executable, "-S", "-m", "capstan", "validate", "extras.yaml", cwd=tmp_path, **bare)
    assert done.returncode == 1
    assert sorted(re.findall(r"pip'? install .*", done.stderr + done.stdout)) == [
        "pip install 'capstan-runtime[html]'", "pip install 'capstan-runtime[scripts]'",
    ]  # fmt: skip
    whole = run(sys.executable, "-m", "capstan", "validate", "extras.yaml", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr


def test_what_is_missing_is_installed_for_the_python_that_runs_and_not_for_another(tmp_path: Path) -> None:
    environment = tmp_path / "my venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    module = REPOSITORY / "runtime" / "capstan" / "resources.py"
    code = f"import runpy; print(runpy.run_path({str(module)!r})['install_command']('html'))"

    def told(**environ: str) -> str:
        return run(environment / "bin" / "python", "-c", code, cwd=tmp_path, **environ).stdout.strip()

    assert told() == f"'{environment}/bin/python' -m pip install 'capstan-runtime[html]'"
    pip = environment / "bin" / "pip"
    pip.write_text("#!/bin/sh\n")
    pip.chmod(0o755)
    assert told() == f"'{pip}' install 'capstan-runtime[html]'"
    assert told(PATH=f"{pip.parent}:{os.environ['PATH']}") == "pip install 'capstan-runtime[html]'"


def test_the_metadata_names_the_command_and_the_version(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    info = f"capstan_runtime-{VERSION}.dist-info"
    assert "capstan = capstan.cli:run" in archive.read(f"{info}/entry_points.txt").decode()
    assert f"Version: {VERSION}\n" in archive.read(f"{info}/METADATA").decode()
