"""How long `capstan validate` takes for many files, beside the time PyYAML's C loader alone needs to read them.

The first is the wall time of the whole process, start of the interpreter included; the second is taken inside a process
of its own around the loading alone. The two take turns.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from harness import HERE, machine, save

# A file of the published catalogue where there is one, else the bundled one of the same name.
_NAME: Final = "order-management-captures"
_SOURCES: Final = (
    HERE.parents[1] / f"shared/specs/published/{_NAME}.yaml",
    HERE.parent / f"capabilities/klarna/{_NAME}.yaml",
)
_LOAD_ALONE: Final = """
import pathlib, sys, time, yaml
texts = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
started = time.perf_counter()
for text in texts:
    yaml.load(text, Loader=yaml.CSafeLoader)
print(time.perf_counter() - started)
"""


def write_copies(folder: Path, count: int) -> Path:
    """Copies of one file that differ in their namespaces; the path of the original."""
    source = next(path for path in _SOURCES if path.exists())
    text = source.read_text()
    for number in range(count):
        (folder / f"{number:04}.yaml").write_text(text.replace(_NAME, f"{_NAME}-{number}"))
    if (types := source.with_name("types.yaml")).exists():  # what the copies refer to
        shutil.copy(types, folder)
    return source


def validate(folder: Path, runtime: str) -> float:
    environ = {"PYTHONPATH": runtime} if runtime else None
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "capstan", "validate", str(folder)], capture_output=True, env=environ, check=False
    )
    elapsed = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return elapsed


def yaml_alone(folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", _LOAD_ALONE, str(folder)], capture_output=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--also", action="append", default=[], metavar="NAME=FOLDER",
                        help="a further contender: the `runtime` folder of another checkout")  # fmt: skip
    parser.add_argument("--no-save", action="store_true", help="do not keep the result")
    options = parser.parse_args()
    told = machine()
    others = dict(text.split("=", 1) for text in options.also)
    runs: dict[str, list[float]] = {"yaml alone": [], "capstan validate": [], **{name: [] for name in others}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write_copies(folder, options.files)
        size = sum(path.stat().st_size for path in folder.iterdir())
        validate(folder, "")  # for the bytecode and the file cache
        for number in range(options.rounds):
            for contender in list(runs) if number % 2 == 0 else list(runs)[::-1]:
                taken = yaml_alone(folder) if contender == "yaml alone" else validate(folder, others.get(contender, ""))
                runs[contender].append(taken)
    rows: list[dict[str, Any]] = []
    for contender, taken in runs.items():
        ratio = statistics.median(own / alone for own, alone in zip(taken, runs["yaml alone"], strict=True))
        rows.append({"name": contender, "seconds": round(statistics.median(taken), 3), "ratio": round(ratio, 2),
                     "runs": [round(one, 4) for one in taken]})  # fmt: skip
        print(f"  {contender:20} {rows[-1]['seconds']:.3f} s  x{ratio:.2f}")
    if not options.no_save:
        asked = {"files": options.files, "rounds": options.rounds, "source": source.name, "bytes": size}
        save("validate_speed", {"machine": told, "asked": asked, "rows": rows})


if __name__ == "__main__":
    main()
