"""MPIJobs for tests from outside: made from a few words, watched to their end, their launcher's log read."""

from __future__ import annotations

import time
from typing import Any

from sampan.testing.server import ServerProcess

SMALL = {"requests": {"cpu": "50m"}}


def submit(
    server: ServerProcess, version: str, image: str, command: list[str], *, name: str = "pi", **spec: Any
) -> None:
    """Two workers, which do what their contract has them do."""
    roles: dict[str, Any] = {}
    for role, replicas in (("Launcher", 1), ("Worker", 2)):
        container: dict[str, Any] = {"name": "mpi", "image": image, "resources": SMALL}
        if role == "Launcher":
            container["command"] = command
        roles[role] = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    server.call(
        "POST",
        f"/apis/kubeflow.org/{version}/namespaces/default/mpijobs",
        {
            "apiVersion": f"kubeflow.org/{version}",
            "kind": "MPIJob",
            "metadata": {"name": name},
            "spec": {"mpiReplicaSpecs": roles, **spec},
        },
    )


def end(server: ServerProcess, version: str, name: str = "pi", seconds: float = 100) -> tuple[str, Any]:
    """The condition with which the job ends, and its message."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = server.call("GET", f"/apis/kubeflow.org/{version}/namespaces/default/mpijobs/{name}")
        for each in job.get("status", {}).get("conditions") or ():
            if each["type"] in ("Succeeded", "Failed") and each["status"] == "True":
                return each["type"], f"{each['message']}\n{log(server, name)}"
        time.sleep(0.1)
    raise AssertionError(f"the job does not end: {job.get('status')}\n{log(server, name)}")


def log(server: ServerProcess, name: str = "pi") -> str:
    """Of the launcher's pod, the last one if there were several."""
    pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
    mine = [each for each in pods if each["metadata"]["name"].startswith(f"{name}-launcher")]
    if not mine:
        return ""
    newest = max(mine, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    path = f"/api/v1/namespaces/default/pods/{newest['metadata']['name']}/log"
    return str(server.text(f"{path}?container=mpi"))
