"""TrainJobs on the embedded cluster: the state of the world after what happens to them and to their pods."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sampan.client.protocol import Client, DeleteOptions, Propagation
from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS, TRAINING_RUNTIMES
from sampan.kube import meta, owners
from sampan.kube.errors import NotFoundError, ServiceUnavailableError
from sampan.kube.kinds import CONFIG_MAPS, EVENTS, JOB_SETS, JOBS, POD_GROUPS
from sampan.testing.quiet import until_quiet


class WithoutJobSets:
    """The API of a cluster on which nobody has installed them."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)
        if name == "watch":
            return called

        async def asked(resource: Any, *args: Any, **more: Any) -> Any:
            if resource is JOB_SETS:
                raise NotFoundError("the server could not find the requested resource")
            return await called(resource, *args, **more)

        return asked


class Failing:
    """One of the trainer's writes, the `at`-th, is made, and nobody hears of it: as when the server is killed then."""

    def __init__(self, client: Client, at: int) -> None:
        self._client = client
        self._left = at

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)
        if name not in ("create", "patch", "delete"):
            return called

        async def asked(resource: Any, *args: Any, **more: Any) -> Any:
            answer = await called(resource, *args, **more)
            self._left -= resource is not EVENTS
            if self._left == 0:
                self._left = -1
                raise ServiceUnavailableError("killed")
            return answer

        return asked


_OFTEN = (2, 4)


@pytest.mark.parametrize(
    "at", [at if at in _OFTEN else pytest.param(at, marks=pytest.mark.slow) for at in range(1, 7)]
)
def test_it_comes_to_the_same_whichever_write_goes_wrong(run, at: int) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime(podGroupPolicy={"coscheduling": {}})
        await cluster.job()
        pods = await cluster.until_pods(2)
        for pod in pods:
            await cluster.finish(pod)
        await cluster.until_condition("Complete")

        async def settled() -> bool:
            listed = meta.status(await cluster.get(TRAIN_JOBS, "j"))["conditions"]
            return [each["type"] for each in listed] == ["Complete"]

        await cluster.until(settled)
        assert len(await cluster.pods()) == 2
        for resource, name in ((POD_GROUPS, "j"), (CONFIG_MAPS, "j-runtime-snapshot")):
            assert await cluster.get(resource, name)

    run(scenario, lambda client: Failing(client, at))


def test_a_job_becomes_a_job_set_that_it_owns_and_ends_with_it(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        job = await cluster.job()
        pods = await cluster.until_pods(2)
        job_set = await cluster.get(JOB_SETS, "j")
        assert owners.is_controlled_by(job_set, job)
        env = {each["name"]: each.get("value") for each in pods[0]["spec"]["containers"][0]["env"]}
        assert env["PET_NNODES"] == "2"
        for pod in pods:
            await cluster.run_pod(pod)

        async def active() -> Any:
            status = meta.status(await cluster.get(TRAIN_JOBS, "j"))
            listed = status.get("jobsStatus") or ()
            return status if listed and listed[0]["ready"] == 1 else None

        status = await cluster.until(active)
        assert "conditions" not in status
        for pod in pods:
            await cluster.finish(pod)
        complete = await cluster.until_condition("Complete")
        assert complete["reason"] == "AllJobsCompleted"
        await cluster.told("TrainJobComplete")
        counts = meta.status(await cluster.get(TRAIN_JOBS, "j"))["jobsStatus"]
        assert counts == [
            {"name": "node", "ready": 0, "succeeded": 1, "failed": 0, "active": 0, "suspended": 0}
        ]

    run(scenario)


def test_a_failed_pod_fails_the_job(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        await cluster.finish((await cluster.until_pods(2))[0], 1)
        failed = await cluster.until_condition("Failed")
        assert failed["reason"] == "FailedJobs"

    run(scenario)


def test_who_edits_or_deletes_a_runtime_changes_no_job_that_has_found_it(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job(suspend=True)
        await cluster.until_condition("Suspended")
        kept = await cluster.until_there(CONFIG_MAPS, "j-runtime-snapshot")
        assert meta.name(yaml.safe_load(kept["data"]["runtime"])) == "r"
        await cluster.client.delete(CLUSTER_TRAINING_RUNTIMES, "r")
        await cluster.change(TRAIN_JOBS, "j", {"suspend": False})
        await cluster.until_pods(2)
        resumed = await cluster.until_condition("Suspended", "False")
        assert resumed["reason"] == "Resumed"

    run(scenario)


def test_a_job_that_runs_gets_its_copy_of_the_runtime_again(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        before = {meta.uid(pod) for pod in await cluster.until_pods(2)}
        await cluster.client.delete(CONFIG_MAPS, "j-runtime-snapshot", "team")
        await cluster.client.patch(TRAIN_JOBS, "j", {"metadata": {"annotations": {"look": "again"}}}, "team")
        await cluster.until_there(CONFIG_MAPS, "j-runtime-snapshot")
        assert {meta.uid(pod) for pod in await cluster.pods()} == before

    run(scenario)


def test_suspending_takes_the_pods_away_and_patches_count_when_it_goes_on(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        await cluster.until_pods(2)
        await cluster.change(TRAIN_JOBS, "j", {"suspend": True})
        await cluster.until_pods(0)
        await cluster.until_condition("Suspended")
        pod = {"spec": {"nodeSelector": {"disk": "fast"}}}
        jobs = [{"name": "node", "template": {"spec": {"template": pod}}}]
        patch = {"manager": "a.b/c", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": jobs}}}}
        await cluster.change(TRAIN_JOBS, "j", {"runtimePatches": [patch], "suspend": False})
        pods = await cluster.until_pods(2)
        assert [pod["spec"]["nodeSelector"] for pod in pods] == [{"disk": "fast"}] * 2

    run(scenario)


def test_a_job_waits_for_its_runtime_and_says_so(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.job()
        stuck = await cluster.until_condition("Created", "False")
        assert (
            stuck["message"]
            == 'ClusterTrainingRuntime "r" specified in TrainJob is not found: create it first'
        )
        await cluster.told("TrainJobResourcesCreationFailed")
        await cluster.runtime()
        await cluster.until_pods(2)

        async def silent() -> bool:
            return "conditions" not in meta.status(await cluster.get(TRAIN_JOBS, "j"))

        await cluster.until(silent)

    run(scenario)


def test_a_runtime_of_a_kind_that_nobody_knows_fails_the_job(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.job(runtimeRef={"name": "r", "kind": "Other", "apiGroup": "trainer.kubeflow.org"})
        failed = await cluster.until_condition("Failed")
        assert failed["reason"] == "TrainingRuntimeNotSupported"
        assert failed["message"] == "unsupported runtime: Other.trainer.kubeflow.org"

    run(scenario)


def test_what_no_admission_has_refused_fails_with_the_field(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        env = [{"name": "PET_NNODES", "value": "9"}]
        await cluster.job(trainer={"numNodes": 1, "env": env})
        failed = await cluster.until_condition("Failed")
        assert failed["reason"] == "TrainJobInvalid"
        assert "spec.trainer.env" in failed["message"]
        assert await cluster.get(JOB_SETS, "j") is None

    run(scenario)


def test_a_cluster_without_job_sets_is_told_what_to_install(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        stuck = await cluster.until_condition("Created", "False")
        assert stuck["message"].startswith(
            "the cluster does not know JobSet of jobset.x-k8s.io/v1alpha2: install"
        )

    run(scenario, WithoutJobSets)


def test_what_the_api_refuses_is_told_once_and_not_tried_all_the_time(run) -> None:
    async def scenario(cluster) -> None:
        created = await cluster.runtime()
        node = created["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
        node["spec"]["containers"][0]["volumeMounts"] = [{"name": "nowhere", "mountPath": "/x"}]
        await cluster.client.replace(CLUSTER_TRAINING_RUNTIMES, created)
        await cluster.job()
        failed = await cluster.until_condition("Failed")
        assert 'Not found: "nowhere"' in failed["message"]
        await until_quiet(cluster.client)
        before = meta.resource_version(await cluster.get(TRAIN_JOBS, "j"))
        await cluster.client.patch(TRAIN_JOBS, "j", {"metadata": {"annotations": {"look": "again"}}}, "team")
        await until_quiet(cluster.client)
        job = await cluster.get(TRAIN_JOBS, "j")
        assert meta.status(job)["conditions"] == [failed]
        assert before != meta.resource_version(job)
        await until_quiet(cluster.client)
        assert meta.resource_version(await cluster.get(TRAIN_JOBS, "j")) == meta.resource_version(job)

    run(scenario)


def test_a_name_for_which_there_can_be_no_pods_fails_the_job(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        name = "n" * 60
        await cluster.job(name)
        failed = await cluster.until_condition("Failed", name=name)
        assert "JobSet name is too long" in failed["message"]

    run(scenario)


def test_a_deprecated_runtime_is_told_of(run) -> None:
    async def scenario(cluster) -> None:
        created = await cluster.runtime()
        labels = {"trainer.kubeflow.org/support": "deprecated"}
        patch = {"metadata": {"labels": labels}}
        await cluster.client.patch(CLUSTER_TRAINING_RUNTIMES, meta.name(created), patch)
        await cluster.job()
        await cluster.until_pods(2)
        assert "is deprecated" in await cluster.told("RuntimeDeprecated")

    run(scenario)


def test_a_deadline_ends_the_job_and_its_pods(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job(activeDeadlineSeconds=1)
        await cluster.until_there(JOB_SETS, "j")
        failed = await cluster.until_condition("Failed")
        assert failed["reason"] == "DeadlineExceeded"
        await cluster.until_pods(0)
        assert await cluster.get(JOB_SETS, "j") is None

    run(scenario)


def test_with_the_job_goes_all_that_it_made(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime(podGroupPolicy={"coscheduling": {}})
        await cluster.job()
        await cluster.until_pods(2)
        group = await cluster.get(POD_GROUPS, "j")
        assert group["spec"]["minMember"] == 2
        await cluster.client.delete(
            TRAIN_JOBS, "j", "team", DeleteOptions(propagation=Propagation.BACKGROUND)
        )
        await cluster.until_pods(0)
        for resource, name in (
            (JOB_SETS, "j"),
            (JOBS, "j-node-0"),
            (POD_GROUPS, "j"),
            (CONFIG_MAPS, "j-runtime-snapshot"),
            (CONFIG_MAPS, "j-tls-config"),
        ):

            async def absent(resource: Any = resource, name: str = name) -> bool:
                return await cluster.get(resource, name) is None

            await cluster.until(absent)

    run(scenario)


def test_what_another_manages_is_left_to_it(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job(managedBy="kueue.x-k8s.io/multikueue")
        await cluster.job("mine")
        await cluster.until_pods(2, "mine")
        assert await cluster.get(JOB_SETS, "j") is None
        assert "status" not in await cluster.get(TRAIN_JOBS, "j")

    run(scenario)


@pytest.mark.parametrize("is_other", [True, False])
def test_somebody_elses_job_set_is_not_taken(run, is_other: bool) -> None:
    async def scenario(cluster) -> None:
        pod = {"spec": {"containers": [{"name": "c", "image": "a"}]}}
        spec = {"suspend": True, "replicatedJobs": [{"name": "x", "template": {"spec": {"template": pod}}}]}
        name = "j" if is_other else "k"
        await cluster.client.create(JOB_SETS, {"metadata": {"name": name, "namespace": "team"}, "spec": spec})
        await cluster.runtime()
        await cluster.job()
        if is_other:
            failed = await cluster.until_condition("Failed")
            assert 'JobSet "j" exists and belongs to another' in failed["message"]
            assert (await cluster.get(JOB_SETS, "j"))["spec"]["replicatedJobs"][0]["name"] == "x"
        else:
            await cluster.until_pods(2)

    run(scenario)


def test_a_job_set_that_is_removed_under_a_job_comes_back(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime()
        await cluster.job()
        before = {meta.uid(pod) for pod in await cluster.until_pods(2)}
        await cluster.client.delete(JOB_SETS, "j", "team", DeleteOptions(propagation=Propagation.BACKGROUND))

        async def others() -> bool:
            found = {meta.uid(pod) for pod in await cluster.pods()}
            return len(found) == 2 and not found & before

        await cluster.until(others)

    run(scenario)


def test_a_job_whose_job_set_goes_as_it_ends_has_ended_too(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime(job_set={"ttlSecondsAfterFinished": 0})
        await cluster.job()
        for pod in await cluster.until_pods(2):
            await cluster.finish(pod)
        await cluster.until_condition("Complete")

        async def gone() -> bool:
            return await cluster.get(JOB_SETS, "j") is None

        await cluster.until(gone)
        await cluster.change(TRAIN_JOBS, "j", {"suspend": False})
        await until_quiet(cluster.client)
        assert await cluster.get(JOB_SETS, "j") is None
        assert not await cluster.pods()

    run(scenario)


def test_a_runtime_of_the_namespace(run) -> None:
    async def scenario(cluster) -> None:
        made = await cluster.runtime("other")
        metadata = {"name": "r", "namespace": "team"}
        await cluster.client.create(TRAINING_RUNTIMES, {"metadata": metadata, "spec": made["spec"]})
        await cluster.job(runtimeRef={"name": "r", "kind": "TrainingRuntime"})
        await cluster.until_pods(2)
        kept = await cluster.get(CONFIG_MAPS, "j-runtime-snapshot")
        assert yaml.safe_load(kept["data"]["runtime"])["kind"] == "TrainingRuntime"

    run(scenario)


def test_a_failure_policy_starts_all_again_with_the_same_names(run) -> None:
    async def scenario(cluster) -> None:
        await cluster.runtime(job_set={"failurePolicy": {"maxRestarts": 1}})
        await cluster.job()
        first = await cluster.until_pods(2)
        await cluster.finish(first[0], 1)

        async def again() -> Any:
            found = [
                pod for pod in await cluster.pods() if meta.uid(pod) not in {meta.uid(each) for each in first}
            ]
            return found if len(found) == 2 else None

        second = await cluster.until(again)
        assert {pod["spec"]["hostname"] for pod in second} == {"j-node-0-0", "j-node-0-1"}
        assert "conditions" not in meta.status(await cluster.get(TRAIN_JOBS, "j"))
        await cluster.finish(second[0], 1)
        failed = await cluster.until_condition("Failed")
        assert failed["reason"] == "ReachedMaxRestarts"

    run(scenario)


def test_initializers_come_before_the_trainer(run) -> None:
    async def scenario(cluster) -> None:
        labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "dataset-initializer"}
        container: dict[str, Any] = {"name": "dataset-initializer", "image": "i"}
        pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        first = {
            "name": "dataset-initializer",
            "template": {"metadata": {"labels": labels}, "spec": {"template": pod}},
        }
        container["volumeMounts"] = [{"name": "initializer", "mountPath": "/workspace"}]
        claim = {
            "metadata": {"name": "initializer"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        policies = {"volumeClaimPolicies": [{"templates": [claim]}]}
        created = await cluster.runtime("r", first, job_set=policies)
        created["spec"]["template"]["spec"]["replicatedJobs"][1]["dependsOn"] = [
            {"name": "dataset-initializer", "status": "Complete"}
        ]
        await cluster.client.replace(CLUSTER_TRAINING_RUNTIMES, created)
        await cluster.job()
        (dataset,) = await cluster.until_pods(1)
        assert meta.labels(dataset)["jobset.sigs.k8s.io/replicatedjob-name"] == "dataset-initializer"
        await cluster.finish(dataset)
        await cluster.until_pods(3)

    run(scenario)
