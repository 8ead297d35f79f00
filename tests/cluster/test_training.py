"""Training jobs on a real Kubernetes: their definitions, pods, environment, status and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sampan.client.protocol import ListOptions, LogOptions
from sampan.components.training.api.contracts import CONTRACTS
from sampan.components.training.api.kinds import (
    JAX_JOBS,
    PADDLE_JOBS,
    PYTORCH_JOBS,
    TF_JOBS,
    TRAIN_JOBS,
    XGBOOST_JOBS,
)
from sampan.kube import conditions, meta
from sampan.kube.errors import InvalidError, NotFoundError
from sampan.kube.kinds import PODS, Resource
from sampan.kube.meta import Object
from sampan.testing.server import ServerProcess

from .conftest import Cluster, platform

SHOWN = {
    TF_JOBS: ("TF_CONFIG", ("Chief", "Worker")),
    PYTORCH_JOBS: ("MASTER_ADDR", ("Master", "Worker")),
    XGBOOST_JOBS: ("WORKER_ADDRS", ("Master", "Worker")),
    PADDLE_JOBS: ("PADDLE_MASTER", ("Master", "Worker")),
    JAX_JOBS: ("COORDINATOR_ADDRESS", ("Worker",)),
}
MEETING = """
import os, socket, time
host = os.environ["MASTER_ADDR"]
rank = int(os.environ["RANK"])
if rank == 0:
    server = socket.create_server(("", 23456))
    for _ in range(int(os.environ["WORLD_SIZE"]) - 1):
        server.accept()[0].recv(1)
else:
    for _ in range(100):
        try:
            socket.create_connection((host, 23456), 2).send(b"x")
            break
        except OSError:
            time.sleep(0.3)
    else:
        raise SystemExit("the master cannot be reached")
print("met", rank)
"""


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Workers wait by themselves: there may be no image to wait with."""
    home = tmp_path_factory.mktemp("training") / "home"
    with platform(home, cluster, SAMPAN_TRAINING_INIT_CONTAINER_IMAGE="none") as running:
        yield running


def job(cluster: Cluster, resource: Resource, name: str, program: str, **spec: Any) -> Object:
    contract = CONTRACTS[resource.kind]
    roles = SHOWN[resource][1]
    container = {
        "name": contract.container,
        "image": "python:3.11",
        "command": ["python", "-u", "-c", program],
    }
    template = {"spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    replicas = {role: {"replicas": 1, "restartPolicy": "Never", "template": template} for role in roles}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": cluster.namespace},
        "spec": {contract.replica_specs: replicas, **spec},
    }


def create(cluster: Cluster, resource: Resource, obj: Object) -> Object:
    return cluster.ask(lambda client: client.create(resource, obj))


def wait(cluster: Cluster, resource: Resource, name: str, until: Callable[[Object], Any]) -> Object:
    deadline = time.monotonic() + 120
    while True:
        found: Object = cluster.ask(lambda client: client.get(resource, name, cluster.namespace))
        if until(found):
            return found
        assert time.monotonic() < deadline, found.get("status")
        time.sleep(0.5)


def has(type_: str) -> Callable[[Object], bool]:
    return lambda obj: conditions.is_true(obj, type_)


def pods(cluster: Cluster, name: str) -> list[Object]:
    options = ListOptions(label_selector=f"training.kubeflow.org/job-name={name}")
    return cluster.ask(lambda client: client.list(PODS, cluster.namespace, options)).items


def log(cluster: Cluster, pod: str) -> str:
    async def read(client: Any) -> str:
        text = b""
        async for chunk in client.log(pod, cluster.namespace, LogOptions()):
            text += chunk
        return text.decode()

    return cluster.ask(read)


@pytest.mark.parametrize("resource", SHOWN, ids=lambda each: each.kind)
def test_each_kind_runs(server: ServerProcess, cluster: Cluster, resource: Resource) -> None:
    name = resource.singular
    shown, roles = SHOWN[resource]
    create(
        cluster,
        resource,
        job(cluster, resource, name, f"import os; print('contract', os.environ['{shown}'])"),
    )
    done = wait(cluster, resource, name, has("Succeeded"))
    assert not conditions.is_true(done, "Running")
    found = {meta.name(pod) for pod in pods(cluster, name)}
    assert found == {f"{name}-{role.lower()}-0" for role in roles}
    assert "contract " in log(cluster, f"{name}-{roles[0].lower()}-0")


def test_ranks_find_each_other_by_name(server: ServerProcess, cluster: Cluster) -> None:
    create(cluster, PYTORCH_JOBS, job(cluster, PYTORCH_JOBS, "meeting", MEETING))
    wait(cluster, PYTORCH_JOBS, "meeting", has("Succeeded"))
    assert log(cluster, "meeting-worker-0").strip() == "met 1"


def test_suspended_and_resumed(server: ServerProcess, cluster: Cluster) -> None:
    create(
        cluster,
        PYTORCH_JOBS,
        job(cluster, PYTORCH_JOBS, "waiting", "print('at last')", runPolicy={"suspend": True}),
    )
    wait(cluster, PYTORCH_JOBS, "waiting", has("Suspended"))
    assert pods(cluster, "waiting") == []
    resumed = {"spec": {"runPolicy": {"suspend": False}}}
    cluster.ask(lambda client: client.patch(PYTORCH_JOBS, "waiting", resumed, cluster.namespace))
    wait(cluster, PYTORCH_JOBS, "waiting", has("Succeeded"))


def test_a_failure_is_told_and_pods_are_cleaned_up(server: ServerProcess, cluster: Cluster) -> None:
    program = "import os, time; time.sleep(600 if os.environ['RANK'] == '1' else 0); raise SystemExit(7)"
    wanted = job(cluster, PYTORCH_JOBS, "failing", program, runPolicy={"cleanPodPolicy": "Running"})
    create(cluster, PYTORCH_JOBS, wanted)
    failed = wait(cluster, PYTORCH_JOBS, "failing", has("Failed"))
    assert failed["status"]["replicaStatuses"]["Master"]["failed"] == 1
    deadline = time.monotonic() + 60
    while [meta.name(pod) for pod in pods(cluster, "failing")] != ["failing-master-0"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_what_no_hook_refuses_fails_with_the_reason(server: ServerProcess, cluster: Cluster) -> None:
    wrong = job(cluster, PYTORCH_JOBS, "wrong", "pass")
    wrong["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"] = "main"
    create(cluster, PYTORCH_JOBS, wrong)
    failed = wait(cluster, PYTORCH_JOBS, "wrong", has("Failed"))
    condition = conditions.find(failed, "Failed")
    assert condition is not None
    assert "pytorch" in condition["message"]


def test_pod_templates_are_checked_by_the_cluster(server: ServerProcess, cluster: Cluster) -> None:
    """There the definitions have the types written out."""
    wrong = job(cluster, PYTORCH_JOBS, "mistyped", "pass")
    wrong["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["command"] = "python"
    with pytest.raises(InvalidError, match="command"):
        create(cluster, PYTORCH_JOBS, wrong)


def test_a_deleted_job_takes_its_pods_along(server: ServerProcess, cluster: Cluster) -> None:
    create(cluster, PYTORCH_JOBS, job(cluster, PYTORCH_JOBS, "gone", "import time; time.sleep(600)"))
    wait(cluster, PYTORCH_JOBS, "gone", has("Running"))
    cluster.ask(lambda client: client.delete(PYTORCH_JOBS, "gone", cluster.namespace))
    deadline = time.monotonic() + 120
    while pods(cluster, "gone"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    with pytest.raises(NotFoundError):
        cluster.ask(lambda client: client.get(PYTORCH_JOBS, "gone", cluster.namespace))


def test_a_train_job_says_that_the_cluster_has_no_job_sets(server: ServerProcess, cluster: Cluster) -> None:
    wanted = {
        "apiVersion": TRAIN_JOBS.api_version,
        "kind": "TrainJob",
        "metadata": {"name": "no-jobsets", "namespace": cluster.namespace},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"numNodes": 2}},
    }
    create(cluster, TRAIN_JOBS, wanted)

    def tells(obj: Object) -> bool:
        return any("JobSet" in each.get("message", "") for each in meta.status(obj).get("conditions") or ())

    wait(cluster, TRAIN_JOBS, "no-jobsets", tells)
