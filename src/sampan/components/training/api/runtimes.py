"""The runtimes that Kubeflow Trainer comes with, by upstream's names, labels, policies and images.

For the controller that installs them, and for whoever lists what can be trained with. Source: kubeflow/trainer
manifests/base/runtimes, manifests/overlays/runtimes, v2.3. Without `torch-distributed-with-cache`, which needs the
data cache.
"""

from __future__ import annotations

from typing import Any

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES
from sampan.components.training.api.labels import TRAINER_ANCESTOR, TRAINER_FRAMEWORK
from sampan.kube.meta import Object

VERSION = "v2.3.0"
"""Of the trainer that this behaves as."""
_IMAGES = "ghcr.io/kubeflow/trainer"
_TORCH = "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime"
_JAX = "nvcr.io/nvidia/jax:25.10-py3"
_MPI_USER = 1000
_VALIDATED = "trainer.kubeflow.org/webhook-validation"
_DATASET = "hf://tatsu-lab/alpaca"
_VOLUME, _WORKSPACE = "initializer", "/workspace"
_TUNED_GPUS = 2


def shipped() -> tuple[Object, ...]:
    """Made anew on each call: nobody needs them for longer."""
    return (
        _runtime("torch-distributed", "torch", {"torch": {}}, {"replicatedJobs": [_nodes(_TORCH)]}),
        _runtime("jax-distributed", "jax", {"jax": {}}, {"replicatedJobs": [_nodes(_JAX)]}),
        _runtime(
            "xgboost-distributed",
            "xgboost",
            {"xgboost": {}},
            {"replicatedJobs": [_nodes(_trainer_image("xgboost-runtime"))]},
        ),
        _with_mpi("deepspeed"),
        _with_mpi("mlx"),
        _tuned("torchtune-llama3.2-1b", "llama3_2/1B_full", "meta-llama/Llama-3.2-1B-Instruct", _LLAMA),
        _tuned("torchtune-llama3.2-3b", "llama3_2/3B_full", "meta-llama/Llama-3.2-3B-Instruct", _LLAMA),
        _tuned("torchtune-qwen2.5-1.5b", "qwen2_5/1.5B_full", "Qwen/Qwen2.5-1.5B-Instruct", _QWEN),
    )


_LLAMA = ("tokenizer.path=/workspace/model/original/tokenizer.model",)
_QWEN = ("tokenizer.path=/workspace/model/vocab.json", "tokenizer.merges_file=/workspace/model/merges.txt")


def _runtime(name: str, framework: str, policy: dict[str, Any], job_set: Object) -> Object:
    return {
        "apiVersion": CLUSTER_TRAINING_RUNTIMES.api_version,
        "kind": CLUSTER_TRAINING_RUNTIMES.kind,
        "metadata": {"name": name, "labels": {TRAINER_FRAMEWORK: framework, _VALIDATED: "disabled"}},
        "spec": {"mlPolicy": {"numNodes": 1, **policy}, "template": {"spec": job_set}},
    }


def _trainer_image(name: str) -> str:
    return f"{_IMAGES}/{name}:{VERSION}"


def _job(name: str, pod_spec: Object, ancestor: str = "", **fields: Any) -> Object:
    template: Object = {"spec": {"template": {"spec": pod_spec}}}
    if ancestor:
        template["metadata"] = {"labels": {TRAINER_ANCESTOR: ancestor}}
    return {"name": name, **fields, "template": template}


def _nodes(image: str) -> Object:
    return _job("node", {"containers": [{"name": "node", "image": image}]}, "trainer")


def _with_mpi(framework: str) -> Object:
    """The launcher is the first node; the others wait for it with an ssh server."""
    image = _trainer_image(f"{framework}-runtime")
    policy = {
        "numProcPerNode": 1,
        "mpiImplementation": "OpenMPI",
        "sshAuthMountPath": "/home/mpiuser/.ssh",
        "runLauncherAsNode": True,
    }
    container = {"name": "node", "image": image, "securityContext": {"runAsUser": _MPI_USER}}
    server = {
        **container,
        "command": ["/usr/sbin/sshd"],
        "args": ["-De", "-f", "/home/mpiuser/.sshd_config"],
        "readinessProbe": {"tcpSocket": {"port": 2222}, "initialDelaySeconds": 5},
    }
    pod = {"securityContext": {"fsGroup": _MPI_USER}}
    ready = [{"name": "node", "status": "Ready"}]
    job_set = {
        "network": {"publishNotReadyAddresses": True},
        "successPolicy": {"operator": "All", "targetReplicatedJobs": ["launcher"]},
        "replicatedJobs": [
            _job("node", {**pod, "containers": [server]}),
            _job("launcher", {**pod, "containers": [container]}, "trainer", dependsOn=ready),
        ],
    }
    return _runtime(f"{framework}-distributed", framework, {"mpi": policy}, job_set)


def _tuned(name: str, config: str, model: str, tokenizer: tuple[str, ...]) -> Object:
    """Fine-tuning: data set and model are fetched into a volume of the job's own before it trains."""
    claim = {
        "metadata": {"name": _VOLUME},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
    }
    trainer = {
        "name": "node",
        "image": _trainer_image("torchtune-trainer"),
        "command": [
            *(
                "tune",
                "run",
                "--rdzv_endpoint=localhost:29500",
                "full_finetune_distributed",
                "--config",
                config,
            ),
            "dataset=torchtune.datasets.instruct_dataset",
            "dataset.source=parquet",
            "dataset.data_dir=/workspace/dataset/data",
            "output_dir=/workspace/output",
            *tokenizer,
            "checkpointer.checkpoint_dir=/workspace/model",
        ],
        "resources": {"limits": {"nvidia.com/gpu": _TUNED_GPUS}},
        "volumeMounts": [_mount()],
    }
    complete = [{"name": each, "status": "Complete"} for each in ("dataset-initializer", "model-initializer")]
    job_set = {
        "volumeClaimPolicies": [{"templates": [claim]}],
        "replicatedJobs": [
            _initializer("dataset-initializer", _DATASET),
            _initializer("model-initializer", f"hf://{model}"),
            _job("node", {"containers": [trainer]}, "trainer", dependsOn=complete),
        ],
    }
    return _runtime(name, "torchtune", {"torch": {}}, job_set)


def _initializer(name: str, uri: str) -> Object:
    container = {
        "name": name,
        "image": _trainer_image(name),
        "env": [{"name": "STORAGE_URI", "value": uri}],
        "volumeMounts": [_mount()],
    }
    return _job(name, {"containers": [container]}, name)


def _mount() -> Object:
    return {"name": _VOLUME, "mountPath": _WORKSPACE}
