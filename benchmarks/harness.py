"""What the benchmarks share: processes that are always ended, their CPU time and memory, and where results go."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START_SECONDS: Final = 120.0
_BUSY: Final = 0.7


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def cores() -> tuple[int, int]:
    """A core for what is measured and another for what measures; the same one where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[-1], available[0]


@contextlib.contextmanager
def running(
    command: Sequence[str], *, port: int, core: int, environ: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on `port`, kept to one core; ended when left."""
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **(environ or {})}, stdout=output, stderr=output)
    os.sched_setaffinity(process.pid, {core})
    try:
        wait_for(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} does not listen")


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def load(url: str, kind: str, seconds: float, connections: int, core: int) -> dict[str, Any]:
    """Run the load generator once and take its result."""
    command = [sys.executable, str(HERE / "load.py"), url, kind, str(seconds), str(connections)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {core})
    try:
        out, _ = process.communicate(timeout=seconds + 60)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise SystemExit("the load generator failed")
    return dict(json.loads(out))


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    load_before = os.getloadavg()[0]
    if load_before > _BUSY:
        print(f"the load is {load_before:.1f} already: calls per second will mislead, CPU time per call less so")
    model = ""
    with contextlib.suppress(OSError):
        found = Path("/proc/cpuinfo").read_text().partition("model name")[2]
        model = found.partition(":")[2].partition("\n")[0].strip()
    return {
        "processor": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": load_before,
    }


def save(name: str, result: Mapping[str, Any]) -> None:
    """Put a result beside the others, the newest under its own name."""
    path = HERE / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"benchmark": name, "taken": time.strftime("%Y-%m-%d"), **result}, indent=1) + "\n")
    print(f"-> {path.relative_to(HERE.parent)}")
