"""Jobs on the embedded cluster: the state of the world after what happens to their pods."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sampan.client.protocol import DeleteOptions, Object, Propagation
from sampan.kube import conditions, meta
from sampan.kube.kinds import JOBS, PODS
from sampan.lib.clock import rfc3339

FINALIZER = "batch.kubernetes.io/job-tracking"
TEMPLATE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}


def job(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": TEMPLATE, **spec}}


async def ended(cluster, name: str = "work") -> Object:
    async def look() -> Object | None:
        found = await cluster.get(JOBS, name)
        final = found and (conditions.is_true(found, "Complete") or conditions.is_true(found, "Failed"))
        return found if final else None

    return await cluster.until(look)


async def with_pods(cluster, count: int) -> list[Object]:
    async def look() -> list[Object] | None:
        found = [pod for pod in await cluster.list(PODS) if not meta.is_deleting(pod)]
        return found if len(found) == count else None

    return await cluster.until(look) if count else []


def test_one_pod_that_succeeds_completes_the_job(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job())
        done = await ended(cluster)
        assert done["status"]["succeeded"] == 1
        assert "active" not in done["status"]
        assert "failed" not in done["status"]
        assert done["status"]["uncountedTerminatedPods"] == {}
        assert done["status"]["completionTime"] >= done["status"]["startTime"]
        assert conditions.find(done, "Complete")["reason"] == "CompletionsReached"
        [pod] = await cluster.list(PODS, "job-name=work,batch.kubernetes.io/job-name=work")
        assert FINALIZER not in meta.finalizers(pod)
        assert meta.name(pod).startswith("work-")
        assert pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == meta.uid(done)
        events = await cluster.events("work", "SuccessfulCreate", "Completed")
        assert events["SuccessfulCreate"] == f"Created pod: {meta.name(pod)}"
        assert events["Completed"] == "Job completed"

    run(scenario, lambda _pod: 0)


def test_parallelism_bounds_how_many_run_at_once(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=2, completions=5))
        for _ in range(4):
            found = await with_pods_active(cluster, 2)
            await cluster.finish(found[0])
        found = await with_pods_active(cluster, 1)
        await cluster.finish(found[0])
        done = await ended(cluster)
        assert done["status"]["succeeded"] == 5
        assert len(await cluster.list(PODS)) == 5

    run(scenario)


async def with_pods_active(cluster, count: int) -> list[Object]:
    async def look() -> list[Object] | None:
        found = [
            pod
            for pod in await cluster.list(PODS)
            if "phase" not in meta.status(pod) or meta.status(pod)["phase"] == "Pending"
        ]
        return found if len(found) == count else None

    return await cluster.until(look)


def test_indexed_pods_know_their_index(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=3, completions=3, completionMode="Indexed"))
        found = await with_pods(cluster, 3)
        by_index = {meta.labels(pod)["batch.kubernetes.io/job-completion-index"]: pod for pod in found}
        assert sorted(by_index) == ["0", "1", "2"]
        pod = by_index["1"]
        assert pod["spec"]["hostname"] == "work-1"
        assert meta.name(pod).startswith("work-1-")
        assert meta.annotations(pod)["batch.kubernetes.io/job-completion-index"] == "1"
        [variable] = pod["spec"]["containers"][0]["env"]
        assert variable["name"] == "JOB_COMPLETION_INDEX"
        await cluster.finish(by_index["0"])
        await cluster.finish(by_index["2"])

        async def two_done() -> Any:
            return (await cluster.get(JOBS, "work"))["status"].get("completedIndexes") == "0,2"

        await cluster.until(two_done)
        await cluster.finish(by_index["1"])
        done = await ended(cluster)
        assert done["status"]["completedIndexes"] == "0-2"
        assert done["status"]["succeeded"] == 3

    run(scenario)


def test_a_job_fails_when_its_retries_are_used_up(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(backoffLimit=2))
        done = await ended(cluster)
        assert done["status"]["failed"] == 3
        failed = conditions.find(done, "Failed")
        assert failed["reason"] == "BackoffLimitExceeded"
        assert failed["message"] == "Job has reached the specified backoff limit"
        assert conditions.is_true(done, "FailureTarget")
        assert "completionTime" not in done["status"]
        assert len(await cluster.list(PODS)) == 3
        await cluster.events("work", "BackoffLimitExceeded")

    run(scenario, lambda _pod: 1)


def test_a_failed_pod_is_replaced_after_the_backoff_only(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job())
        [pod] = await with_pods(cluster, 1)
        await cluster.finish(pod, 1)

        async def counted() -> Any:
            return (await cluster.get(JOBS, "work"))["status"].get("failed") == 1

        await cluster.until(counted)
        assert len(await cluster.list(PODS)) == 1
        await with_pods(cluster, 2)

    run(scenario, backoff=timedelta(seconds=1.5))


def test_the_deadline_ends_running_pods(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(activeDeadlineSeconds=1, parallelism=2, completions=2))
        await with_pods(cluster, 2)
        done = await ended(cluster)
        assert conditions.find(done, "Failed")["reason"] == "DeadlineExceeded"
        assert done["status"]["failed"] == 2
        assert "active" not in done["status"]

    run(scenario)


def test_suspending_takes_pods_away_and_resuming_brings_them_back(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=2, completions=2))
        await with_pods(cluster, 2)
        await cluster.client.patch(JOBS, "work", {"spec": {"suspend": True}}, "team")

        async def suspended() -> Any:
            found = await cluster.get(JOBS, "work")
            return conditions.is_true(found, "Suspended") and not await cluster.list(PODS)

        await cluster.until(suspended)
        stored = await cluster.get(JOBS, "work")
        assert "startTime" not in stored["status"]
        assert "failed" not in stored["status"], "pods that were taken away have not failed"
        await cluster.client.patch(JOBS, "work", {"spec": {"suspend": False}}, "team")
        await with_pods(cluster, 2)
        events = await cluster.events("work", "Suspended", "Resumed")
        assert events["Suspended"] == "Job suspended"
        assert events["Resumed"] == "Job resumed"

    run(scenario)


def test_less_parallelism_dismisses_pods_without_counting_them(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=4, completions=4))
        await with_pods(cluster, 4)
        await cluster.client.patch(JOBS, "work", {"spec": {"parallelism": 1}}, "team")
        [pod] = await with_pods(cluster, 1)

        async def settled() -> Any:
            return (await cluster.get(JOBS, "work"))["status"].get("active") == 1

        await cluster.until(settled)
        assert "failed" not in (await cluster.get(JOBS, "work"))["status"]
        assert not meta.is_deleting(pod)

    run(scenario)


def test_failure_policy_can_end_the_job_or_ignore_the_failure(run):
    policy = {
        "rules": [
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
            {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [7]}},
        ]
    }
    codes = iter([7, 7, 42])

    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(backoffLimit=1, podFailurePolicy=policy))
        done = await ended(cluster)
        failed = conditions.find(done, "Failed")
        assert failed["reason"] == "PodFailurePolicy"
        assert "failed with exit code 42 matching FailJob rule at index 0" in failed["message"]
        assert done["status"]["failed"] == 1

    run(scenario, lambda _pod: next(codes))


def test_an_index_has_retries_of_its_own(run):
    def kubelet(pod: Object) -> int:
        return 1 if meta.labels(pod)["batch.kubernetes.io/job-completion-index"] == "1" else 0

    async def scenario(cluster):
        spec = job(parallelism=3, completions=3, completionMode="Indexed", backoffLimitPerIndex=1)
        await cluster.create(JOBS, "work", **spec)
        done = await ended(cluster)
        assert conditions.find(done, "Failed")["reason"] == "FailedIndexes"
        assert done["status"]["failedIndexes"] == "1"
        assert done["status"]["completedIndexes"] == "0,2"
        assert done["status"]["failed"] == 2

    run(scenario, kubelet)


def test_success_policy_ends_the_job_before_all_are_done(run):
    def kubelet(pod: Object) -> int | None:
        return 0 if meta.labels(pod)["batch.kubernetes.io/job-completion-index"] == "0" else None

    async def scenario(cluster):
        policy = {"rules": [{"succeededIndexes": "0"}]}
        spec = job(parallelism=2, completions=2, completionMode="Indexed", successPolicy=policy)
        await cluster.create(JOBS, "work", **spec)
        done = await ended(cluster)
        assert conditions.find(done, "Complete")["reason"] == "SuccessPolicy"
        assert done["status"]["succeeded"] == 1

    run(scenario, kubelet)


def test_a_finished_job_goes_after_its_time_to_live(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(ttlSecondsAfterFinished=1))
        await ended(cluster)
        await cluster.gone(JOBS, "work")
        assert await cluster.list(PODS) == []

    run(scenario, lambda _pod: 0)


@pytest.mark.parametrize("propagation", [Propagation.BACKGROUND, Propagation.FOREGROUND])
def test_deleting_a_job_deletes_its_pods(run, propagation):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=3, completions=3))
        await with_pods(cluster, 3)
        await cluster.client.delete(JOBS, "work", "team", DeleteOptions(propagation=propagation))
        await cluster.gone(JOBS, "work")

        async def no_pods() -> bool:
            return not await cluster.list(PODS)

        await cluster.until(no_pods)

    run(scenario)


def test_orphaned_pods_stay_without_finalizer(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job())
        await with_pods(cluster, 1)
        options = DeleteOptions(propagation=Propagation.ORPHAN)
        await cluster.client.delete(JOBS, "work", "team", options)
        await cluster.gone(JOBS, "work")

        async def free() -> bool:
            [pod] = await cluster.list(PODS)
            return not meta.finalizers(pod) and "ownerReferences" not in pod["metadata"]

        await cluster.until(free)

    run(scenario)


def test_a_pod_that_is_deleted_by_hand_counts_as_failed_and_is_replaced(run):
    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job())
        [pod] = await with_pods(cluster, 1)
        await cluster.client.delete(PODS, meta.name(pod), "team")

        async def replaced() -> Any:
            found = await cluster.list(PODS)
            return [each for each in found if meta.name(each) != meta.name(pod)]

        [other] = await cluster.until(replaced)
        await cluster.finish(other)
        done = await ended(cluster)
        assert (done["status"]["succeeded"], done["status"]["failed"]) == (1, 1)

    run(scenario)


def test_three_hundred_pods_are_each_counted_once(run):
    def kubelet(pod: Object) -> int:
        return 0

    async def scenario(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=100, completions=300))
        done = await ended(cluster)
        assert done["status"]["succeeded"] == 300
        found = await cluster.list(PODS)
        assert len(found) == 300
        assert not any(meta.finalizers(pod) for pod in found)

    run(scenario, kubelet)


def test_jobs_survive_a_restart_at_any_point(run, tmp_path):
    """The controllers stop after each of the first steps; those that follow finish the count exactly."""

    async def begin(cluster):
        await cluster.create(JOBS, "work", **job(parallelism=2, completions=4, backoffLimit=10))
        await with_pods(cluster, 2)

    async def one_more(cluster):
        [first, *_] = await with_pods_active(cluster, 2)
        await cluster.finish(first, 1)

    async def finish(cluster):
        done = await ended(cluster)
        assert done["status"]["succeeded"] == 4
        assert done["status"]["failed"] == 2

    run(begin)
    run(one_more)
    run(one_more)
    run(finish, lambda _pod: 0)


def test_a_selector_of_its_own_adopts_the_pods_of_a_job_that_was_let_go(run):
    async def scenario(cluster):
        old = await cluster.create(JOBS, "old", **job(parallelism=2, completions=2))
        found = await with_pods(cluster, 2)
        await cluster.client.delete(JOBS, "old", "team", DeleteOptions(propagation=Propagation.ORPHAN))
        await cluster.gone(JOBS, "old")
        labels = {"batch.kubernetes.io/controller-uid": meta.uid(old)}
        template = {**TEMPLATE, "metadata": {"labels": labels}}
        spec = {"manualSelector": True, "selector": {"matchLabels": labels}, "template": template}
        await cluster.create(JOBS, "new", spec={**spec, "parallelism": 2, "completions": 2})

        async def adopted() -> bool:
            pods = await cluster.list(PODS)
            return all(FINALIZER in meta.finalizers(pod) for pod in pods) and {
                each["name"] for pod in pods for each in pod["metadata"].get("ownerReferences", ())
            } == {"new"}

        await cluster.until(adopted)
        for pod in found:
            await cluster.finish(pod)
        done = await ended(cluster, "new")
        assert done["status"]["succeeded"] == 2
        assert {meta.uid(pod) for pod in await cluster.list(PODS)} == set(map(meta.uid, found))

    run(scenario)


def test_the_index_is_in_the_name_of_a_pod_however_long(run):
    async def scenario(cluster):
        name = "a" * 61
        await cluster.create(JOBS, name, **job(completions=2, parallelism=2, completionMode="Indexed"))
        found = await with_pods(cluster, 2)
        assert {meta.name(pod)[:58] for pod in found} == {"a" * 55 + "-0-", "a" * 55 + "-1-"}

    run(scenario)


def test_a_finished_job_of_another_manager_goes_when_its_time_is_over(run):
    async def scenario(cluster):
        managed = job(managedBy="example.com/other", ttlSecondsAfterFinished=0)
        await cluster.create(JOBS, "work", **managed)
        now = rfc3339(cluster.clock.now())
        done = {"type": "Complete", "status": "True", "lastTransitionTime": now}
        status = {"conditions": [done], "startTime": now, "completionTime": now}
        await cluster.client.patch(JOBS, "work", {"status": status}, "team", subresource="status")
        await cluster.gone(JOBS, "work")

    run(scenario)


def test_a_failure_counts_for_its_index_though_the_pod_is_deleted(run):
    async def scenario(cluster):
        spec = {"completionMode": "Indexed", "completions": 1, "backoffLimitPerIndex": 1}
        await cluster.create(JOBS, "work", **job(**spec))
        [pod] = await with_pods(cluster, 1)
        await cluster.finish(pod, 1)
        # Kept by its finalizer until the next one carries the count.
        await cluster.client.delete(PODS, meta.name(pod), "team")

        async def replaced() -> Object | None:
            found = [each for each in await cluster.list(PODS) if meta.uid(each) != meta.uid(pod)]
            return found[0] if found else None

        second = await cluster.until(replaced)
        assert meta.annotations(second)["batch.kubernetes.io/job-index-failure-count"] == "1"
        await cluster.finish(second, 1)
        done = await ended(cluster)
        assert (done["status"]["failed"], done["status"]["failedIndexes"]) == (2, "0")

    run(scenario, backoff=timedelta(seconds=0.5))
