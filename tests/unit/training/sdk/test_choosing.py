"""Which job a script becomes, and what its objects say."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.training.sdk import objects
from sampan.components.training.sdk.choosing import Choice, Wishes, choose
from sampan.components.training.sdk.plan import (
    Mount,
    Plan,
    PlanError,
    Resources,
    check_name,
    check_quantity,
    made_name,
    read_duration,
    read_env,
    read_range,
)


@pytest.mark.parametrize(
    ("imported", "kind", "runtime", "program"),
    [
        ({"torch.nn", "os"}, "TrainJob", "torch-distributed-once", ("torchrun",)),
        ({"lightning"}, "TrainJob", "torch-distributed-once", ("torchrun",)),
        ({"jax.numpy", "flax"}, "TrainJob", "jax-distributed-once", ("python",)),
        ({"xgboost", "numpy"}, "TrainJob", "xgboost-distributed-once", ("python",)),
        ({"deepspeed", "torch"}, "TrainJob", "torch-distributed-once", ("torchrun",)),
        ({"tensorflow"}, "TFJob", "", ("python",)),
        ({"paddle"}, "PaddleJob", "", ("python",)),
        ({"mpi4py", "numpy"}, "MPIJob", "", ("python",)),
        ({"numpy"}, "TrainJob", "torch-distributed-once", ("python",)),
    ],
)
def test_imports_decide(imported: set[str], kind: str, runtime: str, program: tuple[str, ...]) -> None:
    choice = choose(Wishes(), imported)
    assert (choice.kind, choice.runtime, choice.program) == (kind, runtime, program)


def test_an_image_is_named_where_the_runtimes_own_would_be_wrong() -> None:
    assert choose(Wishes(), {"torch"}).image == ""
    assert choose(Wishes(), {"numpy"}).image.startswith("python:3.")
    assert "deepspeed" in choose(Wishes(), {"deepspeed"}).image
    assert choose(Wishes(image="mine:1"), {"torch"}).image == "mine:1"


@pytest.mark.parametrize("wishes", [Wishes(elastic=(1, 2)), Wishes(retries=3), Wishes(priority="high")])
def test_what_a_trainjob_cannot_do_makes_another_kind_and_says_so(wishes: Wishes) -> None:
    choice = choose(wishes, {"torch"})
    assert choice.kind == "PyTorchJob"
    assert "a TrainJob has no field for" in choice.because


def test_the_users_word_comes_first() -> None:
    assert choose(Wishes(kind="xgboost"), {"torch"}).kind == "XGBoostJob"
    assert choose(Wishes(runtime="mine"), {"torch"}, lambda _: "jax").program == ("python",)
    assert choose(Wishes(runtime="torch-distributed"), {"torch"}).runtime == "torch-distributed"
    for wishes, words in (
        (Wishes(kind="nonsense"), "is one of"),
        (Wishes(kind="tfjob", runtime="x"), "--runtime is for TrainJobs"),
        (Wishes(kind="trainjob"), "no runtime for TensorFlow"),
    ):
        with pytest.raises(PlanError, match=words):
            choose(wishes, {"tensorflow"})


def plan(kind: str = "PyTorchJob", **fields: Any) -> Plan:
    choice: Choice = choose(Wishes(kind=kind), {"torch"})
    given = {"image": choice.image, "runtime": choice.runtime, "archive": b"a", **fields}
    return Plan("train", "team", ("torchrun", "train.py", "-x"), kind=choice.kind, **given)


def test_a_pytorchjob_has_a_master_and_workers() -> None:
    job = objects.job_object(plan(nodes=3, processes=2, deadline_seconds=60, priority="high"))
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert {role: each["replicas"] for role, each in replicas.items()} == {"Master": 1, "Worker": 2}
    assert {each["restartPolicy"] for each in replicas.values()} == {"Never"}
    assert job["spec"]["nprocPerNode"] == "2"
    assert job["spec"]["runPolicy"]["activeDeadlineSeconds"] == 60
    pod = replicas["Master"]["template"]["spec"]
    assert pod["priorityClassName"] == "high"
    assert pod["containers"][0]["command"] == [
        *("python3", "/sampan/code/boot.py"),
        *("torchrun", "train.py", "-x"),
    ]


def test_an_elastic_one_has_workers_alone() -> None:
    job = objects.job_object(plan(nodes=2, elastic=(1, 4)))
    assert list(job["spec"]["pytorchReplicaSpecs"]) == ["Worker"]
    assert job["spec"]["elasticPolicy"] == {"minReplicas": 1, "maxReplicas": 4, "rdzvBackend": "c10d"}


def test_retries_are_of_the_job_and_its_pods() -> None:
    job = objects.job_object(plan(retries=2))
    assert job["spec"]["runPolicy"]["backoffLimit"] == 2
    assert job["spec"]["pytorchReplicaSpecs"]["Master"]["restartPolicy"] == "OnFailure"


def test_mpi_starts_its_ranks_from_a_launcher() -> None:
    job = objects.job_object(plan("MPIJob", nodes=2, processes=3, resources=Resources(cpu="1")))
    replicas = job["spec"]["mpiReplicaSpecs"]
    launcher = replicas["Launcher"]["template"]["spec"]["containers"][0]
    assert launcher["command"][:4] == ["mpirun", "--allow-run-as-root", "-np", "6"]
    assert "resources" not in launcher
    assert "command" not in replicas["Worker"]["template"]["spec"]["containers"][0]
    assert job["spec"]["slotsPerWorker"] == 3


def test_a_trainjob_gets_its_code_by_a_patch_of_its_runtime() -> None:
    made = plan("trainjob", nodes=2, mounts=(Mount("output", "pvc://claim/a/b", "/out"),), env={"A": "b"})
    job = objects.job_object(made)
    assert job["spec"]["runtimeRef"]["kind"] == "TrainingRuntime"
    (patch,) = job["spec"]["runtimePatches"]
    (node,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = node["template"]["spec"]["template"]["spec"]
    assert [each["name"] for each in pod["volumes"]] == ["sampan-code", "output"]
    mount = pod["containers"][0]["volumeMounts"][1]
    assert mount == {"name": "output", "mountPath": "/out", "subPath": "a/b"}
    with pytest.raises(PlanError, match="--retries"):
        objects.job_object(plan("trainjob", retries=1))


def test_large_code_travels_in_parts() -> None:
    made = plan(archive=b"x" * 1_200_000)
    maps = objects.code_maps(made)
    assert [each["metadata"]["name"] for each in maps] == ["train-code", "train-code-1", "train-code-2"]
    keys = [key for each in maps for key in each["binaryData"]]
    assert keys == sorted(keys) == ["code.000", "code.001", "code.002"]
    volume = objects.job_object(made)["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["volumes"][
        0
    ]
    assert len(volume["projected"]["sources"]) == 3


def test_a_runtime_of_ones_own_ends_at_the_first_failure() -> None:
    pod: dict[str, Any] = {"containers": [{"name": "node", "image": "i"}]}
    template = {
        "spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": pod}}}}]}
    }
    runtime = {
        "metadata": {
            "name": "torch-distributed",
            "labels": {"trainer.kubeflow.org/framework": "torch", "x": "y"},
        },
        "spec": {"mlPolicy": {"torch": {}}, "template": template},
    }
    own = objects.once_runtime(runtime, "team")
    job = own["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert (job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert own["metadata"]["labels"]["trainer.kubeflow.org/framework"] == "torch"
    assert "x" not in own["metadata"]["labels"]
    assert "restartPolicy" not in pod


def test_words_of_the_command_line() -> None:
    assert read_range("1:4") == (1, 4)
    assert [read_duration("--deadline", text) for text in ("90", "90s", "2m", "1h", "1d")] == [
        90,
        90,
        120,
        3600,
        86400,
    ]
    assert read_env(["A=b=c", "D="]) == {"A": "b=c", "D": ""}
    assert check_quantity("--cpu", "500m") == "500m"
    for mistake in (
        lambda: read_range("4:1"),
        lambda: read_range("3"),
        lambda: read_duration("--deadline", "0"),
        lambda: read_env(["=x"]),
        lambda: check_quantity("--memory", "4 GB"),
        lambda: check_name("Train"),
    ):
        with pytest.raises(PlanError):
            mistake()


@pytest.mark.parametrize("stem", ["train", "42", "My_Script v2", "ä", "x" * 100])
def test_a_made_name_is_one_that_kubernetes_takes(stem: str) -> None:
    name = made_name(stem)
    assert check_name(name) == name
    assert len(name) <= 50
    assert made_name(stem) != name
