"""Training jobs of every state for `seed`, made of plain Python: what they print are metrics.

| jobs | |
|---|---|
| `mnist` | a PyTorchJob of three that succeeded |
| `boosted` | an XGBoostJob that failed |
| `learning` | a TFJob that trains for half an hour |
| `too-many` | a PyTorchJob that asks for more processors than there are |
| `held` | a JAXJob that is suspended |
| `tuned` | a TrainJob of two nodes with the runtime `plain`, which succeeded |
"""

from __future__ import annotations

import time
from typing import Any

from sampan.testing.server import ServerProcess

JOBS = "/apis/kubeflow.org/v1/namespaces/default"
TRAINER = "/apis/trainer.kubeflow.org/v1alpha1"
TRAIN = """import os, sys, time
steps, pause, code = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
print("rank", os.environ.get("RANK", "?"), "begins", flush=True)
for step in range(1, steps + 1):
    time.sleep(pause)
    print(f"step={step} loss={1 / step:.4f} accuracy={1 - 1 / (step + 1):.4f}", flush=True)
print("done", flush=True)
sys.exit(code)
"""
_SPECS = {
    "PyTorchJob": ("pytorchjobs", "pytorchReplicaSpecs", "pytorch"),
    "TFJob": ("tfjobs", "tfReplicaSpecs", "tensorflow"),
    "XGBoostJob": ("xgboostjobs", "xgbReplicaSpecs", "xgboost"),
    "JAXJob": ("jaxjobs", "jaxReplicaSpecs", "jax"),
}


def seed_training(server: ServerProcess) -> None:
    """Starts all of them, once for a server."""
    if server.call("GET", f"{JOBS}/pytorchjobs?fieldSelector=metadata.name%3Dmnist")["items"]:
        return
    _job(server, "PyTorchJob", "mnist", {"Master": 1, "Worker": 2}, ["12", "0.05", "0"])
    _job(server, "XGBoostJob", "boosted", {"Master": 1, "Worker": 1}, ["3", "0.05", "1"])
    _job(server, "TFJob", "learning", {"Chief": 1, "Worker": 1}, ["1800", "1", "0"])
    _job(server, "PyTorchJob", "too-many", {"Master": 1, "Worker": 2}, ["1", "1", "0"], cpu="4000")
    _job(server, "JAXJob", "held", {"Worker": 2}, ["1", "1", "0"], suspended=True)
    server.call("POST", f"{TRAINER}/namespaces/default/trainingruntimes", runtime())
    server.call("POST", f"{TRAINER}/namespaces/default/trainjobs", train_job("tuned", ["8", "0.05", "0"]))


def wait_for_training(server: ServerProcess) -> None:
    """Until those that end have ended, and the one that runs does."""
    for path, type_ in (
        (f"{JOBS}/pytorchjobs/mnist", "Succeeded"),
        (f"{JOBS}/xgboostjobs/boosted", "Failed"),
        (f"{JOBS}/tfjobs/learning", "Running"),
        (f"{JOBS}/jaxjobs/held", "Suspended"),
        (f"{TRAINER}/namespaces/default/trainjobs/tuned", "Complete"),
    ):
        deadline = time.monotonic() + 90
        while not _holds(server.call("GET", path), type_):
            assert time.monotonic() < deadline, (
                f"{path} is not {type_}: {server.call('GET', path).get('status')}"
            )
            time.sleep(0.2)


def _holds(job: Any, type_: str) -> bool:
    told = (job.get("status") or {}).get("conditions") or ()
    return any(each["type"] == type_ and each["status"] == "True" for each in told)


def _job(
    server: ServerProcess,
    kind: str,
    name: str,
    roles: dict[str, int],
    arguments: list[str],
    *,
    cpu: str = "10m",
    suspended: bool = False,
) -> None:
    plural, field, container = _SPECS[kind]
    pods = {
        "containers": [
            {
                "name": container,
                "image": "python:3.11",
                "command": ["python", "-c", TRAIN, *arguments],
                "resources": {"requests": {"cpu": cpu}},
            }
        ]
    }
    replica = {"restartPolicy": "Never", "template": {"spec": pods}}
    body = {
        "apiVersion": "kubeflow.org/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "runPolicy": {"suspend": suspended, "backoffLimit": 0},
            field: {role: {"replicas": count, **replica} for role, count in roles.items()},
        },
    }
    server.call("POST", f"{JOBS}/{plural}", body)


def runtime() -> dict[str, Any]:
    """Of plain Python, so that nothing has to be installed."""
    node = {
        "name": "node",
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "python:3.11"}]}}},
        },
    }
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {"name": "plain", "labels": {"trainer.kubeflow.org/framework": "python"}},
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": [node]}}},
    }


def train_job(name: str, arguments: list[str]) -> dict[str, Any]:
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": {
            "runtimeRef": {"kind": "TrainingRuntime", "name": "plain"},
            "trainer": {"numNodes": 2, "command": ["python", "-c", TRAIN, *arguments]},
        },
    }
