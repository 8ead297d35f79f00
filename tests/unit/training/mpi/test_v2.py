"""What an MPIJob of mpi-operator is made of, and its status.

Expected texts are those of kubeflow/mpi-operator v0.8 pkg/controller/mpi_job_controller.go and its tests.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_public_key

from sampan.components.training.engine.jobs.spec import InvalidJobError
from sampan.components.training.engine.mpi import keys, status, v2
from sampan.components.training.engine.mpi.status import Seen

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
NO_GPU = {"NVIDIA_VISIBLE_DEVICES": "", "NVIDIA_DRIVER_CAPABILITIES": ""}
HOSTFILE = "/etc/mpi/hostfile"


def told(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container.get("env") or ()}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "{}.pi.team.svc slots=1"),
        ({"slotsPerWorker": 8}, "{}.pi.team.svc slots=8"),
        ({"mpiImplementation": "Intel"}, "{}.pi.team.svc:1"),
        ({"mpiImplementation": "MPICH", "slotsPerWorker": 2}, "{}.pi.team.svc:2"),
    ],
)
@pytest.mark.parametrize("launcher_works", [False, True])
def test_hosts_are_listed(make: Any, fields: dict[str, Any], line: str, launcher_works: bool) -> None:
    mpi = v2.read(make("v2beta1", runLauncherAsWorker=launcher_works, **fields))
    data = v2.config_map(mpi, ["pi-worker-1"])["data"]
    own = ["pi-launcher"] if launcher_works else []
    hosts = [*own, "pi-worker-0", "pi-worker-1"]
    assert data["hostfile"] == "".join(line.format(name) + "\n" for name in hosts)
    found = [f"echo {name}.pi.team.svc" for name in (*own, "pi-worker-1")]
    assert data["discover_hosts.sh"].splitlines() == ["#!/bin/sh", *found]
    assert v2.service(mpi)["spec"]["publishNotReadyAddresses"] is launcher_works


@pytest.mark.parametrize(
    ("implementation", "environment"),
    [
        (
            "OpenMPI",
            {
                "OMPI_MCA_orte_keep_fqdn_hostnames": "true",
                "OMPI_MCA_orte_default_hostfile": HOSTFILE,
                "OMPI_MCA_plm_rsh_args": "-o ConnectionAttempts=10",
                "OMPI_MCA_orte_set_default_slots": "3",
            },
        ),
        (
            "Intel",
            {
                "I_MPI_HYDRA_HOST_FILE": HOSTFILE,
                "I_MPI_HYDRA_BOOTSTRAP_EXEC_EXTRA_ARGS": "-o ConnectionAttempts=10",
                "I_MPI_PERHOST": "3",
            },
        ),
        ("MPICH", {"HYDRA_HOST_FILE": HOSTFILE, "HYDRA_LAUNCH_EXTRA_ARGS": "-o ConnectionAttempts=10"}),
    ],
)
def test_the_launcher_is_told_where_to_start_ranks(
    make: Any, implementation: str, environment: dict[str, str]
) -> None:
    fields = {"mpiImplementation": implementation, "slotsPerWorker": 3}
    job = v2.launcher_job(v2.read(make("v2beta1", **fields)), "none")
    spec = job["spec"]["template"]["spec"]
    assert told(spec["containers"][0]) == {"K_MPI_JOB_ROLE": "launcher", **environment, **NO_GPU}
    assert (spec["hostname"], spec["subdomain"]) == ("pi-launcher", "pi")
    assert spec["restartPolicy"] == "OnFailure"
    assert [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]] == [
        "/root/.ssh",
        "/etc/mpi",
    ]
    # One that works itself may see GPUs.
    works = v2.launcher_template(v2.read(make("v2beta1", runLauncherAsWorker=True, **fields)), "none")
    assert told(works["spec"]["containers"][0]) == {"K_MPI_JOB_ROLE": "launcher", **environment}
    assert works["metadata"]["labels"]["training.kubeflow.org/replica-index"] == "0"


def test_limits_of_the_job_are_those_of_the_launcher(make: Any) -> None:
    policy = {"ttlSecondsAfterFinished": 60, "activeDeadlineSeconds": 100, "backoffLimit": 2, "suspend": True}
    spec = v2.launcher_job(v2.read(make("v2beta1", runPolicy=policy)), "none")["spec"]
    assert {key: spec.get(key) for key in policy} == policy
    assert spec["podReplacementPolicy"] == "Failed"


def test_a_worker_runs_sshd_with_the_jobs_key(make: Any) -> None:
    pod = v2.worker_pod(v2.read(make("v2beta1", sshAuthMountPath="/home/mpiuser/.ssh")), 1, "volcano")
    assert pod["metadata"]["labels"] == {
        "training.kubeflow.org/operator-name": "mpi-operator",
        "training.kubeflow.org/job-name": "pi",
        "training.kubeflow.org/job-role": "worker",
        "training.kubeflow.org/replica-index": "1",
    }
    spec = pod["spec"]
    assert spec["schedulerName"] == "volcano"
    assert (spec["hostname"], spec["subdomain"]) == ("pi-worker-1", "pi")
    assert spec["dnsConfig"]["searches"] == ["pi.team.svc.cluster.local"]
    assert spec["containers"][0]["command"] == ["/usr/sbin/sshd", "-De"]
    assert told(spec["containers"][0]) == {"K_MPI_JOB_ROLE": "worker"}
    (volume,) = spec["volumes"]
    assert volume["secret"] == {
        "secretName": "pi-ssh",
        "items": [
            {"key": "ssh-privatekey", "path": "id_rsa"},
            {"key": "ssh-publickey", "path": "id_rsa.pub"},
            {"key": "ssh-publickey", "path": "authorized_keys"},
        ],
    }
    root = v2.worker_pod(v2.read(make("v2beta1", runLauncherAsWorker=True)), 0, "none")
    assert root["spec"]["volumes"][0]["secret"]["defaultMode"] == 0o600
    assert root["metadata"]["labels"]["training.kubeflow.org/replica-index"] == "1"


def test_the_key_pair_is_one(make: Any) -> None:
    data = v2.secret(v2.read(make("v2beta1")), keys.make_key_pair())["data"]
    private = load_pem_private_key(base64.b64decode(data["ssh-privatekey"]), None)
    public = load_ssh_public_key(base64.b64decode(data["ssh-publickey"]).strip())
    assert private.public_key() == public
    assert base64.b64decode(data["ssh-publickey"]).startswith(b"ecdsa-sha2-nistp521 ")


def with_pods(job: dict[str, Any], **roles: dict[str, Any]) -> dict[str, Any]:
    """The job, with more fields in the pods' spec of each role; `resources` are the container's."""
    for role, fields in roles.items():
        spec = job["spec"]["mpiReplicaSpecs"][role]["template"]["spec"]
        spec["containers"][0]["resources"] = fields.pop("resources", {})
        spec |= fields
    return job


def test_a_group_knows_the_queue_and_the_priority_of_its_job(make: Any) -> None:
    job = with_pods(make("v2beta1"), Launcher={}, Worker={"priorityClassName": "low"})
    job["metadata"]["annotations"]["scheduling.volcano.sh/queue-name"] = "night"
    spec = v2.pod_group(v2.read(job), "volcano", {})["spec"]
    assert (spec["queue"], spec["priorityClassName"]) == ("night", "low")
    job = with_pods(job, Launcher={"priorityClassName": "high"})
    job["spec"]["runPolicy"] = {"schedulingPolicy": {"queue": "day"}}
    spec = v2.pod_group(v2.read(job), "volcano", {})["spec"]
    assert (spec["queue"], spec["priorityClassName"]) == ("day", "high")
    job["spec"]["runPolicy"]["schedulingPolicy"]["priorityClass"] = "highest"
    assert v2.pod_group(v2.read(job), "volcano", {})["spec"]["priorityClassName"] == "highest"
    assert v2.pod_group(v2.read(job), "scheduler-plugins", {})["spec"]["scheduleTimeoutSeconds"] == 0


def test_a_group_counts_limits_that_nobody_requests(make: Any) -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "2", "nvidia.com/gpu": "1"}}
    job = with_pods(make("v2beta1", 3), Launcher={}, Worker={"resources": resources})
    spec = v2.pod_group(v2.read(job), "volcano", {})["spec"]
    assert (spec["minMember"], spec["minResources"]) == (4, {"cpu": "3", "nvidia.com/gpu": "3"})


def test_a_gangs_scheduler_is_that_of_the_gang(make: Any) -> None:
    mpi = v2.read(
        with_pods(make("v2beta1"), Launcher={"schedulerName": "mine"}, Worker={"schedulerName": "mine"})
    )
    named = {"none": "mine", "volcano": "volcano", "scheduler-plugins": "scheduler-plugins-scheduler"}
    for gang, scheduler in named.items():
        assert v2.worker_pod(mpi, 0, gang)["spec"]["schedulerName"] == scheduler
        assert v2.launcher_template(mpi, gang)["spec"]["schedulerName"] == scheduler
    assert mpi.job.roles["Worker"].template["spec"]["schedulerName"] == "mine"


@pytest.mark.parametrize(
    ("policy", "workers", "minimum"),
    [("AtStartup", 2, 3), ("WaitForWorkersReady", 2, 2), ("WaitForWorkersReady", None, 1)],
)
def test_how_many_must_be_able_to_start(make: Any, policy: str, workers: int | None, minimum: int) -> None:
    assert v2.read(make("v2beta1", workers, launcherCreationPolicy=policy)).minimum == minimum


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda job: job["spec"]["mpiReplicaSpecs"].pop("Launcher"), r"\[Launcher\] is missing"),
        (lambda job: job["spec"]["mpiReplicaSpecs"]["Worker"].update(replicas=0), "at least 1"),
        (
            lambda job: job["spec"]["mpiReplicaSpecs"]["Worker"].update(restartPolicy="Always"),
            "use Never or OnFailure",
        ),
        (lambda job: job["spec"].update(mpiImplementation="LAM"), "use OpenMPI, Intel or MPICH"),
        (lambda job: job["spec"].update(launcherCreationPolicy="Later"), "use AtStartup"),
        (lambda job: job["spec"].update(slotsPerWorker=-1), "whole number"),
        (lambda job: job["spec"].update(runPolicy={"cleanPodPolicy": "Most"}), "use None, Running or All"),
        (lambda job: job["metadata"].update(name="p" * 55), "no DNS label"),
        (lambda job: job["metadata"].update(name="1st"), "no DNS label"),
    ],
)
def test_what_cannot_be_is_named(make: Any, change: Any, says: str) -> None:
    obj = make("v2beta1")
    change(obj)
    with pytest.raises(InvalidJobError, match=says):
        v2.read(obj)


# The status.


def job_with(*conditions: tuple[str, str, str], **fields: Any) -> dict[str, Any]:
    """A launcher's Job: its conditions by type, reason and message."""
    found = [
        {"type": type_, "status": "True", "reason": reason, "message": message}
        for type_, reason, message in conditions
    ]
    return {"metadata": {"name": "pi-launcher"}, "status": {"conditions": found, **fields}}


def pod_in(phase: str, **fields: Any) -> dict[str, Any]:
    created = fields.pop("created", NOW)
    return {
        "metadata": {"name": "pod", "creationTimestamp": created},
        "status": {"phase": phase, **fields},
    }


def conditions_of(outcome: status.Outcome) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in outcome.status["conditions"]}


def seen(launcher: Any = None, launcher_pods: Any = (), workers: Any = ()) -> Seen:
    return Seen(launcher, launcher_pods, workers)


@pytest.mark.parametrize(
    ("what", "conditions", "counts"),
    [
        (seen(), {}, {"Worker": {}}),
        (
            seen(job_with(), [pod_in("Pending")], [pod_in("Running")] * 2),
            {},
            {"Launcher": {}, "Worker": {"active": 2}},
        ),
        (
            seen(job_with(), [pod_in("Running")], [pod_in("Running"), pod_in("Pending")]),
            {},
            {"Launcher": {"active": 1}, "Worker": {"active": 1}},
        ),
        (
            seen(job_with(), [pod_in("Running")], [pod_in("Running")] * 2),
            {"Running": ("True", "MPIJobRunning")},
            {"Launcher": {"active": 1}, "Worker": {"active": 2}},
        ),
        (
            seen(job_with(("Complete", "", ""), completionTime=LATER)),
            {"Running": ("False", "MPIJobRunning"), "Succeeded": ("True", "MPIJobSucceeded")},
            {"Launcher": {"succeeded": 1}, "Worker": {}},
        ),
        (
            seen(job_with(("Failed", "DeadlineExceeded", "too long"), failed=1)),
            {"Running": ("False", "MPIJobRunning"), "Failed": ("True", "DeadlineExceeded")},
            {"Launcher": {"failed": 1}, "Worker": {}},
        ),
        (
            seen(job_with(), [], [pod_in("Failed", reason="Evicted"), pod_in("Running")]),
            {"Running": ("False", "MPIJobRunning"), "Failed": ("True", "MPIJobEvicted")},
            {"Launcher": {}, "Worker": {"active": 1, "failed": 1}},
        ),
    ],
)
def test_what_pods_and_the_launcher_mean(
    make: Any, what: Seen, conditions: dict[str, tuple[str, str]], counts: dict[str, Any]
) -> None:
    obj = make("v2beta1")
    outcome = status.begin(obj, NOW)
    status.advance(outcome, v2.read(obj), what, NOW)
    assert conditions_of(outcome) == {"Created": ("True", "MPIJobCreated"), **conditions}
    assert outcome.status["replicaStatuses"] == counts


def test_a_launcher_without_tries_left_tells_how_its_last_pod_ended(make: Any) -> None:
    obj = make("v2beta1")
    outcome = status.begin(obj, NOW)
    failed = [
        pod_in("Failed", reason="First", message="first", created=NOW),
        pod_in("Failed", reason="Last", message="last words", created=LATER),
    ]
    launcher = job_with(("Failed", "BackoffLimitExceeded", "Job has reached the limit"))
    status.advance(outcome, v2.read(obj), seen(launcher, failed), NOW)
    ended = outcome.status["conditions"][-1]
    assert ended["reason"] == "BackoffLimitExceeded/Last"
    assert ended["message"] == "Job has reached the limit: last words"
    assert status.is_over(outcome.status)


def test_a_job_that_ends_does_not_run_any_more(make: Any) -> None:
    obj = make("v2beta1")
    outcome = status.begin(obj, NOW)
    status.advance(outcome, v2.read(obj), seen(job_with(), [pod_in("Running")], [pod_in("Running")] * 2), NOW)
    status.advance(outcome, v2.read(obj), seen(job_with(("Complete", "", ""))), LATER)
    assert conditions_of(outcome)["Running"] == ("False", "MPIJobRunning")
    assert outcome.status["completionTime"] == LATER


def test_a_suspended_job_resumes_with_a_new_start(make: Any) -> None:
    suspended = make("v2beta1", runPolicy={"suspend": True})
    outcome = status.begin(suspended, NOW)
    status.advance(outcome, v2.read(suspended), seen(job_with()), NOW)
    assert conditions_of(outcome) == {
        "Created": ("True", "MPIJobCreated"),
        "Suspended": ("True", "MPIJobSuspended"),
        "Running": ("False", "MPIJobSuspended"),
    }
    assert "startTime" not in outcome.status
    status.advance(outcome, v2.read(make("v2beta1")), seen(job_with()), LATER)
    assert conditions_of(outcome)["Suspended"] == ("False", "MPIJobResumed")
    assert outcome.status["startTime"] == LATER
    reasons = [each.reason for each in outcome.told]
    assert reasons == ["MPIJobCreated", "MPIJobSuspended", "MPIJobResumed"]


def test_a_look_that_finds_the_same_changes_and_tells_nothing(make: Any) -> None:
    obj = make("v2beta1")
    mpi, what = v2.read(obj), seen(job_with(), [pod_in("Running")], [pod_in("Running")] * 2)
    outcome = status.begin(obj, NOW)
    status.advance(outcome, mpi, what, NOW)
    again = status.begin({**obj, "status": outcome.status}, LATER)
    status.advance(again, mpi, what, LATER)
    assert again.status == outcome.status
    assert not again.told
