"""Models that the platform has already: artifacts of runs, to be chosen as what an endpoint serves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan.components.serving.api import origins
from sampan.ui.api import Api, ApiFailureError

_PATH = "/apis/v2beta1/artifacts"
_MODELS = ("model", "classificationmodel")


async def found(api: Api, namespace: str) -> list[tuple[str, str]]:
    """URIs, and what is shown for them; the newest first. Nothing where there are no pipelines."""
    query = {"namespace": namespace, "page_size": "100", "sort_by": "created_at desc"}
    try:
        answer = await api.get(_PATH, query)
    except ApiFailureError:
        return []
    return choices(answer.get("artifacts") or ())


def choices(artifacts: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Pure."""
    told: dict[str, str] = {}
    for each in artifacts:
        kind = str(each.get("type") or each.get("artifact_type") or "").rpartition(".")[2].lower()
        uri = origins.storage_uri(str(each.get("uri") or ""))
        if uri and kind in _MODELS:
            name = str(each.get("name") or each.get("display_name") or "model")
            told.setdefault(uri, f"{name} – {uri}")
    return list(told.items())
