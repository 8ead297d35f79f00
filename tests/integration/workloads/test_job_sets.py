"""JobSets on the embedded cluster: the state of the world after what happens to their pods."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sampan.client.protocol import Object
from sampan.kube import conditions, meta, owners
from sampan.kube.errors import ConflictError, InvalidError
from sampan.kube.kinds import JOB_SETS, JOBS, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES
from sampan.lib.clock import rfc3339

PREFIX = "jobset.sigs.k8s.io/"


def replicated(name: str, replicas: int = 1, pods: int = 1, **fields: Any) -> dict[str, Any]:
    pod_spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "a"}]}
    spec = {"parallelism": pods, "completions": pods, "backoffLimit": 0, "template": {"spec": pod_spec}}
    return {"name": name, "replicas": replicas, "template": {"spec": spec}, **fields}


def job_set(*jobs: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"replicatedJobs": list(jobs), **spec}}


async def names(cluster) -> list[str]:
    return sorted(meta.name(job) for job in await cluster.list(JOBS) if not meta.is_deleting(job))


async def until_names(cluster, *wanted: str) -> None:
    async def look() -> bool:
        return await names(cluster) == list(wanted)

    await cluster.until(look)


async def pods_of(cluster, job: str, *, attempt: int = 0, count: int = 1) -> list[Object]:
    async def look() -> list[Object] | None:
        selector = f"job-name={job},{PREFIX}restart-attempt={attempt}"
        found = [pod for pod in await cluster.list(PODS, selector) if not meta.is_deleting(pod)]
        return found if len(found) == count else None

    return await cluster.until(look)


async def finish(cluster, job: str, code: int = 0, attempt: int = 0) -> None:
    for pod in await pods_of(cluster, job, attempt=attempt):
        await cluster.finish(pod, code)


async def make_ready(cluster, job: str) -> None:
    for pod in await pods_of(cluster, job):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(cluster.clock.now())}
        status = {"phase": "Running", "conditions": [ready]}
        await cluster.client.patch(PODS, meta.name(pod), {"status": status}, "team", subresource="status")


async def ended(cluster, kind: str = "Completed") -> Object:
    async def look() -> Object | None:
        found = await cluster.get(JOB_SETS, "train")
        return found if conditions.is_true(found, kind) else None

    return await cluster.until(look)


def test_jobs_and_pods_know_their_place(run):
    async def scenario(cluster):
        coordinator = {"replicatedJob": "master"}
        spec = job_set(replicated("master"), replicated("worker", replicas=2), coordinator=coordinator)
        made = await cluster.create(JOB_SETS, "train", **spec)
        await until_names(cluster, "train-master-0", "train-worker-0", "train-worker-1")
        job = await cluster.get(JOBS, "train-worker-1")
        assert owners.is_controlled_by(job, made)
        expected = {
            "jobset-name": "train",
            "jobset-uid": meta.uid(made),
            "replicatedjob-name": "worker",
            "replicatedjob-replicas": "2",
            "global-replicas": "3",
            "job-index": "1",
            "job-global-index": "2",
            "job-key": hashlib.sha1(b"team/train-worker-1").hexdigest(),
            "restart-attempt": "0",
            "group-name": "default",
            "group-replicas": "3",
            "job-group-index": "2",
            "coordinator": "train-master-0-0.train",
        }
        marks = {f"{PREFIX}{key}": value for key, value in expected.items()}
        assert marks.items() <= meta.labels(job).items()
        assert marks.items() <= meta.annotations(job).items()
        [pod] = await pods_of(cluster, "train-worker-1")
        assert marks.items() <= meta.labels(pod).items()
        assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("train-worker-1-0", "train")
        service = await cluster.get(SERVICES, "train")
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert service["spec"]["selector"] == {f"{PREFIX}jobset-name": "train"}
        assert owners.is_controlled_by(service, made)

    run(scenario)


def test_it_completes_when_all_its_jobs_have(run):
    async def scenario(cluster):
        await cluster.create(JOB_SETS, "train", **job_set(replicated("worker", replicas=2)))
        done = await ended(cluster)
        assert conditions.find(done, "Completed")["reason"] == "AllJobsCompleted"
        assert done["status"]["terminalState"] == "Completed"
        assert done["status"]["restarts"] == 0
        events = await cluster.events("train", "AllJobsCompleted")
        assert events["AllJobsCompleted"] == "jobset completed successfully"

        async def counted() -> bool:
            [counts] = (await cluster.get(JOB_SETS, "train"))["status"]["replicatedJobsStatus"]
            return (counts["name"], counts["succeeded"]) == ("worker", 2)

        await cluster.until(counted)

    run(scenario, lambda _pod: 0)


def test_success_may_be_one_target_and_ends_the_others(run):
    async def scenario(cluster):
        policy = {"operator": "Any", "targetReplicatedJobs": ["master"]}
        spec = job_set(replicated("master"), replicated("worker"), successPolicy=policy)
        await cluster.create(JOB_SETS, "train", **spec)
        await until_names(cluster, "train-master-0", "train-worker-0")
        await finish(cluster, "train-master-0")
        await ended(cluster)
        await until_names(cluster, "train-master-0")

    run(scenario)


def test_without_a_policy_one_failure_fails_it(run):
    async def scenario(cluster):
        await cluster.create(JOB_SETS, "train", **job_set(replicated("worker", replicas=2)))
        await finish(cluster, "train-worker-1", 1)
        failed = await ended(cluster, "Failed")
        condition = conditions.find(failed, "Failed")
        assert condition["reason"] == "FailedJobs"
        assert condition["message"].endswith("(first failed job: train-worker-1)")
        assert failed["status"]["terminalState"] == "Failed"
        await until_names(cluster, "train-worker-1")

    run(scenario)


@pytest.mark.parametrize("strategy", ["Recreate", "BlockingRecreate"])
def test_it_restarts_as_a_whole_up_to_its_limit(run, strategy):
    async def scenario(cluster):
        policy = {"maxRestarts": 1, "restartStrategy": strategy}
        await cluster.create(
            JOB_SETS, "train", **job_set(replicated("worker", replicas=2), failurePolicy=policy)
        )
        await finish(cluster, "train-worker-0", 1)
        await pods_of(cluster, "train-worker-0", attempt=1)
        await pods_of(cluster, "train-worker-1", attempt=1)
        found = await cluster.get(JOB_SETS, "train")
        assert found["status"]["restarts"] == found["status"]["restartsCountTowardsMax"] == 1
        await finish(cluster, "train-worker-1", 1, attempt=1)
        failed = await ended(cluster, "Failed")
        assert conditions.find(failed, "Failed")["reason"] == "ReachedMaxRestarts"

    run(scenario)


def test_rules_say_which_failure_counts(run):
    async def scenario(cluster):
        rules = [
            {"action": "FailJobSet", "onJobFailureReasons": ["DeadlineExceeded"]},
            {"action": "RestartJobSetAndIgnoreMaxRestarts", "targetReplicatedJobs": ["worker"]},
            {"action": "FailJobSet", "targetReplicatedJobs": ["master"]},
        ]
        policy = {"maxRestarts": 0, "rules": rules}
        spec = job_set(replicated("master"), replicated("worker"), failurePolicy=policy)
        await cluster.create(JOB_SETS, "train", **spec)
        await finish(cluster, "train-worker-0", 1)
        await pods_of(cluster, "train-master-0", attempt=1)
        found = await cluster.get(JOB_SETS, "train")
        assert found["status"].get("restartsCountTowardsMax", 0) == 0
        assert conditions.find(found, "RestartingJobSet")["reason"] == "FailurePolicy_failurePolicyRule1"
        await finish(cluster, "train-master-0", 1, attempt=1)
        failed = await ended(cluster, "Failed")
        assert conditions.find(failed, "Failed")["reason"] == "FailJobSetFailurePolicyAction"

    run(scenario)


def test_jobs_wait_for_what_they_depend_on(run):
    async def scenario(cluster):
        spec = job_set(
            replicated("init"),
            replicated("master", dependsOn=[{"name": "init", "status": "Complete"}]),
            replicated("worker", dependsOn=[{"name": "master", "status": "Ready"}]),
        )
        await cluster.create(JOB_SETS, "train", **spec)
        await until_names(cluster, "train-init-0")
        await finish(cluster, "train-init-0")
        await until_names(cluster, "train-init-0", "train-master-0")
        await make_ready(cluster, "train-master-0")
        await until_names(cluster, "train-init-0", "train-master-0", "train-worker-0")

    run(scenario)


def test_jobs_start_in_order(run):
    async def scenario(cluster):
        policy = {"startupPolicyOrder": "InOrder"}
        spec = job_set(replicated("first"), replicated("second"), startupPolicy=policy)
        await cluster.create(JOB_SETS, "train", **spec)
        await until_names(cluster, "train-first-0")
        assert conditions.is_true(await ended(cluster, "StartupPolicyInProgress"), "StartupPolicyInProgress")
        await make_ready(cluster, "train-first-0")
        await until_names(cluster, "train-first-0", "train-second-0")
        await make_ready(cluster, "train-second-0")
        started = await ended(cluster, "StartupPolicyCompleted")
        assert not conditions.is_true(started, "StartupPolicyInProgress")

    run(scenario)


def test_suspended_jobs_have_no_pods_and_take_changes_along_when_resumed(run):
    async def scenario(cluster):
        await cluster.create(JOB_SETS, "train", **job_set(replicated("worker"), suspend=True))
        await ended(cluster, "Suspended")
        await until_names(cluster, "train-worker-0")
        assert await cluster.list(PODS) == []

        async def resumed() -> bool:
            found = await cluster.get(JOB_SETS, "train")
            pod_spec = found["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
            pod_spec["nodeSelector"] = {"kind": "fast"}
            found["spec"]["suspend"] = False
            try:
                await cluster.client.replace(JOB_SETS, found)
            except ConflictError:
                return False  # its status was written meanwhile
            return True

        await cluster.until(resumed)
        [pod] = await pods_of(cluster, "train-worker-0")
        assert pod["spec"]["nodeSelector"] == {"kind": "fast"}
        assert not conditions.is_true(await cluster.get(JOB_SETS, "train"), "Suspended")
        await cluster.client.patch(JOB_SETS, "train", {"spec": {"suspend": True}}, "team")
        await ended(cluster, "Suspended")

        async def gone() -> bool:
            return not [pod for pod in await cluster.list(PODS) if not meta.is_deleting(pod)]

        await cluster.until(gone)

    run(scenario)


def test_a_finished_set_goes_when_its_time_is_over(run):
    async def scenario(cluster):
        await cluster.create(JOB_SETS, "train", **job_set(replicated("worker"), ttlSecondsAfterFinished=0))
        await cluster.gone(JOB_SETS, "train")
        await until_names(cluster)

    run(scenario, lambda _pod: 0)


def test_another_manager_is_left_alone_and_what_cannot_be_is_refused(run):
    async def scenario(cluster):
        managed = job_set(replicated("worker"), managedBy="kueue.x-k8s.io/multikueue")
        await cluster.create(JOB_SETS, "managed", **managed)
        for spec, field, words in (
            (
                job_set(replicated("a", dependsOn=[{"name": "b", "status": "Ready"}])),
                "spec.replicatedJobs[0].dependsOn",
                "DependsOn can't be set for the first ReplicatedJob",
            ),
            (
                job_set(replicated("a"), successPolicy={"operator": "All", "targetReplicatedJobs": ["b"]}),
                "spec.successPolicy.targetReplicatedJobs",
                "invalid replicatedJob name 'b' does not appear in .spec.ReplicatedJobs",
            ),
            (
                job_set(replicated("a"), coordinator={"replicatedJob": "a", "podIndex": 1}),
                "spec.coordinator.podIndex",
                "coordinator pod index 1 is invalid for replicatedJob a job index 0",
            ),
            (job_set(replicated("a" * 60)), "spec.replicatedJobs[0].name", "will exceed 63 characters"),
        ):
            with pytest.raises(InvalidError) as refused:
                await cluster.create(JOB_SETS, "wrong", **spec)
            [cause] = [cause for cause in refused.value.causes if cause.field == field][:1]
            assert words in cause.message
        await cluster.create(JOB_SETS, "right", **job_set(replicated("worker")))
        with pytest.raises(InvalidError, match="Value is immutable"):
            await cluster.client.patch(
                JOB_SETS, "right", {"spec": {"successPolicy": {"operator": "Any"}}}, "team"
            )
        await until_names(cluster, "right-worker-0")

    run(scenario)


CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def claiming(*names: str, kept: str = "Delete", **metadata: Any) -> dict[str, Any]:
    """A set of one Job whose pods mount the claim `cache`, and policies for claims of these names."""
    job = replicated("worker")
    pod = job["template"]["spec"]["template"]["spec"]
    pod["containers"][0]["volumeMounts"] = [
        {"name": name, "mountPath": f"/{name}"} for name in {*names, "cache"}
    ]
    templates = [{"metadata": {"name": name, **metadata}, "spec": CLAIM} for name in names]
    return job_set(
        job, volumeClaimPolicies=[{"retentionPolicy": {"whenDeleted": kept}, "templates": templates}]
    )


async def refused(cluster, spec: dict[str, Any]) -> dict[str, str]:
    """What is said of each field of a set `train` that is not taken."""
    with pytest.raises(InvalidError) as error:
        await cluster.create(JOB_SETS, "train", **spec)
    return {cause.field: cause.message for cause in error.value.causes}


def test_claims_that_cannot_be_are_refused(run):
    async def scenario(cluster):
        path = "spec.volumeClaimPolicies[0]"
        said = await refused(cluster, claiming("cache", namespace="other"))
        assert "namespace cannot be set for VolumeClaimPolicies templates" in said[path]
        said = await refused(cluster, claiming(*(f"cache{at}" for at in range(51))))
        assert said[f"{path}.templates"] == "Too many: 51: must have at most 50 items"
        said = await refused(cluster, claiming("c" * 58))
        assert "VolumeClaimPolicies template name is too long" in said[f"{path}.template[0].name"]
        said = await refused(cluster, claiming("cache", kept="Forget"))
        assert said[f"{path}.retentionPolicy.whenDeleted"].startswith("Unsupported value")
        spec = claiming("cache")
        pod = spec["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
        pod["volumes"] = [{"name": "cache", "emptyDir": {}}]
        said = await refused(cluster, spec)
        where = "spec.replicatedJobs[0].template.spec.template.spec.volumes[0].name"
        assert "volume name conflicts with VolumeClaimPolicy template name: cache" in said[where]
        await cluster.create(JOB_SETS, "train", **claiming("c" * 57))

    run(scenario)


def test_a_claim_of_another_is_taken_only_by_who_keeps_it(run):
    async def scenario(cluster):
        theirs = {**CLAIM, "volumeMode": "Filesystem"}
        await cluster.create(PERSISTENT_VOLUME_CLAIMS, "cache-train", spec=theirs)
        said = await refused(cluster, claiming("cache"))
        where = "spec.volumeClaimPolicies[0].retentionPolicy.whenDeleted"
        assert said == {where: 'Invalid value: "Delete": retentionPolicy must be retain when PVC exists'}
        other = claiming("cache", kept="Retain")
        wanted = other["spec"]["volumeClaimPolicies"][0]["templates"][0]
        wanted["spec"] = {**CLAIM, "accessModes": ["ReadWriteMany"]}
        said = await refused(cluster, other)
        assert (
            "does not match existing PVC cache-train" in said["spec.volumeClaimPolicies[0].template[0].spec"]
        )
        await cluster.create(JOB_SETS, "train", **claiming("cache", kept="Retain"))
        await until_names(cluster, "train-worker-0")

    run(scenario)


def test_what_may_change_of_a_set_that_runs(run):
    async def scenario(cluster):
        spec = {"coordinator": {"replicatedJob": "worker"}, "failurePolicy": {"maxRestarts": 1}}
        await cluster.create(JOB_SETS, "train", **job_set(replicated("worker", replicas=2), **spec))
        for change in (
            {"coordinator": {"jobIndex": 1}},
            {"failurePolicy": None},
            {"ttlSecondsAfterFinished": 9},
        ):
            await cluster.client.patch(JOB_SETS, "train", {"spec": change}, "team")
        with pytest.raises(InvalidError, match="coordinator job index 2 is invalid"):
            await cluster.client.patch(JOB_SETS, "train", {"spec": {"coordinator": {"jobIndex": 2}}}, "team")
        jobs = [replicated("worker", replicas=3)]
        with pytest.raises(InvalidError, match="field is immutable"):
            await cluster.client.patch(JOB_SETS, "train", {"spec": {"replicatedJobs": jobs}}, "team")

    run(scenario)
