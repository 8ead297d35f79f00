"""Training jobs as users write them, of any kind and size, around one program."""

from __future__ import annotations

import time
from typing import Any

from sampan.testing.server import HttpError, ServerProcess

TORCH = "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime"
TENSORFLOW = "tensorflow/tensorflow:2.17.0"
JAX = "nvcr.io/nvidia/jax:25.10-py3"
XGBOOST = "ghcr.io/kubeflow/trainer/xgboost-runtime:v2.3.0"
_KINDS = {
    "PyTorchJob": ("pytorch", "pytorchReplicaSpecs"),
    "TFJob": ("tensorflow", "tfReplicaSpecs"),
    "XGBoostJob": ("xgboost", "xgbReplicaSpecs"),
    "JAXJob": ("jax", "jaxReplicaSpecs"),
    "PaddleJob": ("paddle", "paddleReplicaSpecs"),
}
_ENDS = {"Succeeded", "Failed", "Complete"}


def job(
    kind: str, name: str, image: str, program: str, replicas: dict[str, int], **run_policy: Any
) -> dict[str, Any]:
    """A job of the Training Operator; `program` is Python."""
    start = ["python", "-c", 'import os; exec(os.environ["PROGRAM"])']
    env = [{"name": "PROGRAM", "value": program}]
    return image_job(kind, name, replicas, {"image": image, "command": start, "env": env}, **run_policy)


def image_job(
    kind: str, name: str, replicas: dict[str, int], container: dict[str, Any], **run_policy: Any
) -> dict[str, Any]:
    """The same of any container; without a command its image's own program runs."""
    own, field = _KINDS[kind]
    main = {"name": own, **container}
    template = {"spec": {"containers": [main]}}
    specs = {
        role: {"replicas": count, "restartPolicy": "Never", "template": template}
        for role, count in replicas.items()
        if count
    }
    spec = {field: specs, "runPolicy": {"cleanPodPolicy": "None", **run_policy}}
    return {"apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def train_job(name: str, runtime: str, program: str, nodes: int, start: str = "python") -> dict[str, Any]:
    """A TrainJob of a shipped runtime; `start` is what the script is given to, such as torchrun."""
    script = f'printf %s "$PROGRAM" > train.py && exec {start} train.py'
    env = [{"name": "PROGRAM", "value": program}]
    trainer = {"numNodes": nodes, "command": ["bash", "-c", script], "env": env}
    spec = {"runtimeRef": {"name": runtime}, "trainer": trainer}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name},
        "spec": spec,
    }


def collection(made: dict[str, Any], namespace: str = "default") -> str:
    return f"/apis/{made['apiVersion']}/namespaces/{namespace}/{made['kind'].lower()}s"


def run(server: ServerProcess, made: dict[str, Any], timeout: float = 300) -> str:
    """How the job ended."""
    server.call("POST", collection(made), made)
    return ended(server, f"{collection(made)}/{made['metadata']['name']}", timeout)


def ended(server: ServerProcess, path: str, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    conditions: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        conditions = server.call("GET", path).get("status", {}).get("conditions") or []
        for each in conditions:
            if each["type"] in _ENDS and each["status"] == "True":
                return str(each["type"])
            if "ErrImagePull" in each.get("message", ""):
                raise AssertionError(each["message"])
        time.sleep(0.3)
    raise AssertionError(f"{path} is still going: {conditions}")


def pods_of(server: ServerProcess, name: str) -> list[str]:
    listed = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
    return sorted(
        each["metadata"]["name"] for each in listed if each["metadata"]["name"].startswith(f"{name}-")
    )


def logs(server: ServerProcess, name: str) -> str:
    """Of all pods of a job, one after the other."""
    found = []
    for pod in pods_of(server, name):
        try:
            text = server.text(f"/api/v1/namespaces/default/pods/{pod}/log")
        except HttpError as error:
            text = str(error)
        found.append(f"--- {pod}\n{text}")
    return "\n".join(found)
