"""The list of jobs: which are shown, in which order, as what; and what is done to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.training.ui.training_objects import job

from sampan.components.training.api.summary import State, Summary, summarise
from sampan.components.training.ui import actions, following, home, places, search, states
from sampan.components.training.ui.job_list import bulk, rows
from sampan.components.training.ui.job_list.query import NARROWING
from sampan.ui.api import ApiFailureError
from sampan.ui.objects import copies
from sampan.ui.table.acting import summary
from sampan.ui.table.narrowing import Wanted

FAILED = ("Failed", "PyTorchJob train is failed because 1 Worker replica(s) failed.")


def some() -> list[Summary]:
    objects = [
        job("alpha", "TFJob", [("Created", "")]),
        job("beta", "PyTorchJob", [("Created", ""), FAILED]),
        job("gamma", "TrainJob", spec={"runtimeRef": {"name": "torch-distributed"}}),
    ]
    for at, each in enumerate(objects):
        each["metadata"]["creationTimestamp"] = f"2026-05-01T10:00:0{at}Z"
    return [summarise(each) for each in objects]


def names(wanted: Wanted) -> list[str]:
    return [each.name for each in NARROWING.chosen(some(), wanted)]


def test_the_newest_come_first_and_what_the_address_says_narrows_them() -> None:
    assert names(Wanted()) == ["gamma", "beta", "alpha"]
    assert names(Wanted(descending=False)) == ["alpha", "beta", "gamma"]
    assert names(Wanted(sort="name", descending=False)) == ["alpha", "beta", "gamma"]
    assert names(NARROWING.from_address({"state": "Failed,nonsense"})) == ["beta"]
    assert names(NARROWING.from_address({"kind": "TFJob"})) == ["alpha"]
    assert names(NARROWING.from_address({"find": "TORCH"})) == ["gamma", "beta"]


def test_an_address_says_what_it_is_read_from() -> None:
    wanted = Wanted("x", ("Running", "Failed"), "TFJob", "name", False)
    assert NARROWING.from_address(NARROWING.to_address(wanted)) == wanted
    assert not any(NARROWING.to_address(Wanted()).values())
    assert NARROWING.from_address({"kind": "Pod", "sort": "__class__", "state": ","}) == Wanted()


def test_a_row_says_why_a_job_failed_and_how_many_of_each_role_there_are() -> None:
    found = summarise(
        job(
            conditions=[("Created", ""), FAILED],
            spec={"pytorchReplicaSpecs": {"Worker": {"replicas": 3}, "Master": {"replicas": 1}}},
            replicaStatuses={"Worker": {"succeeded": 1, "failed": 1}, "Master": {"succeeded": 1}},
        )
    )
    row = rows.row(found, lambda path: f"/ui{path}")

    assert row.id == "PyTorchJob/train"
    assert row.cells["name"]["href"] == "/ui/training/pytorchjobs/default/train"
    assert row.cells["state"]["text"] == "Failed"
    assert row.cells["state"]["title"] == f"PyTorchJobFailed: {FAILED[1]}"
    assert row.cells["replicas"]["items"] == ["Master 1/1", "Worker 1/3, 1 failed"]
    assert row.cells["state"]["second"] == FAILED[1]
    assert [each["name"] for each in row.cells["actions"]["items"]] == ["clone", "delete"]


def test_a_row_says_what_a_job_waits_for() -> None:
    waits = "PyTorchJob train is created. 2 of 2 pods wait: " + "x" * 200
    said = rows.row(summarise(job(conditions=[("Created", waits)])), str).cells["state"]["second"]
    assert said.startswith("2 of 2 pods wait: xxx")
    assert len(said) == 90
    assert "second" not in rows.row(summarise(job(conditions=[("Running", "runs")])), str).cells["state"]


def test_how_long_a_job_takes_is_counted_from_its_start() -> None:
    done = job(kind="TrainJob", conditions=[("Complete", "")])
    assert rows.row(summarise(done), str).cells["duration"]["start"] == done["metadata"]["creationTimestamp"]
    assert rows.row(summarise(job()), str).cells["duration"]["start"] == ""


def test_progress_is_what_the_trainer_reports() -> None:
    told = {"progressPercentage": 42, "estimatedRemainingSeconds": 795}
    found = summarise(job(kind="TrainJob", trainerStatus=told, jobsStatus=[{"name": "node", "active": 1}]))

    assert found.state is State.RUNNING
    assert rows.progress(found) == {"t": "bar", "value": 0.42, "text": "42%, about 13 minutes left"}
    assert rows.progress(summarise(job())) == ""
    assert states.percent(summarise(job(kind="TrainJob", trainerStatus={"progressPercentage": 4000}))) == 100


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (90, "2 minutes"),
        (3660, "1 h 1 min"),
        (7200, "2 h"),
        (200000, "2 days 7 h"),
    ],
)
def test_spans_are_said_in_their_largest_parts(seconds: int, said: str) -> None:
    assert states.lasting(seconds) == said


def test_only_what_fits_is_done_to_the_picked() -> None:
    alpha, beta, gamma = some()
    fits = {
        action.name: [job.name for job in (alpha, beta, gamma) if action.fits(job)] for action in bulk.ACTIONS
    }
    assert fits == {"suspend": ["alpha", "gamma"], "resume": [], "delete": ["alpha", "beta", "gamma"]}
    assert summary("job|jobs", "deleted", 2, 3) == "2 of 3 jobs deleted."
    assert summary("job|jobs", "deleted", 0, 3) == ""


def test_each_kind_is_suspended_and_scaled_where_it_keeps_that() -> None:
    assert actions.suspension("TrainJob", True) == {"spec": {"suspend": True}}
    assert actions.suspension("TFJob", False) == {"spec": {"runPolicy": {"suspend": False}}}
    assert actions.scaling(job(kind="XGBoostJob"), 3) == {
        "spec": {"xgbReplicaSpecs": {"Worker": {"replicas": 3}}}
    }
    assert actions.scaling(job(kind="TrainJob"), 3) == {"spec": {"trainer": {"numNodes": 3}}}


def test_only_a_number_that_can_be_changed_is_offered() -> None:
    with_worker = job(spec={"pytorchReplicaSpecs": {"Worker": {"replicas": 0}}})
    assert actions.workers(with_worker) == 0
    assert actions.workers(job(spec={"pytorchReplicaSpecs": {"Worker": {}}})) == 1
    assert actions.workers(job(spec={"pytorchReplicaSpecs": {"Master": {}}})) is None
    assert actions.workers(job(kind="TrainJob", spec={"trainer": {"numNodes": 4}})) is None
    assert actions.workers(job(kind="TrainJob", spec={"suspend": True, "trainer": {"numNodes": 4}})) == 4


def test_a_copy_runs_and_is_nobody_elses() -> None:
    found = job(spec={"runPolicy": {"suspend": True, "backoffLimit": 2}})
    found["metadata"] |= {"labels": {"a": "b"}, "resourceVersion": "9", "ownerReferences": [{"uid": "x"}]}
    found["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "kept": "yes",
    }
    copy = actions.copy_of(found, "train-2")

    assert copy["metadata"] == {
        "name": "train-2",
        "namespace": "default",
        "labels": {"a": "b"},
        "annotations": {"kept": "yes"},
    }
    assert copy["spec"] == {"runPolicy": {"backoffLimit": 2}}
    assert found["spec"]["runPolicy"]["suspend"] is True
    assert "status" not in copy


def test_names_go_on_from_where_they_are() -> None:
    assert copies.next_name("train", {"train"}) == "train-2"
    assert copies.next_name("train-2", {"train-2"}) == "train-3"
    assert copies.next_name("train-2", {"train-2", "train-3"}) == "train-4"
    assert copies.next_name("x" * 63, {"x" * 63}) == "x" * 61 + "-2"


def test_a_search_finds_jobs_by_name_label_and_uid() -> None:
    found = job("mnist")
    found["metadata"]["labels"] = {"team": "vision"}
    assert all(search.fits(found, text) for text in ("mni", "team=vis", "uid-m"))
    assert not search.fits(found, "iris")
    hit = search.hit(summarise(found))
    assert (hit.path, hit.detail) == ("/training/pytorchjobs/default/mnist", "Pending · PyTorchJob · PyTorch")


def test_the_feed_tells_what_happened_and_why() -> None:
    found = job(
        conditions=[("Created", ""), ("Restarting", "worker 1 ended with 137"), FAILED],
        startTime="2026-05-01T10:00:01Z",
        completionTime="2026-05-01T10:01:00Z",
    )
    told = {each.text: each for each in search.activities(found)}

    assert list(told) == [
        "Training job train started",
        "Training job train restarted: worker 1 ended with 137",
        f"Training job train failed: PyTorchJobFailed: {FAILED[1]}",
    ]
    assert [each.tone for each in told.values()] == ["busy", "warn", "bad"]
    assert list(told.values())[-1].at == "2026-05-01T10:01:00Z"
    assert all(each.path == "/training/pytorchjobs/default/train" for each in told.values())


def test_home_shows_what_is_under_way_before_what_failed() -> None:
    jobs = [*some(), summarise(job("done", conditions=[("Succeeded", "")]))]
    assert [each.name for each in home.chosen(jobs)] == ["gamma", "alpha", "beta"]


def test_pages_have_addresses_that_hold_any_name() -> None:
    kind = places.by_plural("pytorchjobs")
    assert kind is not None
    assert places.by_plural("pods") is None
    assert places.job(kind, "a/b", "c?d") == "/training/pytorchjobs/a%2Fb/c%3Fd"
    assert places.api(kind, "a/b", "c") == "/apis/kubeflow.org/v1/namespaces/a%2Fb/pytorchjobs/c"
    assert places.cluster(kind, "a", "b") == "/cluster/pytorchjobs.kubeflow.org/a/b"
    of = job(kind="TrainJob", spec={"runtimeRef": {"kind": "TrainingRuntime", "name": "x"}})
    assert places.runtime_of(of) == "/training/runtimes/default/x"
    of["spec"]["runtimeRef"]["kind"] = "ClusterTrainingRuntime"
    assert places.runtime_of(of) == "/training/runtimes/x"
    assert places.runtime({"metadata": {"name": "x"}}) == "/training/runtimes/x"
    assert places.runtime({"metadata": {"name": "x", "namespace": "n"}}) == "/training/runtimes/n/x"


class _Page:
    """Of a page, what following jobs needs."""

    namespace = "default"

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.handlers: dict[str, Any] = {}

    async def live(self, path: str, handler: Any) -> None:
        answer = self._answers.get(path.rpartition("/")[2], 404)
        if isinstance(answer, int):
            raise ApiFailureError(answer, "no")
        self.handlers[path.rpartition("/")[2]] = handler
        handler(answer)


def test_kinds_that_are_not_served_have_no_jobs_and_hidden_ones_are_named() -> None:
    page = _Page({"tfjobs": {"items": [{"metadata": {"name": "a"}}]}, "mpijobs": 403, "trainjobs": {}})
    told: list[list[str]] = []
    jobs = following.Jobs(
        page, lambda found: told.append([f"{each['kind']} {each['metadata']['name']}" for each in found])
    )  # type: ignore[arg-type]
    asyncio.run(jobs.follow())

    assert told == [["TFJob a"]]
    assert jobs.hidden == ["MPIJob"]
    page.handlers["trainjobs"]({"items": [{"metadata": {"name": "b"}}]})
    assert told[-1] == ["TFJob a", "TrainJob b"]
