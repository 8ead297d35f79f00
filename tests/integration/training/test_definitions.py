"""Training's kinds on our API server: what their definitions refuse, drop, fill in, merge and show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sampan.app.definitions import DEFINITIONS as DEFINITION_KIND
from sampan.app.definitions import for_other_servers, install
from sampan.client.protocol import Client, PatchType, WriteOptions
from sampan.cluster.apiserver.custom import rules, schemas
from sampan.cluster.apiserver.kinds import built_in_schema
from sampan.components.training.api.definitions import DEFINITIONS
from sampan.components.training.api.kinds import (
    CLUSTER_TRAINING_RUNTIMES,
    MPI_JOBS,
    MPI_JOBS_V2,
    PYTORCH_JOBS,
    TF_JOBS,
    TRAIN_JOBS,
)
from sampan.kube.errors import BadRequestError, InvalidError
from sampan.kube.fielderrors import FieldErrors
from sampan.testing.apiserver import embedded, loopback

STRICT = WriteOptions(field_validation="Strict")


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[tuple[Client, httpx.AsyncClient]]:
    async with embedded(folder) as server:
        assert await install(server.client, DEFINITIONS) == frozenset()
        async with loopback(server.asgi) as url, httpx.AsyncClient(base_url=url) as http:
            yield server.client, http


def run(folder: Path, scenario: Callable[[Client, httpx.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with installed(folder) as (client, http):
            await scenario(client, http)

    asyncio.run(main())


def pytorch(**worker: Any) -> dict[str, Any]:
    container = {"name": "pytorch", "image": "python:3.11", **worker.pop("container", {})}
    template = {"spec": {"containers": [container], **worker.pop("pod", {})}, **worker.pop("template", {})}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "train", "namespace": "default"},
        "spec": {"pytorchReplicaSpecs": {"Worker": {"template": template, **worker}}},
    }


def test_a_pod_template_is_judged_as_its_type(tmp_path: Path) -> None:
    at = "spec.pytorchReplicaSpecs.Worker.template"
    wrong = [
        ({"container": {"env": [{"value": "1"}]}}, f"{at}.spec.containers[0].env[0].name", "Required value"),
        ({"container": {"command": "train"}}, f"{at}.spec.containers[0].command", "must be of type array"),
        ({"pod": {"containers": None}}, f"{at}.spec.containers", "Required value"),
        ({"pod": {"nodeSelector": {"a": 1}}}, f"{at}.spec.nodeSelector.a", "must be of type string"),
        ({"template": {"metadata": {"labels": {"a": True}}}}, f"{at}.metadata.labels.a", "of type string"),
        ({"replicas": "two"}, "spec.pytorchReplicaSpecs.Worker.replicas", "must be of type integer"),
        (
            {"container": {"resources": {"limits": {"cpu": "much"}}}},
            f"{at}.spec.containers[0].resources.limits.cpu",
            "should match",
        ),
        (
            {"container": {"env": [{"name": "A"}, {"name": "A"}]}},
            f"{at}.spec.containers[0].env[1]",
            "Duplicate value",
        ),
    ]

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        for change, field, message in wrong:
            with pytest.raises(InvalidError) as refused:
                await client.create(PYTORCH_JOBS, pytorch(**change))
            causes = {cause.field: cause.message for cause in refused.value.causes}
            assert message in causes.get(field, ""), (field, causes)

    run(tmp_path, scenario)


def test_what_a_type_does_not_have_is_dropped_or_refused(tmp_path: Path) -> None:
    job = pytorch(
        container={"imagge": "x"}, template={"metadata": {"labels": {"a": "b"}, "creationTimestamp": None}}
    )

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        with pytest.raises(
            BadRequestError, match=r'unknown field "spec.*template.spec.containers\[0\].imagge"'
        ):
            await client.create(PYTORCH_JOBS, job, STRICT)
        made = await client.create(PYTORCH_JOBS, job)
        template = made["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
        assert template["spec"]["containers"] == [{"name": "pytorch", "image": "python:3.11"}]
        assert template["metadata"] == {"labels": {"a": "b"}}
        assert "runPolicy" not in made["spec"]

    run(tmp_path, scenario)


def test_server_side_apply_merges_lists_of_the_template_by_their_keys(tmp_path: Path) -> None:
    def part(*env: str) -> dict[str, Any]:
        container = {"name": "pytorch", "env": [{"name": name, "value": "1"} for name in env]}
        return {**pytorch(), "spec": pytorch(container=container)["spec"]}

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        async def apply(manager: str, *env: str) -> dict[str, Any]:
            options = WriteOptions(field_manager=manager)
            return await client.patch(
                PYTORCH_JOBS, "train", part(*env), "default", patch_type=PatchType.APPLY, options=options
            )

        await apply("one", "A", "B")
        await apply("two", "C")
        job = await apply("one", "A")
        (container,) = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
        assert [each["name"] for each in container["env"]] == ["A", "C"]

    run(tmp_path, scenario)


def test_the_number_of_workers_is_scaled(tmp_path: Path) -> None:
    async def scenario(client: Client, http: httpx.AsyncClient) -> None:
        await client.create(PYTORCH_JOBS, pytorch(replicas=2))
        path = "/apis/kubeflow.org/v1/namespaces/default/pytorchjobs/train"
        status = {"replicaStatuses": {"Worker": {"active": 2, "selector": "a=b"}}}
        await client.patch(PYTORCH_JOBS, "train", {"status": status}, "default", subresource="status")
        scale = (await http.get(f"{path}/scale")).json()
        assert scale["spec"] == {"replicas": 2}
        assert scale["status"] == {"replicas": 2, "selector": "a=b"}
        scale["spec"]["replicas"] = 5
        (await http.put(f"{path}/scale", json=scale)).raise_for_status()
        job = await client.get(PYTORCH_JOBS, "train", "default")
        assert job["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 5
        assert (
            await http.get("/apis/kubeflow.org/v1/namespaces/default/tfjobs/train/scale")
        ).status_code == 404

    run(tmp_path, scenario)


def test_an_mpi_job_keeps_the_fields_of_either_version(tmp_path: Path) -> None:
    roles = {"Launcher": {"template": {"spec": {"containers": [{"name": "mpi", "image": "python:3.11"}]}}}}

    def job(version: str, name: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": f"kubeflow.org/{version}",
            "kind": "MPIJob",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"mpiReplicaSpecs": roles, **spec},
        }

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        await client.create(MPI_JOBS_V2, job("v2beta1", "two", mpiImplementation="MPICH"), STRICT)
        spec = (await client.get(MPI_JOBS, "two", "default"))["spec"]
        assert {key: value for key, value in spec.items() if key != "mpiReplicaSpecs"} == {
            "slotsPerWorker": 1,
            "runLauncherAsWorker": False,
            "launcherCreationPolicy": "AtStartup",
            "mpiImplementation": "MPICH",
            "sshAuthMountPath": "/root/.ssh",
        }
        await client.create(MPI_JOBS, job("v1", "one", cleanPodPolicy="All", mainContainer="mpi"), STRICT)
        spec = (await client.get(MPI_JOBS, "one", "default"))["spec"]
        assert set(spec) == {"mpiReplicaSpecs", "cleanPodPolicy", "mainContainer"}
        assert (await client.get(MPI_JOBS_V2, "one", "default"))["spec"]["mainContainer"] == "mpi"

    run(tmp_path, scenario)


def train_job(name: str = "train", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, **spec},
    }


def test_train_jobs_that_their_schema_refuses(tmp_path: Path) -> None:
    wrong = [
        (train_job("1st"), "metadata.name must match RFC 1035 DNS label format"),
        (train_job("a" * 64), "metadata.name must be no more than 63 characters"),
        (train_job(managedBy="me"), "ManagedBy must be trainer.kubeflow.org/trainjob-controller or"),
        (train_job(activeDeadlineSeconds=0), "should be greater than or equal to 1"),
        (train_job(initializer={"dataset": {"storageUri": "nowhere"}}), "storageUri may be empty, or"),
        (train_job(runtimePatches=[{"time": "2026-01-01T00:00:00Z"}]), "runtimePatches[0].manager"),
    ]

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        for job, message in wrong:
            with pytest.raises(InvalidError) as refused:
                await client.create(TRAIN_JOBS, job)
            assert message in str(refused.value)

    run(tmp_path, scenario)


def test_what_trainers_of_2_1_understood_is_kept(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "podTemplateOverrides": [
            {
                "targetJobs": [{"name": "node"}],
                "spec": {"tolerations": [{"key": "gpu", "operator": "Exists"}]},
            }
        ],
    }

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        made = await client.create(TRAIN_JOBS, train_job(**spec), STRICT)
        assert {key: made["spec"][key] for key in spec} == spec

    run(tmp_path, scenario)


def test_what_a_train_job_may_not_change(tmp_path: Path) -> None:
    patches: list[dict[str, Any]] = [
        {"runtimeRef": {"name": "other"}},
        {"trainer": {"numNodes": 3}},
        {"activeDeadlineSeconds": 11},
        {"managedBy": "kueue.x-k8s.io/multikueue"},
    ]

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        made = await client.create(TRAIN_JOBS, train_job(trainer={"numNodes": 2}, activeDeadlineSeconds=10))
        assert made["spec"]["runtimeRef"] == {
            "name": "torch-distributed",
            "apiGroup": "trainer.kubeflow.org",
            "kind": "ClusterTrainingRuntime",
        }
        assert made["spec"]["suspend"] is False
        for patch in patches:
            with pytest.raises(InvalidError, match="field is immutable"):
                await client.patch(TRAIN_JOBS, "train", {"spec": patch}, "default")
        await client.patch(TRAIN_JOBS, "train", {"spec": {"suspend": True}}, "default")

    run(tmp_path, scenario)


def test_a_runtime(tmp_path: Path) -> None:
    pods = {"template": {"spec": {"containers": [{"name": "node", "image": "python:3.11"}]}}}
    job_set = {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": pods["template"]}}}]}

    def runtime(**spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "ClusterTrainingRuntime",
            "metadata": {"name": "mine"},
            "spec": {"template": {"spec": job_set}, **spec},
        }

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        with pytest.raises(InvalidError, match="Only one of the policy can be configured"):
            await client.create(CLUSTER_TRAINING_RUNTIMES, runtime(mlPolicy={"torch": {}, "jax": {}}))
        made = await client.create(CLUSTER_TRAINING_RUNTIMES, runtime(mlPolicy={"mpi": {}}), STRICT)
        elastic = {
            "numProcPerNode": "auto",
            "elasticPolicy": {"minNodes": 1, "maxNodes": 3, "maxRestarts": 2},
        }
        other = {**runtime(mlPolicy={"torch": elastic}), "metadata": {"name": "elastic"}}
        assert (await client.create(CLUSTER_TRAINING_RUNTIMES, other, STRICT))["spec"]["mlPolicy"][
            "torch"
        ] == elastic
        assert made["spec"]["mlPolicy"]["mpi"]["sshAuthMountPath"] == "/root/.ssh"
        (job,) = made["spec"]["template"]["spec"]["replicatedJobs"]
        assert (job["groupName"], job["replicas"]) == ("default", 1)

    run(tmp_path, scenario)


def test_openapi_refers_to_the_built_in_types(tmp_path: Path) -> None:
    async def scenario(_: Client, http: httpx.AsyncClient) -> None:
        name = "io.k8s.api.core.v1.PodTemplateSpec"
        third = (await http.get("/openapi/v3/apis/kubeflow.org/v1")).json()["components"]["schemas"]
        specs = third["org.kubeflow.v1.PyTorchJob"]["properties"]["spec"]["properties"]
        template = specs["pytorchReplicaSpecs"]["additionalProperties"]["properties"]["template"]
        assert template == {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}
        assert "containers" in third["io.k8s.api.core.v1.PodSpec"]["properties"]
        second = (await http.get("/openapi/v2")).json()["definitions"]
        specs = second["org.kubeflow.v1.TFJob"]["properties"]["spec"]["properties"]
        template = specs["tfReplicaSpecs"]["additionalProperties"]["properties"]["template"]
        assert template == {"$ref": f"#/definitions/{name}"}
        assert "x-sampan-type" not in str(second["org.kubeflow.v1.TFJob"])

    run(tmp_path, scenario)


def test_jobs_are_listed_with_their_state(tmp_path: Path) -> None:
    async def scenario(client: Client, http: httpx.AsyncClient) -> None:
        await client.create(PYTORCH_JOBS, pytorch())
        conditions = [{"type": "Created", "status": "True"}, {"type": "Running", "status": "True"}]
        await client.patch(
            PYTORCH_JOBS, "train", {"status": {"conditions": conditions}}, "default", subresource="status"
        )
        table = await http.get(
            "/apis/kubeflow.org/v1/pytorchjobs",
            headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"},
        )
        columns = [each["name"] for each in table.json()["columnDefinitions"]]
        assert columns == ["Name", "State", "Age"]
        assert table.json()["rows"][0]["cells"][:2] == ["train", "Running"]

    run(tmp_path, scenario)


def test_upstreams_own_definition_takes_over(tmp_path: Path) -> None:
    """As `kubectl apply --server-side -f` does it; it stays when we start again, and objects stay what they are."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    theirs = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": TF_JOBS.key,
            "annotations": {"controller-gen.kubebuilder.io/version": "v0.16.5"},
        },
        "spec": {
            "group": "kubeflow.org",
            "names": {"kind": "TFJob", "listKind": "TFJobList", "plural": "tfjobs", "singular": "tfjob"},
            "scope": "Namespaced",
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }
    mpi = {**theirs, "metadata": {"name": MPI_JOBS.key}, "spec": {**theirs["spec"]}}
    mpi["spec"]["names"] = {
        "kind": "MPIJob",
        "listKind": "MPIJobList",
        "plural": "mpijobs",
        "singular": "mpijob",
    }

    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        spec = {"tfReplicaSpecs": {"Worker": {"replicas": 1}}}
        job = {
            "apiVersion": "kubeflow.org/v1",
            "kind": "TFJob",
            "metadata": {"name": "j", "namespace": "default"},
        }
        await client.create(TF_JOBS, {**job, "spec": spec})
        options = WriteOptions(field_manager="kubectl")
        for each in (theirs, mpi):
            await client.patch(
                DEFINITION_KIND, each["metadata"]["name"], each, patch_type=PatchType.APPLY, options=options
            )
        assert (await client.get(TF_JOBS, "j", "default"))["spec"] == spec
        assert await install(client, DEFINITIONS) == {TF_JOBS.key, MPI_JOBS.key}
        there = await client.get(DEFINITION_KIND, TF_JOBS.key)
        assert there["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == schema

    run(tmp_path, scenario)


def test_other_servers_get_the_types_written_out() -> None:
    """As structural schemas, which no server refuses."""
    form = for_other_servers(built_in_schema)
    for definition in DEFINITIONS:
        made = form(definition)
        assert "x-sampan-type" in str(definition)
        assert "x-sampan-type" not in str(made)
        for version in made["spec"]["versions"]:
            errors = FieldErrors()
            schemas.check(version["schema"]["openAPIV3Schema"], "schema", errors, rules.check)
            assert errors.causes == []


def test_an_older_one_of_ours_is_brought_up_to_date(tmp_path: Path) -> None:
    async def scenario(client: Client, _: httpx.AsyncClient) -> None:
        (ours,) = [each for each in DEFINITIONS if each["metadata"]["name"] == TF_JOBS.key]
        columns = [{"name": "Age", "jsonPath": ".metadata.creationTimestamp", "type": "date"}]
        newer = {**ours, "spec": {**ours["spec"], "versions": [dict(ours["spec"]["versions"][0])]}}
        newer["spec"]["versions"][0]["additionalPrinterColumns"] = columns
        assert await install(client, [newer]) == frozenset()
        there = await client.get(DEFINITION_KIND, TF_JOBS.key)
        assert there["spec"]["versions"][0]["additionalPrinterColumns"] == columns
        before = there["metadata"]["resourceVersion"]
        assert await install(client, [newer]) == frozenset()
        assert (await client.get(DEFINITION_KIND, TF_JOBS.key))["metadata"]["resourceVersion"] == before

    run(tmp_path, scenario)
