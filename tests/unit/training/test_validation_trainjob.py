"""What of TrainJobs and runtimes is refused. Cases by upstream's tests of webhooks and plugins (trainer 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES
from sampan.components.training.engine.validation import runtimes, trainjob
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import JOB_SETS, PRIORITY_CLASSES, Resource
from sampan.kube.meta import Object

ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"
TARGETS = {"envInjection": {"targets": [{"jobName": "node", "containerNames": ["helper"]}]}}


def container(name: str, *mounts: str, **more: Any) -> Object:
    return {
        "name": name,
        "image": "x",
        "volumeMounts": [{"name": each, "mountPath": "/w"} for each in mounts],
        **more,
    }


def replicated(name: str, *containers: Object, ancestor: str = "", **pod: Any) -> Object:
    metadata = {"labels": {ANCESTOR: ancestor}} if ancestor else {}
    spec = {"template": {"spec": {"containers": list(containers), **pod}}}
    return {"name": name, "replicas": 1, "template": {"metadata": metadata, "spec": spec}}


NODE = replicated("node", container("node"), ancestor="trainer")
DATASET = replicated("dataset-initializer", container("dataset-initializer", "initializer"))
MODEL = replicated("model-initializer", container("model-initializer", "initializer"))


def runtime(*jobs: Object, kind: str = "ClusterTrainingRuntime", **spec: Any) -> Object:
    return {
        "kind": kind,
        "metadata": {"name": "mine"},
        "spec": {"template": {"spec": {"replicatedJobs": list(jobs or (NODE,))}}, **spec},
    }


def job(**spec: Any) -> Object:
    return {
        "kind": "TrainJob",
        "metadata": {"name": "j", "namespace": "ns"},
        "spec": {"runtimeRef": {"name": "mine"}, **spec},
    }


class There:
    """What the API server has."""

    def __init__(self, objects: Mapping[tuple[Resource, str], Object]) -> None:
        self._objects = objects

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        assert bool(namespace) == resource.namespaced
        return self._objects.get((resource, name))


def problems(
    obj: Object,
    there: Object | None = None,
    old: Object | None = None,
    others: Mapping[tuple[Resource, str], Object] | None = None,
) -> dict[str, str]:
    errors = FieldErrors()
    found = {(CLUSTER_TRAINING_RUNTIMES, "mine"): there or runtime(), **(others or {})}
    trainjob.check(obj, old, There(found), errors)
    return {cause.field: cause.message for cause in errors.causes}


# The runtime it names.


def test_a_runtime_must_be_there_when_a_train_job_is_made() -> None:
    missing = job(runtimeRef={"name": "other"})
    assert problems(missing)["spec.runtimeRef"].endswith(
        'ClusterTrainingRuntime.trainer.kubeflow.org "other" not found: '
        "specified clusterTrainingRuntime must be created before the TrainJob is created"
    )
    assert problems(missing, old=missing) == {}
    namespaced = job(runtimeRef={"name": "mine", "kind": "TrainingRuntime"})
    assert "specified trainingRuntime must be created" in problems(namespaced)["spec.runtimeRef"]
    assert problems(namespaced, others={(TRAINING_RUNTIMES, "mine"): runtime()}) == {}


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ({"kind": "Recipe"}, "Recipe.trainer.kubeflow.org"),
        ({"apiGroup": "example.com"}, "ClusterTrainingRuntime.example.com"),
    ],
)
def test_kinds_of_runtimes_that_nobody_acts_on(reference: dict[str, str], named: str) -> None:
    found = problems(job(runtimeRef={"name": "mine", **reference}))
    assert found["spec.runtimeRef"].endswith(f"unsupported runtime: {named}")


# Initializers.


@pytest.mark.parametrize(
    ("key", "config", "step", "good"),
    [
        ("dataset", "datasetConfig", "dataset-initializer", DATASET),
        ("model", "modelConfig", "model-initializer", MODEL),
    ],
)
def test_an_initializer_needs_its_place_in_the_runtime(
    key: str, config: str, step: str, good: Object
) -> None:
    obj = job(initializer={key: {"storageUri": "hf://a/b"}})
    assert problems(obj, runtime(NODE, good)) == {}
    for jobs, message in (
        ((NODE,), f"must have {step} job when trainJob is configured with input {config}"),
        (
            (replicated(step, container("other")),),
            f"must have container with name - {step} in the {step} job",
        ),
        (
            (replicated(step, container(step)),),
            f"must have volumeMount with name - initializer in container {step} of the {step} job",
        ),
    ):
        assert problems(obj, runtime(*jobs))["spec.runtimeRef"].endswith(message)


def test_a_patch_may_bring_the_mount() -> None:
    step = "dataset-initializer"
    obj = job(
        initializer={"dataset": {}},
        runtimePatches=[patch(step, containers=[container(step, "initializer")])],
    )
    assert problems(obj, runtime(replicated(step, container(step)))) == {}


# Patches.


def patch(name: str, manager: str = "me.io/it", **pod: Any) -> Object:
    template = {"spec": {"template": {"spec": pod}}}
    spec = {"replicatedJobs": [{"name": name, "template": template}]}
    return {"manager": manager, "trainingRuntimeSpec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (patch("nowhere"), "must not have replicated job that doesn't exist in the runtime job template"),
        (
            patch("node", initContainers=[{"name": "x"}]),
            "must not have initContainer that doesn't exist in the runtime job node",
        ),
        (
            patch("node", containers=[{"name": "x"}]),
            "must not have container that doesn't exist in the runtime job node",
        ),
        (
            patch("node", containers=[{"name": "node", "env": [{"name": "A"}]}]),
            "must not have envs for the dataset-initializer, model-initializer, node containers",
        ),
    ],
)
def test_a_patch_is_about_what_is_there(change: Object, message: str) -> None:
    assert problems(job(runtimePatches=[change]))["spec.runtimePatches"].endswith(message)


def test_patches_that_are_right() -> None:
    helped = runtime(
        replicated("node", container("node"), container("helper"), initContainers=[container("first")])
    )
    pod = {"containers": [{"name": "helper", "env": [{"name": "A"}]}], "initContainers": [{"name": "first"}]}
    assert problems(job(runtimePatches=[patch("node", **pod)]), helped) == {}
    assert problems(job(runtimePatches=[{"manager": "kueue.x-k8s.io/manager"}])) == {}


@pytest.mark.parametrize(
    ("manager", "message"),
    [
        ("me", 'must be a domain-prefixed path (such as "acme.io/foo")'),
        ("/me", "must be a domain-prefixed path"),
        ("me.io/", "must be a domain-prefixed path"),
        ("Me.io/it", "a lowercase RFC 1123 subdomain must consist of"),
        ("me.io/i t", "invalid path (e.g. '/path'"),
        ("", "Required value"),
    ],
)
def test_who_makes_a_patch(manager: str, message: str) -> None:
    assert message in problems(job(runtimePatches=[{"manager": manager}]))["spec.runtimePatches.manager"]


@pytest.mark.parametrize(
    ("before", "after", "may"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_patches_change_while_the_job_is_suspended(before: bool, after: bool, may: bool) -> None:
    old = job(suspend=before)
    new = job(suspend=after, runtimePatches=[patch("node", nodeSelector={"a": "b"})])
    message = "RuntimePatches can only be modified when the TrainJob is suspended before or after the update"
    assert problems(new, old=old) == ({} if may else {"spec.runtimePatches": f"Forbidden: {message}"})


def test_patches_wait_until_nothing_runs_any_more() -> None:
    def running(active: int) -> dict[str, str]:
        status = {"replicatedJobsStatus": [{"name": "node", "active": active}]}
        others = {(JOB_SETS, "j"): {"status": status}}
        new = job(suspend=True, runtimePatches=[patch("node")])
        return problems(new, old=job(suspend=True), others=others)

    assert running(0) == {}
    assert running(1) == {
        "spec.runtimePatches": "Forbidden: RuntimePatches cannot be modified when the JobSet's ReplicatedJob node is "
        "still active"
    }


# Policies.


def with_env(*names: str, **trainer: Any) -> Object:
    return job(trainer={"env": [{"name": name, "value": "1"} for name in names], **trainer})


@pytest.mark.parametrize(
    ("policy", "names", "listed"),
    [
        ("torch", ("PET_NNODES", "A", "PET_MASTER_ADDR"), "[PET_MASTER_ADDR PET_NNODES]"),
        (
            "torch",
            ("PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_PORT"),
            "[PET_MASTER_PORT PET_NODE_RANK PET_N",
        ),
        (
            "mpi",
            ("OMPI_MCA_orte_default_hostfile", "OMPI_MCA_plm_rsh_args"),
            "[OMPI_MCA_orte_default_hostfile OMPI_M",
        ),
        ("mpi", ("OMPI_MCA_orte_keep_fqdn_hostnames",), "[OMPI_MCA_orte_keep_fqdn_hostnames]"),
        ("mpi", ("OMPI_MCA_orte_set_default_slots",), "[OMPI_MCA_orte_set_default_slots]"),
    ],
)
def test_reserved_environment(policy: str, names: tuple[str, ...], listed: str) -> None:
    found = problems(with_env(*names), runtime(mlPolicy={policy: {}}))["spec.trainer.env"]
    assert f"must not have reserved envs, invalid envs configured: {listed}" in found
    assert problems(with_env(*names), runtime(mlPolicy={"jax": {}})) == {}


def test_reserved_environment_of_xgboost() -> None:
    obj = with_env("A", "DMLC_TASK_ID", "DMLC_NUM_WORKER")
    assert problems(obj, runtime(mlPolicy={"xgboost": {}})) == {
        "spec.trainer.env[1]": "Forbidden: DMLC_TASK_ID is reserved for the XGBoost runtime",
        "spec.trainer.env[2]": "Forbidden: DMLC_NUM_WORKER is reserved for the XGBoost runtime",
    }


def test_environment_for_containers_that_are_not_there() -> None:
    found = problems(job(), runtime(mlPolicy={"torch": TARGETS}))["spec.runtimeRef"]
    assert found.endswith(
        'envInjection target podSet "node" container "helper" not found in runtime template'
    )
    helped = runtime(replicated("node", container("node"), container("helper")), mlPolicy={"torch": TARGETS})
    assert problems(job(), helped) == {}


def test_mpi_without_launcher_has_one_node() -> None:
    alone = runtime(mlPolicy={"mpi": {"runLauncherAsNode": True}})
    obj = job(trainer={"numNodes": 2})
    assert problems(obj, alone)["spec.trainer.numNodes"].endswith(
        "must have 1 when MPI trainingRuntime with enabled runLauncherAsNode does not have either launcher and node"
    )
    assert problems(job(trainer={"numNodes": 1}), alone) == {}
    assert problems(obj, runtime(mlPolicy={"mpi": {}})) == {}
    both = runtime(
        NODE, replicated("launcher", container("node")), mlPolicy={"mpi": {"runLauncherAsNode": True}}
    )
    assert problems(obj, both) == {}


def test_flux() -> None:
    assert problems(job(trainer={"numProcPerNode": 0}), runtime(mlPolicy={"flux": {}})) == {
        "spec.trainer.numProcPerNode": "Invalid value: 0: must be greater than or equal to 1 for Flux TrainJob"
    }
    taken = runtime(
        replicated("node", container("node"), initContainers=[container("flux-installer")]),
        mlPolicy={"flux": {}},
    )
    assert (
        "InitContainer 'flux-installer' is reserved" in problems(job(), taken)["spec.trainer.initContainers"]
    )


# torchtune.


def tune(runtime_name: str, *args: str, node: Object = NODE, **trainer: Any) -> dict[str, str]:
    made = {"command": ["tune", "run"], "args": list(args), **trainer}
    others = {(CLUSTER_TRAINING_RUNTIMES, runtime_name): runtime(node, mlPolicy={"torch": {}})}
    return problems(job(runtimeRef={"name": runtime_name}, trainer=made), others=others)


QLORA = ("model.lora_attn_modules=['q_proj']", "model.quantize_base=True")
ONE_GPU = {"limits": {"nvidia.com/gpu": 1}}


def test_torchtune_knows_some_models() -> None:
    assert tune("torchtune-llama3.2-1b") == {}
    assert (
        "must have a supported pretrained model, invalid model configured: "
        in tune("mine-x")["spec.runtimeRef.name"]
    )
    assert tune("torchtune-gpt2-small")["spec.runtimeRef.name"].endswith("configured: gpt2/SMALL")


def test_torchtune_on_many_nodes() -> None:
    assert tune("torchtune-llama3.2-1b", numNodes=2)["spec.trainer.numNodes"].endswith(
        "must be 1 for llama3_2/1B model"
    )
    assert tune("torchtune-llama3.3-70b", numNodes=2) == {}
    for args in (QLORA[:1], QLORA[1:]):
        assert tune("torchtune-llama3.3-70b", *args, numNodes=2)["spec.trainer.numNodes"].endswith(
            "LoRA fine-tuning is not supported for multi-node training in TorchTune"
        )


def test_torchtune_with_qlora() -> None:
    assert tune("torchtune-qwen2.5-1.5b", *QLORA, resourcesPerNode=ONE_GPU)["spec.runtimeRef.name"].endswith(
        "QLoRA is not supported for qwen2_5/1.5B model"
    )
    found = tune("torchtune-llama3.2-3b", *QLORA, numProcPerNode=2)
    assert found["spec.trainer.numProcPerNode"].endswith(
        "must be auto or 1 for llama3_2/3B model when using QLoRA"
    )
    assert found["spec.trainer.resourcesPerNode"].endswith(
        "must have gpu resource with value 1 for llama3_2/3B model when using QLoRA"
    )
    assert tune("torchtune-llama3.2-3b", *QLORA, resourcesPerNode=ONE_GPU) == {}
    assert tune("torchtune-llama3.2-3b", *QLORA, "model.use_dora=True", numProcPerNode=2) == {}


@pytest.mark.parametrize(
    "key", ["output_dir", "tokenizer.path", "checkpointer.checkpoint_dir", "tokenizer.merges_file"]
)
def test_torchtune_arguments_of_the_runtime(key: str) -> None:
    assert tune("torchtune-llama3.2-1b", "epochs=1", f"{key}=/x") == {
        "spec.trainer.args[1]": f'Invalid value: "{key}=/x": must not set immutable config "{key}" in trainer args; '
        "it is managed by the runtime"
    }


# Volcano.


def test_volcano() -> None:
    def gang(priority: str, queue: str | None = None) -> Object:
        made = runtime(
            replicated("node", container("node"), priorityClassName=priority), podGroupPolicy={"volcano": {}}
        )
        if queue is not None:
            made["spec"]["template"]["metadata"] = {
                "annotations": {"scheduling.volcano.sh/queue-name": queue}
            }
        return made

    found = problems(job(), gang("high"))["spec.templateSpec.priorityClassName"]
    assert 'PriorityClass "high" doesn\'t exist: ' in found
    assert problems(job(), gang("high"), others={(PRIORITY_CLASSES, "high"): {}}) == {}
    assert problems(job(), gang("system-node-critical", "q")) == {}
    queue = "spec.annotations[scheduling.volcano.sh/queue-name]"
    assert problems(job(), gang("system-node-critical", "")) == {
        queue: 'Invalid value: "": Volcano queue name must not be empty'
    }


# Runtimes.


def runtime_problems(obj: Object, old: Object | None = None) -> dict[str, str]:
    errors = FieldErrors()
    runtimes.check(obj, old, errors)
    return {cause.field: cause.message for cause in errors.causes}


@pytest.mark.parametrize("kind", ["ClusterTrainingRuntime", "TrainingRuntime"])
def test_runtimes(kind: str) -> None:
    path = "spec.template.spec.replicatedJobs[1]"
    wrong = replicated("node", container("other"), ancestor="trainer")
    wrong["replicas"] = 2
    obj = runtime(DATASET, wrong, kind=kind)
    found = runtime_problems(obj)
    assert found[f"{path}.replicas"] == "Invalid value: 2: always must be 1"
    assert found[f"{path}.template.spec.template.spec.containers"].endswith(
        "must contain the required container for the ancestor: trainer"
    )
    assert bool(runtime_problems(obj, obj)) == (kind == "ClusterTrainingRuntime")
    spared = deepcopy(obj)
    spared["metadata"]["labels"] = {"trainer.kubeflow.org/webhook-validation": "disabled"}
    assert runtime_problems(spared) == {}
    assert (
        runtime_problems(runtime(NODE, replicated("other", container("any"), ancestor="other"), kind=kind))
        == {}
    )


@pytest.mark.parametrize("nonsense", [None, [], "x", {"replicatedJobs": [None, {"name": 1, "template": []}]}])
def test_nonsense_is_nobodys_end(nonsense: Any) -> None:
    there = runtime()
    there["spec"]["template"]["spec"] = nonsense
    there["spec"]["mlPolicy"] = nonsense
    assert problems(job(trainer=nonsense, runtimePatches=nonsense, initializer=nonsense), there) == {}
    assert runtime_problems(there) == {}


def test_torchtune_counts_the_gpus_of_the_runtimes_trainer_whatever_it_is_called() -> None:
    node = replicated("tuner", container("node", resources=ONE_GPU), ancestor="trainer")
    assert tune("torchtune-llama3.2-3b", *QLORA, node=node) == {}
    assert "spec.trainer.resourcesPerNode" in tune(
        "torchtune-llama3.2-3b", *QLORA, node=node, resourcesPerNode={}
    )
