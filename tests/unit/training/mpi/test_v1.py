"""What an MPIJob of training-operator is made of.

Expected texts are those of kubeflow/training-operator v1.9.0 pkg/controller.v1/mpi/mpijob_controller.go.
"""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.engine.jobs.framework import Count, Observed
from sampan.components.training.engine.jobs.pods import PodOptions, Slot
from sampan.components.training.engine.jobs.spec import InvalidJobError
from sampan.components.training.engine.mpi import v1

GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}


@pytest.mark.parametrize(
    ("fields", "running", "hostfile", "discovered"),
    [
        ({}, (), "pi-worker-0 slots=1\npi-worker-1 slots=1\n", "#!/bin/sh"),
        (
            {"slotsPerWorker": 4},
            ("pi-worker-1", "pi-worker-0"),
            "pi-worker-0 slots=4\npi-worker-1 slots=4\n",
            "#!/bin/sh\necho pi-worker-0:4\necho pi-worker-1:4",
        ),
        (
            {"launcher": GPU, "workers": 1},
            ("pi-worker-0",),
            "pi-launcher slots=1\npi-worker-0 slots=1\n",
            "#!/bin/sh\necho pi-launcher:1\necho pi-worker-0:1",
        ),
        ({"workers": None}, (), "", "#!/bin/sh"),
    ],
)
def test_hosts_are_listed(
    make: Any, fields: dict[str, Any], running: tuple[str, ...], hostfile: str, discovered: str
) -> None:
    data = v1.config_map(v1.read(make("v1", **fields)), running)["data"]
    assert data["hostfile"] == hostfile
    assert data["discover_hosts.sh"] == discovered


@pytest.mark.parametrize(
    ("fields", "container"), [({}, ""), ({"mainContainer": "train"}, " --container train")]
)
def test_the_agent_execs_in_the_main_container(make: Any, fields: dict[str, Any], container: str) -> None:
    text = v1.config_map(v1.read(make("v1", **fields)), ())["data"]["kubexec.sh"]
    assert text == (
        "#!/bin/sh\nset -x\nPOD_NAME=$1\nshift\n"
        f'/opt/kube/kubectl exec ${{POD_NAME}}{container} -- /bin/sh -c "$*"'
    )


def test_the_launcher_may_exec_in_its_workers_only(make: Any) -> None:
    job = v1.read(make("v1"))
    (look, execute, by_web_socket) = v1.role(job)["rules"]
    assert look == {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods"]}
    assert execute["resourceNames"] == by_web_socket["resourceNames"] == ["pi-worker-0", "pi-worker-1"]
    # A rule without names would be for all pods.
    assert len(v1.role(v1.read(make("v1", workers=None)))["rules"]) == 1
    assert v1.role_binding(job)["subjects"][0]["name"] == "pi-launcher"


def test_an_account_of_the_users_is_taken(make: Any) -> None:
    obj = make("v1")
    obj["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["serviceAccountName"] = "mine"
    job = v1.read(obj)
    assert v1.account(job)["metadata"]["name"] == "mine"
    assert v1.role_binding(job)["subjects"][0]["name"] == "mine"
    assert v1.pod(job, Slot("Launcher", 0), PodOptions())["spec"]["serviceAccountName"] == "mine"


def test_the_launcher_is_brought_kubectl_and_told_its_agent(make: Any) -> None:
    given = {"env": [{"name": "I_MPI_HYDRA_BOOTSTRAP", "value": "ssh"}]}
    pod = v1.pod(v1.read(make("v1", launcher=given)), Slot("Launcher", 0), PodOptions("scheduler-plugins"))
    assert pod["metadata"]["name"] == "pi-launcher"
    assert pod["metadata"]["labels"]["training.kubeflow.org/job-role"] == "master"
    assert pod["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == "pi"
    (delivery,) = pod["spec"]["initContainers"]
    assert delivery["name"] == "kubectl-delivery"
    told = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
    assert told == {
        "I_MPI_HYDRA_BOOTSTRAP": "ssh",
        "OMPI_MCA_plm_rsh_agent": "/etc/mpi/kubexec.sh",
        "OMPI_MCA_orte_default_hostfile": "/etc/mpi/hostfile",
        "NVIDIA_VISIBLE_DEVICES": "",
        "NVIDIA_DRIVER_CAPABILITIES": "",
        "I_MPI_HYDRA_BOOTSTRAP_EXEC": "/etc/mpi/kubexec.sh",
    }
    modes = {item["path"]: item["mode"] for item in pod["spec"]["volumes"][1]["configMap"]["items"]}
    assert modes == {"kubexec.sh": 0o555, "hostfile": 0o444, "discover_hosts.sh": 0o555}


def test_a_worker_sleeps_unless_it_has_something_to_do(make: Any) -> None:
    obj = make("v1")
    pod = v1.pod(v1.read(obj), Slot("Worker", 1), PodOptions())
    assert pod["metadata"]["name"] == "pi-worker-1"
    assert pod["metadata"]["labels"]["training.kubeflow.org/replica-index"] == "1"
    assert (pod["spec"]["containers"][0]["command"], pod["spec"]["containers"][0]["args"]) == (
        ["sleep"],
        ["365d"],
    )
    assert pod["spec"]["restartPolicy"] == "Never"
    worker = obj["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
    worker["command"] = ["/usr/sbin/sshd", "-De"]
    container = v1.pod(v1.read(obj), Slot("Worker", 1), PodOptions())["spec"]["containers"][0]
    assert container["command"] == ["/usr/sbin/sshd", "-De"]
    assert "args" not in container


@pytest.mark.parametrize(
    ("fields", "clean"),
    [
        ({}, "None"),
        ({"cleanPodPolicy": "All"}, "All"),
        ({"runPolicy": {"cleanPodPolicy": "Running"}}, "Running"),
        ({"cleanPodPolicy": "All", "runPolicy": {"cleanPodPolicy": "Running"}}, "Running"),
    ],
)
def test_one_of_two_clean_up_policies_counts(make: Any, fields: dict[str, Any], clean: str) -> None:
    assert v1.read(make("v1", **fields)).policy.clean_pods == clean


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda roles: roles.pop("Launcher"), r"\[Launcher\] is missing"),
        (lambda roles: roles["Launcher"].update(replicas=2), "it must be 1"),
        (lambda roles: roles.update(Master=roles["Worker"]), r"\[Master\] is no replica type"),
        (lambda roles: roles["Worker"]["template"]["spec"].update(containers=[]), "containers is empty"),
        (lambda roles: roles["Worker"].update(template=None), "containers is empty"),
        (lambda roles: roles["Worker"]["template"]["spec"]["containers"][0].pop("image"), "no image"),
        (lambda roles: roles["Worker"].update(restartPolicy="Sometimes"), "use one of"),
        (lambda roles: roles["Worker"].update(replicas="two"), "whole number"),
    ],
)
def test_what_cannot_be_is_named(make: Any, change: Any, says: str) -> None:
    obj = make("v1")
    change(obj["spec"]["mpiReplicaSpecs"])
    with pytest.raises(InvalidJobError, match=says):
        v1.MpiV1().check(v1.read(obj))


@pytest.mark.parametrize(
    ("launcher", "workers", "policy", "changes"),
    [
        (Count(active=1), Count(active=2), "Never", ["Running"]),
        (Count(), Count(active=2), "Never", []),
        (Count(succeeded=1), Count(active=2), "Never", ["Succeeded"]),
        (Count(failed=1), Count(active=2), "Never", ["Failed"]),
        (Count(active=1), Count(failed=1), "Never", ["Running", "Failed"]),
        (Count(active=1), Count(failed=1), "ExitCode", ["Running", "Restarting"]),
    ],
)
def test_the_launcher_decides_and_any_failure_ends_it(
    make: Any, launcher: Count, workers: Count, policy: str, changes: list[str]
) -> None:
    obj = make("v1")
    for replica in obj["spec"]["mpiReplicaSpecs"].values():
        replica["restartPolicy"] = policy
    observed = Observed({"Launcher": launcher, "Worker": workers})
    found = list(v1.MpiV1().judge(v1.read(obj), observed))
    assert [each.type for each in found] == changes


def test_the_container_whose_exit_code_counts(make: Any) -> None:
    assert v1.main_container(v1.read(make("v1"))) == "mpi"
    assert v1.main_container(v1.read(make("v1", launcher={"name": "mpi-launcher"}))) == "mpi-launcher"
