"""Which tick of a CronJob is due, and what its status says: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sampan.cluster.workloads.cronjob.controller import desired
from sampan.cluster.workloads.cronjob.status import observe, surplus
from sampan.cluster.workloads.cronjob.ticks import due, is_too_late, job_name, timetable

CREATED = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


def cron_job(schedule: str = "0 * * * *", *, last: str = "", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "tick", "namespace": "team", "uid": "u", "creationTimestamp": "2026-01-01T00:00:30Z"}
    whole = {"schedule": schedule, "jobTemplate": {"spec": {"template": {}}}, **spec}
    status = {"lastScheduleTime": last} if last else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": whole,
        "status": status,
    }


def at(hours: float) -> datetime:
    return CREATED.replace(second=0) + timedelta(hours=hours)


def latest(obj: dict[str, Any], now: datetime) -> tuple[datetime | None, int]:
    found = due(obj, timetable(obj), now)
    return found.at, found.missed


def test_nothing_is_due_before_the_first_tick():
    assert latest(cron_job(), at(0.9)) == (None, 0)


def test_of_missed_ticks_only_the_latest_is_due():
    assert latest(cron_job(), at(1.5)) == (at(1), 1)
    assert latest(cron_job(), at(5.5)) == (at(5), 5)
    assert latest(cron_job(last="2026-01-01T05:00:00Z"), at(5.5)) == (None, 0)
    assert latest(cron_job(last="2026-01-01T05:00:00Z"), at(300.2)) == (at(300), 295)


def test_ticks_at_uneven_distances_are_not_lost():
    busy = cron_job("0,1,2 0 * * *")
    assert latest(busy, at(24.5))[0] == at(24) + timedelta(minutes=2)
    assert latest(cron_job("0 0 1 * *"), datetime(2027, 7, 15, tzinfo=UTC))[0] == datetime(
        2027, 7, 1, tzinfo=UTC
    )


def test_a_deadline_forgives_what_is_older():
    obj = cron_job(startingDeadlineSeconds=600)
    assert latest(obj, at(5.1)) == (at(5), 1)
    assert latest(obj, at(5.5)) == (None, 0)
    assert is_too_late(obj, at(5), at(5.5))
    assert not is_too_late(cron_job(), at(5), at(50))


def test_the_same_tick_has_the_same_name_in_any_zone():
    obj = cron_job(timeZone="Europe/Berlin")
    job = desired(obj, at(5), timetable(obj))
    assert job["metadata"]["name"] == job_name(obj, at(5)) == f"tick-{int(at(5).timestamp()) // 60}"
    scheduled = job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert scheduled == "2026-01-01T06:00:00+01:00"


def job(name: str, ended: str = "", when: str = "2026-01-01T01:00:00Z") -> dict[str, Any]:
    status: dict[str, Any] = {"startTime": when}
    if ended:
        status |= {"conditions": [{"type": ended, "status": "True"}], "completionTime": when}
    return {"metadata": {"name": name, "namespace": "team", "uid": name}, "status": status}


def test_the_status_follows_the_jobs():
    obj = cron_job()
    obj["status"]["active"] = [{"name": name, "uid": name} for name in ("a", "b", "gone")]
    found = observe(obj, [job("a"), job("b", "Complete"), job("c", "Failed"), job("d")])
    assert [each["name"] for each in found.status["active"]] == ["a"]
    assert found.status["lastSuccessfulTime"] == "2026-01-01T01:00:00Z"
    assert {reason for _, reason, _ in found.news} == {"SawCompletedJob", "UnexpectedJob", "MissingJob"}


def test_the_oldest_finished_jobs_are_too_many():
    obj = cron_job(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
    jobs = [
        job("new", "Complete", "2026-01-01T03:00:00Z"),
        job("old", "Complete", "2026-01-01T02:00:00Z"),
        job("bad", "Failed"),
        job("on"),
    ]
    assert [each["metadata"]["name"] for each in surplus(obj, jobs)] == ["old", "bad"]
