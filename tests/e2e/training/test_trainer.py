"""A TrainJob on a real server: its runtime is there, its nodes find each other and tell of their progress over TLS."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sampan.testing.server import ServerProcess

GROUP = "/apis/trainer.kubeflow.org/v1alpha1"
JOBS = f"{GROUP}/namespaces/default/trainjobs"
PROGRAM = """
import json, os, socket, ssl, time, urllib.request
server = os.environ["KUBEFLOW_TRAINER_SERVER_URL"]
trusted = ssl.create_default_context(cafile=os.environ["KUBEFLOW_TRAINER_SERVER_CA_CERT"])
token = open(os.environ["KUBEFLOW_TRAINER_SERVER_TOKEN"]).read()
rank = os.environ["PET_NODE_RANK"]
address = socket.gethostbyname(os.environ["PET_MASTER_ADDR"])
met = (address, int(os.environ["PET_MASTER_PORT"]))
if rank == "0":
    # A node that has ended has no name any more.
    socket.create_server(met).accept()
metrics = [{"name": "address", "value": address}, {"name": "nodes", "value": os.environ["PET_NNODES"]}]
status = {"progressPercentage": 50, "metrics": metrics, "lastUpdatedTime": "2025-01-23T10:30:45Z"}
if rank == "1":
    request = urllib.request.Request(server, json.dumps({"trainerStatus": status}).encode(), method="POST",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    print(urllib.request.urlopen(request, context=trusted).read().decode())
    while socket.socket().connect_ex(met):
        time.sleep(0.05)
"""


def ended(server: ServerProcess, name: str) -> Any:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        job = server.call("GET", f"{JOBS}/{name}")
        for condition in job.get("status", {}).get("conditions") or ():
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return job
        time.sleep(0.1)
    raise AssertionError(f"the TrainJob does not end: {job.get('status')}")


def test_nodes_find_each_other_and_tell_of_their_progress(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "home") as server:
        runtime = server.call("GET", f"{GROUP}/clustertrainingruntimes/torch-distributed")
        assert runtime["metadata"]["labels"]["trainer.kubeflow.org/framework"] == "torch"
        trainer = {"image": "python:3.11", "numNodes": 2, "command": ["python", "-c", PROGRAM]}
        spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
        wanted = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": "two"},
        }
        server.call("POST", JOBS, {**wanted, "spec": spec})
        status = ended(server, "two")["status"]
        assert status["conditions"][0]["type"] == "Complete", status
        assert status["trainerStatus"]["progressPercentage"] == 50
        found = {each["name"]: each["value"] for each in status["trainerStatus"]["metrics"]}
        assert found["nodes"] == "2"
        assert found["address"].startswith("127.")
