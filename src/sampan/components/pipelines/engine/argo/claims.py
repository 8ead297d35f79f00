"""Volume claims of a workflow: made before its first pod, deleted with its end.

Source: workflow/controller/operator.go (createPVCs, deletePVCs), argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from sampan.lib.threads import Threads


def claims(
    name: str, namespace: str, spec: Mapping[str, Any], owner: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The claims of `volumeClaimTemplates`."""
    found = []
    for template in spec.get("volumeClaimTemplates") or ():
        metadata = dict(template.get("metadata") or {})
        metadata |= {"name": claim_name(name, template), "namespace": namespace}
        if owner:
            metadata["ownerReferences"] = [dict(owner)]
        found.append({**template, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata})
    return found


def claim_name(workflow: str, template: Mapping[str, Any]) -> str:
    return f"{workflow}-{(template.get('metadata') or {}).get('name', '')}"


def volumes(name: str, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The volumes by which pods name the claims."""
    return [
        {
            "name": str((template.get("metadata") or {}).get("name", "")),
            "persistentVolumeClaim": {"claimName": claim_name(name, template)},
        }
        for template in spec.get("volumeClaimTemplates") or ()
    ]


@dataclass(frozen=True, slots=True)
class MakeClaims:
    """`turn.Operation`."""

    task_id: str
    claims: Sequence[dict[str, Any]]

    @property
    def name(self) -> str:
        return "claims"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        for claim in self.claims:
            try:
                await client.create(PERSISTENT_VOLUME_CLAIMS, claim)
            except AlreadyExistsError:
                continue
            except ApiError as error:
                raise StepError(f"volumeClaimTemplates: {error.message}") from None
        return {}


@dataclass(frozen=True, slots=True)
class DropClaims:
    """`turn.Operation`."""

    task_id: str
    names: Sequence[str]

    @property
    def name(self) -> str:
        return "drop-claims"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        for name in self.names:
            try:
                await client.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace)
            except NotFoundError:
                continue
            except ApiError as error:
                return {"failure": error.message}
        return {}
