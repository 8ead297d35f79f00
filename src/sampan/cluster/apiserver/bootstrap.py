"""The objects that every API server makes at its first start: default roles, bindings and priority classes.

At later starts only a comparison in memory.
"""

from __future__ import annotations

import asyncio

from sampan.client.protocol import WriteOptions
from sampan.cluster.apiserver.access import defaults
from sampan.cluster.apiserver.kinds.policy import SYSTEM_CLASSES
from sampan.cluster.apiserver.verbs import Verbs
from sampan.kube import meta, rbac
from sampan.kube.kinds import PRIORITY_CLASSES, Resource
from sampan.kube.meta import Object


async def create_missing(verbs: Verbs) -> None:
    """Raises ApiError."""
    wanted: list[tuple[Resource, list[Object]]] = [
        (rbac.CLUSTER_ROLES, defaults.cluster_roles()),
        (rbac.CLUSTER_ROLE_BINDINGS, defaults.cluster_role_bindings()),
        (PRIORITY_CLASSES, _priority_classes()),
    ]
    for resource, objects in wanted:
        stored = {
            meta.name(each): each
            for each in (record.object() for record in verbs.storage.current(resource.key))
        }
        # At once, so that they share a commit.
        await asyncio.gather(*(_keep(verbs, resource, stored.get(meta.name(obj)), obj) for obj in objects))


async def _keep(verbs: Verbs, resource: Resource, stored: Object | None, wanted: Object) -> None:
    found = wanted if stored is None else defaults.reconciled(stored, wanted)
    if found is None:
        return
    if stored is None:
        await verbs.create(resource, found, None, WriteOptions())
    else:
        await verbs.replace(resource, meta.name(wanted), found, None, WriteOptions())


def _priority_classes() -> list[Object]:
    return [
        {
            "apiVersion": PRIORITY_CLASSES.api_version,
            "kind": PRIORITY_CLASSES.kind,
            "metadata": {"name": name},
            "value": value,
            "description": "Used for system critical pods that must not be moved from their current node.",
        }
        for name, value in SYSTEM_CLASSES.items()
    ]
