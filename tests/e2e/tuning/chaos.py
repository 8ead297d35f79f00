"""What the chaos test kills, and what must be so afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from sampan.sdk import tune
from sampan.sdk.sending import connect
from sampan.testing.server import HttpError, ServerProcess

DEFAULT = "namespaces/default"
KATIB = f"/apis/kubeflow.org/v1beta1/{DEFAULT}"
PODS = f"/api/v1/{DEFAULT}/pods"
SUGGESTING = "sampan.components.tuning.engine.worker"
DONE = ("Succeeded", "Failed")
STEPS = 4
"""Values that each trial reports."""
_COUNTS = {
    "Succeeded": "trialsSucceeded",
    "Failed": "trialsFailed",
    "MetricsUnavailable": "trialMetricsUnavailable",
}


def valley(x: float, y: float) -> float:
    """What is tuned: it comes nearer to its height step by step."""
    height = -((x - 1) ** 2) - y**2
    for step in range(STEPS - 1):
        tune.report(height=height - (STEPS - 1 - step), step=step)
        time.sleep(0.03)
    return height


@dataclass
class Chaos:
    """A server, one experiment on it, and the ways to kill what works for it."""

    server: ServerProcess
    chosen: random.Random
    name: str = "shaken"
    database: str = ""
    """Of PostgreSQL; empty for the home's own."""
    kills: Counter[str] = field(default_factory=Counter)

    def submit(self, space: Any, **asked: Any) -> None:
        tune.use(connect(self.server.home))
        try:
            tune(valley, space, objective="height", name=self.name, seed=5, **asked)
        finally:
            tune.session().close()
            tune.use(None)

    # What is so.

    def experiment(self) -> Any:
        return self.server.call("GET", f"{KATIB}/experiments/{self.name}")

    def trials(self) -> list[Any]:
        selector = f"labelSelector=katib.kubeflow.org/experiment%3D{self.name}"
        found: list[Any] = self.server.call("GET", f"{KATIB}/trials?{selector}")["items"]
        return found

    def ended(self, seconds: float) -> Any:
        """The experiment, once it is over."""
        deadline = time.monotonic() + seconds
        while not is_over(found := self.experiment()):
            assert time.monotonic() < deadline, (found.get("status"), self._last())
            time.sleep(0.2)
        return found

    def _last(self) -> list[Any]:
        return [each.get("status") for each in self.trials() if not ends(each)]

    # Killing.

    def kill(self, what: str) -> None:
        if {
            "server": self._kill_server,
            "suggesting": self._kill_suggesting,
            "process": self._kill_process,
            "pod": self._delete_pod,
        }[what]():
            self.kills[what] += 1

    def _kill_server(self) -> bool:
        self.server.kill()
        self.server.start()
        return True

    def _kill_suggesting(self) -> bool:
        assert self.server.process is not None
        found = [pid for pid, command in below(self.server.process.pid) if SUGGESTING in command]
        return bool(found) and _kill(self.chosen.choice(sorted(found)))

    def _kill_process(self) -> bool:
        """The first process of a container: of a worker, or of a trial's pod."""
        found = self.processes()
        return bool(found) and _kill(self.chosen.choice(found))

    def _delete_pod(self) -> bool:
        found = sorted(each["metadata"]["name"] for each in self.server.call("GET", PODS)["items"])
        if not found:
            return False
        with contextlib.suppress(HttpError):
            self.server.call("DELETE", f"{PODS}/{self.chosen.choice(found)}")
            return True
        return False

    def processes(self) -> list[int]:
        """The first ones of all containers that run, as the disk has it."""
        found = []
        for started in (self.server.home / "pods").glob("*/*/started.json"):
            if (started.parent / "exit.json").exists():
                continue
            with contextlib.suppress(OSError, ValueError):
                pid = int(json.loads(started.read_text())["pid"])
                if str(self.server.home).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    found.append(pid)
        return sorted(found)

    # In the end.

    def check(self, found: Any, count: int) -> None:
        """All that is said of the experiment, and that nothing is left of it."""
        trials = self.trials()
        assert len(trials) == count
        counted = Counter(ends(each) for each in trials)
        assert set(counted) <= set(_COUNTS), counted
        status = found["status"]
        assert status["trials"] == count
        assert {kind: status.get(key, 0) for kind, key in _COUNTS.items()} == {
            kind: counted[kind] for kind in _COUNTS
        }
        assert not status.get("trialsRunning")
        assert not status.get("trialsPending")
        self._check_points(trials)
        heights = self._check_values(trials)
        told = status["currentOptimalTrial"]["observation"]["metrics"][0]["latest"]
        assert float(told) == max(heights)
        for each in trials:
            last = each["status"]["conditions"][-1]
            if last["type"] != "Succeeded":
                # It says more than that.
                assert len(last["message"]) > len("Trial has failed. "), last
        self._check_nothing_left()

    def _check_points(self, trials: list[Any]) -> None:
        points = {tuple(values_of(each).values()) for each in trials}
        assert len(points) == len(trials)

    def _check_values(self, trials: list[Any]) -> list[float]:
        """What is kept of each that succeeded is what it measured, each value once. The heights."""
        kept: dict[str, list[float]] = {}
        for trial, value in self._rows():
            if value != "unavailable":
                kept.setdefault(trial, []).append(float(value))
        heights = []
        for each in trials:
            if ends(each) != "Succeeded":
                continue
            values = values_of(each)
            height = -((values["x"] - 1) ** 2) - values["y"] ** 2
            wanted = [height - (STEPS - 1 - step) for step in range(STEPS)]
            name = each["metadata"]["name"]
            assert [round(value, 6) for value in sorted(set(kept[name]))] == [
                round(value, 6) for value in wanted
            ], name
            (metric,) = each["status"]["observation"]["metrics"]
            assert round(float(metric["latest"]), 6) == round(float(metric["max"]), 6) == round(height, 6)
            assert round(float(metric["min"]), 6) == round(wanted[0], 6)
            heights.append(float(metric["latest"]))
        return heights

    def _rows(self) -> list[tuple[str, str]]:
        query = "SELECT trial, value FROM katib_observations WHERE name = 'height'"
        if self.database:
            with psycopg.connect(self.database) as connection:
                return [(trial, value) for trial, value in connection.execute(query)]
        with closing(sqlite3.connect(self.server.home / "sampan.db")) as database:
            return list(database.execute(query))

    def _check_nothing_left(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            jobs = self.server.call("GET", f"/apis/batch/v1/{DEFAULT}/jobs")["items"]
            pods = self.server.call("GET", PODS)["items"]
            left = [each["metadata"]["name"] for each in (*jobs, *pods)]
            running = self.processes()
            if not left and not running:
                return
            assert time.monotonic() < deadline, (left, running)
            time.sleep(0.2)


def is_over(found: Any) -> bool:
    conditions = found.get("status", {}).get("conditions") or ()
    return any(each["type"] in DONE and each["status"] == "True" for each in conditions)


def ends(trial: Any) -> str:
    """The condition that has ended it; empty while none has."""
    conditions = trial.get("status", {}).get("conditions") or ()
    true = [each["type"] for each in conditions if each["status"] == "True"]
    return next((each for each in true if each in (*_COUNTS, "Killed", "EarlyStopped")), "")


def values_of(trial: Any) -> dict[str, float]:
    return {each["name"]: float(each["value"]) for each in trial["spec"]["parameterAssignments"]}


def below(pid: int) -> Iterator[tuple[int, str]]:
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


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
