"""What a script trains with, by what it imports; and which job, image and program that means. Pure.

Runtimes are those of kubeflow/trainer 2.3 manifests/base/runtimes, images those that upstream's runtimes and examples
name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Framework:
    name: str
    title: str
    modules: frozenset[str]
    kind: str
    """Of the Training Operator."""
    runtime: str
    """Of Trainer; empty where it has none."""
    image: str
    """Where neither a runtime nor the user names one."""
    program: tuple[str, ...] = ("python",)
    """What is put before the script."""


_PYTHON = f"python:{sys.version_info.major}.{sys.version_info.minor}"

FRAMEWORKS: tuple[Framework, ...] = (
    Framework(
        "deepspeed",
        "DeepSpeed",
        frozenset({"deepspeed"}),
        "PyTorchJob",
        "torch-distributed",
        "ghcr.io/kubeflow/trainer/deepspeed-runtime:v2.3.0",
        ("torchrun",),
    ),
    Framework(
        "mpi",
        "MPI",
        frozenset({"mpi4py", "horovod"}),
        "MPIJob",
        "",
        "mpioperator/openmpi:v0.8.0",
    ),
    Framework(
        "tensorflow",
        "TensorFlow",
        frozenset({"tensorflow", "keras", "tf_keras"}),
        "TFJob",
        "",
        "tensorflow/tensorflow:2.18.0",
    ),
    Framework(
        "jax",
        "JAX",
        frozenset({"jax", "flax", "optax", "equinox"}),
        "JAXJob",
        "jax-distributed",
        "nvcr.io/nvidia/jax:25.10-py3",
    ),
    Framework(
        "paddle",
        "PaddlePaddle",
        frozenset({"paddle"}),
        "PaddleJob",
        "",
        "paddlepaddle/paddle:3.0.0",
    ),
    Framework(
        "torch",
        "PyTorch",
        frozenset(
            {
                "torch",
                "torchvision",
                "torchaudio",
                "lightning",
                "pytorch_lightning",
                "accelerate",
                "transformers",
            }
            | {"trl", "peft", "torchtune", "torchtitan"}
        ),
        "PyTorchJob",
        "torch-distributed",
        "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime",
        ("torchrun",),
    ),
    Framework(
        "xgboost",
        "XGBoost",
        frozenset({"xgboost"}),
        "XGBoostJob",
        "xgboost-distributed",
        "ghcr.io/kubeflow/trainer/xgboost-runtime:v2.3.0",
    ),
)
"""The first that a script imports is the one it trains with: those that build on others come before them."""
PLAIN = Framework("python", "Python", frozenset(), "PyTorchJob", "torch-distributed", _PYTHON)
"""Anything else: what PyTorch is told (MASTER_ADDR, RANK, WORLD_SIZE) is what programs without a framework look for."""


def framework_of(imported: Iterable[str]) -> Framework:
    """By names of modules, as `torch` or `torch.nn`."""
    roots = {name.partition(".")[0] for name in imported}
    return next((each for each in FRAMEWORKS if roots & each.modules), PLAIN)


def of_kind(kind: str) -> Framework:
    """What jobs of a kind of the Training Operator train with. Raises LookupError."""
    for each in (*FRAMEWORKS[::-1], PLAIN):
        if each.kind == kind:
            return each
    raise LookupError(kind)


def of_runtime(runtime: str, label: str) -> Framework:
    """By a runtime's name, or the framework that its label names."""
    names = (label, runtime.partition("-")[0])
    return next((each for name in names for each in FRAMEWORKS if each.name == name), PLAIN)


def kinds() -> Sequence[str]:
    return sorted({each.kind for each in FRAMEWORKS})
