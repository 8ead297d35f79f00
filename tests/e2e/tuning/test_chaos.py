"""Experiments of Python functions under random kills of the server and of what works for it: the end is as undisturbed.

SAMPAN_CHAOS_SECONDS says how long each is disturbed, SAMPAN_CHAOS_SEED how.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sampan.sdk import search, tune
from sampan.sdk.sending import connect
from sampan.testing.server import HttpError, ServerProcess

KATIB = "/apis/kubeflow.org/v1beta1/namespaces/default"
SPACE = {"x": search.uniform(-5, 5), "y": search.uniform(-5, 5)}
SECONDS = float(os.environ.get("SAMPAN_CHAOS_SECONDS", "45"))
SEED = int(os.environ.get("SAMPAN_CHAOS_SEED", "7"))
SUGGESTING = "sampan.components.tuning.engine.worker"
FEWEST = 3
DONE = ("Succeeded", "Failed")


def valley(x: float, y: float) -> float:
    time.sleep(0.1)
    return -((x - 1) ** 2) - y**2


def children(pid: int) -> Iterator[tuple[int, str]]:
    """Processes below `pid`, with their commands."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            todo.append(child)
            with contextlib.suppress(OSError):
                yield child, Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def experiment(server: ServerProcess, name: str) -> Any:
    return server.call("GET", f"{KATIB}/experiments/{name}")


def is_over(found: Any) -> bool:
    conditions = found.get("status", {}).get("conditions") or ()
    return any(each["type"] in DONE and each["status"] == "True" for each in conditions)


def submitted(server: ServerProcess, algorithm: str, count: int, name: str) -> None:
    tune.use(connect(server.home))
    try:
        tune(
            valley,
            SPACE,
            objective="height",
            algorithm=algorithm,
            trials=count,
            parallel=2,
            seed=5,
            name=name,
        )
    finally:
        tune.session().close()
        tune.use(None)


def disturbed(server: ServerProcess, name: str, chosen: random.Random) -> dict[str, int]:
    """How often what was killed, for so long and until the server was a few times, or the experiment is over."""
    kills = {"server": 0, "suggesting": 0}
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline or kills["server"] < FEWEST:
        if is_over(experiment(server, name)):
            break
        time.sleep(chosen.uniform(0.3, 2.0))
        if chosen.random() < 0.5:
            server.kill()
            server.start()
            kills["server"] += 1
            continue
        assert server.process is not None
        found = [pid for pid, command in children(server.process.pid) if SUGGESTING in command]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chosen.choice(found), signal.SIGKILL)
                kills["suggesting"] += 1
    return kills


def ended(server: ServerProcess, name: str) -> tuple[Any, list[Any]]:
    deadline = time.monotonic() + 120
    while not is_over(found := experiment(server, name)):
        assert time.monotonic() < deadline, found.get("status")
        time.sleep(0.2)
    selector = f"labelSelector=katib.kubeflow.org/experiment%3D{name}"
    return found, server.call("GET", f"{KATIB}/trials?{selector}")["items"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_the_end_is_as_undisturbed(tmp_path: Path, algorithm: str) -> None:
    chosen, count, name = random.Random(f"{SEED}/{algorithm}"), int(SECONDS * 4), "shaken"
    server = ServerProcess(tmp_path / "home")
    server.start()
    try:
        submitted(server, algorithm, count, name)
        kills = disturbed(server, name, chosen)
        found, trials = ended(server, name)
        assert server.process is not None
        time.sleep(1)
        left = [command for _, command in children(server.process.pid) if "shaken-worker" in command]
        with contextlib.suppress(HttpError):
            pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
            assert [each["metadata"]["name"] for each in pods] == []
    finally:
        server.stop()
    assert kills["server"] >= FEWEST
    assert left == []
    assert found["status"]["trialsSucceeded"] == len(trials) == count
    assert {each["status"]["conditions"][-1]["type"] for each in trials} == {"Succeeded"}
    points = set()
    with closing(sqlite3.connect(server.home / "sampan.db")) as database:
        rows = dict(database.execute("SELECT trial, value FROM katib_observations WHERE name = 'height'"))
    for each in trials:
        values = {one["name"]: float(one["value"]) for one in each["spec"]["parameterAssignments"]}
        points.add(tuple(values.values()))
        height = -((values["x"] - 1) ** 2) - values["y"] ** 2
        (metric,) = each["status"]["observation"]["metrics"]
        # What is kept of it is what it measured, and the end was never kept without.
        assert float(metric["latest"]) == float(rows[each["metadata"]["name"]]) == pytest.approx(height)
    assert len(points) == count
    best = max(float(each["status"]["observation"]["metrics"][0]["latest"]) for each in trials)
    told = found["status"]["currentOptimalTrial"]["observation"]["metrics"][0]["latest"]
    assert float(told) == best
