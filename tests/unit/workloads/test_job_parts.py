"""The pure parts of the Job controller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.cluster.workloads.job import indexes
from sampan.cluster.workloads.job.accounting import tally
from sampan.cluster.workloads.job.backoff import Backoff, Failures
from sampan.cluster.workloads.job.plan import NewPod, Situation, plan
from sampan.cluster.workloads.job.pods import desired
from sampan.cluster.workloads.job.spec import FINALIZER, INDEX, read_spec
from sampan.cluster.workloads.job.status import status
from sampan.kube import pods

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_job(stored: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "team", "uid": "job-uid"},
        "spec": {"template": {"spec": {"containers": [{"name": "main"}]}}, **spec},
        "status": stored or {},
    }


def make_pod(uid: str, phase: str = "Running", *, tracked: bool = True, **extra: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": uid, "namespace": "team", "uid": uid}
    if tracked:
        metadata["finalizers"] = [FINALIZER]
    if "index" in extra:
        metadata["annotations"] = {INDEX: str(extra["index"])}
    if extra.get("deleting"):
        metadata["deletionTimestamp"] = "2026-01-01T11:59:00Z"
    ended: dict[str, Any] = {}
    if "finished" in extra:
        ended = {
            "containerStatuses": [{"state": {"terminated": {"finishedAt": extra["finished"], "exitCode": 1}}}]
        }
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase, **ended}}


def situation(job: dict[str, Any], *found: dict[str, Any], failures: Failures | None = None) -> Situation:
    spec = read_spec(job)
    return Situation(job, spec, tally(job, spec, found), failures or Failures(), Backoff(), NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", set()), ("0", {0}), ("1,3-5,7", {1, 3, 4, 5, 7}), ("8-20", {8, 9}), ("x,2,-,4-", {2})],
)
def test_reading_indexes(text, expected):
    assert indexes.parse(text, 10) == expected


@pytest.mark.parametrize(
    ("found", "expected"), [(set(), ""), ({3}, "3"), ({1, 2}, "1,2"), ({0, 1, 2, 4, 6, 7, 8}, "0-2,4,6-8")]
)
def test_writing_indexes(found, expected):
    assert indexes.render(found) == expected


@given(st.sets(st.integers(0, 200)))
def test_indexes_survive_the_round_trip(found):
    assert indexes.parse(indexes.render(found), 201) == found


def test_the_delay_doubles_up_to_the_maximum():
    delays = [Backoff().delay(count).total_seconds() for count in (0, 1, 2, 3, 7, 1000)]
    assert delays == [0, 10, 20, 40, 600, 600]


def test_failures_count_since_the_last_success():
    ends = [
        make_pod("a", "Failed", finished="2026-01-01T10:00:00Z"),
        make_pod("b", "Succeeded", finished="2026-01-01T10:00:01Z"),
        make_pod("c", "Failed", finished="2026-01-01T11:59:55Z"),
        make_pod("d", "Failed", finished="2026-01-01T11:59:00Z", deleting=True),
        make_pod("e", "Running"),
    ]
    failures = Failures().with_ends(ends)
    assert failures.count == 1
    assert failures.wait(Backoff(), NOW) == timedelta(seconds=5)
    assert failures.with_ends([make_pod("f", "Failed", finished="2026-01-01T11:59:57Z")]).count == 2


class TestAccounting:
    def test_an_end_is_uncounted_until_its_finalizer_is_gone(self):
        job, pod = make_job(), make_pod("a", "Succeeded")
        first = tally(job, read_spec(job), [pod])
        assert (first.counted_succeeded, first.uncounted_succeeded, first.succeeded) == (0, ["a"], 1)
        assert [each["metadata"]["uid"] for each in first.release] == ["a"]

        stored = make_job({"uncountedTerminatedPods": {"succeeded": ["a"]}})
        again = tally(stored, read_spec(stored), [pod])
        assert again.uncounted_succeeded == ["a"], "written, but the finalizer is still there"

        after = tally(stored, read_spec(stored), [])
        assert (after.counted_succeeded, after.uncounted_succeeded) == (1, [])

    def test_a_released_pod_is_not_counted_again_by_an_outdated_cache(self):
        stored = make_job({"succeeded": 1})
        assert tally(stored, read_spec(stored), [make_pod("a", "Succeeded")], {"a"}).succeeded == 1

    def test_a_pod_on_its_way_out_counts_at_once_or_when_it_has_failed(self):
        pod = make_pod("a", deleting=True)
        assert tally(make_job(), read_spec(make_job()), [pod]).failed == 1
        patient = make_job(podReplacementPolicy="Failed")
        assert tally(patient, read_spec(patient), [pod]).failed == 0

    def test_an_index_counts_once_however_many_pods_succeed(self):
        job = make_job({"completedIndexes": "0"}, completions=3, completionMode="Indexed")
        found = [
            make_pod("a", "Succeeded", index=0),
            make_pod("b", "Succeeded", index=2),
            make_pod("c", "Succeeded", index=9),
        ]
        result = tally(job, read_spec(job), found)
        assert result.completed == {0, 2}
        assert result.succeeded == 2

    @given(st.lists(st.sampled_from(["Succeeded", "Failed", "Running"]), max_size=12), st.data())
    def test_every_end_counts_once_wherever_the_controller_dies(self, phases, data):
        """Plays the protocol with a crash before any of its writes, until all is settled."""
        job = make_job(completions=1000, parallelism=1000, backoffLimit=1000)
        found = {str(at): make_pod(str(at), phase) for at, phase in enumerate(phases)}
        for _ in range(50):
            seen = tally(job, read_spec(job), list(found.values()))
            moment = Situation(job, read_spec(job), seen, Failures(), Backoff(), NOW)
            assert seen.succeeded == phases.count("Succeeded")
            assert seen.failed == phases.count("Failed")
            if data.draw(st.booleans()):
                continue
            job = {**job, "status": status(moment, plan(moment))}
            for pod in seen.release:
                if data.draw(st.booleans()):
                    break
                found[pod["metadata"]["uid"]]["metadata"]["finalizers"] = []
            else:
                seen.settle()
                if data.draw(st.booleans()):
                    job = {**job, "status": status(moment, plan(moment))}


class TestPlan:
    def test_as_many_pods_as_are_wanted(self):
        assert len(plan(situation(make_job(parallelism=3, completions=5))).create) == 3
        almost = make_job({"succeeded": 4}, parallelism=3, completions=5)
        assert len(plan(situation(almost)).create) == 1
        assert plan(situation(almost, make_pod("a"))).create == []

    def test_a_work_queue_gets_no_pod_after_the_first_success(self):
        queue = make_job(parallelism=3)
        assert len(plan(situation(queue, make_pod("a"))).create) == 2
        done = plan(situation(queue, make_pod("a"), make_pod("b", "Succeeded")))
        assert (done.create, done.outcome) == ([], None)
        assert plan(situation(queue, make_pod("b", "Succeeded"))).outcome.succeeded

    def test_the_least_advanced_pods_are_dismissed(self):
        found = [make_pod("running"), make_pod("pending", "Pending")]
        found[0]["spec"]["nodeName"] = "n"
        dismissed = plan(situation(make_job(parallelism=1, completions=2), *found)).dismiss
        assert [pod["metadata"]["uid"] for pod in dismissed] == ["pending"]

    def test_duplicates_of_an_index_are_dismissed(self):
        job = make_job(parallelism=2, completions=2, completionMode="Indexed")
        found = [make_pod("a", index=0), make_pod("b", index=0), make_pod("c", index=7)]
        result = plan(situation(job, *found))
        assert {pod["metadata"]["uid"] for pod in result.dismiss} == {"b", "c"}
        assert result.create == [NewPod(1)]

    def test_nothing_is_created_while_failures_are_recent(self):
        recent = Failures(1, NOW - timedelta(seconds=4))
        result = plan(situation(make_job(), failures=recent))
        assert (result.create, result.again) == ([], timedelta(seconds=6))

    def test_the_decision_outlives_what_led_to_it(self):
        decided = {"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy", "message": "m"}
        result = plan(situation(make_job({"conditions": [decided]}), make_pod("a")))
        assert result.outcome.reason == "PodFailurePolicy"
        assert len(result.kill) == 1

    def test_a_job_that_is_being_deleted_creates_nothing(self):
        job = make_job()
        job["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        assert not plan(situation(job)).changes_pods

    def test_restarts_in_place_use_up_the_limit(self):
        job = make_job(backoffLimit=3)
        job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
        pod = make_pod("a")
        pod["status"]["containerStatuses"] = [{"restartCount": 3}]
        assert plan(situation(job, pod)).outcome.reason == "BackoffLimitExceeded"

    def test_no_completions_are_done_at_once(self):
        assert plan(situation(make_job(completions=0))).outcome.succeeded


def test_the_end_is_final_only_when_the_last_pod_is_gone():
    job = make_job(backoffLimit=0)
    moment = situation(job, make_pod("a", "Failed", tracked=True), make_pod("b"))
    result = status(moment, plan(moment))
    assert [each["type"] for each in result["conditions"]] == ["FailureTarget"]
    later = situation(make_job({**result, "failed": 1, "uncountedTerminatedPods": {}}))
    assert [each["type"] for each in status(later, plan(later))["conditions"]] == ["FailureTarget", "Failed"]


def test_the_template_stays_as_it_is():
    job = make_job(completionMode="Indexed", completions=1)
    before = repr(job)
    pod = desired(job, read_spec(job), NewPod(0))
    assert pod["spec"]["hostname"] == "work-0"
    assert repr(job) == before
    assert pods.phase(pod) == "Pending"


def test_a_variable_of_the_users_is_kept():
    job = make_job(completionMode="Indexed", completions=1)
    mine = {"name": "JOB_COMPLETION_INDEX", "value": "mine"}
    job["spec"]["template"]["spec"]["containers"] = [{"name": "main", "env": [mine]}]
    assert desired(job, read_spec(job), NewPod(0))["spec"]["containers"][0]["env"] == [mine]
