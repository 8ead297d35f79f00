"""A server with something of everything on it: for the tests of pages and for pictures of them.

All of it is made through the API, by names that tests and pictures may rely on:

| runs | |
|---|---|
| `good`, `better`, `best` | of two versions of `train-model`: a table, a model, metrics, ROC, matrix, HTML, … |
| `again` | as `good`, all from the cache |
| `every shape` | branches, an exit handler, a pipeline within, loops within loops; `wide` has one of twelve |
| `broken` | its second step failed, with a traceback |
| `running` | runs for half an hour, and says something each second |
| `waiting` | asks for more processors than there are |
| `stopped`, `archived` | |
| a long one, in letters of many kinds | for layouts |

and the experiments, recurring runs, triggers, notifications, the Argo Workflow and the namespace that `seed` names; of
training what `seed_training` names, of tuning what `seed_tuning` does, of
serving what `seed_serving` does.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from seed_serving import seed_serving, wait_for_serving
from seed_training import seed_training, wait_for_training
from seed_tuning import seed_tuning, trials_of, wait_for_tuning

from sampan.testing.clients import interpreter_with
from sampan.testing.server import FINAL_STATES, ServerProcess

PROGRAM = Path(__file__).parent / "pipelines" / "seeded.py"
API = "/apis/v2beta1"
LONG_NAME = "nightly · évaluation <b>über</b> 很长的名字 " + "with-a-name-that-does-not-end-" * 3


@dataclass
class Seeded:
    """Ids by name. Versions by `pipeline/version`."""

    server: ServerProcess
    pipelines: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    recurring_runs: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    notifications: dict[str, str] = field(default_factory=dict)
    trials: dict[str, str] = field(default_factory=dict)
    """The name of a trial, by its experiment's."""
    artifacts: dict[str, str] = field(default_factory=dict)
    """By type, without `system.`: the newest."""

    def task(self, run: str, name: str) -> str:
        """The id of a step, by its name."""
        return next(
            str(task["task_id"]) for task in self.server.tasks(self.runs[run]) if task["name"] == name
        )


def seed(server: ServerProcess) -> Seeded:
    """Once for a server. Returns when the runs that end have ended."""
    found = Seeded(server)
    _upload_all(found)
    _make_experiments(found)
    _start_runs(found)
    _make_starters(found)
    _make_objects(server)
    seed_training(server)
    seed_tuning(server)
    seed_serving(server)
    _wait(found)
    _start_late_runs(found)
    wait_for_training(server)
    wait_for_tuning(server)
    wait_for_serving(server)
    found.trials = {name: trials_of(server, name)[0] for name in ("landscape", "searching", "hopeless")}
    for artifact in server.call("GET", f"{API}/artifacts?page_size=100&namespace=default")["artifacts"]:
        found.artifacts.setdefault(str(artifact["type"]).removeprefix("system."), artifact["artifact_id"])
    return found


def upload(server: ServerProcess, path: str, file: Path, **query: str) -> Any:
    """As a browser or the SDK sends a file."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{file.name}"\r\n\r\n'
    )
    body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        f"{server.url}{API}{path}?{urlencode(query)}",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _upload_all(found: Seeded) -> None:
    python = interpreter_with("kfp==2.17.0", "kfp-kubernetes==2.17.0")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-W", "ignore", PROGRAM, folder], check=True, timeout=120)
        files = {file.stem: file for file in Path(folder).iterdir()}
        for name, file in files.items():
            if name == "train-model-v2":
                continue
            made = upload(found.server, "/pipelines/upload", file, name=name, namespace="default")
            found.pipelines[name] = made["pipeline_id"]
            listed = found.server.call("GET", f"{API}/pipelines/{made['pipeline_id']}/versions")
            found.versions[name] = listed["pipeline_versions"][0]["pipeline_version_id"]
        made = upload(
            found.server,
            "/pipelines/upload_version",
            files["train-model-v2"],
            name="v2",
            pipelineid=found.pipelines["train-model"],
            description="Retries, and says so when it is done",
        )
        found.versions["train-model/v2"] = made["pipeline_version_id"]


def _make_experiments(found: Seeded) -> None:
    for name, description in (("digits", "Which rate learns best"), ("nightly", ""), ("old", "Last year's")):
        body = {"display_name": name, "description": description, "namespace": "default"}
        found.experiments[name] = found.server.call("POST", f"{API}/experiments", body)["experiment_id"]
    found.server.call("POST", f"{API}/experiments/{found.experiments['old']}:archive")


def _run(found: Seeded, name: str, of: str, experiment: str = "", **parameters: Any) -> None:
    pipeline = of.split("/")[0]
    body: dict[str, Any] = {
        "display_name": name,
        "pipeline_version_reference": {
            "pipeline_id": found.pipelines[pipeline],
            "pipeline_version_id": found.versions[of],
        },
        "runtime_config": {"parameters": parameters},
    }
    if experiment:
        body["experiment_id"] = found.experiments[experiment]
    found.runs[name] = found.server.call("POST", f"{API}/runs", body)["run_id"]


def _start_runs(found: Seeded) -> None:
    _run(found, "archived", "wide-loop", count=3)
    _run(found, "good", "train-model", "digits", learning_rate=0.3)
    _run(found, "better", "train-model", "digits", learning_rate=0.15, rows=300)
    _run(found, "best", "train-model/v2", "digits", learning_rate=0.1, rows=400)
    _run(found, "every shape", "every-shape")
    _run(found, "wide", "wide-loop", count=12)
    _run(found, LONG_NAME, "wide-loop", "nightly", count=2)
    _run(found, "broken", "breaks", "nightly")
    _run(found, "stopped", "long-one", seconds=1799)
    _run(found, "waiting", "too-large")


def _wait(found: Seeded) -> None:
    for name, run in found.runs.items():
        if name == "stopped":
            found.server.call("POST", f"{API}/runs/{run}:terminate")
        if name != "waiting":
            found.server.wait_run(run, timeout=200)


def _start_late_runs(found: Seeded) -> None:
    """What needs others to have ended."""
    found.server.call("POST", f"{API}/runs/{found.runs['archived']}:archive")
    _run(found, "again", "train-model", "digits", learning_rate=0.3)
    _run(found, "running", "long-one")
    found.server.wait_run(found.runs["again"], timeout=200)
    deadline = time.monotonic() + 60
    while not any(task.get("state") == "RUNNING" for task in found.server.tasks(found.runs["running"])):
        assert time.monotonic() < deadline
        assert found.server.call("GET", f"{API}/runs/{found.runs['running']}")["state"] not in FINAL_STATES
        time.sleep(0.1)


def _make_starters(found: Seeded) -> None:
    reference = {"pipeline_id": found.pipelines["train-model"]}
    schedules: dict[str, Mapping[str, Any]] = {
        "every night": {"trigger": {"cron_schedule": {"cron": "0 30 2 * * *"}}, "mode": "ENABLE"},
        "every six hours": {"trigger": {"periodic_schedule": {"interval_second": 21600}}, "mode": "DISABLE"},
    }
    for name, given in schedules.items():
        body = {
            "display_name": name,
            "pipeline_version_reference": reference,
            "runtime_config": {"parameters": {"learning_rate": 0.2}},
            "experiment_id": found.experiments["nightly"],
            "max_concurrency": 1,
            **given,
        }
        made = found.server.call("POST", f"{API}/recurringruns", body)
        found.recurring_runs[name] = made["recurring_run_id"]
    triggers: dict[str, Mapping[str, Any]] = {
        "on push": {"webhook": {"events": ["push"]}},
        "after training": {"run": {"pipeline_id": found.pipelines["train-model"], "states": ["FAILED"]}},
    }
    for name, given in triggers.items():
        body = {"display_name": name, "pipeline_version_reference": reference, **given}
        found.triggers[name] = found.server.call("POST", f"{API}/triggers", body)["trigger_id"]
    body = {
        "display_name": "failures",
        "states": ["FAILED"],
        "webhook": {"url": "https://hooks.example.invalid/runs"},
    }
    found.notifications["failures"] = found.server.call("POST", f"{API}/notifications", body)[
        "notification_id"
    ]


def _make_objects(server: ServerProcess) -> None:
    """Of Kubernetes: a Workflow that waits to be approved, and what a namespace holds."""
    core = "/api/v1/namespaces/default"
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    server.call(
        "POST",
        "/apis/argoproj.io/v1alpha1/namespaces/default/workflows",
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": "approval"},
            "spec": {
                "entrypoint": "main",
                "templates": [
                    {
                        "name": "main",
                        "steps": [
                            [{"name": "say", "template": "say"}],
                            [{"name": "approve", "template": "wait"}],
                        ],
                    },
                    {"name": "say", "container": {"image": "busybox", "command": ["echo", "hello"]}},
                    {"name": "wait", "suspend": {}},
                ],
            },
        },
    )
    objects: dict[str, dict[str, Any]] = {
        "configmaps": {"metadata": {"name": "seeded-settings"}, "data": {"color": "blue"}},
        "secrets": {"metadata": {"name": "credentials"}, "stringData": {"password": "hunter2"}},
        "persistentvolumeclaims": {
            "metadata": {"name": "shelf"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
        },
        "services": {
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
        "resourcequotas": {"metadata": {"name": "most"}, "spec": {"hard": {"pods": "500"}}},
    }
    for plural, body in objects.items():
        server.call("POST", f"{core}/{plural}", body)
    job = {
        "metadata": {"name": "once"},
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "busybox", "command": ["echo", "done"]}],
                }
            }
        },
    }
    server.call("POST", "/apis/batch/v1/namespaces/default/jobs", job)
