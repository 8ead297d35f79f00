"""A StatefulSet's spec as numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.client.protocol import Object
from sampan.kube import meta


@dataclass(frozen=True, slots=True)
class StatefulSetSpec:
    replicas: int
    start: int
    """The first ordinal."""
    parallel: bool
    """Pods come and go all at once, not one after the other."""
    rolling: bool
    """Pods of an old revision are replaced; else (OnDelete) whoever deletes them does so."""
    partition: int
    """Ordinals below stay at the old revision."""
    min_ready_seconds: int
    delete_claims_with_set: bool
    delete_claims_with_scale: bool

    @property
    def ordinals(self) -> range:
        return range(self.start, self.start + self.replicas)


def read_spec(stateful_set: Object) -> StatefulSetSpec:
    """Raises ValueError, TypeError or AttributeError for a spec that no API server would have taken."""
    spec = meta.spec(stateful_set)
    strategy = spec.get("updateStrategy") or {}
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    return StatefulSetSpec(
        replicas=int(1 if spec.get("replicas") is None else spec["replicas"]),
        start=int((spec.get("ordinals") or {}).get("start") or 0),
        parallel=spec.get("podManagementPolicy") == "Parallel",
        rolling=(strategy.get("type") or "RollingUpdate") == "RollingUpdate",
        partition=int((strategy.get("rollingUpdate") or {}).get("partition") or 0),
        min_ready_seconds=int(spec.get("minReadySeconds") or 0),
        delete_claims_with_set=retention.get("whenDeleted") == "Delete",
        delete_claims_with_scale=retention.get("whenScaled") == "Delete",
    )
