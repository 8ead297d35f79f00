"""What a job's page asks for beside the job and its pods, while it does not run: nodes, its gang, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sampan.components.training.ui.job_page import waiting
from sampan.components.training.ui.job_page.waiting import Around
from sampan.ui.api import Api, ApiFailureError, segment

_GROUPS = ("scheduling.x-k8s.io/v1alpha1", "scheduling.volcano.sh/v1beta1")
_MOST_PODS = "2000"
_REFUSED = {"fieldSelector": "type=Warning,reason=FailedCreate", "limit": "500"}


async def look(api: Api, namespace: str, name: str) -> Around:
    """What this user may not see, or the cluster does not serve, is left out."""
    nodes = await _got(api, "/api/v1/nodes")
    events = await _got(api, f"/api/v1/namespaces/{segment(namespace)}/events", _REFUSED)
    listed = nodes.get("items") or ()
    return Around(
        nodes=listed,
        free=await _free(api, listed),
        whole=waiting.whole(listed),
        group=await _group(api, namespace, name),
        refusals=waiting.refusals(events.get("items") or (), name),
    )


async def _free(api: Api, nodes: Sequence[Any]) -> dict[str, Decimal]:
    """Nothing where not all pods can be seen: half of them would tell of room that is not there."""
    pods = await _got(api, "/api/v1/pods", {"limit": _MOST_PODS})
    if not pods or (pods.get("metadata") or {}).get("continue"):
        return {}
    return waiting.free(nodes, pods.get("items") or ())


async def _group(api: Api, namespace: str, name: str) -> Any:
    for version in _GROUPS:
        path = f"/apis/{version}/namespaces/{segment(namespace)}/podgroups/{segment(name)}"
        if found := await _got(api, path):
            return found
    return {}


async def _got(api: Api, path: str, query: dict[str, str] | None = None) -> Any:
    try:
        return await api.get(path, query)
    except ApiFailureError:
        return {}
