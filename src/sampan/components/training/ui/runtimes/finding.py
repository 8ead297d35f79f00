"""The runtimes that jobs of a namespace may name."""

from __future__ import annotations

from typing import Any

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES
from sampan.components.training.ui import places
from sampan.components.training.ui.runtimes import model
from sampan.components.training.ui.runtimes.model import Runtime
from sampan.kube.kinds import Resource
from sampan.ui.api import Api, ApiFailureError


async def find(api: Api, namespace: str) -> list[Runtime]:
    """What is not served here, or may not be seen, is left out."""
    of_cluster = await _listed(api, CLUSTER_TRAINING_RUNTIMES, "")
    return model.listed(of_cluster, await _listed(api, TRAINING_RUNTIMES, namespace))


async def _listed(api: Api, resource: Resource, namespace: str) -> Any:
    try:
        return await api.get(places.api(resource, namespace))
    except ApiFailureError:
        return {}
