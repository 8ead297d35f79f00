"""Asks what endpoints do and hold now, again and again, for whoever shows it."""

from __future__ import annotations

from typing import Any

from sampan.components.serving.ui import figures, places
from sampan.components.serving.ui.figures import Figures, Key
from sampan.ui.api import Api, ApiFailureError, Query, segment


async def look(api: Api, namespace: str, selector: str = "") -> dict[Key, Figures]:
    """What this user may not see, or the cluster does not measure, is left out."""
    statistics = await got(api, places.statistics(namespace))
    metrics = await got(api, metrics_path(namespace), {"labelSelector": selector} if selector else None)
    return figures.of(statistics, metrics)


def metrics_path(namespace: str) -> str:
    return f"/apis/metrics.k8s.io/v1beta1/namespaces/{segment(namespace)}/pods"


async def got(api: Api, path: str, query: Query | None = None) -> Any:
    try:
        return await api.get(path, query)
    except ApiFailureError:
        return {}
