"""CronJobs on the embedded cluster. A status in the past stands for time that has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sampan.client.protocol import Object
from sampan.cluster.workloads.cronjob.controller import CronJobReconciler
from sampan.kube import conditions, meta, owners
from sampan.kube.errors import InvalidError
from sampan.kube.kinds import CRON_JOBS, JOBS
from sampan.lib.clock import rfc3339
from sampan.reconcile.cache import Caches
from sampan.reconcile.reconciler import Request

POD_SPEC = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "a"}]}


def cron_job(schedule: str = "0 * * * *", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "tick"}}, "spec": {"template": {"spec": POD_SPEC}}}
    return {"spec": {"schedule": schedule, "jobTemplate": template, **spec}}


async def long_ago(cluster, hours: int = 3) -> str:
    """As if the last start had been so long ago; the name of the Job that is due because of that."""
    now = datetime.now(UTC)
    last = rfc3339(now.replace(minute=0, second=0) - timedelta(hours=hours))
    await cluster.client.patch(
        CRON_JOBS, "tick", {"status": {"lastScheduleTime": last}}, "team", subresource="status"
    )
    return f"tick-{int(now.replace(minute=0, second=0).timestamp()) // 60}"


async def jobs(cluster) -> list[str]:
    return sorted(meta.name(job) for job in await cluster.list(JOBS) if not meta.is_deleting(job))


async def until_jobs(cluster, *wanted: str) -> None:
    async def look() -> bool:
        return await jobs(cluster) == sorted(wanted)

    await cluster.until(look)


async def status_with(cluster, key: str) -> Object:
    async def look() -> Object | None:
        status = meta.status(await cluster.get(CRON_JOBS, "tick"))
        return status if key in status else None

    return await cluster.until(look)


def test_a_missed_tick_makes_one_job(run):
    async def scenario(cluster):
        made = await cluster.create(CRON_JOBS, "tick", **cron_job())
        name = await long_ago(cluster)
        await until_jobs(cluster, name)
        job = await cluster.get(JOBS, name)
        assert owners.is_controlled_by(job, made)
        assert meta.labels(job)["app"] == "tick"
        status = await status_with(cluster, "lastSuccessfulTime")
        assert "active" not in status
        # As after a crash between making the Job and writing it down.
        await long_ago(cluster)
        await status_with(cluster, "lastScheduleTime")
        await until_jobs(cluster, name)
        events = await cluster.events("tick", "SuccessfulCreate")
        assert events["SuccessfulCreate"] == f"Created job {name}"

    run(scenario, lambda _pod: 0)


@pytest.mark.parametrize(
    ("policy", "there"), [("Forbid", ["other"]), ("Replace", ["new"]), ("Allow", ["new", "other"])]
)
def test_what_runs_still_is_waited_for_replaced_or_joined(run, policy, there):
    async def scenario(cluster):
        made = await cluster.create(CRON_JOBS, "tick", **cron_job(concurrencyPolicy=policy, suspend=True))
        reference = owners.owner_reference(made)
        other = {"metadata": {"ownerReferences": [reference]}, "spec": {"template": {"spec": POD_SPEC}}}
        job = await cluster.create(JOBS, "other", **other)
        active = [
            {
                "kind": "Job",
                "apiVersion": "batch/v1",
                "name": "other",
                "namespace": "team",
                "uid": meta.uid(job),
            }
        ]
        await cluster.client.patch(
            CRON_JOBS, "tick", {"status": {"active": active}}, "team", subresource="status"
        )
        due = await long_ago(cluster)
        await cluster.client.patch(CRON_JOBS, "tick", {"spec": {"suspend": False}}, "team")
        await until_jobs(cluster, *(due if name == "new" else name for name in there))
        if policy == "Forbid":
            await cluster.events("tick", "JobAlreadyActive")

    run(scenario)


def test_a_job_that_the_watch_has_not_told_of_yet_is_not_missing(run):
    async def scenario(cluster):
        made = await cluster.create(CRON_JOBS, "tick", **cron_job(suspend=True))
        metadata = {"ownerReferences": [owners.owner_reference(made)]}
        job = await cluster.create(JOBS, "other", metadata=metadata, spec={"template": {"spec": POD_SPEC}})
        active = [{"kind": "Job", "apiVersion": "batch/v1", "name": "other", "uid": meta.uid(job)}]
        status = {"status": {"active": active}}
        await cluster.client.patch(CRON_JOBS, "tick", status, "team", subresource="status")
        caches = Caches(cluster.client)
        cron_jobs = caches.of(CRON_JOBS)
        cron_jobs.start()
        await cron_jobs.synced()
        # Its cache of Jobs is not fed.
        await CronJobReconciler(cluster.client, cluster.clock, caches).reconcile(Request("team", "tick"))
        await cron_jobs.stop()
        listed = meta.status(await cluster.get(CRON_JOBS, "tick"))["active"]
        assert [each["name"] for each in listed] == ["other"]

    run(scenario)


def test_finished_jobs_go_beyond_their_limit(run):
    async def scenario(cluster):
        made = await cluster.create(CRON_JOBS, "tick", **cron_job(successfulJobsHistoryLimit=1))
        for name in ("one", "two"):
            metadata = {"ownerReferences": [owners.owner_reference(made)]}
            await cluster.create(JOBS, name, metadata=metadata, spec={"template": {"spec": POD_SPEC}})

        async def one_left() -> bool:
            found = await cluster.list(JOBS)
            return len(found) == 1 and conditions.is_true(found[0], "Complete")

        await cluster.until(one_left)

    run(scenario, lambda _pod: 0)


def test_what_cannot_be_scheduled_is_refused(run):
    async def scenario(cluster):
        for spec, words in (
            (cron_job("* * * *"), "expected exactly 5 fields, found 4"),
            (
                cron_job("TZ=UTC * * * * *"),
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
            ),
            (cron_job(timeZone="Nowhere/Land"), "unknown time zone Nowhere/Land"),
            (cron_job(concurrencyPolicy="Never"), 'supported values: "Allow", "Forbid", "Replace"'),
        ):
            with pytest.raises(InvalidError, match=words):
                await cluster.create(CRON_JOBS, "tick", **spec)

    run(scenario)
