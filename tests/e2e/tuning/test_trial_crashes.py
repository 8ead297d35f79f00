"""The server is killed at any moment under trials: no value is lost, and none counts twice."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sampan.testing.server import ServerProcess

TRIALS = "/apis/kubeflow.org/v1beta1/namespaces/default/trials"
COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
VALUES = [f"0.{number:02d}" for number in range(1, 41)]
PROGRAM = "import time\nfor n in range(1, 41): print(f'accuracy=0.{n:02d}', flush=True); time.sleep(PAUSE)"
FILE = """
import time
with open('/out/metrics', 'w') as file:
    for n in range(1, 41): print(f'accuracy=0.{n:02d}', file=file, flush=True); time.sleep(PAUSE)
"""


def body(name: str, number: int) -> Any:
    as_file = number % 3 == 0
    program = (FILE if as_file else PROGRAM).replace("PAUSE", str(0.04 + 0.03 * number))
    container = {"name": "main", "image": "python:3.11", "command": ["python", "-c", program]}
    job: Any = {
        "backoffLimit": 0,
        "template": {"spec": {"containers": [container], "restartPolicy": "Never"}},
    }
    if number % 3 == 1:
        # Its pods go as soon as it has ended.
        job["ttlSecondsAfterFinished"] = 0
    source = {"fileSystemPath": {"path": "/out/metrics", "kind": "File", "format": "TEXT"}}
    collector = (
        {"collector": {"kind": "File"}, "source": source} if as_file else {"collector": {"kind": "StdOut"}}
    )
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "accuracy"},
        "runSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": job},
        "primaryContainerName": "main",
        "successCondition": COMPLETE,
        "failureCondition": COMPLETE.replace("Complete", "Failed"),
        "metricsCollector": collector,
    }
    return {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": {"name": name}, "spec": spec}


def last_of(trial: Any) -> Any:
    conditions = trial.get("status", {}).get("conditions") or [{}]
    return conditions[-1]


def outcome(server: ServerProcess, names: list[str], chosen: random.Random) -> Any:
    """The trials at their end."""
    for number, name in enumerate(names):
        server.call("POST", TRIALS, body(name, number))
    for _ in range(3):
        time.sleep(chosen.uniform(1.0, 5.0))
        server.kill()
        server.start()
    deadline, found = time.monotonic() + 90, []
    while time.monotonic() < deadline:
        found = server.call("GET", TRIALS)["items"]
        if all(last_of(each).get("type") in ("Succeeded", "Failed", "MetricsUnavailable") for each in found):
            break
        time.sleep(0.2)
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_values_survive_the_server(tmp_path: Path) -> None:
    home, chosen = tmp_path / "home", random.Random(11)
    names = [f"trial-{number}" for number in range(9)]
    server = ServerProcess(home)
    server.start()
    try:
        found = outcome(server, names, chosen)
    finally:
        server.stop()
    assert {each["metadata"]["name"]: last_of(each).get("type") for each in found} == dict.fromkeys(
        names, "Succeeded"
    )
    for each in found:
        (metric,) = each["status"]["observation"]["metrics"]
        assert (metric["min"], metric["max"], metric["latest"]) == (VALUES[0], VALUES[-1], VALUES[-1])
    with sqlite3.connect(home / "sampan.db") as connection:
        rows = connection.execute("select trial, value from katib_observations").fetchall()
    assert Counter(rows) == Counter((name, value) for name in names for value in VALUES)
