"""What is to be done about a job, and what never happens whatever its pods do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.components.training.engine.jobs import status
from sampan.components.training.engine.jobs.conditions import is_finished
from sampan.components.training.engine.jobs.framework import Count
from sampan.components.training.engine.jobs.frameworks import FRAMEWORKS
from sampan.components.training.engine.jobs.plan import observe, plan
from sampan.components.training.engine.jobs.pods import PodOptions, Slot, desired_pod
from sampan.components.training.engine.jobs.spec import RESTART_POLICIES, Job, read_job

NOW = "2026-01-01T00:00:00Z"


def test_a_new_job_gets_everything_in_the_order_of_its_roles(read):
    job = read("PyTorchJob", {"Worker": 2, "Master": 1})
    made = plan(job, observe(job, [], []), "pytorch")
    assert made.make_pods == [Slot("Master", 0), Slot("Worker", 0), Slot("Worker", 1)] == made.make_services
    assert made.delete_pods == []


def test_what_is_beyond_the_replicas_goes_and_what_is_on_its_way_is_left(read, pod):
    job = read("PyTorchJob", {"Worker": 1})
    owned = [pod("PyTorchJob", "Worker", index, deleting=index == 2) for index in range(4)]
    made = plan(job, observe(job, owned, owned), "pytorch")
    assert made.make_pods == []
    assert [each["metadata"]["name"] for each in made.delete_pods] == ["train-worker-1", "train-worker-3"]
    assert len(made.delete_services) == 3
    assert observe(job, owned, []).counts(job) == {"Worker": Count(active=1)}


@pytest.mark.parametrize(
    ("policy", "code", "retried"),
    [
        ("Never", 137, False),
        ("OnFailure", 1, True),
        ("Always", 1, True),
        ("ExitCode", 1, False),
        ("ExitCode", 127, False),
        ("ExitCode", 128, True),
        ("ExitCode", 255, True),
        ("ExitCode", None, True),
    ],
)
def test_which_failed_pods_are_made_anew(read, pod, policy, code, retried):
    job = read("TFJob", {"Worker": {"replicas": 1, "restartPolicy": policy}})
    failed = pod("TFJob", "Worker", 0, "Failed", **({} if code is None else {"code": code}))
    made = plan(job, observe(job, [failed], []), "tensorflow")
    assert made.delete_pods == ([failed] if retried else [])
    assert made.make_pods == [], "not before the old one is gone"


def test_a_failed_pod_that_is_on_its_way_is_not_deleted_again(read, pod):
    job = read("JAXJob", {"Worker": {"replicas": 1, "restartPolicy": "OnFailure"}})
    made = plan(job, observe(job, [pod("JAXJob", "Worker", 0, "Failed", deleting=True)], []), "jax")
    assert (made.delete_pods, list(made.retried)) == ([], [Slot("Worker", 0)])


def test_a_pod_that_was_sent_away_has_not_finished(read, pod):
    job = read("JAXJob", {"Worker": {"replicas": 2, "restartPolicy": "ExitCode"}})
    saved = pod("JAXJob", "Worker", 0, "Succeeded", code=0, deleting=True, disrupted=True)
    gave_up = pod("JAXJob", "Worker", 1, "Failed", code=1, deleting=True, disrupted=True)
    world = observe(job, [saved, gave_up], [])
    assert world.counts(job) == {"Worker": Count(failed=2)}
    made = plan(job, world, "jax")
    assert [change.type for change in made.changes] == ["Restarting", "Restarting"]
    # One that has finished before it was sent away has finished.
    done = pod("JAXJob", "Worker", 0, "Succeeded", code=0, deleting=True)
    assert observe(job, [done], []).counts(job) == {"Worker": Count(succeeded=1)}


def test_a_running_pod_that_is_on_its_way_counts_as_failed(read, pod):
    job = read("JAXJob", {"Worker": 1})
    assert observe(job, [pod("JAXJob", "Worker", 0, deleting=True)], []).counts(job) == {
        "Worker": Count(failed=1)
    }


def test_a_replica_that_is_held_back_is_not_made(read):
    job = read("JAXJob", {"Worker": 2})
    made = plan(job, observe(job, [], []), "jax", {Slot("Worker", 0): 3.0})
    assert made.make_pods == [Slot("Worker", 1)]
    assert len(made.make_services) == 2


def test_what_names_no_replica_is_nobodys(read, pod):
    job = read("JAXJob", {"Worker": 1})
    strange = pod("JAXJob", "Worker", 0)
    strange["metadata"]["labels"]["training.kubeflow.org/replica-index"] = "first"
    world = observe(job, [strange], [])
    assert (world.pods, world.beyond) == ({}, [])


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["run", "succeed", "fail", "kill", "send away", "delete", "scale"]),
        st.integers(0, 3),
        st.sampled_from([1, 3, 127, 128, 137, 143]),
    ),
    max_size=25,
)
ROLES = {
    "TFJob": {"PS": 1, "Worker": 2},
    "PyTorchJob": {"Master": 1, "Worker": 2},
    "XGBoostJob": {"Master": 1, "Worker": 2},
    "JAXJob": {"Worker": 3},
    "PaddleJob": {"Worker": 3},
}


class Simulation:
    """A job and its pods, with an API server and a kubelet that do what they are told at once."""

    def __init__(self, framework: Any, made: Any, policy: str) -> None:
        self.framework = framework
        self.kind = framework.shape.kind
        roles = {role: {"replicas": n, "restartPolicy": policy} for role, n in ROLES[self.kind].items()}
        self.object = made(self.kind, roles)
        self.object["status"] = {}
        self.pods: dict[str, Any] = {}
        self.births = 0

    @property
    def job(self) -> Job:
        return read_job(self.object, self.framework.shape)

    def reconcile(self) -> None:
        job, before = self.job, self.object["status"]
        if is_finished(before):
            return
        world = observe(job, list(self.pods.values()), [])
        made = plan(job, world, self.framework.shape.container)
        outcome = status.begin(self.object, self.kind, NOW)
        status.advance(outcome, self.framework, job, world, made, NOW)
        self.object["status"] = outcome.status
        if is_finished(outcome.status):
            return
        for each in made.delete_pods:
            del self.pods[each["metadata"]["name"]]
        for slot in made.make_pods:
            pod = desired_pod(self.framework, job, slot, PodOptions())
            name = pod["metadata"]["name"]
            assert name not in self.pods, "never a second pod for a replica"
            self.births += 1
            pod["metadata"]["uid"] = str(self.births)
            self.pods[name] = {**pod, "status": {"phase": "Pending"}}

    def happens(self, event: str, number: int, code: int) -> None:
        if event == "scale":
            field = self.object["spec"][self.framework.shape.field]
            field["Worker"]["replicas"] = number + 1
            return
        names = sorted(self.pods)
        if not names:
            return
        pod = self.pods[names[number % len(names)]]
        if event == "delete":
            del self.pods[pod["metadata"]["name"]]
        elif pod["status"]["phase"] in ("Pending", "Running"):
            self.end(pod, event, code)

    def end(self, pod: Any, event: str, code: int) -> None:
        phase = {"run": "Running", "succeed": "Succeeded"}.get(event, "Failed")
        code = {"succeed": 0, "kill": 137}.get(event, code)
        container = {"name": self.framework.shape.container, "state": {"terminated": {"exitCode": code}}}
        pod["status"] = {"phase": phase}
        if phase != "Running" and event != "send away":
            pod["status"]["containerStatuses"] = [container]


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, policy=st.sampled_from(RESTART_POLICIES), number=st.integers(0, len(FRAMEWORKS) - 1))
def test_whatever_happens_an_end_is_an_end_and_a_replica_has_one_pod(events, policy, number, made):
    world = Simulation(FRAMEWORKS[number], made, policy)
    world.reconcile()
    ended: Any = None
    for event in events:
        world.happens(*event)
        world.reconcile()
        world.reconcile()
        found = world.object["status"]
        types = [each["type"] for each in found["conditions"]]
        held = [each["type"] for each in found["conditions"] if each["status"] == "True"]
        assert len(set(types)) == len(types)
        assert len({"Running", "Restarting", "Succeeded", "Failed"} & set(held)) <= 1
        for counts in found["replicaStatuses"].values():
            assert all(value >= 0 for key, value in counts.items() if key != "selector")
        if ended is not None:
            assert found == ended
        elif is_finished(found):
            assert found["completionTime"]
            ended = found
    wanted = observe(world.job, list(world.pods.values()), []).pods
    if ended is None:
        assert len(wanted) == sum(each.replicas for each in world.job.roles.values())
