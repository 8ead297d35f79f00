"""How many GPUs and CPUs a training node has, as its policies count them. Pure.

Source: kubeflow/trainer pkg/runtime/runtime.go (GetNumGPUPerNode), framework/plugins/torch/torch.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.engine.trainer.contract import NODE, TRAINER, Info, UnbuildableError
from sampan.kube import quantities
from sampan.kube.meta import Object


def per_node(info: Info) -> Mapping[str, Any]:
    """`limits` and `requests`: the TrainJob's own where it says any, be it none, else the runtime's."""
    wanted: Mapping[str, Any] | None = info.trainer.get("resourcesPerNode")
    return wanted if wanted is not None else _of_runtime(info) or {}


def gpus(resources: Mapping[str, Any]) -> int:
    """Of the first resource whose name has `gpu` in it: requests first."""
    for key in ("requests", "limits"):
        if count := _gpus(resources.get(key) or {}):
            return count
    return 0


def cpus(resources: Mapping[str, Any]) -> int:
    """The request, else the limit, rounded up; 0 where neither is there."""
    for key in ("requests", "limits"):
        if count := _whole("cpu", (resources.get(key) or {}).get("cpu")):
            return count
    return 0


def merged(base: Mapping[str, Any] | None, override: Mapping[str, Any]) -> Object:
    """Limits and requests, each by name: what the TrainJob does not name stays the runtime's."""
    result: Object = {}
    for key in ("limits", "requests"):
        both = {**((base or {}).get(key) or {}), **(override.get(key) or {})}
        if both:
            result[key] = both
    return result


def _of_runtime(info: Info) -> Mapping[str, Any] | None:
    for pods in info.pod_sets:
        container = pods.container(NODE) if pods.name == NODE or pods.ancestor == TRAINER else None
        if container is not None and container.get("resources") is not None:
            found: Mapping[str, Any] = container["resources"]
            return found
    return None


def _gpus(amounts: Mapping[str, Any]) -> int:
    for name, amount in amounts.items():
        if "gpu" in name.lower():
            return _whole(name, amount)
    return 0


def _whole(name: str, amount: Any) -> int:
    if amount is None:
        return 0
    try:
        return quantities.whole(amount)
    except ValueError as error:
        raise UnbuildableError(f"{name}: {amount!r} is not a quantity; write 2, 500m or 1.5") from error
