"""The JobSet of a TrainJob: its runtime's template, with what plugins and the TrainJob itself have to say.

The last plugin. Source: kubeflow/trainer pkg/runtime/framework/plugins/jobset/{jobset,builder}.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.training.engine.trainer.contract import (
    DATASET_INITIALIZER,
    MODEL_INITIALIZER,
    NODE,
    TRAINER,
    Info,
    Plugin,
    PodSet,
    Present,
)
from sampan.components.training.engine.trainer.upserts import upsert_env, value
from sampan.kube import meta
from sampan.kube.kinds import JOB_SETS
from sampan.kube.meta import Object

INITIALIZER_PARTS = {DATASET_INITIALIZER: "dataset", MODEL_INITIALIZER: "model"}
"""Ancestors, and the field of `spec.initializer` that is for each."""


def identify(info: Info) -> None:
    network = info.job_set_spec.get("network") or {}
    subdomain = network.get("subdomain") or info.name
    for pods, replicated in zip(info.pod_sets, _replicated(info), strict=True):
        replicas = replicated.get("replicas")
        pods.endpoints = tuple(
            f"{info.name}-{pods.name}-{replica}-{pod}.{subdomain}"
            for replica in range(1 if replicas is None else int(replicas))
            for pod in range(pods.count)
        )


def build(info: Info, present: Present) -> Sequence[Object]:
    """A set that runs stays as it is: its Jobs could not follow."""
    there = present(JOB_SETS, info.name)
    if there is not None and not info.is_suspended and not meta.spec(there).get("suspend"):
        return ()
    for pods, replicated in zip(info.pod_sets, _replicated(info), strict=True):
        job_spec = replicated["template"]["spec"]
        job_spec["parallelism"] = job_spec["completions"] = pods.count
        if pods.ancestor in (TRAINER, *INITIALIZER_PARTS):
            replicated["replicas"] = 1
        _initialise(info, pods)
        _train(info, pods)
        _mark(pods, job_spec["template"])
    metadata: Object = {"name": info.name}
    for key, found in (("labels", info.labels), ("annotations", info.annotations)):
        if found:
            metadata[key] = found
    spec = {**info.job_set_spec, "suspend": info.is_suspended}
    return ({"apiVersion": JOB_SETS.api_version, "kind": JOB_SETS.kind, "metadata": metadata, "spec": spec},)


def _replicated(info: Info) -> Sequence[Object]:
    found: Sequence[Object] = info.job_set_spec.get("replicatedJobs") or ()
    return found


def _initialise(info: Info, pods: PodSet) -> None:
    part = INITIALIZER_PARTS.get(pods.ancestor)
    initializer: Mapping[str, Any] = meta.spec(info.train_job).get("initializer") or {}
    wanted = initializer.get(part) if part is not None else None
    container = pods.container(pods.ancestor)
    if wanted is None or container is None:
        return
    if wanted.get("storageUri") is not None:
        upsert_env(container, [value("STORAGE_URI", wanted["storageUri"])])
    upsert_env(container, wanted.get("env") or ())
    if secret := (wanted.get("secretRef") or {}).get("name"):
        container.setdefault("envFrom", []).append({"secretRef": {"name": secret}})


def _train(info: Info, pods: PodSet) -> None:
    container = pods.container(NODE)
    if container is None:
        return
    if pods.ancestor == TRAINER:
        for key in ("image", "command", "args"):
            if info.trainer.get(key) is not None:
                container[key] = info.trainer[key]
    runs_ranks = bool((info.ml_policy.get("mpi") or {}).get("runLauncherAsNode")) and pods.name == NODE
    if pods.ancestor == TRAINER or runs_ranks:
        upsert_env(container, info.trainer.get("env") or ())


def _mark(pods: PodSet, pod_template: Object) -> None:
    for key, found in (("labels", pods.labels), ("annotations", pods.annotations)):
        if found:
            metadata = pod_template.setdefault("metadata", {})
            metadata[key] = {**(metadata.get(key) or {}), **found}


PLUGIN = Plugin(
    "jobset",
    identify_pod_network=identify,
    build=build,
    looks_up=lambda info: [(JOB_SETS, info.name)],
)
