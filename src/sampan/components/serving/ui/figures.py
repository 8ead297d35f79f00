"""How endpoints are doing, as the gateway and the metrics API tell it: of a namespace, at one moment. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
)
from sampan.kube import meta
from sampan.ui.objects import amounts

_LABELS = (
    (labels.INFERENCE_SERVICE, INFERENCE_SERVICES.kind),
    (labels.LLM_INFERENCE_SERVICE, LLM_INFERENCE_SERVICES.kind),
    (labels.INFERENCE_GRAPH, INFERENCE_GRAPHS.kind),
    (labels.SELDON_DEPLOYMENT, SELDON_DEPLOYMENTS.kind),
)
Key = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True, slots=True)
class Figures:
    requests_per_second: float = 0.0
    p95_seconds: float | None = None
    """None where nobody has asked lately."""
    failed: int = 0
    """Answers of 500 and above in the last minute."""
    requests: int = 0
    cores: float = 0.0
    memory: float = 0.0
    """Bytes held now."""
    pods: int = 0
    """That are measured."""


NONE = Figures()


def of(statistics: Any, metrics: Any) -> dict[Key, Figures]:
    """By endpoint, from an answer of the gateway's statistics and one of the metrics API."""
    found: dict[Key, Figures] = {}
    for item in _items(statistics):
        key = str(item.get("kind")), str(item.get("name"))
        found[key] = _added(found.get(key, NONE), item)
    for item in _items(metrics):
        if (of_pod := owner(item)) is not None:
            cores, memory = used(item)
            old = found.get(of_pod, NONE)
            found[of_pod] = replace(
                old, cores=old.cores + cores, memory=old.memory + memory, pods=old.pods + 1
            )
    return found


def owner(pod: Mapping[str, Any]) -> Key | None:
    """Of which endpoint a pod is, by its labels."""
    held = meta.labels(pod)
    return next(((kind, held[label]) for label, kind in _LABELS if held.get(label)), None)


def used(item: Mapping[str, Any]) -> tuple[float, float]:
    """Cores and bytes of a pod, from an item of the metrics API."""
    usage = [each.get("usage") or {} for each in item.get("containers") or ()]
    return (
        sum(float(amounts.parsed(each.get("cpu"))) for each in usage),
        sum(float(amounts.parsed(each.get("memory"))) for each in usage),
    )


def _added(old: Figures, item: Mapping[str, Any]) -> Figures:
    """A backend's. The slower tail is the endpoint's."""
    count = int(item.get("requests") or 0)
    if not count:
        return old
    p95 = float((item.get("latencySeconds") or {}).get("p95") or 0.0)
    codes = Counter({code: number for code, number in (item.get("codes") or {}).items() if code >= "500"})
    return replace(
        old,
        requests_per_second=old.requests_per_second + float(item.get("requestsPerSecond") or 0.0),
        p95_seconds=max(p95, old.p95_seconds or 0.0),
        failed=old.failed + codes.total(),
        requests=old.requests + count,
    )


def _items(answer: Any) -> Iterable[Mapping[str, Any]]:
    return answer.get("items") or () if isinstance(answer, dict) else ()
