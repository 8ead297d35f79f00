"""What each policy of a runtime makes of a TrainJob. Cases by upstream's tests (kubeflow/trainer 2.3)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sampan.components.training.engine.trainer import plugins
from sampan.components.training.engine.trainer.contract import Info, Reporting, UnbuildableError
from sampan.components.training.engine.trainer.info import info_of

INDEX = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"


def replicated(name: str, ancestor: str = "", **pod_spec: Any) -> dict[str, Any]:
    pod_spec.setdefault("containers", [{"name": "node", "image": "a"}])
    template: dict[str, Any] = {"spec": {"template": {"spec": pod_spec}}}
    if ancestor:
        template["metadata"] = {"labels": {ANCESTOR: ancestor}}
    return {"name": name, "template": template}


def runtime(policy: dict[str, Any] | None, *jobs: dict[str, Any], **spec: Any) -> dict[str, Any]:
    job_set = {"replicatedJobs": list(jobs) or [replicated("node", "trainer")], **spec.pop("job_set", {})}
    found: dict[str, Any] = {"template": {"spec": job_set}, **spec}
    if policy is not None:
        found["mlPolicy"] = {"numNodes": 1, **policy}
    return {"metadata": {"name": "r"}, "spec": found}


def train_job(trainer: dict[str, Any] | None = None, runtime: str = "r", **spec: Any) -> dict[str, Any]:
    if trainer is not None:
        spec["trainer"] = trainer
    metadata = {"name": "job", "namespace": "team", "uid": "u"}
    return {"metadata": metadata, "spec": {"runtimeRef": {"name": runtime}, **spec}}


def enforced(job: dict[str, Any], runtime: dict[str, Any], reporting: Reporting | None = None) -> Info:
    before = deepcopy((job, runtime))
    info = info_of(job, runtime, reporting)
    plugins.enforce(info)
    assert (job, runtime) == before, "what is given stays as it is"
    return info


def environment(info: Info, container: str = "node", job: str = "node") -> dict[str, Any]:
    pods = info.by_name(job)
    assert pods is not None
    found = pods.any_container(container)
    assert found is not None
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in found.get("env") or ()}


def test_torch_tells_each_node_of_the_others() -> None:
    info = enforced(train_job({"numNodes": 2, "env": [{"name": "LR", "value": "1"}]}), runtime({"torch": {}}))
    assert environment(info) == {
        "LR": "1",
        "PET_NNODES": "2",
        "PET_NPROC_PER_NODE": "1",
        "PET_NODE_RANK": INDEX,
        "PET_MASTER_ADDR": "job-node-0-0.job",
        "PET_MASTER_PORT": "29500",
    }
    assert info.pod_sets[0].count == 2
    assert info.pod_sets[0].containers[0]["ports"] == [{"containerPort": 29500}]
    assert info.pod_sets[0].endpoints == ("job-node-0-0.job", "job-node-0-1.job")


@pytest.mark.parametrize(
    ("resources", "processes"),
    [
        (None, "1"),
        ({"requests": {"cpu": "4"}}, "4"),
        ({"limits": {"cpu": "4"}}, "4"),
        ({"limits": {"cpu": "8"}, "requests": {"cpu": "3"}}, "3"),
        ({"requests": {"cpu": "2500m"}}, "3"),
        ({"requests": {"cpu": "0.2"}}, "1"),
        ({"requests": {"nvidia.com/gpu": "2"}}, "auto"),
        ({"limits": {"nvidia.com/gpu": 2, "cpu": "8"}}, "auto"),
        ({"limits": {"nvidia.com/gpu": 0, "cpu": "8"}}, "8"),
    ],
)
def test_torch_counts_gpus_else_cpus(resources: Any, processes: str) -> None:
    trainer = {} if resources is None else {"resourcesPerNode": resources}
    assert (
        environment(enforced(train_job(trainer), runtime({"torch": {}})))["PET_NPROC_PER_NODE"] == processes
    )


def test_torch_takes_a_number_over_what_it_could_count() -> None:
    trainer = {"numProcPerNode": 3, "resourcesPerNode": {"limits": {"nvidia.com/gpu": 2}}}
    assert environment(enforced(train_job(trainer), runtime({"torch": {}})))["PET_NPROC_PER_NODE"] == "3"


def test_torch_counts_what_the_runtime_gives_where_the_job_says_nothing() -> None:
    container = {"name": "node", "image": "a", "resources": {"limits": {"cpu": "5"}}}
    found = runtime({"torch": {}}, replicated("node", "trainer", containers=[container]))
    assert environment(enforced(train_job({}), found))["PET_NPROC_PER_NODE"] == "5"
    # To say that there is nothing is to say something.
    empty = train_job({"resourcesPerNode": {}})
    assert environment(enforced(empty, found))["PET_NPROC_PER_NODE"] == "1"


@pytest.mark.parametrize(
    ("policy", "resources", "processes"),
    [
        ({"numProcPerNode": 2}, {"limits": {"nvidia.com/gpu": 4}}, "2"),
        ({"numProcPerNode": "3"}, {}, "3"),
        ({"numProcPerNode": "auto"}, {"limits": {"cpu": "4"}}, "4"),
        ({"numProcPerNode": "cpu"}, {"limits": {"nvidia.com/gpu": 4, "cpu": "6"}}, "6"),
        ({"numProcPerNode": "gpu"}, {"limits": {"cpu": "6"}}, "gpu"),
    ],
)
def test_torch_knows_what_policies_of_older_runtimes_say(policy: Any, resources: Any, processes: str) -> None:
    found = enforced(train_job({"resourcesPerNode": resources}), runtime({"torch": policy}))
    assert environment(found)["PET_NPROC_PER_NODE"] == processes


def test_torch_leaves_a_job_without_a_trainer_alone() -> None:
    assert environment(enforced(train_job(), runtime({"torch": {}}))) == {}


def test_torch_injects_into_the_containers_that_the_runtime_names() -> None:
    pods = replicated(
        "node",
        "trainer",
        initContainers=[{"name": "check", "image": "a"}, {"name": "other", "image": "a"}],
        containers=[{"name": "node", "image": "a"}, {"name": "sidecar", "image": "a"}],
    )
    targets = [{"jobName": "node", "containerNames": ["check", "sidecar"]}]
    policy = {"torch": {"envInjection": {"targets": targets}}}
    info = enforced(train_job({"numNodes": 2}), runtime(policy, pods))
    for name in ("check", "sidecar"):
        assert environment(info, name)["PET_NNODES"] == "2"
        assert environment(info, name)["PET_MASTER_ADDR"] == "job-node-0-0.job"
    assert environment(info, "other") == {}


@pytest.mark.parametrize(
    "target", [{"jobName": "node", "containerNames": ["gone"]}, {"jobName": "x", "containerNames": ["node"]}]
)
def test_torch_refuses_to_inject_into_what_is_not_there(target: Any) -> None:
    policy = {"torch": {"envInjection": {"targets": [target]}}}
    with pytest.raises(UnbuildableError, match="not found in runtime template"):
        enforced(train_job({}), runtime(policy))


def test_an_elastic_policy_is_a_range_and_a_rendezvous() -> None:
    policy = {"torch": {"elasticPolicy": {"minNodes": 1, "maxNodes": 3, "maxRestarts": 5}}}
    found = environment(enforced(train_job({"numNodes": 3}), runtime(policy)))
    assert found["PET_NNODES"] == "1:3"
    assert found["PET_RDZV_BACKEND"] == "c10d"
    assert found["PET_RDZV_ENDPOINT"] == "job-node-0-0.job:29500"
    assert found["PET_RDZV_ID"] == "job"
    assert found["PET_MAX_RESTARTS"] == "5"
    assert found["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"


def test_an_elastic_policy_without_a_range_is_refused() -> None:
    policy = {"torch": {"elasticPolicy": {"minNodes": 4, "maxNodes": 2}}}
    with pytest.raises(UnbuildableError, match="minNodes is 4 and maxNodes 2"):
        enforced(train_job({}), runtime(policy))


TUNED = [
    *("tune", "run", "--rdzv_endpoint=localhost:29500", "full_finetune_distributed", "--config", "x"),
    "dataset.data_dir=/d",
    "output_dir=/workspace/output",
    "tokenizer.path=/workspace/model/vocab.json",
]


@pytest.mark.parametrize(
    ("nodes", "gpus", "args", "command"),
    [
        (
            1,
            2,
            [],
            [
                "--rdzv_endpoint=job-node-0-0.job:29500",
                "full_finetune_distributed",
                "--config",
                "qwen2_5/1.5B_full",
            ],
        ),
        (1, 1, [], ["full_finetune_single_device", "--config", "qwen2_5/1.5B_full_single_device"]),
        (
            2,
            8,
            [],
            [
                "--rdzv_endpoint=job-node-0-0.job:29500",
                "full_finetune_distributed",
                "--config",
                "qwen2_5/1.5B_full_multinode",
            ],
        ),
        (
            1,
            1,
            ["model.lora_attn_modules=[q_proj]"],
            ["lora_finetune_single_device", "--config", "qwen2_5/1.5B_lora_single_device"],
        ),
        (
            1,
            1,
            ["model.lora_attn_modules=[q_proj]", "model.quantize_base=True"],
            ["lora_finetune_single_device", "--config", "qwen2_5/1.5B_qlora_single_device"],
        ),
        (
            1,
            1,
            ["model.lora_attn_modules=[q_proj]", "model.quantize_base=True", "model.use_dora=True"],
            ["lora_finetune_single_device", "--config", "qwen2_5/1.5B_lora_single_device"],
        ),
        (
            1,
            2,
            ["model.lora_attn_modules=[q_proj]", "model.quantize_base=False"],
            [
                "--rdzv_endpoint=job-node-0-0.job:29500",
                "lora_finetune_distributed",
                "--config",
                "qwen2_5/1.5B_lora",
            ],
        ),
    ],
)
def test_torchtune_gets_its_recipe(nodes: int, gpus: int, args: list[str], command: list[str]) -> None:
    container = {"name": "node", "image": "a", "command": TUNED}
    found = runtime({"torch": {}}, replicated("node", "trainer", containers=[container]))
    resources = {"limits": {"nvidia.com/gpu": gpus}}
    trainer = {"numNodes": nodes, "command": ["tune", "run"], "args": args, "resourcesPerNode": resources}
    info = enforced(train_job(trainer, runtime="torchtune-qwen2.5-1.5b"), found)
    assert info.trainer["command"] == [
        *("tune", "run", *command),
        "output_dir=/workspace/output",
        "tokenizer.path=/workspace/model/vocab.json",
    ]
    assert "PET_MASTER_ADDR" not in environment(info)
    assert environment(info)["PET_NNODES"] == str(nodes)


def test_jax_tells_processes_of_their_coordinator() -> None:
    info = enforced(train_job({"numNodes": 3}), runtime({"jax": {}}))
    assert environment(info) == {
        "JAX_NUM_PROCESSES": "3",
        "JAX_PROCESS_ID": INDEX,
        "JAX_COORDINATOR_ADDRESS": "job-node-0-0.job:29500",
    }
    assert info.pod_sets[0].containers[0]["ports"] == [{"containerPort": 29500}]


@pytest.mark.parametrize(
    ("limits", "workers"), [({}, "2"), ({"cpu": "8"}, "2"), ({"nvidia.com/gpu": "4"}, "8")]
)
def test_xgboost_has_a_worker_for_each_gpu_else_one_a_node(limits: Any, workers: str) -> None:
    trainer = {"numNodes": 2, "resourcesPerNode": {"limits": limits}}
    assert environment(enforced(train_job(trainer), runtime({"xgboost": {}}))) == {
        "DMLC_TRACKER_URI": "job-node-0-0.job",
        "DMLC_TRACKER_PORT": "29500",
        "DMLC_TASK_ID": INDEX,
        "DMLC_NUM_WORKER": workers,
    }


@pytest.mark.parametrize("policy", [None, {}])
def test_without_a_policy_there_are_only_nodes_and_their_own_environment(policy: Any) -> None:
    info = enforced(train_job({"numNodes": 4, "env": [{"name": "A", "value": "b"}]}), runtime(policy))
    assert info.pod_sets[0].count == 4
    assert environment(info) == {"A": "b"}


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(UnbuildableError, match=r"mlPolicy\.flux is not supported"):
        enforced(train_job({}), runtime({"flux": {"numProcPerNode": 1}}))


def test_the_runtimes_own_number_of_nodes_counts_where_the_job_names_none() -> None:
    found = runtime({"torch": {}})
    found["spec"]["mlPolicy"]["numNodes"] = 100
    info = enforced(train_job({}), found)
    assert info.pod_sets[0].count == 100
    assert environment(info)["PET_NNODES"] == "100"


def test_resources_of_the_job_are_merged_into_the_runtimes() -> None:
    container = {
        "name": "node",
        "resources": {"limits": {"cpu": "1", "memory": "4Gi"}, "requests": {"cpu": "1"}},
    }
    found = runtime({"torch": {}}, replicated("node", "trainer", containers=[container]))
    info = enforced(train_job({"resourcesPerNode": {"limits": {"cpu": "2"}}}), found)
    assert info.pod_sets[0].containers[0]["resources"] == {
        "limits": {"cpu": "2", "memory": "4Gi"},
        "requests": {"cpu": "1"},
    }


def test_trainers_are_told_where_to_tell_of_their_progress() -> None:
    info = enforced(train_job({}), runtime({"torch": {}}), Reporting("https://here", "PEM"))
    found = environment(info)
    path = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs/job/status"
    assert found["KUBEFLOW_TRAINER_SERVER_URL"] == "https://here" + path
    assert found["KUBEFLOW_TRAINER_SERVER_CA_CERT"] == "/var/run/secrets/kubeflow/trainer/ca.crt"
    assert found["KUBEFLOW_TRAINER_SERVER_TOKEN"] == "/var/run/secrets/kubeflow/trainer/token"
    pods = info.pod_sets[0]
    assert pods.containers[0]["volumeMounts"] == [
        {"name": "kubeflow-trainer-token", "mountPath": "/var/run/secrets/kubeflow/trainer", "readOnly": True}
    ]
    token, authority = pods.volumes[0]["projected"]["sources"]
    assert token["serviceAccountToken"] == {
        "audience": "trainer.kubeflow.org/v1alpha1/namespaces/team/trainjobs/job/status",
        "expirationSeconds": 3600,
        "path": "token",
    }
    assert authority["configMap"]["name"] == "job-tls-config"
    (config_map,) = [each for each in plugins.build(info, lambda *_: None) if each["kind"] == "ConfigMap"]
    assert config_map["metadata"]["name"] == "job-tls-config"
    assert config_map["data"] == {"ca.crt": "PEM"}


def test_a_runtime_without_jobs_is_refused() -> None:
    with pytest.raises(UnbuildableError, match="has no replicated jobs"):
        info_of(train_job({}), {"metadata": {"name": "r"}, "spec": {"template": {"spec": {}}}})


def test_what_is_no_quantity_is_named() -> None:
    with pytest.raises(UnbuildableError, match="cpu: 'many' is not a quantity"):
        enforced(train_job({"resourcesPerNode": {"limits": {"cpu": "many"}}}), runtime({"torch": {}}))
