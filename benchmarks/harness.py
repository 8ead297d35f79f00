"""A server of its own in an empty home, its memory, and figures side by side."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from sampan.testing.server import ServerProcess


@contextmanager
def server(**environ: str) -> Iterator[ServerProcess]:
    with (
        tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as folder,
        ServerProcess(Path(folder) / "home", environ=environ) as it,
    ):
        yield it


def run(it: ServerProcess, spec: dict[str, Any], *, name: str = "benchmark", patient: bool = False) -> float:
    """Seconds from the request to the end of the run, by the run's own record; raises if it does not succeed."""
    started = time.time()
    run_id = it.submit(spec, name=name)
    # Asked seldom: the answer lists every task, which is work for the server that is measured.
    ended = it.wait_run(run_id, timeout=1800, poll_seconds=2.0 if patient else 0.25)
    if ended["state"] != "SUCCEEDED":
        raise RuntimeError(f"{name} ended {ended['state']}: {ended.get('error')}")
    return _finished(it, run_id) - started


def memory_mib(it: ServerProcess) -> float:
    """Proportional set size of the server and everything it started: pages that several share are counted once."""
    assert it.process is not None
    root = psutil.Process(it.process.pid)
    mine = {process.pid: process for process in (root, *root.children(recursive=True))}
    # Launchers live in sessions of their own; they name the home in their command line.
    for process in psutil.process_iter(["cmdline"]):
        if str(it.home) in " ".join(process.info["cmdline"] or ()):
            mine[process.pid] = process
    total = 0
    for process in mine.values():
        # One may end while it is looked at.
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 2**20


def table(title: str, rows: list[tuple[str, str, str]]) -> None:
    """Rows of (what, figure, beside what)."""
    print(f"\n{title}")
    width = max(len(row[0]) for row in rows)
    for what, figure, note in rows:
        print(f"  {what:<{width}}  {figure:>12}  {note}", flush=True)


def _finished(it: ServerProcess, run_id: str) -> float:
    """The end as the engine recorded it, in the last entry of the run's history, to the microsecond."""
    from datetime import datetime

    run = it.call("GET", f"/apis/v2beta1/runs/{run_id}")
    return datetime.fromisoformat(run["state_history"][-1]["update_time"]).timestamp()
