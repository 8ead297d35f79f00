"""The policy `torch`: torchrun's environment, and torchtune's command line.

A node runs as many processes as it has GPUs, else CPUs. Source: kubeflow/trainer
pkg/runtime/framework/plugins/torch/torch.go, v2.3; `numProcPerNode` and `elasticPolicy` of the policy itself:
pkg/apis/trainer/v1alpha1/trainingruntime_types.go (TorchMLPolicySource), v2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.engine.trainer import resources, torchtune
from sampan.components.training.engine.trainer.contract import (
    COMPLETION_INDEX_PATH,
    NODE,
    TRAINER,
    TRAINER_PORT,
    Info,
    Plugin,
    UnbuildableError,
)
from sampan.components.training.engine.trainer.upserts import from_field, upsert_env, upsert_port, value
from sampan.kube.meta import Object

AUTO = "auto"


def enforce(info: Info) -> None:
    policy = info.ml_policy.get("torch")
    if policy is None:
        return
    pods = info.by_ancestor(TRAINER)
    wanted = info.trainer.get("numNodes")
    if pods is not None and wanted is not None:
        pods.count = int(wanted)
    nodes = pods.count if pods is not None else 1
    available = resources.per_node(info)
    processes = processes_per_node(info, policy, available)
    cluster = [
        value("PET_NNODES", _node_range(policy, nodes)),
        value("PET_NPROC_PER_NODE", processes),
        from_field("PET_NODE_RANK", COMPLETION_INDEX_PATH),
    ]
    master = [value("PET_MASTER_ADDR", master_address(info)), value("PET_MASTER_PORT", TRAINER_PORT)]
    container = info.trainer_container() if info.has_trainer else None
    if container is not None:
        upsert_env(container, info.trainer.get("env") or ())
        upsert_env(container, cluster)
        if torchtune.is_used(info):
            torchtune.complete_command(info, nodes, processes, resources.gpus(available))
        else:
            upsert_env(container, master)
            upsert_env(container, _elastic(info, policy))
        upsert_port(container, TRAINER_PORT)
    for target in (policy.get("envInjection") or {}).get("targets") or ():
        _inject(info, target, [*cluster, *master])


def processes_per_node(info: Info, policy: Mapping[str, Any], available: Mapping[str, Any]) -> int | str:
    """A number, or `auto` where torchrun is to count the node's GPUs."""
    wanted = info.trainer.get("numProcPerNode")
    if wanted is None:
        wanted = policy.get("numProcPerNode")
    if wanted is not None and str(wanted) not in (AUTO, "cpu", "gpu"):
        return int(wanted)
    if wanted == "gpu" or (wanted != "cpu" and resources.gpus(available)):
        return AUTO if wanted is None else str(wanted)
    return max(1, resources.cpus(available))


def master_address(info: Info) -> str:
    """The first node's name; upstream takes its Service's name for the JobSet's, whatever the template says."""
    return f"{info.name}-{NODE}-0-0.{info.name}"


def _node_range(policy: Mapping[str, Any], nodes: int) -> str:
    elastic = policy.get("elasticPolicy")
    if elastic is None:
        return str(nodes)
    least, most = int(elastic.get("minNodes") or 1), int(elastic.get("maxNodes") or nodes)
    if not 1 <= least <= most:
        raise UnbuildableError(
            f"mlPolicy.torch.elasticPolicy: minNodes is {least} and maxNodes {most}; minNodes must be at least 1 and "
            "at most maxNodes"
        )
    return f"{least}:{most}"


def _elastic(info: Info, policy: Mapping[str, Any]) -> list[Object]:
    elastic = policy.get("elasticPolicy")
    if elastic is None:
        return []
    rendezvous = [
        value("PET_RDZV_BACKEND", "c10d"),
        value("PET_RDZV_ENDPOINT", f"{master_address(info)}:{TRAINER_PORT}"),
        value("PET_RDZV_ID", info.name),
        # Else a node that joins a later round waits for an address that the others told in the first one only.
        value("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", 1),
    ]
    restarts = elastic.get("maxRestarts")
    return rendezvous if restarts is None else [*rendezvous, value("PET_MAX_RESTARTS", restarts)]


def _inject(info: Info, target: Mapping[str, Any], variables: list[Object]) -> None:
    pods = info.by_name(str(target.get("jobName")))
    for name in target.get("containerNames") or ():
        container = pods.any_container(str(name)) if pods is not None else None
        if container is None:
            raise UnbuildableError(
                f'envInjection target podSet "{target.get("jobName")}" container "{name}" not found in runtime '
                "template"
            )
        upsert_env(container, variables)


PLUGIN = Plugin("torch", enforce_ml_policy=enforce)
