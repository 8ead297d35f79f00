"""The form for a new job: the object that it makes, and the way back for clones; and runtimes, which it begins with."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from sampan.components.training.api import labels
from sampan.components.training.api.defaults import defaulted
from sampan.components.training.api.kinds import JOB_KINDS
from sampan.components.training.ui.new_job import building, page, reading, script
from sampan.components.training.ui.new_job.wanted import COMMAND, IMAGE, Program, Rules, Size, Wanted
from sampan.components.training.ui.runtimes import model, pages
from sampan.ui.objects.making import one
from sampan.ui.objects.yamltext import YamlError

SCRIPT = "print('a $HOME `b`')\nprint(\"c\")"
TRAIN = Wanted(
    name="train",
    namespace="default",
    runtime="torch-distributed",
    program=Program(
        script=SCRIPT, arguments="--epochs 3", packages=("numpy", "torch>=2"), launcher="torchrun"
    ),
    size=Size(nodes=2, processes="4", cpu="2", memory="4Gi", gpu="1"),
)
FULL = replace(
    TRAIN,
    rules=Rules(deadline_seconds=60, suspended=True),
    dataset="hf://a/b",
    environment={"A": "1", "B": ""},
    claim="shelf",
    mount_path="/out",
)


def operators(kind: str, **changed: Any) -> Wanted:
    size = Size(nodes=3, processes="2" if kind in ("PyTorchJob", "MPIJob") else "", cpu="1")
    rules = Rules(60, 2, "high", "nightly", gang=True)
    program = replace(TRAIN.program, launcher="mpirun" if kind == "MPIJob" else "python")
    wanted = replace(
        FULL, kind=kind, runtime="", dataset="", image="python:3.11", size=size, rules=rules, program=program
    )
    return replace(wanted, **changed)


def test_a_train_job_names_its_runtime_and_carries_its_script() -> None:
    made = building.job(FULL)
    spec, trainer = made["spec"], made["spec"]["trainer"]

    assert (made["apiVersion"], made["kind"]) == ("trainer.kubeflow.org/v1alpha1", "TrainJob")
    assert spec["runtimeRef"]["kind"] == "ClusterTrainingRuntime"
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 4)
    assert trainer["resourcesPerNode"]["limits"] == {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert trainer["command"][:2] == ["sh", "-c"]
    assert SCRIPT in trainer["command"][2]
    assert trainer["command"][2].endswith('exec torchrun "$script" --epochs 3')
    assert spec["activeDeadlineSeconds"] == 60
    # Where TensorBoard's files are looked for.
    assert made["metadata"]["annotations"] == {labels.OUTPUT: "/out"}
    patched = spec["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]
    assert patched["template"]["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {
        "claimName": "shelf"
    }


@pytest.mark.parametrize(
    ("kind", "roles"),
    [
        ("PyTorchJob", {"Master": 1, "Worker": 2}),
        ("XGBoostJob", {"Master": 1, "Worker": 2}),
        ("TFJob", {"Worker": 3}),
        ("JAXJob", {"Worker": 3}),
        ("PaddleJob", {"Worker": 3}),
        ("MPIJob", {"Launcher": 1, "Worker": 3}),
    ],
)
def test_nodes_are_shared_out_to_the_roles_of_a_kind(kind: str, roles: dict[str, int]) -> None:
    spec = building.job(operators(kind))["spec"]
    [found] = [value for key, value in spec.items() if key.endswith("ReplicaSpecs")]

    assert {role: each["replicas"] for role, each in found.items()} == roles
    assert spec["runPolicy"]["schedulingPolicy"]["minAvailable"] == sum(roles.values())
    assert spec["runPolicy"]["backoffLimit"] == 2
    assert all(each["template"]["spec"]["priorityClassName"] == "high" for each in found.values())


def test_one_node_has_no_workers_beside_its_master() -> None:
    wanted = operators("PyTorchJob", size=Size(nodes=1))
    assert list(building.job(wanted)["spec"]["pytorchReplicaSpecs"]) == ["Master"]


def test_workers_of_mpi_wait_for_the_launcher() -> None:
    roles = building.job(operators("MPIJob"))["spec"]["mpiReplicaSpecs"]
    containers = {role: each["template"]["spec"]["containers"][0] for role, each in roles.items()}
    assert containers["Launcher"]["command"][:3] == ["mpirun", "sh", "-c"]
    assert "command" not in containers["Worker"]
    assert "resources" in containers["Worker"]
    assert "resources" not in containers["Launcher"]


@pytest.mark.parametrize("kind", [each.kind for each in JOB_KINDS])
def test_what_the_form_made_can_be_cloned_in_the_form(kind: str) -> None:
    wanted = operators(kind)
    if kind == "TFJob":
        wanted = replace(wanted, size=replace(wanted.size, servers=1))
    assert reading.wanted(building.job(wanted)) == wanted
    # As the API gives it back: with defaults.
    assert reading.wanted(defaulted(building.job(wanted))) is not None


def test_a_train_job_can_be_cloned_in_the_form() -> None:
    for wanted in (TRAIN, FULL, replace(TRAIN, program=Program(source=IMAGE))):
        made = building.job(wanted)
        assert reading.wanted(made) == wanted


def test_what_the_server_fills_in_is_no_difference() -> None:
    made = building.job(TRAIN)
    made["spec"] |= {"suspend": False, "managedBy": "trainer.kubeflow.org/trainjob-controller"}
    assert reading.wanted(made) == TRAIN


def test_labels_and_annotations_of_a_job_are_not_lost_in_the_form() -> None:
    queued = building.job(TRAIN)
    queued["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "nightly"}
    assert reading.wanted(queued) is None
    noted = building.job(TRAIN)
    noted["metadata"]["annotations"] = {"team": "vision"}
    assert reading.wanted(noted) is None
    applied = building.job(TRAIN)
    applied["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert reading.wanted(applied) == TRAIN


def test_what_the_form_has_no_field_for_is_not_lost_in_it() -> None:
    made = building.job(TRAIN)
    initialised = copy.deepcopy(made)
    secret = {"storageUri": "hf://x/y", "secretRef": {"name": "token"}}
    initialised["spec"]["initializer"] = {"dataset": secret}
    assert reading.wanted(initialised) is None

    elastic = building.job(operators("PyTorchJob"))
    elastic["spec"]["elasticPolicy"] = {"minReplicas": 1, "maxReplicas": 3}
    assert reading.wanted(elastic) is None
    roles = building.job(operators("PyTorchJob"))
    roles["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert reading.wanted(roles) is None


@pytest.mark.parametrize(
    "spec", [{}, {"trainer": []}, {"runtimePatches": [{}]}, {"trainer": {"numNodes": "x"}}]
)
def test_no_shape_of_a_job_breaks_the_form(spec: dict[str, Any]) -> None:
    reading.wanted({"kind": "TrainJob", "metadata": {"name": "x"}, "spec": spec})
    reading.wanted({"kind": "TFJob", "metadata": {"name": "x"}, "spec": {"tfReplicaSpecs": spec}})


def test_a_command_is_split_as_a_shell_would() -> None:
    program = Program(source=COMMAND, command="python -m x --name 'a b'")
    assert script.command(program) == ["python", "-m", "x", "--name", "a b"]
    assert script.problem("python 'x") != ""
    assert script.problem("python x") == ""


def test_a_script_ends_where_it_ends() -> None:
    tricky = "x = 1\nEND_OF_SCRIPT\nEND_OF_SCRIPT_\nprint(x)"
    words = script.command(Program(script=tricky))
    assert "<<'END_OF_SCRIPT__'" in words[-1]
    found = script.read(words)
    assert found is not None
    assert found.script == tricky
    assert script.read(["sh", "-c", "echo hello"]) is None
    assert script.read(["python", "x.py"]) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a b.py", "a_b.py"),
        ("../../x.py", "x.py"),
        ("$(rm).py", "_rm_.py"),
        ("x.sh", "train.py"),
        (".py", "train.py"),
    ],
)
def test_names_of_files_need_no_quotes(given: str, kept: str) -> None:
    assert script.file_name(given) == kept


RUNTIME = {
    "metadata": {"name": "deep", "labels": {"trainer.kubeflow.org/framework": "deepspeed"}},
    "spec": {
        "mlPolicy": {"numNodes": 2, "mpi": {"numProcPerNode": 4}},
        "podGroupPolicy": {"coscheduling": {}},
        "template": {
            "spec": {
                "replicatedJobs": [
                    {
                        "name": "data",
                        "template": {
                            "metadata": {
                                "labels": {
                                    "trainer.kubeflow.org/trainjob-ancestor-step": "dataset-initializer"
                                }
                            }
                        },
                    },
                    {
                        "name": "launcher",
                        "dependsOn": [{"name": "data", "status": "Complete"}],
                        "template": {
                            "metadata": {
                                "labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
                            },
                            "spec": {
                                "template": {
                                    "spec": {
                                        "containers": [
                                            {"name": "sidecar"},
                                            {"name": "node", "image": "deep:1", "command": ["run", "a b"]},
                                        ]
                                    }
                                }
                            },
                        },
                    },
                ]
            }
        },
    },
}


def test_a_runtime_says_what_it_gives() -> None:
    found = model.read(RUNTIME, "ClusterTrainingRuntime")
    assert (found.framework, found.nodes, found.processes, found.policy) == ("deepspeed", 2, "4", "mpi")
    assert (found.image, found.command, found.gang) == ("deep:1", "run 'a b'", "coscheduling")
    assert [(step.name, step.does, step.after) for step in found.steps] == [
        ("data", "fetches the data set", ""),
        ("launcher", "trains", "data complete"),
    ]
    assert pages.facts(found)["Starts a script with"] == "mpirun"


def test_runtimes_that_are_deprecated_come_last() -> None:
    old = {"metadata": {"name": "a", "labels": {"trainer.kubeflow.org/support": "deprecated"}}}
    new = {"metadata": {"name": "b", "namespace": "n"}, "spec": {"mlPolicy": {"torch": {}}}}
    found = model.listed({"items": [old]}, {"items": [new]})
    assert [each.key for each in found] == ["TrainingRuntime/b", "ClusterTrainingRuntime/a"]
    assert [model.launcher(each) for each in found] == ["torchrun", "python"]


def test_the_form_begins_with_what_the_address_says() -> None:
    runtimes = model.listed({"items": [RUNTIME, {"metadata": {"name": "torch-distributed"}}]}, {})
    assert page._beginning({}, runtimes).runtime == "torch-distributed"
    begun = page._beginning({"runtime": "ClusterTrainingRuntime/deep"}, runtimes)
    assert (begun.runtime, begun.program.launcher) == ("deep", "mpirun")
    assert page._beginning({"kind": "TFJob"}, runtimes).kind == "TFJob"
    assert page._beginning({}, []).kind == "PyTorchJob"


def test_only_one_job_is_made_of_a_text() -> None:
    document, resource = one(
        "apiVersion: kubeflow.org/v2beta1\nkind: MPIJob\nmetadata: {name: x}\n", page._MAKING
    )
    assert (document.value["kind"], resource.version) == ("MPIJob", "v2beta1")
    for text in ("", "kind: Pod\napiVersion: v1\n", "a: b\n---\nc: d\n"):
        with pytest.raises(YamlError):
            one(text, page._MAKING)
