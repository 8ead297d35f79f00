"""Training's hooks at the API server: what they refuse, note and leave alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.app.definitions import install
from sampan.client.protocol import Client
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.kinds import (
    CLUSTER_TRAINING_RUNTIMES,
    MPI_JOBS,
    MPI_JOBS_V2,
    PYTORCH_JOBS,
    TRAIN_JOBS,
)
from sampan.components.training.api.mpi_version import API_VERSION
from sampan.components.training.api.runtimes import shipped
from sampan.components.training.api.settings import TrainingSettings
from sampan.components.training.component import TrainingComponent
from sampan.kube import meta
from sampan.kube.errors import InvalidError
from sampan.kube.meta import Object
from sampan.testing.apiserver import embedded, loopback


def pytorch(name: str, container: str = "pytorch", **spec: Any) -> Object:
    template = {"spec": {"containers": [{"name": container, "image": "python:3.11"}]}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"pytorchReplicaSpecs": {"Worker": {"template": template}}, **spec},
    }


def mpi(version: str, name: str) -> Object:
    template = {"spec": {"containers": [{"name": "mpi", "image": "python:3.11"}]}}
    roles = {"Launcher": {"template": template}, "Worker": {"replicas": 1, "template": template}}
    return {
        "apiVersion": f"kubeflow.org/{version}",
        "kind": "MPIJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"mpiReplicaSpecs": roles},
    }


def train_job(name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "suspend": True, **spec},
    }


def test_hooks(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server:
            server.admission.add(TrainingComponent().admission)
            await install(server.client, DEFINITIONS)
            await refused(server.client)
            await noted(server.client)
            await dated(server.client)

    asyncio.run(main())


async def refused(client: Client) -> None:
    with pytest.raises(InvalidError) as error:
        await client.create(PYTORCH_JOBS, pytorch("wrong", "main"))
    (cause,) = error.value.causes
    assert cause.field == "spec.pytorchReplicaSpecs[Worker].template.spec.containers"
    assert cause.message == "Required value: must have at least one container with name pytorch"
    # The schema speaks first.
    with pytest.raises(InvalidError, match=r"spec\.pytorchReplicaSpecs: Required value$"):
        await client.create(PYTORCH_JOBS, {**pytorch("wrong"), "spec": {}})
    manager = {"runPolicy": {"managedBy": "kueue.x-k8s.io/multikueue"}}
    await client.create(PYTORCH_JOBS, pytorch("kept", **manager))
    change = {"spec": {"runPolicy": {"managedBy": "kubeflow.org/training-operator"}}}
    with pytest.raises(InvalidError, match="field is immutable"):
        await client.patch(PYTORCH_JOBS, "kept", change, "default")
    with pytest.raises(InvalidError, match="must be at least 1"):
        await client.patch(PYTORCH_JOBS, "kept", {"spec": {"replicas": 0}}, "default", subresource="scale")
    with pytest.raises(InvalidError, match="must be created before the TrainJob is created"):
        await client.create(TRAIN_JOBS, train_job("wrong", runtimeRef={"name": "nowhere"}))


async def noted(client: Client) -> None:
    """The version of an MPIJob stays what it was written in, whoever writes it later in which."""
    for resource, version, other in ((MPI_JOBS_V2, "v2beta1", MPI_JOBS), (MPI_JOBS, "v1", MPI_JOBS_V2)):
        name = f"in-{version}"
        await client.create(resource, mpi(version, name))
        job = await client.get(other, name, "default")
        assert meta.annotations(job)[API_VERSION] == version
        job["metadata"]["annotations"] = {"mine": "1"}
        job["spec"]["slotsPerWorker"] = 2
        job = await client.replace(other, job)
        assert meta.annotations(job) == {"mine": "1", API_VERSION: version}


async def dated(client: Client) -> None:
    """Each patch of a TrainJob has the time of its last change."""
    (runtime,) = [each for each in shipped() if meta.name(each) == "torch-distributed"]
    await client.create(CLUSTER_TRAINING_RUNTIMES, runtime)

    def patches(**nodes: str) -> list[Object]:
        jobs = {
            manager: [
                {"name": "node", "template": {"spec": {"template": {"spec": {"nodeSelector": {"a": label}}}}}}
            ]
            for manager, label in nodes.items()
        }
        return [
            {
                "manager": f"{manager}.io/x",
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": spec}}},
            }
            for manager, spec in jobs.items()
        ]

    old = "2020-01-01T00:00:00Z"
    given = [{**patch, "time": old} for patch in patches(one="a", two="b")]
    job = await client.create(TRAIN_JOBS, train_job("dated", runtimePatches=given))
    assert [each["time"] for each in job["spec"]["runtimePatches"]] == [old, old]
    job["spec"]["runtimePatches"] = patches(one="a", two="c", three="d")
    job = await client.replace(TRAIN_JOBS, job)
    times = {each["manager"]: each["time"] for each in job["spec"]["runtimePatches"]}
    assert times["one.io/x"] == old
    assert times["two.io/x"] > old
    assert times["three.io/x"] > old
    await client.patch(TRAIN_JOBS, "dated", {"spec": {"suspend": False}}, "default")
    job["spec"] |= {"runtimePatches": patches(one="z"), "suspend": False}
    job["metadata"].pop("resourceVersion")
    with pytest.raises(InvalidError, match="can only be modified when the TrainJob is suspended"):
        await client.patch(TRAIN_JOBS, "dated", {"spec": job["spec"]}, "default")


def test_who_does_not_act_refuses_nothing() -> None:
    assert TrainingComponent(TrainingSettings(operators="off")).admission == ()


def test_what_is_to_go_is_warned_of(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as server:
            server.admission.add(TrainingComponent().admission)
            await install(server.client, DEFINITIONS)
            async with loopback(server.asgi) as url, httpx.AsyncClient(base_url=url) as http:
                await warned(http)

    asyncio.run(main())


async def warned(http: httpx.AsyncClient) -> None:
    (runtime,) = [each for each in shipped() if meta.name(each) == "torch-distributed"]
    runtimes = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes"
    jobs = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs"
    made = await http.post(runtimes, json=runtime)
    assert (made.status_code, made.headers.get_list("warning")) == (201, [])
    assert (await http.post(jobs, json=train_job("kept"))).headers.get_list("warning") == []
    metadata = {
        "name": "old",
        "labels": {**meta.labels(runtime), "trainer.kubeflow.org/support": "deprecated"},
    }
    (warning,) = (await http.post(runtimes, json={**runtime, "metadata": metadata})).headers.get_list(
        "warning"
    )
    going = "is deprecated and will be removed in a future release of Kubeflow Trainer."
    assert f'ClusterTrainingRuntime \\"old\\" {going}' in warning
    made = await http.post(jobs, json=train_job("old", runtimeRef={"name": "old"}))
    (warning,) = made.headers.get_list("warning")
    assert f'299 - "Referenced ClusterTrainingRuntime \\"old\\" {going}' in warning
    # What is stored knows nothing of it, and who changes no spec is not told again.
    change = {"metadata": {"labels": {"a": "b"}}}
    merge = {"content-type": "application/merge-patch+json"}
    assert (await http.patch(f"{jobs}/old", json=change, headers=merge)).headers.get_list("warning") == []
    change = {"spec": {"suspend": False}}
    assert len((await http.patch(f"{jobs}/old", json=change, headers=merge)).headers.get_list("warning")) == 1
    elastic = pytorch("elastic", elasticPolicy={"nProcPerNode": 2, "maxReplicas": 2})
    made = await http.post("/apis/kubeflow.org/v1/namespaces/default/pytorchjobs", json=elastic)
    words = "spec.elasticPolicy.nProcPerNode is deprecated, use spec.nprocPerNode instead"
    assert made.headers.get_list("warning") == [f'299 - "{words}"']
